"""How a command of Microsoft's is typed: a row of a table for each, of the same shape for bcdedit and reg."""

from __future__ import annotations

from vmrescue.dataclass import dataclass

ANY = 1 << 16  # as many words as one likes


@dataclass(frozen=True)
class Syntax:
    """How many arguments a command takes, and its switches, by their names without slash, in lower case.

    Attributes:
        least, most: of the words that are no switches.
        plain: switches that nothing follows.
        valued: those that a value follows.
        optional: those that a value may follow.
        paths: whether its arguments are paths, which may themselves begin with a slash.
    """

    least: int
    most: int
    plain: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    paths: bool = False

    @property
    def switches(self) -> frozenset[str]:
        return self.plain | self.valued | self.optional
