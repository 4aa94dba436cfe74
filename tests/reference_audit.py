"""The audit as slowly and obviously as it can be written: plain Python over lists of rows, no SQL, no statistics.

What the audit says of data on any engine is held against this. `reference` takes columns and quality rules as they
stand in a contract, and gives for each rule its outcome and how many rows are bad (None: it counts none).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

Row = Mapping[str, Any]
Verdicts = dict[str, tuple[str, int | None]]


def reference(
    columns: Sequence[Mapping[str, Any]], quality: Sequence[Mapping[str, Any]], rows: Sequence[Row]
) -> Verdicts:
    """The verdicts on rules about rows, by their ids."""
    found: Verdicts = {}

    def say(rule: str, bad: int) -> None:
        found[rule] = ("failed" if bad else "passed", bad)

    for column in columns:
        name = column["name"]
        values = [row[name] for row in rows]
        if column.get("required") or column.get("primaryKey"):
            say(f"required:{name}", sum(v is None for v in values))
        if column.get("unique"):
            say(f"unique:{name}", agreeing([(v,) for v in values])[0])
        for option, limit in column.get("logicalTypeOptions", {}).items():
            say(f"{option}:{name}", sum(breaks(option, limit, v) for v in values if v is not None))
        if size := re.fullmatch(r"VARCHAR\((\d+)\)", column["physicalType"]):
            say(f"length:{name}", sum(len(v) > int(size[1]) for v in values if v is not None))
        for rule in column.get("quality", ()):
            found[f"quality:{name}.{rule['name']}"] = metric(rule, [name], rows)
        for path, inner in nested(column, name):
            say(f"required:{path}", sum(lacks(row[name], path[len(name) :]) for row in rows)) if inner.get(
                "required"
            ) else None
            for option, limit in inner.get("logicalTypeOptions", {}).items():
                say(f"{option}:{path}", sum(any(breaks(option, limit, v) for v in inside(row[name], path[len(name) :]))
                                            for row in rows))  # fmt: skip
    key = sorted((c for c in columns if c.get("primaryKey")), key=lambda c: c["primaryKeyPosition"])
    if key:
        say("primaryKey", agreeing([tuple(row[c["name"]] for c in key) for row in rows])[0])
    for rule in quality:
        names = rule.get("arguments", {}).get("properties", [])
        found[f"quality:{rule['name']}"] = metric(rule, names, rows)
    return found


def agreeing(keys: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    """How many keys another one is equal to, and how many repeat an earlier one. A null equals nothing."""
    counts = Counter(tuple(same(v) for v in key) for key in keys if None not in key)
    return sum(n for n in counts.values() if n > 1), sum(n - 1 for n in counts.values())


def same(value: Any) -> Any:
    """Something that is equal for values that SQL calls equal: one NaN equals another, -0.0 equals 0.0."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, dict):
        return tuple((name, same(inner)) for name, inner in sorted(value.items()))
    return tuple(map(same, value)) if isinstance(value, list) else value


def breaks(option: str, limit: Any, value: Any) -> bool:
    """Whether `value`, which is not null, breaks the option."""
    if option in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(value, float) and math.isnan(value):
            return True
        here, there = comparable(value), comparable(limit, value)
        return {
            "minimum": here < there, "maximum": here > there,
            "exclusiveMinimum": here <= there, "exclusiveMaximum": here >= there,
        }[option]  # fmt: skip
    if option == "multipleOf":
        if isinstance(value, int) and isinstance(limit, int):
            return value % limit != 0
        share = float(value) / float(limit)
        return not (math.isfinite(share) and abs(share - round(share)) <= 1e-9)
    if option == "minLength":
        return len(value) < limit
    if option == "maxLength":
        return len(value) > limit
    if option == "pattern":
        # In Python `$` also fits before a last line break.
        return re.search(limit.replace("$", r"\Z"), value, re.ASCII) is None
    if option == "minItems":
        return len(value) < limit
    if option == "maxItems":
        return len(value) > limit
    if option == "uniqueItems":
        present = [same(v) for v in value if v is not None]
        return bool(limit) and len(set(present)) < len(present)
    raise AssertionError(option)


def comparable(value: Any, like: Any = None) -> Any:
    """A value, or a bound for one that is `like` it, as something that compares exactly."""
    if isinstance(like, (datetime, date)) and isinstance(value, str):
        if not isinstance(like, datetime):
            return date.fromisoformat(value)
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(like, float):
        return comparable(float(value))
    if isinstance(value, float):
        return value if math.isinf(value) else Fraction(repr(value)) if like is not None else Fraction(value)
    return Fraction(value) if isinstance(value, (int, Decimal)) else value


def metric(rule: Mapping[str, Any], names: Sequence[str], rows: Sequence[Row]) -> tuple[str, int | None]:
    """The verdict on a quality rule of the library."""
    arguments, kind = rule.get("arguments", {}), rule["metric"]
    values = [row[names[0]] for row in rows] if names else []
    count: int
    if kind == "rowCount":
        count = len(rows)
    elif kind == "nullValues":
        count = sum(v is None for v in values)
    elif kind == "missingValues":
        count = sum(any(equal(v, m) for m in arguments["missingValues"]) for v in values)
    elif kind == "duplicateValues":
        count = agreeing([tuple(row[n] for n in names) for row in rows])[1]
    else:
        count = sum(v is not None and invalid(v, arguments) for v in values)
    measured: Fraction = Fraction(count)
    if rule.get("unit") == "percent":
        measured = Fraction(str(100 * count / len(rows))) if rows else Fraction(0)
    return ("passed" if keeps(rule, measured) else "failed"), None if kind == "rowCount" else count


def invalid(value: Any, arguments: Mapping[str, Any]) -> bool:
    valid, pattern = arguments.get("validValues"), arguments.get("pattern")
    return (valid is not None and not any(equal(value, v) for v in valid)) or (
        pattern is not None and breaks("pattern", pattern, value)
    )


def equal(value: Any, listed: Any) -> bool:
    """Whether a value of the data is the value that a contract lists."""
    if value is None or listed is None:
        return value is None and listed is None
    if isinstance(value, bool):
        return value is listed
    if isinstance(value, (int, float, Decimal)):
        if isinstance(listed, bool) or not isinstance(listed, (int, float)):
            return False
        if isinstance(value, float):
            return value == float(listed)
        return Fraction(value) == Fraction(str(listed))
    if isinstance(value, (date, datetime)):
        return bool(comparable(value) == comparable(str(listed), value))
    return bool(value == (str(listed).lower() if isinstance(listed, bool) else str(listed)))


def keeps(rule: Mapping[str, Any], value: Fraction) -> bool:
    """Whether `value` keeps the operator of `rule`."""
    single: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
        "mustBe": lambda v, x: v == x, "mustNotBe": lambda v, x: v != x,
        "mustBeGreaterThan": lambda v, x: v > x, "mustBeGreaterOrEqualTo": lambda v, x: v >= x,
        "mustBeLessThan": lambda v, x: v < x, "mustBeLessOrEqualTo": lambda v, x: v <= x,
    }  # fmt: skip
    (operator,) = (key for key in rule if key.startswith("must"))
    limit = rule[operator]
    if operator in single:
        return single[operator](value, Fraction(str(limit)))
    inside = Fraction(str(limit[0])) <= value <= Fraction(str(limit[1]))
    return inside is (operator == "mustBeBetween")


# --- Nested values ---------------------------------------------------------------------------------


def nested(column: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What is nested in a column, with its path: `address.zip`, `tags[]`."""
    for inner in column.get("properties", ()):
        yield f"{name}.{inner['name']}", inner
        yield from nested(inner, f"{name}.{inner['name']}")
    if "items" in column:
        yield f"{name}[]", column["items"]
        yield from nested(column["items"], f"{name}[]")


def steps(path: str) -> list[str]:
    return re.findall(r"\[\]|[^.\[\]]+", path)


def inside(value: Any, path: str) -> list[Any]:
    """The values at `path` in `value` that are not null."""
    found = [value]
    for step in steps(path):
        found = [v for v in found if v is not None]
        found = [e for v in found for e in v] if step == "[]" else [v[step] for v in found]
    return [v for v in found if v is not None]


def lacks(value: Any, path: str) -> bool:
    """Whether something at `path` in `value` is null, though what it is nested in is not."""
    *way, last = steps(path)
    parents = inside(value, "".join(s if s == "[]" else f".{s}" for s in way)) if way else [value] * (value is not None)
    return any((None in parent) if last == "[]" else parent[last] is None for parent in parents)
