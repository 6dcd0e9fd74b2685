"""Sizes and numbers for people: binary units, as Windows' Explorer counts and names them."""

from __future__ import annotations

MIB, GIB = 1 << 20, 1 << 30  # bytes
UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def size_text(size: int) -> str:
    """``300 MB``, ``126.5 GB``: binary multiples under the names that Windows shows."""
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
