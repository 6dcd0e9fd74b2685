"""Which images the arguments of a scan mean: files, folders, globs, lists, URLs; each image once."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import sys
from pathlib import Path
from stat import S_IFBLK, S_IFDIR, S_IFREG
from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, UsageError
from vmrescue.files import UNFINISHED, kind_of, lines
from vmrescue.image.journal_place import SUFFIX
from vmrescue.image.looks import is_marked
from vmrescue.image.reference import Reference
from vmrescue.image.transports.blob_list import page_blobs
from vmrescue.image.url import shown, split_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# In a folder, what is named like an image or has an image's signature counts; a file that is named itself always does.
IMAGE_NAME = re.compile(r".+\.(vhd|vhdx|avhdx?|vmdk|qcow2|vdi|e01|raw|img|dd|bin|000|001)", re.IGNORECASE | re.DOTALL)
# Further pieces of an image, which the first one names.
PIECE_NAME = re.compile(
    r".+(-(flat|delta|sesparse|[sf]\d{3})\.vmdk|\.e(?!01)\w\w|\.(?!00[01])\d{3})", re.IGNORECASE | re.DOTALL
)
STANDARD_INPUT = "@-"
ANY_BYTES = "surrogateescape"  # a path may hold what is no UTF-8: it becomes the same bytes again when it is opened
LONGEST_LINE = 32 << 10  # characters: Linux takes paths of 4096 bytes, servers URLs of some thousands


def images(arguments: Iterable[str], recursive: bool = False, prefix: str = "") -> Iterator[str]:
    """Every image that the arguments name, as it is found; nothing is opened.

    Arguments that mean nothing are complained of before the first image is given. A line of a list that means nothing
    is given as it is, for it to become a result: others may have written it; and so is a folder below a folder that
    cannot be listed.

    Args:
        arguments: paths, URLs, folders, globs (``**`` too), and ``@list.txt``: one of these a line, ``#`` comments.
        recursive: whether folders below a folder count.
        prefix: of an Azure container (a URL with a slash at its end), what the names of its page blobs begin with.

    Raises:
        UsageError: a glob matches nothing, or a folder holds no image.
        ReadError: a list or folder cannot be read.
        FormatError: a list has a line that is longer than any path or URL.
    """
    seen: set[bytes] = set()  # digests: 16 bytes for a path of any length
    given = list(arguments)
    for argument in given:
        if argument != STANDARD_INPUT:
            next(_named(argument, recursive, prefix), None)
    for argument in given:
        for image in _named(argument, recursive, prefix):
            digest = hashlib.blake2b(identity(image).encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                yield image


def identity(image: str) -> str:
    """The same for all spellings of one file."""
    return image if Reference.of(image).is_remote or "\0" in image else os.path.realpath(image)


def _named(argument: str, recursive: bool, prefix: str) -> Iterator[str]:
    named = _listed if argument.startswith("@") else _expand
    return named(argument, recursive, prefix)


def _listed(argument: str, recursive: bool, prefix: str) -> Iterator[str]:
    for word in _words(argument):
        try:
            yield from _expand(word, recursive, prefix)
        except (UsageError, ReadError):
            yield word


def _words(argument: str) -> Iterator[str]:
    name = argument[1:]
    try:
        with sys.stdin if argument == STANDARD_INPUT else open(name, encoding="utf-8", errors=ANY_BYTES) as stream:
            for _, line in lines(stream, name, LONGEST_LINE):
                word = line.strip()
                if word and not word.startswith("#"):
                    yield word
    except OSError as error:
        raise ReadError(f"cannot read the list {name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"cannot read the list {name}: {error}") from error


def _expand(word: str, recursive: bool, prefix: str) -> Iterator[str]:
    is_remote = Reference.of(word).is_remote
    if is_remote and split_url(word)[2].endswith("/"):
        yield from _some(page_blobs(word, prefix), f"{shown(word)} has no page blob of this prefix that may be a disk")
        return
    kind = 0 if is_remote else kind_of(word)
    if is_remote or kind in (S_IFREG, S_IFBLK):
        yield word
    elif kind == S_IFDIR:
        yield from _some(_folder(word, recursive), f"the folder {word} holds no image")
    elif glob.has_magic(word):
        found = glob.iglob(word, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matches = (match for match in found if kind_of(match) != S_IFDIR)
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


def _is_image(file: str) -> bool:
    """Whether a file in a folder counts. One that somebody is making, or that was not finished, does not."""
    name = Path(file).name
    if UNFINISHED in name or PIECE_NAME.fullmatch(name):
        return False
    return bool(IMAGE_NAME.fullmatch(name)) or is_marked(file)


def _is_found_below(link: str, folder: str, recursive: bool) -> bool:
    """Whether a link's file is itself among those of the folder: then it is given by its own name."""
    if not Path(link).is_symlink():
        return False
    top, file = Path(os.path.realpath(folder)), Path(os.path.realpath(link))  # which a circle of links does not end
    below = top in file.parents if recursive else top == file.parent
    return below and file.is_file() and _is_image(str(file))


def _folder(folder: str, recursive: bool) -> Iterator[str]:
    unlisted: list[str] = []

    def fail(error: OSError) -> None:
        if error.filename == folder:
            raise ReadError(f"cannot list {folder}: {error.strerror}") from error
        unlisted.append(error.filename)

    for path, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.endswith(SUFFIX))  # no receipts
        for name in sorted(files):
            file = str(Path(path) / name)
            if _is_image(file) and not _is_found_below(file, folder, recursive):
                yield file
        if not recursive:
            return
    yield from unlisted
