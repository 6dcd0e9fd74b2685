"""The numbers of the system files' records. Source: linux-ntfs documentation, "NTFS System Files"."""

from __future__ import annotations

MFT, MFT_MIRROR, LOG_FILE, VOLUME, ATTR_DEF, ROOT, BITMAP, BOOT, BAD_CLUSTERS, SECURE, UPCASE, EXTEND = range(12)
FIRST_USER = 24  # the first record not kept for the system; but the files below $Extend have records after it
RESERVED = range(16, 24)  # for extensions of $MFT's own record; may be marked as in use without having been written
SNAPSHOTS = "System Volume Information"  # the folder of shadow copies; its record has no fixed number
