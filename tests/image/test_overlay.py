"""Copy on write, compared with an array of bytes."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from vmrescue.disk import FileDevice, Overlay
from vmrescue.image.overlay import GAP, IN_MEMORY, PAGE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MIB = 1 << 20

places = st.integers(0, 5 * PAGE) | st.sampled_from([0, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
steps = st.lists(
    st.tuples(st.just("write"), places, st.binary(max_size=2 * PAGE))
    | st.tuples(st.just("resize"), places, st.just(b"")),
    max_size=12,
)


def overlay_on(path: Path, content: bytes) -> Overlay:
    path.write_bytes(content)
    return Overlay(FileDevice(path))


def close(overlay: Overlay) -> None:
    overlay.close()
    overlay.base.close()


def test_the_base_stays_as_it_is(tmp_path: Path) -> None:
    overlay = overlay_on(tmp_path / "base", b"A" * 10000)

    overlay.write_at(4000, b"b" * 200)

    assert overlay.read_at(3999, 202) == b"A" + b"b" * 200 + b"A"
    assert overlay.base.read_at(0, 10000) == b"A" * 10000
    assert overlay.changed_ranges() == [(4000, 200)]
    close(overlay)


def test_bytes_that_end_up_as_they_were_are_no_change(tmp_path: Path) -> None:
    overlay = overlay_on(tmp_path / "base", b"A" * 10000)

    overlay.write_at(0, b"A" * 5000)
    overlay.write_at(7000, b"x")
    overlay.write_at(7000, b"A")

    assert overlay.changed_ranges() == []
    close(overlay)


def test_a_block_of_new_bytes_is_one_range_though_some_happen_to_be_equal(tmp_path: Path) -> None:
    overlay = overlay_on(tmp_path / "base", bytes(4 * MIB))

    overlay.write_at(1000, random.Random(1).randbytes(3 * MIB))

    assert overlay.changed_ranges() == [(1000, 3 * MIB)]
    close(overlay)


def test_many_small_writes_are_reported_apart_and_soon(tmp_path: Path) -> None:
    overlay = overlay_on(tmp_path / "base", bytes(64 * MIB))
    start = time.process_time()

    for at in range(0, 64 * MIB, 3000):
        overlay.write_at(at, b"x")

    assert overlay.changed_ranges() == [(at, 1) for at in range(0, 64 * MIB, 3000)]
    assert time.process_time() - start < 5
    close(overlay)


def test_more_changes_than_fit_in_memory_are_kept_in_a_file(tmp_path: Path) -> None:
    size = IN_MEMORY + 4 * MIB
    path = tmp_path / "base"
    path.touch()
    overlay = Overlay(FileDevice(path))
    overlay.resize(size)

    for at in range(0, size, MIB):
        overlay.write_at(at, at.to_bytes(8, "big") * (MIB // 8))

    for at in range(0, size, MIB):
        assert overlay.read_at(at, MIB) == at.to_bytes(8, "big") * (MIB // 8)
    assert path.stat().st_size == 0
    close(overlay)


@settings(max_examples=300, deadline=None)
@given(size=places, steps=steps)
def test_any_writes_and_resizes_act_as_on_an_array_of_bytes(
    tmp_path_factory: pytest.TempPathFactory, size: int, steps: list[tuple[str, int, bytes]]
) -> None:
    base = random.Random(size).randbytes(size)
    overlay = overlay_on(tmp_path_factory.mktemp("overlay") / "base", base)
    model = bytearray(base)

    for what, place, data in steps:
        if what == "resize":
            overlay.resize(place)
            model = model[:place].ljust(place, b"\0")
        elif place + len(data) <= len(model):
            overlay.write_at(place, data)
            model[place : place + len(data)] = data

    assert overlay.size == len(model)
    assert overlay.read_at(0, overlay.size) == model
    result = bytearray(base[: len(model)].ljust(len(model), b"\0"))
    end = -GAP
    for offset, length in overlay.changed_ranges():
        assert offset - end >= GAP
        assert length > 0
        end = offset + length
        assert result[offset] != model[offset]
        assert result[end - 1] != model[end - 1]
        result[offset:end] = overlay.read_at(offset, length)
    assert result == model
    close(overlay)
