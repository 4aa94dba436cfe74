"""DES: a stranger can find the product and understand it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outer.product import DESCRIPTOR, File
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, at, columns, filled, listed, output_port, promises, words
from outer.yamlfile import Pointer, show

PENDING = "The team still has to say"
"""Begins every text that `outer add` puts where only the team knows what to write."""

_PROPERTIES = ("title", "environments", "classification", "personalData", "visibility", "licence")
_PLACEHOLDER = re.compile(
    r"\W*(to ?do|tbd|tba|fix ?me|xxx+|lorem ipsum.*|to be (done|defined|described|added|completed)"
    r"|(add |insert |your )?(a )?(description|text|purpose)( goes)?( here)?|no description|n/?a|change ?me)\W*",
    re.IGNORECASE | re.DOTALL,
)
_TEXTS = frozenset({"description", "purpose", "usage", "limitations", "dataGranularityDescription", "businessName"})


@rule(
    "DES001",
    Scope.DESCRIPTOR,
    title="The product says what it is for, how to use it and what it is not fit for.",
    why="Whoever finds it must be able to decide, without a meeting, whether it answers their question.",
    todo="Write `description` with `purpose`, `usage` and `limitations`.",
    bad=Change(DESCRIPTOR, "  limitations: ", "  customProperties: []\n  # "),
)
def described(subject: Subject) -> Iterator[Said]:
    for key in ("purpose", "usage", "limitations"):
        if not subject.text("description", key):
            yield Said(f"the description has no `{key}`", ("description",))


@rule(
    "DES002",
    Scope.DESCRIPTOR,
    title="The product's type is one of the standard.",
    why="Source-aligned, aggregate or consumer-aligned tells how far the data are from their source.",
    todo="Use a type of outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "type: consumerAligned", "type: dashboard"),
)
def typed(subject: Subject) -> Iterator[Said]:
    known = words(subject, "product_types")
    if known and subject.text("type") not in known:
        yield Said(f"the type {show(subject.get('type'))} is none of {listed(known)}", ("type",))


@rule(
    "DES003",
    Scope.DESCRIPTOR,
    title="The product states title, environments, classification, personal data, visibility and licence.",
    why="Bitol ODPS has no field for them, yet nobody may use data whose terms and sensitivity are unknown.",
    todo="Add the entry under `customProperties`.",
    bad=Change(DESCRIPTOR, "property: licence", "property: license"),
)
def properties(subject: Subject) -> Iterator[Said]:
    entries = subject.entries("customProperties")
    stated = {str(entry.get("property")): entry.get("value") for _, entry in entries}
    for name in _PROPERTIES:
        if stated.get(name) in (None, ""):
            yield Said(f"the custom property `{name}` is missing", ("customProperties",))
    if stated.get("title") and not filled(stated["title"]):
        yield Said(f"the title is {show(stated['title'])}, not text", ("customProperties",))


@rule(
    "DES004",
    Scope.DESCRIPTOR,
    title="The product has a management port for discovery and one for observation.",
    why="Catalogues and monitors look there; without them the product exists for its own team only.",
    todo="Add management ports with `content: discoverability` and `content: observability`.",
    bad=Change(DESCRIPTOR, "content: observability", "content: control"),
)
def managed(subject: Subject) -> Iterator[Said]:
    contents = {str(port.get("content")) for _, port in subject.entries("managementPorts")}
    for content in ("discoverability", "observability"):
        if content not in contents:
            yield Said(f"no management port has the content `{content}`", ("managementPorts",))


@rule(
    "DES005",
    Scope.CONTRACT,
    title="A contract says what the data are for, how to use them and what they are not fit for.",
    why="It is the only text that reaches every consumer, person or agent.",
    todo="Write `description` with `purpose`, `usage` and `limitations`.",
    bad=Change(CONTRACT, "  limitations: ", "  customProperties: []\n  # "),
)
def contract_described(subject: Subject) -> Iterator[Said]:
    for key in ("purpose", "usage", "limitations"):
        if not subject.text("description", key):
            yield Said(f"the description has no `{key}`", ("description",))


@rule(
    "DES006",
    Scope.DESCRIPTOR,
    title="The environments of the product are those of the standard, each once, and `local` is among them.",
    why="Servers, runs and access go by these names; without `local` nobody can try the product on their machine.",
    todo="List `local` and environments of outer/standard.yaml in the custom property `environments`.",
    bad=Change(DESCRIPTOR, "value: [local, dev, prod]", "value: [local, dev, production]"),
)
def environments(subject: Subject) -> Iterator[Said]:
    known = words(subject, "environments")
    for index, entry in subject.entries("customProperties"):
        value = entry.get("value")
        if entry.get("property") != "environments":
            continue
        place = ("customProperties", index, "value")
        if not isinstance(value, list) or not value:
            yield Said(f"the environments {show(value)} are not a list of names", place)
            continue
        for position, name in enumerate(value):
            if known and name not in known:
                yield Said(f"the environment {show(name)} is none of {listed(known)}", (*place, position))
            elif name in value[:position]:
                yield Said(f"the environment {show(name)} stands twice", (*place, position))
        if "local" not in value:
            yield Said("the environment `local` is missing", place)


@rule(
    "DES007",
    Scope.DESCRIPTOR,
    title="Every output and management port says in a sentence what it offers.",
    why="A name alone does not tell whether this is the port that a reader looks for.",
    todo="Write `description` for the port.",
    bad=Change(DESCRIPTOR, "    description: OpenLineage events", "    # OpenLineage events"),
)
def ports_described(subject: Subject) -> Iterator[Said]:
    for key in ("outputPorts", "managementPorts"):
        for index, port in subject.entries(key):
            if not filled(port.get("description")):
                yield Said(f"port {show(port.get('name'))} has no description", (key, index))


@rule(
    "DES008",
    Scope.PRODUCT,
    title="No description is a placeholder or a repetition of the name.",
    why="It counts as described, and says nothing; people and agents guess the rest.",
    todo="Write what a stranger needs to know.",
    bad=Change(CONTRACT, "description: Flights scheduled on the day, each counted once.", "description: TODO"),
)
def meant(subject: Subject) -> Iterator[Said]:
    drafts = _draft_ports(subject)
    for file in promises(subject.product):
        active = _active(file)
        for pointer in file.document.places:
            if pointer and pointer[-1] in _TEXTS:
                text = filled(file.get(*pointer))
                if text.startswith(PENDING):
                    if active and not (file is subject.product.descriptor and pointer[:2] in drafts):
                        message = f"the {pointer[-1]} is still to be written, the status is {show(file.get('status'))}"
                        yield at(file, message, *pointer)
                # Long texts are no placeholders, and short ones keep the search short.
                elif text and len(text) <= 200 and _PLACEHOLDER.fullmatch(text):
                    yield at(file, f"the {pointer[-1]} {show(text)} is a placeholder", *pointer)
    for file in subject.product.output_contracts:
        for place, column in columns(file):
            name, text = filled(column.get("name")), filled(column.get("description"))
            if name and len(text) <= 2 * len(name) + 10 and _letters(text) == _letters(name):
                yield at(file, f"the description of column {show(name)} only repeats its name", *place, "description")


def _active(file: File) -> bool:
    return bool(file.get("status") == "active")


def _draft_ports(subject: Subject) -> frozenset[Pointer]:
    """Output ports whose contract is not in force yet: `outer add` puts them into an active product too."""
    contracts = [file for file in subject.product.output_contracts if file.get("status") in ("proposed", "draft")]
    found = (output_port(subject.product, file) for file in contracts)
    return frozenset(("outputPorts", port[0]) for port in found if port)


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


@rule(
    "DES009",
    Scope.CONTRACT,
    title="The table of a contract is described, and so is what one row stands for.",
    why="Whoever does not know what a row is counts or joins wrongly, and nothing fails.",
    todo="Write `description` and `dataGranularityDescription` of the schema object.",
    bad=Change(CONTRACT, "    dataGranularityDescription: One row per flight_date and carrier.\n", ""),
)
def table_described(subject: Subject) -> Iterator[Said]:
    for index, table in subject.entries("schema"):
        for key in ("description", "dataGranularityDescription"):
            if not filled(table.get(key)):
                yield Said(f"the table has no `{key}`", ("schema", index))
