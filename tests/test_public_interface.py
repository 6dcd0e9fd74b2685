"""The public interface: what is listed exists and is documented, and the page of it is up to date."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from support.api_page import PACKAGES, first_sentence, page, public_names

PAGE = Path(__file__).parent.parent / "docs/api.md"


def test_the_page_is_what_the_packages_say() -> None:
    assert PAGE.read_text() == page(), "run: PYTHONPATH=tests python -m support.api_page > docs/api.md"


@pytest.mark.parametrize("package", PACKAGES)
def test_all_that_is_public_exists_once_and_is_documented(package: str) -> None:
    module = importlib.import_module(package)
    names = public_names(package)
    assert len(names) == len(set(names)) > 0
    for name in names:
        thing = getattr(module, name)
        assert re.fullmatch(r"\S.*", first_sentence(thing)), f"{package}.{name} has no docstring"
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert not (thing.__doc__ or "").startswith(f"{thing.__name__}("), (
                f"{package}.{name} has a made-up docstring"
            )


def test_the_contract_of_the_first_stage_stands() -> None:
    """The names that others call: they may gain, and lose nothing."""
    import vmrescue
    from vmrescue import disk, ntfs, registry

    assert {"diagnose", "Diagnosis", "Plan", "repair", "undo", "scan", "Policy", "disk"} <= set(vmrescue.__all__)
    assert "open_disk" in disk.__all__
    assert "NtfsVolume" in ntfs.__all__
    assert "Hive" in registry.__all__
    assert {"plan", "to_dict", "findings"} <= set(dir(vmrescue.Diagnosis)) | set(vmrescue.Diagnosis.__annotations__)
    assert {"to_json", "from_json"} <= set(dir(vmrescue.Plan))
