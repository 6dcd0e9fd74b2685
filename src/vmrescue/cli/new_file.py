"""Writing a file that a command was asked for; in a dry run it is only said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmrescue.cli.terminal import say
from vmrescue.files import is_there
from vmrescue.image.exported import must_cost_no_disk, write_exported
from vmrescue.printable import printable
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vmrescue.cli.options import ApplyOptions


def write_unless_dry(
    path: Path, content: Iterable[bytes], image: str | os.PathLike[str], options: ApplyOptions
) -> bool:
    """As `write_exported`; in a dry run it only says what it would write. Returns whether it has written."""
    if not options.dry_run:
        write_exported(path, content, options.yes, image)
        return True
    if os.path.lexists(path) and not options.yes:
        raise is_there(path)
    must_cost_no_disk(path, image)
    if options.talkative:
        say(printable(f"{path}: {counted(sum(map(len, content)), 'byte')} would be written."))
        say("Nothing was written.")
    return False
