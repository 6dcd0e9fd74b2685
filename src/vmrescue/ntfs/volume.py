"""An NTFS volume: its files, read and edited.

Invariants of every edit:
1. It is worked out in memory first. An edit that fails (no space, a bad name, a broken record) writes nothing.
2. Then it is written: content to clusters that the file owns or that were free, then metadata; only sectors whose
   bytes change. The content is not copied for this.
3. `state` is checked first. If the volume is hibernated or encrypted, nothing is written. If its log is pending, only
   content is written in place, which changes no metadata.
4. After a change of metadata $LogFile is empty, so that NTFS never replays old records over it.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.arguments import typed
from vmrescue.errors import NotFoundError, UnsupportedError
from vmrescue.ntfs.check.volume import check_volume
from vmrescue.ntfs.directory import find_entry, find_file, open_directory
from vmrescue.ntfs.edit.content import (
    check_owned,
    check_replaceable,
    check_rewritable,
    fits_in_place,
    is_packed,
    make_plain,
    open_content,
    open_readable,
    patched,
    read_content,
    replace_content,
    write_in_place,
)
from vmrescue.ntfs.edit.creation import create_directory, create_file, rename
from vmrescue.ntfs.edit.deletion import delete
from vmrescue.ntfs.edit.naming import check_not_system, touch
from vmrescue.ntfs.edit.views import mark_quotas_out_of_date
from vmrescue.ntfs.index import FILE_NAMES
from vmrescue.ntfs.info import FileInfo, described, listed
from vmrescue.ntfs.log.state import empty_log
from vmrescue.ntfs.state import NTFS_3, read_state, volume_flags
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import FileAttribute, Space, file_names
from vmrescue.ntfs.structures.positions import Lcn, Vcn
from vmrescue.ntfs.structures.system_files import LOG_FILE, VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice, Readable
    from vmrescue.volume.state import VolumeState


Extents = list[tuple[Vcn, Lcn, int]]


@typed
class NtfsVolume:
    """An NTFS volume on a device. Paths use ``\\`` or ``/`` from the root and find names in any case, long or short.

    Opening it reads the boot sector and one file record. Its methods raise NotFoundError for a path that is not there,
    UsageError for a name that no file can have, RefusedError for an edit that would not be safe or cannot be done,
    and FormatError for broken structures.

    Raises:
        FormatError: there is no sound NTFS boot sector at byte 0, or the volume is longer than the device.
        UnsupportedError: the volume is encrypted by BitLocker.
    """

    def __init__(self, device: BlockDevice) -> None:
        self._store = FileStore(device)
        self._boot = self._store.boot
        self._prepared = False  # whether the log is known to be empty, and the quotas to be out of date

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return self._boot.cluster_size

    @property
    def cluster_count(self) -> int:
        return self._boot.cluster_count

    @property
    def free_clusters(self) -> int:
        """The number of free clusters. Reads all of $Bitmap."""
        return self._store.clusters.free_count()

    @property
    def serial_number(self) -> int:
        return self._boot.serial

    @cached_property
    def version(self) -> tuple[int, int]:
        """The version of NTFS, (major, minor): (3, 1) since Windows XP."""
        major, minor, _ = volume_flags(self._store)
        return major, minor

    @cached_property
    def label(self) -> str:
        name = self._store.file(VOLUME).find(Kind.VOLUME_NAME)
        return name.value.decode("utf-16-le", "replace") if name and not name.non_resident else ""

    @cached_property
    def state(self) -> VolumeState:
        """Whether Windows dismounted the volume cleanly, and which edits are allowed."""
        return read_state(self._store)

    def check(self) -> list[str]:
        """What is wrong with the volume, in sentences; a `Note` does not stop an edit. Reads all file records."""
        return check_volume(self._store)

    def exists(self, path: str) -> bool:
        try:
            find_file(self._store, path)
        except NotFoundError:
            return False
        return True

    def stat(self, path: str) -> FileInfo:
        """A file or directory according to its record."""
        if not file_path.split(path):
            return described(find_file(self._store, ""), "", "")
        directory, named = find_entry(self._store, path)
        file = self._store.referenced(named.reference)
        others = [other for other in file_names(file) if other.parent == directory.file.reference]
        long = next((other.name for other in others if other.space != Space.DOS), named.name.name)
        short = next((other.name for other in others if other.space & Space.DOS), "")
        return described(file, long, short)

    def list(self, path: str = "") -> list[FileInfo]:
        """The files and directories in a directory, in NTFS's order; in the root, the system's own files too."""
        return listed(open_directory(self._store, file_path.split(path)).names())

    def folders(self) -> Iterator[str]:
        """The long names of the root's directories, in NTFS's order. Quicker than `list`, which tells all of files."""
        for named in open_directory(self._store, []).names():
            if named.name.is_directory and named.name.space != Space.DOS and named.name.name != ".":
                yield named.name.name

    def read_file(self, path: str) -> bytes:
        """A file's content. Raises UnsupportedError if it is compressed, encrypted or kept elsewhere."""
        return read_content(find_file(self._store, path), path)

    def file_extents(self, path: str) -> Extents:
        """Where a file's content or a directory's index is: (cluster of the file, cluster of the volume, number of
        clusters). Holes are left out; empty if it is in the file record.
        """
        file = find_file(self._store, path)
        kind, name = (Kind.INDEX_ALLOCATION, FILE_NAMES) if file.is_directory else (Kind.DATA, "")
        extents = file.extents(kind, name)
        stored = bool(extents) and bool(extents[0].non_resident)
        return [(run.vcn, run.lcn, run.length) for run in file.runs(extents).stored] if stored else []

    def cluster_offset(self, cluster: Lcn) -> int:
        """Where a cluster begins, in bytes from the volume's start."""
        return cluster * self.cluster_size

    def open_file(self, path: str) -> Readable:
        """A file's content, read from the volume as it is asked for. Raises as `read_file`."""
        return open_readable(find_file(self._store, path), path)

    def write_parts(self, path: str, parts: Iterable[tuple[int, bytes]]) -> None:
        """Replaces bytes of a file's content: (offset in the file, bytes), all inside its size.

        If they are inside the initialized size of non-resident content, they are written in place: only the sectors
        that differ, no metadata. Otherwise as `write_file`.
        """
        self.state.check_content()
        file = find_file(self._store, path)
        check_not_system(file, path)
        stream = open_content(file, path)
        check_rewritable(file, stream, path)
        parts = list(parts)
        if not stream.attribute.non_resident or any(at + len(data) > stream.initialized for at, data in parts):
            self.write_file(path, patched(read_content(file, path), parts))
            return
        check_owned(self._store, file, path)
        with self._store.edit():
            for at, data in parts:
                stream.clusters.write_content(at, memoryview(data))

    def write_file(self, path: str, data: bytes) -> None:
        """Replaces a file's content.

        Content of the same size is written in place: only the sectors that differ, no metadata. Otherwise the file
        grows or shrinks, and its time of last write is set. A sparse file, or one that NTFS or
        WOF has compressed, becomes a plain one.
        """
        self.state.check_content()
        file = find_file(self._store, path)
        check_not_system(file, path)
        stream = open_content(file, path)
        check_replaceable(file, stream, path)
        packed = is_packed(file, stream)
        if not packed and fits_in_place(stream, data):
            check_owned(self._store, file, path)
            with self._store.edit():
                write_in_place(stream, data)
            return
        with self._edit():
            file = find_file(self._store, path)
            same_size = stream.size == len(data)
            without = make_plain(file) if packed else FileAttribute(0)
            replace_content(file, data)
            if packed or not same_size:
                touch(file, attributes=FileAttribute.ARCHIVE, without=without)

    def create_file(self, path: str, data: bytes) -> None:
        """Creates a file; its directory must exist."""
        with self._edit():
            create_file(self._store, path, data)

    def create_directory(self, path: str) -> None:
        """Creates an empty directory; its parent must exist."""
        with self._edit():
            create_directory(self._store, path)

    def delete(self, *paths: str) -> None:
        """Deletes names, all or none. With its last name a file, or an empty directory, is deleted too."""
        with self._edit():
            delete(self._store, paths)

    def rename(self, path: str, name: str) -> None:
        """Renames a file or directory in its directory."""
        with self._edit():
            rename(self._store, path, name)

    def set_attributes(self, path: str, attributes: int, mask: int) -> None:
        """Sets those attributes of a file or directory that `mask` has: Windows' own bits."""
        with self._edit():
            file = find_file(self._store, path)
            check_not_system(file, path)
            touch(file, modified=False, attributes=attributes & mask, without=mask)

    @contextmanager
    def _edit(self) -> Iterator[None]:
        """An edit of metadata: either everything is written, or nothing."""
        self.state.check_metadata()
        if self.version[0] != NTFS_3:
            raise UnsupportedError(f"the volume is of NTFS {self.version[0]}.{self.version[1]}: it is only read")
        with self._store.edit():
            if not self._prepared:
                empty_log(self._store.file(LOG_FILE).stream(Kind.DATA))
                mark_quotas_out_of_date(self._store)
            yield
        self._prepared = True
