"""ACC, GVN: who may read it, on which terms, and what law and governance ask for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from outer.compat.change import Change, listing, show
from outer.compat.grammar import text
from outer.compat.rule import Category, Grade, Way, column, contract, descriptor, rule
from outer.compat.rules_delivery import personal_tags

breaking = partial(rule, category=Category.ACCESS, grade=Grade.BREAKING)
risky = partial(rule, category=Category.ACCESS, grade=Grade.RISKY)
additive = partial(rule, category=Category.ACCESS, grade=Grade.ADDITIVE)


def _turned(change: Change) -> str:
    key = change.name if change.clause.startswith("custom.") else change.key
    if change.new is None:
        return f"`{key}` of {change.label} is no longer said; it was {show(change.old)}"
    if change.old is None:
        return f"`{key}` of {change.label} is said for the first time: {show(change.new)}"
    return f"`{key}` of {change.label} changed from {show(change.old)} to {show(change.new)}"


def _custom(clause: str) -> str:
    return f"customProperties: [{{{clause}}}]"


# --- Access -------------------------------------------------------------------------------------------------------


@breaking(
    "ACC001",
    "role",
    "role.role",
    title="A role was removed or renamed.",
    why="Readers who have it lose access.",
    todo="Keep the role.",
    bad=contract("roles: [{role: reader}, {role: auditor}]", "roles: [{role: reader}]"),
    good=contract("roles: [{role: reader}]", "roles: [{role: reader}, {role: auditor}]"),
)
def role_removed(change: Change) -> str | None:
    if change.clause == "role.role":
        return f"{change.around.label} was called {show(change.old)}"
    return f"{change.label} was removed" if change.new is None else None


@breaking(
    "ACC002",
    "role.access",
    title="A role gives another access.",
    why="Readers who have it lose what they could do, or get what they should not.",
    todo="Keep the access, and add another role.",
    bad=contract("roles: [{role: reader, access: read}]", "roles: [{role: reader, access: none}]"),
    good=contract("roles: [{role: reader, access: read}]", "roles: [{role: reader, access: read, description: All.}]"),
)
def role_access(change: Change) -> str | None:
    return _turned(change)


@additive(
    "ACC003",
    "role",
    title="A role was added.",
    why="More people may read.",
    todo="Be sure that they may.",
    bad=contract("roles: [{role: reader}]", "roles: [{role: reader}, {role: auditor}]"),
    good=contract("roles: [{role: reader}, {role: auditor}]", "roles: [{role: reader}]"),
)
def role_added(change: Change) -> str | None:
    return f"{change.label} was added" if change.old is None else None


@risky(
    "ACC004",
    "role.firstLevelApprovers",
    "role.secondLevelApprovers",
    title="Somebody else approves a role.",
    why="Requests go to people who do not know of it.",
    todo="Tell them, and write down that they agreed.",
    bad=contract("roles: [{role: r, firstLevelApprovers: ana}]", "roles: [{role: r, firstLevelApprovers: bo}]"),
    good=contract("roles: [{role: r, access: read}]", "roles: [{role: r, access: write}]"),
)
def approvers(change: Change) -> str | None:
    return _turned(change)


@breaking(
    "ACC005",
    "custom.security",
    title="Encryption or the way to log in changed.",
    why="Readers with the old keys cannot read, or data lie open.",
    todo="Keep it, and offer the new way beside it.",
    bad=contract(_custom("property: encryption, value: AES-256"), _custom("property: encryption, value: none")),
    good=contract(_custom("property: licence, value: a"), _custom("property: licence, value: b")),
)
def security(change: Change) -> str | None:
    return _turned(change)


def _price(side: Any) -> tuple[float | None, str]:
    amount = side.get("priceAmount", 0)
    number = float(amount) if isinstance(amount, (int, float)) and not isinstance(amount, bool) else None
    return number, text([side.get("priceCurrency"), side.get("priceUnit")])


def _dearer(change: Change) -> bool:
    (old, unit), (new, unit_new) = _price(change.old), _price(change.new)
    if old is None or new is None:
        return True
    if new == 0:
        return False
    return unit != unit_new or new > old


@risky(
    "ACC006",
    "price.price",
    title="The price was raised, or cannot be compared.",
    why="Readers may not be able or willing to pay it.",
    todo="Tell the readers, and write down that they agreed.",
    bad=contract("price: {priceAmount: 10, priceCurrency: EUR}", "price: {priceAmount: 12, priceCurrency: EUR}"),
    good=contract("price: {priceAmount: 10, priceCurrency: EUR}", "price: {priceAmount: 8, priceCurrency: EUR}"),
)
def dearer(change: Change) -> str | None:
    return f"the price changed from {_paid(change.old)} to {_paid(change.new)}" if _dearer(change) else None


def _paid(side: Any) -> str:
    return show(listing(side))


@additive(
    "ACC007",
    "price.price",
    title="The price was lowered.",
    why="More readers can afford it.",
    todo="Tell the readers.",
    bad=contract("price: {priceAmount: 10, priceCurrency: EUR}", "price: {priceAmount: 8, priceCurrency: EUR}"),
    good=contract("price: {priceAmount: 10, priceCurrency: EUR}", "price: {priceAmount: 8, priceCurrency: USD}"),
)
def cheaper(change: Change) -> str | None:
    return None if _dearer(change) else f"the price changed from {_paid(change.old)} to {_paid(change.new)}"


@risky(
    "ACC008",
    "about.limitations",
    "about.usage",
    "custom.terms",
    title="Limitations, intended use, licence or terms changed.",
    why="What a reader does with the data may no longer be allowed.",
    todo="Say whether something is forbidden that was allowed; if so, treat it as breaking.",
    bad=contract("description: {limitations: None.}", "description: {limitations: Only for finance.}"),
    good=contract("description: {limitations: None.}", "description: {limitations: None}"),
)
def terms(change: Change) -> str | None:
    return None if change.clause == "about.usage" and change.old is None else _turned(change)


def _rank(scale: Sequence[str], value: Any) -> int | None:
    return scale.index(value) if value in scale else None


@breaking(
    "ACC009",
    "custom.visibility",
    title="The product is seen by fewer, or nobody says any more by whom.",
    why="Readers lose sight of it, and access with it.",
    todo="Keep the visibility.",
    bad=descriptor(_custom("property: visibility, value: public"), _custom("property: visibility, value: domain")),
    good=descriptor(_custom("property: visibility, value: domain"), _custom("property: visibility, value: public")),
)
def less_visible(change: Change) -> str | None:
    old, new = (_rank(change.scene.visibilities, value) for value in (change.old, change.new))
    lowered = change.new is None or (old is not None and new is not None and new < old)
    return _turned(change) if lowered else None


@risky(
    "ACC010",
    "custom.visibility",
    title="The product is seen by more, or nobody can tell.",
    why="Those who decide on access have to agree.",
    todo="Ask them, and write the answer down.",
    bad=descriptor(_custom("property: visibility, value: domain"), _custom("property: visibility, value: public")),
    good=descriptor(_custom("property: visibility, value: public"), _custom("property: visibility, value: domain")),
    way=Way.STRONGER,
)
def more_visible(change: Change) -> str | None:
    return None if less_visible.judge(change) else _turned(change)


# --- Governance ---------------------------------------------------------------------------------------------------

_CLASSIFIED = ("column.classification", "custom.classification")


@breaking(
    "GVN001",
    *_CLASSIFIED,
    title="A classification was lowered or removed.",
    why="Data that somebody wanted to be closed are shown to more people.",
    todo="Keep the classification; only governance may lower it.",
    bad=column("classification: confidential", "classification: public"),
    good=column("classification: public", "classification: confidential"),
)
def lowered(change: Change) -> str | None:
    scale = change.scene.classifications
    old, new = _rank(scale, change.old), _rank(scale, change.new)
    if change.old is None or (change.new is not None and (old is None or new is None or new >= old)):
        return None
    return _turned(change)


@risky(
    "GVN002",
    *_CLASSIFIED,
    title="A classification was raised, said for the first time, or changed to a word that the standard does not know.",
    why="Readers may lose access.",
    todo="Tell the readers, and see that they keep what they need.",
    bad=column("classification: public", "classification: confidential"),
    good=column("classification: confidential", "classification: public"),
    way=Way.STRONGER,
)
def raised(change: Change) -> str | None:
    return None if lowered.judge(change) else _turned(change)


_FLAGS = (
    "column.criticalDataElement", "custom.personal", "table.tags", "column.tags", "contract.tags", "descriptor.tags",
)  # fmt: skip


def _flags(change: Change) -> tuple[bool, bool]:
    """Whether something was marked that is not any more, and whether something is marked now."""
    if change.clause.endswith(".tags"):
        old, new = personal_tags(change.old), personal_tags(change.new)
        return bool(old - new), bool(new - old)
    old_set, new_set = change.old not in (None, False), change.new not in (None, False)
    return old_set and not new_set, new_set


@breaking(
    "GVN003",
    *_FLAGS,
    title="Data are no longer marked as personal or critical.",
    why="Protection that goes by the mark is lifted.",
    todo="Keep the mark; only governance may take it away.",
    bad=column("criticalDataElement: true", "criticalDataElement: false"),
    good=column("criticalDataElement: false", "criticalDataElement: true"),
)
def unmarked(change: Change) -> str | None:
    return f"{change.label} is no longer marked by `{_mark(change)}`" if _flags(change)[0] else None


def _mark(change: Change) -> str:
    return change.name if change.clause.startswith("custom.") else change.key


@risky(
    "GVN004",
    *_FLAGS,
    title="Data are marked as personal or critical from now on.",
    why="Readers have to handle them with more care, and may lose access.",
    todo="Tell the readers, and see that classification and retention fit.",
    bad=column("criticalDataElement: false", "criticalDataElement: true"),
    good=column("criticalDataElement: true", "criticalDataElement: false"),
    way=Way.STRONGER,
)
def marked(change: Change) -> str | None:
    return f"{change.label} is marked by `{_mark(change)}` now" if _flags(change)[1] else None


@breaking(
    "GVN005",
    "column.encryptedName",
    "custom.masking",
    title="Masking or the encrypted name of a column was removed or changed.",
    why="Values are shown that were hidden, or joins on hidden values fail.",
    todo="Keep the protection; only governance may take it away.",
    bad=column("encryptedName: amount_enc", ""),
    good=column("", "encryptedName: amount_enc"),
)
def unmasked(change: Change) -> str | None:
    return _turned(change) if change.old is not None else None


@risky(
    "GVN006",
    "column.encryptedName",
    "custom.masking",
    title="A column is masked or encrypted from now on.",
    why="Readers of the plain values do not find them any more.",
    todo="Tell the readers, and see that they keep what they need.",
    bad=column("", "encryptedName: amount_enc"),
    good=column("encryptedName: amount_enc", ""),
    way=Way.STRONGER,
)
def masked(change: Change) -> str | None:
    return _turned(change) if change.old is None else None


@breaking(
    "GVN007",
    "custom.legal",
    "server.region",
    "server.regionName",
    title="Region, residency, purpose or legal basis changed, or is no longer said.",
    why="What readers do with the data may be against the law from now on.",
    todo="Keep it; only governance may change it.",
    bad=contract(_custom("property: residency, value: EU"), _custom("property: residency, value: US")),
    good=contract("customProperties: []", "customProperties: []\ndescription: {purpose: All.}"),
)
def legal(change: Change) -> str | None:
    return _turned(change)


def _owner(member: Any) -> bool:
    return isinstance(member, dict) and "owner" in str(member.get("role")).lower()


@risky(
    "GVN008",
    "team.name",
    "member",
    "member.username",
    "member.role",
    title="Another team or person owns the data.",
    why="Readers do not know whom to ask, and promises may have gone with the old owner.",
    todo="See that the new owner knows and accepts what was promised.",
    bad=contract("team: {name: sales}", "team: {name: finance}"),
    good=contract("team: {name: sales}", "team: {name: sales, description: Sells.}"),
)
def owner(change: Change) -> str | None:
    if change.clause == "team.name":
        return _turned(change)
    if not (_owner(change.before) or _owner(change.after)):
        return None
    if change.clause != "member":
        return _turned(change)
    return f"the owner {show(change.name)} {'left' if change.new is None else 'came'}"


@risky(
    "GVN009",
    "support",
    "support.channel",
    "support.url",
    "support.tool",
    "support.invitationUrl",
    title="A support channel was removed, or is elsewhere.",
    why="Readers who need help write to nobody.",
    todo="Tell the readers, and forward the old channel for a while.",
    bad=contract("support: [{channel: chat, url: 'https://a'}]", "support: [{channel: chat, url: 'https://b'}]"),
    good=contract("support: []", "support: [{channel: chat, url: 'https://a'}]"),
    way=Way.WEAKER,
)
def support(change: Change) -> str | None:
    if change.clause != "support":
        return _turned(change)
    return f"{change.label} was removed" if change.new is None else None


@breaking(
    "GVN010",
    "contract.id",
    "contract.domain",
    "contract.tenant",
    "contract.dataProduct",
    "descriptor.id",
    "descriptor.name",
    "descriptor.domain",
    "descriptor.tenant",
    "outputPort.contractId",
    title="Id, name, domain, tenant or product changed: it is another one.",
    why="Readers, catalogues and access go by these; the old address leads nowhere.",
    todo="Keep it, or make a second one beside it.",
    bad=contract("domain: sales", "domain: finance"),
    good=contract("", "tenant: acme"),
)
def another(change: Change) -> str | None:
    return _turned(change) if change.old is not None else None


@additive(
    "GVN011",
    "support",
    title="A support channel was added.",
    why="Readers have one more way to help.",
    todo="Tell the readers.",
    bad=contract("support: []", "support: [{channel: chat, url: 'https://a'}]"),
    good=contract("support: [{channel: chat, url: 'https://a'}]", "support: []"),
)
def support_added(change: Change) -> str | None:
    return f"{change.label} was added" if change.old is None else None
