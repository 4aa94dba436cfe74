"""Rules and service levels of a contract, each with what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outer.dataset import Dataset
from outer.model import Contract
from outer.page.evidence import Evidence, State
from outer.page.words import plural, spaced, span
from outer.parquet import Unusable, identifier, opened
from outer.quality import Unknown
from outer.servicelevel import allowed_age, elements, newest, zone

FRESHNESS = ("freshness", "latency", "ly")
"""Names of the one service level that data and receipts can show."""


@dataclass(frozen=True)
class RuleView:
    """One rule with its result in the audit of what is published."""

    name: str
    description: str
    outcome: str
    severity: str
    detail: str
    declared: bool
    """Written down under `quality`; the others follow from the schema."""


@dataclass(frozen=True)
class LevelView:
    """One service level: what is promised, and what was measured."""

    name: str
    promised: str
    description: str
    measured: str
    state: State
    until: datetime | None = None
    """When a promise that holds now stops holding, unless the port is published again."""
    age: timedelta | None = None
    allowed: timedelta | None = None


def rules(contract: Contract, evidence: Evidence, port: str) -> Iterator[RuleView]:
    """Rules that the contract of output port `port` declares, in its order, then what follows from its schema."""
    results = {str(e.get("rule")): e for e in evidence.results(port)}
    for rule, clause in _declared(contract):
        words = str(clause.get("description") or clause.get("query") or "")
        yield _rule(rule.removeprefix("quality:"), words, results.pop(rule, {}), clause, declared=True)
    for rule, result in results.items():
        if not rule.startswith("sla:"):
            yield _rule(rule, "", result, {}, declared=False)


def _declared(contract: Contract) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every clause under `quality` with the id that its result has in an audit."""
    seen: dict[str, int] = {}
    clauses = [(f"{c.name}.", clause) for c in contract.columns for clause in c.clauses.get("quality") or ()]
    for prefix, clause in [*clauses, *(("", clause) for clause in contract.quality)]:
        name = clause.get("name") or clause.get("metric") or clause.get("type") or "rule"
        rule = f"quality:{prefix}{name}"
        seen[rule] = seen.get(rule, 0) + 1
        yield rule if seen[rule] == 1 else f"{rule}#{seen[rule]}", clause


def _rule(name: str, words: str, result: Mapping[str, Any], clause: Mapping[str, Any], *, declared: bool) -> RuleView:
    outcome = str(result.get("outcome"))
    if outcome not in ("passed", "failed"):
        outcome = "not_checked"
    said = [str(result["reason"])] if result.get("reason") else []
    if result.get("expected"):
        said.append(f"expected {result['expected']}")
    if result.get("observed"):
        said.append(f"found {result['observed']}")
    if result.get("bad_rows"):
        said.append(plural(int(result["bad_rows"]), "bad row"))
    return RuleView(
        name=name,
        description=words,
        outcome=outcome,
        severity=str(result.get("severity") or clause.get("severity") or ""),
        detail="; ".join(said) or ("" if result else "no result yet"),
        declared=declared,
    )


def levels(
    contract: Contract, evidence: Evidence, port: str, data: Dataset | None, as_of: datetime
) -> Iterator[LevelView]:
    """Service levels of `contract`: freshness as of `as_of`, measured now; the others as the audit left them."""
    audited = {str(e.get("rule")): e for e in evidence.results(port)}
    for level in contract.service_levels:
        name = str(level.get("property") or "")
        unit = {"h": "hours", "d": "days", "w": "weeks", "y": "years"}.get(str(level.get("unit")), level.get("unit"))
        promised = f"{level.get('value')} {unit or ''}".strip()
        words = str(level.get("description") or "")
        shown = spaced(name).capitalize()
        if name.casefold() in FRESHNESS:
            yield _freshness(shown, words, level, promised, contract, evidence, data, as_of)
            continue
        result = audited.get(f"sla:{name}") or {}
        measured = "not measured"
        state: State = "none"
        if result.get("outcome") in ("passed", "failed"):
            measured = str(result.get("observed") or result["outcome"])
            state = "good" if result["outcome"] == "passed" else "bad"
        yield LevelView(shown, promised, words, measured, state)


def _freshness(
    name: str,
    words: str,
    level: Mapping[str, Any],
    promised: str,
    contract: Contract,
    evidence: Evidence,
    data: Dataset | None,
    as_of: datetime,
) -> LevelView:
    try:
        allowed, columns = allowed_age(level), elements(level, contract)
    except Unknown as error:
        return LevelView(name, promised, words, f"cannot be measured: {error}", "none")
    element = level.get("element") or ", ".join(columns)
    promised = f"at most {span(allowed)}" + (f" for the newest {element}" if columns else "")
    since = evidence.published
    if columns:
        since = _newest(contract, columns, data, as_of) if data else None
    if since is None:
        return LevelView(name, promised, words, "not measured", "none", allowed=allowed)
    age = max(as_of - since, timedelta())
    state: State = "bad" if age > allowed else "good"
    return LevelView(name, promised, words, f"{span(age)} old", state, since + allowed, age, allowed)


def _newest(contract: Contract, columns: Sequence[str], data: Dataset, as_of: datetime) -> datetime | None:
    """The newest time in the `columns`, of several the oldest; None if unknown."""
    physical = {c.name: str(c.clauses.get("physicalName") or c.name) for c in contract.columns}
    zones = {physical[c.name]: zone(c.clauses) for c in contract.columns}
    wanted = [physical[column] for column in columns]
    try:
        with opened(data) as table:
            found = [
                newest(table, identifier(column), table.footer.types[column], as_of, zones[column])
                for column in wanted
                if column in table.footer.types
            ]
    except (Unusable, Unknown, ImportError):
        return None
    times = [time for time in found if time is not None]
    return min(times) if len(times) == len(wanted) else None
