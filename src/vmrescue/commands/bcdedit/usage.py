"""What ``bcdedit /?`` and ``bcdedit /? /set`` print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.commands.usage import Usage, explained

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENTRY = (
    "The entry, by its GUID or a name such as {bootmgr}, {default}; {current} is the default entry, because no Windows"
    " is running."
)
ID = ("{id}", _ENTRY)
STATE = ("ON | OFF", "The element's new value.")
PLACES = (
    ("/addfirst", "Puts the entry before the others of the list."),
    ("/addlast", "Puts it behind the others."),
    ("/remove", "Takes it out of the list."),
)
FILE = ("filename", "A file of this machine.")


def _switch(name: str, what: str) -> Usage:
    return Usage(f"/{name} [{{id}}] {{ON | OFF}}", f"Switches {what} on or off for an entry.", (ID, STATE))


def _order(name: str, what: str) -> Usage:
    return Usage(
        f"/{name} {{id}} [{{id}} ...] [/addfirst | /addlast | /remove]",
        f"Sets {what}; with a switch, only the place of one entry in it.",
        (ID, *PLACES),
    )


USAGES = {
    "enum": Usage(
        "/enum [type | {id}] [/v]",
        "Lists entries of the store.",
        (
            (
                "type",
                "active (the boot menu; unless said), all, firmware, bootapp, bootmgr, osloader, resume, inherit.",
            ),
            ID,
            ("/v", "Names entries by their GUIDs, and leaves nothing out."),
        ),
        (("/enum all", "Everything in the store."), ("/enum {default}", "One entry.")),
    ),
    "set": Usage(
        "/set [{id}] datatype value [value ...] [/addfirst | /addlast | /remove]",
        "Sets an element of an entry.",
        (
            ID,
            ("datatype", "The element, as a listing names it, or custom:12345678 by its number."),
            ("value", "Its value; ON or OFF; a number; partition=C:; an identifier; of a list several."),
            *PLACES,
        ),
        (
            ("/set {default} recoveryenabled No", "Windows does not start its recovery."),
            ("/set {default} safeboot minimal", "Safe mode."),
        ),
    ),
    "deletevalue": Usage(
        "/deletevalue [{id}] datatype",
        "Deletes an element of an entry.",
        (ID, ("datatype", "The element, as a listing names it.")),
        (("/deletevalue {badmemory} badmemorylist", "The list of bad memory."),),
    ),
    "create": Usage(
        "/create [{id}] [/d description] [/application type | /inherit [type] | /device]",
        "Makes a new entry.",
        (
            ("{id}", "Its name, of a well-known entry; a new GUID unless given."),
            ("/d", "What the boot menu calls it."),
            ("/application", "bootapp, bootsector, osloader, resume or startup."),
            ("/inherit", "Settings for others: of a type, or of any."),
            ("/device", "Options of a device."),
        ),
    ),
    "copy": Usage("/copy {id} /d description", "Copies an entry.", (ID, ("/d", "What the boot menu calls the copy."))),
    "delete": Usage(
        "/delete {id} [/f] [/cleanup | /nocleanup]",
        "Deletes an entry.",
        (
            ID,
            ("/f", "Even a well-known one."),
            ("/cleanup", "With what refers to it (unless said)."),
            ("/nocleanup", "The entry alone."),
        ),
    ),
    "default": Usage("/default {id}", "Sets the entry that is started when nobody chooses.", (ID,)),
    "displayorder": _order("displayorder", "what the boot menu shows"),
    "bootsequence": _order("bootsequence", "what is started at the next start only"),
    "toolsdisplayorder": _order("toolsdisplayorder", "the tools that the boot menu shows"),
    "timeout": Usage(
        "/timeout seconds", "Sets how long the boot menu is shown.", (("seconds", "The time, in seconds."),)
    ),
    "ems": _switch("ems", "Emergency Management Services"),
    "bootems": _switch("bootems", "Emergency Management Services of the boot manager or loader"),
    "emssettings": Usage(
        "/emssettings BIOS | EMSPORT:port [EMSBAUDRATE:rate]",
        "Sets the serial port of Emergency Management Services.",
        (("BIOS", "The firmware says which."), ("EMSPORT", "1 is COM1."), ("EMSBAUDRATE", "Its rate, such as 115200.")),
    ),
    "debug": _switch("debug", "the kernel's debugger"),
    "bootdebug": _switch("bootdebug", "the debugger of the boot manager or loader"),
    "dbgsettings": Usage(
        "/dbgsettings [type [NAME:value ...] [nodhcp] [newkey] [/start policy] [/noumex]]",
        "Lists or sets how the debugger is connected.",
        (
            ("type", "SERIAL, 1394, USB, NET or LOCAL."),
            (
                "NAME:value",
                "DEBUGPORT, BAUDRATE; CHANNEL; TARGETNAME; HOSTIP, PORT, KEY, BUSPARAMS, as the type takes them.",
            ),
            ("nodhcp", "Of NET: without DHCP."),
            ("newkey", "Of NET: makes a new key, which is printed."),
            ("/start", "ACTIVE, AUTOENABLE or DISABLE."),
            ("/noumex", "User mode's exceptions are left alone."),
        ),
    ),
    "event": _switch("event", "the passing on of events to the debugger"),
    "hypervisorsettings": Usage(
        "/hypervisorsettings [type [NAME:value ...]]",
        "Lists or sets how the hypervisor's debugger is connected.",
        (
            ("type", "SERIAL, 1394 or NET."),
            ("NAME:value", "DEBUGPORT, BAUDRATE; CHANNEL; HOSTIP, PORT, BUSPARAMS, as the type takes them."),
        ),
    ),
    "export": Usage("/export filename", "Writes a copy of the store to a file.", (FILE,)),
    "import": Usage(
        "/import filename [/clean]",
        "Makes the store's entries those of a file.",
        (FILE, ("/clean", "Is about the firmware's own entries, of which no image has any.")),
    ),
    "createstore": Usage("/createstore filename", "Makes a new, empty store.", (FILE,)),
}
STORE = Usage(
    "[/store filename] command",
    "Does a command on another store of the image than the one that boots it.",
    (("filename", "The store's path in the image, such as F:\\Boot\\BCD."),),
)
GROUPS = {
    "Commands that are about a store": ("export", "import", "createstore"),
    "Commands that are about its entries": ("enum", "copy", "create", "delete"),
    "Commands that are about an entry's elements": ("set", "deletevalue"),
    "Commands that are about the boot manager": (
        "bootsequence",
        "default",
        "displayorder",
        "timeout",
        "toolsdisplayorder",
    ),
    "Commands that are about Emergency Management Services": ("bootems", "ems", "emssettings"),
    "Commands that are about debugging": ("bootdebug", "dbgsettings", "debug", "event", "hypervisorsettings"),
}


def usage(words: Sequence[str], program: str) -> str:
    """What is printed for a command line that asks for help: of the command that it names, or of all."""
    named = next((name for word in words if (name := word.lstrip("/-").lower()) in {*USAGES, "store"}), None)
    if named:
        return (STORE if named == "store" else USAGES[named]).text(program)
    lines = [f"{program} /command [argument1] [argument2] ..."]
    for title, names in GROUPS.items():
        lines += ["", title, "=" * len(title)]
        for name in names:
            lines += explained(f"/{name}", USAGES[name].does)
    lines += ["", *explained("/store", STORE.does), *explained("/v", "Names entries by their GUIDs.")]
    return "\n".join([*lines, "", "For help on a command:", "", f"  {program} /? /command"])
