"""Microsoft's procedure: every command that it gives, read out of its text, run as it stands on the samples.

One rule translates a line: the program's name gets `vmrescue` before it and the image behind it. What chose a disk on
the repair VM has nothing left to choose: /store with its file, and REG LOAD and UNLOAD with the name that they give to
a hive, which keeps its own.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from bcd.stores import judged
from commands.here import output_of, vmrescue, words_of
from support.images import fingerprint
from support.machine import missing, run
from support.machine_disk import mounted_ntfs
from support.real_data import CORPUS

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = CORPUS.parent / "reference" / "windows-stop-error-no-memory.fr.md"
MIB = 1 << 20
LOADER = "0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01"
EMS_SETTINGS = "0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9"
BAD_MEMORY_LIST = r"Objects\{5189b25c-5558-4bf2-bca4-289b11bd29e2}\Elements\1700000a"
LOADED = re.compile(r"(?i)reg load (?P<name>HKLM\\\S+) \S.*\\(?P<hive>\w+)$")


@cache
def lines() -> tuple[str, ...]:
    """The lines of the text that are commands of bcdedit and reg."""
    if not REFERENCE.exists():
        missing(f"the procedure's text is not here ({REFERENCE.name})")
    found = re.findall(r"(?im)^\s*((?:bcdedit|reg) .+?)\s*$", REFERENCE.read_text(encoding="utf-8"))
    return tuple(found)


def translated(line: str, image: Path, loader: str) -> list[str] | None:
    """A line by the rule; None where it does no more than choose a disk."""
    if re.match(r"(?i)reg (un)?load ", line):
        return None
    (load,) = (found for each in lines() if (found := LOADED.match(each)))
    line = line.replace(load["name"], f"HKLM\\{load['hive']}")
    line = re.sub(r"/store <[^>]+>:\S+ ?", "", line).replace("<BOOT LOADER IDENTIFIER>", loader)
    program, *words = words_of(line)
    return [program.lower(), str(image), *words]


def perform(image: Path) -> str:
    """The whole procedure, as an engineer goes through it; what it printed."""
    printed = ""
    for line in lines():
        loader = re.search(r"(?s)Windows Boot Loader\n.*?identifier\s+\{(.*?)\}", printed)
        words = translated(line, image, loader[1] if loader else "")
        if words:
            printed += output_of(*words, "--yes")
    return printed


def test_the_text_gives_six_commands_of_bcdedit_and_eight_of_reg() -> None:
    names = [words_of(line)[0].lower() for line in lines()]

    assert names == ["bcdedit"] * 6 + ["reg"] * 8


def hives_of(image: Path, generation: int) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """The boot store and the SYSTEM hive, as hivexregedit reads them on the disk that qemu-img makes of the image."""
    disk = image.with_suffix(".raw")
    run("qemu-img", "convert", "-O", "raw", image, disk)
    store = image.with_name("judged-BCD")
    if generation == 1:
        with mounted_ntfs(disk, MIB, 32 * MIB) as root:
            store.write_bytes((root / "Boot/BCD").read_bytes())
    else:
        run("mcopy", "-i", f"{disk}@@{MIB}", "::/EFI/Microsoft/Boot/BCD", store)
    start, size = (33 * MIB, 606 * MIB) if generation == 1 else (57 * MIB, 580 * MIB)
    with mounted_ntfs(disk, start, size) as root:
        system = (root / "Windows/System32/config/SYSTEM").read_bytes()
    return judged(store.read_bytes()), judged(system)


def as_a_file(generation: int) -> str:
    """The text's lines as they stand, with the letter that it gives for example, F:, and the loader's identifier.

    On a generation 2 the text says once that the store lies elsewhere, and then goes on with the place of generation 1.
    """
    found = re.findall(r"(?im)^\s*((?:bcdedit|reg|defrag) .+?)\s*$", REFERENCE.read_text(encoding="utf-8"))
    text = "".join(
        re.sub(r"<[^<>]*>:", "F:", line).replace("<BOOT LOADER IDENTIFIER>", LOADER) + "\n" for line in found
    )
    return text if generation == 1 else text.replace("F:\\boot\\bcd", "F:EFI\\Microsoft\\boot\\bcd")


@pytest.mark.parametrize("generation", [1, 2])
def test_the_procedure_does_its_work_on_a_sample_and_is_undone(generation: int, request: pytest.FixtureRequest) -> None:
    image: Path = request.getfixturevalue(f"gen{generation}_broken")
    before = fingerprint(image)

    printed = perform(image)

    assert "badmemorylist           0x1f3a0\n" in printed
    assert "identifier              {default}\n" in printed
    store, system = hives_of(image, generation)
    assert BAD_MEMORY_LIST not in store
    assert store[rf"Objects\{{{LOADER}}}\Elements\260000b0"] == {"Element": "hex(3):01"}
    assert store[rf"Objects\{{{EMS_SETTINGS}}}\Elements\15000022"] == {"Element": "hex(3):01,00,00,00,00,00,00,00"}
    assert store[rf"Objects\{{{EMS_SETTINGS}}}\Elements\15000023"] == {"Element": "hex(3):00,c2,01,00,00,00,00,00"}
    for control_set in ("ControlSet001", "ControlSet002"):
        crash = system[rf"{control_set}\Control\CrashControl"]
        assert crash["CrashDumpEnabled"] == crash["NMICrashDump"] == "dword:00000001"
        assert crash["DumpFile"] == "hex(2):" + "%SystemRoot%\\MEMORY.DMP\0".encode("utf-16-le").hex(",")

    for _ in range(printed.count("Take it back with")):
        output_of("undo", image)
    assert fingerprint(image) == before

    file = image.with_name("procedure.cmd")
    file.write_text(as_a_file(generation))
    done = vmrescue("run", image, file, "--skip-defrag", "--yes")
    assert done.status == 0, done.err
    assert "badmemorylist           0x1f3a0\n" in done.out
    assert "note: left out, as was asked for: defrag in line 1\n" in done.err
    assert (
        "F:\\windows\\system32\\config\\SYSTEM is taken for \\Windows\\System32\\config\\SYSTEM on partition"
        in done.err
    )
    assert hives_of(image, generation) == (store, system), "the file does what its lines do one by one"
    output_of("undo", image)
    assert fingerprint(image) == before
    assert vmrescue("undo", image).status == 3, "it was one thing to undo"


def test_on_hives_that_were_copied_out_the_lines_of_reg_work_word_for_word(gen1_broken: Path, tmp_path: Path) -> None:
    output_of("get", gen1_broken, r"C:\Windows\System32\config\SYSTEM", tmp_path)

    for line in lines():
        if re.match("(?i)reg add ", line):
            output_of("reg", tmp_path / "SYSTEM", *words_of(line)[1:])

    crash = judged((tmp_path / "SYSTEM").read_bytes())[r"ControlSet002\Control\CrashControl"]
    assert crash["CrashDumpEnabled"] == crash["NMICrashDump"] == "dword:00000001"
