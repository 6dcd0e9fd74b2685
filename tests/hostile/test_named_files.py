"""What an image's own text names is looked at, and no more: it never makes a file deletable that is no page file."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue as library
from support.command import output_of, vmrescue
from support.images import fingerprint
from support.machine import run
from support.machine_disk import mounted_ntfs
from support.registry_values import MEMORY_MANAGEMENT, lines, merge
from vmrescue.plan import DeleteFile, FileRef, Plan, Step
from vmrescue.registry import Hive

if TYPE_CHECKING:
    from pathlib import Path

GEN1_OS = 33 << 20, 606 << 20
SYSTEM = "Windows/System32/config/SYSTEM"
SOFTWARE = r"Windows\System32\config\SOFTWARE"
STAYS = {  # path, content; each is named by ExistingPageFiles
    "bootmgr": b"boot manager",
    "hiberfil.sys": bytes(4096),
    "docs/thesis.docx": b"years of work",
    "docs/pagefile.sys": bytes(4096),  # where no page file is configured
    "drivers/disk.sys": b"MZ" + bytes(4094),
    "hive.sys": b"regf" + bytes(4092),
    "Windows/own.sys": bytes(4096),
    "swapfile.sys": bytes(4096),  # which has a second name
}
CONFIGURED = ["bootmgr", "hiberfil.sys", "docs/thesis.docx", "drivers/disk.sys", "hive.sys", "Windows/own.sys"]
THERE_ALREADY = [SOFTWARE, "$MFT", "Windows", r"$Extend\$ObjId", r"Windows\..\pagefile.sys", "pagefile.sys:stream"]
PAGE_FILES = ["pagefile.sys", "page files/my page.sys"]

HOLDS = {  # files that are called as page files and lie where both values say: how each begins, and what it is then
    "pagefile.sys": (b"PAGEDU64", "a memory dump"),  # the crash that is to be saved at the next start
    "dump of 32 bits.sys": (b"PAGEDUMP", "a memory dump"),
    "sleep.sys": (b"HIBR", "a hibernated Windows"),
    "sleep of windows 7.sys": (b"hibr", "a hibernated Windows"),
    "all.sys": (b"PK\3\4", "an archive"),
    "thesis.sys": (b"%PDF-1.7", "a document"),
    "letter.sys": (b"\xd0\xcf\x11\xe0", "a document"),
    "mail.sys": (b"SQLite format 3", "a database"),
    "vm.sys": (b"conectix", "a virtual disk"),
    "vmx.sys": (b"vhdxfile", "a virtual disk"),
    "config.sys": (b"FILES=40", "not called so"),  # DOS's
    "Recovery/own.sys": (b"", "do not lie there"),
    "holes.sys": (b"", "sparse"),
    "link.sys": (b"", "a reparse point"),
}

MOUNT_POINT = struct.pack("<IHH4H", 0xA0000003, 18, 0, 0, 4, 6, 2) + "C:\0D\0".encode("utf-16-le")

SYMBOLIC_LINK = struct.pack("<IHH4HI", 0xA000000C, 20, 0, 0, 4, 4, 4, 1) + "C:D:".encode("utf-16-le")


def make_what_is_not_to_go(root: Path) -> None:
    """In folders that cleanups look into, and the logs of a hive that needs them."""
    for folder in ("Windows.old", "Windows/Temp/link"):
        (root / folder).mkdir()
        (root / folder / "thesis.docx").write_bytes(b"years of work")
    (root / f"{SYSTEM}.LOG1").write_bytes(bytes(512))
    hive = bytearray((root / SYSTEM).read_bytes())
    hive[508] ^= 1  # the checksum of a header that was only half written
    (root / SYSTEM).write_bytes(hive)


def windows_path(path: str) -> str:
    return "C:\\" + path.replace("/", "\\")


def name_files(image: Path, existing: list[str], configured: list[str]) -> None:
    """Puts files on the OS volume, and their names into the two values; the last boot used D: too, which is away."""
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        for path, content in {**STAYS, "page files/my page.sys": bytes(8192)}.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(content)
        os.link(root / "swapfile.sys", root / "docs/other name")
        used = [*existing, r"\??\D:\pagefile.sys"]
        values = {"ExistingPageFiles": lines(used), "PagingFiles": lines(configured)}
        merge(root / SYSTEM, MEMORY_MANAGEMENT, values)


def there(image: Path, paths: list[str]) -> list[str]:
    """Those of some files that ntfs-3g finds."""
    with mounted_ntfs(image, *GEN1_OS) as root:
        return [path for path in paths if (root / path).exists()]


def deleted(findings: list[Any]) -> list[str]:
    return [change.file.path for each in findings for change in each.changes if isinstance(change, DeleteFile)]


def test_no_name_in_the_registry_makes_another_file_deletable_than_a_page_file(gen1_broken: Path) -> None:
    existing = [rf"\??\{windows_path(path)}" for path in [*STAYS, *THERE_ALREADY, *PAGE_FILES]]
    name_files(gen1_broken, existing, [f"{windows_path(path)} 0 0" for path in [*CONFIGURED, *PAGE_FILES]])
    watched = [*STAYS, SOFTWARE.replace("\\", "/")]
    assert there(gen1_broken, [*watched, *PAGE_FILES]) == [*watched, *PAGE_FILES]

    findings = library.diagnose(gen1_broken, only=["page-file"]).findings
    assert deleted(findings) == [path.replace("/", "\\") for path in PAGE_FILES]
    said = {each.evidence["file"]: each.evidence["why_not_deleted"] for each in findings if "file" in each.evidence}
    for path in [*STAYS, SOFTWARE, "$MFT", "Windows"]:
        assert "not taken for a page file" in said[windows_path(path)], path

    assert library.repair(gen1_broken, only=["page-file"]).committed
    assert there(gen1_broken, [*watched, *PAGE_FILES]) == watched


def test_a_file_that_is_called_as_a_page_file_and_holds_something_else_stays(gen1_broken: Path) -> None:
    named = [*map(windows_path, HOLDS), r"C:\page files\my page.sys"]
    name_files(gen1_broken, named, [f"{path} 0 0" for path in named])
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        for path, (head, _) in HOLDS.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(head.ljust(8192, b"\0"))
        os.truncate(root / "holes.sys", 1 << 20)
        os.setxattr(root / "link.sys", "system.ntfs_reparse_data", SYMBOLIC_LINK)

    findings = library.diagnose(gen1_broken, only=["page-file"]).findings
    assert deleted(findings) == [r"page files\my page.sys"]
    said = {each.evidence["file"]: each.evidence["why_not_deleted"] for each in findings if "file" in each.evidence}
    for path, (_, what) in HOLDS.items():
        assert what in said[windows_path(path)], path

    assert library.repair(gen1_broken, only=["page-file"]).committed
    with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
        for path, (head, _) in HOLDS.items():
            assert path == "link.sys" or (root / path).read_bytes().startswith(head), path
        assert os.path.lexists(root / "link.sys")


def test_a_file_is_no_page_file_because_one_of_its_path_is_configured_on_another_drive(
    gen1_broken: Path, tmp_path: Path
) -> None:
    name_files(gen1_broken, [r"\??\C:\page files\my page.sys"], [r"D:\page files\my page.sys 0 0"])
    diagnosis = library.diagnose(gen1_broken, only=["page-file"])
    assert deleted(diagnosis.findings) == []
    assert "not called as Windows calls" in str([each.evidence for each in diagnosis.findings])

    file = FileRef(0, 2, r"page files\my page.sys")
    plan = tmp_path / "plan.json"
    step = Step("page-file", "an older version found it", DeleteFile(file, 8192))
    plan.write_text(replace(diagnosis.plan(), steps=(step,)).to_json())
    done = vmrescue("apply", plan, gen1_broken, "--yes")
    assert (done.returncode, "not called as Windows calls" in done.stderr) == (4, True), done.stderr
    assert there(gen1_broken, PAGE_FILES) == PAGE_FILES


def test_one_page_file_named_in_many_spellings_is_one(gen1_broken: Path) -> None:
    spellings = [
        r"\??\C:\pagefile.sys",
        r"C:\PAGEFILE.SYS",
        "c:/PageFile.sys",
        "C:\\pagefile.sys  ",
        r"\\?\C:\pagefile.sys",
    ]
    name_files(gen1_broken, [*spellings, r"\??\C:\PAGEFI~1.SYS", r"\??\C:\$MFT"], [r"D:\pagefile.sys 0 0"])
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "pagefile.sys").rename(root / "x")
        (root / "x").rename(root / "pagefile.sys")
        os.setxattr(root / "pagefile.sys", "system.ntfs_dos_name", b"PAGEFI~1.SYS")

    assert deleted(library.diagnose(gen1_broken, only=["page-file"]).findings) == ["pagefile.sys"]

    assert library.repair(gen1_broken, only=["page-file"]).committed
    assert there(gen1_broken, PAGE_FILES) == ["page files/my page.sys"]


def test_a_short_form_that_is_called_as_a_page_file_makes_no_page_file_of_another(gen1_broken: Path) -> None:
    """And the rest of the repair is made: what a diagnosis promises is not refused later."""
    name_files(
        gen1_broken, [r"\??\C:\PAGEFILE.SYS", r"C:\DB.SYS", r"C:\PROGS\own.sys"], [r"C:\DB.SYS", r"C:\PROGS\own.sys"]
    )
    short = {"thesis.docx": "PAGEFILE.SYS", "database.mdf": "DB.SYS", "Program Files": "PROGS"}
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "pagefile.sys").unlink()
        (root / "Program Files").mkdir()
        for name in ("thesis.docx", "database.mdf", "Program Files/own.sys"):
            (root / name).write_bytes(b"years of work")
        for name, form in short.items():
            os.setxattr(root / name, "system.ntfs_dos_name", form.encode())

    findings = [each for each in library.diagnose(gen1_broken).findings if each.check == "page-file"]
    assert deleted(findings) == []
    said = [each.evidence.get("why_not_deleted") or "" for each in findings]
    assert sum("not taken for a page file" in each for each in said) == len(short)

    assert library.repair(gen1_broken).committed
    kept = ["thesis.docx", "database.mdf", "Program Files/own.sys"]
    assert there(gen1_broken, kept) == kept


@pytest.mark.parametrize(
    ("check", "path", "words"),
    [
        ("page-file", SOFTWARE, "a hive of Windows"),
        ("by hand", SOFTWARE, "a hive of Windows"),
        ("page-file", r"WINDOWS\SYSTEM32\CONFIG\software", "a hive of Windows"),
        ("by hand", r"Windows\System32\ntoskrnl.exe", "the kernel"),
        ("page-file", r"docs\thesis.docx", "not called as Windows calls"),
        ("page-file", r"docs\pagefile.sys", "neither at a volume's root"),
        ("cleanup", "Windows", "now there is nothing"),
        ("cleanup", r"docs\thesis.docx", "nothing that cleanup deletes"),
        ("free-space", r"docs\thesis.docx", "nothing that free-space deletes"),
        ("free-space", r"Windows.old\thesis.docx", "nothing that free-space deletes"),  # on request, by its category
        ("cleanup", r"Windows\Temp\link\thesis.docx", "a link, or lies below one"),
        ("cleanup", "hiberfil.sys", "nothing that cleanup deletes"),  # hibernation is not off
        ("by hand", r"Windows\System32\config\SYSTEM.LOG1", "a log that a dirty hive needs"),
    ],
)
def test_a_plan_of_any_origin_deletes_only_what_its_check_may(
    gen1_broken: Path, tmp_path: Path, check: str, path: str, words: str
) -> None:
    name_files(gen1_broken, [], [])
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        make_what_is_not_to_go(root)
        found = {str(each.relative_to(root)).upper(): each for each in root.rglob("*")}
        size = found[path.replace("\\", "/").upper()].stat().st_size
        os.setxattr(root / "Windows/Temp/link", "system.ntfs_reparse_data", MOUNT_POINT)
    before = fingerprint(gen1_broken)
    made = library.diagnose(gen1_broken, only=["page-file"]).plan()
    step = Step(check, "an older version found it", DeleteFile(FileRef(0, 2, path), size))
    plan = tmp_path / "plan.json"
    plan.write_text(replace(made, steps=(step,)).to_json())
    assert len(Plan.from_json(plan.read_text())) == 1

    done = vmrescue("apply", plan, gen1_broken, "--yes")

    assert (done.returncode, words in done.stderr) == (4, True), done.stderr
    assert fingerprint(gen1_broken) == before


def test_rm_deletes_what_a_person_names_but_not_what_windows_starts_from(gen1_broken: Path) -> None:
    name_files(gen1_broken, [], [])
    done = vmrescue("rm", gen1_broken, windows_path(SOFTWARE), "--yes")
    assert (done.returncode, "it can be replaced (put)" in done.stderr) == (4, True), done.stderr
    output_of("rm", gen1_broken, windows_path("docs/thesis.docx"), "--yes")
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        os.link(root / SOFTWARE.replace("\\", "/"), root / "docs/a second name")
    output_of("rm", gen1_broken, windows_path("docs/a second name"), "--yes")
    done = vmrescue("rm", gen1_broken, windows_path(SOFTWARE), "--yes")
    assert done.returncode == 4, done.stderr
    assert there(gen1_broken, [SOFTWARE.replace("\\", "/"), "docs/thesis.docx"]) == [SOFTWARE.replace("\\", "/")]


def test_a_value_of_1500_lines_costs_no_more_than_one_of_a_few(gen1_broken: Path) -> None:
    existing = [rf"\??\C:\{'long' * 10}{number}\pagefile.sys" for number in range(1500)]
    existing += [rf"\??\{letter}:\{'x' * 30}{number}" for letter in "QRST" for number in range(300)]
    name_files(gen1_broken, [], [r"D:\pagefile.sys 0 0"])
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        hive = Hive((root / SYSTEM).read_bytes())  # hivex writes no value of this length as Windows does
        text = "\0".join([*existing, r"\??\C:\pagefile.sys", "", ""])
        hive.set_value(MEMORY_MANAGEMENT.lstrip("\\"), "ExistingPageFiles", 7, text.encode("utf-16-le"))
        (root / SYSTEM).write_bytes(hive.to_bytes())
        assert r"ExistingPageFiles" in run("hivexsh", root / SYSTEM, stdin=f"cd {MEMORY_MANAGEMENT}\nlsval\n".encode())

    document = output_of("diagnose", gen1_broken, "--format", "json", status=1)

    assert len(document) < 200_000
    findings = [each for each in json.loads(document)["findings"] if each["check"] == "page-file"]
    assert len(findings) < 20
    assert any("2701 page files" in each["summary"] for each in findings)
