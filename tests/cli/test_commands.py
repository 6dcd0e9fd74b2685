"""The commands as a user types them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from support.command import INTERRUPTIBLE, output_of, vmrescue
from support.images import fingerprint
from vmrescue.checks.rules import CHECKS
from vmrescue.samples import names


def test_diagnose_prints_json_with_the_documented_keys(gen2_broken: Path) -> None:
    document = json.loads(output_of("diagnose", gen2_broken, "--format", "json", status=1))
    wanted = {"schema", "image", "disk", "generation", "windows", "findings", "volumes"}
    assert wanted <= set(document)
    assert {"check", "severity", "summary", "evidence", "changes"} <= set(document["findings"][0])
    assert document["generation"] == 2


def test_diagnose_of_a_healthy_image_ends_with_0(gen2_healthy: Path) -> None:
    assert "Nothing is wrong: none of the " in output_of("diagnose", gen2_healthy)
    assert output_of("diagnose", "--quiet", gen2_healthy) == ""


def test_advice_alone_ends_with_0(gen2_broken: Path) -> None:
    assert "2 advice" in output_of("diagnose", gen2_broken, "--only", "crash-dump", "--only", "serial-console")


def test_info_draws_the_disk_to_scale(gen1_broken: Path) -> None:
    text = output_of("info", gen1_broken)
    bar = next(line for line in text.splitlines() if line.startswith("["))
    assert len(bar) == 98
    assert bar.index("|1") == 1
    assert bar.index("|2") == 1 + 33 * 96 // 640
    assert "Windows Server 2019 Datacenter" in text
    assert "control sets  ControlSet001, ControlSet002" in text
    document = json.loads(output_of("info", gen1_broken, "--format", "json"))
    assert not {"findings", "not_checked"} & set(document)
    assert document["volumes"][1]["cluster_size"] == 4096


def test_plan_then_apply_then_undo(gen2_broken: Path, tmp_path: Path) -> None:
    before = fingerprint(gen2_broken)
    plan = tmp_path / "plan.json"
    output_of("plan", gen2_broken, "--only", "serial-console", "--output", plan)
    assert json.loads(plan.read_text())["schema"] == "vmrescue.plan/1"
    assert "Repaired" in output_of("apply", plan, gen2_broken, "--yes", status=1)
    assert "Nothing is wrong in what was checked: the one check found nothing.\n" in output_of(
        "diagnose", gen2_broken, "--only", "serial-console"
    )
    assert "repair 1 was taken back: the" in output_of("undo", gen2_broken)
    assert fingerprint(gen2_broken) == before


def test_repair_asks_and_takes_no_for_an_answer(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    output_of("repair", gen2_broken, stdin="n\n", status=4)
    assert fingerprint(gen2_broken) == before
    output_of("repair", gen2_broken, stdin="y\n", status=1)
    assert fingerprint(gen2_broken) != before


def test_a_dry_run_shows_each_change_and_each_range_of_bytes(gen2_broken: Path) -> None:
    text = output_of("repair", "--dry-run", gen2_broken, status=1)
    assert "before  REG_DWORD 7" in text
    assert "after   REG_DWORD 1" in text
    assert "would be written (offset, length)" in text
    document = json.loads(output_of("repair", "--dry-run", "--format", "json", gen2_broken, status=1))
    assert document["committed"] is False
    assert all(row["length"] > 0 for row in document["written"][str(gen2_broken)])


def test_a_change_of_the_boot_store_is_told_in_bcdedits_words(gen2_broken: Path) -> None:
    text = output_of("repair", gen2_broken, "--dry-run", status=1)
    assert "that is {badmemory} badmemorylist: 0x1f3a0 0x1f3a1 0x7ff00 -> (absent)" in text
    assert "that is {emssettings} emsbaudrate: (absent) -> 115200" in text


def test_the_demo_repairs_and_undoes_a_sample() -> None:
    text = output_of("demo", "--sample", "gen2-broken")
    assert "critical  bad-memory" in text
    assert "Taken back: byte for byte as before" in text


def test_help_is_quick_to_import() -> None:
    dear = ("dissect", "construct", "rich")
    code = f"import sys, vmrescue.cli.main; print([name for name in sys.modules if name.startswith({dear})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "diagnose" in output_of("--help")


def test_several_checks_are_named_with_commas_or_one_by_one(gen2_broken: Path) -> None:
    def found(*options: str) -> set[str]:
        findings = json.loads(output_of("diagnose", gen2_broken, "--format", "json", *options, status=1))["findings"]
        return {finding["check"] for finding in findings}

    assert found("--only", "page-file,bad-memory") == {"page-file", "bad-memory"}
    assert found("--only", "page-file", "--only", "bad-memory") == {"page-file", "bad-memory"}
    assert found("--skip", "page-file, bad-memory") == found() - {"page-file", "bad-memory"}


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["reg", "/?"], "vmrescue reg IMAGE Operation [Parameter List]"),
        (["reg", "os.vhd", "/?"], "vmrescue reg IMAGE Operation [Parameter List]"),
        (
            ["reg", "os.vhd", "QUERY", "/?"],
            "vmrescue reg IMAGE QUERY KeyName ",
        ),
        (["bcdedit", "-?"], "vmrescue bcdedit IMAGE /command [argument1] [argument2] ..."),
        (
            ["bcdedit", "os.vhd", "/?", "/set"],
            "vmrescue bcdedit IMAGE /set [{id}] datatype ",
        ),
        (["bcdedit", "/timeout", "/?"], "vmrescue bcdedit IMAGE /timeout seconds"),
        (["defrag", "os.vhd", "/?"], "Usage: vmrescue defrag [OPTIONS] IMAGE [C: /u /x /g]"),
    ],
)
def test_microsofts_own_way_to_ask_for_help_is_answered_in_its_layout(arguments: list[str], first: str) -> None:
    assert output_of(*arguments).startswith(first)


@pytest.mark.parametrize("program", ["reg", "bcdedit"])
def test_the_help_has_every_command_and_every_switch_of_the_language(program: str) -> None:
    syntax = import_module(f"vmrescue.commands.{program}.command")._SYNTAX
    usages = import_module(f"vmrescue.commands.{program}.usage").USAGES
    assert set(usages) == set(syntax)
    for name, usage in usages.items():
        words = {word.removeprefix("/").lower() for words, _ in usage.words for word in words.split(", ")}
        typed = {each.lower() for each in re.findall(r"/([a-z]+)\b(?!:)", usage.typed.partition(" ")[2])}
        switches = set(syntax[name].switches)
        assert switches <= words, name
        assert switches == typed - {"reg"} - ({"v"} if program == "bcdedit" else set()), name
    general = output_of(program, "/?")
    assert all(name.lower() in general.lower() for name in syntax)
    assert max(map(len, general.split("\n"))) <= 83


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_command_with_its_own_status_and_leaves_the_image_as_it_was(
    gen2_broken: Path, number: signal.Signals, status: int
) -> None:
    before = fingerprint(gen2_broken)
    command = [*INTERRUPTIBLE, sys.executable, "-m", "vmrescue", "put", str(gen2_broken), "-", "file", "--yes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(1 << 20))  # more than a pipe holds: it reads by now
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0] != "S":
            time.sleep(0.01)  # until it sleeps, waiting for the rest
        process.send_signal(number)
        assert process.wait(timeout=60) == status
        assert process.stderr is not None
        assert process.stderr.read() == b"vmrescue: interrupted\n"
    assert fingerprint(gen2_broken) == before


def test_the_help_says_which_checks_and_samples_there_are_and_every_exit_status() -> None:
    def told(*words: str) -> str:
        return " ".join(output_of(*words, "--help").split()).replace("- ", "-")  # where a line was broken

    for command in ("diagnose", "repair", "scan", "plan"):
        assert f"Run only these checks (repeatable): {', '.join(CHECKS)}." in told(command)
    assert f"Which sample image: {', '.join(names())}." in told("demo")
    assert "0 all well (also with advice only) or done; 1 findings of warning or critical, or a check that" in told()
    assert "6 the image was changed and is sound, but something after that failed" in told()
    assert "130 ended by Ctrl-C, 143 by SIGTERM" in told()


def test_microsofts_pointer_to_its_help_is_how_help_is_asked_for_here(gen2_broken: Path) -> None:
    said = vmrescue("bcdedit", gen2_broken, "/frob").stderr
    assert said == 'An unknown command was specified.\nRun "vmrescue bcdedit IMAGE /?" for command line assistance.\n'
    said = vmrescue("reg", gen2_broken, "query").stderr
    assert said == 'ERROR: Invalid syntax.\nType "vmrescue reg IMAGE query /?" for usage.\n'


def test_a_plan_that_was_applied_already_must_be_made_again(gen2_broken: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    output_of("plan", gen2_broken, "--output", plan)
    output_of("apply", plan, gen2_broken, "--yes", status=1)
    repaired = fingerprint(gen2_broken)
    again = vmrescue("apply", plan, gen2_broken, "--yes")
    assert again.returncode == 4
    assert again.stderr.endswith(": the plan no longer fits this image and must be made again\n")
    assert fingerprint(gen2_broken) == repaired


def test_one_of_a_thing_is_said_as_one(gen2_healthy: Path, tmp_path: Path) -> None:
    assert "1 image: 1 healthy" in output_of("scan", gen2_healthy)
    output_of("scan", gen2_healthy, "-o", tmp_path / "results.csv")
    assert "0 images: 0 healthy, 0 with findings, 0 could not be read; 1 was done before" in output_of(
        "scan", gen2_healthy, "-o", tmp_path / "results.csv", "--resume"
    )
