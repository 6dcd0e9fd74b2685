"""By what bytes an image's container is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

VHD_COOKIE = b"conectix"

# Name -> (byte position, bytes), one of which is there. Sources: [MS-VHDX] 2.2.1; QEMU, docs/interop/qcow2.rst; VMware,
# "Virtual Disk Format 5.0"; VirtualBox's VDICore.h; libewf, "Expert Witness Compression Format".
FOREIGN: dict[str, tuple[tuple[int, bytes], ...]] = {
    "VHDX": ((0, b"vhdxfile"),),
    "QCOW2": ((0, b"QFI\xfb\0\0\0\x02"), (0, b"QFI\xfb\0\0\0\x03")),
    "VMDK": ((0, b"KDMV"), (0, b"COWD"), (0, b"# Disk DescriptorFile")),
    "VDI": ((64, b"\x7f\x10\xda\xbe"),),
    "E01": ((0, b"EVF\t\r\n\xff\0"),),
}


def has_signature(store: BlockDevice, position: int, signature: bytes) -> bool:
    return position + len(signature) <= store.size and store.read_at(position, len(signature)) == signature
