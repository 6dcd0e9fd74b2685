"""Arguments of the wrong type, told before anything is done: `typed` holds a function to its own annotations.

The annotations are read as text, at the first call: nothing is imported for them, and a class is known by its name.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from vmrescue.dataclass import Initializer
from vmrescue.errors import ArgumentError, must_be_several

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", bound="Callable[..., Any]")

ALIASES = {
    "Location": "str | os.PathLike[str] | Reference",
    "Progress": "Callable",
    "OnProgress": "Callable",
    "Data": "int | str | list[str] | bytes",
    "Mount": "tuple",
    "Lcn": "int",
}
MOST_SHOWN = 60  # letters of what was given
_LONE = (str, bytes, bytearray, memoryview, os.PathLike)  # one thing, though Python takes it for several
_UNCHECKED = ("Any", "object", "KeyReader")  # what takes anything, or whatever has the methods


def typed(thing: T) -> T:
    """A function, or a class with its public methods, that raises ArgumentError for an argument of another type."""
    if not isinstance(thing, type):
        held: T = _held(thing)
        return held
    for name, member in list(vars(thing).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(member, FunctionType):
            setattr(thing, name, _held(member))
        elif isinstance(member, Initializer):
            member.around = _held
        elif isinstance(member, classmethod | staticmethod):
            setattr(thing, name, type(member)(_held(member.__func__)))
    return thing


def must_fit(given: Mapping[str, object], annotations: Mapping[str, object]) -> None:
    """Raises ArgumentError for the first of these that is not as the annotation of its name says."""
    for name, value in given.items():
        if annotation := annotations.get(name):
            _kind_of(getattr(annotation, "__forward_arg__", annotation)).taken(name, value)


def _held(function: Any) -> Any:
    """The function that looks at its arguments first; of a block (`contextmanager`) too, before it is entered."""
    inner = getattr(function, "__wrapped__", function)
    names = inner.__code__.co_varnames[: inner.__code__.co_argcount]
    count = len(names)

    @cache
    def kind_of(name: str) -> _Kind:
        annotation = inner.__annotations__.get(name)
        return _kind_of(annotation if isinstance(annotation, str) else "Any")

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        first = [kind_of(name).taken(name, value) for name, value in zip(names, args, strict=False)]
        named = {name: kind_of(name).taken(name, value) for name, value in kwargs.items()}
        return function(*first, *args[count:], **named)

    return call


class _Kind:
    """What an annotation takes: its alternatives, each a name and what stands in its brackets."""

    def __init__(self, alternatives: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        self._alternatives = alternatives
        self._several = [inside for head, inside in alternatives if head in _SEVERAL]
        self._lone = any(head in ("str", "bytes") for head, _ in alternatives)
        self._plain: set[type] = set()  # types of which every object is taken: each is looked at once

    def taken(self, name: str, value: object) -> object:
        """The argument, if it is of this kind; what comes one by one is looked at as it comes."""
        if type(value) in self._plain:
            return value
        if self._several and not self._lone:
            must_be_several(name, value)
        inside = next((inside for head, inside in self._alternatives if self._is(head, value)), None)
        if inside is None:
            raise ArgumentError(f"{name}: {self.wanted} is expected, not {shown(value)}")
        if not inside and (isinstance(value, str) or not isinstance(value, os.PathLike | Collection)):
            self._plain.add(type(value))
        elif isinstance(value, Mapping):
            self._look_into(name, value, inside)
        elif inside[1:] in ((), ("...",)) and isinstance(value, Iterable) and not isinstance(value, _LONE):
            looked_at = (_kind_of(inside[0]).taken(f"{name}, each of them", each) for each in value) if inside else ()
            if isinstance(value, Iterator):
                return looked_at
            deque(looked_at, 0)
        return value

    @staticmethod
    def _look_into(name: str, value: Mapping[Any, Any], inside: tuple[str, ...]) -> None:
        for what, kind, several in zip(("keys", "values"), inside, (value, value.values()), strict=False):
            for each in several:
                _kind_of(kind).taken(f"{name}, each of its {what}", each)

    @property
    def wanted(self) -> str:
        """In words, as they follow `is expected`."""
        words = (_words(head, inside) for head, inside in self._alternatives)
        return " or ".join(dict.fromkeys(filter(None, words)))

    @staticmethod
    def _is(head: str, value: object) -> bool:
        test = _TESTS.get(head)
        if test is not None:
            return test(value)
        return head in _UNCHECKED or any(head == each.__name__ for each in type(value).__mro__)


def shown(value: object) -> str:
    """What was given, for a message, and not longer than that needs."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _is_path(value: object) -> bool:
    return isinstance(value, os.PathLike) and isinstance(os.fspath(value), str)


_TESTS: dict[str, Callable[[object], bool]] = {
    "None": lambda value: value is None,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "bytes": lambda value: isinstance(value, bytes | bytearray | memoryview),
    "os.PathLike": _is_path,
    "Callable": callable,
    "Executor": lambda value: hasattr(value, "submit"),
    "Readable": lambda value: hasattr(value, "read_at"),
    "BlockDevice": lambda value: hasattr(value, "read_at"),
    "ImageStore": lambda value: hasattr(value, "read_at"),
    "Collection": lambda value: isinstance(value, Collection) and not isinstance(value, _LONE),
    "Sequence": lambda value: isinstance(value, Collection) and not isinstance(value, _LONE),
    "tuple": lambda value: isinstance(value, tuple),
    "list": lambda value: isinstance(value, list | tuple),
    "Iterable": lambda value: isinstance(value, Iterable) and not isinstance(value, _LONE),
    "Iterator": lambda value: isinstance(value, Iterator),
    "Mapping": lambda value: isinstance(value, Mapping),
    "dict": lambda value: isinstance(value, dict),
}
_SEVERAL = ("Collection", "Sequence", "tuple", "list", "Iterable")
_NAMES = {
    "None": "None",
    "str": "a text",
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "bytes": "bytes",
    "os.PathLike": "a path",
    "Callable": "a function",
    "Executor": "an executor with `submit`",
    "Readable": "a device with `read_at`",
    "BlockDevice": "a device with `read_at`",
    "ImageStore": "a device with `read_at`",
    "Mapping": "a dictionary",
    "dict": "a dictionary",
    "Reference": "",  # of ours; a script has a text or a path
}
_PLURALS = {"a text": "texts", "a path": "paths", "bytes": "pieces of bytes"}


def _words(head: str, inside: tuple[str, ...]) -> str:
    if head not in _SEVERAL:
        return _NAMES.get(head, f"{'an' if head[0] in 'AEIOU' else 'a'} {head.rpartition('.')[2]}")
    kinds = {_words(*each) for each in _alternatives(inside[0])} if inside else set()
    many = " or ".join(sorted(_PLURALS.get(each, f"each {each}") for each in kinds))
    return f"a list of {many}" if many else "a list"


@cache
def _kind_of(annotation: str) -> _Kind:
    return _Kind(tuple(_alternatives(annotation)))


def _alternatives(annotation: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for each in _parts(annotation, "|"):
        head, _, rest = each.partition("[")
        if head in ALIASES:
            yield from _alternatives(ALIASES[head])
        else:
            yield head, tuple(_parts(rest.removesuffix("]"), ",")) if rest else ()


def _parts(text: str, mark: str) -> list[str]:
    """The parts between marks that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == mark and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
