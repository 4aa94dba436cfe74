"""Where every port of a data product is, in one environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outer.errors import UsageError
from outer.model import DataProduct, Port
from outer.yamlfile import show

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")
# DuckDB, Polars and Spark take a path with one of these for a pattern, which may match another file than the one meant.
_PATTERN = re.compile(r"[*?\[\]]")


@dataclass(frozen=True)
class Location:
    """A port and the one Parquet file, absolute, that holds its data."""

    port: Port
    path: Path


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
        path, where = _served(product, port, environment)
        if path.parent.name != "current" or path.suffix != ".parquet":
            raise UsageError(
                f"{where}: output port {show(port.name)} is at {show(str(path))}, not at <root>/current/<name>.parquet",
                "End the path with current/<name>.parquet: `current` is the link that `outer run` switches, so that "
                "readers see the old version or the new one, never a mixture.",
            )
        first = found[0] if found else None
        if first and path.parent != first.path.parent:
            raise UsageError(
                f"{where}: output port {show(port.name)} has another root than {show(first.port.name)} "
                f"({path.parent.parent} and {first.path.parent.parent})",
                "Give all output ports of an environment one root: one switch publishes them together, or none.",
            )
        for other in found:
            if path == other.path:
                raise UsageError(
                    f"{where}: output ports {show(port.name)} and {show(other.port.name)} are the same file",
                    "Give each its own file name.",
                )
        _check_plain(path, where)
        found.append(Location(port, path))
    return found[0].path.parent.parent, tuple(found)


def variable(kind: str, name: str) -> str:
    """Name of the environment variable that tells a workload where a port is; `kind` is INPUT or OUTPUT."""
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
    if given is not None:
        path, where = Path(os.path.abspath(given)), f"--input {port.name}={given}"
        todo = "Check the path."
    else:
        path, where = _served(product, port, environment)
        todo = f"Put the file there, correct the contract, or name another one: --input {port.name}=FILE."
    _check_plain(path, where)
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise UsageError(f"{where}: the data of input port {show(port.name)} are missing: {path} {what}", todo)
    if not os.access(path, os.R_OK):
        raise UsageError(f"{where}: {path} may not be read", "Give the user who runs the product the right to read it.")
    return Location(port, path)


def _served(product: DataProduct, port: Port, environment: str) -> tuple[Path, str]:
    """Path of `port` by the server of its contract, and the place in the contract that says so."""
    contract = port.contract
    server = contract.server(environment)
    index = contract.servers.index(server)
    where = f"{contract.file.path}:{contract.file.place('servers', index, 'path').line}"
    if server.type != "local":
        line = contract.file.place("servers", index, "type").line
        raise UsageError(
            f"{contract.file.path}:{line}: `outer run` cannot reach a server of the type {show(server.type)}",
            "This version knows the type `local`: a path on this machine or on a mounted file system.",
        )
    if server.format != "parquet":
        line = contract.file.place("servers", index, "format").line
        raise UsageError(
            f"{contract.file.path}:{line}: `outer run` cannot audit the format {show(server.format)}",
            "This version knows the format `parquet`.",
        )
    path = interpolate(server.path, where).strip()
    if not path or path.startswith("~") or "\0" in path:
        raise UsageError(
            f"{where}: {show(path)} is no path of a file", "Write a path, absolute or from the root of the product."
        )
    return Path(os.path.normpath(product.source.root / path)), where


def _check_plain(path: Path, where: str) -> None:
    if _PATTERN.search(str(path)):
        raise UsageError(
            f"{where}: the path {show(str(path))} holds one of * ? [ ], which readers take for a pattern",
            "Rename the file or the folder.",
        )


def _check_variables(kind: str, ports: Sequence[Port]) -> None:
    seen: dict[str, str] = {}
    for port in ports:
        name = variable("", port.name)
        if seen.setdefault(name, port.name) != port.name:
            raise UsageError(
                f"the {kind}s {show(seen[name])} and {show(port.name)} would share one environment variable",
                "Rename one of them: `-` and `_` and the case of letters do not make a difference there.",
            )
