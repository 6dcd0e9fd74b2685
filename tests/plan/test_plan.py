"""A plan survives its journey through JSON, and a document that is not a plan is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmrescue.checks import Policy
from vmrescue.errors import UsageError
from vmrescue.plan import (
    Change,
    CreateKey,
    DeleteFile,
    DeleteKey,
    DeleteValue,
    FileRef,
    ImageIdentity,
    MakeFolder,
    Plan,
    PutFile,
    RegistryData,
    RenameFile,
    ReplayLog,
    SetAttributes,
    SetValue,
    Step,
)
from vmrescue.schemas.documents import PlanPolicy

SYSTEM = FileRef(0, 3, r"Windows\System32\config\SYSTEM")
DWORD = RegistryData.dword(1)
CHANGES: list[Change] = [
    SetValue(SYSTEM, r"ControlSet001\Control\CrashControl", "NMICrashDump", None, DWORD),
    SetValue(SYSTEM, "A", "é", RegistryData.binary(b"\x00\xff"), RegistryData.multi_sz(["one", "two"])),
    DeleteValue(SYSTEM, "A", "b", RegistryData.sz("text")),
    CreateKey(SYSTEM, r"A\B"),
    DeleteKey(SYSTEM, r"A\B", {"Element": RegistryData.binary(bytes(16)), "": RegistryData(0x1234, b"x")}),
    ReplayLog(SYSTEM, "the sequence numbers differ"),
    DeleteFile(FileRef(1, 2, "pagefile.sys"), 4 << 30),
    PutFile(FileRef(0, 2, r"Temp\new"), None, bytes(range(256))),
    PutFile(FileRef(0, 2, r"Temp\old"), "00" * 32, b""),
    RenameFile(FileRef(0, 2, r"Temp\old"), "00" * 32, "new"),
    MakeFolder(FileRef(0, 2, r"Temp\folder")),
    SetAttributes(FileRef(0, 2, r"Temp\folder"), 1, 6),
]
PLAN = Plan(ImageIdentity(127 << 30, "12345678"), tuple(Step("crash-dump", "why", change) for change in CHANGES))


def test_every_kind_of_change_comes_back_from_json_as_it_was() -> None:
    assert Plan.from_json(PLAN.to_json()) == PLAN


def test_what_counted_as_right_comes_back_from_json() -> None:
    policy = Policy(temp_drive=None, ram=16 << 30, boot_menu=True)
    assert policy.said == {"temp_drive": None, "ram": 16 << 30, "boot_menu": True}
    plan = Plan.from_json(replace(PLAN, policy=policy.said).to_json())
    assert Policy.of(plan.policy) == policy
    assert "policy" not in PLAN.to_dict()
    assert {*PlanPolicy.__annotations__} == {each.name for each in fields(Policy)}  # as the schema has it
    with pytest.raises(UsageError, match="a policy has no 'colour'; it has boot_menu, dump_file, "):
        Policy.of({"colour": "red"})


@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=40))
def test_no_registry_bytes_are_altered_by_the_readable_spelling(number: int, raw: bytes) -> None:
    value = RegistryData(number, raw)
    assert RegistryData.from_dict(json.loads(json.dumps(value.to_dict()))) == value


def test_common_values_are_spelled_readably() -> None:
    assert RegistryData.dword(7).to_dict() == {"type": "REG_DWORD", "data": 7}
    assert RegistryData.multi_sz([r"D:\pagefile.sys 0 0"]).to_dict()["data"] == [r"D:\pagefile.sys 0 0"]
    assert RegistryData.expand_sz("%SystemRoot%").raw == "%SystemRoot%\0".encode("utf-16-le")


@pytest.mark.parametrize(
    "edit",
    [
        lambda plan: plan.update(schema="vmrescue.plan/2"),
        lambda plan: plan["steps"][0]["change"].update(kind="format-disk"),
        lambda plan: plan["steps"][0]["change"].update(surprise=1),
        lambda plan: plan["steps"][0]["change"].pop("key"),
        lambda plan: plan["steps"][0]["change"]["after"].update(data="not a number"),
        lambda plan: plan["steps"][0]["change"]["file"].pop("path"),
        lambda plan: plan.pop("image"),
        lambda plan: plan.update(steps=7),
        lambda plan: plan.update(policy=["D:"]),
        lambda plan: plan.update(policy={"ram": 1.5}),
        lambda plan: plan.update(policy={"temp_drive": {}}),
    ],
)
def test_a_document_of_another_shape_is_refused(edit: object) -> None:
    document = PLAN.to_dict()
    document = json.loads(json.dumps(document))
    edit(document)  # type: ignore[operator]
    with pytest.raises(UsageError):
        Plan.from_json(json.dumps(document))


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(UsageError, match="not a plan"):
        Plan.from_json("{")
