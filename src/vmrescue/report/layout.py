"""A disk's layout drawn to scale in text, with a table of its volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.printable import printable
from vmrescue.report.fold import table, terminal_width
from vmrescue.report.text import headline
from vmrescue.units import size_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.diagnosis import Diagnosis
    from vmrescue.diagnosis.described import DiskFacts, VolumeFacts

BAR_WIDTH = 96
USED, FREE, UNKNOWN, NO_PARTITION = "#-?."
LEGEND = {USED: "in use", FREE: "free", UNKNOWN: "not known", NO_PARTITION: "no partition"}


def info_text(diagnosis: Diagnosis) -> str:
    """All that is known of an image: its disk, its Windows, its volumes."""
    disk = diagnosis.disk
    lines = [
        headline(diagnosis),
        "",
        *([*facts, ""] if (facts := _facts(diagnosis)) else []),
        printable(f"{_style(disk)}, {size_text(disk.size)}, {disk.sector_size}-byte sectors"),
        *_drawn([volume for volume in diagnosis.volumes if volume.disk == 0], disk.size),
        "",
        *(volume_table(diagnosis.volumes) if diagnosis.volumes else ["no volumes"]),
    ]
    return "\n".join([*lines, *(f"note: {printable(warning)}" for warning in diagnosis.warnings)])


def _style(disk: DiskFacts) -> str:
    return "no partition table" if disk.style == "none" else f"{disk.style} disk {disk.id}"


def _facts(diagnosis: Diagnosis) -> list[str]:
    facts = windows_facts(diagnosis, mark_current=False)
    current = diagnosis.windows.current_control_set if diagnosis.windows else None
    return [printable(f"{name:12}  {value}") for name, value in (*facts, ("current", current)) if value]


def windows_facts(diagnosis: Diagnosis, mark_current: bool) -> list[tuple[str, str | int | None]]:
    """What is known of the Windows, by name; None for what is not.

    Args:
        mark_current: whether the control set in use is marked in the list of all.
    """
    windows = diagnosis.windows
    if windows is None:
        elsewhere = "on an encrypted volume" if diagnosis.locked and diagnosis.stores else None
        return [("generation", diagnosis.generation), *_stores(diagnosis), ("Windows", elsewhere), *_systems(diagnosis)]
    marks = {windows.current_control_set: " (in use)"} if mark_current else {}
    return [
        ("product", windows.product),
        ("edition", windows.edition),
        ("version", windows.version),
        ("build", windows.build),
        ("computer", windows.computer_name),
        ("generation", diagnosis.generation),
        *_stores(diagnosis),
        ("Windows", f"\\{windows.root} on partition {windows.os_volume}"),
        *_systems(diagnosis),
        ("control sets", ", ".join(f"{name}{marks.get(name, '')}" for name in windows.control_sets)),
    ]


def _stores(diagnosis: Diagnosis) -> list[tuple[str, str | int | None]]:
    """A line for each boot store, marked where there are several."""
    several = len(diagnosis.stores) > 1
    rows: list[tuple[str, str | int | None]] = []
    for store in diagnosis.stores:
        mark = (" (boots)" if store.boots else " (may boot)" if store.may_boot else "") if several else ""
        rows.append(("boot store", f"\\{store.path} on partition {store.partition}{mark}{_damaged(store.fault)}"))
    return rows


def _systems(diagnosis: Diagnosis) -> list[tuple[str, str | int | None]]:
    """A line for each Windows that does not boot, and for each loader where there are several."""
    rows: list[tuple[str, str | int | None]] = [
        ("another", f"\\{each.root} on {_place(each.disk, each.partition)}{_damaged(each.fault)}")
        for each in diagnosis.systems
        if not each.boots
    ]
    for loader in diagnosis.loaders if len(diagnosis.loaders) > 1 else ():
        place = "a volume not at hand" if loader.partition is None else _place(loader.disk or 0, loader.partition)
        default = ", the default" if loader.default else ""
        rows.append(("loader", f"{loader.description or loader.entry} (\\{loader.root or '?'} on {place}{default})"))
    return rows


def _place(disk: int, partition: int) -> str:
    return f"partition {partition}" + (f" of data disk {disk}" if disk else "")


def _damaged(fault: str | None) -> str:
    return ", which cannot be read" if fault else ""


def _drawn(volumes: list[VolumeFacts], size: int) -> list[str]:
    """The bar, and what its signs mean."""
    width = terminal_width()
    drawn = bar(volumes, size, BAR_WIDTH if width is None else min(BAR_WIDTH, width - 2))
    return [drawn, "   ".join(f"{sign} {what}" for sign, what in LEGEND.items() if sign in drawn)]


def bar(volumes: Iterable[VolumeFacts], size: int, width: int = BAR_WIDTH) -> str:
    """``[|1##-|2#####-----..]``: each partition's share of `size` bytes, at least wide enough for its number.

    What is in use is drawn first, wherever on the volume it lies.
    """
    cells = [NO_PARTITION] * width
    for volume in sorted(volumes, key=lambda volume: volume.start):
        first = volume.start * width // size
        last = max(first + 2, (volume.start + volume.size) * width // size)
        label = f"|{volume.partition}"
        drawn = (label + _shares(volume, max(0, last - first - len(label))))[: max(len(label), last - first)]
        cells[first : first + len(drawn)] = drawn
    return "[" + "".join(cells)[:width] + "]"


def _shares(volume: VolumeFacts, width: int) -> str:
    """Used and free parts of a volume; neither is hidden where there is any."""
    if volume.free is None:
        return UNKNOWN * width
    free = min(max(round(volume.free * width / volume.size), volume.free > 0), width)
    return USED * (width - free) + FREE * free


def volume_table(volumes: Iterable[VolumeFacts]) -> list[str]:
    """A row for each volume; sizes in binary units."""
    rows = [("disk", "part", "letter", "role", "file system", "label", "size", "free", "cluster")]
    for volume in volumes:
        active = ", active" if volume.active else ""
        rows.append(
            (
                str(volume.disk),
                str(volume.partition),
                volume.letter or "-",
                f"{volume.role}{active}",
                volume.file_system or "-",
                printable(volume.label or volume.name or "-"),
                size_text(volume.size),
                "-" if volume.free is None else size_text(volume.free),
                "-" if volume.cluster_size is None else str(volume.cluster_size),
            )
        )
    return table(rows)
