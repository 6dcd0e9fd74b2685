"""The command that a diagnosis recommends makes what the diagnosis has shown, to the last change."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import DONE, output_of
from support.command import vmrescue as run_vmrescue
from support.machine import run
from vmrescue.report.html import diagnosis_page
from vmrescue.report.text import diagnosis_text

if TYPE_CHECKING:
    from pathlib import Path

OFFER = re.compile(r"`(vmrescue repair .*)` would make (\d+) changes?\.")


def offered(text: str) -> tuple[list[str], int]:
    """The words of the command at a diagnosis's end, after `vmrescue`, and how many changes it is said to make."""
    match = OFFER.search(text)
    assert match, text
    return shlex.split(match[1])[1:], int(match[2])


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--no-temp-drive",
        "--temp-drive E:",
        "--vm-size Standard_D4s_v5",
        "--vm-size Standard_D4s_v5 --temp-drive E: --ram 16G",
        r"--dump-file 'C:\my dumps\$one.dmp' --with-boot-menu",
        "--min-free 100M --skip page-file,bad-memory --skip serial-console",
        "--only memory-limit,crash-dump",
        "--only page-file,crash-dump --skip page-file",
    ],
)
def test_the_repair_that_is_offered_makes_the_changes_that_were_shown(options: str, gen1_broken: Path) -> None:
    image = gen1_broken.rename(gen1_broken.with_name("the disk.vhd"))
    words = shlex.split(options)
    planned = json.loads(output_of("plan", image, *words))["steps"]

    command, count = offered(run_vmrescue("diagnose", image, *words).stdout)

    made = json.loads(output_of(*command, "--dry-run", "--format", "json", status=DONE))["plan"]["steps"]
    assert made == planned
    assert len(made) == count
    if not options:
        assert command == ["repair", str(image)]


def test_a_policy_is_rendered_for_whoever_asked_from_python(gen1_broken: Path) -> None:
    policy = vmrescue.Policy(temp_drive=None, ram=16 << 30, min_free=(100 << 20) + 1, dump_file=r"D:\a b.dmp")
    diagnosis = vmrescue.diagnose(gen1_broken, policy=policy, only=["crash-dump"])
    words = "--no-temp-drive --ram 16G --dump-file 'D:\\a b.dmp' --min-free 104857601"
    command = f"vmrescue repair --only crash-dump {words} {gen1_broken}"
    assert f"`{command}` would make" in diagnosis_text(diagnosis)
    assert command.replace("'", "&#39;") in diagnosis_page(diagnosis)


def test_the_page_offers_for_each_finding_what_it_offers_for_all(gen1_broken: Path) -> None:
    page = output_of("diagnose", gen1_broken, "--no-temp-drive", "--skip", "crash-dump", "--format", "html", status=1)
    assert f"<pre>vmrescue repair --only bad-memory --no-temp-drive {gen1_broken}</pre>" in page
    assert f"<pre>vmrescue repair --skip crash-dump --no-temp-drive {gen1_broken}</pre>" in page


def test_the_data_disks_and_where_the_parents_are_belong_to_every_command(gen1_broken: Path, tmp_path: Path) -> None:
    data, parents = tmp_path / "data.raw", tmp_path / "the parents"
    run("qemu-img", "convert", "-O", "raw", gen1_broken, data)
    child = tmp_path / "child.vhd"
    vmrescue.repair(gen1_broken, only=["serial-console"], into=child)
    parents.mkdir()
    shutil.move(gen1_broken, parents)
    place = ["--parent-dir", str(parents)]

    said = output_of("diagnose", child, *place, "--data-disk", data, "--format", "json", status=1)
    command, _ = offered(output_of("diagnose", child, *place, "--data-disk", data, status=1))

    assert command == ["repair", "--data-disk", str(data), *place, str(child)]
    output_of(*command, "--dry-run", status=1)
    [cleanup] = [words for finding in json.loads(said)["findings"] for words in finding["commands"]]
    assert cleanup == ["vmrescue", "cleanup", str(child), *place]
    assert "would be written" in output_of(*cleanup[1:], "--dry-run", status=1)
    [result] = json_lines(output_of("scan", child, *place, "--format", "json", status=1))
    assert cleanup in [words for finding in result["diagnosis"]["findings"] for words in finding["commands"]]


def json_lines(text: str) -> list[dict[str, dict[str, list[dict[str, list[list[str]]]]]]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_receipt_names_the_undo_as_it_is_to_be_typed(gen2_broken: Path) -> None:
    image = gen2_broken.rename(gen2_broken.with_name("the disk.vhd"))
    said = output_of("repair", image, "--yes", status=1)
    assert f"Take it back with: vmrescue undo '{image}'" in said


@pytest.mark.parametrize("form", ["html", "jsonl"])
def test_a_scan_offers_for_each_finding_what_a_diagnosis_does(form: str, gen1_broken: Path, tmp_path: Path) -> None:
    output = tmp_path / f"results.{form}"
    output_of("scan", gen1_broken, "--temp-drive", "E:", "--output", output, status=1)
    if form == "html":
        commands = page_commands(output)
    else:
        [result] = [json.loads(line) for line in output.read_text().splitlines()]
        commands = [shlex.join(finding["repair"]) for finding in result["diagnosis"]["findings"] if finding["repair"]]
        assert result["diagnosis"]["refusal"] is None

    [command] = {command for command in commands if "--only page-file" in command}
    assert command == f"vmrescue repair --only page-file --temp-drive E: {gen1_broken}"
    made = json.loads(output_of(*shlex.split(command)[1:], "--dry-run", "--format", "json"))["plan"]["steps"]
    assert made == json.loads(output_of("plan", gen1_broken, "--only", "page-file", "--temp-drive", "E:"))["steps"]


def test_a_scan_says_of_an_image_that_is_only_read_what_makes_one_that_is_repaired(
    gen1_broken: Path, tmp_path: Path
) -> None:
    image, output = tmp_path / "os.vmdk", tmp_path / "results.html"
    run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", gen1_broken, image)
    output_of("scan", image, "--output", output, status=1)
    commands = page_commands(output)
    assert not any("vmrescue repair" in command for command in commands)
    assert any("stream-optimised VMDK" in command and str(image) in command for command in commands)


def page_commands(page: Path) -> list[str]:
    """What the rows of a scan's page say is to be typed."""
    found = re.search(r'<script[^>]* id="rows">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    rows = [json.loads(line) for line in found[1].splitlines() if line.strip()]
    return [command for row in rows for finding in row["findings"] for command in finding["commands"]]
