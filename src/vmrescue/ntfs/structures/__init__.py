"""What an NTFS volume consists of on the disk: one structure a file, each with its source."""
