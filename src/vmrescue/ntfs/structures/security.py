"""Security descriptors: making the one that a new file gets from its directory."""

from __future__ import annotations

import struct

from vmrescue.errors import FormatError
from vmrescue.security_descriptor import ACE, ACL, HEADER, SID


def compact(descriptor: bytes) -> bytes:
    """A self-relative descriptor without the spare room that its lists may have.

    Raises:
        FormatError: the descriptor is not valid.
    """
    try:
        revision, unused, control, *offsets = HEADER.unpack_from(descriptor)
        readers = (_sid, _sid, _acl, _acl)
        parts = [read(descriptor, at) if at else b"" for read, at in zip(readers, offsets, strict=True)]
    except (struct.error, IndexError):
        raise FormatError(
            "security descriptor", None, "lists and identifiers inside it", f"{len(descriptor)} bytes"
        ) from None
    places = []
    end = HEADER.size
    for part in parts:
        places.append(end if part else 0)
        end += len(part)
    return HEADER.pack(revision, unused, control, *places) + b"".join(parts)


def _sid(descriptor: bytes, at: int) -> bytes:
    size = SID.size + 4 * descriptor[at + 1]
    return _inside(descriptor, at, size)


def _acl(descriptor: bytes, at: int) -> bytes:
    revision, unused, _, count, unused_too = ACL.unpack_from(descriptor, at)
    end = at + ACL.size
    for _ in range(count):
        _, _, size = ACE.unpack_from(descriptor, end)
        end += max(size, ACE.size)
    entries = _inside(descriptor, at + ACL.size, end - at - ACL.size)
    return ACL.pack(revision, unused, end - at, count, unused_too) + entries


def _inside(descriptor: bytes, at: int, size: int) -> bytes:
    if at + size > len(descriptor):
        raise IndexError
    return descriptor[at : at + size]
