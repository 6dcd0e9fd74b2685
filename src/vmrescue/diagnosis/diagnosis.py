"""A diagnosis: what is in an image and what is wrong with it, as plain data that outlives the open disk."""

from __future__ import annotations

import shlex
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.checks.policy import Policy
from vmrescue.checks.rules import chosen
from vmrescue.dataclass import dataclass
from vmrescue.diagnosis.command_line import commands, next_commands, repair_of
from vmrescue.diagnosis.symptom import BOOT_PATH, Symptom
from vmrescue.plan import ImageIdentity, Plan, Step
from vmrescue.rehearsal.stage import State
from vmrescue.windows.installation import Choice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.diagnosis.command_line import Command
    from vmrescue.diagnosis.described import DiskFacts, LoaderFacts, StoreFacts, SystemFacts, VolumeFacts, WindowsFacts
    from vmrescue.rehearsal import Fact, Rehearsal, Stage

SCHEMA = "vmrescue.diagnosis/1"


@dataclass(frozen=True)
class NotChecked:
    """A check that could not be run, or not to its end, and why."""

    check: str
    because: str

    def to_dict(self) -> dict[str, str]:
        return {"check": self.check, "because": self.because}


def left_unchecked(missed: Iterable[NotChecked]) -> list[str]:
    """That checks could not be run, as `Finding.left` says it of a finding: those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for each in missed:
        reasons.setdefault(each.because, []).append(each.check)
    return [
        f"{', '.join(checks)} {'were' if len(checks) > 1 else 'was'} not checked: {because}"
        for because, checks in reasons.items()
    ]


@typed
@dataclass(frozen=True)
class Diagnosis:
    """What was found in an image.

    Attributes:
        image: its path, as it was given.
        disk: container, size, partition style and id.
        generation: 1 (BIOS, MBR) or 2 (UEFI, GPT); None where nothing of a Windows was found, or a bare volume does not
            tell.
        windows: what the installation that boots says of itself; None where its volume is encrypted or damaged, or
            there is none.
        volumes: every partition, in the order of the disks.
        findings: in the order of the checks.
        not_checked: what could not be looked at.
        warnings: what was odd about the container or the partition table, though it could be read.
        policy: what counted as right.
        data_disks: the paths of further disks of the VM.
        parents: the folder in which a differencing VHD's parents were looked for.
        only, skip: the checks that were asked for by name, and those that were left out.
        refusal: where nothing may be changed on these disks: why, and what to do first (`windows.why_not`).
        locked: why the Windows that boots is out of reach, where it is encrypted.
        choice: what was said to boot.
        stores: the boot stores of the image, the one that boots first.
        systems: the Windows on the disks, the one that boots first.
        loaders: what the stores would start.
        ran: the checks that were to run, those that could not be run included.
        promised: whether each hive that is to be changed was looked at as a whole; of an image far away it was not.
        boot: the rehearsal of a start; None where `boot-path` was not among the checks, or there is no Windows.
        symptom: what was seen on the screen, where that was told.
    """

    image: str
    disk: DiskFacts
    generation: int | None
    windows: WindowsFacts | None
    volumes: list[VolumeFacts]
    findings: list[Finding]
    not_checked: list[NotChecked] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    policy: Policy = field(default_factory=Policy)
    data_disks: tuple[str, ...] = ()
    parents: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    refusal: str | None = None
    locked: str | None = None
    choice: Choice = field(default_factory=Choice)
    stores: list[StoreFacts] = field(default_factory=list)
    systems: list[SystemFacts] = field(default_factory=list)
    loaders: list[LoaderFacts] = field(default_factory=list)
    ran: tuple[str, ...] = ()
    promised: bool = False
    boot: Rehearsal | None = None
    symptom: Symptom | None = None

    @property
    def healthy(self) -> bool:
        """Whether there is nothing worse than advice, and nothing that could not be looked at."""
        return self.is_healthy()

    def is_healthy(self, only: Collection[str] | None = None, skip: Collection[str] = ()) -> bool:
        """As `healthy`, for the checks `only`, without those of `skip`: what the exit status 0 says."""
        wanted = {check.id for check in chosen(only, skip)}
        left = [each for each in self.findings if each.severity != "advice" and each.check in wanted]
        return not left and not any(each.check in wanted for each in self.not_checked)

    def explaining(self, text: str) -> Diagnosis:
        """The same with what was seen on the screen (a code, words): the findings that explain it stand first."""
        symptom = Symptom.of(text)
        return replace(self, symptom=symptom, findings=symptom.first(self.findings, self.boot))

    def plan(self, only: Collection[str] | None = None, skip: Collection[str] = ()) -> Plan:
        """The changes that mend the findings (of the checks `only`, without those of `skip`).

        Findings that are mended only on request count when `only` names their check; those whose changes are refused
        do not.
        """
        steps = [
            Step(finding.check, finding.summary, change)
            for finding in self._wanted(only, skip)
            if not finding.refused
            for change in finding.changes
        ]
        return Plan(ImageIdentity(self.disk.size, self.disk.id), tuple(steps), policy=self.policy.said)

    def left_out(self, only: Collection[str] | None = None, skip: Collection[str] = ()) -> list[Finding]:
        """The findings whose changes `plan` leaves out, because they are refused."""
        return [finding for finding in self._wanted(only, skip) if finding.refused and finding.changes]

    def unmended(self, only: Collection[str] | None = None, skip: Collection[str] = ()) -> list[str]:
        """What is worse than advice and is not mended by `plan`: in sentences, with the commands that help."""
        wanted = {check.id for check in chosen(only, skip)}
        return [
            f"{finding.left}{_next(next_commands(self, finding))}"
            for finding in self.findings
            if finding.check in wanted and finding.severity != "advice" and not self._mends(finding, only)
        ] + left_unchecked(each for each in self.not_checked if each.check in wanted)

    def standing(self, only: Collection[str] | None) -> Finding | None:
        """Where a start ends, for checks of the boot path that find nothing: what they look at may lie behind.

        None where no such check was asked for by name, or no start was rehearsed, or it does not end.
        """
        asked = any(check.family == "boot" for check in chosen(only, ())) if only else False
        return next((each for each in self.findings if asked and each.check == BOOT_PATH), None)

    def untold(self) -> Iterator[tuple[Stage, Fact]]:
        """What the rehearsal found odd, or could not look at, and no finding tells: no alarm, and not nothing.

        What lies behind a stop, or is the reason why checks could not be run, is not said again.
        """
        path = self.boot.stages if self.boot else ()
        shown = {State.ODD} if self.not_checked or any(stage.stop for stage in path) else {State.ODD, State.UNKNOWN}
        said: set[str] = set()
        about = {reason for each in self.findings for reason in each.about}
        for stage in path:
            for fact in stage.facts:
                told = fact.said in said or fact.reason in about
                told = told or any(each.summary.startswith(fact.what) for each in self.findings)
                if fact.state in shown and not told:
                    said.add(fact.said)
                    yield stage, fact

    def _mends(self, finding: Finding, only: Collection[str] | None) -> bool:
        """Whether `plan` holds changes of a finding."""
        return bool(finding.changes) and not finding.refused and bool(only or not finding.on_request)

    def _wanted(self, only: Collection[str] | None, skip: Collection[str]) -> list[Finding]:
        wanted = {check.id for check in chosen(only, skip)}
        return [each for each in self.findings if each.check in wanted and (only or not each.on_request)]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "image": self.image,
            "disk": self.disk.to_dict(),
            "generation": self.generation,
            "windows": self.windows.to_dict() if self.windows else None,
            "stores": [store.to_dict() for store in self.stores],
            "systems": [system.to_dict() for system in self.systems],
            "loaders": [loader.to_dict() for loader in self.loaders],
            "volumes": [volume.to_dict() for volume in self.volumes],
            "findings": [self._finding(finding) for finding in self.findings],
            **({"symptom": self._symptom(self.symptom)} if self.symptom else {}),
            "boot": self.boot.to_dict() if self.boot else None,
            "not_checked": [each.to_dict() for each in self.not_checked],
            "checks": list(self.ran),
            "refusal": self.refusal,
            "warnings": self.warnings,
        }

    def _symptom(self, symptom: Symptom) -> dict[str, Any]:
        return {"text": symptom.text, "said": symptom.said(self.boot, self.findings)}

    def _finding(self, finding: Finding) -> dict[str, Any]:
        """A finding, with what is to be typed."""
        repair = repair_of(self, finding)
        typed = {
            "commands": [list(words) for words in commands(self, finding)],
            "repair": list(repair) if repair else None,
        }
        return finding.to_dict() | typed


def _next(commands: tuple[Command, ...]) -> str:
    return "".join(f"; next: `{shlex.join(words)}`" for words in commands)
