"""The content of a hive according to independent readers: hivexml, reglookup, dissect.regf, and others on request."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

from dissect.regf import regf

from registry.more_judges import assert_chkreg_is_content, assert_regtree_agrees
from support.machine import need_tool, run
from vmrescue.registry import ValueType
from vmrescue.registry.path import split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vmrescue.registry import Hive

# Keys by their paths below the root, as we write paths; in each, (type, data) by the value's name.
Content = dict[str, dict[str, tuple[int, bytes]]]

STRINGS = (ValueType.SZ, ValueType.EXPAND_SZ, ValueType.LINK)


def content_of(hive: Hive, top: str = "") -> Content:
    """The content of a key and all keys below it, read by vmrescue."""
    return {key.path: {value.name: (int(value.type), value.raw) for value in key.values()} for key in hive.walk(top)}


def assert_judges_agree(path: Path, content: Content) -> None:
    """Asserts that all readers find exactly this content in the hive at `path`, and Microsoft's checker no fault."""
    assert_dissect_agrees(path.read_bytes(), content)
    assert_hivexml_agrees(path, content)
    assert_reglookup_agrees(path, content)
    assert_regtree_agrees(path, content)
    assert_chkreg_is_content(path)


def assert_dissect_agrees(data: bytes, content: Content) -> None:
    hive = regf.RegistryHive(io.BytesIO(data))
    found: Content = {}
    waiting: list[tuple[list[str], Any]] = [([], hive.root())]
    while waiting:
        names, key = waiting.pop()
        values = list(key.values())
        named = {value.name if value.cell.NameLength else "": (value.type, _data(value)) for value in values}
        found[repr(names)] = named
        waiting += [([*names, sub.name], sub) for sub in key.subkeys()]
    expected = {
        repr([_as_dissect(name) for name in split(path)]): {_as_dissect(name): data for name, data in values.items()}
        for path, values in content.items()
    }
    assert_same("dissect.regf", found, expected)


def _data(value: regf.KeyValue) -> bytes:
    """A value's data; dissect.regf would read a cell even for a size of 0."""
    return value.data if value.cell.DataLength else b""


def _as_dissect(name: str) -> str:
    """A name as dissect.regf reads it: it tries UTF-8 first on Latin-1 names, which is wrong for a few of them."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name


def assert_hivexml_agrees(path: Path, content: Content) -> None:
    root = ElementTree.fromstring(run("hivexml", path)).find("node")
    assert root is not None
    found = {}
    waiting: list[tuple[list[str], ElementTree.Element]] = [([], root)]
    while waiting:
        names, node = waiting.pop()
        found[repr(names)] = {value.get("key", ""): _xml_data(value) for value in node.findall("value")}
        waiting += [([*names, sub.get("name", "")], sub) for sub in node.findall("node")]
    expected = {
        repr(split(path)): {name: _as_xml(*data) for name, data in values.items()} for path, values in content.items()
    }
    assert_same("hivexml", found, expected)


def assert_same(judge: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Asserts that two contents are equal; shows only a few differences."""
    assert found.keys() == expected.keys(), f"{judge}: {sorted(found.keys() ^ expected.keys())[:5]}"
    for path in expected:
        names = found[path].keys() | expected[path].keys()
        wrong = [name for name in names if found[path].get(name) != expected[path].get(name)]
        shown = [(name, found[path].get(name), expected[path].get(name)) for name in wrong[:3]]
        assert not wrong, f"{judge} in {path!r}: {shown!r:.2000}"


def _xml_data(value: ElementTree.Element) -> tuple[str, object]:
    kind = value.get("type", "")
    if kind == "string-list":
        return kind, [line.text or "" for line in value.findall("string")]
    text = value.get("value", "")
    return kind, base64.b64decode(text) if value.get("encoding") == "base64" else text


XML_TYPES = {
    ValueType.NONE: "none",
    ValueType.SZ: "string",
    ValueType.EXPAND_SZ: "expand",
    ValueType.BINARY: "binary",
    ValueType.DWORD: "int32",
    ValueType.DWORD_BIG_ENDIAN: "int32",
    ValueType.LINK: "link",
    ValueType.MULTI_SZ: "string-list",
    ValueType.RESOURCE_LIST: "resource-list",
    ValueType.FULL_RESOURCE_DESCRIPTOR: "resource-description",
    ValueType.RESOURCE_REQUIREMENTS_LIST: "resource-requirements",
    ValueType.QWORD: "int64",
}


def _as_xml(kind: int, raw: bytes) -> tuple[str, object]:
    """How hivexml prints that: numbers signed, of their first bytes, -1 where these are too few; a list with its last,
    empty string; strings that are no UTF-16 as bytes, with another name for their type."""
    named = XML_TYPES.get(ValueType(kind), "") if kind <= ValueType.QWORD else "unknown"
    if kind in STRINGS or kind == ValueType.MULTI_SZ:
        lines = raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass").split("\0")
        lists = lines if lines[-1] else lines[:-1] or [""] * bool(raw)
        shown = lines[0] if kind in STRINGS else lists
        try:
            "".join(shown).encode()
        except UnicodeEncodeError:
            return f"bad-{named}", raw
        return named, shown
    formats = {ValueType.DWORD: "<i", ValueType.DWORD_BIG_ENDIAN: ">i", ValueType.QWORD: "<q"}
    if kind in formats:
        layout = struct.Struct(formats[ValueType(kind)])
        return named, str(layout.unpack_from(raw)[0] if len(raw) >= layout.size else -1)
    return named, raw


def assert_reglookup_agrees(path: Path, content: Content) -> None:
    """Asserts that reglookup prints the same paths and data. It warns on stderr of strings that it cannot print."""
    done = subprocess.run([need_tool("reglookup"), "-H", path], capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    keys, values = set(), {}
    for line in done.stdout.decode("ascii").splitlines():
        place, kind, data, _ = line.split(",")
        # The root key is "/", its values are "//name"; any other key is "/name".
        parts = tuple(unquote_to_bytes(part) for part in place.removeprefix("/").removeprefix("/").split("/"))
        if kind == "KEY":
            keys.add(parts if parts != (b"",) else ())
        else:
            values[parts] = kind, unquote_to_bytes(data)
    assert keys == {_as_stored(key) for key in content}
    expected = {(*_as_stored(key), _stored_name(name)): data for key in content for name, data in content[key].items()}
    assert values.keys() == expected.keys()
    wrong = {name: (shown, expected[name]) for name, shown in values.items() if not _may_show(*expected[name], *shown)}
    assert not wrong, f"reglookup: {list(wrong.items())[:3]!r:.2000}"


def _as_stored(path: str) -> tuple[bytes, ...]:
    return tuple(map(_stored_name, split(path)))


def _stored_name(name: str) -> bytes:
    """A name as reglookup prints it: Latin-1 names end at a NUL."""
    try:
        return name.encode("latin-1").split(b"\0")[0]
    except UnicodeEncodeError:
        return name.encode("utf-16-le", "surrogatepass")


REGLOOKUP_TYPES = ["NONE", "SZ", "EXPAND_SZ", "BINARY", "DWORD", "DWORD_BE", "LINK", "MULTI_SZ"]
REGLOOKUP_TYPES += ["RSRC_LIST", "RSRC_DESC", "RSRC_REQ_LIST", "QWORD"]


def _may_show(kind: int, raw: bytes, shown_kind: str, shown: bytes) -> bool:
    """Strings appear as ASCII, without the empty ones in a list, or else as the stored bytes; no data as (null)."""
    forms = {raw if raw else b"(null)"}
    if kind in STRINGS or kind == ValueType.MULTI_SZ:
        lines = raw[: len(raw) & ~1].decode("utf-16-le", "replace").split("\0")
        forms.add((lines[0] if kind in STRINGS else "|".join(filter(None, lines))).encode())
    elif kind in (ValueType.DWORD, ValueType.DWORD_BIG_ENDIAN, ValueType.QWORD):
        size = 8 if kind == ValueType.QWORD else 4  # of longer ones the first bytes, shorter ones as they are stored
        number = int.from_bytes(raw[:size], "big" if kind == ValueType.DWORD_BIG_ENDIAN else "little")
        if len(raw) >= size:
            forms = {f"0x{number:0{2 * size}X}".encode()}
    name = REGLOOKUP_TYPES[kind] if kind < len(REGLOOKUP_TYPES) else f"0x{kind:08X}"
    return shown_kind == name and shown in forms
