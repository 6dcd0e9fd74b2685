"""Files whose content is elsewhere, or not readable from the disk alone: refused by name, and marked in lists."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import vmrescue as api
from commands.here import output_of, vmrescue
from ntfs.volumes import format_volume, opened, write_sparse
from support.documents import must_be
from support.machine import run
from support.machine_disk import mounted_ntfs
from support.ntfs_judges import mounted
from vmrescue.diagnosis import open_disks
from vmrescue.disk import open_disk
from vmrescue.errors import RefusedError
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.structures.attribute import Attribute, Kind, Storage
from vmrescue.plan import FileRef, Plan, PutFile, Step
from vmrescue.transaction import file_hash
from vmrescue.volume import Window

VOLUMES = {1: (1 << 20, 32 << 20), 2: (33 << 20, 606 << 20)}  # of the sample: the boot store's, and that of Windows
WOF = struct.pack("<IIII", 1, 2, 1, 0)  # version, provider (a file), its version, algorithm (XPRESS, 4K)
REPARSE_POINTS = {
    "wof.dll": (0x80000017, WOF),
    "link": (0xA000000C, struct.pack("<HHHHI", 0, 2, 2, 0, 1) + b"x\0"),
    "dedup": (0x80000013, bytes(16)),
    "placeholder": (0x9000701A, bytes(16)),
    "local": (0x9000101A, bytes(16)),
    "unknown": (0x80000077, bytes(16)),
    "junction": (0xA0000003, struct.pack("<HHHH", 0, 12, 14, 0) + "\\??\\C:\0".encode("utf-16-le") + bytes(2)),
}
MARKS = {
    "wof.dll": ["sparse", "WOF"],
    "link": ["symbolic link"],
    "dedup": ["deduplicated"],
    "placeholder": ["offline", "cloud"],
    "local": ["cloud"],
    "unknown": ["reparse point 80000077"],
    "junction": ["junction"],
    "secret": ["encrypted"],
    "packed": ["compressed"],
    "holes": ["sparse"],
    "plain": [],
    "offline": ["offline"],
}
WHY = {
    "wof.dll": r"\wof.dll is compressed by WOF (compact OS), which vmrescue does not unpack",
    "link": r"\link is a symbolic link, which is not followed",
    "dedup": r"\dedup is deduplicated: its content lies in the volume's chunk store",
    "placeholder": r"\placeholder is a placeholder: its content is with a cloud store (as OneDrive), not on this disk",
    "unknown": r"\unknown is a reparse point (tag 0x80000077)",
    "secret": r"\secret is encrypted (EFS)",
}


@cache
def _volume() -> bytes:
    with TemporaryDirectory() as folder:
        path = format_volume(Path(folder) / "volume.img")
        with mounted(path, writable=True, more="compression") as root:
            for name, (tag, data) in REPARSE_POINTS.items():
                if name == "junction":
                    (root / name).mkdir()
                else:
                    (root / name).write_bytes(b"" if name == "wof.dll" else b"its own clusters" * 1000)
                if name == "wof.dll":
                    os.truncate(root / name, 50_000)
                value = struct.pack("<IHH", tag, len(data), 0) + data
                os.setxattr(root / name, "system.ntfs_reparse_data", value)
            for name in ("plain", "offline"):
                (root / name).write_bytes(b"plain content")
            for name in ("placeholder", "offline"):
                attributes = int.from_bytes(os.getxattr(root / name, "system.ntfs_attrib_be"), "big") | 0x1000
                os.setxattr(root / name, "system.ntfs_attrib_be", attributes.to_bytes(4, "big"))
            (root / "secret").write_bytes(b"key" * 2000)
            (root / "packed").mkdir()
            os.setxattr(root / "packed", "system.ntfs_attrib_be", (0x800).to_bytes(4, "big"))
            (root / "packed" / "text").write_bytes(b"a text " * 2000)
            with (root / "holes").open("wb") as file:
                file.seek(200_000)
                file.write(b"end")
        with opened(path, writable=True) as volume, volume._store.edit():
            find_file(volume._store, "secret").get(Kind.DATA).flags = Storage.ENCRYPTED
        return path.read_bytes()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_sparse(_volume(), tmp_path / "volume.img")


def test_ls_marks_what_is_more_than_plain_content(image: Path) -> None:
    rows = {row["name"]: row["marks"] for row in json.loads(output_of("ls", image, "", "--format", "json"))}
    assert {name: rows[name] for name in MARKS} == MARKS
    lines = output_of("ls", image, "").splitlines()
    assert any(line.endswith("          50000  wof.dll  [sparse, WOF]") for line in lines)
    assert "wof.dll  [sparse, WOF]" in output_of("ls", image, "WOF.DLL")
    assert "text  [compressed]" in output_of("ls", image, "packed")


@pytest.mark.parametrize("name", WHY)
def test_what_cannot_be_read_is_refused_by_name(name: str, image: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    several = [["get", image, name, tmp_path / "out"], ["cat", image, name]]
    if name != "wof.dll":  # which is replaced
        several.append(["put", image, tmp_path / "new", name, "--yes"])
    for words in several:
        before = image.read_bytes()
        done = vmrescue(*words)
        assert (done.status, done.out) == (3, "")
        assert WHY[name] in done.err
        assert image.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["local", r"packed\text", "holes", "plain", "offline"])
def test_what_is_on_the_disk_is_read_whatever_its_marks(name: str, image: Path, tmp_path: Path) -> None:
    assert vmrescue("get", image, name, tmp_path / "out").status == 0
    own = {"local": b"its own clusters" * 1000, r"packed\text": b"a text " * 2000, "holes": bytes(200_000) + b"end"}
    assert (tmp_path / "out").read_bytes() == own.get(name, b"plain content")


def hide(image: Path, place: tuple[int, int], path: str, flag: str) -> str:
    """Marks a file as stored by WOF or EFS; returns what is said of it."""
    disk = open_disk(image, writable=True)
    volume = NtfsVolume(Window(disk, *place))
    with volume._store.edit():
        file = find_file(volume._store, path)
        if flag == "WOF":
            value = struct.pack("<IHH", 0x80000017, len(WOF), 0) + WOF
            file.base.add(Attribute.resident(Kind.REPARSE_POINT, "", value))
        else:
            file.get(Kind.DATA).flags = Storage.ENCRYPTED
    disk.close()
    return "compressed by WOF" if flag == "WOF" else "encrypted (EFS)"


@pytest.mark.parametrize("flag", ["WOF", "EFS"])
def test_a_hive_that_is_not_readable_is_an_error_that_names_it(flag: str, gen1_broken: Path, tmp_path: Path) -> None:
    path = r"Windows\System32\config\SYSTEM"
    why = hide(gen1_broken, VOLUMES[2], path, flag)
    for words in (
        ["reg", gen1_broken, "query", r"HKLM\SYSTEM\Select"],
        ["backup", gen1_broken, tmp_path / "copies"],
        ["repair", gen1_broken, "--yes", "--only", "crash-dump"],
    ):
        done = vmrescue(*words)
        assert done.status == (1 if "repair" in words else 3), (words, done)  # to a repair it is a part that is missing
        assert path in done.err
        assert why in done.err


def test_what_wof_has_compressed_is_replaced_and_given_back_to_the_byte(image: Path, tmp_path: Path) -> None:
    """The copy of what was replaced is what the disk held, and its hash is what the plan says."""
    before = image.read_bytes()
    (tmp_path / "new").write_bytes(b"new")
    words = ["put", image, tmp_path / "new", "wof.dll", "--yes", "--backup-dir", tmp_path / "kept", "--format", "json"]
    receipt = json.loads(output_of(*words))
    [copy] = (tmp_path / "kept").rglob("wof.dll.as-stored")
    reparse_point = struct.pack("<IHH", 0x80000017, len(WOF), 0) + WOF
    assert copy.read_bytes() == reparse_point
    [step] = receipt["plan"]["steps"]
    assert step["change"]["before"] == hashlib.sha256(reparse_point).hexdigest()
    assert output_of("ls", image, "wof.dll").split()[-2:] == ["3", "wof.dll"]
    with mounted(image) as root:
        assert (root / "wof.dll").read_bytes() == b"new"
    output_of("undo", image)
    assert image.read_bytes() == before


def test_what_wof_has_compressed_otherwise_since_the_plan_was_made_is_not_replaced(image: Path) -> None:
    place = FileRef(0, 0, "wof.dll")
    with open_disks([image]) as [disk]:
        found = file_hash(disk.volumes[0], place.path)
        plan = Plan(disk.identity, (Step("by hand", "a test", PutFile(place, found, b"new")),))
    with mounted(image, writable=True) as root:
        value = struct.pack("<IHH", 0x80000017, len(WOF), 0) + WOF[:-4] + struct.pack("<I", 2)
        os.setxattr(root / "wof.dll", "system.ntfs_reparse_data", value, follow_symlinks=False)
    before = image.read_bytes()
    with pytest.raises(RefusedError, match=r"wof\.dll"):
        api.repair(image, plan=plan)
    assert image.read_bytes() == before


@pytest.mark.parametrize("flag", ["WOF", "EFS", "torn"])
def test_a_backup_has_all_that_is_read_and_says_what_it_has_not(flag: str, gen1_broken: Path, tmp_path: Path) -> None:
    path, folder = r"Windows\System32\config\SYSTEM", tmp_path / "copies"
    why = _tear(gen1_broken, path) if flag == "torn" else hide(gen1_broken, VOLUMES[2], path, flag)
    done = vmrescue("backup", gen1_broken, folder)
    assert (done.status, done.out) == (3, "")
    assert "not backed up: " in done.err
    assert why in done.err
    manifest = json.loads((folder / "manifest.json").read_text())
    must_be("backup", manifest)
    [missing] = manifest["missing"]
    assert (missing["partition"], missing["path"]) == (2, path)
    assert why in missing["because"]
    copies = {row["path"]: row for row in manifest["files"]}
    assert path not in copies
    assert {r"Boot\BCD", r"Windows\System32\config\SOFTWARE"} <= set(copies)
    with mounted_ntfs(gen1_broken, *VOLUMES[2]) as root:
        software = (root / "Windows/System32/config/SOFTWARE").read_bytes()
    copy = folder / copies[r"Windows\System32\config\SOFTWARE"]["copy"]
    assert copy.read_bytes() == software
    assert "SYSTEM" not in {each.name for each in copy.parent.iterdir()}


def test_a_backup_of_nothing_that_is_read_leaves_no_folder(gen1_broken: Path, tmp_path: Path) -> None:
    why = hide(gen1_broken, VOLUMES[1], r"Boot\BCD", "EFS")
    done = vmrescue("backup", f"{gen1_broken}:1", tmp_path / "copies")
    assert done.status == 3
    assert why in done.err
    assert not (tmp_path / "copies").exists()


def _tear(image: Path, path: str) -> str:
    """Has NTFS compress a file, and overwrites the head of its first unit; returns what is said of it."""
    with mounted_ntfs(image, *VOLUMES[2], writable=True, more="compression") as root:
        file = root / path.replace("\\", "/")
        content = file.read_bytes()
        os.setxattr(file.parent, "system.ntfs_attrib", struct.pack("<I", 0x800))
        file.unlink()
        file.write_bytes(content)
    disk = open_disk(image, writable=True)
    volume = NtfsVolume(Window(disk, *VOLUMES[2]))
    (_, cluster, _), *_ = volume.file_extents(path)
    disk.write_at(VOLUMES[2][0] + volume.cluster_offset(cluster), b"\xff" * 512)
    disk.close()
    return "NTFS"


@pytest.mark.parametrize("flag", ["WOF", "EFS"])
@pytest.mark.parametrize(
    ("number", "path"),
    [(2, r"Windows\System32\config\SYSTEM"), (2, r"Windows\System32\config\SOFTWARE"), (1, r"Boot\BCD")],
)
def test_a_part_of_the_boot_path_that_is_not_read_is_no_stop_and_not_deleted_and_by_wof_replaced(
    number: int, path: str, flag: str, gen1_broken: Path, tmp_path: Path
) -> None:
    """Windows' loader may read it: nothing tells that a start ends there."""
    original = tmp_path / "original"
    output_of("get", f"{gen1_broken}:{number}", path, original)
    why = hide(gen1_broken, VOLUMES[number], path, flag)
    assert api.rehearse(gen1_broken).stop is None
    diagnosis = api.diagnose(gen1_broken)
    [part] = [each for each in diagnosis.findings if each.check == "missing-part"]
    assert part.severity == "warning"
    assert why in part.summary
    assert "Whether a start reads it is not known" in part.meaning
    assert not [each for each in diagnosis.findings if each.check == "boot-path"]

    if "SOFTWARE" not in path:
        refused = vmrescue("rm", f"{gen1_broken}:{number}", path, "--yes")
        assert refused.status == 4
        assert ("it is not deleted" if flag == "EFS" else "it can be replaced (put), not deleted") in refused.err
    before = gen1_broken.read_bytes()
    done = vmrescue("put", f"{gen1_broken}:{number}", original, path, "--yes")
    if flag == "EFS":
        assert done.status == 3
        assert why in done.err
        assert "what is not read is not replaced" in done.err
        assert gen1_broken.read_bytes() == before
    else:
        assert done.status == 0, done
        assert not [each for each in api.diagnose(gen1_broken).findings if each.check == "missing-part"]
        with mounted_ntfs(gen1_broken, *VOLUMES[number]) as root:
            assert (root / path.replace("\\", "/")).read_bytes() == original.read_bytes()
        output_of("undo", gen1_broken)
        assert gen1_broken.read_bytes() == before


def test_a_boot_manager_that_ntfs_has_compressed_is_made_plain_by_the_commands_that_are_said(
    gen1_broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted_ntfs(gen1_broken, *VOLUMES[1], writable=True, more="compression") as root:
        content = (root / "bootmgr").read_bytes().ljust(200_000, b"x")
        os.setxattr(root, "system.ntfs_attrib", struct.pack("<I", 0x800))
        (root / "bootmgr").unlink()
        (root / "bootmgr").write_bytes(content)
    stop = api.rehearse(gen1_broken).stop
    assert stop is not None
    assert stop.screen == "BOOTMGR is compressed"
    monkeypatch.chdir(tmp_path)
    [finding] = [each for each in json.loads(vmrescue("diagnose", gen1_broken, "--format", "json").out)["findings"]
                 if each["check"] == "boot-path"]  # fmt: skip
    assert len(finding["commands"]) == 2
    for words in finding["commands"]:
        output_of(*words[1:], *(["--yes"] if "put" in words else []))
    assert api.rehearse(gen1_broken).stop is None
    with mounted_ntfs(gen1_broken, *VOLUMES[1]) as root:
        assert (root / "bootmgr").read_bytes() == content
        (attributes,) = struct.unpack("<I", os.getxattr(root / "bootmgr", "system.ntfs_attrib"))
        assert not attributes & 0x800


def test_a_hive_that_ntfs_has_compressed_is_edited_once_it_was_copied_out_and_put_back(
    gen1_broken: Path, tmp_path: Path
) -> None:
    config, path = "Windows/System32/config", r"C:\Windows\System32\config\SYSTEM"
    with mounted_ntfs(gen1_broken, *VOLUMES[2], writable=True, more="compression") as root:
        content = (root / config / "SYSTEM").read_bytes()
        os.setxattr(root / config, "system.ntfs_attrib", struct.pack("<I", 0x800))
        (root / config / "SYSTEM").unlink()
        (root / config / "SYSTEM").write_bytes(content)
    words = ["reg", gen1_broken, "add", r"HKLM\SYSTEM\CurrentControlSet\Control\New", "/v", "a", "/d", "b", "/f"]
    refused = vmrescue(*words)
    assert refused.status == 4
    assert (
        "is compressed: its content is not rewritten; copied out and put back (get, put), it is a plain" in refused.err
    )
    output_of("get", gen1_broken, path, tmp_path / "SYSTEM")
    output_of("put", gen1_broken, tmp_path / "SYSTEM", path, "--yes")
    output_of(*words)
    with mounted_ntfs(gen1_broken, *VOLUMES[2]) as root:
        said = run("hivexregedit", "--export", root / config / "SYSTEM", r"\ControlSet001\Control\New")
    assert '"a"=hex(1):62,00,00,00' in said
