"""IDN, VER: names, addresses and versions.

The URN form and the rule that one major runs through product, ports and contracts come from the Data Product
Specification of Agile Lab (README, sections on identifiers and versioning).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from outer.product import DESCRIPTOR
from outer.rule import Change, Said, Scope, Subject, rule
from outer.yamlfile import show

CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
_SEMVER = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z")


def major(version: str) -> str:
    """Major of a semantic version; empty where `version` is none."""
    match = _SEMVER.match(version)
    return match.group(1) if match else ""


def _fits(subject: Subject, kind: str, name: str) -> bool:
    pattern = subject.standard("names", kind)
    return not isinstance(pattern, str) or re.fullmatch(pattern, name) is not None


@rule(
    "IDN001",
    Scope.DESCRIPTOR,
    title="The product's id is urn:dmb:dp:<domain>:<name>:<major>, made of its own domain, name and version.",
    why="The id is the address under which consumers and catalogues know the product; a wrong one points nowhere.",
    todo="Write the id from domain, name and the major of the version.",
    bad=Change(DESCRIPTOR, "id: urn:dmb:dp:aviation:", "id: urn:dmb:dp:shipping:"),
)
def product_urn(subject: Subject) -> Iterator[Said]:
    domain, name, version = (subject.text(key) for key in ("domain", "name", "version"))
    expected = f"urn:dmb:dp:{domain}:{name}:{major(version)}"
    if subject.text("id") != expected:
        yield Said(f"the id is {show(subject.get('id'))}, but should be {show(expected)}", ("id",))


@rule(
    "IDN002",
    Scope.DESCRIPTOR,
    title="Product and domain are named as the standard says.",
    why="Names become addresses, folders and tables; one pattern keeps all of them valid everywhere.",
    todo="Rename it to fit the pattern in outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "domain: aviation", "domain: Aviation"),
)
def names(subject: Subject) -> Iterator[Said]:
    for key, kind in (("name", "product"), ("domain", "domain")):
        name = subject.text(key)
        if not _fits(subject, kind, name):
            pattern = subject.standard("names", kind)
            yield Said(f"the {kind} name {show(name)} does not fit the pattern {show(pattern)}", (key,))


@rule(
    "IDN003",
    Scope.DESCRIPTOR,
    title="Ports are named as the standard says, each name and version once.",
    why="Name and version are the key of a port (ODPS); two ports under one key cannot be told apart.",
    todo="Rename the port to fit the pattern in outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "  - name: airlines", "  - name: flights"),
)
def port_names(subject: Subject) -> Iterator[Said]:
    for key in ("inputPorts", "outputPorts"):
        seen: set[tuple[str, str]] = set()
        for index, port in subject.entries(key):
            name, version = str(port.get("name")), str(port.get("version"))
            if not _fits(subject, "port", name):
                pattern = subject.standard("names", "port")
                yield Said(f"the port name {show(name)} does not fit the pattern {show(pattern)}", (key, index, "name"))
            if (name, version) in seen:
                yield Said(f"the port {show(name)} {version} stands twice", (key, index))
            seen.add((name, version))


@rule(
    "IDN004",
    Scope.OUTPUT_PORT,
    title="The contract id of an output port is urn:dmb:cmp:<domain>:<product>:<major>:<port>.",
    why="Consumers pin a contract by this id; it must lead back to the product and the port.",
    todo="Write the contractId from the product's domain, name, major and the port's name.",
    bad=Change(DESCRIPTOR, "1:carrier_punctuality", "1:punctuality"),
)
def port_urn(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    if descriptor is None:
        return
    domain, product = descriptor.get("domain"), descriptor.get("name")
    version = major(subject.text("version"))
    expected = f"urn:dmb:cmp:{domain}:{product}:{version}:{subject.text('name')}"
    if subject.text("contractId") != expected:
        yield Said(
            f"the contractId is {show(subject.get('contractId'))}, but should be {show(expected)}", ("contractId",)
        )


@rule(
    "IDN005",
    Scope.COLUMN,
    title="Columns are named as the standard says, each name once.",
    why="A column name that needs quoting, or differs only in case, breaks queries in one engine and not in another.",
    todo="Rename the column to fit the pattern in outer/standard.yaml.",
    bad=Change(CONTRACT, "- name: on_time_share_7d", "- name: onTimeShare7d"),
)
def column_names(subject: Subject) -> Iterator[Said]:
    name = subject.text("name")
    if not _fits(subject, "column", name):
        pattern = subject.standard("names", "column")
        yield Said(f"the column name {show(name)} does not fit the pattern {show(pattern)}", ("name",))
    siblings = subject.file.get(*subject.pointer[:-1]) if subject.file else None
    before = siblings[: int(subject.pointer[-1])] if isinstance(siblings, list) else []
    if any(isinstance(c, dict) and str(c.get("name")).casefold() == name.casefold() for c in before):
        yield Said(f"the column {show(name)} stands twice", ("name",))


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
            if not major(str(port.get("version"))):
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
    product, own = major(str(descriptor.get("version"))), major(subject.text("version"))
    name = subject.text("name")
    newest = max(
        (int(m) for p in descriptor.get("outputPorts") or [] if isinstance(p, dict)
         and p.get("name") == name and (m := major(str(p.get("version"))))),
        default=0,
    )  # fmt: skip
    if product and own and int(own) == newest and own != product:
        yield Said(
            f"port {show(name)} has the major {own}, the product has {product}",
            ("version",),
        )


@rule(
    "VER003",
    Scope.DESCRIPTOR,
    title="The product's status is one of the five of the standard, and not ahead of its contracts.",
    why="Who sees `active` relies on it; a contract that is still a draft may change under their feet.",
    todo="Use a status of outer/standard.yaml, and raise the contracts before the product.",
    bad=Change(DESCRIPTOR, "status: draft #", "status: active #"),
)
def product_status(subject: Subject) -> Iterator[Said]:
    statuses = subject.standard("statuses")
    if not isinstance(statuses, list):
        return
    status = subject.text("status")
    if status not in statuses:
        yield Said(f"the status {show(subject.get('status'))} is none of {', '.join(statuses)}", ("status",))
        return
    for contract in subject.product.output_contracts:
        other = contract.get("status")
        if other in statuses and statuses.index(other) < statuses.index(status) <= statuses.index("active"):
            yield Said(f"the product is {show(status)}, but {contract.path} is still {show(other)}", ("status",))


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
    statuses = subject.standard("statuses")
    if isinstance(statuses, list) and subject.text("status") not in statuses:
        yield Said(f"the status {show(subject.get('status'))} is none of {', '.join(statuses)}", ("status",))
