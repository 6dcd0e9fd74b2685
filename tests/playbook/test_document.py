"""A playbook's document: what is in its schema is read, anything else is an error that says where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.playbook_tables import schema_markdown
from vmrescue import Playbook
from vmrescue.digests import sha256
from vmrescue.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs"
START = "schema: vmrescue.playbook/1\nname: n\nmatch: {services: [a]}\n"
END = "services: [{disable: a}]\n"
PATH = "'%SystemRoot%\\a'"


def test_the_page_shows_the_schema_and_its_examples_are_playbooks() -> None:
    page = (DOCS / "playbooks.md").read_text()
    made = page.endswith(f"## The schema\n\n{schema_markdown()}")
    assert made, "run: PYTHONPATH=tests python -m support.playbook_tables"
    examples = sorted((DOCS / "playbooks").glob("*.yaml"))
    assert [each.name for each in examples] == ["channel-file.yaml", "filter-driver.yaml"]
    assert examples[0].read_text() in page
    for each in examples:
        playbook = Playbook.load(each)
        assert (playbook.id.name, playbook.id.sha256) == (each.stem, sha256([each.read_bytes()]))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "the document is empty"),
        ("a: [", "line 1, column 5: not YAML"),
        ("a: \x01", "not YAML"),
        ('a: "\\U00ffffff"', "not YAML"),
        ('a: "\\ud800"', "line 1, column 4: half a character"),
        (f"{START}{END}---\na: 1\n", "line 5, column 1: a second document"),
        (f"{START}services: &x [{{disable: a}}]\n", "line 4, column 11: references"),
        (f"{START}services: !!python/object/apply:os.system [x]\n", "line 4, column 11: tags"),
        (f"{START}{END}name: m\n", "line 5, column 1: the field 'name' is given twice, first in line 2"),
        ("[" * 5000, "line 1, column 9: at most"),
        ("a: " + "x" * 300_000, "at most 262144 bytes"),
        ("- a", "line 1, column 1: the fields of playbook"),
        (f"{START}", "line 1, column 1: a playbook has at least one of"),
        (f"{END}", "needs schema, name, match"),
        (f"{START}{END}shell: rm\n", "line 5, column 8: playbook has no field 'shell'"),
        (f"{START.replace('/1', '/2')}{END}", "line 1, column 9: the schema"),
        (f"{START.replace('{services: [a]}', '{}')}{END}", "line 3, column 8: match needs at least one field"),
        (f"{START}services: []\n", "a list of 1 to 64"),
        (f"{START}services: [{{disable: 7}}]\n", "line 4, column 22: a service's key"),
        (f"{START}services: [{{disable: 'a\\\\b'}}]\n", "a service's key"),
        (f"{START}files: [{{remove: 'C:\\Windows\\a'}}]\n", "a path that begins with %SystemRoot%"),
        (f"{START}files: [{{remove: '%SystemRoot%\\..\\..\\a'}}]\n", "a path that begins"),
        (f"{START}files: [{{remove: '%SystemRoot%\\*\\a'}}]\n", "a path that begins"),
        (f"{START}files: [{{remove: '%SystemRoot%\\a:b'}}]\n", "a path that begins"),
        (f"{START}files: [{{remove: '%SystemRoot%'}}]\n", "a path that begins"),
        (f"{START}files: [{{remove: {PATH}, at-most: 257}}]\n", "a number from 1 to 256"),
        (f"{START}files: [{{remove: {PATH}, at-most: 010}}]\n", "a number from 1 to 256"),
        (f"{START}files: [{{remove: {PATH}, rename: {PATH}, to: b}}]\n", "either remove or rename"),
        (f"{START}files: [{{rename: '%SystemRoot%\\a*', to: b}}]\n", "one file is renamed"),
        (f"{START}files: [{{rename: {PATH}, to: 'b\\c'}}]\n", "a file's name"),
        (f"{START}values: [{{hive: SAM, key: a, delete: b}}]\n", "a hive (SYSTEM, SOFTWARE)"),
        (f"{START}values: [{{hive: SYSTEM, key: a, set: b, type: REG_DWORD, data: x}}]\n", "a REG_DWORD cannot hold"),
        (f"{START}values: [{{hive: SYSTEM, key: a, set: b, type: REG_BINARY, data: xy}}]\n", "hexadecimal"),
        (f"{START}values: [{{hive: SYSTEM, key: a, set: b}}]\n", "set needs type and data"),
        (f"{START}elements: [{{object: bootmgr, delete: a}}]\n", "an object of the boot store"),
        (f"{START}elements: [{{object: '{{a}}', set: a, to: /remove}}]\n", "a word that is no switch"),
    ],
)
def test_what_is_not_in_the_schema_is_refused_by_line_and_column(document: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Playbook.from_yaml(document)
    assert said in str(refused.value)
    assert str(refused.value).startswith("not a playbook: ")
    assert len(str(refused.value)) < 500


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: (START + text).encode("utf-8", "replace")))
def test_nothing_else_than_a_usage_error_comes_of_any_bytes(document: bytes) -> None:
    try:
        playbook = Playbook.from_yaml(document)
    except UsageError:
        return
    assert playbook.rules.name == "n"
