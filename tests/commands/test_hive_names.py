"""Keys as the guest names them: which hive of an image each lies in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bcd.stores import judged
from commands.here import output_of, vmrescue
from support.images import fingerprint, sample
from support.machine import run
from support.machine_disk import mounted_ntfs
from vmrescue.registry import Hive, ValueType

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
OS = 33 * MIB, 606 * MIB
CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"
ALICE = "S-1-5-21-1-2-3-1001"


def user_hive(shell: str) -> bytes:
    hive = Hive.create("NTUSER.DAT")
    hive.create_key("Software\\Shell")
    hive.set_value("Software\\Shell", "Name", ValueType.SZ, shell)
    return hive.to_bytes()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample of generation 1 with two profiles, a service's profile, and the machine's other hives."""
    image = sample("gen1-broken", tmp_path_factory.mktemp("users"))
    with mounted_ntfs(image, *OS, writable=True) as root:
        config = root / "Windows/System32/config"
        software = Hive((config / "SOFTWARE").read_bytes())
        profiles = {
            ALICE: "C:\\Users\\Alice",
            "S-1-5-20": "%SystemRoot%\\ServiceProfiles\\NetworkService",
            "S-1-5-21-1-2-3-1002": "E:\\Elsewhere\\bob",
        }
        for sid, path in profiles.items():
            key = software.create_key(f"{CURRENT_VERSION}\\ProfileList\\{sid}").path
            software.set_value(key, "ProfileImagePath", ValueType.EXPAND_SZ, path)
        software.create_key("WOW6432Node\\Vendor")
        software.set_value("WOW6432Node\\Vendor", "bits", ValueType.DWORD, 32)
        software.create_key("Vendor")
        software.set_value("Vendor", "bits", ValueType.DWORD, 64)
        software.create_key("Classes\\.txt")
        software.set_value("Classes\\.txt", "Content Type", ValueType.SZ, "text/plain")
        (config / "SOFTWARE").write_bytes(software.to_bytes())
        (config / "SECURITY").unlink()  # one of them is missing
        for name in ("DEFAULT", "SAM"):
            (config / name).write_bytes(user_hive(name))
        for folder, shell in (("Users/Alice", "alice"), ("Windows/ServiceProfiles/NetworkService", "service")):
            (root / folder).mkdir(parents=True)
            (root / folder / "NTUSER.DAT").write_bytes(user_hive(shell))
    return image


@pytest.fixture
def image(built: Path, tmp_path: Path) -> Path:
    target = tmp_path / "users.vhd"
    run("cp", "--sparse=always", built, target)
    return target


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (r"HKU\alice\Software\Shell", "Name    REG_SZ    alice"),
        (rf"HKU\{ALICE}\Software\Shell", "Name    REG_SZ    alice"),
        (r"HKEY_USERS\NetworkService\Software\Shell", "Name    REG_SZ    service"),
        (r"HKU\.DEFAULT\Software\Shell", "Name    REG_SZ    DEFAULT"),
        (r"HKLM\SAM\Software\Shell", "Name    REG_SZ    SAM"),
        (r"hklm\system\CURRENTCONTROLSET\control\CrashControl", "CrashDumpEnabled    REG_DWORD    0x7"),
        (r"HKLM\SOFTWARE\Vendor /reg:32", "bits    REG_DWORD    0x20"),
        (r"HKLM\SOFTWARE\Vendor /reg:64", "bits    REG_DWORD    0x40"),
        (r"HKLM\SOFTWARE\WOW6432Node\Vendor /reg:32", "bits    REG_DWORD    0x20"),
        (rf"HKLM\SOFTWARE\{CURRENT_VERSION}\ProfileList /reg:32", f"ProfileList\\{ALICE}"),
        (r"HKCR\.txt", "Content Type    REG_SZ    text/plain"),
        ("HKCR", "HKEY_CLASSES_ROOT\\.txt"),
        (r"HKLM\BCD00000000\Description", "KeyName    REG_SZ    BCD00000000"),
        ("HKLM", "HKEY_LOCAL_MACHINE\\SYSTEM"),
        ("HKU", "HKEY_USERS\\Alice"),
    ],
)
def test_a_key_is_found_in_its_hive(built: Path, key: str, shown: str) -> None:
    name, _, view = key.partition(" /")

    assert shown in output_of("reg", built, "query", name, *([f"/{view}"] if view else []))


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [
        (r"HKU\mallory\Software", 3, r"there are HKU\.DEFAULT, HKU\Alice, HKU\bob, HKU\NetworkService"),
        (r"HKU\bob\Software", 3, r"no volume at hand is E:"),
        (r"HKLM\SECURITY\Policy", 3, r"no hive \Windows\System32\config\SECURITY"),
        (r"HKLM\BROKENSYSTEM\Select", 3, r"there are HKLM\BCD00000000, HKLM\SAM, HKLM\SOFTWARE, HKLM\SYSTEM"),
        (r"HKCU\Software", 2, r"HKU\<user>"),
        ("HKCU", 2, r"HKU\<user>"),
        ("HKCC", 2, "lies in no hive"),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_those_that_do(
    built: Path, key: str, status: int, message: str
) -> None:
    done = vmrescue("reg", built, "query", key)

    assert (done.status, done.out) == (status, "")
    assert message in done.err


def test_a_users_hive_is_edited_as_a_plan_and_the_edit_undone(image: Path, tmp_path: Path) -> None:
    before = fingerprint(image)
    words = ("add", r"HKU\Alice\Software\Shell", "/v", "Name", "/d", "Bob", "/f")

    planned = json.loads(output_of("reg", image, *words, "--dry-run", "--format", "json"))
    (step,) = planned["plan"]["steps"]
    assert step["change"]["file"] == {"disk": 0, "partition": 2, "path": r"Users\Alice\NTUSER.DAT"}
    assert (planned["committed"], fingerprint(image)) == (False, before)
    output_of("reg", image, *words)

    with mounted_ntfs(image, *OS) as root:
        found = judged((root / "Users/Alice/NTUSER.DAT").read_bytes())
    assert found["Software\\Shell"] == {"Name": "hex(1):" + "Bob\0".encode("utf-16-le").hex(",")}
    output_of("undo", image)
    assert fingerprint(image) == before


def test_one_command_may_edit_several_hives(image: Path) -> None:
    output_of("reg", image, "copy", r"HKU\Alice\Software\Shell", r"HKLM\SYSTEM\CurrentControlSet\Control\Shell", "/f")

    assert "alice" in output_of("reg", image, "query", r"HKLM\SYSTEM\ControlSet001\Control\Shell")
    done = vmrescue("reg", image, "compare", r"HKU\Alice\Software\Shell", r"HKLM\SYSTEM\ControlSet001\Control\Shell")
    assert done.status == 0


def test_what_is_asked_for_by_hand_may_be_what_a_check_advises_against(gen2_healthy: Path) -> None:
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"

    printed = output_of("reg", gen2_healthy, "add", key, "/v", "CrashDumpEnabled", "/t", "REG_DWORD", "/d", "2", "/f")

    assert "advice    crash-dump" in printed
    assert "0x2" in output_of("reg", gen2_healthy, "query", key, "/v", "CrashDumpEnabled")
