r"""A registry of one hive: the file is known, so the name that it is given below a root is taken as it comes.

``HKLM\BROKENSYSTEM\Select`` is the key Select of the file, as if it had been loaded under that name; so is
``HKLM\SYSTEM\Select``. ``HKCU`` is the root key of the hive itself, as for a user's NTUSER.DAT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.commands.reg.current_control_set import through_select_in
from vmrescue.commands.reg.key_name import OF_HIVES
from vmrescue.errors import UsageError
from vmrescue.registry import path as key_path

if TYPE_CHECKING:
    from vmrescue.commands.reg.key_name import KeyName
    from vmrescue.registry.hive import Hive


class OneHive:
    """Satisfies `Registry` with a single hive; `name` is what a listing of a root shows for it."""

    def __init__(self, hive: Hive, name: str) -> None:
        self._hive = hive
        self._name = name

    def locate(self, name: KeyName, view: int) -> tuple[Hive, str]:
        return self._hive, self.path(name)

    def notes(self) -> list[str]:
        """What is to be said of the hive."""
        return self._hive.notes()

    def path(self, name: KeyName) -> str:
        """The path in the hive of the key so called."""
        if name.root == "HKEY_CURRENT_USER":
            return name.path
        if name.root not in OF_HIVES or not name.path:
            raise UsageError(f"{name} is no key of a hive file: name it HKLM\\{self._name}\\… or HKU\\{self._name}\\…")
        return through_select_in(self._hive, key_path.join(name.parts[1:]))

    def hives(self, root: str) -> list[str]:
        return [self._name] if root in OF_HIVES else []
