"""Drivers and services that are Windows' own and that a start needs, or may need on some machine.

Sources: healthy SYSTEM hives of Windows 10 and Server (what starts with the loader, and by the system); Microsoft,
"Stop error 7B or Inaccessible_Boot_Device"; the drivers by which a machine's disk is reached (`platform`).
"""

from __future__ import annotations

from vmrescue.rehearsal.platform import EVERYWHERE, PLATFORMS
from vmrescue.upcase import upper

BOOT_DRIVERS = (
    "acpiex", "pci", "msisadrv", "isapnp", "pdc", "vdrvroot", "volmgrx", "mountmgr", "volume", "volsnap", "fvevol",
    "rdyboost", "iorate", "spaceport", "FltMgr", "KSecDD", "KSecPkg", "CNG", "CLFS", "NDIS", "WindowsTrustedRT",
    "storflt", "vpci", "pcw", "Wdf01000", "EhStorClass", "FileInfo", "Wof", "Tcpip", "WFPLWFS", "Mup", "intelpep",
    "bttflt", "Fs_Rec", "Ntfs", "ReFS", "fastfat", "afd", "tdx", "netbt", "nsiproxy", "Msfs", "Npfs", "BasicDisplay",
    "BasicRender", "hwpolicy", "amdxata", "compbatt", "DXGKrnl", "TPM", "hvservice", "vmgid",
)  # fmt: skip
SERVICES = ("RpcSs", "DcomLaunch", "RpcEptMapper", "LSM", "SamSs", "ProfSvc", "gpsvc", "PlugPlay", "Power")
FILTERS = frozenset({"PARTMGR", "EHSTORCLASS", "VOLSNAP", "FVEVOL", "IORATE", "RDYBOOST"})  # of disks and volumes
# Of those that a start may need: no Windows brings them.
OF_VENDORS = frozenset({"VIOSTOR", "VIOSCSI", "PVSCSI", "AWSNVME"})
_BUSES = {driver for each in PLATFORMS.values() for ways in each.ways.values() for way in ways for driver in way}
NEEDED = frozenset(map(upper, (*EVERYWHERE, *_BUSES, *BOOT_DRIVERS, *SERVICES)))


def is_own(name: str) -> bool:
    """Whether a service of this name is one of them."""
    return upper(name) in NEEDED
