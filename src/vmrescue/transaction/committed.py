"""Confirms a commit: opens the image again, a VHD or VHDX by libvhdi, and compares what was written to the disk."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, cast

from vmrescue.device import prefetch
from vmrescue.errors import FormatError, RefusedError, RepairFailedError
from vmrescue.image.containers.foreign.written import disk_to_read
from vmrescue.image.opening import open_disk
from vmrescue.image.reference import Reference
from vmrescue.image.virtual_disk import SecondOpinion
from vmrescue.interrupts import checkpoint
from vmrescue.progress import work
from vmrescue.readers.guard import reading
from vmrescue.readers.vhd import open_vhd
from vmrescue.transaction.recorder import Copied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.device import Range
    from vmrescue.image import VirtualDisk
    from vmrescue.image.virtual_disk import Mapped

    Reader = Callable[[int, int], bytes]  # (offset, length) of the disk -> its bytes

CHUNK = 1 << 20  # bytes compared at a time


def compare_committed(
    image: Reference, expected: VirtualDisk, ranges: Iterable[Range], copied: Iterable[Copied] = ()
) -> None:
    """Compares the disk that libvhdi (for a raw image: the file itself) shows with what was meant to be there.

    Args:
        image: where it is; what is behind a URL is asked for anew.
        expected: the repaired disk, as the overlay shows it.
        ranges: (offset, length) of the disk's bytes that were written.
        copied: what was copied within the disk: it is compared with its source, which still has its bytes.

    Raises:
        RepairFailedError: they differ.
        FormatError: the image cannot be opened any more.
    """
    opened = _OPENERS[expected.facts.second_opinion]
    copied = [*(Copied(offset, offset, length) for offset, length in ranges), *copied]
    ranges = [(target, length) for _, target, length in copied]
    images, ahead = [image, *map(Reference.of, expected.parents)], _in_file(ranges, expected)
    prefetch(expected, ranges)  # what is written to a blob is not kept
    with reading(f"committed image {image}", None), opened(images, ahead) as read:
        for source, target, length in copied:
            for done in range(0, length, CHUNK):
                checkpoint()
                size = min(CHUNK, length - done)
                if read(target + done, size) != expected.read_at(source + done, size):
                    what = f"the {size} bytes at {target + done} of the disk"
                    raise RepairFailedError(f"{image}: {what} are not what was written")


def _in_file(ranges: Iterable[Range], disk: VirtualDisk) -> list[Range]:
    """Where ranges of a disk lie in its file; none where that is not known."""
    if disk.facts.flat:
        return list(ranges)
    if disk.facts.second_opinion is not SecondOpinion.LIBVHDI:
        return []
    return [part for each in ranges for part in cast("Mapped", disk).stored(*each)]


def compare_copy(copy: Reference, content: str) -> None:
    """Compares what libvhdi (of a raw image: the file itself) shows of a new copy with what was read of the original.

    Args:
        copy: where it is.
        content: the digest of what was copied (`image.copy.content_of`); of the copy, too, holes are not read.

    Raises:
        RepairFailedError: they differ.
        FormatError: the copy cannot be opened.
    """
    from vmrescue.image.copy import content_of  # here, because construct is slow to import

    with (
        closing(open_disk(copy)) as disk,
        work("comparing the copy"),  # around the reader's errors: what a listener raises is none of them
        reading(f"copy {copy}", None),
        _OPENERS[disk.facts.second_opinion]([copy]) as read,
    ):
        if content_of(disk, disk.size, read, checkpoint) != content:
            raise RepairFailedError(f"{copy} does not hold what was read of the original")


def must_be_confirmable(image: Reference, disk: VirtualDisk) -> None:
    """Opens an image as the comparison after the commit will, before anything is written.

    Raises RefusedError where that fails: what was written could not be confirmed.
    """
    if disk.facts.second_opinion is not SecondOpinion.LIBVHDI:
        return
    try:
        with reading(f"image {image}", None), _open_vhd([image, *map(Reference.of, disk.parents)]) as read:
            read(0, 1)
    except FormatError as error:
        way = "-f vhdx -O vhdx" if disk.facts.format.endswith("VHDX") else "-f vpc -O vpc -o subformat=fixed,force_size"
        raise RefusedError(
            f"libvhdi, which has to confirm a repair, cannot open {image}: mend the container first, for example"
            f" with `qemu-img convert {way}`, or make a copy (repair --copy-to)"
        ) from error


@contextmanager
def _open_raw(images: list[Reference], ahead: Iterable[Range] = ()) -> Iterator[Reader]:
    """`ahead`: ranges of the file that will be read, to announce them."""
    if images[0].is_remote:
        with closing(images[0].open()) as image:
            prefetch(image, ahead)
            yield image.read_at
        return
    with open(images[0].text, "rb", buffering=0) as stream:

        def read(offset: int, length: int) -> bytes:
            stream.seek(offset)
            return stream.read(length) or b""

        yield read


@contextmanager
def _open_vhd(images: list[Reference], ahead: Iterable[Range] = ()) -> Iterator[Reader]:
    """`ahead`: as for `_open_raw`."""
    with ExitStack() as opened:
        files = [opened.enter_context(closing(image.open())) for image in images]
        prefetch(files[0], ahead)
        yield opened.enter_context(open_vhd(files))


@contextmanager
def _open_foreign(images: list[Reference], ahead: Iterable[Range] = ()) -> Iterator[Reader]:
    """The file anew, by the container's own reader, while QEMU has it open and has written out what it keeps.

    `ahead`: as for `_open_raw`; such a file is at hand, so that it does nothing.
    """
    with ExitStack() as opened:
        disk = disk_to_read(images[0].open(), images[0].shown)
        opened.callback(disk.close)
        yield disk.read_at


_OPENERS = {SecondOpinion.FOREIGN: _open_foreign, SecondOpinion.LIBVHDI: _open_vhd, SecondOpinion.FILE: _open_raw}
