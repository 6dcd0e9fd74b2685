"""vmrescue: repairs the disk image of a Windows VM that no longer boots: no Windows, no mount, no root.

    diagnosis = vmrescue.diagnose("os.vhd")     # read-only
    receipt = vmrescue.repair("os.vhd")         # backed up, journalled, verified
    vmrescue.undo("os.vhd")                     # what it wrote becomes what it was

The names below are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue import disk
    from vmrescue.checks import Finding, Policy, explain
    from vmrescue.diagnosis import Diagnosis, diagnose, rehearse
    from vmrescue.errors import (
        AfterCommitError,
        ArgumentError,
        FormatError,
        NoMatchError,
        NotFoundError,
        ReadError,
        RefusedError,
        RepairFailedError,
        UnsoundError,
        UnsupportedError,
        UsageError,
        VmRescueError,
        WriteError,
    )
    from vmrescue.fleet import RepairResult, ScanResult, repair_images, rescue_images, scan, undo_run
    from vmrescue.plan import Plan
    from vmrescue.playbook import Playbook
    from vmrescue.procedure import (
        BcdeditAnswer,
        Outcome,
        RegAnswer,
        Run,
        Runbook,
        backup,
        bcdedit,
        cleanup,
        defrag,
        expand,
        reg,
        rescue,
        run,
    )
    from vmrescue.progress import on_progress
    from vmrescue.rehearsal import Rehearsal
    from vmrescue.schemas import schema
    from vmrescue.transaction import Receipt, repair, undo

__version__ = "0.1.0"
__all__ = [
    "BcdeditAnswer",
    "Diagnosis",
    "Finding",
    "Outcome",
    "Plan",
    "Playbook",
    "Policy",
    "Receipt",
    "RegAnswer",
    "Rehearsal",
    "RepairResult",
    "Run",
    "Runbook",
    "ScanResult",
    "diagnose",
    "rehearse",
    "explain",
    "rescue",
    "repair",
    "run",
    "expand",
    "cleanup",
    "defrag",
    "backup",
    "bcdedit",
    "reg",
    "undo",
    "scan",
    "repair_images",
    "rescue_images",
    "undo_run",
    "on_progress",
    "schema",
    "disk",
    "VmRescueError",
    "AfterCommitError",
    "ArgumentError",
    "FormatError",
    "NoMatchError",
    "NotFoundError",
    "ReadError",
    "RefusedError",
    "RepairFailedError",
    "UnsoundError",
    "UnsupportedError",
    "UsageError",
    "WriteError",
]

_ROOMS = {
    "Diagnosis": "diagnosis",
    "Finding": "checks",
    "Outcome": "procedure",
    "Policy": "checks",
    "diagnose": "diagnosis",
    "rehearse": "diagnosis",
    "Rehearsal": "rehearsal",
    "AfterCommitError": "errors",
    "ArgumentError": "errors",
    "FormatError": "errors",
    "NoMatchError": "errors",
    "NotFoundError": "errors",
    "ReadError": "errors",
    "RefusedError": "errors",
    "RepairFailedError": "errors",
    "UnsoundError": "errors",
    "UnsupportedError": "errors",
    "UsageError": "errors",
    "VmRescueError": "errors",
    "WriteError": "errors",
    "explain": "checks",
    "BcdeditAnswer": "procedure",
    "RegAnswer": "procedure",
    "backup": "procedure",
    "bcdedit": "procedure",
    "reg": "procedure",
    "cleanup": "procedure",
    "defrag": "procedure",
    "expand": "procedure",
    "on_progress": "progress",
    "schema": "schemas",
    "ScanResult": "fleet",
    "Run": "procedure",
    "Runbook": "procedure",
    "rescue": "procedure",
    "run": "procedure",
    "scan": "fleet",
    "RepairResult": "fleet",
    "repair_images": "fleet",
    "rescue_images": "fleet",
    "undo_run": "fleet",
    "Plan": "plan",
    "Playbook": "playbook",
    "Receipt": "transaction",
    "repair": "transaction",
    "undo": "transaction",
}

_look_up = names_of(__name__, _ROOMS)


def __getattr__(name: str) -> Any:
    return importlib.import_module("vmrescue.disk") if name == "disk" else _look_up(name)
