r"""A key's path: the names of the keys below a hive's root key, down to the key, joined by backslashes.

A slash is an ordinary character: Windows itself has keys such as ``RC4 128/128`` and ``application/pdf``.

A hive may hold names that plain text cannot show: empty names, and names with a backslash or a line break. They are
written with escapes, which begin with two backslashes, because no path has two in a row otherwise: ``\\{a}`` is the
16-bit unit 0x0A, and ``\\{}`` stands for an empty name. Escaped are the backslash, control characters, characters that
hide or reorder text, and lone surrogates. So every path has exactly one spelling, which is one line and can be typed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.errors import UsageError
from vmrescue.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEEDS_ESCAPE = re.compile(r"[\x00-\x1f\\\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_EMPTY = r"\\{}"
_TOKEN = re.compile(r"\\\\\{(?P<unit>[0-9a-fA-F]{0,4})\}|(?P<separator>\\)|[^\\]+")


def split(path: str) -> list[str]:
    """The names in a path. Raises UsageError if a name is missing, as between two backslashes."""
    if not path:
        return []
    written = _with_escapes(path) if "\\\\" in path else [name or None for name in path.split("\\")]
    names = [name for name in written if name is not None]
    if len(names) < len(written):
        raise UsageError(f"a key's path is names joined by single backslashes: {quoted(path)}")
    return names


def _with_escapes(path: str) -> list[str | None]:
    """The names in a path with escapes; None for a missing name, as between two backslashes."""
    names: list[str | None] = [None]
    for token in _TOKEN.finditer(path):
        if token["separator"]:
            names.append(None)
        else:
            unit = token["unit"]
            text = token[0] if unit is None else chr(int(unit, 16)) if unit else ""
            names[-1] = (names[-1] or "") + text
    return [name and _joined(name) for name in names]


def _joined(name: str) -> str:
    """The name in which two surrogates that were escaped one by one are one character again."""
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def join(names: Sequence[str]) -> str:
    """The path of these names; "" (the root key) if there are none."""
    text = "\\".join(names)
    if text.isprintable() and text.count("\\") == len(names) - 1 and "" not in names:
        return text  # the usual case; a listing calls this for every key
    return "\\".join(_NEEDS_ESCAPE.sub(_escape, name) or _EMPTY for name in names)


def _escape(found: re.Match[str]) -> str:
    return f"\\\\{{{ord(found[0]):x}}}"


def spelled(path: str) -> str:
    """The path in its one spelling. Raises UsageError if a name in it is missing."""
    return join(split(path))


def below(path: str, name: str) -> str:
    """The path of the key of that name directly below the one at `path`."""
    return f"{path}\\{join([name])}" if path else join([name])


def relative(path: str, top: str) -> str:
    """The path of a key relative to `top`, a key above it or the key itself. Both must be `spelled`."""
    return path[len(top) + 1 :] if top else path


def upward(path: str) -> Iterator[str]:
    """The paths of the keys above a key, topmost first, and then its own; none for the root key."""
    names = split(path)
    return (join(names[:count]) for count in range(1, len(names) + 1))
