"""Parquet files and the embedded database: inputs checked, the last result restored, the new one written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from pipeline.ports import Column, PortError

# Nothing is fetched at run time: DuckDB comes with all that is needed.
OFFLINE: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def check(port: str, file: str, expected: Mapping[str, str | None]) -> None:
    """Make sure that a port's file has the columns `expected`; further ones do no harm.

    `expected` goes from name to type; None is any type.

    Only the file's footer is read, so a wrong file fails before any work is done. Raises PortError.
    """
    try:
        with duckdb.connect(config=OFFLINE) as memory:
            data = memory.read_parquet(file)
            found = dict(zip(data.columns, map(str, data.types), strict=True))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise PortError(f"port {port}: {file}: not a readable Parquet file: {reason}") from error
    wrong = []
    for name, type_ in expected.items():
        if name not in found:
            wrong.append(f"column {name} is missing")
        elif type_ and found[name] != canonical(type_):
            wrong.append(f"column {name} is {found[name]}, expected {canonical(type_)}")
    if wrong:
        raise PortError(f"port {port}: {file}: {'; '.join(wrong)}")


def restore(database: Path, port: str, columns: Iterable[Column], previous: str) -> None:
    """Put what `port` published last into the embedded database, as the table that the new days are added to.

    Raises PortError when the published file has other columns.
    """
    columns = list(columns)
    try:
        check(port, previous, {column.name: column.type for column in columns})
    except PortError as error:
        raise PortError(f"{error}; run once without --since to compute all days") from error
    names = ", ".join(_quoted(column.name) for column in columns)
    definition = ", ".join(
        f"{_quoted(column.name)} {canonical(column.type)}{' not null' if column.required else ''}"
        for column in columns
    )
    with duckdb.connect(database, config=OFFLINE) as connection:
        connection.execute(f"create table {_quoted(port)} ({definition})")
        data = connection.read_parquet(previous)
        data.query("published", f"insert into {_quoted(port)} select {names} from published")


def write(database: Path, relation: str, file: str) -> None:
    """Write a table of the embedded database to `file`, sorted, so that equal rows give equal bytes."""
    place = file.replace("'", "''")
    with duckdb.connect(database, config=OFFLINE) as connection:
        connection.execute(
            f"copy (select * from {relation} order by all) to '{place}' (format parquet, compression zstd)"
        )


def canonical(type_: str) -> str:
    """Give the name that DuckDB has for a type: string and VARCHAR are one."""
    try:
        return str(duckdb.sqltype(type_))
    except duckdb.Error:
        return type_.upper()  # no type of DuckDB; it will equal none


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
