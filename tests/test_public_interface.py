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
ELSEWHERE = tuple(
    f"vmrescue.transaction.{each}" for each in ("mended", "must_be_editable", "plan_of")
)  # they are in the last test


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
    from vmrescue.transaction import Transaction, mended, must_be_editable, plan_of

    image = sample("gen2-healthy", tmp_path)
    diagnosis = vmrescue.diagnose(image, only=["bad-memory"])
    runbook = vmrescue.Runbook("lines.cmd", (), tmp_path)
    with Transaction(image, writable=False) as transaction:
        calls: list[Callable[[], object]] = [
            *(lambda each=each: each("text") for each in (diagnosis.plan, diagnosis.left_out, diagnosis.unmended)),
            *(lambda each=each: each(diagnosis, "text") for each in (must_be_editable, plan_of)),
            lambda: diagnosis.is_healthy(skip="text"),
            lambda: transaction.diagnosis(only="text"),
            lambda: mended(transaction, "text"),
            lambda: mended(transaction, skip="text"),
            lambda: Transaction(image, data_disks="text"),
            lambda: RegistryData.multi_sz("text"),  # type: ignore[arg-type]
            lambda: Hive(b"", logs=b"text"),  # type: ignore[arg-type]
            lambda: runbook.compile(repair_letters="text"),  # type: ignore[call-arg]
        ]
        for call in calls:
            with pytest.raises(vmrescue.UsageError, match=": a list is expected, such as"):
                call()


WRONG: tuple[tuple[str, tuple[Any, ...]], ...] = (  # what an annotation begins with, and what it does not take
    ("str | os.PathLike[str] | Iterable", (b"os.vhd", 5, None, [5], [b"os.vhd"])),
    ("str | os.PathLike", (b"os.vhd", 5, 1.5, [], ["os.vhd"], {})),
    ("Location", (b"os.vhd", 5, ["os.vhd"], {})),
    ("str | bytes", (5, {}, None)),
    ("str | None", (b"text", 5, True, [])),
    ("str", (b"text", 5, None, ["text"])),
    ("int | str", (2.5, b"2", [])),
    ("int", ("16G", 1.5, True, b"1", [])),
    ("float", ("5", True, [])),
    ("bool", (1, "no", None, "")),
    ("Collection[str]", ("text", b"text", 5, [5], {"x": 1}.items())),
    ("Sequence[str]", ("text", 5, [5], [None])),
    ("Iterable[str", ("text", 5, None, [5], [b"text"])),
    ("Iterable[Location]", ("text", 5, [5])),
    ("list[", ("text", 5, None, [object()])),
    ("tuple[", ("text", 5, ["text"])),
    ("Mapping[str, str]", ("text", [], {"name": 5}, {5: "value"})),
    ("Callable", ("text", 5, [])),
    ("Executor", (4, "tcp://host")),
    ("bytes | str", (5, {}, None)),
    ("bytes", ("text", 5, None)),
    ("OnProgress", (5, "text")),
    ("dict[str, Any]", ([], "text", None)),
    ("ImageStore", ("os.vhd", 5)),
    ("BlockDevice", ("os.vhd", 5)),
    ("Plan", ({}, "plan.json", [])),
    ("Policy", ({}, "azure")),
)
NOT_HELD = {"vmrescue.disk.check_range"}  # asked at each read
HELD = (  # the classes that a script makes, or whose methods it calls with more than nothing
    *("vmrescue.Diagnosis", "vmrescue.Plan", "vmrescue.Playbook", "vmrescue.Policy", "vmrescue.Runbook"),
    *(f"vmrescue.plan.{name}" for name in ("FileRef", "RegistryData", "SetValue", "DeleteFile", "PutFile", "Step")),
    *("vmrescue.transaction.Transaction", "vmrescue.disk.EditSession", "vmrescue.ntfs.NtfsVolume"),
    *("vmrescue.fat.FatVolume", "vmrescue.registry.Hive", "vmrescue.bcd.Store"),
)


def calls(name: str) -> Iterator[tuple[Callable[..., Any], bool]]:
    """What can be called of a public name: itself, and the methods of a class; and whether it wants a self."""
    thing = _thing(name)
    yield thing, False
    if not inspect.isclass(thing):
        return
    for method, member in vars(thing).items():
        if not method.startswith("_") and (inspect.isfunction(member) or isinstance(member, classmethod)):
            yield getattr(thing, method), inspect.isfunction(member)


def public_functions() -> list[str]:
    named = (f"{package}.{name}" for package in PACKAGES for name in public_names(package))
    return [name for name in named if name not in NOT_HELD and inspect.isfunction(_thing(name))]


def _thing(name: str) -> Any:
    package, _, last = name.rpartition(".")
    return getattr(importlib.import_module(package), last)


@pytest.mark.parametrize("name", [*public_functions(), *HELD])
def test_an_argument_of_the_wrong_type_is_said_by_its_name_before_anything_is_done(name: str) -> None:
    """With nothing but that argument: what else is missing is said later."""
    tried = 0
    for function, wants_self in calls(name):
        for parameter in inspect.signature(function).parameters.values():
            annotation = str(parameter.annotation)
            if parameter.kind is inspect.Parameter.VAR_KEYWORD or parameter.name == "self":
                continue
            wrong = next((wrong for begin, wrong in WRONG if annotation.startswith(begin)), ())
            for value in wrong:
                if value is None and annotation.endswith("| None"):
                    continue
                with pytest.raises(vmrescue.ArgumentError, match=rf"^{parameter.name}\b.*: .* is expected"):
                    begun(function(*([None] if wants_self else []), **{parameter.name: value}))
                tried += 1
    assert tried


SAID: dict[str, Callable[[], object]] = {
    "ram: a whole number or None is expected, not '16G'": lambda: vmrescue.Policy(ram="16G"),  # type: ignore[arg-type]
    "name: a text is expected, not 123": lambda: vmrescue.explain(0x7B),  # type: ignore[arg-type]
    "plan: a Plan or None is expected, not {}": lambda: vmrescue.repair("os.vhd", {}),  # type: ignore[arg-type]
    "data_disks, each of them: a text or a path is expected, not 5": lambda: vmrescue.diagnose(
        "os.vhd",
        data_disks=[5],  # type: ignore[list-item]
    ),
    "dry_run: True or False is expected, not 'no'": lambda: vmrescue.cleanup("os.vhd", dry_run="no"),  # type: ignore[arg-type]
    "paths, each of them: a text or a path is expected, not 1": lambda: list(vmrescue.scan(iter([1]))),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("said", SAID)
def test_what_is_said_of_an_argument(said: str) -> None:
    with pytest.raises(vmrescue.ArgumentError) as raised:
        SAID[said]()
    assert str(raised.value) == said


def test_a_keyword_that_there_is_not_is_an_error_of_ours_and_of_pythons() -> None:
    for kind in (TypeError, vmrescue.VmRescueError):
        with pytest.raises(kind, match="there is no argument 'dryrun'"):
            vmrescue.expand("os.vhd", 1 << 30, dryrun=True)  # type: ignore[call-arg]
