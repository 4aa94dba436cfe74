"""Holds what two inners wrote for one output port against each other: by the key of the contract, column by column.

One join finds the rows that differ; everything that is told of them is asked of those rows alone. Without a key, or
with a key that is not unique in the data, whole rows are counted on both sides instead.
"""

# ruff: noqa: S608 (names are quoted by `identifier`; nothing else comes from a contract)

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outer.audit import EXAMPLES, MASK, OPEN
from outer.dataset import Dataset
from outer.model import Column, Contract
from outer.parquet import bind, files_of, identifier, secluded
from outer.yamlfile import show

if TYPE_CHECKING:
    import duckdb

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_FLOATS = ("FLOAT", "DOUBLE")

_Ends = tuple[str | None, str | None]

Example = Mapping[str, str]
"""Columns of a row -> their values for people; of a changed value, `<old> -> <new>`."""


@dataclass(frozen=True)
class ColumnDifference:
    """Rows that both inners wrote, and in which one column differs."""

    name: str
    rows: int
    delta: tuple[str, str] | None
    """Smallest and largest of new minus old; None where that means nothing, or may not be seen."""
    examples: tuple[Example, ...]
    within: Mapping[str, tuple[str, str]]
    """Column of the key -> its smallest and largest value among these rows, where they are not those of all rows."""


@dataclass(frozen=True)
class RowDifference:
    """Rows that only one inner wrote."""

    rows: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class PortComparison:
    """What two inners wrote for one output port. `before` is the living inner, `after` the new one."""

    port: str
    key: tuple[str, ...]
    """Columns that say which rows belong together; empty where whole rows are compared."""
    rows_before: int
    rows_after: int
    types: Mapping[str, tuple[str, str]]
    """Column -> its type before and after, where these differ; an empty text where there is no such column."""
    missing: RowDifference
    """Rows that the new inner did not write."""
    extra: RowDifference
    """Rows that the old inner did not write."""
    columns: tuple[ColumnDifference, ...]
    note: str = ""
    """What a person should know of how it was compared."""

    @property
    def equal(self) -> bool:
        return not (self.types or self.missing.rows or self.extra.rows or self.columns)


def compare(port: str, contract: Contract, before: Dataset, after: Dataset, tolerance: float) -> PortComparison:
    """Compare `before` with `after` by `contract`.

    Floating-point numbers are equal up to `tolerance`, absolute below 1 and relative above: |a - b| is at most
    tolerance * max(1, |a|, |b|). Everything else is equal or not; null equals null and NaN equals NaN. The order of
    rows has no meaning.

    Raises `Unusable` where a side holds no data to compare, `duckdb.Error` where they cannot be read.
    """
    # Columns that are names of folders have no types of their own.
    types = {column.name: column.physical_type for column in contract.columns if column.physical_type}
    with _opened(before, after, types) as connection:
        return _Comparison(port, contract, connection, tolerance).result()


@contextmanager
def _opened(before: Dataset, after: Dataset, types: Mapping[str, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    with secluded() as connection:
        connection.execute("SET preserve_insertion_order = false")
        for side, data in (("before", before), ("after", after)):
            bind(connection, side, files_of(data), types)
        yield connection


@dataclass(frozen=True)
class _Shared:
    """A column of the contract that both inners wrote. `sql` is what it is called in every query."""

    sql: str
    column: Column
    types: tuple[str, str]
    key: bool

    @property
    def comparable(self) -> bool:
        """Whether values of both types can be compared as they are, and not only as text."""
        return self.types[0] == self.types[1] or all(map(_number, self.types))

    def selected(self) -> str:
        """The column as it is read from either side."""
        name = identifier(_physical(self.column))
        return f"{name if self.comparable else f'{name}::VARCHAR'} AS {self.sql}"


@dataclass
class _Comparison:
    port: str
    contract: Contract
    connection: duckdb.DuckDBPyConnection
    tolerance: float

    def result(self) -> PortComparison:
        before, after = self._types("before"), self._types("after")
        unlike = {
            name: (before.get(name, ""), after.get(name, ""))
            for name in {**before, **after}
            if before.get(name) != after.get(name)
        }
        shared = tuple(
            _Shared(f"c{i}", column, (before[name], after[name]), column.key_position is not None)
            for i, column in enumerate(self.contract.columns)
            if (name := _physical(column)) in before and name in after
        )
        key = sorted((c for c in shared if c.key), key=lambda c: c.column.key_position or 0)
        note = self._obstacle(key, shared)
        missing = extra = RowDifference()
        columns: tuple[ColumnDifference, ...] = ()
        if not note:
            missing, extra, columns = self._joined(key, [c for c in shared if not c.key])
        elif shared:
            missing, extra = self._counted(shared)
        rows = [int(self._one(f"SELECT count(*) FROM {side}")[0]) for side in ("before", "after")]
        joined_by = () if note else tuple(c.column.name for c in key)
        return PortComparison(self.port, joined_by, rows[0], rows[1], unlike, missing, extra, columns, note)

    def _obstacle(self, key: Sequence[_Shared], shared: Sequence[_Shared]) -> str:
        """Why rows cannot be joined by the key, for people; nothing where they can."""
        if not shared:
            return "no column of the contract is in both, so no row was compared"
        if not any(c.key_position for c in self.contract.columns):
            return "the contract names no key: whole rows were counted, without tolerance"
        if len(key) < sum(c.key_position is not None for c in self.contract.columns):
            return "the key is not in both: whole rows were counted, without tolerance"
        said = {"before": "the living inner", "after": "the new inner"}
        twice = [said[side] for side in ("before", "after") if self._repeats(side, key)]
        if twice:
            return f"{' and '.join(twice)} wrote a key twice: whole rows were counted, without tolerance"
        return ""

    # --- By the key -------------------------------------------------------------------------------

    def _joined(
        self, key: Sequence[_Shared], others: Sequence[_Shared]
    ) -> tuple[RowDifference, RowDifference, tuple[ColumnDifference, ...]]:
        columns = ", ".join(c.selected() for c in (*key, *others))
        keys = ", ".join(f"coalesce(b.{k.sql}, a.{k.sql}) AS {k.sql}" for k in key)
        values = "".join(
            f", b.{c.sql} AS before_{c.sql}, a.{c.sql} AS after_{c.sql},"
            f" b.here AND a.here AND {self._differs(c)} AS differs_{c.sql}"
            for c in others
        )
        on = " AND ".join(f"b.{k.sql} IS NOT DISTINCT FROM a.{k.sql}" for k in key)
        any_of = " OR ".join(["missing", "extra", *(f"differs_{c.sql}" for c in others)])
        self.connection.execute(
            f"CREATE TEMP TABLE differing AS SELECT * FROM ("
            f"SELECT {keys}{values}, a.here IS NULL AS missing, b.here IS NULL AS extra"
            f" FROM (SELECT {columns}, true AS here FROM before) b"
            f" FULL OUTER JOIN (SELECT {columns}, true AS here FROM after) a ON {on}) WHERE {any_of}"
        )
        tests = ["missing", "extra", *(f"differs_{c.sql}" for c in others)]
        counts = self._one("SELECT " + ", ".join(f"count(*) FILTER ({t})" for t in tests) + " FROM differing")
        missing, extra = (self._alone(test, int(n), key) for test, n in zip(tests[:2], counts, strict=False))
        changed = [(c, int(count)) for c, count in zip(others, counts[2:], strict=True) if count]
        whole = self._ends(key, f"FROM (SELECT {', '.join(k.selected() for k in key)} FROM before)") if changed else ()
        return missing, extra, tuple(self._column(c, count, key, whole) for c, count in changed)

    def _differs(self, c: _Shared) -> str:
        b, a = f"b.{c.sql}", f"a.{c.sql}"
        differs = f"{b} IS DISTINCT FROM {a}"
        if self.tolerance and c.comparable and set(c.types) & set(_FLOATS):
            b, a = f"{b}::DOUBLE", f"{a}::DOUBLE"
            near = f"abs({a} - {b}) <= {self.tolerance!r} * greatest(1, abs({a}), abs({b}))"
            # Without the test, infinity would be near to every number.
            differs += f" AND NOT coalesce(isfinite({a}) AND isfinite({b}) AND {near}, false)"
        return f"({differs})"

    def _column(self, c: _Shared, count: int, key: Sequence[_Shared], whole: Sequence[_Ends]) -> ColumnDifference:
        rows = f"FROM differing WHERE differs_{c.sql}"
        shown = ", ".join(f"{k.sql}::VARCHAR" for k in key)
        found = self.connection.execute(
            f"SELECT {shown}, before_{c.sql}::VARCHAR, after_{c.sql}::VARCHAR {rows}"
            f" ORDER BY {', '.join(k.sql for k in key)} LIMIT {EXAMPLES}"
        ).fetchall()
        examples = tuple(
            {**_seen(key, row), c.column.name: f"{_value(c.column, row[-2])} -> {_value(c.column, row[-1])}"}
            for row in found
        )
        within = {
            k.column.name: (_value(k.column, here[0]), _value(k.column, here[1]))
            for k, here, everywhere in zip(key, self._ends(key, rows), whole, strict=True)
            if _open(k.column) and here != everywhere
        }
        return ColumnDifference(c.column.name, count, self._delta(c, rows), examples, within)

    def _ends(self, key: Sequence[_Shared], rows: str) -> tuple[_Ends, ...]:
        """Smallest and largest value of each column of the key among `rows`."""
        limits = ", ".join(f"min({k.sql})::VARCHAR, max({k.sql})::VARCHAR" for k in key)
        found = self._one(f"SELECT {limits} {rows}")
        return tuple(zip(found[::2], found[1::2], strict=True))

    def _delta(self, c: _Shared, rows: str) -> tuple[str, str] | None:
        if not _open(c.column):
            return None
        if all(map(_number, c.types)):
            difference, unit = f"after_{c.sql}::DOUBLE - before_{c.sql}::DOUBLE", ""
        elif c.types == ("DATE", "DATE"):
            difference, unit = f"after_{c.sql} - before_{c.sql}", " d"
        else:
            return None
        low, high = self._one(f"SELECT min({difference}), max({difference}) {rows}")
        return None if low is None else (f"{low:+.6g}{unit}", f"{high:+.6g}{unit}")

    def _alone(self, test: str, count: int, key: Sequence[_Shared]) -> RowDifference:
        if not count:
            return RowDifference()
        shown, order = ", ".join(f"{k.sql}::VARCHAR" for k in key), ", ".join(k.sql for k in key)
        found = self.connection.execute(
            f"SELECT {shown} FROM differing WHERE {test} ORDER BY {order} LIMIT {EXAMPLES}"
        ).fetchall()
        return RowDifference(count, tuple(_seen(key, row) for row in found))

    def _repeats(self, side: str, key: Sequence[_Shared]) -> bool:
        by = ", ".join(identifier(_physical(k.column)) for k in key)
        groups = f"SELECT 1 FROM {side} GROUP BY {by} HAVING count(*) > 1 LIMIT 1"
        return bool(self._one(f"SELECT count(*) FROM ({groups})")[0])

    # --- Without a key ----------------------------------------------------------------------------

    def _counted(self, shared: Sequence[_Shared]) -> tuple[RowDifference, RowDifference]:
        columns, names = ", ".join(c.selected() for c in shared), ", ".join(c.sql for c in shared)
        self.connection.execute(
            f"CREATE TEMP TABLE differing AS SELECT {names}, sum(side)::BIGINT AS more FROM ("
            f"SELECT {columns}, 1 AS side FROM after UNION ALL SELECT {columns}, -1 AS side FROM before)"
            f" GROUP BY {names} HAVING sum(side) <> 0"
        )
        return self._surplus(shared, "more < 0"), self._surplus(shared, "more > 0")

    def _surplus(self, shared: Sequence[_Shared], test: str) -> RowDifference:
        (count,) = self._one(f"SELECT coalesce(sum(abs(more)), 0)::BIGINT FROM differing WHERE {test}")
        shown, order = ", ".join(f"{c.sql}::VARCHAR" for c in shared), ", ".join(c.sql for c in shared)
        found = self.connection.execute(
            f"SELECT {shown} FROM differing WHERE {test} ORDER BY {order} LIMIT {EXAMPLES}"
        ).fetchall()
        return RowDifference(int(count), tuple(_seen(shared, row) for row in found))

    # --- Asking -----------------------------------------------------------------------------------

    def _types(self, side: str) -> dict[str, str]:
        found = self.connection.execute(f"DESCRIBE {side}").fetchall()
        return {str(row[0]): str(row[1]) for row in found}

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self.connection.execute(query).fetchone()
        assert row is not None  # noqa: S101 (every query that comes here is an aggregate)
        return tuple(row)


def _physical(column: Column) -> str:
    """Name of `column` in the data."""
    return str(column.clauses.get("physicalName") or column.name)


def _number(found: str) -> bool:
    return found in _FLOATS or found.removeprefix("U") in _INTEGERS or found.startswith("DECIMAL")


def _open(column: Column) -> bool:
    return column.classification.strip().lower() in OPEN


def _value(column: Column, text: str | None) -> str:
    """A value for people: short, on one line, masked where it is not open."""
    if not _open(column):
        return MASK
    return "null" if text is None else show(text).strip("`")


def _seen(columns: Sequence[_Shared], row: Sequence[str | None]) -> Example:
    return {c.column.name: _value(c.column, text) for c, text in zip(columns, row, strict=False)}
