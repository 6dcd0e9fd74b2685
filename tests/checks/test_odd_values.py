"""Values of a type or a size that Windows never writes: each is a finding, or nothing, and never the end of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from support.machine import run
from support.machine_disk import mounted_ntfs
from support.registry_values import MEMORY_MANAGEMENT, merge, value
from vmrescue.plan import DeleteKey, SetValue

if TYPE_CHECKING:
    from pathlib import Path

RESERVED, GEN1_OS = (1 << 20, 32 << 20), (33 << 20, 606 << 20)
SYSTEM = "Windows/System32/config/SYSTEM"
BAD_MEMORY = r"\Objects\{5189b25c-5558-4bf2-bca4-289b11bd29e2}"
EMS_SETTINGS = r"\Objects\{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}"
BOOT_MANAGER = r"\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
ALL_CHECKS = {"volume-state", "free-space", "bad-memory", "memory-limit", "page-file", "serial-console", "crash-dump"}


def put(image: Path, place: tuple[int, int], hive: str, values: dict[str, dict[str, str]]) -> None:
    with mounted_ntfs(image, *place, writable=True) as root:
        for key, named in values.items():
            merge(root / hive, key, named)


def element(image: Path, path: str, kind: int, data: bytes) -> None:
    """Gives an element of the boot store any type and bytes."""
    put(image, RESERVED, "Boot/BCD", {path: {"Element": value(kind, data)}})


@pytest.mark.parametrize(
    ("kind", "data"),
    [(3, bytes(7)), (3, b"\1" * 13), (1, "{text}\0".encode("utf-16-le")), (4, bytes(4)), (7, bytes(16))],
    ids=["7 bytes", "13 bytes", "a text", "a number", "texts"],
)
def test_a_bad_memory_list_that_is_none_is_found_and_taken_away(gen1_broken: Path, kind: int, data: bytes) -> None:
    element(gen1_broken, rf"{BAD_MEMORY}\Elements\1700000a", kind, data)

    diagnosis = library.diagnose(gen1_broken)
    assert {each.check for each in diagnosis.findings} == ALL_CHECKS
    [found] = [each for each in diagnosis.findings if each.check == "bad-memory"]
    assert found.severity == "critical"
    assert [type(change) for change in found.changes] == [DeleteKey]

    assert library.repair(gen1_broken, only=["bad-memory"]).committed
    with mounted_ntfs(gen1_broken, *RESERVED) as root:
        listed = run("hivexsh", root / "Boot/BCD", stdin=f"cd {BAD_MEMORY}\\Elements\nls\n".encode())
        assert "1700000a" not in listed


@pytest.mark.parametrize(
    ("path", "kind", "data"),
    [
        (rf"{BAD_MEMORY}\Elements\15000007", 3, bytes(9)),
        (rf"{EMS_SETTINGS}\Elements\15000022", 3, b""),
        (rf"{BOOT_MANAGER}\Elements\16000020", 3, bytes(20)),
        (rf"{BOOT_MANAGER}\Elements\23000003", 3, b"\xff\xff"),
    ],
    ids=["truncatememory", "emsport", "bootems", "default"],
)
def test_an_element_that_means_nothing_ends_no_diagnosis(gen1_broken: Path, path: str, kind: int, data: bytes) -> None:
    element(gen1_broken, path, kind, data)
    policy = library.Policy(boot_menu=True)
    about_it = {"boot-entry"} if path.endswith("23000003") else set()  # it names no entry
    assert {each.check for each in library.diagnose(gen1_broken, policy).findings} == ALL_CHECKS | about_it
    assert library.repair(gen1_broken, policy=policy, only=["serial-console", "memory-limit"]).committed


def test_registry_values_of_another_type_are_what_is_mended(gen1_broken: Path) -> None:
    text = value(1, "yes\0".encode("utf-16-le"))
    values = {
        r"\Select": {"Current": value(3, b"\1\0\0")},
        r"\ControlSet001\Control\CrashControl": {"CrashDumpEnabled": text, "DumpFile": value(3, b"\0\1")},
        MEMORY_MANAGEMENT: {"PagingFiles": value(3, b"\0\xd8\0"), "ExistingPageFiles": value(4, b"\1\0\0\0")},
    }
    put(gen1_broken, GEN1_OS, SYSTEM, values)

    policy = library.Policy(temp_drive="D:")  # no value tells it any more
    diagnosis = library.diagnose(gen1_broken, policy)
    assert {each.check for each in diagnosis.findings} == ALL_CHECKS | {"control-set"}
    assert any("Select\\Current names no control set" in warning for warning in diagnosis.warnings)
    set_values = {change.name for each in diagnosis.findings for change in each.changes if isinstance(change, SetValue)}
    assert {"CrashDumpEnabled", "DumpFile", "PagingFiles"} <= set_values

    assert library.repair(gen1_broken, policy=policy).committed
    left = {each.check for each in library.diagnose(gen1_broken, policy).findings}
    assert left.isdisjoint({"page-file", "crash-dump", "bad-memory", "serial-console"})


def test_the_systems_root_is_a_plain_path_or_the_usual_one(gen1_broken: Path) -> None:
    """With `\\Windows\\..`, or a name in which a pattern would see more than itself, other folders would be cleaned."""
    with mounted_ntfs(gen1_broken, *RESERVED, writable=True) as root:
        listed = run("hivexsh", root / "Boot/BCD", stdin=b"cd \\Objects\nls\n").split()
        loaders = [name for name in listed if _has(root / "Boot/BCD", rf"\Objects\{name}\Elements\22000002")]
        for name in loaders:
            text = "\\Windows\\..\\Windows\0".encode("utf-16-le")
            merge(root / "Boot/BCD", rf"\Objects\{name}\Elements\22000002", {"Element": value(1, text)})
    assert loaders
    windows = library.diagnose(gen1_broken).windows
    assert windows is not None
    assert windows.root == "Windows"


def _has(hive: Path, key: str) -> bool:
    return "Element" in run("hivexsh", hive, stdin=f"cd {key}\nlsval\n".encode(), ok=(0, 1))
