"""Plain values, as JSON and TOML give them, read as dataclasses: what is not as declared is told by its place.

A dataclass is a table of fields. A field with a default may be left out, and none may be there that is not declared.
"""

from __future__ import annotations

import functools
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from vmrescue.errors import FormatError

T = TypeVar("T")
SHOWN = 60  # characters of a value in an error


def read(kind: type[T], value: object, file: str) -> T:
    """A value as this dataclass. Raises FormatError, which names the file and the field, e.g. ``diagnosis.status``."""
    found: T = _read(kind, value, file, "")
    return found


def wrong(file: str, path: str, expected: str, found: object) -> NoReturn:
    """Raises the error for the value at `path`."""
    raise FormatError(f"{file}: {path or 'the whole'}", None, expected, f"{found!r:.{SHOWN}}")


def _read(kind: Any, value: object, file: str, path: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin is Literal:
        return _one_of(get_args(kind), value, file, path)
    if origin in (UnionType, Union):  # what there may be, or None
        return None if value is None else _read(_but_none(kind), value, file, path)
    if origin is tuple:
        items = value if isinstance(value, list) else wrong(file, path, "a list", value)
        return tuple(_read(get_args(kind)[0], item, file, f"{path}[{number}]") for number, item in enumerate(items))
    if origin is dict:
        return _mapping(kind, value, file, path)
    if is_dataclass(kind):
        return _table(kind, value, file, path)
    return value if type(value) is kind else wrong(file, path, f"a value of the type {kind.__name__}", value)


def _one_of(allowed: tuple[Any, ...], value: object, file: str, path: str) -> object:
    if any(type(value) is type(each) and value == each for each in allowed):  # True is no 1
        return value
    wrong(file, path, f"one of {', '.join(map(repr, allowed))}", value)


def _but_none(kind: Any) -> Any:
    [other] = [each for each in get_args(kind) if each is not NoneType]
    return other


def _mapping(kind: Any, value: object, file: str, path: str) -> dict[Any, Any]:
    items = value if isinstance(value, dict) else wrong(file, path, "fields", value)
    key_kind, item_kind = get_args(kind)
    return {
        _read(key_kind, key, file, path): _read(item_kind, item, file, _below(path, key)) for key, item in items.items()
    }


def _table(kind: Any, value: object, file: str, path: str) -> object:
    items = value if isinstance(value, dict) else wrong(file, path, "fields", value)
    declared = _declared(kind)
    for key in items:
        if key not in declared:
            wrong(file, _below(path, key), f"one of the fields {', '.join(declared)}", key)
    for name, (_, needed) in declared.items():
        if needed and name not in items:
            wrong(file, _below(path, name), "this field", "nothing")
    return kind(**{key: _read(declared[key][0], item, file, _below(path, key)) for key, item in items.items()})


def _below(path: str, key: str) -> str:
    name = f"{key:.{SHOWN}}"
    return f"{path}.{name}" if path else name


@functools.cache
def _declared(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Each field's type, and whether it has to be there."""
    hints = get_type_hints(kind)
    return {
        each.name: (hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    }
