"""Footers, headers and tables with any bytes give a disk or an error of ours, quickly and with little memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.images import BLOCK, SIZE, make_image
from vmrescue.disk import FileDevice, open_container
from vmrescue.errors import VmRescueError
from vmrescue.image.containers.vhd_layout import FOOTER_CHECKSUM_AT, HEADER_CHECKSUM_AT, sealed

numbers = st.integers(0, (1 << 64) - 1) | st.sampled_from([0, 1, 511, 512, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 63])
# (first byte, length) of each number in a footer, a header and the first entries of a table
footer_fields = st.sampled_from([(8, 4), (16, 8), (40, 8), (48, 8), (60, 4), (64, 4), (84, 1)])
header_fields = st.sampled_from(
    [(8, 8), (16, 8), (24, 4), (28, 4), (32, 4), (36, 4), (40, 16), (56, 4), (580, 4), (592, 8)]
)
table_fields = st.integers(0, 4).map(lambda entry: (4 * entry, 4))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    sound = {}
    for container in ("differencing", "dynamic", "fixed"):
        folder = tmp_path_factory.mktemp(container)
        sound[container] = make_image(folder, container).read_bytes()
        if container == "differencing":
            sound["parent"] = (folder / "parent.vhd").read_bytes()
    return sound


def spoil(data: st.DataObject, image: bytes) -> bytes:
    """The image with a few numbers changed; its checksums are made right again, or not, and it is cut short, or not."""
    raw = bytearray(image)
    places = [(len(raw) - 512, footer_fields)]
    if raw.startswith(b"conectix"):
        places += [(0, footer_fields), (512, header_fields), (1536, table_fields)]
    for _ in range(data.draw(st.integers(1, 4))):
        start, fields = data.draw(st.sampled_from(places))
        at, length = data.draw(fields)
        raw[start + at : start + at + length] = data.draw(numbers).to_bytes(16, "big")[-length:]
    if data.draw(st.booleans()):
        raw[-512:] = sealed(bytes(raw[-512:]), FOOTER_CHECKSUM_AT)
        if len(places) > 1:
            raw[:512] = sealed(bytes(raw[:512]), FOOTER_CHECKSUM_AT)
            raw[512:1536] = sealed(bytes(raw[512:1536]), HEADER_CHECKSUM_AT)
    if data.draw(st.integers(0, 9)) == 0:
        del raw[data.draw(st.integers(0, len(raw))) :]
    return bytes(raw)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), container=st.sampled_from(["differencing", "dynamic", "fixed"]))
def test_any_bytes_in_a_vhds_structures_give_a_disk_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, bytes], data: st.DataObject, container: str
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "disk"
    path.write_bytes(spoil(data, images[container]))
    (folder / "parent.vhd").write_bytes(images["parent"])
    message = "a disk"
    started = time.process_time()
    tracemalloc.start()

    image = FileDevice(path, writable=True)
    try:
        disk = open_container(image, str(path))
        try:
            disk.read_at(0, min(disk.size, SIZE))
            disk.write_at(max(0, min(disk.size, SIZE) - BLOCK), b"x" * min(disk.size, BLOCK))
            disk.read_at(max(0, disk.size - 70000), min(disk.size, 70000))
        finally:
            disk.close()
    except VmRescueError as error:
        message = str(error)
    finally:
        image.close()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert message
    assert "\n" not in message
    assert peak < 32 << 20
    assert time.process_time() - started < 2
