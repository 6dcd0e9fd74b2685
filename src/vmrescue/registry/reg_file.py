"""Registration files (`.reg`): what regedit exports and imports.

Source: Microsoft, "How to add, modify, or delete registry subkeys and values by using a .reg file"; where that is
silent (where lines are broken, which types are numbers), files that regedit and hivexregedit wrote.
"""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import FormatError, UsageError
from vmrescue.printable import quoted
from vmrescue.registry import path as key_path
from vmrescue.registry import value_type
from vmrescue.registry.operations import CreateKey, DeleteKey, DeleteValue, Operation, SetValue, make
from vmrescue.registry.value_type import ValueType
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmrescue.registry.hive import Hive

HEADER = "Windows Registry Editor Version 5.00"
ANSI_HEADER = "REGEDIT4"  # of Windows 98 and NT 4; regedit still writes it on request
LINE = 76  # characters after which a line of bytes continues on the next
INDENT = "  "  # before the continuation of a line
PIECE = 1 << 16  # characters that are given at once
LONGER_THAN_HIVE = 16  # most characters for each byte of the hive: a byte of data takes 3, and paths are repeated
ROOTS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKCC": "HKEY_CURRENT_CONFIG",
}


@typed
def export_reg(hive: Hive, path: str, prefix: str, name: str | None = None) -> bytes:
    """Exports a key and all keys below it as regedit does: UTF-16 with a byte order mark, lines ended by CR LF.

    Args:
        hive: where the key is.
        path: the key's path in the hive; "" for the whole hive.
        prefix: what the hive's root key is called in the registry, e.g. ``HKEY_LOCAL_MACHINE\\SYSTEM``.
        name: the key's full name, if it is not `prefix` and the path, as under CurrentControlSet.

    Raises:
        FormatError: the text would be far longer than the hive, which happens only if values share their cells.
    """
    return b"".join(export_pieces(hive, path, name or "\\".join(filter(None, (prefix, hive.key(path).path)))))


def export_pieces(hive: Hive, path: str, name: str) -> Iterator[bytes]:
    """As `export_reg`, in pieces. `name` is the key's full name."""
    left = hive.cells.bins_size * LONGER_THAN_HIVE
    waiting, length = ["\ufeff"], 0  # lines, and how many characters they have
    for line in _lines(hive, path, name):
        left -= len(line)
        if left < 0:
            raise FormatError(
                "hive", None, "keys and values with cells of their own", "cells that several of them have"
            )
        waiting.append(f"{line}\r\n")
        length += len(line)
        if length >= PIECE:
            yield _encoded(waiting)
            waiting, length = [], 0
    yield _encoded(waiting)


def _encoded(lines: list[str]) -> bytes:
    return "".join(lines).encode("utf-16-le", "surrogatepass")


def _lines(hive: Hive, path: str, name: str) -> Iterator[str]:
    yield from (HEADER, "")
    top = hive.key(path).path
    for key in hive.walk(top):
        below = key_path.relative(key.path, top)
        yield f"[{name}\\{below}]" if below else f"[{name}]"
        yield from (_value_line(value.name, value.type, value.raw) for value in key.values())
        yield ""


def _value_line(name: str, kind: int, raw: bytes) -> str:
    start = f'"{_escaped(name)}"=' if name else "@="
    data = value_type.decode(kind, raw)
    if kind == ValueType.SZ and isinstance(data, str) and value_type.says_all(kind, raw):
        return f'{start}"{_escaped(data)}"'
    if kind == ValueType.DWORD and isinstance(data, int):
        return f"{start}dword:{data:08x}"
    return _broken_line(f"{start}hex:" if kind == ValueType.BINARY else f"{start}hex({kind:x}):", raw)


def _broken_line(start: str, raw: bytes) -> str:
    """Bytes separated by commas. As in regedit, a line that has become longer than LINE continues on the next."""
    text = raw.hex(",")
    end = 3 * max((LINE - len(start)) // 3 + 1, 1)
    lines = [start + text[:end]]
    in_full = 3 * ((LINE - len(INDENT)) // 3 + 1)
    lines += [INDENT + text[place : place + in_full] for place in range(end, len(text), in_full)]
    return "\\\r\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@typed
def import_reg(hive: Hive, data: bytes, prefix: str) -> None:
    """Makes the changes of a registration file; all must lie below `prefix`, the registry's name of the root key.

    Raises UsageError, before anything is changed, if the file is malformed or has keys outside of the hive.
    """
    make(hive, [_below(operation, prefix) for operation in parse_reg(data)])


def _below(operation: Operation, prefix: str) -> Operation:
    parts, base = _full(operation.path), _full(prefix)
    if [upper(part) for part in parts[: len(base)]] != [upper(part) for part in base]:
        raise UsageError(f"the key {quoted(operation.path)} does not lie in {quoted(prefix)}")
    path = key_path.join(parts[len(base) :])
    return replace(operation, path=path)


def _full(path: str) -> list[str]:
    first, *rest = key_path.split(path.strip("\\")) or [""]
    return [ROOTS.get(first.upper(), first), *rest]


@typed
def parse_reg(data: bytes) -> Sequence[Operation]:
    """The operations of a registration file, in its order, with paths as written there. UsageError if malformed."""
    text = _decode(data)
    header, _, body = text.partition("\n")
    if header.strip() not in (HEADER, ANSI_HEADER):
        raise UsageError(f"a registration file begins with {HEADER!r}, not {header.strip()!r:.80}")
    return list(_Parser(body, ansi=header.strip() == ANSI_HEADER).operations())


def _decode(data: bytes) -> str:
    if data[:2] == b"\xff\xfe":
        try:
            return data[2:].decode("utf-16-le", "surrogatepass")
        except UnicodeDecodeError as error:
            raise UsageError(f"byte {2 + error.start} of the registration file: UTF-16 that is cut short") from error
    text = StringIO()
    text.writelines(map(_decode_line, BytesIO(data.removeprefix(b"\xef\xbb\xbf"))))
    return text.getvalue()


def _decode_line(line: bytes) -> str:
    """Decodes a line of a file without a byte order mark; hivexregedit's encoding differs from line to line."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


# Possessive repetitions do not backtrack, so the regular expression engine does not keep every round in memory.
_BLANK = re.compile(r"(?:[ \t\r\n]++|;[^\n]*+)*+")
_KEY = re.compile(r"\[(-?)([^\n]*)\][ \t\r]*(?:;[^\n]*)?(?:\n|$)")
_NAME = re.compile(r'(?:@|"((?:[^"\\]++|\\.)*+)")[ \t]*=[ \t]*', re.DOTALL)
_REMOVED = re.compile(r"-")
_STRING = re.compile(r'(?:str\(([0-9a-f]{1,8})\):)?"((?:[^"\\]++|\\.)*+)"', re.DOTALL | re.IGNORECASE)
_DWORD = re.compile(r"dword:([0-9a-f]{1,8})", re.IGNORECASE)
_HEX = re.compile(r"hex(?:\(([0-9a-f]{1,8})\))?:((?:[0-9a-f, \t]++|\\[ \t]*+\r?+\n)*+)", re.IGNORECASE)
_BYTE = re.compile(r"[0-9a-f]{1,2}", re.IGNORECASE)
_BYTES = re.compile(r"(?:[0-9a-f]{1,2}+,)*+(?:[0-9a-f]{1,2})?", re.IGNORECASE)
_END = re.compile(r"[ \t\r]*(?:;[^\n]*)?(?:\n|$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_STRINGS = (ValueType.SZ, ValueType.EXPAND_SZ, ValueType.MULTI_SZ)


class _Parser:
    """Parses the text after the header."""

    def __init__(self, text: str, *, ansi: bool) -> None:
        self._text = text
        self._ansi = ansi
        self._position = 0

    def operations(self) -> Iterator[Operation]:
        path: str | None = None
        while self._skip_blank():
            key = self._take(_KEY)
            if key:
                path = key[2]
                yield DeleteKey(path) if key[1] else CreateKey(path)
            elif path is None:
                raise self._error("a key in brackets")
            else:
                yield self._value(path)

    def _value(self, path: str) -> Operation:
        named = self._take(_NAME)
        if not named:
            raise self._error("a key in brackets, or a value's name and '='")
        name = _ESCAPE.sub(r"\1", named[1] or "")
        operation = DeleteValue(path, name) if self._take(_REMOVED) else SetValue(path, name, *self._data())
        if not self._take(_END):
            raise self._error("the end of the line")
        return operation

    def _data(self) -> tuple[int, bytes]:
        if found := self._take(_STRING):
            kind = int(found[1], 16) if found[1] else ValueType.SZ
            return kind, value_type.encode(ValueType.SZ, _ESCAPE.sub(r"\1", found[2]))
        if found := self._take(_DWORD):
            return ValueType.DWORD, int(found[1], 16).to_bytes(4, "little")
        if found := self._take(_HEX):
            kind = int(found[1], 16) if found[1] else ValueType.BINARY
            raw = self._bytes(found[2])
            if self._ansi and kind in _STRINGS:
                raw = raw.decode("cp1252", "replace").encode("utf-16-le")
            return kind, raw
        raise self._error("a string in quotation marks, 'dword:', 'hex:', or '-'")

    def _bytes(self, text: str) -> bytes:
        digits = re.sub(r"[ \t\r\n\\]", "", text)
        if not _BYTES.fullmatch(digits):
            raise self._error("bytes of two hexadecimal digits, with commas between them")
        return bytes(int(found[0], 16) for found in _BYTE.finditer(digits))

    def _skip_blank(self) -> bool:
        """Skips blanks and comments; False at the end of the text."""
        self._take(_BLANK)
        return self._position < len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._position)
        if found:
            self._position = found.end()
        return found

    def _error(self, expected: str) -> UsageError:
        line = self._text.count("\n", 0, self._position) + 2
        found = self._text[self._position :].split("\n", 1)[0].strip()
        return UsageError(f"line {line} of the registration file: expected {expected}, found {found!r:.80}")
