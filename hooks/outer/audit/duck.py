"""The embedded engine: DuckDB, for data in files, where they lie, however large they are."""

# ruff: noqa: S608 (names and texts are quoted by `identifier` and `literal`; the connection is locked in anyway)

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outer.audit.engine import Facts, Related
from outer.audit.plan import Field
from outer.audit.sql import Sql
from outer.dataset import Dataset
from outer.parquet import Table, Unusable, identifier, literal, opened

FORMATS = {"parquet": "a Parquet file", "delta": "a Delta table", "csv": "a CSV file", "json": "a JSON file"}
WIDEST = 1 << 30
"""Widest range of numbers that is held in a bitmap: 128 MB for each thread."""
SPARSE = 64
"""A bitmap pays as long as there are not more places than this for each row."""
BATCH = 12_000_000
"""Hashes that are compared at once, so that memory does not grow with the data."""

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


class Duck:
    """DuckDB over one table, which a reader would call `form`, and others beside it for relationships.

    `folder` says that its data are in a folder, where partitions have columns.
    """

    name = "duckdb"

    def __init__(
        self,
        table: Table,
        form: str,
        others: Mapping[str, str],
        *,
        columns: Mapping[str, Mapping[str, str]] | None = None,
        folder: bool = False,
    ) -> None:
        footer = table.footer
        self.format = form
        self.table = identifier(table.name)
        self.others = others
        self.columns = columns or {}
        self.facts = Facts(
            types=footer.types, rows=footer.rows, bytes=footer.bytes, nulls=footer.nulls, lows=footer.lows,
            highs=footer.highs, unfit=footer.unfit, partitions=footer.partitions if folder else None,
        )  # fmt: skip
        self.sql = Sql(footer.types, self._understood)
        self._table = table

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._table.rows(query)

    own = rows

    def distinct(self, fields: Sequence[Field]) -> str | None:
        """One bit for each possible key, where keys are whole numbers or dates and statistics tell their ends."""
        rows, place, width = self.facts.rows or 0, "", 1
        for field in fields:
            ends = self._ends(field)
            if ends is None:
                return None
            low, high = ends
            span, own = high - low + 1, f"({self._number(field)} - ({low}))"
            place = f"({place} * {span} + {own})" if place else own
            width *= span
        if not place or width > min(WIDEST, max(SPARSE * rows, 1 << 16)):
            return None
        kept = ""
        if any(self.facts.nulls.get(f.column) != 0 for f in fields):
            kept = f" FILTER (WHERE {' AND '.join(f'{self.sql.value(f)} IS NOT NULL' for f in fields)})"
        return f"coalesce(bit_count(bitstring_agg({place}, 0, {width - 1}){kept}), 0) = count(*){kept}"

    def differ(self, fields: Sequence[Field]) -> bool:
        """Compare hashes: where all differ, all keys do. Equal ones prove nothing, and keys are then compared."""
        keys = ", ".join(self.sql.value(f) for f in fields)
        present = " AND ".join(f"{self.sql.value(f)} IS NOT NULL" for f in fields)
        batches = max(1, -(-(self.facts.rows or 0) // BATCH))
        for batch in range(batches):
            part = f" WHERE h % {batches} = {batch}" if batches > 1 else ""
            query = (
                f"SELECT count(h) = count(DISTINCT h) FROM"
                f" (SELECT hash({keys}) AS h FROM {self.table} WHERE {present}){part}"
            )
            if self.rows(query) != [(True,)]:
                return False
        return True

    def _understood(self, pattern: str) -> bool:
        try:
            self.rows(f"SELECT regexp_matches('', {literal(pattern)})")
        except Unusable:
            return False
        return True

    def _ends(self, field: Field) -> tuple[int, int] | None:
        found = self.sql.found(field)
        low, high = self.facts.lows.get(field.column), self.facts.highs.get(field.column)
        if len(field.path) > 1 or low is None or high is None or (found not in _WHOLE and found != "DATE"):
            return None
        if found != "DATE":
            return int(low), int(high)
        try:
            ((first, last),) = self.rows(f"SELECT DATE '{low}' - DATE '1970-01-01', DATE '{high}' - DATE '1970-01-01'")
        except Unusable:
            return None
        return int(first), int(last)

    def _number(self, field: Field) -> str:
        sql = self.sql.value(field)
        whole = f"({sql} - DATE '1970-01-01')" if self.sql.found(field) == "DATE" else sql
        return f"CAST({whole} AS BIGINT)"


@contextmanager
def duck(
    data: Path | Dataset,
    table: str,
    types: Mapping[str, str],
    related: Mapping[str, Path | Dataset] | None = None,
) -> Iterator[Duck]:
    """Open `data`, and `related` tables by the names that contracts call them. Raises `Unusable`."""
    dataset = data if isinstance(data, Dataset) else Dataset(data)
    beside = {name: source for name, source in (related or {}).items() if name != table}
    with opened(dataset, table, types=types, others=beside) as opened_table:
        folder = dataset.format == "parquet" and not dataset.path.is_file()
        others = {name: identifier(name) for name in beside}
        columns = {name: source.columns for name, source in beside.items() if isinstance(source, Related)}
        yield Duck(opened_table, FORMATS[dataset.format], others, columns=columns, folder=folder)
