"""What is said of the package in more than one place is the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from email import message_from_bytes
from pathlib import Path

import yaml

import vmrescue

ROOT = Path(__file__).parents[1]


def test_the_version_is_one() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert vmrescue.__version__ == declared == newest[1]


def test_forms_and_hooks_are_yaml() -> None:
    for path in [ROOT / ".pre-commit-config.yaml", *(ROOT / ".github").rglob("*.yml")]:
        assert isinstance(yaml.safe_load(path.read_text()), dict), path


def test_every_link_between_the_documents_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target)
    ]
    assert len(links) > 30
    assert [
        f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()
    ] == []


def test_what_a_package_index_shows_has_no_link_that_leads_nowhere(tmp_path: Path) -> None:
    """The metadata are made by the build itself. `.ci/package` looks at those of the wheel."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src/vmrescue").mkdir(parents=True)
    (tmp_path / "src/vmrescue/__init__.py").touch()
    made = "import setuptools.build_meta as build; build.prepare_metadata_for_build_wheel('.')"
    subprocess.run([sys.executable, "-c", made], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    [metadata] = tmp_path.glob("*.dist-info/METADATA")
    message = message_from_bytes(metadata.read_bytes())
    shown = str(message.get_payload())
    assert message["Description-Content-Type"] == "text/markdown"
    assert re.findall(r"\]\((?![a-z]+:)[^)]*\)|<(?:a|img)\b|^\[[^]]+\]:", shown, re.MULTILINE) == []
    for part in ("docs/azure.md", "docs/report.png", "vmrescue rescue os.vhd"):
        assert part in shown
