"""A look into one published port for its page: the first rows and the shape of each column.

Values of a masked column are never read, so they cannot slip through to anything made from a `Preview`.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from outer.dataset import Dataset
from outer.datatypes import kind
from outer.parquet import Table, Unusable, identifier, opened

ROWS = 20
"""Rows that a preview shows, in the order of the file."""
BARS = 24
"""Bars of a histogram, at most."""
PROFILED_ROWS = 20_000_000
"""A larger port is shown without profiles: they read every row."""
CELL = 120
"""Characters that are shown of one value."""


@dataclass(frozen=True)
class Cell:
    """One value as text. `kind` tells a null and a masked value from text that only looks like one."""

    kind: Literal["value", "null", "masked"]
    text: str = ""


@dataclass(frozen=True)
class Profile:
    """The shape of one column over all rows."""

    kind: Literal["number", "time", "text", "truth", "other"]
    nulls: int
    distinct: int | None = None
    """Different values; only text is counted."""
    low: str = ""
    high: str = ""
    bars: tuple[int, ...] = ()
    """Rows in each of the equal steps from `low` to `high`; empty where nothing can be drawn."""
    true: int | None = None


@dataclass(frozen=True)
class Preview:
    """The first rows of a port, and what its columns look like."""

    columns: tuple[str, ...]
    """Columns of the contract that the file holds, in the order of the contract."""
    numeric: frozenset[str]
    masked: frozenset[str]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    profiles: Mapping[str, Profile]
    absent: tuple[str, ...]
    """Columns of the contract that the file does not hold."""
    unknown: int
    """Columns of the file that the contract does not name; they are not shown, since nothing classifies them."""


@dataclass(frozen=True)
class _Seen:
    """A column whose values may be shown: its name for SQL, and its type in the file."""

    sql: str
    type: str

    @property
    def number(self) -> bool:
        return kind(self.type) in ("integer", "number")


def preview(data: Path | Dataset, columns: Mapping[str, str], masked: Collection[str]) -> Preview:
    """Look into `data`; a path is one Parquet file.

    `columns` gives names of the contract and those in the file; those that are `masked` stay unread. Raises `Unusable`
    when the data cannot be read, or DuckDB is not installed.
    """
    if importlib.util.find_spec("duckdb") is None:
        raise Unusable("DuckDB is not installed: add the extra `run` of data-product-blueprints")
    with opened(data) as table:
        types, total = table.footer.types, table.footer.rows
        shown = tuple(c for c, physical in columns.items() if physical in types)
        seen = {c: _Seen(identifier(columns[c]), types[columns[c]]) for c in shown if c not in masked}
        return Preview(
            columns=shown,
            numeric=frozenset(c for c, s in seen.items() if s.number),
            masked=frozenset(masked) & frozenset(shown),
            rows=_first(table, shown, seen),
            total=total,
            profiles={c: _profile(table, s) for c, s in seen.items()} if total <= PROFILED_ROWS else {},
            absent=tuple(c for c in columns if c not in shown),
            unknown=len(types.keys() - set(columns.values())),
        )


def _first(table: Table, shown: Sequence[str], seen: Mapping[str, _Seen]) -> tuple[tuple[Cell, ...], ...]:
    if not seen:  # every column is masked: only the number of rows is left to show
        return ((Cell("masked"),) * len(shown),) * min(table.footer.rows, ROWS)
    wanted = ", ".join(
        column.sql if column.number else f"left(CAST({column.sql} AS VARCHAR), {CELL + 1})" for column in seen.values()
    )
    rows = table.rows(f"SELECT {wanted} FROM {table.name} LIMIT {ROWS}")  # noqa: S608 (quoted names only)
    by_column: dict[str, list[Cell]] = {}
    for column, values in zip(seen, zip(*rows, strict=True), strict=False):
        decimals = _decimals(values)
        by_column[column] = [_cell(value, decimals) for value in values]
    masked = [Cell("masked")] * len(rows)
    return tuple(zip(*(by_column.get(c, masked) for c in shown), strict=True))


def _cell(value: Any, decimals: int | None) -> Cell:
    if value is None:
        return Cell("null")
    if isinstance(value, str):
        return Cell("value", value if len(value) <= CELL else f"{value[:CELL]}…")
    if isinstance(value, float) and decimals is not None and math.isfinite(value):
        return Cell("value", f"{value:.{decimals}f}")
    return Cell("value", f"{value:.6g}" if isinstance(value, float) else str(value))


def _decimals(values: Sequence[Any]) -> int | None:
    """Decimals that let the floating-point numbers of a column stand under each other; None for `%g`."""
    sizes = [abs(v) for v in values if isinstance(v, float) and math.isfinite(v) and v != 0]
    if any(size < 0.001 or size >= 1e9 for size in sizes):
        return None
    return max((len(f"{size:.4f}".rstrip("0").partition(".")[2]) for size in sizes), default=1) or 1


def _profile(table: Table, column: _Seen) -> Profile:
    c, found = column.sql, column.type
    if column.number:
        whole = kind(found) == "integer"
        # An endless number has no place on an axis.
        finite = c if whole else f"CASE WHEN isfinite(CAST({c} AS DOUBLE)) THEN CAST({c} AS DOUBLE) END"
        nulls, low, high = _one(table, f"count(*) - count({c}), min({finite}), max({finite})")
        if low is None:
            return Profile("number", nulls)
        bars = _bars(table, finite, low, high, whole=whole)
        return Profile("number", nulls, low=_short(low), high=_short(high), bars=bars)
    if kind(found) in ("date", "timestamp"):
        whole = kind(found) == "date"
        number = f"datediff('day', DATE '1970-01-01', {c})" if whole else f"epoch({c})"
        words = f"strftime({c}, '{'%Y-%m-%d' if whole else '%Y-%m-%d %H:%M'}')"
        only = f"FILTER (isfinite({c}))"
        nulls, low, high, first, last = _one(
            table,
            f"count(*) - count({c}), min({number}) {only}, max({number}) {only}, "
            f"min({words}) {only}, max({words}) {only}",
        )
        if low is None:
            return Profile("time", nulls)
        bars = _bars(table, f"CASE WHEN isfinite({c}) THEN {number} END", low, high, whole=whole)
        return Profile("time", nulls, low=str(first), high=str(last), bars=bars)
    if kind(found) == "boolean":
        nulls, true = _one(table, f"count(*) - count({c}), count(*) FILTER ({c})")
        return Profile("truth", nulls, true=true)
    if kind(found) == "string":
        nulls, distinct = _one(table, f"count(*) - count({c}), count(DISTINCT {c})")
        return Profile("text", nulls, distinct=distinct)
    (nulls,) = _one(table, f"count(*) - count({c})")
    return Profile("other", nulls)


def _bars(table: Table, value: str, low: Any, high: Any, *, whole: bool) -> tuple[int, ...]:
    """Rows in each of at most `BARS` equal steps. Whole numbers get steps of whole width: anything else would count
    two of them in one bar and one in the next, and draw a comb that is not in the data."""
    if whole:
        step: float = math.ceil((int(high) - int(low) + 1) / BARS)
        count = math.ceil((int(high) - int(low) + 1) / step)
    else:
        step, count = (float(high) - float(low)) / BARS, BARS
    if low == high or not math.isfinite(step) or step <= 0:
        return ()
    found = table.rows(
        f"SELECT least(greatest(floor((CAST({value} AS DOUBLE) - ?) / ?), 0), ?) AS bar, count(*) "  # noqa: S608
        f"FROM {table.name} WHERE {value} IS NOT NULL GROUP BY bar",
        [float(low), float(step), count - 1],
    )
    heights = {int(bar): int(rows) for bar, rows in found}
    return tuple(heights.get(i, 0) for i in range(count))


def _short(value: Any) -> str:
    """A number as a label of three or four digits' precision."""
    if isinstance(value, int) and abs(value) < 1e9:
        return str(value)
    size = abs(float(value))
    if size and (size < 0.001 or size >= 1e9):
        return f"{float(value):.3g}"
    text = f"{float(value):.{0 if size >= 1000 else 1 if size >= 10 else 3}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _one(table: Table, wanted: str) -> tuple[Any, ...]:
    return table.rows(f"SELECT {wanted} FROM {table.name}")[0]  # noqa: S608 (quoted names only)


def histogram(profile: Profile) -> list[tuple[float, float, float, float]]:
    """Bars of `profile` as (x, y, width, height) in a box of 120 by 26; one that counts a row is never invisible."""
    if not profile.bars:
        return []
    step, tallest = 120 / len(profile.bars), max(profile.bars)
    width = min(step - 1, 14)
    return [
        (round(i * step + (step - width) / 2, 2), round(26 - height, 2), round(width, 2), round(height, 2))
        for i, rows in enumerate(profile.bars)
        if rows and (height := max(rows / tallest * 26, 1.0))
    ]
