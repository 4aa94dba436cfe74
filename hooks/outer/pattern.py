"""Regular expressions on what stands in files of a product: in linear time, whatever pattern and text are."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema_rs


def matches(pattern: str, text: str) -> bool | None:
    """Whether `pattern` is found in `text`; None where it is no regular expression.

    Patterns or texts come from files of the product, so they run on an engine whose time grows with the text and not
    with the power of it (that of JSON Schema, Rust's `regex`), which is also the syntax of the engine that audits the
    data.
    """
    found = _compiled(pattern)
    return None if found is None else bool(found.is_valid(text))


def fits(pattern: str, text: str) -> bool | None:
    """Whether all of `text` fits `pattern`; None where it is no regular expression."""
    return matches(f"^(?:{pattern})$", text)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    try:
        return jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, ValueError):
        return None
