"""A device element: which disk, partition, file or network place an object boots from.

Layout: the GUID of the options object (16 bytes, zeros: none), then one device descriptor. A descriptor may hold
another one: the volume of a file, or the place where a search starts. Descriptors that we don't know are kept byte for
byte and shown as ``unknown``.

Sources: Microsoft's BCDEdit reference for the texts; ReactOS' boot library headers for the names of the kinds; real
stores for the layouts (the tests decode one of every kind and encode it again to the same bytes).
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.bcd.objects import braced, identifier_of
from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

# A descriptor's header: kind, flags, size in bytes (header included), reserved. The kind says what follows.
_HEADER = struct.Struct("<4I")
# Kind 6, a partition: its GPT GUID, or its offset in bytes as a u64; then the disk it lies on: local kind (0 = hard
# disk), style, the disk's GPT GUID or its MBR signature as a u32; 16 bytes of zeros.
_PARTITION = struct.Struct("<16s2I16s16x")
# Kind 0, a local device: its local kind. A RAM disk goes on with base, size (both set at boot) and offset.
_LOCAL = struct.Struct("<I")
_RAM_DISK = struct.Struct("<2QI")
# A virtual disk: style and identity (both found at boot), then the descriptor of the file it is in.
_VIRTUAL_DISK_IDENTITY = bytes(20)
# A path with its volume: version 1, size in bytes with this header, 5 = a descriptor and then the text.
_FILE_PATH = struct.Struct("<3I")
_FILE_PATH_OF_DEVICE = 5
# Kind 8, a search for a file: 0 = its path is in an element, 1 = its path follows; the element's id; the offset, from
# the descriptor's first byte, of the descriptor to search in (0: search everywhere). Then the path, zero-terminated.
_LOCATE = struct.Struct("<3I")
# Descriptors nested deeper than this are not decoded; bcdedit itself writes at most four levels.
_DEEPEST = 8


class DeviceKind(enum.IntEnum):
    """The first field of a descriptor."""

    LOCAL = 0
    LEGACY_PARTITION = 2
    SERIAL = 3
    UDP = 4
    BOOT = 5
    PARTITION = 6
    VMBUS = 7
    LOCATE = 8
    URI = 9
    COMPOSITE = 10


class LocalKind(enum.IntEnum):
    """The first field of a local device."""

    HARD_DISK = 0
    FLOPPY = 1
    CD_ROM = 2
    RAM_DISK = 3
    FILE = 5
    VIRTUAL_DISK = 6


class Style(enum.IntEnum):
    """How a disk is partitioned."""

    GPT = 0
    MBR = 1


@dataclass(frozen=True)
class Boot:
    """The device that the boot manager itself was started from."""


@dataclass(frozen=True)
class Partition:
    """A partition: by two GUIDs on a GPT disk; by signature and byte offset on an MBR disk."""

    style: Style
    disk: UUID | int
    partition: UUID | int

    def __str__(self) -> str:
        """The partition by its identity. bcdedit accepts the GPT form; the MBR form is ours, in the same style."""
        if isinstance(self.disk, UUID):
            return f"gpt_partition={braced(self.disk)};{{{self.partition}}}"
        return f"mbr_partition={self.disk:08x};{self.partition}"


@dataclass(frozen=True)
class File:
    """A file that is used as a disk."""

    volume: Target
    path: str


@dataclass(frozen=True)
class RamDisk:
    """A disk in memory, filled from a file. The element's options object says how (``ramdisksdidevice`` …)."""

    volume: Target
    path: str


@dataclass(frozen=True)
class VirtualDisk:
    """A VHD or VHDX file."""

    file: Target


@dataclass(frozen=True)
class Locate:
    """The volume that holds a file. The file's path is `path`, or is in the application's element `element`."""

    path: str
    element: int
    inside: Target | None


@dataclass(frozen=True)
class VmBus:
    """A device that a hypervisor's host offers."""

    interface: UUID


@dataclass(frozen=True)
class Unknown:
    """All bytes of a descriptor that we don't know."""

    descriptor: bytes


Target = Boot | Partition | File | RamDisk | VirtualDisk | Locate | VmBus | Unknown
if TYPE_CHECKING:
    VolumeName = Callable[[Partition], str | None]  # a letter (C:), a device path, or None if unknown


@dataclass(frozen=True)
class Device:
    """The value of a device element. `raw`: the stored bytes, also where `target` does not say all that they mean."""

    target: Target
    options: UUID | None
    raw: bytes

    @property
    def place(self) -> Target:
        """That in which it lies: of a disk in memory, what holds its file."""
        return self.target.volume if isinstance(self.target, RamDisk) else self.target

    def text(self, name: VolumeName | None, verbose: bool = False) -> str:
        """As bcdedit writes it: ``partition=C:``, ``ramdisk=[C:]\\boot.wim,{…}``, ``unknown``.

        Args:
            name: gives a volume's letter or device path; None: partitions are written by their identity.
            verbose: write the options object by its GUID even if it has an alias.
        """
        options = self.options and (braced(self.options) if verbose else identifier_of(self.options))
        return _text(self.target, f",{options}" if options else "", name)

    def __str__(self) -> str:
        return self.text(None)


def decode(raw: bytes) -> Device:
    """Decodes a device element. Raises FormatError if it is too short for a GUID and a descriptor's header."""
    if len(raw) < 16 + _HEADER.size:
        raise FormatError("BCD device element", None, f"at least {16 + _HEADER.size} bytes", f"{len(raw)}")
    options = UUID(bytes_le=raw[:16])
    return Device(_descriptor(raw[16:], 0), options if options.int else None, raw)


def check_size(raw: bytes) -> None:
    """Raises FormatError where a device element that has a descriptor is longer or shorter than that says."""
    _, _, size, _ = _HEADER.unpack_from(raw.ljust(16 + _HEADER.size, b"\0"), 16)
    if len(raw) >= 16 + _HEADER.size and 16 + size != len(raw):
        raise FormatError("BCD device element", None, f"{16 + size} bytes, as its descriptor says", f"{len(raw)}")


def encode(target: Target, options: UUID | None = None) -> Device:
    """The device element for a target, with the bytes that bcdedit would write."""
    head = options.bytes_le if options else bytes(16)
    return Device(target, options, head + _encoded(target))


def _descriptor(data: bytes, depth: int) -> Target:
    """The target of the descriptor at the start of `data`; `Unknown` if its size is wrong or its form is not known."""
    kind, _, size, _ = _HEADER.unpack_from(data) if len(data) >= _HEADER.size else (None, 0, 0, 0)
    whole = data[:size] if _HEADER.size <= size <= len(data) else data
    decoder = _DECODERS.get(kind)
    if decoder is None or len(whole) != size or depth > _DEEPEST:
        return Unknown(whole)
    try:
        return decoder(whole, depth + 1)
    except (struct.error, UnicodeDecodeError, _NotKnownError):
        return Unknown(whole)


class _NotKnownError(Exception):
    """A descriptor has something that its decoder does not know."""


def _boot(_whole: bytes, _depth: int) -> Target:
    return Boot()


def _partition(whole: bytes, _depth: int) -> Target:
    partition, local, style, disk = _PARTITION.unpack_from(whole, _HEADER.size)
    if local != LocalKind.HARD_DISK or style not in set(Style):
        raise _NotKnownError
    if style == Style.GPT:
        return Partition(Style.GPT, UUID(bytes_le=disk), UUID(bytes_le=partition))
    return Partition(Style.MBR, int.from_bytes(disk[:4], "little"), int.from_bytes(partition[:8], "little"))


def _local(whole: bytes, depth: int) -> Target:
    (local,) = _LOCAL.unpack_from(whole, _HEADER.size)
    rest = whole[_HEADER.size + _LOCAL.size :]
    if local == LocalKind.RAM_DISK:
        return RamDisk(*_file_path(rest[_RAM_DISK.size :], depth))
    if local == LocalKind.FILE:
        return File(*_file_path(rest, depth))
    if local == LocalKind.VIRTUAL_DISK:
        return VirtualDisk(_descriptor(rest[len(_VIRTUAL_DISK_IDENTITY) :], depth))
    raise _NotKnownError


def _file_path(data: bytes, depth: int) -> tuple[Target, str]:
    _, size, kind = _FILE_PATH.unpack_from(data)
    if kind != _FILE_PATH_OF_DEVICE or size > len(data):
        raise _NotKnownError
    inner = data[_FILE_PATH.size : size]
    _, _, length, _ = _HEADER.unpack_from(inner)
    return _descriptor(inner, depth), _zero_terminated(inner[length:])


def _locate(whole: bytes, depth: int) -> Target:
    by_path, element, inside = _LOCATE.unpack_from(whole, _HEADER.size)
    path = _zero_terminated(whole[_HEADER.size + _LOCATE.size :])
    if by_path not in (0, 1):
        raise _NotKnownError
    return Locate(path, element, _descriptor(whole[inside:], depth) if inside else None)


def _vm_bus(whole: bytes, _depth: int) -> Target:
    if len(whole) < _HEADER.size + 16:
        raise _NotKnownError
    return VmBus(UUID(bytes_le=whole[_HEADER.size : _HEADER.size + 16]))


_DECODERS: dict[int | None, Callable[[bytes, int], Target]] = {
    DeviceKind.BOOT: _boot,
    DeviceKind.PARTITION: _partition,
    DeviceKind.LOCAL: _local,
    DeviceKind.LOCATE: _locate,
    DeviceKind.VMBUS: _vm_bus,
}


def _zero_terminated(data: bytes) -> str:
    """The UTF-16 text before its terminating zero. Raises if there is no zero."""
    text, zero, _ = data[: len(data) & ~1].decode("utf-16-le").partition("\0")
    if not zero:
        raise _NotKnownError
    return text


def _encoded(target: Target) -> bytes:
    match target:
        case Boot():
            return _packed(DeviceKind.BOOT, bytes(_PARTITION.size))
        case Partition(style, UUID() as disk, UUID() as partition):
            body = _PARTITION.pack(partition.bytes_le, LocalKind.HARD_DISK, style, disk.bytes_le)
            return _packed(DeviceKind.PARTITION, body)
        case Partition(style, int(disk), int(partition)):
            offset, signature = partition.to_bytes(16, "little"), disk.to_bytes(16, "little")
            return _packed(DeviceKind.PARTITION, _PARTITION.pack(offset, LocalKind.HARD_DISK, style, signature))
        case File(volume, path):
            return _packed(DeviceKind.LOCAL, _LOCAL.pack(LocalKind.FILE) + _encoded_path(volume, path))
        case RamDisk(volume, path):
            body = _LOCAL.pack(LocalKind.RAM_DISK) + bytes(_RAM_DISK.size) + _encoded_path(volume, path)
            return _packed(DeviceKind.LOCAL, body, flags=1)
        case VirtualDisk(file):
            body = _LOCAL.pack(LocalKind.VIRTUAL_DISK) + _VIRTUAL_DISK_IDENTITY + _encoded(file)
            return _packed(DeviceKind.LOCAL, body)
        case Locate(path, element, inside):
            return _encoded_locate(path, element, inside)
        case VmBus(interface):
            return _packed(DeviceKind.VMBUS, interface.bytes_le.ljust(_PARTITION.size, b"\0"))
        case Unknown(descriptor):
            return descriptor
    raise TypeError(target)


def _packed(kind: DeviceKind, body: bytes, flags: int = 0) -> bytes:
    return _HEADER.pack(kind, flags, _HEADER.size + len(body), 0) + body


def _encoded_path(volume: Target, path: str) -> bytes:
    body = _encoded(volume) + _with_zero(path)
    return _FILE_PATH.pack(1, _FILE_PATH.size + len(body), _FILE_PATH_OF_DEVICE) + body


def _encoded_locate(path: str, element: int, inside: Target | None) -> bytes:
    text = _with_zero(path)
    offset = _HEADER.size + _LOCATE.size + len(text) if inside else 0
    body = _LOCATE.pack(0 if element else 1, element, offset) + text
    return _packed(DeviceKind.LOCATE, body + (_encoded(inside) if inside else b""))


def _with_zero(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le", "surrogatepass")


def _text(target: Target, options: str, name: VolumeName | None) -> str:
    match target:
        case Boot():
            return "boot"
        case Partition():
            return _partition_text(target, name)
        case File(volume, path):
            return f"file=[{_volume(volume, path, name)}]{path}"
        case RamDisk(volume, path):
            return f"ramdisk=[{_volume(volume, path, name)}]{path}{options}"
        case VirtualDisk(File(volume, path)):
            return f"vhd=[{_volume(volume, path, name)}]{path}"
        case Locate("", element, VirtualDisk() as disk):
            return f"{_text(disk, options, name)},locate=custom:{element:08x}"
        case Locate("", element, _):
            return f"locate=custom:{element:08x}"
        case Locate(path, _, _):
            return f"locate={path}"
        case VmBus(interface):
            return f"vmbus={braced(interface)}"
    return "unknown"


def _partition_text(target: Partition, name: VolumeName | None) -> str:
    if name is None:
        return str(target)
    found = name(target)
    return f"partition={found}" if found else "unknown"


def _volume(target: Target, path: str, name: VolumeName | None) -> str:
    """The volume as written in brackets before a path; a search for that same path is written as ``locate``."""
    if isinstance(target, Locate) and target.path == path:
        return "locate"
    return _text(target, "", name).removeprefix("partition=")
