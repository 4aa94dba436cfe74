"""The command: from the files of a run to the file of its output port, as a run starts it."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.__main__ import main
from pipeline.punctuality import AIRLINES, FLIGHTS, PUNCTUALITY
from rows import MONTH, NAMES


class Run:
    """The files of one run, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.output = folder, folder / "out.parquet"
        self.flights = pl.DataFrame(MONTH, FLIGHTS)
        self.airlines = NAMES.collect()
        monkeypatch.setenv("PORTS_FILE", str(folder / "ports.json"))

    def start(self, since: str | None = None, previous: Path | None = None) -> int:
        """Write the input and build the port `out`; the exit code comes back."""
        self.deliver(since, previous)
        return main(["out"])

    def deliver(self, since: str | None = None, previous: Path | None = None) -> None:
        """Write the input ports' files and the file that tells the command of them."""
        inputs = {name: self.folder / f"{name}.parquet" for name in ("flights", "airlines")}
        self.flights.write_parquet(inputs["flights"])
        self.airlines.write_parquet(inputs["airlines"])
        ports = {
            "since": since,
            "inputs": {name: {"location": str(file)} for name, file in inputs.items()},
            "outputs": {
                "out": {
                    "location": str(self.output),
                    "previous": str(previous) if previous else None,
                }
            },
        }
        (self.folder / "ports.json").write_text(json.dumps(ports), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(tmp_path, monkeypatch)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command said on stderr, which has to be one line."""
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    return line


def test_the_file_has_the_columns_and_types_of_the_port(run: Run) -> None:
    assert run.start() == 0
    assert pl.read_parquet_schema(run.output) == PUNCTUALITY
    assert pl.read_parquet(run.output).height == 30 + 8


def test_the_same_flights_in_any_order_give_the_same_bytes(run: Run) -> None:
    assert run.start() == 0
    first = run.output.read_bytes()
    run.flights = run.flights.sample(fraction=1.0, shuffle=True, seed=1)
    assert run.start() == 0
    assert run.output.read_bytes() == first


def test_a_run_since_a_day_gives_the_same_bytes_as_a_full_run(run: Run) -> None:
    assert run.start() == 0
    published = run.output.rename(run.folder / "published.parquet")
    assert run.start(since="2013-06-09", previous=published) == 0
    assert run.output.read_bytes() == published.read_bytes()


def test_a_run_since_a_day_keeps_older_days_as_published(run: Run) -> None:
    published = run.folder / "published.parquet"
    assert run.start() == 0
    pl.read_parquet(run.output).with_columns(airline=pl.lit("published")).write_parquet(published)
    assert run.start(since="2013-06-09", previous=published) == 0
    kept = pl.read_parquet(run.output).filter(airline="published")
    assert kept["flight_date"].max() == date(2013, 6, 8)


def test_a_run_since_a_day_without_a_published_file_computes_all(run: Run) -> None:
    assert run.start(since="2013-06-09") == 0
    assert pl.read_parquet(run.output).height == 30 + 8


def test_no_flights_still_give_a_file_with_the_right_types(run: Run) -> None:
    run.flights = run.flights.clear()
    assert run.start() == 0
    assert_frame_equal(pl.read_parquet(run.output), pl.DataFrame(schema=PUNCTUALITY))


def test_further_input_columns_do_no_harm(run: Run) -> None:
    run.flights = run.flights.with_columns(gate=pl.lit("B7"))
    assert run.start() == 0


def test_missing_and_wrong_input_columns_are_all_named_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.flights = run.flights.drop("origin").with_columns(pl.col("dep_delay").cast(pl.String))
    assert run.start() == 1
    error = error_of(capsys)
    assert "port flights" in error
    assert "origin is missing" in error
    assert "dep_delay is String, expected Int32" in error
    assert not run.output.exists()


def test_an_input_that_is_not_parquet_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.deliver()
    (run.folder / "flights.parquet").write_text("no Parquet", encoding="utf-8")
    assert main(["out"]) == 1
    assert "flights.parquet: not a readable Parquet file" in error_of(capsys)


def test_an_impossible_date_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.flights = run.flights.with_columns(month=pl.lit(13, pl.Int32))
    assert run.start() == 1
    assert "Invalid date" in error_of(capsys)


def test_a_published_file_of_other_columns_asks_for_a_full_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    old = run.folder / "old.parquet"
    pl.DataFrame(schema=AIRLINES).write_parquet(old)
    assert run.start(since="2013-06-09", previous=old) == 1
    assert "run once without --since" in error_of(capsys)


def test_a_port_that_the_run_does_not_have_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.deliver()
    assert main(["other"]) == 1
    assert "port other: not in this run" in error_of(capsys)


def test_without_a_run_the_command_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTS_FILE", raising=False)
    assert main(["out"]) == 1
    assert "PORTS_FILE is not set" in error_of(capsys)


def test_without_a_port_the_command_shows_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in error_of(capsys)


def test_a_full_run_does_not_look_at_what_was_published_before(run: Run) -> None:
    foreign = run.folder / "foreign.parquet"
    pl.DataFrame({"another": [1]}).write_parquet(foreign)
    assert run.start(previous=foreign) == 0
