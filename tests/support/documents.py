"""Documents held to their JSON Schemas, by a validator that is not ours."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

import vmrescue


def must_be(name: str, document: Any) -> None:
    """The validator's complaints, with their places, are the failure's message; a schema that it names is this one."""
    if isinstance(document, dict) and "schema" in document:
        assert vmrescue.schema(name)["$id"] == "urn:" + document["schema"].replace(".", ":").replace("/", ":")
    complaints = _validator(name).iter_errors(document)
    assert [f"{each.json_path}: {each.message:.300}" for each in complaints] == []


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(vmrescue.schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER)
