"""Hive contents as .reg text, which hivexregedit merges into an empty hive: no line of ours writes the values."""

from __future__ import annotations

HEADER = "Windows Registry Editor Version 5.00\n"

# Values: int = DWORD, str = SZ, ("expand", str), ["multi", "sz"], bytes = BINARY
Value = int | str | tuple[str, str] | list[str] | bytes
Keys = dict[str, dict[str, Value]]


def reg_text(keys: Keys, root: str = "\\") -> str:
    """The keys, each with all keys above it, as a .reg document for `hivexregedit --merge`."""
    lines = [HEADER]
    for path in sorted(_with_parents(keys), key=lambda path: path.lower().split("\\")):
        lines.append(f"[{root}{path}]")
        lines += [f'"{_quoted(name)}"={_value(value)}' for name, value in keys.get(path, {}).items()]
        lines.append("")
    return "\n".join(lines) + "\n"


def _with_parents(keys: Keys) -> set[str]:
    found = set()
    for path in keys:
        parts = path.split("\\")
        found |= {"\\".join(parts[: count + 1]) for count in range(len(parts))}
    return found


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _value(value: Value) -> str:
    if isinstance(value, int):
        return f"dword:{value:08x}"
    if isinstance(value, str):
        return f"hex(1):{_hex(_utf16(value))}"
    if isinstance(value, tuple):
        return f"hex(2):{_hex(_utf16(value[1]))}"
    if isinstance(value, list):
        return f"hex(7):{_hex(b''.join(map(_utf16, value)) + bytes(2))}"
    return f"hex:{_hex(value)}"


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le") + bytes(2)


def _hex(raw: bytes) -> str:
    return ",".join(f"{byte:02x}" for byte in raw)
