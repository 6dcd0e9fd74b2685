"""Which files of this machine an image can have opened: those beside it, and those in a folder that the user names."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue
from hostile.disks import small_image
from image.test_vhd_chain import edit_header, parent_and_child, read_all
from support.images import fingerprint
from support.machine import run
from vmrescue.disk import open_disk, parents_in
from vmrescue.errors import NotFoundError, VmRescueError
from vmrescue.image.containers.vhd_create import create_differencing
from vmrescue.image.containers.vhd_layout import HEADER

if TYPE_CHECKING:
    from pathlib import Path

NAME_AT, LOCATORS_AT = 64, 576
MIB = 1 << 20


def with_parent_name(child: Path, name: str) -> None:
    """The child says that its parent is called so, in its header and nowhere else."""
    edit_header(child, NAME_AT, name.encode("utf-16-be").ljust(512, b"\0"))
    edit_header(child, LOCATORS_AT, bytes(8 * 24))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/shadow", "..\\..\\..\\..\\etc\\shadow", "../../../../../../etc/shadow", "\\\\server\\share\\shadow",
        "C:\\Windows\\shadow", "//server/share/shadow", "file:///etc/shadow", "shadow", "..", ".", "", "con", "\0",
    ],
)  # fmt: skip
def test_only_the_last_part_of_a_parents_name_counts_and_only_in_the_childs_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    parent, child = parent_and_child(folder)
    parent.unlink()
    (tmp_path / "shadow").write_text("secret")

    with_parent_name(child, name)

    with pytest.raises(NotFoundError, match="parent of the differencing VHD") as missing:
        open_disk(child)
    assert "secret" not in str(missing.value)


def test_a_name_with_folders_in_it_finds_the_file_beside_the_child(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    content = read_all(child)

    with_parent_name(child, f"C:\\elsewhere\\..\\{parent.name}")

    assert read_all(child) == content


def test_a_link_that_was_put_beside_a_child_is_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    parent, child = parent_and_child(folder)
    elsewhere = parent.rename(tmp_path / "elsewhere.vhd")

    parent.symlink_to(elsewhere)

    with pytest.raises(NotFoundError, match=r"no parent\.vhd"):
        open_disk(child)


def test_children_that_are_each_others_parents_are_refused(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    second = tmp_path / "second.vhd"
    create_differencing(child, second)
    first = HEADER.parse(child.read_bytes()[512:1536])
    assert first.parent_unique_id == parent.read_bytes()[-512:][68:84]

    edit_header(child, 40, second.read_bytes()[-512:][68:84])
    with_parent_name(child, "second.vhd")

    with pytest.raises(VmRescueError, match="a parent that isn't its own child"):
        open_disk(second)


def test_a_locator_that_lies_about_its_size_and_place_is_an_error(tmp_path: Path) -> None:
    _, child = parent_and_child(tmp_path)
    for size, place in ((4000, 1 << 62), (4096, child.stat().st_size - 10)):
        edit_header(child, LOCATORS_AT, struct.pack(">4sIIIQ", b"W2ru", 512, size, 0, place))

        with pytest.raises(VmRescueError, match="parent locator"):
            open_disk(child)


def differencing(tmp_path: Path) -> tuple[Path, Path]:
    """A child in one folder, and the folder in which its parent is."""
    parents, children = tmp_path / "parents", tmp_path / "children"
    parents.mkdir()
    children.mkdir()
    run("qemu-img", "convert", "-O", "vpc", "-o", "force_size=on", small_image(tmp_path), parents / "os.vhd")
    create_differencing(parents / "os.vhd", parents / "child.vhd")
    child = (parents / "child.vhd").rename(children / "child.vhd")
    parents.rename(tmp_path / "moved")  # away from where the child says
    return child, tmp_path / "moved"


def test_parent_dir_says_where_a_parent_is_to_every_command(tmp_path: Path) -> None:
    child, parents = differencing(tmp_path)
    before = fingerprint(parents / "os.vhd")
    assert vmrescue("diagnose", child).status == 3

    found = vmrescue("diagnose", "--parent-dir", parents, child)
    assert (found.status, "bad-memory" in found.out) == (1, True), found.err
    for words in (
        ["info", child],
        ["plan", child],
        ["ls", child, "Windows"],
        ["bcdedit", child, "/enum", "all"],
        ["reg", child, "query", r"HKLM\SYSTEM\Select"],
        ["scan", child],
        ["repair", child, "--dry-run"],
    ):
        done = vmrescue(words[0], "--parent-dir", parents, *words[1:])
        assert done.status in (0, 1), (words, done.err)
    assert fingerprint(parents / "os.vhd") == before


def test_the_folder_of_parents_holds_only_while_it_is_named(tmp_path: Path) -> None:
    child, parents = differencing(tmp_path)

    with parents_in(parents):
        open_disk(child).close()

    with pytest.raises(NotFoundError):
        open_disk(child)


def test_a_piece_of_a_foreign_image_is_not_followed_out_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "disk-flat.vmdk").write_bytes(bytes(MIB))
    extent = 'RW 2048 FLAT "{}" 0\n'
    head = '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
    image = folder / "disk.vmdk"
    for name in ("../disk-flat.vmdk", "/etc/shadow", "C:\\secret", "link.vmdk"):
        image.write_text(head + extent.format(name))
        (folder / "link.vmdk").unlink(missing_ok=True)
        (folder / "link.vmdk").symlink_to(tmp_path / "disk-flat.vmdk")

        with pytest.raises(NotFoundError, match="a piece of"):
            open_disk(image)
