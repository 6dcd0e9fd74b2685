"""The programs whose lines a command file may hold: bcdedit, reg, defrag."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vmrescue.bcd import Store
from vmrescue.bcd.hive_key import HiveKey
from vmrescue.bcd.whole_store import exported, imported
from vmrescue.commands import bcdedit as bcdedit_language
from vmrescue.commands import defrag as defrag_language
from vmrescue.commands import reg as reg_language
from vmrescue.commands.batch.deed import Deed, Said
from vmrescue.commands.batch.draft import ON_A_DISK
from vmrescue.commands.batch.words import program_words
from vmrescue.commands.bcdedit.store_file import store_file
from vmrescue.commands.bcdedit.volume_names import VolumeNames
from vmrescue.commands.reg.loaded_hives import name_for
from vmrescue.errors import RefusedError, UsageError
from vmrescue.plan import FileRef
from vmrescue.registry import Hive

if TYPE_CHECKING:
    from vmrescue.commands.batch.draft import Draft
    from vmrescue.commands.batch.words import Statement
    from vmrescue.volumes.disk import Volume


def bcdedit(statement: Statement) -> Deed:
    """bcdedit on the store that boots the disk, or the one that /store names; all but /createstore."""
    command = bcdedit_language.parse(program_words(statement.rest))
    if command.name == "createstore":
        raise UsageError("/createstore makes a store of no machine: that is not done here")
    return Deed(partial(_bcdedit, command), reads=command.name == "enum")


def _bcdedit(command: bcdedit_language.Command, draft: Draft) -> Said:
    volume, path = _store_of(draft, command.store)
    root = HiveKey.root(draft.hive(volume, path))
    if command.name == "export":
        draft.write(*draft.target(command.arguments[0]), store_file(exported(root)))
        return Said()
    if command.name == "import":
        name = command.arguments[0]
        draft.edit(volume, path, imported(root, HiveKey.root(Hive(draft.content(name), name=f"the store {name}"))))
        return Said()
    outcome = bcdedit_language.run(command, Store(root), VolumeNames(draft.installation.volumes))
    draft.edit(volume, path, outcome.operations)
    return Said(() if outcome.operations else tuple(outcome.lines), outcome.notes)


def _store_of(draft: Draft, name: str | None) -> tuple[Volume, str]:
    if name is not None:
        return draft.file(name)
    store = draft.installation.boot
    return store.volume, store.path


def reg(statement: Statement) -> Deed:
    """reg, with load and unload; a key of the guest's own needs neither."""
    command = reg_language.parse(program_words(statement.rest))
    if command.name in ("load", "unload"):
        name_for(command.arguments[0])
        return Deed(partial(_load if command.name == "load" else _unload, command))
    if command.name == "export":
        return Deed(partial(_export, command))
    return Deed(partial(_reg, command), reads=command.name in ("query", "compare", "check"))


def _load(command: reg_language.Command, draft: Draft) -> Said:
    name = name_for(command.arguments[0])
    volume, path = draft.file(command.arguments[1])
    draft.hive(volume, path)  # that it is one
    taken = draft.registry.own(name.root) if draft.installation.os else []
    draft.loaded.load(name, FileRef(volume.disk_index, volume.partition.number, path), taken)
    return Said()


def _unload(command: reg_language.Command, draft: Draft) -> Said:
    draft.loaded.unload(name_for(command.arguments[0]))
    return Said()


def _export(command: reg_language.Command, draft: Draft) -> Said:
    if not ON_A_DISK.match(command.arguments[1]):
        raise UsageError(f"{command.arguments[1]} is no file of the disks: name it with a drive's letter")
    outcome = reg_language.run(command, draft.registry)
    draft.write(*draft.target(command.arguments[1]), b"".join(outcome.export or ()))
    return Said()


def _reg(command: reg_language.Command, draft: Draft) -> Said:
    content = draft.content(command.arguments[0]) if command.name == "import" else b""
    outcome = reg_language.run(command, draft.registry, content)
    draft.registry.edit(outcome.operations, command.view)
    writes = command.name not in ("query", "compare", "check")
    return Said(() if writes else tuple(outcome.lines), outcome.notes)


def defrag(statement: Statement) -> Deed:
    """defrag, of one volume."""
    command = defrag_language.parse(program_words(statement.rest))
    if command.volume is None:
        raise UsageError("defrag takes a volume, such as C:")
    return Deed(partial(_defrag, command), reads=command.analyze)


def _defrag(command: defrag_language.Command, draft: Draft) -> Said:
    volume = draft.paths.volume(command.volume or "")
    if command.analyze:
        return Said(
            notes=(f"an analysis changes nothing: `vmrescue defrag IMAGE:{volume.partition.number} /a` shows it",)
        )
    if volume.disk_index:
        raise RefusedError(f"{volume} is on a data disk: only the image itself is defragmented")
    draft.defragmented.append((draft.line, volume, command.free_space))
    return Said(notes=command.notes)
