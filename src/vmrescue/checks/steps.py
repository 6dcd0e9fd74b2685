"""The steps of Microsoft's procedure "Windows stop error - Status No Memory", named as its headings name them.

They stand in its order. A check names the step that it stands for, or in whose way it stands.
"""

from __future__ import annotations

from enum import StrEnum

PROCEDURE = "Windows stop error - Status No Memory"


class RunbookStep(StrEnum):
    """A step of the procedure; as a text, its heading."""

    REPAIR_VM = "Create and access a repair VM"
    FREE_SPACE = "Free up space on the disk"
    BAD_MEMORY = "Clean out bad memory from the Boot Configuration Data (BCD) store"
    PAGE_FILE = "Restore the page file to its default location"
    SERIAL_AND_DUMP = "Enable the serial console and memory dump collection"
