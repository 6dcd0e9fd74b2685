"""The undo journal: exact undo, refusals, and disks and file systems that fail."""

from __future__ import annotations

import errno
import hashlib
import itertools
import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.images import CONTAINERS, KIB, SIZE, change, grow, make_image, tree
from support.crash import crash, failing, recorded
from support.machine import need_root, run
from vmrescue.disk import EditSession, FileDevice, Overlay, journal_folder, journals, open_disk, pending, undo
from vmrescue.errors import NotFoundError, RefusedError, RepairFailedError
from vmrescue.image.journal import commit
from vmrescue.image.journal_file import END, END_TAG, HEADER, MAGICS
from vmrescue.image.signs import Sign, sampled
from vmrescue.transaction import history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def repair(path: Path, offset: int | None = None) -> None:
    with EditSession(path) as session:
        if offset is None:
            change(session.disk)
        else:
            session.disk.write_at(offset, b"repaired")
        session.commit()


def interrupted(folder: Path, container: str = "raw") -> tuple[Path, bytes]:
    """An image whose repair was interrupted half-way, and the bytes that it had before."""
    live = folder / "live"
    live.mkdir()
    path = make_image(live, container)
    before = path.read_bytes()
    with recorded(live) as recording:
        repair(path)
    last_sync = max(at for at, action in enumerate(recording.actions) if action.kind == "sync")
    crash(recording, last_sync, "chance", folder / "crashed")
    shutil.rmtree(live)
    path = folder / "crashed" / "disk"
    assert path.read_bytes() != before
    return path, before


@pytest.mark.parametrize("container", CONTAINERS)
def test_repair_and_undo_again_and_again_give_the_same_bytes_each_time(tmp_path: Path, container: str) -> None:
    path = make_image(tmp_path, container)
    before = path.read_bytes()
    repair(path)
    after = path.read_bytes()
    assert after != before

    for _ in range(2):
        undo(path)
        assert path.read_bytes() == before
        repair(path)
        assert path.read_bytes() == after

    undo(path)
    assert path.read_bytes() == before
    assert [journal.state for journal in journals(path)] == ["undone"] * 3


def test_the_journal_says_what_was_written(tmp_path: Path) -> None:
    path = make_image(tmp_path, "fixed")

    with EditSession(path) as session:
        session.disk.write_at(5000, b"repaired")
        assert session.changed_ranges() == [(5000, 8)]
        assert session.overlay.changed_ranges() == [(5000, 8)]
        journal = session.commit()
        assert session.changed_ranges() == []

    assert journal is not None
    assert (journal.state, journal.number, journal.size_before, journal.size_after) == (
        "done",
        1,
        SIZE + 512,
        SIZE + 512,
    )
    assert [(region.offset, region.length_before, region.length_after) for region in journal.regions] == [(5000, 8, 8)]
    assert journal.unique_id == path.read_bytes()[-512 + 68 :][:16]
    assert abs(journal.created - time.time()) < 60
    assert [journal] == journals(path)
    assert oct(journal.path.stat().st_mode) == "0o100600"  # it may hold secrets of the machine


def test_a_session_that_commits_nothing_leaves_no_trace(tmp_path: Path) -> None:
    path = make_image(tmp_path, "dynamic")
    before = tree(tmp_path)

    with EditSession(path) as session:
        change(session.disk)
    with EditSession(path) as session:
        session.disk.write_at(0, session.disk.read_at(0, SIZE))
        assert session.commit() is None

    assert tree(tmp_path) == before
    with pytest.raises(NotFoundError, match="no repair to undo"):
        undo(path)


def test_several_repairs_are_undone_in_reverse_order(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    states = [path.read_bytes()]
    for offset in (1000, 2000, 1004):
        repair(path, offset)
        states.append(path.read_bytes())

    for number in (3, 2, 1):
        assert undo(path).number == number
        assert path.read_bytes() == states[number - 1]
    with pytest.raises(NotFoundError, match="no repair to undo"):
        undo(path)


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (5003, "12 bytes at byte 5000 of the image were changed"),
        (4999, "changed by other means"),
        (0, "changed by other means"),
        (SIZE - 5, "changed by other means"),
    ],
)
def test_undo_is_refused_when_the_image_was_changed_since(tmp_path: Path, position: int, why: str) -> None:
    path = make_image(tmp_path, "raw")
    repair(path)
    with path.open("r+b") as file:
        file.seek(position)
        old = file.read(1)
        file.seek(position)
        file.write(bytes([old[0] ^ 1]))
    changed = tree(tmp_path)

    with pytest.raises(RefusedError, match=why) as caught:
        undo(path)

    assert caught.value.exit_status == 4
    assert tree(tmp_path) == changed


def test_a_single_byte_that_was_changed_is_said_as_one(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    with EditSession(path) as session:
        session.disk.write_at(5000, bytes([session.disk.read_at(5000, 1)[0] ^ 1]))
        session.commit()
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(bytes([path.read_bytes()[5000] ^ 2]))
    with pytest.raises(RefusedError, match="1 byte at byte 5000 of the image was changed"):
        undo(path)


def test_undo_is_refused_when_the_image_has_another_size(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    repair(path)
    with path.open("ab") as file:
        file.write(bytes(512))

    with pytest.raises(RefusedError, match=f"the image has {SIZE + 512} bytes; repair 1 left it with {SIZE}"):
        undo(path)

    assert path.stat().st_size == SIZE + 512


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_interrupted_repair_is_not_seen_by_a_reader_and_rolled_back_by_a_writer(
    tmp_path: Path, container: str
) -> None:
    path, before = interrupted(tmp_path, container)
    left = tree(path.parent)

    disk = open_disk(path)
    assert "was interrupted: what is read is as it was before" in disk.warnings[0]
    seen = disk.read_at(0, disk.size)
    disk.close()
    assert tree(path.parent) == left
    with EditSession(path) as session:
        assert "was interrupted: it was rolled back" in session.warnings[-1]
        assert session.disk.read_at(0, SIZE) == seen
    assert path.read_bytes() == before
    assert open_and_warn(path) == []


def open_and_warn(path: Path) -> list[str]:
    disk = open_disk(path)
    disk.close()
    return [warning for warning in disk.warnings if "interrupted" in warning]


def test_undo_rolls_an_interrupted_repair_back_and_leaves_the_one_before(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    path = make_image(live, "raw")
    repair(path, 3000)
    once = path.read_bytes()
    with recorded(live) as recording:
        repair(path, 7000)
    crash(recording, len(recording.actions) - 3, "keep", tmp_path / "crashed")
    path = tmp_path / "crashed" / "disk"
    assert pending(path) is not None

    assert undo(path).number == 2

    assert path.read_bytes() == once
    assert [(journal.number, journal.state) for journal in journals(path)] == [(1, "done"), (2, "undone")]


def test_an_image_is_found_interrupted_through_a_link_too(tmp_path: Path) -> None:
    path, before = interrupted(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(path)

    assert journal_folder(link) == journal_folder(path)
    EditSession(link).close()

    assert path.read_bytes() == before


def test_a_torn_journal_is_ignored_by_readers_and_dropped_by_a_writer(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()
    torn = journal_folder(path) / "0001.tmp"
    torn.parent.mkdir()
    torn.write_bytes(b"vmrjrnl1 and no more")

    assert open_and_warn(path) == []
    assert torn.exists()
    EditSession(path).close()

    assert not torn.exists()
    assert path.read_bytes() == before


@pytest.mark.parametrize("other", ["another size", "another disk", "another state of it"])
def test_a_journal_of_another_image_is_refused(tmp_path: Path, other: str) -> None:
    path, before = interrupted(tmp_path)
    if other == "another size":
        path.write_bytes(before + bytes(512))
    elif other == "another disk":
        path.write_bytes(random.Random(1).randbytes(SIZE))
    else:
        path.write_bytes(before[:4990] + b"changed" + before[4997:])
    left = tree(path.parent)

    for attempt in (open_disk, EditSession, undo):
        with pytest.raises(RefusedError, match="belongs to another image") as caught:
            attempt(path)
        assert caught.value.exit_status == 4

    assert tree(path.parent) == left


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_journal_is_refused_and_nothing_is_written(
    tmp_path_factory: pytest.TempPathFactory, half_repaired: dict[str, bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "disk.vmrescue").mkdir()
    for name, content in half_repaired.items():
        (folder / name).write_bytes(content)
    path = folder / "disk"
    journal = folder / "disk.vmrescue" / "0001.hot"
    raw = bytearray(journal.read_bytes())
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    journal.write_bytes(raw)
    left = tree(folder)

    for attempt in (open_disk, EditSession, undo):
        with pytest.raises(RefusedError, match=r"is damaged at byte|belongs to another image"):
            attempt(path)

    assert tree(folder) == left


@pytest.fixture(scope="module")
def half_repaired(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path, _ = interrupted(tmp_path_factory.mktemp("sound"))
    return tree(path.parent)


def failures(number: int) -> Iterator[None]:
    """Lets the first call to the operating system fail, then the second, and so on."""
    for at in itertools.count():
        with failing(at, number):
            yield


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("container", ["raw", "dynamic"])
def test_whatever_call_fails_once_the_image_is_rolled_back_at_once(
    quick_folder: Path, container: str, number: int
) -> None:
    path = make_image(quick_folder, container)
    before = path.read_bytes()
    failed = 0

    for _ in failures(number):
        failure = failed_repair(path)
        if failure is None:
            break
        assert "rolled back to what it was before" in failure or "nothing was written to the image" in failure
        assert path.read_bytes() == before
        assert pending(path) is None
        failed += 1

    assert path.read_bytes() != before
    print(f"{container}: {failed} calls failed, one by one")


def failed_repair(path: Path) -> str | None:
    """The error text of a failed repair; None if it succeeded."""
    try:
        repair(path)
    except RepairFailedError as error:
        return str(error)
    return None


@pytest.mark.parametrize("container", ["raw", "dynamic"])
def test_when_the_disk_fails_for_good_the_next_opening_brings_the_image_in_order(
    quick_folder: Path, container: str
) -> None:
    live = quick_folder / "live"
    live.mkdir()
    path = make_image(live, container)
    before = path.read_bytes()
    repair(path)
    after = path.read_bytes()
    undo(path)
    failed = 0

    while True:
        with failing(failed, errno.EIO, lasting=True):
            failure = failed_repair(path)
        if failure is None:
            break
        disk = open_disk(path)
        seen = disk.read_at(0, disk.size)
        disk.close()
        with EditSession(path) as session:
            assert session.disk.read_at(0, SIZE) == seen
        assert path.read_bytes() in (before, after)
        if path.read_bytes() == after:
            assert "wholly repaired" in failure
            undo(path)
        failed += 1

    print(f"{container}: the disk failed for good at each of {failed} calls")
    assert failed > 10


def test_a_commit_on_a_full_file_system_leaves_the_image_as_it_was(tmp_path: Path) -> None:
    need_root()
    mount = tmp_path / "mnt"
    mount.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=6m", "none", mount)
    try:
        path = mount / "disk"
        with path.open("wb") as file:
            file.truncate(8 << 20)
        with EditSession(path) as session:  # the journal of 4 MiB has room, 4 MiB of the image have not
            session.disk.write_at(0, b"x" * (4 << 20))
            with pytest.raises(
                RepairFailedError, match=r"No space left on device; the image was rolled back"
            ) as caught:
                session.commit()
        assert caught.value.exit_status == 5
        assert pending(path) is None
        assert path.read_bytes() == bytes(8 << 20)

        with EditSession(path) as session:  # now there is no room for the journal
            session.disk.write_at(0, b"x" * (4 << 20))
            with pytest.raises(RepairFailedError, match="No space left on device; nothing was written to the image"):
                session.commit()
        assert path.read_bytes() == bytes(8 << 20)
    finally:
        run("umount", mount)


def test_a_commit_in_a_folder_that_takes_no_journal_writes_nothing(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()
    journal_folder(path).write_bytes(b"a file where the folder should be")

    with EditSession(path) as session:
        session.disk.write_at(0, b"x")
        with pytest.raises(RepairFailedError, match=r"no undo journal: .*: Not a directory; nothing was"):
            session.commit()

    assert path.read_bytes() == before


def test_an_interruption_from_the_keyboard_rolls_back(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()
    writes = 0

    class Impatient(FileDevice):
        def write_at(self, offset: int, data: bytes | memoryview) -> None:
            nonlocal writes
            writes += 1
            if writes == 3:
                raise KeyboardInterrupt
            super().write_at(offset, data)

    image = Impatient(path, writable=True)
    overlay = Overlay(image)
    for offset in range(0, SIZE, 30 * KIB):
        overlay.write_at(offset, b"changed")
    with pytest.raises(KeyboardInterrupt):
        commit(image, overlay)
    overlay.close()
    image.close()

    assert path.read_bytes() == before
    assert pending(path) is None


def test_an_image_may_shrink_and_comes_back_whole(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()
    image = FileDevice(path, writable=True)
    overlay = Overlay(image)
    overlay.resize(100 * KIB + 512)
    overlay.write_at(0, b"short")

    commit(image, overlay)
    overlay.close()
    image.close()

    assert path.read_bytes() == b"short" + before[5 : 100 * KIB + 512]
    undo(path)
    assert path.read_bytes() == before


def test_growth_is_undone_to_the_byte(tmp_path: Path) -> None:
    for container in ("raw", "fixed", "dynamic"):
        folder = tmp_path / container
        folder.mkdir()
        path = make_image(folder, container)
        before = path.read_bytes()
        with EditSession(path) as session:
            grow(session.disk)
            session.commit()
        disk = open_disk(path)
        assert (disk.size, disk.read_at(2 * SIZE, 4)) == (3 * SIZE, b"far\0")
        disk.close()

        undo(path)

        assert path.read_bytes() == before


def test_a_block_device_is_repaired_and_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()
    device = Path(run("losetup", "--find", "--show", "--sector-size", "4096", path).strip())
    try:
        repair(device)
        run("sync", device)
        assert path.read_bytes() != before
        assert (tmp_path / "state" / "vmrescue" / f"{device.name}.vmrescue" / "0001.done").exists()

        undo(device)

        run("sync", device)
        assert path.read_bytes() == before
    finally:
        run("losetup", "--detach", device)


def test_a_journal_that_another_user_put_there_is_not_trusted(tmp_path: Path) -> None:
    need_root()
    path, _ = interrupted(tmp_path)
    os.chown(journal_folder(path), 12345, 12345)
    left = tree(path.parent)

    for attempt in (open_disk, EditSession, undo):
        with pytest.raises(RefusedError, match="belongs to another user"):
            attempt(path)

    assert tree(path.parent) == left
    os.chown(path, 12345, 12345)  # whoever owns the image may have repaired it
    EditSession(path).close()


def test_two_hot_journals_are_refused(tmp_path: Path) -> None:
    path, _ = interrupted(tmp_path)
    journal = journal_folder(path) / "0001.hot"
    shutil.copy(journal, journal.with_name("0002.hot"))

    with pytest.raises(RefusedError, match="more than one hot undo journal"):
        open_disk(path)


def test_a_process_killed_in_the_midst_leaves_the_disk_wholly_old_or_wholly_new(quick_folder: Path) -> None:
    path = make_image(quick_folder, "dynamic")
    old = path.read_bytes()
    started = time.monotonic()
    repair(path)
    length = time.monotonic() - started
    new = path.read_bytes()
    undo(path)
    chance = random.Random(0)
    context = multiprocessing.get_context("fork")
    seen = {old: 0, new: 0}

    for _ in range(100):
        process = context.Process(target=repair, args=(path,))
        process.start()
        time.sleep(chance.random() * (2 * length + 0.005))
        process.kill()
        process.join()
        process.close()
        EditSession(path).close()
        found = path.read_bytes()
        seen[found] += 1
        if found == new:
            undo(path)
        assert path.read_bytes() == old

    print(f"killed 100 times: {seen[old]} times old, {seen[new]} times new")
    assert sum(seen.values()) == 100


@pytest.mark.parametrize("plant", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_lies_in_a_journals_place_and_is_no_file_is_refused_at_once(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()
    journal_folder(path).mkdir()
    plant(journal_folder(path) / "0001.hot")

    for use in (open_disk, undo, journals):
        with pytest.raises(RefusedError, match=r"0001\.hot is (not a regular file|a link)"):
            use(path)

    assert path.read_bytes() == before


def test_a_journal_of_a_time_that_no_calendar_has_is_refused(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    journal_folder(path).mkdir()
    header = HEADER.pack(MAGICS[0], 1 << 63, SIZE, SIZE, bytes(16), bytes(32))
    end = END.pack(END_TAG, 0, hashlib.sha256(header).digest())
    (journal_folder(path) / "0001.done").write_bytes(header + end)

    with pytest.raises(RefusedError, match="a time before the year 10000"):
        journals(path)


DEEP = "[" * 100_000


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    "receipt",
    ["[]", "1", "", "{}", DEEP, '{"journals": []}', '{"journals": {"disk": [1]}}', '{"journals": {"disk": -1}}'],
    ids=range(8),
)
def test_what_is_no_receipt_of_ours_is_passed_over_in_the_list_of_repairs(tmp_path: Path, receipt: str) -> None:
    path = make_image(tmp_path, "raw")
    repair(path)
    (journal_folder(path) / "planted").mkdir()
    (journal_folder(path) / "planted" / "receipt.json").write_text(receipt)

    (past,) = history(path)

    assert (past.number, past.state, past.receipt) == (1, "done", None)


@pytest.mark.parametrize("plant", [os.mkfifo, sparse])
def test_a_pipe_or_a_terabyte_in_a_receipts_place_is_passed_over_at_once(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    path = make_image(tmp_path, "raw")
    repair(path)
    (journal_folder(path) / "planted").mkdir()
    plant(journal_folder(path) / "planted" / "receipt.json")

    (past,) = history(path)

    assert (past.number, past.receipt) == (1, None)


TABLE = Sign("a table", ((300 * KIB, 200 * KIB),))


def sparse_image(folder: Path) -> tuple[Path, bytes]:
    """A sparse image with a little data in its table; repaired, with the table as a sign."""
    path = folder / "disk"
    with path.open("wb") as file:
        file.truncate(1 << 20)
        file.seek(400 * KIB)
        file.write(b"content" * 100)
    before = path.read_bytes()
    with EditSession(path) as session:
        session.disk.write_at(350 * KIB, b"repaired, in the midst of the table too")
        session.commit([TABLE])
    return path, before


@pytest.mark.parametrize("position", [300 * KIB, 350 * KIB - 9000, 400 * KIB + 5, 500 * KIB - 1])
def test_a_sign_that_changed_refuses_an_undo_also_in_what_was_a_hole(tmp_path: Path, position: int) -> None:
    path, _ = sparse_image(tmp_path)
    with path.open("r+b") as file:
        file.seek(position)
        file.write(b"!")
    changed = tree(tmp_path)

    with pytest.raises(RefusedError, match=r"not as they were after it are .*a table"):
        undo(path)

    assert tree(tmp_path) == changed


def test_a_copy_whose_holes_are_filled_is_undone_with_the_journals_that_lie_beside_it(tmp_path: Path) -> None:
    path, before = sparse_image(tmp_path)
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    shutil.copytree(journal_folder(path), journal_folder(copy))

    assert undo(copy).found.same == ("pages spread over the image", "a table")
    assert copy.read_bytes() == before


def test_of_much_content_pieces_are_taken_from_all_over_it() -> None:
    ranges = [(0, 5 * KIB), (20 * KIB, 3 * KIB), (100 * KIB, 900 * KIB)]
    assert sampled(ranges, 1 << 20, 10, KIB) == tuple(ranges)
    pieces = sampled(ranges, 100 * KIB, 10, KIB)
    assert pieces[0] == (0, KIB)
    assert pieces[-1] == (999 * KIB, KIB)
    assert len(pieces) == 10
    assert all(any(first <= at and at + size <= first + length for first, length in ranges) for at, size in pieces)
