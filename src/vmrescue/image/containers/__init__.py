"""Containers of disks: VHD, which is read and written, and those of other products, which are only read."""
