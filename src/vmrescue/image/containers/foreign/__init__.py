"""Containers of other products: QCOW2, VMDK, VDI, E01, Parallels, QED, QCOW and raw images in pieces.

Each has a row in `kinds`, with its signatures, and a module: the files of an image, and the advice how to convert it.
The content is read by `readers/`, which gets open files and no paths, so that an image cannot decide which files of
this machine are opened: further pieces are looked for only in the image's own folder, by their plain names, and a file
below a QCOW2 only there and in a folder that the user names. What QEMU writes is written by a `qemu-nbd` of ours
(`qemu`), which gets the same files with their formats; it reads what no reader of ours reads. All others are read,
never written.
"""
