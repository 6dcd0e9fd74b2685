"""The disk that images in QEMU's containers are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.images import sample
from support.machine import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def os_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("os")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", sample("gen1-broken", folder), folder / "os.raw")
    return folder / "os.raw"
