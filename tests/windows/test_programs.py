"""The program of a command line: as CreateProcess looks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.installation import installation
from vmrescue.windows.programs import find_program

if TYPE_CHECKING:
    from support.hives import Keys

FILES = (
    r"Windows\explorer.exe",
    r"Windows\System32\cmd.exe",
    r"Windows\System\old.exe",
    r"Windows\System32\oobe\windeploy.exe",
    r"Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
    r"Program Files\Acme Tools\post.exe",
    r"Tools\here.exe",
    r"Sources\SetupPlatform.exe",
)
PATH_OF_TOOLS: Keys = {r"ControlSet001\Control\Session Manager\Environment": {"Path": r"%SystemRoot%;C:\Tools"}}
PATH_ELSEWHERE: Keys = {r"ControlSet001\Control\Session Manager\Environment": {"Path": r"%SystemRoot%;E:\Tools"}}


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("explorer.exe", r"Windows\explorer.exe"),
        ("explorer", r"Windows\explorer.exe"),
        ("old /x", r"Windows\System\old.exe"),
        ('cmd.exe /c "cd /d "%USERPROFILE%" & start cmd.exe /k runonce.exe"', r"Windows\System32\cmd.exe"),
        ("PowerShell.exe -NoExit", r"Windows\System32\WindowsPowerShell\v1.0\PowerShell.exe"),
        (r'"C:\Program Files\Acme Tools\post.exe" /y', r"Program Files\Acme Tools\post.exe"),
        (r"C:\Program Files\Acme Tools\post.exe /y", r"Program Files\Acme Tools\post.exe"),
        (r"C:\Program Files\Acme Tools\post /y", r"Program Files\Acme Tools\post.exe"),
        (r"%windir%\explorer.exe", r"Windows\explorer.exe"),
        (r"oobe\windeploy.exe", r"Windows\System32\oobe\windeploy.exe"),
        (r"\Sources\SetupPlatform.exe /runonce", r"Sources\SetupPlatform.exe"),
    ],
)
def test_a_program_is_found_where_windows_finds_it(command: str, path: str) -> None:
    found = installation({}, files=dict.fromkeys(FILES, b"MZ"))
    assert found.os is not None

    program = find_program(found.drives, found.os, command)

    assert program.place is not None
    assert (program.place[0], program.place[1].upper(), program.gone) == (found.os.volume, path.upper(), False)


@pytest.mark.parametrize(
    ("command", "gone"),
    [
        ("", True),
        ("gone.exe /y", True),
        (r"oobe\gone.exe", True),
        (r"C:\Windows\gone.exe", True),
        (r"C:\Windows\..\gone.exe", False),
        (r"E:\gone.exe", False),
        (r"\\server\share\gone.exe", False),
        (r"%ProgramFiles%\gone.exe", False),
    ],
)
def test_a_program_is_gone_only_where_every_place_was_looked_at(command: str, gone: bool) -> None:
    found = installation({}, files=dict.fromkeys(FILES, b"MZ"))
    assert found.os is not None

    program = find_program(found.drives, found.os, command)

    assert (program.place, program.gone) == (None, gone)


def test_a_name_alone_is_looked_for_along_path() -> None:
    here = installation(PATH_OF_TOOLS, files=dict.fromkeys(FILES, b"MZ"))
    away = installation(PATH_ELSEWHERE, files=dict.fromkeys(FILES, b"MZ"))
    assert here.os is not None
    assert away.os is not None

    assert find_program(here.drives, here.os, "here").place == (here.os.volume, r"Tools\here.exe")
    assert find_program(away.drives, away.os, "here").gone is False
