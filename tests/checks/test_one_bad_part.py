"""One bad value, link or name never ends a diagnosis, and what is named many times is one thing."""

from __future__ import annotations

import shutil
import struct
import time
import uuid
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from support.command import vmrescue
from support.findings import BY_HAND
from support.images import sha256
from support.machine_disk import mounted_ntfs
from support.memory_device import MemoryDevice
from support.registry_values import MEMORY_MANAGEMENT, lines, merge, value
from vmrescue.plan import RegistryData
from vmrescue.registry import Hive
from vmrescue.volume import Partition, PartitionTable
from vmrescue.windows import Disk
from vmrescue.windows.mounted_devices import drive_letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

RESERVED, GEN1_OS = (1 << 20, 32 << 20), (33 << 20, 606 << 20)
SYSTEM = "Windows/System32/config/SYSTEM"
MACHINE = r"\Registry\Machine\System"
CRASH_CONTROL = r"Control\CrashControl"
BINS = 4096
DRIVERS = {"boot-driver", "class-filter", "start-override", "lost-driver"}  # checks of them need SYSTEM too
DRIVERS |= {"setup-command", "boot-execute", "driver-verifier"}  # and what runs before anybody can log on


def edit(image: Path, change: Callable[[Hive], object]) -> None:
    """Changes the SYSTEM hive."""
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        hive = Hive((root / SYSTEM).read_bytes())
        change(hive)
        (root / SYSTEM).write_bytes(hive.to_bytes())


def circle_of_three(name: str) -> Callable[[Hive], None]:
    """The key is a link that leads to itself through two others."""

    def change(hive: Hive) -> None:
        hive.delete_key(name, recursive=True)
        for link, target in ((name, "Second"), ("Second", "Third"), ("Third", name)):
            hive.create_link(link, f"{MACHINE}\\{target}")

    return change


def checks_of(findings: Iterable[library.Finding]) -> set[str]:
    return {each.check for each in findings if not each.summary.startswith("not checked")}


@pytest.mark.parametrize("key", ["Select", "MountedDevices"])
def test_a_circle_of_links_hides_one_thing_and_ends_no_diagnosis(gen1_broken: Path, key: str) -> None:
    checks = checks_of(library.diagnose(gen1_broken).findings)
    edit(gen1_broken, circle_of_three(key))

    diagnosis = library.diagnose(gen1_broken)
    assert any("leads in a circle" in warning for warning in diagnosis.warnings)
    assert checks_of(diagnosis.findings) >= checks - {"page-file"}
    if key == "Select":  # and there are two control sets: which one boots is not known
        said = {each.check: each.because for each in diagnosis.not_checked}
        assert "the control sets there: ControlSet001, ControlSet002" in said["page-file"]
        assert diagnosis.windows is not None
        assert diagnosis.windows.current_control_set is None

    assert library.repair(gen1_broken).committed
    left = checks_of(library.diagnose(gen1_broken).findings)
    assert left.isdisjoint({"bad-memory", "serial-console", "crash-dump"})


def test_where_select_names_nothing_the_only_control_set_is_looked_at(gen2_broken: Path, tmp_path: Path) -> None:
    place = 57 << 20, 580 << 20
    image = tmp_path / "raw"
    vmrescue("repair", gen2_broken, "--only", "hive-log", "--copy-to", image, "--yes")
    with mounted_ntfs(image, *place, writable=True) as root:
        merge(root / SYSTEM, r"\Select", {"Current": value(3, b"\1"), "Default": value(1, b"2\0\0\0")})

    diagnosis = library.diagnose(image)
    assert diagnosis.windows is not None
    assert diagnosis.windows.current_control_set == "ControlSet001"
    assert any("the only control set there" in warning for warning in diagnosis.warnings)
    assert library.repair(image, only=["page-file"]).committed


def test_a_control_set_that_is_a_link_to_another_is_that_one(gen1_broken: Path) -> None:
    def change(hive: Hive) -> None:
        hive.create_link("ControlSet009", rf"{MACHINE}\ControlSet001")
        hive.set_value("Select", "Current", 4, 9)

    edit(gen1_broken, change)
    diagnosis = library.diagnose(gen1_broken)
    assert diagnosis.windows is not None
    assert diagnosis.windows.control_sets == ("ControlSet001", "ControlSet002")
    assert diagnosis.windows.current_control_set == "ControlSet001"
    assert library.repair(gen1_broken).committed
    assert library.diagnose(gen1_broken, only=["crash-dump", "page-file"]).healthy


def entries_of_root(hive: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """The root's list, which is of the form `lh`: for each key where its cell is named, the cell, and the name."""
    root = BINS + struct.unpack_from("<I", hive, 36)[0] + 4
    at = BINS + struct.unpack_from("<I", hive, root + 28)[0] + 4
    signature, count = struct.unpack_from("<2sH", hive, at)
    assert signature == b"lh"
    for place in range(at + 4, at + 4 + 8 * count, 8):
        (cell,) = struct.unpack_from("<I", hive, place)
        node = BINS + cell + 4
        (length,) = struct.unpack_from("<H", hive, node + 72)
        yield place, cell, bytes(hive[node + 76 : node + 76 + length])


def test_a_list_that_names_one_key_over_and_over_costs_no_more_than_one_that_names_it_once(gen1_broken: Path) -> None:
    small = len(str(library.diagnose(gen1_broken).to_dict()))

    def change(hive: Hive) -> None:
        for number in range(400):
            hive.create_key(f"Z{number:03}")

    edit(gen1_broken, change)
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        hive = bytearray((root / SYSTEM).read_bytes())
        entries = list(entries_of_root(hive))
        first = next(cell for _, cell, name in entries if name == b"ControlSet001")
        for place, _, name in entries:
            if name.startswith(b"Z"):
                struct.pack_into("<I", hive, place, first)
        (root / SYSTEM).write_bytes(hive)

    diagnosis = library.diagnose(gen1_broken)
    assert diagnosis.windows is not None
    assert diagnosis.windows.control_sets == ("ControlSet001", "ControlSet002")
    assert len(str(diagnosis.to_dict())) < small + 1000


def test_letters_take_time_in_proportion_to_values_and_partitions() -> None:
    """Each of 20,000 values was compared with each of 4,000 volumes."""
    table = PartitionTable(
        "GPT",
        512,
        uuid.UUID(int=1),
        [Partition(n, n << 20, 1 << 20, 0, guid=uuid.UUID(int=n)) for n in range(4000)],
        [],
    )
    disk = Disk(MemoryDevice(bytes(512)), "disk", 0, table)  # type: ignore[arg-type]
    values = {f"\\DosDevices\\{number:02x}": RegistryData(3, b"DMIO:ID:" + bytes(16)) for number in range(20_000)}
    values["\\dosdevices\\f:"] = RegistryData(3, b"DMIO:ID:" + uuid.UUID(int=3999).bytes_le)
    values["\\DosDevices\\zz"] = values["\\DosDevices\\\\\\"] = values["\\dosdevices\\f:"]  # which are no letters

    start = time.process_time()
    letters = drive_letters(values, disk.volumes)
    assert time.process_time() - start < 2
    assert letters == {"F:": disk.volumes[-1]}


def test_a_value_of_any_size_in_one_cell_is_read(gen1_broken: Path) -> None:
    """hivex writes one cell where Windows has big data from 16,344 bytes on, and so do hives of older versions."""
    long = [rf"E:\{'x' * 60}{number}.sys 0 0" for number in range(400)]
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        merge(root / SYSTEM, MEMORY_MANAGEMENT, {"PagingFiles": lines(long)})
        merge(root / SYSTEM, rf"\ControlSet002\{CRASH_CONTROL}", {"DumpFile": value(3, bytes(70_000))})

    found = {each.check for each in library.diagnose(gen1_broken).findings}
    assert {"page-file", "crash-dump", "bad-memory"} <= found


def test_of_two_hives_of_which_neither_is_spelled_as_windows_spells_it_nothing_is_said(gen1_broken: Path) -> None:
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / SYSTEM).rename((root / SYSTEM).with_name("System"))
        shutil.copyfile((root / SYSTEM).with_name("System"), (root / SYSTEM).with_name("system"))
    before = sha256(gen1_broken)
    diagnosis = library.diagnose(gen1_broken)
    said = {each.check for each in diagnosis.not_checked if "'System' or 'system'" in each.because}
    assert said == {"control-set", "fragmentation", "page-file", "crash-dump"} | DRIVERS, BY_HAND
    assert "bad-memory" in checks_of(diagnosis.findings)
    done = vmrescue("rm", f"{gen1_broken}:2", r"Windows\System32\config\System", "--yes")
    assert (done.returncode, "is a hive of Windows" in done.stderr) == (4, True), done.stderr
    assert sha256(gen1_broken) == before
