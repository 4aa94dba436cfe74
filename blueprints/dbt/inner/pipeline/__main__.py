"""Run the pipeline: `python -m pipeline MODEL=PORT …` builds each model and writes it to its output port."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipeline import contracts, files
from pipeline.ports import PortError, Ports
from pipeline.project import ROOT, Project, ProjectError, database, one_line

TARGET = ROOT / "target"
FAILURES = (PortError, ProjectError, contracts.DriftError, duckdb.Error, OSError)
USAGE = "usage: python -m pipeline MODEL=PORT [MODEL=PORT …]"


def build(ports: Ports, fills: Mapping[str, str], target: Path) -> None:
    """Build the models and write the output ports that they fill (model to port). `target` is scratch space.

    Raises PortError, ProjectError or DriftError; then no port has been written.
    """
    outputs = {model: ports.output(port) for model, port in fills.items()}
    published = {model: output.previous for model, output in outputs.items() if output.previous}
    since = ports.since if published.keys() == outputs.keys() else None
    variables = {"ports": dict(fills)} | ({"since": since.isoformat()} if since else {})

    shutil.rmtree(target, ignore_errors=True)  # every run starts from the ports alone
    target.mkdir(parents=True)
    project = Project.parse(target, ports.inputs, variables)
    for source in project.sources(fills):
        expected = {name: column.data_type for name, column in source.columns.items()}
        files.check(source.name, ports.input(source.name), expected)
    for model, output in outputs.items():
        contracts.check(project.model(model), output.columns)
    if since:
        for model, file in published.items():
            files.restore(database(target), fills[model], outputs[model], file)
    project.build(fills)
    for model, output in outputs.items():
        files.write(database(target), project.model(model).relation_name, output)


def main(arguments: list[str]) -> int:
    """Build what `arguments` say. Returns the exit code; bad data is one line."""
    fills = dict(argument.partition("=")[::2] for argument in arguments)
    complete = all(model and port for model, port in fills.items())
    if not fills or not complete or len(fills) < len(arguments):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        build(Ports.from_environment(), fills, TARGET)
    except FAILURES as error:
        what = one_line(str(error) or repr(error))
        print(f"error: cannot build {', '.join(fills.values())}: {what}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
