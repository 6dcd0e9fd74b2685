"""Each judge finds a wrong edit: what it says of a spoiled image is another thing than what it says of the sound one.

One byte or name is made wrong, past vmrescue. A judge that is content with everything would judge nothing.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from registry.samples import boot_store
from support.judges import JUDGES
from support.machine import need_tool, run
from support.memory_device import MemoryDevice
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[Path], None]
    Spoil = Callable[[bytearray], None]

MIB = 1 << 20
WORDS = b"found by a judge "
NAME, OTHER = "two.txt", "twa.txt"
# What these are asked shows no fault of an edit: they make, show or hold an image, or steer another program.
ASK_NOTHING = {
    *(
        "addpart",
        "delpart",
        "fallocate",
        "losetup",
        "mformat",
        "mount",
        "umount",
        "unshare",
        "chromedriver",
        "openssl",
        "qemu-io",
        "qemu-nbd",
    ),
    *("mkntfs", "mkfs.vfat", "mkfs.ext4", "mcopy", "mmd", "mdel", "ntfscp", "ntfswipe", "ewfacquire", "nbdkit"),
    *("wimlib-imagex", "block-iscsi.so", "tgtd", "tgtadm"),
}
# Found where the test of what they judge is.
ELSEWHERE = {
    "azurite-blob": "remote/test_page_blob.py",  # it refuses a write without the lease
    "chromium": "report/test_html.py",
    "axe-core": "report/test_html.py",
    "ntfs-3g": "readers/test_second_opinion.py",
    "ntfsrecover": "ntfs/test_log_recipes.py",
    "cryptsetup": "volume/test_bitlocker.py",
    "regtree": "registry/test_more_judges.py",
    "chkreg.exe": "registry/test_more_judges.py",
    **dict.fromkeys(("ntfs3", "ntfs", "busybox"), "kernels/test_kernels.py"),
    **dict.fromkeys(("qemu-system-x86_64", "OVMF_CODE_4M.fd", "nasm"), "firmware/test_firmware.py"),
    **dict.fromkeys(("nbdinfo", "nbdcopy"), "nbd/test_transport.py"),
    "mandoc": "cli/test_manual.py",
}
FOLDER = Path(__file__).parent


def ntfs(path: Path) -> None:
    """A volume with one file."""
    run("truncate", "-s", str(8 * MIB), path)
    run("mkntfs", "-q", "-F", path)
    content = path.with_name("content")
    content.write_bytes(WORDS * 1000)
    run("ntfscp", "-f", path, content, NAME)


def fat(path: Path) -> None:
    """The same on FAT."""
    path.unlink(missing_ok=True)  # of an attempt that lacked a judge
    run("mkfs.vfat", "-C", path, "2048")
    content = path.with_name("content")
    content.write_bytes(WORDS * 1000)
    run("mcopy", "-i", path, content, f"::{NAME}")


def gpt(path: Path) -> None:
    run("truncate", "-s", str(8 * MIB), path)
    run("sgdisk", "-n", "1:2048:0", path)


def mbr(path: Path) -> None:
    run("truncate", "-s", str(8 * MIB), path)
    run("sfdisk", "-q", path, stdin=b"label: dos\n1MiB,,7\n")


def vhd(path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=fixed,force_size=on", path, "4M")


def hive(path: Path) -> None:
    path.write_bytes(boot_store())


def put(at: int, data: bytes) -> Spoil:
    """Writes some bytes; a negative place is counted from the end."""

    def spoil(image: bytearray) -> None:
        start = at % len(image)
        assert image[start : start + len(data)] != data
        image[start : start + len(data)] = data

    return spoil


def instead(old: bytes, new: bytes) -> Spoil:
    """Replaces bytes wherever they are."""

    def spoil(image: bytearray) -> None:
        assert old in image
        image[:] = image.replace(old, new)

    return spoil


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def one_cluster_marked_free(image: bytearray) -> None:
    """The first of the file, in $Bitmap."""
    volume = NtfsVolume(MemoryDevice(bytes(image)))
    cluster = volume.file_extents(NAME)[0][1]
    at = volume.cluster_offset(volume.file_extents("$Bitmap")[0][1]) + cluster // 8
    assert image[at] & 1 << cluster % 8
    image[at] ^= 1 << cluster % 8


def second_table(image: bytearray) -> None:
    """An entry of the second FAT, of which the first says that it is free."""
    sector, reserved, length = (int.from_bytes(image[at : at + 2], "little") for at in (11, 14, 22))
    image[(reserved + length) * sector + 300] ^= 0xFF


@dataclass(frozen=True)
class Case:
    """`words`: what the judge is asked, with ``{}`` for the image."""

    make: Make
    spoil: Spoil
    words: tuple[str, ...]


CASES = {
    "qemu-img": Case(vhd, put(-512, b"conectiX"), ("info", "-f", "vpc", "{}")),
    "vhdiinfo": Case(vhd, put(-512, b"conectiX"), ("{}",)),
    "sfdisk": Case(mbr, put(446 + 8, b"\x09"), ("--json", "{}")),
    "sgdisk": Case(gpt, put(1024 + 40, b"\x09"), ("--verify", "{}")),
    "blkid": Case(ntfs, put(3, b"NTFX"), ("-p", "-o", "value", "-s", "TYPE", "{}")),
    "ntfsfix": Case(ntfs, put(3, b"NTFX"), ("--no-action", "{}")),
    "ntfsresize": Case(ntfs, one_cluster_marked_free, ("--info", "--force", "--no-progress-bar", "{}")),
    "ntfsinfo": Case(ntfs, put(13, b"\x04"), ("-m", "{}")),
    "ntfscat": Case(ntfs, instead(WORDS * 2, WORDS + WORDS.upper()), ("--force", "{}", NAME)),
    "ntfssecaudit": Case(ntfs, put(3, b"NTFX"), ("-a", "{}")),
    "fls": Case(ntfs, instead(utf16(NAME), utf16(OTHER)), ("-f", "ntfs", "{}")),
    "ifind": Case(ntfs, instead(utf16(NAME), utf16(OTHER)), ("-f", "ntfs", "-n", NAME, "{}")),
    "istat": Case(fat, instead(b"TWO     TXT", b"TWA     TXT"), ("-f", "fat", "{}", "3")),
    "icat": Case(fat, instead(WORDS * 2, WORDS + WORDS.upper()), ("-f", "fat", "{}", "3")),
    "fsstat": Case(ntfs, put(72, b"\x01\x02\x03"), ("-f", "ntfs", "{}")),
    "fsck.fat": Case(fat, second_table, ("-n", "{}")),
    "fsck.vfat": Case(fat, second_table, ("-n", "{}")),
    "mtype": Case(fat, instead(WORDS * 2, WORDS + WORDS.upper()), ("-i", "{}", f"::{NAME}")),
    "mdir": Case(fat, instead(b"TWO     TXT", b"TWA     TXT"), ("-b", "-i", "{}", "::")),
    "mattrib": Case(fat, instead(b"TWO     TXT\x20", b"TWO     TXT\x21"), ("-i", "{}", f"::{NAME}")),
    "minfo": Case(fat, put(21, b"\xf0"), ("-i", "{}", "::")),
    "hivexml": Case(hive, instead(utf16("BCD00000000"), utf16("BCD00000001")), ("{}",)),
    "hivexsh": Case(hive, put(4096, b"hbiN"), ("-f", "/dev/null", "{}")),
    "hivexregedit": Case(
        hive, instead(utf16("BCD00000000"), utf16("BCD00000001")), ("--export", "{}", "\\Description")
    ),
    "reglookup": Case(hive, instead(utf16("BCD00000000"), utf16("BCD00000001")), ("-H", "{}")),
}


@cache
def _made(make: Make, folder: Path) -> bytes:
    make(folder / "image")
    return (folder / "image").read_bytes()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Make], Path]:
    """A folder for each kind of image, which is made once."""
    return cache(lambda make: tmp_path_factory.mktemp(make.__name__))


def answer(judge: str, words: tuple[str, ...], image: Path) -> tuple[int, bytes]:
    """Its exit status and what it prints."""
    command = [need_tool(judge), *(word.format(image) for word in words)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=60
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("judge", CASES)
def test_a_wrong_edit_is_found(judge: str, folders: Callable[[Make], Path], tmp_path: Path) -> None:
    case = CASES[judge]
    content = bytearray(_made(case.make, folders(case.make)))
    image = tmp_path / "image"
    image.write_bytes(content)
    sound = answer(judge, case.words, image)
    assert answer(judge, case.words, image) == sound

    case.spoil(content)
    image.write_bytes(content)

    assert answer(judge, case.words, image) != sound


def test_each_judge_is_tried_here_or_where_it_is_said() -> None:
    assert not CASES.keys() & (ELSEWHERE.keys() | ASK_NOTHING)
    assert {judge for judge, place in ELSEWHERE.items() if not (FOLDER / place).exists()} == set()
    assert CASES.keys() | ELSEWHERE.keys() | ASK_NOTHING == JUDGES.keys()
