"""The ports of one run: read, checked, written. Paths come from the run, never from the code."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from pipeline.session import FAILURES, is_sail


class PortError(Exception):
    """A port is missing or its data are not as expected; the message says which and why."""


@dataclass(frozen=True)
class Ports:
    """Where one run reads and writes: each mapping goes from the name of a port to a Parquet file.

    `previous` has the last good published file of an output port, where there is one.
    `since` is the first day to compute; None means all days.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    previous: Mapping[str, str]
    since: date | None

    @classmethod
    def from_environment(cls) -> Self:
        """Take the ports from the JSON file that PORTS_FILE names. Raises PortError without one."""
        file = os.environ.get("PORTS_FILE")
        if not file:
            raise PortError(
                "PORTS_FILE is not set: start a run from the root of the product, python3 noxfile.py -s run"
            )
        try:
            run = json.loads(Path(file).read_text(encoding="utf-8"))
            outputs = run["outputs"].items()
            for name, port in [*run["inputs"].items(), *outputs]:
                if port.get("format", "parquet") != "parquet":
                    raise PortError(
                        f"port {name}: its contract asks for {port['format']}; this reads and writes parquet"
                    )
            return cls(
                inputs={name: port["location"] for name, port in run["inputs"].items()},
                outputs={name: port["location"] for name, port in outputs},
                previous={name: port["previous"] for name, port in outputs if port.get("previous")},
                since=date.fromisoformat(run["since"]) if run.get("since") else None,
            )
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            raise PortError(f"PORTS_FILE {file}: not the ports of a run: {error!r}") from error

    def read(self, session: SparkSession, port: str, schema: StructType) -> DataFrame:
        """Open an input port. Raises PortError when its data do not fit `schema`."""
        return _open(session, port, _find(port, self.inputs), schema)

    def read_previous(
        self, session: SparkSession, port: str, schema: StructType
    ) -> DataFrame | None:
        """Open what an output port published last; None when there is nothing yet."""
        if port not in self.previous:
            return None
        try:
            return _open(session, port, self.previous[port], schema)
        except PortError as error:
            raise PortError(f"{error}; run once without --since to compute all days") from error

    def write(self, session: SparkSession, frame: DataFrame, port: str, key: Sequence[str]) -> None:
        """Compute `frame` and write it to the file of an output port, sorted by `key`."""
        file = Path(_find(port, self.outputs))
        if is_sail(session):
            _write_here(frame.orderBy(*key), file)
        else:
            _write_there(frame.repartition(1).sortWithinPartitions(*key), file)


def _find(port: str, files: Mapping[str, str]) -> str:
    if port not in files:
        known = ", ".join(files) or "none"
        raise PortError(f"port {port}: not in this run, which has: {known}; see inner.yaml")
    return files[port]


def _open(session: SparkSession, port: str, file: str, schema: StructType) -> DataFrame:
    """Open a file with exactly the columns of `schema`; further ones are the producer's freedom.

    Only the file's footer is read here, so a wrong file fails before any work is done. Asking Spark
    to read with `schema` would fill a column that is missing with nulls, without a word.
    """
    if not Path(file).is_file():
        raise PortError(f"port {port}: {file}: there is no such file")
    try:
        frame = session.read.parquet(_address(session, file))
        found = {field.name: field.dataType for field in frame.schema}
    except FAILURES as error:
        raise PortError(
            f"port {port}: {file}: not a readable Parquet file: {one_line(error)}"
        ) from error
    wrong = [
        f"column {field.name} is {found[field.name].simpleString()}, "
        f"expected {field.dataType.simpleString()}"
        if field.name in found
        else f"column {field.name} is missing"
        for field in schema
        if found.get(field.name) != field.dataType
    ]
    if wrong:
        raise PortError(f"port {port}: {file}: {'; '.join(wrong)}")
    return frame.select(*schema.names)


def _address(session: SparkSession, file: str) -> str:
    """Give the name of a file as the engine reads it: it takes some characters for a pattern."""
    escaped = re.sub(r"([][{}*?\\])", r"\\\1", file)
    if not is_sail(session):
        return f"file:{escaped}"  # whatever file system a cluster takes for its own
    if escaped != file:
        raise PortError(f"{file}: Sail cannot read from a path with any of [ ] {{ }} * ? \\")
    return file


def _write_there(frame: DataFrame, file: Path) -> None:
    """Let the engine write the one partition of `frame`, and give its file the port's name.

    Spark writes folders: this one is beside the port, where a rename is atomic. Where the workers are
    other machines, they have to share this file system.
    """
    folder = file.with_name(f".{file.name}.parts")
    try:
        frame.write.mode("overwrite").option("compression", "zstd").parquet(f"file:{folder}")
        parts = list(folder.glob("part-*.parquet"))
        if len(parts) != 1:
            raise PortError(
                f"{folder}: the engine wrote {len(parts)} files that can be seen from here, expected 1; "
                "its workers and this machine have to share this file system"
            )
        parts[0].replace(file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_here(frame: DataFrame, file: Path) -> None:
    """Write the rows of `frame` from this process.

    Sail deals a sorted result out to several files as chance has it, and writes none for no rows.
    """
    from pyarrow import parquet

    parquet.write_table(frame.toArrow(), file, compression="zstd")


def one_line(error: Exception) -> str:
    """Give what an engine has to say in one line: no stack of Java, no plan, no code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = lines[0] if lines else repr(error)
    for line in lines[1:]:
        # Below what it was calling, Py4J puts what happened, and gRPC what the server said.
        if line.startswith((": ", "details = ")):
            told = line.removeprefix(": ").removeprefix("details = ")
            break
    return re.sub(r"\s+SQLSTATE: \w+", "", told).strip()[:500]
