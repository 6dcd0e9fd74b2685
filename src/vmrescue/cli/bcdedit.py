"""vmrescue bcdedit"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.cli.microsoft import finish, microsoft_command, print_notes
from vmrescue.cli.options import choice_options

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.windows import Choice

NEW_STORE = ("/createstore", "-createstore")  # the one command that is about no store that there is


@microsoft_command
@choice_options
def command(target: str, words: tuple[str, ...], choice: Choice, options: ApplyOptions) -> None:
    """Microsoft's bcdedit on the store that boots IMAGE, or on a store's file, with the same words and output.

    \b
      vmrescue bcdedit os.vhd                                   # what the boot menu shows
      vmrescue bcdedit os.vhd /enum all /v
      vmrescue bcdedit os.vhd /deletevalue {badmemory} badmemorylist
      vmrescue bcdedit os.vhd /ems {default} ON
      vmrescue bcdedit os.vhd /export store.bcd

    enum, set, deletevalue, create, copy, delete, default, displayorder, bootsequence, toolsdisplayorder, timeout, ems,
    bootems, emssettings, debug, bootdebug, dbgsettings, event, hypervisorsettings, export, import, createstore.
    /store F:\\Boot\\BCD names another store of the image. A letter that the guest does not have means the only
    volume with that path; a note says which. {current} is the default entry: no Windows is running. /export, /import
    and /createstore name files of this machine. As on Windows nothing is asked; what is written is shown, backed up,
    verified, and undone by `vmrescue undo`.
    """
    from vmrescue.procedure.boot_store import read_bcdedit

    if target.lower() in NEW_STORE:
        target, words = "", (target, *words)
    finish(read_bcdedit(target or None, words, choice, print_notes), options)
