"""What the writing commands share: the store, its volumes, and how the words of a command name entries and elements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.bcd import objects
from vmrescue.bcd.elements import Format, element_by_name, format_of
from vmrescue.bcd.store import guid_of
from vmrescue.commands.bcdedit import messages
from vmrescue.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from vmrescue.bcd.store import BcdObject, Store
    from vmrescue.commands.bcdedit.volumes import Volumes


class Context:
    """One command on one store.

    Args:
        store: the store as it is.
        volumes: the volumes of its machine.
        new_guid: makes the GUID of a new entry.
    """

    def __init__(self, store: Store, volumes: Volumes, new_guid: Callable[[], UUID]) -> None:
        self.store = store
        self.volumes = volumes
        self.new_guid = new_guid
        self.notes: list[str] = []

    def guid(self, identifier: str) -> UUID:
        """The GUID that an identifier in braces means, whether or not the store has such an entry."""
        guid = guid_of(identifier) if identifier.startswith("{") else None
        if guid is None:
            raise messages.invalid_identifier(identifier)
        return self.object(identifier).guid if guid in (objects.DEFAULT, objects.CURRENT) else guid

    def object(self, identifier: str) -> BcdObject:
        """The entry with this identifier. ``{current}`` means the default one, and a note says so."""
        guid = guid_of(identifier) if identifier.startswith("{") else None
        if guid is None:
            raise messages.invalid_identifier(identifier)
        try:
            found = self.store.object(guid)
        except NotFoundError:
            raise messages.no_such_entry() from None
        if guid == objects.CURRENT:
            self.notes.append(f"{{current}} is the default entry, {objects.braced(found.guid)}: no Windows is running")
        return found

    def entry(self, words: Sequence[str]) -> tuple[BcdObject, list[str]]:
        """The entry that the first word names, ``{current}`` where it names none, and the words left."""
        if words[0].startswith("{"):
            return self.object(words[0]), list(words[1:])
        return self.object("{current}"), list(words)


def element_of(entry: BcdObject, name: str) -> tuple[int, Format]:
    """The id and format of the element that bcdedit calls `name` in this entry; ``custom:xxxxxxxx`` is any id.

    Raises:
        UsageError: the entry's type has no such element.
    """
    if custom := re.fullmatch(r"custom:([0-9a-f]{8})", name.lower()):
        identifier = int(custom[1], 16)
        value_format = format_of(identifier)
        if value_format is not None:
            return identifier, value_format
    element = element_by_name(entry.type, name) if name else None
    if element is None:
        raise messages.unknown_element()
    return element.id, element.format
