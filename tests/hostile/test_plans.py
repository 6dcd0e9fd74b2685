"""A plan that somebody else made says only what the schema declares, about the image that it was made for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hostile.disks import small_image
from plan.test_plan import PLAN
from support.images import fingerprint
from vmrescue.diagnosis import diagnose
from vmrescue.errors import RefusedError, UsageError
from vmrescue.plan import Plan
from vmrescue.plan.schema import LARGEST_DOCUMENT
from vmrescue.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PLAN.to_json())
    return found


def change(plan: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = plan["steps"][number]["change"]
    return found


ODD: list[Callable[[dict[str, Any]], object]] = [
    lambda plan: plan.update(surprise=1),
    lambda plan: plan["image"].update(path="/dev/sda"),
    lambda plan: plan["image"].update(size="12"),
    lambda plan: plan["image"].update(size=-1),
    lambda plan: plan["image"].update(disk_id=["12345678"]),
    lambda plan: plan["steps"][0].update(check=7),
    lambda plan: plan["steps"][0].update(shell="rm -rf /"),
    lambda plan: plan.update(steps={"0": plan["steps"][0]}),
    lambda plan: change(plan).update(kind=["set-value"]),
    lambda plan: change(plan)["file"].update(host="/etc/shadow"),
    lambda plan: change(plan)["file"].update(disk=1 << 70),
    lambda plan: change(plan)["file"].update(partition=1.0),
    lambda plan: change(plan).update(key="a\\\\b"),
    lambda plan: change(plan).update(key="\\".join("a" * 600)),
    lambda plan: change(plan).update(key="a" * 40_000),
    lambda plan: change(plan)["after"].update(type="0xfffffffff"),
    lambda plan: change(plan)["after"].update(type="-0x1"),
    lambda plan: change(plan)["after"].update(hex="00"),
    lambda plan: change(plan)["after"].update(data=1 << 32),
    lambda plan: change(plan, 6).update(size=1 << 64),
    lambda plan: change(plan, 6).update(size=10**4000),
    lambda plan: change(plan, 7).update(data="not base64!"),
    lambda plan: change(plan, 7).update(data=[1, 2]),
]


@pytest.mark.parametrize("edit", ODD)
def test_what_the_schema_does_not_declare_is_refused(edit: Callable[[dict[str, Any]], object]) -> None:
    plan = document()
    assert Plan.from_json(json.dumps(plan)) == PLAN

    edit(plan)

    with pytest.raises(UsageError) as refused:
        Plan.from_json(json.dumps(plan))
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "path",
    [
        "..\\..\\etc\\shadow", "Windows\\..\\..\\x", "/etc/shadow", "Windows/../x", "\\Windows\\x", "\\\\server\\share",
        "C:\\Windows\\x", "Windows\\x:stream", "\\??\\C:\\x", "a\\\\b", "a\\.", "a\0b", "a\nb", "a*",
        "b?", "x" * 40_000,
    ],
)  # fmt: skip
def test_a_path_leads_from_the_volumes_root_down_or_is_refused(path: str) -> None:
    plan = document()

    change(plan, 6)["file"]["path"] = path

    with pytest.raises(UsageError, match=r"a path .* was expected"):
        Plan.from_json(json.dumps(plan))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000, "not a plan"),
        ('{"schema":' * 50_000, "not a plan"),
        ('{"schema": NaN}', "NaN"),
        ('{"schema": "vmrescue.plan/1", "schema": "vmrescue.plan/1"}', "given twice"),
        ("7", "not a plan"),
        ("null", "not a plan"),
        (b'{"schema": "\x80"}', "no text"),
        (b" " * (LARGEST_DOCUMENT + 1), f"at most {LARGEST_DOCUMENT} bytes"),
    ],
    ids=["deep list", "deep object", "no number", "a field twice", "a number", "null", "no text", "too long"],
)
def test_text_made_to_break_its_reader_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Plan.from_json(text)


@pytest.mark.parametrize(
    "edit",
    [
        lambda plan: plan["image"].update(size=plan["image"]["size"] + 512),
        lambda plan: plan["image"].update(disk_id="00000000"),
        lambda plan: change(plan)["file"].update(disk=1),
        lambda plan: change(plan)["file"].update(partition=2),
    ],
    ids=["another size", "another disk", "a disk that is not given", "a partition that is not there"],
)
def test_a_plan_for_another_image_is_refused_and_the_image_untouched(
    edit: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    image = small_image(tmp_path)
    before = fingerprint(image)
    plan = json.loads(diagnose(image).plan().to_json())
    with Transaction(image) as transaction:
        assert transaction.apply(Plan.from_json(json.dumps(plan))).written

    edit(plan)

    with Transaction(image) as transaction, pytest.raises(RefusedError):
        transaction.commit(transaction.apply(Plan.from_json(json.dumps(plan))))
    assert fingerprint(image) == before
