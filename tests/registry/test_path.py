"""A key's path as text: every list of names has exactly one spelling, on one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmrescue.errors import UsageError
from vmrescue.plan import change_from_dict
from vmrescue.registry.path import below, join, spelled, split


@pytest.mark.parametrize(
    ("names", "path"),
    [
        ([], ""),
        (["a", "b"], r"a\b"),
        (["RC4 128/128", " ", "{b}"], r"RC4 128/128\ \{b}"),
        (["a\\b"], r"a\\{5c}b"),
        (["a\n", "\0"], r"a\\{a}\\\{0}"),
        ([""], r"\\{}"),
        (["", "", "{5c}"], r"\\{}\\\{}\{5c}"),
        (["\udc00\ud800"], r"\\{dc00}\\{d800}"),
        (["子\U0001f600"], "子\U0001f600"),
    ],
)
def test_names_have_one_spelling(names: list[str], path: str) -> None:
    assert (join(names), split(path)) == (path, names)


@settings(max_examples=1000)
@given(st.lists(st.text(st.sampled_from("a\\{}5c/\n\0 \ud800\udc00é子"), max_size=8), max_size=4))
def test_any_names_are_read_again_from_their_path(names: list[str]) -> None:
    whole = [name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") for name in names]
    path = join(whole)
    assert split(path) == whole
    assert path.isprintable()
    for name in whole:
        assert split(below(path, name)) == [*whole, name]


@pytest.mark.parametrize("path", ["\\", "\\\\", "\\a", "a\\", r"a\\b", r"a\\{}" + "\\", r"\\{a}\\b", r"a\\{12345}"])
def test_a_path_in_which_a_name_is_missing_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="single backslashes"):
        split(path)


def test_a_name_may_be_escaped_needlessly_except_in_a_plan() -> None:
    assert spelled(r"\\{61}b\\{D83D}\\{de00}") == "ab\U0001f600"
    document = {"kind": "create-key", "file": {"disk": 0, "partition": 0, "path": "SYSTEM"}, "key": r"\\{61}b"}
    with pytest.raises(UsageError, match="its one spelling"):
        change_from_dict(document)
