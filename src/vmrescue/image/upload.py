"""Puts a repaired disk to a page blob that gets a copy, such as a new managed disk's write address.

How an unfinished copy is never taken for a disk, and goes on after a cut:

 1. The first write puts a notice where the VHD's footer will be (`NOTICE`). Without its footer the blob is no VHD.
 2. Then what the source has is copied; pages that were never written stay holes. The service copies from the
    source's address where it can; else the bytes come through this machine, and pieces of zeros are left out.
 3. Then the repaired pages are written, over what was copied of them, read back, and compared.
 4. The footer is written last, in one request.
 5. How far 2 came is kept here (`_State`), with the id in the notice and the version of the source: a copy is
    resumed only if both are still the same. What is written twice is the same.
 6. Two copies to one target do not mix: see `upload_target`. Where the address takes no lease, the notice is read again
    before each group of pieces and before the footer, and a copy that finds another's there ends.

The source is only read, each request on the condition that it has not changed.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError, RefusedError, RepairFailedError, VmRescueError, WriteError
from vmrescue.files import new_file, open_regular, read_whole
from vmrescue.image.journal_place import for_address, make_folder, naming
from vmrescue.image.transports.azure import address, reason
from vmrescue.image.transports.file import SECTOR
from vmrescue.image.transports.loop import run
from vmrescue.image.transports.upload_target import MOST, PageRanges, UploadTarget
from vmrescue.image.url import shown
from vmrescue.interrupts import checkpoint
from vmrescue.progress import work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vmrescue.image.overlay import Overlay

TOGETHER = 16  # pieces copied side by side; how far it came is kept after so many
NOTICE = b"vmrescue: an unfinished copy, no disk; vmrescue with --resume goes on\n"
STATE = "upload.json"
LARGEST_STATE = 4096  # bytes

Range = tuple[int, int]


@dataclass(frozen=True)
class _State:
    """How far a copy came: all of the source before byte `done` is in the target."""

    id: str
    source: str
    version: str
    size: int
    done: int = 0


@dataclass(frozen=True)
class Uploaded:
    """What was put to a target.

    Attributes:
        size: of the target, in bytes, with its footer.
        copied: bytes of the source's pages that were copied, in this run.
        by_service: whether the service copied them from the source's address.
        repaired: bytes of the repaired pages.
        compared: whether what was repaired, and the footer, was read back and is the same; False if the target's
            address only takes writes.
        requests: made to both.
    """

    size: int
    copied: int
    by_service: bool
    repaired: int
    compared: bool
    requests: int


def upload(source: str, overlay: Overlay, target: str, resume: bool = False) -> Uploaded:
    """Puts a disk to a target: what the source has, with the changes of the overlay.

    Args:
        source: the address of a page blob with a fixed VHD.
        overlay: its bytes with the changes; its base is the source.
        target: the address of a page blob of the same size, to which nothing was written.
        resume: go on with a copy that was cut.

    Raises:
        RefusedError: the sizes differ, the target has data, or there is no copy to go on with. Nothing was written.
        ReadError, WriteError: cut; the target says that it is not finished, and `resume` goes on.
        RepairFailedError: what was read back is not what was written; the target says that it is not finished.
    """
    with ExitStack() as opened:
        origin = PageRanges(source)
        opened.callback(origin.close)
        folder = for_address(address(target))
        goal = UploadTarget(target, folder)
        opened.callback(goal.close)
        copy = _Copy(origin, goal, overlay, folder / STATE)
        copy.begin(resume)
        try:
            return copy.make()
        except (ReadError, WriteError) as error:
            raise type(error)(f"{error}; {goal.path} says that it is not finished: go on with --resume") from error


class _Copy:
    def __init__(self, source: PageRanges, target: UploadTarget, overlay: Overlay, state: Path) -> None:
        self._source = source
        self._target = target
        self._overlay = overlay
        self._file = state
        self._state = _State("", "", "", 0)
        self._by_service = True
        self._copied = 0

    # -- before anything is written

    def begin(self, resume: bool) -> None:
        """Checks what can be checked, and writes the notice. Raises RefusedError."""
        self._check_sizes()
        known = self._read_state()
        if resume:
            self._state = self._resumed(known)
            return
        there = self._last_sector() or b""
        if known is not None and there == _notice(known.id):
            raise RefusedError(f"{self._target.path} has an unfinished copy: go on with --resume, or make a new disk")
        if there.startswith(NOTICE):
            raise RefusedError(
                f"{self._target.path} has an unfinished copy, or gets one now, that was begun elsewhere (by another"
                " machine or user): make a new disk; nothing was written"
            )
        if self._target.data():
            raise RefusedError(
                f"{self._target.path} has data already: only a new disk gets a copy; nothing was written"
            )
        self._state = _State(str(uuid.uuid4()), self._source.path, self._source.version, self._source.size)
        make_folder(self._file.parent)
        self._keep_state()
        try:
            self._target.claim(self._source.size - SECTOR, _notice(self._state.id))
        except RefusedError:
            self._file.unlink()
            raise

    def _check_sizes(self) -> None:
        size, wanted = self._source.size, self._target.size
        if self._overlay.size != size or self._overlay.base.size != size:
            raise RefusedError(f"{self._source.path} has {size} bytes, and the repaired disk {self._overlay.size}")
        if wanted is not None and wanted != size:
            raise RefusedError(
                f"{self._target.path} has {wanted} bytes, and {self._source.path} {size}: make a disk with"
                f" --upload-size-bytes {size}; nothing was written"
            )

    def _resumed(self, known: _State | None) -> _State:
        if known is None:
            raise RefusedError(f"there is no copy to {self._target.path} to go on with: leave --resume out")
        if (known.source, known.version, known.size) != (self._source.path, self._source.version, self._source.size):
            raise RefusedError(
                f"the copy to {self._target.path} was begun from {known.source} as it was then: the source is another"
                " now, or has changed; make a new disk, and leave --resume out"
            )
        there = self._last_sector()
        if there == bytes(SECTOR) and not known.done and not self._target.data():  # cut before anything was written
            self._target.claim(self._source.size - SECTOR, _notice(known.id))
        elif there not in (None, _notice(known.id), self._footer):  # the footer: cut when that had been written
            raise RefusedError(f"{self._target.path} is not the unfinished copy that was begun: make a new disk")
        return known

    @property
    def _footer(self) -> bytes:
        return self._overlay.read_at(self._source.size - SECTOR, SECTOR)

    def _last_sector(self) -> bytes | None:
        """Where the notice is, and then the footer; None if the target only takes writes."""
        return self._read_back(self._source.size - SECTOR, SECTOR)

    # -- the copy

    def make(self) -> Uploaded:
        written = self._overlay.changed_ranges()
        end = self._source.size - SECTOR
        repaired = [(at, min(length, end - at)) for at, length in _whole_pages(written) if at < end]
        with work("copying") as now:
            pieces = [each for each in _pieces(self._source.data(), end) if sum(each) > self._state.done]
            total = sum(length for _, length in pieces) + sum(length for _, length in repaired)
            for number in range(0, len(pieces), TOGETHER):
                checkpoint()
                self._must_be_ours()
                group = pieces[number : number + TOGETHER]
                self._together(self._piece(*each) for each in group)
                self._copied += sum(length for _, length in group)
                self._state = _State(**(asdict(self._state) | {"done": sum(group[-1])}))
                self._keep_state()
                now.reach(self._copied, total)
            checkpoint()
            self._put_repaired(repaired)
            now.reach(total, total)
        compared = self._is_what_was_written([*repaired])
        self._must_be_ours()
        run(self._target.put(end, self._footer))
        compared = self._is_what_was_written([(end, SECTOR)]) and compared
        with naming(self._file):
            self._file.unlink()
        requests = self._source.traffic.requests + self._target.traffic.requests
        repaired_bytes = sum(length for _, length in repaired)
        return Uploaded(self._source.size, self._copied, self._by_service, repaired_bytes, compared, requests)

    def _must_be_ours(self) -> None:
        """Raises RefusedError if somebody else has begun a copy to the target since. A lease lets nobody."""
        there = None if self._target.is_leased else self._last_sector()
        if there not in (None, _notice(self._state.id), self._footer):
            raise RefusedError(
                f"somebody else has begun a copy to {self._target.path} too: this one ends; make a new disk for it"
            )

    async def _piece(self, offset: int, length: int) -> None:
        if self._by_service:
            if await self._target.put_from(self._source, offset, length):
                return
            self._by_service = False
        data = await self._of_source(offset, length)
        if any(data):
            await self._target.put(offset, data)

    async def _of_source(self, offset: int, length: int) -> bytes:
        from azure.core.exceptions import AzureError

        try:
            return await self._source.read(offset, length)
        except AzureError as error:
            raise ReadError(f"cannot read {self._source.path}: {reason(error, self._source.url)}") from None

    def _put_repaired(self, ranges: list[Range]) -> None:
        pieces = [(at + part, min(MOST, length - part)) for at, length in ranges for part in range(0, length, MOST)]
        for number in range(0, len(pieces), TOGETHER):
            group = pieces[number : number + TOGETHER]
            self._together([self._target.put(at, self._overlay.read_at(at, length)) for at, length in group])

    def _is_what_was_written(self, ranges: list[Range]) -> bool:
        """Whether the target has what was to be written; False if it cannot be read. Raises RepairFailedError."""
        for at, length in ranges:
            for start in range(at, at + length, MOST):
                size = min(MOST, at + length - start)
                found = self._read_back(start, size)
                if found is None:
                    return False
                if found != self._overlay.read_at(start, size):
                    raise RepairFailedError(
                        f"{self._target.path}: the {size} bytes at {start} are not what was written"
                    )
        return True

    def _read_back(self, offset: int, length: int) -> bytes | None:
        from azure.core.exceptions import AzureError

        try:
            return run(self._target.read(offset, length))
        except AzureError as error:
            raise ReadError(f"cannot read {self._target.path} back: {reason(error)}") from None

    @staticmethod
    def _together(jobs: Iterable[object]) -> None:
        """Waits for all; then raises the first error."""

        async def every() -> list[object]:
            return await asyncio.gather(*jobs, return_exceptions=True)  # type: ignore[call-overload,no-any-return]

        errors = [error for error in run(every()) if isinstance(error, BaseException)]
        for error in errors:
            if not isinstance(error, VmRescueError):
                raise error
        if errors:
            raise errors[0]

    # -- how far it came

    def _read_state(self) -> _State | None:
        try:
            with open(self._file, "rb", opener=open_regular) as stream:
                return _State(**json.loads(read_whole(stream, LARGEST_STATE)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise RefusedError(f"{self._file}, which says how far a copy came, cannot be read: {error}") from error

    def _keep_state(self) -> None:
        with naming(self._file), new_file(self._file, overwrite=True) as stream:
            stream.write(json.dumps(asdict(self._state)).encode())


def _notice(number: str) -> bytes:
    """The sector that an unfinished copy has in the place of its footer."""
    return (NOTICE + number.encode()).ljust(SECTOR, b"\0")


def _whole_pages(ranges: Iterable[Range]) -> list[Range]:
    """Ranges as whole pages of 512 bytes; those that touch are joined."""
    found: list[Range] = []
    for offset, length in ranges:
        start, end = offset - offset % SECTOR, -(-(offset + length) // SECTOR) * SECTOR
        if found and start <= sum(found[-1]):
            found[-1] = found[-1][0], max(end, sum(found[-1])) - found[-1][0]
        else:
            found.append((start, end - start))
    return found


def _pieces(ranges: Iterable[Range], end: int) -> Iterator[Range]:
    """Ranges before byte `end`, in pieces of at most `MOST` bytes that do not cross multiples of it."""
    for offset, length in ranges:
        at, stop = offset, min(offset + length, end)
        while at < stop:
            until = min(at - at % MOST + MOST, stop)
            yield at, until - at
            at = until


def must_be_addresses(source: str, target: str) -> None:
    """Raises RefusedError if source and target are the same blob."""
    if shown(source) == shown(target):
        raise RefusedError("the source and the target are the same: the source is never written")
