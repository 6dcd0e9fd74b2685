"""Changes of the files of a volume."""

from __future__ import annotations

from dataclasses import dataclass

from vmrescue.digests import sha256
from vmrescue.plan.change import Change, told


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


@dataclass(frozen=True)
class PutFile(Change):
    """Give a file this content, creating it where it is missing. `before` is the SHA-256 of what was there, or None."""

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
        return f"{len(self.data)} bytes, SHA-256 {sha256([self.data])}"


@dataclass(frozen=True)
class RenameFile(Change):
    """Give a file another name in the same folder. `before` is the SHA-256 of its content, which stays."""

    kind = "rename-file"
    before: str
    after: str

    @property
    def title(self) -> str:
        return f"rename \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return f"SHA-256 {self.before}"


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
