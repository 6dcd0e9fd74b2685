"""What campaigns found: each input that once did harm, packed, with a sentence on what it did."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "kept"
LIST = FOLDER / "README.md"


class Regression(NamedTuple):
    """An input, and the parser that it is for."""

    name: str
    parser: str
    sentence: str

    def data(self) -> bytes:
        """The input."""
        return lzma.decompress((FOLDER / f"{self.name}.xz").read_bytes())


def regressions() -> list[Regression]:
    """Those that the list names: ``- `NAME` (PARSER): sentence``."""
    found = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("- `"):
            name, _, rest = line[3:].partition("` (")
            parser, _, sentence = rest.partition("): ")
            found.append(Regression(name, parser, sentence))
    return found


def keep(name: str, parser: str, sentence: str, data: bytes) -> None:
    """Adds an input."""
    (FOLDER / f"{name}.xz").write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    with LIST.open("a", encoding="utf-8") as stream:
        stream.write(f"- `{name}` ({parser}): {sentence}\n")
