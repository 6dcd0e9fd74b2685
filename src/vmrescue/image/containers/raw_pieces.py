"""Images cut into pieces, ``disk.001``, ``disk.002``, …: which belong together, and which file alone is a whole disk.

Such pieces have no header. Only their names tell what they are, and whether their content begins like a disk.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError
from vmrescue.image.transports.file import SECTOR
from vmrescue.signatures import BOOT_SIGNATURE, GPT, HIVE, VHD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice

FIRST_PIECE = re.compile(r"(?P<stem>.+\.)(?P<number>00+[01])")
LATER_PIECE = re.compile(r"(?P<stem>.+\.)(?P<number>\d{3,})")
BOOT_SIGNATURE_AT = 510  # offset in the first sector of a disk or of a volume


def later_pieces(path: str | None) -> Iterator[str]:
    """``disk.002``, ``disk.003``, … after ``disk.001``, up to the last that exists, missing ones included.

    Empty for an image that is no file on this machine.
    """
    first = Path(path or "")
    match = FIRST_PIECE.fullmatch(first.name)
    if match is None or not first.is_file():
        return
    stem, width = match["stem"], len(match["number"])
    later = (LATER_PIECE.fullmatch(each.name) for each in first.parent.iterdir())
    numbers = [int(each["number"]) for each in later if each and each["stem"] == stem and len(each["number"]) == width]
    for number in range(int(match["number"]) + 1, max(numbers) + 1):
        yield f"{stem}{number:0{width}}"


def refuse_later_piece(store: BlockDevice, path: str | None) -> None:
    """Raises UnsupportedError for a file named like a later piece whose content does not begin like a disk."""
    match = LATER_PIECE.fullmatch(Path(path or "").name)
    if match is None or int(match["number"]) < 2 or store.size < SECTOR:
        return
    head = store.read_at(0, SECTOR)
    if head[BOOT_SIGNATURE_AT:] != BOOT_SIGNATURE and not head.startswith(HIVE):
        first = Path(path or "").with_name(f"{match['stem']}{1:0{len(match['number'])}}")
        raise UnsupportedError(
            f"{path} begins with neither a partition table nor a file system; its name is that of a piece of an image: "
            f"name the first one, {first}, beside which the others are"
        )


def may_be_cut(store: BlockDevice, path: str | None) -> str | None:
    """A note for a raw image that may be the first of several pieces, if no other piece is in its folder.

    A disk that ends with the backup of its GPT is whole. Without one, nothing tells where a disk ends.
    """
    if FIRST_PIECE.fullmatch(Path(path or "").name) is None or _last_sector(store).startswith(GPT):
        return None
    if store.read_at(0, min(len(HIVE), store.size)) == HIVE:
        return None
    return f"{path} is named like the first piece of an image, and no other is beside it: all behind it may be missing"


def join_advice(path: str) -> str:
    """The shell command that joins an image's pieces, of which `path` is the first."""
    stem, number = path.rpartition(".")[0::2]
    return f"`cat {shlex.quote(stem)}.{'[0-9]' * len(number)} > OUT.raw` makes one raw image of its pieces"


def first_piece_of_vhd(path: str | None) -> UnsupportedError:
    """The error for a VHD that was cut into pieces; its footer is at the end of the last piece."""
    advice = join_advice(path or "IMAGE.001").replace("OUT.raw` makes one raw image", "OUT.vhd` makes one VHD")
    return UnsupportedError(f"{path} is the first piece of a VHD: {advice}")


def ends_as_vhd(store: BlockDevice) -> bool:
    """Whether the bytes end with a VHD's footer."""
    return _last_sector(store).startswith(VHD)


def _last_sector(store: BlockDevice) -> bytes:
    length = min(SECTOR, store.size)
    return store.read_at(store.size - length, length)
