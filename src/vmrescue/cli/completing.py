"""The names that a shell may complete. They are imported only when the shell asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click
    from click.shell_completion import CompletionItem

Completion = Any  # of click's `shell_complete`: a function of context, parameter and what was typed


def among(names: Callable[[], Iterable[str]]) -> Completion:
    """One of these names, or several of them joined by commas."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in names() if name.lower().startswith(last.lower())]

    return complete


def a_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """A file, though the word may go on behind its name (`os.vhd:1`)."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def checks() -> Iterable[str]:
    from vmrescue.checks.rules import CHECKS

    return CHECKS


def checks_and_codes() -> Iterable[str]:
    from vmrescue.checks.stop_codes import STOP_CODES

    return [*checks(), *map(str, STOP_CODES.values())]


def checks_and_families() -> Iterable[str]:
    from vmrescue.checks.rules import CHECKS

    return [*CHECKS, *sorted({check.family for check in CHECKS.values()})]


def platforms() -> Iterable[str]:
    from vmrescue.rehearsal.platform import NAMES

    return NAMES


def steps() -> Iterable[str]:
    from vmrescue.procedure import STEPS

    return [step.id for step in STEPS]


def categories() -> Iterable[str]:
    from vmrescue.windows.cleanup import CATEGORIES

    return [category.name for category in CATEGORIES]
