"""hive-log: a hive was not written out when the VM stopped; what Windows sees is in its transaction logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.plan import ReplayLog
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "hive-log"
HIVES = ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    for hive in _hives(installation):
        if not hive.state.dirty:
            continue
        problem = hive.why_not_replayable()
        yield Finding(
            check=ID,
            severity="warning",
            summary=f"the hive \\{hive.path} is dirty ({hive.state.reason})" + (f"; {problem}" if problem else ""),
            meaning=_meaning(hive, problem),
            step=steps.PAGE_FILE,
            evidence={"hive": hive.path, "volume": str(hive.volume), "reason": hive.state.reason, "problem": problem},
            changes=() if problem else (ReplayLog(hive.ref, hive.state.reason),),
        )


def _meaning(hive: RegistryFile, problem: str | None) -> str:
    if not problem:
        return "Its file alone is not what Windows sees: the transaction logs must be replayed first."
    windows = (
        "Windows cannot load it"
        if hive.state.is_torn
        else "Windows goes on with its file as it is, without the changes that were not written out"
    )
    cure = "vmrescue reads the file, and does not edit it: put its logs beside it, or restore it from a backup."
    return f"{windows}. {cure}"


def _hives(installation: Installation) -> Iterator[RegistryFile]:
    yield installation.boot.hive
    if installation.os is None:
        return
    for name in HIVES:
        path = f"{installation.os.config}\\{name}"
        if name == "SYSTEM":
            yield installation.os.system
        elif installation.os.volume.files.size_of(path):
            yield RegistryFile(installation.os.volume, path)
