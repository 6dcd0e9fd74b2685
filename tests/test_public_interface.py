"""The public interface: what is listed exists and is documented, and the page of it is up to date."""

from __future__ import annotations

import importlib
import inspect
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.api_page import PACKAGES, first_sentence, page, public_names
from support.images import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


SEVERAL = re.compile(r"(Iterable|Collection|Sequence|list)\[(str|bytes|Location)\b")
NEEDED: dict[str, tuple[Any, ...]] = {  # what stands before the list; unless said, an image that there is not
    "vmrescue.run": ("nothing.vhd", "nothing.cmd"),
    "vmrescue.scan": ([],),
    "vmrescue.repair_images": ([],),
    "vmrescue.rescue_images": ([],),
    "vmrescue.diagnosis.examine": ([], vmrescue.Policy()),
    "vmrescue.diagnosis.open_disks": (),
    "vmrescue.transaction.edit": ("nothing.vhd", None),
    "vmrescue.disk.accepting": (),
    "vmrescue.registry.recover": (b"",),
}
ELSEWHERE = ("vmrescue.transaction.must_be_editable", "vmrescue.transaction.plan_of")  # they are in the last test


def lists_of_functions() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Each parameter of a public function that takes several texts: the function's name, itself, the parameter."""
    seen = set()
    for package in PACKAGES:
        for name in public_names(package):
            thing = getattr(importlib.import_module(package), name)
            if not inspect.isfunction(thing) or thing in seen:
                continue
            seen.add(thing)
            for parameter in inspect.signature(thing).parameters.values():
                lone = parameter.name == "paths"  # a lone path is taken for a list of one
                if SEVERAL.match(str(parameter.annotation)) and not lone and f"{package}.{name}" not in ELSEWHERE:
                    yield f"{package}.{name}", thing, parameter.name


@pytest.mark.parametrize(("name", "function", "parameter"), list(lists_of_functions()))
def test_a_text_in_place_of_a_list_is_said_by_every_public_function_before_anything_is_opened(
    name: str, function: Callable[..., Any], parameter: str
) -> None:
    given: tuple[Any, ...] = NEEDED.get(name, ("nothing.vhd",))
    with pytest.raises(vmrescue.UsageError, match=r": a list is expected, such as \['text'\], not 'text' itself$"):
        begun(function(*given, **{parameter: "text"}))


def begun(done: object) -> None:
    """A block is entered: before that it does nothing."""
    if isinstance(done, AbstractContextManager):
        done.__enter__()


def test_a_text_in_place_of_a_list_is_said_by_every_public_method(tmp_path: Path) -> None:
    from vmrescue.plan import RegistryData
    from vmrescue.registry import Hive
    from vmrescue.transaction import Transaction, must_be_editable, plan_of

    image = sample("gen2-healthy", tmp_path)
    diagnosis = vmrescue.diagnose(image, only=["bad-memory"])
    runbook = vmrescue.Runbook("lines.cmd", (), tmp_path)
    with Transaction(image, writable=False) as transaction:
        calls: list[Callable[[], object]] = [
            *(lambda each=each: each("text") for each in (diagnosis.plan, diagnosis.left_out, diagnosis.unmended)),
            *(lambda each=each: each(diagnosis, "text") for each in (must_be_editable, plan_of)),
            lambda: diagnosis.is_healthy(skip="text"),
            lambda: transaction.diagnosis(only="text"),
            lambda: Transaction(image, data_disks="text"),
            lambda: RegistryData.multi_sz("text"),  # type: ignore[arg-type]
            lambda: Hive(b"", logs=b"text"),  # type: ignore[arg-type]
            lambda: runbook.compile(None, repair_letters="text"),  # type: ignore[arg-type]
        ]
        for call in calls:
            with pytest.raises(vmrescue.UsageError, match=": a list is expected, such as"):
                call()
