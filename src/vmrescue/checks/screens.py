"""What a screen says that shows no code: which program says it, what it means, and which checks look for a cause.

The words are those of Microsoft's support articles on Azure VMs that do not start, and of the programs themselves.
"""

from __future__ import annotations

import re

from vmrescue.dataclass import dataclass

COMMON = {"a", "an", "and", "is", "of", "on", "or", "that", "the", "to", "with", "screen", "status", "code", "stop"}


@dataclass(frozen=True)
class Screen:
    """A message.

    Attributes:
        words: as it is shown.
        where, meaning, source, checks: as of a `StopCode`.
    """

    words: str
    where: str
    meaning: str
    source: str
    checks: tuple[str, ...]

    def __str__(self) -> str:
        return f'"{self.words}"'


def _page(name: str) -> str:
    return f"Microsoft, {name}"


RECORD = 'Microsoft, "Damaged MBRs and Boot Sectors"'
SCREENS = (
    Screen(
        "Boot failure. Reboot and Select proper Boot device",
        "firmware",
        "A BIOS found no active partition, or no program in the boot record.",
        _page("os-bucket-boot-failure"),
        ("active-partition", "boot-sector", "boot-path"),
    ),
    Screen(
        "Invalid partition table",
        "boot record",
        "More than one partition is active.",
        RECORD,
        ("active-partition", "boot-path"),
    ),
    Screen(
        "Missing operating system",
        "boot record",
        "The first sector of the active partition does not end as a boot sector does.",
        RECORD,
        ("boot-sector", "active-partition", "boot-path"),
    ),
    Screen(
        "This is not a bootable disk",
        "boot sector",
        "The active partition is one that Linux has formatted, or that was never made to be started from.",
        _page("troubleshoot-guide-not-bootable-disk"),
        ("active-partition", "boot-path"),
    ),
    Screen(
        "A disk read error occurred",
        "boot sector",
        "The boot sector cannot read the rest of itself, or of the volume.",
        _page("boot-error-disk-read-error-occurred"),
        ("hidden-sectors", "boot-sector", "volume-state", "boot-path"),
    ),
    Screen(
        "BOOTMGR is missing",
        "boot sector",
        "The active partition has no boot manager: another one is the right one, or the file is gone.",
        _page("os-bootmgr-missing"),
        ("active-partition", "boot-file", "boot-path"),
    ),
    Screen(
        "BOOTMGR is compressed",
        "boot sector",
        "NTFS has compressed the boot manager, which the boot sector cannot read then.",
        _page("os-bootmgr-missing"),
        ("boot-path",),
    ),
    Screen(
        "An operating system wasn't found",
        "firmware",
        "The firmware found nothing to start: no EFI system partition, or no boot manager on it.",
        _page("os-not-found"),
        ("esp-type", "boot-file", "active-partition", "boot-path"),
    ),
    Screen(
        "Getting Windows ready",
        "logon screen",
        "An update, a role or setup is to be finished: that may take long, and a rehearsal tells what is pending.",
        _page("troubleshoot-vm-boot-configure-update"),
        ("setup-command", "serial-console", "crash-dump"),
    ),
    Screen(
        "Undoing changes",
        "logon screen",
        "An update failed and is undone, which may take hours: a rehearsal tells what is pending.",
        _page("troubleshoot-stuck-updating-boot-error"),
        (),
    ),
)


def screen_of(text: str) -> Screen | None:
    """The message that has the most of these words; None where none has most of them."""
    fitting = [each for each in SCREENS if fits(text, each.words)]
    return max(fitting, key=lambda each: len(_words(text) & _words(each.words)), default=None)


def fits(text: str, shown: str) -> bool:
    """Whether words are those of a screen, as somebody remembers them."""
    words, there = _words(text), _words(shown)
    return bool(words) and len(words & there) >= min(2, len(words)) and len(words & there) * 2 >= len(there)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower())) - COMMON
