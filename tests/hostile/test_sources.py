"""The names of images may come from anybody: whatever they are, they are names of images that cannot be opened."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue
from hostile.disks import small_image
from vmrescue.image.reference import Reference

if TYPE_CHECKING:
    from pathlib import Path

LONG = "x" * 5000
MALFORMED = ["http://[::1", "http://[/x", "http://a]b/os.vhd", "https://[x]/y"]


@pytest.mark.parametrize(
    "line",
    ["a\0b.vhd", LONG, "a/" * 3000, "[", "*.nothing", "\udcff\udcfe", ".", "http://me:word@[::1?sig=1", *MALFORMED],
    ids=range(8 + len(MALFORMED)),
)
def test_a_line_that_means_no_image_is_a_result_and_the_others_are_examined(line: str, tmp_path: Path) -> None:
    image, names = small_image(tmp_path), tmp_path / "list.txt"
    line = str(tmp_path / "empty") if line == "." else line
    (tmp_path / "empty").mkdir()
    names.write_text(f"{line}\n{image}\n", encoding="utf-8", errors="surrogateescape")

    done = vmrescue("scan", f"@{names}", "--format", "json")

    bad, good = map(json.loads, done.out.splitlines())
    assert (done.status, done.err) == (3, "")
    assert (bad["image"], bad["status"]) == (Reference.of(line).shown, "error")
    assert bad["error"]["kind"] == "ReadError"
    assert (good["image"], good["error"]) == (str(image), None)


def test_a_list_that_is_one_line_of_terabytes_is_refused_at_once(tmp_path: Path) -> None:
    names = tmp_path / "list.txt"
    names.touch()
    os.truncate(names, 4 << 40)

    done = vmrescue("scan", f"@{names}")

    assert done.status == 3
    assert f"{names}, line 1: expected a line of at most 32768 characters" in done.err


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_cannot_be_read(url: str) -> None:
    for words in (["diagnose", url], ["undo", url], ["undo", "--list", url]):
        done = vmrescue(*words)

        assert done.status in (0, 3, 4)
        assert url in done.err or "No repair" in done.out


def test_a_malformed_url_is_shown_without_its_secrets() -> None:
    assert Reference.of("https://me:word@[::1/a.vhd?sig=x#y").shown == "https://[::1/a.vhd"
    assert Reference.of("HTTPS://me:word@a]b?sig=x").shown == "https://a]b"
    assert Reference.of("abfs://container@account/a.vhd?sig=x").shown == "abfs://container@account/a.vhd"


@pytest.mark.parametrize(
    "words",
    [
        ["undo", LONG],
        ["undo", "--list", LONG],
        ["info", LONG],
        ["repair", "--yes", LONG],
        ["get", "{}", "x", LONG],
        ["cat", "{}:" + "9" * 5000, "x"],
        ["ls", LONG + ":1"],
        ["scan", "{}", "--output", LONG + ".csv"],
        ["scan", "{}", "--output", LONG + ".html"],
    ],
    ids=range(9),
)
def test_a_name_longer_than_any_path_is_none_that_can_be_opened(words: list[str], tmp_path: Path) -> None:
    image = small_image(tmp_path)

    done = vmrescue(*(word.format(image) for word in words))

    assert done.status == (5 if words[0] == "scan" else 3)  # what cannot be written, and what cannot be read
    assert done.err.count("\n") == 1
    assert done.err.startswith("vmrescue: ")


@pytest.mark.parametrize(("words", "after"), [(["reg", "{}", "import"], []), (["put", "{}"], ["x"])])
def test_a_file_of_100_gb_is_not_read_into_memory(words: list[str], after: list[str], tmp_path: Path) -> None:
    image, large = small_image(tmp_path), tmp_path / "large.reg"
    before = image.read_bytes()
    large.touch()
    os.truncate(large, 100 << 30)

    done = vmrescue(*(word.format(image) for word in words), large, *after, "--yes")

    assert done.status == 4
    assert f"{large} has more than" in done.err
    assert image.read_bytes() == before
