"""A stage of the boot path, what it says of each thing that it looks at, and the stop that ends the path."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from vmrescue.rehearsal.endings import Ending


class State(StrEnum):
    """How a thing, or a stage, is; the worst of its things is the stage's."""

    OK = "ok"
    ODD = "odd"
    UNKNOWN = "unknown"
    STOP = "stop"


WORSE = tuple(State)
LONGEST = 400  # characters of what is said


@dataclass(frozen=True)
class Fact:
    """What a stage says of one thing.

    Attributes:
        what: the thing: an element, a file, a service, a value.
        said: what is there, or what is the matter with it.
        state: how that is.
        ending: where the path ends here: with which code, and what the screen shows; of what is odd, how a later start
            would end, after two that failed.
        about: the same as data, for a check that mends it (see `about`); None where there is nothing to mend.
    """

    what: str
    said: str
    state: State = State.OK
    ending: Ending | None = None
    about: object = None

    def __post_init__(self) -> None:
        """What an image says of itself costs no more than a line: it may say any amount."""
        for name in ("what", "said"):
            if len(text := getattr(self, name)) > LONGEST:
                object.__setattr__(self, name, f"{text[:LONGEST]}… ({len(text)} characters)")

    @property
    def reason(self) -> str:
        """Both in one line, as a stop tells it."""
        return f"{self.what}: {self.said}"

    def to_dict(self) -> dict[str, Any]:
        return {"what": self.what, "said": self.said, "state": str(self.state)}


def odd(what: str, said: str, about: object = None, later: Ending | None = None) -> Fact:
    """It is not as on other disks; whether the path ends there is not certain, or it does not; a later start may."""
    return Fact(what, said, State.ODD, later, about)


def unknown(what: str, because: str) -> Fact:
    """It could not be looked at."""
    return Fact(what, because, State.UNKNOWN)


def stop(what: str, said: str, ending: Ending, about: object = None) -> Fact:
    """The path ends there."""
    return Fact(what, said, State.STOP, ending, about)


@dataclass(frozen=True)
class Stage:
    """One step of the path.

    Attributes:
        id: its name, in lower case with hyphens.
        title: which program acts, and what it does.
        facts: in the order in which that program comes upon them.
    """

    id: str
    title: str
    facts: tuple[Fact, ...]

    @property
    def state(self) -> State:
        return max((fact.state for fact in self.facts), key=WORSE.index, default=State.OK)

    @property
    def stop(self) -> Stop | None:
        """The first thing at which the path ends in this stage."""
        return self._ends(State.STOP)

    @property
    def later(self) -> Stop | None:
        """The first thing at which a later start, after two that failed, would end."""
        return self._ends(State.ODD)

    def _ends(self, state: State) -> Stop | None:
        for fact in self.facts:
            if fact.state is state and (end := fact.ending):
                return Stop(self.id, end.code, end.screen, fact.reason, end.source, end.codes)
        return None

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "state": str(self.state),
            "facts": [fact.to_dict() for fact in self.facts],
        }


@dataclass(frozen=True)
class Stop:
    """Where the path ends.

    Attributes:
        stage: its id.
        code: as Windows shows it (``0xc000000f``, ``0x7B``); empty where it shows none, or which one is not known.
        screen: what the person sees.
        reason: what is the matter, with paths and ids.
        source: the article that is about it.
        codes: the numbers of all codes that may be shown, though `code` is empty because none of them is certain.
    """

    stage: str
    code: str
    screen: str
    reason: str
    source: str
    codes: frozenset[int] = frozenset()

    def __str__(self) -> str:
        code = f" with {self.code}" if self.code else ""
        return f"the start ends in the stage {self.stage}{code}: {self.reason}"

    def to_dict(self) -> dict[str, str]:
        return {
            "stage": self.stage,
            "code": self.code,
            "screen": self.screen,
            "reason": self.reason,
            "source": self.source,
        }
