"""Playbooks: one rule for many images (which match, and what is changed there), compiled to an ordinary plan for each.

`document` reads YAML within bounds, `form` is what a form is and `schema` the table of them, `matching` says whether an
image is meant, `compiling` makes the changes. Nothing here writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.playbook.playbook import Compiled, Playbook

__all__ = ["Compiled", "Playbook"]

__getattr__ = names_of(__name__, {"Compiled": "playbook", "Playbook": "playbook"})
