"""Conditions of a check plan as SQL. This is DuckDB's dialect; warehouses change the few functions that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any

from outer.audit.plan import (
    ELEMENTS,
    Among,
    Condition,
    Field,
    Items,
    Length,
    Mismatch,
    NotMultiple,
    Null,
    Outside,
    Repeated,
)  # fmt: skip
from outer.datatypes import element, fields, kind
from outer.parquet import identifier, literal
from outer.quality import Unknown
from outer.yamlfile import show

TIMES = ("date", "time", "timestamp")
"""Kinds of types that tell a time."""

_INFINITE = (float("inf"), float("-inf"))
_LARGEST_FLOAT = 3.4028234e38


class Sql:
    """Writes conditions about the columns of a table, whose `types` are known by DuckDB's names."""

    def __init__(self, types: Mapping[str, str], understood: Callable[[str], bool] = lambda pattern: True) -> None:
        self.types = types
        self.understood = understood
        """Whether the engine understands a regular expression."""

    # --- Where something is -----------------------------------------------------------------------

    def value(self, field: Field) -> str:
        """The value of `field`, which must not lie in a list."""
        sql = identifier(field.column)
        for name in field.path[1:]:
            sql = self.member(sql, name)
        return sql

    def found(self, field: Field) -> str | None:
        """The type of `field` in the data; None where it is missing."""
        found = self.types.get(field.column)
        for step in field.path[1:]:
            if found is not None:
                found = element(found) if step == ELEMENTS else fields(found).get(step)
        return found

    def sealed(self, field: Field) -> str | None:
        """The type that `field` lies in and that nobody here looks into, such as JSON; None where there is none."""
        found = self.types.get(field.column, "")
        for step in field.path[1:]:
            if step != ELEMENTS and kind(found) == "object" and not fields(found):
                return found
            found = (element(found) if step == ELEMENTS else fields(found).get(step)) or ""
        return None

    def bad(self, field: Field, condition: Condition) -> str:
        """What is true of a row whose `field` meets `condition`. Raises `Unknown` where the type does not allow it."""
        found = self.types.get(field.column)
        if found is None:
            raise Unknown("the column is missing")
        return self._bad(identifier(field.column), found, field.path[1:], condition, "")

    def _bad(self, sql: str, found: str, path: tuple[str, ...], condition: Condition, parent: str) -> str:
        if not path:
            if isinstance(condition, Null):
                return f"{parent} IS NOT NULL AND {sql} IS NULL" if parent else f"{sql} IS NULL"
            return self.meets(sql, found, condition)
        step, rest = path[0], path[1:]
        inner = element(found) if step == ELEMENTS else fields(found).get(step)
        if inner is None:
            raise Unknown(f"{show(step)} is missing in {show(found)}")
        if step != ELEMENTS:
            return self._bad(self.member(sql, step), inner, rest, condition, sql)
        name = f"e{len(path)}"
        return self.any_element(sql, name, self._bad(name, inner, rest, condition, ""))

    # --- Conditions -------------------------------------------------------------------------------

    def meets(self, sql: str, found: str, condition: Condition) -> str:
        """What is true of the value `sql` of the type `found`, where it is not null and meets `condition`."""
        sort = kind(found)
        match condition:
            case Outside(sign, bound) if sort in ("integer", "number", *TIMES):
                wrong = f"NOT ({sql} {sign} {self.constant(bound, found)})"
                # NaN keeps no bound, but sorts above or below every number, depending on the engine.
                return f"({self.nan(sql)} OR {wrong})" if found in ("FLOAT", "DOUBLE") else wrong
            case NotMultiple(factor) if sort in ("integer", "number"):
                if sort == "integer" and isinstance(factor, int):
                    return f"{sql} % {factor} <> 0"
                share = f"CAST({sql} AS DOUBLE) / {self.constant(factor, 'DOUBLE')}"
                near = f"abs({share} - round({share}))"
                kept = f"{near} <= 1e-9"
                if found == "FLOAT":  # so few places that only the nearest one to a multiple can be asked for
                    nearest = f"CAST(round({share}) * {self.constant(factor, 'DOUBLE')} AS FLOAT)"
                    kept = f"{near} < 1 AND {nearest} = {sql}"
                return f"NOT coalesce({kept}, {sql} IS NULL)"
            case Length(sign, limit) if sort == "string":
                return f"NOT (length({self.text(sql, found)}) {sign} {limit})"
            case Mismatch(pattern) if sort == "string":
                if not self.understood(pattern):
                    raise Unknown(f"{show(pattern)} is no regular expression that RE2 understands")
                return f"NOT {self.matches(self.text(sql, found), pattern)}"
            case Among(values, wanted):
                return self._among(sql, found, values, wanted=wanted)
            case Items(sign, limit) if sort == "array" or found.startswith("MAP"):
                return f"NOT ({self.size(sql, found)} {sign} {limit})"
            case Items(sign, limit) if sort == "object" and fields(found):
                held = len(fields(found)) >= limit if sign == ">=" else len(fields(found)) <= limit
                return "false" if held else f"{sql} IS NOT NULL"
            case Repeated() if sort == "array":
                return self.repeats(sql)
            case Null():
                return f"{sql} IS NULL"
        name = {"Outside": "a bound", "NotMultiple": "multipleOf", "Mismatch": "a pattern", "Length": "a length"}
        what = name.get(type(condition).__name__, "a number of items")
        raise Unknown(f"{what} cannot be held against the type {found}")

    def _among(self, sql: str, found: str, values: tuple[Any, ...], *, wanted: bool) -> str:
        listed = ", ".join(self._listed(values, found))
        if found.startswith("ENUM("):
            sql = self.text(sql, found)
        if wanted:
            return f"{sql} NOT IN ({listed})" if listed else f"{sql} IS NOT NULL"
        bad = [f"{sql} IS NULL"] if None in values else []
        bad += [f"{sql} IN ({listed})"] if listed else []
        return f"({' OR '.join(bad)})" if bad else "false"

    def _listed(self, values: tuple[Any, ...], found: str) -> list[str]:
        """Those of `values` that a column of the type `found` can hold."""
        sort = kind(found)
        if sort in ("integer", "number"):
            return [self.constant(v, found) for v in values if _number(v)]
        if sort == "boolean":
            return [str(v).lower() for v in values if isinstance(v, bool)]
        texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in values if v is not None]
        if sort == "string":
            return [self.word(t) for t in texts]
        if sort in TIMES:
            return [self.constant(t, found) for t in texts]
        raise Unknown(f"a list of values for the type {found}")

    def constant(self, value: Any, found: str) -> str:
        """`value` of a contract as something that compares exactly with the type `found`. Raises `Unknown`."""
        sort = kind(found)
        if sort in TIMES:
            return f"CAST({literal(moment(value, found))} AS {found})"
        if not _number(value) or value in _INFINITE or value != value:
            raise Unknown(f"{show(value)} is not a number")
        if found == "FLOAT" and abs(value) <= _LARGEST_FLOAT:
            # 0.3 of a contract is the 0.3 that such a column can hold, which is a little more.
            return f"CAST(CAST({value!r} AS DOUBLE) AS FLOAT)"
        plain = format(Decimal(repr(value)), "f")
        if found in ("FLOAT", "DOUBLE") or len(plain) > 36:
            return f"CAST({value!r} AS DOUBLE)"
        return f"({plain})"

    # --- What dialects say differently --------------------------------------------------------------

    def member(self, sql: str, name: str) -> str:
        return f"struct_extract({sql}, {literal(name)})"

    def any_element(self, sql: str, name: str, bad: str) -> str:
        """Whether one element of the list `sql`, which `bad` calls `name`, is bad."""
        return f"len(list_filter({sql}, lambda {name}: coalesce({bad}, false))) > 0"

    def size(self, sql: str, found: str) -> str:
        return f"cardinality({sql})" if found.startswith("MAP") else f"len({sql})"

    def repeats(self, sql: str) -> str:
        return f"len(list_distinct({sql})) <> len(list_filter({sql}, lambda e: e IS NOT NULL))"

    def nan(self, sql: str) -> str:
        return f"isnan({sql})"

    def text(self, sql: str, found: str) -> str:
        return sql if found == "VARCHAR" else f"CAST({sql} AS VARCHAR)"

    def word(self, text: str) -> str:
        """A text as a constant."""
        return literal(text)

    def matches(self, sql: str, pattern: str) -> str:
        """Whether `pattern` is found in `sql`. Syntax: RE2, which needs time in proportion to the text only."""
        if (inner := anchored(pattern)) is not None:
            return f"regexp_full_match({sql}, {literal(inner)})"
        return f"regexp_matches({sql}, {literal(pattern)})"

    def count(self, condition: str) -> str:
        """An aggregate: the number of rows that meet `condition`."""
        return f"count_if({condition})"


def anchored(pattern: str) -> str | None:
    """`pattern` without its anchors, where it must match a whole text; engines are faster when they know it."""
    if not pattern.startswith("^") or not pattern.endswith("$") or "(?" in pattern:
        return None
    inner, depth, inside, skip = pattern[1:-1], 0, False, False
    for character in inner:
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif inside:
            inside = character != "]"
        elif character == "[":
            inside = True
        else:
            depth += (character == "(") - (character == ")")
            if character in "^$" or (character == "|" and depth == 0):
                return None
    return None if skip or inside or "[]" in inner or "[^]" in inner or "[:" in inner or r"\Q" in inner else inner


def moment(value: Any, found: str) -> str:
    """A date or time of a contract as text that every engine reads as the type `found`. Raises `Unknown`."""
    try:
        return _iso(str(value), found)
    except ValueError:
        raise Unknown(f"{show(value)} is not a {found}") from None


def _iso(text: str, found: str) -> str:
    if found == "DATE":
        return date.fromisoformat(text).isoformat()
    if kind(found) == "time":
        return time.fromisoformat(text).isoformat()
    return instant(text).replace(tzinfo=None).isoformat(sep=" ") + ("+00:00" if found.endswith("ZONE") else "")


def instant(text: str, zone: tzinfo = UTC) -> datetime:
    """The moment that `text` in ISO 8601 tells; without a zone, in `zone`. Raises `ValueError`."""
    found = datetime.fromisoformat(text)
    return (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)


def ordered(text: str, found: str) -> Decimal | str:
    """A value of statistics as something that sorts like the type `found`. Raises `ValueError`, `ArithmeticError`."""
    return _iso(text, found) if kind(found) in TIMES else Decimal(text)


def holds(value: str, sign: str, bound: Any, found: str) -> bool:
    """Whether a `value` of statistics keeps `sign` `bound`; False where nobody can tell."""
    try:
        known = ordered(value, found)
        limit = ordered(moment(bound, found) if kind(found) in TIMES else repr(bound), found)
        order = 0 if known == limit else 1 if known > limit else -1  # type: ignore[operator]  # both are of one kind
    except (ValueError, ArithmeticError, Unknown):
        return False
    return {">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0}[sign]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
