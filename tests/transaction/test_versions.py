"""A receipt tells the versions of what wrote and of what confirmed it, as Python's own look-up has them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from vmrescue.transaction.receipt import PROGRAMS
from vmrescue.transaction.versions import versions_of


def test_the_versions_are_those_that_python_tells() -> None:
    assert versions_of(PROGRAMS) == {program: version(program) for program in PROGRAMS}
    assert versions_of(["Dissect_NTFS"]) == {"Dissect_NTFS": version("dissect.ntfs")}


def test_a_program_that_is_not_installed_is_said() -> None:
    with pytest.raises(PackageNotFoundError):
        versions_of(["there-is-no-such-program"])
