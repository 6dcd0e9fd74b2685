"""What ``reg /?`` and ``reg add /?`` print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.commands.reg.data import type_names
from vmrescue.commands.usage import Usage, explained

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = (
    "ROOT\\Key, as the guest names it: HKLM\\SYSTEM, SOFTWARE, SAM, SECURITY, BCD00000000; HKU\\.DEFAULT, HKU\\user; "
    "HKCR. Of a hive's file: any name below HKLM, then the key."
)
KEY = ("KeyName", _KEY)
NAME = ("/v", "The value's name.")
DEFAULT = ("/ve", "The key's default value, which has no name.")
FORCE = ("/f", "Does it without asking.")
VIEW = (
    "/reg:32, /reg:64",
    "Which registry of a 64-bit Windows: that of 32-bit programs, or of 64-bit ones (unless said).",
)
VIEWS = "[/reg:32 | /reg:64]"

USAGES = {
    "query": Usage(
        "QUERY KeyName [/v [ValueName] | /ve] [/s] [/f Data [/k] [/d] [/c] [/e]] [/t Type] [/z] [/se Separator] "
        f"{VIEWS}",
        "Lists a key: its values, and the keys below it.",
        (
            KEY,
            ("/v", "Only this value; after /f, look into values' names."),
            ("/ve", "Only the default value, which has no name."),
            ("/s", "All keys below it, too."),
            ("/f", "Only what matches Data in names and data; * and ? stand for others."),
            ("/k", "Look for it in keys' names."),
            ("/d", "Look for it in data."),
            ("/c", "Upper and lower case are told apart."),
            ("/e", "Only what is all of it, not a part."),
            ("/t", f"Only values of these types: {type_names()}."),
            ("/z", "The type's number, too."),
            ("/se", "What stands between the strings of a REG_MULTI_SZ; \\0 unless said."),
            VIEW,
        ),
        (
            ("QUERY HKLM\\SYSTEM\\Select", "The values of the key."),
            ("QUERY HKLM\\SYSTEM\\CurrentControlSet\\Services /s /v Start", "The start of each service."),
        ),
    ),
    "add": Usage(
        f"ADD KeyName [/v ValueName | /ve] [/t Type] [/s Separator] [/d Data] [/f] {VIEWS}",
        "Adds a key or a value, or gives a value other data.",
        (
            KEY,
            NAME,
            DEFAULT,
            ("/t", f"The value's type: {type_names()}; REG_SZ unless said."),
            ("/s", "What stands between the strings of a REG_MULTI_SZ in Data; \\0 unless said."),
            ("/d", "The data; a REG_DWORD in decimal, or in hexadecimal after 0x."),
            ("/f", "Overwrites a value that is there without asking."),
            VIEW,
        ),
        (("ADD HKLM\\SYSTEM\\Setup /v SetupType /t REG_DWORD /d 0 /f", "Windows' setup does not go on."),),
    ),
    "delete": Usage(
        f"DELETE KeyName [/v ValueName | /ve | /va] [/f] {VIEWS}",
        "Deletes a value, or a key with all that is below it.",
        (KEY, NAME, DEFAULT, ("/va", "All values of the key, which stays."), FORCE, VIEW),
        (("DELETE HKLM\\SYSTEM\\Setup /v CmdLine /f", "One value."),),
    ),
    "copy": Usage(
        f"COPY KeyName1 KeyName2 [/s] [/f] {VIEWS}",
        "Copies the values of a key into another.",
        (("KeyName1", "What is copied."), ("KeyName2", "Where to."), ("/s", "The keys below it, too."), FORCE, VIEW),
    ),
    "export": Usage(
        f"EXPORT KeyName FileName [/y] {VIEWS}",
        "Writes a key with all that is below it to a registration file of this machine.",
        (KEY, ("FileName", "The file."), ("/y", "Overwrites a file that is there without asking."), VIEW),
        (("EXPORT HKLM\\SOFTWARE\\Policies policies.reg", "A key of HKLM\\SOFTWARE."),),
    ),
    "import": Usage(
        f"IMPORT FileName {VIEWS}",
        "Makes the changes that a registration file of this machine asks for.",
        (("FileName", "The file."), VIEW),
    ),
    "compare": Usage(
        f"COMPARE KeyName1 KeyName2 [/v ValueName | /ve] [/oa | /od | /os | /on] [/s] {VIEWS}",
        "Says what two keys have in common, and what not.",
        (
            ("KeyName1", "The first."),
            ("KeyName2", "The second."),
            NAME,
            DEFAULT,
            ("/oa", "Lists all."),
            ("/od", "Lists what is different (unless said)."),
            ("/os", "Lists what is the same."),
            ("/on", "Lists nothing."),
            ("/s", "The keys below them, too."),
            VIEW,
        ),
    ),
    "load": Usage(
        "LOAD KeyName FileName",
        "Gives a hive of the image a further name, kept beside the image until it is unloaded.",
        (
            ("KeyName", "HKLM\\name or HKU\\name."),
            ("FileName", "The hive's path in the image, such as F:\\...\\SYSTEM."),
        ),
        (("LOAD HKLM\\BROKEN F:\\Windows\\System32\\config\\SYSTEM", "Its keys are then HKLM\\BROKEN\\..."),),
    ),
    "unload": Usage("UNLOAD KeyName", "Takes such a name back.", (("KeyName", "HKLM\\name or HKU\\name."),)),
    "check": Usage(
        f"CHECK KeyName {VIEWS}",
        "Says all that is wrong with the hive that a key lies in. Microsoft's reg has no such command.",
        (KEY, VIEW),
    ),
}

RETURN_CODES = (
    "Return Code:",
    "",
    "  0 - Done.",
    "  1 - QUERY: nothing matched; COMPARE: the keys differ; CHECK: the hive is damaged.",
    "  2 to 6 - Not done, or not all: as of every command of vmrescue (vmrescue --help).",
)
SHELL = ("A shell of Linux takes backslashes away: put keys in quotes, 'HKLM\\SYSTEM\\Select'.",)


def usage(words: Sequence[str], program: str) -> str:
    """What is printed for a command line that asks for help: of the command that it names, or of all."""
    named = next((word.lower() for word in words if word.lower() in USAGES), None)
    if named:
        return USAGES[named].text(program)
    names = list(map(str.upper, USAGES))
    half = len(names) // 2
    lines = [f"{program} Operation [Parameter List]", ""]
    lines += [f"  Operation  [ {' | '.join(names[:half])} |", f"               {' | '.join(names[half:])} ]", ""]
    for name, each in USAGES.items():
        lines += explained(name.upper(), each.does)
    return "\n".join(
        [*lines, "", *RETURN_CODES, "", *SHELL, "", "For help on an operation:", "", f"  {program} Operation /?"]
    )
