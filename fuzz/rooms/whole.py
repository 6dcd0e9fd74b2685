"""A whole disk with a Windows on it, diagnosed and reported as a user would have it done."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from bcd.stores import WINDOWS, recipe
from commands.hives import system_hive
from fuzz import scratch
from fuzz.layouts import Field, of_construct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from fuzz.rooms.hives import hive_fields
from fuzz.rooms.ntfs import volume_fields
from ntfs.volumes import MIB, formatted
from support.memory_device import MemoryDevice
from vmrescue.diagnosis import diagnose
from vmrescue.ntfs import NtfsVolume
from vmrescue.registry import ValueType
from vmrescue.report.html import diagnosis_page
from vmrescue.report.layout import info_text
from vmrescue.report.text import diagnosis_text, plan_text
from vmrescue.volume.mbr import BOOT_RECORD

if TYPE_CHECKING:
    from pathlib import Path

START = MIB  # of the one volume: the first megabyte is the table's
VOLUME = 3 * MIB
STORE, SYSTEM = r"Boot\BCD", r"Windows\System32\config\SYSTEM"
SIGNATURE = WINDOWS[1].disk
OFFSET = WINDOWS[1].partition


@functools.cache
def seeds() -> list[Seed]:
    data = small_disk()
    fields = list(of_construct(BOOT_RECORD, 0, "boot record"))
    fields += volume_fields(data, START)
    for at in _hives(data):
        fields += hive_fields(data, at) * 2
    return [Seed("small disk", data, fields)]


@functools.cache
def small_disk() -> bytes:
    """An MBR disk of a generation 1 VM whose one active volume holds the boot store and a small SYSTEM hive."""
    device = MemoryDevice(formatted(VOLUME))
    volume = NtfsVolume(device)
    for folder in ("Boot", "Windows", r"Windows\System32", r"Windows\System32\config", r"Windows\Temp"):
        volume.create_directory(folder)
    volume.create_file(STORE, _store())
    volume.create_file(SYSTEM, _system())
    volume.create_file("pagefile.sys", bytes(65536))
    volume.create_file(r"Windows\Temp\left over", bytes(3000))
    return _table() + bytes(device.data)


def _store() -> bytes:
    """The recipe's store; its loader is on the partition of the boot manager."""
    here = START.to_bytes(8, "little")
    data = recipe(1)
    for partition in (OFFSET, 0x100000):
        assert isinstance(partition, int)
        data = data.replace(partition.to_bytes(8, "little"), here)
    return data


def _system() -> bytes:
    hive = system_hive()
    hive.set_value("Select", "Current", ValueType.DWORD, 1)
    memory = r"ControlSet001\Control\Session Manager\Memory Management"
    hive.create_key(memory)
    hive.set_value(memory, "PagingFiles", ValueType.MULTI_SZ, [r"C:\pagefile.sys 0 0"])
    hive.set_value(memory, "ExistingPageFiles", ValueType.MULTI_SZ, [r"\??\C:\pagefile.sys"])
    hive.create_key("MountedDevices")
    letter = int(SIGNATURE).to_bytes(4, "little") + START.to_bytes(8, "little")
    hive.set_value("MountedDevices", r"\DosDevices\C:", ValueType.BINARY, letter)
    return hive.to_bytes()


def _table() -> bytes:
    sector = bytearray(START)
    sector[440:444] = int(SIGNATURE).to_bytes(4, "little")
    sector[446] = 0x80
    sector[450] = 7
    Field("start", 454, 4).write(sector, START // 512)
    Field("sectors", 458, 4).write(sector, VOLUME // 512)
    sector[510:512] = b"\x55\xaa"
    return bytes(sector)


def _hives(data: bytes) -> list[int]:
    found, at = [], data.find(b"regf")
    while at >= 0:
        found += [at] if at % 512 == 0 else []
        at = data.find(b"regf", at + 1)
    return found


@functools.cache
def _image() -> Path:
    return scratch.folder() / "image.raw"


def run(data: bytes) -> None:
    """Diagnosis, plan and reports; text for a terminal holds nothing that a terminal would act on."""
    image = _image()
    image.write_bytes(data)
    refused = Refusals()
    with refused.allowed():
        diagnosis = diagnose(image)
        for text in (diagnosis_text(diagnosis), plan_text(diagnosis.plan())):
            assert all(line.isprintable() for line in text.split("\n")), "a control character in a report"
        diagnosis_page(diagnosis)
        info_text(diagnosis)
        diagnosis.plan().to_json()
    refused.tell()


PARSERS = (Parser("diagnose", run, seeds),)
