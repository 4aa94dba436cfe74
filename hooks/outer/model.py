"""The data product as `outer run`, `verify` and `page` use it: typed, complete, and free of doubt.

`model` raises one clear error for the first thing that keeps the product from being understood; `outer check` says the
same and everything else as findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from outer.errors import UsageError
from outer.product import (
    DESCRIPTOR,
    INNER,
    INPUT_CONTRACTS,
    OUTPUT_CONTRACTS,
    File,
    Product,
    custom,
    lookup,
)
from outer.schemas import problems
from outer.yamlfile import show


@dataclass(frozen=True)
class Column:
    """One column of a contract (ODCS `schema[].properties[]`)."""

    name: str
    logical_type: str
    physical_type: str
    required: bool
    description: str
    classification: str
    key_position: int | None
    """Position in the primary key, from 1; None where the column is not part of it."""
    clauses: Mapping[str, Any]
    """Everything that the contract says of the column, as written."""


@dataclass(frozen=True)
class Server:
    """Where a port is in one environment (ODCS `servers[]`)."""

    environment: str
    type: str
    path: str
    format: str


@dataclass(frozen=True)
class Contract:
    """The contract of one port (Bitol ODCS 3.1), with the first schema object as its table."""

    id: str
    name: str
    version: str
    status: str
    description: str
    columns: tuple[Column, ...]
    quality: tuple[Mapping[str, Any], ...]
    service_levels: tuple[Mapping[str, Any], ...]
    """`slaProperties[]`, as written."""
    servers: tuple[Server, ...]
    file: File

    def service_level(self, name: str) -> Any:
        """Value of the service level `name` (ODCS `slaProperties[].property`), or None."""
        return next((s.get("value") for s in self.service_levels if s.get("property") == name), None)

    def server(self, environment: str) -> Server:
        """The server of `environment`; raises `UsageError` where the contract names none."""
        for server in self.servers:
            if server.environment == environment:
                return server
        known = ", ".join(dict.fromkeys(s.environment for s in self.servers)) or "none"
        raise UsageError(
            f"{self.file.path}:{self.file.place('servers').line}: no server for the environment "
            f"{show(environment)} (named: {known})",
            "Add a server with this `environment`, or choose another one with --env.",
        )


@dataclass(frozen=True)
class Port:
    """An input or output port with its contract.

    `name` is what inner.yaml and the descriptor call it. Of a port that stands there in several majors, the newest has
    this name, and every older one is `<name>.v<major>`.
    """

    name: str
    contract: Contract
    made_from: tuple[str, ...] = ()
    """Output ports: contract ids of the inputs it is made from (ODPS `inputContracts`)."""


@dataclass(frozen=True)
class Workload:
    """One job of the inner (Data Product Specification: workload)."""

    name: str
    technology: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    """Names of ports, older majors included: who reads or writes a port does so in every major of it."""
    depends_on: tuple[str, ...]
    run: str
    timeout: timedelta


@dataclass(frozen=True)
class Inner:
    """What the outer knows of the inner (inner/inner.yaml)."""

    setup: str | None
    workloads: tuple[Workload, ...]
    """In an order that keeps every `depends_on`."""
    storage: tuple[Mapping[str, Any], ...]
    test: str | None


@dataclass(frozen=True)
class DataProduct:
    """A data product that can be run."""

    id: str
    name: str
    title: str
    version: str
    status: str
    domain: str
    type: str
    purpose: str
    usage: str
    limitations: str
    owner_team: str
    owner: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    inner: Inner
    source: Product

    def custom(self, name: str) -> Any:
        """Value of the custom property `name` of the descriptor, or None."""
        return custom(self.source.descriptor, name)


def model(product: Product) -> DataProduct:
    """Understand `product`. Raises `UsageError` with file and line for the first thing that makes no sense."""
    for path, error in sorted(product.unreadable.items()):
        raise UsageError(f"{path}:{error.place.line}: {error.why}", error.todo)
    descriptor = _valid(product.descriptor, DESCRIPTOR, "odps")
    inner = _inner(_valid(product.inner, INNER, "inner"))
    inputs = _ports(product, descriptor, "inputPorts", product.input_contracts, INPUT_CONTRACTS)
    outputs = _ports(product, descriptor, "outputPorts", product.output_contracts, OUTPUT_CONTRACTS)
    if not outputs:
        raise UsageError(
            f"{DESCRIPTOR}:{descriptor.place('outputPorts').line}: the product has no output port",
            "Name at least one under `outputPorts`.",
        )
    _check_seam(inner, {p.name for p in inputs}, {p.name for p in outputs}, product)
    read, inputs = _majors(inputs, descriptor, "inputPorts")
    written, outputs = _majors(outputs, descriptor, "outputPorts")
    inner = replace(
        inner,
        workloads=tuple(
            replace(w, reads=sum((read[p] for p in w.reads), ()), writes=sum((written[p] for p in w.writes), ()))
            for w in inner.workloads
        ),
    )
    members = descriptor.get("team", "members") or []
    owner = next((m for m in members if isinstance(m, dict) and m.get("role") == "owner"), {})
    name = str(descriptor.get("name") or "")
    return DataProduct(
        id=str(descriptor.get("id")),
        name=name,
        title=str(custom(descriptor, "title") or name),
        version=str(descriptor.get("version") or ""),
        status=str(descriptor.get("status") or ""),
        domain=str(descriptor.get("domain") or ""),
        type=str(descriptor.get("type") or ""),
        purpose=str(descriptor.get("description", "purpose") or ""),
        usage=str(descriptor.get("description", "usage") or ""),
        limitations=str(descriptor.get("description", "limitations") or ""),
        owner_team=str(descriptor.get("team", "name") or ""),
        owner=str(owner.get("username") or ""),
        inputs=inputs,
        outputs=outputs,
        inner=inner,
        source=product,
    )


def _valid(file: File | None, path: str, schema: str) -> File:
    if file is None:
        raise UsageError(f"{path} does not exist", "Restore it from git, or copy it from a fresh product.")
    for problem in problems(file, schema):
        raise UsageError(f"{file.path}:{file.place(*problem.pointer).line}: {problem.message}", problem.todo)
    return file


def _ports(product: Product, descriptor: File, key: str, contracts: tuple[File, ...], folder: str) -> tuple[Port, ...]:
    by_version = {(str(f.get("id")), str(f.get("version"))): f for f in contracts}
    ports: list[Port] = []
    for index, entry in enumerate(descriptor.get(key) or []):
        name, wanted, version = entry["name"], str(entry.get("contractId")), str(entry.get("version"))
        file = by_version.get((wanted, version))
        if file is None:
            raise UsageError(
                f"{DESCRIPTOR}:{descriptor.place(key, index).line}: no contract in {folder}/ has the id "
                f"{show(wanted)} and the version {show(version)} of port {show(name)}",
                "Make id and version of port and contract equal.",
            )
        made_from = tuple(str(lookup(c, ("id",))) for c in entry.get("inputContracts") or [])
        ports.append(Port(name, _contract(_valid(file, file.path, "odcs")), made_from))
    return tuple(ports)


def _majors(
    ports: tuple[Port, ...], descriptor: File, key: str
) -> tuple[Mapping[str, tuple[str, ...]], tuple[Port, ...]]:
    """Give each major of a port a name of its own. Returns the names by the one in the descriptor, and the ports."""
    newest: dict[str, int] = {}
    for port in ports:
        newest[port.name] = max(newest.get(port.name, 0), _major(port))
    named: dict[str, Port] = {}
    names: dict[str, tuple[str, ...]] = {}
    for index, port in enumerate(ports):
        name = port.name if _major(port) == newest[port.name] else f"{port.name}.v{_major(port)}"
        if name in named:
            raise UsageError(
                f"{DESCRIPTOR}:{descriptor.place(key, index).line}: port {show(port.name)} stands twice in the major "
                f"{_major(port)}",
                "Keep the newer version of the two; only majors stand beside each other.",
            )
        named[name] = replace(port, name=name)
        names[port.name] = (*names.get(port.name, ()), name)
    return names, tuple(named.values())


def _major(port: Port) -> int:
    number = port.contract.version.partition(".")[0]
    return int(number) if number.isdecimal() and number.isascii() else 0


def _contract(file: File) -> Contract:
    tables = file.get("schema") or []
    if len(tables) != 1:
        raise UsageError(
            f"{file.path}:{file.place('schema').line}: a port is one table, but `schema` holds {len(tables)}",
            "Keep one schema object to a contract.",
        )
    table = tables[0]
    columns = tuple(_column(c) for c in table.get("properties") or [])
    if not columns:
        raise UsageError(
            f"{file.path}:{file.place('schema', 0).line}: the schema names no column",
            "Describe every column under `properties`.",
        )
    quality = list(table.get("quality") or [])
    return Contract(
        id=str(file.get("id")),
        name=str(file.get("name") or table["name"]),
        version=str(file.get("version")),
        status=str(file.get("status") or ""),
        description=str(table.get("description") or ""),
        columns=columns,
        quality=tuple(quality),
        service_levels=tuple(file.get("slaProperties") or []),
        servers=tuple(
            Server(
                environment=str(s.get("environment") or s.get("server")),
                type=str(s.get("type")),
                path=str(s.get("path") or s.get("location") or ""),
                format=str(s.get("format") or "parquet"),
            )
            for s in file.get("servers") or []
        ),
        file=file,
    )


def _column(entry: Mapping[str, Any]) -> Column:
    position = entry.get("primaryKeyPosition")
    return Column(
        name=str(entry["name"]),
        logical_type=str(entry.get("logicalType") or ""),
        physical_type=str(entry.get("physicalType") or ""),
        required=entry.get("required") is True or entry.get("primaryKey") is True,
        description=str(entry.get("description") or ""),
        classification=str(entry.get("classification") or ""),
        key_position=(position if isinstance(position, int) and position > 0 else 1)
        if entry.get("primaryKey") is True
        else None,
        clauses=entry,
    )


def _inner(file: File) -> Inner:
    workloads = tuple(
        Workload(
            name=w["name"],
            technology=w["technology"],
            reads=tuple(w["reads"]),
            writes=tuple(w["writes"]),
            depends_on=tuple(w.get("depends_on") or ()),
            run=w["run"],
            timeout=_duration(w.get("timeout", "1h")),
        )
        for w in file.value["workloads"]
    )
    return Inner(
        setup=file.get("setup"),
        workloads=_ordered(workloads, file),
        storage=tuple(file.get("storage") or ()),
        test=file.get("test"),
    )


def _duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]])


def _ordered(workloads: tuple[Workload, ...], file: File) -> tuple[Workload, ...]:
    from graphlib import CycleError, TopologicalSorter

    line = file.place("workloads").line
    by_name = {w.name: w for w in workloads}
    if len(by_name) != len(workloads):
        raise UsageError(f"{file.path}:{line}: two workloads have the same name", "Rename one of them.")
    for workload in workloads:
        for needed in workload.depends_on:
            if needed not in by_name:
                raise UsageError(
                    f"{file.path}:{line}: workload {show(workload.name)} depends on {show(needed)}, "
                    "which does not exist",
                    "Name a workload of this file.",
                )
    try:
        order = list(TopologicalSorter({w.name: w.depends_on for w in workloads}).static_order())
    except CycleError as error:
        raise UsageError(
            f"{file.path}:{line}: workloads wait for each other: {' -> '.join(error.args[1])}",
            "Remove one `depends_on` of the circle.",
        ) from None
    return tuple(by_name[name] for name in order)


def _check_seam(inner: Inner, inputs: set[str], outputs: set[str], product: Product) -> None:
    file = product.inner
    assert file is not None  # noqa: S101 (`_valid` has made sure)
    writers: dict[str, str] = {}
    for index, workload in enumerate(file.value["workloads"]):
        for kind, known, side in (("reads", inputs, "input"), ("writes", outputs, "output")):
            for position, port in enumerate(workload[kind]):
                line = file.place("workloads", index, kind, position).line
                if port not in known:
                    raise UsageError(
                        f"{file.path}:{line}: {show(port)} is not an {side} port of the descriptor "
                        f"({', '.join(sorted(known)) or 'it has none'})",
                        "Use the name of a port, or add the port to the descriptor.",
                    )
                if kind == "writes" and port in writers:
                    raise UsageError(
                        f"{file.path}:{line}: output port {show(port)} is written by two workloads "
                        f"({writers[port]} and {workload['name']})",
                        "Let exactly one workload write it.",
                    )
                if kind == "writes":
                    writers[port] = workload["name"]
    for port in sorted(outputs - set(writers)):
        raise UsageError(
            f"{file.path}:{file.place('workloads').line}: no workload writes the output port {show(port)}",
            "Add it to the `writes` of a workload.",
        )
