"""An image that takes too long, or too much memory, costs its worker; the batch goes on."""

from __future__ import annotations

import functools
import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from commands.here import vmrescue
from hostile.disks import small_image
from vmrescue.errors import UsageError
from vmrescue.fleet import TimedPool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 8.0  # a worker's first image includes its start, on a machine with other work to do
MIB = 1 << 20


@contextmanager
def silent_server() -> Iterator[str]:
    """A URL whose server takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=take, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/os.vhd"
        finally:
            server.close()
            for each in held:
                each.close()


def test_an_image_that_hangs_is_a_result_and_the_others_are_examined(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    begun = time.monotonic()

    with silent_server() as url:
        results = list(library.scan([image, url, image], timeout=SECONDS))

    assert [result.status for result in results] == ["findings", "error", "findings"]
    error = results[1].error
    assert error is not None
    assert (error.kind, error.message) == ("TimedOut", f"timed out: it was not done within {SECONDS:g} s")
    assert time.monotonic() - begun < 5 * SECONDS


def test_the_command_kills_what_takes_too_long_and_goes_on(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    with silent_server() as url:
        done = vmrescue("scan", "--jobs", 2, "--timeout", SECONDS, "--format", "json", url, image)

    results = {row["image"]: row for row in map(json.loads, done.out.splitlines())}
    assert done.status == 3
    assert results[str(image)]["status"] == "findings"
    assert results[url]["error"]["kind"] == "TimedOut"
    assert vmrescue("scan", "--timeout", 1, "--scheduler", "tcp://127.0.0.1:1", image).status == 2


def test_a_worker_gets_no_more_memory_than_its_budget() -> None:
    with TimedPool(1, SECONDS, memory=256 * MIB) as pool:
        small = pool.submit(functools.partial(bytearray, MIB))
        large = pool.submit(functools.partial(bytearray, 8 << 30))
        after = pool.submit(len, b"abc")

        assert len(small.result()) == MIB
        with pytest.raises(MemoryError):
            large.result()
        assert after.result() == 3


def test_a_timeout_is_for_processes_that_can_be_killed() -> None:
    with TimedPool(1, SECONDS) as pool, pytest.raises(UsageError, match="TimedPool"):
        library.scan(["os.vhd"], pool, timeout=1.0)
