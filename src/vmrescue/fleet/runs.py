"""Many images repaired: each by itself, journalled; one bad image is a result; a whole run taken back.

Two names of one file (a link, a second name of the same file) are one image, which is repaired once. An image that lies
below another of the run, as the parent of a differencing VHD, is refused: once it is changed, what lies over it is
worthless.
"""

from __future__ import annotations

import os
import shlex
import uuid
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.arguments import typed
from vmrescue.checks import Policy
from vmrescue.checks.rules import chosen
from vmrescue.dataclass import dataclass
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.fleet.batch import IN_FLIGHT, spread
from vmrescue.fleet.outputs import read_results
from vmrescue.fleet.repaired import RepairResult, failed
from vmrescue.fleet.repairing import Repairing, Rescuing
from vmrescue.fleet.run_results import RUN
from vmrescue.fleet.sources import identity
from vmrescue.image.containers.parents import parent_folder, parents_in
from vmrescue.image.reference import Reference
from vmrescue.image.risks import accepted
from vmrescue.plan import Plan
from vmrescue.procedure.steps import chosen_steps
from vmrescue.transaction import Undone, history, take_back
from vmrescue.transaction.repairing import must_be_alone
from vmrescue.windows.installation import NOTHING_SAID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from concurrent.futures import Executor

    from vmrescue.fleet.result import ImageError
    from vmrescue.playbook import Playbook
    from vmrescue.transaction import PastRepair
    from vmrescue.windows import Choice


@typed
def repair_images(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    executor: Executor | None = None,
    policy: Policy | None = None,
    *,
    plan: Plan | Playbook | None = None,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    skip_refused: bool = False,
    dry_run: bool = False,
    accept: Collection[str] = (),
    in_flight: int = IN_FLIGHT,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Iterator[RepairResult]:
    """Repairs many images, and yields each one's result as it is done: not in the order given.

    Whatever becomes of an image is its result; nothing ends the run. Leaving the loop early cancels what has not begun.

    Args:
        paths: image files, block devices, page blobs; two names of one file are repaired once.
        executor: where to work, as for `scan`; in this process and thread without one. A worker that dies is replaced,
            and its image tried once more; the repair that was cut is rolled back first.
        policy: what counts as right; unless given, that by which `plan` was made, else Azure's.
        plan: what is done, in images that are the disk that it was made for.
        only, skip: ids of the checks whose findings are mended, and are not; without a plan.
        skip_refused, accept: as for `repair`.
        dry_run: do all in memory, and write nothing.
        in_flight: how many images are given to the executor at once.
        parent_dir: where differencing disks' parents are, if neither beside them nor where they say.

    Raises:
        UsageError: there is no check of that id.
    """
    with parents_in(parent_dir):
        work = repairing(
            policy, plan=plan, only=only, skip=skip, skip_refused=skip_refused, dry_run=dry_run, accept=accept
        )
    return run(work, paths, executor, in_flight)


@typed
def rescue_images(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    executor: Executor | None = None,
    policy: Policy | None = None,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    size: int | None = None,
    dry_run: bool = False,
    accept: Collection[str] = (),
    in_flight: int = IN_FLIGHT,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Iterator[RepairResult]:
    """Does the whole procedure to many images, each step that is due, as `rescue` does it to one.

    Args:
        only, without: the ids of the steps that are made, and are not.
        size: how large a disk may become, in bytes.
        paths, executor, policy, dry_run, accept, in_flight, parent_dir: as for `repair_images`, which raises what this
            does.
    """
    with parents_in(parent_dir):
        work = rescuing(policy, only=only, without=without, size=size, dry_run=dry_run, accept=accept)
    return run(work, paths, executor, in_flight)


def repairing(
    policy: Policy | None = None,
    *,
    plan: Plan | Playbook | None = None,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    skip_refused: bool = False,
    dry_run: bool = False,
    accept: Collection[str] = (),
    choice: Choice = NOTHING_SAID,
) -> Repairing:
    """The work of a new run of repairs. Arguments and errors as for `repair_images`; what is accepted here, is."""
    chosen(only, skip)
    must_be_alone(plan, only, skip)
    return Repairing(
        uuid.uuid4().hex,
        policy or Policy.of(plan.policy if isinstance(plan, Plan) else {}),
        tuple(only) if only is not None else None,
        tuple(skip),
        plan,
        skip_refused,
        dry_run,
        accept=tuple({*accept, *accepted()}),
        parents=parent_folder(),
        choice=choice,
    )


def rescuing(
    policy: Policy | None = None,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    size: int | None = None,
    dry_run: bool = False,
    accept: Collection[str] = (),
    choice: Choice = NOTHING_SAID,
) -> Rescuing:
    """The work of a new run of rescues. Arguments and errors as for `rescue_images`; what is accepted here, is."""
    chosen_steps(only, without)
    return Rescuing(
        uuid.uuid4().hex,
        policy or Policy.azure(),
        dry_run=dry_run,
        accept=tuple({*accept, *accepted()}),
        parents=parent_folder(),
        choice=choice,
        steps=tuple(only or ()),
        without=tuple(without),
        size=size,
    )


def run(
    work: Repairing,
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    executor: Executor | None = None,
    in_flight: int = IN_FLIGHT,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[RepairResult]:
    """Does this work to all images; those of which nothing is to be done come first. All of `paths` is read at once.

    Once `stopped` says so no further image is begun; those that are under way are finished.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]  # a lone path is surely not meant as a list of letters
    images = list(dict.fromkeys(os.fspath(path) for path in paths))
    others = _same(work, images) | _below(work, images)
    yield from others.values()
    todo = takewhile(lambda _: not stopped(), (image for image in images if image not in others))
    yield from spread(work, executor, todo, in_flight)


def _same(work: Repairing, images: list[str]) -> dict[str, RepairResult]:
    """Of images that are further names of one before: the result of each."""
    known: dict[object, str] = {}
    found = {}
    for image in images:
        first = known.setdefault(_file(image), image)
        if first != image:
            note = f"another name of {Reference.of(first)}, which is repaired under that name"
            found[image] = RepairResult(
                Reference.of(image).shown, work.run, "same", dry_run=work.dry_run, notes=(note,)
            )
    return found


def _file(image: str) -> object:
    """The same for all names of one file."""
    if not Reference.of(image).is_remote:
        try:
            found = os.stat(image)  # noqa: PTH116 - a path may be no text
        except (OSError, ValueError):
            return identity(image)
        return found.st_dev, found.st_ino
    return identity(image)


def _below(work: Repairing, images: list[str]) -> dict[str, RepairResult]:
    """Of images over which others of the run lie: the result of each."""
    from vmrescue.image.containers.container import parents_of

    over = {_file(parent): image for image in images for parent in parents_of(image, work.parents)}
    found = {}
    for image in images:
        if (child := over.get(_file(image))) is not None:
            why = RefusedError(
                f"{Reference.of(image)} lies below {Reference.of(child)}, which would be worthless once it is changed:"
                " repair that one, or merge them first"
            )
            found[image] = failed(Reference.of(image).shown, work.run, why, work.dry_run, 0.0)
    return found


TakenBack = Literal["undone", "undone before", "refused", "failed", "error"]


@dataclass(frozen=True)
class RunUndone:
    """What became of one image of a run that is taken back.

    Attributes:
        image: its path.
        status: ``undone``; ``undone before``; else `error` says why it was not.
        undone: what was taken back, and what was looked at before.
        exit_status: what `vmrescue undo` would end with for this image alone.
    """

    image: str
    status: TakenBack
    undone: Undone | None = None
    error: ImageError | None = None
    exit_status: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "status": self.status,
            "undone": self.undone.to_dict() if self.undone else None,
            "error": asdict(self.error) if self.error else None,
        }


@typed
def undo_run(
    results: str | os.PathLike[str],
    although_changed: bool = False,
    *,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Iterator[RunUndone]:
    """Takes the repairs of a run back, the last first: each image by itself, as `undo` does.

    Of an image that was repaired again since nothing is taken back: that repair comes first, and is not of this run.

    Args:
        results: the file of the run's results, in any of its forms.
        although_changed, parent_dir: as for `undo`.

    Raises:
        UsageError, ReadError, FormatError: the file holds no such results.
    """
    rows = [row for row in read_results(Path(results), RUN) if row["journal"] is not None and not row["dry_run"]]
    return (_take_back(row, although_changed, parent_dir) for row in reversed(rows))


def _take_back(row: dict[str, Any], although_changed: bool, parent_dir: str | os.PathLike[str] | None) -> RunUndone:
    image = row["image"]
    try:
        past = history(image)
        ours = [each for each in past if each.number == row["journal"] and _is_of(each, row["id"])]
        if not ours:
            raise NotFoundError(f"{image} has no repair {row['journal']} of this run: its journal is not there")
        if ours[0].state == "undone":
            return RunUndone(image, "undone before")
        last = [each for each in past if each.state != "undone"][-1]
        if last.number != ours[0].number:
            raise RefusedError(
                f"{image} was repaired again since (repair {last.number}): take that back first, or all from"
                f" this one on with `vmrescue undo {shlex.quote(image)} --to {ours[0].number}`"
            )
        return RunUndone(image, "undone", take_back(image, although_changed, parent_dir=parent_dir))
    except Exception as reason:  # noqa: BLE001 - one image must not keep the others from being taken back
        told = failed(image, row["run"], reason, False, 0.0)
        return RunUndone(image, told.status, None, told.error, told.exit_status)  # type: ignore[arg-type]


def _is_of(past: PastRepair, name: str | None) -> bool:
    """Whether a repair is the one of that name; one without a receipt is known by its number alone."""
    return past.receipt is None or name is None or past.receipt.parent.name == name
