"""The diagnosis of an image: what is in it and what is wrong with it, as plain data that outlives the open disk."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vmrescue.checks import steps
from vmrescue.checks.commands import repair_options
from vmrescue.checks.finding import Finding
from vmrescue.checks.policy import Policy
from vmrescue.checks.rules import OF_VOLUMES, RULES, chosen
from vmrescue.errors import FormatError, LinkError, NotFoundError, UnsupportedError, VmRescueError
from vmrescue.image import open_disk
from vmrescue.image.notices import tell
from vmrescue.image.reference import shown
from vmrescue.image.transports.target_disk import TargetDisk, each_disk
from vmrescue.plan import ImageIdentity, Plan, Step
from vmrescue.volume import PartitionTable
from vmrescue.windows import Disk, Installation
from vmrescue.windows.bare_hive import disk_or_hive
from vmrescue.windows.installation import WithoutWindows
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Iterator

    from dissect.target import Target

    from vmrescue.image import VirtualDisk
    from vmrescue.windows import OperatingSystem, Volume

SCHEMA = "vmrescue.diagnosis/1"


@dataclass(frozen=True)
class Diagnosis:
    """What was found in an image.

    Attributes:
        image: its path, as it was given.
        disk: container, size, partition style and id.
        generation: 1 (BIOS, MBR) or 2 (UEFI, GPT); None where no Windows was looked for, or none found.
        windows: what the installation says of itself; None where its volume is encrypted, or there is none.
        volumes: every partition, in the order of the disks.
        findings: in the order of the procedure's steps.
        warnings: what was odd about the container or the partition table, though it could be read.
        options: those of the command line, as words, that say what the VM is: policy, data disks, parents' folder.
        choice: those that say which checks ran, as words.
        only: the checks that were asked for by name.
        refusal: where nothing may be changed on these disks: why, and what to do first (`windows.why_not`).
    """

    image: str
    disk: dict[str, Any]
    generation: int | None
    windows: dict[str, Any] | None
    volumes: list[dict[str, Any]]
    findings: list[Finding]
    warnings: list[str] = field(default_factory=list)
    options: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether there is nothing worse than advice."""
        return all(finding.severity == "advice" for finding in self.findings)

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
        return Plan(ImageIdentity(self.disk["size"], self.disk["id"]), tuple(steps))

    def left_out(self, only: Collection[str] | None = None, skip: Collection[str] = ()) -> list[Finding]:
        """The findings whose changes `plan` leaves out, because they are refused."""
        return [finding for finding in self._wanted(only, skip) if finding.refused and finding.changes]

    def _wanted(self, only: Collection[str] | None, skip: Collection[str]) -> list[Finding]:
        wanted = chosen(only, skip)
        return [each for each in self.findings if each.check in wanted and (only or not each.on_request)]

    def repair_command(self, check: str | None = None) -> tuple[str, ...]:
        """The words of the command that mends the findings (of one check) as this diagnosis would have it."""
        choice = ("--only", check) if check else self.choice
        return ("vmrescue", "repair", *choice, *self.options, self.image)

    def remedy(self, check: str | None = None) -> str:
        """`repair_command` as it is to be typed; where nothing may be changed, why, and what is to be done first."""
        return self.refusal or shlex.join(self.repair_command(check))

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "image": self.image,
            "disk": self.disk,
            "generation": self.generation,
            "windows": self.windows,
            "volumes": self.volumes,
            "findings": [finding.to_dict() | {"repair": self._repair(finding)} for finding in self.findings],
            "refusal": self.refusal,
            "warnings": self.warnings,
        }

    def _repair(self, finding: Finding) -> list[str] | None:
        return list(self.repair_command(finding.check)) if finding.changes and not finding.refused else None


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
    with open_disks([image, *data_disks], _whatever_there_is) as disks:
        try:
            return examine(disks, Policy.azure(), skip=RULES)
        except VmRescueError as error:
            return _without_windows(disks, Policy.azure(), warnings=[str(error)] if disks[0].volumes else [])


def _whatever_there_is(device: VirtualDisk, path: str, index: int) -> Disk:
    """A disk whose table cannot be read has no volumes, and says why."""
    try:
        return disk_or_hive(device, path, index)
    except FormatError as error:
        return Disk(device, path, index, PartitionTable("none", device.sector_size, None, [], [str(error)]))


@contextmanager
def open_disks(
    images: Iterable[str | os.PathLike[str] | Target], read: Callable[[VirtualDisk, str, int], Disk] = disk_or_hive
) -> Iterator[list[Disk]]:
    """The disks of `images`, opened read-only and closed at the end."""
    with ExitStack() as opened:
        disks = []
        for index, image in enumerate(each_disk(images)):
            device = image if isinstance(image, TargetDisk) else open_disk(image)
            opened.callback(device.close)
            path = image.path if isinstance(image, TargetDisk) else shown(image)
            disks.append(read(device, path, index))
            tell(path, disks[-1].warnings)
        yield disks


def examine(
    disks: list[Disk], policy: Policy, only: Collection[str] | None = None, skip: Collection[str] = ()
) -> Diagnosis:
    """The diagnosis of disks that are open already: the image first, then the data disks.

    Raises NotFoundError where there is no Windows, unless the checks that are wanted look at volumes alone.
    """
    wanted = chosen(only, skip)
    try:
        installation = Installation(disks)
    except NotFoundError:
        if not wanted or set(wanted) - set(OF_VOLUMES):
            raise
        return _without_windows(disks, policy, wanted, only, skip)
    obstacles = Obstacles(disks, installation.hives)
    refusal = obstacles.everywhere or _locked(installation)
    findings = [
        _judged(finding, refusal, obstacles, installation.os)
        for rule in wanted
        for finding in _findings(rule, installation, policy)
    ]
    options, choice = repair_options(policy, disks, only, skip)
    return Diagnosis(
        image=disks[0].path,
        disk=_describe_disk(disks[0]),
        generation=installation.generation,
        windows=_describe_windows(installation),
        volumes=[_describe_volume(volume) for volume in installation.volumes],
        findings=findings,
        warnings=[*(warning for disk in disks for warning in disk.warnings), *_os_warnings(installation)],
        options=options,
        choice=choice,
        only=tuple(only or ()),
        refusal=refusal,
    )


def _findings(rule: str, installation: Installation, policy: Policy) -> Iterator[Finding]:
    """What a rule finds; that a symbolic link hides what it asks for is a finding too, and the other rules go on."""
    try:
        yield from RULES[rule](installation, policy)
    except LinkError as error:
        yield Finding(
            check=rule,
            severity="warning",
            summary=f"not checked: {error}",
            meaning="What Windows would find there is not known, and nothing is written there.",
            step=steps.REPAIR_VM,
            evidence={"key": error.link, "target": error.target},
        )


def _locked(installation: Installation) -> str | None:
    """What boots a Windows that nobody can read is not changed: BitLocker would ask for its recovery key."""
    if installation.os is not None:
        return None
    places = ", ".join(f"{volume} at byte {volume.position}" for volume in installation.encrypted)
    return f"the OS volume is encrypted with BitLocker ({places}): unlock it first"


def _judged(finding: Finding, refusal: str | None, obstacles: Obstacles, windows: OperatingSystem | None) -> Finding:
    """A finding with why its changes, or the commands that it recommends, would be refused."""
    if not (finding.changes or finding.commands):
        return finding
    why = refusal or next((why for change in finding.changes if (why := obstacles.why_not(change))), None)
    if not why and finding.commands and windows:  # they delete, move or make room on the OS volume
        why = obstacles.why_not_on(windows.volume)
    return replace(finding, refused=why, commands=()) if why else finding


def _without_windows(
    disks: list[Disk],
    policy: Policy,
    wanted: Collection[str] = (),
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    warnings: Iterable[str] = (),
) -> Diagnosis:
    """What can be said of disks on which no Windows was found."""
    found, obstacles = WithoutWindows(disks), Obstacles(disks)
    options, choice = repair_options(policy, disks, only, skip)
    return Diagnosis(
        image=disks[0].path,
        disk=_describe_disk(disks[0]),
        generation=None,
        windows=None,
        volumes=[_describe_volume(volume) for volume in found.volumes],
        findings=[
            _judged(finding, obstacles.everywhere, obstacles, None)
            for rule in wanted
            for finding in OF_VOLUMES[rule](found, policy)
        ],
        warnings=[*(warning for disk in disks for warning in disk.warnings), *warnings],
        options=options,
        choice=choice,
        only=tuple(only or ()),
        refusal=obstacles.everywhere,
    )


def _os_warnings(installation: Installation) -> list[str]:
    notes = [note for hive in installation.hives for note in hive.notes()]
    return [*(installation.os.warnings if installation.os else []), *notes]


def _describe_disk(disk: Disk) -> dict[str, Any]:
    return {
        "format": disk.device.format,
        "size": disk.device.size,
        "sector_size": disk.table.sector_size,
        "style": disk.table.style,
        "id": disk.id,
    }


def _describe_windows(installation: Installation) -> dict[str, Any] | None:
    windows = installation.os
    if windows is None:
        return None
    return {
        "product": windows.product.name,
        "edition": windows.product.edition,
        "version": windows.product.version,
        "build": windows.product.build,
        "computer_name": windows.computer_name,
        "root": windows.root,
        "control_sets": windows.control_sets,
        "current_control_set": windows.current_control_set,
        "os_volume": windows.volume.partition.number,
        "boot_volume": installation.boot.volume.partition.number,
        "boot_store": installation.boot.hive.path,
    }


def _describe_volume(volume: Volume) -> dict[str, Any]:
    partition = volume.partition
    return {
        "disk": volume.disk.index,
        "partition": partition.number,
        "start": partition.start,
        "size": partition.size,
        "role": partition.role,
        "type": partition.type_name,
        "active": partition.active,
        "name": partition.name,
        "letter": volume.letter,
        "file_system": volume.file_system,
        **_describe_file_system(volume),
    }


def _describe_file_system(volume: Volume) -> dict[str, Any]:
    """All None where it cannot be read: that a volume is damaged is a finding, and no reason to say nothing else."""
    described: dict[str, Any] = dict.fromkeys(("label", "cluster_size", "free"))
    if volume.readable:
        with suppress(FormatError, UnsupportedError, NotFoundError):
            files = volume.files
            described = {"label": files.label, "cluster_size": files.cluster_size, "free": files.free_bytes}
    return described
