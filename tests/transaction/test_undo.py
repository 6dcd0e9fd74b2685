"""Undo looks at what it overwrites and at what shows that somebody else wrote: with other people's tools in between."""

from __future__ import annotations

import json
import shutil
from base64 import b85decode
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import DONE, output_of
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import need_tool, run
from support.machine_disk import loop_device, mounted_ntfs
from vmrescue.disk import EditSession, journal_folder, journals, open_disk, pending
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.transaction import take_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
GEN1_BOOT = MIB, 32 * MIB
GEN1_OS = 33 * MIB, 606 * MIB
GEN2_ESP = MIB
GEN2_OS = 57 * MIB, 580 * MIB
MARK = b"vmrescue was here: what is freed must stay. " * 4000  # 172 KB, more than fits in a file record


@pytest.fixture
def gen2_raw(gen2_broken: Path) -> Path:
    """The second sample as a raw image, so that others can mount it."""
    target = gen2_broken.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", gen2_broken, target)
    return target


def mtools(image: Path, program: str, *arguments: str | Path) -> None:
    run(program, "-i", f"{image}@@{GEN2_ESP}", *arguments)


def fifty_files(image: Path) -> None:
    with mounted_ntfs(image, *GEN2_OS, writable=True) as root:
        for number in range(50):
            (root / f"new{number}.txt").write_bytes(b"x" * 5000)


def written_and_deleted(image: Path) -> None:
    with mounted_ntfs(image, *GEN2_OS, writable=True) as root:
        (root / "brief.bin").write_bytes(b"y" * 20_000)
    with mounted_ntfs(image, *GEN2_OS, writable=True) as root:
        (root / "brief.bin").unlink()


def copied_in(image: Path) -> None:
    source = image.with_name("source")
    source.write_bytes(b"z" * 700)
    with loop_device(image, *GEN2_OS, writable=True) as device:
        run("ntfscp", "--force", device, source, "copied.txt")


def marked_dirty(image: Path) -> None:
    with loop_device(image, *GEN2_OS, writable=True) as device:
        run("ntfsfix", device)


def hive_edited(image: Path) -> None:
    with mounted_ntfs(image, *GEN2_OS, writable=True) as root:
        text = b'Windows Registry Editor Version 5.00\r\n\r\n[\\Select]\r\n"Seen"=dword:00000001\r\n'
        run("hivexregedit", "--merge", root / "Windows/System32/config/SYSTEM", stdin=text)


def put_on_the_esp(image: Path) -> None:
    source = image.with_name("source")
    source.write_bytes(b"short")
    mtools(image, "mcopy", source, "::/new.txt")


def put_on_the_esp_and_deleted(image: Path) -> None:
    put_on_the_esp(image)
    mtools(image, "mdel", "::/new.txt")


def put_beside_the_store_on_the_esp(image: Path) -> None:
    source = image.with_name("source")
    source.write_bytes(b"short")
    mtools(image, "mcopy", source, "::/EFI/Microsoft/Boot/new.txt")


@pytest.mark.parametrize(
    ("somebody", "partition"),
    [
        (fifty_files, 3),
        (written_and_deleted, 3),
        (copied_in, 3),
        (marked_dirty, 3),
        (hive_edited, 3),
        (put_on_the_esp, 1),
        (put_on_the_esp_and_deleted, 1),
        (put_beside_the_store_on_the_esp, 1),
    ],
)
def test_undo_is_refused_when_somebody_else_wrote_to_any_volume(
    gen2_raw: Path, somebody: Callable[[Path], None], partition: int
) -> None:
    vmrescue.repair(gen2_raw, only=["bad-memory"])  # it writes to the ESP only
    somebody(gen2_raw)
    theirs = fingerprint(gen2_raw)

    for _ in range(2):
        with pytest.raises(RefusedError, match="somebody else has written") as refusal:
            vmrescue.undo(gen2_raw)
        assert f"on partition {partition}" in str(refusal.value)
        assert refusal.value.exit_status == 4
        assert fingerprint(gen2_raw) == theirs
    assert [each.state for each in journals(gen2_raw)] == ["done"]


def test_what_was_different_is_passed_over_only_where_that_is_asked_for(gen2_raw: Path) -> None:
    repaired = vmrescue.repair(gen2_raw, only=["bad-memory"])
    fifty_files(gen2_raw)
    theirs = gen2_raw.read_bytes()

    refused = command("undo", gen2_raw)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "--although-changed" in refused.stderr
    assert "$MFT, on partition 3" in refused.stderr
    undone = json.loads(output_of("undo", "--although-changed", "--format", "json", gen2_raw))
    assert undone["undone"] == 1
    assert "$MFT, on partition 3" in undone["different"]
    assert "$MFT, on partition 3" not in undone["compared"]

    ours = {at for row in repaired.written[str(gen2_raw)] for at in range(row.offset, row.offset + row.length)}
    now = gen2_raw.read_bytes()
    changed = {
        at
        for start in range(0, len(now), MIB)
        if now[start : start + MIB] != theirs[start : start + MIB]
        for at in range(start, start + MIB)
        if now[at] != theirs[at]
    }
    assert changed
    assert changed <= ours


def test_what_the_repair_wrote_must_be_there_whatever_is_asked_for(gen2_raw: Path) -> None:
    receipt = vmrescue.repair(gen2_raw, only=["bad-memory"])
    (row, *_) = receipt.written[str(gen2_raw)]
    with gen2_raw.open("r+b") as stream:
        stream.seek(row.offset)
        byte = stream.read(1)
        stream.seek(row.offset)
        stream.write(bytes([byte[0] ^ 0xFF]))
    theirs = fingerprint(gen2_raw)

    for although_changed in (False, True):
        with pytest.raises(RefusedError, match=f"at byte {row.offset} of the image were changed"):
            vmrescue.undo(gen2_raw, although_changed)
        assert fingerprint(gen2_raw) == theirs


def overwritten(image: Path, at: int) -> None:
    """One byte in the midst of what was freed: by nothing that any file system knows of."""
    with image.open("r+b") as stream:
        stream.seek(at + len(MARK) // 2)
        stream.write(b"\0")


def wiped(image: Path, at: int) -> None:
    """Free space wiped, as people do before they send an image."""
    with loop_device(image, *GEN1_OS, writable=True) as device:
        run("ntfswipe", "--force", "--unused", "--bytes", "0", device)


def reused(image: Path, at: int) -> None:
    """A file written where there is room, and deleted again."""
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        (root / "full").write_bytes(b"full" * (MIB // 2))
        (root / "full").unlink()


FREED = "content of the clusters that were freed or taken, on partition 2"


@pytest.mark.parametrize(("somebody", "why"), [(overwritten, FREED), (wiped, FREED), (reused, "repair 2")])
def test_undo_is_refused_when_what_it_would_give_back_is_not_there_any_more(
    gen1_broken: Path, somebody: Callable[[Path, int], None], why: str
) -> None:
    source = gen1_broken.with_name("marked")
    source.write_bytes(MARK)
    output_of("put", gen1_broken, source, "C:\\marked.txt", "--yes")
    output_of("rm", gen1_broken, "C:\\marked.txt", "--yes")
    with gen1_broken.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        at = content.find(MARK)
    assert at > 0, "the freed clusters still hold what the file held"
    somebody(gen1_broken, at)
    theirs = fingerprint(gen1_broken)

    with pytest.raises(RefusedError, match=why):
        vmrescue.undo(gen1_broken)

    assert fingerprint(gen1_broken) == theirs


def edit(image: Path, folder: Path) -> list[tuple[str | Path, ...]]:
    """A command for every way in which an image is changed."""
    source = folder / "source"
    source.write_bytes(MARK)
    key = r"HKLM\SYSTEM\ControlSet001\Control\CrashControl"
    return [
        ("reg", image, "add", key, "/v", "Judged", "/t", "REG_SZ", "/d", "yes", "--yes"),
        ("bcdedit", image, "/set", "{default}", "bootlog", "yes", "--yes"),
        ("put", image, source, "C:\\marked.txt", "--yes"),
        ("rm", image, "C:\\marked.txt", "--yes"),
        ("repair", image, "--yes"),
        ("expand", image, "--size", "1G", "--yes"),
    ]


@pytest.mark.parametrize("name", ["gen1_broken", "gen2_broken"])
def test_where_nobody_else_wrote_every_command_is_undone_to_the_byte_one_after_the_other(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    image: Path = request.getfixturevalue(name)
    states = []
    for arguments in edit(image, tmp_path):
        states.append(fingerprint(image))
        output_of(*arguments, status=DONE)
        assert fingerprint(image) != states[-1]
    for before in reversed(states):
        text = output_of("undo", image)
        assert "Found to be different" not in text
        assert fingerprint(image) == before
    with pytest.raises(NotFoundError, match="no repair to undo"):
        vmrescue.undo(image)


def test_a_repair_is_taken_back_by_its_name_where_it_is_the_last_and_only_then(gen2_broken: Path) -> None:
    first = fingerprint(gen2_broken)
    ids = [vmrescue.repair(gen2_broken, only=[check]).id for check in ("bad-memory", "crash-dump", "page-file")]
    after = fingerprint(gen2_broken)
    for name in ("1", ids[0]):
        refused = command("undo", gen2_broken, name)
        assert refused.returncode == 4
        assert (
            f"repairs 2, 3 of {gen2_broken} came after repair 1, and may build on it: `vmrescue undo" in refused.stderr
        )
        assert f"{gen2_broken} --to 1` takes back all of them" in refused.stderr
    with pytest.raises(NotFoundError, match=r"no repair '7' of .*; there are: 1, 2, 3$"):
        vmrescue.undo(gen2_broken, repair=7)
    assert fingerprint(gen2_broken) == after
    output_of("undo", gen2_broken, ids[2])
    with pytest.raises(NotFoundError, match=r"repair 3 of .* was taken back before"):
        vmrescue.undo(gen2_broken, repair=3)
    assert vmrescue.undo(gen2_broken, repair=2) == 2
    output_of("undo", gen2_broken, "1")
    assert fingerprint(gen2_broken) == first
    assert command("undo", gen2_broken, "1", "--all").returncode == 2


def test_a_child_and_what_it_holds_are_undone_too(gen2_broken: Path, tmp_path: Path) -> None:
    child = tmp_path / "child.vhd"
    vmrescue.repair(gen2_broken, into=child)
    found = take_back(child)
    assert "the differencing VHD's headers and table" in found.compared
    assert "$MFT, on partition 3" in found.compared
    assert "bad-memory" in {finding.check for finding in vmrescue.diagnose(child).findings}


def test_an_undo_brings_back_the_signs_of_the_repair_before(gen2_raw: Path) -> None:
    first = fingerprint(gen2_raw)
    vmrescue.repair(gen2_raw, only=["bad-memory"])
    vmrescue.repair(gen2_raw, only=["crash-dump"])
    kept = gen2_raw.with_name("kept.raw")
    run("cp", "--sparse=always", gen2_raw, kept)
    shutil.copytree(journal_folder(gen2_raw), journal_folder(kept))

    assert [vmrescue.undo(gen2_raw) for _ in range(2)] == [2, 1]
    assert fingerprint(gen2_raw) == first

    assert vmrescue.undo(kept) == 2
    fifty_files(kept)
    with pytest.raises(RefusedError, match=r"since repair 1: .*\$MFT, on partition 3"):
        vmrescue.undo(kept)


def test_an_undo_says_exactly_what_it_looked_at(gen2_broken: Path) -> None:
    vmrescue.repair(gen2_broken)
    text = output_of("undo", gen2_broken)
    for said in (
        "repair 1 was taken back",
        "all that it wrote",
        "$LogFile; $Volume's flags; $MFT; $Bitmap",
        "the allocation table and the root directory; the directories; \\EFI\\Microsoft\\Boot\\BCD",
        "\\Windows\\System32\\config\\SYSTEM",
        "the content of the clusters that were freed or taken",
        "the dynamic VHD's headers and table",
        "Not looked at:\n  the content of what the repair did not touch",
    ):
        assert said in text
    assert "as it was before" not in text


def interrupted(image: Path) -> None:
    """As the image is where the machine stopped when all was written, and the journal was not renamed yet."""
    vmrescue.repair(image, only=["bad-memory"])
    [done] = journals(image)
    done.path.rename(done.path.with_suffix(".hot"))


def test_an_interrupted_repair_is_not_rolled_back_once_somebody_else_wrote(gen2_raw: Path) -> None:
    before = fingerprint(gen2_raw)
    interrupted(gen2_raw)
    fifty_files(gen2_raw)
    theirs = fingerprint(gen2_raw)

    for use in (open_disk, vmrescue.diagnose, vmrescue.repair, vmrescue.undo):
        with pytest.raises(RefusedError, match=r"after it was interrupted are .*\$MFT, on partition 3"):
            use(gen2_raw)
        assert fingerprint(gen2_raw) == theirs
    assert pending(gen2_raw) is not None

    text = output_of("undo", "--although-changed", gen2_raw)
    assert "repair 1, which had been interrupted, was rolled back" in text
    assert "passed over, as you asked" in text
    assert fingerprint(gen2_raw) not in (before, theirs)
    assert "bad-memory" in {finding.check for finding in vmrescue.diagnose(gen2_raw).findings}
    with mounted_ntfs(gen2_raw, *GEN2_OS) as root:
        assert (root / "new49.txt").read_bytes() == b"x" * 5000


def test_an_interrupted_repair_is_rolled_back_to_the_byte_where_nobody_else_wrote(gen2_raw: Path) -> None:
    before = fingerprint(gen2_raw)
    interrupted(gen2_raw)
    assert take_back(gen2_raw).interrupted
    assert fingerprint(gen2_raw) == before


# What vmrescue wrote before journals had signs, when `repaired` was put at byte 5000 of 64 KiB, each byte of which was
# the lowest eight bits of its position.
OLD_JOURNAL = (
    "c5QNMa&Bxfj$H?90000000031000000003100000000000000000000000000951nK(28t4fo=Wx#}-~kE-}^qX(REcM(ZGFxaz7Qbk8jh!X$+"
    "000002mk;82mk;8Q#$5$vgba(qeD=nX6fV#1W#|#lzr1-`lP^2r1nrQJFj)lh(|`mCd&Q)ehNO*r7KNv`)$9Jymd?DCpw0Th>41ejE#<uL{Cm"
    "d0RR9100000B_W_oc%)UOR~`MmA!`Ijd;bXJ2nvUt%#6ur?M3B-"
)


def test_a_journal_without_signs_is_undone_and_that_it_has_none_is_said(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    before = bytes(range(256)) * 256
    image.write_bytes(before[:5000] + b"repaired" + before[5008:])
    journal_folder(image).mkdir()
    (journal_folder(image) / "0001.done").write_bytes(b85decode(OLD_JOURNAL))

    text = output_of("undo", image)

    assert image.read_bytes() == before
    assert (
        "Not looked at:\n  whether somebody else wrote to the image since: the journal is of an older vmrescue" in text
    )


def test_what_lies_behind_the_old_end_of_an_image_is_looked_at_before_it_is_cut_off(gen1_broken: Path) -> None:
    output_of("expand", gen1_broken, "--size", "1G", "--yes")
    with gen1_broken.open("r+b") as stream:
        stream.seek(900 * MIB)
        stream.write(b"somebody's")
    theirs = fingerprint(gen1_broken)
    with pytest.raises(RefusedError, match="what lies behind the image's old end"):
        vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == theirs


def test_a_bare_hive_that_somebody_else_edited_is_not_undone(gen1_broken: Path, tmp_path: Path) -> None:
    need_tool("hivexregedit")
    output_of("get", gen1_broken, r"C:\Windows\System32\config\SOFTWARE", tmp_path)
    hive = tmp_path / "SOFTWARE"
    output_of("reg", hive, "add", r"HKLM\SOFTWARE\Ours", "/v", "a", "/d", "b", "--yes")
    text = b'Windows Registry Editor Version 5.00\r\n\r\n[\\Theirs]\r\n"Seen"=dword:00000001\r\n'
    run("hivexregedit", "--merge", hive, stdin=text)
    theirs = fingerprint(hive)
    with pytest.raises(RefusedError, match="the image has 16384 bytes; repair 1 left it with 12288"):
        vmrescue.undo(hive)
    assert fingerprint(hive) == theirs


def test_a_bare_hive_is_compared_whole(gen1_broken: Path, tmp_path: Path) -> None:
    """It has no log and no table that would tell of a value that somebody wrote in place, far behind its header."""
    output_of("get", gen1_broken, r"C:\Windows\System32\config\SOFTWARE", tmp_path)
    hive = tmp_path / "SOFTWARE"
    values = "".join(f'"{number}"=hex(3):{(b"theirs" * 2000).hex(",")}\n' for number in range(20))
    run("hivexregedit", "--merge", hive, stdin=f"Windows Registry Editor Version 5.00\n\n[\\Theirs]\n{values}".encode())
    output_of("reg", hive, "add", r"HKLM\SOFTWARE\Ours", "/v", "a", "/d", "b", "--yes")
    with hive.open("r+b") as stream, mmap(stream.fileno(), 0) as content:
        at = content.find(b"theirs", 150_000)
        content[at : at + 6] = b"others"
    theirs = fingerprint(hive)
    with pytest.raises(RefusedError, match="the hive's file"):
        vmrescue.undo(hive)
    assert fingerprint(hive) == theirs


def test_the_list_of_repairs_says_plainly_what_a_defragmentation_ended(gen1_broken: Path) -> None:
    vmrescue.repair(gen1_broken, only=["crash-dump"])
    with EditSession(gen1_broken) as session:
        session.seal()
    text = output_of("undo", "--list", gen1_broken)
    assert "a defragmentation: neither it nor what was done before it can be undone" in text
    assert "0 bytes  (no receipt)" not in text


def test_of_a_volume_that_cannot_be_read_pieces_are_compared_and_that_is_said(gen2_raw: Path) -> None:
    end, table = sum(GEN2_OS), GEN2_OS[0] + 4 * 4096  # where mkntfs puts $MFT
    with gen2_raw.open("r+b") as stream:
        stream.seek(table)
        assert stream.read(4) == b"FILE"
        stream.seek(table)
        stream.write(b"GONE")
    source = gen2_raw.with_name("source")
    source.write_bytes(b"short")
    before = fingerprint(gen2_raw)

    output_of("put", f"{gen2_raw}:1", source, "new.txt", "--yes")
    for written, refused in ((b"somebody's", True), (bytes(10), False)):
        with gen2_raw.open("r+b") as stream:
            stream.seek(end - 8192)
            stream.write(written)
        if refused:
            with pytest.raises(
                RefusedError, match=r"its bytes, whatever they mean .* in pieces spread over its .*, on partition 3"
            ):
                vmrescue.undo(gen2_raw)
    found = take_back(gen2_raw)

    assert any(label.startswith("the rest of its bytes, whatever they mean") for label in found.not_compared)
    assert fingerprint(gen2_raw) == before
