"""Fixtures that several rooms' tests use: fresh copies of the sample images, and a folder that is quick to sync."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support.garbage import pytest_collection  # noqa: F401
from support.images import sample
from support.judges_report import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown  # noqa: F401
from support.marks import pytest_collection_modifyitems  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("any machine", deadline=None)  # one that is busy is slow, and that is no fault of an input's
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for what a shell started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where the machine has one: for tests that sync thousands of times, and play the crash."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


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
