"""The embedded engine over a table of a DuckDB database: locked in as over files, and the database is only read."""

# ruff: noqa: S608 (names and texts are quoted by `identifier` and `literal`)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outer.audit.duck import Duck
from outer.audit.warehouse import guarded
from outer.machine import require
from outer.parquet import Footer, Table, Unusable, identifier, literal, lock_in, said, secluded

_ALIAS = "database"
"""What SQL calls the database file. Queries of a contract may not."""


class DuckTable(Duck):
    """DuckDB over a table of a database, where other tables lie beside it that a contract must not look at."""

    def own(self, query: str) -> list[tuple[Any, ...]]:
        require("sqlglot", extra="run,warehouse")
        return self.rows(guarded(query, "duckdb", "duckdb", self.table))


@contextmanager
def database(path: Path, schema: str, physical: str, table: str, related: Sequence[str] = ()) -> Iterator[DuckTable]:
    """Open the table `physical` of `schema` in the database file `path` as `table`; `related` are tables beside it.

    Raises `Unusable` when there is no such table, or the database cannot be read: one that another process writes is
    locked (DuckDB, Concurrency).
    """
    import duckdb

    if not path.is_file():
        # DuckDB takes more for a database than files: addresses, for which it would load extensions.
        raise Unusable(f"{path} {'is not a file' if path.exists() else 'does not exist'}")
    sources = {table: physical, **{name: name for name in related if name not in (table, physical)}}
    with secluded() as connection:
        try:
            connection.execute(f"ATTACH {literal(str(path))} AS {identifier(_ALIAS)} (READ_ONLY, TYPE duckdb)")
            # Before a view is bound: those in the database may themselves read files.
            lock_in(connection)
            for name, source in sources.items():
                parts = ".".join(map(identifier, (_ALIAS, schema, source)))
                connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT * FROM {parts}")
            described = connection.execute(f"DESCRIBE {identifier(table)}").fetchall()
            ((rows,),) = connection.execute(f"SELECT count(*) FROM {identifier(table)}").fetchall()
        except duckdb.Error as error:
            raise Unusable(said(error)) from None
        footer = Footer(int(rows), 0, {str(name): str(found) for name, found, *_ in described}, {})
        others = {name: identifier(name) for name in sources if name != table}
        yield DuckTable(Table(table, footer, connection), "a table in DuckDB", others)
