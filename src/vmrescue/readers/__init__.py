"""The second opinion: disks, volumes, file systems and hives as the readers of dissect and libvhdi see them.

What they do not read is read here with code of its own: nothing that writes is imported, and no editor imports this.
What confirms an edit comes from here.
"""
