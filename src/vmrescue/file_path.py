r"""A file's path on a volume: names below the volume's root. Both slashes separate them, as in Windows.

A key's path is another thing: there a slash is a letter (`registry.path`).
"""

from __future__ import annotations


def split(path: str) -> list[str]:
    """The names in a path; slashes at its ends, or several in a row, mean nothing."""
    return [name for name in path.replace("/", "\\").split("\\") if name]
