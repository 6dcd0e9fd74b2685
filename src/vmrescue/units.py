"""Sizes and numbers as text. All sizes that are shown are made here, in binary units (IEC 80000-13)."""

from __future__ import annotations

MIB, GIB = 1 << 20, 1 << 30  # bytes
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size_text(size: int) -> str:
    """A size in bytes as text: ``300 MiB``, ``126.5 GiB`` (Windows shows 300 MB and 126 GB)."""
    step = min(max(size.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    number = size / (1 << 10 * step)
    shown = f"{number:.0f}" if step == 0 or number == int(number) else f"{number:.1f}"
    return f"{shown} {UNITS[step]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 change``, ``2 changes``."""
    return f"{number} {plural(number, noun)}"


def plural(number: int, noun: str) -> str:
    """The noun for a number: ``change`` or ``entry`` for 1, ``changes`` or ``entries`` for others."""
    return by_number(number, noun, f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s")


def by_number(number: int, one: str, more: str) -> str:
    """The word for a number: ``was`` for 1, ``were`` for others."""
    return one if number == 1 else more
