"""The baseline: findings that a product had when it adopted the standard, accepted for a time (outer/baseline.yaml).

It only ever shrinks. `outer check --write-baseline` makes the file once; said again, it drops what has been mended and
takes nothing new in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.finding import Finding, Level, fingerprints
from outer.product import File, Product, lookup
from outer.waivers import NEVER_WAIVED, day, waivers
from outer.yamlfile import Unreadable, read

BASELINE = "outer/baseline.yaml"
NEVER_ACCEPTED = ("REA001", "REA002", "INT", *NEVER_WAIVED)
"""Rules and families that a baseline cannot hold: what cannot be read, is not there, or is not the standard's own file
has to be put in order first."""
_LONGEST_DAYS = 90

_HEAD = """\
# Findings that this product had when it adopted the standard. They do not fail the gate; new ones do.
# Written by `outer check --write-baseline`, owned by the team. Mend one after the other and write it again: what is
# mended leaves, nothing new comes in. A fingerprint stands for rule, file and message, so lines may move.
# After `expires` all of them count again. To decide anew, move the date by hand, as a change that somebody reviews.
"""


@dataclass(frozen=True)
class Entry:
    """One finding of the baseline. `index` is its position in the file."""

    index: int
    rule: str
    place: str
    fingerprint: str
    message: str


@dataclass(frozen=True)
class Baseline:
    """The baseline of a product, as far as it can be read; the rules BAS… report the rest."""

    file: File
    owner: str
    written: date | None
    expires: date | None
    """Last day on which it counts; None where the date cannot be read, and then it never counts."""
    entries: tuple[Entry, ...]

    def in_force(self, as_of: date) -> bool:
        """Whether it counts on the day `as_of`."""
        return bool(self.owner and self.expires and as_of <= self.expires)

    def days_left(self, as_of: date) -> int:
        """Whole days after `as_of` on which it still counts."""
        return (self.expires - as_of).days if self.expires else 0


def load(root: Path) -> Baseline | None:
    """The baseline of the product in the folder `root`, or None where it has none. Raises `Unreadable`."""
    path = root / BASELINE
    if not path.exists() and not path.is_symlink():
        return None
    file = File(BASELINE, read(path, root))
    listed = file.get("findings")
    return Baseline(
        file=file,
        owner=str(file.get("owner") or "").strip(),
        written=day(file.get("written")),
        expires=day(file.get("expires")),
        entries=tuple(
            Entry(index, *(str(entry.get(key) or "") for key in ("rule", "place", "fingerprint", "message")))
            for index, entry in enumerate(listed if isinstance(listed, list) else ())
            if isinstance(entry, dict)
        ),
    )


def apply(findings: Sequence[Finding], baseline: Baseline, as_of: date) -> tuple[tuple[Finding, ...], frozenset[int]]:
    """Mark the findings that `baseline` accepts on the day `as_of`, among those that no waiver accepts.

    Returns all findings, and the positions of the entries that are still there. A baseline that is not in force accepts
    nothing, but its entries are looked for all the same.
    """
    known = {(entry.rule, entry.fingerprint): entry.index for entry in baseline.entries}
    why = f"in the baseline until {baseline.expires}"
    found: set[int] = set()
    result: list[Finding] = []
    for finding, fingerprint in zip(findings, fingerprints(findings), strict=True):
        index = known.get((finding.rule, fingerprint))
        if index is None or not _may_hold(finding):
            result.append(finding)
            continue
        found.add(index)
        accepted = baseline.in_force(as_of) and not finding.waived
        result.append(replace(finding, waived=why, baselined=True) if accepted else finding)
    return tuple(result), frozenset(found)


def write(product: Product, findings: Sequence[Finding], as_of: date) -> int:
    """Write the baseline of `product`: all of `findings` when it has none, else those of its own that are still there.

    `findings` are those of the whole product, judged on the day `as_of`; what a waiver names, in force or not, stays
    with the waiver. Returns how many it holds; a baseline that has
    become empty is deleted. Raises `UsageError` when nothing needs a baseline, when nobody answers for it, or when the
    one that is there cannot be read.
    """
    try:
        before = load(product.root)
    except Unreadable as error:
        raise UsageError(
            f"{BASELINE}:{error.place.line}: {error.why}", "Mend it, or delete it to start again from all findings."
        ) from None
    named = waivers(product)  # an expired one too: a finding does not go from one way of being accepted to the other
    held = [
        (finding, fingerprint)
        for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
        if _may_hold(finding)
        and (finding.baselined or not finding.waived)
        and not any(waiver.covers(finding) for waiver in named)
    ]
    if before is not None:
        known = {(entry.rule, entry.fingerprint) for entry in before.entries}
        held = [(finding, fingerprint) for finding, fingerprint in held if (finding.rule, fingerprint) in known]
    elif not held:
        raise UsageError(
            "there is nothing that a baseline could accept",
            f"The product is in order, or what is wrong with it has to be mended first ({', '.join(NEVER_ACCEPTED)}), "
            f"or a waiver names it, in force or expired.",
        )
    if held:
        terms = _terms(product, as_of) if before is None else _kept(before)
        from outer.machine import save  # only now: most runs of the gate read a baseline and write none

        text = _text(held, *terms)
        save(product.root / BASELINE, text.encode(), todo="Make it possible to write there, and run it again.")
    else:
        (product.root / BASELINE).unlink()
    return len(held)


def _may_hold(finding: Finding) -> bool:
    return finding.level is not Level.INFO and not finding.rule.startswith(NEVER_ACCEPTED)


def _terms(product: Product, as_of: date) -> tuple[str, str, str]:
    """Owner and dates of a new baseline: the product's owner, and as long as the standard allows a waiver to last."""
    members = product.descriptor.get("team", "members") if product.descriptor else None
    owner = next(
        (
            str(member["username"])
            for member in (members if isinstance(members, list) else ())
            if isinstance(member, dict) and member.get("role") == "owner" and member.get("username")
        ),
        "",
    )
    if not owner:
        raise UsageError(
            "nobody answers for a baseline: the descriptor names no owner",
            "Give `team` in outer/data-product.odps.yaml a member with `role: owner` first.",
        )
    longest = lookup(product.standard.value, ("waivers", "longest_days")) if product.standard else None
    days = longest if isinstance(longest, int) and not isinstance(longest, bool) else _LONGEST_DAYS
    return owner, as_of.isoformat(), (as_of + timedelta(days=days)).isoformat()


def _kept(before: Baseline) -> tuple[Any, Any, Any]:
    return tuple(before.file.get(key) for key in ("owner", "written", "expires"))


def _text(held: Iterable[tuple[Finding, str]], owner: object, written: object, expires: object) -> str:
    lines = [f"{_HEAD}\nowner: {_scalar(owner)}\nwritten: {_scalar(written)}\nexpires: {_scalar(expires)}\n"]
    entries = [
        f"  - rule: {finding.rule}\n"
        f"    place: {_scalar(finding.path)}\n"
        f"    fingerprint: {_scalar(fingerprint)}\n"
        f"    message: {_scalar(finding.key or finding.message)}\n"
        for finding, fingerprint in held
    ]
    lines.append("findings:\n" + "".join(entries) if entries else "findings: []\n")
    return "\n".join(lines)


def _scalar(value: object) -> str:
    """A JSON scalar, which every reader of YAML takes for the same value."""
    if isinstance(value, str):
        value = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return json.dumps(value, ensure_ascii=False, default=str)
