"""Disks for the tests: the samples that ship with the project, unpacked once and copied for each test."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import tempfile
from pathlib import Path

from vmrescue.samples import unpack


@functools.cache
def _unpacked(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vmrescue-samples-"))
    return unpack(name, folder / f"{name}.vhd")


def sample(name: str, folder: Path) -> Path:
    """A fresh copy of a sample, with its holes."""
    target = folder / f"{name}.vhd"
    subprocess.run(["cp", "--sparse=always", str(_unpacked(name)), str(target)], check=True)
    return target


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
