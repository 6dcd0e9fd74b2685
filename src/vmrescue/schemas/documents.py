# ruff: noqa: TC001 - the schemas are made of these types
"""The documents that commands print and write, as types: what a schema is made of.

Where a document is a dataclass with all its fields, that stands here itself.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from vmrescue.checks.finding import Applicability, Severity
from vmrescue.commands.reg.listed import ListedProblem
from vmrescue.diagnosis.described import DiskFacts, LoaderFacts, StoreFacts, SystemFacts, VolumeFacts, WindowsFacts
from vmrescue.fleet.repaired import RepairStatus
from vmrescue.fleet.result import ImageError, Status
from vmrescue.fleet.runs import TakenBack
from vmrescue.ntfs.defrag.fragmentation import Fragmentation, Fragmented, FreeClass
from vmrescue.plan import Change, FileRef, ImageIdentity, PlaybookId
from vmrescue.schemas.making import SHA256, TIME, Keyword, Recorded
from vmrescue.transaction.receipt import Written
from vmrescue.transaction.refused import Skipped
from vmrescue.transaction.target import Origin

Time = Annotated[str, TIME]
Sha256 = Annotated[str, SHA256]
Hexadecimal = Annotated[str, Keyword("pattern", "^0x[0-9a-f]{8}$")]
Words = list[str]  # of a command line


class Finding(TypedDict):
    """One thing that is wrong, or could be better."""

    check: str
    severity: Severity
    summary: str
    meaning: str
    step: str
    evidence: dict[str, Any]
    changes: list[Change]
    applicability: Applicability
    on_request: bool
    tell: list[str]
    refused: str | None
    commands: list[Words]
    repair: Words | None


class NotChecked(TypedDict):
    """A check that could not be run, or not to its end, and why."""

    check: str
    because: str


class StageFact(TypedDict):
    """What a stage says of one thing."""

    what: str
    said: str
    state: Literal["ok", "odd", "unknown", "stop"]


class Stage(TypedDict):
    """One step of the boot path."""

    id: str
    title: str
    state: Literal["ok", "odd", "unknown", "stop"]
    facts: list[StageFact]


class Stop(TypedDict):
    """Where the boot path ends; the code is empty where Windows shows none, or which one is not known."""

    stage: str
    code: str
    screen: str
    reason: str
    source: str


class Rehearsal(TypedDict):
    """What each stage of the boot path found."""

    stages: list[Stage]
    stop: Stop | None
    later: Stop | None
    damage: str | None


class RehearsalDocument(Rehearsal):
    """A rehearsal by itself, as `vmrescue rehearse` prints it."""

    schema: Literal["vmrescue.rehearsal/1"]


class Symptom(TypedDict):
    """What was seen on the screen, and what is to be said of it."""

    text: str
    said: str


class _Inventory(TypedDict):
    image: str
    disk: DiskFacts
    generation: Literal[1, 2] | None
    windows: WindowsFacts | None
    stores: list[StoreFacts]
    systems: list[SystemFacts]
    loaders: list[LoaderFacts]
    volumes: list[VolumeFacts]
    boot: Rehearsal | None
    checks: list[str]
    refusal: str | None
    warnings: list[str]


class Inventory(_Inventory):
    """What there is in an image, as `vmrescue info` prints it."""

    schema: Literal["vmrescue.info/1"]


class Diagnosis(_Inventory):
    """What was found in an image."""

    schema: Literal["vmrescue.diagnosis/1"]
    findings: list[Finding]
    symptom: NotRequired[Symptom]
    not_checked: list[NotChecked]


class ScanLine(TypedDict):
    """One image of a scan: either its diagnosis, or why there is none."""

    schema: Literal["vmrescue.scan/1"]
    image: str
    status: Status
    seconds: float
    bytes_read: int
    requests: int
    depth: int
    sha256: Sha256 | None
    error: ImageError | None
    diagnosis: Diagnosis | None


class PlanStep(TypedDict):
    """One change and why it is made: the id of the check (or the command) and its summary."""

    check: str
    reason: str
    change: Change


class PlanPolicy(TypedDict):
    """What counted as right where that was not the default: the fields that differ."""

    temp_drive: NotRequired[str | None]
    vm_size: NotRequired[str | None]
    ram: NotRequired[int | None]
    dump_file: NotRequired[str]
    min_free: NotRequired[int]
    max_pieces: NotRequired[int]
    min_free_extent: NotRequired[int]
    ems_port: NotRequired[int]
    ems_baud_rate: NotRequired[int]
    boot_menu: NotRequired[bool]
    platform: NotRequired[str]


class Plan(TypedDict):
    """Changes in the order in which they are made."""

    schema: Literal["vmrescue.plan/1"]
    image: ImageIdentity
    steps: list[PlanStep]
    playbook: NotRequired[PlaybookId]
    policy: NotRequired[PlanPolicy]


class RecordedStep(TypedDict):
    """A step of a plan that was made: of a file's content only its size and hash."""

    check: str
    reason: str
    change: Recorded


class RecordedPlan(TypedDict):
    """A plan that was made: it cannot be applied again, because of files' content only size and hash are kept."""

    schema: Literal["vmrescue.plan/1"]
    image: ImageIdentity
    steps: list[RecordedStep]
    playbook: NotRequired[PlaybookId]
    policy: NotRequired[PlanPolicy]


class BackupRow(TypedDict):
    """A file that was copied out of an image; `copy` is its path in the folder."""

    disk: int
    partition: int
    path: str
    copy: str
    bytes: int
    sha256: Sha256


class MissingRow(TypedDict):
    """A file that a backup does not have, since it cannot be read."""

    disk: int
    partition: int
    path: str
    because: str


class Backup(TypedDict):
    """The manifest of a backup."""

    schema: Literal["vmrescue.backup/1"]
    image: str
    files: list[BackupRow]
    missing: NotRequired[list[MissingRow]]


class Receipt(TypedDict):
    """What a repair did, or (`committed` false) would do."""

    schema: Literal["vmrescue.receipt/1"]
    id: str
    run: str | None
    image: str
    committed: bool
    folder: str | None
    started: Time
    finished: Time
    versions: dict[str, str]
    found: list[Finding] | None
    playbook: PlaybookId | None
    plan: Plan | RecordedPlan
    written: dict[str, list[Written]]
    backups: list[BackupRow]
    journals: dict[str, int]
    origin: Origin | None
    sha256: Sha256 | None
    warnings: list[str]
    skipped: list[Skipped]
    remaining: list[Finding] | None


class Step(TypedDict):
    """A step of the procedure and what became of it."""

    step: str
    title: str
    state: Literal["done", "partly", "left", "not due", "not wanted"]
    changes: int
    because: list[str]


class Defragmentation(TypedDict):
    """What a defragmentation did, or (`committed` false) would do."""

    schema: Literal["vmrescue.defragmentation/1"]
    image: str
    partition: int
    committed: bool
    moves: int
    bytes_moved: int
    commits: int
    before: Fragmentation
    after: Fragmentation
    left: list[Fragmented]
    notes: list[str]


class FreeMap(TypedDict):
    """The volume drawn: for each piece of `bytes` bytes, how much of it is used."""

    bytes: int
    used: list[float]


class Fragments(TypedDict):
    """A volume's fragmentation, as `vmrescue defrag --analyze` prints it; sizes in bytes."""

    schema: Literal["vmrescue.fragmentation/1"]
    image: str
    partition: int
    size: int
    cluster_size: int
    attributes: int
    fragmented: int
    fragments: int
    worst: list[Fragmented]
    free: int
    free_extents: int
    largest_free: int
    free_classes: list[FreeClass]
    boot_files: list[Fragmented]
    map: FreeMap
    warnings: list[str]


class Rescue(TypedDict):
    """What a rescue did, or (`committed` false) would do."""

    schema: Literal["vmrescue.rescue/1"]
    image: str
    committed: bool
    steps: list[Step]
    defragmented: Defragmentation | None
    receipts: list[Receipt]
    remaining: list[Finding]
    not_checked: list[NotChecked]
    boot: Rehearsal | None
    notes: list[str]


class Line(TypedDict):
    """What a line of a command file printed."""

    line: int
    command: str
    output: list[str]
    notes: list[str]


class Runbook(TypedDict):
    """What a command file did, or (`receipt.committed` false) would do."""

    schema: Literal["vmrescue.runbook/1"]
    lines: list[Line]
    receipt: Receipt
    defragmented: list[Defragmentation]
    notes: list[str]


class MadeChange(TypedDict):
    """A change, by its check and what it does."""

    check: str
    title: str


class LeftFinding(TypedDict):
    """A finding that is left, and what to type next."""

    check: str
    severity: Severity
    summary: str
    commands: list[str]


class RunLine(TypedDict):
    """One image of a run of repairs."""

    schema: Literal["vmrescue.run/1"]
    image: str
    run: str
    status: RepairStatus
    exit_status: int
    dry_run: bool
    seconds: float
    made: list[MadeChange]
    left: list[LeftFinding]
    not_checked: list[NotChecked]
    bytes_written: int
    id: str | None
    folder: str | None
    journal: int | None
    error: ImageError | None
    notes: list[str]


class NotMeant(TypedDict):
    """A playbook is not for an image: nothing was changed."""

    image: str
    playbook: PlaybookId
    matches: Literal[False]
    because: str


class Undone(TypedDict):
    """A repair that was taken back."""

    image: str
    undone: int
    interrupted: bool
    bytes_restored: int
    compared: list[str]
    different: list[str]
    not_compared: list[str]
    content_only: bool


class UndoneLine(TypedDict):
    """One image of a run that is taken back."""

    image: str
    status: TakenBack
    undone: Undone | None
    error: ImageError | None


class PastRepair(TypedDict):
    """A repair of an image, by its journal; `made`: by which check or command, how many changes."""

    number: int
    state: Literal["done", "undone", "hot", "final"]
    when: Time
    bytes_written: int
    receipt: str | None
    made: dict[str, int]


class Check(TypedDict):
    """A check, as it is declared."""

    check: str
    family: str
    severity: Severity
    title: str
    meaning: str
    fires: str
    repair: str
    applicability: Applicability
    step: str
    needs: list[str]
    codes: list[str]
    source: str


class Code(TypedDict):
    """A stop code."""

    code: str
    name: str | None
    where: str
    meaning: str
    checks: list[str]
    stages: list[str]
    source: str


class Message(TypedDict):
    """What a screen says that shows no code."""

    words: str
    where: str
    meaning: str
    checks: list[str]
    source: str


class Explanation(TypedDict):
    """All checks and all stop codes."""

    schema: Literal["vmrescue.checks/1"]
    checks: list[Check]
    codes: list[Code]
    messages: list[Message]


class Category(TypedDict):
    """What Disk Cleanup deletes, and how much that wins."""

    category: str
    reason: str
    files: int
    bytes: int


class DirectoryEntry(TypedDict):
    """A file or a directory inside an image; `modified` in UTC on NTFS, in the guest's own time on FAT."""

    name: str
    directory: bool
    bytes: int
    modified: str | None
    attributes: list[str]
    marks: list[str]


class BootElement(TypedDict):
    """An element of an entry; `text` is what bcdedit prints of it."""

    id: Hexadecimal
    name: str
    format: Literal["device", "string", "object", "object-list", "integer", "boolean", "integer-list"] | None
    value: Any
    text: list[str]


class BootEntry(TypedDict):
    """An entry of a boot store."""

    identifier: str
    alias: str | None
    type: Hexadecimal
    title: str
    elements: list[BootElement]


class Value(TypedDict):
    """A value of a key; `data` is what it means, `hex` its bytes where that does not say all."""

    name: str
    type: str
    data: NotRequired[str | int | list[str]]
    hex: NotRequired[str]


class Key(TypedDict):
    """A key and those of its values that are listed."""

    key: str
    values: list[Value]


class Compared(TypedDict):
    """A value (or a key below, where `value` is null) of two keys: both have it, or only the first or second has it."""

    side: Literal["=", "<", ">"]
    key: str
    value: Value | None


class Said(TypedDict):
    """What a command of Microsoft's prints that lists nothing."""

    output: list[str]


class Error(TypedDict):
    """Why a command did not do what was asked; what is malformed, and where, only an error of a format says."""

    schema: Literal["vmrescue.error/1"]
    kind: str
    message: str
    status: int
    structure: str | None
    position: int | None
    expected: str | None
    found: str | None


class LoadedHives(TypedDict):
    """The names that `reg load` gave, kept beside an image."""

    schema: Literal["vmrescue.loaded-hives/1"]
    hives: dict[str, FileRef]


DOCUMENTS: dict[str, tuple[int, Any]] = {  # the document's name: the version of its schema, and its type
    "backup": (1, Backup),
    "backup-files": (1, list[BackupRow]),
    "bcdedit": (1, list[BootEntry] | Said),
    "checks": (1, Explanation),
    "cleanup-list": (1, list[Category]),
    "defragmentation": (1, Defragmentation),
    "diagnosis": (1, Diagnosis),
    "error": (1, Error),
    "fragmentation": (1, Fragments),
    "info": (1, Inventory),
    "loaded-hives": (1, LoadedHives),
    "ls": (1, list[DirectoryEntry]),
    "not-meant": (1, NotMeant),
    "plan": (1, Plan),
    "receipt": (1, Receipt),
    "reg": (1, list[Key] | list[Compared] | list[ListedProblem] | Said),
    "rehearsal": (1, RehearsalDocument),
    "rescue": (1, Rescue),
    "run": (1, RunLine),
    "runbook": (1, Runbook),
    "scan": (1, ScanLine),
    "undo": (1, Undone),
    "undo-list": (1, list[PastRepair]),
    "undo-run": (1, UndoneLine),
}
