"""Where the page file belongs: each letter is what MountedDevices says, and what nothing tells is asked for."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from support.hives import hive
from support.installation import installation
from vmrescue import Policy
from vmrescue.checks.settings.page_file import page_file
from vmrescue.checks.subject import Subject
from vmrescue.plan import DeleteFile, SetValue
from vmrescue.windows.drives import DriveKind

if TYPE_CHECKING:
    from support.hives import Keys
    from vmrescue.checks.finding import Finding

OWN = struct.pack("<IQ", 0x1234, 1 << 20)  # the volume of `support.installation`
MBR_DISK, MBR_DISK_2 = struct.pack("<IQ", 0x7E57D15C, 1 << 20), struct.pack("<IQ", 0xDA7AD15C, 1 << 20)
GPT_DISK = b"DMIO:ID:" + bytes(range(16))
CD_ROM = r"\??\SCSI#CdRom&Ven_Msft&Prod_Virtual_DVD-ROM#000002#{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}".encode(
    "utf-16-le"
)
MEMORY = r"Control\Session Manager\Memory Management"
SOFTWARE = "Windows\\System32\\config\\SOFTWARE"
PAGE = {"pagefile.sys": bytes(4096)}
AGENT = {**PAGE, SOFTWARE: b""}  # where the agent's key is to be


def look(
    letters: dict[str, bytes],
    configured: list[str],
    used: list[str],
    policy: Policy,
    files: dict[str, bytes],
) -> list[Finding]:
    system: Keys = {
        "MountedDevices": {rf"\\DosDevices\\{letter}:": raw for letter, raw in letters.items()},
        f"ControlSet001\\{MEMORY}": {"PagingFiles": configured, "ExistingPageFiles": [rf"\??\{each}" for each in used]},
    }
    if SOFTWARE in files:
        files = {**files, SOFTWARE: hive({r"Microsoft\GuestAgent": {"Incarnation": "1"}})}
    return list(page_file.look(Subject(installation(system, files=files), policy)))


def made(findings: list[Finding]) -> list[object]:
    """What the changes of the findings would make: lines for PagingFiles, names of files to be deleted."""
    changes = [change for finding in findings for change in finding.changes]
    return [
        change.after.data[0] if isinstance(change, SetValue) and change.after else change.file.path  # type: ignore[index]
        for change in changes
        if isinstance(change, SetValue | DeleteFile)
    ]


C, D, E, T = (rf"{letter}:\pagefile.sys" for letter in "CDET")
ON_D = rf"{D} 0 0"
SIZE_WITH, SIZE_WITHOUT = Policy.azure("Standard_D4ds_v5"), Policy.azure("Standard_D4s_v5")
NO_DRIVE = Policy(temp_drive=None)
ASK = Policy()
CASES = {
    # the user says it: the letter of Windows' own volume is the disk's, not C:
    "windows on E:, no temporary drive": ({"E": OWN}, [E], [E], NO_DRIVE, PAGE, []),
    "windows on E:, page file on D:, no temporary drive": ({"E": OWN}, [D], [D], NO_DRIVE, {}, [rf"{E} 0 0"]),
    "windows on E:, a size without one": ({"E": OWN, "D": MBR_DISK}, [D], [E], SIZE_WITHOUT, PAGE, [rf"{E} 0 0"]),
    "windows chooses, no temporary drive": ({"C": OWN}, [r"?:\pagefile.sys"], [C], NO_DRIVE, PAGE, []),
    "the system drive, no temporary drive": ({"C": OWN}, [r"%SystemDrive%\pagefile.sys"], [C], NO_DRIVE, PAGE, []),
    "the system drive, with sizes": ({"E": OWN}, [r"%systemdrive%\pagefile.sys 16 4096"], [E], NO_DRIVE, PAGE, []),
    "said to be an optical drive": ({"C": OWN, "E": CD_ROM}, [C], [C], Policy(temp_drive="E:"), PAGE, []),
    "said to be T:": ({"C": OWN}, [C], [], Policy(temp_drive="t:"), {}, [rf"{T} 0 0"]),
    # the size says that there is one: which letter it has, the disk
    "D: is that disk": ({"C": OWN, "D": MBR_DISK}, [C], [C], SIZE_WITH, PAGE, [ON_D, "pagefile.sys"]),
    "a machine that never had one": ({"C": OWN}, [C], [C], SIZE_WITH, PAGE, [ON_D, "pagefile.sys"]),
    "T: is that disk, D: a data disk": ({"C": OWN, "D": GPT_DISK, "T": MBR_DISK}, [T], [T], SIZE_WITH, {}, []),
    "D: is the optical drive": ({"C": OWN, "D": CD_ROM}, [C], [C], SIZE_WITH, PAGE, []),
    "D: is the optical drive, E: may be it": (
        {"C": OWN, "D": CD_ROM, "E": MBR_DISK}, [C], [C], SIZE_WITH, PAGE, []
    ),
    "D: is the optical drive, E: was used": (
        {"C": OWN, "D": CD_ROM, "E": MBR_DISK}, [C], [E, C], SIZE_WITH, PAGE, [rf"{E} 0 0", "pagefile.sys"]
    ),
    "D: is not there, E: may be a data disk": ({"C": OWN, "E": MBR_DISK}, [C], [C], SIZE_WITH, PAGE, []),
    "D: or E: may be it": ({"C": OWN, "D": MBR_DISK, "E": MBR_DISK_2}, [C], [C], SIZE_WITH, PAGE, []),
    # nobody says anything
    "the last boot used D:": ({"C": OWN, "D": MBR_DISK}, [C], [D, C], ASK, PAGE, [ON_D, "pagefile.sys"]),
    "C: and D: are meant, D: may hold data": ({"C": OWN, "D": MBR_DISK}, [C, D], [C, D], ASK, PAGE, []),
    "C: and D: are meant, of a size with one": (
        {"C": OWN, "D": MBR_DISK}, [C, D], [C, D], SIZE_WITH, PAGE, [ON_D, "pagefile.sys"]
    ),
    "windows chose D:": ({"C": OWN, "D": MBR_DISK}, [r"?:\pagefile.sys"], [D], ASK, {}, []),
    "windows chose C:": ({"C": OWN, "D": MBR_DISK}, [r"?:\pagefile.sys"], [C], SIZE_WITH, PAGE, [ON_D, "pagefile.sys"]),
    "the last boot used T:": ({"C": OWN, "D": GPT_DISK, "T": MBR_DISK}, [T], [T], ASK, {}, []),
    "Azure's agent, and D: a disk with an MBR": ({"C": OWN, "D": MBR_DISK}, [C], [C], ASK, AGENT, []),
    "no agent": ({"C": OWN, "D": MBR_DISK}, [C], [C], ASK, PAGE, []),
    "Azure's agent, and D: has a GPT": ({"C": OWN, "D": GPT_DISK}, [C], [C], ASK, AGENT, []),
    "Azure's agent, and T: is that disk": ({"C": OWN, "T": MBR_DISK}, [C], [C], ASK, AGENT, []),
    "Azure's agent, and two disks": (
        {"C": OWN, "D": MBR_DISK, "E": MBR_DISK_2}, [C], [C], ASK, AGENT, []
    ),
    "no other disk": ({"C": OWN, "D": CD_ROM}, [C], [C], ASK, AGENT, []),
    "a copied disk, D: is on it": (  # both have the id that the disk had once
        {"C": struct.pack("<IQ", 0x5678, 1 << 20), "D": struct.pack("<IQ", 0x5678, 1 << 24)},
        [C], [C], ASK, AGENT, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_tells_where_the_page_file_belongs(name: str) -> None:
    letters, configured, used, policy, files, wanted = CASES[name]
    assert made(look(letters, configured, used, policy, files)) == wanted


def test_of_two_page_files_one_is_in_its_place_and_that_is_said() -> None:
    findings = look({"C": OWN, "D": MBR_DISK}, [C, D], [D], SIZE_WITH, {})
    assert [each.summary.partition(", in")[0] for each in findings] == [
        f"the page file is configured on {C}, {D}, not on D: alone"
    ]


@pytest.mark.parametrize(
    ("letters", "configured", "words"),
    [
        ({"C": OWN, "D": CD_ROM}, [D], "D: is an optical drive"),
        ({"C": OWN}, [E], "E: is no drive that MountedDevices knows"),
        ({"C": OWN, "D": MBR_DISK, "E": MBR_DISK_2}, [C], "E: is an MBR disk that is not at hand (da7ad15c"),
        ({}, [D], "MountedDevices names no drive"),
    ],
)
def test_what_nothing_decides_is_asked(letters: dict[str, bytes], configured: list[str], words: str) -> None:
    [finding] = look(letters, configured, [C], ASK, PAGE)
    assert finding.changes == ()
    assert words in finding.summary
    assert finding.tell == ("vm_size", "temp_drive")
    assert finding.evidence["belongs_on"] in (None, "C:")


def test_what_azures_agent_left_makes_a_disk_that_is_not_at_hand_no_temporary_one() -> None:
    """A size without a temporary disk has the agent too, and its D: may be a data disk that was not given."""
    [finding] = look({"C": OWN, "D": MBR_DISK}, [C], [C], ASK, AGENT)
    assert finding.changes == ()
    assert "a data disk that was not given (Azure's agent left SOFTWARE\\Microsoft\\GuestAgent)" in finding.summary
    assert finding.tell == ("vm_size", "temp_drive", "data_disks")


def test_a_page_file_on_a_drive_that_may_be_the_temporary_one_is_no_question() -> None:
    two = {"C": OWN, "D": MBR_DISK, "E": MBR_DISK_2}
    for policy in (ASK, SIZE_WITH):
        assert look(two, [E], [C], policy, PAGE) == []
    assert look(two, [E], [E], Policy(temp_drive="E:"), {}) == []
    [said] = look({"C": OWN, "E": CD_ROM}, [C], [C], Policy(temp_drive="E:"), PAGE)
    assert "was said to be E:, which is an optical drive" in said.summary
    assert said.tell == ("temp_drive",)


def test_every_control_set_that_may_boot_next_is_judged() -> None:
    system: Keys = {
        "Select": {"Current": 1, "Default": 2, "Failed": 0, "LastKnownGood": 3},
        "MountedDevices": {r"\\DosDevices\\C:": OWN, r"\\DosDevices\\D:": MBR_DISK},
        **{f"ControlSet00{number}\\{MEMORY}": {"PagingFiles": [f"{C} 0 0"]} for number in (1, 2, 3, 4)},
    }
    findings = list(page_file.look(Subject(installation(system), SIZE_WITH)))
    assert [finding.evidence["key"][:13] for finding in findings] == [f"ControlSet00{number}" for number in (1, 2, 3)]


def test_a_letter_and_a_path_are_resolved_in_one_place() -> None:
    root = hive({r"Microsoft\Windows NT\CurrentVersion": {"SystemRoot": r"E:\Windows"}})
    drives = installation({"MountedDevices": {r"\\DosDevices\\D:": CD_ROM}}, files={SOFTWARE: root}).drives
    assert [(drive.letter, drive.kind) for drive in drives.all] == [
        ("D:", DriveKind.REMOVABLE),
        ("E:", DriveKind.WINDOWS),  # as SOFTWARE says, where MountedDevices does not know the disk
    ]
    places = {
        r"%SystemRoot%\MEMORY.DMP": ("E:", r"Windows\MEMORY.DMP"),
        r"\SystemRoot\MEMORY.DMP": ("E:", r"Windows\MEMORY.DMP"),
        r"%SystemDrive%\a b": ("E:", "a b"),
        r"\??\d:\x": ("D:", "x"),
        "Q:/x/y": ("Q:", r"x\y"),
    }
    for path, (letter, rest) in places.items():
        found = drives.of_path(path)
        assert found is not None
        assert (found[0].letter, found[1]) == (letter, rest)
    assert drives.of_path("MEMORY.DMP") is None
    assert drives.of("Q:").kind is DriveKind.NOTHING


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            Policy(temp_drive="F:"),
            "where it belongs is not known (the VM's temporary drive was said to be F:, which is",
        ),
        (Policy(vm_size="Standard_D4ds_v5"), "where it belongs is not known (a Standard_D4ds_v5 has a temporary drive"),
        (Policy(), "whether the VM has a temporary drive for it is not known (no trace tells which"),
    ],
)
def test_what_was_said_of_the_temporary_drive_is_not_called_unknown(policy: Policy, said: str) -> None:
    """Two disks may be the temporary one."""
    found = look({"D": MBR_DISK, "E": MBR_DISK_2, "F": CD_ROM}, [rf"{C} 0 0"], [], policy, PAGE)
    assert [finding.summary for finding in found if said in finding.summary], [each.summary for each in found]
