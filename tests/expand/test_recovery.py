"""A recovery partition in the way: moved to the disk's end, and everything that names its place follows."""

from __future__ import annotations

import shutil
import struct
from functools import cache
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import vmrescue as library
from expand.disks import GIB, MIB, check_container, contained, seen_by_judges, tree
from support.command import output_of, vmrescue
from support.images import fingerprint, sample
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs

SIZE = 800 * MIB
RECOVERY_SIZE = 100 * MIB
DISK_GUID = "6f0d6a51-3b77-4e0c-9a53-2d1f0c5b8e01"
SIGNATURE = 0x5A3C17E9
WINRE = "{0f6f5a2f-3c1d-11ef-9a77-00155d3a2b01}"
RAM_DISK_OPTIONS = bytes.fromhex("e03455ae24a96c46b836758539a3ee3a")
# style: sample, start and size of its OS volume, the number of the recovery partition
LAYOUTS = {
    "GPT": ("gen2-healthy", 57 * MIB, 580 * MIB, 4),
    "MBR": ("gen1-broken", 33 * MIB, 606 * MIB, 3),
}
AGENT = """<?xml version='1.0' encoding='utf-8'?>

<WindowsRE version="2.0">
  <WinreBCD id="{winre}"/>
  <WinreLocation path="\\Recovery\\WindowsRE" id="{id}" offset="{offset}" guid="{guid}"/>
  <ImageLocation path="" id="0" offset="0" guid="{{00000000-0000-0000-0000-000000000000}}"/>
  <OtherDisk path="\\Recovery" id="7" offset="{offset}" guid="{{11111111-0000-0000-0000-000000000000}}"/>
  <InstallState state="1"/>
</WindowsRE>
"""


def agent_file(style: str, start: int) -> bytes:
    """As reagentc writes it, for a recovery partition at that byte; and a location on another disk."""
    guid = DISK_GUID if style == "GPT" else "00000000-0000-0000-0000-000000000000"
    disk = 0 if style == "GPT" else SIGNATURE
    return AGENT.format(winre=WINRE, id=disk, offset=start, guid=f"{{{guid}}}").replace("\n", "\r\n").encode()


def ram_disk(start: int) -> bytes:
    r"""``ramdisk=[partition]\Recovery\WindowsRE\Winre.wim,{options}`` on an MBR disk."""
    partition = struct.pack("<4IQ8x2I", 6, 0, 0x48, 0, start, 0, 1) + struct.pack("<I28x", SIGNATURE)
    path = "\\Recovery\\WindowsRE\\Winre.wim\0".encode("utf-16-le")
    inner = struct.pack("<3I", 1, 12 + len(partition) + len(path), 5) + partition + path
    body = struct.pack("<I", 3) + bytes(20) + inner
    return RAM_DISK_OPTIONS + struct.pack("<4I", 0, 1, 16 + len(body), 0) + body


def disk_with_recovery(folder: Path, style: str) -> tuple[Path, int]:
    """A sample with a recovery partition behind its OS volume, as Windows Setup makes it; and where that begins."""
    built, first = _built(style)
    run("cp", "--sparse=always", built, folder / "disk.raw")
    return folder / "disk.raw", first


@cache
def _folder(style: str) -> TemporaryDirectory[str]:
    return TemporaryDirectory()


@cache
def _built(style: str) -> tuple[Path, int]:
    folder = Path(_folder(style).name)
    name, start, size, number = LAYOUTS[style]
    raw = folder / "disk.raw"
    packed = sample(name, folder)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", packed, raw)
    packed.unlink()
    run("truncate", "-s", str(SIZE), raw)
    first = start + size
    if style == "GPT":
        run("sgdisk", "-e", raw)
        run("sgdisk", "-n", f"{number}:{first // 512}:+100M", "-t", f"{number}:2700", "-A", f"{number}:set:0", raw)
    else:
        line = f"start={first // 512}, size={RECOVERY_SIZE // 512}, type=27\n"
        run("sfdisk", "-q", "--append", raw, stdin=line.encode())
    with loop_device(raw, first, RECOVERY_SIZE, writable=True) as device:
        run("mkntfs", "-q", "-Q", "-F", "-p", str(first // 512), "-H", "255", "-S", "63", device)
    with mounted_ntfs(raw, first, RECOVERY_SIZE, writable=True) as root:
        (root / "Recovery/WindowsRE").mkdir(parents=True)
        (root / "Recovery/WindowsRE/Winre.wim").write_bytes(b"MSWIM" * 1_000_000)
        (root / "Recovery/WindowsRE/ReAgent.xml").write_bytes(agent_file(style, first))
    with mounted_ntfs(raw, start, size, writable=True) as root:
        (root / "Windows/Temp/fill.bin").unlink(missing_ok=True)
        (root / "Windows/System32/Recovery").mkdir()
        (root / "Windows/System32/Recovery/ReAgent.xml").write_bytes(agent_file(style, first))
        if style == "MBR":
            mounted = struct.pack("<IQ", SIGNATURE, first)
            merge(root / "Windows/System32/config/SYSTEM", "\\MountedDevices", "\\\\??\\\\Volume{re}", mounted)
    if style == "MBR":
        with mounted_ntfs(raw, MIB, 32 * MIB, writable=True) as root:
            parent = f"\\Objects\\{WINRE}"
            merge(root / "Boot/BCD", parent)
            merge(root / "Boot/BCD", f"{parent}\\Description", "Type", struct.pack("<I", 0x10200003), kind=4)
            key = f"{parent}\\Elements"
            merge(root / "Boot/BCD", key)
            merge(root / "Boot/BCD", f"{key}\\11000001", "Element", ram_disk(first))
            merge(root / "Boot/BCD", f"{key}\\21000001", "Element", ram_disk(first))
    return raw, first


def merge(hive: Path, key: str, name: str = "", data: bytes = b"", kind: int = 3) -> None:
    """Puts a key, and a value of this type (3: binary) unless it has no name, into a hive with hivexregedit."""
    value = f'"{name}"=hex({kind}):{data.hex(",")}\n' if name else ""
    text = f"Windows Registry Editor Version 5.00\n\n[{key}]\n{value}"
    edits = hive.with_name("edits.reg")
    edits.write_text(text)
    run("hivexregedit", "--merge", hive, edits)
    edits.unlink()


def hivex_values(hive: Path, key: str, folder: Path) -> str:
    """The values of a key as hivexregedit exports them, each in one line; from a copy, as the mount is read-only."""
    copy = folder / "hive"
    shutil.copyfile(hive, copy)
    return run("hivexregedit", "--export", copy, key)


@pytest.mark.parametrize(("style", "container"), [("GPT", "dynamic VHD"), ("MBR", "fixed VHD")])
def test_it_is_moved_and_what_names_its_place_follows(tmp_path: Path, style: str, container: str) -> None:
    raw, first = disk_with_recovery(tmp_path, style)
    _, start, size, _ = LAYOUTS[style]
    with mounted_ntfs(raw, start, size) as root:
        files = tree(root)
    recovery_files = seen_by_judges(raw, style).files
    image = contained(raw, container)
    old = fingerprint(image)

    refused = vmrescue("expand", image, "--size", "4G", "--yes")
    assert refused.returncode == 4
    assert "--move-recovery" in refused.stderr
    assert fingerprint(image) == old
    output_of("expand", image, "--size", "4G", "--move-recovery", "--yes", "--quiet")

    place = 4 * GIB - MIB - RECOVERY_SIZE
    check_container(image, 4 * GIB)
    moved = seen_by_judges(image, style)
    assert (moved.start, moved.size) == (place, RECOVERY_SIZE)
    agent = "Recovery/WindowsRE/ReAgent.xml"
    assert without(moved.files, agent) == without(recovery_files, agent)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, raw)
    expected = agent_file(style, place).replace(
        f'id="7" offset="{place}"'.encode(), f'id="7" offset="{first}"'.encode()
    )
    with mounted_ntfs(raw, place, RECOVERY_SIZE) as root:
        assert (root / agent).read_bytes() == expected
    with raw.open("rb") as stream:
        stream.seek(place + 0x1C)
        assert struct.unpack("<I", stream.read(4)) == (place // 512,)
    with loop_device(raw, start, place - start) as device:
        assert "Accounting clusters" in run("ntfsresize", "--info", "--force", "--no-progress-bar", device)
    with mounted_ntfs(raw, start, place - start) as root:
        agent, system = "Windows/System32/Recovery/ReAgent.xml", "Windows/System32/config/SYSTEM"
        assert without(tree(root), agent, system) == without(files, agent, system)
        assert (root / agent).read_bytes() == expected
        if style == "MBR":
            found = hivex_values(root / system, "\\MountedDevices", tmp_path)
            assert struct.pack("<IQ", SIGNATURE, place).hex(",") in found
    if style == "MBR":
        with mounted_ntfs(raw, MIB, 32 * MIB) as root:
            for element in ("11000001", "21000001"):
                key = f"\\Objects\\{WINRE}\\Elements\\{element}"
                found = hivex_values(root / "Boot/BCD", key, tmp_path)
                assert ram_disk(place).hex(",") in found
    raw.unlink()
    library.undo(image)
    assert fingerprint(image) == old


def test_where_somebody_wrote_over_the_place_that_it_had_an_expansion_is_not_undone(tmp_path: Path) -> None:
    """Its old clusters are what an undo gives back, and they lie in a volume now whose files may be put there."""
    raw, first = disk_with_recovery(tmp_path, "GPT")
    output_of("expand", raw, "--size", "1G", "--move-recovery", "--yes", "--quiet")
    with raw.open("r+b") as stream, mmap(stream.fileno(), 0) as content:
        at = content.find(b"MSWIM" * 1000, first, first + RECOVERY_SIZE)
        assert at > 0, "the place still holds what was in the partition"
        content[at : at + 4 * MIB] = bytes(4 * MIB)
    theirs = fingerprint(raw)

    with pytest.raises(library.VmRescueError, match=f"the place that it had, at byte {first} .* on partition 4"):
        library.undo(raw)

    assert fingerprint(raw) == theirs


def without(files: dict[str, str | None], *names: str) -> dict[str, str | None]:
    return {name: digest for name, digest in files.items() if name not in names}


def test_a_disk_that_grows_by_less_than_the_partition_is_refused(tmp_path: Path) -> None:
    raw, _ = disk_with_recovery(tmp_path, "GPT")
    old = fingerprint(raw)
    done = vmrescue("expand", raw, "--size", "810M", "--move-recovery", "--yes")
    assert done.returncode == 4
    assert "can only be moved if the disk grows by more than its 100 MiB" in done.stderr
    assert fingerprint(raw) == old


def test_another_partition_in_the_way_is_never_moved(tmp_path: Path) -> None:
    raw, _ = disk_with_recovery(tmp_path, "GPT")
    run("sgdisk", "-t", "4:0700", raw)
    done = vmrescue("expand", raw, "--size", "4G", "--move-recovery", "--yes")
    assert done.returncode == 4
    assert "partition 4 (basic data) lies behind partition 3" in done.stderr
