"""Disks, their partitions, and the volumes on these: which file systems there are, who reads and who edits each."""
