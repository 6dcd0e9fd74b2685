"""What a kernel's own driver sees in a volume: Linux under QEMU, with `ntfs3`, the newer `ntfs`, or `vfat`.

A guest of busybox and a few modules mounts each volume, and tells the SHA-256 of every file. With a script of edits it
mounts the volume for writing, without forcing it, makes them, unmounts it, and looks again. None of the drivers shows
named streams. A guest whose kernel warns or panics ends without an answer.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from support.debian_judges import kernel
from support.guest import MOST_DISKS, disk, run_guest
from support.initramfs import archive
from support.machine import need_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.ntfs_judges import Tree

INIT = Path(__file__).with_name("kernel_init.sh")
APPEND = "console=ttyS0 quiet panic=-1 oops=panic panic_on_warn=1 mitigations=off nokaslr cryptomgr.notests"
FOLDERS = ("bin", "dev", "proc", "sys", "mnt", "modules")
OPTIONS = {"ntfs3": "iocharset=utf8", "ntfs": "nls=utf8", "vfat": "utf8,codepage=437,iocharset=iso8859-1"}
SEEN = {"directories", "links", "files"}  # parts of an answer; others are added up
PART, JOB, END = "\x1e-- ", "\x1e== job\n", "\x1e== all\n"  # what begins them, a job, and the end of all
FILE = re.compile(r"([0-9a-f]{64})  \./(.+)")
MESSAGE = re.compile(r"<(\d+)>\[ *[0-9.]+\] (.*)")
LEVEL, WARNING = 7, 4  # the mask of a message's level; a lower number is worse


@dataclass(frozen=True)
class Job:
    """A volume for a kernel: the range of a file where it lies, in bytes; `edits` is a shell script, or None."""

    driver: str
    image: Path
    start: int = 0
    size: int | None = None
    edits: str | None = None


@dataclass(frozen=True)
class Seen:
    """What the kernel saw: every file and directory, the links by themselves, and all complaints on the way.

    Args:
        mount: why it could not be mounted, or empty.
        errors: of the programs that read and wrote the files.
        kernel: its messages that are warnings or worse.
    """

    tree: Tree
    links: tuple[str, ...]
    mount: str
    errors: tuple[str, ...]
    kernel: tuple[str, ...]

    @property
    def complaints(self) -> tuple[str, ...]:
        return (*filter(None, [self.mount]), *self.errors, *self.kernel)


def seen_by_kernel(release: str, jobs: Sequence[Job]) -> list[Seen]:
    """Runs jobs in guests of the kernel that has the driver `release` of NTFS; a file that is edited is changed.

    Raises:
        AssertionError: a guest gave no answer.
    """
    return [
        seen
        for first in range(0, len(jobs), MOST_DISKS)
        for seen in _in_one_guest(release, jobs[first : first + MOST_DISKS])
    ]


def _in_one_guest(release: str, jobs: Sequence[Job]) -> list[Seen]:
    image = need_tool(release)
    with TemporaryDirectory() as name:
        initrd, answers = Path(name) / "initrd", Path(name) / "answers"
        initrd.write_bytes(_system(release) + archive({"jobs": _script(jobs).encode()}))
        disks = [
            word
            for number, job in enumerate(jobs)
            for word in disk(number, job.image, job.start, job.size, job.edits is not None)
        ]
        printed = run_guest(
            *("-kernel", image, "-initrd", initrd, "-append", APPEND),
            *("-device", "virtio-serial", "-chardev", f"file,id=answers,path={answers}"),
            *("-device", "virtserialport,chardev=answers"),
            *disks,
        )
        said = answers.read_text("utf-8", "surrogateescape")
    assert said.endswith(END), f"the guest gave no whole answer: {said[-500:]}\n{printed[-3000:]}"
    return [_parsed(part) for part in said.removesuffix(END).split(JOB)[1:]]


@cache
def _system(release: str) -> bytes:
    found = kernel(release)
    assert found is not None
    busybox = Path(need_tool("busybox")).read_bytes()
    assert b"/ld-linux" not in busybox, "the package busybox-static has the busybox that runs alone"
    programs = {"bin/busybox": busybox, "bin/sh": busybox, "init": INIT.read_bytes()}
    modules = {f"modules/{path.name.replace(' ', '-')}": path.read_bytes() for path in found.modules}
    return archive(dict.fromkeys(FOLDERS) | programs | modules)


def _script(jobs: Sequence[Job]) -> str:
    lines = []
    for number, job in enumerate(jobs):
        words = [job.driver, f"vd{chr(ord('a') + number)}", OPTIONS[job.driver]]
        words = ["look", *words] if job.edits is None else ["edit", *words, job.edits]
        lines += ["mark '== job'", shlex.join(words)]
    return "\n".join(lines) + "\n"


def _parsed(text: str) -> Seen:
    """A job's answer. Where it was looked at twice, what was seen is the last look's, and the complaints are both's."""
    sections: defaultdict[str, list[str]] = defaultdict(list)
    for part in text.split(PART)[1:]:
        name, *lines = part.removesuffix("\n").split("\n")
        if name in SEEN:
            sections[name] = lines
        else:
            sections[name] += lines
    tree: Tree = dict.fromkeys(map(_name, sections["directories"]))
    for line in sections["files"]:
        file = FILE.fullmatch(line)
        assert file, f"not a file: {line!r}"
        tree[file[2]] = file[1]
    messages = [found for line in sections["kernel"] if (found := MESSAGE.fullmatch(line))]
    return Seen(
        tree,
        tuple(map(_name, sections["links"])),
        " ".join(sections["mount"]),
        (*sections["edit"], *sections["errors"]),
        tuple(found[2] for found in messages if int(found[1]) & LEVEL <= WARNING),
    )


def _name(line: str) -> str:
    return line.removeprefix("./")
