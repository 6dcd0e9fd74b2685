r"""A key as reg.exe names it: ``HKLM\SYSTEM\Select``, ``HKEY_LOCAL_MACHINE\SYSTEM\Select``."""

from __future__ import annotations

from dataclasses import dataclass

from vmrescue.registry.reg_command import messages
from vmrescue.registry.reg_file import ROOTS


@dataclass(frozen=True)
class KeyName:
    """One of the registry's roots in full, and the names below it; `path` is empty for the root itself."""

    root: str
    path: str

    @classmethod
    def parse(cls, text: str) -> KeyName:
        """Raises UsageError where the text does not begin with a root, names a machine, or has an empty part."""
        root, _, path = text.removesuffix("\\").partition("\\")
        full = ROOTS.get(root.upper(), root.upper())
        if full not in ROOTS.values() or (path and "" in path.split("\\")):
            raise messages.invalid_key_name(text)
        return cls(full, path)

    @property
    def parts(self) -> list[str]:
        return self.path.split("\\") if self.path else []

    def below(self, path: str) -> KeyName:
        """The key at `path` below this one."""
        return KeyName(self.root, "\\".join(part for part in (self.path, path) if part))

    def __str__(self) -> str:
        return f"{self.root}\\{self.path}" if self.path else self.root
