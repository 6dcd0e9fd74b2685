r"""A file's path on a volume: names below the volume's root. Both slashes separate them, as in Windows.

In a registry key's path a slash is an ordinary character (`registry.path`).
"""

from __future__ import annotations


def split(path: str) -> list[str]:
    """The names in a path; slashes at its ends and repeated slashes are ignored."""
    return [name for name in path.replace("/", "\\").split("\\") if name]
