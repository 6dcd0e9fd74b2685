"""Numbers that other programs decide, held against what those programs say: no test of ours repeats them."""

from __future__ import annotations

import re
from uuid import UUID

from dissect.ntfs.c_ntfs import IO_REPARSE_TAG

from support.machine import run
from support.real_data import corpus
from vmrescue.bcd import objects
from vmrescue.reparse_tags import TITLES, WOF
from vmrescue.volume.partition_types import EXTENDED_TYPES, GPT_PROTECTIVE, GPT_TYPES, MBR_TYPES, Role

# What a role's types are called in util-linux' lists.
CALLED: dict[Role, str] = {
    "EFI system": "EFI",
    "Microsoft reserved": "Microsoft reserved",
    "recovery": "Windows recovery|WinRE",
    "basic data": "Microsoft basic data|FAT1[26]|FAT32|HPFS/NTFS",
    "extended": "Extended|W95 Ext'd|Linux extended",
    "GPT protective": "GPT",
    "dynamic disk": "LDM|SFS|NTFS volume set",  # SFS is what dynamic disks share their MBR type with
    "storage spaces": "Storage Spaces",
    "Linux": "Linux",
    "other": ".",
}


def types_of(label: str) -> dict[str, str]:
    """The types that sfdisk knows, by their numbers or GUIDs in lower case."""
    rows = re.findall(r"^ *([0-9a-fA-F-]+)  (\S.*)$", run("sfdisk", "-T", "-X", label), re.MULTILINE)
    return {number.lower(): name for number, name in rows}


def test_gpt_types_are_those_of_util_linux() -> None:
    known = types_of("gpt")
    ours = {str(guid): role for guid, (_, role) in GPT_TYPES.items()}
    assert len(ours.keys() & known.keys()) > 10
    for guid in ours.keys() & known.keys():
        assert re.search(CALLED[ours[guid]], known[guid]), (guid, known[guid])
    for guid, name in known.items():
        if "Microsoft" in name or "Windows" in name or name == "EFI System":
            assert UUID(guid) in GPT_TYPES, (guid, name)


def test_mbr_types_are_those_of_util_linux() -> None:
    known = types_of("dos")
    for number, (_, role) in MBR_TYPES.items():
        if f"{number:x}" in known:
            assert re.search(CALLED[role], known[f"{number:x}"]), (number, known[f"{number:x}"])
    for number in EXTENDED_TYPES:
        assert re.search(CALLED["extended"], known[f"{number:x}"]), number
    assert known[f"{GPT_PROTECTIVE:x}"] == "GPT"


def test_reparse_tags_are_those_of_dissect() -> None:
    called = {
        "MOUNT_POINT": "a mount point",
        "SYMLINK": "a symbolic link",
        "WOF": "a file compressed by WOF",
        "APPEXECLINK": "an app's alias",
        "DEDUP": "a deduplicated file",
        "AF_UNIX": "a socket",
        "LX_SYMLINK": "a Linux symbolic link",
    }
    known = {member.name.removeprefix("IO_REPARSE_TAG_"): member.value for member in IO_REPARSE_TAG}
    assert {name: TITLES.get(known[name]) for name in called} == called
    assert known["WOF"] == WOF


def test_the_objects_of_a_boot_store_are_those_that_windows_made() -> None:
    """Their GUIDs are the names of keys in a real store."""
    real = corpus("hives/BCD-uefi").lower()
    for alias in ("bootmgr", "fwbootmgr", "memdiag", "badmemory", "emssettings", "dbgsettings", "globalsettings",
                  "bootloadersettings", "resumeloadersettings", "hypervisorsettings"):  # fmt: skip
        assert f"{{{objects.BY_ALIAS[alias].guid}}}".encode() in real, alias
