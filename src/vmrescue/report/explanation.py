"""What a check looks for and what a stop code means: as text, as a page for the documentation, as a table.

All of it is made from what the checks declare (`checks.check`) and from the table of stop codes; here it is only added
how a repair is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.checks.check import FAMILIES, Check
from vmrescue.checks.rules import CHECKS
from vmrescue.checks.screens import SCREENS
from vmrescue.checks.steps import PROCEDURE, RunbookStep
from vmrescue.checks.stop_codes import STOP_CODES, StopCode
from vmrescue.diagnosis.command_line import COMMANDS, only
from vmrescue.rehearsal.endings import stages_of
from vmrescue.report.fold import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.screens import Screen

LABEL = 12  # characters before what is said
SCHEMA = "vmrescue.checks/1"
MADE = "vmrescue explain --format markdown"


def text_of(thing: Check | StopCode | Screen) -> str:
    """What a check looks for, or what a stop code or the words on a screen mean."""
    return check_text(thing) if isinstance(thing, Check) else code_text(thing)


def check_text(check: Check) -> str:
    """All that there is to say of a check."""
    lines = [f"{check.id}: {check.severity}, about {check.family}", *_wrapped("", _sentence(check.title)), ""]
    for label, said in _said(check):
        lines += _wrapped(label, said)
    return "\n".join(lines)


def code_text(code: StopCode | Screen) -> str:
    """What a stop code or a message means, and which checks look for a cause of it."""
    name = f" ({code.name})" if isinstance(code, StopCode) and code.name else ""
    lines = [f"{code}{name}: shown by the {code.where}", *_wrapped("", code.meaning), ""]
    if isinstance(code, StopCode) and (stages := stages_of(code.number)):
        lines += [*_wrapped("", f"A start may end with it in: {', '.join(stages)}."), ""]
    if code.checks:
        for name in code.checks:
            lines += _wrapped(name, CHECKS[name].title, max(map(len, code.checks)) + 2)
        lines.append("")
        lines += _wrapped("", f"To look for these in an image: vmrescue diagnose IMAGE {only(','.join(code.checks))}")
    else:
        lines += [*_wrapped("", "No check looks for a cause of it yet."), ""]
    return "\n".join([*lines, *_wrapped("Source", code.source)])


def list_text() -> str:
    """The checks by family, and the codes, a line each."""
    lines = []
    width = max(map(len, CHECKS)) + 2
    for family in FAMILIES:
        lines += [f"Checks about {family}:"]
        for check in _of(family):
            lines += _wrapped(check.id, f"{check.severity}: {check.title}", width + 2, "  ")
        lines.append("")
    lines.append("Stop codes:")
    for code in STOP_CODES.values():
        lines += _wrapped(str(code), code.meaning, width + 2, "  ")
    lines += ["", "Messages without a code:"]
    for screen in SCREENS:
        lines += [f"  {screen}", *fold(screen.meaning, " " * 4, " " * 4)]
    return "\n".join([*lines, "", "vmrescue explain CHECK or CODE, or words from the screen, says more."])


def to_dict() -> dict[str, Any]:
    """The checks and the codes as data."""
    checks = [
        {
            "check": check.id,
            "family": check.family,
            "severity": check.severity,
            "title": check.title,
            "meaning": check.meaning,
            "fires": check.fires,
            "repair": check.repair,
            "applicability": check.applicability,
            "step": str(check.step),
            "needs": [str(part) for part in check.needs],
            "codes": [str(code) for code in codes_of(check)],
            "source": check.source,
        }
        for check in CHECKS.values()
    ]
    codes = [
        {
            "code": str(code),
            "name": code.name or None,
            "where": code.where,
            "meaning": code.meaning,
            "checks": list(code.checks),
            "stages": stages_of(code.number),
            "source": code.source,
        }
        for code in STOP_CODES.values()
    ]
    messages = [vars(screen) | {"checks": list(screen.checks)} for screen in SCREENS]
    return {"schema": SCHEMA, "checks": checks, "codes": codes, "messages": messages}


def table() -> list[str]:
    """The checks as a table in Markdown."""
    rows = [f"| `{each.id}` | {each.title} | {each.severity} | {repair_of(each)} |" for each in CHECKS.values()]
    return ["| check | what is wrong | severity | the repair |", "| --- | --- | --- | --- |", *rows]


def page() -> str:
    """docs/checks.md."""
    lines = [
        "# The checks",
        "",
        f"This page is made by `{MADE}`; the texts are those that the checks declare (`src/vmrescue/checks/`).",
        "",
        *table(),
        "",
        f'Microsoft\'s procedure "{PROCEDURE}" has these steps; these checks stand for them or for what is in the way:',
        "",
        "| step | checks |",
        "| --- | --- |",
        *(
            f"| {step} | {_names(check.id for check in CHECKS.values() if check.step == step)} |"
            for step in RunbookStep
        ),
    ]
    for family in FAMILIES:
        lines += ["", f"## About {family}"]
        for check in _of(family):
            lines += ["", f"### `{check.id}`: {check.severity}", "", _sentence(check.title), ""]
            lines += [f"- **{label}**: {said}" for label, said in _said(check)]
    lines += [
        "",
        "## Stop codes",
        "",
        "| code | shown by | what it means | checks | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {_named(code)} | {code.where} | {code.meaning} | {_names(code.checks)} | {code.source} |"
        for code in STOP_CODES.values()
    ]
    lines += [
        "",
        "## Messages without a code",
        "",
        "| message | shown by | what it means | checks | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {each.words} | {each.where} | {each.meaning} | {_names(each.checks)} | {each.source} |" for each in SCREENS
    ]
    return "\n".join(lines) + "\n"


def repair_of(check: Check) -> str:
    """What a repair does, and how it is asked for."""
    asked = f"only with `{only(check.id)}`: " if check.applicability == "on_request" else ""
    advised = [f"`{COMMANDS[each]}`" for each in check.advises]
    return asked + check.repair + (f" (see also {', '.join(advised)})" if advised else "")


def codes_of(check: Check) -> list[StopCode]:
    """The stop codes of which a check looks for a cause."""
    return [code for code in STOP_CODES.values() if check.id in code.checks]


def _of(family: str) -> list[Check]:
    return [check for check in CHECKS.values() if check.family == family]


def _said(check: Check) -> list[tuple[str, str]]:
    said = [
        ("Means", _sentence(check.meaning)),
        ("Found when", _sentence(check.fires)),
        ("Repair", _sentence(repair_of(check))),
        ("Procedure", f"{check.step}."),
        ("Needs", _sentence(", ".join(check.needs))),
    ]
    if codes := codes_of(check):
        said.append(("Stop codes", ", ".join(map(str, codes)) + "."))
    return [*said, ("Source", _sentence(check.source))]


def _sentence(text: str) -> str:
    """With a capital, unless it begins with a name, and a full stop."""
    first = text.split(maxsplit=1)[0]
    begun = text if not first.isalpha() or not first.islower() else text[0].upper() + text[1:]
    return begun if begun.endswith(".") else f"{begun}."


def _named(code: StopCode) -> str:
    return f"`{code}`{f' `{code.name}`' if code.name else ''}"


def _names(names: Iterator[str] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrapped(label: str, text: str, width: int = LABEL, before: str = "") -> list[str]:
    indent = " " * (width if label else 0)
    first = f"{before}{label}".ljust(width) if label else ""
    return fold(text.replace("`", ""), first, indent)
