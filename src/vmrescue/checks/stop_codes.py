"""The codes that a Windows which does not start shows, what each means, and which checks look for a cause of it.

Only codes are here whose meaning a source states: Microsoft's support articles on Azure VMs that do not start, by the
name of the page where it is known; the repair tools RepairAzVMDisk and repair-script-library; Windows Internals.
"""

from __future__ import annotations

import re

from vmrescue.dataclass import dataclass

STATUS = "STATUS_"
CODE = re.compile(r"(?:0x)?(?P<digits>[0-9a-f]{1,8})", re.IGNORECASE)


@dataclass(frozen=True)
class StopCode:
    """A code.

    Attributes:
        number: the code.
        where: which program shows it: ``boot manager``, ``loader``, ``kernel`` or ``session manager``.
        meaning: what is the matter, in a sentence.
        source: who says so.
        checks: the ids of the checks that look for a cause.
    """

    number: int
    where: str
    meaning: str
    source: str
    checks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``0xC0000017``, ``0x7B``: as Windows shows it."""
        return f"0x{self.number:X}"

    @property
    def name(self) -> str:
        """What Microsoft calls it (``INACCESSIBLE_BOOT_DEVICE``); empty where that is not known."""
        return NAMES.get(self.number, "")


def _page(name: str) -> str:
    return f"Microsoft, {name}"


SUPPORT = "Microsoft's support articles on Azure VMs that do not start"
TOOL = "RepairAzVMDisk"
SCRIPTS = "repair-script-library"
NO_FIRST_PROCESS = "The first process cannot be started: ntdll.dll or smss.exe is missing or bad."
PROCESS_ENDED = "A process that Windows cannot do without has ended: csrss, wininit, winlogon, services or lsass."
NO_DIRECTORY = "A domain controller cannot open its directory: the paths of its database do not exist."
STOP_CODES = {
    code.number: code
    for code in (
        StopCode(
            0xC0000017,
            "boot manager",
            "There is no memory for the ramdisk: the disk is full or fragmented, RAM is withheld from the boot "
            "manager, or the boot store lists bad memory.",
            _page('"Windows stop error - Status No Memory"'),
            ("bad-memory", "memory-limit", "free-space", "fragmentation", "boot-path"),
        ),
        StopCode(
            0xC000000F,
            "boot manager",
            "The boot store, the loader or a boot driver is missing or damaged.",
            _page("boot-error-0xc000000f"),
            (
                "boot-path",
                "missing-part",
                "boot-store",
                "boot-device",
                "boot-file",
                "boot-driver",
                "lost-driver",
                "hive-log",
            ),
        ),
        StopCode(
            0xC000000E,
            "boot manager",
            "A device in the boot store names no partition of this disk.",
            _page("error-code-0xc000000e"),
            ("boot-path", "boot-device"),
        ),
        StopCode(
            0xC0000034,
            "boot manager",
            "The boot store has lost the entry of the boot manager.",
            _page("boot-error-0xc0000034"),
            ("boot-path", "boot-entry"),
        ),
        StopCode(
            0xC0000225,
            "boot manager",
            "A device that the start needs is not set, or the SYSTEM hive or a boot driver is missing or damaged.",
            _page("boot-error-status-not-found"),
            ("boot-path", "boot-device", "missing-part", "hive-log"),
        ),
        StopCode(
            0xC0000001,
            "boot manager",
            "The start failed, for a reason that the code does not tell: a bad loader, for example.",
            TOOL,
        ),
        StopCode(
            0xC0430001,
            "boot manager",
            "Secure Boot refuses: an outdated SKUSiPolicy.p7b lies on the EFI system partition.",
            TOOL,
        ),
        StopCode(
            0x67,
            "kernel",
            "The loader was given a hive by imcdevice and imchivename that the registry knows nothing of.",
            TOOL,
            ("boot-options",),
        ),
        StopCode(
            0xC000014C,
            "loader",
            "The SYSTEM hive is empty, damaged or was not written out.",
            _page("boot-error-0xc000014c"),
            ("boot-path", "missing-part", "hive-log"),
        ),
        StopCode(
            0xC0000098,
            "loader",
            "A driver is of another build than the rest of Windows, or the boot store has no valid entry.",
            f"{_page('boot-error-0xc0000098')}; {TOOL}",
            ("boot-path", "boot-entry"),
        ),
        StopCode(
            0xC0000011,
            "loader",
            "A driver is of another build than the rest of Windows.",
            _page("boot-error-0xc0000011"),
        ),
        StopCode(
            0xC0000102,
            "loader",
            "A file that the start needs, or the disk below it, is corrupt.",
            _page("error-code-0xC0000102-status-file-corrupt"),
            ("volume-state",),
        ),
        StopCode(
            0xC00000BA,
            "loader",
            "A driver, or another system file that the loader reads, is corrupt.",
            _page("boot-error-0xc00000ba"),
            ("boot-path", "boot-file", "volume-state"),
        ),
        StopCode(
            0xC0000359,
            "loader",
            "A file that the start needs is a 32-bit program.",
            _page("boot-error-0xc0000359"),
            ("boot-path", "boot-file"),
        ),
        StopCode(
            0xC00000E9,
            "loader",
            "A read of the disk failed: the disk, or its image, is damaged or ends too early.",
            "[MS-ERREF], 2.3.1",
            ("cut-short", "volume-state"),
        ),
        StopCode(
            0xC0000221,
            "loader",
            "The kernel is damaged, or the checksum of another system file is wrong.",
            _page("boot-error-0xc0000221"),
            ("boot-path", "volume-state"),
        ),
        StopCode(
            0xC0000428, "loader", "The signature of the loader or of a driver is not accepted.", f"{SUPPORT}; {TOOL}"
        ),
        StopCode(0xC0000605, "loader", "This preview of Windows has expired.", SUPPORT),
        StopCode(
            0x7B,
            "kernel",
            "The kernel cannot reach its disk: a storage driver is off or missing, or a filter has no driver.",
            _page('"Stop error 7B or Inaccessible_Boot_Device"'),
            ("boot-path", "boot-driver", "class-filter", "start-override"),
        ),
        StopCode(
            0xED,
            "kernel",
            "The kernel cannot mount the volume of Windows.",
            SUPPORT,
            ("volume-state",),
        ),
        StopCode(
            0x24,
            "kernel",
            "NTFS found something wrong in the structures of the volume.",
            SCRIPTS,
            ("volume-state",),
        ),
        StopCode(
            0x74,
            "kernel",
            "The SYSTEM hive is damaged, or lacks values that the start needs.",
            TOOL,
            ("hive-log",),
        ),
        StopCode(0x5A, "kernel", "A driver that the start needs is not signed as it must be.", SCRIPTS),
        StopCode(
            0xC4,
            "kernel",
            "Driver Verifier found a fault in a driver that it tests.",
            'Microsoft, "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION"',
            ("driver-verifier",),
        ),
        *(
            StopCode(number, "kernel", NO_FIRST_PROCESS, "Windows Internals", ("boot-path",))
            for number in (0x6B, 0x6F, 0x71)
        ),
        StopCode(
            0xC0000218,
            "session manager",
            "A hive cannot be loaded: SOFTWARE, SAM, SECURITY or DEFAULT is damaged.",
            f"{TOOL}, {SCRIPTS}",
            ("boot-path", "missing-part", "hive-log"),
        ),
        *(StopCode(number, "session manager", PROCESS_ENDED, SUPPORT, ("boot-path",)) for number in (0xC000021A, 0xEF)),
        *(StopCode(number, "session manager", NO_DIRECTORY, SUPPORT) for number in (0xC00002E1, 0xC00002E2)),
    )
}


# [MS-ERREF], 2.3.1, for those of the boot manager; the others: Microsoft, "Bug Check Code Reference"
NAMES = {
    0xC0000001: "STATUS_UNSUCCESSFUL",
    0xC000000E: "STATUS_NO_SUCH_DEVICE",
    0xC000000F: "STATUS_NO_SUCH_FILE",
    0xC0000011: "STATUS_END_OF_FILE",
    0xC0000017: "STATUS_NO_MEMORY",
    0xC0000034: "STATUS_OBJECT_NAME_NOT_FOUND",
    0xC0000098: "STATUS_FILE_INVALID",
    0xC00000BA: "STATUS_FILE_IS_A_DIRECTORY",
    0xC00000E9: "STATUS_UNEXPECTED_IO_ERROR",
    0xC0000102: "STATUS_FILE_CORRUPT_ERROR",
    0xC000014C: "STATUS_REGISTRY_CORRUPT",
    0xC0000218: "STATUS_CANNOT_LOAD_REGISTRY_FILE",
    0xC000021A: "STATUS_SYSTEM_PROCESS_TERMINATED",
    0xC0000221: "STATUS_IMAGE_CHECKSUM_MISMATCH",
    0xC0000225: "STATUS_NOT_FOUND",
    0xC0000428: "STATUS_INVALID_IMAGE_HASH",
    0x24: "NTFS_FILE_SYSTEM",
    0x5A: "CRITICAL_SERVICE_FAILED",
    0x67: "CONFIG_INITIALIZATION_FAILED",
    0x6B: "PROCESS1_INITIALIZATION_FAILED",
    0x6F: "SESSION3_INITIALIZATION_FAILED",
    0x71: "SESSION5_INITIALIZATION_FAILED",
    0x74: "BAD_SYSTEM_CONFIG_INFO",
    0x7B: "INACCESSIBLE_BOOT_DEVICE",
    0xC4: "DRIVER_VERIFIER_DETECTED_VIOLATION",
    0xED: "UNMOUNTABLE_BOOT_VOLUME",
    0xEF: "CRITICAL_PROCESS_DIED",
}


def stop_code(text: str) -> StopCode | None:
    """The code that a text is, with or without ``0x``, or by its name; None where it is none that we know."""
    match = CODE.fullmatch(text.strip())
    if match:
        return STOP_CODES.get(int(match["digits"], 16))
    said = "_".join(text.upper().replace("_", " ").split())
    numbers = (number for number, name in NAMES.items() if said in (name, name.removeprefix(STATUS)))
    return next((STOP_CODES[number] for number in numbers), None)
