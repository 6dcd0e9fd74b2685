"""The page on security tells the truth: every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fuzz.regressions import FOLDER, regressions
from fuzz.rooms import PARSERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_threat_has_an_answer_and_a_test_that_exists() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "| --- |" not in line]
    threats = [row for row in rows if row.count("|") == 4 and not row.startswith("| what is tried |")]
    assert len(threats) > 20
    for row in threats:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for path, name in named:
            assert name in functions_of(ROOT / path), f"{path}::{name}"


def test_every_kept_input_is_listed_with_its_parser_and_a_sentence() -> None:
    listed = regressions()
    assert {path.stem for path in FOLDER.glob("*.xz")} == {each.name for each in listed}
    for each in listed:
        assert each.parser in PARSERS
        assert each.sentence.endswith(".")
