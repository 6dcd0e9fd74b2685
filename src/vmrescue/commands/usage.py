"""What ``/?`` prints of a command of Microsoft's, laid out as there: how it is typed, then each word's meaning."""

from __future__ import annotations

from vmrescue.dataclass import dataclass

WIDTH = 79  # of a console of Windows'
WORDS = 16  # columns of the words that are explained


@dataclass(frozen=True)
class Usage:
    """One command's.

    Attributes:
        typed: how it is typed, after the program's name.
        does: what it does, in a line.
        words: each word or switch, and what it means.
        examples: lines that do something, each with what that is.
    """

    typed: str
    does: str
    words: tuple[tuple[str, str], ...] = ()
    examples: tuple[tuple[str, str], ...] = ()

    def text(self, program: str) -> str:
        """As it is printed."""
        lines = [*_folded(f"{program} {self.typed}", 0, 4), "", *_folded(self.does, 2, 2)]
        if self.words:
            lines.append("")
        for word, meaning in self.words:
            lines += explained(word, meaning)
        if self.examples:
            lines += ["", "Examples:"]
        for line, what in self.examples:
            lines += ["", f"  {program} {line}", *_folded(what, 4, 4)]
        return "\n".join(lines)


def explained(word: str, meaning: str) -> list[str]:
    """A word and its meaning, in two columns."""
    first, *rest = _folded(meaning, WORDS + 2, WORDS + 2)
    head = f"  {word}"
    if len(head) < WORDS + 2:
        return [head.ljust(WORDS + 2) + first.lstrip(), *rest]
    return [head, first, *rest]


def _folded(text: str, first: int, later: int) -> list[str]:
    """A text in lines no longer than a console is wide."""
    lines, line = [], " " * first
    for word in text.split(" "):
        if line.strip() and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = " " * later
        line += (" " if line.strip() else "") + word
    return [*lines, line]
