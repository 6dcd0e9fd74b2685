"""The check of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.notes import Note
from vmrescue.ntfs.collation import SID
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.collation import Key
    from vmrescue.ntfs.index import Index, IndexEntry
    from vmrescue.ntfs.structures.positions import BlockVcn


def check_index(index: Index, problems: list[str]) -> Iterator[IndexEntry]:
    """Yields the entries of an index; adds what is wrong with their order and with its blocks to `problems`."""
    where = f"the index {index.name} of file record {index.file.number}"
    seen: set[BlockVcn] = set()
    last: Key | None = None
    for entry in index.entries(seen=seen):
        key = index.collation.key(entry.key)
        if last is not None and key <= last and index.collation.rule != SID:
            problems.append(f"{where} is not in order at {_shown(entry.key)}")
        last = key
        yield entry
    _check_blocks(index, seen, where, problems)


def _check_blocks(index: Index, seen: set[BlockVcn], where: str, problems: list[str]) -> None:
    """Checks that the blocks in use, according to the index's bitmap, are those of the tree."""
    if index.file.find(Kind.BITMAP, index.name) is None:
        return
    bitmap = index.file.stream(Kind.BITMAP, index.name)
    bits = int.from_bytes(bitmap.read_all(), "little")
    used = sum(1 << vcn // index.block_vcns for vcn in seen)
    if bits & ~used:
        said = f"{where} has {counted((bits & ~used).bit_count(), 'block')} in use, but not in its tree"
        problems.append(Note(said))
    if used & ~bits:
        problems.append(f"{where} has {counted((used & ~bits).bit_count(), 'block')} in its tree, but marked as free")


def _shown(key: bytes) -> str:
    return f"the key {key[:80].hex()}"
