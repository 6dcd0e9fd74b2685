"""Advice on how to convert an image that vmrescue cannot write into one that it can."""

from __future__ import annotations

# {path} is replaced by the path, quoted for a shell.
QEMU_ADVICE = "`qemu-img convert -O vpc -o subformat=fixed,force_size {path} OUT.vhd` makes a VHD of it"
EWF_ADVICE = "`ewfexport -u -t OUT -f raw {path}` (of libewf) makes a raw image of it, OUT.raw"
LUKS2_ADVICE = (
    "`cryptsetup open {path} disk`, as root, shows the disk in it to whoever has the key; then name /dev/mapper/disk as"
    " the image"
)
