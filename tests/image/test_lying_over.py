"""A parent that a differencing disk beside it lies over is not written to, unless that is wanted."""

from __future__ import annotations

from contextlib import chdir
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import run
from vmrescue.image.containers.lying_over import lying_over

if TYPE_CHECKING:
    from pathlib import Path

FLAG = "--although-it-has-children"


def test_the_parent_of_a_child_that_vmrescue_made_is_refused_for_every_edit(gen1_broken: Path) -> None:
    child = gen1_broken.with_name("child.vhd")
    made = command("repair", gen1_broken, "--only", "bad-memory", "--into", child, "--yes")
    assert f"It lies over {gen1_broken}: do not write to that any more" in " ".join(made.stdout.split())
    before = fingerprint(gen1_broken)
    diagnosis = vmrescue.diagnose(gen1_broken, only=["bad-memory"])
    assert f"{child} lies over it" in str(diagnosis.refusal)
    for words in (["put", gen1_broken, __file__, "\\new.txt"], ["repair", gen1_broken], ["cleanup", gen1_broken]):
        refused = command(*words, "--yes")
        assert (refused.returncode, FLAG in refused.stderr) == (4, True), refused.stderr
    assert fingerprint(gen1_broken) == before
    output_of("put", gen1_broken, __file__, "\\new.txt", "--yes", FLAG)
    assert command("undo", gen1_broken).returncode == 4
    output_of("undo", gen1_broken, FLAG)
    assert fingerprint(gen1_broken) == before
    other = gen1_broken.with_name("other.vhd")
    output_of("repair", gen1_broken, "--only", "bad-memory", "--into", other, "--yes", status=(0, 1))
    output_of("put", other, __file__, "\\new.txt", "--yes")


@pytest.mark.parametrize("kind", ["vhdx", "qcow2", "vpc"])
def test_children_are_known_by_the_parent_that_they_name(kind: str, tmp_path: Path) -> None:
    suffix = {"vpc": "vhd"}.get(kind, kind)
    parent, child = tmp_path / f"Parent.{suffix}", tmp_path / f"child.a{suffix}"
    run("qemu-img", "create", "-f", kind, parent, "8M")
    if kind == "qcow2":
        child = tmp_path / "child.qcow2"
        run("qemu-img", "create", "-f", kind, "-b", parent.name, "-F", kind, child)
    else:
        from vmrescue.image.children import filling_over
        from vmrescue.image.new_image import new_image

        with new_image(child) as new:
            filling_over(f"dynamic {suffix.upper()}", child)(new, parent)
            new.finish()
    assert lying_over(parent) == [str(child)]
    assert lying_over(child) == []
    with chdir(tmp_path):
        assert lying_over(parent.name) == [str(child.resolve())]
    (tmp_path / "elsewhere").mkdir()
    assert lying_over(parent.rename(tmp_path / "elsewhere" / parent.name)) == []
