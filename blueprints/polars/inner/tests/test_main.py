"""The command: from the files of a run to the file of its output port, as a run starts it."""

import json
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.__main__ import main
from pipeline.ports import scan_delta
from pipeline.punctuality import Airlines, Flights, Punctuality
from rows import MONTH, NAMES, flight


class Run:
    """The files of one run, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.output = folder, folder / "out.parquet"
        self.format = "parquet"
        self.quarantine = folder / "quarantine" / "flights.parquet"
        self.flights = pl.DataFrame(MONTH, pl.Schema(Flights))
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
                    "format": self.format,
                    "previous": str(previous) if previous else None,
                }
            },
            "quarantine": {"flights": {"location": str(self.quarantine), "format": "parquet"}},
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
    assert pl.read_parquet_schema(run.output) == pl.Schema(Punctuality)
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
    assert_frame_equal(pl.read_parquet(run.output), pl.DataFrame(schema=pl.Schema(Punctuality)))


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


def test_good_data_leave_no_quarantine(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.start() == 0
    assert not run.quarantine.exists()
    assert capsys.readouterr().err == ""


def test_rows_that_break_a_rule_are_set_aside_with_its_name(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.start() == 0
    good = run.output.read_bytes()
    broken = [
        flight(carrier=None),
        flight(month=13, carrier="American"),
        flight(dep_time=2401),
        flight(month=2, day=29),
        flight(time_hour=None),
    ]
    run.flights = pl.DataFrame([*broken[:3], *MONTH, *broken[3:]], pl.Schema(Flights))
    assert run.start() == 0
    # The rows that stay give the same bytes as if the others had never been delivered.
    assert run.output.read_bytes() == good
    kept = pl.read_parquet(run.quarantine)
    assert_frame_equal(kept.drop("broken_rules"), pl.DataFrame(broken, pl.Schema(Flights)))
    assert kept["broken_rules"].to_list() == [
        "carrier|nullability",
        "month|max, carrier|regex",
        "dep_time|max",
        "day_of_month",
        "time_hour|nullability",
    ]
    error = error_of(capsys)
    assert "port flights: rows that break a rule: 5 (" in error
    assert "month|max 1" in error
    assert str(run.quarantine) in error


def test_without_a_quarantine_rows_that_break_a_rule_stop_the_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.airlines = pl.DataFrame({"carrier": ["AA", None], "name": ["American", "Nobody"]})
    assert run.start() == 1
    error = error_of(capsys)
    assert "port airlines: rows that break a rule: 1 (carrier|nullability 1), and" in error
    assert "no quarantine" in error
    assert not run.output.exists()


@pytest.mark.parametrize(
    ("day", "exists"),
    [
        ((2012, 2, 29), True),
        ((2013, 2, 29), False),
        ((2000, 2, 29), True),
        ((1900, 2, 29), False),
        ((2013, 4, 30), True),
        ((2013, 4, 31), False),
        ((2013, 12, 31), True),
        ((2013, 0, 1), False),
        ((2013, 1, 0), False),
        ((0, 1, 1), False),
        ((10000, 1, 1), False),
    ],
)
def test_only_days_of_the_calendar_get_through(day: tuple[int, int, int], exists: bool) -> None:
    row = flight() | dict(zip(("year", "month", "day"), day, strict=True))
    assert Flights.is_valid(pl.DataFrame([row], pl.Schema(Flights))) is exists


def test_a_delta_port_holds_the_same_rows_and_types_as_a_parquet_port(run: Run) -> None:
    pytest.importorskip("deltalake", reason="uv sync --group delta")
    assert run.start() == 0
    parquet = pl.read_parquet(run.output)
    run.format, run.output = "delta", run.folder / "out"
    assert run.start() == 0
    assert_frame_equal(scan_delta(str(run.output)).collect(), parquet)
    published = run.output.rename(run.folder / "published")
    assert run.start(since="2013-06-09", previous=published) == 0
    assert_frame_equal(scan_delta(str(run.output)).collect(), parquet)


def test_a_delta_port_of_no_rows_has_its_types(run: Run) -> None:
    pytest.importorskip("deltalake", reason="uv sync --group delta")
    run.flights = run.flights.clear()
    run.format, run.output = "delta", run.folder / "out"
    assert run.start() == 0
    assert_frame_equal(scan_delta(str(run.output)).collect(), Punctuality.create_empty())


def test_a_published_folder_that_is_no_delta_table_asks_for_a_full_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deltalake", reason="uv sync --group delta")
    run.format, run.output = "delta", run.folder / "out"
    published = run.folder / "published"
    published.mkdir()
    assert run.start(since="2013-06-09", previous=published) == 1
    assert "not a readable Delta table" in (error := capsys.readouterr().err)
    assert "run once without --since" in error


def test_delta_without_its_library_says_what_to_install(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "deltalake"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    run.format = "delta"
    assert run.start() == 1
    assert "--group delta" in error_of(capsys)


def test_a_format_that_the_pipeline_cannot_write_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.format = "avro"
    assert run.start() == 1
    assert "the format avro" in error_of(capsys)


def test_a_published_file_of_other_columns_asks_for_a_full_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    old = run.folder / "old.parquet"
    pl.DataFrame(schema=pl.Schema(Airlines)).write_parquet(old)
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


@pytest.mark.parametrize("arguments", [[], ["--help"], ["out", "--fast"]])
def test_without_a_port_or_with_an_unknown_flag_the_command_shows_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "usage" in error_of(capsys)


def test_a_full_run_does_not_look_at_what_was_published_before(run: Run) -> None:
    foreign = run.folder / "foreign.parquet"
    pl.DataFrame({"another": [1]}).write_parquet(foreign)
    assert run.start(previous=foreign) == 0
