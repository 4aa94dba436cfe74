"""The inputs of a trial: rows in memory, made the same on every machine, and the files that carry them.

`edges` holds what breaks real jobs. Every scenario has carriers of its own, and no row of the output depends on two
carriers: so one run judges all of them, each for itself.
"""

# ruff: noqa: S311, S608  (chance makes rows and no secrets; paths in SQL are the kit's own)
from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from conformance.reference import Day, Flight
from outer.dataset import Dataset
from outer.parquet import literal

FLIGHTS = (
    "year INTEGER, month INTEGER, day INTEGER, sched_dep_time INTEGER, dep_time INTEGER, dep_delay INTEGER, "
    "arr_delay INTEGER, carrier VARCHAR, flight INTEGER, tailnum VARCHAR, origin VARCHAR, dest VARCHAR, "
    "distance INTEGER, time_hour TIMESTAMP WITH TIME ZONE"
)
AIRLINES = "carrier VARCHAR, name VARCHAR"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Input:
    """What the input ports hold: rows, and the airlines' names by carrier."""

    flights: tuple[Flight, ...]
    airlines: Mapping[str, str]

    def files(self, folder: Path) -> dict[str, Path]:
        """Write both ports into `folder`: name of the port -> file."""
        folder.mkdir(parents=True, exist_ok=True)
        return {
            "flights": write(folder / "flights.parquet", FLIGHTS, self.flights),
            "airlines": write(folder / "airlines.parquet", AIRLINES, self.airlines.items()),
        }


def flight(day: date, number: int = 1, /, *, hour: int = 9, carrier: str = "AA", **changes: Any) -> Flight:
    """A flight that left and arrived on time at `hour` o'clock, New York time; change what matters."""
    hour_utc = datetime(day.year, day.month, day.day, hour, tzinfo=NEW_YORK).astimezone(UTC)
    usual = Flight(
        day.year, day.month, day.day, hour * 100, hour * 100, 0, 0, carrier, number, "N1", "JFK", "SFO", 2586, hour_utc
    )
    return usual._replace(**changes)


# --- The edges ------------------------------------------------------------------------------------

CANCELLED: Mapping[str, Any] = {"dep_time": None, "dep_delay": None, "arr_delay": None}
JUNE = date(2013, 6, 1)

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "days": ("D1", "D2", "D3", "D4", "D5"),
    "duplicates": ("R1", "R2"),
    "ties": ("T1", "T2", "T3"),
    "unknown-carriers": ("U1", "U2"),
    "nulls": ("N1", "N2", "N3", "NA"),
    "arithmetic": ("M1", "M2", "M3"),
    "threshold": ("O1",),
    "window": ("W1", "W2", "W3"),
}
"""Scenario -> its carriers. The ids are those of checks."""


def edges() -> Input:
    """Rows at the edges: see `SCENARIOS`. The order of the rows means nothing, and says so."""
    rows = [*_days(), *_duplicates(), *_ties(), *_unknown(), *_nulls(), *_arithmetic(), *_threshold(), *_window()]
    random.Random(20130101).shuffle(rows)
    known = [carrier for name, carriers in SCENARIOS.items() if name != "unknown-carriers" for carrier in carriers]
    names = {carrier: f"Airline “{carrier}”, O'Hare & Söhne" for carrier in known}
    return Input(tuple(rows), names | {"NA": "null", "Z9": "Never flew"})


def _days() -> Iterator[Flight]:
    # The last hours of a day in New York are the next day in UTC; months and years end, and clocks change.
    for day in (
        date(2013, 1, 31), date(2013, 2, 1), date(2013, 12, 31), date(2014, 1, 1), date(2012, 2, 29), date(2012, 3, 1),
    ):  # fmt: skip
        yield flight(day, 1, hour=0, carrier="D1")
        yield flight(day, 2, hour=18, carrier="D1", arr_delay=20)
        yield flight(day, 3, hour=23, carrier="D1")
    for day in (date(2013, 3, 9), date(2013, 3, 10), date(2013, 3, 11)):  # the hour from 2 to 3 does not exist
        yield from (flight(day, hour, hour=hour, carrier="D2", arr_delay=hour) for hour in (1, 3, 4, 23))
    for day in (date(2013, 11, 2), date(2013, 11, 3), date(2013, 11, 4)):  # the hour from 1 to 2 comes twice
        yield from (flight(day, hour, hour=hour, carrier="D3", arr_delay=hour) for hour in (0, 1, 2, 23))
    # Twice the same local hour: the same number flies in both, and these are two flights.
    again = datetime(2013, 11, 3, 6, tzinfo=UTC)
    yield flight(date(2013, 11, 3), 1, hour=1, carrier="D4", arr_delay=30)
    yield flight(date(2013, 11, 3), 1, hour=1, carrier="D4", time_hour=again)
    # Ten in the evening in Los Angeles, where New York has the next day already.
    late = datetime(2013, 6, 2, 5, tzinfo=UTC)
    yield flight(JUNE, 1, hour=22, carrier="D5", origin="LAX", time_hour=late)


def _duplicates() -> Iterator[Flight]:
    # Delivered again, equal to the last value, up to four times.
    for number in range(1, 9):
        row = flight(JUNE, number, carrier="R1", arr_delay=number * 5, dep_delay=number)
        yield from [row] * (1 + number % 4)
    # Equal in three parts of the key and different in the fourth: all of them flights of their own.
    yield flight(JUNE, 1, carrier="R2")
    yield flight(JUNE, 2, carrier="R2", arr_delay=30)
    yield flight(JUNE, 1, carrier="R2", origin="LGA", arr_delay=40)
    yield flight(JUNE, 1, hour=10, carrier="R2", arr_delay=50)


def _ties() -> Iterator[Flight]:
    steps: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = (
        ({"dep_time": 900, "dep_delay": None, "arr_delay": -9}, {"dep_time": 900, "dep_delay": 99, "arr_delay": None}),
        ({"dep_time": 900, "dep_delay": -9, "arr_delay": 5}, {"dep_time": 900, "dep_delay": None, "arr_delay": 99}),
        ({"dep_time": 900, "dep_delay": -9, "arr_delay": 20}, {"dep_time": 900, "dep_delay": 99, "arr_delay": 10}),
        ({"dep_time": 900, "dep_delay": 20, "arr_delay": 5}, {"dep_time": 900, "dep_delay": 10, "arr_delay": 5}),
        ({"dep_time": 900, "dep_delay": None, "arr_delay": None}, CANCELLED),
        ({"dep_time": 900, "month": 6, "day": 20}, {"dep_time": 905, "month": 5, "day": 31}),  # days that contradict
    )
    for number, (better, worse) in enumerate(steps, start=1):
        for carrier, pair in (("T1", (better, worse)), ("T2", (worse, better))):
            yield from (flight(JUNE + timedelta(days=number), number, carrier=carrier, **row) for row in pair)
    # Many deliveries of few values: every kind of tie, in an order that chance chose once.
    chance = random.Random(7)
    for day in range(10):
        for number in range(12):
            for _ in range(chance.randint(1, 5)):
                values = [chance.choice((None, -5, 0, 14, 15, 16, 90)) for _ in range(2)]
                left = chance.choice((None, 905)) if values == [None, None] else 905
                yield flight(
                    JUNE + timedelta(days=day), number, carrier="T3",
                    dep_time=left, dep_delay=values[0], arr_delay=values[1], tailnum=chance.choice((None, "N1", "N2")),
                )  # fmt: skip


def _unknown() -> Iterator[Flight]:
    yield from (flight(JUNE, number, carrier="U1") for number in (1, 2, 3))
    yield flight(JUNE + timedelta(days=2), 1, carrier="U2", arr_delay=60)


def _nulls() -> Iterator[Flight]:
    yield from (flight(JUNE, number, carrier="N1", **CANCELLED) for number in (1, 2, 3))  # nobody flew at all
    yield flight(JUNE, 1, carrier="N2", arr_delay=None)  # took off and landed elsewhere
    yield flight(JUNE, 2, carrier="N2", dep_delay=7, arr_delay=None, tailnum=None)
    yield flight(JUNE, 1, carrier="N3", **CANCELLED)
    yield flight(JUNE, 2, carrier="N3", dep_delay=-3, arr_delay=None)
    yield flight(JUNE, 3, carrier="N3", dep_delay=4, arr_delay=15)
    yield flight(JUNE, 1, carrier="NA")  # a carrier, and an airline called null: words, which tools take for nothing


def _arithmetic() -> Iterator[Flight]:
    # Means that are no whole number, negative ones too: rounding and whole division each give another value.
    for day, delays in enumerate(((0, 0, 1), (0, -1), (1, 1, -1, 0, -6, 2, 3), (-1, -1, 0))):
        for number, delay in enumerate(delays):
            when = JUNE + timedelta(days=day)
            yield flight(when, number, carrier="M1", dep_delay=delay, arr_delay=delay * 3 + 1)
    # Sums beyond 32 bits.
    big = 2_000_000_000
    yield from (flight(JUNE, n, carrier="M2", dep_delay=big, arr_delay=big - n) for n in range(3))
    # Shares of 1/3, 2/3, 3/7: no decimal is exact.
    yield from (flight(JUNE, n, carrier="M3", arr_delay=20 * (n % 3 > 0)) for n in range(9))
    yield from (flight(JUNE + timedelta(days=1), n, carrier="M3", arr_delay=20 * (n < 4)) for n in range(7))


def _threshold() -> Iterator[Flight]:
    for number, late in enumerate((13, 14, 15, 16, -60, 0)):
        yield flight(JUNE, number, carrier="O1", arr_delay=late)


def _window() -> Iterator[Flight]:
    # Seven days of the calendar, not seven rows: days without a flight count.
    for day, late in ((1, 60), (2, 60), (8, 0), (9, 60), (15, 0), (30, 0)):
        yield flight(date(2013, 6, day), 1, carrier="W1", arr_delay=late)
    chance = random.Random(11)
    for back in range(40):  # over the end of a month, weighed by flights
        when = date(2013, 6, 15) + timedelta(days=back)
        for number in range(chance.randint(1, 4)):
            yield flight(when, number, carrier="W2", arr_delay=chance.choice((0, 60)))
    for when in (date(2013, 12, 28), date(2014, 1, 3), date(2014, 1, 4)):  # over the end of a year
        yield flight(when, 1, carrier="W3", arr_delay=60 if when.year == 2013 else 0)


# --- A day that goes wrong ------------------------------------------------------------------------


def doubled(given: Input) -> Input:
    """The same delivered twice, in another order."""
    rows = [*given.flights, *given.flights]
    random.Random(2).shuffle(rows)
    return Input(tuple(rows), dict(sorted(given.airlines.items(), reverse=True)))


def later(given: Input, since: date) -> tuple[Input, Flight]:
    """The delivery of a later day, and a flight of an older day that comes with it, too late for `since`.

    From `since` on, flights are gone, changed and new, and one whole day is empty.
    """
    empty = since + timedelta(days=2)
    kept = []
    for number, row in enumerate(given.flights):
        day = date(row.year, row.month, row.day)
        if day >= since:
            if day == empty or number % 5 == 0:
                continue
            if number % 3 == 0 and row.arr_delay is not None:
                row = row._replace(arr_delay=row.arr_delay + 11)
        kept.append(row)
    # Eight days before: outside every window that reaches `since`.
    old = flight(since - timedelta(days=8), 9001, carrier=given.flights[0].carrier, arr_delay=200)
    return Input((*kept, old), given.airlines), old


def year(given: Mapping[str, Path], folder: Path, copies: int) -> dict[str, Path]:
    """Files with `copies` times the flights of the files `given`, each a fortnight later than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    day = "make_date(year, month, day) + 14 * copy::INTEGER"
    parts = ", ".join(f"{part}({day})::INTEGER AS {part}" for part in ("year", "month", "day"))
    select = (
        f"SELECT * EXCLUDE (copy) REPLACE ({parts}, time_hour + to_days(14 * copy::INTEGER) AS time_hour) "
        f"FROM rows, range({copies}) copies(copy)"
    )
    return {**given, "flights": reshaped(given["flights"], folder / "flights.parquet", select)}


# --- Files ----------------------------------------------------------------------------------------


def write(path: Path, columns: str, rows: Iterable[tuple[object, ...]]) -> Path:
    """Write `rows` as Parquet to `path`, in the order in which they come, and give the path."""
    # By way of a text file: DuckDB takes minutes for as many values handed over one by one.
    text = path.with_suffix(".csv")
    with text.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_written(value) for value in row] for row in rows)
    kinds: dict[str, str] = dict(column.split(maxsplit=1) for column in columns.split(", "))
    moments = {name for name, kind in kinds.items() if kind.startswith("TIMESTAMP")}
    plain = {name: "BIGINT" if name in moments else kind for name, kind in kinds.items()}
    terms = ", ".join(f"make_timestamptz({name}) AS {name}" if name in moments else name for name in kinds)
    source = f"read_csv({literal(str(text))}, columns = {plain}, header = false, auto_detect = false, quote = '\"')"
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute(f"COPY (SELECT {terms} FROM {source}) TO {literal(str(path))} (FORMAT parquet)")
    text.unlink()
    return path


def read(flights: Path, airlines: Path) -> Input:
    """What two files of the input ports hold."""
    with duckdb.connect() as database:
        names = ", ".join(Flight._fields).replace("time_hour", "epoch_us(time_hour)")
        rows = database.execute(f"SELECT {names} FROM read_parquet(?)", [str(flights)]).fetchall()
        known = database.execute("SELECT carrier, name FROM read_parquet(?)", [str(airlines)]).fetchall()
    return Input(tuple(Flight(*(*row[:-1], EPOCH + timedelta(microseconds=row[-1]))) for row in rows), dict(known))


def published(path: Path) -> tuple[list[str], list[Day]]:
    """Columns with their types, and rows, in the order of the file; `path` may be the folder of a Delta table."""
    with duckdb.connect() as database:
        source = f"read_parquet({_files(path)})"
        shape = database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        columns = [f"{name} {kind}" for name, kind, *_ in shape]
        if [column.split()[0] for column in columns] != list(Day._fields):
            return columns, []
        return columns, [Day(*row) for row in database.execute(f"SELECT * FROM {source}").fetchall()]


def codecs(path: Path) -> set[str]:
    """How the pages of a Parquet file, or of those of the Delta table in the folder `path`, are compressed."""
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT compression FROM parquet_metadata({_files(path)})").fetchall()
    return {row[0] for row in rows}


def notes(path: Path) -> list[str]:
    """What the footer of a Parquet file says besides columns and rows, values only; the same for a Delta table."""
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT value FROM parquet_kv_metadata({_files(path)})").fetchall()
    return [bytes(row[0]).decode("utf-8", "replace") for row in rows]


def _files(path: Path) -> str:
    files = Dataset(path, "delta").files() if path.is_dir() else (path,)
    return f"[{', '.join(literal(str(file)) for file in files)}]"


def digest(path: Path) -> str:
    """Digest of a Parquet file, byte for byte but for one thing; of a table's folder, whose log holds times, nothing.

    The footer lists the encodings of each column, a set. Writers on the JVM list it in the order of a hash table, which
    is another one from run to run.
    """
    if path.is_dir():
        return ""
    data = path.read_bytes()
    made = hashlib.sha256(data[: -int.from_bytes(data[-8:-4], "little") - 8])
    with duckdb.connect() as database:
        for table, columns in (
            ("parquet_kv_metadata", "*"),
            ("parquet_schema", "*"),
            ("parquet_file_metadata", "*"),
            ("parquet_metadata", "* REPLACE (list_sort(string_split(encodings, ', ')) AS encodings)"),
        ):
            select = f"SELECT COLUMNS(c -> c <> 'file_name') FROM (SELECT {columns} FROM {table}({literal(str(path))}))"
            made.update(repr(database.execute(select).fetchall()).encode())
    return made.hexdigest()


def corrupt(source: Path, target: Path) -> Path:
    """A copy of the Parquet file `source` whose footer is whole and whose data are not."""
    data = bytearray(source.read_bytes())
    footer = int.from_bytes(data[-8:-4], "little") + 8
    data[4:-footer] = b"\xff" * (len(data) - footer - 4)
    target.write_bytes(data)
    return target


def emptied(source: Path, target: Path, column: str, number: int) -> Path:
    """A copy of the flights in `source` in which those of the `number` have nothing in `column`."""
    select = f"SELECT * REPLACE (CASE WHEN flight <> {number} THEN {column} END AS {column}) FROM rows"
    return reshaped(source, target, select)


def reshaped(source: Path, target: Path, select: str) -> Path:
    """The rows of the Parquet file `source` as the SQL `select` (over the table `rows`) gives them, at `target`."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")  # a day of 24 hours, wherever this runs
        database.read_parquet(str(source)).create_view("rows")
        database.execute(f"COPY ({select}) TO {literal(str(target))} (FORMAT parquet)")
    return target


def _written(value: object) -> object:
    """A value as text; a moment in microseconds, so that no time zone of this machine gets in between."""
    return (value - EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
