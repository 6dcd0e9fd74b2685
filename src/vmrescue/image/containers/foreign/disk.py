"""A disk in a container of another product: read by dissect, and written, where QEMU can write it, by `qemu-nbd`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import check_range
from vmrescue.errors import FormatError, RefusedError
from vmrescue.image.containers.advice import QEMU_ADVICE
from vmrescue.image.containers.foreign.pieces import Pieces
from vmrescue.image.virtual_disk import Container, Facts, SecondOpinion
from vmrescue.readers.guard import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.image.qemu_options import Blocks
    from vmrescue.image.transports.file import ImageStore
    from vmrescue.readers.opened_disk import OpenedDisk


def filled(advice: str) -> Callable[[str], str]:
    """A function that puts a path, quoted for a shell, into an advice in place of ``{path}``."""
    return lambda path: advice.format(path=shlex.quote(path))


MADE_BY_QEMU = filled(QEMU_ADVICE)


@dataclass(frozen=True)
class Foreign:
    """A container of another product.

    Attributes:
        name: its usual name, such as ``QCOW2``.
        opened: opens the disk in an image's files.
        advice: gives the shell command that converts the image at a path into one that vmrescue writes.
        blocks: how QEMU is told of an image that it is to open, its driver, its files and what lies below it; None if
            QEMU does not write the container. Raises RefusedError with the reason why this image is not written.
        qemu_name: QEMU's name of the format.
        resized: whether `qemu-img resize` makes the disk in it longer.
        checked: whether `qemu-img check` must find no damage before the image is written.
    """

    name: str
    opened: Callable[[Pieces], OpenedDisk]
    advice: Callable[[str], str] = MADE_BY_QEMU
    blocks: Callable[[Pieces], Blocks] | None = None
    qemu_name: str = ""
    resized: bool = False
    checked: bool = False

    def advice_for(self, path: str | None) -> str:
        """The command that converts this image into one that vmrescue writes."""
        return self.advice(path or "IMAGE")

    def refusal(self, path: str | None) -> RefusedError:
        """The error for an attempt to write to such an image."""
        what = f"{'an' if self.name[0] in 'AEIOU' else 'a'} {self.name} image"
        return RefusedError(
            f"{path or 'the image'} is {what}, which is read and not written: write to a copy (--copy-to), or make an"
            f" image that is written: {self.advice_for(path)}"
        )

    def why_not_written(self, pieces: Pieces) -> str | None:
        """Why an image is only read, as a sentence; None if QEMU can write it."""
        path = pieces.path
        if self.blocks is None or path is None or pieces.folder is None:
            return str(self.refusal(path))
        from vmrescue.image.transports.qemu_nbd import what_is_missing  # here, because most images need no QEMU

        if missing := what_is_missing():
            return f"{path} is a {self.name} image, which QEMU writes: {missing}; or write to a copy (--copy-to)"
        try:
            self.blocks(pieces)
        except RefusedError as error:
            return str(error)
        return None

    def open(self, store: ImageStore, path: str | None) -> ForeignDisk:
        """Opens the disk for reading; closing it closes `store`.

        Raises:
            FormatError: the image is damaged.
            NotFoundError: one of its pieces is missing.
            UnsupportedError: it has a parent image, or its reader is not installed.
        """
        pieces = Pieces(store, path)
        try:
            return ForeignDisk(self, pieces)
        except FormatError as error:
            pieces.close()
            raise error.in_a_file() from error
        except BaseException:
            pieces.close()
            raise


class ForeignDisk(Container):
    """A disk in a container of another product, opened to read."""

    def __init__(self, kind: Foreign, pieces: Pieces) -> None:
        super().__init__(Facts(f"{kind.name} image"), pieces.first)
        self._pieces = pieces
        with reading(self.format, None):
            self._opened = kind.opened(pieces)
        self.size = int(self._opened.size)  # dissect's number may be of a type of its own, which cannot be pickled
        self.sector_size = int(self._opened.sector_size)
        writable = kind.blocks is not None
        self.learn(
            notes=tuple(self._opened.warnings),
            refusal=kind.why_not_written(pieces),
            parents=tuple(pieces.parents),
            flat=writable,
            second_opinion=SecondOpinion.FOREIGN if writable else SecondOpinion.NONE,
            why_not_longer=_longer(kind, pieces.path) if writable else None,
        )
        if self.size <= 0:
            raise FormatError(self.format, None, "a disk of some size", f"{self.size} bytes")

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.format, offset, length, self.size)
        try:
            return self._opened.read_at(self.format, offset, length)
        except FormatError as error:
            raise error.in_a_file() from error

    def next_data(self, offset: int) -> int:
        return self._opened.next_data(self.format, offset)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise self._only_read()

    def resize(self, size: int) -> None:
        if size != self.size:
            raise self._only_read()

    def _only_read(self) -> RefusedError:
        return RefusedError(self.refusal or f"the {self.format} was opened for reading only")

    def flush(self) -> None:
        """Nothing to do: nothing is ever written."""

    def close(self) -> None:
        self._pieces.close()


def _longer(kind: Foreign, path: str | None) -> str:
    if not kind.resized:
        return (
            f"QEMU makes no {kind.name} image longer: expand a copy of it (--copy-to OUT --to-format qcow2 or another)"
        )
    where = f"qemu-img resize -f {kind.qemu_name} {shlex.quote(path or 'IMAGE')} SIZE"
    return f"a {kind.name} image is made longer by QEMU: `{where}` first, then again with the same size"
