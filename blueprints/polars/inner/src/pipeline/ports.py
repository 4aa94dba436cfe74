"""The ports of one run: read, checked, written. Paths come from the run, never from the code."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

import polars as pl


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
            raise PortError("PORTS_FILE is not set: start the pipeline with `outer run`")
        try:
            run = json.loads(Path(file).read_text(encoding="utf-8"))
            outputs = run["outputs"].items()
            return cls(
                inputs={name: port["location"] for name, port in run["inputs"].items()},
                outputs={name: port["location"] for name, port in outputs},
                previous={name: port["previous"] for name, port in outputs if port.get("previous")},
                since=date.fromisoformat(run["since"]) if run.get("since") else None,
            )
        except (OSError, ValueError, LookupError) as error:
            raise PortError(f"PORTS_FILE {file}: not the ports of a run: {error!r}") from error

    def read(self, port: str, schema: pl.Schema) -> pl.LazyFrame:
        """Open an input port. Raises PortError when its data do not fit `schema`."""
        return _scan(port, _find(port, self.inputs), schema)

    def read_previous(self, port: str, schema: pl.Schema) -> pl.LazyFrame | None:
        """Open what an output port published last; None when there is nothing yet."""
        if port not in self.previous:
            return None
        try:
            return _scan(port, self.previous[port], schema)
        except PortError as error:
            raise PortError(f"{error}; run once without --since to compute all days") from error

    def write(self, frame: pl.LazyFrame, port: str) -> None:
        """Compute `frame` on the streaming engine, straight into the file of an output port."""
        frame.sink_parquet(_find(port, self.outputs), engine="streaming")


def _find(port: str, files: Mapping[str, str]) -> str:
    if port not in files:
        known = ", ".join(files) or "none"
        raise PortError(f"port {port}: not in this run, which has: {known}; see inner.yaml")
    return files[port]


def _scan(port: str, file: str, schema: pl.Schema) -> pl.LazyFrame:
    """Open a file with exactly the columns of `schema`; further ones are the producer's freedom.

    Only the file's footer is read here, so a wrong file fails before any work is done.
    """
    try:
        frame = pl.scan_parquet(file, glob=False)
        found = frame.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise PortError(f"port {port}: {file}: not a readable Parquet file: {error}") from error
    wrong = [
        f"column {name} is {found.get(name, 'missing')}, expected {dtype}"
        for name, dtype in schema.items()
        if found.get(name) != dtype
    ]
    if wrong:
        raise PortError(f"port {port}: {file}: {'; '.join(wrong)}")
    return frame.select(schema.names())
