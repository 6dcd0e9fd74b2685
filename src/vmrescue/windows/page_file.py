r"""Page files as the Session Manager's registry values name them.

`PagingFiles`: ``D:\pagefile.sys 0 0`` (path, initial and maximum size in MB; 0 0 = managed by Windows);
``?:\pagefile.sys`` = Windows also chooses the drive. `ExistingPageFiles`: ``\??\C:\pagefile.sys``, written by Windows
at each boot: what that boot used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MEMORY_MANAGEMENT = r"Control\Session Manager\Memory Management"
# A size begins where blanks begin: looked for at each of many blanks, it would be looked for without end.
LINE = re.compile(r"(?:\\\?\?\\)?(?P<drive>[A-Za-z?]:)\\(?P<path>.+?)(?:(?<! ) ++\d++){0,2}+")


@dataclass(frozen=True)
class PageFile:
    """A page file's place: ``drive`` is ``"C:"``, or ``"?:"`` where Windows chooses; ``path`` is without the drive."""

    drive: str
    path: str

    def __str__(self) -> str:
        return f"{self.drive}\\{self.path}"


def parse(line: str) -> PageFile | None:
    """A line of PagingFiles or ExistingPageFiles; None where it names no drive."""
    match = LINE.fullmatch(line.strip())
    return PageFile(match["drive"].upper(), match["path"]) if match else None


def parse_all(lines: object) -> list[PageFile]:
    """All places in a REG_MULTI_SZ (or REG_SZ) value's data; lines that name no drive are passed over."""
    if isinstance(lines, str):
        lines = [lines]
    if not isinstance(lines, list):
        return []
    return [found for line in lines if (found := parse(str(line)))]
