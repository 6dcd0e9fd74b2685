"""What a command of reg.exe comes to, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmrescue.registry.operations import Operation


@dataclass(frozen=True)
class Outcome:
    """What a command prints and asks for.

    Attributes:
        lines: what reg.exe prints, once the operations are done.
        operations: what is to be done, in order; the paths are the registry's full names.
        passed: False where reg.exe ends with another status than 0: nothing was matched, two keys differ.
        data: what a listing lists, for JSON.
        export: the registration file that `export` makes.
    """

    lines: list[str]
    operations: list[Operation] = field(default_factory=list)
    passed: bool = True
    data: list[dict[str, Any]] | None = None
    export: bytes | None = None
