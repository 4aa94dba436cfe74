"""The ports of one run: read, checked, written. Paths come from the run, never from the code."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import dataframely as dy
import polars as pl


class PortError(Exception):
    """A port is missing or its data are not as expected; the message says which and why."""


@dataclass(frozen=True)
class Place:
    """Where data lie: one Parquet file, or the folder of a Delta table.

    Input ports may lie in object storage, as s3://, gs:// or az://; the environment has
    the credentials.
    """

    location: str
    format: str = "parquet"


@dataclass(frozen=True)
class Ports:
    """Where one run reads and writes, by name of port.

    `previous` has what an output port published last, where there is anything. `quarantine` has the
    file for rows of an input port that are set aside. `since` is the first day to compute; None
    means all days.
    """

    inputs: Mapping[str, Place]
    outputs: Mapping[str, Place]
    previous: Mapping[str, Place]
    quarantine: Mapping[str, Place]
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
            outputs = run["outputs"]
            return cls(
                inputs=_places(run["inputs"]),
                outputs=_places(outputs),
                previous=_places(
                    {name: port for name, port in outputs.items() if port.get("previous")},
                    "previous",
                ),
                quarantine=_places(run.get("quarantine", {})),
                since=date.fromisoformat(run["since"]) if run.get("since") else None,
            )
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            raise PortError(f"PORTS_FILE {file}: not the ports of a run: {error!r}") from error

    def read(self, port: str, schema: type[dy.Schema]) -> pl.LazyFrame:
        """Open an input port; rows that break a rule of `schema` go to its quarantine instead.

        The rules are judged in one pass over the port, before any work is done. Raises PortError
        when columns or types are not those of `schema`, and when rows break a rule in a run that
        has no quarantine.
        """
        frame = _scan(port, _find(port, self.inputs), schema)
        good, broken = schema.filter(frame)
        with pl.Config(engine_affinity="streaming"):  # only the rows that break a rule are kept
            if not len(broken):
                return frame
            self._set_aside(port, broken)
        return good

    def read_previous(self, port: str, schema: type[dy.Schema]) -> pl.LazyFrame | None:
        """Open what an output port published last; None when there is nothing yet."""
        if port not in self.previous:
            return None
        try:
            return _scan(port, self.previous[port], schema)
        except PortError as error:
            raise PortError(f"{error}; run once without --since to compute all days") from error

    def write(self, frame: pl.LazyFrame, port: str) -> None:
        """Compute `frame` on the streaming engine, straight into an output port."""
        place = _find(port, self.outputs)
        if place.format == "parquet":
            frame.sink_parquet(place.location, engine="streaming")
            return
        errors = _errors(port, place)
        from deltalake import convert_to_deltalake

        # First the data, then a log that makes them a table: Polars' own sink for Delta forgets
        # the order of rows.
        table = Path(place.location)
        table.mkdir(parents=True, exist_ok=True)
        try:
            frame.sink_parquet(table / "part-00000.parquet", engine="streaming")
            convert_to_deltalake(table)
        except errors as error:
            raise PortError(f"port {port}: {first_line(error)}") from error

    def _set_aside(self, port: str, broken: dy.FailureInfo) -> None:
        """Keep rows that break a rule, each with the names of these rules, and say so on stderr."""
        counts = broken.counts()
        said = ", ".join(f"{rule} {count:,}" for rule, count in counts.items())
        what = f"port {port}: rows that break a rule: {len(broken):,} ({said})"
        if port not in self.quarantine:
            raise PortError(f"{what}, and this run has no quarantine to keep them in")
        file = self.quarantine[port].location
        named = [pl.when(pl.col(rule) == "invalid").then(pl.lit(rule)) for rule in counts]
        broken.details().select(
            *broken.invalid().columns,
            broken_rules=pl.concat_str(named, separator=", ", ignore_nulls=True),
        ).write_parquet(file, mkdir="://" not in file)
        print(f"{what}; they are kept in {file}", file=sys.stderr)


def _places(ports: Mapping[str, Mapping[str, Any]], key: str = "location") -> dict[str, Place]:
    return {name: Place(port[key], port.get("format", "parquet")) for name, port in ports.items()}


def _find(port: str, places: Mapping[str, Place]) -> Place:
    if port not in places:
        known = ", ".join(places) or "none"
        raise PortError(f"port {port}: not in this run, which has: {known}; see inner.yaml")
    if places[port].format not in ("parquet", "delta"):
        raise PortError(f"port {port}: the format {places[port].format} is unknown to ports.py")
    return places[port]


def _scan(port: str, place: Place, schema: type[dy.Schema]) -> pl.LazyFrame:
    """Open data with exactly the columns of `schema`; further ones are the producer's freedom.

    Only what the data say of themselves is read here, so wrong ones fail before any work is done.
    """
    what = f"port {port}: {place.location}"
    errors = _errors(port, place)
    try:
        if place.format == "delta":
            frame = scan_delta(place.location)
        else:
            frame = pl.scan_parquet(place.location, glob=False)
        found = frame.collect_schema()
    except errors as error:
        kind = "Delta table" if place.format == "delta" else "Parquet file"
        raise PortError(f"{what}: not a readable {kind}: {first_line(error)}") from error
    wrong = [
        f"column {name} is {found.get(name, 'missing')}, expected {dtype}"
        for name, dtype in pl.Schema(schema).items()
        if found.get(name) != dtype
    ]
    if wrong:
        raise PortError(f"{what}: {'; '.join(wrong)}")
    return frame.select(schema.column_names())


def scan_delta(location: str) -> pl.LazyFrame:
    """Open a Delta table; by its files where their folder has a name that addresses escape.

    There, Polars takes the addresses of the files for paths and looks for a folder `%20`. What
    runs has made sure that the files tell all of the data: no partitions, no rows struck out.
    """
    if "://" in location or quote(location) == location:
        return pl.scan_delta(location)
    from deltalake import DeltaTable

    names = DeltaTable(location).get_add_actions().column("path").to_pylist()
    files = sorted(Path(location, unquote(str(name))) for name in names)
    return pl.scan_parquet(files, glob=False) if files else pl.scan_delta(location)


def _errors(port: str, place: Place) -> tuple[type[Exception], ...]:
    """What reading or writing may raise. Raises PortError where Delta's library is missing."""
    if place.format != "delta":
        return OSError, pl.exceptions.PolarsError
    try:
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise PortError(
            f"port {port}: Delta needs a library: add `--group delta` to `setup` in inner.yaml"
        ) from error
    return OSError, pl.exceptions.PolarsError, DeltaError


def first_line(error: Exception) -> str:
    """Give what an error says first; some say nothing but their name."""
    return next(iter(str(error).splitlines()), repr(error))
