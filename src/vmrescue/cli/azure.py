"""`vmrescue rescue --print-azure`: the user's names as options."""

from __future__ import annotations

import functools
from typing import Any

import click

NAMES = {
    "group": ("--resource-group", "the resource group of the VM and its disk"),
    "vm": ("--vm", "the VM"),
    "disk": ("--disk", "its OS disk"),
    "linux_vm": ("--linux-vm", "a Linux VM that has vmrescue"),
    "account": ("--storage-account", "of an unmanaged disk"),
    "container": ("--container", "of an unmanaged disk"),
    "blob": ("--blob", "of an unmanaged disk"),
}


def azure_options(command: Any) -> Any:
    """Adds --print-azure and its names; the command gets them as one argument, `azure`: None where it is not given."""

    @functools.wraps(command)
    def bundled(*args: Any, print_azure: bool, **rest: Any) -> Any:
        from vmrescue.report.azure import AzureNames

        given = {name: value for name in NAMES if (value := rest.pop(f"azure_{name}"))}
        return command(*args, azure=AzureNames(**given) if print_azure else None, **rest)

    for name, (option, what) in reversed(NAMES.items()):
        said = f"With --print-azure: {what}."
        bundled = click.option(option, f"azure_{name}", metavar="NAME", help=said)(bundled)
    what = "Print how the disk gets out of Azure and back, as lines of `az`; do nothing. See docs/azure.md."
    return click.option("--print-azure", is_flag=True, help=what)(bundled)
