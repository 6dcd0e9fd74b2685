"""Windows itself as judge, where a user has an image of it: docs/testing.md says how to get one, and what to set.

VMRESCUE_WINDOWS_VHD: a VHD or raw image of a Windows Server that starts. VMRESCUE_WINDOWS_FOLDER: where copies of it
may lie, and pictures of the screen are kept; a temporary folder otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from own_windows.trials import TRIALS, Harness
from vmrescue import diagnose

START, STOP = 2700, 300  # seconds: the first start of an evaluation image sets Windows up


def test_faults_stop_a_windows_and_a_rescue_starts_it_again(tmp_path: Path) -> None:
    image = os.environ.get("VMRESCUE_WINDOWS_VHD")
    if not image:
        pytest.skip("no image of a Windows of your own: set VMRESCUE_WINDOWS_VHD (docs/testing.md)")
    folder = Path(os.environ.get("VMRESCUE_WINDOWS_FOLDER", tmp_path))
    generation = diagnose(image).generation
    assert generation is not None, "it is not known whether a BIOS or UEFI starts this image"
    harness = Harness(generation, folder, START, STOP)
    prepared = harness.prepared(Path(image))
    for trial in TRIALS:
        if generation in trial.generations:
            stopped = harness.play(trial, prepared)
            print(f"{trial.name}: {trial.told} {'told' if stopped.told else 'not told'}, screen: {stopped.picture}")
