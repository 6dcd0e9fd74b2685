"""Findings, to be compared between images that hold the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmrescue import Diagnosis

BY_HAND = (
    "a check that is new or gone? The sets at the head of this file are kept by hand: docs/architecture.md, A check"
)


def told(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The findings, but for the commands that they advise and why they are refused, which name the image."""
    return [finding.to_dict() | {"commands": None, "refused": None} for finding in diagnosis.findings]
