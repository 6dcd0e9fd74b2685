"""Whether an Azure VM size has a temporary drive that can hold the page file: one declared table.

Names follow Azure's naming convention: family, vCPUs (perhaps ``-`` constrained vCPUs), feature letters, accelerator
(``A100``) or confidential child-capable (``cc``), version. The rules are tried from the top; the first
that fits decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vmrescue.errors import UsageError

TEMPORARY_DRIVE = "D:"
NAME = re.compile(
    r"(?:Standard|Basic)_(?P<family>[A-Z]+)(?P<cpus>\d+)(?:-\d+)?(?P<features>[a-z]*)"
    r"(?:_(?:cc|[A-Z][A-Za-z0-9]*))*(?:_v(?P<version>\d+))?"
)


@dataclass(frozen=True)
class Rule:
    """For sizes of these families and versions that have the feature letters: is there a usable temporary drive?

    `families` empty means all; `features` are letters that must all be there, `without` letters that must not.
    """

    families: frozenset[str]
    versions: range
    features: str
    without: str
    usable: bool
    source: str

    def fits(self, family: str, version: int, features: str) -> bool:
        return (
            (not self.families or family in self.families)
            and version in self.versions
            and all(letter in features for letter in self.features)
            and not any(letter in features for letter in self.without)
        )


ANY: frozenset[str] = frozenset()
NO_TEMP_FAQ = "Microsoft, 'Azure VM sizes with no local temporary disk' (FAQ)"
NVME_FAQ = "Microsoft, 'Temp NVMe Disks FAQ': raw and unformatted after every start from v6 on"
CONVENTION = "Microsoft, 'Azure virtual machine size naming conventions': d = has a local temporary disk"
SPECIFICATIONS = "Microsoft, size series pages, row 'Local Storage': "

RULES = (
    Rule(ANY, range(6, 100), "", "", False, NVME_FAQ),
    Rule(frozenset({"D", "E"}), range(4, 5), "a", "dp", True, SPECIFICATIONS + "Dav4, Dasv4, Eav4, Easv4 have one"),
    Rule(frozenset({"B"}), range(2, 3), "", "d", False, SPECIFICATIONS + "Bsv2, Basv2, Bpsv2 have none"),
    Rule(frozenset({"DC", "M"}), range(3, 4), "", "d", False, SPECIFICATIONS + "DCsv3, Msv3, Mbsv3 have none"),
    Rule(ANY, range(4, 6), "d", "", True, CONVENTION),
    Rule(ANY, range(4, 6), "", "d", False, NO_TEMP_FAQ),
    Rule(ANY, range(4), "", "", True, NO_TEMP_FAQ + ": traditionally sizes have a D: drive"),
)


def temporary_drive(vm_size: str) -> bool | None:
    match = NAME.fullmatch(vm_size.strip())
    if match is None:
        raise UsageError(f"{vm_size!r} is not the name of an Azure VM size (they look like Standard_D4ds_v5)")
    version = int(match["version"] or 1)
    rule = next(rule for rule in RULES if rule.fits(match["family"], version, match["features"]))
    return rule.usable
