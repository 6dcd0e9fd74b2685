"""Names that differ only in case, made by ntfs-3g: the exact spelling is found; any other is an error."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from commands.here import output_of, vmrescue
from ntfs.volumes import format_volume, opened, write_sparse
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted, structure_judges
from vmrescue.errors import UsageError
from vmrescue.ntfs import NtfsVolume
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.windows.cleanup import matches

FILES = {
    "d/A.TXT": b"upper",
    "d/a.txt": b"lower",
    "d/Only.txt": b"only",
    "Folder/x": b"the first folder",
    "FOLDER/x": b"the second folder",
}
FOLDED = [*("straße", "STRASSE", "\u0149", "\u01f0", "\ufb00", "\u0390", "\u0131", "i", "\u0130", "\u212a", "k")]
FOLDED += ["\U0001d400", "\uf000", "ÿ", "Ÿ", "é", "É"]


@cache
def _volume() -> bytes:
    with TemporaryDirectory() as folder:
        path = format_volume(Path(folder) / "volume.img")
        with mounted(path, writable=True) as root:
            for name, content in FILES.items():
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_bytes(content)
            (root / "names").mkdir()
            for name in FOLDED:
                for number in range(12):
                    (root / "names" / f"{name} and more {number}").write_bytes(f"{name} {number}".encode())
        return path.read_bytes()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_sparse(_volume(), tmp_path / "volume.img")


def test_the_exact_spelling_wins_for_the_reader_and_for_the_editor() -> None:
    device = MemoryDevice(_volume())
    files, volume = NtfsFileSystem(device, 0), NtfsVolume(device)
    for name, content in FILES.items():
        assert files.open(name.replace("/", "\\")).read() == content
        assert volume.read_file(name) == content
    assert files.open(r"D\ONLY.TXT").read() == b"only" == volume.read_file("D/ONLY.TXT")
    assert files.spelled(r"D\ONLY.TXT") == r"d\Only.txt"


@pytest.mark.parametrize("path", [r"d\A.txt", r"D\a.TXT", r"folder\x"])
def test_a_name_that_fits_several_files_is_asked_for(path: str, image: Path, tmp_path: Path) -> None:
    names = r"'A\.TXT' or 'a\.txt'" if "x" in path.lower().split("\\")[1][2:] else "'FOLDER' or 'Folder'"
    device = MemoryDevice(_volume())
    with pytest.raises(UsageError, match=names):
        NtfsFileSystem(device, 0).open(path)
    with pytest.raises(UsageError, match=names):
        NtfsVolume(device).read_file(path)
    (tmp_path / "new").write_bytes(b"new")
    before = image.read_bytes()
    for words in (["rm", image, path, "--yes"], ["put", image, tmp_path / "new", path, "--yes"], ["cat", image, path]):
        done = vmrescue(*words)
        assert (done.status, done.out) == (2, "")
        assert "differ only in case: spell it as it is" in done.err
    assert image.read_bytes() == before


@pytest.mark.parametrize("gone", ["A.TXT", "a.txt"])
def test_one_of_two_files_is_deleted_and_the_other_stays(gone: str, image: Path) -> None:
    output_of("rm", image, f"D\\{gone}", "--yes")
    structure_judges(image)
    with mounted(image) as root:
        assert {found.name for found in (root / "d").iterdir()} == {"A.TXT", "a.txt", "Only.txt"} - {gone}
    output_of("rm", image, r"d\oNLY.TXT", "--yes")
    with opened(image) as volume:
        assert [info.name for info in volume.list("d")] == list({"A.TXT", "a.txt"} - {gone})
        assert volume.check() == []


def test_one_of_two_files_is_replaced_and_the_other_stays(image: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"a longer content than before")
    output_of("put", image, tmp_path / "new", r"d\a.txt", "--yes")
    output_of("put", image, tmp_path / "new", r"FOLDER\x", "--yes")
    with mounted(image) as root:
        found = {name: (root / name).read_bytes() for name in FILES}
    new = b"a longer content than before"
    assert found == FILES | {"d/a.txt": new, "FOLDER/x": new}


def test_both_of_two_files_are_found_to_be_cleaned_up() -> None:
    files = NtfsFileSystem(MemoryDevice(_volume()), 0)
    assert sorted(path for path, _ in matches(files, ["d", "**"])) == [r"d\A.TXT", r"d\Only.txt", r"d\a.txt"]
    assert sorted(path for path, _ in matches(files, ["folder", "*"])) == [r"FOLDER\x", r"Folder\x"]


def test_each_name_is_found_however_letters_fold_elsewhere() -> None:
    """Python says that ß in capitals is SS, and folds what the volume's own table, by which it is sorted, does not."""
    files = NtfsFileSystem(MemoryDevice(_volume()), 0)
    for name in FOLDED:
        for number in range(12):
            content = files.open(f"names\\{name} and more {number}").read().decode()
            assert content == f"{name} {number}"


def test_two_files_of_a_plan_whose_copies_would_have_one_name_are_both_backed_up(tmp_path: Path) -> None:
    from vmrescue.plan import FileRef
    from vmrescue.transaction.backup import local_paths

    refs = [FileRef(0, 1, path) for path in ("d\\A.TXT", "d\\a.txt", "d\\x?y", "d\\x_y", "D\\a.txt")]
    paths = local_paths(refs)
    assert len({path.casefold() for path in paths.values()}) == len(refs)
    assert paths[refs[0]] == "partition1/d/A.TXT"
