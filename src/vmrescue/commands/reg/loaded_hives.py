r"""Hives under names of a person's own: ``reg load HKLM\BROKENSYSTEM F:\Windows\System32\config\SYSTEM``.

Nothing is loaded: the hives of an image are at hand all the time, and a name only says which of them is meant. The
names are kept in one file in the folder of the image's journals; `reg unload` takes them out again, with the file and
the folder where nothing else is in them. The image is not written for a name, and no repair depends on one.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vmrescue.commands.reg import messages
from vmrescue.commands.reg.key_name import OF_HIVES, KeyName
from vmrescue.errors import ReadError, RefusedError, UsageError, WriteError
from vmrescue.files import new_file, open_regular, read_whole
from vmrescue.image.journal import journal_folder
from vmrescue.image.journal_place import make_folder
from vmrescue.image.reference import Reference
from vmrescue.plan import FileRef, schema

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.image.reference import Location

NAME = "loaded-hives.json"
SCHEMA = "vmrescue.loaded-hives/1"
LARGEST = 1 << 20  # bytes: thousands of names


class LoadedHives:
    """Which hive each name means; by default none, and kept nowhere.

    Attributes:
        files: the hives by their names, in full: ``HKEY_LOCAL_MACHINE\\BROKENSYSTEM``.
    """

    def __init__(self, files: dict[str, FileRef] | None = None) -> None:
        self.files = dict(files or {})

    def find(self, name: KeyName) -> FileRef | None:
        """The hive that a key lies in, if it lies in one of these."""
        wanted = f"{name.root}\\{name.parts[0]}".upper() if name.path else ""
        return next((file for loaded, file in self.files.items() if loaded.upper() == wanted), None)

    def below(self, root: str) -> list[str]:
        """The names directly below a root."""
        return [loaded.partition("\\")[2] for loaded in self.files if loaded.partition("\\")[0] == root]

    def load(self, name: KeyName, file: FileRef, taken: list[str]) -> None:
        """Gives a hive a name. `taken`: the names below its root that are the guest's own.

        Raises RefusedError where something has that name.
        """
        if (other := self.find(name)) is not None:
            raise RefusedError(f"ERROR: {name} is loaded already, from {other}: unload it first")
        if name.parts[0].upper() in map(str.upper, taken):
            raise RefusedError(f"ERROR: {name} is a hive of this Windows itself: choose another name")
        self.files[str(name)] = file

    def unload(self, name: KeyName) -> None:
        """Takes a name back. Raises UsageError where nothing was loaded under it."""
        if self.find(name) is None:
            raise messages.not_loaded(str(name))
        self.files = {loaded: file for loaded, file in self.files.items() if loaded.upper() != str(name).upper()}


def name_for(text: str) -> KeyName:
    """The name to load a hive under: one part below HKLM or HKU. Raises UsageError, in reg.exe's words."""
    name = KeyName.parse(text)
    if name.root not in OF_HIVES or len(name.parts) != 1:
        raise messages.invalid_key_name(text)
    return name


def read_loaded(image: Location) -> LoadedHives:
    """Those of an image.

    Raises:
        RefusedError: the file of the names is damaged, no regular file, or another user's.
        ReadError: the operating system would not give it.
    """
    path = journal_folder(image) / NAME
    try:
        with open(path, "rb", opener=open_regular) as stream:
            user = os.fstat(stream.fileno()).st_uid
            if user not in (0, os.geteuid()) and user != Reference.of(image).owner:
                raise RefusedError(f"{path} belongs to another user than {Reference.of(image)}: it can't be trusted")
            return LoadedHives(_parsed(read_whole(stream, LARGEST)))
    except (FileNotFoundError, NotADirectoryError):
        return LoadedHives()
    except (KeyError, TypeError, ValueError, RecursionError, UsageError) as error:
        raise RefusedError(f"{path} does not say which hives are loaded ({str(error)[:120]}): delete it") from error
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror}") from error


def _parsed(content: bytes) -> dict[str, FileRef]:
    document = schema.only(schema.parse(content), {"schema", "hives"})
    if document["schema"] != SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r:.60}")
    return {str(name_for(name)): _file(place) for name, place in document["hives"].items()}


def _file(place: Any) -> FileRef:
    schema.only(place, {"disk", "partition", "path"})
    return FileRef(schema.number(place["disk"]), schema.number(place["partition"]), schema.file_path(place["path"]))


def write_loaded(image: Location, loaded: LoadedHives) -> Path:
    """Keeps the names beside an image; without any, takes away what kept them. Raises WriteError."""
    path = journal_folder(image) / NAME
    try:
        if loaded.files:
            make_folder(path.parent)
            with new_file(path, overwrite=True) as stream:
                stream.write(_document(loaded))
        else:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                path.parent.rmdir()
    except WriteError as error:
        raise WriteError(f"the name cannot be kept beside the image: {error}") from error
    except OSError as error:
        raise WriteError(f"the name cannot be kept beside the image, in {path}: {error.strerror}") from error
    return path


def _document(loaded: LoadedHives) -> bytes:
    hives = {name: vars(file) for name, file in loaded.files.items()}
    return json.dumps({"schema": SCHEMA, "hives": hives}, indent=2).encode() + b"\n"
