"""The system's indexes of files other than directories: object ids, reparse points, quotas.

Source: linux-ntfs documentation, "$ObjId", "$Reparse", "$Quota".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import in_volume
from vmrescue.ntfs.directory import Directory
from vmrescue.ntfs.edit.index_edit import IndexEditor
from vmrescue.ntfs.index import Index, IndexEntry
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.reparse import reparse_tag
from vmrescue.ntfs.structures.system_files import EXTEND

if TYPE_CHECKING:
    from vmrescue.ntfs.store import File, FileStore

OBJECT_ID_SIZE = 16
_REPARSE_KEY = struct.Struct("<IQ")  # tag, reference of the file
QUOTA_DEFAULTS = struct.pack("<I", 1)  # the key of the entry that holds the volume's quota flags
QUOTA_IN_USE = 0x10 | 0x40 | 0x80  # tracking enabled, requested, deletions pending
QUOTA_OUT_OF_DATE = 0x200
_QUOTA_FLAGS = struct.Struct("<4xI")


def open_view(store: FileStore, file_name: str, index_name: str) -> Index | None:
    """An index of a file in $Extend; None if the volume does not have the file."""
    named = Directory(store.file(EXTEND)).find(file_name)
    if named is None:
        return None
    file = store.referenced(named.reference)
    return Index(file, index_name) if file.find(Kind.INDEX_ROOT, index_name) else None


def object_id_key(file: File) -> bytes:
    """The key in $ObjId of a file with an object id."""
    stream = file.stream(Kind.OBJECT_ID)
    if stream.size < OBJECT_ID_SIZE:
        raise in_volume("$OBJECT_ID", stream.attribute.position, f"{OBJECT_ID_SIZE} bytes", stream.size)
    return stream.read_at(0, OBJECT_ID_SIZE)


def reparse_key(file: File) -> bytes:
    """The key in $Reparse of a reparse point."""
    return _REPARSE_KEY.pack(reparse_tag(file), file.reference)


def forget_object_id(file: File) -> None:
    """Removes a file's object id, if it has one, from $ObjId."""
    if file.find(Kind.OBJECT_ID):
        _remove(open_view(file.store, "$ObjId", "$O"), object_id_key(file))


def forget_reparse_point(file: File) -> None:
    """Removes a file, if it is a reparse point, from $Reparse."""
    if file.find(Kind.REPARSE_POINT):
        _remove(open_view(file.store, "$Reparse", "$R"), reparse_key(file))


def _remove(index: Index | None, raw_key: bytes) -> None:
    if index is None:
        return
    key = index.collation.key(raw_key)
    if index.find(key):
        IndexEditor(index).remove(key)


def mark_quotas_out_of_date(store: FileStore) -> None:
    """If Windows tracks quotas on the volume, makes it count again, because files were added or removed."""
    index = open_view(store, "$Quota", "$Q")
    entry = index.find(index.collation.key(QUOTA_DEFAULTS)) if index else None
    if index is None or entry is None:
        return
    start = int.from_bytes(entry.body[:2], "little")
    if len(entry.data) < _QUOTA_FLAGS.size:
        raise in_volume("$Quota entry", index.root.position, f"{_QUOTA_FLAGS.size} bytes", len(entry.data))
    (flags,) = _QUOTA_FLAGS.unpack(entry.data[: _QUOTA_FLAGS.size])
    if flags & QUOTA_IN_USE and not flags & QUOTA_OUT_OF_DATE:
        body = bytearray(entry.body)
        struct.pack_into("<I", body, start + 4, flags | QUOTA_OUT_OF_DATE)
        IndexEditor(index).replace(IndexEntry(bytes(body)))
