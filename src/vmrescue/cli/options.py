"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from vmrescue.cli.completing import a_file, among, checks, checks_and_families, platforms
from vmrescue.diagnosis.command_line import CHOICE, NO_TEMP_DRIVE, POLICY, SHIFTS
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.checks import Policy
    from vmrescue.transaction.target import Elsewhere, UploadTo

SIZE = re.compile(r"0*(?P<number>\d{1,19})\s*(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE)
LARGEST = (1 << 63) - 1  # bytes, of 19 digits

Command = Any  # a function that click decorates


class Size(click.ParamType[int]):
    """``16G``, ``300M``, ``4096``: bytes, in binary multiples."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = SIZE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r:.40} is not a size like 16G, 300M or 4096", param, ctx)
        size = int(match["number"]) << SHIFTS.get(match["unit"].upper(), 0)
        if size > LARGEST:
            self.fail(f"{value!r:.40} is more than any file system holds, {LARGEST} bytes", param, ctx)
        return size


class Names(click.ParamType[list[str]]):
    """``page-file`` or ``page-file,crash-dump``: of an option that may also be given more than once."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        return [name.strip() for name in value.split(",")]


def joined(ctx: click.Context, param: click.Parameter, value: tuple[list[str], ...]) -> tuple[str, ...]:
    """The names of all occurrences of an option, as one list."""
    return tuple(name for names in value for name in names)


class ImagePath(click.Path):
    """A path; or a URL, which stays the text that it is, since a Path would drop one of its slashes.

    Whether it can be read is seen when it is opened: what cannot be is no wrong usage.
    """

    def __init__(self, path_type: Any = None) -> None:
        super().__init__(path_type=path_type, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from vmrescue.image.reference import Reference

        if value == "":
            raise UsageError("an image has no name: the text that was given for its path is empty")
        return value if Reference.of(value).is_remote else super().convert(value, param, ctx)


def _look_for_parents(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """For as long as the command runs."""
    from vmrescue.image import parents_in

    if value is not None:
        ctx.with_resource(parents_in(value))


parent_option = click.option(
    "--parent-dir",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    expose_value=False,
    callback=_look_for_parents,
    help="Where a differencing disk's parents are, if not beside it.",
)


def _accept(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """For as long as the command runs."""
    from vmrescue.image import accepting

    if value:
        ctx.with_resource(accepting([param.opts[0].removeprefix("--")]))


def risk_options(command: Command) -> Command:
    """Adds an option for each risk that can be accepted."""
    from vmrescue.image.risks import RISKS

    return _decorate(command, [_risk_option(name, said) for name, said in RISKS.items()])


def children_option(command: Command) -> Command:
    """Adds the option for the one risk that an undo has too."""
    from vmrescue.image.risks import HAS_CHILDREN, RISKS

    return _decorate(command, [_risk_option(HAS_CHILDREN, RISKS[HAS_CHILDREN])])


def _risk_option(name: str, said: str) -> Any:
    return click.option(f"--{name}", is_flag=True, expose_value=False, callback=_accept, help=said)


class OneImage(click.Command):
    """A command that takes one image: of a second one it says which command takes many."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if error.message.startswith("Got unexpected extra argument"):
                raise UsageError(f"`{ctx.command_path}` takes one image; `vmrescue scan` takes many") from error
            raise


def image_argument(command: Command) -> Command:
    """Adds IMAGE, and where its parents may be."""
    return _decorate(command, [click.argument("image", type=ImagePath(path_type=Path)), parent_option])


def images_argument(command: Command) -> Command:
    """Adds IMAGE, of which there may be many (`images`), or --from for one; and where their parents may be.

    With --to the repaired image is put to that address: `options.upload` then says so.
    """
    argument = click.argument("images", metavar="IMAGE...", nargs=-1, type=ImagePath(path_type=Path))

    @functools.wraps(command)
    def bundled(
        *args: Any,
        images: tuple[Path, ...],
        source: str | None,
        address: str | None,
        options: ApplyOptions,
        fleet: Any,  # a FleetOptions, of a module that imports this one
        **rest: Any,
    ) -> Any:
        if source is not None:
            images = (*images, cast("Path", source))
        if not images:
            raise click.MissingParameter(param_hint="'IMAGE...'", param_type="argument")
        if address is not None:
            if len(images) != 1 or options.elsewhere:
                raise UsageError("--to puts one image to one address: give it alone, without --copy-to and --into")
            from vmrescue.image.upload import must_be_addresses
            from vmrescue.transaction.target import UploadTo

            must_be_addresses(str(images[0]), address)
            options = options._replace(upload=UploadTo(address, fleet.resume))
        return command(*args, images=images, options=options, fleet=fleet, **rest)

    return _decorate(bundled, [argument, parent_option, *UPLOAD_OPTIONS])


UPLOAD_OPTIONS = [
    click.option("--from", "source", metavar="URL", help="The image: a disk's or snapshot's read address."),
    click.option(
        "--to",
        "address",
        metavar="URL",
        help="Put the repaired image to this page blob, a new disk's write address; the image is only read. Where that "
        "was cut, --resume goes on.",
    ),
]


def image_and_volume(image: str | Path, number: int | None) -> tuple[str, int | str | None]:
    """IMAGE[:VOLUME] and --partition, which say the same: the image, and the volume if one is named.

    Raises UsageError where they name two.
    """
    from vmrescue.windows.places import split_image

    file, volume = split_image(str(image))
    if volume is not None and number is not None and volume != str(number):
        raise UsageError(f"which volume: {volume}, as the image says, or {number}, as --partition says?")
    return file, volume if number is None else number


format_option = click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


def _be_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """For as long as the command runs."""
    from vmrescue.progress import on_progress

    if value:
        ctx.with_resource(on_progress(None))
    return value


quiet_option = click.option(
    "--quiet",
    "-q",
    is_flag=True,
    callback=_be_quiet,
    help="Print nothing but errors and notes (what is odd, what is not mended).",
)
data_disk_option = click.option(
    "--data-disk",
    "data_disks",
    multiple=True,
    type=ImagePath(path_type=Path),
    help="A further disk of the same VM (repeatable).",
)


def names_option(
    *declarations: str, names: Callable[[], Iterable[str]], **settings: Any
) -> Callable[[Command], Command]:
    """An option that takes names, joined by commas or one by one; the command gets a tuple of them."""
    return click.option(
        *declarations, multiple=True, type=Names(), callback=joined, shell_complete=among(names), **settings
    )


class ChecksOption(click.Option):
    """An option whose help says which checks there are: they are imported when it is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from vmrescue.checks.rules import CHECKS

        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}: {', '.join(CHECKS)}.")


def policy_option(field: str) -> Callable[[Command], Command]:
    """The option for a field of the policy, under the field's name."""
    kinds: dict[str, dict[str, Any]] = {
        "text": {},
        "size": {"type": Size()},
        "number": {"type": int},
        "flag": {"is_flag": True, "default": None},
    }
    each = POLICY[field]
    names = {"shell_complete": among(platforms)} if field == "platform" else {}
    return click.option(each.name, field, help=each.help, metavar=each.metavar or None, **kinds[each.takes], **names)


def _policy_options() -> list[Callable[[Command], Command]]:
    """An option for each field of the policy."""
    options = [policy_option(field) for field in POLICY]
    no_drive = "The VM has no temporary drive: the page file belongs on Windows' own volume."
    options.insert(2, click.option(NO_TEMP_DRIVE, "no_temp_drive", is_flag=True, help=no_drive))
    return options


CHECK_OPTIONS = [
    names_option(
        "--only", cls=ChecksOption, names=checks, metavar="CHECK,…", help="Run only these checks (repeatable)"
    ),
    names_option(
        "--skip",
        names=checks_and_families,
        metavar="CHECK,…",
        help="Leave these checks out, or those of a family: memory, storage, boot, settings (repeatable).",
    ),
]
APPLY_OPTIONS = [
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
    click.option("--dry-run", is_flag=True, help="Show every change and the bytes it would write; write nothing."),
    click.option(
        "--backup-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where the copies of the hives and the receipt go  [default: IMAGE.vmrescue/]",
    ),
]


ELSEWHERE_OPTIONS = [
    click.option(
        "--copy-to",
        type=click.Path(path_type=Path),
        help="Write to a new copy instead, made of any image that is read.",
    ),
    click.option(
        "--into", type=click.Path(path_type=Path), help="Write to a new differencing VHD or VHDX over IMAGE instead."
    ),
    click.option(
        "--to-format",
        type=click.Choice(["vhd", "vhd-dynamic", "raw", "vhdx", "qcow2"]),
        help="Of the copy: vhd is a fixed VHD of whole MiB, as Azure takes it  [default: by the copy's name, else vhd]",
    ),
    click.option("--sha256", "hashed", is_flag=True, help="Hash the whole disk and copy, holes too, for the receipt."),
]


def place_arguments(command: Command) -> Command:
    """Adds IMAGE (perhaps with a volume) and PATH, and where the image's parents may be."""
    image = click.argument("image", shell_complete=a_file)
    return _decorate(command, [image, click.argument("path", default=""), parent_option])


def policy_options(command: Command) -> Command:
    """Adds the options that make up a policy; the command gets it as one argument, `policy`."""

    @functools.wraps(command)
    def bundled(*args: Any, **given: Any) -> Any:
        fields = {field: given.pop(field) for field in (*POLICY, "no_temp_drive")}
        return command(*args, policy=_policy_of(**fields), **given)

    return _decorate(bundled, _policy_options())


def choice_options(command: Command) -> Command:
    """Adds --store and --windows; the command gets them as one argument, `choice`."""

    @functools.wraps(command)
    def bundled(*args: Any, store: str | None, windows: str | None, **rest: Any) -> Any:
        from vmrescue.windows import Choice

        return command(*args, choice=Choice(store, windows), **rest)

    options = [click.option(each.name, field, metavar=each.metavar, help=each.help) for field, each in CHOICE.items()]
    return _decorate(bundled, options)


def check_options(command: Command) -> Command:
    """Adds --only and --skip."""
    return _decorate(command, CHECK_OPTIONS)


class ApplyOptions(NamedTuple):
    """How an edit is made and reported; and where it goes, if not into the image."""

    yes: bool
    dry_run: bool
    backup_dir: Path | None
    output: str
    quiet: bool
    elsewhere: Elsewhere | None = None
    upload: UploadTo | None = None

    @property
    def talkative(self) -> bool:
        """Whether text for a person is to be printed."""
        return self.output == "text" and not self.quiet


def elsewhere_options(command: Command) -> Command:
    """Adds --copy-to, --into, --to-format and --sha256; the command gets them as one argument, `elsewhere`."""

    @functools.wraps(command)
    def bundled(
        *args: Any, copy_to: Path | None, into: Path | None, to_format: str | None, hashed: bool, **rest: Any
    ) -> Any:
        elsewhere = None
        if copy_to or into or to_format or hashed:
            from vmrescue.transaction.target import Elsewhere

            elsewhere = Elsewhere.of(copy_to, into, to_format, hashed)
        return command(*args, elsewhere=elsewhere, **rest)

    return _decorate(bundled, ELSEWHERE_OPTIONS)


def apply_options(command: Command) -> Command:
    """Adds --yes, --dry-run, --backup-dir, --format, --quiet, and `elsewhere_options`; the command gets them as one
    argument, `options`.
    """

    @functools.wraps(command)
    def bundled(
        *args: Any,
        yes: bool,
        dry_run: bool,
        backup_dir: Path | None,
        output: str,
        quiet: bool,
        elsewhere: Elsewhere | None,
        **rest: Any,
    ) -> Any:
        return command(*args, options=ApplyOptions(yes, dry_run, backup_dir, output, quiet, elsewhere), **rest)

    options: list[Callable[[Command], Command]] = [*APPLY_OPTIONS, elsewhere_options, format_option, quiet_option]
    return risk_options(_decorate(bundled, options))


def _decorate(command: Command, options: list[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _policy_of(vm_size: str | None, no_temp_drive: bool, **given: Any) -> Policy:
    """The policy that the options ask for. Raises UsageError where they contradict each other."""
    from dataclasses import replace

    from vmrescue.checks import Policy

    if given["temp_drive"] and no_temp_drive:
        raise UsageError(f"{POLICY['temp_drive'].name} and {NO_TEMP_DRIVE} contradict each other")
    named = {field: value for field, value in given.items() if value is not None}
    if no_temp_drive:
        named["temp_drive"] = None
    return replace(Policy.azure(vm_size), **named)
