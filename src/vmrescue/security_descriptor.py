"""The layout of self-relative security descriptors, of files and registry keys; all numbers little-endian.

Source: Microsoft, [MS-DTYP] 2.4.2 to 2.4.6: SID, ACE, ACL, SECURITY_DESCRIPTOR.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("<BBHIIII")  # revision, unused, control, offsets of owner, group, system ACL, discretionary ACL
ACL = struct.Struct("<BBHHH")  # revision, unused, bytes (entries included), number of entries, unused
ACE = struct.Struct("<BBH")  # type, flags, bytes (all of the entry)
ACCESS = struct.Struct("<I")  # access mask; the SID follows
SID = struct.Struct("<BB6s")  # revision, number of sub-authorities, authority (big-endian); 4 bytes for each follow
SELF_RELATIVE = 0x8000  # control flag
DACL_PRESENT = 0x0004
