"""The JSON of a diagnosis is a contract: what the samples' documents said from the beginning they still say.

The keys and values here were those of the documents before findings held typed facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from vmrescue import Policy
from vmrescue.checks.rules import CHECKS
from vmrescue.checks.subject import Part, Subject
from vmrescue.diagnosis import open_disks
from vmrescue.errors import NotFoundError
from vmrescue.windows import Installation

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.windows import OperatingSystem
    from vmrescue.windows.boot_store import BootStore

SYSTEM = r"Windows\System32\config\SYSTEM"
MEMORY = r"ControlSet001\Control\Session Manager\Memory Management"
CRASH = r"ControlSet001\Control\CrashControl"
DOCUMENT = {"schema", "image", "disk", "generation", "windows", "volumes", "findings", "refusal", "warnings"}
FINDING = {
    *("check", "severity", "summary", "meaning", "step", "evidence", "changes"),
    *("on_request", "commands", "refused", "repair"),
}
WINDOWS = {
    "product": "Windows Server 2019 Datacenter",
    "edition": "ServerDatacenter",
    "root": "Windows",
    "control_sets": ["ControlSet001"],
    "current_control_set": "ControlSet001",
    "os_volume": 3,
    "boot_volume": 1,
    "boot_store": r"EFI\Microsoft\Boot\BCD",
}
VOLUME = {
    *("disk", "partition", "start", "size", "role", "type", "active", "name"),
    *("letter", "file_system", "label", "cluster_size", "free"),
}
LOADER = "{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}"
ON_C = {"type": "REG_MULTI_SZ", "data": [r"C:\pagefile.sys 0 0"]}
AWAY = "an MBR disk that is not at hand (7e57d15c, byte 1048576)"
PLACE = {
    "letters": {"C:": "the volume of Windows", "D:": AWAY},
    "belongs_on": "D:",
    "because": "the last boot used D:, an MBR disk that is not at hand",
}
EVIDENCE: dict[str, list[dict[str, Any]]] = {  # of gen2-broken; a type stands for what a test measures elsewhere
    "volume-state": [
        {
            "volume": "partition 3 (C:)",
            "position": int,
            "file_system": "NTFS",
            "state": "dirty",
            "reasons": ["the volume is marked as dirty"],
        }
    ],
    "free-space": [
        {
            "volume": "partition 3 (C:)",
            "bytes_free": int,
            "bytes_wanted": 300 << 20,
            "bytes_total": int,
            "cluster_size": 4096,
            "bytes_by_cleanup": dict,
        }
    ],
    "bad-memory": [
        {
            "object": "5189b25c-5558-4bf2-bca4-289b11bd29e2",
            "alias": "badmemory",
            "element": "badmemorylist",
            "page_frames": [0x1F3A0, 0x1F3A1, 0x7FF00],
            "count": 3,
            "sha256": "24dad138d9493f43b30a6018b935328119e7db473a5bbd049f0ccedbf7672011",
            "bytes_withheld": 3 * 4096,
            "found": "0x1f3a0 0x1f3a1 0x7ff00",
            "wanted": None,
        }
    ],
    "memory-limit": [
        {
            "object": LOADER[1:-1],
            "alias": None,
            "element": "truncatememory",
            "found": "0x40000000",
            "wanted": None,
        }
    ],
    "page-file": [
        {
            "hive": SYSTEM,
            "key": MEMORY,
            "value": "PagingFiles",
            "found": ON_C,
            "wanted": {"type": "REG_MULTI_SZ", "data": [r"D:\pagefile.sys 0 0"]},
            **PLACE,
        },
        {
            "hive": SYSTEM,
            "key": MEMORY,
            "value": "ExistingPageFiles",
            "found": {"type": "REG_MULTI_SZ", "data": [r"\??\D:\pagefile.sys", r"\??\C:\pagefile.sys"]},
            "wanted": "D:",
            "file": r"C:\pagefile.sys",
            "bytes": 32 << 20,
            "why_not_deleted": None,
            **PLACE,
        },
    ],
    "serial-console": [
        {
            "loader": LOADER,
            "found": {"ems": None, "emsport": None, "emsbaudrate": None},
            "wanted": {"ems": True, "emsport": 1, "emsbaudrate": 115200},
        }
    ],
    "crash-dump": [
        {
            "hive": SYSTEM,
            "key": CRASH,
            "values": [
                {
                    "value": "CrashDumpEnabled",
                    "found": {"type": "REG_DWORD", "data": 7},
                    "wanted": {"type": "REG_DWORD", "data": 1},
                },
                {"value": "NMICrashDump", "found": None, "wanted": {"type": "REG_DWORD", "data": 1}},
            ],
            "bytes_free": int,
            "ram": None,
            "note": str,
        }
    ],
}
FRAGMENTATION = {
    *("volume", "pieces", "pieces_allowed", "bytes_free", "free_extents"),
    *("bytes_in_longest", "bytes_wanted_in_longest"),
}


def test_a_document_has_all_that_it_had_and_no_value_has_become_another(gen2_broken: Path) -> None:
    document = vmrescue.diagnose(gen2_broken).to_dict()

    assert set(document) >= DOCUMENT
    assert set(document) - DOCUMENT == {"boot", "not_checked", "stores", "systems", "loaders", "checks"}
    assert {name: document["windows"][name] for name in WINDOWS} == WINDOWS
    assert set(document["windows"]) - set(WINDOWS) == {"version", "build", "computer_name", "way"}
    assert set(document["disk"]) == {"format", "size", "sector_size", "style", "id"}
    assert all(set(volume) == VOLUME for volume in document["volumes"])
    assert {each["check"] for each in document["findings"]} == set(EVIDENCE)
    for check, wanted in EVIDENCE.items():
        found = [finding["evidence"] for finding in document["findings"] if finding["check"] == check]
        for evidence, expected in zip(found, wanted, strict=True):
            assert set(evidence) == set(expected), check
            for name, value in expected.items():
                assert type(evidence[name]) is value if isinstance(value, type) else evidence[name] == value, name
    for finding in document["findings"]:
        assert set(finding) >= FINDING
        assert set(finding) - FINDING == {"applicability", "tell"}
        assert finding["on_request"] == (finding["check"] in ("volume-state", "free-space", "memory-limit"))


def test_the_document_of_what_is_rarely_found(gen2_broken: Path) -> None:
    policy = Policy(max_pieces=0, min_free=20 << 30, ram=16 << 30)
    found = {each["check"]: each for each in vmrescue.diagnose(gen2_broken, policy).to_dict()["findings"]}
    assert set(found["fragmentation"]["evidence"]) == FRAGMENTATION
    more = {"bytes_by_growing", "bytes_of_larger_disk", "bytes_of_largest"}
    assert set(found["free-space"]["evidence"]) == set(EVIDENCE["free-space"][0]) | more
    assert "growing" in (
        vmrescue.diagnose(gen2_broken, Policy(min_free=5000 << 30), only=["free-space"]).findings[0].evidence
    )


def test_whether_a_repair_makes_the_changes_is_said_of_each_finding(gen2_broken: Path) -> None:
    found = {each.check: each.applicability for each in vmrescue.diagnose(gen2_broken).findings}
    assert found == {
        "volume-state": "advice",  # nothing mends a dirty flag here
        "free-space": "on_request",
        "bad-memory": "safe",
        "memory-limit": "on_request",
        "page-file": "safe",
        "serial-console": "safe",
        "crash-dump": "safe",
    }


class Declared(Subject):
    """A subject of which only the parts are there that a check has declared."""

    parts: tuple[Part, ...] = ()

    @property
    def boot(self) -> BootStore:
        self._must_be_declared({Part.BOOT_STORE})
        return super().boot

    @property
    def windows(self) -> OperatingSystem:
        self._must_be_declared({Part.OS_VOLUME, Part.WINDOWS})
        return super().windows

    def _must_be_declared(self, parts: set[Part]) -> None:
        if not parts & set(self.parts):
            raise NotFoundError(f"{parts} was not declared")


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_looks_at_no_part_that_it_has_not_declared(name: str, gen1_broken: Path) -> None:
    with open_disks([gen1_broken]) as disks:
        subject = Declared(Installation(disks), Policy())
        subject.parts = CHECKS[name].needs
        list(CHECKS[name].look(subject))
        subject.parts = ()
        if Part.VOLUMES not in CHECKS[name].needs:
            with pytest.raises(NotFoundError):  # and it does look at what it has declared
                list(CHECKS[name].look(subject))
