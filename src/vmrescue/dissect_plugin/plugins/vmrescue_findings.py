"""What vmrescue finds in a target, as records. Loaded by dissect.target, which is not imported anywhere else."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from dissect.target.exceptions import UnsupportedPluginError
from dissect.target.helpers.record import TargetRecordDescriptor
from dissect.target.plugin import Plugin, arg, export

from vmrescue.checks import Policy
from vmrescue.diagnosis import diagnose
from vmrescue.diagnosis.command_line import commands, remedy
from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    from collections.abc import Iterator

FindingRecord = TargetRecordDescriptor(
    "vmrescue/finding",
    [
        ("string", "check"),
        ("string", "severity"),
        ("string", "summary"),
        ("string", "meaning"),
        ("string", "step"),
        ("string", "evidence"),
        ("string[]", "changes"),
        ("string[]", "remedies"),
        ("path", "source"),
    ],
)


class VmRescuePlugin(Plugin):  # type: ignore[misc]  # dissect.target has no types
    """What keeps a Windows VM from booting: bad memory lists, page files, free space, boot settings."""

    def check_compatible(self) -> None:
        if not len(self.target.disks):
            raise UnsupportedPluginError("the target has no disks")

    @export(record=FindingRecord)  # type: ignore[untyped-decorator]
    @arg("--vm-size", help="the VM's size in Azure, such as Standard_D4ds_v5: has it a temporary drive?")  # type: ignore[untyped-decorator]
    def vmrescue(self, vm_size: str | None = None) -> Iterator[Any]:
        """Yield what vmrescue finds wrong with the Windows VM on the target's disks.

        The fields ``check``, ``severity`` (critical, warning, advice), ``summary``, ``meaning`` and ``step`` are those
        of ``vmrescue diagnose``; ``evidence`` is its JSON, ``changes`` what a repair would do, and ``remedies`` the
        commands that help, the repair first.
        """
        try:
            diagnosis = diagnose(self.target, Policy.azure(vm_size))
        except VmRescueError as error:
            self.target.log.error("vmrescue cannot diagnose %s: %s", self.target, error)
            return
        image = str(self.target.path)
        for finding in diagnosis.findings:
            repair = [finding.refused or remedy(diagnosis, finding.check)] if finding.changes or finding.refused else []
            yield FindingRecord(
                check=finding.check,
                severity=finding.severity,
                summary=finding.summary,
                meaning=finding.meaning,
                step=finding.step,
                evidence=json.dumps(finding.evidence),
                changes=[change.title for change in finding.changes],
                remedies=[*repair, *map(shlex.join, commands(diagnosis, finding))],
                source=image,
                _target=self.target,
            )
