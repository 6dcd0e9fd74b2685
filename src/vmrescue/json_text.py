"""Documents as JSON for people: letters of all scripts as they are, control characters escaped."""

from __future__ import annotations

import json
from typing import Any


def json_text(document: Any) -> str:
    """Indented; control characters, and those that hide or reorder text, are spelled as JSON's own escapes.

    In JSON these stand in strings only, so that what is read back is the same.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text) + "\n"
