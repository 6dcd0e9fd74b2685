"""Disks for the tests: the samples that ship with the project, unpacked once and copied for each test."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from vmrescue.samples import unpack

PIECE = 1 << 16
ZEROS = bytes(PIECE)


@functools.cache
def _unpacked(name: str) -> Path:
    return unpack(name, _folder() / f"{name}.vhd")


@functools.cache
def _folder() -> Path:
    """Gone when this process ends; not when one that was forked from it does."""
    folder, owner = Path(tempfile.mkdtemp(prefix="vmrescue-samples-")), os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder


def sample(name: str, folder: Path) -> Path:
    """A fresh copy of a sample, with its holes."""
    target = folder / f"{name}.vhd"
    subprocess.run(["cp", "--sparse=always", str(_unpacked(name)), str(target)], check=True)
    return target


def sha256(path: Path) -> str:
    """Of a file's content, as other programs compute it. To see whether a disk changed, `fingerprint` is quicker."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(path: Path, start: int = 0, end: int | None = None) -> str:
    """The SHA-256 of the size and of each piece that is not all zero of a file's bytes [start, end): it tells files
    apart as well as theirs does, and the holes of a disk, which are most of it, cost nothing.
    """
    end = path.stat().st_size if end is None else end
    digest = hashlib.sha256(str(end - start).encode())
    with path.open("rb", buffering=0) as stream:
        at = start
        while at < end:
            try:
                at += (os.lseek(stream.fileno(), at, os.SEEK_DATA) - at) // PIECE * PIECE
            except OSError:  # only a hole follows
                break
            if at >= end:
                break
            piece = os.pread(stream.fileno(), min(PIECE, end - at), at)
            if piece != ZEROS[: len(piece)]:  # ends at the first byte that differs
                digest.update((at - start).to_bytes(8) + piece)
            at += PIECE
    return digest.hexdigest()
