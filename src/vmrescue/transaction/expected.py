"""Compares what a plan says was found with what the readers see, for all files, before the first of them is edited.

The content of a hive is compared where the hive is edited, and a disk's layout where it is changed
(`transaction.deeds`).

A reader remembers what it has read: directories, records, a part of the file table. So no reader is asked after an edit
that it did not see. The deeds (`transaction.deeds`) ask only their editors, and new readers are opened to verify them.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, VmRescueError
from vmrescue.plan import Change, DeleteFile, HiveChange, MakeFolder, PutFile, RenameFile, SetAttributes
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.registry.hive_file import LARGEST_HIVE, LARGEST_LOG, check_content
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.deeds.files import attributes_of, file_hash
from vmrescue.transaction.stale import compare, stale
from vmrescue.windows import Installation
from vmrescue.windows.cleanup import CATEGORIES, chosen, is_named
from vmrescue.windows.needed_files import NeededFiles
from vmrescue.windows.operating_system import DEFAULT_ROOT, OperatingSystem
from vmrescue.windows.page_file import CONFIGURED, MOST, named_by, why_no_page_file

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from vmrescue.plan import FileRef, Step
    from vmrescue.readers.file_system import Entry
    from vmrescue.windows import Disk, Volume
    from vmrescue.windows.cleanup import Category


MANY = 16  # files of one folder: from here on it is quicker to read the whole folder once


def by_file(changes: list[Change]) -> dict[FileRef, list[Change]]:
    """The changes of each file together, files and changes in the plan's order."""
    grouped: dict[FileRef, list[Change]] = {}
    for change in changes:
        grouped.setdefault(change.file, []).append(change)
    return grouped


def by_deed(changes: Sequence[Change]) -> list[list[Change]]:
    """The changes of one file as they are made: a file that is put may be a hive, which is edited then."""
    first, *rest = changes
    edited = isinstance(first, PutFile) and rest and all(isinstance(each, HiveChange) for each in rest)
    return [[first], rest] if edited else [list(changes)]


def must_be_as_planned(steps: list[Step], disks: list[Disk]) -> None:
    """Looks at every file that the steps edit. What is in a hive is compared where the hive is edited.

    Args:
        steps: those that change files; the layout's come before and are compared by themselves.
        disks: nothing has been edited on them since they were opened.

    Raises:
        RefusedError: something is no longer as the plan found it, or may not be edited so.
    """
    deletions = _Deletions(steps, disks)
    for file, (first, *_) in by_file([step.change for step in steps]).items():
        volume = find_volume(disks, file)
        if isinstance(first, PutFile):
            compare(first, first.before, file_hash(volume, file.path))
        elif isinstance(first, DeleteFile):
            deletions.must_be_allowed(first, volume)
        elif isinstance(first, RenameFile):
            compare(first, first.before, file_hash(volume, file.path))
            deletions.must_not_be_needed(first, volume)
        elif isinstance(first, SetAttributes):
            compare(first, first.before, attributes_of(volume, file.path))
        elif isinstance(first, MakeFolder):
            compare(first, None, volume.files.nature(file.path))
        elif isinstance(first, HiveChange):
            _must_hold_a_hive(volume, file)


class _Deletions:
    """What the steps of a plan may delete, whoever made the plan.

    No directory and none of the file system's own files, which the editors see to; nothing that Windows needs to start.
    And a step is held to its word: where it is the check of page files that asks for it, nothing goes but a page file,
    and where it is a cleanup, nothing but what its categories name and what is no link, nor below one.
    """

    def __init__(self, steps: list[Step], disks: list[Disk]) -> None:
        deletions = [step for step in steps if isinstance(step.change, DeleteFile)]
        page_files, self._cleaning = _who_deletes() if deletions else ("", {})
        self._page_files = {step.change.file for step in deletions if step.check == page_files}
        self._cleaned = {step.change.file: step.check for step in deletions if step.check in self._cleaning}
        self._linked: dict[tuple[int, int, str], bool] = {}  # folders
        self._in_folder = Counter(_folder_of(step.change.file) for step in deletions)
        self._listed: dict[tuple[int, int, str], dict[str, Entry]] = {}
        self._windows: Installation | None = None
        with suppress(VmRescueError):  # a disk without a Windows is edited too
            removes = any(isinstance(step.change, DeleteFile | RenameFile) for step in steps)
            self._windows = Installation.of(disks) if removes else None
        self._needed = NeededFiles({self._windows.os.root} if self._windows and self._windows.os else set())

    def must_be_allowed(self, change: DeleteFile, volume: Volume) -> None:
        """Raises RefusedError where the file is not as the plan found it, or must stay."""
        file = change.file
        size, number = self._size_and_number(volume, file)
        compare(change, change.size, size)
        self._must_not_be_needed(change, volume, number)
        if file in self._page_files and (why := why_no_page_file(volume.files, file.path, self._configured(volume))):
            raise RefusedError(f"nothing was written: {file} is not taken for a page file: {why}")
        if file in self._cleaned and (why := self._why_not_cleaned(volume, file)):
            raise RefusedError(f"nothing was written: {file} is nothing that {self._cleaned[file]} deletes: {why}")

    def must_not_be_needed(self, change: RenameFile, volume: Volume) -> None:
        """Raises RefusedError where Windows needs the file under its name."""
        self._must_not_be_needed(change, volume, self._size_and_number(volume, change.file)[1])

    def _must_not_be_needed(self, change: Change, volume: Volume, number: int) -> None:
        if what := self._needed.why_needed(volume, change.file.path, number):
            deed = "renamed" if isinstance(change, RenameFile) else "deleted"
            stays = volume.why_not_replaced(change.file.path) is not None
            but = f"is not {deed}" if stays else f"can be replaced (put), not {deed}"
            raise RefusedError(f"nothing was written: {change.file} is {what}: it {but}")

    def _why_not_cleaned(self, volume: Volume, file: FileRef) -> str | None:
        booting = self._windows.os if self._windows else None
        windows = booting if booting and booting.volume is volume else OperatingSystem(volume, DEFAULT_ROOT)
        if not is_named(windows, file.path, self._cleaning[self._cleaned[file]]):
            return "it lies where none of the categories looks"
        folder = _folder_of(file)
        if folder not in self._linked:
            nature = volume.files.nature(folder[2]) if folder[2] else None
            self._linked[folder] = nature is not None and nature.link
        entry = self._listed.get(folder, {}).get(file.path.rpartition("\\")[2]) or volume.files.entry(file.path)
        return "it is a link, or lies below one" if self._linked[folder] or (entry and entry.is_link) else None

    def _configured(self, volume: Volume) -> list[str]:
        """Where `PagingFiles` puts page files on a volume."""
        installation = self._windows
        if installation is None or installation.os is None:
            return []
        places = named_by(installation.os, CONFIGURED)[:MOST]
        return [place.path for place in places if installation.drives.of(place.drive).volume is volume]

    def _size_and_number(self, volume: Volume, file: FileRef) -> tuple[int | None, int]:
        """(None, 0) where there is no such file. A folder from which many files go is read at once."""
        folder = _folder_of(file)
        if self._in_folder[folder] > MANY and folder not in self._listed:
            entries = (entry for entry in volume.files.entries(folder[2]) if not entry.is_directory)
            self._listed[folder] = {entry.name: entry for entry in entries}
        if found := self._listed.get(folder, {}).get(file.path.rpartition("\\")[2]):
            return found.size, found.number
        nature = volume.files.nature(file.path)
        return (None, 0) if nature is None or nature.directory else (nature.size, nature.number)


def _who_deletes() -> tuple[str, dict[str, Collection[Category]]]:
    """Which check asks for page files to go, and which categories go, by what a step says that asks for it."""
    from vmrescue.checks.settings.page_file import page_file
    from vmrescue.checks.storage.free_space import free_space

    return page_file.id, {"cleanup": CATEGORIES, free_space.id: chosen(())}


def _folder_of(file: FileRef) -> tuple[int, int, str]:
    return file.disk, file.partition, file.path.rpartition("\\")[0]


def _must_hold_a_hive(volume: Volume, file: FileRef) -> None:
    if volume.files.size_of(file.path) is None:
        raise stale(f"the plan edits {file}, which is not there")
    for path, most in [(file.path, LARGEST_HIVE), *((file.path + suffix, LARGEST_LOG) for suffix in LOG_SUFFIXES)]:
        if volume.files.size_of(path) is not None:
            check_content(volume.files.open(path), f"\\{path} on {volume}", most)
