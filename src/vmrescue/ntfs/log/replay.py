"""Replays $LogFile, as NTFS does when a volume is mounted after a crash.

There are three passes. Analysis reads the tables of the last checkpoint and updates them to the end of the log. Redo
repeats every change, committed or not, to clusters that may not have reached the disk; then the volume is as it was
when the machine stopped. Undo reverts, last change first, the transactions that were not committed. Any record that is
not fully understood stops the replay before a byte is written.

The log is then closed, with its last LSN, not emptied: file records contain LSNs, and new log records need higher ones,
or a later replay would take old changes for new ones. A later edit may still empty it.
Source: the linux-ntfs documentation, "$LogFile"; for the passes, the Linux kernel's ntfs3 driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.log import logger
from vmrescue.ntfs.log.errors import in_log
from vmrescue.ntfs.log.layout import RESTART, UPDATE, State
from vmrescue.ntfs.log.pages import LogFile
from vmrescue.ntfs.log.records import Records, read_update
from vmrescue.ntfs.log.state import log_reasons
from vmrescue.ntfs.log.tables import Tables, read_restart_data
from vmrescue.ntfs.log.target import Target, check_known, redo_of, undo_of
from vmrescue.ntfs.state import read_state
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.positions import Lcn, Vcn
from vmrescue.ntfs.structures.run_list import HOLE
from vmrescue.ntfs.structures.system_files import LOG_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.log.records import LogRecord, Update
    from vmrescue.ntfs.log.tables import RestartData

LOG = logger("ntfs")


@dataclass(frozen=True)
class Replayed:
    """What a replay did.

    Args:
        version: version of the log, such as "2.0".
        first_lsn: LSN of the oldest record that was read.
        last_lsn: LSN of the last record of the log.
        redone: number of changes that were repeated.
        undone: number of changes that were reverted.
        transactions: number of transactions that were reverted.
    """

    version: str
    first_lsn: int
    last_lsn: int
    redone: int
    undone: int
    transactions: int


def replay(device: BlockDevice) -> Replayed | None:
    """Replays the log of the NTFS volume on `device` and closes it; None if it was closed or empty already.

    Nothing is written unless the whole replay is possible. The writes to the device are not atomic: if they may be
    interrupted, the caller must make them take effect together. NTFS itself logs what it undoes; this does not.

    Raises:
        FormatError: the log, or a part of the volume that it changes, is damaged.
        UnsupportedError: the log contains something unknown.
        RefusedError: the log is torn in the middle, lost its end, or would change itself; or a hibernated Windows has
            the volume open.
    """
    store = FileStore(device)
    stream = store.file(LOG_FILE).stream(Kind.DATA)
    if not log_reasons(stream):
        return None
    return Replay(store, LogFile(stream)).run()


class Replay:
    """One replay. All changes are pending in the store until it is complete."""

    def __init__(self, store: FileStore, log: LogFile) -> None:
        self.store = store
        self.log = log
        self.records = Records(log)
        self.redone = 0
        self.undone = 0
        self.transactions = 0
        self._own_runs = log.stream.clusters.runs.stored

    def run(self) -> Replayed:
        restart = read_restart_data(self.records.get(self.log.client.restart_lsn))
        if restart is None:
            raise in_log("$LogFile", self.log.position, "a checkpoint", "none")
        self.tables = self._load_tables(restart)
        self.last = self._analyze(restart.start)
        self._lost = range(self.last.lsn + 1, self.last.lsn + (1 << self.log.place_bits))
        first = self._redo()
        self._undo()
        self._copy_to_mirror()
        read_state(self.store).check_content()  # files can be read only now
        page = self.log.closing_page(self.last.lsn, len(self.last.data))
        self.store.pending.commit()
        self._close(page)
        version = "{}.{}".format(*self.log.version)
        oldest = restart.start if first is None else min(first, restart.start)
        LOG.info("$LogFile %s: %d changes repeated, %d taken back", version, self.redone, self.undone)
        return Replayed(version, oldest, self.last.lsn, self.redone, self.undone, self.transactions)

    # --- analysis ---

    def _load_tables(self, restart: RestartData) -> Tables:
        tables = Tables(restart.version)
        for lsn, load in (
            (restart.attributes, tables.load_attributes),
            (restart.pages, tables.load_pages),
            (restart.transactions, tables.load_transactions),
        ):
            if lsn:
                load(read_update(self.records.get(lsn)))
        return tables

    def _analyze(self, start: int) -> LogRecord:
        """Updates the tables to the end of the log; returns its last record. The tables already include `start`."""
        last = self.records.get(start)
        for record, update in self._updates(start):
            last = record
            if update is not None and record.lsn != start:
                check_known(update)
                self.tables.note(record, update)
        self.records.check_end(last)
        for transaction in self.tables.transactions.values():
            if transaction.state not in set(State) or transaction.state == State.PREPARED:
                raise UnsupportedError(f"$LogFile has a transaction in state {transaction.state} at its end")
        return last

    def _updates(self, start: int) -> Iterator[tuple[LogRecord, Update | None]]:
        """The records from an LSN on, each with its update (None if it has none)."""
        for record in self.records.walk(start):
            if record.kind not in (UPDATE, RESTART):
                raise in_log("$LogFile record", record.position + 0x20, "a known type of record", record.kind)
            yield record, read_update(record) if record.kind == UPDATE else None

    # --- redo ---

    def _redo(self) -> int | None:
        """Repeats changes that may not have reached the disk. Returns the LSN of the first; None if there are none."""
        start = self.tables.redo_start()
        if start is None:
            return None
        if start < self.log.client.oldest_lsn:
            oldest = f"LSNs of at least 0x{self.log.client.oldest_lsn:x}"
            raise in_log("$LogFile dirty pages", self.log.position, oldest, f"0x{start:x}")
        for _, update in self._updates(start):
            if update is not None:
                check_known(update)
                self._redo_one(update)
        return start

    def _redo_one(self, update: Update) -> None:
        lcns = [self._dirty(update, number) for number in range(len(update.lcns))]
        if lcns and lcns[0] != HOLE:
            self.redone += self._target(update, lcns).apply(redo_of(update), update.lsn)

    def _dirty(self, update: Update, number: int) -> Lcn:
        """The cluster where part `number` of an update must be repeated; HOLE if it need not be."""
        cluster = self.tables.clusters.get((update.attribute, Vcn(update.vcn + number)))
        if cluster is None or cluster.lcn is None or update.lsn < cluster.oldest_lsn:
            return HOLE
        return cluster.lcn

    def _target(self, update: Update, lcns: list[Lcn]) -> Target:
        for lcn in lcns:
            if lcn != HOLE and any(run.lcn <= lcn < run.next_lcn for run in self._own_runs):
                raise RefusedError(f"$LogFile record at byte {update.position} of the log would change the log itself")
        attribute = self.tables.attributes.get(update.attribute)
        return Target(self.store, update, lcns, attribute, self._lost)

    # --- undo ---

    def _undo(self) -> None:
        for transaction in self.tables.transactions.values():
            if transaction.state == State.ACTIVE:
                before = self.undone
                self._undo_from(transaction.undo_next)
                self.transactions += self.undone > before

    def _undo_from(self, lsn: int) -> None:
        """Reverts the update with an LSN and those before it in its transaction."""
        while lsn:
            record = self.records.get(lsn)
            update = read_update(record)
            check_known(update)
            if update.lcns:
                self.undone += self._target(update, self._clusters(update)).apply(undo_of(update), None)
            if record.undo_next >= lsn:
                raise in_log(
                    "$LogFile record", record.position + 0x10, f"an LSN before 0x{lsn:x}", f"0x{record.undo_next:x}"
                )
            lsn = record.undo_next

    def _clusters(self, update: Update) -> list[Lcn]:
        """The clusters in which an update is reverted: those in the table, else those that the record names."""
        keys = [(update.attribute, Vcn(update.vcn + number)) for number in range(len(update.lcns))]
        known = map(self.tables.clusters.get, keys)
        return [
            cluster.lcn if cluster and cluster.lcn is not None else lcn
            for cluster, lcn in zip(known, update.lcns, strict=True)
        ]

    # --- the end ---

    def _copy_to_mirror(self) -> None:
        """Copies the first file records, as they are now, to $MFTMirr."""
        if not self.redone and not self.undone:
            return
        self.store.mft.load()
        mirror, mirror_size = self.store.mft.mirror()
        size = self.store.boot.record_size
        for number in range(min(mirror_size // size, self.store.mft.count)):
            position = self.store.mft.position(number)
            data = self.store.pending.read_at(position, size)
            if data != mirror.read_at(number * size, size):
                mirror.write_at(number * size, data)

    def _close(self, page: bytes) -> None:
        """Closes the log, as the last write: an open log means that the volume still needs a replay."""
        for position in (0, len(page)):
            self.log.stream.write_at(position, page)
        self.store.pending.commit()
