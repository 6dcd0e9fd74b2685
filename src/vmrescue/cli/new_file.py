"""Writing a file that a command was asked for; in a dry run it is only said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmrescue.cli.terminal import say
from vmrescue.files import is_there, write_whole
from vmrescue.printable import printable
from vmrescue.units import counted

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.cli.options import ApplyOptions


def write_unless_dry(path: Path, content: bytes, options: ApplyOptions) -> bool:
    """As `write_whole`; in a dry run it only says what it would write. Returns whether it has written."""
    if not options.dry_run:
        write_whole(path, [content], options.yes)
        return True
    if os.path.lexists(path) and not options.yes:
        raise is_there(path)
    if options.talkative:
        say(printable(f"{path}: {counted(len(content), 'byte')} would be written."))
        say("Nothing was written.")
    return False
