"""The order in which a commit is taken back: the container's, where it has a log of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.image.commit_step import ONE_STEP, without
from vmrescue.image.containers.unpacked import disk_below
from vmrescue.image.overlay import Overlay
from vmrescue.image.signs import joined
from vmrescue.log import logger
from vmrescue.signatures import VHDX, has_signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.image.commit_step import Step
    from vmrescue.image.journal_file import Journal
    from vmrescue.image.transports.file import HeldStore

LOG = logger("image")


def steps_back(image: HeldStore, journal: Journal) -> Sequence[Step]:
    """The steps in which the journal is to be applied.

    One step, unless the image is a VHDX: its log then keeps it sound for other programs. Where that cannot be done, as
    with a journal that lacks what the log's way would overwrite, it is one step too: the journal is enough.
    """
    if disk_below(image) is not None or not has_signature(image, 0, VHDX):
        return ONE_STEP
    from vmrescue.image.containers.vhdx.back import steps_back as back  # here, because other images do not need it

    old = Overlay(image)
    try:
        journal.restore(old)
        steps = back(image, old, journal.ranges)
    except VmRescueError as error:
        LOG.info("%s: taken back without its own log: %s", image.path, error)
        return ONE_STEP
    finally:
        old.close()
    kept = list(joined(journal.ranges))
    passing = [(at, data) for step in steps for at, data in step.passing.items()]
    for at, data in passing:
        for start, length in without([(at, len(data))], kept):
            if image.read_at(start, length) != data[start - at : start - at + length]:
                LOG.info("%s: taken back without its own log: the journal lacks byte %d", image.path, start)
                return ONE_STEP
    return steps
