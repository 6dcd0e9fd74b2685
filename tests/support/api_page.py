"""docs/api.md, made of the public packages' names and docstrings: `python -m support.api_page > docs/api.md`."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Literal, get_args, get_origin

PACKAGES = (  # what is public, from what a script needs first to what only an editor of formats needs
    "vmrescue",
    "vmrescue.diagnosis",
    "vmrescue.checks",
    "vmrescue.plan",
    "vmrescue.transaction",
    "vmrescue.progress",
    "vmrescue.disk",
    "vmrescue.ntfs",
    "vmrescue.fat",
    "vmrescue.registry",
    "vmrescue.bcd",
)
HEAD = """# The public interface

What a script may import, and what each is, in a sentence; `help(...)` tells arguments, units, errors and sources.
Everything else may move between versions. This page is made of the packages themselves (`tests/support/api_page.py`),
and a test holds it to them.
"""


def page() -> str:
    return "\n".join([HEAD, *(section for name in PACKAGES for section in _section(name))])


def public_names(package: str) -> list[str]:
    return list(importlib.import_module(package).__all__)


def _section(package: str) -> list[str]:
    module = importlib.import_module(package)
    rows = [f"| `{name}` | {first_sentence(getattr(module, name))} |" for name in public_names(package)]
    return [f"## {package}", "", first_sentence(module), "", "| name | what it is |", "| --- | --- |", *rows, ""]


def first_sentence(thing: Any) -> str:
    """The first paragraph of its docstring; of a value, what it is."""
    if get_origin(thing) is Literal:
        return "One of " + ", ".join(f"`{value}`" for value in get_args(thing)) + "."
    if inspect.ismodule(thing) or inspect.isclass(thing) or callable(thing):
        return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).replace("|", "\\|")
    return f"a {type(thing).__name__}"


if __name__ == "__main__":
    print(page(), end="")
