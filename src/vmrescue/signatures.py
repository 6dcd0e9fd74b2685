"""Bytes by which images and what lies in them are known, where more than one room asks for them."""

from __future__ import annotations

VHD = b"conectix"  # at the start of its footer. Microsoft, "Virtual Hard Disk Image Format Specification", 1.0
GPT = b"EFI PART"  # at the start of either header. UEFI Specification 2.10, 5.3.2
HIVE = b"regf"  # at the start of a hive and of its logs. M. Suhanov, "Windows registry file format specification"
NTFS = b"NTFS    "  # at byte 3 of the volume. linux-ntfs documentation, "$Boot"
