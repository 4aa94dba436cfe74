"""Which values the bounds of a column allow, and whether they became more or fewer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from outer.compat.thresholds import Pass

LOWER = ("minimum", "exclusiveMinimum")
UPPER = ("maximum", "exclusiveMaximum")
LEAST = ("minLength", "minItems", "minProperties")
MOST = ("maxLength", "maxItems", "maxProperties")

_Bound = tuple[Fraction, bool]
"""A bound, and whether it is excluded itself."""


def allowed(old: Mapping[str, Any], new: Mapping[str, Any], *, lower: bool) -> Pass:
    """Compare the lower (or upper) bounds of two versions of `logicalTypeOptions`; no bound allows everything."""
    try:
        before, after = (_tightest(side, LOWER if lower else UPPER, lower=lower) for side in (old, new))
    except ValueError:
        return Pass.UNKNOWN
    if before == after:
        return Pass.SAME
    if after is None:
        return Pass.MORE
    if before is None:
        return Pass.FEWER
    sign = 1 if lower else -1
    tighter = (sign * after[0], after[1]) > (sign * before[0], before[1])
    return Pass.FEWER if tighter else Pass.MORE


def _tightest(options: Mapping[str, Any], keys: tuple[str, str], *, lower: bool) -> _Bound | None:
    bounds = [(_number(options[key]), key == keys[1]) for key in keys if options.get(key) is not None]
    kinds = {isinstance(options.get(key), str) for key in keys if options.get(key) is not None}
    if len(kinds) > 1:
        raise ValueError
    sign = 1 if lower else -1
    return max(bounds, key=lambda b: (sign * b[0], b[1]), default=None)


def _number(value: Any) -> Fraction:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return Fraction(str(moment.timestamp()))
        return Fraction(moment.toordinal() * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return Fraction(str(value))


def counted(key: str, old: Any, new: Any) -> Pass:
    """Compare a bound of a length or a number of entries; without one, 0 is the least and nothing is the most."""
    least = key in LEAST
    try:
        before, after = ((_number(v) if v is not None else None) for v in (old, new))
    except ValueError:
        return Pass.UNKNOWN
    unset = Fraction(0) if least else None
    before, after = (unset if v is None else v for v in (before, after))
    if before == after:
        return Pass.SAME
    if before is None or after is None:
        return Pass.FEWER if before is None else Pass.MORE
    return Pass.FEWER if (after > before) == least else Pass.MORE


def multiples(old: Any, new: Any) -> Pass:
    """Compare `multipleOf`. MORE also where some values are allowed now and others no longer."""
    try:
        before, after = ((_number(v) if v is not None else None) for v in (old, new))
    except ValueError:
        return Pass.UNKNOWN
    if before == after:
        return Pass.SAME
    if before is None or after is None:
        return Pass.FEWER if before is None else Pass.MORE
    if before <= 0 or after <= 0:
        return Pass.UNKNOWN
    return Pass.FEWER if (after / before).denominator == 1 else Pass.MORE
