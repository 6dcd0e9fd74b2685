"""Stores for the tests. hivexregedit builds them, and reads them afterwards as the judge."""

from __future__ import annotations

import re
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import UUID

from support.machine import run
from support.real_data import corpus
from vmrescue.bcd import Partition, Store, Style
from vmrescue.bcd.device import RamDisk, encode
from vmrescue.bcd.hive_key import HiveKey
from vmrescue.registry import Hive
from vmrescue.registry.operations import CreateKey, DeleteKey, SetValue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.registry.operations import Operation

LOADER = UUID("11111111-3c1d-11ef-9a77-00155d3a2b01")
SECOND_LOADER = UUID("22222222-3c1d-11ef-9a77-00155d3a2b01")
RECOVERY = UUID("33333333-3c1d-11ef-9a77-00155d3a2b01")
RESUME = UUID("44444444-3c1d-11ef-9a77-00155d3a2b01")
RAM_DISK = UUID("55555555-3c1d-11ef-9a77-00155d3a2b01")

SYSTEM = {
    1: Partition(Style.MBR, 0xB0075167, 0x100000),
    2: Partition(Style.GPT, UUID(int=0xD15C), UUID(int=0x5157E)),
}
WINDOWS = {
    1: Partition(Style.MBR, 0xB0075167, 0x1F500000),
    2: Partition(Style.GPT, UUID(int=0xD15C), UUID(int=0xC)),
}


class RecipeVolumes:
    """The volumes of the recipes' machine: Windows on C:, the system partition without a letter."""

    def __init__(self, generation: int) -> None:
        self._names = {SYSTEM[generation]: r"\Device\HarddiskVolume1", WINDOWS[generation]: "C:"}

    def name(self, partition: Partition) -> str | None:
        return self._names.get(partition)

    def partition(self, name: str) -> Partition | None:
        return next((each for each, known in self._names.items() if known.lower() == name.lower()), None)


@cache
def recipe(generation: int) -> bytes:
    """A store with two loaders, their recovery, and damaged memory: as bcdboot and Setup lay it out."""
    keys = {"Description": ['"KeyName"=hex(1):' + _hex(_text("BCD00000000")), '"System"=dword:00000001']}
    for name, (kind, elements) in _objects(generation).items():
        path = f"Objects\\{{{name}}}"
        keys[f"{path}\\Description"] = [f'"Type"=dword:{kind:08x}']
        for identifier, value in elements.items():
            keys[f"{path}\\Elements\\{identifier:08x}"] = [f'"Element"={_value(value)}']
    text = "Windows Registry Editor Version 5.00\n"
    for path, values in keys.items():
        parts = path.split("\\")
        text += "".join(f"\n[\\{chr(92).join(parts[:depth])}]\n" for depth in range(1, len(parts) + 1))
        text += "".join(f"{value}\n" for value in values)
    return merged(Hive.create("BCD").to_bytes(), text)


Element = bytes | str | list[str] | int | bool


def _objects(generation: int) -> dict[str, tuple[int, dict[int, Element]]]:
    end, manager = ("exe", "\\bootmgr") if generation == 1 else ("efi", "\\EFI\\Microsoft\\Boot\\bootmgfw.efi")
    system, windows = encode(SYSTEM[generation]).raw, encode(WINDOWS[generation]).raw
    ram_disk = encode(RamDisk(WINDOWS[generation], r"\Recovery\WindowsRE\Winre.wim"), RAM_DISK).raw
    settings = "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}"
    global_settings = "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}"
    hypervisor, debugger = "{7ff607e0-4395-11db-b0de-0800200c9a66}", "{4636856e-540f-4170-a130-a84776f4c654}"
    ems, bad_memory = "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}", "{5189b25c-5558-4bf2-bca4-289b11bd29e2}"
    loader: dict[int, Element] = {
        0x11000001: windows,
        0x12000002: f"\\Windows\\system32\\winload.{end}",
        0x12000004: "Windows Server 2019",
        0x12000005: "en-US",
        0x14000006: [settings],
        0x15000007: 0x40000000,
        0x14000008: [_braced(RECOVERY)],
        0x16000009: True,
        0x17000077: struct.pack("<Q", 0x15000075),
        0x21000001: windows,
        0x22000002: "\\Windows",
        0x23000003: _braced(RESUME),
        0x25000020: 1,
        0x250000C2: 1,
        0x25000061: 2,
    }
    return {
        "9dea862c-5cdd-4e70-acc1-f32b344d4795": (
            0x10100002,
            {
                0x11000001: system,
                0x12000002: manager,
                0x12000004: "Windows Boot Manager",
                0x14000006: [global_settings],
                0x23000003: _braced(LOADER),
                0x23000006: _braced(RESUME),
                0x24000001: [_braced(SECOND_LOADER), _braced(LOADER)],
                0x24000010: ["{b2721d73-1db4-4c62-bf78-c548a880142d}"],
                0x25000004: 30,
            },
        ),
        str(LOADER): (0x10200003, loader),
        str(SECOND_LOADER): (0x10200003, {0x12000004: "Second", 0x23000003: _braced(RESUME), 0x26000010: False}),
        str(RECOVERY): (
            0x10200003,
            {0x11000001: ram_disk, 0x12000004: "Recovery", 0x21000001: ram_disk, 0x26000022: True, 0x46000010: True},
        ),
        str(RESUME): (
            0x10200004,
            {0x11000001: windows, 0x22000002: "\\hiberfil.sys", 0x25000008: 1, 0x26000006: False},
        ),
        str(RAM_DISK): (0x30000000, {0x31000003: windows, 0x32000004: "\\Recovery\\WindowsRE\\boot.sdi"}),
        "b2721d73-1db4-4c62-bf78-c548a880142d": (0x10200005, {0x11000001: system, 0x1600000B: True}),
        ems.strip("{}"): (0x20100000, {0x16000020: False}),
        debugger.strip("{}"): (
            0x20100000,
            {0x1200001D: "1.2.3.4", 0x15000011: 3, 0x1500001A: 0xC0A80001, 0x1500001B: 50000, 0x1600001C: True},
        ),
        bad_memory.strip("{}"): (0x20100000, {0x1700000A: struct.pack("<2Q", 0xFFE38, 0x100F)}),
        global_settings.strip("{}"): (0x20100000, {0x14000006: [debugger, ems, bad_memory]}),
        settings.strip("{}"): (0x20200003, {0x14000006: [global_settings, hypervisor]}),
        hypervisor.strip("{}"): (0x20200003, {0x250000F3: 0, 0x250000F4: 1, 0x250000F5: 115200}),
        "b012b84d-c47c-4ed5-b722-c0c42163e569": (
            0x10200003,
            {0x22000002: "\\windows", 0x45000001: 2, 0x47000005: struct.pack("<2Q", 301989892, 3)},
        ),
    }


def _braced(guid: UUID) -> str:
    return f"{{{guid}}}"


def _value(value: Element) -> str:
    if isinstance(value, bool):
        return f"hex:{value:02x}"
    if isinstance(value, int):
        return f"hex:{_hex(value.to_bytes(8, 'little'))}"
    if isinstance(value, str):
        return f"hex(1):{_hex(_text(value))}"
    if isinstance(value, list):
        return f"hex(7):{_hex(b''.join(map(_text, value)) + bytes(2))}"
    return f"hex:{_hex(value)}"


def _text(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")


def _hex(data: bytes) -> str:
    return data.hex(",")


def merged(hive: bytes, registry_text: str) -> bytes:
    """The hive after hivexregedit has merged a .reg text into it."""
    with TemporaryDirectory() as folder:
        path, text = Path(folder) / "hive", Path(folder) / "text.reg"
        path.write_bytes(hive)
        text.write_text(registry_text)
        run("hivexregedit", "--merge", path, text)
        return path.read_bytes()


def judged(hive: bytes) -> dict[str, dict[str, str]]:
    """The hive according to hivexregedit: path of each key -> its values by name, as written in the .reg text."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hive"
        path.write_bytes(hive)
        text = run("hivexregedit", "--export", path, "\\")
    keys: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if key := re.fullmatch(r"\[\\?(.*)\]", line):
            values = keys.setdefault(key[1], {})
        elif value := re.fullmatch(r'"(.*?)"=(.*)', line):
            values[value[1]] = value[2]
    return keys


def element(hive: bytes, guid: UUID | str, identifier: int) -> str | None:
    """An object's element according to hivexregedit, e.g. ``hex(3):01``; None if there is none."""
    keys = judged(hive)
    return keys.get(f"Objects\\{{{guid}}}\\Elements\\{identifier:08x}", {}).get("Element")


def edited(hive: bytes, edits: Iterable[Operation]) -> bytes:
    """The hive after our `registry` package has made the edits."""
    opened = Hive(hive)
    for edit in edits:
        if isinstance(edit, SetValue):
            opened.create_key(edit.path)
            opened.set_value(edit.path, edit.name, edit.type, edit.raw)
        elif isinstance(edit, CreateKey):
            opened.create_key(edit.path)
        elif isinstance(edit, DeleteKey):
            opened.delete_key(edit.path, recursive=True)
    return opened.to_bytes()


def store_of(hive: bytes) -> Store:
    """The store, read through our `registry` package."""
    return Store(HiveKey.root(Hive(hive)))


@cache
def uefi_hive() -> bytes:
    """A real machine's store."""
    return corpus("hives/BCD-uefi")
