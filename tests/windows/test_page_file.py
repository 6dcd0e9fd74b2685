"""Lines of PagingFiles and ExistingPageFiles, as Windows writes them."""

from __future__ import annotations

import pytest

from vmrescue.windows.page_file import PageFile, parse, parse_all


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (r"D:\pagefile.sys 0 0", PageFile("D:", "pagefile.sys")),
        (r"c:\pagefile.sys 1024 4096", PageFile("C:", "pagefile.sys")),
        (r"?:\pagefile.sys", PageFile("?:", "pagefile.sys")),
        (r"\??\C:\pagefile.sys", PageFile("C:", "pagefile.sys")),
        (r"E:\page files\my page.sys 16 16", PageFile("E:", r"page files\my page.sys")),
        (r"E:\pagefile.sys 16", PageFile("E:", "pagefile.sys")),
    ],
)
def test_a_line_names_a_drive_and_a_path(line: str, place: PageFile) -> None:
    assert parse(line) == place


@pytest.mark.parametrize("line", ["", "pagefile.sys", r"\pagefile.sys 0 0", "C:", "TempPageFile"])
def test_a_line_without_a_drive_names_nothing(line: str) -> None:
    assert parse(line) is None


def test_what_is_no_list_of_lines_holds_no_page_file() -> None:
    assert parse_all(7) == parse_all(None) == parse_all([]) == []
    assert parse_all(r"C:\pagefile.sys 0 0") == [PageFile("C:", "pagefile.sys")]
