"""Every parser under fire: inputs of a fixed seed, fresh ones, and all that once did harm.

VMRESCUE_CAMPAIGN multiplies the number of inputs; ``python -m fuzz`` runs longer campaigns and names what they found.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz.campaign import campaign
from fuzz.limits import MEMORY, SECONDS, try_input
from fuzz.regressions import Regression, regressions
from fuzz.rooms import PARSERS
from fuzz.strategies import inputs
from support.campaign import TIMES
from support.machine import missing
from vmrescue.errors import VmRescueError

PROJECT = Path(__file__).parents[2]
SEED = 9
# inputs from the fixed seed; fresh ones are a third of that. Chosen so that all together take less than half a minute.
COUNTS = {
    "diagnose": 15,
    "hive": 50,
    "hive-reader": 37,
    "hive-log": 22,
    "ntfs": 22,
    "ntfs-reader": 11,
    "ntfs-log": 37,
    "fat": 50,
    "fat-reader": 22,
    "vhd": 100,
    "vhdx": 15,
    "vhdx-judge": 10,
    "vhd-judge": 100,
    "foreign": 22,
    "nbd": 37,
    "tables": 60,
    "bcd": 50,
    "reg": 37,
    "plan": 100,
    "journal": 100,
    "playbook": 37,
    "runbook": 37,
    "program": 100,
    "file-version": 100,
    "wim": 100,
    "fault-record": 50,
    "fault-recipe": 25,
    "fault-source": 25,
}


@pytest.mark.parametrize("name", PARSERS)
def test_the_files_to_start_from_are_read_without_a_refusal(name: str) -> None:
    seeds = PARSERS[name].seeds()
    if not seeds:
        missing(f"no file to start from ({name}): the corpus is not here")

    kinds = {seed.name: try_input(PARSERS[name].run, seed.data).kind for seed in seeds}

    assert set(kinds.values()) == {"accepted"}, kinds


def test_a_campaign_finds_what_its_rooms_import_without_pytest() -> None:
    """Which has more folders in its path than a person's Python."""
    rooms = "import fuzz, stub_pe, boot_path, support.fault, support.machine"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    done = subprocess.run([sys.executable, "-c", rooms], cwd=PROJECT, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PARSERS)
def test_changed_files_end_in_success_or_an_error_of_ours_in_time_and_memory(name: str) -> None:
    if not PARSERS[name].seeds():
        missing(f"no file to start from ({name}): the corpus is not here")
    count = COUNTS[name] * TIMES
    fresh = secrets.token_hex(4)

    results = [campaign(PARSERS[name], range(count), SEED), campaign(PARSERS[name], range(count // 3), fresh)]

    for result in results:
        found = [f"{find.kind} of input {find.number}, seed {result.seed}: {find.text}" for find in result.finds]
        assert found == [], f"python -m fuzz {name} --seed {result.seed} finds it again"
        assert result.slowest < SECONDS
        assert result.memory < MEMORY
    assert results[0].inputs == count


@pytest.mark.parametrize("name", ["plan", "journal", "vhd", "tables"])
def test_what_hypothesis_draws_ends_in_success_or_an_error_of_ours(name: str) -> None:
    parser = PARSERS[name]
    endings = set()

    @settings(
        max_examples=25 * TIMES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(data=st.data())
    def some(data: st.DataObject) -> None:
        try:
            parser.run(data.draw(inputs(parser)))
        except VmRescueError as error:
            endings.add(type(error).__name__)
        else:
            endings.add("accepted")

    some()
    assert endings


@pytest.mark.parametrize("regression", regressions(), ids=lambda regression: regression.name)
def test_an_input_that_once_did_harm_does_none(regression: Regression) -> None:
    outcome = try_input(PARSERS[regression.parser].run, regression.data())

    assert outcome.find == "", regression.sentence
    assert outcome.memory < MEMORY
