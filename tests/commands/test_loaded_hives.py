"""`reg load`, `reg unload`: a hive of an image under a name of one's own, and not a byte of the image for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bcd.stores import judged
from commands.here import output_of, vmrescue
from support.images import fingerprint
from support.machine_disk import mounted_ntfs

if TYPE_CHECKING:
    from pathlib import Path

LOAD = ("load", r"HKLM\BROKENSYSTEM", r"F:\windows\system32\config\SYSTEM")
CRASH = r"ControlSet001\Control\CrashControl"
OS = 33 << 20, 606 << 20
SUCCESS = "The operation completed successfully.\n"


def test_the_runbooks_lines_work_under_the_name_that_they_give(gen1_broken: Path, tmp_path: Path) -> None:
    before, key, saved = fingerprint(gen1_broken), rf"HKLM\BROKENSYSTEM\{CRASH}", tmp_path / "crash.reg"
    loaded = vmrescue("reg", gen1_broken, *LOAD)
    assert (loaded.status, loaded.out) == (0, SUCCESS)
    assert loaded.err == (
        r"note: F: is no letter of this Windows: F:\windows\system32\config\SYSTEM is taken for"
        " \\Windows\\System32\\config\\SYSTEM on partition 2 (C:), the only such file\n"
    )
    assert fingerprint(gen1_broken) == before
    assert "\nHKEY_LOCAL_MACHINE\\BROKENSYSTEM\n" in output_of("reg", gen1_broken, "query", "HKLM")
    assert output_of("reg", gen1_broken, "export", key, saved) == SUCCESS

    output_of("reg", gen1_broken, "add", key, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1")
    output_of("reg", gen1_broken, "delete", key, "/v", "LogEvent", "/f")
    output_of("reg", gen1_broken, "import", _with(saved, tmp_path / "more.reg", '"Imported"=dword:00000007'))

    with mounted_ntfs(gen1_broken, *OS) as root:
        crash = judged((root / "Windows/System32/config/SYSTEM").read_bytes())[CRASH]
    assert (crash["NMICrashDump"], crash["Imported"]) == ("dword:00000001", "dword:00000007")
    assert crash["LogEvent"] == "dword:00000001", "the import gave it back"
    again = vmrescue("reg", gen1_broken, "compare", key, rf"HKLM\SYSTEM\{CRASH}")
    assert (again.status, again.out.split()[:3]) == (0, ["Results", "Compared:", "Identical"])
    output_of("undo", gen1_broken, "--all")
    assert output_of("reg", gen1_broken, "unload", r"HKLM\brokensystem") == SUCCESS
    assert fingerprint(gen1_broken) == before
    assert vmrescue("reg", gen1_broken, "query", key).status == 3


def _with(saved: Path, path: Path, line: str) -> Path:
    path.write_bytes((saved.read_bytes().decode("utf-16").rstrip() + f"\r\n{line}\r\n").encode("utf-16"))
    return path


def test_a_name_is_kept_beside_the_image_alone_and_goes_without_a_trace(gen1_broken: Path) -> None:
    folder, files = gen1_broken.with_name("gen1-broken.vhd.vmrescue"), set(gen1_broken.parent.iterdir())
    assert "Nothing was written." in output_of("reg", gen1_broken, *LOAD, "--dry-run")
    assert not folder.exists()

    output_of("reg", gen1_broken, *LOAD)
    for words, status, said in (
        (LOAD, 4, "HKEY_LOCAL_MACHINE\\BROKENSYSTEM is loaded already, from \\Windows\\System32\\config\\SYSTEM"),
        (("load", r"HKLM\System", LOAD[2]), 4, "is a hive of this Windows itself"),
        (("load", r"HKLM\A\B", LOAD[2]), 2, "Invalid key name"),
        (("load", r"HKCU\A", LOAD[2]), 2, "Invalid key name"),
        (("load", r"HKLM\A", r"F:\bootmgr"), 3, "expected the signature 'regf'"),
        (("load", r"HKLM\A", r"F:\nowhere"), 3, "none of the volumes at hand has a file \\nowhere"),
        (("unload", r"HKLM\A"), 2, "nothing is loaded as HKEY_LOCAL_MACHINE\\A"),
    ):
        done = vmrescue("reg", gen1_broken, *words)
        assert (done.status, done.out, said in done.err) == (status, "", True), done.err
    assert [each.name for each in folder.iterdir()] == ["loaded-hives.json"]
    output_of("reg", gen1_broken, "unload", LOAD[1])
    assert set(gen1_broken.parent.iterdir()) == files


def test_where_no_name_can_be_kept_or_trusted_that_is_said(gen1_broken: Path) -> None:
    before, folder = fingerprint(gen1_broken), gen1_broken.with_name("gen1-broken.vhd.vmrescue")
    folder.write_bytes(b"")
    done = vmrescue("reg", gen1_broken, *LOAD)
    assert (done.status, done.out) == (5, "")
    assert "the name cannot be kept beside the image" in done.err
    folder.unlink()
    folder.mkdir()
    gone = {r"HKLM\A": {"disk": 0, "partition": 2, "path": "gone"}}
    for content, said in (
        ("{}", "does not say which hives are loaded"),
        (json.dumps({"schema": "vmrescue.loaded-hives/1", "hives": {"HKLM": gone[r"HKLM\A"]}}), "Invalid key name"),
        (json.dumps({"schema": "vmrescue.loaded-hives/1", "hives": gone}), "which is not there any more: unload it"),
    ):
        (folder / "loaded-hives.json").write_text(content)
        refused = vmrescue("reg", gen1_broken, "query", r"HKLM\A\B")
        assert (refused.out, said in refused.err, "Traceback" in refused.err) == ("", True, False), refused.err
    assert fingerprint(gen1_broken) == before


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("add", "/v", "CrashDumpEnabled", "/t", "REG_DWORD", "/d", "1"), 4),
        (("add", "/v", "CrashDumpEnabled", "/t", "REG_DWORD", "/d", "1", "/f"), 0),
        (("add", "/v", "New", "/d", "text"), 0),
        (("delete", "/v", "LogEvent"), 4),
        (("delete", "/v", "LogEvent", "/f"), 0),
    ],
)
def test_it_asks_where_reg_asks(gen1_broken: Path, words: tuple[str, ...], status: int) -> None:
    """Nobody is there to answer."""
    name, *switches = words

    done = vmrescue("reg", gen1_broken, name, rf"HKLM\SYSTEM\{CRASH}", *switches)

    assert (done.status, "nobody to ask" in done.err) == (status, status == 4)
