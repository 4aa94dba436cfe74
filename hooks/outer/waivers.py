"""Waivers: findings that somebody accepts, for a reason and for a time (outer/waivers.yaml)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from outer.finding import Finding
from outer.product import Product

NEVER_WAIVED = ("WAI", "BAS")
"""Families whose findings nobody can accept: they judge the accepting itself."""


@dataclass(frozen=True)
class Waiver:
    """One accepted finding. `index` is its position in outer/waivers.yaml."""

    index: int
    rule: str
    place: str
    """Path of a file from the product's root; `*` stands for any text in it, `?` for any character."""
    reason: str
    owner: str
    """Who mends the cause."""
    approver: str
    """Who has agreed."""
    expires: date | None
    """Last day on which it counts; None where the date cannot be read, and then it never counts."""

    def in_force(self, as_of: date) -> bool:
        """Whether it counts on the day `as_of`: without a reason or a date that can be read, never."""
        return bool(self.reason and self.expires and as_of <= self.expires)

    def days_left(self, as_of: date) -> int:
        """Whole days after `as_of` on which it still counts."""
        return (self.expires - as_of).days if self.expires else 0

    def covers(self, finding: Finding) -> bool:
        """Whether `finding` is the one that it accepts."""
        if self.rule != finding.rule or finding.rule.startswith(NEVER_WAIVED):
            return False
        return self.place == finding.path or fnmatchcase(finding.path, self.place)


def waivers(product: Product) -> tuple[Waiver, ...]:
    """The waivers of `product`, as far as they can be read; the rules WAI… report the rest."""
    entries = product.waivers.get("waivers") if product.waivers else None
    found: list[Waiver] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            words = {key: str(entry.get(key) or "").strip() for key in ("rule", "place", "reason", "owner", "approver")}
            found.append(Waiver(index=index, expires=day(entry.get("expires")), **words))
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

    Returns all findings, and the positions of the waivers that accepted one.
    """
    in_force = [waiver for waiver in known if waiver.in_force(as_of)]
    used: set[int] = set()
    result: list[Finding] = []
    for finding in findings:
        covering = [waiver for waiver in in_force if waiver.covers(finding)]
        used.update(waiver.index for waiver in covering)
        result.append(replace(finding, waived=covering[0].reason) if covering else finding)
    return tuple(result), frozenset(used)
