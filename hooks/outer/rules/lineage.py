"""LIN: where the data come from, and what becomes of the product when that changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from outer.finding import Level
from outer.product import DESCRIPTOR, INNER
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import AIRLINES, FLIGHTS, VARIABLE, age, filled, major, mappings, pinned, ports
from outer.rules.versioning import end_of_support
from outer.yamlfile import Pointer, show

_URN = re.compile(r"urn:dmb:cmp:[^:]+:[^:]+:([0-9]+):[^:]+\Z")
LARGEST_SAMPLE = 20 * 1024 * 1024
"""Bytes; a sample is copied with every clone for ever."""


@rule(
    "LIN001",
    Scope.INPUT_PORT,
    title="The address of a pinned contract has the major of its version.",
    why="It is the producer's address: under another major the producer keeps another promise.",
    todo="Write id and version as the producer published them; `outer add input-port` copies them.",
    bad=Change(
        DESCRIPTOR,
        "contractId: urn:dmb:cmp:aviation:nyc-flights:1:flights",
        "contractId: urn:dmb:cmp:aviation:nyc-flights:2:flights",
    ),
)
def producers_major(subject: Subject) -> Iterator[Said]:
    match = _URN.match(subject.text("contractId"))
    own = major(subject.get("version"))
    if match and own and match[1] != own:
        yield Said(f"the contractId has the major {match[1]}, the version is {show(subject.get('version'))}",
                   ("contractId",))  # fmt: skip


@rule(
    "LIN002",
    Scope.INPUT_PORT,
    title="No input port relies on a contract that is retired or whose support has ended.",
    why="Nobody delivers any more, or nobody mends what is delivered.",
    todo="Move to the contract that took its place; `outer pull` shows what the producer offers.",
    bad=Change(FLIGHTS, "status: active", "status: retired"),
)
def alive(subject: Subject) -> Iterator[Said]:
    contract = pinned(subject)
    if contract is None:
        return
    if contract.get("status") == "retired":
        yield Said(f"{show(contract.path, 200)} is retired", ("contractId",))
    end = end_of_support(contract)
    if end and end[1] and end[1] < subject.as_of:
        yield Said(f"the support of {show(contract.path, 200)} ended on {end[1]}", ("contractId",))


@rule(
    "LIN003",
    Scope.INPUT_PORT,
    title="Input ports rely on contracts in force: none is deprecated, and none a draft under an active product.",
    why="A deprecated contract ends soon, and a draft may change under the feet of the product's own consumers.",
    todo="Plan the move to its successor, or agree with the producer on a contract that is active.",
    bad=Change(FLIGHTS, "status: active", "status: deprecated"),
    level=Level.WARNING,
)
def in_force(subject: Subject) -> Iterator[Said]:
    contract, descriptor = pinned(subject), subject.product.descriptor
    if contract is None or descriptor is None:
        return
    status, active = age(subject, contract.get("status")), age(subject, "active")
    own = age(subject, descriptor.get("status"))
    if contract.get("status") == "deprecated":
        end = end_of_support(contract)
        until = f", supported until {end[1]}" if end and end[1] else ""
        yield Said(f"{show(contract.path, 200)} is deprecated{until}", ("contractId",))
    elif status is not None and active is not None and own is not None and status < active <= own:
        yield Said(f"{show(contract.path, 200)} is {show(contract.get('status'))}, the product is "
                   f"{show(descriptor.get('status'))}", ("contractId",))  # fmt: skip


@rule(
    "LIN004",
    Scope.INPUT_PORT,
    title="Every input port has a sample in the product, which its server for `local` names.",
    why="Without it nobody can run or test the product on their machine, and CI proves nothing.",
    todo="Put a small extract into outer/samples/, and its path into the `local` server of the pinned contract.",
    bad=Change(AIRLINES, "path: outer/samples/airlines.parquet", "path: outer/samples/companies.parquet"),
)
def sampled(subject: Subject) -> Iterator[Said]:
    contract = pinned(subject)
    if contract is None:
        return
    for _, server in mappings(contract.get("servers")):
        path = filled(server.get("path"))
        if server.get("environment") != "local" or server.get("type") != "local" or not path:
            continue
        path = VARIABLE.sub(lambda match: match[1] or "", path)
        reason = _sample(subject.product.root, path)
        if reason:
            yield Said(f"the sample {show(path)} of input port {show(subject.get('name'))} {reason}", ("name",))


def _sample(root: Path, path: str) -> str:
    try:
        sample = (root / path).resolve()
        if not sample.is_relative_to(root):
            return "lies outside of the product"
        if not sample.is_file():
            return "is not there"
        size = sample.stat().st_size
    except (OSError, ValueError):
        return "cannot be opened"
    if size == 0:
        return "is empty"
    return f"is larger than {LARGEST_SAMPLE // 1024 // 1024} MiB" if size > LARGEST_SAMPLE else ""


@rule(
    "LIN005",
    Scope.OUTPUT_PORT,
    title="An output port is made from what its workload reads, and from nothing else.",
    why="Lineage that differs from the work misleads whoever asks what a change upstream will break.",
    todo="Make `inputContracts` of the port and `reads` of the workloads say the same.",
    bad=Change(INNER, "reads: [flights, airlines]", "reads: [flights]"),
)
def worked(subject: Subject) -> Iterator[Said]:
    inner, name = subject.product.inner, subject.get("name")
    if inner is None:
        return
    by_contract = {
        (filled(p.get("contractId")), filled(p.get("version"))): str(p.get("name"))
        for _, p in ports(subject.product, "inputPorts")
    }
    declared = {
        found: index
        for index, entry in subject.entries("inputContracts")
        if (found := by_contract.get((filled(entry.get("id")), filled(entry.get("version")))))
    }
    workloads = {str(w.get("name")): w for _, w in mappings(inner.get("workloads"))}
    writers = [key for key, workload in workloads.items() if name in _texts(workload.get("writes"))]
    if not writers:
        return
    before, waiting = set(writers), list(writers)
    while waiting:
        for needed in _texts(workloads[waiting.pop()].get("depends_on")):
            if needed in workloads and needed not in before:
                before.add(needed)
                waiting.append(needed)
    may = {port for key in before for port in _texts(workloads[key].get("reads"))}
    must = {port for key in writers for port in _texts(workloads[key].get("reads"))} & set(by_contract.values())
    for port in sorted(set(declared) - may):
        place: Pointer = ("inputContracts", declared[port])
        yield Said(f"port {show(name)} is said to be made from {show(port)}, which no workload of it reads", place)
    for port in sorted(must - set(declared)):
        yield Said(f"the workload of port {show(name)} reads {show(port)}, which the port does not name",
                   ("inputContracts",))  # fmt: skip


def _texts(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


@rule(
    "LIN006",
    Scope.INPUT_PORT,
    title="A pinned contract names whom to ask: its team or a support channel.",
    why="When a delivery fails at night, its consumers need to know whose it is.",
    todo="Take the contract from the producer again, or add what you know under `team` and `support`.",
    bad=Change(
        AIRLINES,
        'support:\n  - {channel: nyc-flights, url: "https://github.com/tidyverse/nycflights13/issues"}\n\nteam:\n'
        "  name: nyc-flights\n",
        "team:\n",
    ),
    level=Level.WARNING,
)
def answered(subject: Subject) -> Iterator[Said]:
    contract = pinned(subject)
    if contract is None:
        return
    channels = [s for _, s in mappings(contract.get("support")) if s.get("url") or s.get("channel")]
    if not channels and not filled(contract.get("team", "name")):
        yield Said(f"{show(contract.path, 200)} names neither a team nor a support channel", ("contractId",))


@rule(
    "LIN007",
    Scope.INPUT_PORT,
    title="A product does not read its own output ports.",
    why="It would wait for itself, and a mistake once published would feed on itself.",
    todo="Read the last published version through `previous` in PORTS_FILE, or join the two steps in inner/.",
    bad=Change(
        DESCRIPTOR,
        "contractId: urn:dmb:cmp:aviation:nyc-flights:1:airlines",
        "contractId: urn:dmb:cmp:aviation:flight-punctuality:1:carrier_punctuality",
    ),
)
def no_circle(subject: Subject) -> Iterator[Said]:
    own = {port.get("contractId") for _, port in ports(subject.product, "outputPorts")
           if isinstance(port.get("contractId"), str)}  # fmt: skip
    wanted = subject.text("contractId")
    if wanted and wanted in own:
        yield Said(f"{show(wanted)} is an output port of this product", ("contractId",))
