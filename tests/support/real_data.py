"""Real hives, volumes and disks: the corpus beside the project, and data out of source distributions on PyPI."""

from __future__ import annotations

import atexit
import functools
import gzip
import hashlib
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from support.machine import missing

ZEROS = bytes(1 << 18)
ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("VMRESCUE_CORPUS", ROOT.parent / "shared" / "corpus"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vmrescue-tests"

# name: (version, SHA-256 of the source distribution)
SDISTS = {
    "dissect.fat": ("3.13", "f9630c3ae66fb058aabdbaa2fb92cecc7e4ba5c8d676dd39178ee911258e8448"),
    "dissect.ntfs": ("3.16", "ce93136796aa9471f3aa28855b4b3c3e8132f9f97bc17a2f5494e0a660c190dd"),
    "dissect.regf": ("3.14", "0df90d4e68453dae1e75a50bd343d84ffc413f4e65d527c05f657b7ea9f30f33"),
}


@functools.cache
def corpus(name: str) -> bytes:
    """A file of the corpus, unpacked: ``corpus("hives/BCD-uefi")``."""
    path = CORPUS / f"{name}.xz"
    if not path.exists():
        missing(f"the corpus is not here ({name}); set VMRESCUE_CORPUS")
    return lzma.decompress(path.read_bytes())


@functools.cache
def sdist(name: str) -> Path:
    """The source distribution of a pinned package, downloaded once with pip and checked by its hash."""
    version, digest = SDISTS[name]
    path = CACHE / f"{name.replace('.', '_')}-{version}.tar.gz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            requirement = Path(folder) / "requirement.txt"
            requirement.write_text(f"{name}=={version} --hash=sha256:{digest}\n")
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
            done = subprocess.run([*command, "-r", requirement, "-d", folder], capture_output=True, text=True)
            if done.returncode:
                missing(f"pip could not download {name} {version}: {done.stderr.strip()[-300:]}")
            (Path(folder) / path.name).replace(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found == digest, f"{path} has SHA-256 {found}, not {digest}: delete it"
    return path


@functools.cache
def sdist_file(name: str, member: str) -> bytes:
    """A file of a source distribution, gunzipped: ``sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")``."""
    version, _ = SDISTS[name]
    with tarfile.open(sdist(name)) as archive:
        stream = archive.extractfile(f"{name.replace('.', '_')}-{version}/{member}")
        assert stream is not None
        data = stream.read()
    return gzip.decompress(data) if member.endswith(".gz") else data


@functools.cache
def sdist_disk(name: str, member: str) -> Path:
    """The same as a file with holes, unpacked once, for what is too large to be held in memory: to be copied."""
    version, _ = SDISTS[name]
    folder = tempfile.TemporaryDirectory(prefix="vmrescue-tests-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / Path(member).stem
    with tarfile.open(sdist(name)) as archive, path.open("wb") as target:
        packed = archive.extractfile(f"{name.replace('.', '_')}-{version}/{member}")
        assert packed is not None
        with gzip.open(packed) as source:
            while piece := source.read(len(ZEROS)):
                if piece == ZEROS[: len(piece)]:
                    target.seek(len(piece), os.SEEK_CUR)
                else:
                    target.write(piece)
        target.truncate()
    return path
