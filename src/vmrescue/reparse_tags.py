"""The kinds of reparse points, by their tags. Source: Microsoft, MS-FSCC 2.1.2.1, "Reparse Tags"."""

from __future__ import annotations

WOF = 0x80000017
WOF_STREAM = "WofCompressedData"  # of a file with that tag: where its content lies
TITLES = {
    0xA0000003: "a mount point",
    0xA000000C: "a symbolic link",
    WOF: "a file compressed by WOF",
    0x8000001B: "an app's alias",
    0x80000013: "a deduplicated file",
    0x80000023: "a socket",
    0xA000001D: "a Linux symbolic link",
    0x80000024: "a Linux FIFO",
    0x80000025: "a Linux character device",
    0x80000026: "a Linux block device",
}


def title(tag: int) -> str:
    return TITLES.get(tag, f"tag 0x{tag:08x}")
