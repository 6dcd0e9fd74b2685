"""Documents as readable JSON: letters of all scripts as they are, control characters escaped."""

from __future__ import annotations

import json
from typing import Any


def json_text(document: Any) -> str:
    """Indented JSON. Control characters, and characters that hide or reorder text, are JSON escapes.

    Such characters occur only in strings, so reading the text gives the same document.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text) + "\n"
