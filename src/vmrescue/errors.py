"""The family of errors: what went wrong, in which structure, at which byte, and what that means for the exit status.

Every error that vmrescue raises on purpose is a `VmRescueError`. Its text is one sentence for the person at the
terminal; `exit_status` is what the command line returns for it.
"""

from __future__ import annotations

from typing import ClassVar


class VmRescueError(Exception):
    """Base of all errors of this package; 3 = the image cannot be read or is not supported."""

    exit_status: ClassVar[int] = 3


class UsageError(VmRescueError):
    """The caller asked for something that has no meaning (a wrong option, a malformed name)."""

    exit_status = 2


class FormatError(VmRescueError):
    """The bytes at a place are not what the format demands there.

    Args:
        structure: the structure's name in the field's own words, e.g. ``"VHD footer"``.
        position: its first byte, counted from the start of the thing being read (the image, the volume, the hive); None
            where it has no place of its own, or the reader does not tell it.
        expected: what the format asks for, in words.
        found: what was there instead.
    """

    def __init__(self, structure: str, position: int | None, expected: str, found: object = None) -> None:
        self.structure = structure
        self.position = position
        self.expected = expected
        self.found = found
        place = "" if position is None else f" at byte {position} (0x{position:x})"
        text = f"{structure}{place}: expected {expected}"
        if found is not None:
            text += f", found {bytes_text(found) if isinstance(found, bytes) else found}"
        super().__init__(text)

    def within(self, whole: str) -> FormatError:
        """The same error, saying in which whole thing the structure lies, as in ``hive \\Boot\\BCD: cell``."""
        if self.structure.startswith(whole):
            return self
        return type(self)(f"{whole}: {self.structure}", self.position, self.expected, self.found)


def bytes_text(data: bytes) -> str:
    """Bytes for a person: letters in quotes, or else in hexadecimal."""
    return repr(data.decode("ascii")) if data.isascii() and data.decode("ascii").isprintable() else data.hex(" ")


class UnsupportedError(VmRescueError):
    """The image is well formed, but uses something that vmrescue does not handle."""


class ReadError(VmRescueError):
    """The operating system would not give us the bytes (missing file, no permission, I/O error)."""


class WriteError(VmRescueError):
    """The operating system would not take the bytes (a full disk, an I/O error)."""

    exit_status = 5


class NotFoundError(VmRescueError):
    """A thing that was named (a file, a key, a volume, a Windows installation) is not there."""


class RefusedError(VmRescueError):
    """Doing it would not be safe; nothing was written."""

    exit_status = 4


class LinkError(RefusedError):
    """A symbolic link between registry keys cannot be followed, so what a path means is not known.

    Args:
        link: the link's path in the hive.
        target: where it leads, as the kernel names it; None where it does not say.
        why: what is the matter with that place.
    """

    def __init__(self, link: str, target: str | None, why: str) -> None:
        self.link = link
        self.target = target
        super().__init__(
            f"the key {link!r} is a symbolic link without a target"
            if target is None
            else f"the key {link!r} is a symbolic link to {target!r}, which {why}"
        )


class RepairFailedError(VmRescueError):
    """A repair was begun, could not be completed or confirmed, and was rolled back."""

    exit_status = 5


class UnsoundError(VmRescueError):
    """What was made in steps stays, each step confirmed, but the check of the whole at the end finds damage."""

    exit_status = 5


class AfterCommitError(VmRescueError):
    """The image was changed, confirmed and is sound, but something that comes after that failed (say, its receipt)."""

    exit_status = 6


def missing_extra(purpose: str, extra: str) -> UnsupportedError:
    """What is said where a package is not installed that comes with an extra of this one.

    Args:
        purpose: what is done with which package, as in ``Parquet is written with pyarrow``.
        extra: its name in pyproject.toml.
    """
    return UnsupportedError(
        f"{purpose}, which is not installed: it comes with vmrescue's extra {extra!r} "
        f"(in the source's folder: pip install '.[{extra}]')"
    )
