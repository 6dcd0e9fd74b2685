"""A diagnosis, an inventory and a plan as plain text: for a terminal or a log file."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from vmrescue.bcd.elements import Format
from vmrescue.bcd.naming import ElementKey
from vmrescue.checks.fact import ABSENT, SHOWN_ITEMS
from vmrescue.diagnosis.command_line import commands, mending, only, repair_command, to_tell
from vmrescue.plan import DeleteFile, DeleteKey, SetValue
from vmrescue.printable import printable
from vmrescue.report.fold import fold, fold_command, terminal_width
from vmrescue.units import counted, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.checks import Finding
    from vmrescue.checks.fact import Told
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Change, Plan, RegistryData

INDENT = " " * 10
SHOWN_PLACES = 3  # files that a summary names
VALUE = "Element"  # the one value of an element's key


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """What is wrong with an image, worst news in the order of the procedure."""
    lines = [headline(diagnosis)]
    lines += [f"note: {printable(warning)}" for warning in diagnosis.warnings]
    if diagnosis.symptom:
        said = f"symptom {diagnosis.symptom.text}: {diagnosis.symptom.said(diagnosis.boot, diagnosis.findings)}"
        lines += fold(printable(said), rest="  ")
    common: set[tuple[str, str]] = set()
    for finding in diagnosis.findings:
        lines += ["", *_finding_lines(diagnosis, finding, common)]
    odd = untold_lines(diagnosis)
    return "\n".join([*lines, *(("", *odd) if odd else ()), "", *not_checked_lines(diagnosis), _verdict(diagnosis)])


def summary_text(diagnosis: Diagnosis) -> str:
    """The image and each finding in a line: what a list of many images, or a demonstration, shows."""
    findings = map(finding_line, diagnosis.findings)
    rest = (*untold_lines(diagnosis), *not_checked_lines(diagnosis), _verdict(diagnosis))
    return "\n".join([headline(diagnosis), *findings, *rest])


def untold_lines(diagnosis: Diagnosis) -> list[str]:
    """What is odd on the boot path, or could not be looked at there, and is no finding: a line for each."""
    told = [
        fold(printable(f"{fact.state:9} {stage.id}: {fact.reason}"), rest=INDENT) for stage, fact in diagnosis.untold()
    ]
    more = [f"{INDENT}{len(told) - SHOWN_ITEMS} more are told by `vmrescue rehearse`"] if told[SHOWN_ITEMS:] else []
    return [line for lines in told[:SHOWN_ITEMS] for line in lines] + more


def not_checked_lines(diagnosis: Diagnosis) -> list[str]:
    """Which checks could not be run, those with the same reason in one line."""
    reasons: dict[str, list[str]] = {}
    for each in diagnosis.not_checked:
        reasons.setdefault(each.because, []).append(each.check)
    return [printable(f"not checked: {', '.join(checks)}: {because}") for because, checks in reasons.items()]


def finding_line(finding: Finding) -> str:
    """Severity, check and summary in one line."""
    return printable(f"{finding.severity:9} {finding.check}: {finding.summary}")


def headline(diagnosis: Diagnosis) -> str:
    """The image and the Windows in it, in one line."""
    windows = diagnosis.windows
    if windows is None:
        what = "a Windows on an encrypted volume" if diagnosis.locked and diagnosis.stores else "no Windows was found"
    else:
        name = windows.product or "Windows"
        build = f" (build {windows.build})" if windows.build else ""
        computer = f", computer {windows.computer_name}" if windows.computer_name else ""
        what = f"{name}{build}{computer}"
    disk = diagnosis.disk
    generation = f", generation {diagnosis.generation}" if diagnosis.generation else ""
    return printable(f"{diagnosis.image}: {what}{generation}, {disk.format}, {size_text(disk.size)}")


def _finding_lines(diagnosis: Diagnosis, finding: Finding, said: set[tuple[str, str]]) -> Iterator[str]:
    """On a terminal what the findings of a check have in common is said with the first; in a file each stands alone."""

    def common(text: str) -> Iterator[str]:
        if terminal_width() is None or (finding.check, text) not in said:
            said.add((finding.check, text))
            yield from _wrapped(text)

    from vmrescue.checks.rules import CHECKS  # here, because who prints a receipt needs no rules

    others = mending(diagnosis, finding)
    own = others in ([], [finding])
    yield finding_line(finding)
    yield from common(finding.meaning if own or not finding.intents else CHECKS[finding.check].meaning)
    yield from common(f"Procedure: {finding.step}.")
    for told in finding.told():
        for line in _told_lines(told):
            yield from _wrapped(line)
    condition = f" (only with {only(finding.check)})" if finding.applicability == "on_request" else ""
    deed = "refused repair" if finding.refused else "repair"
    for change in finding.changes[:SHOWN_ITEMS]:
        yield from _wrapped(f"{deed}{condition}: {change.title}: {' -> '.join(_sides(change))}")
    if len(finding.changes) > SHOWN_ITEMS:
        yield from _wrapped(f"{deed}{condition}: {len(finding.changes)} changes in all")
    run = commands(diagnosis, finding) if own else ()  # and what its own words say of them only with them
    for words in run:
        yield from map(printable, fold_command(words, f"{INDENT}run: ", f"{INDENT}  "))
    for option, what in to_tell(finding):
        yield from common(f"tell with {option}: {what}")
    if finding.refused:
        yield from _wrapped(f"refused: {finding.refused}")
    elif not own:
        yield from _wrapped(f"repair: {same_as(others)}")
    elif not finding.changes and not run:
        yield from _wrapped("repair: none that vmrescue can make")


def same_as(others: list[Finding]) -> str:
    """Whose repair mends a finding that has none of its own; of several, one alone would not do."""
    checks = [each.check for each in others]
    return f"the same as of {' and '.join(checks)}" + (f", together: {only(','.join(checks))}" if checks[1:] else "")


def _told_lines(told: Told) -> Iterator[str]:
    """A fact in lines: of a table, a line for each of its rows."""
    if told.head:
        for first, *rest in told.rows[:SHOWN_ITEMS]:
            yield f"{first}: " + ", ".join(f"{name} {cell}" for name, cell in zip(told.head[1:], rest, strict=False))
    else:
        yield f"{told.label}: " + ", ".join(" ".join(row) for row in told.rows[:SHOWN_ITEMS])
    if len(told.rows) > SHOWN_ITEMS:
        yield f"{told.label}: {len(told.rows)} in all"


def _wrapped(text: str) -> list[str]:
    return fold(printable(text), INDENT, INDENT + "  ")


def _verdict(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return printable(nothing_found(diagnosis))
    counts = [
        f"{count} {severity}"
        for severity in ("critical", "warning", "advice")
        if (count := sum(finding.severity == severity for finding in diagnosis.findings))
    ]
    return f"{counted(len(diagnosis.findings), 'finding')}: {', '.join(counts)}.{_offer(diagnosis)}"


def nothing_found(diagnosis: Diagnosis) -> str:
    """That nothing was found, of as much as was looked at."""
    missed = [each for each in diagnosis.ran if each in {row.check for row in diagnosis.not_checked}]
    count = len(diagnosis.ran) - len(missed)
    found = f"none of the {count} checks found anything" if count != 1 else "the one check found nothing"
    if missed:
        of_some = f"{found[0].upper()}{found[1:]}" if count else "No check could be run"
        return f"{of_some}; not checked: {', '.join(missed)}."
    if any(diagnosis.untold()):
        return f"{found[0].upper()}{found[1:]}; what is odd on the boot path, or not known, is told above."
    in_part = " in what was checked" if diagnosis.only or diagnosis.skip else ""
    return f"Nothing is wrong{in_part}: {found}."


def _offer(diagnosis: Diagnosis) -> str:
    """The command that mends what was found, or what has to be done first."""
    if diagnosis.refusal:
        return printable(f" {diagnosis.refusal}.")
    changes = len(diagnosis.plan(diagnosis.only or None))
    if diagnosis.locked and not changes:
        return printable(f" {diagnosis.locked}.")
    command = printable(shlex.join(repair_command(diagnosis)))
    unless = "" if diagnosis.promised else ", unless a hive that they change is damaged, which it looks at first"
    offer = f" `{command}` would make {counted(changes, 'change')}{unless}." if changes else ""
    left_out = sum(len(finding.changes) for finding in diagnosis.left_out(diagnosis.only or None))
    return offer + (f" {counted(left_out, 'change')} would be refused, for the reasons above." if left_out else "")


def _boot_element(change: Change) -> tuple[ElementKey, str | None, str | None] | None:
    """The element of a boot store that a change sets or deletes, with its values in bcdedit's words on both sides."""
    data: tuple[RegistryData | None, RegistryData | None]
    match change:
        case SetValue(key=key, before=before, after=after):
            data = before, after
        case DeleteKey(key=key, before=values):
            data = values.get(VALUE), None
        case _:
            return None
    if (element := ElementKey.of(key)) is None:
        return None
    found, wanted = (element.value_text(each.raw) if each else ABSENT for each in data)
    return element, found, wanted


def _meaning(change: Change) -> Iterator[str]:
    """What a change of a boot store does, in bcdedit's words; nothing for other changes."""
    if (said := _boot_element(change)) is not None:
        element, found, wanted = said
        yield f"{element.object} {element.name}" + (f": {found} -> {wanted}" if found and wanted else "")


def _sides(change: Change) -> tuple[str, str]:
    """What was found and what will be there: of a device in bcdedit's words, since its bytes tell a person nothing."""
    said = _boot_element(change)
    if said and said[0].format is Format.DEVICE and said[1] and said[2]:
        return said[1], said[2]
    return change.before_text, change.after_text


def plans_text(plans: Iterable[Plan]) -> str:
    """The changes of plans that are made one after the other, counted through."""
    texts, first = [], 1
    for plan in plans:
        texts.append(plan_text(plan, first))
        first += len(plan)
    return "\n\n".join(texts)


def plan_text(plan: Plan, first: int = 1) -> str:
    """Every change with its reason, what was found and what will be there; `first`: the first one's number."""
    lines = []
    for number, step in enumerate(plan.steps, first):
        change = step.change
        found, wanted = _sides(change)
        lines += [
            printable(f"{number:3}. {change.title}"),
            *(printable(f"     that is {meaning}") for meaning in _meaning(change)),
            printable(f"     in      {change.file}"),
            printable(f"     before  {found}"),
            printable(f"     after   {wanted}"),
            printable(f"     because {step.check}: {step.reason}"),
        ]
    return "\n".join(lines)


def plan_summary(plan: Plan) -> str:
    """A line for each check that proposed changes: how many, and of which files."""
    groups: dict[str, list[Change]] = {}
    for step in plan.steps:
        groups.setdefault(step.check, []).append(step.change)
    width = max(map(len, groups), default=0)
    return "\n".join(printable(f"  {check:{width}}  {_summed(changes)}") for check, changes in groups.items())


def _summed(changes: list[Change]) -> str:
    places = list(dict.fromkeys(str(change.file) for change in changes))
    if len(places) > SHOWN_PLACES:
        places = [f"{len(places)} files"]
    deleted = [change.size for change in changes if isinstance(change, DeleteFile)]
    won = f" ({counted(len(deleted), 'file')} of {size_text(sum(deleted))} deleted)" if deleted else ""
    return f"{counted(len(changes), 'change')} in {', '.join(places)}{won}"
