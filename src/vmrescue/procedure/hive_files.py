"""A hive's file of this machine, named in place of an image: read with the transaction logs that lie beside it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from vmrescue.device import Held
from vmrescue.errors import ReadError
from vmrescue.files import open_untouched
from vmrescue.image.journal_place import beside
from vmrescue.signatures import HIVE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from vmrescue.device import Readable

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
    with ExitStack() as opened:
        data, logs = open_hive_file(target, opened)
        return data.read_at(0, data.size), logs


def open_hive_file(target: Location, opened: ExitStack) -> tuple[Readable, list[bytes]]:
    """The file, which is read as it is needed, and its transaction logs; as `read_hive_file`."""
    from vmrescue.registry.base_block import LOG_SUFFIXES
    from vmrescue.registry.hive_file import read_log

    path = Path(target).resolve()
    logs = (path.with_name(path.name + suffix) for suffix in LOG_SUFFIXES)
    try:
        # Only an edit leaves such a folder; without one there is no journal to look for, and no room to load for it.
        return (
            _as_journal_says(target) if beside(path).is_dir() else _opened(path, opened),
            [_read(log, read_log) for log in logs if log.is_file()],
        )
    except OSError as error:
        raise ReadError(f"cannot read {target}: {error.strerror}") from error


def _opened(path: Path, opened: ExitStack) -> Readable:
    from vmrescue.image.transports.file import FileDevice
    from vmrescue.registry.base_block import SECTOR
    from vmrescue.registry.hive_file import hive_size, read_hive
    from vmrescue.registry.state import hive_state
    from vmrescue.volume.window import Window

    size = _read(path, hive_size)
    file = opened.enter_context(closing(FileDevice(path)))
    if hive_state(file.read_at(0, SECTOR)).dirty:  # its logs are replayed in memory: no file of holes may come there
        return Held(_read(path, read_hive), str(path))
    return Window(file, 0, min(size, file.size))


def _read(path: Path, read: Callable[[BinaryIO, str], T]) -> T:
    with open(path, "rb", opener=open_untouched) as stream:
        return read(stream, str(path))


def _as_journal_says(target: Location) -> Readable:
    from vmrescue.image.recovery import open_for_reading
    from vmrescue.readers.stream import DeviceStream
    from vmrescue.registry.hive_file import read_hive

    stored, _ = open_for_reading(target)
    try:
        return Held(read_hive(DeviceStream(stored), str(target)), str(target))
    finally:
        stored.close()
