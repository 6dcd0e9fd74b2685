"""Disks, their partitions and volumes, and the table of file systems with their readers and editors."""
