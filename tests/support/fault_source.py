"""`source.md` of a fault: where the situation comes from, what is said there, what was made of it here.

# Title of the article

https://address

**What it says.** In our own words.

**What was derived.** What stands on no page: how the disk is made so, and what has to be found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vmrescue.errors import FormatError

SAYS, DERIVED = "**What it says.** ", "**What was derived.** "
WORDS = 5  # fewer say nothing


@dataclass(frozen=True)
class Source:
    """An article, a report, a program's text."""

    title: str
    address: str
    says: str
    derived: str

    @classmethod
    def from_bytes(cls, data: bytes, file: str) -> Source:
        """Raises FormatError, which names the file and the part."""
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise FormatError(file, None, "UTF-8", f"{error}") from error
        parts = [" ".join(part.split()) for part in re.split(r"\n{2,}", text.strip())]
        if len(parts) != 4:
            raise FormatError(file, None, "a title, an address, and two paragraphs", f"{len(parts)} parts")
        title, address, says, derived = parts
        if not title.startswith("# "):
            raise FormatError(f"{file}: title", None, "a line that begins with '# '", f"{title!r:.60}")
        if not re.fullmatch(r"https://\S+", address):
            raise FormatError(f"{file}: address", None, "https://…", f"{address!r:.60}")
        return cls(title[2:], address, _after(SAYS, says, file), _after(DERIVED, derived, file))


def _after(begin: str, paragraph: str, file: str) -> str:
    if not paragraph.startswith(begin) or len(paragraph[len(begin) :].split()) < WORDS:
        raise FormatError(file, None, f"something behind {begin!r}", f"{paragraph!r:.60}")
    return paragraph[len(begin) :]
