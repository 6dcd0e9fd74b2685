"""Windows' own defrag, its command line: ``defrag C: /u /x /g``.

Source: Microsoft's "defrag". Of its tasks an image can have three: the files put together (/d, and /o, which chooses by
the kind of disk), the free space too (/x), and an analysis (/a). What else can be asked for is either about how Windows
works while it does it, which changes nothing here and is said, or another deed altogether, which is refused.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = 'Type "vmrescue defrag IMAGE /?" for usage.'
VOLUME = re.compile(r"[A-Za-z]:\\?")
TASKS = frozenset("adox")
# Switches without an effect, and why. Those of no word are what is done anyway: progress is shown, figures are printed.
IDLE = {
    "u": "",
    "v": "",
    "h": "/h is about the priority that Windows gives to it",
    "m": "/m is about several volumes at a time: there is one",
    "i": "/i is about storage tiers, which an image does not have",
    "g": "/g is about storage tiers, which an image does not have",
    "b": "/b puts the files of the boot in the order of their use, which is not done; each is put together",
}
NUMBERED = frozenset("mi")  # a number may follow
OTHERS = {
    "c": "/c is about all volumes: name one",
    "e": "/e is about all volumes but those named: name the one that is meant",
    "k": "/k (slab consolidation) is nothing that can be done to an image",
    "l": "/l (retrim) tells a disk which clusters are free, and an image keeps them all the same",
    "t": "/t shows an operation that is in progress, and there is none",
}


@dataclass(frozen=True)
class Command:
    """One command, without deed.

    Attributes:
        volume: its letter, ``C:``; None where the command names none.
        analyze: only say how things are.
        free_space: bring the free space together too.
        notes: what is asked for and makes no difference here, a sentence each.
    """

    volume: str | None = None
    analyze: bool = False
    free_space: bool = False
    notes: tuple[str, ...] = ()


def parse(words: Sequence[str]) -> Command:
    """The command that these words give.

    Raises:
        UsageError: an unknown switch, one that asks for what cannot be done, or no single volume.
    """
    rest = deque(words)
    volumes: list[str] = []
    switches: list[str] = []
    while rest:
        word = rest.popleft()
        if word[:1] not in ("/", "-"):
            volumes.append(_volume(word))
            continue
        switch = word[1:].lower()
        if switch in OTHERS:
            raise UsageError(f"{OTHERS[switch]}. {HELP}")
        if switch not in TASKS and switch not in IDLE:
            raise UsageError(f"defrag has no switch {word}. {HELP}")
        switches.append(switch)
        if switch in NUMBERED and rest and rest[0].isdecimal():
            rest.popleft()
    if len(volumes) > 1:
        raise UsageError(f"one volume is defragmented at a time, not {' and '.join(volumes)}. {HELP}")
    asked = [switch for switch in switches if switch in ("g", "b")]
    if asked and not TASKS & set(switches):
        raise UsageError(f"{IDLE[asked[0]]}: add /d (files) or /x (free space too). {HELP}")
    if "a" in switches and len(TASKS & set(switches)) > 1:
        raise UsageError(f"/a only looks, and /d, /o and /x do something: which is meant? {HELP}")
    notes = tuple(f"{IDLE[each]}: it makes no difference here" for each in dict.fromkeys(switches) if IDLE.get(each))
    return Command(volumes[0] if volumes else None, "a" in switches, "x" in switches, notes)


def _volume(word: str) -> str:
    if VOLUME.fullmatch(word) is None:
        raise UsageError(f"{word} is no drive's letter, such as C:. {HELP}")
    return word[:2].upper()
