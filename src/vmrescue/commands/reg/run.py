"""Runs a command on a registry: a listing is printed, a writing command yields the operations that it asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vmrescue.commands.outcome import Outcome, collected, text_of
from vmrescue.commands.reg import edits, messages
from vmrescue.commands.reg.compare import compare
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.listed import ListedProblem
from vmrescue.commands.reg.query import query
from vmrescue.commands.reg.registry import find_key
from vmrescue.registry.check import Weight
from vmrescue.registry.operations import DeleteKey, DeleteValue, SetValue
from vmrescue.registry.reg_file import export_pieces
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.commands.reg.command import Command
    from vmrescue.commands.reg.query import Show
    from vmrescue.commands.reg.registry import Registry
    from vmrescue.registry.operations import Operation

_EDITORS: dict[str, Callable[[Command, Registry], list[Operation]]] = {
    "add": edits.add,
    "delete": edits.delete,
    "copy": edits.copy,
}


def run(command: Command, registry: Registry, content: bytes = b"", show: Show | None = None) -> Outcome:
    """What the command prints, and the operations that it asks for; nothing is written.

    Args:
        command: from `parse`.
        registry: the hives that its keys lie in.
        content: of the file that ``import`` names.
        show: gets what ``query`` lists, as soon as it is found; without it the outcome has all of it.

    Raises:
        UsageError, NotFoundError: what reg.exe says when it will not do it.
    """
    if command.name in ("load", "unload"):  # which are about names, kept beside an image (`loaded_hives`)
        raise messages.no_load(command.name)
    if command.name == "query":
        listing = partial(query, command, registry)
        return Outcome("", passed=listing(show), shown=True) if show else collected(listing)
    if command.name == "compare":
        return compare(command, registry)
    if command.name == "check":
        return _check(command, registry)
    if command.name == "export":
        return Outcome(text_of([messages.SUCCESS]), export=_export(command, registry))
    if command.name == "import":
        return Outcome(text_of([messages.SUCCESS]), tuple(edits.imported(content)))
    operations = _EDITORS[command.name](command, registry)
    asks = not command.asks_nothing and _takes_something(command, registry, operations)
    return Outcome(text_of([messages.SUCCESS]), tuple(operations), asks=asks)


def _takes_something(command: Command, registry: Registry, operations: Iterable[Operation]) -> bool:
    """Whether reg.exe asks unless it is told /f: before a deletion, and before a value that is there is overwritten."""
    for operation in operations:
        if isinstance(operation, DeleteKey | DeleteValue):
            return True
        if isinstance(operation, SetValue):
            found = find_key(registry, KeyName.parse(operation.path), command.view, operation.name)
            if found and any(upper(value.name) == upper(operation.name) for value in found[1].values()):
                return True
    return False


def _check(command: Command, registry: Registry) -> Outcome:
    """All that is wrong with the hive that a key lies in: not a command of reg.exe's."""
    name = KeyName.parse(command.arguments[0])
    hive, _ = registry.locate(name, command.view)
    found = hive.check()
    notes = [f"note: {problem}" for problem in found if problem.weight is Weight.NOTE]
    problems = [str(problem) for problem in found if problem.weight is not Weight.NOTE]
    lines = [*(problems or [f"{name}: the hive is sound."]), *notes]
    listed = tuple(
        ListedProblem(problem.position, problem.structure, problem.text, problem.weight.name.lower())
        for problem in found
    )
    return Outcome(text_of(lines), passed=not problems, found=listed)


def _export(command: Command, registry: Registry) -> Iterator[bytes]:
    """The key under the name by which it was asked for; in its hive it may lie elsewhere (CurrentControlSet)."""
    name = KeyName.parse(command.arguments[0])
    found = find_key(registry, name, command.view) if name.path else None
    if found is None:
        raise messages.not_found()
    hive, key = found
    return export_pieces(hive, key.path, str(name))
