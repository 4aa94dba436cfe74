"""What judging one item of a plan needs, whatever it demands: data, circumstances, and words for results."""

# ruff: noqa: S608 (names and texts are quoted by the engine's `sql`)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outer.audit import plan
from outer.audit.custom import CustomEngine, Registered, ServerTable
from outer.audit.engine import Engine, Past
from outer.audit.plan import Field, Item, Plan
from outer.dataset import Dataset
from outer.parquet import Unusable
from outer.result import How, Outcome, Result
from outer.yamlfile import show

OPEN = ("public", "internal")
"""Classifications whose values may be shown as examples; others, and none at all, are masked."""

MASK = "***"
EXAMPLES = 5

Examples = tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Circumstances:
    """What service levels are judged by, besides the data. `as_of` has a time zone."""

    as_of: datetime
    published: datetime | None = None
    """When the data were published; None: not yet, so that their age is zero."""
    history: Sequence[Past] = ()
    """Earlier runs, oldest first."""
    custom: Mapping[str, CustomEngine] = field(default_factory=Registered)
    """Engines of custom rules, by name."""
    data: Dataset | ServerTable | None = None
    """Where the data are, for those engines."""
    metadata_only: bool = False
    """Read no row: what only a scan could tell is not checked."""


@dataclass(frozen=True)
class Open:
    """An item that only rows can decide: `measures` are aggregates of the common scan, `verdict` judges what they give.

    Where it has no measures, `verdict` asks a question of its own.
    """

    item: Item
    measures: tuple[str, ...]
    verdict: Callable[[Sequence[Any]], Result]


class Judge:
    """Judges the items of a plan, one at a time."""

    def __init__(self, demands: Plan, engine: Engine, circumstances: Circumstances) -> None:
        self.plan, self.engine, self.facts, self.sql = demands, engine, engine.facts, engine.sql
        self.now = circumstances
        self.rows = engine.facts.rows or 0
        self.wrong: set[Field] = set()
        """Fields whose type is not that of the contract."""

    def _counted(self, item: Item, expected: str, count: int, examples: Callable[[], Examples]) -> Result:
        return Result(
            item.rule, "failed" if count else "passed", "scan", expected, severity=item.severity, bad_rows=count,
            share=count / self.rows if self.rows else 0.0, examples=examples() if count else (),
        )  # fmt: skip

    def _unsaid(self, item: Item, reason: str) -> Result:
        return self._say(item, "not_checked", "declared only", reason=reason)

    def _cannot(self, item: Item, reason: str) -> Result:
        """A rule that could not be executed, which is never a pass."""
        return self._say(item, "failed", "could not run", reason=reason)

    def _say(
        self, item: Item, outcome: Outcome, how: How, expected: str = "", observed: str = "", reason: str = ""
    ) -> Result:
        return Result(item.rule, outcome, how, expected, observed, item.severity, reason=reason)

    def _examples(self, bad: str, where: Field | None) -> Examples:
        """At most five rows that are bad: their key, and the column in question."""
        # Of what lies in a list, the whole list is shown.
        inside = where is not None and plan.ELEMENTS in where.path
        own = [replace(where, path=where.path[:1]) if inside else where] if where else []
        key = [f for f in self.plan.key if (where is None or f.column != where.column) and self.sql.found(f)]
        columns = [*key, *own]
        if not columns:
            return ()
        listed = ", ".join(f"CAST({self.sql.value(f)} AS VARCHAR)" for f in columns)
        order = ", ".join(self.sql.value(f) for f in columns)
        text = f"SELECT {listed} FROM {self.engine.table} WHERE {bad} ORDER BY {order} LIMIT {EXAMPLES}"
        try:
            return tuple(shown(columns, row) for row in self.engine.rows(text))
        except Unusable:
            return ()


def missing(where: Field) -> str:
    return "the column is missing" if len(where.path) == 1 else f"{show(where.name)} is missing"


def veiled(examples: Sequence[Mapping[str, str]], fields: Mapping[str, Field]) -> Examples:
    """Examples that somebody else has found, by the same rules as our own; what is no column is masked."""
    return tuple(
        {
            show(name).strip("`"): show(value).strip("`")
            if name in fields and fields[name].classification.strip().lower() in OPEN
            else MASK
            for name, value in row.items()
        }
        for row in examples[:EXAMPLES]
    )


def shown(columns: Sequence[Field], values: Sequence[Any]) -> Mapping[str, str]:
    """The values of one row as an example: short, on one line, masked where they are not open."""
    return {
        c.name: ("null" if v is None else show(v).strip("`")) if c.classification.strip().lower() in OPEN else MASK
        for c, v in zip(columns, values, strict=True)
    }


def listed(names: Sequence[str]) -> str:
    shown = ", ".join(show(n) for n in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def number(value: float | Decimal) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"{float(value):.6g}"


def hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} d"
