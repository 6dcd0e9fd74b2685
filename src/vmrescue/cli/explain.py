"""vmrescue explain"""

from __future__ import annotations

import json

import click

from vmrescue.cli.completing import among, checks_and_codes
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say
from vmrescue.errors import UsageError


@click.command()
@click.argument("name", metavar="[CHECK|CODE]", required=False, shell_complete=among(checks_and_codes))
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print; json and markdown are of all checks and codes.",
)
def command(name: str | None, output: str) -> None:
    """Say what a check looks for and what a repair does about it, or what a stop code such as 0xC0000017 means.

    Without a name: all checks and all codes.
    """
    from vmrescue.checks.look_up import explain
    from vmrescue.report import explanation

    if name and output != "text":
        raise UsageError(f"--format {output} is of all checks and codes: leave {name!r} out")
    if output == "json":
        put(json.dumps(explanation.to_dict(), indent=2))
    elif output == "markdown":
        put(explanation.page(), nl=False)
    elif not name:
        say(explanation.list_text())
    else:
        say(explanation.text_of(explain(name)))
