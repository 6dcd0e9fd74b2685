"""A document in YAML as plain values that know their lines: read within bounds, and only what is read in one way.

YAML can make a small text a large one (aliases), objects of texts (tags), and reads many words in two ways. None of it
is in here: a document is lists, fields and texts. A text without quotes that is a number is one, and so are ``true``
and ``false``; all others, ``yes`` and ``no`` too, are texts. Source: yaml.org, "YAML 1.2", which has these two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.error import Mark
    from yaml.events import Event, ScalarEvent

LARGEST = 256 << 10  # bytes; one that is written by hand has some hundred
DEEPEST = 8  # levels
MOST_VALUES = 20_000
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}|0x[0-9a-fA-F]{1,16}")  # 010 would be eight to some, and ten to others
FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class YamlNode:
    """A value and where it stands: line and column from 1 on. None is an empty place."""

    value: str | int | bool | list[YamlNode] | dict[str, YamlNode] | None
    line: int
    column: int

    def error(self, said: str) -> UsageError:
        """What is wrong with it."""
        return UsageError(f"line {self.line}, column {self.column}: {said}")

    @property
    def shown(self) -> str:
        """What it is, short, for an error."""
        match self.value:
            case dict():
                return "fields"
            case list():
                return "a list"
            case None:
                return "nothing"
        return f"{self.value!r:.60}"


def read_document(data: bytes) -> YamlNode:
    """The one document of a text. Raises UsageError, which says at which line and column."""
    if len(data) > LARGEST:
        raise UsageError(f"a playbook of at most {LARGEST} bytes was expected, not {len(data)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"not a playbook, but bytes that are no text (byte {error.start})") from error
    import yaml

    try:
        return _Reader(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UsageError(f"{place}not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:  # a letter that no text has, written out or as an escape
        raise UsageError(f"not YAML: {' '.join(str(error).split())[:120]}") from error


class _Reader:
    """Builds values of a parser's events, so that nothing of them is built by anybody else."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._values = 0

    def document(self) -> YamlNode:
        """The values of the first document. Raises UsageError where there are more, or none."""
        import yaml

        next(self._events)  # the stream's begin
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise UsageError("the document is empty")
        found = self._value(next(self._events), 1)
        next(self._events)  # the document's end
        if not isinstance(after := next(self._events), yaml.StreamEndEvent):
            raise _error(after.start_mark, "a second document was not expected")
        return found

    def _value(self, event: Event, level: int) -> YamlNode:
        import yaml

        mark = event.start_mark
        self._values += 1
        if self._values > MOST_VALUES or level > DEEPEST:
            raise _error(mark, f"at most {MOST_VALUES} values in {DEEPEST} levels were expected")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _error(mark, "references (& and *) are not read: say it again")
        if getattr(event, "tag", None):
            raise _error(mark, f"tags ({event.tag!r:.40}) are not read")
        place = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            return YamlNode(_plain(event), *place)
        if isinstance(event, yaml.SequenceStartEvent):
            return YamlNode(list(self._items(level)), *place)
        return YamlNode(self._fields(level), *place)

    def _items(self, level: int) -> Iterator[YamlNode]:
        import yaml

        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event, level + 1)

    def _fields(self, level: int) -> dict[str, YamlNode]:
        import yaml

        fields: dict[str, YamlNode] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._value(event, level + 1)
            if not isinstance(name.value, str):
                raise name.error(f"a field's name was expected, not {name.shown}")
            if name.value in fields:
                raise name.error(f"the field {name.shown} is given twice, first in line {fields[name.value].line}")
            fields[name.value] = self._value(next(self._events), level + 1)
        return fields


def _plain(event: ScalarEvent) -> str | int | bool | None:
    text: str = event.value
    if re.search("[\ud800-\udfff]", text):
        raise _error(event.start_mark, "half a character is no text")
    if event.style:  # quoted, or a block
        return text
    if text in FLAGS:
        return FLAGS[text]
    if NUMBER.fullmatch(text):
        return int(text, 16 if text.startswith("0x") else 10)
    return text or None


def _error(mark: Mark, said: str) -> UsageError:
    return YamlNode(None, mark.line + 1, mark.column + 1).error(said)
