"""Opens one Parquet file for questions in SQL, locked in: no other file, no network, no extensions, no changes.

Quality rules are SQL that a contract brings along, and a contract may come from a stranger's pull request.
"""

# ruff: noqa: S608 (paths are quoted by `literal`)

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

SECONDS = 600.0
"""Longest time that one query may take."""


class Unusable(Exception):
    """The file is no Parquet file, or is broken, or a query over it failed; the message says which, without data."""


@dataclass(frozen=True)
class Footer:
    """What the file says of itself at its end; costs milliseconds at any size."""

    rows: int
    bytes: int
    types: Mapping[str, str]
    """Column -> its type as DuckDB names it, in the order of the file. Nested types count as one column."""
    nulls: Mapping[str, int]
    """Column -> number of nulls, where the statistics of every row group tell it."""


@dataclass(frozen=True)
class Table:
    """An open Parquet file. `name` is what SQL calls it."""

    name: str
    footer: Footer
    _connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one SELECT and return its rows. Raises `Unusable` when it is something else, fails or takes too long."""
        import duckdb

        try:
            statements = self._connection.extract_statements(query)
        except duckdb.Error as error:
            raise Unusable(_line(error)) from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Unusable("it is not one SELECT")
        timer = threading.Timer(SECONDS, self._connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            return self._connection.execute(statements[0], list(parameters) or None).fetchall()
        except duckdb.InterruptException:
            raise Unusable(f"it took longer than {SECONDS:.0f} s") from None
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.PermissionException) as error:
            raise Unusable(_line(error)) from None
        except duckdb.Error as error:
            # Other messages may quote values of the data, which must not reach a log.
            raise Unusable(f"DuckDB stopped with {type(error).__name__}") from None
        finally:
            timer.cancel()


@contextmanager
def opened(path: Path, name: str = "data") -> Iterator[Table]:
    """Open the Parquet file at `path` as the table `name`. Raises `Unusable` when it cannot be read as Parquet."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="outer-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={
                "temp_directory": spill,  # beyond its default of 80 % of the memory, DuckDB goes on there
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,  # otherwise SQL could read the variables of this program
            },
        )
        try:
            try:
                footer = _footer(connection, path)
                # One bound view: a query sees the file under this name and has no other way out.
                connection.execute(f"CREATE VIEW {identifier(name)} AS {_reading(path)}")
                allowed = ", ".join(literal(p) for p in dict.fromkeys((str(path), _escaped(path))))
                connection.execute(f"SET allowed_paths = [{allowed}]")
                connection.execute(
                    "SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true"
                )
            except (duckdb.Error, OSError) as error:
                raise Unusable(_line(error)) from None
            yield Table(name, footer, connection)
        finally:
            connection.close()


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _footer(connection: duckdb.DuckDBPyConnection, path: Path) -> Footer:
    file = _escaped(path)
    schema = connection.execute("SELECT name, num_children FROM parquet_schema(?)", [file]).fetchall()
    names = list(_top(schema))
    described = connection.execute(f"DESCRIBE {_reading(path)}").fetchall()
    if len(described) != len(names) or len({n.casefold() for n in names}) != len(names):
        raise Unusable("two of its columns have the same name, or names that differ in case only")
    (rows,) = connection.execute("SELECT num_rows FROM parquet_file_metadata(?)", [file]).fetchall()[0]
    nulls = connection.execute(
        "SELECT path_in_schema, sum(stats_null_count) FROM parquet_metadata(?)"
        " GROUP BY path_in_schema HAVING count(*) = count(stats_null_count)",
        [file],
    ).fetchall()
    flat = {name for name, children in schema[1:] if not children}
    return Footer(
        rows=int(rows),
        bytes=path.stat().st_size,
        types={name: str(column[1]) for name, column in zip(names, described, strict=True)},
        nulls={str(name): int(count) for name, count in nulls if name in names and name in flat},
    )


def _top(schema: Sequence[tuple[str, int | None]]) -> Iterator[str]:
    """Names of the columns, without what is nested in them; `schema` lists the tree of the file depth first."""
    skip = 0
    for name, children in schema[1:]:
        if skip == 0:
            yield name
            skip = children or 0
        else:
            skip += (children or 0) - 1


def _reading(path: Path) -> str:
    # Folder names like `year=2013` must not become columns.
    return f"SELECT * FROM read_parquet({literal(_escaped(path))}, hive_partitioning = false)"


def _escaped(path: Path) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def _line(error: Exception) -> str:
    """The first line of what DuckDB says, without the name of its kind of error."""
    line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", (str(error).splitlines() or [""])[0])
    return "".join(c if c.isprintable() else " " for c in line)[:300]
