"""The checks: each looks at an installation and yields findings, with the changes that would mend them. None writes.

`rules` is the table of them, `check` what one declares, `facts` what a finding holds, `intents` what it may advise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.checks.finding import SEVERITIES, Finding, Severity
    from vmrescue.checks.look_up import explain
    from vmrescue.checks.policy import Policy

__all__ = ["SEVERITIES", "Finding", "Policy", "Severity", "explain"]

__getattr__ = names_of(
    __name__,
    {"SEVERITIES": "finding", "Finding": "finding", "Policy": "policy", "Severity": "finding", "explain": "look_up"},
)
