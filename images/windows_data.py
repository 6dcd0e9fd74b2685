"""The hives of the samples: only what a diagnosis looks at, and its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boot_path

if TYPE_CHECKING:
    from registry_text import Keys


def control_set(name: str, computer: str, faults: bool) -> Keys:
    """One control set; with its faults, or with what Azure wants."""
    page_file = "C:\\pagefile.sys" if faults else "D:\\pagefile.sys"
    used = ["D:\\pagefile.sys", "C:\\pagefile.sys"] if faults else [page_file]  # at the last boot
    memory = f"{name}\\Control\\Session Manager\\Memory Management"
    return boot_path.control_set(name) | {
        f"{name}\\Control\\ComputerName\\ComputerName": {"ComputerName": computer},
        f"{name}\\Control\\CrashControl": (
            {"AutoReboot": 1, "CrashDumpEnabled": 7, "DumpFile": ("expand", "%SystemRoot%\\MEMORY.DMP"), "LogEvent": 1}
            if faults
            else {
                "AutoReboot": 1,
                "CrashDumpEnabled": 1,
                "DumpFile": ("expand", "%SystemRoot%\\MEMORY.DMP"),
                "LogEvent": 1,
                "NMICrashDump": 1,
            }
        ),
        f"{name}\\Control\\Session Manager": {
            "BootExecute": ["autocheck autochk *"],
            "ObjectDirectories": ["\\Windows", "\\RPC Control"],
            "ProcessorControl": 2,
        },
        memory: {
            "ClearPageFileAtShutdown": 0,
            "PagingFiles": [f"{page_file} 0 0"],
            "ExistingPageFiles": [f"\\??\\{each}" for each in used],
            "PagedPoolSize": 0,
        },
        f"{name}\\Services\\Tcpip\\Parameters": {"Hostname": computer, "Domain": ""},
    }


def system(computer: str, control_sets: int, mounted: dict[str, bytes], faults: bool) -> Keys:
    """A SYSTEM hive with so many control sets, and the drive letters of `mounted`."""
    keys: Keys = {
        "Select": {"Current": 1, "Default": 1, "Failed": 0, "LastKnownGood": control_sets},
        "MountedDevices": {f"\\DosDevices\\{letter}": data for letter, data in mounted.items()},
        "Setup": {"SystemSetupInProgress": 0, "SetupType": 0, "CmdLine": "", "OOBEInProgress": 0},
        "HardwareConfig": {"LastId": 0},
    }
    for number in range(1, control_sets + 1):
        keys |= control_set(f"ControlSet{number:03}", computer, faults)
    return keys


def software() -> Keys:
    """A SOFTWARE hive that says which Windows this is."""
    return {
        "Microsoft\\Windows NT\\CurrentVersion": {
            "ProductName": "Windows Server 2019 Datacenter",
            "EditionID": "ServerDatacenter",
            "InstallationType": "Server",
            "ReleaseId": "1809",
            "CurrentBuild": "17763",
            "CurrentBuildNumber": "17763",
            "UBR": 5820,
            "SystemRoot": "C:\\Windows",
        },
        "Microsoft\\GuestAgent": {"Incarnation": "1"},  # Azure's agent has been here
        "Microsoft\\Windows NT\\CurrentVersion\\Winlogon": {
            "Shell": "explorer.exe",
            "Userinit": "C:\\Windows\\system32\\userinit.exe,",
        },
    }


def sam() -> Keys:
    """The accounts: none."""
    return {"SAM\\Domains\\Account\\Users": {}}


def security() -> Keys:
    """What the local security authority keeps: nothing."""
    return {"Policy\\Secrets": {}}


def default() -> Keys:
    """The profile that stands for nobody: where the logon's own settings lie."""
    return {"Control Panel\\Desktop": {"ScreenSaveActive": "0"}, "Environment": {}}
