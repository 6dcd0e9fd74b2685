"""Edits that a kernel makes in a mounted volume, as a script for its shell, and what the volume holds afterwards.

No file is cut to nothing: ntfs3 of Linux 6.12 leaves such a file with a run list that goes on behind its end, on a
volume that only mkntfs has touched too. ntfsresize and vmrescue both find that volume damaged.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from support.ntfs_judges import digest

if TYPE_CHECKING:
    from support.ntfs_judges import Tree

FOLDER = "by a kernel"
SIZES = (0, 10, 700, 3000, 5000, 9000, 20_000, 50_000)


def edits(tree: Tree) -> tuple[str, Tree]:
    """New files and folders, some of which are renamed, lengthened, deleted; old ones are replaced, renamed, deleted.

    Returns the script, and the files and folders afterwards.
    """
    lines = [f"mkdir {_quoted(FOLDER)} {_quoted(FOLDER)}/empty"]
    after: Tree = {**tree, FOLDER: None, f"{FOLDER}/empty": None}
    for number, size in enumerate(SIZES):
        path = f"{FOLDER}/file {number} é中"
        lines.append(_write(f"line {number}", size, path))
        after[path] = digest(_content(f"line {number}", size))
    first, second, third = (f"{FOLDER}/file {number} é中" for number in (3, 4, 5))
    lines += [f"rm {_quoted(first)}", f"mv {_quoted(second)} {_quoted(FOLDER)}/moved"]
    del after[first]
    after[f"{FOLDER}/moved"] = after.pop(second)
    lines.append(f"yes more | head -c 6000 >> {_quoted(third)}")
    after[third] = digest(_content("line 5", SIZES[5]) + _content("more", 6000))
    old = [path for path in sorted(tree) if tree[path] is not None and not path.startswith(("$", "System "))]
    if len(old) > 5:
        replaced, moved, deleted = old[0], old[len(old) // 2], old[-1]
        lines += [
            _write("replaced", 12_345, replaced),
            f"mv {_quoted(moved)} {_quoted(FOLDER)}/",
            f"rm {_quoted(deleted)}",
        ]
        after[replaced] = digest(_content("replaced", 12_345))
        after[f"{FOLDER}/{moved.rpartition('/')[2]}"] = after.pop(moved)
        del after[deleted]
    return "\n".join(lines), after


def _quoted(path: str) -> str:
    return shlex.quote(f"./{path}")


def _write(line: str, size: int, path: str) -> str:
    return f"yes {shlex.quote(line)} | head -c {size} > {_quoted(path)}"


def _content(line: str, size: int) -> bytes:
    return (f"{line}\n".encode() * (size // len(line) + 1))[:size]


def differences(found: Tree, expected: Tree) -> dict[str, tuple[str, str]]:
    """Of each path that is not the same in both: what was found, what was expected."""
    paths = sorted(path for path in found.keys() | expected.keys() if found.get(path, "") != expected.get(path, ""))
    return {path: (str(found.get(path, "nothing")), str(expected.get(path, "nothing"))) for path in paths}
