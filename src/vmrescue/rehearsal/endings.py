"""The ways in which the boot path ends: the stage, the code, what the screen shows, and who says so.

A code that no source states is left empty. Sources: Microsoft's support articles on Azure VMs that do not start, by
the names of their pages; the repair tools RepairAzVMDisk and repair-script-library; Windows Internals.
"""

from __future__ import annotations

from vmrescue.dataclass import dataclass

NO_PAGE = "no article that is known says what it shows"
BOOT_SECTOR = "the texts in the boot sector that Windows writes"
SEVEN_B = 'Microsoft, "Stop error 7B or Inaccessible_Boot_Device"'
ARTICLES = "learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/"


@dataclass(frozen=True)
class Ending:
    """One way; `code` is empty where none is shown, or which one is not known: `among` are those that sources have."""

    stage: str
    code: str
    screen: str
    source: str
    among: tuple[str, ...] = ()

    @property
    def codes(self) -> frozenset[int]:
        """The numbers of all codes that may be shown; where the firmware is the last that acts, that is none."""
        return frozenset(int(code, 16) for code in (self.code, *self.among) if code)


def _page(name: str) -> str:
    return ARTICLES + name


def _of_a_driver(name: str) -> str:
    """A page that states the code for a driver; what else the loader reads, it reads in the same way."""
    return f"{ARTICLES}{name}, of a driver"


def _bug_check(name: str) -> str:
    return f'Microsoft, "Bug Check {name}"'


def _status(code: str) -> str:
    return f"the boot manager's error screen with the status {code}"


def _blue(code: str, name: str) -> str:
    return f"a blue screen with the stop code {code} ({name})"


FIRMWARE, MANAGER, MEMORY, LOADER, DRIVERS, STORAGE, SESSION = (
    "firmware",
    "boot-manager",
    "memory",
    "loader",
    "drivers",
    "storage",
    "session",
)
CANNOT_LOAD = _bug_check("0xC0000218: STATUS_CANNOT_LOAD_REGISTRY_FILE")
TERMINATED = _bug_check("0xC000021A: WINLOGON_FATAL_ERROR")
NOTHING_STARTS = "the firmware's notice that it finds no operating system"

NO_ACTIVE = Ending(FIRMWARE, "", "Boot failure. Reboot and Select proper Boot device", _page("os-bucket-boot-failure"))
TWO_ACTIVE = Ending(FIRMWARE, "", "Invalid partition table", "Microsoft, Damaged MBRs and Boot Sectors")
BAD_BOOT_SECTOR = Ending(FIRMWARE, "", "Missing operating system", "Microsoft, Damaged MBRs and Boot Sectors")
NO_PROGRAM = Ending(FIRMWARE, "", "nothing that is known: what is started is no program", NO_PAGE)
FOREIGN_CODE = Ending(FIRMWARE, "", "This is not a bootable disk", _page("troubleshoot-guide-not-bootable-disk"))
UNREADABLE = Ending(FIRMWARE, "", "A disk read error occurred", _page("boot-error-disk-read-error-occurred"))
NO_BOOTMGR = Ending(FIRMWARE, "", "BOOTMGR is missing", _page("os-bootmgr-missing"))
NO_NTLDR = Ending(FIRMWARE, "", "NTLDR is missing", BOOT_SECTOR)
PACKED_BOOTMGR = Ending(FIRMWARE, "", "BOOTMGR is compressed", BOOT_SECTOR)
NO_EFI_PROGRAM = Ending(FIRMWARE, "", NOTHING_STARTS, "UEFI Specification, Boot Manager")

NO_STORE = Ending(MANAGER, "0xc000000f", _status("0xc000000f"), _page("boot-error-0xc000000f"))
NO_MANAGER_OBJECT = Ending(MANAGER, "0xc0000034", _status("0xc0000034"), _page("boot-error-0xc0000034"))
NO_ENTRY = Ending(MANAGER, "0xc0000098", _status("0xc0000098"), "RepairAzVMDisk")
NO_TYPE = Ending(MANAGER, "", "the boot manager's error screen", "github.com/reactos/reactos, boot/environ, bootmgr.c")
NO_DEVICE = Ending(MANAGER, "0xc000000e", _status("0xc000000e"), _page("error-code-0xc000000e"))
NO_OS_DEVICE = Ending(MANAGER, "0xc0000225", _status("0xc0000225"), _page("boot-error-status-not-found"))
NO_FILE_SYSTEM = Ending(MANAGER, "", "the boot manager's error screen", NO_PAGE)
NO_LOADER = Ending(MANAGER, "0xc000000f", _status("0xc000000f"), _page("boot-error-0xc000000f"))
BAD_LOADER = Ending(
    MANAGER,
    "",
    "the boot manager's error screen; sources differ on its status",
    "RepairAzVMDisk",
    ("0xc0000001", "0xc00000ba", "0xc0000428"),
)
OTHER_MACHINE = Ending(MANAGER, "0xc0000359", _status("0xc0000359"), _of_a_driver("boot-error-0xc0000359"))

NO_MEMORY = Ending(MEMORY, "0xc0000017", _status("0xc0000017"), _page("troubleshoot-windows-stop-error"))

NO_SYSTEM_HIVE = Ending(LOADER, "0xc0000225", _status("0xc0000225"), _page("boot-error-status-not-found"))
BAD_SYSTEM_HIVE = Ending(LOADER, "0xc000014c", _status("0xc000014c"), _page("boot-error-0xc000014c"))
NO_CONTROL_SET = Ending(LOADER, "", "0x74 or 0xc000014c: sources differ", "RepairAzVMDisk", ("0x74", "0xc000014c"))
NO_KERNEL = Ending(LOADER, "0xc000000f", _status("0xc000000f"), _page("boot-error-0xc000000f"))
BAD_KERNEL = Ending(
    LOADER,
    "",
    "the boot manager's error screen, of a kernel that is missing or bad",
    _page("boot-error-0xc0000221"),
    ("0xc0000221",),
)  # where that page has 0xc0000221, for one that the file system has damaged; that of other damage no source states
KERNEL_OF_OTHER_MACHINE = Ending(LOADER, "0xc0000359", _status("0xc0000359"), _of_a_driver("boot-error-0xc0000359"))

NO_DRIVER = Ending(DRIVERS, "0xc000000f", _status("0xc000000f"), _page("boot-error-0xc000000f"))
BAD_DRIVER = Ending(DRIVERS, "0xc00000ba", _status("0xc00000ba"), _page("boot-error-0xc00000ba"))
DRIVER_OF_OTHER_MACHINE = Ending(DRIVERS, "0xc0000359", _status("0xc0000359"), _page("boot-error-0xc0000359"))

_7B = _blue("0x7B", "INACCESSIBLE_BOOT_DEVICE")
NO_FILE_SYSTEM_DRIVER = Ending(DRIVERS, "0x7B", _7B, "RepairAzVMDisk")
NO_STORAGE = Ending(STORAGE, "0x7B", _7B, SEVEN_B)
NO_FILTER = Ending(STORAGE, "0x7B", _7B, SEVEN_B)
NO_NVME = Ending(STORAGE, "0x7B", _7B, "github.com/Azure/SAP-on-Azure-Scripts-and-Utilities/issues/147")

NO_HIVE = Ending(SESSION, "0xC0000218", _blue("0xC0000218", "registry file failure"), CANNOT_LOAD)
NO_NTDLL = Ending(SESSION, "0x6B", _blue("0x6B", "PROCESS1_INITIALIZATION_FAILED"), "Windows Internals")
NO_SMSS = Ending(SESSION, "0x6F", _blue("0x6F", "SESSION3_INITIALIZATION_FAILED"), "Windows Internals")
NO_PROCESS = Ending(SESSION, "0xC000021A", _blue("0xC000021A", "a system process ended"), TERMINATED)

ENDINGS = tuple(each for each in list(globals().values()) if isinstance(each, Ending))


def stages_of(code: int) -> list[str]:
    """The stages in which a path can end with a code."""
    return list(dict.fromkeys(each.stage for each in ENDINGS if code in each.codes))
