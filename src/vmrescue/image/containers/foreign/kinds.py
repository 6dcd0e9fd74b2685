"""The table of the containers of other products, by the signatures of their images.

A kind's module is imported when an image of that kind is opened, because most images are of none.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.signatures import LUKS as LUKS_MAGIC
from vmrescue.signatures import has_signature

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.image.containers.foreign.disk import Foreign

VMDK_DESCRIPTOR, VMDK_SPARSE, VMDK_COWD = b"# Disk DescriptorFile", b"KDMV", b"COWD"


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Attributes:
        module: the module of this package in which its `Foreign` is.
        name: what that is called there.
        signatures: (byte position, bytes); an image has one of them.
    """

    module: str
    name: str
    signatures: tuple[tuple[int, bytes], ...]

    def is_marked(self, store: BlockDevice) -> bool:
        """Whether an image has one of the signatures."""
        return any(has_signature(store, *each) for each in self.signatures)

    @property
    def foreign(self) -> Foreign:
        """What is known of the kind."""
        found: Foreign = getattr(importlib.import_module(f"{__package__}.{self.module}"), self.name)
        return found


QCOW2 = Kind("qcow2", "QCOW2", ((0, b"QFI\xfb\0\0\0\x02"), (0, b"QFI\xfb\0\0\0\x03")))  # QEMU, docs/interop/qcow2.rst
# VMware, "Virtual Disk Format 5.0"
VMDK = Kind("vmdk", "VMDK", ((0, VMDK_SPARSE), (0, VMDK_COWD), (0, VMDK_DESCRIPTOR)))
VDI = Kind("vdi", "VDI", ((64, b"\x7f\x10\xda\xbe"),))  # VirtualBox's VDICore.h
PARALLELS = Kind("by_qemu", "PARALLELS", ((0, b"WithoutFreeSpace"), (0, b"WithouFreSpacExt")))  # sources: by_qemu
QED = Kind("by_qemu", "QED", ((0, b"QED\0"),))
QCOW = Kind("by_qemu", "QCOW", ((0, b"QFI\xfb\0\0\0\x01"),))
LUKS = Kind("by_qemu", "LUKS", ((0, LUKS_MAGIC + b"\0\1"),))
E01 = Kind("ewf", "E01", ((0, b"EVF\t\r\n\xff\0"),))
SPLIT = Kind("split", "SPLIT", ())

WRITTEN = (QCOW2, VMDK, VDI, PARALLELS, QED, QCOW, LUKS)  # by QEMU
MARKED = (*WRITTEN, E01)
