"""NTFS through dissect.ntfs."""
