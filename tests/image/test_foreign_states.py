"""Foreign containers that are only a piece of a disk are refused; for those not closed every command warns."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from support.command import vmrescue
from support.images import fingerprint, sample
from support.machine import run
from vmrescue.disk import open_disk
from vmrescue.errors import FormatError, RefusedError, UnsupportedError

MIB = 1 << 20


def made(folder: Path, kind: str, *options: str, size: str = "24M") -> Path:
    image = folder / f"disk.{kind}"
    settings = [word for option in options for word in ("-o", option)]
    run("qemu-img", "create", "-q", "-f", kind, *settings, image, size)
    return image


def warnings(image: Path) -> list[str]:
    disk = open_disk(image)
    disk.close()
    return disk.warnings


# -- pieces


def test_a_piece_of_a_vmdk_is_refused_and_the_descriptor_named(tmp_path: Path) -> None:
    image = made(tmp_path, "vmdk", "subformat=twoGbMaxExtentSparse", size="3G")
    piece = tmp_path / "disk-s001.vmdk"
    judged = run("qemu-img", "info", piece, ok=(0, 1))
    assert "Could not open" in judged or "rror" in judged  # QEMU does not take it for a disk either
    with pytest.raises(UnsupportedError, match=f"name the descriptor, {re.escape(str(image))}"):
        open_disk(piece)
    renamed = image.rename(tmp_path / "another name.vmdk")
    with pytest.raises(UnsupportedError, match=re.escape(str(renamed))):
        open_disk(piece)
    renamed.unlink()
    with pytest.raises(UnsupportedError, match=r"such as disk\.vmdk, which is not beside it"):
        open_disk(piece)


def test_a_flat_extent_of_several_is_no_disk_and_one_of_all_is(tmp_path: Path) -> None:
    image = made(tmp_path, "vmdk", "subformat=twoGbMaxExtentFlat", size="3G")
    piece = tmp_path / "disk-f002.vmdk"
    with pytest.raises(UnsupportedError, match=f"name the descriptor, {re.escape(str(image))}"):
        open_disk(piece)
    image.unlink()
    with pytest.raises(UnsupportedError, match="an extent, by its name, of a VMDK"):
        open_disk(piece)
    for each in tmp_path.iterdir():
        each.unlink()
    made(tmp_path, "vmdk", "subformat=monolithicFlat")
    disk = open_disk(tmp_path / "disk-flat.vmdk")
    assert (disk.format, disk.size) == ("raw image", 24 * MIB)
    disk.close()


@pytest.mark.parametrize(
    ("name", "head"),
    [("disk-000001-delta.vmdk", b"COWD"), ("disk-000001-sesparse.vmdk", b"\xbe\xba\xfe\xca\0\0\0\0")],
)
def test_the_extent_of_a_snapshot_is_no_disk(name: str, head: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(head.ljust(MIB, b"\0"))
    (tmp_path / "disk-000001.vmdk").write_text(f'# Disk DescriptorFile\nRW 2048 VMFSSPARSE "{name}"\n')
    with pytest.raises(UnsupportedError, match=r"name the descriptor, .*disk-000001\.vmdk"):
        open_disk(tmp_path / name)


def test_a_vmdk_whose_own_descriptor_names_more_than_itself_is_refused(tmp_path: Path) -> None:
    image = made(tmp_path, "vmdk")
    raw = image.read_bytes()
    line = re.search(rb'\n(RW \d+ SPARSE "[^"]+")\n', raw)
    assert line
    at = raw.index(b"\0" * 64, line.end())
    more = line[0] + b'RW 49152 SPARSE "disk-s002.vmdk"\n'
    changed = raw[: line.start()] + more + raw[line.end() : at]
    image.write_bytes(changed.ljust(at + 64, b"\0") + raw[len(changed.ljust(at + 64, b"\0")) :])
    with pytest.raises(UnsupportedError, match=r"consists of disk\.vmdk, disk-s002\.vmdk"):
        open_disk(image)


def test_a_later_segment_of_an_encase_image_leads_to_the_first(tmp_path: Path) -> None:
    segment = tmp_path / "case.E02"
    segment.write_bytes((b"EVF\t\r\n\xff\0\1" + (2).to_bytes(2, "little")).ljust(4096, b"\0"))
    with pytest.raises(FormatError, match=r"name the first one, .*case\.E01"):
        open_disk(segment)


# -- states


@pytest.mark.parametrize(("bit", "word"), [(1, "dirty bit"), (2, "marked as corrupt")])
def test_a_qcow2_that_was_not_closed_or_is_corrupt_is_said(bit: int, word: str, tmp_path: Path) -> None:
    image = made(tmp_path, "qcow2")
    raw = bytearray(image.read_bytes())
    raw[79] |= bit
    image.write_bytes(raw)
    assert any(word in warning for warning in warnings(image))
    raw[76] |= 1  # a feature that nobody knows: QEMU refuses it, too
    image.write_bytes(raw)
    with pytest.raises(UnsupportedError, match="not known"):
        open_disk(image)


def test_a_vmdk_that_was_not_closed_is_said(tmp_path: Path) -> None:
    image = made(tmp_path, "vmdk")
    assert warnings(image) == []
    raw = bytearray(image.read_bytes())
    raw[72] = 1
    image.write_bytes(raw)
    assert any("not closed cleanly" in warning for warning in warnings(image))


def patched(image: Path, at: int, data: bytes) -> Path:
    other = image.with_name(f"patched.{image.suffix}")
    raw = bytearray(image.read_bytes())
    raw[at : at + len(data)] = data
    other.write_bytes(raw)
    return other


@pytest.mark.parametrize(
    ("at", "data", "said"),
    [
        (0x44, struct.pack("<I", 0x00020000), "version 2.0"),
        (0x4C, struct.pack("<I", 3), "lies over another VDI"),
        (0x4C, struct.pack("<I", 4), "lies over another VDI"),
        (0x17C, struct.pack("<I", 512), "512 bytes before each block"),
        (0x1A8, b"\7" * 16, "lies over another VDI"),
        (0x1B8, b"\7" * 16, "lies over another VDI"),
    ],
)
@pytest.mark.parametrize("static", ["off", "on"])
def test_a_vdi_of_a_snapshot_or_of_another_form_is_refused(
    static: str, at: int, data: bytes, said: str, tmp_path: Path
) -> None:
    image = made(tmp_path, "vdi", f"static={static}")
    assert warnings(image) == []
    other = patched(image, at, data)
    if at not in (0x4C, 0x17C):  # QEMU does not look at these
        run("qemu-img", "check", other, ok=(1,))
    with pytest.raises(UnsupportedError, match=said):
        open_disk(other)


def test_a_vdi_whose_map_and_count_of_blocks_differ_says_so(tmp_path: Path) -> None:
    image = made(tmp_path, "vdi")
    writes = [word for block in (5, 2, 9) for word in ("-c", f"write -P {block} {block}M 1M")]
    run("qemu-io", "-f", "vdi", *writes, image)
    assert warnings(image) == []
    not_counted = patched(image, 0x184, struct.pack("<I", 2))
    assert "mismatch, is 3, should be 2" in run("qemu-img", "check", not_counted, ok=(2,))
    assert any("was not closed cleanly" in warning for warning in warnings(not_counted))
    (table,) = struct.unpack_from("<I", image.read_bytes(), 0x154)
    twice = patched(image, table + 4 * 9, struct.pack("<I", 0))  # the ninth lies where the fifth does
    assert "also used by" in run("qemu-img", "check", twice, ok=(2,))
    assert any("1 of its blocks lie where others do" in warning for warning in warnings(twice))


# -- pieces of raw images


def test_a_first_piece_without_any_other_is_read_with_a_note_and_not_edited(tmp_path: Path) -> None:
    whole = tmp_path / "whole.raw"
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", sample("gen1-broken", tmp_path), whole)
    piece = tmp_path / "disk.001"
    with whole.open("rb") as source, piece.open("wb") as target:
        target.write(source.read(300 * MIB))
    before = fingerprint(piece)
    for words in (["info", piece], ["ls", f"{piece}:1"], ["ls", f"{piece}:1", "Boot"]):
        done = vmrescue(*words)
        assert (done.returncode, (done.stdout + done.stderr).count("named like the first piece")) == (0, 1), words
    for words in (["expand", piece, "--size", "2G", "--yes"], ["put", f"{piece}:1", Path(__file__), r"\new", "--yes"]):
        done = vmrescue(*words)
        assert done.returncode == 4, done.stderr
        assert "if it is all of the disk, rename it first" in done.stderr
    with pytest.raises(RefusedError, match="rename it first"):
        open_disk(piece, writable=True)
    assert fingerprint(piece) == before
    named = whole.rename(tmp_path / "os.001")
    assert any("first piece" in warning for warning in warnings(named)), "nothing in an MBR says where its disk ends"


def test_a_whole_disk_named_like_a_first_piece_is_edited_where_its_end_proves_it(tmp_path: Path) -> None:
    image = tmp_path / "os.001"
    run("qemu-img", "convert", "-O", "raw", sample("gen2-broken", tmp_path), image)
    assert warnings(image) == []
    assert vmrescue("repair", image, "--yes").returncode in (0, 1)


@pytest.mark.parametrize("form", ["dynamic", "fixed"])
def test_a_vhd_in_pieces_is_to_be_joined(form: str, tmp_path: Path) -> None:
    image = tmp_path / "whole.vhd"
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", f"subformat={form}", image, "12M")
    run("qemu-io", "-f", "vpc", "-c", "write -P 7 0 12M", image)
    run("split", "-b", "5M", "-d", "-a", "3", "--numeric-suffixes=1", image, tmp_path / "os.")
    with pytest.raises(UnsupportedError, match=r"os\.001 is the first piece of a VHD: `cat .*os\.\[0-9\]"):
        open_disk(tmp_path / "os.001")
    for number in (1, 2):  # two whole ones beside each other are two
        (tmp_path / f"kept.00{number}").write_bytes(image.read_bytes())
    assert warnings(tmp_path / "kept.001") == []
