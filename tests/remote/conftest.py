"""Azure's emulator, one for all tests of a process, and a broken sample on it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import fsspec
import pytest

from support.azurite import azurite
from support.frail_line import frail_line
from support.images import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.azurite import Azurite
    from support.frail_line import FrailLine


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def account(service: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's credentials, and a place for state files, for this test."""
    fsspec.get_filesystem_class("az").clear_instance_cache()  # of a test with another service
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", service.connection_string)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def line(service: Azurite, account: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrailLine]:
    """The way to the service for this test: one that can fail."""
    with frail_line(service.port) as made:
        through = dataclasses.replace(service, port=made.port)
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", through.connection_string)
        yield made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A broken sample under a name of its own, so that each test has a blob of its own."""
    return sample("gen2-broken", tmp_path).rename(tmp_path / f"{tmp_path.name}.vhd")


@pytest.fixture
def url(service: Azurite, image: Path, account: None) -> str:
    """The sample as a page blob."""
    return service.upload(image)
