"""`outer add`: a new output or input port, with all that the standard asks for and a machine can know.

What only the team can say is written as a sentence that says so, and named in the answer. Nothing is written when
anything is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from outer.daytwo import edit
from outer.daytwo.change import (
    PENDING,
    Changed,
    Draft,
    Left,
    check_name,
    file,
    pending,
    place,
    workload,
)
from outer.daytwo.edit import written
from outer.daytwo.pin import Pin, location, pinned, servers
from outer.daytwo.sample import SAMPLES, sample
from outer.daytwo.source import Offer, source
from outer.errors import UsageError
from outer.ports import variable
from outer.product import DESCRIPTOR, INNER, INPUT_CONTRACTS, OUTPUT_CONTRACTS, File, custom, mappings
from outer.rules.reading import major
from outer.talk import Talk
from outer.yamledit import scalar
from outer.yamlfile import show

_USUAL: Mapping[str, Mapping[str, Any]] = {
    "freshness": {"property": "freshness", "value": 24, "unit": "h"},
    "retention": {"property": "retention", "value": 365, "unit": "d"},
    "supportHours": {"property": "supportHours", "value": "8x5"},
}
"""Service levels of a product that has promised none so far."""

_OF_ITS_TIME = ("endOfSupport", "es", "endOfLife", "el", "generalAvailability", "ga")


def add_output_port(
    root: Path, name: str, *, talk: Talk, workload_name: str | None = None, as_of: date | None = None
) -> Changed:
    """Give the product in `root` the output port `name`: its contract, its entry in the descriptor and its writer.

    The contract has the major of the product, one key column, and for the rest what descriptor and first contract say:
    team, support, classification, service levels, roles, environments. `workload_name` is needed where the product has
    several workloads. `as_of` is the day that the gate judges by, today (UTC) by default.

    Raises `UsageError`, with nothing written, for a product that makes no sense, a name that does not fit or is taken,
    and where the gate would find an error that is not the new contract's own.
    """
    draft = Draft(root, as_of)
    check_name(draft.product, name)
    _free(draft, "outputPorts", name, "To change what it promises, see `outer bump`.")
    index = workload(draft, workload_name)
    descriptor = draft.descriptor
    for key in ("domain", "name", "version"):
        if not descriptor.get(key):
            raise UsageError(f"{place(descriptor, key)}: the product has no `{key}`", f"Write `{key}` first.")
    number = major(descriptor.get("version"))
    if not number:
        raise UsageError(
            f"{place(descriptor, 'version')}: the version {show(descriptor.get('version'))} is no semantic version",
            "Write MAJOR.MINOR.PATCH, for example 1.0.0.",
        )
    urn = f"urn:dmb:cmp:{descriptor.get('domain')}:{descriptor.get('name')}:{number}:{name}"
    path = f"{OUTPUT_CONTRACTS}/{name}.v{number}.odcs.yaml"
    first = draft.model.outputs[0].contract.file
    draft.create(path, _contract(draft, first, name, number, urn).encode())
    _name_port(draft, name, f"{number}.0.0", urn, index)
    draft.edit(INNER, lambda data: edit.append(data, ("workloads", index, "writes"), name))

    contract, after = file(path, draft.text(path)), file(DESCRIPTOR, draft.text(DESCRIPTOR))
    inner = file(INNER, draft.text(INNER))
    left = [
        *pending(contract),
        Left(place(contract, "schema", 0, "properties"), "the columns; `id` keeps the place of the key"),
        Left(place(contract, "slaProperties"), "whether the service levels of the other port can be kept for this one"),
        *_personal(contract),
        *(one for one in pending(after) if one not in list(pending(descriptor))),
        Left(
            place(inner, "workloads", index, "writes"),
            f"a job that writes the port: the path of the file is in {variable('OUTPUT', name)}; until then "
            "`outer run` fails",
        ),
        *draft.left([path]),
    ]
    files = draft.write()
    writer = inner.get("workloads", index, "name")
    talk.note("The contract is a draft. Fill it in, then `outer check`, `outer run`, `outer bump`.")
    return Changed(f"The product has the output port {name} {number}.0.0, written by the workload {writer}.",
                   files, tuple(left))  # fmt: skip


def add_input_port(
    root: Path,
    origin: str,
    wanted: str,
    *,
    talk: Talk,
    workload_name: str | None = None,
    as_of: date | None = None,
) -> Changed:
    """Give the product in `root` an input port: the pinned contract, a sample, its entries in descriptor and inner.

    `origin` is the folder of the producer, its contract file, or a URL of its git repository (`#REF` behind it) or of
    the contract file. `wanted` is PORT or PORT@MAJOR. `workload_name` and `as_of` as for `add_output_port`.

    Raises `UsageError`, with nothing written, where the source cannot be read or does not offer the port, where the
    product has it already, and as `add_output_port` does.
    """
    draft = Draft(root, as_of)
    name, _, number = wanted.partition("@")
    check_name(draft.product, name)
    if number and not number.isdecimal():
        raise UsageError(f"{show(wanted)} is not PORT or PORT@MAJOR", "Write for example orders@2.")
    index = workload(draft, workload_name)
    with source(origin, draft.root, Path.cwd(), talk) as producer:
        offer = producer.offer(name, number)
        _free(draft, "inputPorts", name, f"`outer pull {name}` looks for a newer version of it.", offer.major)
        path = f"{INPUT_CONTRACTS}/{name}.v{offer.major}.odcs.yaml"
        target = f"{SAMPLES}/{name}.parquet"
        if (draft.root / target).exists():
            target = f"{SAMPLES}/{name}.v{offer.major}.parquet"
        pin = Pin(name, target, producer.recorded, producer.revision)
        draft.create(path, pinned(offer, pin, servers(draft, offer, pin)))
        rows, reason = sample(offer, draft.product.standard)
    if rows is not None:
        draft.create(target, rows)
    _read_port(draft, name, offer, index)

    contract, inner = file(path, draft.text(path)), file(INNER, draft.text(INNER))
    left = [
        *([Left(target, f"a small sample of made-up or open rows: {reason}")] if rows is None else []),
        *_inputs(contract),
        Left(place(inner, "workloads", index, "reads"), f"a job that reads the port: {variable('INPUT', name)}"),
        *_majors(draft, name, offer),
        *(one for one in draft.left([path]) if rows is not None or "(LIN004)" not in one.what),
    ]
    files = draft.write()
    reader = inner.get("workloads", index, "name")
    return Changed(f"The product has the input port {name} {offer.version}, read by the workload {reader}.",
                   files, tuple(left))  # fmt: skip


def _free(draft: Draft, key: str, name: str, todo: str, number: str = "") -> None:
    """Raise `UsageError` where the product has a port of this name (and major), or one that the inner could not tell
    from it."""
    kind, side = ("INPUT", "input") if key == "inputPorts" else ("OUTPUT", "output")
    for position, port in mappings(draft.descriptor.get(key)):
        known, where = str(port.get("name")), place(draft.descriptor, key, position)
        if known == name and number in ("", major(port.get("version"))):
            raise UsageError(
                f"{where}: the product has the {side} port {show(name)} {port.get('version')} already", todo
            )
        if known != name and variable(kind, known) == variable(kind, name):
            raise UsageError(
                f"{where}: {show(name)} and the {side} port {show(known)} would share one environment variable",
                "Choose another name: `-` and `_` make no difference there.",
            )


# --- Output ports -------------------------------------------------------------------------------------------------


def _name_port(draft: Draft, name: str, version: str, urn: str, index: int) -> None:
    """Add the output port to the descriptor, made from what its workload can read."""
    ports = [port for _, port in mappings(draft.descriptor.get("outputPorts"))]
    kind = next((port.get("type") for port in ports if isinstance(port.get("type"), str)), None)
    port: dict[str, Any] = {
        "name": name,
        "description": f"{PENDING} in one sentence what the port {name} offers.",
        **({"type": kind} if kind else {}),
        "version": version,
        "contractId": urn,
    }
    readable = _readable(draft, index)
    inputs = [
        {"id": str(port.get("contractId")), "version": str(port.get("version"))}
        for _, port in mappings(draft.descriptor.get("inputPorts"))
        if port.get("name") in readable
    ]
    if inputs:
        port["inputContracts"] = inputs
    draft.edit(DESCRIPTOR, lambda data: edit.append(data, ("outputPorts",), port))


def _readable(draft: Draft, index: int) -> frozenset[str]:
    """Input ports that a workload, or one that it waits for, reads."""
    workloads = {w.name: w for w in draft.model.inner.workloads}
    waiting, seen = [str(draft.inner.get("workloads", index, "name"))], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += workloads[name].depends_on
    return frozenset(port.partition(".")[0] for name in seen for port in workloads[name].reads)


def _contract(draft: Draft, first: File, name: str, number: str, urn: str) -> str:
    """The text of the new contract."""
    descriptor = draft.descriptor
    personal = custom(descriptor, "personalData") is True
    classification = custom(descriptor, "classification") or "internal"
    logical, physical = _key(draft)
    environments = custom(descriptor, "environments")
    environments = [str(e) for e in environments] if isinstance(environments, list) and environments else ["local"]
    marked = "        customProperties: [{property: personalData, value: true}]\n" if personal else ""
    sections = [
        f"""\
# The contract of the output port `{name}`, major version {number}: what consumers may rely on.
# Seed: owned by the team. `outer check` checks it, `outer run` publishes only data that keep it.
# Format: Bitol Open Data Contract Standard 3.1, https://bitol-io.github.io/open-data-contract-standard/

apiVersion: {first.get("apiVersion")}
kind: DataContract
id: {urn} # the contractId of the port in data-product.odps.yaml
name: {scalar(name)}
version: {number}.0.0 # a breaking change needs a new major: a second contract beside this one
status: draft
domain: {scalar(descriptor.get("domain"))}
""",
        f"""\
description:
  purpose: {PENDING} which question {name} answers, and for whom.
  usage: {PENDING} how {name} is read and what it is joined on.
  limitations: {PENDING} what {name} is not fit for.
""",
        "servers: # one for each environment; `current` is the switch that makes a publication atomic\n"
        + "".join(_server(draft, name, environment) for environment in environments),
        f"""\
schema:
  - name: {scalar(name)}
    logicalType: object
    physicalType: table
    description: {PENDING} what one row of {name} is about.
    dataGranularityDescription: One row per id.
    properties:
      - name: id
        logicalType: {logical}
        physicalType: {physical}
        description: {PENDING} what tells one row from another.
        classification: {scalar(classification)}
        required: true
        primaryKey: true
        primaryKeyPosition: 1
{marked}    quality:
      - name: has_rows
        description: An empty table is never published.
        type: library
        metric: rowCount
        mustBeGreaterThan: 0
        dimension: completeness
        severity: error
""",
        written({"slaProperties": list(_levels(draft, first))}),
        *(written({key: value}) for key, value in _answering(draft, first)),
        written({"roles": first.get("roles") or [_reader()]}),
        "customProperties:\n"
        + "".join(
            f"  - {{property: {key}, value: {scalar(value)}}}\n"
            for key in ("personalData", "licence")
            if (value := custom(descriptor, key)) is not None
        ),
    ]
    return "\n".join(section for section in sections if not section.endswith("customProperties:\n"))


def _reader() -> Mapping[str, str]:
    return {"role": "reader", "access": "read", "description": f"{PENDING} who may read the port."}


def _key(draft: Draft) -> tuple[str, str]:
    """Types for the key column `id`: as another port has it, so that both can be joined."""
    for port in draft.model.outputs:
        for column in port.contract.columns:
            if column.name == "id" and column.logical_type and column.physical_type:
                return column.logical_type, column.physical_type
    return "string", "VARCHAR"


def _server(draft: Draft, name: str, environment: str) -> str:
    """One server: in the folder, or the database, in which the other ports of the environment are published."""
    folder = f"${{DATA_ROOT:-data}}/{environment}/current"
    for port in draft.model.outputs:
        for one in port.contract.servers:
            if one.environment != environment:
                continue
            if one.type == "local" and "/" in one.path:
                folder = str(PurePosixPath(one.path).parent)
            elif one.type != "local":  # its table is named by the contract; all else is that of the others
                entry = port.contract.file.get("servers", port.contract.servers.index(one)) or {}
                told = {key: value for key, value in entry.items() if isinstance(value, str | int)}
                return "  - " + "    ".join(f"{key}: {scalar(value)}\n" for key, value in told.items())
    return f"""\
  - server: {scalar(environment)}
    environment: {scalar(environment)}
    type: local
    path: {location(f"{folder}/{name}.parquet")}
    format: parquet
"""


def _levels(draft: Draft, first: File) -> Iterator[Mapping[str, Any]]:
    """Service levels of the first contract, those about a column or a date left out, and what the standard asks for."""
    promised: list[str] = []
    for _, level in mappings(first.get("slaProperties")):
        if "element" not in level and level.get("property") not in _OF_ITS_TIME:
            promised.append(str(level.get("property")))
            yield level
    asked = draft.product.standard.get("contract", "sla") if draft.product.standard else None
    for name in asked if isinstance(asked, list) else [] if promised else list(_USUAL):
        if name not in promised and name in _USUAL:
            yield _USUAL[name]


def _answering(draft: Draft, first: File) -> Iterator[tuple[str, Any]]:
    """Support and team: those of the first contract, which are the product's, else those of the descriptor."""
    for key in ("support", "team"):
        value = first.get(key) or draft.descriptor.get(key)
        if value:
            yield key, value


def _personal(contract: File) -> Iterator[Left]:
    if custom(contract, "personalData") is True:
        yield Left(
            place(contract, "customProperties"),
            "which columns hold personal data: until the team has said it, the key is marked",
        )


# --- Input ports --------------------------------------------------------------------------------------------------


def _read_port(draft: Draft, name: str, offer: Offer, index: int) -> None:
    """Add the input port to the descriptor, to the output ports that its reader writes, and to the reader."""
    port = {"name": name, "version": offer.version, "contractId": offer.id}
    if draft.descriptor.get("inputPorts") is None:
        draft.edit(DESCRIPTOR, lambda data: edit.add(data, (), "inputPorts", [port], after="description"))
    else:
        draft.edit(DESCRIPTOR, lambda data: edit.append(data, ("inputPorts",), port))
    entry = {"id": offer.id, "version": offer.version}
    writes = draft.inner.get("workloads", index, "writes") or []
    for position, output in mappings(draft.descriptor.get("outputPorts")):
        if output.get("name") in writes:
            pointer = ("outputPorts", position, "inputContracts")
            draft.edit(DESCRIPTOR, lambda data, pointer=pointer: edit.append(data, pointer, entry))  # type: ignore[misc]
    if name not in (draft.inner.get("workloads", index, "reads") or []):
        draft.edit(INNER, lambda data: edit.append(data, ("workloads", index, "reads"), name))


def _inputs(contract: File) -> Iterator[Left]:
    for position, server in mappings(contract.get("servers")):
        if "${INPUT_ROOT}" in str(server.get("path")):
            yield Left(
                place(contract, "servers", position, "path"),
                f"where the data are in {server.get('environment')}: set INPUT_ROOT there, or write the location here",
            )


def _majors(draft: Draft, name: str, offer: Offer) -> Iterator[Left]:
    for position, port in mappings(draft.descriptor.get("inputPorts")):
        if port.get("name") == name:
            older = min((major(port.get("version")), offer.major), key=int)
            yield Left(
                place(draft.descriptor, "inputPorts", position),
                f"two majors are read now: {name} is the newer one, {name}.v{older} the older one "
                f"({variable('INPUT', f'{name}.v{older}')}); remove the older one when nothing reads it",
            )
