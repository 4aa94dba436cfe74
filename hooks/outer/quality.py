"""What the quality rules of a contract mean (ODCS 3.1, Data Quality): metrics, operators, placeholders of queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from outer.yamlfile import show

if TYPE_CHECKING:
    from outer.model import Column

_ONE: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "mustBe": ("=", lambda value, limit: value == limit),
    "mustNotBe": ("not", lambda value, limit: value != limit),
    "mustBeGreaterThan": (">", lambda value, limit: value > limit),
    "mustBeGreaterOrEqualTo": (">=", lambda value, limit: value >= limit),
    "mustBeLessThan": ("<", lambda value, limit: value < limit),
    "mustBeLessOrEqualTo": ("<=", lambda value, limit: value <= limit),
}
_TWO = ("mustBeBetween", "mustNotBeBetween")
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "rowCount": (),
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
}
_PLACEHOLDER = re.compile(r"\$\{(\w*)\}|\{(object|table|model|property|column|field)\}")


class Unknown(Exception):
    """A clause that nobody here understands, which is never a pass; the message says what of it."""


def judge(clause: Mapping[str, Any], value: float | Decimal) -> tuple[bool, str]:
    """Hold `value` against the one operator of `clause`; say whether it keeps it, and what was expected.

    Both ends belong to a range: ODCS writes it as membership, and its own tool reads it so. Raises `Unknown`.
    """
    operators = [key for key in clause if key.startswith("must")]
    if len(operators) != 1 or (operators[0] not in _ONE and operators[0] not in _TWO):
        raise Unknown(f"exactly one operator is needed, found {', '.join(map(show, operators)) or 'none'}")
    (operator,) = operators
    limit = clause[operator]
    if operator in _TWO:
        if not isinstance(limit, list) or len(limit) != 2 or limit[0] > limit[1]:
            raise Unknown(f"{operator} needs two numbers, the smaller one first")
        low, high = (_exact(x) for x in limit)
        inside = low <= _exact(value) <= high
        ends = f"{limit[0]} to {limit[1]}"
        return (inside, ends) if operator == "mustBeBetween" else (not inside, f"not {ends}")
    sign, holds = _ONE[operator]
    if not isinstance(limit, (bool, int, float)):
        raise Unknown(f"{operator} needs a number, not {show(limit)}")
    return holds(_exact(value), _exact(limit)), f"{sign} {str(limit).lower()}"


def _exact(value: Any) -> Decimal:
    """As a decimal, so that 0.1 in a contract is 0.1 in a column of DECIMAL."""
    if not isinstance(value, (bool, int, float, Decimal)) or value != value:
        raise Unknown(f"{show(value)} is not a number")
    return Decimal(int(value)) if isinstance(value, bool) else Decimal(str(value))


def query(clause: Mapping[str, Any], table: str, column: str | None) -> str:
    """The query of `clause` with its placeholders replaced: {object} by `table`, {property} by `column`."""

    def value(match: re.Match[str]) -> str:
        name = match[1] if match[1] is not None else match[2]
        if name in ("object", "table", "model"):
            return table
        if name in ("property", "column", "field") and column is not None:
            return column
        raise Unknown(f"{show(match[0])} means nothing {'in the query of a table' if column is None else 'in a query'}")

    text = clause.get("query")
    if not isinstance(text, str):
        raise Unknown("it holds no query")
    return _PLACEHOLDER.sub(value, text)


def is_percent(clause: Mapping[str, Any]) -> bool:
    """Whether the measure of `clause` is a share of the rows, in percent. Raises `Unknown` for another unit."""
    unit = clause.get("unit", "rows")
    if unit not in ("rows", "percent") or (unit == "percent" and clause.get("metric") == "rowCount"):
        raise Unknown(f"unit {show(unit)}")
    return bool(unit == "percent")


def subjects(clause: Mapping[str, Any], column: Column | None, known: Mapping[str, Column]) -> tuple[Column, ...]:
    """The columns that the metric of `clause` is about, out of `known` ones. Raises `Unknown`."""
    metric = clause.get("metric")
    if not isinstance(metric, str) or metric not in _ARGUMENTS:
        raise Unknown(f"metric {show(metric)}")
    for name in clause.get("arguments") or {}:
        if name not in _ARGUMENTS[metric]:
            raise Unknown(f"argument {show(name)} of {metric}")
    is_percent(clause)
    if metric == "rowCount":
        return ()
    if column is not None:
        return (column,)
    names = (clause.get("arguments") or {}).get("properties")
    if metric != "duplicateValues" or not isinstance(names, list) or not names:
        raise Unknown(f"{metric} without a column")
    if strange := [name for name in names if name not in known]:
        raise Unknown(f"no column {show(strange[0])}")
    return tuple(known[name] for name in names)
