"""Whether a hive was written completely, according to its base block.

Source: M. Suhanov, "Windows registry file format specification", section "Dirty state of a hive".
"""

from __future__ import annotations

from typing import NamedTuple

from vmrescue.arguments import typed
from vmrescue.registry.base_block import BaseBlock


class HiveState(NamedTuple):
    """`reason` says in words why a hive is dirty; it is empty for a clean one.

    `is_torn`: the base block itself was not written whole; else only its sequence numbers differ.
    """

    dirty: bool
    reason: str
    is_torn: bool = False

    def __str__(self) -> str:
        return f"dirty: {self.reason}" if self.dirty else "clean"


CLEAN = HiveState(False, "")


class Unreplayed(NamedTuple):
    """A dirty hive whose logs cannot be replayed: there are none, or they do not belong to this state of the hive.

    What Windows does: if only the sequence numbers differ, it forces them to match and uses the hive as it is in the
    file; if the base block is torn, it does not load the hive. What every command here does: the hive is read as it is
    in the file, and the user is told. It is not edited: an edit makes a hive clean, and logs that are found later could
    then no longer be replayed.

    Attributes:
        hive: its name.
        state: the state of the file.
        why: why each log cannot be replayed.
    """

    hive: str
    state: HiveState
    why: str

    @property
    def note(self) -> str:
        return f"{self}: it is read as its file alone has it, and newer changes may be missing"

    @property
    def refusal(self) -> str:
        return f"{self}: it is not edited; lay its logs beside it, or restore it from a backup"

    def __str__(self) -> str:
        return f"{self.hive} is {self.state}; {self.why}"


def layer_notes(hive: str, block: BaseBlock) -> list[str]:
    """The note for a hive that lies over another one, as a container's does: the other hive is not read."""
    said = f"{hive} is a layer over another hive: what it lacks may be in that one, and what it hides of that is shown"
    return [said] if block.is_layered else []


@typed
def hive_state(base_block: bytes | bytearray) -> HiveState:
    """The state of the hive that begins with these bytes (512 are enough).

    Raises FormatError if they are no base block, or a log's.
    """
    block = BaseBlock.parse(base_block)
    if not block.checksum_is_right:
        found = f"0x{block.checksum:08x}, not 0x{block.expected_checksum:08x}"
        return HiveState(True, f"the base block's checksum is {found}", is_torn=True)
    block.check_readable()
    if block.primary != block.secondary:
        return HiveState(True, f"write {block.primary} was begun, but {block.secondary} was the last to be completed")
    return CLEAN
