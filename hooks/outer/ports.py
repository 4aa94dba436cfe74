"""Where every port of a data product is, in one environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outer.dataset import FORMATS, Dataset, Format, Unlisted
from outer.errors import UsageError
from outer.model import Column, Contract, DataProduct, Port
from outer.yamlfile import show

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")
# DuckDB, Polars and Spark take a path with one of these for a pattern, which may match another file than the one meant.
_PATTERN = re.compile(r"[*?\[\]]")
_PUBLISHED: tuple[Format, ...] = ("parquet", "delta")
"""Formats of an output port."""

QUARANTINE = "quarantine"
"""Folder, beside the output ports of a version, of the input rows that a run has set aside."""

RESERVED = (QUARANTINE, "receipt.json", "lineage.jsonl")
"""Names in a version that no port may have."""


@dataclass(frozen=True)
class Table:
    """A table in PostgreSQL, by the `servers` entry of a contract."""

    host: str
    port: int
    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"postgres://{self.host}:{self.port}/{self.database}/{self.schema}.{self.name}"


@dataclass(frozen=True)
class Location:
    """A port, and the file or folder, absolute, that holds its data.

    Of an output port, `path` is the one that the contract promises, through `current`; it is a file of one of the
    formats, or a folder for a Delta table and for partitioned Parquet. Where a port is a `table`, consumers read that,
    and the file is what it is loaded from.
    """

    port: Port
    path: Path
    format: Format = "parquet"
    table: Table | None = None

    @property
    def address(self) -> str:
        """Where consumers find an output port."""
        return str(self.table or self.path)

    @property
    def dataset(self) -> Dataset:
        """The data at the place that the contract promises."""
        return Dataset(self.path, self.format)

    @property
    def is_folder(self) -> bool:
        """Whether an output port is published as a folder."""
        return self.path.suffix != ".parquet"

    @property
    def partitioned_by(self) -> tuple[str, ...]:
        """Columns that name the folders of partitioned Parquet, outermost first (ODCS `partitionKeyPosition`)."""
        return partitions(self.port.contract) if self.is_folder and self.format == "parquet" else ()

    @property
    def partition_types(self) -> dict[str, str]:
        """Physical types of the columns that partition an output port: the names of folders have none."""
        types = {c.name: c.physical_type for c in self.port.contract.columns if c.physical_type}
        return {name: types[name] for name in self.partitioned_by if name in types}

    def inside(self, folder: Path) -> Dataset:
        """The data of an output port in `folder`: that of a version, or of what is staged for one."""
        return Dataset(folder / self.path.name, self.format)


@dataclass(frozen=True)
class Locations:
    """All ports of a product in one environment. `root` is the folder whose `current` publishes the output ports."""

    product_root: Path
    root: Path
    inputs: tuple[Location, ...]
    outputs: tuple[Location, ...]


def resolve(product: DataProduct, environment: str, given: Mapping[str, Path]) -> Locations:
    """Locate every port in `environment`; `given` names files to read instead of those of the contracts.

    Raises `UsageError` for what cannot be located: no server for the environment, a variable that is not set, an input
    that is not there. Nothing is created.
    """
    root, outputs = resolve_outputs(product, environment)
    known = [p.name for p in product.inputs]
    for name in given:
        if name not in known:
            raise UsageError(
                f"{show(name)} is not an input port (there are: {', '.join(known) or 'none'})",
                "Name an input port of the descriptor: --input PORT=FILE.",
            )
    _check_variables("input port", product.inputs)
    _check_variables("output port", product.outputs)
    inputs = tuple(_input(product, port, environment, given.get(port.name)) for port in product.inputs)
    return Locations(product.source.root, root, inputs, outputs)


def resolve_outputs(product: DataProduct, environment: str) -> tuple[Path, tuple[Location, ...]]:
    """The folder that publishes `product` in `environment`, and its output ports. Raises `UsageError` as `resolve`."""
    found: list[Location] = []
    for port in product.outputs:
        table, where = _table(port, environment)
        if table:
            root = interpolate("${DATA_ROOT:-data}", where)
            path = Path(os.path.normpath(product.source.root / root / environment / "current" / f"{port.name}.parquet"))
            kind: Format = "parquet"
        else:
            path, kind, where = _served(product, port, environment, _PUBLISHED)
            _check_published(port, path, kind, where)
        first = found[0] if found else None
        if first and _database(first.table) != _database(table):
            raise UsageError(
                f"{where}: output port {show(port.name)} is in another place than {show(first.port.name)} "
                f"({table or 'files'} and {first.table or 'files'})",
                "Publish all output ports of an environment to files, or all to one database: one switch for all.",
            )
        if first and path.parent != first.path.parent:
            raise UsageError(
                f"{where}: output port {show(port.name)} has another root than {show(first.port.name)} "
                f"({path.parent.parent} and {first.path.parent.parent})",
                "Give all output ports of an environment one root: one switch publishes them together, or none.",
            )
        for other in found:
            if path == other.path or (table and table == other.table):
                raise UsageError(
                    f"{where}: output ports {show(port.name)} and {show(other.port.name)} are the same "
                    f"{'table' if table else 'file'}",
                    "Give each its own name.",
                )
        _check_plain(path, where)
        found.append(Location(port, path, kind, table))
    return found[0].path.parent.parent, tuple(found)


def partitions(contract: Contract) -> tuple[str, ...]:
    """Columns that partition a table, in the order of their `partitionKeyPosition` (ODCS 3.1, Schema)."""
    found = [c for c in contract.columns if c.clauses.get("partitioned") is True]
    last = len(contract.columns)

    def position(column: Column) -> int:
        number = column.clauses.get("partitionKeyPosition")
        return number if isinstance(number, int) and number > 0 else last

    return tuple(column.name for column in sorted(found, key=position))


def variable(kind: str, name: str) -> str:
    """Name of the environment variable that tells a workload where a port is; `kind` is INPUT, OUTPUT or QUARANTINE."""
    return f"PORT_{kind}_{re.sub('[-.]', '_', name.upper())}"


def interpolate(text: str, where: str) -> str:
    """Put environment variables into `text`: `${NAME}` and `${NAME:-default}` (ODCS 3.2, Variables).

    Raises `UsageError` at `where` for a variable that is unset or empty and has no default, and for a `$` that is
    neither of the two.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        found = os.environ.get(name) or default
        if found is None:
            raise UsageError(
                f"{where}: the environment variable {name} is not set",
                f"Set it (export {name}=…), or write the value, or a default, into the contract: ${{{name}:-default}}.",
            )
        return found

    if "$" in _VARIABLE.sub("", text):
        raise UsageError(
            f"{where}: {show(text)} holds a `$` that is not a variable",
            "Write ${NAME} or ${NAME:-default}; a default holds no braces.",
        )
    return _VARIABLE.sub(value, text)


def _input(product: DataProduct, port: Port, environment: str, given: Path | None) -> Location:
    kind = _kind_of_input(port, environment)
    if given is not None:
        path, where = Path(os.path.abspath(given)), f"--input {port.name}={given}"
        todo = "Check the path."
    else:
        path, kind, where = _served(product, port, environment, FORMATS)
        todo = f"Put the file there, correct the contract, or name another one: --input {port.name}=FILE."
    _check_plain(path, where)
    missing = f"{where}: the data of input port {show(port.name)} are missing: {path}"
    # Any folder would do for one of Parquet files: it must be declared, or be named like one.
    folder = kind == "delta" or (kind == "parquet" and (path.suffix == ".parquet" or bool(partitions(port.contract))))
    if not (path.is_file() or (folder and path.is_dir())):
        raise UsageError(f"{missing} {'is not a file' if path.exists() else 'does not exist'}", todo)
    if not os.access(path, os.R_OK):
        raise UsageError(f"{where}: {path} may not be read", "Give the user who runs the product the right to read it.")
    location = Location(port, path, kind)
    try:
        location.dataset.files()
    except Unlisted as error:
        raise UsageError(f"{where}: the data of input port {show(port.name)} cannot be read: {error}", todo) from None
    return location


def _kind_of_input(port: Port, environment: str) -> Format:
    """Format of a file that is given by hand: what the contract says of its server, else Parquet."""
    kind = next((s.format for s in port.contract.servers if s.environment == environment), "parquet")
    return next((f for f in FORMATS if f == kind), "parquet")


def _served(product: DataProduct, port: Port, environment: str, formats: Sequence[Format]) -> tuple[Path, Format, str]:
    """Path and format of `port` by the server of its contract, and the place in the contract that says so."""
    contract = port.contract
    server = contract.server(environment)
    index = contract.servers.index(server)
    where = f"{contract.file.path}:{contract.file.place('servers', index, 'path').line}"
    if server.type != "local":
        line = contract.file.place("servers", index, "type").line
        raise UsageError(
            f"{contract.file.path}:{line}: `outer run` cannot reach a server of the type {show(server.type)}",
            "This version knows the type `local`: a path on this machine or on a mounted file system; and, for output "
            "ports, `postgres`.",
        )
    kind = next((known for known in formats if known == server.format), None)
    if kind is None:
        line = contract.file.place("servers", index, "format").line
        side = "publish" if formats is _PUBLISHED else "audit"
        raise UsageError(
            f"{contract.file.path}:{line}: `outer run` cannot {side} the format {show(server.format)}",
            f"This version knows the formats {', '.join(formats)}.",
        )
    path = interpolate(server.path, where).strip()
    if not path or path.startswith("~") or "\0" in path:
        raise UsageError(
            f"{where}: {show(path)} is no path of a file", "Write a path, absolute or from the root of the product."
        )
    return Path(os.path.normpath(product.source.root / path)), kind, where


def _table(port: Port, environment: str) -> tuple[Table | None, str]:
    """The table that an output port is, where its contract names PostgreSQL, and the place that says so."""
    contract = port.contract
    index = contract.servers.index(contract.server(environment))
    where = f"{contract.file.path}:{contract.file.place('servers', index, 'type').line}"
    entry = contract.file.get("servers", index) or {}
    if str(entry.get("type")).lower() not in ("postgres", "postgresql"):
        return None, where
    table = contract.file.get("schema", 0) or {}
    given = {key: entry.get(key) for key in ("host", "port", "database", "schema")}
    if missing := [key for key, value in given.items() if not value]:
        raise UsageError(f"{where}: the server names no {', '.join(missing)}", "Write it into the contract.")
    if not isinstance(given["port"], int):
        raise UsageError(f"{where}: {show(str(given['port']))} is no port", "Write a number.")
    host, database, schema = (interpolate(str(given[key]), where) for key in ("host", "database", "schema"))
    return Table(host, given["port"], database, schema, str(table.get("physicalName") or table.get("name"))), where


def _database(table: Table | None) -> tuple[str, int, str] | None:
    return (table.host, table.port, table.database) if table else None


def _check_published(port: Port, path: Path, kind: Format, where: str) -> None:
    folder = kind == "delta" or (bool(partitions(port.contract)) and path.suffix != ".parquet")
    name = "<name>" if folder else "<name>.parquet"
    if path.parent.name != "current" or folder == (path.suffix == ".parquet") or path.name in RESERVED:
        more = " (a Delta table is a folder)" if kind == "delta" else ""
        raise UsageError(
            f"{where}: output port {show(port.name)} is at {show(str(path))}, not at <root>/current/{name}{more}",
            f"End the path with current/{name}: `current` is the link that `outer run` switches, so that "
            "readers see the old version or the new one, never a mixture.",
        )


def _check_plain(path: Path, where: str) -> None:
    if _PATTERN.search(str(path)):
        raise UsageError(
            f"{where}: the path {show(str(path))} holds one of * ? [ ], which readers take for a pattern",
            "Rename the file or the folder.",
        )
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{where}: the path {show(str(path))} is no UTF-8, which readers of data need",
            "Rename the file or the folder; where the name is right, use a locale of UTF-8 (LC_ALL=C.UTF-8).",
        ) from None


def _check_variables(kind: str, ports: Sequence[Port]) -> None:
    seen: dict[str, str] = {}
    for port in ports:
        name = variable("", port.name)
        if seen.setdefault(name, port.name) != port.name:
            raise UsageError(
                f"the {kind}s {show(seen[name])} and {show(port.name)} would share one environment variable",
                "Rename one of them: `-` and `_` and the case of letters do not make a difference there.",
            )
