"""$LogFile: the tables that a checkpoint writes, and how later records change them.

NTFS keeps these in memory and logs them with each checkpoint: the open attributes, those of their clusters with changes
that may not be on disk, and the transactions under way. A fourth table, of the attributes' names, is not needed here,
because every record names the clusters that it changed.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import UnsupportedError
from vmrescue.ntfs.log import layout
from vmrescue.ntfs.log.errors import in_log
from vmrescue.ntfs.log.layout import LogOperation, State
from vmrescue.ntfs.log.operations import NOT_ON_PAGES
from vmrescue.ntfs.structures.positions import Lcn, Vcn
from vmrescue.ntfs.structures.record import NUMBER_MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.log.records import LogRecord, Update

NEWER = 1  # major version of the restart data with the newer form of the tables


@dataclass(frozen=True)
class OpenAttribute:
    """An attribute that updates refer to."""

    kind: int
    record: int  # number of the file's record
    index_block_size: int  # bytes; 0 if it is no index


@dataclass
class DirtyCluster:
    """A cluster of an attribute with changes that may not be on disk."""

    lcn: Lcn | None  # None: it was freed since
    oldest_lsn: int  # LSN of the oldest change that may not be on disk


@dataclass
class Transaction:
    """A transaction that is not finished at the point of the log that was reached."""

    undo_next: int  # LSN of the next update to undo; 0 if there is none
    state: int = State.ACTIVE


@dataclass(frozen=True)
class RestartData:
    """The data of a checkpoint. The LSN of an empty table is 0."""

    version: int
    start: int
    attributes: int
    pages: int
    transactions: int


def read_restart_data(record: LogRecord) -> RestartData | None:
    """The data of a restart record; None if it has none, as on a volume that was never used."""
    if record.kind != layout.RESTART:
        raise in_log("$LogFile record", record.position + 0x20, f"type {layout.RESTART}", record.kind)
    if not record.data:
        return None
    if len(record.data) < layout.RESTART_DATA.size:
        raise in_log("restart data", record.position, f"{layout.RESTART_DATA.size} bytes", len(record.data))
    fields = layout.RESTART_DATA.unpack_from(record.data)
    version, _, start, attributes, _, pages, transactions = fields[:7]
    attributes_size, _, pages_size, transactions_size = fields[7:]
    if version > NEWER:
        raise UnsupportedError(
            f"$LogFile record at byte {record.position} of the log: restart data of version {version}"
        )
    return RestartData(
        version,
        start or record.lsn,
        attributes if attributes_size else 0,
        pages if pages_size else 0,
        transactions if transactions_size else 0,
    )


class Tables:
    """The tables at one point of the log.

    Args:
        version: major version of the restart data.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.attributes: dict[int, OpenAttribute] = {}
        self.clusters: dict[tuple[int, int], DirtyCluster] = {}  # (attribute, VCN) -> cluster
        self.transactions: dict[int, Transaction] = {}

    # --- as a checkpoint left them ---

    def load_attributes(self, update: Update) -> None:
        for key, entry in _entries(update, LogOperation.OPEN_ATTRIBUTES_DUMP):
            self.attributes[key] = self._open_attribute(entry, update)

    def load_pages(self, update: Update) -> None:
        form = layout.DIRTY_PAGE if self.version == NEWER else layout.DIRTY_PAGE_OLD
        for _, entry in _entries(update, LogOperation.DIRTY_PAGES_DUMP):
            if len(entry) < form.size:
                raise in_log("dirty page", update.position, f"an entry of {form.size} bytes or more", len(entry))
            _, attribute, _, count, vcn, oldest = form.unpack_from(entry)
            if count > (len(entry) - form.size) // layout.LCN_SIZE:
                raise in_log("dirty page", update.position, f"clusters in {len(entry)} bytes", count)
            for number in range(count):
                at = form.size + number * layout.LCN_SIZE
                lcn = int.from_bytes(entry[at : at + layout.LCN_SIZE], "little")
                if lcn:
                    self._add_cluster(attribute, Vcn(vcn + number), DirtyCluster(Lcn(lcn), oldest))

    def _add_cluster(self, attribute: int, vcn: Vcn, cluster: DirtyCluster) -> None:
        """Adds a cluster. If it is there already, the LSN of the older change is kept."""
        known = self.clusters.setdefault((attribute, vcn), cluster)
        known.oldest_lsn = min(known.oldest_lsn, cluster.oldest_lsn)

    def load_transactions(self, update: Update) -> None:
        for key, entry in _entries(update, LogOperation.TRANSACTIONS_DUMP):
            if len(entry) < layout.TRANSACTION.size:
                raise in_log("transaction", update.position, f"{layout.TRANSACTION.size} bytes", len(entry))
            _, state, _, _, undo_next = layout.TRANSACTION.unpack_from(entry)
            self.transactions[key] = Transaction(undo_next, state)

    def _open_attribute(self, entry: bytes, update: Update) -> OpenAttribute:
        form = layout.OPEN_ATTRIBUTE if self.version == NEWER else layout.OPEN_ATTRIBUTE_OLD
        if len(entry) < form.size:
            raise in_log("open attribute", update.position, f"{form.size} bytes", len(entry))
        if self.version == NEWER:
            _, block_size, kind, reference, _ = form.unpack_from(entry)
        else:
            _, reference, _, kind, block_size = form.unpack_from(entry)
        return OpenAttribute(kind, reference & NUMBER_MASK, block_size)

    # --- as the records after it change them ---

    def note(self, record: LogRecord, update: Update) -> None:
        """Updates the tables by a record after the checkpoint."""
        self._note_transaction(record, update)
        operation = update.redo_operation
        if operation == LogOperation.OPEN_ATTRIBUTE:
            self.attributes[update.attribute] = self._open_attribute(update.redo, update)
        elif operation == LogOperation.DELETE_DIRTY_CLUSTERS:
            self._forget_clusters(update)
        elif operation == LogOperation.HOT_FIX:
            self._move_cluster(update)
        elif operation not in NOT_ON_PAGES:
            for number, lcn in enumerate(update.lcns):
                self._note_cluster(update, Vcn(update.vcn + number), lcn)

    def _note_transaction(self, record: LogRecord, update: Update) -> None:
        if not record.transaction:
            raise in_log("$LogFile record", record.position + 0x24, "the key of a transaction", 0)
        transaction = self.transactions.setdefault(record.transaction, Transaction(record.lsn))
        undone = update.undo_operation == LogOperation.COMPENSATION
        undone = undone or update.redo_operation == LogOperation.END_TOP_LEVEL_ACTION
        transaction.undo_next = record.undo_next if undone else record.lsn
        if update.redo_operation == LogOperation.PREPARE_TRANSACTION:
            transaction.state = State.PREPARED
        elif update.redo_operation == LogOperation.COMMIT_TRANSACTION:
            transaction.state = State.COMMITTED
        elif update.redo_operation == LogOperation.FORGET_TRANSACTION:
            del self.transactions[record.transaction]

    def _note_cluster(self, update: Update, vcn: Vcn, lcn: Lcn) -> None:
        """Notes a change in a cluster. If the VCN had another cluster before, older changes no longer count."""
        known = self.clusters.get((update.attribute, vcn))
        if known is None or known.lcn != lcn:
            self.clusters[update.attribute, vcn] = DirtyCluster(lcn, update.lsn)

    def _forget_clusters(self, update: Update) -> None:
        size = layout.CLUSTER_RANGE.size
        whole = update.redo[: len(update.redo) // size * size]
        ranges = sorted(layout.CLUSTER_RANGE.iter_unpack(whole))
        starts = [first for first, _ in ranges]
        for cluster in self.clusters.values():
            if cluster.lcn is not None:
                index = bisect_right(starts, cluster.lcn) - 1
                if index >= 0 and cluster.lcn < sum(ranges[index]):
                    cluster.lcn = None

    def _move_cluster(self, update: Update) -> None:
        known = self.clusters.get((update.attribute, update.vcn))
        if known and known.lcn is not None and update.lcns:
            known.lcn = update.lcns[0]

    def redo_start(self) -> int | None:
        """The LSN of the oldest record that may have to be redone; None if there is none."""
        return min((cluster.oldest_lsn for cluster in self.clusters.values() if cluster.lcn is not None), default=None)


def _entries(update: Update, operation: LogOperation) -> Iterator[tuple[int, bytes]]:
    """The entries in use of a table that a record contains: (key, bytes). A key is an entry's offset in the table."""
    table = update.redo
    if update.redo_operation != operation or len(table) < layout.TABLE_HEADER.size:
        raise in_log("$LogFile record", update.position, f"a table, dumped by operation {operation:#x}", len(table))
    size, count, used, *_ = layout.TABLE_HEADER.unpack_from(table)
    start = layout.TABLE_HEADER.size
    if size < 8 or start + size * count > len(table) or used > count:
        raise in_log("$LogFile table", update.position, f"{count} entries within {len(table)} bytes", size)
    for at in range(start, start + size * count, size):
        if int.from_bytes(table[at : at + 4], "little") == layout.ENTRY_IN_USE:
            yield at, table[at : at + size]
