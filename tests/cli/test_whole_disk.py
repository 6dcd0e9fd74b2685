"""Commands that take a whole disk, given one of its volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "words", [("reg", "query", "HKLM\\SYSTEM"), ("bcdedit", "/enum"), ("rehearse",), ("diagnose",)]
)
@pytest.mark.parametrize("volume", ["2", "C:"])
def test_a_command_that_takes_the_whole_disk_says_so_where_a_volume_is_named(
    words: tuple[str, ...], volume: str, gen1_broken: Path
) -> None:
    done = vmrescue(words[0], f"{gen1_broken}:{volume}", *words[1:])
    assert done.status == 3
    assert f"{gen1_broken} is there, and this takes the whole disk, without :{volume[0]}" in done.err
