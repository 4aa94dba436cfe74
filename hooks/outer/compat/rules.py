"""All rules of compatibility. A rule is found here by being defined in a module, and speaks when its clauses change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from outer.compat import (
    rules_access,
    rules_delivery,
    rules_lifecycle,
    rules_lineage,
    rules_quality,
    rules_schema,
    rules_semantics,
    rules_tool,
)
from outer.compat.change import Change
from outer.compat.rule import Rule

_MODULES = (
    rules_schema, rules_quality, rules_semantics, rules_delivery, rules_access, rules_lifecycle, rules_lineage,
    rules_tool,
)  # fmt: skip

BY_ID: Mapping[str, Rule] = dict(
    sorted((value.id, value) for module in _MODULES for value in vars(module).values() if isinstance(value, Rule))
)

RULES: tuple[Rule, ...] = tuple(BY_ID.values())
"""All rules, by id."""


def _by_clause() -> Mapping[str, tuple[Rule, ...]]:
    found: dict[str, list[Rule]] = {}
    for rule in RULES:
        for clause in rule.clauses:
            found.setdefault(clause, []).append(rule)
    return {clause: tuple(rules) for clause, rules in found.items()}


BY_CLAUSE: Mapping[str, tuple[Rule, ...]] = _by_clause()


def judged(change: Change) -> Iterator[tuple[Rule, str]]:
    """What the rules say of `change`: those of its clause, then those of its kind, in the end one that knows nothing.

    There is always something: a change that no rule means is reported as unknown.
    """
    kind = change.clause.partition(".")[0]
    for clause in (change.clause, f"{kind}.*", "*"):
        said = [(rule, words) for rule in BY_CLAUSE.get(clause, ()) if (words := rule.judge(change))]
        if said:
            yield from said
            return
