"""Making a dirty hive whole again from its transaction logs, as Windows does when it loads it.

New-form logs: the one with the lower sequence number goes first, the other only if it continues where the first
ends; each ends at its first entry that is torn or foreign. With a broken base block only the log with the later
entries counts, and its copy of the base block. Old-form logs: the latest that is not older than the hive's own last
write. Source: M. Suhanov, "Windows registry file format specification", sections "Format of transaction log files"
and "Multiple transaction log files".

Where Windows would go on with what it cannot be sure of (a bin that does not fit, which it replaces with an empty
one; no applicable log, on which it "heals" the hive), the recovery is refused.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from vmrescue.errors import FormatError, RefusedError, UsageError
from vmrescue.registry import key_node, log_new
from vmrescue.registry.base_block import SECTOR, TRANSACTION_FLAG, BaseBlock, FileType
from vmrescue.registry.cells import BINS, PAGE, SIZE
from vmrescue.registry.errors import RecoveryError
from vmrescue.registry.log_new import BadEntry, LogEntry, NewLog
from vmrescue.registry.log_old import OldLog
from vmrescue.registry.space import BIN_HEADER, bins
from vmrescue.registry.state import hive_state

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SEQUENCE = 0xFFFFFFFF


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
        """Makes the file longer; what is new is zero."""


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
    """One entry of a log, or all of an old-form log, that was written into the hive."""

    log: int  # which of the logs given, from 1
    sequence: int
    pages: int  # how many; an old-form log's are sectors of 512 bytes
    bins_size: int  # bytes of bins afterwards


@dataclass(frozen=True)
class Recovered:
    """What a replay did."""

    applied: tuple[Applied, ...]
    base_block_from: int | None  # the log whose copy replaced a broken base block
    end: str  # where the replay ended, in words

    def __str__(self) -> str:
        first, last = self.applied[0], self.applied[-1]
        logs = sorted({entry.log for entry in self.applied})
        count = f"{len(self.applied)} log {'entry' if len(self.applied) == 1 else 'entries'}"
        pages = sum(entry.pages for entry in self.applied)
        return f"{count} ({first.sequence} to {last.sequence}, {pages} pages) from log {' and '.join(map(str, logs))}"


@dataclass
class _Log:
    """A log that was given, or why it is of no use."""

    number: int
    data: bytes
    log: NewLog | OldLog | None
    fault: str


def recover(data: bytes, logs: Sequence[bytes]) -> tuple[bytes, Recovered]:
    """The clean hive that a dirty one and its logs make, and what was replayed.

    Args:
        data: the dirty hive's file.
        logs: its transaction logs, in the order LOG1, LOG2 (or LOG alone).

    Raises:
        RecoveryError: the logs cannot mend the hive; the text says of each log why not.
        FormatError: the hive has no base block at all.
        UsageError: the hive is clean; whatever is in its logs, Windows would not apply it.
    """
    hive = HiveInMemory(data)
    del data  # where the caller keeps no copy, its memory is free again
    recovered = replay(hive, logs)
    return bytes(hive.data), recovered


def replay(hive: HiveFile, logs: Sequence[bytes]) -> Recovered:
    """Makes a dirty hive clean, where its bytes are; of these, only what lies in the logs is written.

    Raises as `recover`; the file has then become of no use.
    """
    head = hive.read_at(0, min(SECTOR, hive.size))
    if not hive_state(head).dirty:
        raise UsageError("the hive is clean: there is nothing to recover")
    found = BaseBlock.parse(head)
    block = found if found.checksum_is_right else None
    candidates = [_of_this_hive(_open(number, log), block) for number, log in enumerate(logs, 1)]
    new = [log for log in candidates if isinstance(log.log, NewLog)]
    under_way = _Replay(hive, block, limit=hive.size + sum(map(len, logs)))
    if new:
        under_way.new_logs(new)
    else:
        under_way.old_logs(candidates)
    if not under_way.applied:
        faults = "; ".join(f"log {log.number}: {log.fault}" for log in candidates)
        raise RecoveryError(f"no transaction log applies to the dirty hive ({faults or 'there is none'})")
    return under_way.finish(next_sequence(block, logs))


def next_sequence(block: BaseBlock | None, logs: Sequence[bytes]) -> int:
    """A number above the hive's own and above all that its logs bear, so that nothing in them is ever applied again."""
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
    """The log; of no use where its copy of the base block bears another hive's GUIDs."""
    if log.log and block and any(block.guids) and any(_base(log).guids) and _base(log).guids != block.guids:
        return _Log(log.number, log.data, None, "it is another hive's, by the GUIDs in its base block")
    return log


class _Replay:
    """A replay under way."""

    def __init__(self, hive: HiveFile, block: BaseBlock | None, limit: int) -> None:
        self._hive = hive
        # From here on lies what is of long ago; nothing does where it is for a log to say how long the bins are.
        self._stale = min(BINS + block.bins_size, hive.size) if block else hive.size
        self._limit = limit  # bytes that the hive may grow to: what it grows by is in its logs
        self._block = block  # None: broken, and to be had from a log
        self._from: int | None = None
        self.applied: list[Applied] = []
        self._end = ""

    def new_logs(self, logs: list[_Log]) -> None:
        """Replays logs of the new form, as far as they follow on each other."""
        logs = sorted(logs, key=lambda log: _base(log).primary)
        if self._block is None:
            logs = logs[-1:]
            self._take_block(logs[0])
        for log in logs:
            first = _base(log).primary
            if self.applied and first != self.applied[-1].sequence + 1:
                log.fault = f"its entries begin at {first}, not at {self.applied[-1].sequence + 1}"
            elif not self.applied and first < self._written:
                log.fault = f"its entries begin at {first}, before the hive's last write, {self._written}"
            else:
                self._apply_entries(log)
                if not self.applied:
                    return  # entries are missing: those of the other log may not be applied without them

    def old_logs(self, logs: list[_Log]) -> None:
        """Applies the latest log of the old form that is not older than the hive."""
        written = self._block.last_written if self._block else self._first_bin_written()
        fitting = []
        for log in logs:
            if log.log and _base(log).last_written < written:
                log.fault = "it is older than the hive's last write"
            elif log.log:
                fitting.append(log)
        if fitting:
            latest = max(fitting, key=lambda log: (_base(log).last_written, -log.number))
            self._apply_sectors(latest)

    def _first_bin_written(self) -> int:
        """When, as the first bin has it; 0 where there is none."""
        if self._hive.size < BINS + PAGE:
            return 0
        return int(BIN_HEADER.unpack(self._hive.read_at(BINS, BIN_HEADER.size))[3])

    @property
    def _written(self) -> int:
        """The last write that is known to be complete."""
        return self._block.secondary if self._block and self._from is None else 0

    def _take_block(self, log: _Log) -> None:
        self._block = replace(_base(log), file_type=int(FileType.HIVE))
        self._from = log.number
        self._hive.write_at(0, log.data[:SECTOR])

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
        size = BINS + bins_size
        if size > self._limit:
            raise RecoveryError(f"a log makes the hive {size} bytes long; it and all its logs have {self._limit}")
        if size > self._stale:  # to each byte of it once, however often the bins shrink and grow
            self._hive.write_at(self._stale, bytes(max(0, min(size, self._hive.size) - self._stale)))
            self._stale = size
        if size > self._hive.size:
            self._hive.resize(size)
        for offset, page in pages:
            self._hive.write_at(BINS + offset, page)

    def finish(self, sequence: int) -> Recovered:
        """The hive, if what was replayed makes one."""
        assert self._block is not None
        block = replace(self._block, primary=sequence, secondary=sequence)
        self._hive.write_at(0, block.store(self._hive.read_at(0, SECTOR)))
        try:
            block.check_readable()
            deque(bins(self._hive.read_at, block.bins_size), maxlen=0)
            _check_root(self._hive, block)
        except FormatError as error:
            raise RecoveryError(f"the replayed logs do not make a sound hive: {error}") from error
        return Recovered(tuple(self.applied), self._from, self._end)


def _check_root(hive: HiveFile, block: BaseBlock) -> None:
    """Raises FormatError unless there is a key where the root is said to be."""
    if block.root & 7 or block.root + SIZE.size + key_node.LAYOUT.size > block.bins_size:
        raise FormatError("base block", 36, f"a cell's offset below {block.bins_size}", f"0x{block.root:x}")
    signature = hive.read_at(BINS + block.root + SIZE.size, 2)
    if signature != b"nk":
        raise FormatError("key node", BINS + block.root + SIZE.size, "the signature 'nk'", signature)


def _base(log: _Log) -> BaseBlock:
    assert log.log is not None
    return log.log.block
