"""What a form is: fields by their names, what each takes, and what it means; reading one, and nothing beside it.

The table of forms is `schema`. What it says of a field is what docs/playbooks.md says.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.playbook.document import YamlNode

LONGEST_TEXT = 1000  # characters


class Takes(Protocol):
    """What a field takes."""

    @property
    def said(self) -> str:
        """In a few words."""

    def read(self, node: YamlNode) -> Any:
        """The value. Raises UsageError, which says where it stands and what was expected."""


@dataclass(frozen=True)
class Text:
    """A text; where a pattern is given, one that it fits as a whole."""

    said: str = "a text"
    pattern: re.Pattern[str] = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

    def read(self, node: YamlNode) -> str:
        if not isinstance(node.value, str) or len(node.value) > LONGEST_TEXT or not self.pattern.fullmatch(node.value):
            raise node.error(f"{self.said} was expected, not {node.shown}")
        return node.value


@dataclass(frozen=True)
class Number:
    """A whole number."""

    least: int
    most: int

    @property
    def said(self) -> str:
        return f"a number from {self.least} to {self.most}"

    def read(self, node: YamlNode) -> int:
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not self.least <= node.value <= self.most:
            raise node.error(f"{self.said} was expected, not {node.shown}")
        return node.value


@dataclass(frozen=True)
class Scalar:
    """A text or a number; or a list of texts. What it means, another field says."""

    said: str = "a text, a number, or a list of texts"

    def read(self, node: YamlNode) -> str | int | list[str]:
        if isinstance(node.value, list):
            return [Text().read(each) for each in node.value]
        if isinstance(node.value, bool) or not isinstance(node.value, str | int) or "\0" in str(node.value):
            raise node.error(f"{self.said} was expected, not {node.shown}")
        return node.value


@dataclass(frozen=True)
class Many:
    """A list of such, of at least one."""

    each: Takes
    most: int = 64

    @property
    def said(self) -> str:
        return f"a list: {self.each.said}"

    def read(self, node: YamlNode) -> tuple[Any, ...]:
        if not isinstance(node.value, list) or not 0 < len(node.value) <= self.most:
            raise node.error(f"a list of 1 to {self.most} was expected, not {self._found(node)}")
        return tuple(map(self.each.read, node.value))

    @staticmethod
    def _found(node: YamlNode) -> str:
        return f"one of {len(node.value)}" if isinstance(node.value, list) else node.shown


@dataclass(frozen=True)
class Field:
    """A field of a form."""

    name: str
    takes: Takes
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class Form:
    """Fields, of which no other may be there.

    Attributes:
        name: what it is called.
        make: what is made of the values, by the fields' names; `-` in one becomes `_`.
        some: whether at least one field has to be there.
    """

    name: str
    make: Callable[..., Any]
    fields: tuple[Field, ...]
    some: bool = field(default=False)

    @property
    def said(self) -> str:
        return f"[{self.name}](#{self.name.replace(' ', '-')})"

    def read(self, node: YamlNode) -> Any:
        if not isinstance(node.value, dict):
            raise node.error(f"the fields of {self.name} were expected, not {node.shown}")
        known = {each.name: each for each in self.fields}
        for name, value in node.value.items():
            if name not in known:
                raise value.error(f"{self.name} has no field {name!r:.40}; it has {', '.join(known)}")
        missing = [each.name for each in self.fields if each.required and each.name not in node.value]
        if missing or (self.some and not node.value):
            raise node.error(f"{self.name} needs {', '.join(missing) or 'at least one field'}")
        values = {name: known[name].takes.read(value) for name, value in node.value.items()}
        try:
            return self.make(**{name.replace("-", "_"): value for name, value in values.items()})
        except ValueError as error:
            raise node.error(str(error)) from error
