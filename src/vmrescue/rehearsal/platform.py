"""Which drivers reach the disk, by the machine's hardware: a table.

Sources: Microsoft, "Stop error 7B or Inaccessible_Boot_Device", "Prepare a Windows VHD or VHDX to upload to Azure",
"enable NVMe interface"; Amazon, "AWS NVMe drivers"; libguestfs' notes on virtio. What any one way of a machine needs
is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

AUTO = "auto"
EVERYWHERE = ("ACPI", "disk", "volmgr", "partmgr")  # on every machine, and in every Windows since 7
HYPER_V_SCSI = ("vmbus", "storvsc")
# One of the two drivers of an IDE controller is taken by its hardware; each needs the bus and the channel.
IDE = (("pci", "intelide", "atapi"), ("pci", "pciide", "atapi"))
NVME = ("pci", "stornvme")
AMAZON_NVME = ("pci", "AWSNVMe")  # the driver that Amazon's machines are given


@dataclass(frozen=True)
class Platform:
    """A machine.

    Attributes:
        title: for people.
        ways: by generation, the stacks of which one is enough to reach the disk that it boots from.
        usual: the drivers of the controllers that it usually has, where its disk may lie behind others too.
        signs: keys of the registry (and beginnings of their subkeys' names) that Windows has where it ran on one.
    """

    title: str
    ways: dict[int, tuple[tuple[str, ...], ...]]
    signs: tuple[tuple[str, str], ...] = ()
    usual: tuple[str, ...] = ()


_HYPER_V: dict[int, tuple[tuple[str, ...], ...]] = {1: (HYPER_V_SCSI, *IDE), 2: (HYPER_V_SCSI,)}
_VIRTIO = (("pci", "viostor"), ("pci", "vioscsi"))
_VMWARE = (("pci", "LSI_SAS"), ("pci", "pvscsi"), ("pci", "storahci"), NVME)
PLATFORMS: dict[str, Platform] = {
    "azure": Platform("Azure", _HYPER_V, (("GuestAgent", ""), ("Windows Azure", ""))),
    "hyper-v": Platform("Hyper-V", _HYPER_V, (("VMBUS", ""), ("Virtual Machine\\Guest\\Parameters", ""))),
    "kvm": Platform(
        "KVM with virtio", {1: (*_VIRTIO, *IDE), 2: _VIRTIO}, (("PCI", "VEN_1AF4"),), ("viostor", "vioscsi")
    ),
    "vmware": Platform(
        "VMware",
        {1: (*_VMWARE, *IDE), 2: _VMWARE},
        (("PCI", "VEN_15AD"),),
        ("LSI_SAS", "pvscsi"),
    ),
    "nvme": Platform(
        "a machine with NVMe disks, as Azure's newer sizes are", dict.fromkeys((1, 2), (NVME, AMAZON_NVME))
    ),
}
NAMES = (AUTO, *PLATFORMS)


def platform_of(keys: Iterable[tuple[str, str]]) -> str | None:
    """The one machine that keys of the registry (`Way.traces`) tell of; None where they tell of none or several.

    Windows keeps them of every machine that it ever ran on. Azure's are those of Hyper-V too.
    """
    found = {
        name
        for bus, device in keys
        for name, platform in PLATFORMS.items()
        for sign_bus, sign in platform.signs
        if bus == sign_bus and device.upper().startswith(sign)
    }
    if found == {"azure", "hyper-v"}:
        return "azure"
    return found.pop() if len(found) == 1 else None
