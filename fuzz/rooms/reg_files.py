"""Registration files (`.reg`), which others write: parsed, and imported into a hive."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from fuzz.mutation import Seed, mutate
from fuzz.parser import Parser, Refusals
from registry.samples import hive_with_everything
from registry.test_hostile import small_hive
from vmrescue.registry import Hive, export_reg, import_reg, parse_reg

if TYPE_CHECKING:
    from random import Random

PREFIX = "HKEY_LOCAL_MACHINE\\X"
TOKENS = (
    '"', "\\", '"=', "=-", "@=", "[", "]", "[-", f"[{PREFIX}\\new]\r\n", "dword:", "dword:123456789", "hex:", "hex(7):",
    "hex(ffffffff):", "hex(0):00,", ",", "\\\r\n", "\r\n", "\n", "\r", ";", "\0", "\ufeff", "\ud800", "\\\\", "..",
    "HKLM\\", "-", "00", '"a"="b"\r\n', '"a"=-\r\n', "str(7):", "REGEDIT4", "\u202e", "a" * 300, "\\" * 50, " " * 2000,
)  # fmt: skip
_WORD = re.compile(r'\r\n|[\[\]"=:,\\]|[^\[\]"=:,\\\r\n]+')


@functools.cache
def seeds() -> list[Seed]:
    everything = export_reg(hive_with_everything(5), "", PREFIX)
    small = export_reg(Hive(small_hive(3)), "", PREFIX)
    text = small.decode("utf-16")
    return [
        Seed("UTF-16", small),
        Seed("everything", everything[:40_000]),
        Seed("UTF-8", text.encode()),
        Seed("REGEDIT4", text.replace("Windows Registry Editor Version 5.00", "REGEDIT4").encode("cp1252", "replace")),
    ]


def change(seed: Seed, chance: Random) -> bytes:
    """Words of the language left out, doubled, exchanged, or put in; or bytes changed."""
    if chance.random() < 0.25:
        return mutate(seed, chance)
    wide = seed.data[:2] == b"\xff\xfe"
    words = _WORD.findall(seed.data.decode("utf-16" if wide else "utf-8", "replace"))
    for _ in range(chance.choice((1, 2, 4, 8))):
        at, other = chance.randrange(len(words)), chance.randrange(len(words))
        kind = chance.randrange(5)
        if kind == 0:
            words[at] = ""
        elif kind == 1:
            words[at] *= chance.choice((2, 50))
        elif kind == 2:
            words[at], words[other] = words[other], words[at]
        elif kind == 3:
            words[at : at + chance.randrange(20)] = words[other : other + chance.randrange(20)]
            words = words or [""]
        else:
            words.insert(at, chance.choice(TOKENS))
    text = "".join(words)
    return b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass") if wide else text.encode("utf-8", "replace")


def run(data: bytes) -> None:
    """Parses it; imports it into a small hive, which stays sound."""
    refused = Refusals()
    with refused.allowed():
        parse_reg(data)
        hive = Hive(small_hive(5))
        with refused.allowed():
            import_reg(hive, data, PREFIX)
        assert not hive.check()
    refused.tell()


PARSERS = (Parser("reg", run, seeds, change),)
