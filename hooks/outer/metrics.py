"""Metrics: how good a product is beyond what the rules demand, as a share with a band. They never fail the gate.

A metric is a list of yes-or-no points of the same weight: `score` = points reached / points there are, in percent,
rounded down. Bands: red below 50, amber from 50, green from 80. Where there is nothing to measure there is no score.
Only what the team owns is measured: the descriptor and the contracts of the output ports, as far as they can be read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outer.product import Product, lookup

Point = tuple[str, bool]
"""What a point is about, such as "column: businessName", and whether it is reached."""

_LONG = 40
_GREEN, _AMBER = 80, 50


@dataclass(frozen=True)
class Metric:
    """One number about a product."""

    id: str
    title: str
    reached: int
    possible: int
    gaps: tuple[tuple[str, int], ...]
    """What is missing and how often, the most frequent first."""

    @property
    def score(self) -> int | None:
        """Percent, rounded down; None where there is nothing to measure."""
        return 100 * self.reached // self.possible if self.possible else None

    @property
    def band(self) -> str:
        """`red`, `amber` or `green`; `none` where there is nothing to measure."""
        if self.score is None:
            return "none"
        return "green" if self.score >= _GREEN else "amber" if self.score >= _AMBER else "red"


def metrics(product: Product) -> tuple[Metric, ...]:
    """The metrics of `product`: completeness, AI-readiness, contract coverage."""
    measured: tuple[tuple[str, str, Callable[[Product], Iterator[Point]]], ...] = (
        ("completeness", "Completeness of metadata", completeness),
        ("ai_readiness", "AI-readiness", ai_readiness),
        ("contract_coverage", "Contract coverage", contract_coverage),
    )
    found: list[Metric] = []
    for name, title, points in measured:
        all_points = list(points(product))
        gaps = Counter(what for what, reached in all_points if not reached)
        reached = len(all_points) - sum(gaps.values())
        ranked = tuple(sorted(gaps.items(), key=lambda gap: (-gap[1], gap[0])))
        found.append(Metric(name, title, reached, len(all_points), ranked))
    return tuple(found)


_DESCRIPTIVE: Mapping[str, tuple[str, ...]] = {
    "descriptor": ("description.purpose", "description.usage", "description.limitations", "tags", "synonyms",
                   "authoritativeDefinitions", "context", "team.description"),
    "output port": ("description", "tags"),
    "management port": ("description",),
    "support": ("description",),
    "contract": ("description.purpose", "description.usage", "description.limitations", "tags",
                 "authoritativeDefinitions", "team.description"),
    "table": ("description", "businessName", "dataGranularityDescription", "tags", "authoritativeDefinitions"),
    "column": ("description", "businessName", "examples"),
    "quality rule": ("description", "dimension", "businessImpact"),
    "service level": ("description",),
    "role": ("description",),
    "server": ("description",),
}  # fmt: skip


def completeness(product: Product) -> Iterator[Point]:
    """Share of the descriptive fields that are filled.

    One point for each field of `_DESCRIPTIVE` and each object that can have it. All of them are optional in Bitol ODPS
    1.1 and ODCS 3.1, and all of them are for people who have never seen the product.
    """
    for kind, value in _objects(product):
        for field in _DESCRIPTIVE[kind]:
            yield f"{kind}: {field}", _filled(lookup(value, tuple(field.split("."))))


def ai_readiness(product: Product) -> Iterator[Point]:
    """Whether a machine that knows nothing but the metadata would read the data as they are meant.

    - product: `context.instructions` and `context.verifiedStatements` (ODPS 1.1) are there: 2 points;
    - table: a description of 40 characters, `businessName`, `dataGranularityDescription`, a definition
      (`authoritativeDefinitions`), `relationships`, on itself or on a column: 5 points;
    - column: a description of 40 characters, `businessName`, and values that can be imagined (`examples`, or
      `logicalTypeOptions`, or a boolean): 3 points;
    - numeric column that is no key: a custom property `unit`, for Bitol ODCS has no field for it: 1 point.
    """
    for kind, value in _objects(product):
        if kind == "descriptor":
            for field in ("instructions", "verifiedStatements"):
                yield f"descriptor: context.{field}", _filled(lookup(value, ("context", field)))
        elif kind == "table":
            yield "table: description of 40 characters", _described(value)
            for field in ("businessName", "dataGranularityDescription", "authoritativeDefinitions"):
                yield f"table: {field}", _filled(value.get(field))
            related = (value, *_mappings(value.get("properties")))
            yield "table: relationships", any(_filled(one.get("relationships")) for one in related)
        elif kind == "column":
            yield "column: description of 40 characters", _described(value)
            yield "column: businessName", _filled(value.get("businessName"))
            imaginable = any(_filled(value.get(field)) for field in ("examples", "logicalTypeOptions"))
            yield "column: examples or bounds", imaginable or value.get("logicalType") == "boolean"
            if value.get("logicalType") in ("integer", "number") and value.get("primaryKey") is not True:
                custom = _mappings(value.get("customProperties"))
                unit = any(entry.get("property") == "unit" and _filled(entry.get("value")) for entry in custom)
                yield "column: custom property unit", unit


def contract_coverage(product: Product) -> Iterator[Point]:
    """Share of the columns of output ports whose values the contract says something about.

    A column counts when it has a `quality` rule, `logicalTypeOptions`, `unique` or `primaryKey`, or when a quality rule
    of its table names it, in `arguments` or in the query. A type and `required` alone do not count: nearly every wrong
    value has the right type.
    """
    for kind, value in _objects(product):
        if kind != "table":
            continue
        rules = _mappings(value.get("quality"))
        text = " ".join(f"{rule.get('query') or ''} {rule.get('arguments') or ''}" for rule in rules)
        named = set(re.findall(r"\w+", text))
        for column in _mappings(value.get("properties")):
            own = any(_filled(column.get(field)) for field in ("quality", "logicalTypeOptions"))
            key = column.get("unique") is True or column.get("primaryKey") is True
            yield "column without a clause", own or key or str(column.get("name")) in named


def _objects(product: Product) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything that is described, with its kind."""
    if product.descriptor is not None:
        descriptor = product.descriptor.value
        yield "descriptor", descriptor
        kinds = {"output port": "outputPorts", "management port": "managementPorts", "support": "support"}
        for kind, key in kinds.items():
            yield from ((kind, entry) for entry in _mappings(descriptor.get(key)))
    for contract in product.output_contracts:
        yield "contract", contract.value
        for kind, key in (("service level", "slaProperties"), ("role", "roles"), ("server", "servers")):
            yield from ((kind, entry) for entry in _mappings(contract.get(key)))
        for table in _mappings(contract.get("schema")):
            yield "table", table
            yield from (("column", column) for column in _mappings(table.get("properties")))
            for one in (table, *_mappings(table.get("properties"))):
                yield from (("quality rule", rule) for rule in _mappings(one.get("quality")))


def _mappings(value: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else ()


def _filled(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _described(value: Mapping[str, Any]) -> bool:
    description = value.get("description")
    return isinstance(description, str) and len(description.strip()) >= _LONG
