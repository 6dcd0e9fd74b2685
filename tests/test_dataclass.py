"""`vmrescue.dataclass` makes what the standard library's `dataclass` makes of the same class."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from typing import Any

import pytest

import vmrescue
from vmrescue.dataclass import dataclass

DECORATORS = (dataclass, dataclasses.dataclass)


def of_both(**options: bool) -> list[type[Any]]:
    """The same class by ours and by the standard library's, with fields of all sorts."""

    def make(decorator: Any) -> type[Any]:
        @decorator(**options)
        class Named:
            name: str
            set: int = 3
            seen: list[int] = dataclasses.field(default_factory=list, compare=False)
            secret: str = dataclasses.field(default="x", repr=False)

            def __post_init__(self) -> None:
                if not self.name:
                    raise ValueError("no name")

        return Named

    return [make(decorator) for decorator in DECORATORS]


def all_of_ours() -> list[type[Any]]:
    """Every dataclass of the package."""
    modules = [importlib.import_module(each.name) for each in pkgutil.walk_packages(vmrescue.__path__, "vmrescue.")]
    return [
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__ and dataclasses.is_dataclass(each)
    ]


def as_the_library_makes_it(ours: type[Any]) -> type[Any]:
    """The same class again: its own fields and methods, under its own bases, by the standard library."""
    made = ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__dict__", "__weakref__")
    body = {name: value for name, value in vars(ours).items() if name not in made and "dataclass" not in name}
    own = inspect.get_annotations(ours)
    body |= {name: dataclasses.field(**_options(ours.__dataclass_fields__[name])) for name in own}
    frozen = ours.__dataclass_params__.frozen
    return dataclasses.dataclass(frozen=frozen)(type(ours.__name__, ours.__bases__, body))


def _options(field: dataclasses.Field[Any]) -> dict[str, Any]:
    return {name: getattr(field, name) for name in ("default", "default_factory", "repr", "compare", "init", "hash")}


@pytest.mark.parametrize("frozen", [True, False])
def test_objects_are_equal_hashed_shown_and_kept_as_the_librarys_are(frozen: bool) -> None:
    answers = []
    for kind in of_both(frozen=frozen):
        one = kind("a")
        same = kind(name="a", set=3, seen=[1])
        said = [one == same, one == kind("b"), one != same, one == ("a", 3, [], "x"), repr(same), one.seen is same.seen]
        said += [dataclasses.asdict(same), dataclasses.replace(same, name="c").name, str(inspect.signature(kind))]
        said += [kind.__match_args__, str(kind.__dataclass_params__), inspect.get_annotations(kind.__init__)]
        said.append(hash(one) == hash(same) if frozen else kind.__hash__)
        for act in (lambda one=one: setattr(one, "set", 4), lambda one=one: delattr(one, "set"), lambda: kind("")):  # noqa: B023
            try:
                act()
            except (ValueError, dataclasses.FrozenInstanceError) as error:
                said.append(repr(error))
        answers.append([str(each) for each in said])
    assert answers[0] == answers[1]


def test_an_argument_that_is_missing_or_unknown_is_refused_in_the_same_words() -> None:
    for arguments in ({}, {"name": "a", "other": 1}):
        said = []
        for kind in of_both(frozen=True):
            with pytest.raises(TypeError) as caught:
                kind(**arguments)
            said.append(str(caught.value))
        assert said[0] == said[1]


def test_methods_that_a_class_has_itself_stay_and_a_class_may_be_derived_by_either() -> None:
    @dataclass(frozen=True)
    class Base:
        number: int

        def __repr__(self) -> str:
            return "mine"

    for decorator in DECORATORS:
        derived: Any = decorator(frozen=True)(type("Derived", (Base,), {"__annotations__": {"more": "int"}, "more": 2}))
        assert str(inspect.signature(derived)) == "(number: 'int', more: 'int' = 2) -> None"
        assert (derived(1), derived(1) == derived(1, 2), derived(1) == Base(1)) == (derived(1, 2), True, False)
        with pytest.raises(dataclasses.FrozenInstanceError):
            derived(1).more = 3
    assert repr(Base(1)) == "mine"
    assert repr(derived(1)) == "Derived(number=1, more=2)"


def test_every_dataclass_of_ours_has_the_signature_and_the_fields_that_the_library_would_give_it() -> None:
    kinds = all_of_ours()
    assert len(kinds) > 200
    for kind in kinds:
        library = as_the_library_makes_it(kind)
        assert str(inspect.signature(kind)) == str(inspect.signature(library)), kind
        assert kind.__match_args__ == library.__match_args__, kind
        assert str(kind.__dataclass_params__) == str(library.__dataclass_params__), kind
        assert [str(each) for each in dataclasses.fields(kind)] == [str(each) for each in dataclasses.fields(library)]


def test_an_object_is_pickled_and_copied() -> None:
    kind = vmrescue.Policy
    assert pickle.loads(pickle.dumps(kind())) == kind()
