"""Generates ``docs/bcd.md`` from the declared tables: ``python -m vmrescue.bcd.document > docs/bcd.md``."""

from __future__ import annotations

from vmrescue.bcd.elements import ELEMENTS, ElementType, Scope
from vmrescue.bcd.objects import CURRENT, DEFAULT, WELL_KNOWN, braced

_HEAD = """\
# Boot configuration data

This page is generated from the tables in `src/vmrescue/bcd` (`python -m vmrescue.bcd.document > docs/bcd.md`).

A boot store is a registry hive. `Objects\\{guid}\\Description` has the object's type (a dword, `Type`), and
`Objects\\{guid}\\Elements\\xxxxxxxx` one element (a value, `Element`). The second digit of an element's id says the
format of its value:

| digit | format | registry type and bytes |
| --- | --- | --- |
| 1 | device | REG_BINARY: options GUID, then a device descriptor |
| 2 | string | REG_SZ |
| 3 | object | REG_SZ, a GUID in braces |
| 4 | object-list | REG_MULTI_SZ of GUIDs in braces |
| 5 | integer | REG_BINARY, 8 bytes, little-endian |
| 6 | boolean | REG_BINARY, 1 byte |
| 7 | integer-list | REG_BINARY, 8 bytes for each |

An element without a name is one that Microsoft publishes for programs, but bcdedit calls `custom:xxxxxxxx`. The same
goes for any id that is not in these tables.

## Well-known objects

| bcdedit | GUID | type | what it is |
| --- | --- | --- | --- |
"""


def markdown() -> str:
    """The whole page."""
    known = "".join(
        f"| {f'`{{{each.alias}}}`' if each.alias else ''} | `{braced(each.guid)}` | `{each.type.value:08x}` | "
        f"{each.title} |\n"
        for each in WELL_KNOWN
    )
    virtual = (
        f"\n`{{default}}` (`{braced(DEFAULT)}`) and `{{current}}` (`{braced(CURRENT)}`) are no objects:\n"
        "bcdedit puts the default entry, or the running one, in their place.\n"
    )
    return _HEAD + known + virtual + "".join(map(_section, Scope))


def _section(scope: Scope) -> str:
    rows = "".join(_row(each) for each in ELEMENTS if each.scope is scope)
    head = "| id | bcdedit | WMI | format | values |\n| --- | --- | --- | --- | --- |\n"
    return f"\n## Elements of {scope.value}\n\n{head}{rows}"


def _row(element: ElementType) -> str:
    name = f"`{element.name}`" if element.name else ""
    wmi = f"`{element.wmi}`" if element.wmi else ""
    values = ", ".join(f"{number} {text}" for number, text in enumerate(element.values))
    kind = element.format.name.lower().replace("_", "-")
    return f"| `{element.id:08x}` | {name} | {wmi} | {kind} | {values} |\n"


if __name__ == "__main__":
    print(markdown(), end="")
