"""Containers that others make: VHDX, VMDK, QCOW2, VDI, E01 and raw images in pieces. They are read, never written.

A module for each: its signatures, which files belong to an image, and what makes one that is written of it. What lies
in them is read by `readers/`. Those get open files and no paths, so that an image cannot say which files of this
machine are opened: further pieces are looked for in the image's own folder only, by their plain names, and a disk that
lies over a parent (a snapshot, a backing file) is not read at all.
"""
