"""JSON Schemas and what they say of a file. Those of Bitol come from the packages that carry them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from outer.errors import OuterError
from outer.product import File
from outer.yamlfile import Pointer, show

_SUPPORTED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "odps": {
        "v1.0.0": ("dataproduct", "schemas/odps-1.0.0.schema.json"),
        "v1.1.0": ("dataproduct", "schemas/odps-1.1.0.schema.json"),
    },
    "odcs": {"v3.1.0": ("open_data_contract_standard", "schema.json")},
}
"""Standard, `apiVersion` -> package and file that hold its JSON Schema."""


@dataclass(frozen=True)
class Problem:
    """One thing that a schema says of a file."""

    pointer: Pointer
    message: str
    todo: str


def api_versions(standard: str) -> tuple[str, ...]:
    """Versions of `standard` ("odps" or "odcs") that can be read."""
    return tuple(_SUPPORTED[standard])


def problems(file: File, standard: str) -> Iterator[Problem]:
    """What the JSON Schema of `standard` (odps, odcs, inner, standard or waivers) says against `file`, deepest first.

    An `apiVersion` that is not supported is a problem of its own: a schema of another version proves nothing.
    """
    version = standard
    if standard in _SUPPORTED:
        version = file.value.get("apiVersion")  # type: ignore[assignment]
        if not isinstance(version, str) or version not in _SUPPORTED[standard]:
            known = ", ".join(api_versions(standard))
            yield Problem(
                ("apiVersion",),
                f"apiVersion {show(version)} is not supported",
                f"Use one of: {known}.",
            )
            return
    try:
        errors = [
            (tuple(error.instance_path), error.message)
            for error in _validator(standard, version).iter_errors(file.value)
        ]
    except ValueError as error:  # e.g. an integer beyond what JSON holds
        yield Problem((), f"it cannot be compared with its schema: {error}", "Use ordinary values.")
        return
    deepest = {pointer for pointer, _ in errors}
    for pointer, message in sorted(errors, key=lambda e: (-len(e[0]), str(e[0]), e[1])):
        # One wrong value makes every schema around it complain as well; only the innermost one helps.
        if any(len(other) > len(pointer) and other[: len(pointer)] == pointer for other in deepest):
            continue
        yield Problem(pointer, _short(message), "See the reference of the standard for this field.")


def _short(message: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in message)
    return line if len(line) <= 300 else f"…{line[-280:]}"


@cache
def _validator(standard: str, version: str) -> Any:
    import jsonschema_rs  # only now: an audit reads contracts that were judged before

    if standard in _SUPPORTED:
        schema = _packaged(*_SUPPORTED[standard][version])
    else:
        schema = json.loads((Path(__file__).parent / f"{standard}.schema.json").read_bytes())
    return jsonschema_rs.validator_for(schema)


def _packaged(package: str, name: str) -> Any:
    # find_spec does not import: both packages pull in pydantic, which alone costs more than the whole gate.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / name
        if path.is_file():
            return json.loads(path.read_bytes())
    raise OuterError(
        f"the JSON Schema {name} was not found in the package {package}",
        "Install the command again; its dependencies are incomplete.",
    )
