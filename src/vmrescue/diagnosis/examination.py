"""Images examined: which Windows is on them, what the checks find in it, and what stands in the way of mending it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.checks.boot.boot_path import boot_path
from vmrescue.checks.intents import Copy
from vmrescue.checks.policy import Policy
from vmrescue.checks.rules import CHECKS, chosen, of_volumes_alone
from vmrescue.checks.storage.free_space import free_space
from vmrescue.checks.subject import Subject
from vmrescue.diagnosis.command_line import CHOICE
from vmrescue.diagnosis.described import DiskFacts, LoaderFacts, StoreFacts, SystemFacts, VolumeFacts, WindowsFacts
from vmrescue.diagnosis.diagnosis import Diagnosis
from vmrescue.diagnosis.disks import open_disks, whatever_there_is
from vmrescue.diagnosis.running import run
from vmrescue.errors import NotFoundError
from vmrescue.image.containers.parents import parent_folder, parents_in
from vmrescue.image.reference import Reference
from vmrescue.progress import work
from vmrescue.units import MIB, size_text
from vmrescue.windows import Choice, Installation
from vmrescue.windows.ahead import announce_free_space
from vmrescue.windows.boot_store import why_no_store
from vmrescue.windows.installation import NOTHING_SAID
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from vmrescue.checks.check import Check
    from vmrescue.checks.finding import Finding
    from vmrescue.image.transports.target_disk import Target
    from vmrescue.windows import Disk


@typed
def diagnose(
    image: str | os.PathLike[str] | Target,
    policy: Policy | None = None,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    *,
    store: str | None = None,
    windows: str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Diagnosis:
    """Reads an image and says what is wrong in it. Nothing is written.

    Args:
        image: a virtual disk's file, a block device, the image of a bare volume, or a URL of one of these; or an opened
            `dissect.target.Target`, whose disks are taken in its order.
        policy: what counts as right; `Policy.azure()` unless given.
        data_disks: further disks of the same VM, for what the OS disk alone cannot tell.
        only, skip: ids of the checks to run, and not to run; in `skip` a family (``boot``) is all of its checks. Where
            no check asks for it, no start is rehearsed.
        store, windows: which boot store and which Windows boot, where the disk does not tell: a partition's number,
            perhaps with a path (``2``, ``2:\\Boot\\BCD``).
        parent_dir: where a differencing VHD's parents are, if neither beside it nor where it says.

    Raises:
        VmRescueError: the image cannot be read, or holds nothing of a Windows. What of one is missing or damaged is a
            finding, and what could not be looked at for that is `not_checked`. Of an image behind a URL the hives are
            not read as a whole (`Diagnosis.promised`).
    """
    chosen(only, skip)  # a check that there is not is said before anything is opened
    paths = [image, *data_disks]
    near = not any(isinstance(path, str | os.PathLike) and Reference.of(path).is_remote for path in paths)
    with work("reading the disk"), parents_in(parent_dir), open_disks(paths) as disks:
        return examine(disks, policy or Policy.azure(), only, skip, Choice(store, windows), promise=near, now=True)


@typed
def inventory(
    image: str | os.PathLike[str],
    data_disks: Iterable[str | os.PathLike[str]] = (),
    *,
    store: str | None = None,
    windows: str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Diagnosis:
    """What there is in an image, without any check: a diagnosis with no findings. Arguments as for `diagnose`.

    Whatever is missing or broken in the image is a warning. Raises VmRescueError where its container cannot be opened.
    """
    with work("reading the disk"), parents_in(parent_dir), open_disks([image, *data_disks], whatever_there_is) as disks:
        installation = Installation(disks, Choice(store, windows))
        diagnosis = _diagnosis(installation, Policy.azure(), [], None, CHECKS, Obstacles(disks))
        faults = [fault for each in installation.stores if (fault := each.fault)]
        faults += [fault for each in installation.systems if (fault := each.fault)]
        if disks[0].volumes and not installation.stores:
            faults.append(why_no_store(disks[0], installation.unreadable))
        if disks[0].volumes and installation.os is None:
            faults.append(installation.why_no_windows or "")
        return replace(diagnosis, warnings=[*diagnosis.warnings, *faults])


@typed
def examine(
    disks: list[Disk],
    policy: Policy,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    choice: Choice = NOTHING_SAID,
    promise: bool = False,
    in_place: bool = True,
    now: bool = False,
) -> Diagnosis:
    """The diagnosis of disks that are open already: the image first, then the data disks.

    Args:
        choice: what a person says boots.
        promise: whether each hive that is to be changed is looked at as a whole, so that what the diagnosis says of a
            repair is so; it costs a second for 12 MB, and nothing where no change is proposed.
        in_place: whether a repair would change the image itself, and not a copy of it.
        now: whether that the system does not let the image be written now is an obstacle too.

    Raises NotFoundError where all was looked at and there is no Windows, unless the checks that are wanted look at
    volumes alone.
    """
    wanted = chosen(only, skip)
    installation = Installation.of(disks, choice)
    if installation.is_nothing and not (wanted and of_volumes_alone(wanted)):
        raise NotFoundError(installation.why_nothing)
    if installation.os and free_space in wanted:
        announce_free_space(installation.os.volume)
    return _diagnosis(installation, policy, wanted, only, skip, Obstacles(disks, (), promise, in_place, now))


def _diagnosis(
    installation: Installation,
    policy: Policy,
    wanted: Collection[Check],
    only: Collection[str] | None,
    skip: Collection[str],
    obstacles: Obstacles,
) -> Diagnosis:
    disks, parents = installation.disks, parent_folder()
    subject = Subject(installation, policy)
    findings, not_checked = run(wanted, subject)
    windows = WindowsFacts.of(installation)
    return Diagnosis(
        image=disks[0].path,
        disk=DiskFacts.of(disks[0]),
        generation=None if installation.is_nothing else installation.generation,
        windows=windows,
        volumes=[VolumeFacts.of(volume) for volume in installation.volumes],
        findings=[_judged(finding, obstacles, installation) for finding in findings],
        not_checked=not_checked,
        warnings=_warnings(installation),
        policy=policy,
        data_disks=tuple(disk.path for disk in disks[1:]),
        parents=str(parents) if parents else None,
        only=tuple(only or ()),
        skip=tuple(skip),
        refusal=obstacles.everywhere,
        locked=installation.locked,
        choice=installation.choice,
        stores=[StoreFacts.of(store) for store in installation.stores],
        systems=[SystemFacts.of(system) for system in installation.systems],
        loaders=[LoaderFacts.of(loader) for loader in installation.loaders],
        ran=tuple(check.id for check in wanted),
        promised=obstacles.promise,
        boot=subject.rehearsal.plain if boot_path in wanted and not installation.is_nothing else None,
    )


def _judged(finding: Finding, obstacles: Obstacles, installation: Installation) -> Finding:
    """A finding with why its changes, or what it advises, would be refused."""
    if not finding.changes and all(isinstance(intent, Copy) for intent in finding.intents):
        return finding  # nothing to refuse: a copy changes nothing
    why = obstacles.everywhere or next((why for each in finding.changes if (why := obstacles.why_not(each))), None)
    why = why or obstacles.why_too_long(finding.changes, alone=finding.on_request)
    if not why and finding.intents and installation.os:  # these move or make room on its volume
        why = obstacles.why_not_on(installation.os.volume)
    return replace(finding, refused=why) if why else finding


def _warnings(installation: Installation) -> list[str]:
    """Of the disks, each data disk by its name; then what is odd about what boots, or about how it was found."""
    warnings = [
        f"data disk {disk.index} ({disk.path}): {warning}" if disk.index else warning
        for disk in installation.disks
        for warning in disk.warnings
    ]
    warnings += installation.warnings
    warnings += [
        f"{volume} has {size_text(volume.partition.size)}, the volume in it {size_text(volume.files.total_bytes)}: "
        "an expansion gives it the rest"
        for volume in installation.volumes
        if volume.unused >= MIB
    ]
    windows = installation.os
    warnings += [f"the boot store {each} was found {each.way}" for each in installation.stores[:1] if each.rank]
    if len(alike := [each for each in installation.stores if each.may_boot]) > 1:
        said, option = ", ".join(map(str, alike[1:])), CHOICE["store"].name
        warnings.append(
            f"{alike[0]} is taken for the boot store that boots; {said} may as well: say which with {option}"
        )
    if windows is not None:
        if windows.loader is None or not windows.loader.default:
            warnings.append(f"{windows} was found on the volumes: {windows.way}")
        warnings += windows.warnings
    if installation.locked and installation.stores and installation.has_bitlocker:
        warnings.append(
            "BitLocker may notice what is changed in the boot store, and ask for its recovery key at the next start"
        )
    return warnings + [note for hive in installation.hives for note in hive.notes()]
