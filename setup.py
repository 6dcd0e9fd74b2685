"""What a package index shows: the README, whose links to files of the source would lead nowhere there."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup

LINK = re.compile(r"(!?)\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")
NOTE = "*Files that are named here, such as docs/boot.md, are in the source distribution.*"


def without_links(readme: str) -> str:
    """The text with the name of each file in place of the link to it; a picture is told by its words."""
    title, _, rest = readme.partition("\n")
    return f"{title}\n\n{NOTE}\n{LINK.sub(_plain, rest)}"


def _plain(link: re.Match[str]) -> str:
    picture, shown, target = link.groups()
    return target if shown == target else f"*{shown}* ({target})" if picture else f"{shown} ({target})"


setup(
    long_description=without_links(Path("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
