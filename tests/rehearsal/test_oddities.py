"""What differs from every disk that starts, where no source is sure that a start ends: odd, and no alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.fault_disk import FaultDisk
from support.machine import need_root
from vmrescue.rehearsal.stage import State

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_disk import Step

SET = r"[\ControlSet001"
DISKS = r"Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}"
WINLOGON = r"[\Microsoft\Windows NT\CurrentVersion\Winlogon]"
NO_NAMES = "hex(7):00,00"
BOTH = "hex(7):" + "Debug\0Windows\0\0".encode("utf-16-le").hex(",")
CSRSS = "hex(2):" + "%SystemRoot%\\system32\\csrss.exe Windows=On\0".encode("utf-16-le").hex(",")


def registry(text: str) -> Step:
    return {"registry": "SYSTEM", "text": text}


def software(text: str) -> Step:
    return {"registry": "SOFTWARE", "text": text}


def sgdisk(*words: str) -> Step:
    return {"run": ["sgdisk", *words, "{disk}"]}


@pytest.mark.parametrize(
    ("step", "what", "said"),
    [
        (registry(f'{SET}\\Services\\disk]\n"Type"=dword:00000010'), "driver disk", "its Type is 16"),
        (registry(f'{SET}\\Services\\ACPI]\n"Type"=hex:01'), "driver ACPI", "its Type is None"),
        (registry(f'{SET}\\Control\\ServiceGroupOrder]\n"List"={NO_NAMES}'), r"ServiceGroupOrder\List", "no list"),
        (registry(f'{SET}\\{DISKS}]\n"UpperFilters"={NO_NAMES}'), "filters of disks (UpperFilters)", "partmgr is not"),
        (
            registry(f'{SET}\\Control\\Session Manager\\SubSystems]\n"Required"={NO_NAMES}\n"Windows"={CSRSS}'),
            r"SubSystems\Required",
            "does not name Windows",
        ),
        (
            registry(f'{SET}\\Control\\Session Manager\\SubSystems]\n"Required"={BOTH}\n"Windows"="none.exe"'),
            r"SubSystems\Windows",
            "none.exe instead of csrss.exe",
        ),
        ({"remove": r"\Windows\System32\CI.dll"}, r"\Windows\System32\CI.dll on partition 3 (C:)", "it is not there"),
        (
            {"zero": r"\Windows\System32\drivers\storport.sys"},
            r"\Windows\System32\drivers\storport.sys on partition 3 (C:)",
            "are zeros; each driver of a disk controller takes functions from it",
        ),
        (
            registry('[\\Select]\n"LastKnownGood"=dword:00000007'),
            "last known good",
            "ControlSet007, which is not there",
        ),
        (software(f'{WINLOGON}\n"Userinit"=""'), r"Winlogon\Userinit", "it is not set"),
        (software(f'{WINLOGON}\n"Userinit"="C:\\\\none\\\\u.exe,"'), r"Winlogon\Userinit", "it is not there"),
        (sgdisk("-t", "3:8300"), "partition 3 (C:), of Windows", "its type is Linux file system"),
        (sgdisk("-t", "3:0c01"), "partition 3 (C:), of Windows", "its type is Microsoft reserved"),
        (sgdisk("-A", "3:set:60"), "partition 3 (C:), of Windows", "read-only"),
        (sgdisk("-A", "3:set:1"), "partition of Windows", "the boot manager may not find it"),
        (sgdisk("-d", "2"), "partition 3 (C:), of Windows", "entries before it are blank (2)"),
    ],
)
def test_an_oddity_is_told_and_is_no_finding(step: Step, what: str, said: str, quick_folder: Path) -> None:
    need_root()
    disk = FaultDisk.copy_of("gen2", quick_folder)
    disk.make([step])
    diagnosis = vmrescue.diagnose(disk.path)
    facts = vmrescue.rehearse(disk.path).facts()
    [fact] = [fact for fact in facts if fact.state is not State.OK]
    assert (fact.state, fact.what, said in fact.said) == (State.ODD, what, True)
    assert (diagnosis.findings, diagnosis.to_dict()["boot"]["stop"]) == ([], None)
