"""Logging of what is opened, read and decided, and why: one logger for each package, silent by default.

    logging.getLogger("vmrescue.image").setLevel(logging.DEBUG)

INFO has what explains a decision; DEBUG also what was only read.
"""

from __future__ import annotations

import logging

PACKAGE = "vmrescue"

logging.getLogger(PACKAGE).addHandler(logging.NullHandler())


def logger(room: str) -> logging.Logger:
    """The logger of a package of vmrescue, such as ``vmrescue.image``."""
    return logging.getLogger(f"{PACKAGE}.{room}")
