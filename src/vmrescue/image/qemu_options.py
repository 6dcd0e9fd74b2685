"""How QEMU is told of an image: its options, in which nothing is left to a guess.

Source: QEMU, "BlockdevOptions" of its QMP reference.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from vmrescue.files import kind_of

KEY_FILE = "VMRESCUE_LUKS_KEY_FILE"
"""The environment variable that names a file with the passphrase of an image that is encrypted as a whole."""

_KEY = "key"  # its name among QEMU's objects

Blocks = dict[str, Any]
"""The options of an image: its driver, its file, what lies below it."""


def file_blocks(path: str | os.PathLike[str]) -> Blocks:
    """The options of a file of this machine."""
    return {"driver": "file", "filename": str(Path(path).absolute()), "locking": "auto"}


def encrypted_blocks(path: str | os.PathLike[str]) -> Blocks:
    """The options of a file that is encrypted by LUKS, version 1."""
    return {"driver": "luks", "key-secret": _KEY, "file": file_blocks(path)}


def objects_for(blocks: Blocks) -> list[str]:
    """The words of a command of QEMU's before an image that needs a key; none for others.

    The key itself stands in no command line: QEMU reads it from its file, all of it, with a line break at its end too.
    """
    if "key-secret" not in blocks:
        return []
    file = str(Path(os.environ[KEY_FILE]).absolute()).replace(",", ",,")
    return ["--object", f"secret,id={_KEY},file={file}"]


def wrong_key() -> str:
    """What is said where QEMU finds that the key is wrong."""
    file, end = Path(os.environ[KEY_FILE]), b""
    if kind_of(file) == stat.S_IFREG:
        with suppress(OSError):
            end = file.read_bytes()[-1:]
    ending = "; the line break at its end is taken for a part of it" if end == b"\n" else ""
    return f"the passphrase in {file}, which {KEY_FILE} names, is not the disk's{ending}"
