"""Facts know what they are in JSON and how they read: a report shows them by their kind, whatever they are called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import vmrescue
from vmrescue import Policy
from vmrescue.checks import facts
from vmrescue.checks.evidence import LONGEST_TEXT, MOST_ITEMS
from vmrescue.checks.fact import As, Bytes, Difference, Fact, Items, Sizes, Told
from vmrescue.checks.facts import BootElement, Extents, FileFact, KeySettings, Setting, Space
from vmrescue.plan import RegistryData
from vmrescue.report.text import diagnosis_text

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Lunch(Fact):
    """A kind of fact of which no report has ever heard; no key says that it is a size."""

    room: Annotated[int, Bytes("room", "room left")]
    bytes_of_poetry: Annotated[int, As("bytes_of_poetry")]
    courses: Annotated[tuple[int, ...], Items("courses", form="no. {}")]
    plates: Annotated[dict[str, int], Sizes("plates", "plates")]
    note: Annotated[str | None, As("note")] = None


def test_a_new_kind_of_fact_is_shown_by_what_its_fields_are_and_not_by_what_they_are_called(gen1_broken: Path) -> None:
    fact = Lunch(3 * MIB, 5, (1, 2), {"soup": 2 * MIB})
    diagnosis = vmrescue.diagnose(gen1_broken, only=["bad-memory"])
    shown = replace(diagnosis, findings=[replace(diagnosis.findings[0], facts=(fact,))])

    text = diagnosis_text(shown)

    for line in (
        "room left: 3145728 (3 MiB)",
        "bytes of poetry: 5",
        "courses: no. 1; no. 2",
        "plates: soup 2097152 (2 MiB)",
    ):
        assert f"          {line}\n" in text
    assert "note:" not in text
    plain = {"room": 3 * MIB, "bytes_of_poetry": 5, "courses": [1, 2], "plates": {"soup": 2 * MIB}, "note": None}
    assert shown.to_dict()["findings"][0]["evidence"] == plain


def test_settings_are_told_as_found_and_wanted() -> None:
    one, seven = RegistryData.dword(1), RegistryData.dword(7)
    assert Setting("SYSTEM", "Key", "Name", None, one).told()[-2:] == [
        Told("found", [["(absent)"]]),
        Told("wanted", [["REG_DWORD 1"]]),
    ]
    several = KeySettings("SYSTEM", "Key", (Difference("A", seven, one), Difference("B", None, one)))
    assert several.told()[-1] == Told(
        "values",
        [["A", "REG_DWORD 7", "REG_DWORD 1"], ["B", "(absent)", "REG_DWORD 1"]],
        ("value", "found", "wanted"),
    )
    assert BootElement("object", None, "ems", "0x1").told()[-1] == Told("wanted", [["(absent)"]])
    assert FileFact("C:\\pagefile.sys", None, None).told() == [Told("file", [["C:\\pagefile.sys"]])]


def test_no_two_facts_of_a_finding_have_the_same_key(gen1_broken: Path, gen2_broken: Path) -> None:
    policy = Policy(max_pieces=0, min_free=20 << 30)
    for image in (gen1_broken, gen2_broken):
        for finding in vmrescue.diagnose(image, policy).findings:
            keys = [key for fact in finding.facts for key in fact.to_dict()]
            assert len(keys) == len(set(keys)), finding.check
            assert keys == list(finding.evidence)


def test_every_kind_says_of_each_field_what_it_is() -> None:
    kinds = [
        kind for kind in vars(facts).values() if isinstance(kind, type) and issubclass(kind, Fact) and kind is not Fact
    ]
    assert {Setting, Space, Extents, FileFact} <= set(kinds)
    for kind in kinds:
        assert kind.__doc__
        assert all("Annotated[" in hint for hint in kind.__annotations__.values()), kind


def test_what_an_image_makes_long_is_cut_in_every_form(gen1_broken: Path) -> None:
    [finding] = vmrescue.diagnose(gen1_broken, only=["bad-memory"]).findings
    many = RegistryData.multi_sz(["x" * 100] * 5000)
    pieces = {f"file {number}": number for number in range(1000)}
    long = replace(
        finding,
        facts=(Setting("SYSTEM", "Key", "Name", many, None), Extents("C:", pieces, 1, 2, 3, 4, 5)),
    )
    told = long.told()
    assert max(len(cell) for each in told for row in each.rows for cell in row) < LONGEST_TEXT + 150
    assert max(len(each.rows) for each in told) <= MOST_ITEMS + 1
    assert any("SHA-256" in row[-1] for each in told for row in each.rows)
    assert len(str(long.evidence)) < 20_000
