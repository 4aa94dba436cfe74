"""Tiny data products, made without Copier: one input port, output ports of three columns, a job of a few lines.

`build_product` writes a complete one, so that a whole scenario stands on one screen of a test.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from outer.model import Contract, model
from outer.product import load

HOOKS = Path(__file__).resolve().parents[1] / "hooks"

ROWS = "SELECT range AS id, 'word ' || range AS word, range / 10 AS share FROM range(20)"
"""What the input port holds; `share` is a DOUBLE from 0 to 1.9."""

PRELUDE = """
import json, os, sys, time
from pathlib import Path
PORTS = json.loads(Path(os.environ["PORTS_FILE"]).read_text())
INPUT = os.environ.get("PORT_INPUT_SOURCE")
OUTPUTS = {name: port["location"] for name, port in PORTS["outputs"].items()}
def copy(query, port):
    import duckdb
    duckdb.sql(f"COPY ({query}) TO '{OUTPUTS[port]}' (FORMAT parquet)")
"""
"""Stands at the top of every job."""


def column(name: str, physical: str, logical: str = "", **clauses: Any) -> dict[str, Any]:
    """A column of a contract, open to everyone unless `clauses` say otherwise."""
    logical = logical or {"BIGINT": "integer", "VARCHAR": "string", "DOUBLE": "number", "DATE": "date"}[physical]
    return {"name": name, "logicalType": logical, "physicalType": physical, "classification": "public", **clauses}


COLUMNS = (
    column("id", "BIGINT", required=True, primaryKey=True, primaryKeyPosition=1),
    column("word", "VARCHAR", required=True),
    column("share", "DOUBLE"),
)
FRESH = ({"property": "freshness", "value": 24, "unit": "h"},)


def build_product(
    root: Path,
    *,
    job: str = "for port in OUTPUTS: copy(f\"SELECT * FROM '{INPUT}'\", port)",
    rows: str = ROWS,
    outputs: Sequence[str] = ("words",),
    columns: Sequence[Mapping[str, Any]] = COLUMNS,
    quality: Sequence[Mapping[str, Any]] = (),
    service_levels: Sequence[Mapping[str, Any]] = FRESH,
    path: str = "${DATA_ROOT:-data}/local/current/{port}.parquet",
    server: Mapping[str, Any] | None = None,
    input_server: Mapping[str, Any] | None = None,
    timeout: str = "1m",
    setup: str | None = None,
    test: str | None = None,
    run: str | None = None,
) -> Path:
    """Write a data product into `root` and give `root`.

    Its one workload runs `job`, a piece of Python below `PRELUDE`; or the command `run`. Its input port `source` holds
    `rows`. Every output port has the same contract, made of `columns`, `quality` and `service_levels`.
    """
    (root / "inner").mkdir(parents=True, exist_ok=True)
    (root / "inner" / "job.py").write_text(PRELUDE + job + "\n")
    source = root / "outer" / "samples" / "source.parquet"
    source.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(source, rows)
    served = {"type": "local", "format": "parquet", "path": "outer/samples/source.parquet", **(input_server or {})}
    _save(root / "outer/contracts/input/source.v1.odcs.yaml", contract("source", served, COLUMNS))
    for port in outputs:
        served = {"type": "local", "format": "parquet", "path": path.replace("{port}", port), **(server or {})}
        document = contract(port, served, columns, quality, service_levels)
        _save(root / f"outer/contracts/output/{port}.v1.odcs.yaml", document)
    descriptor = {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": "urn:dmb:dp:test:tiny:1",
        "name": "tiny",
        "version": "1.0.0",
        "status": "draft",
        "domain": "test",
        "description": {"purpose": "To be tested."},
        "team": {"name": "testers", "members": [{"username": "testers@example.com", "role": "owner"}]},
        "inputPorts": [{"name": "source", "version": "1.0.0", "contractId": urn("source")}],
        "outputPorts": [{"name": p, "version": "1.0.0", "contractId": urn(p)} for p in outputs],
    }
    _save(root / "outer/data-product.odps.yaml", descriptor)
    workload = {
        "name": "build",
        "technology": "python",
        "reads": ["source"],
        "writes": list(outputs),
        "run": run or f"{shlex.quote(sys.executable)} job.py",
        "timeout": timeout,
    }
    inner = {"workloads": [workload], "setup": setup, "test": test}
    _save(root / "inner/inner.yaml", {key: value for key, value in inner.items() if value is not None})
    return root


def contract(
    name: str,
    server: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]] = COLUMNS,
    quality: Sequence[Mapping[str, Any]] = (),
    service_levels: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A contract as it stands in its file."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": urn(name),
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "servers": [{k: v for k, v in {"server": "local", "environment": "local", **server}.items() if v is not None}],
        "schema": [{"name": name, "properties": list(columns), **({"quality": list(quality)} if quality else {})}],
        **({"slaProperties": list(service_levels)} if service_levels else {}),
    }


def add_major(root: Path, port: str, **server: Any) -> None:
    """Put major 2 of the output port `port` beside its first one, as `outer bump` does; its table is `<port>_v2`."""
    contracts = root / "outer/contracts/output"
    newer = json.loads((contracts / f"{port}.v1.odcs.yaml").read_text())
    newer |= {"version": "2.0.0", "id": urn(port).replace(":1:", ":2:")}
    newer["servers"][0] |= server
    newer["schema"][0]["physicalName"] = f"{port}_v2"
    _save(contracts / f"{port}.v2.odcs.yaml", newer)
    path = root / "outer/data-product.odps.yaml"
    descriptor = json.loads(path.read_text())
    descriptor |= {"id": "urn:dmb:dp:test:tiny:2", "version": "2.0.0"}
    descriptor["outputPorts"].append({"name": port, "version": "2.0.0", "contractId": newer["id"]})
    _save(path, descriptor)


def urn(port: str) -> str:
    return f"urn:dmb:cmp:test:tiny:1:{port}"


def output_contract(root: Path) -> Contract:
    """The contract of the product's first output port, as `outer` understands it."""
    return model(load(root)).outputs[0].contract


def write_parquet(path: Path, query: str) -> Path:
    """Write the rows of `query` to `path` as Parquet, and give `path`."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def outer_command(root: Path, *arguments: str, **variables: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of `outer <arguments>` on the product in `root`, for a process of its own."""
    command = [sys.executable, "-m", "outer", *arguments, "--product", str(root)]
    paths = os.pathsep.join(filter(None, [str(HOOKS), os.environ.get("PYTHONPATH", "")]))
    return command, {**os.environ, "PYTHONPATH": paths, **variables}


def outer(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `outer <arguments>` on the product in `root` to its end."""
    command, environment = outer_command(root, *arguments, **variables)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def _save(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, one line for each value: messages that name a line can be held to it.
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
