"""Device elements: Windows' bytes are decoded correctly, and encoded to the same bytes."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcd.devices import GPT, MBR, WINDOWS_DEVICES, no_volumes, volume_name
from vmrescue.bcd.device import Boot, Locate, RamDisk, Unknown, VirtualDisk, VmBus, decode, encode
from vmrescue.errors import FormatError


@pytest.mark.parametrize("kind", WINDOWS_DEVICES)
def test_a_device_that_windows_wrote_is_read_as_what_it_is(kind: str) -> None:
    data, target, options, _ = WINDOWS_DEVICES[kind]

    device = decode(bytes.fromhex(data))

    assert (device.target, device.options) == (target, options)


@pytest.mark.parametrize("kind", WINDOWS_DEVICES)
def test_a_device_is_written_with_the_bytes_that_windows_writes(kind: str) -> None:
    data, target, options, _ = WINDOWS_DEVICES[kind]

    assert encode(target, options).raw.hex() == data  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", WINDOWS_DEVICES)
def test_a_device_is_shown_as_bcdedit_shows_it(kind: str) -> None:
    data, _, _, text = WINDOWS_DEVICES[kind]

    assert decode(bytes.fromhex(data)).text(volume_name) == text


def test_a_volume_that_is_not_there_is_unknown_as_it_is_to_bcdedit() -> None:
    assert encode(MBR).text(no_volumes) == "unknown"
    assert encode(RamDisk(GPT, r"\boot.wim")).text(no_volumes) == r"ramdisk=[unknown]\boot.wim"


def test_without_an_image_a_partition_is_shown_by_its_identity() -> None:
    assert str(encode(MBR)) == "mbr_partition=36234da4;1048576"
    assert str(encode(GPT)) == f"gpt_partition={{{GPT.disk}}};{{{GPT.partition}}}"


def test_a_search_for_a_path_and_for_an_element_are_told_apart() -> None:
    assert str(decode(encode(Locate(r"\Windows", 0, None)).raw)) == r"locate=\Windows"
    assert str(decode(encode(Locate("", 0x22000002, None)).raw)) == "locate=custom:22000002"


def test_a_device_of_a_hypervisor_keeps_its_interface() -> None:
    device = decode(encode(VmBus(UUID(int=5))).raw)

    assert device.target == VmBus(UUID(int=5))


def test_an_unknown_kind_is_kept_byte_for_byte() -> None:
    raw = bytes(16) + bytes.fromhex("0a0000000000000014000000000000001122334455667788")

    device = decode(raw)

    assert str(device) == "unknown"
    assert isinstance(device.target, Unknown)
    assert device.raw == raw


def test_bytes_too_few_for_a_descriptor_are_refused() -> None:
    with pytest.raises(FormatError, match="BCD device element"):
        decode(bytes(31))


@given(st.data())
def test_a_damaged_device_is_read_without_a_crash_and_kept_byte_for_byte(data: st.DataObject) -> None:
    raw = bytearray.fromhex(WINDOWS_DEVICES[data.draw(st.sampled_from(sorted(WINDOWS_DEVICES)))][0])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(32, len(raw)))])

    device = decode(cut)

    assert device.raw == cut
    assert device.text(volume_name)


def test_disks_inside_each_other_without_end_are_not_followed() -> None:
    target: object = Boot()
    for _ in range(500):
        target = VirtualDisk(target)  # type: ignore[arg-type]

    device = decode(encode(target).raw)  # type: ignore[arg-type]

    assert "unknown" in str(device)
