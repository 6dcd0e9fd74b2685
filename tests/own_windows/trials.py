"""A Windows as judge: it starts, a fault stops it, `vmrescue rescue` mends that, and it starts again.

Whether it started, the prompt of the Special Administration Console on its serial port tells, which Windows shows once
its kernel runs with EMS on. That vmrescue switches on first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from own_windows.machine import Machine
from support.command import vmrescue
from support.machine import run
from vmrescue.disk import EditSession

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = "SAC>"
MOST_PARTITIONS = 8
ZEROS = 4096  # bytes
SERVICES = r"HKLM\SYSTEM\ControlSet001\Services"
STORES = {1: r"\Boot\BCD", 2: r"\EFI\Microsoft\Boot\BCD"}


@dataclass(frozen=True)
class Trial:
    """A fault.

    Args:
        name: what is wrong.
        generations: the disks on which it can be made.
        commands: that make it, words of `vmrescue`; IMAGE stands for the image, BOOT-VOLUME for the volume of its
            boot store, and ZEROS for a file of zeros.
        patch: bytes to write, by their place on the disk.
        told: what the serial port or the screen shows then.
        first: a repair before the rescue, of what is mended only when it is named.
    """

    name: str
    generations: tuple[int, ...]
    told: str
    commands: tuple[tuple[str, ...], ...] = ()
    patch: tuple[tuple[int, bytes], ...] = ()
    first: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return self.name.replace(" ", "-")


MANAGERS_OF_ZEROS = Trial(
    "the boot managers are zeros",
    (2,),
    "BdsDxe: failed to load",
    tuple(
        ("put", "BOOT-VOLUME", "ZEROS", path, "--yes")
        for path in (r"\EFI\Microsoft\Boot\bootmgfw.efi", r"\EFI\Boot\bootx64.efi")
    ),
    first=("--only", "boot-file"),
)
TRIALS = (
    Trial("no partition is active", (1,), "no bootable device", patch=((446, b"\0"),)),
    MANAGERS_OF_ZEROS,
    Trial(
        "the driver of the disk is off",
        (1, 2),
        "0x0000007b",
        tuple(
            ("reg", "IMAGE", "add", rf"{SERVICES}\{name}", "/v", "Start", "/t", "REG_DWORD", "/d", "4", "/f")
            for name in ("disk", "partmgr")
        ),
    ),
)


@dataclass(frozen=True)
class Stopped:
    """How a start ended: whether the serial port told so in the words of the trial, and a picture of the screen."""

    told: bool
    picture: Path


@dataclass(frozen=True)
class Harness:
    """How the machines of a user's image are run.

    Args:
        generation: 1 under a BIOS, 2 under UEFI.
        folder: for the copies, each as large as the image's content, and for serial logs and pictures.
        start: seconds within which a sound Windows shows its prompt.
        stop: seconds for which one that cannot start is watched, unless it tells before.
        off: seconds that it is given to shut down.
    """

    generation: int
    folder: Path
    start: float
    stop: float
    off: float = 300
    accelerated: bool = True
    memory: int = 4096

    def prepared(self, image: Path) -> Path:
        """A copy of the image with EMS on, that has started once and was shut down."""
        copy = self._copy(image, "prepared")
        _done("repair", copy, "--only", "serial-console", "--yes")
        with self._machine(copy) as machine:
            assert machine.wait_for(PROMPT, seconds=self.start), f"no prompt, but: {machine.printed[-2000:]}"
            machine.shut_down(self.off)
        return copy

    def play(self, trial: Trial, image: Path) -> Stopped:
        """Makes the fault on a copy, looks that it stops the start, rescues, and looks that it starts.

        Raises:
            AssertionError: it started with the fault, or did not after the rescue.
        """
        copy = self._copy(image, trial.file_name)
        self._spoil(trial, copy)
        with self._machine(copy) as machine:
            first = machine.wait_for(PROMPT, trial.told, seconds=self.stop)
            assert first != PROMPT, f"{trial.name}: it starts all the same"
            picture = machine.screen().replace(self.folder / f"{trial.file_name}.png")
        if trial.first:
            _done("repair", copy, "--yes", *trial.first)
        _done("rescue", copy, "--yes")
        with self._machine(copy) as machine:
            found = machine.wait_for(PROMPT, seconds=self.start)
            assert found, f"{trial.name}: no prompt after the rescue, but: {machine.printed[-2000:]}"
        copy.unlink()
        return Stopped(first == trial.told, picture)

    def _spoil(self, trial: Trial, image: Path) -> None:
        zeros = self.folder / "zeros"
        zeros.write_bytes(bytes(ZEROS))
        volume = _volume_with(STORES[self.generation], image)
        names = {"IMAGE": str(image), "BOOT-VOLUME": volume, "ZEROS": str(zeros)}
        for words in trial.commands:
            _done(*(names.get(word, word) for word in words))
        if trial.patch:
            with EditSession(image) as session:
                for place, data in trial.patch:
                    session.disk.write_at(place, data)
                session.commit()

    def _machine(self, image: Path) -> Machine:
        return Machine(image, self.generation, self.folder, self.accelerated, self.memory)

    def _copy(self, image: Path, name: str) -> Path:
        copy = self.folder / f"{name}{image.suffix}"
        run("cp", "--sparse=always", "--reflink=auto", image, copy)
        return copy


def _volume_with(path: str, image: Path) -> str:
    """The first volume of the image that has this file, as vmrescue's commands name it."""
    volumes = [f"{image}:{number}" for number in range(1, 1 + MOST_PARTITIONS)]
    found = next((each for each in volumes if vmrescue("ls", each, path).returncode == 0), None)
    assert found, f"no volume of {image} has {path}"
    return found


def _done(*words: str | Path) -> None:
    """Runs vmrescue, which may leave findings, but no error."""
    done = vmrescue(*words)
    assert done.returncode in (0, 1), f"vmrescue {words[0]}: {done.stderr}"
