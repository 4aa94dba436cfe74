"""Every rule of the standard, one module to a family or two. A rule is found here by being defined in one of them.

Those of the organisation come from outer/organisation/.
"""

from __future__ import annotations

from collections.abc import Mapping

from outer.declared import policies
from outer.rule import Rule
from outer.rules import (
    baseline,
    compliance,
    contract,
    describe,
    identity,
    inner,
    integrity,
    interoperability,
    licence,
    lineage,
    ownership,
    quality,
    readable,
    references,
    secret,
    servicelevels,
    supply,
    versioning,
    waiver,
)

_MODULES = (
    readable, identity, versioning, describe, ownership, references, contract, quality, compliance, interoperability,
    servicelevels, lineage, inner, licence, secret, integrity, supply, waiver, baseline,
)  # fmt: skip

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            *(value for module in _MODULES for value in vars(module).values() if isinstance(value, Rule)),
            *policies(),
        ),
        key=lambda rule: rule.id,
    )
)
"""All rules, by id."""

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}
