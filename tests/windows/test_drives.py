"""Letters and paths of a guest with unusual letters."""

from __future__ import annotations

import pytest

from support.installation import installation
from vmrescue.windows.drives import DriveKind, Drives


@pytest.fixture(scope="module")
def drives() -> Drives:
    """Windows lies in \\WINNT on D:, and C: is another volume."""
    windows, other = installation({}).volumes[0], installation({}).volumes[0]
    return Drives({}, {"D:": windows, "C:": other}, (windows, "WINNT"))


@pytest.mark.parametrize(
    ("image", "path"),
    [
        (r"System32\drivers\x.sys", r"WINNT\System32\drivers\x.sys"),
        (r"\SystemRoot\System32\x.sys", r"WINNT\System32\x.sys"),
        (r'"%windir%\System32\x.exe"', r"WINNT\System32\x.exe"),
        (r"\??\D:\WINNT\x.sys", r"WINNT\x.sys"),
        (r"%SystemDrive%\Program\x.exe", r"Program\x.exe"),
        (r"d:/WINNT/x.sys", r"WINNT\x.sys"),
        (r"\??\C:\WINNT\x.sys", None),
        (r"E:\x.sys", None),
        (r"\??\UNC\server\x.sys", None),
        (r"%ProgramFiles%\x.sys", None),
        (r"\DosDevices\D:\WINNT\x.sys", r"WINNT\x.sys"),
        (r"\Device\HarddiskVolume3\WINNT\x.sys", None),
        (r"\GLOBAL??\D:\WINNT\x.sys", None),
        (r"\WINNT\System32\x.sys", None),
        (r"\SystemRoot\System32\..\x.sys", None),
        ("", None),
    ],
)
def test_an_image_path_leads_to_the_volume_of_windows_or_elsewhere(
    drives: Drives, image: str, path: str | None
) -> None:
    assert drives.of_image(image) == path


def test_the_system_drive_is_the_volume_of_windows_though_it_has_no_letter() -> None:
    windows = installation({}).volumes[0]

    drive = Drives({}, {}, (windows, "Windows")).of("%SystemDrive%")

    assert (drive.kind, drive.volume) == (DriveKind.WINDOWS, windows)
    assert Drives({}, {}, None).of("%SystemDrive%").volume is None
