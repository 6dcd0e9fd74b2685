"""Sizes and numbers for people: each size that is shown goes through here, in binary units (IEC 80000-13)."""

from __future__ import annotations

MIB, GIB = 1 << 20, 1 << 30  # bytes
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size_text(size: int) -> str:
    """``300 MiB``, ``126.5 GiB``: what Windows shows as 300 MB and 126 GB."""
    step = min(max(size.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    number = size / (1 << 10 * step)
    shown = f"{number:.0f}" if step == 0 or number == int(number) else f"{number:.1f}"
    return f"{shown} {UNITS[step]}"


def counted(number: int, noun: str) -> str:
    """``1 change``, ``2 changes``."""
    return f"{number} {plural(number, noun)}"


def plural(number: int, noun: str) -> str:
    """``change`` of one, ``changes`` of any other number."""
    return noun if number == 1 else f"{noun}s"
