"""A result as it is read back from an output, which somebody else may have written: its fields and their types.

All forms are read by this one description, in its two shapes: the whole document (`ScanResult.to_dict`), and the row
(`fleet.rows`). Further fields are let be: a later version may have written them. A check takes a value as JSON has it,
and raises TypeError, ValueError or KeyError where it is something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

from vmrescue.errors import FormatError
from vmrescue.fleet.result import Status
from vmrescue.fleet.rows import COLUMNS
from vmrescue.plan.schema import number, parse, some

Check = Callable[[Any], object]

# Characters: a result holds the changes that would mend its image, as a plan does, and is read into memory.
LONGEST = 64 << 20
DEEPEST = 64  # levels; a finding's evidence and changes have six


def text(value: Any) -> None:
    """A text, with halves of characters too: a path on Linux may be any bytes."""
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r:.40}")


def truth(value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"true or false was expected, not {value!r:.40}")


def seconds(value: Any) -> None:
    if not isinstance(value, float):
        number(value)


def status(value: Any) -> None:
    if value not in get_args(Status):
        raise ValueError(f"a status was expected, not {value!r:.40}")


def one_of(values: Iterable[str]) -> Check:
    """One of some texts."""

    def check_one(value: Any) -> None:
        if value not in values:
            raise ValueError(f"one of {', '.join(values)} was expected, not {value!r:.40}")

    return check_one


def list_of(check: Check) -> Check:
    def check_all(value: Any) -> None:
        for each in some(value):
            check(each)

    return check_all


def or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def fields(needed: dict[str, Check], perhaps: dict[str, Check] | None = None) -> Check:
    """An object with these fields, and perhaps some of others."""

    def check_fields(value: Any) -> None:
        if not isinstance(value, dict):
            raise TypeError(f"an object was expected, not {value!r:.40}")
        for name, check in needed.items():
            check(value[name])
        for name in value.keys() & (perhaps or {}).keys():
            (perhaps or {})[name](value[name])

    return check_fields


def anything(value: Any) -> None:
    """Whatever JSON has."""


RESULT: dict[str, Check] = {"image": text, "status": status, "seconds": seconds, "bytes_read": number}
DISK: dict[str, Check] = {"format": text, "size": number, "style": text, "id": or_null(text)}
WINDOWS: dict[str, Check] = dict.fromkeys(
    ("product", "edition", "version", "build", "computer_name"), or_null(text)
) | {"os_volume": number}
VOLUME: dict[str, Check] = (
    dict.fromkeys(("disk", "partition", "start", "size"), number)
    | dict.fromkeys(("role", "letter", "file_system", "label"), or_null(text))
    | dict.fromkeys(("cluster_size", "free"), or_null(number))
)
FINDING: dict[str, Check] = dict.fromkeys(("check", "severity", "summary", "meaning", "step"), text) | {
    "evidence": anything,
    "changes": anything,
}
SINCE: dict[str, Check] = {  # not from the first version on
    "applicability": text,
    "on_request": truth,
    "commands": list_of(list_of(text)),
    "repair": or_null(list_of(text)),
    "refused": or_null(text),
}
NOT_CHECKED: dict[str, Check] = {"check": text, "because": text}
DIAGNOSIS: dict[str, Check] = {
    "disk": fields(DISK),
    "generation": or_null(number),
    "windows": or_null(fields({}, WINDOWS)),
    "volumes": list_of(fields(VOLUME)),
    "findings": list_of(fields(FINDING, SINCE)),
}
SINCE_OF_DIAGNOSIS: dict[str, Check] = {"refusal": or_null(text), "not_checked": list_of(fields(NOT_CHECKED))}
DOCUMENT = fields(
    RESULT
    | {
        "error": or_null(fields({"message": text})),
        "diagnosis": or_null(fields(DIAGNOSIS, SINCE_OF_DIAGNOSIS)),
    }
)

KINDS: dict[type, Check] = {str: text, float: seconds, int: number, bool: truth, list: list_of(text)}
CELLS: dict[str, Check] = {name: or_null(KINDS[kind]) for name, kind in COLUMNS.items()}
ROW_FIELDS = CELLS | RESULT | {"checks": list_of(text)}
ROW = fields(ROW_FIELDS)
IN_BRIEF = fields(dict.fromkeys(("check", "severity", "summary"), text) | {"commands": list_of(text)})
PAGE_ROW = fields(ROW_FIELDS, {"findings": list_of(IN_BRIEF)})


def checked(value: Any, shape: Check, where: str, what: str = "a scan") -> dict[str, Any]:
    """The result (of `what`) that it is. Raises FormatError, which names the file and its line, where it is none."""
    try:
        shape(value)
    except (KeyError, TypeError, ValueError) as error:
        raise _no_result(where, error, what) from error
    found: dict[str, Any] = value
    return found


def parsed(line: Any, shape: Check, where: str, what: str = "a scan") -> dict[str, Any]:
    """The result that a text is as JSON. Raises FormatError, as `checked`."""
    try:
        text(line)
        value = parse(line)
        _check_depth(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _no_result(where, error, what) from error
    return checked(value, shape, where, what)


def _check_depth(value: Any) -> None:
    """Raises ValueError where it is too deep for those who take it apart level by level."""
    level = [value]
    for _ in range(DEEPEST):
        lists = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [inner for each in lists for inner in each]
    if level:
        raise ValueError(f"at most {DEEPEST} levels were expected")


def _no_result(where: str, error: Exception, what: str) -> FormatError:
    """As a line of a file has no byte that we know, its number stands in `where`."""
    why = f"no field {error}" if isinstance(error, KeyError) else f"{error}"[:120]
    return FormatError(where, None, f"a result of {what}", f"something else: {why}")
