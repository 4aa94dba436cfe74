"""The ports of one run: where each is, and what its contract says. Paths come from the run, never from the code."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self, TypeVar

Port = TypeVar("Port")


class PortError(Exception):
    """A port is missing or its data are not as expected; the message says which and why."""


@dataclass(frozen=True)
class Column:
    """One column of a port's contract; `type` is its physical type."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class Output:
    """An output port: where to write, what was published last, the columns of the contract.

    `format` is parquet, for a file, or delta, for a folder that becomes a table.
    """

    location: str
    previous: str | None
    columns: tuple[Column, ...]
    format: str


@dataclass(frozen=True)
class Ports:
    """Where one run reads and writes, by name of port. `since` is the first day to compute; None means all days."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, Output]
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
            return cls(
                inputs={name: port["location"] for name, port in run["inputs"].items()},
                outputs={
                    name: Output(
                        location=port["location"],
                        previous=port.get("previous"),
                        columns=tuple(
                            Column(c["name"], c["physicalType"], c["required"])
                            for c in port["schema"]
                        ),
                        format=_writable(name, port.get("format", "parquet")),
                    )
                    for name, port in run["outputs"].items()
                },
                since=date.fromisoformat(run["since"]) if run.get("since") else None,
            )
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            raise PortError(f"PORTS_FILE {file}: not the ports of a run: {error!r}") from error

    def input(self, name: str) -> str:
        """Give the file of an input port."""
        return _find(name, self.inputs)

    def output(self, name: str) -> Output:
        """Give an output port."""
        return _find(name, self.outputs)


def _writable(name: str, format_: str) -> str:
    if format_ not in ("parquet", "delta"):
        raise PortError(
            f"port {name}: its contract asks for {format_}; this writes parquet or delta"
        )
    return format_


def _find(name: str, ports: Mapping[str, Port]) -> Port:
    if name not in ports:
        known = ", ".join(ports) or "none"
        raise PortError(f"port {name}: not in this run, which has: {known}; see inner.yaml")
    return ports[name]
