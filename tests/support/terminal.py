"""A command in a pseudo-terminal of so many columns, and what then stands on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.command import SECONDS, run_in

if TYPE_CHECKING:
    from collections.abc import Iterable

ESCAPE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")
ROWS = 24


@dataclass
class Transcript:
    """What a command printed to a terminal.

    Attributes:
        raw: with the escapes that it sent.
        lines: as they stand there in the end, and above what is seen; what was wiped away is not among them.
        status: its exit status.
    """

    raw: str
    lines: list[str]
    status: int

    @property
    def screen(self) -> list[str]:
        """The last lines, which are still seen."""
        return self.lines[-ROWS:]


def in_terminal(*arguments: object, columns: int = 80, answers: Iterable[str] = (), **environment: str) -> Transcript:
    """Runs the command with a terminal for all three of its streams; each answer is typed when something is asked."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", ROWS, columns, 0, 0))
    got, to_type = bytearray(), list(answers)
    done = threading.Event()

    def read() -> None:
        while True:
            ready = select.select([ours], [], [], 0.02)[0]
            if ready:
                got.extend(os.read(ours, 1 << 16))
                if to_type and got.endswith(b": "):
                    os.write(ours, f"{to_type.pop(0)}\n".encode())
            elif done.is_set():
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        status = run_in([theirs] * 3, arguments, kept | {"TERM": "xterm-256color"} | environment)
    finally:
        done.set()
        reader.join(SECONDS)
        os.close(ours)
        os.close(theirs)
    raw = got.decode()
    return Transcript(raw, _shown(raw), status)


def _shown(raw: str) -> list[str]:
    """Plays what was sent on a screen without end; of the escapes, those that move and wipe are known."""
    lines, row, column, at = [""], 0, 0, 0
    while at < len(raw):
        letter = raw[at]
        if found := ESCAPE.match(raw, at):
            at = found.end()
            count = int(found[1]) if found[1].isdecimal() else 1
            match found[2]:
                case "A":
                    row = max(0, row - count)
                case "K":
                    lines[row] = "" if found[1] == "2" else lines[row][:column]
            continue
        at += 1
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        else:
            lines[row] = lines[row].ljust(column)[:column] + letter + lines[row][column + 1 :]
            column += 1
    return lines if lines[-1] else lines[:-1]
