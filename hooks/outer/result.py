"""What an audit says: one result for every rule of a contract, and never silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from outer.talk import counted

Outcome = Literal["passed", "failed", "not_checked"]
Severity = Literal["error", "warning", "info"]
How = Literal["file metadata", "scan", "receipt", "inner", "declared only", "could not run"]
"""What proved it: the footer of the file, its rows, receipts of publications, the inner stack. Or nothing: it is no
matter of data, or the rule cannot be understood or executed, which never passes."""


@dataclass(frozen=True)
class Result:
    """The verdict on one rule."""

    rule: str
    """Stable id: `columns`, `type:carrier`, `primaryKey`, `minimum:flights`, `quality:has_rows`, `sla:freshness`."""
    outcome: Outcome
    how: How
    expected: str = ""
    observed: str = ""
    severity: Severity = "error"
    bad_rows: int | None = None
    share: float | None = None
    """Bad rows among all rows, from 0 to 1."""
    examples: tuple[Mapping[str, str], ...] = ()
    """At most five bad rows: key columns and the column in question; values of closed columns are masked."""
    reason: str = ""
    """Why it was not checked, or why it failed where expected and observed do not say it."""
    place: str = ""
    """Where the contract says so: `file:line`."""
    dimension: str = ""
    """Dimension of quality that the contract names (ODCS, Data Quality: dimension)."""
    seconds: float | None = None
    """How long the query took that decided it; rules that one scan decided share its time."""

    @property
    def blocks(self) -> bool:
        """Whether it keeps data from being published."""
        return self.outcome == "failed" and self.severity == "error"

    def sentence(self) -> str:
        """The result for people, on one line."""
        said = [self.reason] if self.reason else []
        if self.expected:
            said.append(f"expected {self.expected}")
        if self.observed:
            said.append(f"found {self.observed}")
        if self.bad_rows:
            share = f" ({self.share:.2%})" if self.share is not None else ""
            said.append(counted(self.bad_rows, "bad row") + share)
        return f"{self.rule}: {'; '.join(said) or self.outcome}" + (f"  [{self.place}]" if self.place else "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without what is empty."""
        kept = {k: v for k, v in asdict(self).items() if v not in ("", None, ())}
        return {"rule": self.rule, "outcome": self.outcome, "severity": self.severity, **kept}


@dataclass(frozen=True)
class AuditReport:
    """All results for the data of one port. An audit without a result is an error, never a pass."""

    contract: str
    """Id of the contract."""
    version: str
    rows: int
    bytes: int
    results: tuple[Result, ...] = field(default_factory=tuple)
    engine: str = "duckdb"
    """What looked at the data: `duckdb`, or where they are: `postgres`, `spark`, …"""
    seconds: float = 0.0

    @property
    def failures(self) -> tuple[Result, ...]:
        """Failed rules that keep the data from being published."""
        return tuple(r for r in self.results if r.blocks)

    @property
    def warnings(self) -> tuple[Result, ...]:
        """Failed rules that are reported only, by their severity."""
        return tuple(r for r in self.results if r.outcome == "failed" and not r.blocks)

    def summary(self) -> str:
        """How the audit went, in a few words."""
        said = [counted(self.rows, "row"), f"{counted(self.count('passed'), 'rule')} passed"]
        if failed := self.count("failed"):
            said.append(f"{failed} failed")
        if unchecked := self.count("not_checked"):
            said.append(f"{unchecked} not checked")
        return ", ".join(said)

    def count(self, outcome: Outcome) -> int:
        return sum(r.outcome == outcome for r in self.results)
