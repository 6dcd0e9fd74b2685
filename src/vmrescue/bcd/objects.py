"""BCD objects: their types, and the ones that every store names by a fixed GUID.

Sources: Microsoft's BCD WMI reference (BcdObject) for the layout of the type; Geoff Chappell's "BCD Objects" for the
GUIDs; Microsoft's BCDEdit reference for the aliases, and its sample output for the titles.
"""

from __future__ import annotations

import enum
from uuid import UUID

from vmrescue.dataclass import dataclass


class ObjectKind(enum.IntEnum):
    """The top digit of an object's type."""

    APPLICATION = 1
    INHERIT = 2
    DEVICE = 3


class Application(enum.IntEnum):
    """The low five digits of an application's type, or of settings inherited by one."""

    FIRMWARE_BOOT_MANAGER = 0x1
    BOOT_MANAGER = 0x2
    OS_LOADER = 0x3
    RESUME = 0x4
    MEMORY_TESTER = 0x5
    NTLDR = 0x6
    SETUPLDR = 0x7
    BOOT_SECTOR = 0x8
    STARTUP = 0x9
    BOOT_APPLICATION = 0xA
    FIRMWARE = 0xFFFFF


class Image(enum.IntEnum):
    """The third digit of an application's type: what kind of program it is."""

    FIRMWARE = 1
    BOOT_APPLICATION = 2
    LEGACY_LOADER = 3
    REAL_MODE = 4


class Inheritable(enum.IntEnum):
    """The third digit of an inherit object's type: which objects may inherit it."""

    BY_ANY = 1
    BY_APPLICATION = 2
    BY_DEVICE = 3


@dataclass(frozen=True)
class ObjectType:
    """The dword ``Description\\Type`` of an object, e.g. 0x10200003: application, boot application, OS loader."""

    value: int

    @property
    def kind(self) -> ObjectKind | None:
        digit = self.value >> 28
        return ObjectKind(digit) if digit in set(ObjectKind) else None

    @property
    def subclass(self) -> int:
        """The third digit: an `Image` for an application, an `Inheritable` for an inherit object."""
        return self.value >> 20 & 0xF

    @property
    def application(self) -> Application | None:
        """The program that the object describes or holds settings for; None if the type names none that we know."""
        if self.kind is ObjectKind.DEVICE or (
            self.kind is ObjectKind.INHERIT and self.subclass != Inheritable.BY_APPLICATION
        ):
            return None
        code = self.value & 0xFFFFF
        return Application(code) if code in set(Application) else None

    @property
    def title(self) -> str:
        """bcdedit's heading for an object of this type without a well-known GUID."""
        if self.kind is ObjectKind.DEVICE:
            return "Device options"
        return _TITLES.get(self.value) or f"{self._general_title} ({self.value:08x})"

    @property
    def _general_title(self) -> str:
        if self.kind is ObjectKind.INHERIT:
            return "Inherited Settings"
        return _GENERAL_TITLES.get(self.subclass, "Unknown") if self.kind is ObjectKind.APPLICATION else "Unknown"


# Titles from published listings. The general titles for images other than the firmware's are formed in the same way.
_TITLES = {
    0x10100001: "Firmware Boot Manager",
    0x10100002: "Windows Boot Manager",
    0x10200003: "Windows Boot Loader",
    0x10200004: "Resume from Hibernate",
    0x10200005: "Windows Memory Tester",
    0x10300006: "Windows Legacy OS Loader",
    0x10400008: "Real-mode Boot Sector",
}
_GENERAL_TITLES: dict[int, str] = {
    Image.FIRMWARE: "Firmware Application",
    Image.BOOT_APPLICATION: "Boot Application",
    Image.LEGACY_LOADER: "Legacy Application",
    Image.REAL_MODE: "Real-mode Application",
}


@dataclass(frozen=True)
class WellKnown:
    """An object with a fixed GUID. `alias` is without braces, and empty where bcdedit has none."""

    guid: UUID
    alias: str
    type: ObjectType
    title: str


def _well_known(guid: str, alias: str, object_type: int, title: str) -> WellKnown:
    return WellKnown(UUID(guid), alias, ObjectType(object_type), title)


WELL_KNOWN = (
    _well_known("a5a30fa2-3d06-4e9f-b5f4-a01df9d1fcba", "fwbootmgr", 0x10100001, "Firmware Boot Manager"),
    _well_known("9dea862c-5cdd-4e70-acc1-f32b344d4795", "bootmgr", 0x10100002, "Windows Boot Manager"),
    _well_known("b2721d73-1db4-4c62-bf78-c548a880142d", "memdiag", 0x10200005, "Windows Memory Tester"),
    _well_known("466f5a88-0af2-4f76-9038-095b170dc21c", "ntldr", 0x10300006, "Windows Legacy OS Loader"),
    _well_known("0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9", "emssettings", 0x20100000, "EMS Settings"),
    _well_known("4636856e-540f-4170-a130-a84776f4c654", "dbgsettings", 0x20100000, "Debugger Settings"),
    _well_known("5189b25c-5558-4bf2-bca4-289b11bd29e2", "badmemory", 0x20100000, "RAM Defects"),
    _well_known("7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e", "globalsettings", 0x20100000, "Global Settings"),
    _well_known("6efb52bf-1766-41db-a6b3-0ee5eff72bd7", "bootloadersettings", 0x20200003, "Boot Loader Settings"),
    _well_known("7ff607e0-4395-11db-b0de-0800200c9a66", "hypervisorsettings", 0x20200003, "Hypervisor Settings"),
    # This title is a guess: no published listing shows it.
    _well_known("313e8eed-7098-4586-a9bf-309c61f8d449", "kerneldbgsettings", 0x20200003, "Kernel Debugger Settings"),
    _well_known("1afa9c49-16ab-4a5c-901b-212802da9460", "resumeloadersettings", 0x20200004, "Resume Loader Settings"),
    _well_known("ae5534e0-a924-466c-b836-758539a3ee3a", "ramdiskoptions", 0x30000000, "Setup Ramdisk Options"),
    # Setup's own entries and templates: bcdedit has titles for them, but no aliases.
    _well_known("7254a080-1510-4e85-ac0f-e7fb3d444736", "", 0x10200003, "Windows Setup"),
    _well_known("cbd971bf-b7b8-4885-951a-fa03044f5d71", "", 0x10200003, "Windows Setup"),
    _well_known("b012b84d-c47c-4ed5-b722-c0c42163e569", "", 0x10200003, "OS Target Template"),
    _well_known("a1943bbc-ea85-487c-97c7-c9ede908a38a", "", 0x10200003, "OS Target Template"),
)
TEMPLATES = frozenset(known.guid for known in WELL_KNOWN if known.title == "OS Target Template")

BY_GUID = {known.guid: known for known in WELL_KNOWN}
BY_ALIAS = {known.alias: known for known in WELL_KNOWN if known.alias}
# Other spellings that bcdedit accepts for the same objects.
BY_ALIAS["legacy"] = BY_ALIAS["ntldr"]
BY_ALIAS["eventsettings"] = BY_ALIAS["dbgsettings"]

# No stored object has these two GUIDs: bcdedit replaces them with the default entry and the running entry.
DEFAULT = UUID("1cae1eb7-a0df-4d4d-9851-4860e34ef535")
CURRENT = UUID("fa926493-6f1c-4193-a414-58f0b2456d1e")


def braced(guid: UUID) -> str:
    """The GUID as a store and bcdedit write it: ``{9dea862c-…}``, lower case."""
    return f"{{{guid}}}"


def identifier_of(guid: UUID) -> str:
    """The alias in braces, or the GUID in braces if it has no alias."""
    known = BY_GUID.get(guid)
    return f"{{{known.alias}}}" if known and known.alias else braced(guid)
