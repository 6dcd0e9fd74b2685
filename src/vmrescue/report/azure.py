"""How a disk gets out of Azure and back, as the exact lines: for `rescue --print-azure` and for docs/azure.md.

The commands and their options are those of Microsoft's CLI reference (`az disk`, `az snapshot`, `az vm`, `az storage`,
`az vm repair`) and of AzCopy's. The Azure CLI 2.91 takes each line of `az` but those of its extension `vm-repair`; none
was run in Azure, and both documents say so.
"""

from __future__ import annotations

import shlex
import sys
import textwrap
from typing import TYPE_CHECKING
from urllib.parse import quote

from vmrescue.dataclass import dataclass
from vmrescue.report.fold import fold
from vmrescue.report.shell_lines import Shell, az, captured, line

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "86400"  # seconds for which a signature is good
LUN = "10"  # where the copy is attached
REPAIR_VM = "rescue-vm"  # a Windows' computer name has 15 letters at most
MADE = "python -m vmrescue.report.azure > docs/azure.md"
UNTRIED = (
    "We have no Azure. These lines are written from Microsoft's reference, and none of them was run in Azure. Read "
    "each before you run it."
)
NOT_COVERED = (
    "The broken disk is never written to. A copy of it is rescued, and the swap back is one line. Not covered: a VM "
    "with Trusted Launch or confidential computing, which has security data beside its disk; Azure Disk Encryption "
    "and BitLocker, which vmrescue cannot read; a network from which you cannot reach the disk's address."
)


@dataclass(frozen=True)
class AzureNames:
    """The user's names; what is not given stands in capitals, to be replaced.

    Attributes:
        image: the disk's file on this machine.
        group: the resource group of the VM and its disk.
        vm: the VM that does not boot.
        disk: its OS disk, by name or id.
        linux_vm: a Linux VM of the same region on which vmrescue is installed.
        account, container, blob: where an unmanaged disk lies.
    """

    image: str = "os.vhd"
    group: str = "RESOURCE_GROUP"
    vm: str = "VM"
    disk: str = "OS_DISK"
    linux_vm: str = "LINUX_VM"
    account: str = "ACCOUNT"
    container: str = "CONTAINER"
    blob: str = "BLOB"

    @property
    def rescued(self) -> str:
        """The disk that is made, and swapped in."""
        return f"{self.vm}-rescued"

    def url(self, blob: str) -> str:
        """Of a blob beside the unmanaged disk."""
        return f"https://{self.account}.blob.core.windows.net/{quote(self.container)}/{quote(blob)}"


@dataclass(frozen=True)
class Part:
    """Some lines, and what they are for."""

    title: str
    lines: tuple[str, ...]
    said: str = ""


@dataclass(frozen=True)
class Way:
    """One way out and back.

    Attributes:
        title: what it is for.
        costs: what it costs in time.
        parts: its lines in their order.
        left: what is left to clean up, and by which lines.
    """

    title: str
    costs: str
    parts: tuple[Part, ...]
    left: Part


def azure_text(names: AzureNames) -> str:
    """The ways with the user's names filled in."""
    lines = _comment(UNTRIED) + _comment(NOT_COVERED)
    for number, way in enumerate(ways(names), 1):
        lines += ["", *_comment(f"{number}. {way.title}"), *_comment(f"Time: {way.costs}")]
        for part in (*way.parts, way.left):
            lines += ["", *_comment(f"{part.title} {part.said}"), *part.lines]
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    return fold(text.strip().replace("`", ""), "# ", "# ")


def azure_page() -> str:
    """docs/azure.md."""
    lines = [
        "# Out of Azure and back",
        "",
        f"This page is made by `{MADE}`. The same lines with your names filled in are printed by",
        "`vmrescue rescue os.vhd --print-azure --resource-group … --vm … --disk …` (`--linux-vm`, `--storage-account`,",
        "`--container`, `--blob` where they are needed). Words in capitals are yours to replace.",
        "",
        f"**{UNTRIED}**",
        "",
        *textwrap.wrap(NOT_COVERED, 120),
    ]
    for number, way in enumerate(ways(AzureNames()), 1):
        lines += ["", f"## {number}. {way.title}", "", f"Time: {way.costs}"]
        for part in (*way.parts, way.left):
            lines += ["", f"{part.title} {part.said}".strip(), "", "```sh", *part.lines, "```"]
    return "\n".join(lines) + "\n"


def ways(names: AzureNames) -> tuple[Way, ...]:
    """All of them, the most common first."""
    return _addresses(names), _managed(names), _attached(names), _page_blob(names), _repair_vm(names)


def _addresses(names: AzureNames) -> Way:
    snapshot = f"{names.vm}-broken"
    return Way(
        "A managed disk, rescued from its address to a new disk's",
        "the service copies the data from one address to the other, or the data come through this machine. Holes are "
        "not copied.",
        (
            _snapshot(names, snapshot),
            Part("What is wrong? Nothing is downloaded for this.", (line("vmrescue", "diagnose", Shell('"$url"')),)),
            Part(
                "Make a disk in the same place and of the same generation, and ask for an address to write it.",
                (
                    captured(
                        "bytes", "snapshot show", *_in(names), "--name", snapshot,
                        "--query", "diskSizeBytes", "--output", "tsv",
                    ),
                    *_new_disk(names, Shell('"$((bytes + 512))"')),
                    _granted("disk", names.group, names.rescued, "Write", "to"),
                ),
                "(512 bytes are the VHD's footer. If the VM is in an availability zone, add --zone and its number.)",
            ),
            Part(
                "Rescue it, and take the addresses back.",
                (
                    line("vmrescue", "rescue", "--from", Shell('"$url"'), "--to", Shell('"$to"')),
                    az("snapshot revoke-access", *_in(names), "--name", snapshot),
                    az("disk revoke-access", *_in(names), "--name", names.rescued),
                ),
                "(It shows what it would change, and asks. If it is interrupted, the new disk has a notice that it is "
                "not finished, and the same line with --resume goes on. Meanwhile a second copy to that disk is "
                "refused: by a lease, if the address takes one; else by a lock on this machine. On another machine the "
                "notice at the disk's end prevents it, unless the address can only be written.)",
            ),
            *_swap(names),
        ),
        _left(names, az("snapshot delete", *_in(names), "--name", snapshot)),
    )  # fmt: skip


def _snapshot(names: AzureNames, snapshot: str) -> Part:
    return Part("Stop the VM, keep a snapshot of its OS disk, and ask for an address to read that from.", (
        _stopped(names),
        az("snapshot create", *_in(names), "--name", snapshot, "--source", names.disk),
        _granted("snapshot", names.group, snapshot, "Read"),
    ))  # fmt: skip


def _new_disk(names: AzureNames, size: str) -> Iterator[str]:
    """Lines that make a disk like the broken one, of `size` bytes with the VHD's footer; it waits for its content."""
    yield _of(names, "location", "location")
    yield _of(names, "sku", "sku.name")
    yield _of(names, "generation", "hyperVGeneration")
    yield az(
        "disk create", *_in(names), "--name", names.rescued,
        "--location", Shell('"$location"'), "--sku", Shell('"$sku"'),
        "--os-type", "Windows", "--hyper-v-generation", Shell('"$generation"'),
        "--upload-type", "Upload", "--upload-size-bytes", size,
    )  # fmt: skip


def _managed(names: AzureNames) -> Way:
    snapshot = f"{names.vm}-broken"
    return Way(
        "A managed disk, rescued on this machine",
        "the whole disk is downloaded and uploaded again: 127 GiB in about 18 minutes each way at 1 Gbit/s. The VM is "
        "off meanwhile. A diagnosis of the snapshot by its URL reads only a few MiB of it.",
        (
            _snapshot(names, snapshot),
            Part("What is wrong? Nothing is downloaded for this.", (line("vmrescue", "diagnose", Shell('"$url"')),)),
            Part("Get the disk, and take the address back.", (
                line("azcopy", "copy", Shell('"$url"'), names.image),
                az("snapshot revoke-access", *_in(names), "--name", snapshot),
            )),
            Part(
                "Rescue it.",
                (line("vmrescue", "rescue", names.image),),
                f"(`{line('vmrescue', 'undo', names.image)}` takes that back.)",
            ),
            Part(
                "Make a disk in the same place and of the same generation, and upload.",
                (
                    *_new_disk(names, Shell(f'"$(stat --format %s {shlex.quote(names.image)})"')),
                    _granted("disk", names.group, names.rescued, "Write"),
                    line("azcopy", "copy", names.image, Shell('"$url"'), "--blob-type", "PageBlob"),
                    az("disk revoke-access", *_in(names), "--name", names.rescued),
                ),
                "(If the VM is in an availability zone, add --zone and its number.)",
            ),
            *_swap(names),
        ),
        _left(names, az("snapshot delete", *_in(names), "--name", snapshot), line("rm", names.image)),
    )  # fmt: skip


def _attached(names: AzureNames) -> Way:
    return Way(
        "A managed disk, rescued on a Linux VM in Azure",
        "Azure copies the disk; nothing is downloaded. The Linux VM must be in the same region, and in the same "
        "availability zone if the disk is in one.",
        (
            Part("Stop the VM, and attach a copy of its OS disk to the Linux VM.", (
                _stopped(names),
                az("disk create", *_in(names), "--name", names.rescued, "--source", names.disk),
                az("vm disk attach", *_in(names), "--vm-name", names.linux_vm, "--name", names.rescued, "--lun", LUN),
            )),
            *_on_linux(),
            Part("Detach it.", (
                az("vm disk detach", *_in(names), "--vm-name", names.linux_vm, "--name", names.rescued),
            )),
            *_swap(names),
        ),
        _left(names),
    )  # fmt: skip


def _page_blob(names: AzureNames) -> Way:
    rescued = f"{names.rescued}.vhd"
    signed = Shell(f'"{names.url(rescued)}?$sas"')
    return Way(
        "An unmanaged disk: a page blob in a storage account",
        "the copy is made within the account; vmrescue then reads and writes a few MiB of it by ranges. Microsoft has "
        "announced the end of unmanaged disks: if such a VM no longer starts, make a managed disk of the copy.",
        (
            Part(
                "Stop the VM, and copy the blob.",
                (
                    _stopped(names),
                    captured(
                        "sas", "storage container generate-sas",
                        "--account-name", names.account, "--name", names.container,
                        "--permissions", "crwl", "--https-only",
                        "--expiry", Shell('"$(date -u -d tomorrow +%Y-%m-%dT%H:%MZ)"'),
                        "--as-user", "--auth-mode", "login", "--output", "tsv",
                    ),
                    line("azcopy", "copy", Shell(f'"{names.url(names.blob)}?$sas"'), signed),
                ),
                "(The VM holds a lease on its own blob even while it is stopped, so the blob is only read. You need "
                "the role Storage Blob Data Contributor.)",
            ),
            Part(
                "Rescue the copy where it lies.",
                (line("vmrescue", "rescue", signed),),
                "(It asks before it writes, and keeps its journal on this machine.)",
            ),
            Part("Swap it in, and start the VM.", (*_with_blob(names, rescued), _started(names))),
            Part("Or make a managed disk of it, for a VM of managed disks.", (
                az(
                    "disk create", *_in(names), "--name", names.rescued, "--os-type", "Windows",
                    "--source", names.url(rescued),
                ),
            )),
            Part(
                "Roll back: the VM gets its old blob again.",
                (_stopped(names), *_with_blob(names, names.blob), _started(names)),
            ),
        ),
        Part("When the VM has run for long enough: the old blob goes.", (
            az(
                "storage blob delete", "--account-name", names.account, "--container-name", names.container,
                "--name", names.blob, "--auth-mode", "login",
            ),
        )),
    )  # fmt: skip


def _repair_vm(names: AzureNames) -> Way:
    group = ("--resource-group", f"{names.vm}-repair")
    disk = Shell('"$disk"')
    return Way(
        "az vm repair, with a Linux VM for vmrescue",
        "Azure also makes a Windows VM, which costs money while it is there; vmrescue works on the Linux VM. This is "
        "worth it if you use az vm repair anyway: it makes the copy and the swap.",
        (
            Part("Stop the VM, and make the repair VM with the copy.", (
                _stopped(names),
                az("extension add", "--name", "vm-repair"),
                az(
                    "vm repair create", *_in(names), "--name", names.vm, "--repair-group-name", group[1],
                    "--repair-vm-name", REPAIR_VM, "--copy-disk-name", names.rescued,
                ),
            ), "(It asks for the repair VM's user and password.)"),
            Part("Take the copy to the Linux VM.", (
                captured("disk", "disk show", *group, "--name", names.rescued, "--query", "id", "--output", "tsv",
                    ),
                az("vm disk detach", *group, "--vm-name", REPAIR_VM, "--name", names.rescued),
                az("vm disk attach", *_in(names), "--vm-name", names.linux_vm, "--name", disk, "--lun", LUN),
            )),
            *_on_linux(),
            Part("Give it back, and let az vm repair swap it in.", (
                az("vm disk detach", *_in(names), "--vm-name", names.linux_vm, "--name", names.rescued),
                az("vm disk attach", *group, "--vm-name", REPAIR_VM, "--name", disk),
                az("vm repair restore", *_in(names), "--name", names.vm, "--disk-name", names.rescued),
                _started(names),
            ), "(It asks before it deletes the repair VM.)"),
            _rolled_back(names),
        ),
        _left(names),
    )  # fmt: skip


def _on_linux() -> Iterator[Part]:
    device = Shell('"$device"')
    yield Part(
        "Rescue it on the Linux VM.",
        (
            f"device=$(readlink -e /dev/disk/azure/scsi1/lun{LUN} /dev/disk/azure/data/by-lun/{LUN})",
            line("sudo", "vmrescue", "diagnose", device),
            line("sudo", "vmrescue", "rescue", device),
        ),
        "(The first name is that of a SCSI disk, the second that of an NVMe disk, where azure-vm-utils is installed. "
        "`sudo vmrescue undo` works as long as the disk is not started.)",
    )


def _swap(names: AzureNames) -> Iterator[Part]:
    yield Part("Swap it in, and start the VM.", (
        az("vm update", *_in(names), "--name", names.vm, "--os-disk", names.rescued),
        _started(names),
    ))  # fmt: skip
    yield _rolled_back(names)


def _rolled_back(names: AzureNames) -> Part:
    return Part("Roll back: the VM gets its old disk again.", (
        _stopped(names),
        az("vm update", *_in(names), "--name", names.vm, "--os-disk", names.disk),
        _started(names),
    ))  # fmt: skip


def _left(names: AzureNames, *more: str) -> Part:
    gone = az("disk delete", *_in(names), "--name", names.disk)
    return Part("When the VM has run for long enough: the old disk goes, and with it the way back.", (*more, gone))


def _in(names: AzureNames) -> tuple[str, str]:
    return "--resource-group", names.group


def _stopped(names: AzureNames) -> str:
    return az("vm deallocate", *_in(names), "--name", names.vm)


def _of(names: AzureNames, variable: str, query: str) -> str:
    """A property of the broken disk, kept in a variable."""
    words = "--name", names.disk, "--query", query, "--output", "tsv"
    return captured(variable, "disk show", *_in(names), *words)


def _started(names: AzureNames) -> str:
    return az("vm start", *_in(names), "--name", names.vm)


def _with_blob(names: AzureNames, blob: str) -> Iterator[str]:
    uri = f"storageProfile.osDisk.vhd.uri={names.url(blob)}"
    yield az("vm update", *_in(names), "--name", names.vm, "--set", uri)


def _granted(kind: str, group: str, name: str, level: str, variable: str = "url") -> str:
    """The address of a disk's content, signed for a day; older CLIs call it accessSas, newer accessSAS."""
    words = [
        f"{kind} grant-access", "--resource-group", group, "--name", name, "--access-level", level,
        "--duration-in-seconds", DAY, "--query", "accessSas || accessSAS", "--output", "tsv",
    ]  # fmt: skip
    return captured(variable, *words)


if __name__ == "__main__":
    sys.stdout.write(azure_page())
