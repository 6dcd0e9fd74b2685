"""Changing a volume: files made, written and deleted, indexes, records, the volume's own size."""
