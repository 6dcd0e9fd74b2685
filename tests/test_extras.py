"""What comes with an extra and is not installed is asked for by the extra's name, before any work is done."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vmrescue
from support.images import sample
from support.machine import run
from vmrescue.errors import UnsupportedError

EXTRAS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_a_store_of_another_service_names_the_package_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    with pytest.raises(UnsupportedError, match=r"^s3://bucket/os.vhd needs a further package: pip install s3fs$"):
        vmrescue.diagnose("s3://bucket/os.vhd")
    with pytest.raises(UnsupportedError, match=r"^az://c/os.vhd: no storage account is named: set AZURE_STORAGE_"):
        vmrescue.diagnose("az://c/os.vhd")


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("pyarrow", "scan os.vhd --output results.parquet", "fleet"),
        ("pebble", "scan os.vhd --timeout 5", "fleet"),
        ("distributed", "scan os.vhd --scheduler tcp://127.0.0.1:1", "fleet"),
        ("fsspec", "diagnose https://127.0.0.1:1/os.vhd", "fleet"),
        ("dissect.hypervisor", "diagnose os.qcow2", "foreign"),
    ],
)
def test_a_missing_package_is_said_with_its_extra_before_anything_is_done(
    package: str, words: str, extra: str, tmp_path: Path
) -> None:
    assert extra in EXTRAS
    sample("gen2-healthy", tmp_path).rename(tmp_path / "os.vhd")
    run("qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "os.qcow2", "8M")
    here = sorted(tmp_path.iterdir())
    code = f"import sys; sys.modules[{package!r}] = None; from vmrescue.cli.main import main; main()"

    done = subprocess.run([sys.executable, "-c", code, *words.split()], cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (3, "")
    assert f"not installed here; vmrescue's extra '{extra}' brings it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == here
