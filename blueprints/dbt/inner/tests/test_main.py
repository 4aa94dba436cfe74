"""The command: from the files of a run to the file of its output port, as a run starts it."""

import os
from datetime import date
from pathlib import Path

import duckdb
import pytest

import rows
from conftest import Run
from pipeline import __main__ as command
from pipeline import files
from rows import flight


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command said on stderr, which has to be one line."""
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    return line


def changed(file: Path, change: str) -> Path:
    """Write a Parquet file again beside itself, as the query `change` over `data` makes it."""
    with duckdb.connect() as memory:
        data = memory.read_parquet(str(file))
        data.query("data", change).write_parquet(str(file.with_suffix(".changed.parquet")))
    return file.with_suffix(".changed.parquet")


def test_the_same_flights_give_the_same_bytes_in_any_order_and_whatever_the_shell_has_set(
    run: Run,
) -> None:
    assert run.start() == 0
    first = run.output.read_bytes()
    assert rows.types(run.output) == rows.PUNCTUALITY
    found = rows.read(run.output)
    assert len(found) == 30 + 8
    assert found == sorted(found, key=lambda row: (row["flight_date"], row["carrier"]))

    run.flights.reverse()
    os.environ["DBT_EMPTY"] = "1"
    assert run.start() == 0
    assert run.output.read_bytes() == first


def test_a_run_since_a_day_equals_a_full_run_and_keeps_older_days_as_published(run: Run) -> None:
    assert run.start() == 0
    full = run.output.rename(run.folder / "published.parquet")
    # Wrong from the day on, so that only recomputing makes it right.
    stale = "select * replace (if(flight_date < '2013-06-09', flights, 7) as flights) from data"
    assert run.start(since="2013-06-09", previous=changed(full, stale)) == 0
    assert run.output.read_bytes() == full.read_bytes()

    renamed = changed(full, "select * replace ('published' as airline) from data")
    run.flights = [row for row in run.flights if row["day"] < 20]
    assert run.start(since="2013-06-09", previous=renamed) == 0
    days = {row["flight_date"].day: row["airline"] == "published" for row in rows.read(run.output)}
    # A day that lost all its flights disappears.
    assert days == {day: day < 9 for day in range(1, 20)}


def test_a_run_since_a_day_without_a_published_file_computes_all(run: Run) -> None:
    assert run.start(since="2013-06-09") == 0
    assert len(rows.read(run.output)) == 30 + 8


def test_no_flights_still_give_a_file_with_the_right_types_and_no_row(run: Run) -> None:
    run.flights = []
    assert run.start() == 0
    assert rows.types(run.output) == rows.PUNCTUALITY
    assert rows.read(run.output) == []


def test_redeliveries_and_further_input_columns_change_nothing(run: Run) -> None:
    run.flights = [
        flight(day=1, arr_delay=20),
        flight(day=1, dep_time=None, dep_delay=None, arr_delay=None),
        flight(day=2, carrier="ZZ", dep_time=None, dep_delay=None, arr_delay=None),
    ]
    run.flight_columns["gate"] = "VARCHAR"
    assert run.start() == 0
    assert [tuple(row.values()) for row in rows.read(run.output)] == [
        (date(2013, 6, 1), "AA", "American", 1, 0, 0.0, 20.0, 0.0, 0.0),
        (date(2013, 6, 2), "ZZ", "ZZ", 1, 1, None, None, 0.0, 0.0),
    ]


def test_missing_and_wrong_input_columns_are_all_named_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    del run.flight_columns["origin"]
    run.flight_columns["dep_delay"] = "VARCHAR"
    assert run.start() == 1
    error = error_of(capsys)
    assert "port flights" in error
    assert "origin is missing" in error
    assert "dep_delay is VARCHAR, expected INTEGER" in error
    assert not run.output.exists()


def test_an_input_that_is_not_parquet_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.deliver()
    (run.folder / "flights.parquet").write_text("no Parquet", encoding="utf-8")
    assert command.main(["fct_carrier_days=out"]) == 1
    assert "flights.parquet: not a readable Parquet file" in error_of(capsys)


def test_an_impossible_date_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.flights.append(flight() | {"month": 13})
    assert run.start() == 1
    error = error_of(capsys)
    assert "model fct_carrier_days" in error
    assert "2013-13-1" in error
    assert not run.output.exists()


def test_an_airline_given_twice_is_refused_instead_of_doubling_rows(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.airlines *= 2
    assert run.start() == 1
    assert "test unique_stg_nyc_flights__airlines_carrier" in error_of(capsys)
    assert not run.output.exists()


def test_a_contract_that_says_something_else_stops_the_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.contract[3]["physicalType"] = "INTEGER"
    assert run.start() == 1
    assert "column flights is BIGINT, in the contract INTEGER" in error_of(capsys)
    assert not run.output.exists()


def test_a_published_file_of_other_columns_asks_for_a_full_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    old = rows.write(run.folder / "old.parquet", rows.NAMES, rows.AIRLINES)
    assert run.start(since="2013-06-09", previous=old) == 1
    assert "run once without --since" in error_of(capsys)


def test_a_port_can_be_a_delta_table_with_equal_rows_and_types(run: Run) -> None:
    deltalake = pytest.importorskip("deltalake")
    assert run.start() == 0
    expected = rows.read(run.output)

    run.format, run.output = "delta", run.folder / "tables" / "out"
    run.output.parent.mkdir()
    assert run.start() == 0
    [file] = [Path(name) for name in files.delta_files(str(run.output))]
    assert rows.types(file) == rows.PUNCTUALITY
    assert rows.read(file) == expected
    assert deltalake.DeltaTable(str(run.output)).version() == 0

    published = run.output.rename(run.folder / "published")
    run.flights = [row for row in run.flights if row["day"] < 20]
    assert run.start(since="2013-06-09", previous=published) == 0
    [file] = [Path(name) for name in files.delta_files(str(run.output))]
    assert {row["flight_date"].day for row in rows.read(file)} == set(range(1, 20))


def test_a_format_that_it_cannot_write_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.format = "iceberg"
    assert run.start() == 1
    assert "asks for iceberg" in error_of(capsys)


def test_a_port_or_model_that_is_not_there_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.deliver()
    assert command.main(["fct_carrier_days=other"]) == 1
    assert "port other: not in this run" in error_of(capsys)
    assert command.main(["other=out"]) == 1
    assert "model other: not in this project" in error_of(capsys)


def test_without_a_run_the_command_says_how_to_start_one(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    del os.environ["PORTS_FILE"]
    assert command.main(["fct_carrier_days=out"]) == 1
    assert "PORTS_FILE is not set" in error_of(capsys)


@pytest.mark.parametrize("arguments", [[], ["fct_carrier_days"], ["=out"]])
def test_without_model_and_port_the_command_shows_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert "usage" in error_of(capsys)
