"""What Windows there is on an image, and what the logs of its hives hold, is found out once in each state of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.command import DONE, vmrescue
from support.images import fingerprint
from support.machine_disk import mounted_ntfs
from support.real_data import corpus
from vmrescue.plan import Plan
from vmrescue.transaction import Transaction

if TYPE_CHECKING:
    from pathlib import Path

GEN1_OS = 33 << 20, 606 << 20
FOUND = " vmrescue.windows: letters: "  # what each look for a Windows tells the log
REPLAYED = " vmrescue.registry: replayed "
ADD = ["add", r"HKLM\SYSTEM\ControlSet001\Control\CrashControl", "/v", "XX", "/t", "REG_SZ", "/d", "foo"]
COMMANDS = {  # and how often a Windows is looked for
    "repair": (["repair", "{}"], 2),  # before and after
    "rm": (["rm", "{}", r"Windows\Temp\fill.bin"], 2),  # no edit of the hive, which is dirty after it too
    "reg": (["reg", "{}", *ADD], 2),
    "bcdedit": (["bcdedit", "{}", "/timeout", "7"], 2),
    "rescue": (["rescue", "{}"], 6),  # tried, shown and asked first, then made in the locked image; twice two plans
}


def edited(image: Path, words: list[str]) -> str:
    """The log of a command that edits the image."""
    before, log = fingerprint(image), image.with_name("log")
    done = vmrescue(*(word.format(image) for word in words), "--yes", "--log-file", log)
    assert done.returncode in DONE, done.stderr
    assert fingerprint(image) != before
    return log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "looks"), COMMANDS.values(), ids=COMMANDS)
def test_an_edit_looks_for_a_windows_once_before_and_once_after(
    gen1_broken: Path, words: list[str], looks: int
) -> None:
    log = edited(gen1_broken, words)
    assert log.count(FOUND) == looks
    assert REPLAYED not in log


@pytest.mark.parametrize(("words", "looks"), COMMANDS.values(), ids=COMMANDS)
def test_the_logs_of_a_dirty_hive_are_replayed_once_in_a_command(
    gen1_broken: Path, words: list[str], looks: int
) -> None:
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "Windows/Temp/fill.bin").write_bytes(b"")  # the hive takes its room
        for name in ("", ".LOG1", ".LOG2"):
            (root / f"Windows/System32/config/SYSTEM{name}").write_bytes(corpus(f"hives/SYSTEM_B{name}"))
    log = edited(gen1_broken, words)
    assert (log.count(FOUND), log.count(REPLAYED)) == (looks, 1)


def test_a_disk_is_the_same_object_until_something_is_written(gen1_broken: Path) -> None:
    with Transaction(gen1_broken, writable=False) as transaction:
        disks = [*transaction.disks(), *transaction.disks()]
        transaction.apply(transaction.before.plan(["bad-memory"]))
        disks += [*transaction.disks(), *transaction.disks()]
        transaction.images[0].recorder.resize(disks[0].device.size)
        disks += transaction.disks()
    assert [disks.index(disk) for disk in disks] == [0, 0, 2, 2, 4]


def test_where_nothing_is_written_the_disk_is_not_diagnosed_again(gen2_healthy: Path) -> None:
    with Transaction(gen2_healthy, writable=False) as transaction:
        receipt = transaction.apply(Plan(transaction.identity, ()))
        assert receipt.after is transaction.before is transaction.latest
