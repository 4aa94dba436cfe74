"""Opens a dataset for questions in SQL, locked in: no other file, no network, no extensions, no changes.

Quality rules are SQL that a contract brings along, and a contract may come from a stranger's pull request.
"""

# ruff: noqa: S608 (paths are quoted by `literal`, names by `identifier`)

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outer.dataset import Dataset, Format, Unlisted
from outer.datatypes import kind

if TYPE_CHECKING:
    import duckdb

SECONDS = 600.0
"""Longest time that one query may take."""

MEMORY = "1GB"
"""Most memory that DuckDB takes before it goes on in a temporary folder."""

_PARTITION = re.compile(r"([^=/]+)=[^/]*")
_COMPARED = re.compile(r"(U?(TINY|SMALL|BIG)INT|U?INTEGER|DECIMAL\(.*|DATE|TIMESTAMP( WITH TIME ZONE)?)")
"""Types whose least and greatest values in a footer are exact. Floats are not: a footer may pass over NaN."""


class Unusable(Exception):
    """The data cannot be read as their format, or a query over them failed; the message says which, without data."""


@dataclass(frozen=True)
class Footer:
    """What the files say of themselves; costs milliseconds at any size. Text formats are read once for it."""

    rows: int
    bytes: int
    types: Mapping[str, str]
    """Column -> its type as DuckDB names it, in the order of the file. Nested types count as one column."""
    nulls: Mapping[str, int]
    """Column -> number of nulls, where the statistics of every row group tell it."""
    lows: Mapping[str, str] = field(default_factory=dict)
    """Column -> its least value as text, where the statistics of every row group tell it exactly."""
    highs: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, int] | None = None
    """Text formats: column -> how many values are not of the type that was asked for. None: the file has types."""
    partitions: tuple[str, ...] = ()
    """Columns that stand in the names of folders; they come after those of the files."""


@dataclass(frozen=True)
class Table:
    """An open dataset. `name` is what SQL calls it."""

    name: str
    footer: Footer
    _connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one SELECT and return its rows. Raises `Unusable` when it is something else, fails or takes too long."""
        import duckdb

        try:
            statements = self._connection.extract_statements(query)
        except duckdb.Error as error:
            raise Unusable(said(error)) from None
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
            raise Unusable(said(error)) from None
        except duckdb.Error as error:
            # Other messages may quote values of the data, which must not reach a log.
            raise Unusable(f"DuckDB stopped with {type(error).__name__}") from None
        finally:
            timer.cancel()

    def stream(self, batch: int) -> Iterator[tuple[Any, ...]]:
        """All rows, of which no more than `batch` are in memory at a time. Raises `Unusable`."""
        import duckdb

        try:
            result = self._connection.execute(f"SELECT * FROM {identifier(self.name)}")
            while rows := result.fetchmany(batch):
                yield from rows
        except duckdb.Error as error:
            raise Unusable(f"DuckDB stopped with {type(error).__name__}") from None


@contextmanager
def opened(
    data: Path | Dataset,
    name: str = "data",
    *,
    types: Mapping[str, str] | None = None,
    others: Mapping[str, Path | Dataset] | None = None,
) -> Iterator[Table]:
    """Open `data` (a path is one Parquet file) as the table `name`, and `others` as tables beside it.

    `types` says as what to read the columns of text formats, and of partitions, which have no types of their own: a
    value that is no such thing is null, and counted in `Footer.unfit`. Raises `Unusable` when something cannot be read.
    """
    import duckdb

    sources = {name: data, **(others or {})}
    with secluded() as connection:
        try:
            names: list[str] = []
            found: Footer | None = None
            for table, source in sources.items():
                files = files_of(source if isinstance(source, Dataset) else Dataset(source))
                reading = bind(connection, table, files, types or {} if table == name else {})
                if table == name:
                    found = footer(connection, table, files, reading)
                names += files.names
            lock_in(connection, names)
        except Unlisted as error:
            raise Unusable(str(error)) from None
        except (duckdb.Error, OSError) as error:
            raise Unusable(said(error)) from None
        assert found is not None  # noqa: S101 (`name` is one of the sources)
        yield Table(name, found, connection)


@contextmanager
def secluded() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory that loads no extension and spills into a folder of its own.

    Whoever has opened the data takes the way to other files away as well, and locks the configuration.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="outer-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={
                "temp_directory": spill,
                "memory_limit": MEMORY,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,  # otherwise SQL could read the variables of this program
            },
        )
        try:
            # A footer is parsed once, however many questions are put to it.
            connection.execute("SET TimeZone = 'UTC'; SET parquet_metadata_cache = true")
            yield connection
        finally:
            connection.close()


def bind(connection: duckdb.DuckDBPyConnection, table: str, files: Files, types: Mapping[str, str]) -> Reading:
    """Make `files` the view `table`: a query sees them under this name and has no other way out."""
    reading = _reading(connection, files, types)
    connection.execute(f"CREATE VIEW {identifier(table)} AS {reading.query}")
    return reading


def lock_in(connection: duckdb.DuckDBPyConnection, names: Sequence[str] = ()) -> None:
    """Leave `connection` no other files than `names` and what it has attached, and no way to change that."""
    escaped = [path for name in names for path in dict.fromkeys((name, _escaped(name)))]
    connection.execute(f"SET allowed_paths = [{', '.join(map(literal, escaped))}]")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")


def said(error: Exception) -> str:
    """The first line of what DuckDB says, without the name of its kind of error."""
    line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", (str(error).splitlines() or [""])[0])
    if record := re.match(r"((?:Malformed )?JSON .*? in line [0-9]+): (.*)", line):
        # What follows quotes the record, whose values must not reach a log.
        key = re.search(r'has (unknown|duplicate) key ("[^"]*")', record[2])
        line = record[1] + (f": {key[1]} key {key[2]}" if key else "")
    return "".join(c if c.isprintable() else " " for c in line)[:300]


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Files:
    """The files of one dataset, by the names that DuckDB opens them by."""

    names: tuple[str, ...]
    bytes: int
    format: Format = "parquet"
    partitions: tuple[str, ...] = ()
    """Columns that stand in the names of folders."""


@dataclass(frozen=True)
class Reading:
    """How a dataset is read: the query of its view, and for text formats the one that finds what is not as asked."""

    query: str
    unfit: str = ""
    asked: tuple[str, ...] = ()


def _reading(connection: duckdb.DuckDBPyConnection, files: Files, types: Mapping[str, str]) -> Reading:
    listed = f"[{', '.join(literal(_escaped(name)) for name in files.names)}]"
    if files.format in ("csv", "json"):
        return _text_reading(connection, files, listed, types)
    if not files.partitions:
        # Folder names like `year=2013` above the dataset must not become columns.
        return Reading(f"SELECT * FROM read_parquet({listed}, hive_partitioning = false)")
    typed = ", ".join(f"{identifier(key)}: {types[key]}" for key in files.partitions if key in types)
    options = "hive_partitioning = true" + (f", hive_types = {{{typed}}}" if typed else "")
    return Reading(f"SELECT * FROM read_parquet({listed}, {options})")


def files_of(dataset: Dataset) -> Files:
    """The files of `dataset`. Raises `Unlisted` where they cannot be told, `Unusable` where none holds rows."""
    files = dataset.files()
    if not files:
        raise Unusable(f"{dataset.path} holds no file with rows")
    keys: tuple[str, ...] = ()
    if dataset.format == "parquet" and not dataset.path.is_file():
        keys = partition_keys(str(dataset.path), [file.relative_to(dataset.path).parts for file in files])
    return Files(tuple(map(str, files)), sum(file.stat().st_size for file in files), dataset.format, keys)


def partition_keys(folder: str, files: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Columns that stand in the names of folders inside `folder`, as in `year=2013/`; `files` are paths from there."""
    keys = {tuple(m[1] for part in parts[:-1] if (m := _PARTITION.fullmatch(part))) for parts in files}
    if len(keys) != 1:
        raise Unusable(f"the folders of {folder} are not all partitioned by the same columns")
    return keys.pop()


def _text_reading(
    connection: duckdb.DuckDBPyConnection, files: Files, listed: str, types: Mapping[str, str]
) -> Reading:
    if files.format == "csv":
        options = f"header = true{_quotes(connection, files.names[0])}"
        raw = f"SELECT * FROM read_csv({listed}, {options}, all_varchar = true)"
    else:
        raw = f"SELECT * FROM read_json({listed}, convert_strings_to_integers = false)"
    described = connection.execute(f"DESCRIBE {raw}").fetchall()
    if not types:
        return Reading(f"SELECT * FROM read_csv({listed}, {options})" if files.format == "csv" else raw)
    read, unfit = [], []
    for column, found in ((str(row[0]), str(row[1])) for row in described):
        sql, wanted = identifier(column), types.get(column, "")
        value = _exactly(sql, wanted, found) if wanted else sql
        read.append(f"{value} AS {sql}")
        unfit.append(f"count_if({sql} IS NOT NULL AND {value} IS NULL)" if wanted else "count_if(false)")
    source = f"FROM ({raw})"
    return Reading(
        f"SELECT {', '.join(read)} {source}", f"SELECT {', '.join(unfit)} {source}", tuple(str(r[0]) for r in described)
    )


def _quotes(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """What DuckDB must be told of the file `name`: if its sample holds no quotation mark, a later one is an error."""
    found = connection.execute(f"SELECT quote FROM sniff_csv({literal(_escaped(name))})").fetchall()
    return "" if any(quote in ('"', "'") for (quote,) in found) else """, quote = '"', escape = '"'"""


def _exactly(sql: str, wanted: str, found: str) -> str:
    """`sql`, which was `found` as this type, as the type `wanted`; null where it is no such thing.

    DuckDB would make 2 of 1.5, a day of any moment, and a text of any object.
    """
    value = f"TRY_CAST({sql} AS {wanted})"
    if wanted == "VARCHAR" and kind(found) in ("array", "object"):
        # JSON is what values are read as that are of several kinds.
        text = f"if(json_type({sql}) IN ('OBJECT', 'ARRAY'), NULL, {sql} ->> '$')" if found == "JSON" else "NULL"
        return f"CAST({text} AS VARCHAR)"
    if wanted == "DATE":
        return f"if(TRY_CAST({sql} AS TIMESTAMP) <> {value}, NULL, {value})"
    sizes = re.fullmatch(r"DECIMAL\(([0-9]+),([0-9]+)\)", wanted)
    if not sizes and not re.fullmatch(r"U?(TINY|SMALL|BIG)INT|U?INTEGER", wanted):
        return value
    whole, places = (int(sizes[1]) - int(sizes[2]), int(sizes[2])) if sizes else (20, 0)
    if whole + places >= 38:  # there is nothing finer
        return value
    finer = f"DECIMAL(38,{38 - whole})"
    return f"if(TRY_CAST({sql}::VARCHAR AS {finer}) <> TRY_CAST({value} AS {finer}), NULL, {value})"


def footer(connection: duckdb.DuckDBPyConnection, table: str, files: Files, reading: Reading) -> Footer:
    """What the files of the view `table` say of themselves. Raises `Unusable` where they contradict each other."""
    size = files.bytes
    described = connection.execute(f"DESCRIBE {identifier(table)}").fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    if "read_parquet" not in reading.query:
        (rows,) = connection.execute(f"SELECT count(*) FROM {identifier(table)}").fetchall()[0]
        counts = connection.execute(reading.unfit).fetchall()[0] if reading.unfit else ()
        return Footer(int(rows), size, types, {}, unfit=dict(zip(reading.asked, counts, strict=True)))
    listed = [_escaped(name) for name in files.names]
    names = _columns(connection, listed)
    if len(described) < len(names) or len({n.casefold() for n in names}) != len(names):
        raise Unusable("two of its columns have the same name, or names that differ in case only")
    # DuckDB renames columns that differ in case only; the names of the file are those that count.
    ordered = [*names, *(name for name in types if name not in names)] if len(names) < len(described) else names
    types = {name: str(row[1]) for name, row in zip(ordered, described, strict=True)}
    (rows,) = connection.execute("SELECT sum(num_rows) FROM parquet_file_metadata(?)", [listed]).fetchall()[0]
    nulls, lows, highs = _statistics(connection, listed, {n: types[n] for n in names})
    return Footer(int(rows), size, types, nulls, lows, highs, partitions=files.partitions)


def _columns(connection: duckdb.DuckDBPyConnection, listed: Sequence[str]) -> list[str]:
    """Names of the columns, which all files must agree on, types included."""
    found = connection.execute(
        "SELECT file_name, name, num_children, type, logical_type, converted_type FROM parquet_schema(?)", [listed]
    ).fetchall()
    schemas: dict[str, list[tuple[Any, ...]]] = {}
    for file, *column in found:
        schemas.setdefault(file, []).append(tuple(column))
    first, *further = schemas.values()
    if any(schema[1:] != first[1:] for schema in further):
        raise Unusable(f"its {len(schemas)} files do not all have the same columns and types")
    return list(_top([(name, children) for name, children, *_ in first]))


def _top(schema: Sequence[tuple[str, int | None]]) -> Iterator[str]:
    """Names of the columns, without what is nested in them; `schema` lists the tree of the file depth first."""
    skip = 0
    for name, children in schema[1:]:
        if skip == 0:
            yield name
            skip = children or 0
        else:
            skip += (children or 0) - 1


def _statistics(
    connection: duckdb.DuckDBPyConnection, listed: Sequence[str], types: Mapping[str, str]
) -> tuple[Mapping[str, int], Mapping[str, str], Mapping[str, str]]:
    """Nulls, least and greatest values of the columns, where every row group tells them (Parquet format, Statistics).

    A name with `, ` in it looks like that of a nested field; what is said of both makes a proof harder, never wrong.
    """
    flat = {n: t for n, t in types.items() if not t.startswith(("STRUCT", "MAP")) and not t.endswith("]")}
    compared: dict[str, list[str]] = {}
    for name, found in flat.items():
        compared.setdefault(found if _COMPARED.fullmatch(found) else "", []).append(name)
    # One query for each type, grouped by column: with expressions for each column, a wide table would take gigabytes.
    parts = []
    for found, names in compared.items():
        asked = ["if(count_if(stats_null_count IS NULL) = 0, sum(stats_null_count), NULL)"]
        for end, value in (("min", "stats_min_value"), ("max", "stats_max_value")):
            # A row group of nulls has no least value, and needs none.
            known = f"TRY_CAST({value} AS {found}) IS NOT NULL AND {end}_is_exact IS NOT false"
            silent = f"count_if(NOT ({known}) AND stats_null_count IS DISTINCT FROM num_values)"
            asked.append(f"if({silent} = 0, {end}(TRY_CAST({value} AS {found})), NULL)::VARCHAR" if found else "NULL")
        listed_names = ", ".join(map(literal, names))
        parts.append(
            f"SELECT path_in_schema, {', '.join(asked)} FROM told WHERE path_in_schema IN ({listed_names}) GROUP BY ALL"
        )
    if not parts:
        return {}, {}, {}
    kept = "path_in_schema, num_values, stats_null_count, stats_min_value, stats_max_value, min_is_exact, max_is_exact"
    query = f"WITH told AS MATERIALIZED (SELECT {kept} FROM parquet_metadata(?)) {' UNION ALL '.join(parts)}"
    told = connection.execute(query, [list(listed)]).fetchall()
    return (
        {name: int(nulls) for name, nulls, _, _ in told if nulls is not None},
        {name: low for name, _, low, _ in told if low is not None},
        {name: high for name, _, _, high in told if high is not None},
    )


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
