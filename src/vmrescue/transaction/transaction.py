"""A transaction: a plan applied in overlays, read back by the readers, and only then committed.

     open ──apply──> applied ──verify──> verified ──commit──> committed
                        │                   │                    │
                        └───── close: nothing was written ───────┘  (a commit that cannot be confirmed is undone)

Only `commit.commit` writes to an image, and only through the journal (`image.journal`): its invariants hold here.
Each image of the transaction becomes wholly new or stays wholly old; where a later image's commit fails, the earlier
ones are rolled back.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.checks import Policy
from vmrescue.errors import (
    AfterCommitError,
    NotFoundError,
    RefusedError,
    RepairFailedError,
    VmRescueError,
    WriteError,
)
from vmrescue.image.journal import journal_folder
from vmrescue.image.journal_place import SUFFIX
from vmrescue.image.notices import tell
from vmrescue.image.reference import Reference
from vmrescue.image.writable import why_not_now
from vmrescue.interrupts import checkpoint, held
from vmrescue.log import logger
from vmrescue.notes import damage_in, made_by_an_edit
from vmrescue.plan import DeleteFile, MakeFolder, PutFile, RenameFile
from vmrescue.progress import work
from vmrescue.transaction.apply import apply_plan
from vmrescue.transaction.backup import back_up
from vmrescue.transaction.commit import EditedImage, commit
from vmrescue.transaction.committed import must_be_confirmable
from vmrescue.transaction.deeds import deed_of
from vmrescue.transaction.expected import by_file
from vmrescue.transaction.other_names import other_names
from vmrescue.transaction.receipt import Receipt, ReceiptFile
from vmrescue.transaction.refused import Skipped, refuse_obstacles, without_refused
from vmrescue.transaction.spelling import as_spelled
from vmrescue.transaction.target import Origin
from vmrescue.transaction.verify import verify_plan
from vmrescue.units import by_number, counted
from vmrescue.windows import Installation
from vmrescue.windows.bare_hive import BareHive
from vmrescue.windows.installation import NOTHING_SAID
from vmrescue.windows.signs import signs_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from vmrescue.diagnosis import Diagnosis
    from vmrescue.image.signs import Sign
    from vmrescue.plan import Plan, Step
    from vmrescue.transaction.target import Elsewhere, Made, UploadTo
    from vmrescue.windows import Choice, Disk, Volume

LOG = logger("transaction")


@typed
class Transaction:
    """A plan being applied to an image and the data disks given with it. Use it as a context manager.

    Args:
        image: what is repaired.
        data_disks: further disks of the same VM, which a plan may also change.
        policy: what counts as right; Azure's unless given.
        writable: False for a dry run: the images are opened read-only, and `commit` is not possible.
        made: what was made of the image, and is repaired in its place.
        choice: which boot store and which Windows boot, where a person says so.
        elsewhere: where the plan is to be carried out, if not in the image: nothing is committed then.
        run: the id of a run over many images, which the receipt is to tell.
        promise: whether what the diagnoses say of a repair has to be so, for which each hive that one would change is
            looked at as a whole; a plan that comes from no diagnosis needs none.
    """

    def __init__(
        self,
        image: str | os.PathLike[str],
        data_disks: Iterable[str | os.PathLike[str]] = (),
        policy: Policy | None = None,
        writable: bool = True,
        made: Made | None = None,
        choice: Choice = NOTHING_SAID,
        elsewhere: Elsewhere | None = None,
        run: str | None = None,
        promise: bool = True,
    ) -> None:
        self._made = made
        self._promise = promise
        self._run = run
        self._choice = choice
        self._in_place = not elsewhere
        self.policy = policy or Policy.azure()
        self.started = datetime.now(UTC)
        self._opened = ExitStack()
        self.images: list[EditedImage] = []
        try:
            for index, path in enumerate([image, *data_disks]):
                new = made.new if made and not index else None
                to_be_copied = elsewhere.form if elsewhere and not index else None
                opened = EditedImage(
                    new.unfinished if new else path, index, writable, new.path if new else path, to_be_copied
                )
                self._opened.callback(opened.session.close)
                self.images.append(opened)
            disks = self.disks()
            for disk in disks:
                tell(disk.path, disk.warnings)
            self.warnings = [warning for disk in disks for warning in disk.warnings]
            if not writable and self._in_place:
                for disk in disks:
                    if why := why_not_now(disk.path):
                        tell(disk.path, [f"this would be refused now: {why}"])
            self.identity = disks[0].identity
            original = replace(self.identity, size=self.images[0].original_size)
            self._known = {self.identity, made.identity if made else original}
            with work("reading the disk"):
                self._before = self._examine()
            self._latest = self._before
            self._applied: tuple[Step, ...] = ()
        except BaseException:
            self._opened.close()
            raise

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def disks(self) -> list[Disk]:
        """The disks as they are now: the same objects while nothing is written, which know what was read and found."""
        return [image.disk() for image in self.images]

    @contextmanager
    def _untouched(self) -> Iterator[list[Disk]]:
        """The disks without the changes."""
        with ExitStack() as opened:
            yield [opened.enter_context(image.untouched()) for image in self.images]

    def _examine(self) -> Diagnosis | VmRescueError:
        """The diagnosis, or why there is none: files can be edited on a disk without a Windows too."""
        try:
            disks = self.disks()
            if isinstance(disks[0], BareHive) and (found := Installation.of(disks, self._choice)).is_nothing:
                return NotFoundError(found.why_nothing)  # which no check has to be imported for
            from vmrescue.diagnosis import examine

            return examine(disks, self.policy, choice=self._choice, promise=self._promise, in_place=self._in_place)
        except VmRescueError as error:
            return error

    @property
    def before(self) -> Diagnosis:
        """The diagnosis of the image as it was found. Raises what kept it from being diagnosed."""
        if isinstance(self._before, VmRescueError):
            raise self._before
        return self._before

    def diagnosis(self, only: Collection[str] | None = None, skip: Collection[str] = ()) -> Diagnosis:
        """That from which a plan is made; of a disk without a Windows, that of its volumes if no more is wanted."""
        from vmrescue.checks.rules import chosen
        from vmrescue.diagnosis import examine

        chosen(only, skip)
        if isinstance(self._before, VmRescueError):
            return examine(self.disks(), self.policy, only, skip, self._choice, self._promise, self._in_place)
        return self._before

    @property
    def latest(self) -> Diagnosis:
        """The diagnosis of the disks as the plans applied so far leave them. Raises as `before`."""
        if isinstance(self._latest, VmRescueError):
            raise self._latest
        return self._latest

    def apply(self, plan: Plan, skip_refused: bool = False) -> Receipt:
        """Applies the plan in the overlays and verifies it; returns what a commit would write.

        A second plan is applied over the first: what was found then may be what the first one made. One that fails
        leaves the overlays half done, and the transaction is to be closed.

        Args:
            skip_refused: make what can be made where a change of the plan is refused; the receipt says which are not.

        Raises:
            RefusedError: the plan is for another image, or what it found has changed, or it would not be safe.
            RepairFailedError: the readers do not confirm what the editors did.
        """
        disks = self.disks()
        plan, skipped = self._as_it_can_be_made(plan, disks, skip_refused)
        for step in plan.steps:
            LOG.debug("to be made in memory, for %s: %s, in %s", step.check, step.change.title, step.change.file)
        with work("making the changes in memory"):
            for volume in apply_plan(plan, disks):
                self._must_be_sound(volume, plan)
        whole = replace(plan, steps=(*self._applied, *plan.steps))
        after = self._read_back(whole, changed=self.disks() != disks)
        LOG.info("made in memory, and read back by the readers: %s", counted(len(plan), "change"))
        self._applied, self._latest = whole.steps, after or self._latest
        return self._receipt(whole, after, skipped)

    def _as_it_can_be_made(self, plan: Plan, disks: list[Disk], skip_refused: bool) -> tuple[Plan, list[Skipped]]:
        """The plan for this image, with its names as they are spelled there; and what of it is refused, and skipped."""
        plan = as_spelled(self._for_this_image(plan), disks)
        skipped: list[Skipped] = []
        if skip_refused:
            plan, skipped = without_refused(plan, disks, self._in_place)
        else:
            refuse_obstacles(plan, disks, self._in_place)
        for file, said in other_names(plan, disks).items():
            tell(disks[file.disk].path, [said])
            self.warnings = list(dict.fromkeys([*self.warnings, said]))
        return plan, skipped

    def _read_back(self, whole: Plan, changed: bool) -> Diagnosis | None:
        """The diagnosis with everything made, as the readers confirm it; where nothing changed, the latest."""
        latest = None if isinstance(self._latest, VmRescueError) else self._latest
        with work("reading the changes back"):
            before = latest if changed else None
            after = verify_plan(whole, self.disks(), self.policy, before, self._choice, self._in_place)
        return after if changed else latest

    def _receipt(self, whole: Plan, after: Diagnosis | None, skipped: list[Skipped]) -> Receipt:
        """Of what a commit would write. Raises what keeps an image of it from being confirmed then."""
        written = {image.name: rows for image in self.images if (rows := image.written())}
        for image in self.images:
            if image.name in written and (self._in_place or image.index):
                must_be_confirmable(image.place, image.session.disk)
        return Receipt(
            image=self.images[0].name,
            committed=False,
            id="",
            folder=None,
            plan=whole,
            before=None if isinstance(self._before, VmRescueError) else self._before,
            after=after,
            written=written,
            started=self.started,
            finished=datetime.now(UTC),
            origin=self._made.origin if self._made else None,
            warnings=self.warnings,
            skipped=skipped,
            run=self._run,
        )

    def _must_be_sound(self, volume: Volume, plan: Plan) -> None:
        """Checks a volume whose structures were edited; looks at it as it was only where something is wrong.

        Raises:
            RefusedError: the volume was damaged before.
            RepairFailedError: it would be damaged by the edits.
        """
        problems = volume.editor().check()
        if not problems:
            return
        with self._untouched() as untouched:
            before = untouched[volume.disk_index].volume(volume.partition.number)
            known = before.editor().check() if before else []
        if damage := damage_in(known):
            raise RefusedError(
                f"{volume} is damaged ({damage[0]}): no file on it is created, deleted or resized before chkdsk has "
                f"mended it{_without_files_of(volume, plan)}"
            )
        if new := made_by_an_edit(problems, known):
            raise RepairFailedError(f"{volume} would not be sound after the edits: {new[0]}")

    def _for_this_image(self, plan: Plan) -> Plan:
        """A plan for what this image was made of is one for it too: a copy may be longer by what rounds its size."""
        if plan.image not in self._known:
            raise RefusedError(f"the plan is for {plan.image}; this one is {self.identity}")
        return replace(plan, image=self.identity)

    def commit(self, applied: Receipt, backup_dir: str | os.PathLike[str] | None = None) -> Receipt:
        """Backs up, writes the images through their journals, and confirms them through readers that are not ours.

        A signal that ends the program waits until they are, or are rolled back.

        Raises:
            RefusedError: the backup or the receipt cannot be written; nothing was changed.
            RepairFailedError: the images are as before.
            AfterCommitError: the images are changed and confirmed, but the receipt could not be completed.
        """
        done = None
        try:
            with held(), work("writing the changes"):
                done = self._commit(applied, backup_dir)
        except BaseException as error:
            if done is not None:
                error.add_note(f"{_names(done)} changed before, which is confirmed: see {done.folder}")
            raise
        return done

    def _commit(self, applied: Receipt, backup_dir: str | os.PathLike[str] | None) -> Receipt:
        image = self.images[0]
        name = self.started.strftime("%Y%m%dT%H%M%S.%fZ")
        folder = Path(backup_dir or _beside(image.path)) / name
        final = Path(backup_dir or _beside(self._made.new.path)) / name if self._made else folder
        backups = self._back_up(applied, folder)
        receipt = replace(applied, committed=True, id=name, folder=final, backups=backups)
        LOG.info("backed up to %s: %s", folder, counted(len(backups), "file"))
        signs = self._signs(applied)
        file = ReceiptFile(folder, receipt)
        digest: list[str | None] = []

        def finish() -> None:
            if self._made:
                digest.append(self._made.finish())

        try:
            journals = {each.name: journal.number for each, journal in commit(signs, finish)}
        except BaseException:
            file.discard()
            raise
        if self._made and not self._made.undoable:
            journals.pop(image.name, None)  # there is nothing of it that could be taken back
        finished = datetime.now(UTC)
        receipt = replace(receipt, journals=journals, finished=finished, sha256=digest[0] if digest else None)
        try:
            file.complete(final, receipt)
        except OSError as error:
            raise AfterCommitError(
                f"{_names(applied)} changed, and that is confirmed, but the receipt cannot be written to {final}:"
                f" {error.strerror}"
            ) from error
        return receipt

    def upload(self, applied: Receipt, to: UploadTo, backup_dir: str | os.PathLike[str] | None = None) -> Receipt:
        """Puts the image with what was applied to a page blob that gets a copy; the image itself is only read.

        Raises:
            RefusedError: that is not possible with this image or this target. Nothing was written.
            ReadError, WriteError, RepairFailedError: as `image.upload.upload`, which it is resumed by.
        """
        from vmrescue.image.upload import upload

        image = self.images[0]
        if set(applied.written) - {image.name}:
            raise RefusedError("what changes a data disk is not made with --to, which puts the image alone elsewhere")
        if image.session.disk.facts.format != "fixed VHD" or not image.place.is_remote:
            raise RefusedError(f"{image.name} is not the address of a fixed VHD, as a disk's read address is")
        target = Reference.of(to.url)
        done = upload(image.place.text, image.session.overlay, to.url, to.resume)
        name = self.started.strftime("%Y%m%dT%H%M%S.%fZ")
        folder = Path(backup_dir or target.journal_folder) / name
        try:
            backups = self._back_up(applied, folder)
            origin = Origin(
                image.name,
                "upload",
                None,
                data=done.copied,
                compared=done.compared,
                by_service=done.by_service,
                requests=done.requests,
            )
            written = {target.shown: applied.written.get(image.name, [])}
            receipt = replace(applied, image=target.shown, committed=True, id=name, folder=folder, backups=backups)
            receipt = replace(receipt, origin=origin, written=written, finished=datetime.now(UTC))
            ReceiptFile(folder, receipt).complete(folder, receipt)
        except (OSError, VmRescueError) as error:
            raise AfterCommitError(f"{target} is complete, but its receipt cannot be written: {error}") from error
        return receipt

    def _signs(self, applied: Receipt) -> dict[EditedImage, list[Sign]]:
        """By what an undo of each image will see whether somebody else has written to it.

        What has a version of its own, which every write changes, needs few: those for a repair that is interrupted.
        """
        with self._untouched() as untouched:
            return {
                image: list(signs_of(image.disk(), untouched[image.index] if image.has_no_version else None))
                if image.name in applied.written
                else []
                for image in self.images
            }

    def _back_up(self, applied: Receipt, folder: Path) -> list[dict[str, Any]]:
        """Copies of what is edited."""
        groups = by_file(applied.plan.changes).items()
        edited = [file for file, changes in groups if deed_of(changes[:1]).backs_up(changes)]
        with self._untouched() as untouched:
            checkpoint()
            try:
                return back_up(edited, untouched, folder, self.images[0].name)
            except WriteError as error:
                raise RefusedError(f"nothing was changed: {error}") from error


def _names(receipt: Receipt) -> str:
    """Which images a receipt is about: a data disk's alone, perhaps."""
    return f"{' and '.join(receipt.written)} {by_number(len(receipt.written), 'was', 'were')}"


def _without_files_of(volume: Volume, plan: Plan) -> str:
    """How the changes are left out that create, delete and resize files of a volume, where a plan has others too."""
    place = volume.disk_index, volume.partition.number
    files = {
        step.check
        for step in plan.steps
        if isinstance(step.change, DeleteFile | MakeFolder | PutFile | RenameFile)
        and (step.change.file.disk, step.change.file.partition) == place
    }
    from vmrescue.checks.rules import CHECKS

    others = {step.check for step in plan.steps} - files
    if not others or files - set(CHECKS):
        return ""
    return f"; `vmrescue repair` makes no such change with --skip {','.join(sorted(files))}"


def _beside(image: str | os.PathLike[str]) -> Path:
    """The folder of the image's journals, named as the image was named where that is the same place."""
    folder, near = journal_folder(image), Path(f"{image}{SUFFIX}")
    return near if near.resolve() == folder else folder
