"""REF: everything that is named exists, and once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from outer.product import DESCRIPTOR, File
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.ownership import ADDRESS
from outer.rules.reading import CONTRACT, at, major, mappings, ports, promises, unread
from outer.yamlfile import show


def _resolves(subject: Subject, contracts: tuple[File, ...], folder: str) -> Iterator[Said]:
    wanted, version = subject.text("contractId"), subject.text("version")
    same = [file for file in contracts if file.get("id") == wanted]
    if not any(file.get("version") == version for file in same) and unread(subject.product, folder):
        return
    if not wanted or not same:
        yield Said(f"no contract in {folder}/ has the id {show(subject.get('contractId'))}", ("contractId",))
        return
    if all(file.get("version") != version for file in same):
        found = ", ".join(sorted(show(file.get("version")) for file in same))
        yield Said(f"the port has version {show(version)}, its contract has {found}", ("version",))


@rule(
    "REF001",
    Scope.OUTPUT_PORT,
    title="Every output port has a contract of the same id and version.",
    why="A port without its contract promises nothing; one with another version promises something else.",
    todo="Make `contractId` and `version` of port and contract equal.",
    bad=Change(CONTRACT, "version: 1.0.0", "version: 1.1.0"),
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
    inputs = {(str(p.get("contractId")), str(p.get("version"))) for _, p in ports(subject.product, "inputPorts")}
    named = list(subject.entries("inputContracts"))
    if inputs and not named:
        yield Said("the port names none of the input ports that it is made from", ("inputContracts",))
    for index, entry in named:
        if (str(entry.get("id")), str(entry.get("version"))) not in inputs:
            yield Said(
                f"{show(entry.get('id'))} {show(entry.get('version'))} is the contract of no input port",
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
    if subject.product.descriptor is None or subject.file is None:
        return
    key = "outputPorts" if subject.file in subject.product.output_contracts else "inputPorts"
    used = {str(port.get("contractId")) for _, port in ports(subject.product, key)}
    if str(subject.get("id")) not in used:
        yield Said(f"no port has the contractId {show(subject.get('id'))}", ("id",))


@rule(
    "REF005",
    Scope.CONTRACT,
    title="A contract lies in <name>.v<major>.odcs.yaml, and no two contracts have the same id and version.",
    why="People find the contract by its file name; tools take the first match for an id.",
    todo="Rename the file, or give the contract its own id.",
    bad=Change(CONTRACT, "name: carrier_punctuality\nversion", "name: punctuality\nversion"),
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
        yield Said(f"{show(twins[0], 200)} has the same id and version", ("id",))


_KEYS: Mapping[str, tuple[str, ...]] = {
    "authoritativeDefinitions": ("type", "url"),
    "customProperties": ("property",),
    "inputContracts": ("id", "version"),
    "members": ("username", "role"),
    "quality": ("name",),
    "relationships": ("from", "to"),
    "roles": ("role",),
    "sbom": ("url",),
    "schema": ("name",),
    "servers": ("server",),
    "slaProperties": ("property", "element"),
    "storage": ("name",),
    "support": ("channel", "url"),
    "synonyms": ("synonym",),
}
"""Lists of Bitol ODPS and ODCS and of inner.yaml: what tells their entries apart."""


@rule(
    "REF006",
    Scope.PRODUCT,
    title="No entry of a list stands twice: no custom property, service level, server, role, quality rule, tag or id.",
    why="One reader takes the first, another the last; whoever changes one of the two believes to have changed it.",
    todo="Keep one of the two, or give each its own name.",
    bad=Change(CONTRACT, "slaProperties:\n", "slaProperties:\n  - {property: freshness, value: 1, unit: h}\n"),
)
def once(subject: Subject) -> Iterator[Said]:
    product = subject.product
    for file in (*promises(product), *product.input_contracts, *([product.inner] if product.inner else [])):
        for pointer in file.document.places:
            name = pointer[-1] if pointer else None
            if name == "tags":
                yield from _tags(file, pointer)
            elif isinstance(name, str) and name in _KEYS:
                yield from _twice(file, pointer, _KEYS[name], name)


def _twice(file: File, pointer: tuple[str | int, ...], keys: tuple[str, ...], name: str) -> Iterator[Said]:
    seen: set[str] = set()
    ids: set[str] = set()
    for index, entry in mappings(file.get(*pointer)):
        values = [entry.get(key) for key in keys]
        key, own = repr(values), entry.get("id")
        if key in seen and any(value is not None for value in values):
            shown = " ".join(str(value) for value in values if value is not None)
            yield at(file, f"{show(shown)} stands twice in `{name}`", *pointer, index)
        if name != "inputContracts" and isinstance(own, str):
            if own in ids:
                yield at(file, f"the id {show(own)} stands twice in `{name}`", *pointer, index, "id")
            ids.add(own)
        seen.add(key)


def _tags(file: File, pointer: tuple[str | int, ...]) -> Iterator[Said]:
    seen: set[str] = set()
    tags = file.get(*pointer)
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        name = tag.strip().casefold() if isinstance(tag, str) else ""
        if not name or name in seen:
            what = "stands twice" if name else "is empty or no text"
            yield at(file, f"the tag {show(tag)} {what}", *pointer, index)
        seen.add(name)


_SCHEMES = ("https", "http", "mailto", "tel", "sip", "slack", "msteams", "xmpp", "irc", "s3", "gs", "abfss", "sftp")
_URL = re.compile(r"([a-z][a-z0-9+.-]*):(//[^\s/?#]+)?(\S*)\Z")
_LINKS = ("url", "invitationUrl")


@rule(
    "REF007",
    Scope.PRODUCT,
    title="Every url is a whole address: a scheme that people can follow, and what comes after it.",
    why="A relative or broken address leads nowhere from a catalogue; one of another scheme may run something.",
    todo=f"Write the address in full. Schemes: {', '.join(_SCHEMES)}.",
    bad=Change(DESCRIPTOR, 'url: "mailto:aviation-data@example.com"', "url: aviation-data@example.com"),
)
def addresses(subject: Subject) -> Iterator[Said]:
    for file in promises(subject.product):
        for pointer in file.document.places:
            if pointer and pointer[-1] in _LINKS:
                url = file.get(*pointer)
                if not _whole(url):
                    yield at(file, f"{show(url)} is no whole address", *pointer)


def _whole(url: object) -> bool:
    match = _URL.match(url) if isinstance(url, str) and len(url) <= 2000 else None
    if match is None or match[1] not in _SCHEMES:
        return False
    if match[1] == "mailto":
        return not match[2] and ADDRESS.match(match[3].split("?")[0]) is not None
    if match[1] in ("tel", "sip", "xmpp", "slack", "msteams", "irc"):
        return bool(match[2] or match[3])
    return bool(match[2])
