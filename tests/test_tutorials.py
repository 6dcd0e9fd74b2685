"""The tutorials of the manual are walked through: every command as it stands, with the exit status that it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.campaign import whole

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
PAGES = sorted(TUTORIALS.glob("*.md"))
IN_CI = [page for page in PAGES if page.stem == "engineer"]  # the others by hand: VMRESCUE_TUTORIALS=1
BLOCK = re.compile(r"^```sh(?: status=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES if whole("VMRESCUE_TUTORIALS") else IN_CI, ids=lambda page: page.stem)
def test_a_tutorial_can_be_followed(page: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    command = tmp_path / "vmrescue"  # of this Python
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m vmrescue "$@"\n')
    command.chmod(0o755)
    lines = [f"export PATH={tmp_path}:$PATH", "set -u", f"cd {tmp_path}"]
    for status, text in blocks:
        *before, last = text.strip().split("\n")
        lines += [f"{each} || exit 99" for each in before]
        lines += [
            last,
            f"[ $? = {status or 0} ] || {{ echo 'ended otherwise than with {status or 0}: {last}'; exit 98; }}",
        ]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Traceback" not in done.stderr
