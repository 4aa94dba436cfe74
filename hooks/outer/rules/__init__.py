"""Every rule of the standard, one module to a family or two. A rule is found here by being defined in one of them."""

from __future__ import annotations

from collections.abc import Mapping

from outer.rule import Rule
from outer.rules import contract, describe, identity, inner, integrity, readable, references, waiver

_MODULES = (readable, identity, describe, references, contract, inner, integrity, waiver)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Rule)),
        key=lambda rule: rule.id,
    )
)
"""All rules, by id."""

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}
