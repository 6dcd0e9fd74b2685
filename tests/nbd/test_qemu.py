"""Images in QEMU's containers, repaired where they lie through a qemu-nbd of ours, and taken back.

The judges are qemu-img, which reads what was written, and dissect's readers, which share no code with it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

import vmrescue
from nbd.images import MADE, content, converted, kinds, must_be, opened, servers, wait
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.endings import duration_of, start, status_of, wait_for_journal
from support.images import fingerprint
from support.machine import need_tool, run
from vmrescue.disk import EditSession, journals, open_disk, parents_in
from vmrescue.errors import NotFoundError, RefusedError, RepairFailedError, UnsupportedError, VmRescueError
from vmrescue.image.containers.foreign.qemu import QemuDisk
from vmrescue.image.copy import content_of

MIB = 1 << 20
ONLY = ["bad-memory", "crash-dump"]
KILLS = int(os.environ.get("VMRESCUE_KILLS", "1"))  # of each process
WHOLE = ("a backing chain",)  # repaired in CI; with VMRESCUE_QEMU_ALL=1 all are


@pytest.mark.parametrize("kind", kinds(WHOLE))
def test_a_repair_makes_the_disk_that_it_makes_of_a_raw_image_and_is_taken_back(
    kind: str, os_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    image = MADE[kind](os_raw, tmp_path)
    form = image.suffix[1:]
    twin = tmp_path / "twin.raw"
    run("cp", "--sparse=always", os_raw, twin)
    below = {path: fingerprint(path) for path in tmp_path.glob("[bm]*")}
    plan = vmrescue.diagnose(image).plan(only=ONLY)
    assert vmrescue.repair(image, plan=plan).committed
    vmrescue.repair(twin, plan=plan)

    must_be(image, twin)
    disk = open_disk(image)
    with closing(disk), closing(open_disk(twin)) as other:
        assert content_of(disk, disk.size, disk.read_at) == content_of(other, other.size, other.read_at)
    assert {path: fingerprint(path) for path in below} == below

    said = output_of("undo", image)
    assert "on the disk are what they were.\nThe file around the disk is not byte for byte the old one" in said
    must_be(image, os_raw)
    if form == "qcow2" and "before" in run("qemu-img", "snapshot", "-l", image):
        old = tmp_path / "snapshot.raw"
        run("qemu-img", "convert", "-f", "qcow2", "-l", "snapshot.name=before", "-O", "raw", image, old)
        run("qemu-img", "compare", "-f", "raw", "-F", "raw", old, os_raw)


@pytest.mark.parametrize("kind", MADE)
def test_what_is_committed_to_a_disk_is_what_qemu_reads_and_is_undone(kind: str, tmp_path: Path) -> None:
    chance, raw = random.Random(kind), tmp_path / "disk.raw"
    data = bytearray(chance.randbytes(2 * MIB) + bytes(6 * MIB))
    raw.write_bytes(data)
    image = MADE[kind](raw, tmp_path)
    twin = tmp_path / "twin.raw"
    with closing(EditSession(image)) as session:
        for _ in range(60):
            start = chance.randrange(len(data))
            piece = chance.randbytes(chance.choice((1, 512, 5000, 70_000)))[: len(data) - start]
            session.disk.write_at(start, piece)
            data[start : start + len(piece)] = piece
        journal = session.commit()
        assert journal is not None
        assert journal.state == "done"
        with closing(open_disk(image)) as disk:  # by dissect, while QEMU has it open
            assert disk.read_at(0, disk.size) == data
    twin.write_bytes(data)
    must_be(image, twin)
    vmrescue.undo(image)
    must_be(image, raw)


def test_a_chain_is_read_as_qemu_reads_it_and_leads_nowhere_else(tmp_path: Path) -> None:
    chance, folder, other = random.Random(5), tmp_path / "images", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    base = folder / "base.raw"
    base.write_bytes(chance.randbytes(2 * MIB) + bytes(MIB))
    image = folder / "top.qcow2"
    run("qemu-img", "create", "-f", "qcow2", "-b", base, "-F", "raw", image, "5M")
    run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 100k", "-c", "write -z 1500k 128k", "-c", "write 4M 64k", image)
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, tmp_path / "as.raw")
    with closing(open_disk(image)) as disk:
        assert disk.read_at(0, disk.size) == (tmp_path / "as.raw").read_bytes()
        assert disk.parents == [str(base)]
        assert disk.next_data(3 * MIB) == 4 * MIB

    base.rename(other / "base.raw")
    with pytest.raises(NotFoundError, match="--parent-dir"):
        open_disk(image)
    (folder / "base.raw").symlink_to(other / "base.raw")
    with pytest.raises(NotFoundError):
        open_disk(image)
    with parents_in(other), closing(open_disk(image)) as disk:
        assert disk.read_at(0, 4096) == (other / "base.raw").read_bytes()[:4096]
    run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", other / "base.raw", "-F", "raw", image)
    (folder / "base.raw").unlink()
    (folder / "base.raw").write_bytes(bytes(MIB))
    with pytest.raises(NotFoundError):  # a file of that name beside it is not the one that it names
        open_disk(image)


def test_a_backing_file_of_no_stated_format_is_not_guessed_at(tmp_path: Path) -> None:
    base = converted_empty(tmp_path / "base.qcow2")
    image = tmp_path / "top.qcow2"
    run("qemu-img", "create", "-f", "qcow2", "-o", "compat=1.1", "-b", base, "-F", "qcow2", image)
    data = bytearray(image.read_bytes())
    at = data.index((0xE2792ACA).to_bytes(4, "big"))
    data[at : at + 4] = (0x12345678).to_bytes(4, "big")  # an extension that nobody knows is skipped
    image.write_bytes(data)
    with pytest.raises(UnsupportedError, match="calls that nothing"):
        open_disk(image)
    raw = tmp_path / "over.qcow2"  # a raw disk whose content looks like a QCOW2 is read as raw
    run("qemu-img", "create", "-f", "qcow2", "-b", base, "-F", "raw", raw)
    with closing(open_disk(raw)) as disk:
        assert disk.read_at(0, 4) == b"QFI\xfb"


def converted_empty(path: Path) -> Path:
    run("qemu-img", "create", "-f", "qcow2", path, "4M")
    return path


def test_what_is_not_written_is_refused_with_the_way_out(os_raw: Path, tmp_path: Path) -> None:
    image = converted(os_raw, tmp_path, "vmdk", "-o", "subformat=streamOptimized")
    before = fingerprint(image)
    refused = command("repair", "--yes", image)
    assert (refused.returncode, "stream-optimised" in refused.stderr) == (4, True)
    assert fingerprint(image) == before
    subprocess.run(refused.stderr.split("`")[-2], shell=True, check=True, cwd=tmp_path, timeout=120)
    with closing(EditSession(tmp_path / "OUT.vmdk")):
        pass

    qcow2 = converted(os_raw, tmp_path, "qcow2")
    longer = command("expand", "--yes", qcow2, "--size", "1G")
    assert longer.returncode == 4
    assert f"`qemu-img resize -f qcow2 {qcow2} SIZE` first" in longer.stderr
    with subprocess.Popen([need_tool("qemu-io"), "-f", "qcow2", qcow2], stdin=subprocess.PIPE) as other:
        held = f":{qcow2.stat().st_ino} "  # as the kernel lists it; a try of ours might get in QEMU's way
        wait(lambda: held in Path("/proc/locks").read_text())
        assert "qemu-io" in _refusal(qcow2)
        other.kill()


def test_without_qemu_the_message_names_the_package(
    os_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = converted(os_raw, tmp_path, "qcow2")
    parallels = converted(os_raw, tmp_path, "parallels")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "qemu-utils" in str(vmrescue.diagnose(image).refusal)
    with pytest.raises(RefusedError, match="package qemu-utils"):
        vmrescue.repair(image, only=ONLY)
    with pytest.raises(UnsupportedError, match="package qemu-utils"):
        open_disk(parallels)


def test_a_damaged_qcow2_is_not_written(tmp_path: Path) -> None:
    image = converted_empty(tmp_path / "disk.qcow2")
    run("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 1M", image)
    data = bytearray(image.read_bytes())
    table = int.from_bytes(data[48:56], "big")
    block = int.from_bytes(data[table : table + 8], "big")
    data[block : block + 64] = bytes(64)  # the counts of its clusters
    image.write_bytes(data)
    with pytest.raises(RefusedError, match="its container is damaged"):
        EditSession(image)
    assert image.read_bytes() == data


@pytest.mark.parametrize("whose", ["vmrescue", "qemu-nbd"])
def test_a_kill_at_any_moment_leaves_the_disk_old_or_new(whose: str, os_raw: Path, tmp_path: Path) -> None:
    image = converted(os_raw, tmp_path, "qcow2", "-c")
    plan = tmp_path / "plan.json"
    plan.write_text(vmrescue.diagnose(image).plan(only=ONLY).to_json())
    words = ("apply", "--yes", "--quiet", plan, image)
    old, chance = content(image), random.Random(whose)
    duration = duration_of(*words, ok=(0, 1))
    vmrescue.undo(image)
    outcomes: Counter[str] = Counter()
    for number in range(KILLS):
        process = start(*words)
        if number % 2:
            wait(lambda: servers(image), 300)
            time.sleep(chance.uniform(0, duration))
        else:
            wait_for_journal(image, time.monotonic() + 300)
            time.sleep(chance.uniform(0, duration / 20))
        for each in [process] if whose == "vmrescue" else servers(image):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(each, signal.SIGKILL)
        status_of(process)
        wait(lambda: not servers(image), 300)  # it ends with the command, however that ends
        left = journals(image)[-1].state if journals(image) else "none"
        shown = content(image)  # to read, and then to write
        with closing(opened(image)):
            pass
        now = content(image)
        done = bool(journals(image)) and journals(image)[-1].state == "done"
        outcomes[left] += 1
        assert shown == now
        assert (now != old) == done
        run("qemu-img", "check", "-f", "qcow2", image, ok=(0, 3))  # clusters that nothing uses are no damage
        if done:
            vmrescue.undo(image)
        assert content(image) == old
    print(f"{KILLS} kills of {whose}, a run of {duration:.2f} s; journals: {outcomes}")


def test_a_server_that_is_killed_is_an_error_and_the_next_opening_rolls_back(
    os_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = converted(os_raw, tmp_path, "vdi")
    old, written, count = content(image), QemuDisk.write_at, [0]

    def write_at(disk: QemuDisk, offset: int, data: bytes | memoryview) -> None:
        count[0] += 1
        if count[0] == 4:
            (server,) = servers(image)
            os.kill(server, signal.SIGKILL)
        written(disk, offset, data)

    monkeypatch.setattr(QemuDisk, "write_at", write_at)
    with pytest.raises(RepairFailedError, match="qemu-nbd was ended by signal 9"):
        vmrescue.repair(image, only=ONLY)
    monkeypatch.undo()
    assert journals(image)[-1].state == "hot"
    assert content(image) == old  # shown rolled back, by dissect
    with closing(EditSession(image)):
        assert journals(image)[-1].state == "undone"
    run("qemu-img", "compare", "-f", "vdi", "-F", "raw", image, os_raw)


def test_a_qcow2_is_defragmented_in_place(os_raw: Path, tmp_path: Path) -> None:
    image = converted(os_raw, tmp_path, "qcow2")
    done = command("defrag", "--yes", f"{image}:2")
    assert done.returncode in (0, 1), done.stderr
    run("qemu-img", "check", "-f", "qcow2", image)
    assert vmrescue.diagnose(image).findings


def _refusal(image: Path) -> str:
    try:
        EditSession(image).close()
    except VmRescueError as error:
        return str(error)
    return ""


def test_the_holes_of_a_chain_are_listed_in_time_that_grows_with_its_clusters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dissect counts all clusters of a hole each time that it is asked: each hole may be counted only once."""
    from dissect.hypervisor.disk import qcow2

    looked = 0
    look = qcow2.get_subcluster_range_type

    def counted(*arguments: object) -> object:
        nonlocal looked
        looked += 1
        return look(*arguments)

    monkeypatch.setattr(qcow2, "get_subcluster_range_type", counted)
    base, image = tmp_path / "base.raw", tmp_path / "top.qcow2"
    pieces = 256
    with base.open("wb") as stream:
        for number in range(pieces):
            stream.seek(number * 128 << 10)
            stream.write(b"data")
        stream.truncate(512 * MIB)
    run("qemu-img", "create", "-f", "qcow2", "-b", base, "-F", "raw", image)
    run("qemu-io", "-f", "qcow2", "-c", "write -P 7 256M 64M", "-c", "write 511M 64k", image)
    found, at = [], 0
    with closing(open_disk(image)) as disk:
        while (at := disk.next_data(at)) < disk.size:
            found.append(at)
            at += 64 << 10

    above = [*range(256 * MIB, 320 * MIB, 64 << 10), 511 * MIB]
    assert found == [*range(0, pieces * 128 << 10, 128 << 10), *above]
    assert looked < 2 * 512 * MIB // (64 << 10)
