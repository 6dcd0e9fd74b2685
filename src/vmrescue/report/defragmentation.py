"""How fragmented a volume is, and what a defragmentation did, as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.printable import printable
from vmrescue.report.fold import PAGE, terminal_width
from vmrescue.units import counted, plural, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.defrag.fragmentation import Fragmentation, Fragmented, FreeClass
    from vmrescue.report.free_map import FreeMap
    from vmrescue.transaction.defragmenting import Defragmented

COLUMNS, ROWS = 80, 16  # of a drawn map
SHADES = " \u2591\u2592\u2593\u2588"  # nothing in use, some, half, most, everything
SHOWN_LEFT = 10  # of what could not be moved; JSON has all


def fragmentation_text(
    name: str, found: Fragmentation, boot_files: list[Fragmented], free_map: FreeMap | None = None
) -> str:
    """A volume's state: files, free space, and a drawing of what is in use."""
    lines = [
        printable(f"{name}: NTFS, {size_text(found.size)}, clusters of {found.cluster_size} bytes"),
        "",
        (
            f"files and streams with clusters: {found.attributes}; of these in pieces: {found.fragmented}, with "
            f"{counted(found.fragments, 'piece')} more than needed"
        ),
    ]
    lines += _table("read when Windows starts (pieces, size):", boot_files)
    lines += _table("in the most pieces:", found.worst)
    lines += ["", f"{size_text(found.free)} free in {counted(found.free_extents, 'extent')}; {_largest(found)}"]
    lines += map(_class_line, found.free_classes)
    if free_map:
        lines += ["", *_map_lines(free_map)]
    return "\n".join(lines)


def _largest(found: Fragmentation) -> str:
    share = 100 * found.largest_free / found.free if found.free else 0
    return f"the largest has {size_text(found.largest_free)} ({share:.0f} % of it)"


def _table(title: str, rows: list[Fragmented]) -> Iterator[str]:
    if rows:
        yield from ("", title)
    for row in rows:
        fixed = f"  ({row.fixed})" if row.fixed else ""
        yield printable(f"  {row.pieces:>7}  {size_text(row.bytes):>9}  {row.path}{fixed}")


def _class_line(each: FreeClass) -> str:
    name = f"under {size_text(each.below)}" if each.below else "longer"
    return f"  {name:>13}  {each.extents:>9} {plural(each.extents, 'extent'):7}  {size_text(each.bytes):>9}"


def _map_lines(free_map: FreeMap) -> Iterator[str]:
    shades = "".join(_shade(share) for share in free_map.used)
    yield f"the volume, {size_text(free_map.unit)} in each place ({SHADES[-1]} all in use, blank: free):"
    width = min(COLUMNS, (terminal_width() or PAGE) - len("  ||"))
    for start in range(0, len(shades), width):
        yield f"  |{shades[start : start + width]:{width}}|"


def _shade(share: float) -> str:
    """Only what is wholly free is blank, and only what is wholly in use is full."""
    if share in (0, 1):
        return SHADES[-1 if share else 0]
    return SHADES[1 + min(2, int(share * 3))]


def defragmented_text(done: Defragmented) -> str:
    """For the person who has just had a volume defragmented, or who would."""
    verb = "were made" if done.committed else "would be made"
    lines = [
        f"{counted(done.moves, 'move')} of {size_text(done.bytes_moved)} in all {verb}"
        + (f", in {counted(done.commits, 'transaction')}." if done.committed else ".")
    ]
    before, after = done.before, done.after
    lines += [
        (
            f"before: {before.fragmented} in pieces ({before.fragments} too many); {size_text(before.free)} free in "
            f"{counted(before.free_extents, 'extent')}, {_largest(before)}"
        ),
        (
            f"after:  {after.fragmented} in pieces ({after.fragments} too many); {size_text(after.free)} free in "
            f"{counted(after.free_extents, 'extent')}, {_largest(after)}"
        ),
    ]
    if done.left:
        lines.append("still in pieces:")
        lines += [printable(f"  {each.pieces:>7}  {each.path}: {each.fixed}") for each in done.left[:SHOWN_LEFT]]
        if len(done.left) > SHOWN_LEFT:
            lines.append(f"  … and {len(done.left) - SHOWN_LEFT} more")
    lines += [f"note: {note}" for note in done.notes]
    if not done.committed:
        lines.append("Nothing was written.")
    return "\n".join(lines)
