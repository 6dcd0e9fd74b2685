"""The JSON Schemas (draft 2020-12) of every document that a command prints or writes.

They lie in this package as ``NAME-VERSION.json``, made of the documents' types (`python -m vmrescue.schemas`).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from vmrescue.arguments import typed
from vmrescue.errors import UsageError

__all__ = ["schema", "schema_names"]


@typed
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document: ``diagnosis``, ``plan``, ``receipt``, ``error``, …

    Raises UsageError where there is no such document: the message names all.
    """
    for version, known in _stored():
        if known == name:
            found: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}-{version}.json").read_text("utf-8"))
            return found
    raise UsageError(f"there is no document {name!r:.40}; there are {', '.join(schema_names())}")


def schema_names() -> list[str]:
    """The names of the documents that have a schema."""
    return sorted(name for _, name in _stored())


@cache
def _stored() -> tuple[tuple[str, str], ...]:
    """The version and the name of each schema in the package; the latest first."""
    found = [each.name.removesuffix(".json") for each in files(__name__).iterdir() if each.name.endswith(".json")]
    parts = [(version, name) for name, _, version in (each.rpartition("-") for each in found)]
    return tuple(sorted(parts, key=lambda part: -int(part[0])))
