"""Which checks there are. The order is that in which they run, and in which findings stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.active_partition import active_partition
from vmrescue.checks.boot.boot_device import boot_device
from vmrescue.checks.boot.boot_driver import boot_driver
from vmrescue.checks.boot.boot_entry import boot_entry
from vmrescue.checks.boot.boot_execute import boot_execute
from vmrescue.checks.boot.boot_file import boot_file
from vmrescue.checks.boot.boot_options import boot_options
from vmrescue.checks.boot.boot_path import boot_path
from vmrescue.checks.boot.boot_policy import boot_policy
from vmrescue.checks.boot.boot_sector import boot_sector
from vmrescue.checks.boot.boot_store import boot_store
from vmrescue.checks.boot.class_filter import class_filter
from vmrescue.checks.boot.control_set import control_set
from vmrescue.checks.boot.driver_verifier import driver_verifier
from vmrescue.checks.boot.esp_type import esp_type
from vmrescue.checks.boot.hidden_sectors import hidden_sectors
from vmrescue.checks.boot.lost_driver import lost_driver
from vmrescue.checks.boot.missing_part import missing_part
from vmrescue.checks.boot.partition_table import partition_table
from vmrescue.checks.boot.serial_console import serial_console
from vmrescue.checks.boot.setup_command import setup_command
from vmrescue.checks.boot.start_override import start_override
from vmrescue.checks.check import FAMILIES
from vmrescue.checks.memory.bad_memory import bad_memory
from vmrescue.checks.memory.memory_limit import memory_limit
from vmrescue.checks.settings.crash_dump import crash_dump
from vmrescue.checks.settings.page_file import page_file
from vmrescue.checks.storage.boot_copy import boot_copy
from vmrescue.checks.storage.cut_short import cut_short
from vmrescue.checks.storage.fragmentation import fragmentation
from vmrescue.checks.storage.free_space import free_space
from vmrescue.checks.storage.hive_log import hive_log
from vmrescue.checks.storage.volume_state import volume_state
from vmrescue.checks.subject import Part
from vmrescue.errors import UsageError, must_be_several, must_be_some
from vmrescue.near import meant

if TYPE_CHECKING:
    from collections.abc import Collection

    from vmrescue.checks.check import Check

CHECKS: dict[str, Check] = {}


def register(check: Check) -> None:
    """Adds a check at the end of the table. Raises ValueError where its id is taken."""
    if check.id in CHECKS:
        raise ValueError(f"there are two checks {check.id!r}")
    CHECKS[check.id] = check


for each in (
    cut_short,
    boot_path,
    partition_table,
    active_partition,
    esp_type,
    boot_sector,
    hidden_sectors,
    boot_file,
    boot_store,
    boot_device,
    boot_entry,
    boot_options,
    boot_driver,
    start_override,
    class_filter,
    lost_driver,
    setup_command,
    boot_execute,
    driver_verifier,
    volume_state,
    missing_part,
    boot_copy,
    hive_log,
    control_set,
    free_space,
    fragmentation,
    bad_memory,
    memory_limit,
    page_file,
    serial_console,
    boot_policy,
    crash_dump,
):
    register(each)


def chosen(only: Collection[str] | None, skip: Collection[str]) -> list[Check]:
    """The checks to run. A family in `skip` is all of its checks; in `only` each has to be named.

    Raises UsageError for an id that is not one, and for an `only` without any: that it is all was hardly meant.
    """
    must_be_some("only", only)
    must_be_several("skip", skip)
    unknown = {*(only or ()), *skip} - set(CHECKS) - (set(FAMILIES) & set(skip) - set(only or ()))
    if unknown:
        near = meant(min(unknown), CHECKS) or "; `explain` lists the checks"
        raise UsageError(f"there is no check {min(unknown)!r}{near}")
    return [
        check
        for name, check in CHECKS.items()
        if (only is None or name in only) and name not in skip and check.family not in skip
    ]


def of_volumes_alone(checks: Collection[Check]) -> bool:
    """Whether all of these say what they can of a disk without a Windows too."""
    return all(set(check.needs) <= {Part.VOLUMES} for check in checks)
