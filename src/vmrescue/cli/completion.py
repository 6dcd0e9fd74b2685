"""vmrescue completion"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.output import put

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what SHELL has to read so that it completes the words of vmrescue: commands, options, their values, files.

    \b
    vmrescue completion bash > ~/.local/share/bash-completion/completions/vmrescue
    vmrescue completion zsh  > ~/.zfunc/_vmrescue          # a folder of $fpath
    vmrescue completion fish > ~/.config/fish/completions/vmrescue.fish
    """
    from click.shell_completion import get_completion_class

    completing: type[ShellComplete] | None = get_completion_class(shell)
    assert completing is not None, shell  # click has these three
    put(completing(ctx.find_root().command, {}, "vmrescue", "_VMRESCUE_COMPLETE").source())
