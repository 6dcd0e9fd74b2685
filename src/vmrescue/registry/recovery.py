"""Replays the transaction logs of a dirty hive, as Windows does when it loads the hive.

New-form logs: the log with the lower sequence number is replayed first, the other only if it continues where the first
ends. A log ends at its first entry that is torn or belongs to another log. If the hive's base block is broken, only the
log with the later entries is used, and its copy of the base block. Old-form logs: the latest that is not older than the
hive's own last write. Source: M. Suhanov, "Windows registry file format specification", sections "Format of transaction
log files" and "Multiple transaction log files".

In two cases Windows loads the hive with possible losses, and the recovery here is refused: a bin that is not valid,
which Windows replaces with an empty one, and no applicable log, where Windows "heals" the hive.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, RefusedError, UsageError
from vmrescue.log import logger
from vmrescue.registry import key_node, log_new
from vmrescue.registry.base_block import SECTOR, TRANSACTION_FLAG, BaseBlock, FileType
from vmrescue.registry.cells import BINS, PAGE, SIZE
from vmrescue.registry.errors import RecoveryError
from vmrescue.registry.log_new import BadEntry, LogEntry, NewLog
from vmrescue.registry.log_old import OldLog
from vmrescue.registry.space import BIN_HEADER, bins
from vmrescue.registry.state import hive_state
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SEQUENCE = 0xFFFFFFFF
MOST_KNOWN = 32 << 20  # bytes of what replays write that are remembered
LOG = logger("registry")


class HiveFile(Protocol):
    """A hive's file, wherever its bytes are."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes, which lie inside the file."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Writes all of `data`, inside the file."""

    def resize(self, size: int) -> None:
        """Makes the file longer; the new bytes are zeros."""


class HiveInMemory:
    """A copy of a hive's bytes as a `HiveFile`."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        self.data.extend(bytes(size - len(self.data)))


@dataclass(frozen=True)
class Applied:
    """An entry of a new-form log, or a whole old-form log, that was written into the hive."""

    log: int  # number of the log among those given, from 1
    sequence: int
    pages: int  # number of pages written; for an old-form log, of sectors of 512 bytes
    bins_size: int  # bytes of bins after this entry


@dataclass(frozen=True)
class Recovered:
    """What a replay did."""

    applied: tuple[Applied, ...]
    base_block_from: int | None  # number of the log whose copy replaced a broken base block
    end: str  # why the replay ended, in words

    def __str__(self) -> str:
        first, last = self.applied[0], self.applied[-1]
        logs = sorted({entry.log for entry in self.applied})
        count = counted(len(self.applied), "log entry")
        pages = sum(entry.pages for entry in self.applied)
        said = f"{count} ({first.sequence} to {last.sequence}, {counted(pages, 'page')})"
        return f"{said} from log {' and '.join(map(str, logs))}"


@dataclass
class _Log:
    """A log that was given: parsed, or the reason why it cannot be used."""

    number: int
    data: bytes
    log: NewLog | OldLog | None
    fault: str


@typed
def recover(data: bytes, logs: Sequence[bytes]) -> tuple[bytes, Recovered]:
    """Replays the logs of a dirty hive in memory. Returns the clean hive, and what was replayed.

    Args:
        data: the dirty hive's file.
        logs: its transaction logs, in the order LOG1, LOG2 (or LOG alone).

    Raises:
        RecoveryError: no log can be replayed; the text says why for each log.
        FormatError: the hive has no base block at all.
        UsageError: the hive is clean, so Windows would not apply its logs.
    """
    hive = HiveInMemory(data)
    del data  # frees the memory, if the caller keeps no copy
    recovered = replay(hive, logs)
    return bytes(hive.data), recovered


def replay(hive: HiveFile, logs: Sequence[bytes]) -> Recovered:
    """Replays the logs of a dirty hive in place. Only the ranges that are in the logs, and the base block, are written.

    Raises as `recover`; the file may then be half replayed and must not be used.
    """
    head = hive.read_at(0, min(SECTOR, hive.size))
    if not hive_state(head).dirty:
        raise UsageError("the hive is clean: there is nothing to recover")
    replayed = _known_or_replayed(head, _first_bin_written(hive), logs)
    limit = hive.size + sum(map(len, logs))
    if replayed.end > limit:
        raise RecoveryError(f"a log makes the hive {replayed.end} bytes long; it and all its logs have {limit}")
    if (stale := min(replayed.end, hive.size) - replayed.stale) > 0:
        hive.write_at(replayed.stale, bytes(stale))
    if replayed.end > hive.size:
        hive.resize(replayed.end)
    for offset, data in replayed.written:
        hive.write_at(offset, data)
    _must_be_sound(hive, replayed.block)
    return replayed.recovered


@dataclass(frozen=True)
class _Replayed:
    """What a replay makes of a hive. Offsets are in the file."""

    stale: int  # bytes from here to `end` lie after the bins, and are zeroed first
    end: int  # of the bins, where they were longest
    written: list[tuple[int, bytes]]  # in this order: offset, bytes
    block: BaseBlock
    recovered: Recovered

    @property
    def size(self) -> int:
        """Bytes that are written."""
        return sum(len(data) for _, data in self.written)


_known: dict[bytes, _Replayed] = {}  # by the SHA-256 of what each depends on


def _known_or_replayed(head: bytes, first_written: int, logs: Sequence[bytes]) -> _Replayed:
    """What a replay writes depends on these alone, so the same logs are replayed once, whoever reads the hive."""
    digest = sha256(repr((head, first_written, list(map(len, logs)))).encode())
    for log in logs:
        digest.update(log)
    key = digest.digest()
    replayed = _known.pop(key, None) or _replayed(head, first_written, logs)
    while _known and sum(each.size for each in [*_known.values(), replayed]) > MOST_KNOWN:
        del _known[next(iter(_known))]  # the one that was asked for longest ago
    _known[key] = replayed
    return replayed


def _replayed(head: bytes, first_written: int, logs: Sequence[bytes]) -> _Replayed:
    found = BaseBlock.parse(head)
    block = found if found.checksum_is_right else None
    candidates = [_of_this_hive(_open(number, log), block) for number, log in enumerate(logs, 1)]
    new = [log for log in candidates if isinstance(log.log, NewLog)]
    under_way = _Replay(head, first_written, block)
    if new:
        under_way.new_logs(new)
    else:
        under_way.old_logs(candidates)
    if not under_way.applied:
        faults = "; ".join(f"log {log.number}: {log.fault}" for log in candidates)
        raise RecoveryError(f"no transaction log applies to the dirty hive ({faults or 'there is none'})")
    replayed = under_way.finish(next_sequence(block, logs))
    LOG.debug("replayed %s", replayed.recovered)
    return replayed


def next_sequence(block: BaseBlock | None, logs: Sequence[bytes]) -> int:
    """A sequence number above the hive's and all those in its logs, so that Windows never applies the logs again."""
    highest = max(block.primary, block.secondary) if block else 0
    for log in logs:
        found = _open(0, log).log
        numbers = (found.block.primary, found.block.secondary) if found else (0, 0)
        highest = max(highest, *numbers, log_new.highest_sequence(log))
    if highest >= MAX_SEQUENCE:
        raise RefusedError("the hive's sequence numbers are used up")
    return highest + 1


def _open(number: int, data: bytes) -> _Log:
    if not any(data[:SECTOR]):
        return _Log(number, data, None, "it is empty")
    try:
        block = BaseBlock.parse(data, f"base block of log {number}")
    except FormatError as error:
        return _Log(number, data, None, str(error))
    if not block.checksum_is_right:
        found = f"0x{block.checksum:08x}, not 0x{block.expected_checksum:08x}"
        return _Log(number, data, None, f"the checksum of its base block is {found}")
    if block.file_type in NewLog.file_types:
        return _Log(number, data, NewLog(data, block), "")
    if block.file_type in OldLog.file_types:
        old = OldLog(data, block)
        fault = old.fault()
        return _Log(number, data, None if fault else old, fault)
    return _Log(number, data, None, f"its base block has the file type {block.file_type}, which is no log's")


def _of_this_hive(log: _Log, block: BaseBlock | None) -> _Log:
    """The log; marked as not usable if its copy of the base block has another hive's GUIDs."""
    if log.log and block and any(block.guids) and any(_base(log).guids) and _base(log).guids != block.guids:
        return _Log(log.number, log.data, None, "it is another hive's, by the GUIDs in its base block")
    return log


class _Replay:
    """The state of one replay."""

    def __init__(self, head: bytes, first_written: int, block: BaseBlock | None) -> None:
        self._head = head
        self._first_written = first_written  # the first bin's time stamp
        self._block = block  # None if it is broken; then it is taken from a log
        self._from: int | None = None
        self._stale = BINS + block.bins_size if block else None
        self._bins_end = 0
        self._written: list[tuple[int, bytes]] = []
        self.applied: list[Applied] = []
        self._end = ""

    def new_logs(self, logs: list[_Log]) -> None:
        """Replays logs of the new form as long as their sequence numbers continue."""
        logs = sorted(logs, key=lambda log: _base(log).primary)
        if self._block is None:
            logs = logs[-1:]
            self._take_block(logs[0])
        for log in logs:
            first = _base(log).primary
            if self.applied and first != self.applied[-1].sequence + 1:
                log.fault = f"its entries begin at {first}, not at {self.applied[-1].sequence + 1}"
            elif not self.applied and first < self._completed:
                log.fault = f"its entries begin at {first}, before the hive's last write, {self._completed}"
            else:
                self._apply_entries(log)
                if not self.applied:
                    return  # the other log's entries may follow on ones that are missing here

    def old_logs(self, logs: list[_Log]) -> None:
        """Applies the latest log of the old form that is not older than the hive."""
        written = self._block.last_written if self._block else self._first_written
        fitting = []
        for log in logs:
            if log.log and _base(log).last_written < written:
                log.fault = "it is older than the hive's last write"
            elif log.log:
                fitting.append(log)
        if fitting:
            latest = max(fitting, key=lambda log: (_base(log).last_written, -log.number))
            self._apply_sectors(latest)

    @property
    def _completed(self) -> int:
        """The sequence number of the last write that is known to be complete; 0 if that is not known."""
        return self._block.secondary if self._block and self._from is None else 0

    def _take_block(self, log: _Log) -> None:
        self._block = replace(_base(log), file_type=int(FileType.HIVE))
        self._from = log.number
        self._head = log.data[:SECTOR]

    def _apply_entries(self, log: _Log) -> None:
        assert isinstance(log.log, NewLog)
        try:
            for entry in log.log.entries():
                self._apply(log.number, entry)
        except BadEntry as end:
            self._end = log.fault = str(end)

    def _apply(self, number: int, entry: LogEntry) -> None:
        assert self._block is not None
        self._write(entry.pages, entry.bins_size)
        flags = self._block.flags & ~TRANSACTION_FLAG | entry.flags
        self._block = replace(self._block, bins_size=entry.bins_size, flags=flags)
        self.applied.append(Applied(number, entry.sequence, len(entry.pages), entry.bins_size))

    def _apply_sectors(self, log: _Log) -> None:
        assert isinstance(log.log, OldLog)
        if self._block is None:
            self._take_block(log)
        assert self._block is not None
        sectors = list(log.log.sectors())
        size = log.log.block.bins_size
        self._write(sectors, size)
        self._block = replace(self._block, bins_size=size, root=log.log.block.root)
        self.applied.append(Applied(log.number, log.log.block.primary, len(sectors), size))
        self._end = "all of the log was applied"

    def _write(self, pages: list[tuple[int, bytes]], bins_size: int) -> None:
        self._bins_end = max(self._bins_end, BINS + bins_size)
        self._written += [(BINS + offset, page) for offset, page in pages]

    def finish(self, sequence: int) -> _Replayed:
        """With the base block, which says that the hive is clean."""
        assert self._block is not None
        block = replace(self._block, primary=sequence, secondary=sequence)
        written = [*self._written, (0, block.store(self._head))]
        stale = self._bins_end if self._stale is None else self._stale  # if the bins' size was unknown, no byte is
        recovered = Recovered(tuple(self.applied), self._from, self._end)
        return _Replayed(stale, self._bins_end, written, block, recovered)


def _first_bin_written(hive: HiveFile) -> int:
    """The first bin's time stamp, 100 ns since 1601; 0 if the file has no bin."""
    if hive.size < BINS + PAGE:
        return 0
    return int(BIN_HEADER.unpack(hive.read_at(BINS, BIN_HEADER.size))[3])


def _must_be_sound(hive: HiveFile, block: BaseBlock) -> None:
    """Raises RecoveryError if what the logs made of the hive is not sound."""
    try:
        block.check_readable()
        deque(bins(hive.read_at, block.bins_size), maxlen=0)
        _check_root(hive, block)
    except FormatError as error:
        raise RecoveryError(f"the replayed logs do not make a sound hive: {error}") from error


def _check_root(hive: HiveFile, block: BaseBlock) -> None:
    """Raises FormatError unless a key node is where the base block says the root key is."""
    if block.root & 7 or block.root + SIZE.size + key_node.LAYOUT.size > block.bins_size:
        raise FormatError("base block", 36, f"a cell's offset below {block.bins_size}", f"0x{block.root:x}")
    signature = hive.read_at(BINS + block.root + SIZE.size, 2)
    if signature != b"nk":
        raise FormatError("key node", BINS + block.root + SIZE.size, "the signature 'nk'", signature)


def _base(log: _Log) -> BaseBlock:
    assert log.log is not None
    return log.log.block
