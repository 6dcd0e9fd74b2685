"""Lines for a shell to run, quoted for any name, and folded where they are long."""

from __future__ import annotations

import shlex

WIDTH = 78  # columns of a line; one that is longer goes on behind a backslash


class Shell(str):
    """A word that the shell is to expand."""


def captured(variable: str, command: str, *words: str) -> str:
    """What a command prints, in a variable of the shell."""
    return line(Shell(f"{variable}=$(az"), *command.split(), *words[:-1], Shell(f"{words[-1]})"))


def az(command: str, *words: str) -> str:
    return line("az", *command.split(), *words)


def line(*words: str) -> str:
    """A command, an option and its value together, folded as a shell reads it."""
    quoted = [word if isinstance(word, Shell) else shlex.quote(word) for word in words]
    groups: list[str] = []
    for word, before in zip(quoted, ["", *quoted[:-1]], strict=True):
        if groups and before.startswith("--") and not word.startswith("--"):
            groups[-1] += f" {word}"
        else:
            groups.append(word)
    lines = [groups[0]]
    for group in groups[1:]:
        if len(lines[-1]) + len(group) + 3 > WIDTH:
            lines[-1] += " \\"
            lines.append(f"  {group}")
        else:
            lines[-1] += f" {group}"
    return "\n".join(lines)
