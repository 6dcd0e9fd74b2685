"""What can go wrong with a hive beyond its bytes: a name that is not there, a log that cannot be replayed."""

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


class LinkError(RefusedError):
    """A symbolic link cannot be followed, so what a path means is not known.

    Args:
        link: the link's path in the hive.
        target: where it leads, as the kernel names it; None where it does not say.
        why: what is the matter with that place.
    """

    def __init__(self, link: str, target: str | None, why: str) -> None:
        self.link = link
        self.target = target
        super().__init__(
            f"the key {link!r} is a symbolic link without a target"
            if target is None
            else f"the key {link!r} is a symbolic link to {target!r}, which {why}"
        )


class RecoveryError(RefusedError):
    """A hive is dirty, and its transaction logs cannot mend it."""
