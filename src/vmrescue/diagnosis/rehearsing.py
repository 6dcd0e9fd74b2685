"""A rehearsal of an image's start, by the image's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import rehearsal
from vmrescue.arguments import typed
from vmrescue.diagnosis.disks import open_disks
from vmrescue.errors import NotFoundError
from vmrescue.image.containers.parents import parents_in
from vmrescue.progress import work
from vmrescue.windows import Choice, Installation

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from vmrescue.image.transports.target_disk import Target
    from vmrescue.rehearsal import Rehearsal


@typed
def rehearse(
    image: str | os.PathLike[str] | Target,
    platform: str = "auto",
    ram: int | None = None,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    *,
    store: str | None = None,
    windows: str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Rehearsal:
    """Follows the boot path of an image, stage by stage, and says where it ends. Nothing is written, nothing is run.

    Args:
        image: as `diagnose` takes it.
        platform: the VM's hardware, whose drivers are needed: ``azure``, ``hyper-v``, ``kvm``, ``vmware``, ``nvme``;
            ``auto``: what the disk tells.
        ram: its memory in bytes, for what is started from a disk in memory.
        data_disks: further disks of the same VM.
        store, windows: which boot store and which Windows boot, where the disk does not tell.
        parent_dir: where a differencing VHD's parents are, if neither beside it nor where it says.

    Raises:
        VmRescueError: the image cannot be read, or holds nothing of a Windows; there is no such platform.
    """
    with work("following the boot path"), parents_in(parent_dir), open_disks([image, *data_disks]) as disks:
        installation = Installation(disks, Choice(store, windows))
        if installation.is_nothing:
            raise NotFoundError(installation.why_nothing)
        return rehearsal.rehearse(installation, platform, ram).plain
