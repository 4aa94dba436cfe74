"""Files and the embedded database: inputs checked, the last result restored, the new one written.

Ports are Parquet files. An output port may be a Delta table instead, as its contract says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb

from pipeline.ports import Output, PortError

# Nothing is fetched at run time: DuckDB comes with all that is needed.
OFFLINE: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def check(port: str, file: str | list[str], expected: Mapping[str, str | None]) -> None:
    """Make sure that a port's file, or its files, have the columns `expected`; further ones do no harm.

    `expected` goes from name to type; None is any type.

    Only the footer is read, so a wrong file fails before any work is done. Raises PortError.
    """
    name = file if isinstance(file, str) else file[0]
    try:
        with duckdb.connect(config=OFFLINE) as memory:
            data = memory.read_parquet(file)
            found = dict(zip(data.columns, map(str, data.types), strict=True))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise PortError(f"port {port}: {name}: not a readable Parquet file: {reason}") from error
    wrong = []
    for column, type_ in expected.items():
        if column not in found:
            wrong.append(f"column {column} is missing")
        elif type_ and found[column] != canonical(type_):
            wrong.append(f"column {column} is {found[column]}, expected {canonical(type_)}")
    if wrong:
        raise PortError(f"port {port}: {name}: {'; '.join(wrong)}")


def restore(database: Path, port: str, output: Output, previous: str) -> None:
    """Put what `port` published last into the embedded database, as the table that the new days are added to.

    Raises PortError when the published data have other columns.
    """
    files = delta_files(previous) if output.format == "delta" else previous
    try:
        check(port, files, {column.name: column.type for column in output.columns})
    except PortError as error:
        raise PortError(f"{error}; run once without --since to compute all days") from error
    names = ", ".join(_quoted(column.name) for column in output.columns)
    definition = ", ".join(
        f"{_quoted(column.name)} {canonical(column.type)}{' not null' if column.required else ''}"
        for column in output.columns
    )
    with duckdb.connect(database, config=OFFLINE) as connection:
        connection.execute(f"create table {_quoted(port)} ({definition})")
        data = connection.read_parquet(files)
        data.query("published", f"insert into {_quoted(port)} select {names} from published")


def write(database: Path, relation: str, output: Output) -> None:
    """Write a table of the embedded database to an output port, sorted, so that equal rows give equal files."""
    rows = f"select * from {relation} order by all"
    with duckdb.connect(database, config=OFFLINE) as connection:
        if output.format == "delta":
            # Types pass through Arrow as they are: what the contract calls BIGINT is a long of Delta.
            _deltalake().write_deltalake(output.location, connection.sql(rows))
            return
        place = output.location.replace("'", "''")
        connection.execute(f"copy ({rows}) to '{place}' (format parquet, compression zstd)")


def delta_files(table: str) -> list[str]:
    """Give the Parquet files that hold the rows of a Delta table now."""
    added = _deltalake().DeltaTable(table).get_add_actions().column("path").to_pylist()
    return [str(Path(table) / unquote(name)) for name in added]


def _deltalake() -> Any:
    try:
        import deltalake
    except ImportError as error:
        raise PortError(
            "a Delta table needs a library: let `setup` in inner.yaml be uv sync --frozen --group delta"
        ) from error
    return deltalake


def canonical(type_: str) -> str:
    """Give the name that DuckDB has for a type: string and VARCHAR are one."""
    try:
        return str(duckdb.sqltype(type_))
    except duckdb.Error:
        return type_.upper()  # no type of DuckDB; it will equal none


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
