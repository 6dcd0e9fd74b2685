"""The kinds of facts that findings hold. Each field: its type, its key in JSON, and the label that a person sees."""

from __future__ import annotations

from typing import Annotated

from vmrescue.checks.fact import (
    FOUND,
    WANTED,
    As,
    ByName,
    Bytes,
    Difference,
    ElementDifference,
    Elements,
    Fact,
    Items,
    RegistryValues,
    SettingDifference,
    SettingDifferences,
    Sizes,
)
from vmrescue.dataclass import dataclass
from vmrescue.plan import RegistryData  # noqa: TC001 - `Fact` looks the types up


@dataclass(frozen=True)
class Setting(Fact):
    """A value of the registry, as it was found and as it is wanted."""

    hive: Annotated[str, As("hive")]
    key: Annotated[str, As("key")]
    name: Annotated[str, As("value")]
    found: Annotated[RegistryData | None, FOUND]
    wanted: Annotated[RegistryData | str | None, WANTED]


@dataclass(frozen=True)
class KeySettings(Fact):
    """Several values of one key."""

    hive: Annotated[str, As("hive")]
    key: Annotated[str, As("key")]
    values: Annotated[tuple[Difference, ...], RegistryValues("values")]


@dataclass(frozen=True)
class Places(Fact):
    """A value that names places: how many."""

    hive: Annotated[str, As("hive")]
    key: Annotated[str, As("key")]
    name: Annotated[str, As("value")]
    count: Annotated[int, As("places")]


@dataclass(frozen=True)
class BootElement(Fact):
    """An element of the boot store; its data as text. Wanted is None where it is to go."""

    object: Annotated[str, As("object")]
    alias: Annotated[str | None, As("alias")]
    name: Annotated[str, As("element")]
    found: Annotated[str, FOUND]
    wanted: Annotated[str | None, WANTED] = None


@dataclass(frozen=True)
class FurtherElements(Fact):
    """More elements of the boot store that one finding is about."""

    elements: Annotated[tuple[ElementDifference, ...], Elements("further_elements", "further elements")]


@dataclass(frozen=True)
class BootSettings(Fact):
    """Elements of the boot store under the names that bcdedit has for them."""

    loader: Annotated[str | None, As("loader")]
    settings: Annotated[tuple[SettingDifference, ...], SettingDifferences("settings", "settings")]


@dataclass(frozen=True)
class PageFrames(Fact):
    """Page frames of RAM, and how much of it they are."""

    frames: Annotated[tuple[int, ...], Items("page_frames", form="0x{:x}")]
    count: Annotated[int, As("count")]
    sha256: Annotated[str, As("sha256", "SHA-256")]
    withheld: Annotated[int, Bytes("bytes_withheld", "RAM withheld")]


@dataclass(frozen=True)
class Content(Fact):
    """How much there is of something whose content means nothing."""

    size: Annotated[int, Bytes("bytes")]


@dataclass(frozen=True)
class Space(Fact):
    """How full a volume is."""

    volume: Annotated[str, As("volume")]
    free: Annotated[int, Bytes("bytes_free", "free")]
    wanted: Annotated[int, Bytes("bytes_wanted", "wanted")]
    total: Annotated[int, Bytes("bytes_total", "size")]
    cluster_size: Annotated[int, As("cluster_size")]
    by_cleanup: Annotated[dict[str, int], Sizes("bytes_by_cleanup", "by cleaning up")]


@dataclass(frozen=True)
class Growth(Fact):
    """What a disk of some size would win: its own, where it has room already, or the smallest larger one."""

    won: Annotated[int, Bytes("bytes_by_growing", "by growing")]
    disk: Annotated[int, Bytes("bytes_of_larger_disk", "the larger disk")]


@dataclass(frozen=True)
class NoGrowth(Fact):
    """Why no larger disk helps."""

    why: Annotated[str, As("growing")]


@dataclass(frozen=True)
class LargestFiles(Fact):
    """The files of a volume that have the most of it, by their paths."""

    files: Annotated[dict[str, int], Sizes("bytes_of_largest", "largest files")]


@dataclass(frozen=True)
class Extents(Fact):
    """In how many pieces files and the free space of a volume lie."""

    volume: Annotated[str, As("volume")]
    pieces: Annotated[dict[str, int], ByName("pieces", "pieces")]
    allowed: Annotated[int, As("pieces_allowed")]
    free: Annotated[int, Bytes("bytes_free", "free")]
    free_extents: Annotated[int, As("free_extents")]
    longest: Annotated[int, Bytes("bytes_in_longest", "longest free extent")]
    wanted: Annotated[int, Bytes("bytes_wanted_in_longest", "wanted in one piece")]


@dataclass(frozen=True)
class VolumeFact(Fact):
    """A volume, and its first byte (or that of what is meant in it) on the disk."""

    volume: Annotated[str, As("volume")]
    position: Annotated[int, As("position", "at byte")]


@dataclass(frozen=True)
class StateFact(Fact):
    """In what state a volume was left."""

    file_system: Annotated[str | None, As("file_system")]
    state: Annotated[str, As("state")]
    reasons: Annotated[tuple[str, ...], Items("reasons")]


@dataclass(frozen=True)
class HiveFact(Fact):
    """A hive that was not written out."""

    hive: Annotated[str, As("hive")]
    volume: Annotated[str, As("volume")]
    reason: Annotated[str, As("reason")]
    problem: Annotated[str | None, As("problem")]


@dataclass(frozen=True)
class FileFact(Fact):
    """A file as its owner names it; `size` is None where it is not at hand, `why_kept` says why it is not deleted."""

    path: Annotated[str, As("file")]
    size: Annotated[int | None, Bytes("bytes", "size")]
    why_kept: Annotated[str | None, As("why_not_deleted")]


@dataclass(frozen=True)
class Letters(Fact):
    """What each drive letter of the guest is."""

    letters: Annotated[dict[str, str], ByName("letters", "drives")]


@dataclass(frozen=True)
class PageFilePlace(Fact):
    """Where the page file belongs, None where that is not known, and why."""

    drive: Annotated[str | None, As("belongs_on", "belongs on")]
    because: Annotated[str, As("because")]


@dataclass(frozen=True)
class DumpSpace(Fact):
    """Whether a memory dump fits."""

    free: Annotated[int | None, Bytes("bytes_free", "free")]
    ram: Annotated[int | None, Bytes("ram", "RAM")]
    note: Annotated[str | None, As("note")]


@dataclass(frozen=True)
class Link(Fact):
    """A symbolic link between keys."""

    key: Annotated[str, As("key")]
    target: Annotated[str | None, As("target")]


@dataclass(frozen=True)
class StopFact(Fact):
    """Where a start ends."""

    stage: Annotated[str, As("stage")]
    code: Annotated[str, As("code")]
    screen: Annotated[str, As("shown")]
    reason: Annotated[str, As("why")]
    article: Annotated[str, As("article")]


@dataclass(frozen=True)
class PartFact(Fact):
    """A part that is missing or cannot be read."""

    part: Annotated[str, As("part")]
    why: Annotated[str, As("why")]
