"""The command `vmrescue`: arguments in, exit status out."""

from __future__ import annotations

import gc
import importlib
import io
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from vmrescue import __version__
from vmrescue.cli.common import common_options
from vmrescue.cli.failure import put_usage, say_end, say_error, with_hint
from vmrescue.cli.output import end_unread, printing
from vmrescue.errors import NO_MEMORY, UsageError, VmRescueError, system_said
from vmrescue.interrupts import exit_status, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# name: what it does. A command's module has the same name and holds `command`; it is imported only when it is run.
COMMANDS = {
    "diagnose": "Say what is wrong in an image; nothing is written.",
    "rehearse": "Follow the boot path of an image, and say where it ends.",
    "explain": "Say what a check looks for, or what a stop code means.",
    "scan": "Say what is wrong in many images; nothing is written to them.",
    "info": "Show the disk, its volumes and the Windows in it.",
    "ls": "List a directory inside an image.",
    "cat": "Write a file inside an image to standard output.",
    "get": "Copy a file out of an image.",
    "plan": "Write the changes that a repair would make, as JSON to review.",
    "apply": "Apply a reviewed plan to an image.",
    "rescue": "The whole procedure: every step that is due, as one repair.",
    "repair": "Diagnose, show the changes, ask, and make them.",
    "run": "Run a command file of bcdedit, reg and the like: one plan, one undo.",
    "bcdedit": "Microsoft's bcdedit, on an image's boot store or on a store's file.",
    "reg": "Microsoft's reg, on an image's registry or on a hive's file.",
    "put": "Copy a file into an image.",
    "rm": "Delete a file inside an image.",
    "backup": "Copy the hives and the boot store out of an image.",
    "cleanup": "Delete what Disk Cleanup would.",
    "expand": "Make the disk larger, with a partition and its volume.",
    "defrag": "Move each file to one piece, and bring free space together.",
    "undo": "Take a repair back: the bytes that it wrote become what they were.",
    "demo": "Repair a broken sample image that ships with vmrescue.",
    "completion": "Print what a shell needs to complete vmrescue's words.",
}


IN_THEIR_DOCUMENT = ("diagnose", "scan", "info")  # what is odd about an image these commands say themselves


class _Notes:
    """Prints what is odd about an image, whatever is asked of it: each thing once."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self._said: set[tuple[str, str]] = set()
        self._kept: list[tuple[str, str]] = []

    def __call__(self, path: str, warning: str) -> None:
        if (path, warning) in self._said:
            return
        self._said.add((path, warning))
        if self._ctx.invoked_subcommand in IN_THEIR_DOCUMENT:
            self._kept.append((path, warning))
        else:
            self._print(path, warning)

    def without_document(self) -> None:
        """Prints what a command would have said in its document, which it could not make."""
        for path, warning in self._kept:
            self._print(path, warning)

    def _print(self, path: str, warning: str) -> None:
        from vmrescue.cli.terminal import say
        from vmrescue.printable import printable

        say(printable(f"note: {path}: {warning}"), err=True)


@contextmanager
def _ends_told_apart() -> Iterator[None]:
    """Ends the program with the status of a signal or a closed pipe; click would make it the status of findings."""
    try:
        yield
    except KeyboardInterrupt as error:
        say_end("Interrupted", f"interrupted{outcome_of(error)}", status := exit_status(error))
        sys.exit(status)
    except BrokenPipeError:
        end_unread()
    except click.ClickException as error:  # which click says, and ends the program for
        put_usage(error := with_hint(error))
        raise error from None


class LazyGroup(click.Group):
    """Imports a command's module only when it is run, so that `--help` is quick."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _ends_told_apart(), printing():  # the help is printed here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _ends_told_apart():
            from vmrescue.cli.progress import displayed
            from vmrescue.cli.terminal import in_colour, width_of
            from vmrescue.image.notices import listening
            from vmrescue.report.fold import printed_at

            notes = _Notes(ctx)
            try:
                with displayed(partial(in_colour, sys.stderr)), printed_at(width_of(sys.stdout)), listening(notes):
                    return super().invoke(ctx)
            except VmRescueError:
                notes.without_document()
                raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from vmrescue.near import meant

            near = meant(name, COMMANDS) or "; `vmrescue --help` lists the commands"
            raise UsageError(f"there is no command {name!r}{near}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from vmrescue.cli.microsoft import MicrosoftCommand

        command: click.Command = importlib.import_module(f"vmrescue.cli.{cmd_name}").command
        return common_options(command, short=not isinstance(command, MicrosoftCommand))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    epilog="Exit status: 0 all well (also with advice only) or done; 1 findings of warning or critical, or a check "
    "that could not be run (`repair`, `rescue`, `apply` and `cleanup`: such findings are left, of the chosen "
    "checks; `reg` and `bcdedit`: no such key, value or entry, a difference or damage); 2 wrong usage; 3 the "
    "image cannot be read or is not supported, or the named thing is not there; 4 refused because it would not "
    "be safe; 5 it failed and was rolled back (if something stays, the message says what), or a file could not "
    "be written; 6 the image was changed and is sound, but something after that failed (for example, its "
    "receipt); 130 ended by Ctrl-C, 143 by SIGTERM, each after cleaning up; 141 the reader of the output closed it.",
)
@click.version_option(__version__, prog_name="vmrescue")
def group() -> None:
    """Repairs the disk image of a Windows VM that no longer boots: no Windows, no mount, no root."""


common_options(group)


def main() -> None:
    """Entry point. Errors of ours become one sentence on stderr and their exit status."""
    from vmrescue.cli.interrupts import end_in_good_order

    end_in_good_order()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack the letters of an image's names
    try:
        group(prog_name="vmrescue")
    except VmRescueError as error:
        say_error(error)
        sys.exit(error.exit_status)
    except KeyboardInterrupt as error:  # at the very beginning or end
        sys.exit(exit_status(error))
    except OSError as error:
        say_end(VmRescueError.__name__, system_said(error), VmRescueError.exit_status)
        sys.exit(VmRescueError.exit_status)
    except MemoryError:
        say_end(VmRescueError.__name__, NO_MEMORY, VmRescueError.exit_status)
        sys.exit(VmRescueError.exit_status)
    finally:
        gc.freeze()  # as the program ends, Python would search all that is left for cycles: a twentieth of a diagnosis


if __name__ == "__main__":
    main()
