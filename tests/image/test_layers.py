"""A disk's facts are the same through all layers; a new container needs a module and a row."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from support.command import vmrescue
from support.images import sample
from support.machine import run
from vmrescue.cli.main import group
from vmrescue.device import check_range
from vmrescue.errors import RefusedError
from vmrescue.fleet.examination import MeteredDisk
from vmrescue.image import open_disk
from vmrescue.image.containers.container import CONTAINERS, ContainerKind
from vmrescue.image.risks import Risk
from vmrescue.image.virtual_disk import Container, Facts, Layer, SecondOpinion
from vmrescue.transaction.recorder import Recorder
from vmrescue.volumes.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.image import VirtualDisk
    from vmrescue.image.transports.file import ImageStore

MAGIC = b"XORDISK!".ljust(512, b"\0")
KEY = 0x5A


class XorDisk(Container):
    """A container for this test: a sector with a signature, then the disk with each byte XORed."""

    def __init__(self, store: ImageStore) -> None:
        super().__init__(Facts("masked image", notes=("its bytes are masked",), refusal="it is only read"))
        self.store = store
        self.size = store.size - len(MAGIC)
        self.sector_size = 512

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.format, offset, length, self.size)
        return bytes(byte ^ KEY for byte in self.store.read_at(len(MAGIC) + offset, length))

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise RefusedError("it is only read")

    def resize(self, size: int) -> None:
        raise RefusedError("it is only read")

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        self.store.close()


ROW = ContainerKind(
    lambda store, path: store.size > 8 and store.read_at(0, 8) == MAGIC[:8],
    lambda store, path, folder: XorDisk(store),
    lambda path: RefusedError(f"{path} is masked: unmask it first"),
)


def test_a_new_container_is_a_module_and_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, image = tmp_path / "disk.raw", tmp_path / "disk.xor"
    run("mkntfs", "-q", "-F", "-s", "512", "-p", "0", "-H", "0", "-S", "0", _blank(raw), "8192")
    image.write_bytes(MAGIC + bytes(byte ^ KEY for byte in raw.read_bytes()))
    monkeypatch.setattr("vmrescue.image.containers.container.CONTAINERS", [ROW, *CONTAINERS])

    opened = open_disk(image)
    disk = Disk(opened, str(image))
    assert [volume.file_system for volume in disk.volumes] == ["NTFS"]
    assert [entry.name for entry in disk.volumes[0].files.entries("")][:2] == ["$AttrDef", "$BadClus"]
    assert disk.warnings == ["its bytes are masked"]
    opened.close()
    assert "its bytes are masked" in vmrescue_in_process("ls", image)
    with pytest.raises(RefusedError, match="unmask it first"):
        open_disk(image, writable=True)


def vmrescue_in_process(*words: object) -> str:
    """Runs vmrescue in this process, which knows the new container."""
    done = CliRunner().invoke(group, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return str(done.output)


def _blank(path: Path) -> Path:
    with path.open("wb") as stream:
        stream.truncate(8 << 20)
    return path


class Bottom(Container):
    """A disk of nothing with every fact set."""

    size, sector_size = 1 << 20, 4096

    def __init__(self) -> None:
        risk = Risk("discard-saved-state", "it was saved")
        super().__init__(
            Facts(
                "odd disk", b"i" * 16, ("p",), ("a note",), (risk,), "refused", True, SecondOpinion.FILE, "no", 7, "odd"
            )
        )
        self.written: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(length)

    def next_data(self, offset: int) -> int:
        return self.size  # nothing was ever written

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self.written.append((offset, len(data)))

    def resize(self, size: int) -> None:
        self.size = size

    def flush(self) -> None:
        self.written.append((-1, 0))

    def close(self) -> None:
        self.written.append((-2, 0))


@pytest.mark.parametrize("layer", [Layer, Recorder, MeteredDisk])
def test_a_layer_passes_everything_on(layer: type[Layer]) -> None:
    bottom = Bottom()
    disk: VirtualDisk = layer(layer(bottom))
    assert disk.facts == bottom.facts
    assert all(getattr(bottom.facts, field.name) is not None for field in fields(Facts))
    assert (disk.format, disk.unique_id, disk.parents, disk.warnings) == ("odd disk", b"i" * 16, ["p"], ["a note"])
    assert (disk.size, disk.sector_size, disk.refusal) == (1 << 20, 4096, "refused")
    assert disk.next_data(5) == 1 << 20
    disk.learn(notes=("another",))
    assert bottom.facts.notes == disk.facts.notes == ("another",)
    disk.write_at(3, b"xy")
    disk.resize(2 << 20)
    disk.flush()
    disk.close()
    assert (bottom.written, disk.size) == ([(3, 2), (-1, 0), (-2, 0)], 2 << 20)


@pytest.mark.parametrize(("name", "longest"), [("fixed", None), ("dynamic", 2040 << 30)])
def test_what_decides_is_a_fact_and_not_a_name(name: str, longest: int | None, tmp_path: Path) -> None:
    raw, image = _blank(tmp_path / "disk.raw"), tmp_path / "disk.vhd"
    run("qemu-img", "convert", "-O", "vpc", "-o", f"subformat={name},force_size=on", raw, image)
    disk = open_disk(image)
    facts = disk.facts
    assert (facts.flat, facts.longest, facts.second_opinion) == (name == "fixed", longest, SecondOpinion.LIBVHDI)
    disk.close()


@pytest.mark.parametrize("kind", ["qcow2", "vdi"])
def test_foreign_images_are_scanned_by_several_processes(kind: str, tmp_path: Path) -> None:
    """A worker's result is pickled, so it must not have numbers of a reader's own type."""
    for name in ("gen1-broken", "gen2-broken"):
        vhd = sample(name, tmp_path)
        run("qemu-img", "convert", "-f", "vpc", "-O", kind, vhd, tmp_path / f"{name}.{kind}")
        vhd.unlink()
    out = tmp_path / "scan.jsonl"
    done = vmrescue("scan", tmp_path, "--jobs", "2", "-o", out)
    assert done.returncode == 1, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    results = [row for row in rows if "image" in row]
    assert {row["image"].rsplit(".", 1)[1] for row in results} == {kind}
    assert len(results) == 2
    assert not any(row.get("error") for row in results)
