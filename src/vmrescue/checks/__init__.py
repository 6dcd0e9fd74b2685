"""The rules: each reads an installation and yields findings, with the changes that would mend them. None writes."""

from __future__ import annotations

from vmrescue.checks.finding import SEVERITIES, Finding, Severity
from vmrescue.checks.policy import Policy

__all__ = ["SEVERITIES", "Finding", "Policy", "Severity"]
