"""SEM: what the values mean. A machine sees that the words changed; a person must say whether the meaning did."""

from __future__ import annotations

from functools import partial

from outer.compat.change import Change, show
from outer.compat.grammar import names
from outer.compat.rule import Category, Grade, Way, column, contract, rule, table
from outer.compat.rules_access import marked, owner, unmarked
from outer.compat.rules_delivery import personal_tags
from outer.compat.rules_quality import less_often, more_often, rewritten
from outer.compat.rules_schema import enum_extended, enum_narrowed, enum_widened, unreserved

risky = partial(rule, category=Category.SEMANTICS, grade=Grade.RISKY)
descriptive = partial(rule, category=Category.SEMANTICS, grade=Grade.DESCRIPTIVE)

_DESCRIBED = (
    "column.description", "table.description", "table.dataGranularityDescription", "outputPort.description",
)  # fmt: skip
_BUSINESS = ("column.businessName", "table.businessName", "column.semanticType", "table.semanticType")
_LOGIC = ("column.transformLogic", "column.transformSourceObjects", "column.transformDescription")
_DECIDE = "Say whether the same data still mean the same; if not, it is breaking."


def _turned(change: Change) -> str:
    return f"`{change.key}` of {change.label} changed from {show(change.old)} to {show(change.new)}"


def _changed(change: Change) -> str | None:
    return _turned(change) if change.old is not None else None


@risky(
    "SEM001",
    *_DESCRIBED,
    title="A column, table or port is described otherwise, or not any more.",
    why="Readers may compute with something that is no longer what they think.",
    todo=_DECIDE,
    bad=column("description: Net amount.", "description: Gross amount."),
    good=column("description: Net amount.", "description: Net amount"),
)
def described(change: Change) -> str | None:
    return _changed(change)


@risky(
    "SEM002",
    *_BUSINESS,
    title="A business name or the semantic type changed.",
    why="People find data by these names, and compare by them.",
    todo=_DECIDE,
    bad=column("businessName: Net amount", "businessName: Gross amount"),
    good=column("", "businessName: Net amount"),
)
def business(change: Change) -> str | None:
    return _changed(change)


@risky(
    "SEM003",
    *_LOGIC,
    title="The logic behind a column changed, or what it is made from.",
    why="The same name holds other numbers.",
    todo=_DECIDE,
    bad=column("transformLogic: a + b", "transformLogic: a - b"),
    good=column("transformLogic: a + b", "transformLogic: a  +  b"),
)
def logic(change: Change) -> str | None:
    return _changed(change)


@risky(
    "SEM004",
    "definition",
    "definition.url",
    "definition.type",
    title="An authoritative definition was removed, or points elsewhere.",
    why="The meaning that readers agreed on is defined by another text.",
    todo=_DECIDE,
    bad=column(
        "authoritativeDefinitions: [{url: 'https://a', type: businessDefinition}]",
        "authoritativeDefinitions: [{url: 'https://b', type: businessDefinition}]",
    ),
    good=column("", "authoritativeDefinitions: [{url: 'https://a', type: businessDefinition}]"),
)
def definition(change: Change) -> str | None:
    if change.clause != "definition":
        return _turned(change)
    return f"{change.label} of {change.around.label} was removed" if change.new is None else None


@risky(
    "SEM005",
    "about.purpose",
    "contract.name",
    "descriptor.type",
    title="The purpose, name or kind of a contract or product changed.",
    why="It may have become something else than what readers chose.",
    todo=_DECIDE,
    bad=contract("description: {purpose: All orders.}", "description: {purpose: Paid orders.}"),
    good=contract("", "description: {purpose: All orders.}"),
)
def purpose(change: Change) -> str | None:
    return _changed(change)


_TEXTS = (
    *_DESCRIBED, *_BUSINESS, *_LOGIC, "about.purpose", "about.usage", "contract.name", "descriptor.type", "definition",
    "contract.domain", "contract.tenant", "contract.dataProduct", "descriptor.domain", "descriptor.tenant",
    "descriptor.name",
)  # fmt: skip


@descriptive(
    "SEM006",
    *_TEXTS,
    title="A meaning is written down that was not.",
    why="Readers need no longer guess.",
    todo="Be sure that it was true all along.",
    bad=column("", "description: Net amount."),
    good=column("description: Net amount.", "description: Gross amount."),
    way=Way.STRONGER,
)
def first_said(change: Change) -> str | None:
    if change.old is not None:
        return None
    if change.clause == "definition":
        return f"{change.label} of {change.around.label} was added"
    return f"`{change.key}` of {change.label} is said for the first time"


@descriptive(
    "SEM007",
    "wording",
    title="A text changed in nothing but blanks and marks.",
    why="The words are the same.",
    todo="Nothing.",
    bad=column("description: Net amount.", "description: 'Net amount!'"),
    good=column("description: Net amount.", "description: 1.5 times the amount."),
)
def wording(change: Change) -> str | None:
    return f"`{change.key}` of {change.label} has the same words as before"


@descriptive(
    "SEM008",
    "notation",
    title="The same is written otherwise.",
    why="It means the same.",
    todo="Nothing.",
    bad=column("physicalType: INT", "physicalType: INTEGER"),
    good=column("physicalType: INT", "physicalType: BIGINT"),
)
def notation(change: Change) -> str | None:
    return f"`{change.key or change.name}` of {change.label} is written otherwise and means the same"


_LABELS = (
    *(f"{kind}.{key}" for kind in (
        "contract", "descriptor", "table", "column", "quality", "sla", "server", "role", "support", "member",
        "relationship", "definition", "inputPort", "outputPort", "managementPort", "lineage", "team", "about", "price",
        "synonym", "sbom",
    ) for key in ("id", "tags", "description")
      if (kind, key) not in {
        ("contract", "id"), ("descriptor", "id"), ("contract", "description"), ("descriptor", "description"),
        ("column", "description"), ("table", "description"), ("outputPort", "description"),
    }),
    "contract.contractCreatedTs", "descriptor.productCreatedTs", "column.examples", "column.enum",
    "custom.note", "custom.title", "custom.reserved", "custom.successor", "synonym", "sbom", "sbom.type", "sbom.url",
    "quality.name", "quality.dimension", "quality.method", "quality.businessImpact", "quality.scheduler",
    "quality.schedule", "sla.scheduler", "support.scope", "member", "member.username", "member.role", "member.name",
    "member.dateIn", "member.dateOut", "member.replacedByUsername", "managementPort.name", "inputPort.name",
)  # fmt: skip


@descriptive(
    "SEM009",
    *_LABELS,
    title="Labels, examples or words about the contract itself changed.",
    why="They help to find and to understand, and promise nothing.",
    todo="Nothing.",
    bad=column("examples: [1]", "examples: [2]"),
    good=table("description: Orders.", "description: Paid orders."),
)
def label(change: Change) -> str | None:
    meant = any(other.judge(change) for other in _MEANT if change.clause in other.clauses)
    if meant and not (change.clause.endswith(".tags") and _other_tags(change)):
        return None
    if "." not in change.clause:
        return f"{change.label} {'was removed' if change.new is None else 'was added'}"
    done = "was added" if change.old is None else "was removed" if change.new is None else "changed"
    return f"`{change.name if change.clause.startswith('custom.') else change.key}` of {change.label} {done}"


_MEANT = (
    rewritten, owner, unreserved, less_often, more_often, enum_widened, enum_extended, enum_narrowed, unmarked, marked,
)  # fmt: skip
"""Rules that share a clause with labels: where one of them speaks, the change is more than a label."""


def _other_tags(change: Change) -> bool:
    old, new = (names(tags) - personal_tags(tags) for tags in (change.old, change.new))
    return old != new
