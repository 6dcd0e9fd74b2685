"""The steps of Microsoft's procedure "Windows stop error: Status no memory", named as its headings name them."""

from __future__ import annotations

FREE_SPACE = "Free up space on the disk"
BAD_MEMORY = "Clean out bad memory from the Boot Configuration Data (BCD) store"
PAGE_FILE = "Restore the page file to its default location"
SERIAL_AND_DUMP = "Enable the serial console and memory dump collection"
REPAIR_VM = "Create and access a repair VM"
