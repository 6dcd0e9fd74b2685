"""The disk that images in QEMU's containers are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.images import sample
from support.machine import run
from vmrescue.image.qemu_options import KEY_FILE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def os_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("os")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", sample("gen1-broken", folder), folder / "os.raw")
    return folder / "os.raw"


@pytest.fixture(autouse=True)
def key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the images that are encrypted."""
    file = tmp_path_factory.getbasetemp() / "key, of LUKS"
    file.write_text("a passphrase")
    monkeypatch.setenv(KEY_FILE, str(file))
