"""A transaction: a plan applied in overlays, read back by the readers, and only then committed.

     open ──apply──> applied ──verify──> verified ──commit──> committed
                        │                   │                    │
                        └───── close: nothing was written ───────┘  (a commit that cannot be confirmed is undone)

Only `Transaction.commit` writes to an image, and only through the journal (`disk.journal`): its invariants hold here.
Every image of the transaction becomes wholly new or stays wholly old; where a later image's commit fails, the earlier
ones are undone.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.checks import Policy, examine, open_disks
from vmrescue.digests import file_sha256, sha256
from vmrescue.disk import EditSession, journal
from vmrescue.disk.remote import is_remote, shown
from vmrescue.errors import RefusedError, RepairFailedError, VmRescueError, WriteError
from vmrescue.plan import DeleteFile, PutFile, ReplayVolumeLog
from vmrescue.transaction.apply import apply_plan, by_file
from vmrescue.transaction.backup import back_up
from vmrescue.transaction.committed import compare_committed, must_be_confirmable
from vmrescue.transaction.editors import open_editor
from vmrescue.transaction.receipt import NAME, Receipt, Written
from vmrescue.transaction.recorder import Recorder
from vmrescue.transaction.resizing import Expansion
from vmrescue.transaction.spelling import as_spelled
from vmrescue.transaction.verify import verify_plan
from vmrescue.windows.bare_hive import disk_or_hive
from vmrescue.windows.signs import signs_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from vmrescue.checks import Diagnosis
    from vmrescue.disk.journal_file import Journal
    from vmrescue.disk.signs import Sign
    from vmrescue.plan import Plan
    from vmrescue.transaction.target import Origin
    from vmrescue.windows import Disk, Volume


class EditedImage:
    """One image of a transaction: the session that takes the changes, and which bytes of the disk were written."""

    def __init__(self, path: str | os.PathLike[str], index: int, writable: bool) -> None:
        self.path = os.fspath(path)
        self.name = shown(path)  # for messages and receipts: a URL's secrets are not in it
        self.index = index
        self.session = EditSession(path, writable=writable)
        self.recorder = Recorder(self.session.disk)

    def disk(self) -> Disk:
        """The disk as it is now, with nothing remembered from before."""
        return disk_or_hive(self.recorder, self.name, self.index)

    @property
    def has_no_version(self) -> bool:
        """Whether nothing but its bytes shows that somebody wrote to it: an undo then has to look at many of them."""
        return not is_remote(self.path)

    def written(self) -> list[Written]:
        """What a commit would write to the file."""
        image, overlay = self.session.image, self.session.overlay
        rows = []
        for offset, length in overlay.changed_ranges():
            kept = max(0, min(length, image.size - offset))
            before = image.read_at(offset, kept) if kept else b""
            rows.append(Written(offset, length, sha256([before]), sha256([overlay.read_at(offset, length)])))
        return rows


class Transaction:
    """A plan being applied to an image and the data disks given with it. Use it as a context manager.

    Args:
        image: what is repaired.
        data_disks: further disks of the same VM, which a plan may also change.
        policy: what counts as right; Azure's unless given.
        writable: False for a dry run: the images are opened read-only, and `commit` is not possible.
        origin: what the image was made from, for the receipt.
    """

    def __init__(
        self,
        image: str | os.PathLike[str],
        data_disks: Iterable[str | os.PathLike[str]] = (),
        policy: Policy | None = None,
        writable: bool = True,
        origin: Origin | None = None,
    ) -> None:
        self._origin = origin
        self.policy = policy or Policy.azure()
        self.started = datetime.now(UTC)
        self._opened = ExitStack()
        self.images: list[EditedImage] = []
        try:
            for index, path in enumerate([image, *data_disks]):
                opened = EditedImage(path, index, writable)
                self._opened.callback(opened.session.close)
                self.images.append(opened)
            self.identity = self.disks()[0].identity
            self._before = self._examine()
        except BaseException:
            self._opened.close()
            raise

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def disks(self) -> list[Disk]:
        """The disks as they are now, with nothing remembered from before."""
        return [image.disk() for image in self.images]

    def _examine(self) -> Diagnosis | VmRescueError:
        """The diagnosis, or why there is none: files can be edited on a disk without a Windows too."""
        try:
            return examine(self.disks(), self.policy)
        except VmRescueError as error:
            return error

    @property
    def before(self) -> Diagnosis:
        """The diagnosis of the image as it was found. Raises what kept it from being diagnosed."""
        if isinstance(self._before, VmRescueError):
            raise self._before
        return self._before

    def apply(self, plan: Plan) -> Receipt:
        """Applies the plan in the overlays and verifies it; returns what a commit would write.

        Raises:
            RefusedError: the plan is for another image, or what it found has changed, or it would not be safe.
            RepairFailedError: the readers do not confirm what the editors did.
        """
        self._must_be_for_this_image(plan)
        plan = as_spelled(plan, self.disks())
        for volume in apply_plan(plan, self.disks()):
            self._must_be_sound(volume)
        before = None if isinstance(self._before, VmRescueError) else self._before
        after = verify_plan(plan, self.disks(), self.policy, before)
        written = {image.name: rows for image in self.images if (rows := image.written())}
        for image in self.images:
            if image.name in written:
                must_be_confirmable(image.path, image.session.disk)
        return Receipt(
            image=self.images[0].name,
            committed=False,
            id="",
            folder=None,
            plan=plan,
            before=before,
            after=after,
            written=written,
            started=self.started,
            finished=datetime.now(UTC),
            origin=self._origin,
        )

    def _must_be_sound(self, volume: Volume) -> None:
        """Checks a volume whose structures were edited; looks at it as it was only where something is wrong.

        Raises:
            RefusedError: the volume was damaged before.
            RepairFailedError: it would be damaged by the edits.
        """
        problems = open_editor(volume).check()
        if not problems:
            return
        with open_disks([image.path for image in self.images]) as untouched:
            before = untouched[volume.disk_index].volume(volume.partition.number)
            damage = open_editor(before).check() if before else []
        if damage:
            raise RefusedError(
                f"{volume} is damaged ({damage[0]}): no file on it is created, deleted or resized before chkdsk has "
                "mended it; leave such changes out (--skip page-file), and the others can be made"
            )
        raise RepairFailedError(f"{volume} would not be sound after the edits: {problems[0]}")

    def _must_be_for_this_image(self, plan: Plan) -> None:
        if plan.image != self.identity:
            raise RefusedError(f"the plan is for {plan.image}; this one is {self.identity}")

    def commit(self, applied: Receipt, backup_dir: str | os.PathLike[str] | None = None) -> Receipt:
        """Backs up, writes the images through their journals, and confirms them through readers that are not ours.

        Raises:
            RefusedError: the backup cannot be written; nothing was changed.
            RepairFailedError: the images are as before.
        """
        name = self.started.strftime("%Y%m%dT%H%M%S.%fZ")
        folder = Path(backup_dir or _beside(self.images[0].path)) / name
        backups = self._back_up(applied, folder)
        signs = self._signs(applied)
        done: list[tuple[EditedImage, Journal]] = []
        try:
            for image in self.images:
                committed = image.session.commit(signs[image])
                if committed:
                    done.append((image, committed))
            for image, _ in done:
                compare_committed(image.path, image.session.disk, image.recorder.written)
        except VmRescueError as error:
            for image, committed in reversed(done):
                image.session.rollback(committed)
            raise RepairFailedError(f"{error}; every image is as before") from error
        receipt = Receipt(
            **{
                **vars(applied),
                "committed": True,
                "id": name,
                "folder": folder,
                "backups": backups,
                "journals": {image.name: committed.number for image, committed in done},
                "finished": datetime.now(UTC),
                "sha256": file_sha256(Path(self.images[0].path)) if self._origin and self._origin.sha256 else None,
            }
        )
        try:
            (folder / NAME).write_text(receipt.to_json(), encoding="utf-8")
        except OSError as error:
            raise WriteError(f"the repair was made, but its receipt cannot be written: {error.strerror}") from error
        return receipt

    def _signs(self, applied: Receipt) -> dict[EditedImage, list[Sign]]:
        """By what an undo of each image will see whether somebody else has written to it.

        What has a version of its own, which every write changes, needs few: those for a repair that is interrupted.
        """
        with open_disks([image.path for image in self.images]) as untouched:
            return {
                image: list(signs_of(image.disk(), untouched[image.index] if image.has_no_version else None))
                if image.name in applied.written
                else []
                for image in self.images
            }

    def _back_up(self, applied: Receipt, folder: Path) -> list[dict[str, Any]]:
        """Copies of what is edited. What is deleted is in the journal: a page file would fill the backup."""
        new = {change.file for change in applied.plan.changes if isinstance(change, PutFile) and change.before is None}
        edited = [
            file
            for file, (first, *_) in by_file(applied.plan.changes).items()
            if file not in new and not isinstance(first, DeleteFile | ReplayVolumeLog | Expansion)
        ]
        with open_disks([image.path for image in self.images]) as untouched:
            return back_up(edited, untouched, folder)


def _beside(image: str) -> Path:
    """The folder of the image's journals, named as the image was named where that is the same place."""
    folder, near = journal.journal_folder(image), Path(f"{image}.vmrescue")
    return near if near.resolve() == folder else folder
