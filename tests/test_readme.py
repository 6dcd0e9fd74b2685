"""The README tells the truth: its commands are there, its example runs, its output is what is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.command import output_of
from support.images import fingerprint

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def block(marker: str) -> str:
    """The fenced block after a marker."""
    match = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert match, marker
    return match[1]


def test_the_python_example_runs(gen2_broken: Path) -> None:
    image = gen2_broken.rename(gen2_broken.with_name("os.vhd"))
    before = fingerprint(image)
    done = subprocess.run(
        [sys.executable, "-c", block("python example")], cwd=image.parent, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "critical bad-memory" in done.stdout
    assert "bytes written; backup in" in done.stdout
    assert fingerprint(image) == before


def test_the_demo_prints_what_the_readme_shows_each_time() -> None:
    assert output_of("demo").split() == block("demo output").split()


def test_every_command_that_the_readme_names_is_one() -> None:
    help_text = output_of("--help")
    named = set(re.findall(r"^vmrescue (\w+)", README, re.MULTILINE))
    assert named
    assert all(re.search(rf"^  {command} ", help_text, re.MULTILINE) for command in named)
