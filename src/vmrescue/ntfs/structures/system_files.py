"""The numbers of the system files' records. Source: linux-ntfs documentation, "NTFS System Files"."""

from __future__ import annotations

MFT, MFT_MIRROR, LOG_FILE, VOLUME, ATTR_DEF, ROOT, BITMAP, BOOT, BAD_CLUSTERS, SECURE, UPCASE, EXTEND = range(12)
FIRST_USER = 24  # the first record that is not kept for the system; those below $Extend follow it all the same
RESERVED = range(16, 24)  # for extensions of $MFT's own record; may be marked as in use though never written
