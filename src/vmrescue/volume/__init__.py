"""Partition tables: a disk's volumes, what each is for, and a view of one as a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.volume.file_system import FileSystem, identify, lost_boot_sector, other_content
    from vmrescue.volume.partition import Partition, PartitionTable
    from vmrescue.volume.partition_table import read_partition_table
    from vmrescue.volume.window import Window

__all__ = [
    "read_partition_table",
    "PartitionTable",
    "Partition",
    "Window",
    "identify",
    "other_content",
    "lost_boot_sector",
    "FileSystem",
]

__getattr__ = names_of(
    __name__,
    {
        "FileSystem": "file_system",
        "Partition": "partition",
        "PartitionTable": "partition",
        "Window": "window",
        "identify": "file_system",
        "lost_boot_sector": "file_system",
        "other_content": "file_system",
        "read_partition_table": "partition_table",
    },
)
