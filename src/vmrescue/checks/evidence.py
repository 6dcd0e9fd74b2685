"""What a finding shows as evidence: enough for a person, and cut if an image makes it long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vmrescue.digests import sha256

if TYPE_CHECKING:
    from vmrescue.checks.fact import Told

SMALL = 4096  # characters of evidence as JSON, which is shown whole
LONGEST_TEXT = 200  # characters
MOST_ITEMS = 24


def bounded(evidence: dict[str, Any]) -> dict[str, Any]:
    """The evidence, in which long texts and lists are cut, with their lengths and hashes, where it is long in all."""
    if len(_json(evidence)) <= SMALL:
        return evidence
    return {name: _cut(value) for name, value in evidence.items()}


def bounded_rows(facts: list[Told]) -> list[Told]:
    """The facts as they are shown, cut in the same way."""
    if sum(len(cell) for told in facts for row in told.rows for cell in row) <= SMALL:
        return facts
    return [told._replace(rows=_cut_rows(told.rows)) for told in facts]


def _cut_rows(rows: list[list[str]]) -> list[list[str]]:
    more = [[f"… ({len(rows)} in all)"]] if len(rows) > MOST_ITEMS else []
    return [[cut_text(cell) for cell in row] for row in rows[:MOST_ITEMS]] + more


def cut_text(text: str) -> str:
    """A text out of an image, for a place where it is one thing among others."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]} … ({len(text)} characters, SHA-256 {_hash(text)})"


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return cut_text(value)
    if isinstance(value, list | tuple):
        more = [f"… ({len(value)} in all, SHA-256 of them as JSON {_hash(_json(value))})"]
        return [*map(_cut, value[:MOST_ITEMS]), *(more if len(value) > MOST_ITEMS else [])]
    if isinstance(value, dict):
        kept = {cut_text(str(name)): _cut(item) for name, item in list(value.items())[:MOST_ITEMS]}
        return kept | ({"…": f"{len(value)} in all"} if len(value) > MOST_ITEMS else {})
    return value


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


def _hash(text: str) -> str:
    return sha256([text.encode("utf-8", "surrogatepass")])
