"""Changes of the files of a volume."""

from __future__ import annotations

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.digests import sha256
from vmrescue.plan.change import Change, told
from vmrescue.readers.file_system import FLAGS, flags_of
from vmrescue.units import counted


@typed
@dataclass(frozen=True)
class DeleteFile(Change):
    """Delete a file of `size` bytes."""

    kind = "delete-file"
    size: int

    @property
    def title(self) -> str:
        return f"delete \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return told(self.size)


@typed
@dataclass(frozen=True)
class PutFile(Change):
    """Give a file this content, creating it where it is missing. `before` is the SHA-256 of what was there, or None.

    Of a file that WOF has compressed: of its reparse point and the stream behind it, as they are stored.
    """

    kind = "put-file"
    before: str | None
    data: bytes

    @property
    def title(self) -> str:
        return f"write \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return f"SHA-256 {self.before}" if self.before else "(absent)"

    @property
    def after_text(self) -> str:
        return f"{counted(len(self.data), 'byte')}, SHA-256 {sha256([self.data])}"


@typed
@dataclass(frozen=True)
class RenameFile(Change):
    """Give a file another name in the same folder. `before` is as of `PutFile`; the content stays."""

    kind = "rename-file"
    before: str
    after: str

    @property
    def title(self) -> str:
        return f"rename \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return f"SHA-256 {self.before}"


@typed
@dataclass(frozen=True)
class MakeFolder(Change):
    """Make an empty folder, in one that is there."""

    kind = "make-folder"

    @property
    def title(self) -> str:
        return f"make the folder \\{self.file.path}"

    @property
    def after_text(self) -> str:
        return "(an empty folder)"


@typed
@dataclass(frozen=True)
class SetAttributes(Change):
    """Make a file or folder read-only, hidden, a system's, or not: Windows' bits 1, 2, 4."""

    kind = "set-attributes"
    before: int
    after: int

    def __post_init__(self) -> None:
        if (self.before | self.after) & ~sum(FLAGS):
            raise ValueError(
                f"attributes of {', '.join(FLAGS.values())} were expected, not {self.before}, {self.after}"
            )

    @property
    def title(self) -> str:
        return f"set the attributes of \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return ", ".join(flags_of(self.before)) or "(none)"

    @property
    def after_text(self) -> str:
        return ", ".join(flags_of(self.after)) or "(none)"
