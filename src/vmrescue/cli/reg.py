"""vmrescue reg"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmrescue.cli.microsoft import NEGATIVE, finish, microsoft_command, print_notes
from vmrescue.cli.options import choice_options

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.windows import Choice


@microsoft_command
@choice_options
def command(target: str, words: tuple[str, ...], choice: Choice, options: ApplyOptions) -> None:
    """Microsoft's reg on the registry of IMAGE, or on a hive's file, with the same words and output.

    \b
      vmrescue reg os.vhd query 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\CrashControl'
      vmrescue reg os.vhd add 'HKLM\\SYSTEM\\ControlSet001\\Control\\CrashControl' /v NMICrashDump /t REG_DWORD /d 1
      vmrescue reg os.vhd export 'HKU\\alice\\Software' alice.reg
      vmrescue reg os.vhd check 'HKLM\\SOFTWARE'

    query, add, delete, copy, export, import, compare, load, unload; check looks for damage. Keys are named as the guest
    sees them: HKLM\\SYSTEM (with CurrentControlSet), SOFTWARE, SAM, SECURITY, HKU\\.DEFAULT, HKU\\USER. A hive's file
    goes by any name below HKLM. A slash is a letter; a backslash, a line break and the like in a key's name are written
    \\{5c}, \\{a}. Symbolic links are followed; query, copy, export and delete take a link itself.
    load HKLM\\NAME F:\\PATH gives a hive of the image a further name, kept beside the image until unload HKLM\\NAME. A
    letter that the guest does not have means the only volume with that path; a note says which.
    What is written is shown, asked about where reg.exe asks (before a deletion, and before a value that is there is
    overwritten; not with /f or --yes), backed up, verified, and undone by `vmrescue undo`. Exit status 1: no such
    key or value, nothing matched, the keys differ, or there is damage.
    """
    from vmrescue.cli.listing import Listing
    from vmrescue.procedure.hives import read_reg

    listing = Listing(options)
    with listing.until_error(), read_reg(target, words, choice, print_notes, listing.add) as read:
        outcome = read.outcome
        if outcome.shown:
            listing.end()
        else:
            outcome = finish(read, options)
    sys.exit(0 if outcome.passed else NEGATIVE)
