"""What is opened, read and decided, and why: one logger of `logging` for each room, quiet unless somebody listens.

    logging.getLogger("vmrescue.image").setLevel(logging.DEBUG)

INFO tells what a person who asks "why did it do that?" wants to know; DEBUG also what was only looked at.
"""

from __future__ import annotations

import logging

PACKAGE = "vmrescue"

logging.getLogger(PACKAGE).addHandler(logging.NullHandler())


def logger(room: str) -> logging.Logger:
    """The logger of a room: ``vmrescue.image``."""
    return logging.getLogger(f"{PACKAGE}.{room}")
