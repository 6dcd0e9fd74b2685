"""The judges: every program of others that the tests ask, where it comes from, and what it is asked.

This is the one place in which a judge is looked up. A test whose judge is missing is skipped with the reason; in CI it
fails. At the end of a run `support.judges_report` prints which were used, and which were missing.

``python3 tests/support/judges.py`` prints the Debian packages: `.ci/run` installs these.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Verdict = Literal["sound", "not sound"]
SOUND: Verdict = "sound"
UNSOUND: Verdict = "not sound"
NPM = "npm "  # begins the name of a package of npm's
FETCHED = "backports "  # of one that `debian_judges.py` fetches; any other is Debian's
OWN = "yours: "  # begins the name of a variable: what a user may have, and CI has not
PLACES = ":/usr/sbin:/sbin"  # where tools for disks lie, which a user's PATH may not name
COREUTILS = frozenset({"cp", "dd", "env", "sh", "sha256sum", "split", "sync", "truncate"})  # these judge nothing


@functools.cache
def on_path(name: str) -> str | None:
    """The path of a program."""
    return shutil.which(name, path=os.environ.get("PATH", "") + PLACES)


def in_npm(name: str) -> str | None:
    """The folder of a package that npm installed for everybody."""
    npm = on_path("npm")
    if npm is None:
        return None
    root = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, timeout=60).stdout.strip()
    return str(Path(root) / name) if (Path(root) / name).is_dir() else None


def fetched(driver: str) -> str | None:
    """The kernel with a driver, which is not installed but laid into the tests' cache."""
    from support.debian_judges import kernel

    found = kernel(driver)
    return str(found.image) if found else None


def firmware(name: str) -> str | None:
    """A firmware for QEMU, among those that Debian's packages have."""
    path = Path("/usr/share/OVMF") / name
    return str(path) if path.exists() else None


def of_the_users(name: str) -> str | None:
    """What may not be given away with the project: the file that a variable names, ``VMRESCUE_CHKREG``."""
    path = os.environ.get(f"VMRESCUE_{Path(name).stem.upper()}", "")
    return path if Path(path).is_file() else None


def block_driver(name: str) -> str | None:
    """A driver of `qemu-nbd`, a module of its own."""
    return next((str(path) for path in Path("/usr/lib").glob(f"*/qemu/{name}")), None)


@dataclass(frozen=True)
class Judge:
    """A program of others.

    Args:
        name: as it is started.
        package: that has it: Debian's, of npm, or of a later Debian.
        asked: what it is asked, or what it makes for the tests.
        find: where it is, by its name; None where it is not.
    """

    name: str
    package: str
    asked: str
    find: Callable[[str], str | None] = on_path


JUDGES = {
    judge.name: judge
    for judge in (
        Judge("qemu-img", "qemu-utils", "what is in an image of any container; makes such images"),
        Judge("qemu-io", "qemu-utils", "holds an image open, as a machine that runs does"),
        Judge("qemu-nbd", "qemu-utils", "exports an image over NBD, in plain or with TLS"),
        Judge("block-iscsi.so", "qemu-block-extra", "opens the address of an iSCSI disk", block_driver),
        Judge("tgtd", "tgt", "serves a file as an iSCSI disk"),
        Judge("tgtadm", "tgt", "tells that server which file"),
        Judge("nbdkit", "nbdkit", "exports a disk over NBD, with faults and delays"),
        Judge("nbdinfo", "libnbd-bin", "the parts of an export that are zero"),
        Judge("nbdcopy", "libnbd-bin", "the bytes of an export"),
        Judge("openssl", "openssl", "makes certificates"),
        Judge("vhdiinfo", "libvhdi-utils", "whether a VHD and its chain of parents is sound"),
        Judge("ewfacquire", "ewf-tools", "makes E01 images"),
        Judge("sfdisk", "fdisk", "the partitions of an MBR or a GPT; makes such tables"),
        Judge("sgdisk", "gdisk", "whether a GPT and its copy are sound; makes and changes them"),
        Judge("blkid", "util-linux", "which file system a volume has"),
        Judge("addpart", "util-linux", "shows a partition to the kernel"),
        Judge("delpart", "util-linux", "hides it again"),
        Judge("fallocate", "util-linux", "fills a file system, punches holes"),
        Judge("unshare", "util-linux", "shows a program a system on which nothing can be written"),
        Judge("losetup", "mount", "shows an image to the kernel as a device"),
        Judge("mount", "mount", "the kernel's own file systems"),
        Judge("umount", "mount", "takes a volume away again"),
        Judge("cryptsetup", "cryptsetup-bin", "whether a volume is BitLocker's"),
        Judge("ntfs-3g", "ntfs-3g", "every file of an NTFS volume; writes to it as another system would"),
        Judge("ntfsfix", "ntfs-3g", "whether $MFT, its mirror and the boot sectors are sound"),
        Judge("ntfsresize", "ntfs-3g", "whether every cluster has one owner, and $Bitmap knows"),
        Judge("ntfsinfo", "ntfs-3g", "the numbers of a volume, the attributes of a file"),
        Judge("ntfscat", "ntfs-3g", "the content of a file or stream"),
        Judge("ntfscp", "ntfs-3g", "writes a file"),
        Judge("ntfsrecover", "ntfs-3g", "what the log of a volume says"),
        Judge("ntfssecaudit", "ntfs-3g", "whether the security descriptors are sound"),
        Judge("ntfswipe", "ntfs-3g", "empties what no file owns"),
        Judge("mkntfs", "ntfs-3g", "makes NTFS volumes"),
        Judge("fsck.fat", "dosfstools", "whether a FAT volume is sound"),
        Judge("fsck.vfat", "dosfstools", "the same, under its other name"),
        Judge("mkfs.vfat", "dosfstools", "makes FAT volumes"),
        Judge("mkfs.ext4", "e2fsprogs", "makes volumes that are not Windows'"),
        Judge("mcopy", "mtools", "the content of files on FAT; writes them"),
        Judge("mtype", "mtools", "the content of one file on FAT"),
        Judge("mdir", "mtools", "the names in a folder on FAT"),
        Judge("mmd", "mtools", "makes folders on FAT"),
        Judge("mdel", "mtools", "deletes files on FAT"),
        Judge("mattrib", "mtools", "the attributes of files on FAT"),
        Judge("mformat", "mtools", "makes FAT volumes"),
        Judge("minfo", "mtools", "the numbers of a FAT volume"),
        Judge("fls", "sleuthkit", "the names of all files of a volume"),
        Judge("istat", "sleuthkit", "where the data of a file lie"),
        Judge("ifind", "sleuthkit", "which file owns a cluster"),
        Judge("icat", "sleuthkit", "the content of a file by its number"),
        Judge("fsstat", "sleuthkit", "the numbers of a volume"),
        Judge("hivexml", "libhivex-bin", "every key and value of a hive"),
        Judge("hivexsh", "libhivex-bin", "reads and writes single keys and values"),
        Judge("hivexregedit", "libwin-hivex-perl", "every key and value as .reg text; makes hives of such text"),
        Judge("reglookup", "reglookup", "every key and value of a hive, with its bytes"),
        Judge("qemu-system-x86_64", "qemu-system-x86", "whether SeaBIOS starts a disk; runs the kernels and OVMF"),
        Judge("OVMF_CODE_4M.fd", "ovmf", "whether UEFI starts the boot manager of a disk", firmware),
        Judge("nasm", "nasm", "makes the programs that a firmware starts"),
        Judge("busybox", "busybox-static", "reads and writes the files in a kernel's guest"),
        Judge(
            "ntfs3",
            f"{FETCHED}linux-image-cloud-amd64",
            "every file of an NTFS volume; replays its log",
            fetched,
        ),
        Judge("ntfs", f"{FETCHED}linux-image-cloud-amd64", "the same, by the newer driver of Linux 7.1", fetched),
        Judge("wimlib-imagex", "wimtools", "makes WIMs, and says what is in one"),
        Judge("regtree", "registry-tools", "every key and value of a plain hive, as Samba reads it"),
        Judge("chkreg.exe", f"{OWN}VMRESCUE_CHKREG", "whether Microsoft finds a hive sound", of_the_users),
        Judge("azurite-blob", f"{NPM}azurite@3", "plays Azure's blob storage"),
        Judge("mandoc", "mandoc", "whether the man pages are sound, and what they show"),
        Judge("chromium", "chromium", "shows the HTML reports"),
        Judge("chromedriver", "chromium-driver", "steers that browser"),
        Judge("axe-core", f"{NPM}axe-core@4", "whether a report serves who cannot see it", in_npm),
    )
}

_used: defaultdict[str, set[str]] = defaultdict(set)  # judge: the tests that asked for it


def find(name: str) -> str | None:
    """Where a judge is; None: it is missing. Notes that the test that runs asked for it."""
    if name in COREUTILS:
        return on_path(name)
    _used[name].add(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0])
    return JUDGES[name].find(name)


def package_of(name: str) -> str:
    """What has a program, as a user installs it: ``the Debian package ntfs-3g``."""
    package = JUDGES[name].package
    if package.startswith(FETCHED):
        return f"tests/support/debian_judges.py, which fetches {package.removeprefix(FETCHED)} of a later Debian,"
    return f"npm's {package.removeprefix(NPM)}" if package.startswith(NPM) else f"the Debian package {package}"


def used() -> dict[str, list[str]]:
    """Each judge that was asked for, with the tests that did."""
    return {name: sorted(tests) for name, tests in _used.items()}


def debian_packages() -> list[str]:
    """All that Debian has, each once."""
    return sorted({judge.package for judge in JUDGES.values() if not judge.package.startswith((NPM, FETCHED, OWN))})


if __name__ == "__main__":
    print("\n".join(debian_packages()))
