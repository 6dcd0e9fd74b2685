"""What makes an image that vmrescue writes of one that it only reads, or does not read."""

from __future__ import annotations

# {path} is as a shell takes it.
QEMU_ADVICE = "`qemu-img convert -O vpc -o subformat=fixed,force_size {path} OUT.vhd` makes a VHD of it"
EWF_ADVICE = "`ewfexport -u -t OUT -f raw {path}` (of libewf) makes a raw image of it, OUT.raw"
