"""Hives and stores of real machines, on a disk whose files are there: no false alarm.

The files are stubs, one for each driver that the real hive names; nothing else of the healthy disk is changed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from dissect.regf import RegistryHive

import vmrescue
from rehearsal.mutations import WINDOWS
from rehearsal.test_mutations import raw
from stub_pe import stub
from support.machine import need_root, run
from support.machine_disk import mounted_ntfs
from support.real_data import corpus, sdist_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = "Windows/System32/config"
STARTED_BY_THE_LOADER = 0
HIVES = {
    "Dell": lambda: {suffix: corpus(f"hives/SYSTEM_B{suffix}") for suffix in ("", ".LOG1", ".LOG2")},
    "VMware": lambda: {"": sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")},
}


def drivers(hive: bytes) -> Iterator[str]:
    """The names of the files that the boot-start services of a hive name, as dissect reads them."""
    for key in RegistryHive(io.BytesIO(hive)).open("ControlSet001\\Services").subkeys():
        values = {value.name.lower(): value.value for value in key.values()}
        if values.get("start") == STARTED_BY_THE_LOADER:
            path = values.get("imagepath", f"system32\\drivers\\{key.name}.sys")
            yield path.lower().replace("\\systemroot\\", "").removeprefix("system32\\drivers\\")


@pytest.mark.parametrize("machine", HIVES)
def test_the_system_hive_of_a_healthy_machine_gives_no_stop(machine: str, quick_folder: Path) -> None:
    need_root()
    files: Callable[[], dict[str, bytes]] = HIVES[machine]
    disk, parts = quick_folder / "disk.raw", files()
    run("cp", "--sparse=always", raw(2), disk)
    names = sorted(set(drivers(parts[""])))
    assert len(names) > 80
    with mounted_ntfs(disk, *WINDOWS[2], writable=True) as root:
        folder = root / "Windows/System32/drivers"
        there = {path.name.lower() for path in folder.iterdir()}
        for name in names:
            if name not in there:
                path = folder / name.replace("\\", "/")
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(stub("driver.sys"))
        for suffix, content in parts.items():
            (root / f"{CONFIG}/SYSTEM{suffix}").write_bytes(content)
    rehearsal = vmrescue.rehearse(disk)
    assert rehearsal.stop is None, rehearsal.stop
    assert rehearsal.stage("drivers").facts[0].said == f"{len(names)} of {len(names)} have a file"


def test_a_real_boot_store_leads_to_its_windows(quick_folder: Path) -> None:
    """Of a Windows 11: the partitions get the ids that it names."""
    need_root()
    disk, store = quick_folder / "disk.raw", quick_folder / "BCD"
    run("cp", "--sparse=always", raw(2), disk)
    store.write_bytes(corpus("hives/BCD-uefi"))
    ids = "0b2394a9-095e-487d-8d48-719ecd4d78ca", "8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0b"
    run("sgdisk", "-U", ids[0], "-u", f"3:{ids[1]}", disk)
    inside = f"{disk}@@{1 << 20}"
    run("mcopy", "-o", "-i", inside, store, "::/EFI/Microsoft/Boot/BCD")
    rehearsal = vmrescue.rehearse(disk)
    assert rehearsal.stop is None, rehearsal.stop
    said = {fact.what.partition(" of ")[0]: fact.said for fact in rehearsal.stage("boot-manager").facts}
    assert said["osdevice"] == "partition 3 (C:)"
    assert "Winre.wim" in " ".join(said.values())
