"""How vmrescue's command line says a policy, a choice of checks, and what a finding advises: the one place for it.

`POLICY` has an option for each field of the policy. The commands are made of it, and the command that a diagnosis
recommends spells it: so a repair finds what the diagnosis found.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from vmrescue.checks.intents import CleanUp, Copy, Defragment, Expand, PutIn, SetElement, TakeOut

if TYPE_CHECKING:
    from vmrescue.checks import Finding, Policy
    from vmrescue.checks.intents import Intent
    from vmrescue.windows import Choice

    Command = tuple[str, ...]  # as words

SHIFTS = {"T": 40, "G": 30, "M": 20, "K": 10}  # the letter of a size, and its power of two


class Option(NamedTuple):
    """An option for a field of the policy.

    Args:
        name: as it is typed.
        takes: what follows it; a flag takes nothing.
        metavar: how the help shows what it takes.
        help: a line of help.
    """

    name: str
    takes: Literal["text", "size", "number", "flag"]
    metavar: str
    help: str


POLICY = {
    "vm_size": Option("--vm-size", "text", "NAME", "The VM's size, such as Standard_D4ds_v5: has it a D: drive?"),
    "temp_drive": Option(
        "--temp-drive", "text", "D:", "The temporary drive's letter, for the page file (none: --no-temp-drive)."
    ),
    "ram": Option("--ram", "size", "SIZE", "The VM's memory, which a complete dump must fit."),
    "dump_file": Option("--dump-file", "text", "PATH", r"Where the dump goes  [default: %SystemRoot%\MEMORY.DMP]"),
    "min_free": Option("--min-free", "size", "SIZE", "Bytes that must be free on the OS volume  [default: 300M]"),
    "max_pieces": Option("--max-pieces", "number", "N", "fragmentation: pieces that a file may have  [default: 64]"),
    "min_free_extent": Option(
        "--min-free-extent", "size", "SIZE", "fragmentation: free space wanted in one piece  [default: 64M]"
    ),
    "ems_port": Option("--ems-port", "number", "N", "serial-console: the serial port  [default: 1]"),
    "ems_baud_rate": Option("--ems-baud-rate", "number", "N", "serial-console: its speed  [default: 115200]"),
    "platform": Option(
        "--platform",
        "text",
        "NAME",
        "boot-path: the VM's hardware, azure, hyper-v, kvm, vmware or nvme  [default: what the disk tells]",
    ),
    "boot_menu": Option("--with-boot-menu", "flag", "", "serial-console: also show the boot menu there, for 10 s."),
}
NO_TEMP_DRIVE = "--no-temp-drive"
DATA_DISK = Option("--data-disk", "text", "PATH", "A further disk of the same VM (repeatable).")
CHOICE = {
    "store": Option("--store", "text", "PLACE", r"The boot store that boots, by partition: 1, or 1:\Boot\BCD."),
    "windows": Option("--windows", "text", "PLACE", r"The Windows that boots, by partition: 2, or 2:\Windows."),
}
COMMANDS = {
    CleanUp: "vmrescue cleanup",
    Expand: "vmrescue expand",
    Defragment: "vmrescue defrag",
    Copy: "vmrescue repair",
    TakeOut: "vmrescue get",
    PutIn: "vmrescue put",
    SetElement: "vmrescue bcdedit",
}
WANTED = {  # what stands for a file that the person has to get
    "FILE": "the same file from a Windows of the same build",
    "BACKUP": "the same file from a backup of this VM",
}


class Diagnosed(Protocol):
    """What a command repeats of a diagnosis: see `Diagnosis`."""

    @property
    def image(self) -> str: ...

    @property
    def data_disks(self) -> tuple[str, ...]: ...

    @property
    def parents(self) -> str | None: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def only(self) -> tuple[str, ...]: ...

    @property
    def skip(self) -> tuple[str, ...]: ...

    @property
    def refusal(self) -> str | None: ...

    @property
    def choice(self) -> Choice: ...

    @property
    def findings(self) -> list[Finding]: ...


def policy_options(policy: Policy) -> Command:
    """The options that make this policy."""
    words: list[str] = []
    said = policy.said
    for field, option in POLICY.items():
        if field not in said:
            continue
        value = said[field]
        if field == "temp_drive" and value is None:
            words.append(NO_TEMP_DRIVE)
        else:
            words += [option.name, *_value(option, value)]
    return tuple(words)


def choice_options(choice: Choice) -> Command:
    """The options that say what boots."""
    return tuple(
        word for field, option in CHOICE.items() if (said := getattr(choice, field)) for word in (option.name, said)
    )


def repair_command(diagnosis: Diagnosed, check: str | None = None) -> Command:
    """The command that mends the findings (of one check) as this diagnosis would have it."""
    choice = ("--only", check) if check else _choice(diagnosis)
    disks = [word for path in diagnosis.data_disks for word in (DATA_DISK.name, path)]
    options = (*policy_options(diagnosis.policy), *choice_options(diagnosis.choice), *disks, *_parents(diagnosis))
    return ("vmrescue", "repair", *choice, *options, diagnosis.image)


def remedy(diagnosis: Diagnosed, check: str | None = None) -> str:
    """`repair_command` as it is to be typed; where nothing may be changed, why, and what is to be done first."""
    return diagnosis.refusal or shlex.join(repair_command(diagnosis, check))


def repair_of(diagnosis: Diagnosed, finding: Finding) -> Command | None:
    """The command that mends a finding; None where there is nothing to mend, or it would be refused."""
    return repair_command(diagnosis, finding.check) if finding.changes and not finding.refused else None


def commands(diagnosis: Diagnosed, finding: Finding) -> tuple[Command, ...]:
    """What is to be run beside a repair; nothing where it would be refused."""
    if finding.refused:
        return ()
    return tuple((*_spelled(diagnosis, intent), *_parents(diagnosis)) for intent in finding.intents)


def mending(diagnosis: Diagnosed, finding: Finding) -> list[Finding]:
    """The findings whose repair mends this one: itself, another that is about the same, or several together."""
    if finding.changes:
        return [] if finding.refused else [finding]
    if finding.parts:
        found = [_about(diagnosis, {part}) for part in finding.parts]
        return list({each.check: each for each in found if each}.values()) if all(found) else []
    found = [_about(diagnosis, {*finding.about})]
    return [each for each in found if each]


def _about(diagnosis: Diagnosed, things: set[str]) -> Finding | None:
    """A finding that is about one of these things, and is mended."""
    alike = (each for each in diagnosis.findings if each.changes and not each.refused)
    return next((each for each in alike if {*each.about} & things), None)


def next_commands(diagnosis: Diagnosed, finding: Finding) -> tuple[Command, ...]:
    """What helps with a finding that is left: what it advises, or else the repair; nothing where that is refused.

    Of one that is mended with others it is the repair of those.
    """
    others = mending(diagnosis, finding)
    if others and finding not in others:
        return (repair_command(diagnosis, ",".join(each.check for each in others)),)
    repair = repair_of(diagnosis, finding)
    return commands(diagnosis, finding) or ((repair,) if repair else ())


def to_tell(finding: Finding) -> list[tuple[str, str]]:
    """Each option by which a person may tell what the disk does not, and what it is."""
    options = [DATA_DISK if name == "data_disks" else POLICY[name] for name in finding.tell]
    return [(" ".join(filter(None, (option.name, option.metavar))), option.help) for option in options]


def only(check: str) -> str:
    """How a repair is asked for that is made on request."""
    return f"--only {check}"


def size_option(size: int) -> str:
    """``16G``: a number of bytes as the command line takes it, to the byte."""
    unit = next((unit for unit, shift in SHIFTS.items() if size and size % (1 << shift) == 0), "")
    return f"{size >> SHIFTS.get(unit, 0)}{unit}"


def _value(option: Option, value: Any) -> list[str]:
    if option.takes == "flag":
        return []
    return [size_option(value) if option.takes == "size" else str(value)]


def _choice(diagnosis: Diagnosed) -> Command:
    chosen = (("--only", diagnosis.only), ("--skip", diagnosis.skip))
    return tuple(word for name, ids in chosen if ids for word in (name, ",".join(ids)))


def _spelled(diagnosis: Diagnosed, intent: Intent) -> Command:
    image = (diagnosis.image, *diagnosis.data_disks)[intent.disk]
    words = (*COMMANDS[type(intent)].split(), image)
    match intent:
        case Expand(size=size, move_recovery=move):
            return (*words, "--size", size_option(size), *(["--move-recovery"] if move else []))
        case Defragment(files=files, free_space=free_space):
            named = [word for path in files for word in ("--file", path)]
            return (*words, *named, *(["--free-space"] if free_space else []))
        case Copy():
            return (*words, "--copy-to", f"{image[:-4]}-copy.vhd")
        case CleanUp():
            return words
        case SetElement(owner=owner, element=element, value=value):
            return (*words, "/set", owner, element, value)
        case TakeOut(path=path, target=target):
            return (*words[:-1], _volume(image, intent), _path(intent.drive, path), target)
        case PutIn(path=path, source=source, own=own):
            file = source or ("BACKUP" if own else "FILE")
            return (*words[:-1], _volume(image, intent), file, _path(intent.drive, path))


def _volume(image: str, intent: TakeOut | PutIn) -> str:
    """The image, with the partition where the path has no letter."""
    return image if intent.drive else f"{image}:{intent.partition}"


def _path(drive: str | None, path: str) -> str:
    return f"{drive or ''}\\{path}"


def _parents(diagnosis: Diagnosed) -> Command:
    return ("--parent-dir", diagnosis.parents) if diagnosis.parents else ()
