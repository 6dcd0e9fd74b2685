"""Security descriptors: key security cells (`sk`), linked in a ring. Keys with the same descriptor share one cell.

Source: M. Suhanov, "Windows registry file format specification", section "Key security".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError
from vmrescue.security_descriptor import ACCESS, ACE, ACL, DACL_PRESENT, HEADER, SELF_RELATIVE, SID
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.registry.cells import Cells
    from vmrescue.registry.space import Space

LAYOUT = struct.Struct("<2sHIIII")
REVISION = b"\x01"
MOST_REFERENCES = 0xFFFFFFFF
LEAST_PART = 8  # bytes of the smallest SID or ACL


class KeySecurity(NamedTuple):
    """The fields of a key security cell, in their stored order."""

    signature: bytes
    reserved: int
    next: int  # offset of the next cell in the ring
    previous: int
    references: int  # number of keys with this descriptor
    size: int  # bytes of the descriptor, which follows


def read(cells: Cells, offset: int) -> KeySecurity:
    """The key security in a cell. Raises FormatError if there is none."""
    position, length = cells.find(offset, "key security", LAYOUT.size)
    security = KeySecurity._make(cells.data.unpack(LAYOUT, position))
    if security.signature != b"sk":
        raise FormatError("key security", position, "the signature 'sk'", security.signature)
    if LAYOUT.size + security.size > length:
        raise FormatError("key security", position + 16, f"at most {length - LAYOUT.size} bytes", security.size)
    return security


def descriptor(cells: Cells, offset: int) -> bytes:
    """The security descriptor in a cell, self-relative."""
    size = read(cells, offset).size
    return cells.content(offset, "key security", LAYOUT.size + size)[LAYOUT.size :]


def fault(raw: bytes) -> str:
    """What is wrong with a self-relative security descriptor; empty if nothing is."""
    if len(raw) < HEADER.size:
        return f"has a descriptor of {counted(len(raw), 'byte')}; the least is {HEADER.size}"
    revision, _, control, *offsets = HEADER.unpack_from(raw)
    if revision != 1 or not control & SELF_RELATIVE:
        return f"has a descriptor of revision {revision} with the flags 0x{control:04x}, not a self-relative one"
    beyond = [offset for offset in offsets if offset and not HEADER.size <= offset <= len(raw) - LEAST_PART]
    return f"has a descriptor of {counted(len(raw), 'byte')} with a part at byte {beyond[0]}" if beyond else ""


def retain(cells: Cells, offset: int, users: Callable[[], int]) -> None:
    """Counts one more key with this descriptor.

    `users` counts the keys with it in the tree; it is called only if the stored count is at its maximum, so wrong.
    """
    security = read(cells, offset)
    references = security.references + 1 if security.references < MOST_REFERENCES else users() + 1
    _store(cells, offset, security._replace(references=references))


def release(cells: Cells, space: Space, offset: int, keys: int, users: Callable[[], int]) -> None:
    """Counts `keys` fewer keys with this descriptor. When none is left, its cell is taken from the ring and freed.

    Windows accepts a wrong count, so a cell is not freed by the stored count alone: if that would become 0, `users`
    counts the keys with the descriptor in the tree, and that number becomes the count.
    """
    security = read(cells, offset)
    left = security.references - keys
    if left <= 0:
        left = users()
    if left:
        _store(cells, offset, security._replace(references=left))
        return
    _store(cells, security.previous, read(cells, security.previous)._replace(next=security.next))
    _store(cells, security.next, read(cells, security.next)._replace(previous=security.previous))
    space.free(offset)


def new_ring(cells: Cells, space: Space, raw: bytes) -> int:
    """Makes the first descriptor of a hive, a ring of one cell that one key has. Returns its cell."""
    length = LAYOUT.size + len(raw)
    offset = space.allocate(length, 0)
    cells.fill(offset, LAYOUT.pack(b"sk", 0, offset, offset, 1, len(raw)) + raw)
    return offset


def _store(cells: Cells, offset: int, security: KeySecurity) -> None:
    position, _ = cells.find(offset, "key security", LAYOUT.size)
    cells.write(position, LAYOUT.pack(*security))


_KEY_ALL_ACCESS, _KEY_READ = 0xF003F, 0x20019
_INHERITED_BY_SUBKEYS = 2


def _sid(authority: int, *parts: int) -> bytes:
    return SID.pack(1, len(parts), authority.to_bytes(6, "big")) + struct.pack(f"<{len(parts)}I", *parts)


def _allow(sid: bytes, mask: int) -> bytes:
    return ACE.pack(0, _INHERITED_BY_SUBKEYS, ACE.size + ACCESS.size + len(sid)) + ACCESS.pack(mask) + sid


def default_descriptor() -> bytes:
    """The descriptor of root keys in a machine's hives: SYSTEM and administrators have full access, users read."""
    system, administrators, users = _sid(5, 18), _sid(5, 32, 544), _sid(5, 32, 545)
    entries = [
        _allow(users, _KEY_READ),
        _allow(administrators, _KEY_ALL_ACCESS),
        _allow(system, _KEY_ALL_ACCESS),
        _allow(_sid(3, 0), _KEY_ALL_ACCESS),  # CREATOR OWNER
    ]
    body = b"".join(entries)
    dacl = ACL.pack(2, 0, ACL.size + len(body), len(entries), 0) + body
    owner = HEADER.size + len(dacl)
    group = owner + len(administrators)
    header = HEADER.pack(1, 0, SELF_RELATIVE | DACL_PRESENT, owner, group, 0, HEADER.size)
    return header + dacl + administrators + system
