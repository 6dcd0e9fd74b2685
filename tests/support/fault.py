"""A fault of `tests/faults/`: its disk, what a diagnosis is to find in it, and how a repair is to end."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.command import vmrescue
from support.disk_judges import verdicts
from support.fault_disk import FaultDisk
from support.images import fingerprint
from support.machine import run

if TYPE_CHECKING:
    import subprocess

FAULTS = Path(__file__).parent.parent / "faults"
RECIPE = "fault.toml"
FORMATS = {
    "vhd": ("vpc", "subformat=fixed,force_size=on"),
    "vhdx": ("vhdx", "subformat=dynamic"),
    "qcow2": ("qcow2", "compat=1.1"),
}
MOST_SHOWN = 4000  # characters of what a command printed
LEFT = {"warning", "critical"}
SEEN = ("status", "findings", "not_checked", "stop")

Table = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """One folder: its name, and its recipe as TOML (see README.md there)."""

    name: str
    recipe: Table

    def make(self, folder: Path) -> Path:
        """The disk image, in an empty folder."""
        disk = FaultDisk.copy_of(self.recipe["disk"], folder)
        disk.make(self.recipe.get("make", []))
        form = self.recipe.get("image", "raw")
        if form == "raw":
            return disk.path
        image = folder / f"disk.{form}"
        driver, options = FORMATS[form]
        run("qemu-img", "convert", "-O", driver, "-o", options, disk.path, image)
        disk.path.unlink()
        return image

    def rescue(self, folder: Path) -> None:
        """Makes the disk and rescues it: nothing worse is left than after a repair; once is enough; undo is exact.

        Raises:
            AssertionError: something differs.
        """
        image = self.make(folder)
        first, judged = fingerprint(image), verdicts(image)
        done = vmrescue("rescue", image, "--yes", "--format", "json", *self._options({}))
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode > 1:
            assert fingerprint(image) == first, "a rescue that was not made changed the image"
            assert self.recipe["expect"]["status"] > 1 or self.recipe.get("repair", {}).get("status", 0) > 1, (
                done.stderr
            )
            return
        left = {f"{each['check']} {each['severity']}" for each in json.loads(done.stdout)["remaining"]}
        repair = self.recipe.get("repair", {})
        wanted = set(repair.get("after", self.recipe["expect"]).get("findings", left))
        if "--only" in repair.get("options", []):  # what is mended when it is named alone
            wanted |= set(self.recipe["expect"].get("findings", left))
        assert left <= wanted, f"left: {left}, after a repair: {wanted}"
        self._is_no_worse(image, judged)
        after = fingerprint(image)
        again = vmrescue("rescue", image, "--yes", "--format", "json", *self._options({}))
        assert (again.returncode, fingerprint(image)) == (done.returncode, after), "a second rescue changed something"
        if after != first:
            assert vmrescue("undo", image).returncode == 0
        assert fingerprint(image) == first, "the undo did not give the first bytes back"

    def play(self, folder: Path) -> None:
        """Makes the disk, and holds diagnosis, repair, second run and undo to what the recipe expects.

        Raises:
            AssertionError: something differs.
        """
        image = self.make(folder)
        self._look(image, self.recipe["expect"])
        repair = self.recipe.get("repair")
        if repair is None:
            return
        first, judged = fingerprint(image), verdicts(image)
        done = vmrescue("repair", image, "--yes", *self._options(repair), "--backup-dir", folder / "backups")
        _holds("repair", done, repair)
        if done.returncode == 4:
            assert fingerprint(image) == first, "a refused repair changed the image"
            return
        self._is_no_worse(image, judged)
        self._look(image, repair["after"])
        undone = vmrescue("undo", image)
        assert undone.returncode == 0, undone.stderr
        assert fingerprint(image) == first, "the undo did not give the first bytes back"

    def _is_no_worse(self, image: Path, judged: dict[str, str]) -> None:
        worse = [judge for judge, verdict in verdicts(image).items() if judged.get(judge) == "sound" != verdict]
        assert not worse, f"sound before and not after, says {', '.join(worse)}"

    def _look(self, image: Path, expected: Table) -> None:
        done = vmrescue("diagnose", image, "--format", "json", *self._options(expected))
        _holds("diagnose", done, expected)
        if done.returncode > 1:
            return
        told = seen(json.loads(done.stdout), done.returncode)
        wanted = {key: value for key, value in expected.items() if key in SEEN}
        found = {key: told[key] for key in wanted}
        assert found == wanted, f"found    {found}\nexpected {wanted}\n{document_text(done)}"

    def _options(self, expected: Table) -> list[str]:
        return [*self.recipe.get("options", []), *expected.get("options", [])]


def seen(document: Table, status: int) -> Table:
    """What a recipe may expect of a diagnosis: short, and in an order of its own."""
    stop = (document.get("boot") or {}).get("stop")
    found = [f"{each['check']} {each['severity']}" for each in document["findings"]]
    return {
        "status": status,
        "findings": sorted({each for each in found if each.split()[1] in LEFT}),
        "not_checked": sorted({each["check"] for each in document["not_checked"]}),
        "stop": f"{stop['stage']} {stop['code']}".strip() if stop else "",
    }


def document_text(done: subprocess.CompletedProcess[str]) -> str:
    """The findings of a diagnosis in a line each."""
    return "\n".join(f"{each['check']}: {each['summary']}" for each in json.loads(done.stdout)["findings"])


def _holds(command: str, done: subprocess.CompletedProcess[str], expected: Table) -> None:
    """The exit status, and words that are printed (`says`) or are not (`never_says`)."""
    printed = done.stdout + done.stderr
    shown = printed if len(printed) < MOST_SHOWN else f"{printed[:MOST_SHOWN]} ..."
    assert "Traceback" not in printed, printed
    assert done.returncode == expected["status"], f"{command} ended with {done.returncode}:\n{shown}"
    for words in expected.get("says", []):
        assert words in printed, f"{command} does not say {words!r}:\n{shown}"
    for words in expected.get("never_says", []):
        assert words not in printed, f"{command} says {words!r}:\n{shown}"


def load(name: str) -> Fault:
    """One fault by its folder's name."""
    return Fault(name, tomllib.loads((FAULTS / name / RECIPE).read_text()))


def names() -> list[str]:
    """All faults there are."""
    return sorted(path.parent.name for path in FAULTS.glob(f"*/{RECIPE}"))
