"""Containers of other products: VHDX, VMDK, QCOW2, VDI, E01 and raw images in pieces. They are read, never written.

Each has a module: its signatures, the files of an image, and the advice how to convert it. The content is read by
`readers/`, which gets open files and no paths, so that an image cannot decide which files of this machine are opened:
further pieces are looked for only in the image's own folder, by their plain names, and a disk with a parent (a
snapshot, a backing file) is not read at all.
"""
