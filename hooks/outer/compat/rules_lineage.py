"""UPS: what the product is made from, and what became of the contracts that it has pinned."""

from __future__ import annotations

from functools import partial

from outer.compat.change import Change, show
from outer.compat.rule import Category, Grade, Way, descriptor, pin, rule

risky = partial(rule, category=Category.LINEAGE, grade=Grade.RISKY)

_PORTS = "inputPorts: [{name: customers, version: 1.0.0, contractId: c}%s]"
_RATES = ", {name: rates, version: 1.0.0, contractId: r}"
_FROM = "outputPorts: [{name: orders, version: 1.0.0, inputContracts: [{id: %s, version: 1.0.0}]}]"


@risky(
    "UPS001",
    "inputPort",
    title="An input port was added.",
    why="The product depends on one more producer, and its classification and retention follow from all inputs.",
    todo="Derive classification, personal data and service levels anew, and write the result down.",
    bad=descriptor(_PORTS % "", _PORTS % _RATES),
    good=descriptor(_PORTS % _RATES, _PORTS % ""),
)
def added(change: Change) -> str | None:
    return f"{change.label} was added" if change.old is None else None


@risky(
    "UPS002",
    "inputPort",
    title="An input port was removed.",
    why="What was made from it is made from something else, or from nothing.",
    todo="Say what the output ports are made from now.",
    bad=descriptor(_PORTS % _RATES, _PORTS % ""),
    good=descriptor(_PORTS % "", _PORTS % _RATES),
)
def removed(change: Change) -> str | None:
    return f"{change.label} was removed" if change.new is None else None


@risky(
    "UPS003",
    "pin.weaker",
    title="The pinned contract of an input port promises less than before.",
    why="The producer has broken something that this product may rely on.",
    todo="Test the inner against data of the new version; promise to your own readers only what still holds.",
    bad=pin("version: 1.0.0", "version: 2.0.0\nschema: [{name: customers, properties: [{name: key}]}]"),
    good=pin("version: 1.0.0", "version: 1.1.0\ntags: [x]"),
    way=Way.WEAKER,
)
def weaker(change: Change) -> str | None:
    return f"the contract of {change.label} promises less ({change.old} to {change.new}): {_listed(change)}"


@partial(rule, category=Category.LINEAGE, grade=Grade.DESCRIPTIVE)(
    "UPS004",
    "pin.stronger",
    title="The pinned contract of an input port changed, and promises as much as before or more.",
    why="Nothing that this product relies on is gone; only producers of older versions cannot keep it.",
    todo="Nothing.",
    bad=pin("version: 1.0.0", "version: 1.1.0\ntags: [x]"),
    good=pin("version: 1.0.0", "version: 2.0.0\nschema: [{name: customers, properties: [{name: key}]}]"),
    way=Way.STRONGER,
)
def stronger(change: Change) -> str | None:
    return f"the contract of {change.label} promises as much or more ({change.old} to {change.new}): {_listed(change)}"


def _listed(change: Change) -> str:
    said = change.scene.pinned
    more = f" and {len(said) - 3} more" if len(said) > 3 else ""
    return "; ".join(said[:3]) + more if said else "nothing but the version"


@partial(rule, category=Category.LINEAGE, grade=Grade.FORBIDDEN)(
    "UPS005",
    "pin.edited",
    title="A pinned contract changed, and its version did not.",
    why="It is the producer's; an edited copy expects what nobody promised.",
    todo="Take the contract from the producer as it is, with `outer pull` or by copying the file.",
    bad=pin("tags: [a]", "tags: [b]"),
    good=pin("tags: [a]", "tags: [b]\nversion: 1.0.1"),
)
def edited(change: Change) -> str | None:
    return f"the contract of {change.label} was edited under the version {change.new}: {_listed(change)}"


@risky(
    "UPS006",
    "inputPort.contractId",
    "lineage",
    title="A port is made from another contract.",
    why="The same name holds data from another source.",
    todo="Say whether the data still mean the same; if not, it is breaking.",
    bad=descriptor(_FROM % "c", _FROM % "r"),
    good=descriptor(_PORTS % "", _PORTS % _RATES),
)
def other_source(change: Change) -> str | None:
    if change.clause == "lineage":
        return f"{change.around.label} is {'no longer' if change.new is None else 'now'} made from {show(change.name)}"
    return f"{change.label} takes its data from {show(change.new)}, before from {show(change.old)}"


@risky(
    "UPS007",
    "pin.closed",
    title="The producer of an input port closed its data: classification, personal data, region or legal basis.",
    why="What this product makes from them may have to be closed as well.",
    todo="Derive classification, personal data and retention anew, and write the result down.",
    bad=pin(
        "version: 1.0.0",
        "version: 1.1.0\nschema: [{name: customers, properties: [{name: id, classification: restricted}]}]",
    ),
    good=pin("version: 1.0.0", "version: 1.1.0\ntags: [x]"),
)
def closed(change: Change) -> str | None:
    return f"the contract of {change.label} is more closed: {_listed(change)}"
