"""A signal that arrives while libvhdi is at work is that signal, and no image that cannot be read."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from vmrescue.image.transports.file import FileDevice
from vmrescue.readers.vhd import open_vhd

if TYPE_CHECKING:
    from pathlib import Path


class Interrupting:
    """An image's file; the next read of it after `armed` was set comes with a Ctrl-C."""

    def __init__(self, path: Path) -> None:
        self._file = FileDevice(path)
        self.size = self._file.size
        self.armed = False

    def read_at(self, offset: int, length: int) -> bytes:
        if self.armed:
            self.armed = False
            os.kill(os.getpid(), signal.SIGINT)
        return self._file.read_at(offset, length)


def opened_and_read(file: Interrupting, while_opening: bool) -> None:
    file.armed = while_opening
    with open_vhd([file]) as read:
        file.armed = True
        read(1 << 20, 1 << 16)


@pytest.mark.parametrize("while_opening", [True, False])
def test_ctrl_c_while_libvhdi_opens_or_reads_is_an_interrupt(while_opening: bool, gen2_broken: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        opened_and_read(Interrupting(gen2_broken), while_opening)
