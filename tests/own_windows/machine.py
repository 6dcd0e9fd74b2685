"""A machine under QEMU that is waited for: what it printed on its serial port, and what its screen shows."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

from support.debian_judges import PROGRAM
from support.machine import need_tool

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

KVM = "/dev/kvm"
FORMATS = {".vhd": "vpc", ".raw": "raw", ".img": "raw", ".vhdx": "vhdx"}
PAUSE = 0.2  # seconds between two looks


class Machine:
    """A disk image that runs, with 4 GiB of memory: under a BIOS as generation 1, under UEFI as generation 2.

    Its disk is one of IDE or AHCI, for which each Windows has a driver. Within its `with` it runs; one that switches
    itself off keeps its screen.
    """

    def __init__(
        self, image: Path, generation: int, folder: Path, accelerated: bool = True, memory: int = 4096
    ) -> None:
        self._serial = folder / "serial"
        self._monitor = folder / "monitor"
        self._screen = folder / "screen.png"
        accelerator = "kvm" if accelerated and os.access(KVM, os.R_OK | os.W_OK) else "tcg"
        words = ["-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else "max"]
        words += [
            "-M",
            "pc" if generation == 1 else "q35",
            "-m",
            str(memory),
            "-smp",
            "2",
            "-nodefaults",
            "-vga",
            "std",
        ]
        words += ["-display", "none", "-no-shutdown", "-serial", f"file:{self._serial}"]
        words += ["-qmp", f"unix:{self._monitor},server=on,wait=off"]
        words += ["-drive", f"if=none,id=disk,file={image},format={FORMATS[image.suffix]},cache=writeback"]
        words += ["-device", "ide-hd,drive=disk,bootindex=1"]
        self._words = [need_tool(PROGRAM), *words, *(_uefi(folder) if generation == 2 else [])]

    def __enter__(self) -> Self:
        for path in (self._serial, self._monitor, self._screen):
            path.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def printed(self) -> str:
        """All of the serial port."""
        return self._serial.read_text("utf-8", "replace") if self._serial.exists() else ""

    def wait_for(self, *texts: str, seconds: float) -> str:
        """The first of these texts that it prints; an empty one, if it prints none within a time."""
        until = time.monotonic() + seconds
        while True:
            last = self._process.poll() is not None or time.monotonic() > until
            printed = self.printed
            for text in texts:
                if text in printed:
                    return text
            if last:
                return ""
            time.sleep(PAUSE)

    def screen(self) -> Path:
        """A picture of the screen, a PNG file."""
        self._tell("screendump", filename=str(self._screen), format="png")
        return self._screen

    def shut_down(self, seconds: float) -> bool:
        """Presses the power button; whether the machine is off within a time."""
        self._tell("system_powerdown")
        until = time.monotonic() + seconds
        while self._tell("query-status")["status"] != "shutdown":
            if time.monotonic() > until:
                return False
            time.sleep(PAUSE)
        return True

    def _tell(self, command: str, **arguments: str) -> dict[str, Any]:
        """A command of QEMU's machine protocol; what it returns.

        Raises:
            AssertionError: QEMU answered with an error, or not at all.
        """
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(str(self._monitor))
            answers = line.makefile("r")
            answers.readline()  # QEMU's greeting
            for each in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                line.sendall(json.dumps(each).encode() + b"\n")
                answer: dict[str, Any] = {"event": ""}
                while "event" in answer:
                    answer = json.loads(answers.readline())
                assert "return" in answer, answer
        found: dict[str, Any] = answer["return"]
        return found


def _uefi(folder: Path) -> list[str]:
    code = need_tool("OVMF_CODE_4M.fd")
    variables = folder / "variables"
    shutil.copy(code.replace("CODE", "VARS"), variables)
    return [
        *("-drive", f"if=pflash,format=raw,readonly=on,file={code}"),
        *("-drive", f"if=pflash,format=raw,file={variables}"),
    ]
