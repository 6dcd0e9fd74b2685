"""Makes a JSON Schema (draft 2020-12) of a Python type: of the dataclasses and typed dictionaries that documents are.

Objects are closed: what a type does not declare is not in the document.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from inspect import cleandoc
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from vmrescue.plan import Change, FileRef, RegistryData
from vmrescue.plan.change_document import KINDS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


class Keyword(NamedTuple):
    """What a schema says of a type besides: a keyword of JSON Schema, and its value."""

    name: str
    value: str


TIME = Keyword("format", "date-time")
SHA256 = Keyword("pattern", "^[0-9a-f]{64}$")

_PLAIN: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
_REGISTRY_VALUE: Schema = {
    "description": "What a registry value holds: its type's name, and what it means or, where that does not say all, "
    "its bytes in hexadecimal.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "data": {"type": ["string", "integer", "array"], "items": {"type": "string"}},
        "hex": {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    },
    "required": ["type"],
    "oneOf": [{"required": ["data"]}, {"required": ["hex"]}],
    "additionalProperties": False,
}
_BYTES: Schema = {"type": "string", "contentEncoding": "base64"}


class Recorded:
    """A change in a record: of a file's content only its size and hash."""


def schema_of(kind: Any, name: str, version: int) -> Schema:
    """The schema of a document that is a value of this type."""
    maker = _Maker()
    body = maker.of(kind)
    head = {"$schema": DRAFT, "$id": f"urn:vmrescue:{name}:{version}", "title": f"vmrescue {name}, version {version}"}
    return head | body | ({"$defs": dict(sorted(maker.defined.items()))} if maker.defined else {})


class _Maker:
    """One schema: `defined` are the types that it refers to, by name."""

    def __init__(self) -> None:
        self.defined: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """A type's schema, or a reference to it."""
        if kind is Any:
            return {}
        if isinstance(kind, type) and kind in _PLAIN:
            return {"type": _PLAIN[kind]}
        if kind is bytes:
            return _BYTES
        if kind is RegistryData:
            return self._named("RegistryValue", lambda: _REGISTRY_VALUE)
        if kind is Change:
            return self._named("Change", lambda: self._changes(recorded=False))
        if kind is Recorded:
            return self._named("RecordedChange", lambda: self._changes(recorded=True))
        if is_typeddict(kind) or is_dataclass(kind):
            return self._named(kind.__name__, lambda: self._object(kind))
        return self._composed(get_origin(kind), get_args(kind))

    def _composed(self, origin: Any, parts: tuple[Any, ...]) -> Schema:
        if origin is Annotated:
            return self.of(parts[0]) | {parts[1].name: parts[1].value}
        if origin is Literal:
            return {"enum": list(parts)}
        if origin in (Union, UnionType):
            return self._one_of([self.of(part) for part in parts])
        if origin in (list, tuple):
            return {"type": "array", "items": self.of(parts[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(parts[1])}
        raise TypeError(f"there is no schema of {origin}{parts}")

    def _one_of(self, schemas: list[Schema]) -> Schema:
        if all(set(each) == {"type"} for each in schemas):
            return {"type": [each["type"] for each in schemas]}
        return {"anyOf": schemas}

    def _named(self, name: str, make: Any) -> Schema:
        if name not in self.defined:
            self.defined[name] = {}  # it may refer to itself
            self.defined[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, kind: Any) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        own = [each.name for each in fields(kind)] if is_dataclass(kind) else list(hints)
        optional = {name for name in own if get_origin(hints[name]) is NotRequired}
        types = {name: get_args(hints[name])[0] if name in optional else hints[name] for name in own}
        summary, said = _described(kind)
        properties = {name: self.of(type_) | _description(said.get(name)) for name, type_ in types.items()}
        return _closed(properties, [name for name in own if name not in optional]) | _description(summary)

    def _changes(self, recorded: bool) -> Schema:
        """A change of any kind, as `change_to_dict` makes it."""
        return {"anyOf": [self._change(kind, recorded) for kind in KINDS.values()]}

    def _change(self, kind: type[Change], recorded: bool) -> Schema:
        known = {"FileRef": FileRef, "RegistryData": RegistryData}
        hints = get_type_hints(kind, localns=known)
        properties: Schema = {"kind": {"const": kind.kind}}
        for field in fields(kind):
            if hints[field.name] is bytes and recorded:
                properties |= {"bytes": {"type": "integer"}, "sha256": self.of(Annotated[str, SHA256])}
            else:
                properties[field.name] = self.of(hints[field.name])
        summary, _ = _described(kind)
        name = f"{'Recorded' if recorded and bytes in hints.values() else ''}{kind.__name__}"
        return self._named(name, lambda: _closed(properties, list(properties)) | _description(summary))


def _closed(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _description(text: str | None) -> Schema:
    return {"description": text} if text else {}


def _described(kind: Any) -> tuple[str, dict[str, str]]:
    """What a docstring says of a class, and of each of its attributes that stands alone."""
    doc = cleandoc(kind.__doc__ or "")
    if doc.startswith(f"{kind.__name__}("):
        return "", {}  # a dataclass's own, which says nothing
    summary, _, rest = doc.partition("\n\n")
    listed = re.split(r"\n {4}(?=\w)", "\n" + rest.partition("Attributes:\n")[2])[1:]
    said: dict[str, str] = {}
    for each in listed:
        names, _, text = " ".join(each.split()).partition(": ")
        said |= dict.fromkeys(names.split(", ") if "," in names else [names], text)
    return " ".join(summary.split()), said
