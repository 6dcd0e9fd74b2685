"""$LogFile: the part of the volume that one record changes. It is read, changed in memory, checked and written."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, RefusedError, UnsupportedError, bytes_text, in_volume
from vmrescue.ntfs.cluster_stream import ClusterStream
from vmrescue.ntfs.index import BLOCK_HEADER, BLOCK_SIGNATURE, read_node
from vmrescue.ntfs.log import operations
from vmrescue.ntfs.log.errors import in_log
from vmrescue.ntfs.log.layout import SECTOR, LogOperation, TargetFlag
from vmrescue.ntfs.log.step import LogStep
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.fixup import protect, unprotect
from vmrescue.ntfs.structures.record import SIGNATURE, FileRecord
from vmrescue.ntfs.structures.run_list import HOLE, RunList
from vmrescue.ntfs.structures.system_files import MFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.ntfs.log.records import Update
    from vmrescue.ntfs.log.tables import OpenAttribute
    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.positions import Lcn

MAX_SPAN = 1 << 20  # most bytes that one record may change, if clusters are not larger
LSN_OFFSET = 0x08
SMALLEST_BLOCK, LARGEST_BLOCK = 512, 65536


@dataclass(frozen=True)
class Way:
    """The redo or the undo part of an update: an operation and its data."""

    operation: int
    data: bytes


def redo_of(update: Update) -> Way:
    return Way(update.redo_operation, update.redo)


def undo_of(update: Update) -> Way:
    return Way(update.undo_operation, update.undo)


def check_known(update: Update) -> None:
    """Raises UnsupportedError if a record has an unknown operation."""
    for operation in (update.redo_operation, update.undo_operation):
        if operation not in KNOWN:
            raise UnsupportedError(
                f"$LogFile record at byte {update.position} of the log: unknown operation {operation:#x}"
            )


KNOWN = frozenset(
    {
        LogOperation.UPDATE_NON_RESIDENT_VALUE,
        *operations.NOT_ON_PAGES,
        *operations.ON_FILE_RECORD,
        *operations.ON_INDEX_BLOCK,
        *operations.ON_BYTES,
    }
)


class Target:
    """The clusters that an update changes. Changes are kept in the volume's pending writes.

    Args:
        lcns: a cluster for each that the update names; HOLE for those that were freed since.
        attribute: the update's attribute; None if the log does not describe it.
        lost: the LSNs after the log's end. A structure that has one shows that the log lost its end.

    Raises:
        FormatError: a cluster is not inside the volume.
    """

    def __init__(
        self, store: FileStore, update: Update, lcns: Sequence[Lcn], attribute: OpenAttribute | None, lost: range
    ) -> None:
        self.store = store
        self.update = update
        self.attribute = attribute
        self.lost = lost
        self._runs = RunList()
        for lcn in lcns:
            if lcn != HOLE and not 0 < lcn < store.boot.cluster_count:
                raise in_log("$LogFile record", update.position, f"clusters below {store.boot.cluster_count}", lcn)
            self._runs.append(lcn, 1)
        self._clusters = ClusterStream(store.pending, self._runs, store.boot.cluster_size)

    def apply(self, way: Way, lsn: int | None) -> bool:
        """Carries an operation out.

        Args:
            lsn: for a redo, the record's LSN: a structure on disk with this or a later LSN has the change already and
                is not changed. None for an undo.

        Returns:
            Whether anything was changed.

        Raises:
            FormatError, UnsupportedError: the structure on disk is not what the operation needs.
            RefusedError: the structure was changed after the log's end.
        """
        if way.operation in operations.NOT_ON_PAGES:
            return False
        if change := operations.ON_FILE_RECORD.get(way.operation):
            self._expect_file_table()
            return self._change_structure(change, way, lsn, self.store.boot.record_size, SIGNATURE)
        if change := operations.ON_INDEX_BLOCK.get(way.operation):
            return self._change_structure(change, way, lsn, self._block_size(), BLOCK_SIGNATURE)
        if change := operations.ON_BYTES.get(way.operation):
            return self._change_bytes(change, way)
        if self._is_index():
            return self._change_structure(operations.write_bytes, way, lsn, self._block_size(), BLOCK_SIGNATURE)
        return self._change_bytes(operations.write_bytes, way)

    def _opened(self) -> OpenAttribute:
        if self.attribute is None:
            found = f"{self.update.attribute:#x}"
            raise in_log("$LogFile record", self.update.position, "the key of an attribute that was opened", found)
        return self.attribute

    def _expect_file_table(self) -> None:
        attribute = self._opened()
        if attribute.record != MFT or attribute.kind != Kind.DATA:
            found = f"type {attribute.kind:#x} of record {attribute.record}"
            raise in_log("$LogFile record", self.update.position, "the data of $MFT", found)

    def _is_index(self) -> bool:
        """Whether the update changes bytes of index blocks, which are logged with fix-ups undone."""
        if self.update.target & TargetFlag.FILE_RECORD:
            raise UnsupportedError(
                f"$LogFile record at byte {self.update.position} of the log: a file record, changed as bytes"
            )
        attribute = self._opened()
        return bool(self.update.target & TargetFlag.INDEX_BLOCK) or attribute.kind == Kind.INDEX_ALLOCATION

    def _block_size(self) -> int:
        size = self._opened().index_block_size or self.store.boot.index_block_size
        if size & (size - 1) or not SMALLEST_BLOCK <= size <= LARGEST_BLOCK:
            raise in_log("open attribute", self.update.position, "index blocks of 512 to 65536 bytes", size)
        return size

    def _step(self, way: Way, structure: str, position: int) -> LogStep:
        update = self.update
        return LogStep(
            way.operation,
            way.data,
            update.record_offset,
            update.attribute_offset,
            update.same_length,
            structure,
            position,
        )

    # --- file records and index blocks ---

    def _change_structure(
        self, change: operations.PageChange, way: Way, lsn: int | None, size: int, signature: bytes
    ) -> bool:
        if all(run.lcn == HOLE for run in self._runs):
            return False
        name = "file record" if signature == SIGNATURE else "index block"
        structure = f"{name} ($LogFile record at byte {self.update.position} of the log)"
        start = self.update.block_offset
        position = self._clusters.position(start)
        raw = self._structure(way, size, signature, structure, position)
        old_lsn: int = struct.unpack_from("<Q", raw, LSN_OFFSET)[0]
        if old_lsn in self.lost:
            raise RefusedError(f"{structure} bears LSN 0x{old_lsn:x}, but the log ends before: its end is lost")
        if lsn is not None and lsn <= old_lsn < self.lost.start:
            return False  # done already; an LSN beyond `lost` is from an earlier log, which was emptied
        change(self._step(way, structure, position), raw)
        struct.pack_into("<Q", raw, LSN_OFFSET, old_lsn if lsn is None else lsn)
        self._check(raw, signature, structure, position)
        data = protect(raw)
        self._clusters.write_at(start, data)
        return True

    def _structure(self, way: Way, size: int, signature: bytes, structure: str, position: int) -> bytearray:
        """The structure on disk, fix-ups undone; zeros if it is not valid but the operation writes a whole new one."""
        raw = self._clusters.read_at(self.update.block_offset, size)
        try:
            if raw[:4] != signature:
                raise in_volume(structure, position, f"the signature {bytes_text(signature)}", raw[:4])
            return unprotect(raw, structure, position)
        except FormatError:
            if not self._brings_all(way, signature):
                raise
            return bytearray(size)

    def _brings_all(self, way: Way, signature: bytes) -> bool:
        if self.update.record_offset or self.update.attribute_offset or way.data[:4] != signature:
            return False
        if signature == SIGNATURE:
            used = int.from_bytes(way.data[0x18:0x1C], "little")
        else:
            used = BLOCK_HEADER + int.from_bytes(way.data[BLOCK_HEADER + 4 : BLOCK_HEADER + 8], "little")
        return BLOCK_HEADER + 8 < used <= len(way.data)

    def _check(self, raw: bytearray, signature: bytes, structure: str, position: int) -> None:
        """Raises FormatError unless the changed structure is valid."""
        if raw[:4] != signature:
            raise in_volume(structure, position, f"the signature {bytes_text(signature)}", bytes(raw[:4]))
        if signature == BLOCK_SIGNATURE:
            read_node(None, raw, BLOCK_HEADER, position)
        else:
            FileRecord(bytearray(raw), 0, position)

    # --- other bytes ---

    def _change_bytes(self, change: operations.PageChange, way: Way) -> bool:
        start = self.update.block_offset
        size = self._clusters.size - start
        if size > max(MAX_SPAN, self.store.boot.cluster_size):
            raise UnsupportedError(
                f"$LogFile record at byte {self.update.position} of the log changes {size} bytes at once"
            )
        structure = f"clusters ($LogFile record at byte {self.update.position} of the log)"
        old = self._clusters.read_at(start, size)
        raw = bytearray(old)
        change(self._step(way, structure, self._clusters.position(start)), raw)
        if raw == old:
            return False
        self._write_differing(start, old, raw)
        return True

    def _write_differing(self, start: int, old: bytes, new: bytearray) -> None:
        """Writes the changed sectors, except in clusters that were freed."""
        for offset in range(0, len(new), SECTOR):
            piece = new[offset : offset + SECTOR]
            if piece != old[offset : offset + SECTOR]:
                position = self._clusters.position(start + offset)
                if position != HOLE:
                    self.store.pending.write_at(position, piece)
