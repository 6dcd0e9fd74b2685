"""A policy, a choice of checks and what a finding advises, as they are typed: what is typed means the same again."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import click
import pytest

import vmrescue
from support.command import output_of
from vmrescue import Policy
from vmrescue.checks.intents import CleanUp, Copy, Defragment, Expand, PutIn, SetElement, TakeOut
from vmrescue.cli.options import policy_options
from vmrescue.diagnosis.command_line import COMMANDS, POLICY, commands, repair_command, size_option, to_tell
from vmrescue.diagnosis.command_line import policy_options as spelled

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
OTHERS: dict[str, list[Any]] = {  # of each field, values that are not its default
    "temp_drive": [None, "E:"],
    "vm_size": ["Standard_D4ds_v5", "Standard_D4s_v5"],
    "ram": [16 * GIB, 3 * GIB + 1],
    "dump_file": [r"F:\a b\MEMORY.DMP"],
    "min_free": [0, GIB, GIB + 1],
    "max_pieces": [0, 7],
    "min_free_extent": [0, 90 << 20],
    "ems_port": [2],
    "ems_baud_rate": [9600],
    "boot_menu": [True],
    "platform": ["nvme", "kvm"],
}
CASES = [(name, value) for name, values in OTHERS.items() for value in values]


def read_back(words: tuple[str, ...]) -> Policy:
    """The policy that a command makes of its options."""
    made: list[Policy] = []

    @click.command()
    @policy_options
    def command(policy: Policy) -> None:
        made.append(policy)

    command.main(list(words), standalone_mode=False)
    [policy] = made
    return policy


def test_every_field_of_the_policy_has_an_option() -> None:
    names = {field.name for field in fields(Policy)}
    assert set(POLICY) == set(OTHERS) == names


@pytest.mark.parametrize(("name", "value"), CASES)
def test_what_a_policy_is_spelled_as_makes_the_same_policy(name: str, value: Any) -> None:
    policy = replace(Policy(), **{name: value})
    words = spelled(policy)
    assert words
    assert read_back(words) == policy


def test_all_fields_at_once_and_none_at_all() -> None:
    policy = Policy(**{name: values[-1] for name, values in OTHERS.items()})
    assert read_back(spelled(policy)) == policy
    assert spelled(Policy()) == ()
    assert read_back(()) == Policy()
    assert read_back(("--vm-size", "Standard_D4s_v5")) == Policy.azure("Standard_D4s_v5")


def test_a_serial_port_that_python_asks_for_is_in_the_command_which_then_makes_the_same_plan(
    gen1_broken: Path,
) -> None:
    diagnosis = vmrescue.diagnose(gen1_broken, Policy(ems_port=2), only=["serial-console"])
    words = repair_command(diagnosis)
    assert words == ("vmrescue", "repair", "--only", "serial-console", "--ems-port", "2", str(gen1_broken))
    made = json.loads(output_of(*words[1:], "--dry-run", "--format", "json"))["plan"]["steps"]
    assert made == diagnosis.plan(["serial-console"]).to_dict()["steps"]


@pytest.mark.parametrize(
    "wrong", [["--ems-port", "0"], ["--ems-baud-rate", "-1"], ["--max-pieces", "-1"], ["--ems-port", "COM2"]]
)
def test_numbers_that_mean_nothing_are_wrong_usage(wrong: list[str], gen1_broken: Path) -> None:
    output_of("diagnose", gen1_broken, *wrong, status=2)


def test_each_intent_has_a_command_that_takes_its_words(gen2_broken: Path) -> None:
    diagnosis = vmrescue.diagnose(gen2_broken, only=["free-space"])
    [finding] = diagnosis.findings
    assert set(COMMANDS) == {CleanUp, Expand, Defragment, Copy, TakeOut, PutIn, SetElement}
    intents = (
        CleanUp(0),
        Expand(0, 32 * GIB, move_recovery=True),
        Defragment(0, ("$MFT", "a b")),
        Defragment(0, free_space=True),
        Copy(0),
        TakeOut(0, 3, "C:", r"a\b", "b"),
        PutIn(0, 3, "C:", r"a\b", "b"),
        PutIn(0, 3, None, "a"),
        PutIn(0, 3, None, "a", own=True),
        SetElement(0, "{bootmgr}", "default", "{current}"),
    )
    image = str(gen2_broken)
    assert commands(diagnosis, replace(finding, intents=intents)) == (
        ("vmrescue", "cleanup", image),
        ("vmrescue", "expand", image, "--size", "32G", "--move-recovery"),
        ("vmrescue", "defrag", image, "--file", "$MFT", "--file", "a b"),
        ("vmrescue", "defrag", image, "--free-space"),
        ("vmrescue", "repair", image, "--copy-to", f"{image[:-4]}-copy.vhd"),
        ("vmrescue", "get", image, r"C:\a\b", "b"),
        ("vmrescue", "put", image, "b", r"C:\a\b"),
        ("vmrescue", "put", f"{image}:3", "FILE", r"\a"),
        ("vmrescue", "put", f"{image}:3", "BACKUP", r"\a"),
        ("vmrescue", "bcdedit", image, "/set", "{bootmgr}", "default", "{current}"),
    )
    assert commands(diagnosis, replace(finding, intents=intents, refused="asleep")) == ()
    other = replace(diagnosis, data_disks=("data.vhd",), parents="/parents")
    assert commands(other, replace(finding, intents=(CleanUp(1),))) == (
        ("vmrescue", "cleanup", "data.vhd", "--parent-dir", "/parents"),
    )


def test_what_a_person_may_tell_is_said_with_its_option(gen1_broken: Path) -> None:
    diagnosis = vmrescue.diagnose(gen1_broken)
    told = {option for finding in diagnosis.findings for option, _ in to_tell(finding)}
    assert told == {"--vm-size NAME", "--temp-drive D:", "--ram SIZE"}
    known = vmrescue.diagnose(gen1_broken, replace(Policy.azure("Standard_D4ds_v5"), ram=GIB >> 1))
    assert {finding.check: finding.tell for finding in known.findings if finding.tell} == {"crash-dump": ("dump_file",)}


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (1, "1"), (16 * GIB, "16G"), (4095 * GIB, "4095G"), (GIB + 1, "1073741825")]
)
def test_sizes_are_spelled_to_the_byte(size: int, text: str) -> None:
    assert size_option(size) == text
