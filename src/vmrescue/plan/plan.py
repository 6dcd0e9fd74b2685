"""A plan: an ordered list of changes, each with the finding that asked for it; JSON both ways."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError
from vmrescue.json_text import json_text
from vmrescue.plan import schema
from vmrescue.plan.change import Change, FileRef, Stage

SCHEMA = "vmrescue.plan/1"


@typed
@dataclass(frozen=True)
class Step:
    """One change and why it is made: the id of the check (or the command) and its summary."""

    check: str
    reason: str
    change: Change


@typed
@dataclass(frozen=True)
class ImageIdentity:
    """What a plan was made for: the virtual disk's size in bytes and the id in its partition table."""

    size: int
    disk_id: str

    def __str__(self) -> str:
        return f"a disk of {self.size} bytes with the id {self.disk_id or '(none)'}"


@dataclass(frozen=True)
class PlaybookId:
    """Which playbook a plan was made of: its name, and the SHA-256 of its document."""

    name: str
    sha256: str

    def __str__(self) -> str:
        return f"playbook {self.name} (SHA-256 {self.sha256})"


@typed
@dataclass(frozen=True)
class Plan:
    """Changes in the order in which they are made, whatever order they were given in.

    That is by stage, and within a stage as given, but for the changes of one file: they are made together.
    `playbook` is what they were made of, where it is one. `policy` is what counted as right where that was not the
    default: the fields that differ (`checks.Policy`), by which the disk is looked at again when they are made.
    """

    image: ImageIdentity
    steps: tuple[Step, ...]
    playbook: PlaybookId | None = None
    policy: dict[str, str | int | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _in_order(self.steps))

    @property
    def changes(self) -> list[Change]:
        return [step.change for step in self.steps]

    def __len__(self) -> int:
        return len(self.steps)

    def to_dict(self, content: bool = True) -> dict[str, Any]:
        """As JSON-ready data; without `content` it is a record: of a file's content only its size and hash."""
        from vmrescue.plan.change_document import change_to_dict

        return {
            "schema": SCHEMA,
            "image": {"size": self.image.size, "disk_id": self.image.disk_id},
            "steps": [
                {"check": step.check, "reason": step.reason, "change": change_to_dict(step.change, content)}
                for step in self.steps
            ],
            **({"playbook": vars(self.playbook)} if self.playbook else {}),
            **({"policy": self.policy} if self.policy else {}),
        }

    def to_json(self) -> str:
        """The plan as a document for a person to review and for `from_json`."""
        return json_text(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Raises UsageError where the text is not a plan of this schema."""
        try:
            document = schema.fields(schema.parse(text), "schema")
            if document["schema"] != SCHEMA:
                raise UsageError(f"the plan's schema is {document['schema']!r:.60}; this version reads {SCHEMA!r}")
            schema.only(document, {"schema", "image", "steps"}, optional={"playbook", "policy"})
            image = schema.only(document["image"], {"size", "disk_id"})
            identity = ImageIdentity(schema.number(image["size"]), schema.text(image["disk_id"]))
            steps = tuple(_step(number, each) for number, each in enumerate(schema.some(document["steps"]), 1))
            playbook = _playbook(document["playbook"]) if "playbook" in document else None
            policy = schema.settings(document.get("policy", {}))
        except UnicodeDecodeError as error:
            raise UsageError(f"not a plan, but bytes that are no text (byte {error.start})") from error
        except RecursionError as error:
            raise UsageError("not a plan: its objects and lists lie too deep in each other") from error
        except (TypeError, ValueError) as error:
            raise UsageError(f"not a plan: {str(error)[:160]}") from error
        return cls(identity, steps, playbook, policy)


def _in_order(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    first: dict[FileRef, int] = {}
    places = [
        (stage := step.change.stage, first.setdefault(step.change.file, index) if stage == Stage.FILES else index)
        for index, step in enumerate(steps)
    ]
    return tuple(step for _, step in sorted(zip(places, steps, strict=True), key=lambda each: each[0]))


def _playbook(document: Any) -> PlaybookId:
    found = schema.only(document, {"name", "sha256"})
    return PlaybookId(schema.text(found["name"]), schema.text(found["sha256"]))


def _step(number: int, document: Any) -> Step:
    """The step; `number`, from 1, is for the error."""
    from vmrescue.plan.change_document import change_from_dict

    try:
        step = schema.only(document, {"check", "reason", "change"})
        return Step(schema.text(step["check"]), schema.text(step["reason"]), change_from_dict(step["change"]))
    except (TypeError, ValueError, UsageError) as error:
        raise UsageError(f"step {number} of the plan: {error}") from error
