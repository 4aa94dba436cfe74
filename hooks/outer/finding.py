"""What a check has to say: one sentence what, one sentence what to do, and the place."""

from __future__ import annotations

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
    """Reason of the waiver that accepts it; empty where none does."""
