"""The errors of this package: what went wrong, in which structure, at which byte, and the exit status.

Every error that vmrescue raises on purpose is a `VmRescueError`. Its text is one sentence for the person at the
terminal; `exit_status` is what the command line returns for it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SCHEMA = "vmrescue.error/1"


class VmRescueError(Exception):
    """Base of all errors of this package. Exit status 3: the image cannot be read or is not supported."""

    exit_status: ClassVar[int] = 3
    verbatim = False
    """Whether its text is that of a program of Microsoft's, line by line: a script may look for it."""

    def to_dict(self) -> dict[str, Any]:
        """The error as a document, which the commands print with ``--format json``."""
        return error_document(type(self).__name__, str(self), self.exit_status)


CUT_SHORT = "the file seems to be cut short: copy or download it again"


class UsageError(VmRescueError):
    """The caller's request is not valid (a wrong option, a malformed name)."""

    exit_status = 2


class ArgumentError(UsageError, TypeError):
    """An argument is not of the type that a function takes; nothing was opened."""


def error_document(kind: str, message: str, status: int) -> dict[str, Any]:
    """An error as a document; what is malformed, and where, only a `FormatError` can say."""
    nowhere = dict.fromkeys(("structure", "position", "expected", "found"))
    return {"schema": SCHEMA, "kind": kind, "message": message, "status": status, **nowhere}


def must_be_several(what: str, names: object) -> None:
    """Raises ArgumentError for a text in place of a list of texts: Python would take it for a list of its letters."""
    if isinstance(names, str | bytes | os.PathLike):
        shown = f"{os.fspath(names)!r:.80}"
        raise ArgumentError(f"{what}: a list is expected, such as [{shown}], not {shown} itself")


def must_be_some(what: str, names: Collection[str] | None) -> None:
    """As `must_be_several`; None stands for all, and an empty list is an error, since it could be taken for that."""
    must_be_several(what, names)
    if names is not None and not names:
        raise UsageError(f"{what}: an empty list names nothing; leave it out (None) for all")


class FormatError(VmRescueError):
    """The bytes at a position are not what the format requires.

    Args:
        structure: the structure's usual name, e.g. ``"VHD footer"``.
        position: its first byte, counted from the start of what is read (the image, the volume, the hive); None if it
            has no position of its own, or a third-party reader does not give it.
        expected: what the format requires, in words.
        found: what was found instead.
        beyond: whether the bytes that the format requires would lie behind the end of what is read.
        advice: what to do about it, in words.
        whole: what the position is counted in, as in ``"the volume"``; empty where that is plain: the file itself, or
            what stands before the structure.
        file: the path of the file that the structure is in, where the text names it.
    """

    def __init__(
        self,
        structure: str,
        position: int | None,
        expected: str,
        found: object = None,
        *,
        beyond: bool = False,
        advice: str = "",
        whole: str = "",
        file: object = None,
    ) -> None:
        self.structure = structure
        self.position = position
        self.expected = expected
        self.found = found
        self.beyond = beyond
        self.advice = advice
        self.whole = whole
        self.file = file
        owner = "" if file is None else f"{file}: "
        text = f"{owner}{structure}{place_text(position, whole)}: expected {expected}"
        if found is not None:
            text += f", found {self._found_text}"
        super().__init__(f"{text}; {advice}" if advice else text)

    @property
    def _found_text(self) -> str:
        return bytes_text(self.found) if isinstance(self.found, bytes) else str(self.found)

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {
            "structure": self.structure,
            "position": self.position,
            "expected": self.expected,
            "found": None if self.found is None else self._found_text,
        }

    def within(self, whole: str) -> FormatError:
        """The same error, with the name of what the structure is in, as in ``hive \\Boot\\BCD: cell``."""
        return self._anew(self.structure if self.structure.startswith(whole) else f"{whole}: {self.structure}")

    def of(self, path: object) -> FormatError:
        """The same error, with the path of the file that the structure is in, if it has none yet: a parent's stays."""
        return self._anew(self.structure, file=path if self.file is None else self.file)

    def in_a_file(self) -> FormatError:
        """The same error of an image's file: where bytes are wanted behind its end, that it seems to be cut short."""
        return self._anew(self.structure, CUT_SHORT if self.beyond and not self.advice else "")

    def _anew(self, structure: str, advice: str = "", file: object = None) -> FormatError:
        """A new error, which may be raised from this one; one that is its own cause is a circle."""
        return type(self)(
            structure,
            self.position,
            self.expected,
            self.found,
            beyond=self.beyond,
            advice=advice or self.advice,
            whole=self.whole,
            file=self.file if file is None else file,
        )


def place_text(position: int | None, whole: str = "") -> str:
    """Where a structure begins, as text behind its name: `` at byte 11 (0xb) of the volume``; empty if not known."""
    if position is None:
        return ""
    return f" at byte {position} (0x{position:x}){whole and f' of {whole}'}"


def in_volume(
    structure: str, position: int | None, expected: str, found: object = None, *, beyond: bool = False
) -> FormatError:
    """The error of a structure whose position is counted from its volume's start, which its text says."""
    return FormatError(structure, position, expected, found, beyond=beyond, whole="the volume")


def bytes_text(data: bytes) -> str:
    """Bytes as text for messages: quoted if they are letters, else in hexadecimal."""
    return repr(data.decode("ascii")) if data.isascii() and data.decode("ascii").isprintable() else data.hex(" ")


class UnsupportedError(VmRescueError):
    """The image is valid, but uses something that vmrescue does not support."""


class ReadError(VmRescueError):
    """The operating system could not read the bytes (missing file, no permission, I/O error)."""


class WriteError(VmRescueError):
    """The operating system could not write the bytes (a full disk, an I/O error)."""

    exit_status = 5


class NotFoundError(VmRescueError):
    """Something that was named (a file, a key, a volume, a Windows installation) does not exist."""


class NoMatchError(NotFoundError):
    """What a command of reg's or bcdedit's asks for is not in the hive or store, which was read. It ends as theirs."""

    exit_status = 1


class RefusedError(VmRescueError):
    """The request is not safe, so it was not carried out; nothing was written."""

    exit_status = 4


class LinkError(RefusedError):
    """A symbolic link between registry keys cannot be followed, so it is not known which key a path means.

    Args:
        link: the link's path in the hive.
        target: the kernel's path that it leads to; None if it has none.
        why: what is wrong with the target.
    """

    def __init__(self, link: str, target: str | None, why: str) -> None:
        self.link = link
        self.target = target
        super().__init__(
            f"the key '{link}' is a symbolic link without a target"
            if target is None
            else f"the key '{link}' is a symbolic link to '{target}', which {why}"
        )


class RepairFailedError(VmRescueError):
    """A repair could not be completed or confirmed, and was rolled back."""

    exit_status = 5


class UnsoundError(VmRescueError):
    """Work in several confirmed steps was kept, but the check of the whole at the end found damage."""

    exit_status = 5


class AfterCommitError(VmRescueError):
    """The image was changed and confirmed and is sound, but a later step failed, such as writing the receipt."""

    exit_status = 6


def missing_extra(purpose: str, extra: str) -> UnsupportedError:
    """The error for a package that is not installed and belongs to an extra of this package.

    Args:
        purpose: what is needed, and for what, as in ``Parquet is written with pyarrow``.
        extra: the extra's name in pyproject.toml.
    """
    return UnsupportedError(
        f"{purpose}: not installed here; vmrescue's extra {extra!r} brings it "
        f"(in the source's folder: pip install '.[{extra}]')"
    )


NO_MEMORY = "this takes more memory than the machine gives"


def system_said(error: OSError) -> str:
    """What the operating system said, without its number."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    return f"the operating system refused: {where}{error.strerror or error}"


def fault_of(ask: Callable[[], object]) -> str | None:
    """Calls `ask`; returns its error as a sentence, None if there is none: one bad part must not stop the others.

    Raises ReadError: that the machine cannot read the image is no fault of a part.
    """
    try:
        ask()
    except ReadError:
        raise
    except VmRescueError as error:
        return str(error)
    return None
