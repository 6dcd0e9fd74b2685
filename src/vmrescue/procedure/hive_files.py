"""A hive's file of this machine, named in place of an image: read with the transaction logs that lie beside it."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from vmrescue.errors import ReadError
from vmrescue.files import open_untouched
from vmrescue.image.journal_place import beside
from vmrescue.signatures import HIVE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from vmrescue.device import Readable
    from vmrescue.registry.file_bytes import FileBytes

    Location = str | os.PathLike[str]

T = TypeVar("T")


def is_hive_file(target: Location) -> bool:
    """Whether the file is a hive itself, by its first bytes."""
    try:
        with open(target, "rb", opener=open_untouched) as stream:
            return stream.read(len(HIVE)) == HIVE
    except OSError:
        return False  # opening it as an image says what is wrong


def read_hive_file(target: Location) -> tuple[bytes, list[bytes]]:
    """The file and its transaction logs, as they were before an interrupted edit if there was one."""
    with _told(target):
        return _whole(target), _logs(target)


def open_hive_file(target: Location, opened: ExitStack) -> tuple[FileBytes, list[bytes]]:
    """As `read_hive_file`; but of a file that counts as it is, only what is asked for is read."""
    from vmrescue.registry.file_bytes import FileBytes

    with _told(target):
        file = _as_it_is(Path(target).resolve(), opened)
        return FileBytes(_whole(target) if file is None else file), _logs(target)


@contextmanager
def _told(target: Location) -> Iterator[None]:
    """Turns errors of the operating system into ReadError."""
    try:
        yield
    except OSError as error:
        raise ReadError(f"cannot read {target}: {error.strerror}") from error


def _logs(target: Location) -> list[bytes]:
    from vmrescue.registry.base_block import LOG_SUFFIXES
    from vmrescue.registry.hive_file import read_log

    path = Path(target).resolve()
    logs = (path.with_name(path.name + suffix) for suffix in LOG_SUFFIXES)
    return [_read(log, read_log) for log in logs if log.is_file()]


def _whole(target: Location) -> bytes:
    from vmrescue.registry.hive_file import read_hive

    path = Path(target).resolve()
    return _as_journal_says(target) if _may_have_journal(path) else _read(path, read_hive)


def _may_have_journal(path: Path) -> bool:
    """Only an edit leaves such a folder; without one there is no journal to look for, and no room to load for it."""
    return beside(path).is_dir()


def _as_it_is(path: Path, opened: ExitStack) -> Readable | None:
    """The file; None if a journal may say otherwise, or if its logs are to be replayed, which takes all of it."""
    from vmrescue.image.transports.file import FileDevice
    from vmrescue.registry.base_block import SECTOR
    from vmrescue.registry.hive_file import hive_size
    from vmrescue.registry.state import hive_state
    from vmrescue.volume.window import Window

    if _may_have_journal(path):
        return None
    size = _read(path, hive_size)
    file = opened.enter_context(closing(FileDevice(path)))
    if hive_state(file.read_at(0, SECTOR)).dirty:
        return None
    return Window(file, 0, min(size, file.size))


def _read(path: Path, read: Callable[[BinaryIO, str], T]) -> T:
    with open(path, "rb", opener=open_untouched) as stream:
        return read(stream, str(path))


def _as_journal_says(target: Location) -> bytes:
    from vmrescue.image.recovery import open_for_reading
    from vmrescue.readers.stream import DeviceStream
    from vmrescue.registry.hive_file import read_hive

    stored, _ = open_for_reading(target)
    try:
        return read_hive(DeviceStream(stored), str(target))
    finally:
        stored.close()
