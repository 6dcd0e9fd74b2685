"""``python -m vmrescue.schemas``: writes the schemas into the package's own folder."""

from __future__ import annotations

import json
from pathlib import Path

from vmrescue.schemas.documents import DOCUMENTS
from vmrescue.schemas.making import schema_of


def texts() -> dict[str, str]:
    """What each file holds, by its name."""
    return {
        f"{name}-{version}.json": json.dumps(schema_of(kind, name, version), indent=1) + "\n"
        for name, (version, kind) in DOCUMENTS.items()
    }


if __name__ == "__main__":
    for name, text in texts().items():
        (Path(__file__).parent / name).write_text(text)
