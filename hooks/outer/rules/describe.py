"""DES, OWN: a stranger can find the product, understand it and reach somebody."""

from __future__ import annotations

from collections.abc import Iterator

from outer.product import DESCRIPTOR
from outer.rule import Change, Said, Scope, Subject, rule
from outer.yamlfile import show

CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
_PROPERTIES = ("title", "environments", "classification", "personalData", "visibility", "licence")


def _owned(subject: Subject) -> Iterator[Said]:
    if not subject.text("team", "name"):
        yield Said("no team is named", ("team",))
    if not any(m.get("role") == "owner" and m.get("username") for _, m in subject.entries("team", "members")):
        yield Said("the team has no member with the role `owner`", ("team",))


def _supported(subject: Subject) -> Iterator[Said]:
    if not any(s.get("channel") and s.get("url") for _, s in subject.entries("support")):
        yield Said("no support channel with a url is named", ("support",))


@rule(
    "OWN001",
    Scope.DESCRIPTOR,
    title="The product names its team and an owner.",
    why="Without an owner nobody answers when the data are wrong.",
    todo="Write `team` with a `name` and one member with `role: owner`.",
    bad=Change(DESCRIPTOR, "role: owner", "role: member"),
)
def owned(subject: Subject) -> Iterator[Said]:
    yield from _owned(subject)


@rule(
    "OWN002",
    Scope.DESCRIPTOR,
    title="The product names a support channel that can be reached.",
    why="A consumer with a question needs one place to ask it.",
    todo="Write `support` with a `channel` and its `url`.",
    bad=Change(DESCRIPTOR, "support:\n", "support: []\ntags:\n"),
)
def supported(subject: Subject) -> Iterator[Said]:
    yield from _supported(subject)


@rule(
    "OWN003",
    Scope.OUTPUT_CONTRACT,
    title="Every output contract names team, owner and support.",
    why="A contract is read apart from its product; who breaks it must be known from it alone.",
    todo="Write `team` with an owner and `support` with a url.",
    bad=Change(CONTRACT, "role: owner", "role: member"),
)
def contract_owned(subject: Subject) -> Iterator[Said]:
    yield from _owned(subject)
    yield from _supported(subject)


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
    known = subject.standard("product_types")
    if isinstance(known, list) and subject.text("type") not in known:
        yield Said(f"the type {show(subject.get('type'))} is none of {', '.join(known)}", ("type",))


@rule(
    "DES003",
    Scope.DESCRIPTOR,
    title="The product states title, environments, classification, personal data, visibility and licence.",
    why="Bitol ODPS has no field for them, yet nobody may use data whose terms and sensitivity are unknown.",
    todo="Add the entry under `customProperties`.",
    bad=Change(DESCRIPTOR, "property: licence", "property: license"),
)
def properties(subject: Subject) -> Iterator[Said]:
    stated = {str(entry.get("property")) for _, entry in subject.entries("customProperties")}
    for name in _PROPERTIES:
        if name not in stated:
            yield Said(f"the custom property `{name}` is missing", ("customProperties",))


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
