"""The second opinion: disks, volumes, file systems and hives, read by dissect and libvhdi.

What they do not read is read here by separate code. This package imports nothing that writes, and no editor imports it.
It confirms every edit.
"""
