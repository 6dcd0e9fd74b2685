"""Bad input on the command line: one sentence that names the structure, the documented status, an untouched image."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from support.command import vmrescue
from support.findings import BY_HAND
from support.images import fingerprint, sample
from support.machine import need_root, run
from support.machine_disk import mounted_ntfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1 << 20
GEN1_RESERVED = MIB, 32 * MIB
GEN1_OS = 33 * MIB, 606 * MIB
GEN2_OS_START = 57 * MIB
STORE_RULES = {"bad-memory", "memory-limit", "serial-console", "boot-device", "boot-entry", "boot-options"}
STORE_RULES |= {"boot-policy"}
SYSTEM_RULES = {"control-set", "page-file", "crash-dump", "boot-driver", "class-filter", "start-override"}
SYSTEM_RULES |= {"lost-driver", "setup-command", "boot-execute", "driver-verifier"}
WINDOWS_RULES = SYSTEM_RULES | {"free-space", "fragmentation", "boot-file"}


def overwrite(image: Path, offset: int, data: bytes) -> None:
    with image.open("r+b") as stream:
        stream.seek(offset if offset >= 0 else image.stat().st_size + offset)
        stream.write(data)


def not_a_disk(folder: Path) -> Path:
    image = folder / "notes.txt"
    image.write_text("this is no disk image\n" * 100)
    return image


def empty_file(folder: Path) -> Path:
    image = folder / "empty.vhd"
    image.touch()
    return image


def fixed_vhd_cut_short(folder: Path) -> Path:
    image = sample("gen1-broken", folder)
    with image.open("r+b") as stream:
        stream.truncate(200 * MIB)
    return image


def dynamic_vhd_cut_short(folder: Path) -> Path:
    image = sample("gen2-broken", folder)
    with image.open("r+b") as stream:
        stream.truncate(image.stat().st_size // 2)
    return image


def zeros(folder: Path) -> Path:
    image = folder / "zeros.raw"
    with image.open("wb") as stream:
        stream.truncate(64 * MIB)
    return image


def no_windows(folder: Path) -> Path:
    image = sample("gen1-broken", folder)
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        (root / "Windows/System32/config").rename(root / "config")
    return image


def windows_in_another_folder(folder: Path) -> Path:
    image = sample("gen1-broken", folder)
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        (root / "Windows").rename(root / "Fenster")
    return image


def no_store(folder: Path) -> Path:
    image = sample("gen1-broken", folder)
    with mounted_ntfs(image, *GEN1_RESERVED, writable=True) as root:
        (root / "Boot/BCD").unlink()
    return image


def store_that_is_no_hive(folder: Path) -> Path:
    image = sample("gen1-broken", folder)
    with mounted_ntfs(image, *GEN1_RESERVED, writable=True) as root:
        (root / "Boot/BCD").write_bytes(b"not a hive" * 1000)
    return image


def system_hive_that_is_none(folder: Path) -> Path:
    image = sample("gen1-broken", folder)
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        (root / "Windows/System32/config/SYSTEM").write_bytes(b"regf" + bytes(8188))
    return image


def packed(folder: Path) -> Path:
    image = folder / "disk.vhd"
    image.write_bytes(gzip.compress(bytes(1 << 20)))
    return image


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_a_disk, "raw image"),
        (empty_file, "empty file"),
        (dynamic_vhd_cut_short, ""),
        (zeros, "partition table"),
        (packed, "unpack it first"),
    ],
)
def test_an_image_that_cannot_be_read_is_refused_in_one_sentence(
    make: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    image = make(tmp_path)
    before = fingerprint(image)
    for command in (["diagnose"], ["repair", "--yes"], ["plan"]):
        done = vmrescue(*command, image)
        assert done.returncode == 3, done.stderr
        assert done.stdout == ""
        *notes, refusal = done.stderr.splitlines()  # what is odd about the container is said before
        assert all(note.startswith("note: ") for note in notes)
        assert refusal.startswith("vmrescue: ")
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    _info_shows_it_or_says_why_not(image, words)
    assert fingerprint(image) == before
    assert list(tmp_path.iterdir()) == [image]


def _info_shows_it_or_says_why_not(image: Path, words: str) -> None:
    """Only what cannot even be opened as a disk cannot be shown."""
    done = vmrescue("info", image)
    if done.returncode == 0:
        assert "no Windows was found" in done.stdout
        assert words in done.stdout
    else:
        assert (done.returncode, done.stdout) == (3, "")
        assert words in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("make", "words", "missed"),
    [
        (fixed_vhd_cut_short, "of its 635437056 bytes are missing", WINDOWS_RULES),
        (no_windows, "missing-part: Windows: no Windows: there is no", WINDOWS_RULES),
        (windows_in_another_folder, r"\Fenster on partition 2 (C:) was found on the volumes: it lies there", set()),
        (no_store, "missing-part: the boot store: there is no boot store", STORE_RULES),
        (store_that_is_no_hive, r"missing-part: the boot store \Boot\BCD on partition 1: hive", STORE_RULES),
        (system_hive_that_is_none, r"missing-part: the hive SYSTEM of \Windows on partition 2", SYSTEM_RULES),
    ],
)
def test_what_is_there_is_diagnosed_where_a_part_is_not(
    make: Callable[[Path], Path], words: str, missed: set[str], tmp_path: Path
) -> None:
    image = make(tmp_path)
    before = fingerprint(image)
    done = vmrescue("diagnose", image)
    assert (done.returncode, done.stderr) == (1, "")
    assert words in done.stdout
    document = json.loads(vmrescue("diagnose", image, "--format", "json").stdout)
    assert {each["check"] for each in document["not_checked"]} == missed, BY_HAND
    found = {each["check"] for each in document["findings"]}
    assert ("bad-memory" in found) == (missed != STORE_RULES)
    assert vmrescue("info", image).returncode == 0
    assert fingerprint(image) == before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = vmrescue("diagnose", tmp_path / "no.vhd")
    assert (done.returncode, done.stdout) == (3, "")
    assert "no.vhd" in done.stderr


def test_a_broken_footer_with_a_good_copy_is_noted_and_the_image_is_read(gen2_broken: Path) -> None:
    overwrite(gen2_broken, -512, bytes(512))
    done = vmrescue("diagnose", gen2_broken)
    assert done.returncode == 1
    assert "note: VHD footer" in done.stdout
    assert "bad-memory" in done.stdout


def test_an_encrypted_os_volume_is_a_finding_and_the_boot_store_is_repaired(gen2_broken: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    run("qemu-img", "convert", "-O", "raw", gen2_broken, disk)
    overwrite(disk, GEN2_OS_START + 3, b"-FVE-FS-")
    before = fingerprint(disk)
    found = vmrescue("diagnose", disk)
    assert found.returncode == 1
    assert "volume-state: partition 3 is encrypted" in found.stdout
    assert "bad-memory" in found.stdout  # the store is on the EFI system partition, which is never encrypted
    (told,) = (line for line in found.stdout.splitlines() if line.startswith("not checked: "))
    names, _, because = told.removeprefix("not checked: ").partition(": ")
    assert set(names.split(", ")) == WINDOWS_RULES, BY_HAND
    assert because.startswith("the OS volume is encrypted")
    document = json.loads(vmrescue("diagnose", disk, "--format", "json").stdout)
    missing = {each["check"]: each["because"] for each in document["not_checked"]}
    assert set(missing) == WINDOWS_RULES, BY_HAND
    assert all(f"at byte {GEN2_OS_START}" in because for because in missing.values())
    unseen = vmrescue("diagnose", disk, "--only", "page-file")
    assert unseen.returncode == 1  # nothing was found, and nothing was looked at: that is not all well
    assert "not checked: " in unseen.stdout
    assert "not checked: page-file: the OS volume is encrypted" in unseen.stdout
    assert "not checked: page-file" in vmrescue("diagnose", disk, "--only", "page-file", "--format", "html").stdout
    scanned = vmrescue("scan", disk, "--only", "page-file")
    assert scanned.stdout.startswith(f"{disk}: findings: not checked: page-file\n")
    refused = vmrescue("repair", "--yes", disk, "--only", "page-file")
    assert refused.returncode == 4
    assert f"partition 3 at byte {GEN2_OS_START}" in refused.stderr
    assert fingerprint(disk) == before
    mended = vmrescue("repair", "--yes", disk)
    assert mended.returncode == 1  # what lies on the encrypted volume was not looked at
    assert "page-file, crash-dump were not checked: the OS volume is encrypted" in mended.stderr
    assert "bad-memory" not in vmrescue("diagnose", disk).stdout
    assert vmrescue("undo", disk).returncode == 0
    assert fingerprint(disk) == before


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Shows a folder through a read-only mount: root itself is not stopped by permissions."""
    need_root()
    shown: list[Path] = []

    def show(folder: Path) -> Path:
        target = tmp_path / "read-only"
        target.mkdir()
        run("mount", "--bind", folder, target)
        shown.append(target)
        run("mount", "-o", "remount,ro,bind", target)
        return target

    yield show
    for target in shown:
        run("umount", target)


def test_an_image_that_may_not_be_written_is_diagnosed_but_not_repaired(
    gen2_broken: Path, read_only: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    image = read_only(folder) / gen2_broken.rename(folder / "os.vhd").name
    before = fingerprint(image)
    assert vmrescue("diagnose", image).returncode == 1
    assert vmrescue("repair", "--dry-run", image).returncode == 1
    refused = vmrescue("repair", "--yes", image)
    assert refused.returncode == 4
    assert "may not be written" in refused.stderr
    assert fingerprint(image) == before


def test_a_full_disk_under_the_backup_refuses_the_repair(gen2_broken: Path, tmp_path: Path) -> None:
    need_root()
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small)
    try:
        before = fingerprint(gen2_broken)
        refused = vmrescue("repair", "--yes", "--backup-dir", small, gen2_broken)
        assert refused.returncode == 4
        assert "No space left on device" in refused.stderr
        assert fingerprint(gen2_broken) == before
    finally:
        run("umount", small)


def test_nobody_to_ask_is_a_no(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    done = vmrescue("repair", gen2_broken)
    assert done.returncode == 4
    assert "--yes" in done.stderr
    assert fingerprint(gen2_broken) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["diagnose"],
        ["diagnose", "x.vhd", "--ram", "lots"],
        ["diagnose", "x.vhd", "--ram", "9" * 4000],
        ["diagnose", "x.vhd", "--min-free", "9" * 5000],
        ["diagnose", "x.vhd", "--min-free", "9999999T"],
        ["expand", "x.vhd", "--size", "9" * 5000],
        ["diagnose", "x.vhd", "--only", "everything"],
        ["diagnose", "x.vhd", "--vm-size", "huge"],
        ["diagnose", "x.vhd", "--temp-drive", "D:", "--no-temp-drive"],
        ["demo", "--sample", "x"],
        ["frobnicate"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    done = vmrescue(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
