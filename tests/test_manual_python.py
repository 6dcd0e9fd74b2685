"""The Python in the manual's pages for scripts runs as it stands."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path

import pytest

from support.images import sample

DOCS = Path(__file__).parents[1] / "docs"
BLOCKS = [
    (page, block)
    for page in ("scripts.md", "results.md")
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_python_runs(number: int, tmp_path: Path) -> None:
    page, block = BLOCKS[number]
    sample("gen2-broken", tmp_path).rename(tmp_path / "os.vhd")
    with chdir(tmp_path):
        exec(compile(block, page, "exec"), {"__name__": "__main__"})
