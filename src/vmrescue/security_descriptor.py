"""The layouts of a self-relative security descriptor, as files and registry keys have them; all little-endian.

Source: Microsoft, [MS-DTYP] 2.4.2 to 2.4.6: SID, ACE, ACL, SECURITY_DESCRIPTOR.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("<BBHIIII")  # revision, unused, control, offsets of owner, group, system ACL, discretionary ACL
ACL = struct.Struct("<BBHHH")  # revision, unused, bytes with its entries, entries, unused
ACE = struct.Struct("<BBH")  # type, flags, bytes with what follows
ACCESS = struct.Struct("<I")  # what an entry allows or denies; the SID follows
SID = struct.Struct("<BB6s")  # revision, number of sub-authorities, authority (big-endian); 4 bytes each follow
SELF_RELATIVE = 0x8000  # control
DACL_PRESENT = 0x0004
