"""The same inputs as Hypothesis draws them, so that what breaks a parser is shrunk to the changes that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from fuzz.parser import Parser


def inputs(parser: Parser) -> st.SearchStrategy[bytes]:
    """Changed real files for a parser."""
    chances = st.randoms(use_true_random=False)
    return st.builds(parser.mutate, st.sampled_from(list(parser.seeds())), chances)
