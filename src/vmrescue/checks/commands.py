"""The commands that findings and reports recommend: word for word with what decides their outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.containers.parents import parent_folder

if TYPE_CHECKING:
    from collections.abc import Collection

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Disk


def commands(name: str, disk: Disk, *words: str) -> tuple[tuple[str, ...], ...]:
    """A command on the image of a disk, such as ``vmrescue cleanup os.vhd``, that finds its parents as we did.

    None for an image that is only read.
    """
    return () if disk.refusal else (("vmrescue", name, disk.path, *words, *_parent_option()),)


def repair_options(
    policy: Policy, disks: list[Disk], only: Collection[str] | None, skip: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The options by which a repair finds what a diagnosis of `disks` found: those of the VM, and those of checks."""
    data_disks = [word for disk in disks[1:] for word in ("--data-disk", disk.path)]
    checks = [word for name, ids in (("--only", only), ("--skip", skip)) if ids for word in (name, ",".join(ids))]
    return (*policy.options, *data_disks, *_parent_option()), tuple(checks)


def _parent_option() -> tuple[str, ...]:
    folder = parent_folder()
    return ("--parent-dir", str(folder)) if folder else ()
