"""REF: everything that is named exists, and once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from outer.product import DESCRIPTOR, File
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.identity import major
from outer.yamlfile import show

_CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"


def _resolves(subject: Subject, contracts: tuple[File, ...], folder: str) -> Iterator[Said]:
    wanted, version = subject.text("contractId"), subject.text("version")
    same = [file for file in contracts if file.get("id") == wanted]
    if not wanted or not same:
        yield Said(f"no contract in {folder}/ has the id {show(subject.get('contractId'))}", ("contractId",))
        return
    if all(file.get("version") != version for file in same):
        found = ", ".join(sorted(str(file.get("version")) for file in same))
        yield Said(f"the port has version {show(version)}, its contract has {found}", ("version",))


@rule(
    "REF001",
    Scope.OUTPUT_PORT,
    title="Every output port has a contract of the same id and version.",
    why="A port without its contract promises nothing; one with another version promises something else.",
    todo="Make `contractId` and `version` of port and contract equal.",
    bad=Change(_CONTRACT, "version: 1.0.0", "version: 1.1.0"),
)
def output_contract(subject: Subject) -> Iterator[Said]:
    yield from _resolves(subject, subject.product.output_contracts, "outer/contracts/output")


@rule(
    "REF002",
    Scope.INPUT_PORT,
    title="Every input port has a pinned contract of the same id and version.",
    why="What the product relies on must be written down, or a change upstream is noticed by consumers first.",
    todo="Put a copy of the producer's contract into outer/contracts/input/.",
    bad=Change("outer/contracts/input/airlines.v1.odcs.yaml"),
)
def input_contract(subject: Subject) -> Iterator[Said]:
    yield from _resolves(subject, subject.product.input_contracts, "outer/contracts/input")


@rule(
    "REF003",
    Scope.OUTPUT_PORT,
    title="Every output port names the inputs that it is made from, and each of them is an input port.",
    why="This is the lineage that everybody can read; impact of a change upstream is computed from it.",
    todo="List id and version of the contracts of its input ports under `inputContracts`.",
    bad=Change(DESCRIPTOR, "      - id: urn:dmb:cmp:aviation:nyc-flights:1:airlines", "      - id: urn:x:airlines"),
)
def lineage(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    ports = descriptor.get("inputPorts") if descriptor else None
    inputs = {
        (str(p.get("contractId")), str(p.get("version")))
        for p in (ports if isinstance(ports, list) else ())
        if isinstance(p, dict)
    }
    named = list(subject.entries("inputContracts"))
    if inputs and not named:
        yield Said("the port names none of the input ports that it is made from", ("inputContracts",))
    for index, entry in named:
        if (str(entry.get("id")), str(entry.get("version"))) not in inputs:
            yield Said(
                f"{show(entry.get('id'))} {entry.get('version')} is the contract of no input port",
                ("inputContracts", index),
            )


@rule(
    "REF004",
    Scope.CONTRACT,
    title="Every contract belongs to a port.",
    why="A contract without a port looks like a promise, but nothing keeps it.",
    todo="Name it as `contractId` of a port, or delete the file.",
    bad=Change(DESCRIPTOR, "    contractId: urn:dmb:cmp:aviation:nyc-flights:1:flights", "    contractId: urn:x:y"),
)
def belongs(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    if descriptor is None or subject.file is None:
        return
    key = "outputPorts" if subject.file in subject.product.output_contracts else "inputPorts"
    ports = descriptor.get(key)
    used = {str(p.get("contractId")) for p in (ports if isinstance(ports, list) else ()) if isinstance(p, dict)}
    if str(subject.get("id")) not in used:
        yield Said(f"no port has the contractId {show(subject.get('id'))}", ("id",))


@rule(
    "REF005",
    Scope.CONTRACT,
    title="A contract lies in <name>.v<major>.odcs.yaml, and no two contracts have the same id and version.",
    why="People find the contract by its file name; tools take the first match for an id.",
    todo="Rename the file, or give the contract its own id.",
    bad=Change(_CONTRACT, "name: carrier_punctuality\nversion", "name: punctuality\nversion"),
)
def file_name(subject: Subject) -> Iterator[Said]:
    if subject.file is None:
        return
    expected = f"{subject.text('name')}.v{major(subject.text('version'))}.odcs.yaml"
    actual = PurePosixPath(subject.file.path).name
    if actual != expected:
        yield Said(f"the file is called {show(actual)}, but should be {show(expected)}", ("name",))
    key = (subject.get("id"), subject.get("version"))
    twins = [f.path for f in subject.product.contracts if (f.get("id"), f.get("version")) == key]
    if len(twins) > 1 and subject.file.path != twins[0]:
        yield Said(f"{twins[0]} has the same id and version", ("id",))
