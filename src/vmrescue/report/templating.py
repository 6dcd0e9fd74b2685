"""The templates of the HTML reports: what is put into one is escaped, and a page needs nothing but itself."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError
from vmrescue.printable import printable
from vmrescue.units import size_text

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup


@cache
def _environment() -> Environment:
    try:
        import jinja2
    except ImportError as error:
        raise UnsupportedError("HTML is written with Jinja2: pip install jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vmrescue.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["size"] = size_text
    environment.filters["printable"] = printable
    environment.filters["prose"] = _prose
    environment.globals["now"] = now
    environment.globals["version"] = metadata.version("vmrescue")
    return environment


def _prose(text: str) -> Markup:
    """A sentence of ours in which `words` to type stand between backticks."""
    from markupsafe import Markup, escape

    parts = printable(text).split("`")
    if len(parts) % 2 == 0:  # a backtick of the image's own
        return escape(printable(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def now() -> str:
    """The time, for who reads the page in another place."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def template(name: str) -> Template:
    """A template of this package. Raises UnsupportedError where Jinja2 is not installed."""
    return _environment().get_template(name)
