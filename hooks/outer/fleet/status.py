"""`outer fleet status`: where every product stands. Pin, lag, drift, gate, waivers, last run, promises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from outer import __version__
from outer.errors import FINDINGS, PASS
from outer.fleet import table
from outer.fleet.facts import Accepted, Facts
from outer.fleet.survey import Looked, Standard
from outer.fleet.wish import Wish, fleet
from outer.page.evidence import State
from outer.receipt import moment
from outer.report import count, plain

SOON = 30
"""Days before its end from which a waiver is about to expire."""

DRIFT = "INT001"
"""The rule that compares managed files with what the standard renders."""

Gate = Literal["pass", "fail", "unreadable", "not judged"]


@dataclass(frozen=True)
class Row:
    """One product."""

    product: str
    root: Path
    origin: str
    facts: Facts
    gate: Gate
    reason: str
    """Why the gate is not green, in one sentence; empty where it is."""
    errors: int
    warnings: int
    drift: tuple[str, ...]
    """Managed files that were changed or are missing."""
    lag: int | None
    """Releases of the standard that are newer than the pin; None where that is not known."""
    ending: tuple[Accepted, ...]
    """Waivers, and the baseline, that end soon or have ended."""

    @property
    def state(self) -> State:
        """Red: the gate does not pass, the last run failed, or a promise is broken. Amber: somebody should look."""
        if self.gate != "pass" or self.facts.broken or "bad" in (self.facts.run.state, self.facts.sla):
            return "bad"
        seen = self.lag or self.ending or self.warnings or "warn" in (self.facts.run.state, self.facts.sla)
        return "warn" if seen else "good"


@dataclass(frozen=True)
class Status:
    """All of them."""

    rows: tuple[Row, ...]
    newest: str
    as_of: datetime
    environment: str

    @property
    def red(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.state == "bad")

    @property
    def exit_code(self) -> int:
        return FINDINGS if self.red else PASS

    def summary(self) -> str:
        """The outcome in one line."""
        behind = sum(bool(row.lag) for row in self.rows)
        drifted = sum(bool(row.drift) for row in self.rows)
        ending = sum(bool(row.ending) for row in self.rows)
        said = [f"{len(self.red)} red"]
        said += [f"{drifted} drifted"] if drifted else []
        said += [f"{behind} behind {self.newest}"] if behind else []
        said += [f"{ending} with waivers that end soon"] if ending else []
        verdict = "fail" if self.red else "pass"
        return (
            f"{verdict}: {count(len(self.rows), 'product')}, {', '.join(said)} (as of {self.as_of:%Y-%m-%d %H:%M} UTC)"
        )

    def text(self, *, colour: bool, width: int | None = None, quiet: bool = False) -> str:
        """For people: a line for each product, what is wrong with the red ones, and the outcome."""
        shown = self.red if quiet else self.rows
        lines: list[str] = []
        if shown:
            lines = table.lines(
                ("", "product", "pin", "lag", "gate", "drift", "waivers", "last run", "promises"),
                [(table.MARKS[row.state], *_cells(row)) for row in shown],
                width=width,
                colours=[row.state for row in shown] if colour else None,
            )
        told = [f"{plain(row.product)}: {plain(row.reason)}" for row in shown if row.reason]
        if told:
            lines += ["", *told]
        if not (quiet and not self.red):
            lines += ["", self.summary()]
        return "\n".join(lines)

    def as_json(self) -> str:
        """For machines; `format` changes when a reader would break."""
        value = {
            "format": 1,
            "outer": __version__,
            "as_of": moment(self.as_of),
            "environment": self.environment,
            "newest": self.newest or None,
            "passed": not self.red,
            "products": [entry(row) for row in self.rows],
        }
        return json.dumps(value, indent=2, ensure_ascii=False)


def entry(row: Row) -> dict[str, Any]:
    """A row for machines."""
    facts = row.facts
    return {
        "product": row.product,
        "state": row.state,
        "root": str(row.root),
        "origin": row.origin or None,
        "commit": facts.commit or None,
        "id": facts.id or None,
        "title": facts.title,
        "domain": facts.domain,
        "owner": facts.owner or facts.owner_team,
        "pin": facts.pin or None,
        "lag": row.lag,
        "gate": row.gate,
        "errors": row.errors,
        "warnings": row.warnings,
        "reason": row.reason or None,
        "drift": list(row.drift),
        "ending": [asdict(one) for one in row.ending],
        "run": asdict(facts.run),
        "promises": {"state": facts.sla, "said": facts.sla_said},
    }


def status(wish: Wish) -> Status:
    """Look at every product of `wish`. Raises `NothingChecked` where there is none."""
    with fleet(wish) as found:
        rows = [row(looked, found.standard) for looked in found.survey("status")]
        rows.sort(key=lambda one: one.product)
        return Status(tuple(rows), found.standard.newest, wish.as_of, wish.environment)


def row(looked: Looked, standard: Standard) -> Row:
    """What was found at one product, as a line."""
    verdict, facts, member = looked.verdict, looked.facts, looked.member
    gate: Gate = "pass" if verdict.passed else "fail"
    reason = ""
    failing = [found for found in verdict.findings if found.fails]
    if member.broken:
        gate, reason = "unreadable", member.broken
    elif facts.broken and not verdict.passed:
        gate, reason = "unreadable", facts.broken
    elif verdict.error:
        gate, reason = "not judged", f"{verdict.error}. {verdict.todo}".rstrip()
    elif failing:
        first = failing[0]
        more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        reason = f"{first.rule} {first.message} ({first.place}){more}"
    elif facts.broken:
        reason = facts.broken
    elif facts.run.state == "bad":
        reason = facts.run.said
    elif facts.sla == "bad":
        late = [f"{port.name}: {level.name} {level.measured}, promised {level.promised}"
                for port in facts.outputs for level in port.levels if level.state == "bad"]  # fmt: skip
        reason = "; ".join(late) or "the audit of what is published has findings"
    return Row(
        product=member.name,
        root=member.root,
        origin=member.origin,
        facts=facts,
        gate=gate,
        reason=reason,
        errors=verdict.count("error"),
        warnings=verdict.count("warning"),
        drift=tuple(dict.fromkeys(found.path for found in verdict.findings if found.rule == DRIFT)),
        lag=standard.lag(facts.pin) if facts.pin else None,
        ending=tuple(one for one in facts.accepted if one.days <= SOON),
    )


def _cells(row: Row) -> Sequence[str]:
    facts = row.facts
    lag = "?" if row.lag is None else str(row.lag) if row.lag else "-"
    gate = row.gate if row.gate != "fail" else count(row.errors, "error")
    gate += f", {count(row.warnings, 'warning')}" if row.warnings else ""
    drift = count(len(row.drift), "file") if row.drift else "-" if row.gate in ("pass", "fail") else "?"
    return (
        plain(row.product), plain(facts.pin) or "?", lag, gate, drift, ", ".join(_endings(row)) or "-",
        plain(facts.run.said), facts.sla_said or "-",
    )  # fmt: skip


def _endings(row: Row) -> Iterator[str]:
    for one in row.ending[:2]:
        when = f"{one.days} d left" if one.days >= 0 else "ended"
        yield f"{plain(one.rule)} {when}"
    if len(row.ending) > 2:
        yield f"{len(row.ending) - 2} more"
