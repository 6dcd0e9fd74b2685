"""The parts of a volume that its files share: geometry, waiting writes, file table, upper cases."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.image.pending_writes import PendingWrites
from vmrescue.ntfs.bitmap import ClusterBitmap
from vmrescue.ntfs.file import File
from vmrescue.ntfs.mft import FileTable
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.boot_sector import read_boot_sector
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.system_files import FIRST_USER, UPCASE
from vmrescue.ntfs.structures.upcase import UNITS, UpCase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.structures.record import Reference


class Store:
    """A volume's shared parts. Opening it reads the boot sector and the file table's own record, no more."""

    def __init__(self, device: BlockDevice) -> None:
        self.device = device
        self.boot = read_boot_sector(device)
        self.pending = PendingWrites(device, self.boot.sector_size)
        self.mft = FileTable(self.pending, self.boot)
        self.next_record = FIRST_USER  # no record before it is free
        self._files: dict[int, File] | None = None

    @cached_property
    def upcase(self) -> UpCase:
        stream = self.file(UPCASE).stream(Kind.DATA)
        if stream.size < 2 * UNITS:
            raise FormatError("$UpCase", stream.attribute.position, f"{2 * UNITS} bytes", stream.size)
        return UpCase(stream.read_at)

    @cached_property
    def clusters(self) -> ClusterBitmap:
        return ClusterBitmap(self)

    @contextmanager
    def edit(self) -> Iterator[None]:
        """Writes what the body changed when it is done, or nothing if it raises. Meanwhile files are shared."""
        self.mft.begin()
        self._files = {}
        try:
            yield
            self.mft.store()
            self.pending.commit()
        except BaseException:
            self.pending.drop()
            self.next_record = FIRST_USER
            self.mft.end()
            self.mft.load()
            raise
        finally:
            self._files = None
            self.mft.end()

    def file(self, number: int) -> File:
        """The file of a base record; during an edit always the same object.

        Raises:
            FormatError: the record is not in use, or belongs to another file.
        """
        if self._files is not None and number in self._files:
            return self._files[number]
        record = self.mft.record(number)
        if not record.in_use or record.base:
            raise FormatError(record.title, record.position + 0x16, "a file's base record, in use", record.flags)
        file = File(self, record)
        if self._files is not None:
            self._files[number] = file
        return file

    def referenced(self, reference: Reference) -> File:
        """The file that a reference names. Raises FormatError where the record was given to another file since."""
        file = self.file(reference & NUMBER_MASK)
        if file.reference != reference:
            expected = f"sequence number {reference >> 48}"
            raise FormatError(file.base.title, file.base.position + 0x10, expected, file.base.sequence)
        return file
