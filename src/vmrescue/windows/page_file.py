r"""Page files, as named in the Session Manager's registry values.

`PagingFiles`: ``D:\pagefile.sys 0 0`` (path, initial and maximum size in MB; 0 0 = managed by Windows);
``?:\pagefile.sys`` = Windows also chooses the drive; ``%SystemDrive%\pagefile.sys``. `ExistingPageFiles`:
``\??\C:\pagefile.sys``, written by Windows at each boot: what that boot used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.dataclass import dataclass
from vmrescue.signatures import ASLEEP, HIVE, VHD, VHDX
from vmrescue.upcase import upper
from vmrescue.windows.drives import SYSTEM_DRIVE

if TYPE_CHECKING:
    from collections.abc import Collection

    from vmrescue.readers.file_system import FileSystem
    from vmrescue.windows.operating_system import OperatingSystem

MEMORY_MANAGEMENT = r"Control\Session Manager\Memory Management"
CONFIGURED, IN_USE = "PagingFiles", "ExistingPageFiles"
WINDOWS_CHOOSES = "?:"
# The lookbehind makes a size begin at the first of several blanks; trying each blank would take quadratic time.
LINE = re.compile(
    r"(?:\\\?\?\\|\\\\[?.]\\)?(?P<drive>[A-Za-z?]:|(?i:%SystemDrive%))[\\/]++(?P<path>.+?)(?:(?<! ) ++\d++){0,2}+",
    re.DOTALL,
)
MOST = 16  # most page files that Windows uses at once
ITS_NAMES = frozenset(("PAGEFILE.SYS", "SWAPFILE.SYS"))
SUFFIX = ".SYS"  # suffix that a page file with another name must have
NOT_ITS_NAMES = frozenset(("HIBERFIL.SYS", "IO.SYS", "MSDOS.SYS", "CONFIG.SYS", "DRVSPACE.SYS", "DBLSPACE.SYS"))
# Folders in which a .sys file is a driver, not a page file with an unusual name.
NOT_ITS_FOLDERS = frozenset(
    (
        "BOOT", "EFI", "PROGRAM FILES", "PROGRAM FILES (X86)", "PROGRAMDATA", "RECOVERY", "SYSTEM VOLUME INFORMATION",
        "USERS", "WINDOWS", "WINDOWS.OLD", "WINNT", "$RECYCLE.BIN", "$WINDOWS.~BT", "$WINDOWS.~WS",
    )
)  # fmt: skip
OTHER_CONTENT = {  # first bytes -> what the file is
    HIVE: "a hive",
    b"MZ": "a program or a driver",
    b"PAGEDU64": "a memory dump, which Windows has yet to save",
    b"PAGEDUMP": "a memory dump, which Windows has yet to save",
    **{spelled: "a hibernated Windows" for known in ASLEEP for spelled in (known, known.lower())},
    b"PK\3\4": "an archive",
    b"%PDF": "a document",
    b"\xd0\xcf\x11\xe0": "a document",
    b"SQLite": "a database",
    VHD: "a virtual disk",
    VHDX: "a virtual disk",
}
LONGEST_SIGNATURE = 8  # bytes


@dataclass(frozen=True)
class PageFile:
    """The place of a page file; ``path`` is without the drive.

    ``drive`` is ``"C:"``, ``"?:"`` if Windows chooses, or ``"%SystemDrive%"``.
    """

    drive: str
    path: str

    def __str__(self) -> str:
        return f"{self.drive}\\{self.path}"


def parse(line: str) -> PageFile | None:
    """Parses a line of PagingFiles or ExistingPageFiles; None if it names no drive."""
    match = LINE.fullmatch(line.strip())
    path = "\\".join(file_path.split(match["path"])) if match else ""
    if not match or not path:
        return None
    drive = match["drive"]
    return PageFile(SYSTEM_DRIVE if drive.startswith("%") else drive.upper(), path)


def parse_all(lines: object) -> list[PageFile]:
    """All places in a REG_MULTI_SZ (or REG_SZ) value's data; lines without a drive are skipped."""
    if isinstance(lines, str):
        lines = [lines]
    if not isinstance(lines, list):
        return []
    return [found for line in lines if (found := parse(str(line)))]


def key_of(control_set: str) -> str:
    """The key that has both values."""
    return f"{control_set}\\{MEMORY_MANAGEMENT}"


def named_by(windows: OperatingSystem, value: str) -> list[PageFile]:
    """The places in a value (`CONFIGURED` or `IN_USE`) of all control sets that may boot, each once."""
    found = (windows.system.data(key_of(control_set), value) for control_set in windows.bootable_control_sets)
    return different([place for data in found for place in parse_all(data.data if data else None)])


def different(places: list[PageFile]) -> list[PageFile]:
    """Each place once, in its first spelling; case makes no difference."""
    return list({(place.drive, upper(place.path)): place for place in reversed(places)}.values())[::-1]


def why_no_page_file(files: FileSystem, path: str, configured: Collection[str]) -> str | None:
    """Why an existing file is not accepted as a page file, and so is not deleted as one; None if it is.

    The registry values are text from an image: they say where to look, but do not prove that the file is a page file.

    Args:
        files: the file's volume.
        path: the file's path from the volume's root.
        configured: the paths at which `PagingFiles` puts page files on that volume.
    """
    *folders, name = map(upper, file_path.split(path)) if file_path.split(path) else [""]
    return _why_not_called_so(folders, name, upper(path) in map(upper, configured)) or _why_not_its_kind(files, path)


def _why_not_called_so(folders: list[str], name: str, configured: bool) -> str | None:
    if any(part != part.strip(". ") or ":" in part for part in (*folders, name)):
        return "Windows gives no file such a path"
    if name in ITS_NAMES:
        return None if configured or not folders else "it is neither at a volume's root nor where PagingFiles puts one"
    if not configured:
        return "it is not called as Windows calls its page files"
    in_its_place = not NOT_ITS_FOLDERS & set(folders[:1]) and "~" not in "".join(folders)  # no short names either
    if not in_its_place or not name.endswith(SUFFIX) or name in NOT_ITS_NAMES:
        return "page files are not called so, or do not lie there, though PagingFiles says it"
    return None


def _why_not_its_kind(files: FileSystem, path: str) -> str | None:
    nature = files.nature(path)
    if nature is None:
        return "it is not there"
    if nature.own:
        return "it is one of the file system's own files"
    if nature.directory:
        return "it is a directory"
    if nature.link:
        return "it is a reparse point, or lies below one"
    if nature.names > 1:
        return "it has another name too (a hard link)"
    if nature.packed:
        return f"it is {' and '.join(nature.packed)}, as Windows makes no page file"
    head = files.open(path).read(LONGEST_SIGNATURE)
    content = next((what for signature, what in OTHER_CONTENT.items() if head.startswith(signature)), None)
    return content and f"it begins as {content} does"
