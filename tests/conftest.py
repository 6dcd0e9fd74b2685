"""Fixtures that several rooms' tests use: fresh copies of the sample images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.images import sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def gen1_broken(tmp_path: Path) -> Path:
    """Generation 1, MBR, fixed VHD, two control sets, every fault."""
    return sample("gen1-broken", tmp_path)


@pytest.fixture
def gen2_broken(tmp_path: Path) -> Path:
    """Generation 2, GPT, dynamic VHD, one control set, every fault."""
    return sample("gen2-broken", tmp_path)


@pytest.fixture
def gen2_healthy(tmp_path: Path) -> Path:
    """Generation 2, GPT, dynamic VHD, nothing wrong."""
    return sample("gen2-healthy", tmp_path)
