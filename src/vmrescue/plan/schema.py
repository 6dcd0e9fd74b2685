"""What a plan's document may say: a plan may come from anybody, and what is not declared here is refused.

The functions take a value as JSON has it and give it back. They raise TypeError or ValueError, whose text says what was
expected, and which whoever reads the document makes a UsageError of.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from vmrescue.errors import UsageError
from vmrescue.printable import quoted
from vmrescue.registry import path as registry_path

if TYPE_CHECKING:
    from collections.abc import Collection

LARGEST_DOCUMENT = 64 << 20  # bytes: a plan holds the bytes that a file is given, and is read into memory
LARGEST_NUMBER = (1 << 63) - 1  # bytes: no file system goes beyond
LONGEST_PATH = 32767  # characters, of Windows' own paths and of a key's
LONGEST_TEXT = 1 << 20  # characters, of a reason or a name
DEEPEST_KEY = 512  # levels: Windows' limit
NOT_IN_PATHS = re.compile(r'[\x00-\x1f/:*?"<>|]')  # what no name has in Windows; a colon would name a stream
HALF = re.compile("[\ud800-\udfff]")  # a surrogate without the other one
TYPE = re.compile(r"0x[0-9a-f]{1,8}")  # of a registry value, where it has no name


def parse(content: str | bytes) -> Any:
    """A document as JSON, in which no field is given twice. Raises ValueError, RecursionError."""
    if len(content) > LARGEST_DOCUMENT:
        raise ValueError(f"a document of at most {LARGEST_DOCUMENT} bytes was expected, not {len(content)}")
    return json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a field is given twice, so that who reviews it may see the other one")
    return document


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number that a plan can have")


def fields(value: Any, *names: str) -> dict[str, Any]:
    """An object with these fields, and perhaps others."""
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {value!r:.40}")
    if missing := set(names) - set(value):
        raise ValueError(f"the field {min(missing)!r} is missing")
    return value


def only(value: Any, names: set[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """An object with these fields, perhaps with `optional` ones, and no other."""
    found = fields(value, *names)
    if unknown := set(found) - names - set(optional):
        raise ValueError(f"there is no field {min(unknown)!r:.40}")
    return found


def some(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {value!r:.40}")
    return value


def text(value: Any) -> str:
    """A text without halves of characters."""
    found = value_name(value)
    if HALF.search(found):
        raise ValueError(f"a text was expected, not {found!r:.40}, which has half a character")
    return found


def value_name(value: Any) -> str:
    """A registry value's name: any 16-bit units, halves of characters too."""
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r:.40}")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"a text of at most {LONGEST_TEXT} characters was expected, not {len(value)}")
    return value


def number(value: Any) -> int:
    """A whole number from 0 on."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_NUMBER:
        raise TypeError(f"a whole number was expected, not {value!r:.40}")
    return value


def settings(value: Any) -> dict[str, str | int | bool | None]:
    """An object of texts, whole numbers, true, false and null, by names that whoever uses it knows."""
    return {name: _setting(each) for name, each in fields(value).items()}


def _setting(value: Any) -> str | int | bool | None:
    if value is None or isinstance(value, bool):
        return value
    return text(value) if isinstance(value, str) else number(value)


def data(value: Any) -> bytes:
    """Bytes in base64."""
    if not isinstance(value, str):
        raise TypeError(f"bytes in base64 were expected, not {value!r:.40}")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise ValueError(f"bytes in base64 were expected, not {value!r:.40}") from error


def file_path(value: Any) -> str:
    """A file's path from its volume's root, or "" for the volume itself: names that Windows allows, and no way up."""
    path = text(value)
    names = path.split("\\") if path else []
    if len(path) > LONGEST_PATH or any(not name or name.strip(". ") == "" for name in names):
        raise ValueError(f"a path from a volume's root was expected, not {quoted(path):.60}")
    if NOT_IN_PATHS.search(path):
        raise ValueError(f"a path of names that Windows allows was expected, not {quoted(path):.60}")
    return path


def key_path(value: Any) -> str:
    """A key's path from its hive's root (`registry.path`); "" is the root itself."""
    path = text(value)
    try:
        names = registry_path.split(path)
    except UsageError as error:
        raise ValueError(f"{error}"[:120]) from error
    if len(names) > DEEPEST_KEY or len(path) > LONGEST_PATH or registry_path.join(names) != path:
        raise ValueError(f"a key's path in its one spelling was expected, not {quoted(path):.60}")
    return path
