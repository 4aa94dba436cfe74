"""Which values a quality rule lets pass, and whether they became more or fewer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import Any

OPERATORS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
_COUNTED = ("rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues")


class Pass(Enum):
    """What became of the values that pass."""

    SAME = "the same"
    FEWER = "fewer"
    MORE = "more"
    UNKNOWN = "not comparable"


def passing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Pass:
    """Compare the operators of two versions of one quality rule (ODCS, Data Quality).

    All operators are intervals, so it is enough to try every bound, the middle between two of them, and what lies
    outside. Where rows are counted only whole numbers from 0 occur. MORE also where some pass now and others no longer.
    """
    units = [str(rule.get("unit") or "rows") for rule in (old, new)]
    try:
        before, after = list(_bounds(old)), list(_bounds(new))
        if units[0] != units[1]:
            nothing = _operators(old) == _operators(new) == {"mustBe": 0}
            return Pass.SAME if nothing else Pass.UNKNOWN
        whole = new.get("metric", new.get("rule")) in _COUNTED and units[1] == "rows"
        verdicts = {(_passes(old, value), _passes(new, value)) for value in _probes(before + after, whole)}
    except (TypeError, ValueError):
        return Pass.UNKNOWN
    if (False, True) in verdicts:
        return Pass.MORE
    return Pass.FEWER if (True, False) in verdicts else Pass.SAME


def _operators(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {key: rule[key] for key in OPERATORS if rule.get(key) is not None}


def _bounds(rule: Mapping[str, Any]) -> Iterator[Fraction]:
    for value in _operators(rule).values():
        for bound in value if isinstance(value, list) else [value]:
            yield _exact(bound)


def _exact(value: Any) -> Fraction:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return Fraction(str(int(value) if isinstance(value, bool) else value))


def _probes(bounds: list[Fraction], whole: bool) -> set[Fraction]:
    ordered = sorted(set(bounds)) or [Fraction(0)]
    probes = {ordered[0] - 1, ordered[-1] + 1, *ordered}
    probes |= {(a + b) / 2 for a, b in pairwise(ordered)}
    if not whole:
        return probes
    around = {Fraction(math.floor(p) + step) for p in probes for step in (-1, 0, 1)}
    return {p for p in around if p >= 0} | {Fraction(0)}


def _passes(rule: Mapping[str, Any], value: Fraction) -> bool:
    return all(_holds(operator, limit, value) for operator, limit in _operators(rule).items())


def _holds(operator: str, limit: Any, value: Fraction) -> bool:
    if operator in ("mustBeBetween", "mustNotBeBetween"):
        low, high = (_exact(bound) for bound in limit)
        return (low <= value <= high) == (operator == "mustBeBetween")
    bound = _exact(limit)
    match operator:
        case "mustBe":
            return value == bound
        case "mustNotBe":
            return value != bound
        case "mustBeGreaterThan":
            return value > bound
        case "mustBeGreaterOrEqualTo":
            return value >= bound
        case "mustBeLessThan":
            return value < bound
        case _:
            return value <= bound
