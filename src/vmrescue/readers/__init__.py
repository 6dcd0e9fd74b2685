"""The second opinion: disks, volumes, file systems and hives as the readers of dissect and libvhdi see them.

Nothing here is shared with what writes them: what confirms an edit comes from here.
"""
