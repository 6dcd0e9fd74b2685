"""A Windows installation on a set of disks, read through the dissect readers."""

from __future__ import annotations

from vmrescue.volumes.disk import Disk, Volume
from vmrescue.windows.boot_store import BootStore, find_boot_store
from vmrescue.windows.installation import Choice, Installation
from vmrescue.windows.loaders import Loader
from vmrescue.windows.operating_system import OperatingSystem, Product
from vmrescue.windows.registry_file import RegistryFile, RegistryKey

__all__ = [
    "BootStore",
    "Choice",
    "Disk",
    "Installation",
    "Loader",
    "OperatingSystem",
    "Product",
    "RegistryFile",
    "RegistryKey",
    "Volume",
    "find_boot_store",
]
