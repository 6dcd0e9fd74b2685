"""Gets the judges that a Debian release is too old for, with apt alone: QEMU, and two kernels with a driver of NTFS.

``python3 tests/support/debian_judges.py`` before the tests; it needs Python's own library alone. The machine's list of
sources stays as it is: more suites of its own mirror are known to this run of apt only.

QEMU is installed, if there is none of version 8 or later: with 7.2 a guest's kernel ends in a panic now and then. The
kernels are not installed: what a guest needs of them is laid into the tests' cache, where `kernel` finds it.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vmrescue-tests" / "kernels"
OLDEST_QEMU = 8
PROGRAM = "qemu-system-x86_64"
QEMU = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")
IMAGE = "linux-image-cloud-amd64"
# by driver: the suites to look in; the first whose kernel has it is taken
SUITES = {"ntfs3": ("bookworm-backports", "trixie"), "ntfs": ("trixie-backports", "sid")}
BESIDE = ("virtio_blk", "vfat", "nls_ascii", "nls_utf8", "nls_iso8859_1", "nls_cp437")  # modules, where not built in
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


@dataclass(frozen=True)
class Kernel:
    """A kernel and its modules, each after those that it needs."""

    image: Path
    modules: tuple[Path, ...]
    release: str


def kernel(driver: str) -> Kernel | None:
    """The kernel with that driver of NTFS, ``ntfs3`` or ``ntfs``; None if it was not fetched."""
    folder = CACHE / driver
    if not folder.is_dir():
        return None
    return Kernel(folder / "vmlinuz", tuple(sorted(folder.glob("*.ko"))), (folder / "release").read_text())


class AptError(Exception):
    """apt's own words on what it could not do."""


class Apt:
    """apt with one more suite of the machine's own mirror, in a folder of its own; `kind`: `deb-src` for sources."""

    def __init__(self, suite: str, folder: Path, kind: str = "deb") -> None:
        sources = folder / "sources"
        for each in (sources, folder / "lists/partial", folder / "cache/archives/partial"):
            each.mkdir(parents=True, exist_ok=True)
        text = f"Types: {kind}\nURIs: {_mirror()}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYS}\n"
        (sources / "more.sources").write_text(text)
        self._options = [f"-oDir::Etc::SourceList={os.devnull}", f"-oDir::Etc::SourceParts={sources}"]
        self._options += [f"-oDir::State::Lists={folder / 'lists'}", f"-oDir::Cache={folder / 'cache'}"]
        self._options += ["-oAcquire::Languages=none", "-oAPT::Sandbox::User=", "-qq"]
        self.run("apt-get", "update")

    def run(self, program: str, *words: str, folder: Path | None = None) -> str:
        done = subprocess.run([program, *self._options, *words], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise AptError(f"{program} {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout


def _mirror() -> str:
    """Where this machine has its Debian packages from."""
    wanted = ["$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Component: main"]
    said = subprocess.run(["apt-get", "indextargets", "--format", *wanted], capture_output=True, text=True, check=True)
    found = [line for line in said.stdout.split() if "security" not in line]
    if not found:
        raise SystemExit("apt knows no mirror of Debian")
    return found[0]


def fetch_kernel(driver: str) -> None:
    """Lays the kernel and the modules of the newest package that has the driver into the cache."""
    said = [f"{suite}: {why}" for suite in SUITES[driver] if (why := _fetched_from(suite, driver))]
    if len(said) == len(SUITES[driver]):
        raise SystemExit("\n".join(said))


def _fetched_from(suite: str, driver: str) -> str:
    """Why this suite has none, or an empty text."""
    if kernel(driver) is not None:
        return ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            unpacked = _unpack(Apt(suite, folder), folder)
        except AptError as error:
            return str(error)
        if driver not in _modules(unpacked):
            return f"its kernel has no module {driver}"
        _lay(unpacked, driver)
        return ""


def _unpack(apt: Apt, folder: Path) -> Path:
    """The files of the kernel's packages: one, or the image and the modules each in their own."""
    packages: set[str] = set()
    waiting = [IMAGE]
    while waiting:
        said = apt.run("apt-cache", "depends", "--important", waiting.pop())
        found = set(re.findall(r"Depends: (linux-(?:image|binary|modules)-\S+)", said)) - packages
        packages |= found
        waiting += found
    apt.run("apt-get", "download", *packages, folder=folder)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], check=True)
    return folder / "unpacked"


def _modules(unpacked: Path) -> dict[str, Path]:
    return {path.name.split(".")[0].replace("-", "_"): path for path in unpacked.rglob("*.ko*")}


def _lay(unpacked: Path, driver: str) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    target, made = CACHE / driver, Path(tempfile.mkdtemp(dir=CACHE))
    [image] = [*unpacked.glob("boot/vmlinuz-*"), *unpacked.glob("usr/lib/modules/*/vmlinuz")]
    shutil.copy(image, made / "vmlinuz")
    there = _modules(unpacked)
    ordered: dict[str, bytes] = {}
    for name in (*BESIDE, driver):
        _add(name, there, ordered)
    for number, (name, content) in enumerate(ordered.items()):
        (made / f"{number:02} {name}.ko").write_bytes(content)
    (made / "release").write_text(there[driver].parents[3].name)
    shutil.rmtree(target, ignore_errors=True)
    made.chmod(0o755)
    made.replace(target)


def _add(name: str, there: dict[str, Path], ordered: dict[str, bytes]) -> None:
    """A module, after those that it needs; what is built into the kernel is no module."""
    if name in ordered or name not in there:
        return
    packed = there[name].read_bytes()
    content = lzma.decompress(packed) if there[name].suffix == ".xz" else packed
    found = DEPENDS.search(content)
    for each in filter(None, found[1].decode().split(",") if found else []):
        _add(each.replace("-", "_"), there, ordered)
    ordered[name] = content


def qemu_version() -> int:
    """The major version of qemu-system-x86_64; 0 if there is none."""
    if shutil.which(PROGRAM) is None:
        return 0
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+)", said.stdout)
    return int(found[1]) if found else 0


def install_qemu() -> None:
    """Installs QEMU of this release, or of its backports if that is too old; qemu-img stays as it is."""
    if qemu_version() >= OLDEST_QEMU:
        return
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    offered = subprocess.run(["apt-cache", "policy", QEMU[0]], capture_output=True, text=True, check=True).stdout
    version = re.search(r"Candidate: (?:\d+:)?(\d+)", offered)
    with tempfile.TemporaryDirectory() as name:
        packages = [QEMU[0]]
        if version is None or int(version[1]) < OLDEST_QEMU:
            Apt(f"{_release()}-backports", Path(name)).run("apt-get", "download", *QEMU, folder=Path(name))
            packages = [str(path) for path in Path(name).glob("*.deb")]
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.DEVNULL,
            check=True,
        )


def _release() -> str:
    """The name of this machine's Debian, e.g. ``bookworm``."""
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("/etc/os-release names no release of Debian")
    return found[1]


def main() -> int:
    install_qemu()
    for driver in SUITES:
        if kernel(driver) is None:
            fetch_kernel(driver)
        found = kernel(driver)
        assert found is not None
        print(f"{driver}: Linux {found.release}, {len(found.modules)} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
