"""VER: versions and states.

That one major runs through product, ports and contracts comes from the Data Product Specification of Agile Lab
(README, section on versioning); the states are those of Bitol ODCS and ODPS.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from outer.product import DESCRIPTOR, File
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import (
    CONTRACT,
    age,
    at,
    filled,
    level,
    listed,
    major,
    ports,
    prerelease,
    promises,
    stated,
    words,
)
from outer.waivers import day
from outer.yamlfile import show

_END = ("endOfSupport", "es", "endOfLife", "el")


def end_of_support(contract: File | None) -> tuple[int, date | None] | None:
    """Position of the service level that says until when a contract is supported, and its day where that is one."""
    found = level(contract, *_END)
    if found is None:
        return None
    value = found[1].get("value")
    return found[0], day(value[:10]) if isinstance(value, str) else None


def _at_least(subject: Subject, status: object, state: str) -> bool:
    reached, wanted = age(subject, status), age(subject, state)
    return reached is not None and wanted is not None and reached >= wanted


@rule(
    "VER001",
    Scope.DESCRIPTOR,
    title="Product and ports carry a semantic version (semver.org).",
    why="Consumers read from the version whether an upgrade is safe.",
    todo="Write MAJOR.MINOR.PATCH, for example 1.0.0.",
    bad=Change(DESCRIPTOR, "version: 1.0.0 #", "version: v1 #"),
)
def semantic(subject: Subject) -> Iterator[Said]:
    if not major(subject.text("version")):
        yield Said(f"the version {show(subject.get('version'))} is not a semantic version", ("version",))
    for key in ("inputPorts", "outputPorts"):
        for index, port in subject.entries(key):
            if not major(port.get("version")):
                yield Said(
                    f"the version {show(port.get('version'))} of port {show(port.get('name'))} "
                    "is not a semantic version",
                    (key, index, "version"),
                )


@rule(
    "VER002",
    Scope.OUTPUT_PORT,
    title="The newest version of every output port has the major of the product.",
    why="One major runs through product, ports and contracts, so that a consumer needs to look at one number only.",
    todo="Raise or lower the major, so that product and port agree.",
    bad=Change(DESCRIPTOR, "type: tables\n    version: 1.0.0", "type: tables\n    version: 2.0.0"),
)
def one_major(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    if descriptor is None:
        return
    product, own, name = major(descriptor.get("version")), major(subject.text("version")), subject.text("name")
    of_this_name = (major(p.get("version")) for _, p in ports(subject.product, "outputPorts") if p.get("name") == name)
    newest = max((int(m) for m in of_this_name if m), default=0)
    if product and own and int(own) == newest and own != product:
        yield Said(f"port {show(name)} has the major {own}, the product has {product}", ("version",))


@rule(
    "VER003",
    Scope.DESCRIPTOR,
    title="The product's status is one of the five of the standard, and not ahead of its contracts.",
    why="Who sees `active` relies on it; a contract that is still a draft may change under their feet.",
    todo="Use a status of outer/standard.yaml, and raise the contracts before the product.",
    bad=Change(DESCRIPTOR, "status: draft #", "status: active #"),
)
def product_status(subject: Subject) -> Iterator[Said]:
    own, active = age(subject, subject.get("status")), age(subject, "active")
    if own is None:
        if known := words(subject, "statuses"):  # without them REA001, REA002 or REA006 says so
            yield Said(f"the status {show(subject.get('status'))} is none of {listed(known)}", ("status",))
        return
    for contract in subject.product.output_contracts:
        other = age(subject, contract.get("status"))
        if other is not None and active is not None and other < own <= active:
            yield Said(
                f"the product is {show(subject.get('status'))}, but {show(contract.path, 200)} is still "
                f"{show(contract.get('status'))}",
                ("status",),
            )


@rule(
    "VER004",
    Scope.CONTRACT,
    title="A contract carries a semantic version and one of the five states of the standard.",
    why="Version and state tell a consumer whether to build on it.",
    todo="Write MAJOR.MINOR.PATCH and a status of outer/standard.yaml.",
    bad=Change(CONTRACT, "status: draft", "status: done"),
)
def contract_version(subject: Subject) -> Iterator[Said]:
    if not major(subject.text("version")):
        yield Said(f"the version {show(subject.get('version'))} is not a semantic version", ("version",))
    known = words(subject, "statuses")
    if known and age(subject, subject.get("status")) is None:
        yield Said(f"the status {show(subject.get('status'))} is none of {listed(known)}", ("status",))


@rule(
    "VER005",
    Scope.DESCRIPTOR,
    title="No output contract outlives its product, and an active product has an active contract.",
    why="Promises of a product that is given up are kept by nobody; a product without a promise offers nothing.",
    todo="Bring the contracts to the state of the product: deprecated, then retired.",
    bad=Change(DESCRIPTOR, "status: draft #", "status: retired #"),
)
def outlived(subject: Subject) -> Iterator[Said]:
    own, active = age(subject, subject.get("status")), age(subject, "active")
    if own is None or active is None or own < active:
        return
    ages = [(contract, age(subject, contract.get("status"))) for contract in subject.product.output_contracts]
    if own == active and ages and all(other is not None and other > active for _, other in ages):
        yield Said("the product is active, but all of its contracts are given up", ("status",))
    for contract, other in ages:
        if own > active and other is not None and other < own:
            message = f"the product is {show(subject.get('status'))}, its contract is {show(contract.get('status'))}"
            yield at(contract, message, "status")


@rule(
    "VER006",
    Scope.OUTPUT_CONTRACT,
    title="A deprecated contract says until when it is supported and what takes its place.",
    why="Whoever relies on it must know how long they have, and where to go.",
    todo="Add the service level `endOfSupport` with a date, and the custom property `successor`: the id of a contract, "
    "or `none`. A newer major of the same port in this product counts as successor.",
    bad=Change(CONTRACT, "status: draft", "status: deprecated"),
)
def deprecated(subject: Subject) -> Iterator[Said]:
    if subject.get("status") != "deprecated":
        return
    end = end_of_support(subject.file)
    if end is None or end[1] is None:
        steps = ("slaProperties", end[0], "value") if end else ("status",)
        yield Said("the contract is deprecated, but no day is given on which its support ends", steps)
    own, name = major(subject.text("version")), subject.get("name")
    newer = [
        contract
        for contract in subject.product.output_contracts
        if contract.get("name") == name and own and int(major(contract.get("version")) or 0) > int(own)
    ]
    if not newer and not filled(stated(subject.get() or {}, "successor")):
        yield Said("the contract is deprecated, but nothing is named that takes its place", ("status",))


@rule(
    "VER007",
    Scope.OUTPUT_CONTRACT,
    title="A contract whose support has ended is retired.",
    why="It looks alive, but nobody mends it any more.",
    todo="Set `status: retired` and remove the port, or move the end together with the consumers.",
    bad=Change(CONTRACT, "slaProperties:\n", 'slaProperties:\n  - {property: endOfSupport, value: "2020-01-01"}\n'),
)
def ended(subject: Subject) -> Iterator[Said]:
    end = end_of_support(subject.file)
    if end and end[1] and end[1] < subject.as_of and not _at_least(subject, subject.get("status"), "retired"):
        yield Said(f"its support ended on {end[1]}, but it is {show(subject.get('status'))}", ("slaProperties", end[0]))


@rule(
    "VER008",
    Scope.PRODUCT,
    title="What is active, deprecated or retired has a released version: 1.0.0 or higher, and no pre-release.",
    why="In a pre-release and below 1.0.0 everything may change at any time (semver.org); nobody can rely on that.",
    todo="Release it: raise the version to 1.0.0 or higher, or keep the status at draft.",
    bad=Change(
        DESCRIPTOR,
        "version: 1.0.0 # its major is the major of the id and of every port\nstatus: draft",
        "version: 1.0.0-rc.1\nstatus: active",
    ),
)
def released(subject: Subject) -> Iterator[Said]:
    for file in promises(subject.product):
        if prerelease(file.get("version")) and _at_least(subject, file.get("status"), "active"):
            yield at(file, f"it is {show(file.get('status'))} in the version {show(file.get('version'))}", "version")


@rule(
    "VER009",
    Scope.DESCRIPTOR,
    title="The mark `deprecated` of a product or port says the same as the status.",
    why="Catalogues read the mark, people the status; each would tell consumers another story.",
    todo="Remove the mark, or set the status of product or contract to deprecated.",
    bad=Change(DESCRIPTOR, "status: draft #", "deprecated: true\nstatus: draft #"),
)
def marked(subject: Subject) -> Iterator[Said]:
    contracts = {(f.get("id"), f.get("version")): f for f in subject.product.contracts if isinstance(f.get("id"), str)
                 and isinstance(f.get("version"), str)}  # fmt: skip
    marks = [((), subject.get("deprecated"), subject.get("status"))]
    for key in ("inputPorts", "outputPorts"):
        for index, port in subject.entries(key):
            pair = (filled(port.get("contractId")), filled(port.get("version")))
            contract = contracts.get(pair)
            marks.append(((key, index), port.get("deprecated"), contract.get("status") if contract else None))  # type: ignore[arg-type]
    for steps, mark, status in marks:
        if isinstance(mark, bool) and age(subject, status) is not None:
            given_up = _at_least(subject, status, "deprecated")
            if mark != given_up:
                yield Said(f"`deprecated` is {str(mark).lower()}, the status is {show(status)}", (*steps, "deprecated"))
