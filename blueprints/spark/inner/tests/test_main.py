"""The command: from the files of a run to the file of its output port, as a run starts it."""

import json
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertSchemaEqual

from pipeline.__main__ import main
from pipeline.ports import Ports
from pipeline.punctuality import AIRLINES, FLIGHTS, KEY, PUNCTUALITY
from rows import MONTH, Row, airlines, flights, frame

# What people call folders: nothing in it may be taken for a pattern, an address or an escape.
FOLDER = "it's (of) %20 many$ ö"


class Run:
    """The files of one run, in a folder of its own."""

    def __init__(self, folder: Path, spark: SparkSession) -> None:
        self.folder, self.spark, self.output = folder, spark, folder / "out.parquet"
        self.flights, self.airlines = flights(spark, *MONTH), airlines(spark)

    def start(self, since: str | None = None, previous: Path | None = None) -> int:
        """Write the input and build the port `out`; the exit code comes back."""
        self.deliver(since, previous)
        return self.build()

    def build(self, port: str = "out") -> int:
        return main([port], lambda: nullcontext(self.spark))

    def deliver(self, since: str | None = None, previous: Path | None = None) -> None:
        """Write the input ports' files and the file that tells the command of them."""
        inputs = {
            "flights": self.write("flights", self.flights, FLIGHTS.names[-1:]),
            "airlines": self.write("airlines", self.airlines, AIRLINES.names[:1]),
        }
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

    def write(self, name: str, data: DataFrame, key: list[str]) -> Path:
        file = self.folder / f"{name}.parquet"
        Ports({}, {name: str(file)}, {}, None).write(self.spark, data, name, key)
        return file

    def read(self) -> DataFrame:
        return Ports({"out": str(self.output)}, {}, {}, None).read(self.spark, "out", PUNCTUALITY)

    def rows(self) -> list[Row]:
        return [row.asDict() for row in self.read().collect()]


@pytest.fixture
def run(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Run:
    return made_in(tmp_path, spark, monkeypatch)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Run:
    """Run the month in full, once for all tests that only look at what it made."""
    with pytest.MonkeyPatch.context() as patch:
        run = made_in(tmp_path_factory.mktemp("full"), spark, patch)
        assert run.start() == 0
    return run


def made_in(folder: Path, spark: SparkSession, patch: pytest.MonkeyPatch) -> Run:
    there = folder / FOLDER
    there.mkdir()
    patch.setenv("PORTS_FILE", str(there / "ports.json"))
    return Run(there, spark)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command said on stderr, which has to be one line."""
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    return line


def test_the_port_is_one_sorted_file_with_the_columns_of_the_port_and_nothing_beside_it(
    full: Run,
) -> None:
    assertSchemaEqual(full.read().schema, PUNCTUALITY, ignoreNullable=True)
    rows = full.rows()
    assert len(rows) == 30 + 8
    assert rows == sorted(rows, key=lambda row: [row[name] for name in KEY])
    found = sorted(file.name for file in full.folder.iterdir())
    assert found == ["airlines.parquet", "flights.parquet", "out.parquet", "ports.json"]


def test_the_same_flights_in_any_order_give_the_same_bytes(run: Run, full: Run) -> None:
    run.flights = flights(run.spark, *reversed(MONTH))
    assert run.start() == 0
    assert run.output.read_bytes() == full.output.read_bytes()


def test_a_run_since_a_day_gives_the_same_rows_as_a_full_run(run: Run, full: Run) -> None:
    assert run.start(since="2013-06-09", previous=full.output) == 0
    assert run.rows() == full.rows()


def test_a_run_since_a_day_keeps_older_days_as_published(run: Run, full: Run) -> None:
    old = full.read().withColumn("airline", F.lit("published"))
    published = run.write("published", old, KEY)
    assert run.start(since="2013-06-09", previous=published) == 0
    kept = [row["flight_date"] for row in run.rows() if row["airline"] == "published"]
    assert max(kept) == date(2013, 6, 8)


def test_a_run_since_a_day_without_a_published_file_computes_all(run: Run) -> None:
    assert run.start(since="2013-06-09") == 0
    assert len(run.rows()) == 30 + 8


def test_no_flights_still_give_a_file_with_the_right_types(run: Run) -> None:
    run.flights = frame(run.spark, [], FLIGHTS)
    assert run.start() == 0
    assertSchemaEqual(run.read().schema, PUNCTUALITY, ignoreNullable=True)
    assert run.rows() == []


def test_further_input_columns_do_no_harm(run: Run) -> None:
    run.flights = run.flights.withColumn("gate", F.lit("B7"))
    assert run.start() == 0


def test_missing_and_wrong_input_columns_are_all_named_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.flights = run.flights.drop("origin").withColumn(
        "dep_delay", F.col("dep_delay").cast("string")
    )
    assert run.start() == 1
    error = error_of(capsys)
    assert "port flights" in error
    assert "origin is missing" in error
    assert "dep_delay is string, expected int" in error
    assert not run.output.exists()


def test_an_input_that_is_not_parquet_or_not_there_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.deliver()
    (run.folder / "flights.parquet").write_text("no Parquet", encoding="utf-8")
    assert run.build() == 1
    assert "flights.parquet: not a readable Parquet file" in error_of(capsys)
    (run.folder / "flights.parquet").unlink()
    assert run.build() == 1
    assert "flights.parquet: there is no such file" in error_of(capsys)


def test_a_failure_inside_the_engine_is_one_line_and_leaves_no_file(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.flights = run.flights.withColumn("month", F.lit(13))
    assert run.start() == 1
    error = error_of(capsys)
    assert error.startswith("error: cannot build out: ")
    assert "13" in error
    assert not run.output.exists()
    assert not [file for file in run.folder.iterdir() if file.name.startswith(".")]


def test_a_published_file_of_other_columns_asks_for_a_full_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    old = run.write("old", run.airlines, ["carrier"])
    assert run.start(since="2013-06-09", previous=old) == 1
    assert "run once without --since" in error_of(capsys)
    assert run.start(previous=old) == 0  # a full run does not look at it


def test_a_port_that_the_run_does_not_have_is_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.deliver()
    assert run.build("other") == 1
    assert "port other: not in this run" in error_of(capsys)


def test_a_port_of_another_format_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.deliver()
    file = run.folder / "ports.json"
    ports = json.loads(file.read_text(encoding="utf-8"))
    ports["outputs"]["out"]["format"] = "delta"
    file.write_text(json.dumps(ports), encoding="utf-8")
    assert run.build() == 1
    assert "port out: its contract asks for delta" in error_of(capsys)


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
