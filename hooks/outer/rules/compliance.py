"""PRV: how sensitive the data are, whom they are about, under which terms they are used.

What the law asks for is the General Data Protection Regulation (EU) 2016/679; the articles stand beside the rules.
A column is marked by the custom property `personalData`, which is also how descriptor and contracts say it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from outer.finding import Level
from outer.product import DESCRIPTOR, File, custom
from outer.quality import Unknown
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import (
    CONTRACT,
    FLIGHTS,
    columns,
    filled,
    listed,
    mappings,
    output_port,
    pinned,
    rank,
    ranks,
    stated,
    words,
)
from outer.servicelevel import allowed_age, in_rows
from outer.yamlfile import Pointer, show

_PERSONAL = "classification: internal\n        required: true\n        logicalTypeOptions: {minLength: 1}"
_MARKED = (
    "classification: internal\n        customProperties: [{property: personalData, value: true}]\n"
    "        required: true"
)
_SHARE_ALIKE = ("ODbL-1.0", "CC-BY-SA-4.0")


def _marked(column: Mapping[str, Any]) -> bool:
    return stated(column, "personalData") is True


def _personal(file: File | None) -> bool:
    return custom(file, "personalData") is True


@rule(
    "PRV001",
    Scope.DESCRIPTOR,
    title="Classification, visibility and licence of the product are those of the standard.",
    why="They decide who may see and use the data; a word of one's own is understood by nobody.",
    todo="Use a value of outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "property: visibility, value: organisation", "property: visibility, value: friends"),
)
def terms(subject: Subject) -> Iterator[Said]:
    lists = {"classification": "classifications", "visibility": "visibilities", "licence": "licences"}
    for index, entry in subject.entries("customProperties"):
        known = words(subject, lists.get(str(entry.get("property")), "-"))
        if known and entry.get("value") not in known:
            yield Said(
                f"the {entry.get('property')} {show(entry.get('value'))} is none of {listed(known)}",
                ("customProperties", index),
            )


@rule(
    "PRV002",
    Scope.DESCRIPTOR,
    title="Whether the product holds personal data is said as true or false, and if it does, it is confidential.",
    why="Personal data in the open harm the people whom they are about, and the law calls it a breach.",
    todo="Raise the classification to the one that outer/standard.yaml asks for.",
    bad=Change(DESCRIPTOR, "property: personalData, value: false", "property: personalData, value: true"),
)
def personal(subject: Subject) -> Iterator[Said]:
    entries = {str(e.get("property")): (index, e.get("value")) for index, e in subject.entries("customProperties")}
    index, value = entries.get("personalData", (0, None))
    if "personalData" in entries and not isinstance(value, bool):
        yield Said(f"personalData is {show(value)}, not true or false", ("customProperties", index))
    least = rank(subject, subject.standard("personal_data", "at_least"))
    place, classification = entries.get("classification", (0, None))
    own = rank(subject, classification)
    if value is True and least is not None and own is not None and own < least:
        yield Said(f"it holds personal data, but is classified as {show(classification)}", ("customProperties", place))


@rule(
    "PRV003",
    Scope.OUTPUT_CONTRACT,
    title="No column is more closed than the product, and personal data and licence are said as in the descriptor.",
    why="Access is granted by the product's classification; a column above it would be shown to the wrong people.",
    todo="Raise the product's classification, or make contract and descriptor say the same. In a product of several "
    "ports the contracts of ports without personal data may say false.",
    bad=Change(CONTRACT, "classification: internal", "classification: restricted"),
)
def consistent(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    known = ranks(subject)
    own = known.get(str(custom(descriptor, "classification")))
    for place, column in columns(subject.file):
        found = known.get(str(column.get("classification")))
        if own is not None and found is not None and found > own:
            yield Said(
                f"column {show(column.get('name'))} is {show(column.get('classification'))}, "
                f"the product only {show(custom(descriptor, 'classification'))}",
                (*place, "classification"),
            )
    others = [custom(file, "personalData") for file in subject.product.output_contracts]
    for name in ("personalData", "licence"):
        wanted, here = custom(descriptor, name), custom(subject.file, name)
        elsewhere = name == "personalData" and wanted is True and here is False and True in others
        if wanted is not None and here != wanted and not elsewhere:
            yield Said(f"`{name}` is {show(here)} here, and {show(wanted)} in the descriptor", ("customProperties",))


@rule(
    "PRV004",
    Scope.OUTPUT_CONTRACT,
    title="A contract with personal data marks the columns that hold them, and no other contract does.",
    why="Masking, deletion and requests of the people concerned (GDPR, articles 15 to 17) work column by column.",
    todo="Mark each such column: customProperties: [{property: personalData, value: true}].",
    bad=Change(CONTRACT, _PERSONAL, _MARKED),
)
def marks(subject: Subject) -> Iterator[Said]:
    found = [(place, column) for place, column in columns(subject.file) if _marked(column)]
    if _personal(subject.file) and not found:
        yield Said("the contract holds personal data, but no column is marked", ("schema",))
    for place, column in found if custom(subject.file, "personalData") is False else ():
        message = f"column {show(column.get('name'))} holds personal data, the contract says that it holds none"
        yield Said(message, (*place, "customProperties"))


@rule(
    "PRV005",
    Scope.OUTPUT_CONTRACT,
    title="Personal columns are encrypted, or every role that reads them is granted by somebody who is named.",
    why="Who may see personal data is a decision for each person and purpose (GDPR, articles 25 and 32).",
    todo="Name the approver (`firstLevelApprovers`) of each role, or give the column an `encryptedName`.",
    bad=Change(CONTRACT, _PERSONAL, _MARKED),
)
def protected(subject: Subject) -> Iterator[Said]:
    open_columns = [c for _, c in columns(subject.file) if _marked(c) and not filled(c.get("encryptedName"))]
    if not open_columns:
        return
    for index, entry in subject.entries("roles"):
        if entry.get("access") != "write" and not filled(entry.get("firstLevelApprovers")):
            yield Said(
                f"role {show(entry.get('role'))} reads column {show(open_columns[0].get('name'))}, but nobody is "
                "named who grants it",
                ("roles", index),
            )


@rule(
    "PRV006",
    Scope.OUTPUT_CONTRACT,
    title="Personal data are kept no longer than the standard allows.",
    why="Personal data are kept no longer than their purpose needs (GDPR, article 5(1)(e)).",
    todo="Shorten the service level `retention`, or let the platform team decide on the limit in the standard.",
    bad=Change(
        "outer/contracts/output/passengers.v1.odcs.yaml",
        new="apiVersion: v3.1.0\nkind: DataContract\nid: urn:dmb:cmp:aviation:flight-punctuality:1:passengers\n"
        "name: passengers\nversion: 1.0.0\nstatus: draft\nslaProperties:\n"
        "  - {property: retention, value: 30, unit: y}\n"
        "customProperties:\n  - {property: personalData, value: true}\n",
    ),
)
def kept(subject: Subject) -> Iterator[Said]:
    longest = subject.standard("personal_data", "longest_retention_days")
    if not _personal(subject.file) or not isinstance(longest, int):
        return
    levels = [(i, e) for i, e in subject.entries("slaProperties") if e.get("property") in ("retention", "re")]
    spans = [(index, entry) for index, entry in levels if not in_rows(entry)]  # rows have no age
    if not spans:
        yield Said("it is not said how long the personal data are kept", ("slaProperties",))
    for index, entry in spans:
        try:
            span = allowed_age(entry)
        except Unknown:  # INO013 says so
            continue
        if span > timedelta(days=longest):
            yield Said(f"personal data are kept for {span.days} days, allowed are {longest}", ("slaProperties", index))


@rule(
    "PRV007",
    Scope.DESCRIPTOR,
    title="A product with personal data names the legal basis on which it processes them.",
    why="Without one of the six grounds of GDPR, article 6(1), the processing is unlawful, whatever its use.",
    todo="State the custom property `legalBasis`, one that outer/standard.yaml names, and let the data protection "
    "officer confirm it.",
    bad=Change(DESCRIPTOR, "property: personalData, value: false", "property: personalData, value: true"),
)
def lawful(subject: Subject) -> Iterator[Said]:
    if not _personal(subject.file):
        return
    known = words(subject, "personal_data", "legal_bases")
    for index, entry in subject.entries("customProperties"):
        if entry.get("property") == "legalBasis":
            if entry.get("value") not in known:
                yield Said(f"the legal basis {show(entry.get('value'))} is none of {listed(known)}",
                           ("customProperties", index))  # fmt: skip
            return
    yield Said("it holds personal data, but no `legalBasis` is stated", ("customProperties",))


@rule(
    "PRV008",
    Scope.CONTRACT,
    title="A column whose name gives personal data away says whether it holds them.",
    why="Personal data that nobody declared are found by the authority, or by whoever should not have them.",
    todo="Mark the column: customProperties: [{property: personalData, value: true}], or false where it holds none.",
    bad=Change(CONTRACT, "- name: cancelled", "- name: passenger_email"),
    level=Level.WARNING,
)
def undeclared(subject: Subject) -> Iterator[Said]:
    telling = frozenset(words(subject, "personal_data", "column_names"))
    parts = frozenset(part for name in telling for part in name.split("_"))
    for place, column in columns(subject.file):
        spelt = _spelt(str(column.get("name"))[:200])
        # Nearly every name ends here.
        if parts.isdisjoint(spelt) or stated(column, "personalData") in (True, False):
            continue
        if any("_".join(spelt[i : i + n]) in telling for n in (1, 2, 3) for i in range(len(spelt))):
            yield Said(f"the name of column {show(column.get('name'))} sounds like personal data", place)


def _spelt(name: str) -> list[str]:
    """The words of a name: contactEmail and contact_email are the same."""
    if not name.islower():
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.split(r"[^a-z0-9]+", name)


@rule(
    "PRV009",
    Scope.OUTPUT_CONTRACT,
    title="A column that holds personal data is classified at least as the standard asks for.",
    why="Tools mask by the classification of the column; an open column is shown, whatever the product says.",
    todo="Raise the classification of the column.",
    bad=Change(CONTRACT, _PERSONAL, _MARKED),
)
def closed(subject: Subject) -> Iterator[Said]:
    known = ranks(subject)
    least = known.get(str(subject.standard("personal_data", "at_least")))
    for place, column in columns(subject.file):
        own = known.get(str(column.get("classification")))
        if least is not None and own is not None and own < least and _marked(column):
            yield Said(
                f"column {show(column.get('name'))} holds personal data and is {show(column.get('classification'))}",
                (*place, "classification"),
            )


@rule(
    "PRV010",
    Scope.OUTPUT_CONTRACT,
    title="What is made from personal data is personal data, or the contract says how they were removed.",
    why="Dropping the name does not make data anonymous (GDPR, recital 26); somebody must have thought about it.",
    todo="Say personalData: true, or state the custom property `personalDataRemoved`: how, in one sentence.",
    bad=Change(FLIGHTS, "property: personalData, value: false", "property: personalData, value: true"),
)
def inherited(subject: Subject) -> Iterator[Said]:
    port = output_port(subject.product, subject.file)
    if port is None or _personal(subject.file) or filled(custom(subject.file, "personalDataRemoved")):
        return
    used = {(e.get("id"), e.get("version")) for _, e in mappings(port[1].get("inputContracts"))
            if isinstance(e.get("id"), str) and isinstance(e.get("version"), str)}  # fmt: skip
    for contract in subject.product.input_contracts:
        if _personal(contract) and (filled(contract.get("id")), filled(contract.get("version"))) in used:
            yield Said(
                f"it is made from {show(contract.path, 200)}, which holds personal data, and says that it holds none",
                ("customProperties",),
            )


@rule(
    "PRV011",
    Scope.OUTPUT_CONTRACT,
    title="A column that holds personal data shows no examples.",
    why="A contract is public within the organisation; an example that was taken from the data is a disclosure.",
    todo="Remove `examples`, and describe the form of the value by `pattern` or in words.",
    bad=Change(
        CONTRACT,
        "logicalTypeOptions: {pattern:",
        "customProperties: [{property: personalData, value: true}]\n        logicalTypeOptions: {pattern:",
    ),
    level=Level.WARNING,
)
def unexposed(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        if _marked(column) and column.get("examples"):
            yield Said(f"column {show(column.get('name'))} holds personal data and shows examples",
                       (*place, "examples"))  # fmt: skip


@rule(
    "PRV012",
    Scope.INPUT_PORT,
    title="The sample of an input with personal data is made up.",
    why="Samples lie in git, are copied to every machine and stay in its history for ever.",
    todo="Replace the sample by invented rows, and state the custom property `syntheticSample: true` in the contract.",
    bad=Change(FLIGHTS, "property: personalData, value: false", "property: personalData, value: true"),
    level=Level.WARNING,
)
def invented(subject: Subject) -> Iterator[Said]:
    contract = pinned(subject)
    if contract is None or not _personal(contract) or custom(contract, "syntheticSample") is True:
        return
    for _, server in mappings(contract.get("servers")):
        if filled(server.get("path")).startswith("outer/samples/"):
            yield Said(f"{show(contract.path, 200)} holds personal data, and its sample lies in git", ("contractId",))


@rule(
    "PRV013",
    Scope.DESCRIPTOR,
    title="Only data of the most open classification are visible to everyone.",
    why="Who can find it will ask for it, or take it; what is not public has no business in public.",
    todo="Lower the visibility; raise nothing that is not yours to open.",
    bad=Change(DESCRIPTOR, "property: visibility, value: organisation", "property: visibility, value: public"),
)
def visible(subject: Subject) -> Iterator[Said]:
    visibilities, own = words(subject, "visibilities"), custom(subject.file, "classification")
    for index, entry in subject.entries("customProperties"):
        everyone = bool(visibilities) and entry.get("value") == visibilities[-1]
        if entry.get("property") == "visibility" and everyone and rank(subject, own) != 0:
            yield Said(f"it is visible to everyone, but classified as {show(own)}", ("customProperties", index))


@rule(
    "PRV014",
    Scope.INPUT_PORT,
    title="The licence of the product is one that the licences of its inputs allow.",
    why="Nobody can give away more than they were given; a licence that is broken ends.",
    todo="Use the licence of the input, or take the data from another source; ask the producer when in doubt.",
    bad=Change(FLIGHTS, "property: licence, value: CC0-1.0", "property: licence, value: ODbL-1.0"),
    level=Level.WARNING,
)
def licensed(subject: Subject) -> Iterator[Said]:
    contract = pinned(subject)
    given, own = custom(contract, "licence"), custom(subject.product.descriptor, "licence")
    if contract is None or not isinstance(own, str):
        return
    place: Pointer = ("contractId",)
    path = show(contract.path, 200)
    if given in _SHARE_ALIKE and own != given:
        message = f"{path} is under {show(given)}, which what is made from it must keep; the product has {show(own)}"
        yield Said(message, place)
    elif given == "proprietary" and own != given:
        yield Said(f"{path} is proprietary, the product is given to everyone under {show(own)}", place)


@rule(
    "PRV015",
    Scope.INPUT_PORT,
    title="A pinned contract says whether it holds personal data, and under which licence it is given.",
    why="Whoever does not know what comes in cannot say what goes out.",
    todo="Ask the producer, and state the custom properties `personalData` (true or false) and `licence`.",
    bad=Change(FLIGHTS, "  - {property: personalData, value: false}\n", ""),
)
def known_terms(subject: Subject) -> Iterator[Said]:
    contract = pinned(subject)
    if contract is None:
        return
    if not isinstance(custom(contract, "personalData"), bool):
        yield Said(f"{show(contract.path, 200)} does not say whether it holds personal data", ("contractId",))
    if not filled(custom(contract, "licence")):
        yield Said(f"{show(contract.path, 200)} does not say under which licence it is given", ("contractId",))
