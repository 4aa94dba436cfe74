"""A look into one published port for its page: the first rows and the shape of each column.

Values of a masked column are never read, so they cannot slip through to anything made from a `Preview`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROWS = 20
"""Rows that a preview shows, in the order of the file."""
BARS = 24
"""Bars of a histogram, at most."""
PROFILED_ROWS = 20_000_000
"""A larger port is shown without profiles: they read every row."""
CELL = 120
"""Characters that are shown of one value."""

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_INTEGERS |= {"UBIGINT", "UHUGEINT"}
_TEXT = {"VARCHAR", "UUID", "ENUM"}


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


class NoPreview(Exception):
    """There is nothing to show; the message says why."""


def preview(file: Path, columns: Sequence[str], masked: Collection[str]) -> Preview:
    """Look into the Parquet `file`, whose contract names `columns`; those in `masked` stay unread.

    Raises `NoPreview` when the file cannot be read, or DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise NoPreview("DuckDB is not installed; add the extra `run` of data-product-blueprints.") from None
    try:
        # One thread, no extensions from elsewhere: the same page on every machine, and no request for it.
        config = {"threads": 1, "autoinstall_known_extensions": False}
        with duckdb.connect(config=config) as db:
            db.execute("SET TimeZone = 'UTC'")
            return _look(db, file, columns, frozenset(masked))
    except duckdb.Error as error:
        first = str(error).splitlines()[0].replace(str(file), file.name)
        raise NoPreview(f"The file cannot be read: {first}") from None


def _look(db: Any, file: Path, columns: Sequence[str], masked: frozenset[str]) -> Preview:
    source = f"read_parquet({_text(str(file))}, hive_partitioning = false)"
    types = {name: str(kind) for name, kind, *_ in db.execute(f"DESCRIBE FROM {source}").fetchall()}
    shown = tuple(c for c in dict.fromkeys(columns) if c in types)
    total: int = db.execute(f"SELECT count(*) FROM {source}").fetchone()[0]
    open_types = {c: types[c] for c in shown if c not in masked}
    profiled = total <= PROFILED_ROWS
    return Preview(
        columns=shown,
        numeric=frozenset(c for c, kind in open_types.items() if _is_number(kind)),
        masked=masked & frozenset(shown),
        rows=_first(db, source, shown, open_types),
        total=total,
        profiles={c: _profile(db, source, c, kind) for c, kind in open_types.items() if profiled},
        absent=tuple(c for c in dict.fromkeys(columns) if c not in types),
        unknown=len(types.keys() - set(columns)),
    )


def _first(
    db: Any, source: str, shown: Sequence[str], types: Mapping[str, str]
) -> tuple[tuple[Cell, ...], ...]:
    if not types:  # every column is masked: only their number is worth a picture
        found = db.execute(f"SELECT 1 FROM {source} LIMIT {ROWS}").fetchall()
        return tuple(tuple(Cell("masked") for _ in shown) for _ in found)
    wanted = ", ".join(
        _name(c) if _is_number(kind) else f"left(CAST({_name(c)} AS VARCHAR), {CELL + 1})"
        for c, kind in types.items()
    )
    found = db.execute(f"SELECT {wanted} FROM {source} LIMIT {ROWS}").fetchall()
    open_columns = list(types)
    decimals = [_decimals([row[i] for row in found]) for i in range(len(open_columns))]
    by_column = {
        c: [_cell(row[i], decimals[i]) for row in found] for i, c in enumerate(open_columns)
    }
    return tuple(
        tuple(by_column[c][i] if c in by_column else Cell("masked") for c in shown)
        for i in range(len(found))
    )


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


def _profile(db: Any, source: str, column: str, kind: str) -> Profile:
    c = _name(column)
    if _is_number(kind):
        return _number(db, source, c, whole=kind in _INTEGERS)
    if kind == "DATE":
        return _time(db, source, c, f"datediff('day', DATE '1970-01-01', {c})", f"CAST({c} AS VARCHAR)", True)
    if kind.startswith("TIMESTAMP"):
        shown = f"strftime({c}, '%Y-%m-%d %H:%M')"
        return _time(db, source, c, f"epoch({c})", shown, False)
    if kind == "BOOLEAN":
        nulls, true = _one(db, f"SELECT count(*) - count({c}), count(*) FILTER ({c}) FROM {source}")
        return Profile("truth", nulls, true=true)
    if kind.partition("(")[0] in _TEXT:
        nulls, distinct = _one(db, f"SELECT count(*) - count({c}), count(DISTINCT {c}) FROM {source}")
        return Profile("text", nulls, distinct=distinct)
    (nulls,) = _one(db, f"SELECT count(*) - count({c}) FROM {source}")
    return Profile("other", nulls)


def _number(db: Any, source: str, c: str, *, whole: bool) -> Profile:
    finite = c if whole else f"CASE WHEN isfinite(CAST({c} AS DOUBLE)) THEN CAST({c} AS DOUBLE) END"
    nulls, low, high = _one(
        db, f"SELECT count(*) - count({c}), min({finite}), max({finite}) FROM {source}"
    )
    if low is None:
        return Profile("number", nulls)
    bars = _bars(db, source, finite, low, high, whole)
    return Profile("number", nulls, low=_short(low), high=_short(high), bars=bars)


def _time(db: Any, source: str, c: str, number: str, shown: str, whole: bool) -> Profile:
    finite = f"CASE WHEN isfinite({c}) THEN {number} END"
    nulls, low, high, first, last = _one(
        db,
        f"SELECT count(*) - count({c}), min({finite}), max({finite}), "
        f"min({shown}) FILTER (isfinite({c})), max({shown}) FILTER (isfinite({c})) FROM {source}",
    )
    if low is None:
        return Profile("time", nulls)
    bars = _bars(db, source, finite, low, high, whole)
    return Profile("time", nulls, low=str(first), high=str(last), bars=bars)


def _bars(db: Any, source: str, value: str, low: Any, high: Any, whole: bool) -> tuple[int, ...]:
    """Rows in each of at most `BARS` equal steps. Whole numbers get steps of whole width: anything else would count
    two of them in one bar and one in the next, and draw a comb that is not in the data."""
    if whole:
        step: float = math.ceil((high - low + 1) / BARS)
        count = math.ceil((high - low + 1) / step)
    else:
        step, count = (float(high) - float(low)) / BARS, BARS
    if low == high or not math.isfinite(step) or step <= 0:
        return ()
    found = db.execute(
        f"SELECT least(greatest(floor((CAST({value} AS DOUBLE) - ?) / ?), 0), ?) AS bar, count(*) "
        f"FROM {source} WHERE {value} IS NOT NULL GROUP BY bar",
        [float(low), float(step), count - 1],
    ).fetchall()
    heights = {int(bar): int(rows) for bar, rows in found}
    return tuple(heights.get(i, 0) for i in range(count))


def _short(value: Any) -> str:
    """A number as a label of three or four digits' precision."""
    if isinstance(value, int) and abs(value) < 10**9:
        return str(value)
    size = abs(float(value))
    if size and (size < 0.001 or size >= 1e9):
        return f"{float(value):.3g}"
    text = f"{float(value):.{0 if size >= 1000 else 1 if size >= 10 else 3}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_number(kind: str) -> bool:
    return kind in _INTEGERS or kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL")


def _one(db: Any, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = db.execute(query).fetchone()
    return row


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
