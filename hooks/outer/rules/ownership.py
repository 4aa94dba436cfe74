"""OWN: somebody answers for it, and can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outer.finding import Level
from outer.product import DESCRIPTOR
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, at, filled, mappings, promises
from outer.waivers import day
from outer.yamlfile import show

ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+\Z")
"""A plausible e-mail address: one that mail programs accept without quoting."""


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
    "OWN004",
    Scope.PRODUCT,
    title="An owner is named by an e-mail address.",
    why="A login of one system reaches nobody from another; an address with a slip in it reaches nobody at all.",
    todo="Write one plain address as `username` of the owner, best that of the team.",
    bad=Change(DESCRIPTOR, 'username: "aviation-data@example.com"', "username: aviation-data"),
)
def reachable(subject: Subject) -> Iterator[Said]:
    for file in promises(subject.product):
        for index, member in mappings(file.get("team", "members")):
            name = member.get("username")
            if member.get("role") == "owner" and name and not ADDRESS.match(str(name)):
                message = f"the owner {show(name)} is not an e-mail address"
                yield at(file, message, "team", "members", index, "username")


@rule(
    "OWN005",
    Scope.OUTPUT_CONTRACT,
    title="A contract and its product name the same team and owner.",
    why="Two names for one responsibility are none: each will point at the other.",
    todo="Write team and owner of the descriptor into the contract.",
    bad=Change(CONTRACT, "team:\n  name: aviation-data", "team:\n  name: shipping-data"),
    level=Level.WARNING,
)
def same_team(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    if descriptor is None:
        return
    wanted = descriptor.get("team", "name")
    if subject.get("team", "name") != wanted:
        yield Said(
            f"the team is {show(subject.get('team', 'name'))}, that of the product is {show(wanted)}", ("team", "name")
        )
    owners = {filled(m.get("username")) for _, m in mappings(descriptor.get("team", "members")) if _owns(m)}
    for index, member in subject.entries("team", "members"):
        if _owns(member) and owners and filled(member.get("username")) not in owners:
            message = f"the owner {show(member.get('username'))} is none of the product"
            yield Said(message, ("team", "members", index, "username"))


@rule(
    "OWN006",
    Scope.PRODUCT,
    title="The owner has joined the team and has not left it.",
    why="Who has left answers no question and approves no access.",
    todo="Name the person who took over (`replacedByUsername` may say so), or correct `dateIn` and `dateOut`.",
    bad=Change(DESCRIPTOR, "role: owner", 'role: owner\n      dateOut: "2020-01-31"'),
)
def present(subject: Subject) -> Iterator[Said]:
    for file in promises(subject.product):
        owners = [(i, m) for i, m in mappings(file.get("team", "members")) if _owns(m)]
        away = [(index, reason) for index, member in owners if (reason := _away(member, subject))]
        # One who is there is enough: the others are the history that ODCS asks for.
        if len(away) == len(owners):
            for index, reason in away:
                yield at(file, reason, "team", "members", index)


def _away(member: object, subject: Subject) -> str:
    if not isinstance(member, dict):
        return ""
    came, went = day(member.get("dateIn")), day(member.get("dateOut"))
    if came and came > subject.as_of:
        return f"the owner joins on {came}, and there is no other"
    if went and went < subject.as_of:
        return f"the owner left on {went}, and there is no other"
    return ""


def _owns(member: object) -> bool:
    return isinstance(member, dict) and member.get("role") == "owner"
