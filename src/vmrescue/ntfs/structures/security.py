"""Security descriptors: one that a new file can share with its directory.

Source: Microsoft, MS-DTYP 2.4.4 to 2.4.6, "ACE", "ACL", "SECURITY_DESCRIPTOR".
"""

from __future__ import annotations

import struct

from vmrescue.errors import FormatError

_DESCRIPTOR = struct.Struct("<BBHIIII")  # revision, unused, control, offsets of owner, group, system ACL, ACL
_ACL = struct.Struct("<BBHHH")  # revision, unused, size, entries, unused
_ENTRY = struct.Struct("<BBH")  # type, flags, size
SID_HEADER = 8  # bytes before the sub-authorities, 4 bytes each; byte 1 is their number


def compact(descriptor: bytes) -> bytes:
    """A self-relative descriptor without the room for more entries that its lists may have.

    Raises:
        FormatError: it is not sound.
    """
    try:
        revision, unused, control, *offsets = _DESCRIPTOR.unpack_from(descriptor)
        readers = (_sid, _sid, _acl, _acl)
        parts = [read(descriptor, at) if at else b"" for read, at in zip(readers, offsets, strict=True)]
    except (struct.error, IndexError):
        raise FormatError(
            "security descriptor", None, "lists and identifiers inside it", f"{len(descriptor)} bytes"
        ) from None
    places = []
    end = _DESCRIPTOR.size
    for part in parts:
        places.append(end if part else 0)
        end += len(part)
    return _DESCRIPTOR.pack(revision, unused, control, *places) + b"".join(parts)


def _sid(descriptor: bytes, at: int) -> bytes:
    size = SID_HEADER + 4 * descriptor[at + 1]
    return _inside(descriptor, at, size)


def _acl(descriptor: bytes, at: int) -> bytes:
    revision, unused, _, count, unused_too = _ACL.unpack_from(descriptor, at)
    end = at + _ACL.size
    for _ in range(count):
        _, _, size = _ENTRY.unpack_from(descriptor, end)
        end += max(size, _ENTRY.size)
    entries = _inside(descriptor, at + _ACL.size, end - at - _ACL.size)
    return _ACL.pack(revision, unused, end - at, count, unused_too) + entries


def _inside(descriptor: bytes, at: int, size: int) -> bytes:
    if at + size > len(descriptor):
        raise IndexError
    return descriptor[at : at + size]
