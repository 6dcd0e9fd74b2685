"""A playbook: the same rule for many images, as a document of a closed schema, known by its SHA-256."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.diagnosis.disks import open_disks
from vmrescue.digests import sha256
from vmrescue.errors import ReadError, UsageError
from vmrescue.image import parents_in
from vmrescue.plan import Plan, PlaybookId
from vmrescue.playbook.document import LARGEST, read_document
from vmrescue.playbook.schema import PLAYBOOK
from vmrescue.windows import Choice, Installation

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from vmrescue.playbook.schema import Rules
    from vmrescue.windows import Disk


@dataclass(frozen=True)
class Compiled:
    """What a playbook comes to on an image.

    Attributes:
        plan: an ordinary plan, perhaps of no steps; None where the playbook is not for this image.
        because: why it is not; empty where it is.
    """

    plan: Plan | None
    because: str = ""


@typed
@dataclass(frozen=True)
class Playbook:
    """A playbook, read and found to be of the schema.

    Attributes:
        id: its name, and the SHA-256 of its document as it was given.
        rules: what it says.
    """

    id: PlaybookId
    rules: Rules = field(repr=False)

    @classmethod
    def from_yaml(cls, document: bytes | str) -> Playbook:
        """Reads a document. Raises UsageError, with line and column, where it is not of the schema."""
        data = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
        try:
            rules: Rules = PLAYBOOK.read(read_document(data))
        except UsageError as error:
            raise UsageError(f"not a playbook: {error}") from error
        return cls(PlaybookId(rules.name, sha256([data])), rules)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Playbook:
        """Reads a file. Raises as `from_yaml`; ReadError where it cannot be read."""
        try:
            with Path(path).open("rb") as stream:
                data = stream.read(LARGEST + 1)
        except OSError as error:
            raise ReadError(f"cannot read {path}: {error.strerror}") from error
        try:
            return cls.from_yaml(data)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    def compile(
        self,
        image: str | os.PathLike[str],
        data_disks: Iterable[str | os.PathLike[str]] = (),
        *,
        store: str | None = None,
        windows: str | None = None,
        parent_dir: str | os.PathLike[str] | None = None,
    ) -> Compiled:
        """The plan for an image, which is only read: `vmrescue.repair(image, compiled.plan)` makes it.

        Args:
            image: a virtual disk's file, a block device, or a URL of one of these.
            data_disks: further disks of the same VM.
            store, windows: which boot store and which Windows boot, where the disk does not tell.
            parent_dir: where a differencing disk's parents are, if neither beside it nor where it says.

        Raises:
            RefusedError: what the playbook asks for would keep Windows from starting, or fits more files than it says.
            VmRescueError: the image cannot be read, or what the playbook asks about is missing or damaged.
        """
        with parents_in(parent_dir), open_disks([image, *data_disks]) as disks:
            return self.compile_for(disks, Choice(store, windows))

    def compile_for(self, disks: list[Disk], choice: Choice | None = None) -> Compiled:
        """As `compile`, for disks that are open."""
        from vmrescue.playbook.compiling import steps_of
        from vmrescue.playbook.matching import why_not_matched

        installation = Installation.of(disks, choice or Choice())
        if because := why_not_matched(self.rules.match, installation):
            return Compiled(None, because)
        return Compiled(Plan(disks[0].identity, steps_of(self.rules, self.check, installation), self.id))

    @property
    def check(self) -> str:
        """What the steps of its plans say asks for them."""
        return f"playbook {self.id.name}"
