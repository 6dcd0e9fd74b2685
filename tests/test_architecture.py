"""The rooms and their arrows: what docs/architecture.md says is what the imports do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parent.parent
SOURCE = PROJECT / "src/vmrescue"
ROW = re.compile(r"\| (`[^|]+`) \|")


def floors() -> dict[str, int]:
    """Each room's place in the table, the first counted as 0; files that stand together have one place."""
    table = (PROJECT / "docs/architecture.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)(?:/|\.py)`", match[1]) for match in ROW.finditer(table)]
    return {room: floor for floor, rooms in enumerate(rows) for room in rooms}


def imported_rooms(file: Path) -> set[str]:
    """The rooms that a file imports from anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "vmrescue":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


def test_no_import_runs_upward() -> None:
    places = floors()
    upward = {
        f"{file.relative_to(SOURCE)} imports {room}"
        for file in SOURCE.rglob("*.py")
        if (own := file.relative_to(SOURCE).parts[0].removesuffix(".py")) in places
        for room in imported_rooms(file)
        if room in places and places[room] > places[own]
    }
    assert upward == set()


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms <= set(floors())


def test_the_rooms_of_formats_know_no_word_of_windows_administration() -> None:
    for room in ("image", "volume", "ntfs", "fat", "registry"):
        for file in (SOURCE / room).rglob("*.py"):
            assert not imported_rooms(file) & {"windows", "checks", "plan", "transaction", "bcd"}, file


def test_no_deed_asks_a_reader_which_would_remember_what_was_there_before_an_edit() -> None:
    tree = ast.parse((SOURCE / "transaction/apply.py").read_text())
    assert "files" not in {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
