"""What the rooms tell their loggers: nothing unless it is asked for, and then what is opened and decided, and why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import vmrescue
from support.command import vmrescue as run
from vmrescue.log import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_verbose_and_a_log_file_say_what_is_opened_and_decided_and_without_them_nothing_is_said(
    gen1_broken: Path, tmp_path: Path
) -> None:
    log = tmp_path / "vmrescue.log"
    quiet = run("diagnose", gen1_broken)
    done = run("-v", "diagnose", gen1_broken, "--log-file", log)
    assert quiet.stderr == ""
    assert done.stdout == quiet.stdout
    said = done.stderr.splitlines()
    assert f"INFO  vmrescue.image: {gen1_broken}: opened to read, fixed VHD of 671088640 bytes" in said
    assert "INFO  vmrescue.windows: \\Boot\\BCD on partition 1: boots, found on the active partition" in said
    assert any("the control set is ControlSet001, which Select\\Current names" in line for line in said)
    assert any("vmrescue.checks: the drive for the page file: D:, because " in line for line in said)
    assert len(said) == len(set(said))
    assert not any(line.startswith("DEBUG") for line in said)
    kept = log.read_text().splitlines()
    assert all(line.startswith("20") for line in kept)
    assert any("DEBUG vmrescue.diagnosis: bad-memory: 1 findings" in line for line in kept)
    refused = run("diagnose", gen1_broken, "--log-file", tmp_path / "no such folder" / "log")
    assert (refused.returncode, "cannot write" in refused.stderr) == (5, True)


def test_a_script_hears_what_it_listens_to(gen1_broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    vmrescue.diagnose(gen1_broken)
    assert not logging.getLogger(f"{PACKAGE}.image").isEnabledFor(logging.INFO)
    caplog.set_level(logging.INFO, f"{PACKAGE}.windows")
    vmrescue.diagnose(gen1_broken)
    assert {record.name for record in caplog.records} == {f"{PACKAGE}.windows"}
