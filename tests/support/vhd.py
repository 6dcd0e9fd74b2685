"""VHDs as others make them and read them: QEMU and libvhdi."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyvhdi

from support.machine import run

if TYPE_CHECKING:
    from pathlib import Path


def qemu_vhd(path: Path, size: int, subformat: str) -> Path:
    """A new VHD, `fixed` or `dynamic`, that QEMU made; its size is exactly `size` bytes."""
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", f"subformat={subformat},force_size", path, str(size))
    return path


def qemu_write(path: Path, offset: int, length: int, byte: int, form: str = "vpc") -> None:
    """QEMU fills a range of the disk with one byte."""
    run("qemu-io", "-f", form, "-c", f"write -P {byte} {offset} {length}", path)


def qemu_content(path: Path, form: str = "vpc") -> bytes:
    """The whole disk as QEMU reads it."""
    raw = path.with_name(path.name + ".as-qemu-reads-it")
    run("qemu-img", "convert", "-f", form, "-O", "raw", path, raw)
    content = raw.read_bytes()
    raw.unlink()
    return content


def libvhdi_content(path: Path, parent: Path | None = None) -> bytes:
    """The whole disk as libvhdi reads it; a differencing one over its parent."""
    image = pyvhdi.file()
    image.open(str(path))
    below = pyvhdi.file()
    try:
        if parent is not None:
            below.open(str(parent))
            image.set_parent(below)
        size = image.get_media_size()
        step = 16 << 20
        return b"".join(image.read_buffer_at_offset(min(step, size - at), at) for at in range(0, size, step))
    finally:
        image.close()
        if parent is not None:
            below.close()
