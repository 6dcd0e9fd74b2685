"""Lists of subkeys: leaves (`lf`, `lh`, `li`), and the index root (`ri`) over the leaves of a long list.

A whole list is sorted by upper-cased name. Source: M. Suhanov, "Windows registry file format specification",
sections "Index leaf" to "Index root".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.registry import key_node, names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.registry.cells import Cells

HEADER = struct.Struct("<2sH")
_ENTRY = struct.Struct("<I")  # the first field of every entry: a cell's offset
LEAST_KEY_CELL = 80  # bytes of the smallest cell with a key node; bounds the number of keys in a hive
WIDTH = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}  # bytes of an entry


def read_offsets(cells: Cells, offset: int) -> list[int]:
    """The cells of all keys in a list, in their order. Raises FormatError if a key is in it twice."""
    signature, count, position = header(cells, offset)
    if signature == b"ri":
        found = []
        for leaf in cells.data.unpack(struct.Struct(f"<{count}I"), position):
            found += _leaf_offsets(cells, leaf)
            if len(found) > cells.bins_size // LEAST_KEY_CELL:
                raise FormatError("subkey list", position, "no more keys than the hive has room for", "more")
    else:
        found = _leaf_offsets(cells, offset)
    if len(set(found)) != len(found):
        raise FormatError("subkey list", position, "each key once", "a key twice")
    return found


def list_cells(cells: Cells, offset: int) -> list[int]:
    """The cells of the list itself: its root and its leaves."""
    signature, count, position = header(cells, offset)
    if signature != b"ri":
        return [offset]
    return [offset, *cells.data.unpack(struct.Struct(f"<{count}I"), position)]


def header(cells: Cells, offset: int) -> tuple[bytes, int, int]:
    """(signature, number of entries, position of the first entry in the file) of a leaf or an index root."""
    position, length = cells.find(offset, "subkey list", HEADER.size)
    signature, count = cells.data.unpack(HEADER, position)
    width = WIDTH.get(signature)
    if width is None:
        raise FormatError("subkey list", position, "one of the signatures 'lf', 'lh', 'li', 'ri'", signature)
    if HEADER.size + width * count > length:
        room = (length - HEADER.size) // width
        raise FormatError("subkey list", position + 2, f"at most {room} entries", count)
    return signature, count, position + HEADER.size


def _leaf_offsets(cells: Cells, offset: int) -> list[int]:
    signature, count, position = header(cells, offset)
    if signature == b"ri":
        raise FormatError("subkey list", position - HEADER.size, "a leaf under an index root", "an index root")
    width = 1 if signature == b"li" else 2
    return list(cells.data.unpack(struct.Struct(f"<{width * count}I"), position)[::width])


def find(cells: Cells, offset: int, name: str) -> int | None:
    """The cell of the key of that name, in any case; None if the list has none.

    As in Windows, by binary search; within a hash leaf, by the hash.
    """
    wanted = names.order(name)
    if header(cells, offset)[0] == b"ri":
        leaves = read_root(cells, offset)
        if not leaves:
            return None
        offset = leaves[leaf_for(cells, leaves, wanted)]
    signature, count, position = header(cells, offset)
    if signature == b"lh":
        return _find_by_hash(cells, position, count, names.name_hash(name), wanted)
    offsets = _leaf_offsets(cells, offset)
    place = bisect(cells, offsets, wanted)
    return offsets[place] if place < len(offsets) and _order_at(cells, offsets[place]) == wanted else None


def _find_by_hash(cells: Cells, position: int, count: int, wanted_hash: int, wanted: bytes) -> int | None:
    """Compares the names of the keys whose entries have the hash. The hash is searched for as bytes, which is fast."""
    pattern = _ENTRY.pack(wanted_hash)
    end = position + 8 * count
    place = cells.data.find(pattern, position, end)
    while place >= 0:
        if (place - position) % 8 == 4:
            offset: int = cells.data.unpack(_ENTRY, place - 4)[0]
            if _order_at(cells, offset) == wanted:
                return offset
        place = cells.data.find(pattern, place + 1, end)
    return None


def _order_at(cells: Cells, offset: int) -> bytes:
    return names.order(key_node.name_at(cells, offset))


def bisect(cells: Cells, offsets: Sequence[int], wanted: bytes) -> int:
    """The index of the first of `offsets` whose key sorts at or after `wanted`."""
    low, high = 0, len(offsets)
    while low < high:
        middle = (low + high) // 2
        if _order_at(cells, offsets[middle]) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def read_root(cells: Cells, offset: int) -> list[int]:
    _, count, position = header(cells, offset)
    return list(cells.data.unpack(struct.Struct(f"<{count}I"), position))


def leaf_for(cells: Cells, leaves: list[int], wanted: bytes) -> int:
    """The index, in `leaves` (at least one), of the leaf that has, or would have, the key that sorts as `wanted`."""
    low, high = 0, len(leaves) - 1
    while low < high:
        middle = (low + high) // 2
        signature, count, position = header(cells, leaves[middle])
        last = cells.data.unpack(_ENTRY, position + WIDTH[signature] * (count - 1))[0]
        if count and _order_at(cells, last) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low
