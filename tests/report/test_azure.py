"""The lines that take a disk out of Azure and back: one source for the command and the page, quoted for any name."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

from support.command import output_of
from vmrescue.report.azure import AzureNames, azure_page, ways

PAGE = Path(__file__).parent.parent.parent / "docs/azure.md"
OPTIONS = ["--resource-group", "my group", "--vm", "my-vm", "--disk", "it's", "--linux-vm", "helper"]
OPTIONS += ["--storage-account", "store", "--container", "vhds", "--blob", "os disk.vhd"]
NAMES = AzureNames("my disk.vhd", "my group", "my-vm", "it's", "helper", "store", "vhds", "os disk.vhd")


def test_the_page_is_the_one_that_is_made_of_the_same_lines() -> None:
    page = PAGE.read_text()
    assert page == azure_page(), "run: python -m vmrescue.report.azure > docs/azure.md"
    blocks = re.findall(r"```sh\n(.*?)\n```", page, re.DOTALL)
    assert blocks == ["\n".join(part.lines) for way in ways(AzureNames()) for part in (*way.parts, way.left)]


def test_the_command_prints_them_with_the_users_names_and_does_nothing() -> None:
    printed = output_of("rescue", "my disk.vhd", "--print-azure", *OPTIONS)  # there is no such file
    for way in ways(NAMES):
        for part in (*way.parts, way.left):
            assert "\n".join(part.lines) in printed
    assert not re.search(r"\b(RESOURCE_GROUP|OS_DISK|LINUX_VM|ACCOUNT|CONTAINER|BLOB)\b", printed)
    assert "We have no Azure" in printed


def test_a_shell_reads_every_name_as_one_word() -> None:
    seen = set()
    for way in ways(NAMES):
        for part in (*way.parts, way.left):
            for line in part.lines:
                words = shlex.split(re.sub(r"^\w+=\$\((.*)\)$", r"\1", line.replace("\\\n", " "), flags=re.DOTALL))
                assert words[0] in {"az", "azcopy", "vmrescue", "sudo", "rm", "readlink"}, line
                given = dict(pairwise(words))
                assert given.get("--resource-group", "my group") in ("my group", "my-vm-repair")
                seen |= set(words)
    assert {"my group", "it's", "my disk.vhd", "os disk.vhd"} <= seen
    assert "storageProfile.osDisk.vhd.uri=https://store.blob.core.windows.net/vhds/os%20disk.vhd" in seen
