"""The WIM that a start leads into: its header as wimlib makes it, and what is said of one that is not whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.command import output_of, vmrescue
from support.images import sample
from support.machine import run
from vmrescue.errors import FormatError
from vmrescue.rehearsal.wim import HEADER, Wim, read_wim

if TYPE_CHECKING:
    from pathlib import Path

STARTED_AT = 120  # of the number of the image that is started
WINRE = "\\Recovery\\WindowsRE\\Winre.wim"


def made(folder: Path, *images: tuple[str, ...]) -> bytes:
    """A WIM with so many images, each with the options with which wimlib is to take it."""
    files, path = folder / "files", folder / "made.wim"
    files.mkdir()
    (files / "setup.txt").write_text("found in an image\n" * 2000)
    for number, options in enumerate(images):
        deed = "append" if number else "capture"
        run("wimlib-imagex", deed, files, path, f"image {number}", *options)
    return path.read_bytes()


def recovery_of(image: Path) -> str:
    """What a rehearsal says of the start that follows two that failed."""
    done = vmrescue("rehearse", image, "--format", "json")
    facts = [fact for stage in json.loads(done.stdout)["stages"] for fact in stage["facts"]]
    [found] = [fact for fact in facts if fact["what"] == "recovery"]
    return f"{found['state']}: {found['said']}"


@pytest.mark.parametrize(
    ("images", "found"),
    [
        ([()], (1, 0)),
        ([("--boot",)], (1, 1)),
        ([(), ("--boot",)], (2, 2)),
        ([("--boot", "--check")], (1, 1)),
        ([("--boot", "--solid")], (1, 1)),
    ],
)
def test_the_header_of_a_wim_of_wimlibs_is_read(
    tmp_path: Path, images: list[tuple[str, ...]], found: tuple[int, int]
) -> None:
    data = made(tmp_path, *images)

    assert read_wim(data[: HEADER.size]) == Wim(*found, end=len(data))


def test_the_samples_wim_is_one_to_wimlib(tmp_path: Path) -> None:
    image = sample("gen2-healthy", tmp_path)
    output_of("get", image, WINRE, tmp_path / "Winre.wim")

    said = run("wimlib-imagex", "info", tmp_path / "Winre.wim", "--header")

    assert {"Image Count = 1", "Boot Index = 1"} <= {" ".join(line.split()) for line in said.splitlines()}


def test_a_rehearsal_says_what_is_wrong_with_the_wim_of_windows_re(tmp_path: Path) -> None:
    image, file = sample("gen2-healthy", tmp_path), tmp_path / "Winre.wim"
    output_of("bcdedit", image, "/set", "{default}", "recoveryenabled", "Yes", "--yes")
    output_of("bcdedit", image, "/deletevalue", "{default}", "bootstatuspolicy", "--yes")
    sound = made(tmp_path, ("--boot",))
    wims = {
        "ok: after two starts that fail": sound,
        "its header says": sound[:-1],
        "bytes are zeros": bytes(len(sound)),
        "it is empty": b"",
        "the signature 'MSWIM'": b"PK" + sound[2:],
        "of its 1 image none is marked to be started": sound[:STARTED_AT] + bytes(4) + sound[STARTED_AT + 4 :],
        "of its 1 image image 2 is marked to be started": sound[:STARTED_AT] + b"\2" + sound[STARTED_AT + 1 :],
    }

    said = {}
    for what, data in wims.items():
        file.write_bytes(data)
        output_of("put", image, file, WINRE, "--yes")
        said[what] = recovery_of(image)

    assert {what: words for what, words in said.items() if what not in words} == {}
    assert [what for what, words in said.items() if words.startswith("ok")] == ["ok: after two starts that fail"]


@pytest.mark.parametrize("data", [b"", b"MSWIM\0\0\0", b"MSWIM\0\0\0" + bytes(200), b"WLPWM\0\0\0" + bytes(200)])
def test_what_is_no_header_of_a_wim_is_an_error(data: bytes) -> None:
    with pytest.raises(FormatError, match="WIM header"):
        read_wim(data)
