"""Names of files: names that Windows does not allow, and safe names for our own files.

Source: Microsoft, "Naming Files, Paths, and Namespaces".
"""

from __future__ import annotations

FORBIDDEN = frozenset('\\/:*?"<>|') | frozenset(map(chr, range(32)))
PORTS = frozenset("0123456789\u00b9\u00b2\u00b3")  # superscript digits count too
DEVICES = frozenset(("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"))


def why_no_name(name: str) -> str | None:
    """Why no file can have that name in Windows; None if one can."""
    if name in ("", ".", ".."):
        return "it names no file"
    if bad := FORBIDDEN.intersection(name):
        return f"it may not contain {min(bad)!r}"
    if name[-1] in ". ":
        return "it may not end with a dot or a space, which Windows takes away"
    base = name.partition(".")[0].rstrip(" ").upper()
    if base in DEVICES or (len(base) == 4 and base[:3] in ("COM", "LPT") and base[3] in PORTS):
        return f"Windows takes it for the device {base}"
    return None


def harmless(name: str) -> str:
    """A name from an image as a safe file name: what could lead out of our folder or affect a shell is replaced."""
    kept = "".join(character if character.isalnum() or character in "._- {}" else "_" for character in name)
    return kept if kept.strip(". ") else "_"
