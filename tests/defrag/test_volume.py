"""Whole volumes defragmented: every file as it was, judges content, nearly nothing in pieces, free space together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from defrag.volumes import fragmented, layout, measured
from ntfs.volumes import MIB, comb, format_volume, opened, tree_of, windows_volume, write_sparse
from support.campaign import count
from support.command import vmrescue
from support.ntfs_judges import all_judges, digest, dissect_tree, structure_judges
from vmrescue.disk import EditSession, undo
from vmrescue.errors import RefusedError
from vmrescue.ntfs.defrag.fragmentation import read_fragmentation
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.report.defragmentation import fragmentation_text
from vmrescue.transaction.defragmenting import Defragmentation, Defragmented

if TYPE_CHECKING:
    from pathlib import Path

FILES = count("VMRESCUE_DEFRAG_FILES", 800)  # 20,000 in a campaign by hand


def defragment(path: Path, *files: str, free_space: bool = False) -> Defragmented:
    with Defragmentation(path) as defragmentation:
        return defragmentation.run(files, free_space)


def test_a_volume_of_many_files_ends_without_fragments_and_with_its_free_space_in_one(quick_folder: Path) -> None:
    path = fragmented(quick_folder / "volume.img", size=FILES * 10_500 + 12 * MIB, files=FILES)
    tree, before = all_judges(path), measured(path)
    assert before.fragments > FILES // 8
    assert before.largest_free < before.free * 0.4

    done = defragment(path, free_space=True)

    after = measured(path)
    print(
        f"{FILES} files: {before.fragments} fragments, then {after.fragments}; {done.moves} moves, {done.bytes_moved}"
    )
    assert after.fragments <= before.fragments * 0.01
    assert after.largest_free >= after.free * 0.95
    assert after.free == before.free
    assert (after.attributes, after.size) == (before.attributes, before.size)
    assert done.after == after
    assert all_judges(path) == tree


@pytest.mark.parametrize(
    ("cluster", "sector", "size", "files"),
    [(512, 512, 16 * MIB, 500), (4096, 4096, 24 * MIB, 500), (65536, 512, 96 * MIB, 400)],
)
def test_any_size_of_clusters_and_records_can_be_defragmented(
    quick_folder: Path, cluster: int, sector: int, size: int, files: int
) -> None:
    path = fragmented(quick_folder / "volume.img", size, cluster, sector, files)
    tree, before = all_judges(path), measured(path)
    assert before.fragments > 20

    defragment(path, free_space=True)

    after = measured(path)
    assert after.fragments <= before.fragments * 0.01
    assert after.largest_free >= after.free * 0.95
    assert all_judges(path) == tree


def test_without_free_space_only_what_lies_in_pieces_is_moved(quick_folder: Path) -> None:
    path = format_volume(quick_folder / "volume.img", 16 * MIB)
    with opened(path, writable=True) as volume:
        for number in range(40):
            volume.create_file(f"{number}", bytes([number]) * 8192)
        for number in range(0, 40, 2):
            volume.delete(f"{number}")
        volume.create_file("pieces", b"p" * (volume.free_clusters - 400) * 4096)
        volume.delete("pieces")
    fragment_by_comb(path)
    whole = {placed for placed in layout(path) if len(placed.pieces) == 1 and not placed.fixed}
    tree = all_judges(path)

    done = defragment(path)

    assert done.after.fragments == 0
    assert whole <= set(layout(path))
    assert all_judges(path) == tree


def fragment_by_comb(path: Path) -> None:
    """Adds `large`, of 700 pieces, which needs more than one record; what made room for it stays free."""
    with opened(path, writable=True) as volume:
        comb(volume)
        volume.create_file("large", b"L" * 4096 * 700)
        volume.delete("comb")


@pytest.mark.parametrize("files", [("large",), ()])
def test_a_run_list_over_hundreds_of_records_is_brought_back_into_one(
    quick_folder: Path, files: tuple[str, ...]
) -> None:
    path = format_volume(quick_folder / "volume.img", 16 * MIB, 512)
    with opened(path, writable=True) as volume:
        comb(volume)
        volume.create_file("large", b"L" * 512 * 7000)
        volume.delete("comb")
        assert len(volume.file_extents("large")) == 7000
    tree = all_judges(path)
    assert Kind.ATTRIBUTE_LIST in {placed.key.kind for placed in layout(path)}

    done = defragment(path, *files, free_space=not files)

    with opened(path) as volume:
        assert len(volume.file_extents("large")) == 1
        assert len(find_file(volume._store, "large").records()) <= 2
        assert volume.check() == []
    assert all_judges(path) == tree
    assert files or done.after.fragments <= 1  # of $MFT


def test_the_file_table_is_gathered_behind_its_first_piece(quick_folder: Path) -> None:
    path = format_volume(quick_folder / "volume.img", 4 * MIB, 512)
    with opened(path, writable=True) as volume:
        comb(volume)
        volume.create_directory("D")
        while len(find_file(volume._store, "$MFT").records()) == 1:
            volume.create_file(f"D/{volume.stat('$MFT').size} {volume.free_clusters} {len(volume.list('D'))}", b"")
        volume.delete("comb")
        assert len(volume.file_extents("$MFT")) > 100
        first = volume.file_extents("$MFT")[0]
        said = fragmentation_text("volume", read_fragmentation(volume._store), [])
    assert "  \\$MFT  (its first piece stays: the boot sector says where it is)\n" in said
    tree = all_judges(path)

    done = defragment(path, "$MFT")

    with opened(path, writable=True) as volume:
        assert len(volume.file_extents("$MFT")) == 2
        assert volume.file_extents("$MFT")[0] == first
        assert volume.check() == []
    assert [each.path for each in done.left] == ["\\$MFT"]
    assert all_judges(path) == tree
    with opened(path, writable=True) as volume:
        for number in range(300):
            volume.create_file(f"more {number}", b"")
        assert len(volume.file_extents("$MFT")) <= 3
        assert volume.check() == []
    assert len(all_judges(path)) == len(tree) + 300


def test_compressed_files_and_large_directories_of_windows_are_moved_as_they_are(quick_folder: Path) -> None:
    path = write_sparse(windows_volume(), quick_folder / "volume.img")
    tree, before = dissect_tree(path), measured(path)
    moved = {placed.key: placed.pieces for placed in layout(path)}

    done = defragment(path, free_space=True)

    others = {placed.key for placed in layout(path) if moved[placed.key] != placed.pieces}
    assert Kind.INDEX_ALLOCATION in {key.kind for key in others}
    assert done.moves
    assert measured(path).fragments <= before.fragments
    structure_judges(path)
    assert dissect_tree(path) == tree


def test_a_volume_with_little_room_is_left_sound_with_the_reason_for_each_file(quick_folder: Path) -> None:
    path = format_volume(quick_folder / "volume.img", 16 * MIB)
    fragment_by_comb(path)
    with opened(path, writable=True) as volume:
        volume.create_file("filler", b"f" * 4096 * (volume.free_clusters - 40))
        assert volume.free_clusters <= 40
    tree = all_judges(path)

    done = defragment(path)

    assert {left.path for left in done.left} >= {"\\large"}
    assert all("no free extent has its" in left.fixed for left in done.left if left.path == "\\large")
    assert all_judges(path) == tree

    done = defragment(path, free_space=True)

    assert done.after.fragments <= done.before.fragments
    assert all_judges(path) == tree


def test_an_earlier_repair_can_no_longer_be_undone_and_says_why(quick_folder: Path) -> None:
    path = fragmented(quick_folder / "volume.img", 16 * MIB, files=200)
    with EditSession(path) as session:
        session.disk.write_at(path.stat().st_size - 600, b"x")  # behind the volume's clusters
        session.commit()
    defragment(path)
    left = path.read_bytes()

    with pytest.raises(RefusedError, match="rearranged for good"):
        undo(path)
    assert path.read_bytes() == left


def test_a_later_edit_is_undone_as_ever(quick_folder: Path) -> None:
    path = fragmented(quick_folder / "volume.img", 16 * MIB, files=200)
    defragment(path)
    left = path.read_bytes()
    with EditSession(path) as session:
        session.disk.write_at(path.stat().st_size - 600, b"x")
        session.commit()

    undo(path)
    assert path.read_bytes() == left


def test_files_of_shadow_copies_stay_where_they_are(quick_folder: Path) -> None:
    path = format_volume(quick_folder / "volume.img", 16 * MIB)
    name = "System Volume Information/{a}{3808876b-c176-4e48-b7ae-04046e6cc752}"
    with opened(path, writable=True) as volume:
        volume.create_directory("System Volume Information")
        comb(volume)
        volume.create_file(name, b"s" * 4096 * 20)
        volume.delete("comb")
        places = volume.file_extents(name)
    assert len(places) == 20
    asked = vmrescue("defrag", path)
    assert asked.returncode == 4
    assert "shadow copies are kept on this volume" in asked.stderr

    done = defragment(path, free_space=True)

    with opened(path) as volume:
        assert volume.file_extents(name) == places
        assert tree_of(volume)[name] == digest(b"s" * 4096 * 20)
    assert [left.path for left in done.left] == ["\\" + name.replace("/", "\\")]
    assert "shadow copies" in done.left[0].fixed
    assert "shadow copies" in done.notes[0]
