"""The standard library's `dataclass`, for a program that is started often.

It makes the same class: the same fields, signature, equality, hash and text. The standard library compiles up to six
methods of each class when a module is imported, 0.7 ms for a class, and a command imports a hundred and more. Here
`__init__` is compiled when it is first looked at, and nothing else is compiled at all.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from reprlib import recursive_repr
from types import MethodType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


class _Factory:
    """Stands in a signature for a default that is made for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


class Initializer:
    """Stands in a class for its `__init__`, until that is looked at. `around`: what that is then wrapped in."""

    def __init__(self, owner: type[Any], frozen: bool) -> None:
        self._owner, self._frozen = owner, frozen
        self.around: Callable[[Callable[..., None]], Callable[..., None]] = lambda made: made

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Callable[..., None]:
        made = self.around(_compiled(self._owner, self._frozen))
        self._owner.__init__ = made
        return made if instance is None else MethodType(made, instance)


def _compiled(owner: type[Any], frozen: bool) -> Callable[..., None]:
    """The `__init__` of a dataclass: sets its fields, then calls `__post_init__` if there is one."""
    names: dict[str, Any] = {"_FACTORY": _FACTORY, "_set": object.__setattr__}
    parameters, lines = ["self"], []
    for field in dataclasses.fields(owner):
        parameter = value = field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{field.name}"] = field.default_factory
            parameter = f"{field.name}=_FACTORY"
            value = f"_make_{field.name}() if {field.name} is _FACTORY else {field.name}"
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{field.name}"] = field.default
            parameter = f"{field.name}=_default_{field.name}"
        parameters.append(parameter)
        lines.append(f"_set(self, {field.name!r}, {value})" if frozen else f"self.{field.name} = {value}")
    lines.append("self.__post_init__()" if hasattr(owner, "__post_init__") else "return None")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), names)
    made: Callable[..., None] = names["__init__"]
    made.__annotations__ = {field.name: field.type for field in dataclasses.fields(owner)} | {"return": None}
    made.__module__, made.__qualname__ = owner.__module__, f"{owner.__qualname__}.__init__"
    return made


@recursive_repr()
def _text(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _not_set(self: object, name: str, value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _not_deleted(self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _compared(owner: type[Any]) -> dict[str, Any]:
    """`__eq__` and `__hash__` by the fields that are compared."""
    names = [field.name for field in dataclasses.fields(owner) if field.compare]
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: object) -> bool:
        return bool(values(self) == values(other)) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": hashed}


@dataclasses.dataclass
class _Open:
    pass


@dataclasses.dataclass(frozen=True)
class _Frozen:
    pass


def _made(owner: type[Any], frozen: bool) -> type[Any]:
    # Only the standard library may say that a class with a frozen base is frozen, and compiles two methods for it.
    below = frozen and any(dataclasses.is_dataclass(base) for base in owner.__bases__)
    own = set(vars(owner))
    owner = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=below)(owner)
    methods = {"__init__": Initializer(owner, frozen), "__repr__": _text, **_compared(owner)}
    if frozen:
        methods |= {"__setattr__": _not_set, "__delattr__": _not_deleted}
    else:
        methods["__hash__"] = None  # as of all that can change
    for name, method in methods.items():
        if name not in own:
            setattr(owner, name, method)
    alike: Any = _Frozen if frozen else _Open
    owner.__dataclass_params__ = alike.__dataclass_params__
    return owner


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(owner=None, /, *, frozen=False):
        """Makes a class a dataclass."""
        return _made(owner, frozen) if owner else lambda owner: _made(owner, frozen)
