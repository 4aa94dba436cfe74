"""What a check has to say: one sentence what, one sentence what to do, and the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from outer.yamlfile import Place


class Level(StrEnum):
    """How much a finding weighs: errors fail the gate, warnings and notes are reported."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, at `path` (from the product's root) and `place`."""

    rule: str
    level: Level
    path: str
    place: Place
    message: str
    todo: str
    waived: str = ""
    """Why it is accepted, by a waiver or by the baseline; empty where it is not."""
    baselined: bool = False
    """Whether it is the baseline that accepts it."""
    key: str = ""
    """The message without what the stage of the rule adds to it."""


def fingerprints(findings: Iterable[Finding]) -> tuple[str, ...]:
    """A name for each of `findings` that stays when lines move: 16 hexadecimal digits and a number.

    It is made from rule, file and message; the number tells findings apart that agree in all three, in their order.
    """
    from hashlib import sha256

    seen: Counter[str] = Counter()
    names: list[str] = []
    for finding in findings:
        text = "\0".join((finding.rule, finding.path, finding.key or finding.message))
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        seen[digest] += 1
        names.append(f"{digest}:{seen[digest]}")
    return tuple(names)
