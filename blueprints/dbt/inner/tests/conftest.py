"""What the tests stand on: the files of one run, in a folder of its own, and the command that works on them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import rows
from pipeline import __main__ as command

# What people call folders: nothing in it may be taken for SQL, a pattern or a template.
FOLDER = "it's {one} (of) %many$"


class Run:
    """The files of one run. Its output port is `out`, filled by the model fct_carrier_days."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "out.parquet"
        self.flights, self.flight_columns = list(rows.MONTH), dict(rows.FLIGHTS)
        self.airlines = list(rows.NAMES)
        self.format = "parquet"
        required = {name for name in rows.PUNCTUALITY if not name.startswith("mean_")}
        self.contract = [
            {"name": name, "logicalType": "", "physicalType": type_, "required": name in required}
            for name, type_ in rows.PUNCTUALITY.items()
        ]

    def start(self, since: str | None = None, previous: Path | None = None) -> int:
        """Write the input and build the port; the exit code comes back."""
        self.deliver(since, previous)
        return command.main(["fct_carrier_days=out"])

    def deliver(self, since: str | None = None, previous: Path | None = None) -> None:
        """Write the input ports' files and the file that tells the command of them."""
        inputs = {name: self.folder / f"{name}.parquet" for name in ("flights", "airlines")}
        rows.write(inputs["flights"], self.flights, self.flight_columns)
        rows.write(inputs["airlines"], self.airlines, rows.AIRLINES)
        ports = {
            "since": since,
            "inputs": {name: {"location": str(file)} for name, file in inputs.items()},
            "outputs": {
                "out": {
                    "location": str(self.output),
                    "format": self.format,
                    "previous": str(previous) if previous else None,
                    "schema": self.contract,
                }
            },
        }
        (self.folder / "ports.json").write_text(json.dumps(ports), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    folder = tmp_path / FOLDER
    folder.mkdir()
    monkeypatch.setattr(command, "TARGET", folder / "target")
    before = dict(os.environ)
    os.environ["PORTS_FILE"] = str(folder / "ports.json")
    yield Run(folder)
    # The command changes its environment, as a process of its own may.
    os.environ.clear()
    os.environ.update(before)
