"""Containers of other makers: made by qemu-img and libewf, read as the same disk; broken ones end in our errors."""

from __future__ import annotations

import html
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import DONE, output_of
from support.command import vmrescue as command
from support.findings import told
from support.images import fingerprint, sample
from support.machine import need_tool, run
from vmrescue.disk import EditSession, open_disk
from vmrescue.errors import FormatError, NotFoundError, ReadError, RefusedError, UnsupportedError, VmRescueError

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.disk import VirtualDisk

MIB = 1 << 20
SIZE = 24 * MIB
QEMU = [
    pytest.param("vmdk", [], "VMDK image", id="vmdk-sparse"),
    pytest.param("vmdk", ["subformat=monolithicFlat"], "VMDK image", id="vmdk-flat"),
    pytest.param("vmdk", ["subformat=twoGbMaxExtentSparse"], "VMDK image", id="vmdk-extents"),
    pytest.param("vmdk", ["subformat=streamOptimized"], "VMDK image", id="vmdk-stream"),
    pytest.param("qcow2", [], "QCOW2 image", id="qcow2"),
    pytest.param("qcow2", ["compat=0.10"], "QCOW2 image", id="qcow2-v2"),
    pytest.param("vdi", [], "VDI image", id="vdi"),
    pytest.param("vdi", ["static=on"], "VDI image", id="vdi-fixed"),
]


def disk_with_holes(path: Path) -> bytes:
    """A raw disk with data here and there, and holes between."""
    chance = random.Random(3)
    data = bytearray(SIZE)
    for _ in range(40):
        start = chance.randrange(SIZE - MIB)
        length = chance.choice((1, 512, 70_000, MIB))
        data[start : start + length] = chance.randbytes(length)
    path.write_bytes(data)
    return bytes(data)


def convert(source: Path, kind: str, options: list[str], target: Path) -> Path:
    settings = [word for option in options for word in ("-o", option)]
    run("qemu-img", "convert", "-O", kind, *settings, source, target)
    return target


def everything(disk: VirtualDisk, step: int = 5 * MIB + 512) -> bytes:
    return b"".join(disk.read_at(start, min(step, disk.size - start)) for start in range(0, disk.size, step))


@pytest.mark.parametrize(("kind", "options", "name"), QEMU)
def test_each_container_reads_as_the_disk_it_was_made_from(
    kind: str, options: list[str], name: str, tmp_path: Path
) -> None:
    data = disk_with_holes(tmp_path / "disk.raw")
    disk = open_disk(convert(tmp_path / "disk.raw", kind, options, tmp_path / "image"))
    assert (disk.format, disk.size) == (name, SIZE)
    assert everything(disk) == data
    chance = random.Random(4)
    for _ in range(200):
        start = chance.randrange(SIZE)
        length = min(chance.randrange(3 * MIB), SIZE - start)
        assert disk.read_at(start, length) == data[start : start + length]
    with pytest.raises(FormatError):
        disk.read_at(SIZE - 1, 2)
    disk.close()


@pytest.mark.parametrize("kind", ["vdi", "vmdk", "qcow2"])
def test_blocks_that_lie_out_of_order_in_the_file_are_read_in_order(kind: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    run("qemu-img", "create", "-f", kind, image, str(SIZE))
    order = list(range(SIZE // MIB))
    random.Random(5).shuffle(order)
    commands = [word for block in order for word in ("-c", f"write -P {block + 1} {block}M 1M")]
    run("qemu-io", "-f", kind, *commands, image)
    disk = open_disk(image)
    assert everything(disk) == b"".join(bytes([block + 1]) * MIB for block in range(SIZE // MIB))
    disk.close()


@pytest.mark.parametrize("size", ["0", "9M"], ids=["one segment", "three segments"])
def test_an_encase_image_in_one_or_more_segments_reads_as_its_disk(size: str, tmp_path: Path) -> None:
    data = disk_with_holes(tmp_path / "disk.raw")
    acquire(tmp_path, size)
    disk = open_disk(tmp_path / "case.E01")
    assert (disk.format, disk.size) == ("E01 image", SIZE)
    assert everything(disk) == data
    disk.close()
    if size != "0":
        (tmp_path / "case.E02").unlink()
        with pytest.raises(NotFoundError, match=r"case\.E02"):
            open_disk(tmp_path / "case.E01")
        with pytest.raises(FormatError, match="segment number 1"):
            open_disk(tmp_path / "case.E03")


@pytest.mark.parametrize("last", [False, True], ids=["any", "the last, whose length the disk's size is told by"])
def test_a_chunk_of_an_encase_image_that_is_not_as_it_was_acquired_is_an_error(last: bool, tmp_path: Path) -> None:
    data = disk_with_holes(tmp_path / "disk.raw")
    if last:
        data = data[:-512] + random.Random(5).randbytes(512)
        (tmp_path / "disk.raw").write_bytes(data)
    acquire(tmp_path, "0")
    image = tmp_path / "case.E01"
    changed = SIZE - 512 if last else next(at for at in range(0, SIZE, 512) if data[at : at + 512].strip(b"\0"))
    sound = 0 if last else SIZE - MIB
    with image.open("r+b") as file:
        file.seek(file.read().index(data[changed : changed + 512]) + 100)
        file.write(b"changed")
    with open_disk(image) as disk:
        with pytest.raises(FormatError, match=r"E01 chunk at byte .*: expected the checksum 0x"):
            disk.read_at(changed, 512)
        assert (disk.size, disk.read_at(sound, MIB)) == (SIZE, data[sound : sound + MIB])
    with pytest.raises(ReadError, match="Bad file descriptor"):  # it is closed
        disk.read_at(sound, MIB)


def acquire(folder: Path, segment: str) -> None:
    """Has libewf make case.E01, … of disk.raw."""
    command = [need_tool("ewfacquire"), "-u", "-c", "none", "-t", "case", *(["-S", segment] if segment != "0" else [])]
    subprocess.run([*command, "disk.raw"], cwd=folder, check=True, capture_output=True, timeout=120)


def test_a_raw_image_in_pieces_is_one_disk(tmp_path: Path) -> None:
    data = disk_with_holes(tmp_path / "disk.raw")
    run("split", "-b", "7M", "-d", "-a", "3", "--numeric-suffixes=1", tmp_path / "disk.raw", tmp_path / "disk.")
    assert (tmp_path / "disk.004").exists()
    disk = open_disk(tmp_path / "disk.001")
    assert (disk.format, disk.size) == ("split raw image", SIZE)
    assert everything(disk) == data
    disk.close()
    for missing in ("disk.002", "disk.003"):  # right behind the first, and between others
        kept = (tmp_path / missing).rename(tmp_path / "kept")
        with pytest.raises(NotFoundError, match=rf"{missing}, a piece of .*disk\.001, is missing"):
            open_disk(tmp_path / "disk.001")
        kept.rename(tmp_path / missing)


def test_a_later_piece_by_itself_leads_to_the_first(tmp_path: Path) -> None:
    (tmp_path / "disk.002").write_bytes(bytes(MIB))
    with pytest.raises(UnsupportedError, match=r"name the first one, .*disk\.001"):
        open_disk(tmp_path / "disk.002")
    whole = sample("gen2-broken", tmp_path)
    run("qemu-img", "convert", "-O", "raw", whole, tmp_path / "generation.002")
    assert vmrescue.diagnose(tmp_path / "generation.002").generation == 2


@pytest.mark.parametrize("kind", ["vmdk"])
def test_a_windows_in_a_foreign_container_is_diagnosed_and_not_repaired(kind: str, tmp_path: Path) -> None:
    vhd = sample("gen2-broken", tmp_path)
    options = ["subformat=streamOptimized"] if kind == "vmdk" else []
    image = convert(vhd, kind, options, tmp_path / f"os.{kind}")
    before = fingerprint(image)
    diagnosis = vmrescue.diagnose(image)
    assert told(diagnosis) == told(vmrescue.diagnose(vhd))
    for act in (
        lambda: vmrescue.repair(image),
        lambda: vmrescue.repair(image, dry_run=True),
        lambda: EditSession(image),
        lambda: open_disk(image, writable=True),
    ):
        with pytest.raises(RefusedError, match=rf"qemu-img convert .*os.{kind} OUT\."):
            act()
    assert fingerprint(image) == before
    converted = tmp_path / "out.vhd"
    run("qemu-img", "convert", "-O", "vpc", "-o", "subformat=fixed,force_size", image, converted)
    assert vmrescue.repair(converted).written


@pytest.mark.parametrize("kind", ["E01", "pieces"])
def test_the_advice_for_an_image_that_is_only_read_does_what_it_says(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "the folder"
    folder.mkdir()
    run("qemu-img", "convert", "-O", "raw", sample("gen2-broken", tmp_path), folder / "disk.raw")
    if kind == "E01":
        acquire(folder, "0")
        image = folder / "case.E01"
    else:
        run("split", "-b", "200M", "-d", "-a", "3", "--numeric-suffixes=1", folder / "disk.raw", folder / "the disk.")
        image = folder / "the disk.001"
    said = output_of("diagnose", image, status=1)
    refused = command("repair", "--yes", image)
    assert (refused.returncode, "is an E01 image" in refused.stderr) == (4, kind == "E01")

    sentence = refused.stderr.removeprefix("vmrescue: ").strip()
    assert said.splitlines()[-1].endswith(f" {sentence}.")
    assert "run: vmrescue" not in said
    assert sentence in html.unescape(output_of("diagnose", image, "--format", "html", status=1))
    subprocess.run(sentence.split("`")[1], shell=True, check=True, cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=120)

    made = next(path for path in (tmp_path / "OUT.vhd", tmp_path / "OUT.raw") if path.exists())
    assert made.name in sentence
    assert "Repaired" in output_of("repair", made, "--yes", status=DONE)


def test_a_data_disk_that_is_only_read_is_said_too(tmp_path: Path) -> None:
    vhd = sample("gen2-broken", tmp_path)
    data = convert(vhd, "vmdk", ["subformat=streamOptimized"], tmp_path / "data.vmdk")
    said = output_of("diagnose", vhd, "--data-disk", data, status=1)
    assert f"{data} is a stream-optimised VMDK" in said.splitlines()[-1]


def test_a_vmdk_that_lies_over_another_is_refused_and_the_other_never_opened(tmp_path: Path) -> None:
    disk_with_holes(tmp_path / "base.raw")
    source = convert(tmp_path / "base.raw", "vmdk", [], tmp_path / "base.vmdk")
    child = tmp_path / "child.vmdk"
    run("qemu-img", "create", "-f", "vmdk", "-b", source, "-F", "vmdk", child)
    with pytest.raises(UnsupportedError, match="snapshot"):
        open_disk(child)


def test_a_qcow2_with_clusters_packed_by_zstd_is_read(tmp_path: Path) -> None:
    content = disk_with_holes(tmp_path / "disk.raw")
    image = tmp_path / "image"
    run("qemu-img", "convert", "-O", "qcow2", "-c", "-o", "compression_type=zstd", tmp_path / "disk.raw", image)
    disk = open_disk(image)
    try:
        assert everything(disk) == content
    finally:
        disk.close()


def test_a_qcow2_with_subclusters_is_refused(tmp_path: Path) -> None:
    disk_with_holes(tmp_path / "disk.raw")
    image = convert(tmp_path / "disk.raw", "qcow2", ["extended_l2=on"], tmp_path / "image")
    with pytest.raises(UnsupportedError, match="subclusters"):
        open_disk(image)


def test_a_vmdk_cannot_name_a_file_outside_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    disk_with_holes(tmp_path / "secret.raw")
    image = folder / "disk.vmdk"
    for name in ("../secret.raw", str(tmp_path / "secret.raw"), r"..\secret.raw"):
        image.write_text(f'# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\nRW {SIZE // 512} FLAT "{name}" 0\n')
        with pytest.raises(NotFoundError, match=r"folder/secret\.raw"):
            open_disk(image)


@pytest.mark.parametrize("kind", ["vmdk", "qcow2", "vdi"])
def test_a_damaged_container_ends_in_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    disk_with_holes(tmp_path / "disk.raw")
    image = convert(tmp_path / "disk.raw", kind, [], tmp_path / "image")
    sound = image.read_bytes()
    tables = [place for place in range(min(len(sound), 3 * MIB)) if sound[place]][:600]
    chance = random.Random(6)
    outcomes = set()
    for _ in range(60):
        raw = bytearray(sound)
        for place in chance.sample(tables[8:], 3):
            raw[place] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del raw[chance.randrange(len(raw)) :]
        image.write_bytes(raw)
        try:
            disk = open_disk(image)
        except VmRescueError as error:
            outcomes.add(type(error).__name__)
            continue
        try:
            for start in range(0, min(disk.size, SIZE) - 512, MIB // 4):
                disk.read_at(start, 512)
            outcomes.add("read")
        except VmRescueError as error:
            outcomes.add(type(error).__name__)
        finally:
            disk.close()
    assert "FormatError" in outcomes


def test_sections_of_an_encase_image_that_lead_in_a_circle_are_an_error(tmp_path: Path) -> None:
    disk_with_holes(tmp_path / "disk.raw")
    acquire(tmp_path, "0")
    image = tmp_path / "case.E01"
    raw = bytearray(image.read_bytes())
    second = int.from_bytes(raw[13 + 16 : 13 + 24], "little")
    raw[second + 16 : second + 24] = (13).to_bytes(8, "little")
    image.write_bytes(raw)
    with pytest.raises(FormatError, match="E01 section"):
        open_disk(image)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("qcow2", []),
        ("qcow2", ["compression_type=zlib", "-c"]),
        ("vdi", []),
        ("vmdk", []),
        ("vmdk", ["subformat=streamOptimized"]),
        ("vhdx", []),
        ("vpc", ["subformat=dynamic"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_an_image_that_was_cut_short_is_said_to_be(kind: str, options: list[str], tmp_path: Path) -> None:
    disk_with_holes(tmp_path / "disk.raw")
    settings = [word for option in options for word in (("-o", option) if "=" in option else (option,))]
    image = tmp_path / "image"
    run("qemu-img", "convert", "-O", kind, *settings, tmp_path / "disk.raw", image)
    open_disk(image).close()
    size = image.stat().st_size
    for part in (0.95, 0.6, 0.3):
        with image.open("r+b") as file:
            file.truncate(int(size * part))
        with pytest.raises(FormatError, match=r"; the file seems to be cut short: copy or download it again$") as found:
            open_disk(image)
        assert found.value.exit_status == 3
