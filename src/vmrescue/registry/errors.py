"""Errors of hives besides damaged bytes: a key or value that is missing, a log that cannot be replayed."""

from __future__ import annotations

from vmrescue.errors import NotFoundError, RefusedError


class KeyNotFound(NotFoundError):  # noqa: N818 - the public name
    """A part of a path names no key."""

    def __init__(self, part: str, parent: str) -> None:
        self.part = part
        self.parent = parent
        super().__init__(f"no key {part!r} in {parent or 'the root key'}")


class ValueNotFound(NotFoundError):  # noqa: N818 - the public name
    """A key has no value of that name."""

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.key = key
        super().__init__(f"no value {name or '(default)'!r} in {key or 'the root key'}")


class RecoveryError(RefusedError):
    """A hive is dirty, and its transaction logs cannot be replayed."""
