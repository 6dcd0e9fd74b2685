"""A playbook applied: what it asks for is on the disk as other programs see it, and an undo takes it back exactly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from stub_pe import versioned
from support.command import vmrescue as command
from support.disk_judges import verdicts
from support.fault_disk import OS, FaultDisk
from support.images import fingerprint
from support.machine import need_root, run
from support.machine_disk import mounted_ntfs
from vmrescue import Playbook
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.plan import Plan

if TYPE_CHECKING:
    from vmrescue.playbook import Compiled

CHANNEL = Path(__file__).parents[2] / "docs/playbooks/channel-file.yaml"
FOLDER = r"\Windows\System32\drivers\CrowdStrike"
FILTERS = r"""
[\ControlSet001\Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}]
"UpperFilters"=hex(7):65,00,76,00,69,00,6c,00,00,00,70,00,61,00,72,00,74,00,6d,00,67,00,72,00,00,00,00,00

[\ControlSet002\Services\evil]
"Start"=dword:00000000

[\ControlSet001\Services\evil]
"Start"=dword:00000000
"Type"=dword:00000001
"ErrorControl"=dword:00000001

[\ControlSet001\Control\Odd]
"Gone"="x"
"""
EVIL = r"""
schema: vmrescue.playbook/1
name: evil
match:
  windows: {name: '*server 2019*', build-from: 17763, build-to: 17763}
  services: [EVIL]
  values: [{hive: SYSTEM, key: 'CurrentControlSet\Control\Odd', name: gone, data: X}]
  files: [{path: '%SystemRoot%\System32\drivers\evil.sys', version-from: '1.2', version-before: 1.2.4}]
  checks: [boot-options]
filters: [{remove: evil, device-class: '{4D36E967-E325-11CE-BFC1-08002BE10318}'}]
services: [{disable: evil}]
files:
  - {rename: '%SystemRoot%\System32\drivers\evil.sys', to: evil.sys.off}
  - {remove: '%SystemDrive%\Temp\e*.tmp'}
values:
  - {hive: SYSTEM, key: 'CurrentControlSet\Control\Odd', delete: Gone}
  - {hive: SOFTWARE, key: 'Vendor\New', set: Bytes, type: REG_BINARY, data: 00ff}
elements:
  - {object: '{default}', delete: bootlog}
  - {object: '{default}', set: recoveryenabled, to: true}
  - {object: '{bootmgr}', set: timeout, to: 7}
"""
BOOT_LOG = r"""
[\Objects\{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}\Elements\26000090]
"Element"=hex:01
"""


def disk(folder: Path, generation: str, *steps: dict[str, Any]) -> Path:
    need_root()
    folder.mkdir(exist_ok=True)
    made = FaultDisk.copy_of(generation, folder)
    made.make(list(steps))
    return made.path


def hive(image: FaultDisk, name: str, key: str) -> str:
    """A key as hivexregedit exports it."""
    with mounted_ntfs(image.path, *image.ranges[OS]) as root:
        return run("hivexregedit", "--export", root / f"Windows/System32/config/{name}", key)


def compiled(document: str, image: Path) -> Compiled:
    return Playbook.from_yaml(document).compile(image)


def test_the_files_of_one_name_go_on_each_disk_that_has_them_and_come_back(quick_folder: Path) -> None:
    names = ["C-00000291-00000000-00000032.sys", "c-00000291-b.sys", "C-00000290-a.sys"]
    meant = disk(quick_folder / "a", "gen2", *({"put": f"{FOLDER}\\{name}", "text": name} for name in names))
    other = disk(quick_folder / "b", "gen2", {"put": f"{FOLDER}\\{names[2]}", "text": "good"})
    first, judged = [fingerprint(each) for each in (meant, other)], verdicts(meant)

    dry = command("apply", CHANNEL, meant, "--dry-run")
    assert (dry.returncode, fingerprint(meant)) == (0, first[0]), dry.stderr
    done = command("apply", CHANNEL, meant, other, quick_folder / "none.vhd", "--yes")

    assert done.returncode == 3, done.stderr  # of the image that is not there
    assert f"{other}: unchanged: channel-file is not for it: there is no file %SystemRoot%" in done.stdout
    assert fingerprint(other) == first[1]
    with mounted_ntfs(meant, *FaultDisk.of(meant, "gen2").ranges[OS]) as root:
        assert [path.name for path in (root / "Windows/System32/drivers/CrowdStrike").iterdir()] == [names[2]]
    assert verdicts(meant) == judged
    [receipt] = Path(f"{meant}.vmrescue").glob("*/receipt.json")
    said = json.loads(receipt.read_text())
    sha256 = run("sha256sum", CHANNEL).split()[0]
    assert said["playbook"] == said["plan"]["playbook"] == {"name": "channel-file", "sha256": sha256}
    assert f"by the playbook channel-file (SHA-256 {sha256})" in done.stdout

    assert command("undo", meant).returncode == 0
    assert fingerprint(meant) == first[0]


def test_every_kind_of_action_is_made_in_each_control_set_that_may_boot(quick_folder: Path) -> None:
    path = disk(
        quick_folder / "a", "gen1",
        {"registry": "SYSTEM", "text": FILTERS}, {"registry": "BCD", "text": BOOT_LOG},
        {"put": r"\Windows\System32\drivers\evil.sys", "hex": versioned(1, 2, 3, 4).hex()},
        {"put": r"\Temp\e1.tmp", "text": "1"}, {"put": r"\Temp\E2.TMP", "text": "2"},
        {"put": r"\Temp\keep", "text": ""},
    )  # fmt: skip
    first, judged = fingerprint(path), verdicts(path)
    playbook = quick_folder / "evil.yaml"
    playbook.write_text(EVIL)
    plan = command("plan", path, "--playbook", playbook)
    (quick_folder / "plan.json").write_text(plan.stdout)
    assert Plan.from_json(plan.stdout) == compiled(EVIL, path).plan

    done = command("apply", quick_folder / "plan.json", path, "--yes")

    assert done.returncode == 0, done.stderr + plan.stderr
    image = FaultDisk.of(path, "gen1")
    for number in (1, 2):
        assert '"Start"=dword:00000004' in hive(image, "SYSTEM", f"\\ControlSet00{number}\\Services\\evil")
    disks = hive(image, "SYSTEM", r"\ControlSet001\Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}")
    assert '"UpperFilters"=hex(7):70,00,61,00,72,00' in disks
    assert "Gone" not in hive(image, "SYSTEM", r"\ControlSet001\Control\Odd")
    assert '"Bytes"=hex(3):00,ff' in hive(image, "SOFTWARE", r"\Vendor\New")
    with mounted_ntfs(path, *image.ranges[OS]) as root:
        assert [each.name for each in sorted((root / "Temp").iterdir())] == ["keep"]
        drivers = root / "Windows/System32/drivers"
        assert (drivers / "evil.sys.off").read_bytes() == versioned(1, 2, 3, 4)
        assert not (drivers / "evil.sys").exists()
    assert verdicts(path) == judged
    assert compiled(EVIL, path).because == "SYSTEM has no value ControlSet001\\Control\\Odd\\gone"
    vmrescue.undo(path)
    assert fingerprint(path) == first


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy disk that nobody changes."""
    return disk(tmp_path_factory.mktemp("healthy"), "gen2")


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("windows: {build-from: 20348}", "its build is 17763"),
        ("windows: {build-to: 17762}", "its build is 17763"),
        ("windows: {name: 'Windows 10*'}", "its name is Windows Server 2019 Datacenter, not Windows 10*"),
        ("windows: {edition: 'server'}", "its edition is ServerDatacenter, not server"),
        ("services: [netvsc, gone]", "there is no service gone"),
        ("values: [{hive: SYSTEM, key: Select, name: Current, data: 2}]", "SYSTEM: Select\\Current is REG_DWORD 1"),
        ("values: [{hive: SOFTWARE, key: A, name: b}]", "SOFTWARE has no value A\\b"),
        ("files: [{path: '%SystemRoot%\\gone*'}]", "there is no file %SystemRoot%\\gone*"),
        ("files: [{path: '%SystemRoot%\\explorer.exe', version-from: 1}]", "of the version or the content"),
        (f"files: [{{path: '%SystemRoot%\\explorer.exe', sha256: ['{'0' * 64}']}}]", "of the version or the content"),
        ("checks: [class-filter]", "the check class-filter finds nothing"),
    ],
)
def test_an_image_that_is_not_meant_is_told(match: str, said: str, healthy: Path) -> None:
    found = compiled(f"schema: vmrescue.playbook/1\nname: n\nmatch: {{{match}}}\nservices: [{{disable: x}}]\n", healthy)
    assert (found.plan, said in found.because) == (None, True), found.because


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("services: [{disable: StorVSC}]", "without which Windows may not start"),
        (r"values: [{hive: SYSTEM, key: CurrentControlSet\Services\ntfs, set: start, type: REG_DWORD, data: 4}]",
         "without which"),
        ("filters: [{remove: PartMgr, device-class: '{4d36e967-e325-11ce-bfc1-08002be10318}'}]", "without which"),
        (r"files: [{remove: '%SystemRoot%\System32\drivers\*.sys'}]", "the playbook allows 16"),
        (r"files: [{remove: '%SystemRoot%\System32\ntoskrnl.exe'}]", "the kernel"),
        (r"files: [{rename: '%SystemRoot%\System32\ntdll.dll', to: x}]", "not renamed"),
        (r"files: [{rename: '%SystemRoot%\System32\userinit.exe', to: autochk.exe}]", "there already is"),
        (r"files: [{remove: '%SystemRoot%\System32\drivers\acpi.sys'}]", "a new finding, boot-path"),
        ("elements: [{object: '{default}', set: nonsense, to: 1}]", "not recognized"),
        ("elements: [{object: '{default}', set: recoveryenabled, to: maybe}]", "not valid"),
        ("elements: [{object: '{12345678-1234-1234-1234-123456789abc}', delete: path}]", "cannot find"),
    ],
)  # fmt: skip
def test_what_would_harm_or_means_nothing_is_refused_and_not_a_byte_is_changed(
    action: str, said: str, healthy: Path, tmp_path: Path
) -> None:
    first = fingerprint(healthy)
    playbook = tmp_path / "bad.yaml"
    playbook.write_text(f"schema: vmrescue.playbook/1\nname: bad\nmatch: {{services: [netvsc]}}\n{action}\n")
    done = command("apply", playbook, healthy, "--dry-run", "--yes")
    assert done.returncode in (2, 3, 4, 5), done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert fingerprint(healthy) == first


def test_a_part_that_cannot_be_read_is_an_error_and_not_an_image_that_is_not_meant(
    healthy: Path, tmp_path: Path
) -> None:
    image = tmp_path / "disk.raw"
    shutil.copyfile(healthy, image)
    FaultDisk.of(image, "gen2").make([{"zero": r"\Windows\System32\config\SYSTEM"}])
    with pytest.raises(NotFoundError, match="SYSTEM"):
        Playbook.load(CHANNEL).compile(image)


def test_a_playbook_that_is_done_already_changes_nothing(healthy: Path) -> None:
    document = (
        "schema: vmrescue.playbook/1\nname: n\nmatch: {services: [netvsc]}\nservices: [{disable: nobody}]\n"
        "elements: [{object: '{default}', delete: bootlog}]\nfiles: [{remove: '%SystemRoot%\\gone\\*'}]\n"
    )
    found = compiled(document, healthy)
    assert found.plan is not None
    assert not vmrescue.repair(healthy, found.plan).committed
    with pytest.raises(RefusedError, match="without which"):
        compiled(document.replace("nobody", "disk"), healthy)
