"""References to images; a new transport needs a row of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint, sample
from vmrescue.image import journal_folder, journals
from vmrescue.image.journal_place import beside
from vmrescue.image.reference import Reference
from vmrescue.image.transports.file import FileDevice
from vmrescue.image.transports.lock import locked_file
from vmrescue.image.transports.transport import TRANSPORTS, Transport

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "shown", "scheme", "name"),
    [
        ("folder/os.vhd", "folder/os.vhd", "", "os.vhd"),
        ("C:/os.vhd?x=y", "C:/os.vhd?x=y", "", "os.vhd?x=y"),
        ("https://me:word@host/a/b.vhd?sig=secret#z", "https://host/a/b.vhd", "https", "b.vhd"),
        ("ABFS://container@account/a.vhd?sig=secret", "abfs://container@account/a.vhd", "abfs", "a.vhd"),
    ],
)
def test_a_reference_knows_what_it_is_and_shows_no_secret(given: str, shown: str, scheme: str, name: str) -> None:
    place = Reference.of(given)
    assert (place.text, place.shown, place.scheme, place.name) == (given, shown, scheme, name)
    assert place.is_remote == bool(scheme)
    assert (str(place), Reference.of(place)) == (shown, place)
    assert "secret" not in f"{place} {place!r}"


def test_an_image_has_one_journal_folder_by_whatever_name(tmp_path: Path) -> None:
    link = tmp_path / "link.vhd"
    link.symlink_to(tmp_path / "os.vhd")
    assert Reference.of(link).journal_folder == tmp_path / "os.vhd.vmrescue" == journal_folder(tmp_path / "os.vhd")
    signed = Reference.of("https://host/images/os.vhd?sig=secret")
    assert signed.journal_folder == journal_folder("https://host/images/os.vhd")
    assert signed.journal_folder.name == "host%2Fimages%2Fos.vhd.vmrescue"


def test_a_new_transport_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image behind `shelf://NAME` is diagnosed, repaired and undone like any other."""
    image = sample("gen1-broken", tmp_path)
    before = fingerprint(image)

    def file_of(url: str) -> Path:
        return tmp_path / f"{url.removeprefix('shelf://').partition('?')[0]}.vhd"

    row = Transport(
        lambda url: FileDevice(file_of(url)),
        lambda url: locked_file(file_of(url)),
        lambda url: beside(file_of(url)),
    )
    monkeypatch.setitem(TRANSPORTS, "shelf", row)
    url = "shelf://gen1-broken?sig=secret"

    found = vmrescue.diagnose(url)
    assert found.findings
    receipt = vmrescue.repair(url)
    assert "secret" not in str(receipt.to_dict())
    assert fingerprint(image) != before
    assert [journal.state for journal in journals(url)] == ["done"]
    vmrescue.undo(url)
    assert fingerprint(image) == before
