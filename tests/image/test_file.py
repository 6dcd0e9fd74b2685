"""Reading and writing files, and errors of the operating system."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from support.crash import failing
from vmrescue.disk import FileDevice
from vmrescue.errors import FormatError, ReadError, WriteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_read_beyond_the_end_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = FileDevice(path)

    assert file.read_at(4, 6) == b"456789"
    assert file.read_at(10, 0) == b""
    for offset, length in [(4, 7), (11, 0), (-1, 2), (1 << 70, 1)]:
        with pytest.raises(FormatError, match=f"at byte {offset} .*inside its 10"):
            file.read_at(offset, length)
    file.close()


def test_a_file_cut_short_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8192))
    file = FileDevice(path)
    path.write_bytes(bytes(5000))

    with pytest.raises(ReadError, match="became shorter while it was read: it ends at byte 5000"):
        file.read_at(4096, 4096)

    assert file.read_at(0, 5000) == bytes(5000)
    file.close()


def test_a_file_is_made_longer_with_zeros_and_shorter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = FileDevice(path, writable=True)

    file.resize(12)
    assert file.read_at(8, 4) == b"89\0\0"
    file.resize(5)
    file.write_at(3, b"xy")
    file.flush()
    file.close()
    file.close()

    assert path.read_bytes() == b"012xy"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_what_the_operating_system_does_not_take_is_a_write_error(tmp_path: Path, number: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = FileDevice(path, writable=True)

    acts: list[Callable[[], None]] = [lambda: file.write_at(3, b"x"), lambda: file.resize(20), file.flush]
    for act in acts:
        with failing(0, number), pytest.raises(WriteError) as caught:
            act()
        assert caught.value.exit_status == 5
        assert str(path) in str(caught.value)

    assert file.size == 10
    file.close()
    assert path.read_bytes() == b"0123456789"
