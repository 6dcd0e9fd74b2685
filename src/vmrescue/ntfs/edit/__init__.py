"""Edits of a volume: creating, writing and deleting files, indexes, records, the volume's size."""
