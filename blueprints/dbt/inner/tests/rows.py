"""Rows to test with: one usual flight, a month of them, and how they become a file."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]

FLIGHTS = {
    "year": "INTEGER",
    "month": "INTEGER",
    "day": "INTEGER",
    "dep_time": "INTEGER",
    "dep_delay": "INTEGER",
    "arr_delay": "INTEGER",
    "carrier": "VARCHAR",
    "flight": "INTEGER",
    "origin": "VARCHAR",
    "time_hour": "TIMESTAMP WITH TIME ZONE",
}
AIRLINES = {"carrier": "VARCHAR", "name": "VARCHAR"}
PUNCTUALITY = {
    "flight_date": "DATE",
    "carrier": "VARCHAR",
    "airline": "VARCHAR",
    "flights": "BIGINT",
    "cancelled": "BIGINT",
    "mean_dep_delay_min": "DOUBLE",
    "mean_arr_delay_min": "DOUBLE",
    "on_time_share": "DOUBLE",
    "on_time_share_7d": "DOUBLE",
}

NAMES = [{"carrier": "AA", "name": "American"}, {"carrier": "HA", "name": "Hawaiian"}]


def flight(day: int = 1, number: int = 1, **changes: Any) -> Row:
    """One flight of American in June 2013 that left and arrived on time; change what matters."""
    usual = {
        "year": 2013,
        "month": 6,
        "day": day,
        "dep_time": 900,
        "dep_delay": 0,
        "arr_delay": 0,
        "carrier": "AA",
        "flight": number,
        "origin": "JFK",
        "time_hour": datetime(2013, 6, day, 13, tzinfo=UTC),
    }
    return usual | changes


# A month in which AA flies daily and HA every fourth day, with delays of all kinds.
MONTH = [
    flight(day, number, carrier=carrier, arr_delay=(day * number * 7) % 40 - 10)
    for carrier, step in (("AA", 1), ("HA", 4))
    for day in range(1, 31, step)
    for number in (1, 2, 3)
]


def write(file: Path, rows: Iterable[Row], columns: Mapping[str, str]) -> Path:
    """Write rows as Parquet, with these columns and types."""
    values = [[row.get(name) for name in columns] for row in rows]
    with duckdb.connect() as memory:
        memory.execute(f"create table data ({', '.join(f'{n} {t}' for n, t in columns.items())})")
        if values:
            memory.executemany(f"insert into data values ({', '.join('?' * len(columns))})", values)
        memory.table("data").write_parquet(str(file))
    return file


def read(file: Path) -> list[Row]:
    """Give the rows of a Parquet file, in their order."""
    with duckdb.connect() as memory:
        data = memory.read_parquet(str(file))
        return [dict(zip(data.columns, row, strict=True)) for row in data.fetchall()]


def types(file: Path) -> dict[str, str]:
    """Give the columns of a Parquet file with their types, in their order."""
    with duckdb.connect() as memory:
        data = memory.read_parquet(str(file))
        return dict(zip(data.columns, map(str, data.types), strict=True))
