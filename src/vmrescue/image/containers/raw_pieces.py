"""Images cut into pieces, ``disk.001``, ``disk.002``, …: which belong together, and when one alone is a whole disk.

Such pieces have no header: only their names say what they are, and so far as one looks like a disk, its content.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError
from vmrescue.image.transports.file import SECTOR
from vmrescue.signatures import GPT, HIVE, VHD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice

FIRST_PIECE = re.compile(r"(?P<stem>.+\.)(?P<number>00+[01])")
LATER_PIECE = re.compile(r"(?P<stem>.+\.)(?P<number>\d{3,})")
BOOT_SIGNATURE_AT = 510  # of a partition table's sector, and of a volume's first
BOOT_SIGNATURE = b"\x55\xaa"


def later_pieces(path: str | None) -> Iterator[str]:
    """``disk.002``, ``disk.003``, … beside ``disk.001``: as far as the last that is there, be others missing or not.

    None for an image that is no file on this machine.
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
    """Raises UnsupportedError for a later piece of an image by its name that is no whole image by its bytes."""
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
    """What is to be said of a raw image that may be the first piece of several, none of which is beside it.

    A disk that ends with the copy of its GPT is whole, whatever its name; of others nothing says where they end.
    """
    if FIRST_PIECE.fullmatch(Path(path or "").name) is None or _last_sector(store).startswith(GPT):
        return None
    if store.read_at(0, min(len(HIVE), store.size)) == HIVE:
        return None
    return f"{path} is named like the first piece of an image, and no other is beside it: all behind it may be missing"


def join_advice(path: str) -> str:
    """How to make one file of an image's pieces, of which `path` is the first; for a shell."""
    stem, number = path.rpartition(".")[0::2]
    return f"`cat {shlex.quote(stem)}.{'[0-9]' * len(number)} > OUT.raw` makes one raw image of its pieces"


def first_piece_of_vhd(path: str | None) -> UnsupportedError:
    """The refusal of a VHD that was cut into pieces, a footer at the end of the last."""
    advice = join_advice(path or "IMAGE.001").replace("OUT.raw` makes one raw image", "OUT.vhd` makes one VHD")
    return UnsupportedError(f"{path} is the first piece of a VHD: {advice}")


def ends_as_vhd(store: BlockDevice) -> bool:
    """Whether the last piece of an image ends with a VHD's footer."""
    return _last_sector(store).startswith(VHD)


def _last_sector(store: BlockDevice) -> bytes:
    length = min(SECTOR, store.size)
    return store.read_at(store.size - length, length)
