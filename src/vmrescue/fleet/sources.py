"""Which images the arguments of a scan mean: files, folders, globs, lists, URLs; each image once."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.disk.remote import is_remote
from vmrescue.errors import ReadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# In a folder, what is named like an image counts; a file that is named itself always does.
IMAGE_NAME = re.compile(r".+\.(vhd|vhdx|avhd|vmdk|qcow2|vdi|e01|raw|img|dd|bin|000|001)", re.IGNORECASE)
EXTENT_NAME = re.compile(r".+-(flat|delta|sesparse|[sf]\d{3})\.vmdk", re.IGNORECASE)  # a descriptor names these
STANDARD_INPUT = "@-"


def images(arguments: Iterable[str], recursive: bool = False) -> Iterator[str]:
    """Every image that the arguments name, as it is found; nothing is opened.

    Args:
        arguments: paths, URLs, folders, globs (``**`` too), and ``@list.txt``: one of these a line, ``#`` comments.
        recursive: whether folders below a folder count.

    Raises:
        UsageError: a glob matches nothing, or a folder holds no image.
        ReadError: a list or folder cannot be read.
    """
    seen: set[bytes] = set()  # digests: 16 bytes for a path of any length
    for argument in arguments:
        for word in _lines(argument) if argument.startswith("@") else (argument,):
            for image in _expand(word, recursive):
                name = image if is_remote(image) else os.path.realpath(image)
                digest = hashlib.blake2b(os.fsencode(name), digest_size=16).digest()
                if digest not in seen:
                    seen.add(digest)
                    yield image


def _lines(argument: str) -> Iterator[str]:
    try:
        with sys.stdin if argument == STANDARD_INPUT else open(argument[1:], encoding="utf-8") as stream:
            for line in stream:
                word = line.strip()
                if word and not word.startswith("#"):
                    yield word
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"cannot read the list {argument[1:]}: {error}") from error


def _expand(word: str, recursive: bool) -> Iterator[str]:
    if is_remote(word) or Path(word).is_file() or Path(word).is_block_device():
        yield word
    elif Path(word).is_dir():
        yield from _some(_folder(word, recursive), f"the folder {word} holds no image")
    elif glob.has_magic(word):
        found = glob.iglob(word, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matches = (match for match in found if not Path(match).is_dir())
        yield from _some(matches, f"{word} matches no file")
    else:
        yield word  # a file that is missing is a result too


def _some(found: Iterator[str], complaint: str) -> Iterator[str]:
    """All of `found`. Raises UsageError where there is none."""
    first = next(found, None)
    if first is None:
        raise UsageError(complaint)
    yield first
    yield from found


def _folder(folder: str, recursive: bool) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise ReadError(f"cannot list {error.filename}: {error.strerror}") from error

    for path, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        for name in sorted(files):
            if IMAGE_NAME.fullmatch(name) and not EXTENT_NAME.fullmatch(name):
                yield str(Path(path) / name)
        if not recursive:
            return
