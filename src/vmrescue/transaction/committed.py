"""A commit confirmed: the image opened by code that is not ours, and what was written to the disk compared."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError, RefusedError, RepairFailedError
from vmrescue.image import FileDevice, Overlay
from vmrescue.image.containers.vhd import FoundFooter
from vmrescue.image.containers.vhd_layout import FIXED, footer_as_created
from vmrescue.image.transports.remote import RemoteFile, is_remote, shown
from vmrescue.interrupts import checkpoint
from vmrescue.windows.guard import reading
from vmrescue.windows.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.image import BlockDevice, VirtualDisk

    Reader = Callable[[int, int], bytes]  # (offset, length) of the disk -> its bytes

CHUNK = 1 << 20  # bytes compared at a time


def compare_committed(path: str, expected: VirtualDisk, ranges: Iterable[tuple[int, int]]) -> None:
    """Compares the disk that libvhdi (for a raw image: the file itself) shows with what was meant to be there.

    Args:
        path: the image; what is behind a URL is asked for anew.
        expected: the repaired disk, as the overlay shows it.
        ranges: (offset, length) of the disk's bytes that were written.

    Raises:
        RepairFailedError: they differ.
        FormatError: the image cannot be opened any more.
    """
    opened = _open_vhd if expected.format.endswith("VHD") else _open_raw
    with reading(f"committed image {shown(path)}", 0), opened([path, *expected.parents]) as read:
        for offset, length in ranges:
            for start in range(offset, offset + length, CHUNK):
                checkpoint()
                size = min(CHUNK, offset + length - start)
                if read(start, size) != expected.read_at(start, size):
                    what = f"the {size} bytes at {start} of the disk"
                    raise RepairFailedError(f"{shown(path)}: {what} are not what was written")


def must_be_confirmable(path: str, disk: VirtualDisk) -> None:
    """Opens an image as the comparison after the commit will, before anything is written.

    Raises RefusedError where that fails: what was written could not be confirmed.
    """
    if not disk.format.endswith("VHD"):
        return
    try:
        with reading(f"image {shown(path)}", 0), _open_vhd([path, *disk.parents]) as read:
            read(0, 1)
    except FormatError as error:
        raise RefusedError(
            f"libvhdi, which has to confirm a repair, cannot open {shown(path)}: mend the container first, for example"
            " with `qemu-img convert -f vpc -O vpc -o subformat=fixed,force_size`, or repair a copy (--copy-to)"
        ) from error


@contextmanager
def _open_raw(paths: list[str]) -> Iterator[Reader]:
    if is_remote(paths[0]):
        with closing(RemoteFile(paths[0])) as image:
            yield image.read_at
        return
    with open(paths[0], "rb", buffering=0) as stream:

        def read(offset: int, length: int) -> bytes:
            stream.seek(offset)
            return stream.read(length) or b""

        yield read


@contextmanager
def _open_vhd(paths: list[str]) -> Iterator[Reader]:
    import pyvhdi

    with ExitStack() as opened:
        below: Any = None
        for path in reversed(paths):
            store = opened.enter_context(closing(RemoteFile(path) if is_remote(path) else FileDevice(path)))
            image = pyvhdi.file()
            image.open_file_object(DeviceStream(opened.enter_context(closing(_as_created(store)))))
            opened.callback(image.close)
            if below is not None:
                image.set_parent(below)
            below = image
        yield lambda offset, length: below.read_buffer_at_offset(length, offset)


def _as_created(store: BlockDevice) -> BlockDevice:
    """The file as it would be if its disk had had its size from the start.

    Of the two sizes in a footer libvhdi takes the original one, which differs once a disk was resized, and would show
    such a disk cut short, or with what lies behind it.
    """
    found = FoundFooter(store)
    raw = footer_as_created(found.footer.raw)
    shown = Overlay(store)
    if raw != found.footer.raw:
        if found.position is not None:
            shown.write_at(found.position, raw[: store.size - found.position])
        if found.footer.disk_type != FIXED:
            shown.write_at(0, raw)
    return shown
