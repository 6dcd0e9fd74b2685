"""Whether a hive was written completely: what its base block alone says.

Source: M. Suhanov, "Windows registry file format specification", section "Dirty state of a hive".
"""

from __future__ import annotations

from typing import NamedTuple

from vmrescue.registry.base_block import BaseBlock


class HiveState(NamedTuple):
    """`reason` says in words why a hive is dirty; it is empty for a clean one."""

    dirty: bool
    reason: str

    def __str__(self) -> str:
        return f"dirty: {self.reason}" if self.dirty else "clean"


CLEAN = HiveState(False, "")


def hive_state(base_block: bytes | bytearray) -> HiveState:
    """The state of the hive that begins with these bytes (512 are enough).

    Raises FormatError where they are no base block, or that of a log.
    """
    block = BaseBlock.parse(base_block)
    if not block.checksum_is_right:
        found = f"0x{block.checksum:08x}, not 0x{block.expected_checksum:08x}"
        return HiveState(True, f"the base block's checksum is {found}")
    block.check_readable()
    if block.primary != block.secondary:
        return HiveState(True, f"write {block.primary} was begun, but {block.secondary} was the last to be completed")
    return CLEAN
