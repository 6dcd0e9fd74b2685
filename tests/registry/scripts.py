"""Random edit scripts: the same steps are made in a hive and in a model of its content, a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from vmrescue.errors import UsageError
from vmrescue.registry import ValueType
from vmrescue.registry.value_type import encode
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.judges import Content
    from vmrescue.registry import Hive


class Step(NamedTuple):
    """One edit. `where` chooses among the keys or values that exist when the step is made."""

    deed: str
    where: int
    name: str
    type: int
    raw: bytes


# Few letters, so that names meet each other in another case; some that only one byte or only two can hold.
LETTERS = st.sampled_from("aAbBzZ09_ ~éÉßÿŸжЖ子\uffe0😀")
NAMES = st.text(LETTERS, min_size=1, max_size=6) | st.text(LETTERS, min_size=100, max_size=120)
SIZES = st.sampled_from([0, 1, 4, 5, 8, 60, 1000, 4000, 16_344, 16_345, 40_000, 1_000_000])
OPAQUE = [ValueType.NONE, ValueType.BINARY, ValueType.RESOURCE_LIST, 0x12345678]


def _bytes(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


DATA = st.one_of(
    st.tuples(st.sampled_from(OPAQUE), st.builds(_bytes, SIZES)),
    st.tuples(st.sampled_from([4, 5]), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(11), st.integers(0, 2**64 - 1)),
    st.tuples(st.sampled_from([1, 2, 6]), NAMES),
    st.tuples(st.just(7), st.lists(NAMES, max_size=4)),
).map(lambda data: (int(data[0]), encode(*data)))

DEEDS = st.sampled_from(["create", "create", "set", "set", "set", "delete value", "delete", "rename"])
STEPS = st.builds(lambda deed, where, name, data: Step(deed, where, name, *data), DEEDS, st.integers(0), NAMES, DATA)


def do(hive: Hive, content: Content, step: Step) -> None:
    """Makes a step in both; asserts that they agree on which steps fail."""
    paths = list(content)
    path = paths[step.where % len(paths)]
    match step.deed:
        case "create":
            _create(hive, content, path, step.name)
        case "delete" if path:
            hive.delete_key(path, recursive=True)
            for below in _below(content, path):
                del content[below]
        case "rename" if path:
            _rename(hive, content, path, step.name)
        case "set":
            hive.set_value(path, step.name, step.type, step.raw)
            there = _named(content[path], step.name)
            content[path][there if there is not None else step.name] = (step.type, step.raw)
        case "delete value" if content[path]:
            name = list(content[path])[step.where % len(content[path])]
            hive.delete_value(path, name.swapcase() if upper(name.swapcase()) == upper(name) else name)
            del content[path][name]


def _create(hive: Hive, content: Content, path: str, name: str) -> None:
    key = hive.create_key(f"{path}\\{name}" if path else name)
    if key.path not in content:
        content[key.path] = {}


def _rename(hive: Hive, content: Content, path: str, name: str) -> None:
    parent = path.rpartition("\\")[0]
    target = f"{parent}\\{name}" if parent else name
    there = _named(content, target)
    if there not in (None, path):
        try:
            hive.rename_key(path, name)
        except UsageError:
            return
        raise AssertionError(f"{path!r} was renamed to {name!r}, which is taken")
    hive.rename_key(path, name)
    for old in _below(content, path):
        content[target + old[len(path) :]] = content.pop(old)


def _below(content: Content, path: str) -> list[str]:
    return [key for key in content if key == path or key.startswith(f"{path}\\")]


def _named(found: Iterable[str], name: str) -> str | None:
    return next((other for other in found if upper(other) == upper(name)), None)
