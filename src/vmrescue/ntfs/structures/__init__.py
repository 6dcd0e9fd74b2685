"""The structures of an NTFS volume, one in each module, with their sources."""
