"""The order of a plan, what of it is left out, what a copy gets, and a kind of change that is new."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue as library
from support.command import vmrescue
from support.images import fingerprint
from support.machine import run
from vmrescue.disk import EditSession
from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.plan import (
    Change,
    CreateKey,
    DeleteFile,
    ExpandDisk,
    ExpandVolume,
    FileRef,
    ImageIdentity,
    Needs,
    Plan,
    ReplayVolumeLog,
    Step,
)
from vmrescue.plan.change_document import KINDS
from vmrescue.transaction.deeds import DEEDS
from vmrescue.windows import Disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vmrescue.transaction.deeds.deed import Bench

MIB = 1 << 20
SYSTEM = r"Windows\System32\config\SYSTEM"


def test_a_plan_says_the_order_in_which_its_changes_are_made() -> None:
    a, b, whole = FileRef(0, 3, "A"), FileRef(0, 3, "B"), FileRef(0, 3, "")
    given: list[Change] = [
        CreateKey(a, "one"),
        CreateKey(b, "two"),
        CreateKey(a, "three"),
        ReplayVolumeLog(FileRef(0, 3, "$LogFile"), ""),
        ExpandDisk(FileRef(0, 0, ""), 1, 2),
        ExpandVolume(whole, 1, 2),
    ]
    plan = Plan(ImageIdentity(1, ""), tuple(Step("x", "y", change) for change in given))
    assert plan.changes == [given[4], given[5], given[3], given[0], given[2], given[1]]
    assert Plan.from_json(plan.to_json()) == plan


def windows_of(image: Path) -> tuple[int, int]:
    """(place, bytes) of the SYSTEM hive's base block in the disk: the file's first cluster, by sleuthkit."""
    raw = image.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, raw)
    listed = json.loads(run("sfdisk", "--json", raw))["partitiontable"]["partitions"]
    start = max(listed, key=lambda each: each["size"])["start"]
    inode = run("ifind", "-o", start, "-n", SYSTEM.replace("\\", "/"), raw).strip()
    status = run("istat", "-o", start, raw, inode)
    cluster = next(int(line.split()[0]) for line in status.splitlines() if line[:1].isdigit())
    raw.unlink()
    return start * 512 + cluster * 4096, 512


def make_dirty(image: Path) -> None:
    """As if a write of the SYSTEM hive had been begun, with no logs beside it that would complete it."""
    place, length = windows_of(image)
    with EditSession(image) as session:
        block = bytearray(session.disk.read_at(place, length))
        assert block[:4] == b"regf"
        (begun,) = struct.unpack_from("<I", block, 4)
        struct.pack_into("<I", block, 4, begun + 1)
        total = 0
        for (word,) in struct.iter_unpack("<I", block[:508]):
            total ^= word
        struct.pack_into("<I", block, 508, total)
        session.disk.write_at(place, bytes(block))
        session.commit()


@pytest.fixture
def plan_and_dirty_image(gen1_broken: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A plan for the boot store and SYSTEM, and an image whose SYSTEM must not be edited any more."""
    plan = tmp_path / "plan.json"
    plan.write_text(library.diagnose(gen1_broken, only=["bad-memory", "crash-dump"]).plan().to_json())
    make_dirty(gen1_broken)
    return plan, gen1_broken


def test_a_plan_of_which_a_change_is_refused_changes_nothing_unless_it_may_be_left_out(
    plan_and_dirty_image: tuple[Path, Path],
) -> None:
    plan, image = plan_and_dirty_image
    before = fingerprint(image)
    done = vmrescue("apply", plan, image, "--yes")
    assert (done.returncode, fingerprint(image)) == (4, before)
    assert "dirty" in done.stderr

    done = vmrescue("apply", plan, image, "--yes", "--skip-refused", "--format", "json")
    assert done.returncode == 1, done.stderr
    receipt = json.loads(done.stdout)
    assert {step["check"] for step in receipt["plan"]["steps"]} == {"bad-memory"}
    assert {step["check"] for step in receipt["skipped"]} == {"crash-dump"}
    assert all("dirty" in step["because"] for step in receipt["skipped"])
    assert "note: this is not made: " in done.stderr
    assert [each.check for each in library.diagnose(image, only=["bad-memory"]).findings] == []
    vmrescue("undo", image)
    assert fingerprint(image) == before


def test_a_plan_of_which_all_is_refused_is_refused_however_it_is_applied(
    plan_and_dirty_image: tuple[Path, Path],
) -> None:
    plan, image = plan_and_dirty_image
    before = fingerprint(image)
    document = json.loads(plan.read_text())
    document["steps"] = [step for step in document["steps"] if step["check"] == "crash-dump"]
    plan.write_text(json.dumps(document))
    done = vmrescue("apply", plan, image, "--yes", "--skip-refused")
    assert (done.returncode, fingerprint(image)) == (4, before)


@pytest.mark.parametrize("way", ["--copy-to", "--into"])
def test_what_was_shown_and_agreed_to_is_what_a_copy_gets(way: str, gen2_broken: Path, tmp_path: Path) -> None:
    """A copy's size is rounded up, so that a plan made for it would be for another disk."""
    image = gen2_broken
    if way == "--copy-to":
        image = tmp_path / "disk.raw"
        run("qemu-img", "convert", "-f", "vpc", "-O", "raw", gen2_broken, image)
        with image.open("r+b") as stream:
            stream.truncate(image.stat().st_size + 512)
    planned = json.loads(vmrescue("plan", image, "--only", "serial-console").stdout)
    out = tmp_path / "out.vhd"
    done = vmrescue("repair", image, "--only", "serial-console", way, out, "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan"]["steps"] == planned["steps"]


@dataclass(frozen=True)
class SetSerial(Change):
    """A kind of change that vmrescue has not: an NTFS volume's serial number."""

    kind = "set-serial"
    needs = Needs.METADATA
    before: int
    after: int

    @property
    def title(self) -> str:
        return "set the volume's serial number"


class SerialDeed:
    whole = True
    at = 0x48

    def apply(self, changes: Sequence[SetSerial], bench: Bench) -> None:
        device = bench.volume(changes[0].file).device
        if int.from_bytes(device.read_at(self.at, 8), "little") != changes[0].before:
            raise RefusedError("it has another one now")
        device.write_at(self.at, changes[0].after.to_bytes(8, "little"))

    def confirm(self, changes: Sequence[SetSerial], disks: list[Disk]) -> None:
        volume = disks[0].volume(changes[0].file.partition)
        assert volume is not None
        if volume.device.read_at(self.at, 8) != changes[0].after.to_bytes(8, "little"):
            raise RepairFailedError("it is not there")

    def backs_up(self, changes: Sequence[SetSerial]) -> bool:
        return False


@pytest.fixture
def new_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, SetSerial.kind, SetSerial)
    monkeypatch.setitem(DEEDS, SetSerial, SerialDeed)  # type: ignore[misc]  # mypy takes the abstract class for the key


@pytest.mark.usefixtures("new_kind")
def test_a_new_kind_of_change_is_its_data_its_deed_and_a_row_for_each(gen1_broken: Path) -> None:
    before = fingerprint(gen1_broken)
    windows = max(library.diagnose(gen1_broken).volumes, key=lambda each: each.size)
    with EditSession(gen1_broken, writable=False) as session:
        volume = Disk(session.disk, str(gen1_broken)).volume(windows.partition)
        assert volume is not None
        start = volume.position
        serial = int.from_bytes(volume.device.read_at(SerialDeed.at, 8), "little")
        identity = Disk(session.disk, str(gen1_broken)).identity
    change = SetSerial(FileRef(0, windows.partition, "$Boot"), serial, 0x1122334455667788)
    plan = Plan.from_json(Plan(identity, (Step("by hand", "a test", change),)).to_json())
    receipt = library.repair(gen1_broken, plan)
    assert receipt.committed
    said = run("fsstat", "-i", "raw", "-o", str(start // 512), _raw(gen1_broken))
    assert "Volume Serial Number: 1122334455667788" in said
    library.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before

    with pytest.raises(RefusedError, match="another one now"):
        library.repair(gen1_broken, replace(plan, steps=(Step("x", "y", replace(change, before=1)),)))
    assert fingerprint(gen1_broken) == before


def _raw(image: Path) -> Path:
    raw = image.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, raw)
    return raw


def test_two_kinds_of_change_to_one_file_are_refused(gen1_broken: Path) -> None:
    before = fingerprint(gen1_broken)
    plan = library.diagnose(gen1_broken, only=["crash-dump"]).plan()
    file = plan.steps[0].change.file
    steps: tuple[Any, ...] = (*plan.steps, Step("x", "y", DeleteFile(file, 1)))
    with pytest.raises(RefusedError):
        library.repair(gen1_broken, replace(plan, steps=steps))
    assert fingerprint(gen1_broken) == before
