"""Samba's regtree and Microsoft's chkreg: what they are content with, and that each finds a wrong edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry.judges import content_of
from registry.more_judges import assert_regtree_agrees, can_ask_chkreg, chkreg
from registry.samples import boot_store
from vmrescue.registry import Hive, ValueType

if TYPE_CHECKING:
    from pathlib import Path


def edited(path: Path) -> Hive:
    """A boot store in which a key and two values are new."""
    hive = Hive(boot_store())
    hive.create_key("Description\\of ours")
    hive.set_value("Description\\of ours", "number", ValueType.DWORD, 7)
    hive.set_value("Description", "bytes", ValueType.BINARY, bytes(range(100)))
    path.write_bytes(hive.to_bytes())
    return hive


def test_regtree_reads_what_we_wrote(tmp_path: Path) -> None:
    content = content_of(edited(tmp_path / "hive"))
    assert_regtree_agrees(tmp_path / "hive", content)

    content["Description\\of ours"]["number"] = (4, b"\x08\0\0\0")
    with pytest.raises(AssertionError, match="regtree"):
        assert_regtree_agrees(tmp_path / "hive", content)
    del content["Description\\of ours"]
    with pytest.raises(AssertionError, match="of ours"):
        assert_regtree_agrees(tmp_path / "hive", content)


def test_chkreg_is_content_with_what_we_wrote_and_with_nothing_that_is_damaged(tmp_path: Path) -> None:
    if not can_ask_chkreg():
        pytest.skip("Microsoft's chkreg.exe is not here: VMRESCUE_CHKREG names it, and wine runs it")
    hive = edited(tmp_path / "hive")
    done = chkreg(tmp_path / "hive")
    assert done.returncode == 0, done.stdout

    damaged = bytearray(hive.to_bytes())
    damaged[4096 + 32] ^= 0xFF  # the size of the first cell of the first bin
    (tmp_path / "damaged").write_bytes(damaged)
    assert chkreg(tmp_path / "damaged").returncode
