"""Values, written in DuckDB's SQL, that meet a condition of a check plan, and values at the very edge that do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outer.audit.plan import (
    ELEMENTS,
    Among,
    Condition,
    Items,
    Length,
    Mismatch,
    NotMultiple,
    Null,
    Outside,
    Repeated,
)  # fmt: skip
from outer.datatypes import kind
from outer.parquet import identifier, literal

_STEP = {"date": "INTERVAL 1 DAY", "timestamp": "INTERVAL 1 MICROSECOND", "time": "INTERVAL 1 MICROSECOND"}


def bad(condition: Condition, found: str, own: str) -> Iterator[str]:
    """Values that ought to meet `condition`, the likeliest first. `found` is the type of the field, `own` the value
    that it has. Not each is of the type, or bad for any pattern: the audit decides."""
    if isinstance(condition, Null):
        yield "NULL"
    elif isinstance(condition, Outside):
        yield from _outside(condition, found)
    elif isinstance(condition, NotMultiple):
        yield from (f"{own} + {condition.factor} / 2", f"{own} + 1", f"{condition.factor} + 1")
    elif isinstance(condition, Length):
        yield from _of_length(own, condition.limit + (1 if condition.sign == "<=" else -1))
    elif isinstance(condition, Mismatch):
        yield from (f"lower({own})", f"upper({own})", f"{own} || '~'", f"'~' || {own}", f"left({own}, 1)")
        yield from ("'~'", "'Ü'", "' '", "''", "'A'", "'0'", "chr(10)", f"{own} || {own}")
    elif isinstance(condition, Among) and not condition.wanted:
        yield from map(constant, condition.values)
    elif isinstance(condition, Among):
        yield from (f"{own} || '~'", "'~'", f"{own} + 1", f"{own} - 1", "-987654321", f"{own} + INTERVAL 1 DAY", "NULL")
    elif isinstance(condition, Items):
        yield _of_items(own, condition.limit + (1 if condition.sign == "<=" else -1))
    elif isinstance(condition, Repeated):
        yield f"list_append({own}, {own}[1])"


def edge(condition: Condition, found: str, own: str) -> str | None:
    """The value nearest to a bad one that is still good; None where nobody can name it."""
    if isinstance(condition, Outside):
        near = _bound(condition.bound, found)
        step = _STEP.get(kind(found) or "", "1")
        return {">": f"{near} + {step}", "<": f"{near} - {step}"}.get(condition.sign, near)
    if isinstance(condition, NotMultiple):
        return f"{condition.factor} * 2"
    if isinstance(condition, Length):
        return next(_of_length(own, condition.limit))
    if isinstance(condition, Items):
        return _of_items(own, condition.limit)
    if isinstance(condition, Among) and condition.wanted:
        return next((constant(value) for value in condition.values if value is not None), None)
    return None


def put(expression: str, path: tuple[str, ...], value: str, found: str) -> str:
    """The column `expression` with `value`, of the type `found`, at `path` inside it: in every element of a list."""
    if not path:
        return f"CAST({value} AS {found})"
    head, rest = path[0], path[1:]
    if head == ELEMENTS:
        return f"list_transform({expression}, lambda x: {put('x', rest, value, found)})"
    inside = put(f"{expression}.{identifier(head)}", rest, value, found)
    return f"struct_update({expression}, {identifier(head)} := {inside})"


def constant(value: Any) -> str:
    """A value of a contract as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else literal(str(value))


def _bound(bound: Any, found: str) -> str:
    moment = "TIMESTAMPTZ" if kind(found) != "time" else "TIMETZ" if found.endswith("ZONE") else "TIME"
    return constant(bound) if isinstance(bound, (int, float)) else f"CAST({literal(str(bound))} AS {moment})"


def _outside(condition: Outside, found: str) -> Iterator[str]:
    near, sign = _bound(condition.bound, found), "-" if condition.sign in (">=", ">") else "+"
    number = condition.bound if isinstance(condition.bound, (int, float)) else None
    if condition.sign in (">", "<"):
        yield near
    if step := _STEP.get(kind(found) or ""):
        yield from (f"{near} {sign} {step}", f"{near} {sign} INTERVAL 1 DAY")
    elif number is not None:
        yield from (constant(number - step if sign == "-" else number + step) for step in (1, 0.001, 1_000_000))
    if found in ("DOUBLE", "FLOAT"):
        yield "'nan'"


def _of_length(own: str, characters: int) -> Iterator[str]:
    if characters >= 0:
        yield from (f"rpad(left({own}, {characters}), {characters}, '{fill}')" for fill in "A0a")


def _of_items(own: str, items: int) -> str:
    return f"list_transform(range({max(items, 0)}), lambda i: {own}[1 + i % greatest(len({own}), 1)])"
