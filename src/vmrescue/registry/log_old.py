"""Transaction logs of Windows before 8.1: a base block, a bitmap of changed sectors (`DIRT`), and those sectors.

Source: M. Suhanov, "Windows registry file format specification", section "Old format".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import bytes_text
from vmrescue.registry.base_block import SECTOR, BaseBlock, FileType
from vmrescue.registry.cells import PAGE
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"DIRT"


class OldLog:
    """A transaction log of the old form."""

    file_types = (FileType.OLD_LOG, FileType.OLDEST_LOG)

    def __init__(self, data: bytes, block: BaseBlock) -> None:
        self._data = data
        self.block = block

    def fault(self) -> str:
        """Why the log cannot be applied; empty if it can be."""
        if self.block.primary != self.block.secondary:
            return f"it was being written: its sequence numbers are {self.block.primary} and {self.block.secondary}"
        if self._data[SECTOR : SECTOR + 4] != SIGNATURE:
            found = bytes_text(self._data[SECTOR : SECTOR + 4])
            return f"at byte {SECTOR} there is {found}, not {bytes_text(SIGNATURE)}"
        if not self.block.bins_size or self.block.bins_size % PAGE:
            return f"it gives the bins a size of {self.block.bins_size} bytes"
        changed = sum(byte.bit_count() for byte in self._bitmap())
        missing = self._first_sector() + SECTOR * changed - len(self._data)
        return f"its end is missing: {counted(missing, 'byte')}" if missing > 0 else ""

    def sectors(self) -> Iterator[tuple[int, bytes]]:
        """Each changed sector of 512 bytes: (offset from the first bin, bytes)."""
        position = self._first_sector()
        for number, byte in enumerate(self._bitmap()):
            for bit in range(8):
                if byte >> bit & 1:
                    yield (8 * number + bit) * SECTOR, self._data[position : position + SECTOR]
                    position += SECTOR

    def _bitmap(self) -> bytes:
        """One bit for each sector of the bins, beginning with the lowest bit of each byte."""
        start = SECTOR + len(SIGNATURE)
        return self._data[start : start + self.block.bins_size // SECTOR // 8]

    def _first_sector(self) -> int:
        end = SECTOR + len(SIGNATURE) + self.block.bins_size // SECTOR // 8
        return -(-end // SECTOR) * SECTOR
