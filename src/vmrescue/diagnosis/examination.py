"""Images examined: which Windows is on them, what the checks find in it, and what stands in the way of mending it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.checks.facts import Link
from vmrescue.checks.finding import Finding
from vmrescue.checks.policy import Policy
from vmrescue.checks.rules import CHECKS, chosen, of_volumes_alone
from vmrescue.checks.steps import Step
from vmrescue.checks.subject import Subject
from vmrescue.diagnosis.described import DiskFacts, VolumeFacts, WindowsFacts
from vmrescue.diagnosis.diagnosis import Diagnosis, NotChecked
from vmrescue.diagnosis.disks import open_disks, whatever_there_is
from vmrescue.errors import LinkError, NotFoundError, UnsupportedError, UsageError, VmRescueError
from vmrescue.image.containers.parents import parent_folder
from vmrescue.windows import Installation
from vmrescue.windows.installation import WithoutWindows
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable

    from dissect.target import Target

    from vmrescue.checks.check import Check
    from vmrescue.windows import Disk


def diagnose(
    image: str | os.PathLike[str] | Target,
    policy: Policy | None = None,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> Diagnosis:
    """Reads an image and says what is wrong in it. Nothing is written.

    Args:
        image: a virtual disk's file, a block device, the image of a bare volume, or a URL of one of these; or an opened
            `dissect.target.Target`, whose disks are taken in its order.
        policy: what counts as right; `Policy.azure()` unless given.
        data_disks: further disks of the same VM, for what the OS disk alone cannot tell.
        only, skip: ids of the checks to run, and not to run.

    Raises:
        VmRescueError: the image cannot be read, or holds no Windows.
    """
    chosen(only, skip)  # a check that there is not is said before anything is opened
    with open_disks([image, *data_disks]) as disks:
        return examine(disks, policy or Policy.azure(), only, skip)


def inventory(image: str | os.PathLike[str], data_disks: Iterable[str | os.PathLike[str]] = ()) -> Diagnosis:
    """What there is in an image, without any check: a diagnosis with no findings.

    Whatever is missing or broken in the image is a warning. Raises VmRescueError where its container cannot be opened.
    """
    with open_disks([image, *data_disks], whatever_there_is) as disks:
        try:
            return examine(disks, Policy.azure(), skip=CHECKS)
        except VmRescueError as error:
            diagnosis = _diagnosis(WithoutWindows(disks), Policy.azure(), [], None, ())
            return replace(diagnosis, warnings=[*diagnosis.warnings, *([str(error)] if disks[0].volumes else [])])


def examine(
    disks: list[Disk], policy: Policy, only: Collection[str] | None = None, skip: Collection[str] = ()
) -> Diagnosis:
    """The diagnosis of disks that are open already: the image first, then the data disks.

    Raises NotFoundError where there is no Windows, unless the checks that are wanted look at volumes alone.
    """
    wanted = chosen(only, skip)
    try:
        return _diagnosis(_found(disks, wanted), policy, wanted, only, skip)
    except UsageError as error:  # a name that Windows itself asks for fits several files: nobody here can spell it
        raise UnsupportedError(str(error)) from error


def _found(disks: list[Disk], wanted: Collection[Check]) -> Installation | WithoutWindows:
    try:
        return Installation(disks)
    except NotFoundError:
        if not wanted or not of_volumes_alone(wanted):
            raise
        return WithoutWindows(disks)


def _diagnosis(
    found: Installation | WithoutWindows,
    policy: Policy,
    wanted: Collection[Check],
    only: Collection[str] | None,
    skip: Collection[str],
) -> Diagnosis:
    installation = found if isinstance(found, Installation) else None
    disks, parents = found.disks, parent_folder()
    subject = Subject(found, policy)
    obstacles = Obstacles(disks, installation.hives if installation else ())
    refusal = obstacles.everywhere or subject.locked
    findings, not_checked = run(wanted, subject)
    windows = WindowsFacts.of(installation) if installation else None
    return Diagnosis(
        image=disks[0].path,
        disk=DiskFacts.of(disks[0]),
        generation=installation.generation if installation else None,
        windows=windows,
        volumes=[VolumeFacts.of(volume) for volume in found.volumes],
        findings=[_judged(finding, refusal, obstacles, installation) for finding in findings],
        not_checked=not_checked,
        warnings=_warnings(disks, installation),
        policy=policy,
        data_disks=tuple(disk.path for disk in disks[1:]),
        parents=str(parents) if parents else None,
        only=tuple(only or ()),
        skip=tuple(skip),
        refusal=refusal,
    )


def run(checks: Iterable[Check], subject: Subject) -> tuple[list[Finding], list[NotChecked]]:
    """What checks find, and what could not be looked at: one that cannot be run keeps no other from it."""
    findings: list[Finding] = []
    not_checked: list[NotChecked] = []
    for check in checks:
        if because := subject.why_missing(check.needs):
            not_checked.append(NotChecked(check.id, because))
            continue
        try:
            for finding in check.look(subject):
                findings.append(finding)  # noqa: PERF402 - what is found before an error counts
        except (LinkError, NotFoundError) as error:
            if isinstance(error, LinkError):
                findings.append(_hidden(check, error))
            not_checked.append(NotChecked(check.id, str(error)))
    return findings, not_checked


def _hidden(check: Check, error: LinkError) -> Finding:
    """That a symbolic link hides what a check asks for is a finding too."""
    return Finding(
        check=check.id,
        severity="warning",
        summary=f"not checked: {error}",
        meaning="What Windows would find there is not known, and nothing is written there.",
        step=Step.REPAIR_VM,
        facts=(Link(error.link, error.target),),
    )


def _judged(finding: Finding, refusal: str | None, obstacles: Obstacles, installation: Installation | None) -> Finding:
    """A finding with why its changes, or what it advises, would be refused."""
    if not (finding.changes or finding.intents):
        return finding
    why = refusal or next((why for change in finding.changes if (why := obstacles.why_not(change))), None)
    why = why or obstacles.why_too_long(finding.changes, alone=finding.on_request)
    if not why and finding.intents and installation and installation.os:  # these move or make room on its volume
        why = obstacles.why_not_on(installation.os.volume)
    return replace(finding, refused=why) if why else finding


def _warnings(disks: list[Disk], installation: Installation | None) -> list[str]:
    warnings = [warning for disk in disks for warning in disk.warnings]
    if installation:
        warnings += installation.os.warnings if installation.os else []
        warnings += [note for hive in installation.hives for note in hive.notes()]
    return warnings
