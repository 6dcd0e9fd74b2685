"""A Windows installation on a set of disks, read through the dissect readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.lazy import names_of

if TYPE_CHECKING:
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

_OWN = names_of(
    __name__,
    {
        "BootStore": "boot_store",
        "Choice": "installation",
        "Installation": "installation",
        "Loader": "loaders",
        "OperatingSystem": "operating_system",
        "Product": "operating_system",
        "RegistryFile": "registry_file",
        "RegistryKey": "registry_file",
        "find_boot_store": "boot_store",
    },
)
_OF_VOLUMES = names_of("vmrescue.volumes", {"Disk": "disk", "Volume": "disk"})


def __getattr__(name: str) -> Any:
    return (_OF_VOLUMES if name in ("Disk", "Volume") else _OWN)(name)
