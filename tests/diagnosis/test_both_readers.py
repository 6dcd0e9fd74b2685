"""A diagnosis that reads what is plain from its bytes says what one says that reads everything through dissect.

On the samples; on each sixteenth fault of `tests/faults`, and with VMRESCUE_FAULTS_BOTH=1 on all of them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from support.campaign import whole
from support.fault import load, names
from support.fault_play import make
from support.images import sample
from support.machine import need_root
from vmrescue.diagnosis import diagnose
from vmrescue.errors import VmRescueError
from vmrescue.samples import names as sample_names
from vmrescue.volumes.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

LONG_DATA = re.compile(r'"data": "([A-Za-z0-9+/=]{200,})"')  # a file made anew has the times of its making
COST = {"bytes_read", "requests", "seconds", "depth"}


def said(image: Path) -> Any:
    try:
        document = diagnose(image).to_dict()
    except VmRescueError as error:
        return type(error), error.exit_status
    text = json.dumps({key: value for key, value in document.items() if key not in COST})
    return json.loads(LONG_DATA.sub(lambda match: f'"data": {len(match[1])}', text))


def must_be_alike(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = said(image)
    monkeypatch.setattr(Disk, "confirms", True)
    assert said(image) == plain


@pytest.mark.parametrize("name", sample_names())
def test_of_a_sample(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_alike(sample(name, tmp_path), monkeypatch)


@pytest.mark.parametrize("name", names() if whole("VMRESCUE_FAULTS_BOTH") else names()[::16])
def test_of_a_fault(name: str, quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    must_be_alike(make(load(name), quick_folder), monkeypatch)
