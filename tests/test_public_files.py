"""The comparison with other readers that is run by hand, on a folder of this test's own making."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.machine import need_tool, run
from vmrescue.registry import Hive

SCRIPT = Path(__file__).with_name("public_files.py")


def compare(folder: Path, *options: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, "--all", *options], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_hive_and_a_volume_that_others_made_are_read_as_their_readers_read_them(tmp_path: Path) -> None:
    for tool in ("hivexml", "reglookup", "fls", "icat", "fsstat", "sfdisk"):
        need_tool(tool)
    volume, content = tmp_path / "fat.img", tmp_path.parent / "content"
    content.write_bytes(b"text" * 5000)
    run("mkfs.vfat", "-C", volume, "2048")
    run("mmd", "-i", volume, "::Folder of mine")
    run("mcopy", "-i", volume, content, "::Folder of mine/content.bin")
    hive = tmp_path / "hive"
    hive.write_bytes(Hive.create("SYSTEM").to_bytes())
    run("hivexsh", "-w", hive, stdin=b"add Key\ncd Key\nsetval 1\nName\nstring:text\ncommit\n")

    *rows, total = compare(tmp_path)

    assert [row for row in rows if not row.startswith("=")] == []
    assert any("content of files: the same | icat: the same" in row for row in rows)
    assert any("hivexml: the same" in row for row in rows)
    assert "0 differ" in total


def test_what_vmrescue_refuses_is_shown_beside_what_others_say_of_it(tmp_path: Path) -> None:
    need_tool("qemu-img")
    (tmp_path / "cut.vhd").write_bytes(b"conectix" + bytes(2040))

    *rows, total = compare(tmp_path)

    assert [row for row in rows if row.startswith("= cut.vhd [VHD] can be opened: no: ") and "| qemu-img: no: " in row]
    assert total.startswith("1 answers compared: 1 agree, 0 differ")


def test_a_hive_that_is_not_edited_is_no_difference(tmp_path: Path) -> None:
    raw = bytearray(Hive.create("SYSTEM").to_bytes())
    raw[4] += 1  # write 2 was begun, and there is no log
    (tmp_path / "SYSTEM").write_bytes(raw)

    *rows, total = compare(tmp_path, "--edit")

    assert [row.split(": ")[0] for row in rows if row[0] == "-"] == ["- SYSTEM [hive] sound", "- SYSTEM [hive] an edit"]
    assert " 0 differ" in total
