r"""Commands for files: cmd's own del, copy, ren, md; and attrib.

Of a pattern (``*.tmp``) del takes no file that is hidden or a system's, unless it is told /a, and none that is
read-only unless it is told /f, as cmd does; a file that is named goes whatever its attributes. Nobody is asked for a
single file: what all lines come to is shown and asked about once. Sources: Microsoft's pages of these commands.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.commands.batch.deed import Deed, Said
from vmrescue.commands.batch.draft import ON_A_DISK
from vmrescue.commands.batch.words import own_words, program_words
from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.plan import schema
from vmrescue.readers.file_system import bits_of
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.commands.batch.draft import Draft
    from vmrescue.commands.batch.words import Statement
    from vmrescue.volumes.disk import Volume

READ_ONLY, HIDDEN, SYSTEM = 1, 2, 4  # attributes
ATTRIBUTES = {"r": READ_ONLY, "h": HIDDEN, "s": SYSTEM, "a": 0}  # "archive" says only that a backup is due
ALL = ("*", "*.*")
DEEPEST = 256  # folders: a damaged volume may have a circle of them


def _taken_apart(statement: Statement, least: int, most: int, known: set[str]) -> tuple[list[str], set[str]]:
    words, switches = own_words(statement.rest, statement.quoted)
    if unknown := sorted(set(switches) - known):
        raise UsageError(f"{statement.name} /{unknown[0]} is not known here")
    if not least <= len(words) <= most:
        wanted = {(1, 1): "one path", (2, 2): "two paths"}.get((least, most), "one or more paths")
        raise UsageError(f"{statement.name} takes {wanted}")
    if any("+" in word for word in words) and statement.name == "copy":
        raise UsageError("copy joins no files here")
    return words, set(switches)


def delete(statement: Statement) -> Deed:
    """``del [/f] [/s] [/q] [/a] path …``"""
    words, switches = _taken_apart(statement, 1, 1 << 10, {"f", "s", "q", "a"})
    return Deed(partial(_delete, words, switches))


def _delete(words: list[str], switches: set[str], draft: Draft) -> Said:
    notes: list[str] = []
    for word in words:
        volume, path, name = _meant(word, "s" in switches, draft)
        if name is None:
            draft.take(volume, path)
            draft.files.delete(volume, path)
        else:
            notes += _delete_all(draft, volume, path, name, switches)
    return Said(notes=tuple(notes))


def _meant(text: str, below: bool, draft: Draft) -> tuple[Volume, str, str | None]:
    """A file; or a folder, and a pattern for the files in it, which with `below` may be a name too. A folder is all."""
    folder, _, name = text.rpartition("\\")
    if not _is_pattern(name):
        try:
            volume, path = draft.paths.find(text, draft.files.is_there, "file or folder")
        except NotFoundError:
            if not below:
                raise
        else:
            if draft.files.is_folder(volume, path):
                return volume, path, "*"
            if not below:
                return volume, path, None
    volume, path = draft.folder(f"{folder}\\" if folder.endswith(":") else folder)
    return volume, path, name


def _delete_all(draft: Draft, volume: Volume, folder: str, pattern: str, switches: set[str]) -> Iterator[str]:
    kept = (0 if "a" in switches else HIDDEN | SYSTEM) | (0 if "f" in switches else READ_ONLY)
    gone = left = 0
    for each in _folders(volume, folder) if "s" in switches else [folder]:
        found = [name for name in draft.files.files_in(volume, each) if fits(name, pattern)]
        marks = _attributes(draft, volume, each) if found and kept else {}
        for name in found:
            if marks.get(upper(name), 0) & kept:
                left += 1
                continue
            draft.take(volume, draft.files.delete_listed(volume, each, name))
            gone += 1
    place = f"\\{folder}\\{pattern} on {volume}".replace("\\\\", "\\")
    if not gone:
        yield f"there is nothing to delete: no file is {place}"
    if left:
        yield f"{left} of {place} stay: they are hidden, read-only or the system's (/a and /f take them too)"


def _folders(volume: Volume, folder: str) -> Iterator[str]:
    """A folder and all below it that are no links. Raises RefusedError where they lie deeper than any of Windows'."""
    if folder.count("\\") > DEEPEST:
        raise RefusedError(f"\\{folder[:60]}… on {volume} lies deeper than {DEEPEST} folders")
    yield folder
    for name in _subfolders(volume, folder):
        yield from _folders(volume, f"{folder}\\{name}".lstrip("\\"))


def _subfolders(volume: Volume, folder: str) -> list[str]:
    """The names of the folders in a folder that are no links."""
    listed = volume.files.entries(folder) if volume.has_folder(folder) else []
    return [entry.name for entry in listed if entry.is_directory and not entry.is_link]


def _attributes(draft: Draft, volume: Volume, folder: str) -> dict[str, int]:
    """Those of a folder's files, by their names in capitals."""
    listed = volume.files.entries(folder) if volume.has_folder(folder) else []
    return {upper(each.name): bits_of(each.flags) for each in listed} | draft.files.attributes_in(volume, folder)


def copy(statement: Statement) -> Deed:
    """``copy source target``; a source without a drive is a file of this machine, beside the command file."""
    (source, target), _ = _taken_apart(statement, 2, 2, {"y", "-y", "v", "b", "z"})
    if not ON_A_DISK.match(target):
        raise UsageError(f"{target} is no file of the disks: name it with a drive's letter")
    return Deed(partial(_copy, source, target))


def _copy(source: str, target: str, draft: Draft) -> Said:
    found = _sources(draft, source)
    volume, path = draft.target(target)
    into = draft.files.is_folder(volume, path)
    if len(found) > 1 and not into:
        raise RefusedError(f"several files are copied, and {target} is no folder")
    for name, data in found:
        draft.write(volume, f"{path}\\{name}".lstrip("\\") if into else path, data)
    return Said()


def _sources(draft: Draft, source: str) -> list[tuple[str, bytes]]:
    if not ON_A_DISK.match(source):
        return [(re.split(r"[\\/]", source)[-1], draft.read_beside(source))]
    folder, _, name = source.rpartition("\\")
    if not _is_pattern(name):
        volume, path = draft.file(source)
        return [(path.rpartition("\\")[2], draft.read(volume, path))]
    volume, path = draft.folder(f"{folder}\\" if folder.endswith(":") else folder)
    marks = _attributes(draft, volume, path)
    names = [each for each in draft.files.files_in(volume, path) if fits(each, name)]
    names = [each for each in names if not marks.get(upper(each), 0) & (HIDDEN | SYSTEM)]
    if not names:
        raise NotFoundError(f"no file is {source}")
    return [(each, draft.read(volume, f"{path}\\{each}".lstrip("\\"))) for each in names]


def rename(statement: Statement) -> Deed:
    """``ren path name``: of a file, in its folder."""
    (path, name), _ = _taken_apart(statement, 2, 2, set())
    try:
        schema.file_path(name)
    except ValueError as error:
        raise UsageError(f"no file can be called {name!r}") from error
    if "\\" in name or not name:
        raise UsageError(f"{name} is more than a name: a file stays in its folder")
    return Deed(partial(_rename, path, name))


def _rename(path: str, name: str, draft: Draft) -> Said:
    volume, old = draft.paths.find(path, draft.files.is_there, "file or folder")
    if not draft.files.is_file(volume, old):
        raise RefusedError(f"\\{old} on {volume} is a folder: only files are renamed")
    new = f"{old.rpartition(chr(92))[0]}\\{name}".lstrip("\\")
    if upper(new) == upper(old):
        raise RefusedError(f"{name} is \\{old} on {volume} in other letters: Windows finds it by either")
    if draft.files.is_there(volume, new):
        raise RefusedError(f"there is a \\{new} on {volume} already")
    draft.take(volume, old)
    draft.take(volume, new)
    draft.files.rename(volume, old, name)
    return Said()


def make_folder(statement: Statement) -> Deed:
    """``md path``, with those above it that are missing."""
    (path,), _ = _taken_apart(statement, 1, 1, set())
    return Deed(partial(_make_folder, path))


def _make_folder(text: str, draft: Draft) -> Said:
    missing = NotFoundError(f"no volume at hand has a folder for {text}")
    for above in range(text.count("\\") + 1):
        try:
            volume, path = draft.paths.find(text, partial(_has_folder, draft, above), "folder for it")
        except NotFoundError as error:
            missing = error
            continue
        names = path.split("\\")
        if not above:
            return Said(notes=(f"the folder \\{path} on {volume} is there already",))
        for count in range(len(names) - above, len(names)):
            new = "\\".join(names[: count + 1])
            if draft.files.is_file(volume, new):
                raise RefusedError(f"\\{new} on {volume} is a file")
            draft.files.make_folder(volume, new)
        return Said()
    raise missing


def _has_folder(draft: Draft, above: int, volume: Volume, path: str) -> bool:
    """Whether there is a folder so many steps above a path."""
    return draft.files.is_folder(volume, _up(path, above))


def _up(path: str, count: int) -> str:
    names = path.split("\\")
    return "\\".join(names[: max(0, len(names) - count)])


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def fits(name: str, pattern: str) -> bool:
    """Whether a file's name fits a pattern, in any case; ``*.*`` fits names without a point too."""
    if pattern in ALL:
        return True
    name, pattern = upper(name), upper(pattern)
    at = place = 0
    star, after = -1, 0  # the last star, and from where on of the name what follows it was tried
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, after, place = place, at, place + 1
        elif place < len(pattern) and pattern[place] in ("?", name[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            after, at, place = after + 1, after + 1, star + 1
        else:
            return False
    return not pattern[place:].strip("*")


def attrib(statement: Statement) -> Deed:
    """``attrib +r -s -h path [/s] [/d]``: of a file, a folder, or the files that fit a pattern."""
    words = program_words(statement.rest)
    paths = [word for word in words if word[:1] not in "+-/"]
    flags = [word.lower() for word in words if word[:1] in "+-"]
    switches = {word.lower() for word in words if word[:1] == "/"}
    if len(paths) != 1 or not flags:
        raise UsageError("attrib takes attributes to set (+r) or to clear (-r), and one path")
    if unknown := [*sorted(switches - {"/s", "/d", "/l"}), *(flag for flag in flags if flag[1:] not in ATTRIBUTES)]:
        raise UsageError(f"attrib {unknown[0]} is not known here; r, h and s are set, a is passed over")
    bits = {sign: sum({ATTRIBUTES[flag[1:]] for flag in flags if flag[0] == sign}) for sign in "+-"}
    return Deed(partial(_attrib, paths[0], bits["+"], bits["-"], switches))


def _attrib(path: str, more: int, less: int, switches: set[str], draft: Draft) -> Said:
    folder, _, name = path.rpartition("\\")
    if _is_pattern(name) or "/s" in switches:
        volume, top = draft.folder(f"{folder}\\" if folder.endswith(":") else folder)
        places = [
            f"{each}\\{found}".lstrip("\\")
            for each in (_folders(volume, top) if "/s" in switches else [top])
            for found in [*draft.files.files_in(volume, each), *(_subfolders(volume, each) if "/d" in switches else ())]
            if fits(found, name)
        ]
    else:
        volume, place = draft.paths.find(path, draft.files.is_there, "file or folder")
        places = [place]
    for each in places:
        draft.files.set_attributes(volume, each, draft.files.attributes(volume, each) & ~less | more)
    return Said(notes=() if places else (f"no file is {path}",))
