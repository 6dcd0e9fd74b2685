"""Hives: through our own room, which also edits them, and through dissect.regf, which diagnoses."""

from __future__ import annotations

import functools
import struct
from itertools import islice
from typing import TYPE_CHECKING

from commands.hives import CRASH_CONTROL, system_hive
from fuzz.layouts import Field, of_construct, of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals, where_there
from registry.samples import boot_store
from registry.test_hostile import small_hive
from support.memory_device import MemoryDevice
from vmrescue.image.containers.raw import RawImage
from vmrescue.registry import Hive, ValueType, export_reg
from vmrescue.registry.base_block import LAYOUT as BASE_BLOCK
from vmrescue.registry.key_node import LAYOUT as KEY_NODE
from vmrescue.registry.key_node import KeyNode
from vmrescue.registry.key_value import BIG_DATA, KeyValue
from vmrescue.registry.key_value import LAYOUT as KEY_VALUE
from vmrescue.registry.path import join
from vmrescue.registry.security import LAYOUT as SECURITY
from vmrescue.registry.space import BIN_HEADER
from vmrescue.windows.bare_hive import BareHive

if TYPE_CHECKING:
    from collections.abc import Callable

SECTOR, PAGE = 512, 4096
ROOT_AT, ROOT_FLAGS = 36, 0x4 | 0x8  # place of the root's cell in the base block; of a key: is the root, cannot go
LIST_ENTRIES = 8  # of a long list whose places are changed
LISTS = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}
KEYS_READ = 200  # with dissect, which is slow


@functools.cache
def seeds() -> list[Seed]:
    hives = {"1.3": small_hive(3), "1.5": small_hive(5), "SYSTEM": system_hive().to_bytes()}
    hives |= {"names that are paths": odd_names(), "a root without its flags": root_without_flags()}
    made = [hive_seed(name, data) for name, data in hives.items()]
    return [*made, *where_there(lambda: hive_seed("BCD", boot_store()))]


def odd_names() -> bytes:
    """Keys and values with the names that hives of the public collections have: paths, halves of characters, none."""
    hive = Hive.create("TEST")
    for name in ("a/b", "application/pdf", "a\\b", "\ud800", "N\0L", "line\nbreak", "\u202e"):
        path = join([name, name])
        hive.create_key(path)
        hive.set_value(path, name, ValueType.SZ, "text")
    return hive.to_bytes()


def root_without_flags() -> bytes:
    """As other programs write it: its root is not marked as one, nor as one that may not be deleted."""
    data = bytearray(small_hive(5))
    at = PAGE + struct.unpack_from("<I", data, ROOT_AT)[0] + 4
    flags = struct.unpack_from("<H", data, at + 2)[0]
    struct.pack_into("<H", data, at + 2, flags & ~ROOT_FLAGS)
    return bytes(data)


def hive_seed(name: str, data: bytes) -> Seed:
    return Seed(name, data, hive_fields(data), seal)


def hive_fields(data: bytes, start: int = 0) -> list[Field]:
    """The numbers of the base block, the bins, and all cells of a hive that begins at `start`."""
    fields = list(of_construct(BASE_BLOCK, start, "base block"))
    at = start + PAGE
    while data[at : at + 4] == b"hbin":
        size = struct.unpack_from("<I", data, at + 8)[0]
        fields += of_struct(BIN_HEADER, at, "bin", "signature offset size time spare")
        cell = at + BIN_HEADER.size
        while cell < at + size:
            length = abs(struct.unpack_from("<i", data, cell)[0])
            fields += _cell_fields(data, cell, length)
            cell += max(length, 8)
        at += size
    return fields


def _cell_fields(data: bytes, at: int, length: int) -> list[Field]:
    fields = [Field("cell.size", at, 4)]
    kind = data[at + 4 : at + 6]
    if kind == b"nk":
        fields += of_struct(KEY_NODE, at + 4, "key node", " ".join(KeyNode._fields))
    elif kind == b"vk":
        fields += of_struct(KEY_VALUE, at + 4, "key value", " ".join(KeyValue._fields))
    elif kind == b"sk":
        fields += of_struct(SECURITY, at + 4, "key security")
    elif kind == b"db":
        fields += of_struct(BIG_DATA, at + 4, "big data")
    elif kind in LISTS:
        fields.append(Field("list.count", at + 6, 2))
        places = range(at + 8, min(at + length - 3, at + 8 + LIST_ENTRIES * LISTS[kind]), 4)
        fields += [Field("list.entry", place, 4) for place in places]
    elif length <= 4 + 4 * LIST_ENTRIES:
        fields += [Field("cell.number", place, 4) for place in range(at + 4, at + length - 3, 4)]
    return fields


def seal(data: bytearray) -> None:
    """The checksum of the base block; equal sequence numbers nearly always, or nothing behind them would be read."""
    if len(data) < SECTOR:
        return
    data[8:12] = data[4:8]
    total = 0
    for (number,) in struct.iter_unpack("<I", data[:508]):
        total ^= number
    struct.pack_into("<I", data, 508, {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total))


def run(data: bytes) -> None:
    """Reads all of it, checks, exports, edits."""
    refused = Refusals()
    with refused.allowed():
        hive = Hive(data)
        hive.check()
        with refused.allowed():
            for key in hive.walk():
                with refused.allowed():
                    _ = key.path, key.class_name, key.last_written, key.security_descriptor, key.link_target
                    _ = [(value.name, value.type, value.data) for value in key.values()]
        with refused.allowed():
            export_reg(hive, "", "HKLM\\X")
        with refused.allowed():
            for key in hive.root.subkeys()[:2]:
                edit(hive, key.path, Refusals())
            Hive(hive.to_bytes())
    refused.tell()


def edit(hive: Hive, path: str, refused: Refusals) -> None:
    """An edit of each kind; one that is refused leaves the hive as it was."""
    deeds: tuple[Callable[[], object], ...] = (
        lambda: hive.set_value(path, "new", ValueType.BINARY, bytes(20_000)),
        lambda: hive.create_key(f"{path}\\below\\it"),
        lambda: hive.delete_value(path, "имя"),
        lambda: hive.rename_key(path, "renamed to a longer name"),
        lambda: hive.delete_key("renamed to a longer name", recursive=True),
    )
    for deed in deeds:
        before, edition = hive.to_bytes(), hive.edition
        with refused.allowed():
            deed()
            continue
        assert hive.edition > edition or hive.to_bytes() == before, "a refused edit changed the hive"


def run_reader(data: bytes) -> None:
    """What a diagnosis asks, through dissect.regf."""
    refused = Refusals()
    with refused.allowed():
        hive = BareHive(RawImage(MemoryDevice(data)), "/nowhere/HIVE").hive
        _ = hive.why_not_replayable()
        waiting = [hive.root]
        for _ in range(KEYS_READ):
            if not waiting:
                break
            key = waiting.pop()
            with refused.allowed():
                _ = key.name, key.values()
                waiting += islice(key.subkeys(), 20)
        with refused.allowed():
            hive.number("Select", "Current")
        with refused.allowed():
            hive.text(CRASH_CONTROL, "DumpFile")
        with refused.allowed():
            hive.root.data("Current")
    refused.tell()


PARSERS = (Parser("hive", run, seeds), Parser("hive-reader", run_reader, seeds))
