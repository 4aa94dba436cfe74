"""Waivers: findings that somebody accepts, for a reason and for a time (outer/waivers.yaml)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from outer.finding import Finding
from outer.product import Product


@dataclass(frozen=True)
class Waiver:
    """One accepted finding. `index` is its position in outer/waivers.yaml."""

    index: int
    rule: str
    place: str
    reason: str
    expires: date | None
    """Last day on which it counts; None where the date cannot be read, and then it never counts."""

    def covers(self, finding: Finding) -> bool:
        return self.rule == finding.rule and self.place == finding.path


def waivers(product: Product) -> tuple[Waiver, ...]:
    """The waivers of `product`, as far as they can be read; the rules WAI… report the rest."""
    entries = product.waivers.get("waivers") if product.waivers else None
    found: list[Waiver] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            found.append(
                Waiver(
                    index=index,
                    rule=str(entry.get("rule") or ""),
                    place=str(entry.get("place") or ""),
                    reason=str(entry.get("reason") or "").strip(),
                    expires=day(entry.get("expires")),
                )
            )
    return tuple(found)


def day(value: object) -> date | None:
    """An ISO date, or None where `value` is none."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def apply(
    findings: Iterable[Finding], known: Iterable[Waiver], as_of: date
) -> tuple[tuple[Finding, ...], frozenset[int]]:
    """Mark the findings that a waiver accepts on the day `as_of`.

    Returns all findings, and the positions of the waivers that accepted one. Rules of the family WAI cannot be waived.
    """
    in_force = [w for w in known if w.reason and w.expires and as_of <= w.expires]
    used: set[int] = set()
    result: list[Finding] = []
    for finding in findings:
        waiver = next((w for w in in_force if w.covers(finding)), None)
        if waiver is None or finding.rule.startswith("WAI"):
            result.append(finding)
        else:
            used.add(waiver.index)
            result.append(replace(finding, waived=waiver.reason))
    return tuple(result), frozenset(used)
