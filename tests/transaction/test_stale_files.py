"""A plan that found a file otherwise than it is now changes nothing: somebody else has been at the image since."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint
from support.machine_disk import mounted_ntfs
from vmrescue.errors import RefusedError
from vmrescue.plan import (
    DeleteFile,
    FileRef,
    MakeFolder,
    Plan,
    PutFile,
    RegistryData,
    RenameFile,
    SetAttributes,
    SetValue,
    Step,
)

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.plan import Change

GEN1_OS = 33 << 20, 606 << 20
CONTENT = b"what was there"
HASH = sha256(CONTENT).hexdigest()
FILE, OTHER, FOLDER = (FileRef(0, 2, rf"Windows\Temp\{name}") for name in ("file", "other", "folder"))

FITTING: list[Change] = [
    PutFile(OTHER, None, b"new"),
    PutFile(FILE, HASH, b"new"),
    DeleteFile(FILE, len(CONTENT)),
    RenameFile(FILE, HASH, "renamed"),
    SetAttributes(FILE, 0, 1),
    MakeFolder(OTHER),
]
STALE: list[Change] = [
    PutFile(FILE, None, b"new"),
    PutFile(FILE, sha256(b"what was elsewhere").hexdigest(), b"new"),
    PutFile(OTHER, HASH, b"new"),
    DeleteFile(FILE, len(CONTENT) + 1),
    DeleteFile(OTHER, len(CONTENT)),
    DeleteFile(FOLDER, 0),
    RenameFile(FILE, sha256(b"what was elsewhere").hexdigest(), "renamed"),
    RenameFile(OTHER, HASH, "renamed"),
    SetAttributes(FILE, 2, 1),
    SetAttributes(OTHER, 0, 1),
    MakeFolder(FOLDER),
    MakeFolder(FILE),
    SetValue(OTHER, "Key", "Value", None, RegistryData.dword(1)),
]


def named(change: Change) -> str:
    return f"{change.kind} {change.file.path.rpartition(chr(92))[2]}"


@pytest.fixture
def image(gen1_broken: Path) -> Path:
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "Windows/Temp/file").write_bytes(CONTENT)
        (root / "Windows/Temp/folder").mkdir()
    return gen1_broken


def applied(image: Path, *changes: Change) -> None:
    identity = vmrescue.diagnose(image).plan().image
    vmrescue.repair(image, plan=Plan(identity, tuple(Step("test", "it was planned", change) for change in changes)))


@pytest.mark.parametrize("change", FITTING, ids=named)
def test_a_plan_that_found_what_is_there_is_made(change: Change, image: Path) -> None:
    before = fingerprint(image)
    applied(image, change)
    assert fingerprint(image) != before


@pytest.mark.parametrize("change", STALE, ids=named)
def test_a_plan_that_found_something_else_changes_nothing(change: Change, image: Path) -> None:
    before = fingerprint(image)
    with pytest.raises(RefusedError, match="the plan no longer fits this image and must be made again"):
        applied(image, change)
    assert fingerprint(image) == before
