"""A value as it is typed on bcdedit's command line.

Source: Microsoft's BCDEdit reference ("Data formats"): integers decimal, or hexadecimal after ``0x``, or one of the
element's names; booleans 1, ON, YES, TRUE and 0, OFF, NO, FALSE; devices as bcdedit lists them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from vmrescue.bcd.device import (
    Boot,
    Device,
    File,
    Locate,
    Partition,
    RamDisk,
    Style,
    Target,
    VirtualDisk,
    VmBus,
    encode,
)
from vmrescue.bcd.store import guid_of
from vmrescue.bcd.values import MAX_INTEGER
from vmrescue.commands.bcdedit import messages

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from vmrescue.commands.bcdedit.volumes import Volumes

_BOOLEANS = {"1": True, "on": True, "yes": True, "true": True, "0": False, "off": False, "no": False, "false": False}

# Elements that hold an IPv4 address as an integer, the first octet the highest.
ADDRESSES_OF_HOSTS = frozenset({0x1500001A, 0x25000133, 0x250000FD})

# Where a virtual disk's Windows is looked for when the command does not say: by the loader's path, by its system root.
_BY_PATH, _BY_SYSTEM_ROOT = 0x12000002, 0x22000002
_APPLICATION_DEVICE = 0x11000001


def parse_boolean(text: str) -> bool:
    found = _BOOLEANS.get(text.lower())
    if found is None:
        raise messages.invalid_data("boolean")
    return found


def parse_integer(text: str, names: tuple[str, ...] = (), identifier: int = 0) -> int:
    """A number, or one of the names that the element gives to its numbers."""
    by_name = {name.lower(): number for number, name in enumerate(names)}
    if text.lower() in by_name:
        return by_name[text.lower()]
    if identifier in ADDRESSES_OF_HOSTS and "." in text:
        return _host(text)
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", text):
        raise messages.invalid_data("integer")
    number = int(text, 16 if text[:2].lower() == "0x" else 10)
    if number > MAX_INTEGER or (names and number >= len(names)):
        raise messages.invalid_data("integer")
    return number


def _host(text: str) -> int:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        raise messages.invalid_data("integer") from None


def parse_device(text: str, identifier: int, volumes: Volumes, guid: Callable[[str], UUID]) -> Device:
    """A device as bcdedit writes it.

    Args:
        text: ``boot``, ``partition=C:``, ``ramdisk=[C:]\\boot.wim,{…}``, ``vhd=[C:]\\w.vhd`` …
        identifier: the element that gets it; a virtual disk's default search depends on it.
        volumes: the volumes that ``C:`` and ``\\Device\\HarddiskVolume2`` mean.
        guid: finds the object that an identifier in braces means.
    """
    kind, _, rest = text.partition("=")
    kind = kind.lower()
    if kind == "ramdisk":
        file, _, options = rest.rpartition(",{")
        volume, path = _bracketed(file if options else rest, volumes)
        return encode(RamDisk(volume, path), guid("{" + options) if options else None)
    if kind == "vhd":
        file, _, element = rest.partition(",locate=custom:")
        default = _BY_PATH if identifier == _APPLICATION_DEVICE else _BY_SYSTEM_ROOT
        search = _hexadecimal(element) if element else default
        return encode(Locate("", search, VirtualDisk(File(*_bracketed(file, volumes)))))
    if kind == "file":
        return encode(File(*_bracketed(rest, volumes)))
    return encode(_target(text, volumes))


def _target(text: str, volumes: Volumes) -> Target:
    """The target of a device without a file."""
    kind, _, rest = text.partition("=")
    match kind.lower():
        case "boot" if not rest:
            return Boot()
        case "partition" | "hd_partition":
            return _volume(rest, volumes)
        case "gpt_partition":
            disk, _, partition = rest.partition(";")
            return Partition(Style.GPT, _guid(disk), _guid(partition))
        case "mbr_partition":
            return _mbr(rest)
        case "locate" if rest.lower().startswith("custom:"):
            return Locate("", _hexadecimal(rest[7:]), None)
        case "locate":
            return Locate(rest, 0 if rest else _BY_SYSTEM_ROOT, None)
        case "vmbus":
            return VmBus(_guid(rest))
    raise messages.invalid_data("device")


def _bracketed(text: str, volumes: Volumes) -> tuple[Target, str]:
    """``[C:]\\path``: the volume and the path; ``[locate]`` looks for the path itself, on every volume."""
    found = re.fullmatch(r"\[([^\]]+)\](\\.*)", text)
    if not found:
        raise messages.invalid_data("device")
    name, path = found.groups()
    if name.lower() == "locate":
        return Locate(path, 0, None), path
    if name.lower() == "boot" or "=" in name:
        return _target(name, volumes), path
    return _volume(name, volumes), path


def _volume(name: str, volumes: Volumes) -> Partition:
    found = volumes.partition(name)
    if found is None:
        raise messages.no_such_volume(name)
    return found


def _mbr(text: str) -> Partition:
    signature, _, offset = text.partition(";")
    if not re.fullmatch(r"[0-9a-fA-F]{1,8}", signature) or not re.fullmatch(r"[0-9]{1,18}", offset):
        raise messages.invalid_data("device")
    return Partition(Style.MBR, int(signature, 16), int(offset))


def _guid(text: str) -> UUID:
    found = guid_of(text) if text.startswith("{") else None
    if found is None:
        raise messages.invalid_data("device")
    return found


def _hexadecimal(text: str) -> int:
    if not re.fullmatch(r"[0-9a-fA-F]{8}", text):
        raise messages.invalid_data("device")
    return int(text, 16)
