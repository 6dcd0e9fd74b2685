"""What a playbook may say: the table of its forms, and what each is once it is read. What is not here is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.checks.rules import CHECKS
from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError
from vmrescue.file_path import split
from vmrescue.near import SHORT, meant
from vmrescue.plan import RegistryData
from vmrescue.plan.registry_data import TYPE_NUMBERS
from vmrescue.playbook.form import Field, Form, Many, Number, Scalar, Text

if TYPE_CHECKING:
    from vmrescue.playbook.document import YamlNode

SCHEMA = "vmrescue.playbook/1"
SYSTEM_ROOT, SYSTEM_DRIVE = "%SystemRoot%", "%SystemDrive%"
CURRENT = "CurrentControlSet"
BINARY, BINARY_KINDS = "REG_BINARY", ("REG_BINARY", "REG_NONE")
MOST_FILES, USUAL_FILES = 256, 16

# Names that Windows allows; * and ? stand for others, and only in the last one.
PATH = re.compile(
    r'(?:%(?i:SystemRoot|SystemDrive)%)(?:\\(?![.\\ ])[^\x00-\x1f/\\:*?"<>|]+)*\\(?![.\\ ])[^\x00-\x1f/\\:"<>|]+'
)
NAME = re.compile(r'(?![. ])[^\x00-\x1f/\\:*?"<>|]{0,254}[^\x00-\x1f/\\:*?"<>|. ]')
SERVICE = re.compile(r"[^\x00-\x1f\\]{1,256}")
KEY = re.compile(r"[^\x00-\x1f\\/]+(?:\\[^\x00-\x1f\\]+)*")
VERSION = re.compile(r"\d{1,5}(?:\.\d{1,5}){0,3}")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
CLASS = re.compile(r"\{[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}")
OBJECT = re.compile(r"\{[0-9A-Za-z-]{1,60}\}")
WORD = re.compile(r"[^\x00-\x20\x7f-\x9f\ud800-\udfff/-][^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")  # no switch


def version_of(text: str) -> tuple[int, ...]:
    """``10.2`` as four numbers."""
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


@dataclass(frozen=True)
class Windows:
    """Which Windows."""

    name: str | None = None
    edition: str | None = None
    build_from: int | None = None
    build_to: int | None = None


@dataclass(frozen=True)
class FileThere:
    """A file that is there."""

    path: str
    version_from: str | None = None
    version_before: str | None = None
    sha256: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValueThere:
    """A value of the registry that is there."""

    hive: str
    key: str
    name: str
    data: str | int | list[str] | None = None


@dataclass(frozen=True)
class Match:
    """What an image is like that the playbook is for: all of it."""

    windows: Windows | None = None
    files: tuple[FileThere, ...] = ()
    services: tuple[str, ...] = ()
    values: tuple[ValueThere, ...] = ()
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileAction:
    """Files deleted, or a file renamed."""

    remove: str | None = None
    rename: str | None = None
    to: str | None = None
    at_most: int = USUAL_FILES

    def __post_init__(self) -> None:
        if (self.remove is None) == (self.rename is None):
            raise ValueError("a file action has either remove or rename")
        if (self.rename is None) != (self.to is None):
            raise ValueError("rename and to go together")
        if self.rename and has_pattern(split(self.rename)[-1]):
            raise ValueError("one file is renamed, not all that a pattern fits")


@dataclass(frozen=True)
class ValueAction:
    """A value of the registry, set or deleted."""

    hive: str
    key: str
    set: str | None = None
    delete: str | None = None
    type: str | None = None
    data: str | int | list[str] | None = None

    def __post_init__(self) -> None:
        if (self.set is None) == (self.delete is None):
            raise ValueError("a value action has either set or delete")
        if self.set is not None and (self.type is None or self.data is None):
            raise ValueError("set needs type and data")
        if self.delete is not None and (self.type is not None or self.data is not None):
            raise ValueError("delete has neither type nor data")
        if self.set is not None:
            try:
                _ = self.registry_data
            except UsageError as error:
                raise ValueError(str(error)) from error

    @property
    def registry_data(self) -> RegistryData:
        """What is set. Raises UsageError, ValueError where the type cannot hold the data."""
        kind = TYPE_NUMBERS[self.type or ""]
        if self.type in BINARY_KINDS:
            return RegistryData(kind, bytes.fromhex(self.data if isinstance(self.data, str) else "?"))
        return RegistryData.of(kind, self.data if self.data is not None else "")


@dataclass(frozen=True)
class ServiceAction:
    """A service or driver that is to start no more."""

    disable: str


@dataclass(frozen=True)
class FilterAction:
    """A name taken out of UpperFilters and LowerFilters of a class of devices."""

    remove: str
    device_class: str


@dataclass(frozen=True)
class ElementAction:
    """An element of the boot store, set or deleted."""

    object: str
    set: str | None = None
    delete: str | None = None
    to: str | list[str] | None = None

    def __post_init__(self) -> None:
        if (self.set is None) == (self.delete is None):
            raise ValueError("an element action has either set or delete")
        if (self.set is None) != (self.to is None):
            raise ValueError("set and to go together")


@dataclass(frozen=True)
class Rules:
    """A playbook as it stands in its document."""

    schema: str
    name: str
    match: Match
    description: str = ""
    source: str = ""
    files: tuple[FileAction, ...] = ()
    values: tuple[ValueAction, ...] = ()
    services: tuple[ServiceAction, ...] = ()
    filters: tuple[FilterAction, ...] = ()
    elements: tuple[ElementAction, ...] = ()

    def __post_init__(self) -> None:
        if not any((self.files, self.values, self.services, self.filters, self.elements)):
            raise ValueError(f"a playbook has at least one of {', '.join(ACTIONS)}")


ACTIONS = ("files", "values", "services", "filters", "elements")


def has_pattern(name: str) -> bool:
    """Whether a name stands for several."""
    return "*" in name or "?" in name


class _Known:
    """A text that is one of some."""

    def __init__(self, what: str, names: tuple[str, ...]) -> None:
        self._names = names
        self.said = f"{what} ({', '.join(names)})" if len(names) < SHORT else what

    def read(self, node: YamlNode) -> str:
        if node.value not in self._names:
            near = meant(str(node.value), self._names) if len(self._names) >= SHORT else ""
            raise node.error(f"{self.said} was expected, not {node.shown}{near}")
        return str(node.value)


class _Version:
    """A version; one of a single number needs no quotes."""

    said = "a version, such as 10.0.17763.1"

    def read(self, node: YamlNode) -> str:
        text = node.value if isinstance(node.value, str) else str(node.value)
        if isinstance(node.value, bool) or not VERSION.fullmatch(text):
            raise node.error(f"{self.said} was expected, not {node.shown}")
        return text


class _Words:
    """What bcdedit takes after an element's name; a number and `true` too, which YAML has no need to quote."""

    said = "a word, a number, true, false, or a list of words"
    _word = Text("a word that is no switch", WORD)

    def read(self, node: YamlNode) -> str | list[str]:
        if isinstance(node.value, list):
            return [self._word.read(each) for each in node.value]
        if isinstance(node.value, bool):
            return "Yes" if node.value else "No"
        return str(node.value) if isinstance(node.value, int) else self._word.read(node)


_PATH = Text(f"a path that begins with {SYSTEM_ROOT} or {SYSTEM_DRIVE}", PATH)
_HIVE = _Known("a hive", ("SYSTEM", "SOFTWARE"))
_KEY = Text("a key's path below its hive", KEY)
_VALUE = Text("a value's name ('' is the default one)", re.compile(r"[^\x00-\x1f\ud800-\udfff]*"))
_ALL = Text("a text in which * and ? stand for others")
_VERSION = _Version()
_BUILD = Number(1, 1 << 20)

WINDOWS = Form(
    "windows",
    Windows,
    (
        Field("name", _ALL, "what the Windows calls itself (ProductName)"),
        Field("edition", _ALL, "its edition (EditionID)"),
        Field("build-from", _BUILD, "the first build that it may have"),
        Field("build-to", _BUILD, "the last build that it may have"),
    ),
    some=True,
)
FILE_THERE = Form(
    "file there",
    FileThere,
    (
        Field("path", _PATH, "a file; * and ? in its last name stand for others, and one of them is enough", True),
        Field("version-from", _VERSION, "the first version that it may have, by its version resource"),
        Field("version-before", _VERSION, "the version that it has to be below"),
        Field("sha256", Many(Text("a SHA-256 in hexadecimal", SHA256)), "one of these is that of its content"),
    ),
)
VALUE_THERE = Form(
    "value there",
    ValueThere,
    (
        Field("hive", _HIVE, "the hive", True),
        Field("key", _KEY, f"the key; {CURRENT} is the control set that the loader takes", True),
        Field("name", _VALUE, "the value", True),
        Field("data", Scalar(), "what it holds; texts are compared without case"),
    ),
)
MATCH = Form(
    "match",
    Match,
    (
        Field("windows", WINDOWS, "which Windows boots"),
        Field("files", Many(FILE_THERE), "files that are there"),
        Field("services", Many(Text("a service's key", SERVICE)), "services that there are"),
        Field("values", Many(VALUE_THERE), "values of the registry that are there"),
        Field("checks", Many(_Known("a check", tuple(CHECKS))), "checks that have a finding"),
    ),
    some=True,
)
FILE_ACTION = Form(
    "file action",
    FileAction,
    (
        Field("remove", _PATH, "the files to delete; * and ? in the last name stand for others of the same folder"),
        Field("rename", _PATH, "the file to rename; or"),
        Field("to", Text("a file's name", NAME), "its new name, in the same folder"),
        Field("at-most", Number(1, MOST_FILES), f"how many files may fit; {USUAL_FILES} unless said"),
    ),
)
VALUE_ACTION = Form(
    "value action",
    ValueAction,
    (
        Field("hive", _HIVE, "the hive", True),
        Field("key", _KEY, f"the key; {CURRENT} is each control set that may boot", True),
        Field("set", _VALUE, "the value to set, with type and data; or"),
        Field("delete", _VALUE, "the value to delete"),
        Field("type", _Known("a type", tuple(TYPE_NUMBERS)), "its type"),
        Field("data", Scalar(), "what it is to hold; of REG_BINARY in hexadecimal"),
    ),
)
SERVICE_ACTION = Form(
    "service action",
    ServiceAction,
    (Field("disable", Text("a service's key", SERVICE), "the service or driver whose Start becomes 4", True),),
)
FILTER_ACTION = Form(
    "filter action",
    FilterAction,
    (
        Field("remove", Text("a service's key", SERVICE), "the driver taken out of both lists", True),
        Field("device-class", Text("a class of devices, {...}", CLASS), "the class, below Control\\Class", True),
    ),
)
ELEMENT_ACTION = Form(
    "element action",
    ElementAction,
    (
        Field("object", Text("an object of the boot store, such as {default}", OBJECT), "the object", True),
        Field("set", Text("an element's name", WORD), "the element to set, as bcdedit calls it; or"),
        Field("delete", Text("an element's name", WORD), "the element to delete"),
        Field("to", _Words(), "its value, as bcdedit takes it; of a list the words"),
    ),
)
PLAYBOOK = Form(
    "playbook",
    Rules,
    (
        Field("schema", _Known("the schema", (SCHEMA,)), "which schema this is", True),
        Field("name", Text("a name: letters, digits, hyphens", re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,79}")),
              "what plans and receipts call it", True),
        Field("description", Text(), "what it is for"),
        Field("source", Text(), "who says so: an article, a vendor's notice"),
        Field("match", MATCH, "what an image is like that it is for: all of it", True),
        Field("files", Many(FILE_ACTION), "files to remove or rename"),
        Field("values", Many(VALUE_ACTION), "values of the registry to set or delete"),
        Field("services", Many(SERVICE_ACTION), "services to disable"),
        Field("filters", Many(FILTER_ACTION), "filters of classes of devices to take out"),
        Field("elements", Many(ELEMENT_ACTION), "elements of the boot store to set or delete"),
    ),
)  # fmt: skip
FORMS = (
    PLAYBOOK, MATCH, WINDOWS, FILE_THERE, VALUE_THERE,
    FILE_ACTION, VALUE_ACTION, SERVICE_ACTION, FILTER_ACTION, ELEMENT_ACTION,
)  # fmt: skip
