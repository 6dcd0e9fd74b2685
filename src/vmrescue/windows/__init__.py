"""What a Windows installation is on a set of disks, read through the dissect readers."""

from __future__ import annotations

from vmrescue.volumes.disk import Disk, Volume
from vmrescue.windows.boot_store import BootStore, find_boot_store
from vmrescue.windows.installation import Installation, OperatingSystem, Product
from vmrescue.windows.registry_file import RegistryFile, RegistryKey

__all__ = [
    "BootStore",
    "Disk",
    "Installation",
    "OperatingSystem",
    "Product",
    "RegistryFile",
    "RegistryKey",
    "Volume",
    "find_boot_store",
]
