"""The rooms and their imports are as docs/architecture.md says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SOURCE = PROJECT / "src/vmrescue"
ROW = re.compile(r"\| (`[^|]+`) \|")
NAMED_BY_TEXT = re.compile(r"vmrescue(?:\.\w+)+")
EDITORS = ("image", "volume", "ntfs", "fat", "registry")
# What stands above `readers/` in the table is no writer. dissect's own plugin is a program of its own, which it loads.
DISSECT = {"readers", "dissect_plugin"}
# Of the rooms that write, these read only: others' containers, and the disks of a Target.
ONLY_READ = ("vmrescue.image.containers.foreign", "vmrescue.image.transports.target_disk")


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def modules() -> dict[str, Path]:
    """Each module of the package by its dotted name; a package's own name stands for its `__init__`."""
    files = SOURCE.rglob("*.py")
    return {
        ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def floors() -> dict[str, int]:
    """Room -> index of its row in the table; the rooms of one row have the same index."""
    table = (PROJECT / "docs/architecture.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)(?:/|\.py)`", match[1]) for match in ROW.finditer(table)]
    return {room: floor for floor, rooms in enumerate(rows) for room in rooms}


class _Imports(ast.NodeVisitor):
    """All imports of a file, in any form: a package or a module, under another name, by a string, in a function."""

    def __init__(self, file: Path, for_types: bool) -> None:
        self.found: set[str] = set()
        self._package = file.relative_to(SOURCE.parent).parts[:-1]
        self._for_types = for_types
        self.visit(parsed(file))

    def visit_If(self, node: ast.If) -> None:
        if self._for_types or not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self._package[: len(self._package) - node.level + 1] if node.level else ()
        module = ".".join([*above, *filter(None, [node.module])])
        for alias in node.names:
            full = f"{module}.{alias.name}"
            self.found.add(full if full in modules() else module)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            self.found.add(str(node.args[0].value))
        self.generic_visit(node)


@cache
def imports_of(module: str, for_types: bool = True) -> frozenset[str]:
    return frozenset(_Imports(modules()[module], for_types).found)


def ours_of(module: str, for_types: bool = True) -> set[str]:
    return {each for each in imports_of(module, for_types) if each in modules()}


def test_every_form_of_import_is_seen(tmp_path: Path) -> None:
    file = SOURCE / "checks" / "imagined.py"  # where it would lie; it is only parsed
    text = (
        "import vmrescue.ntfs.volume as v\nfrom vmrescue.fat import table\nfrom ..bcd import store\n"
        "def f():\n    from vmrescue import units\n    import_module('vmrescue.plan')\n"
    )
    visitor = object.__new__(_Imports)
    visitor.found, visitor._package, visitor._for_types = set(), file.relative_to(SOURCE.parent).parts[:-1], True
    visitor.visit(ast.parse(text))
    assert {room_of(each) for each in visitor.found} == {"ntfs", "fat", "bcd", "units", "plan"}


def test_no_import_runs_upward() -> None:
    places = floors()
    upward = {
        f"{module} imports {other}"
        for module in modules()
        for other in ours_of(module)
        if (own := room_of(module)) in places and places.get(room_of(other), -1) > places[own]
    }
    assert upward == set()


def test_every_room_is_in_the_table() -> None:
    assert {room_of(module) for module in modules()} - {"", "__main__"} <= set(floors())


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports in functions and for type hints count too: two things that refer to each other must be in one file."""
    done: set[str] = set()

    def circle(module: str, way: tuple[str, ...]) -> tuple[str, ...] | None:
        if module in way:
            return (*way[way.index(module) :], module)
        if module in done:
            return None
        found = next((c for other in sorted(ours_of(module)) if (c := circle(other, (*way, module)))), None)
        done.add(module)
        return found

    circles = [found for module in sorted(modules()) if (found := circle(module, ()))]
    assert circles == []


def test_the_rooms_of_formats_know_no_word_of_windows_administration() -> None:
    above = {"windows", "checks", "plan", "transaction", "bcd", "commands", "volumes"}
    found = {
        module for module in modules() if room_of(module) in EDITORS and above & set(map(room_of, ours_of(module)))
    }
    assert found == set()


def test_readers_and_writers_share_no_code() -> None:
    """The readers that confirm an edit import nothing of the editors, and the reverse."""
    readers = {module for module in modules() if room_of(module) == "readers"}
    assert {room_of(other) for module in readers for other in ours_of(module)} & {*EDITORS, "bcd", "plan"} == set()
    asking = {
        module for module in modules() if room_of(module) in EDITORS and "readers" in map(room_of, ours_of(module))
    }
    assert {module for module in asking if not module.startswith(ONLY_READ)} == set()


def test_dissect_and_libvhdi_are_asked_by_the_readers_only() -> None:
    asking = {
        str(modules()[module].relative_to(SOURCE))
        for module in modules()
        if room_of(module) not in DISSECT
        and any(other.split(".")[0] in ("dissect", "pyvhdi") for other in imports_of(module, False))
    }
    assert asking == set()


def used_by(file: Path, function: str) -> set[str]:
    """The modules whose names are used by a function of a file and by the functions of that file that it calls."""
    tree = parsed(file)
    modules_of = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    bodies: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            bodies.setdefault(node.name, []).append(node)
    waiting, seen, names = [function], {function}, set()
    while waiting:
        for body in bodies[waiting.pop()]:
            found = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
            names |= found
            waiting += [name for name in found & set(bodies) if name not in seen]
            seen |= found
    return {modules_of[name] for name in names if name in modules_of}


def test_what_confirms_an_edit_asks_no_editor() -> None:
    """Of the rooms that edit only names are shared: where a hive is mounted, how a key's path is written, and the types
    that tell a volume's clusters from a file's.
    """
    names = {"vmrescue.registry.mounts", "vmrescue.registry.path", "vmrescue.ntfs.structures.positions"}
    folder = SOURCE / "transaction"
    deeds = [file for file in (folder / "deeds").glob("*.py") if file.stem not in ("__init__", "deed")]
    looks = [(file, "confirm") for file in deeds]
    looks += [(folder / "moved.py", "must_see_moves"), (folder / "committed.py", "compare_committed")]
    assert len(looks) >= 7
    for file, function in looks:
        asked = used_by(file, function) - names
        assert {room_of(module) for module in asked} & {*EDITORS[1:], "bcd"} == set(), file


def test_only_one_module_commits() -> None:
    """`EditSession.commit`, `rollback` and `discard` are called from `transaction/commit.py` alone."""
    calling = set()
    for module, file in modules().items():
        for node in ast.walk(parsed(file)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr
                in (
                    "commit",
                    "rollback",
                )
            ):
                target = ast.unparse(node.func.value)
                if target.endswith(("session", "journal")) and room_of(module) != "image":
                    calling.add(module)
    assert calling == {"vmrescue.transaction.commit"}


def test_no_deed_asks_a_reader_which_would_remember_what_was_there_before_an_edit() -> None:
    for file in (SOURCE / "transaction/deeds").glob("*.py"):
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.FunctionDef) and node.name == "apply":
                asked = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
                assert "files" not in asked, file


COMMAND_LINE = re.compile(r"--|\bvmrescue ")


def texts(file: Path) -> list[str]:
    """The texts in a file that are no docstrings."""
    tree = parsed(file)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_the_checks_know_no_word_of_the_command_line() -> None:
    spoken = {(file.name, text) for file in (SOURCE / "checks").rglob("*.py") for text in texts(file)}
    assert len(spoken) > 300
    assert {(file, text) for file, text in spoken if COMMAND_LINE.search(text)} == set()


RAISED = {"FormatError", "in_volume", "in_log"}


def test_an_error_names_byte_0_only_of_what_begins_there() -> None:
    """An error about something without a position, or whose position the reader does not give, has none."""
    found = set()
    for module, file in modules().items():
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISED and len(node.args) > 2:
                place, expected = node.args[1:3]
                if isinstance(place, ast.Constant) and place.value == 0 and place.value is not False:
                    found.add((module.removeprefix("vmrescue."), ast.unparse(expected)))
    assert found == {
        ("fat.boot_sector", "'a jump instruction, EB or E9'"),
        ("image.containers.vhd", '"that of a fixed VHD at the file\'s end, not at its start"'),
        ("readers.hive.reader", "\"the signature 'regf'\""),
        ("registry.base_block", "f'{SECTOR} bytes'"),
        ("registry.base_block", "\"the signature 'regf'\""),
        ("windows.registry_file", "\"the signature 'regf'\""),
    }


# Layouts and signatures that are equal by coincidence: different structures, which must not share a declaration.
TWO_THINGS = {
    "<8sHHHH": "an entry of an NTFS index; a block of BitLocker's metadata",
    b"RSTR": "a restart page of $LogFile; the hibernation file of a Windows that was being restored",
}


def layouts_in(file: Path) -> set[str | tuple[str, ...] | bytes]:
    """The layouts in a file: struct formats of three or more fields, construct's structures as their lists of fields,
    and signatures of four or more bytes.
    """
    found: set[str | tuple[str, ...] | bytes] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("struct.") and node.args:
            form = node.args[0]
            if isinstance(form, ast.Constant) and isinstance(form.value, str):
                fields = re.findall(r"(\d*)([a-wyzA-Z?])", form.value)
                if sum(1 if letter == "s" else int(count or 1) for count, letter in fields) >= 3:
                    found.add(form.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Struct", "Layout"):
            found.add(tuple(ast.unparse(field.left) for field in node.args if isinstance(field, ast.BinOp)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes) and len(node.value.strip(b"\0 \xff")) > 3:
            found.add(node.value)
    return found


@pytest.mark.parametrize("side", ["readers", "writers"])
def test_no_structure_is_declared_twice_on_one_side(side: str) -> None:
    """Readers and writers have separate declarations on purpose: a shared one would hide a mistake in it."""
    rooms = {"readers"} if side == "readers" else {*EDITORS, "bcd", "signatures", "security_descriptor"}
    declared: dict[str | tuple[str, ...] | bytes, set[str]] = {}
    for module, file in modules().items():
        for layout in layouts_in(file) if room_of(module) in rooms else ():
            declared.setdefault(layout, set()).add(module)
    assert len(declared) > 10
    twice = {layout: where for layout, where in declared.items() if len(where) > 1 and layout not in TWO_THINGS}
    assert twice == {}


def test_a_dataclass_is_ours_which_is_quick_to_import() -> None:
    slow = re.compile(r"^from dataclasses import .*\bdataclass\b|@dataclasses\.", re.MULTILINE)
    found = {module for module, file in modules().items() if slow.search(file.read_text())}
    assert found == {"vmrescue.dataclass"}
