r"""A key as reg.exe names it: ``HKLM\SYSTEM\Select``, ``HKEY_LOCAL_MACHINE\SYSTEM\Select``."""

from __future__ import annotations

from vmrescue.commands.reg import messages
from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError
from vmrescue.registry import path as key_path
from vmrescue.registry.reg_file import ROOTS

OF_HIVES = ("HKEY_LOCAL_MACHINE", "HKEY_USERS")  # the roots right below which hives are loaded


@dataclass(frozen=True)
class KeyName:
    """One of the registry's roots in full, and the path below it (`registry.path`), empty for the root itself."""

    root: str
    path: str

    @classmethod
    def parse(cls, text: str) -> KeyName:
        """Raises UsageError where the text does not begin with a root, names a machine, or has an empty part."""
        root, _, path = text.removesuffix("\\").partition("\\")
        full = ROOTS.get(root.upper(), root.upper())
        if full not in ROOTS.values():
            raise messages.invalid_key_name(text)
        try:
            return cls(full, key_path.spelled(path))
        except UsageError as error:
            raise messages.invalid_key_name(text) from error

    @property
    def holds_hives(self) -> bool:
        """Whether it is no key at all, but a root below which hives are: not so HKCR, which is a key of one of them."""
        return not self.path and self.root in OF_HIVES

    @property
    def parts(self) -> list[str]:
        return key_path.split(self.path)

    def below(self, path: str) -> KeyName:
        """The key at `path` below this one."""
        return KeyName(self.root, "\\".join(part for part in (self.path, path) if part))

    def subkey(self, name: str) -> KeyName:
        """The key of that name directly below this one."""
        return KeyName(self.root, key_path.below(self.path, name))

    def __str__(self) -> str:
        return f"{self.root}\\{self.path}" if self.path else self.root
