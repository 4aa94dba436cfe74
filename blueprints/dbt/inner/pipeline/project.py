"""The dbt project in this folder, parsed once and built in this process: starting dbt costs more than the work."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.schemas.results import NodeStatus
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

ROOT = Path(__file__).resolve().parents[1]
BAD = {NodeStatus.Error, NodeStatus.Fail, NodeStatus.RuntimeErr, NodeStatus.PartialSuccess}


class ProjectError(Exception):
    """dbt could not parse or build the project; the message is one line."""


@dataclass(frozen=True)
class Project:
    """The parsed project. `target` is the folder for everything that dbt makes: database, logs, compiled models."""

    manifest: Manifest
    target: Path
    variables: Mapping[str, Any]

    @classmethod
    def parse(cls, target: Path, inputs: Mapping[str, str], variables: Mapping[str, Any]) -> Self:
        """Parse the project for the embedded database, with its sources at `inputs` (a file for each input port).

        Raises ProjectError for a project that dbt does not understand.
        """
        # What a shell has set for dbt must not change the product: DBT_EMPTY=1 would publish nothing.
        for name in [name for name in os.environ if name.startswith("DBT_")]:
            del os.environ[name]
        os.environ["DUCKDB_FILE"] = str(database(target))
        for port, file in inputs.items():
            os.environ[f"PORT_INPUT_{port.upper().replace('-', '_')}"] = file
        return cls(_dbt(["parse"], target, variables), target, variables)

    def model(self, name: str) -> Any:
        """Give the node of a model."""
        for node in self.manifest.nodes.values():
            if node.resource_type == NodeType.Model and node.name == name:
                return node
        raise ProjectError(f"model {name}: not in this project; see inner.yaml")

    def sources(self, models: Iterable[str]) -> list[Any]:
        """Give the sources that `models` are made from, in the order of their names."""
        open_nodes = [self.model(name).unique_id for name in models]
        seen: set[str] = set()
        while open_nodes:
            node = open_nodes.pop()
            if node not in seen:
                seen.add(node)
                open_nodes += self.manifest.parent_map[node]
        return [
            self.manifest.sources[node] for node in sorted(seen) if node in self.manifest.sources
        ]

    def build(self, models: Iterable[str]) -> None:
        """Build `models` and all that they need, and run the data tests of both. Raises ProjectError."""
        select = [f"+{name}" for name in models]
        # Unit tests prove the code, not the data: they belong to the tests of this folder.
        arguments = ["build", "--select", *select, "--exclude-resource-type", "unit_test"]
        _dbt(arguments, self.target, self.variables, self.manifest)


def database(target: Path) -> Path:
    """Give the file of the embedded database below the folder `target`."""
    return target / "local.duckdb"


def _dbt(
    arguments: list[str],
    target: Path,
    variables: Mapping[str, Any],
    manifest: Manifest | None = None,
) -> Any:
    """Run one command of dbt; its log goes to a file, its troubles into one line."""
    done: Any = dbtRunner(manifest=manifest).invoke(
        arguments,
        project_dir=str(ROOT),
        profiles_dir=str(ROOT),
        target="local",
        target_path=str(target),
        log_path=str(target / "logs"),
        log_level="none",
        partial_parse=False,
        vars=dict(variables),
    )
    if done.success:
        return done.result
    if done.exception is not None:
        raise ProjectError(one_line(str(done.exception)))
    raise ProjectError(
        "; ".join(
            f"{result.node.resource_type} {result.node.name}: {one_line(result.message or 'failed')}"
            for result in done.result.results
            if result.status in BAD
        )
    )


def one_line(text: str) -> str:
    """Give a message of dbt or of the database as one line, without the query that it quotes."""
    return " ".join(text.split("\nLINE ")[0].split())[:500]
