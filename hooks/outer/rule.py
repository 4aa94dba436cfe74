"""What a rule of the standard is: one object that holds its id, its reason, its remedy, its examples and its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from outer.finding import Finding, Level
from outer.product import File, Product, lookup, mappings
from outer.yamlfile import Place, Pointer


class Stage(StrEnum):
    """Where a rule is in its life. Everything is judged for a given day, so that a result can be repeated."""

    DRAFT = "draft"
    """Reported only when asked for, as information."""
    GRACE = "grace"
    """Reported as a warning that names the day from which it is an error."""
    ENFORCED = "enforced"
    RETIRED = "retired"
    """No longer judged; the id is never used again."""


class Scope(StrEnum):
    """The kind of object that a rule judges one at a time. The engine finds and counts them."""

    PRODUCT = "product"
    DESCRIPTOR = "descriptor"
    INPUT_PORT = "input port"
    OUTPUT_PORT = "output port"
    CONTRACT = "contract"
    OUTPUT_CONTRACT = "output contract"
    COLUMN = "column"
    INNER = "inner"
    STANDARD = "standard"
    WAIVERS = "waivers file"
    WAIVER = "waiver"


@dataclass(frozen=True)
class Subject:
    """The object that a rule looks at: a product, and the part of one of its files that is meant."""

    product: Product
    as_of: date
    file: File | None = None
    pointer: Pointer = ()

    def get(self, *steps: str | int) -> Any:
        """The value at `steps` below the object, or None."""
        return self.file.get(*self.pointer, *steps) if self.file else None

    def text(self, *steps: str | int) -> str:
        """The text at `steps` below the object; empty where there is none or it is no text."""
        value = self.get(*steps)
        return value.strip() if isinstance(value, str) else ""

    def entries(self, *steps: str | int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Position and value of every mapping in the list at `steps`."""
        return mappings(self.get(*steps))

    def standard(self, *steps: str) -> Any:
        """A parameter of the organisation's standard (outer/standard.yaml)."""
        return lookup(self.product.standard.value, steps) if self.product.standard else None


@dataclass(frozen=True)
class Said:
    """What a check found, before it becomes a finding: a sentence and the place below the object."""

    message: str
    steps: Pointer = ()
    path: str = ""
    """Another file than the object's own; the place is then `at`."""
    at: Place = field(default_factory=Place)


@dataclass(frozen=True)
class Change:
    """An example: this text in a file of a fresh product, and what takes its place.

    Without `new` the file goes; without `old` it is written anew.
    """

    path: str
    old: str = ""
    new: str | None = None

    def apply(self, root: Path) -> None:
        """Make the change in the product at `root`. Raises `ValueError` when its text is not there to be changed."""
        path = root / self.path
        if self.new is None:
            path.unlink()
        elif not self.old:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.new, encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
            if self.old not in text:
                raise ValueError(f"{self.path} does not hold {self.old!r}")
            path.write_text(text.replace(self.old, self.new, 1), encoding="utf-8")


Check = Callable[[Subject], Iterator[Said]]


@dataclass(frozen=True)
class Rule:
    """One sentence of the standard, enforced by machine."""

    id: str
    title: str
    """What holds, in one sentence."""
    why: str
    """What happens to consumers without it."""
    todo: str
    scope: Scope
    bad: Change
    """Breaks the rule, and only the promise that it stands for. The fresh product is the good example."""
    check: Check
    level: Level = Level.ERROR
    since: str = "0.1.0"
    """Version of the suite that brought it."""
    enforced_from: date | None = None
    """Day from which it is enforced; before it there is grace. None: from the start."""
    draft: bool = False
    retired: bool = False

    def stage(self, as_of: date) -> Stage:
        """The stage of the rule's life on the day `as_of`."""
        if self.retired:
            return Stage.RETIRED
        if self.draft:
            return Stage.DRAFT
        if self.enforced_from and as_of < self.enforced_from:
            return Stage.GRACE
        return Stage.ENFORCED

    @property
    def family(self) -> str:
        """Name of the family, from the letters of the id."""
        return FAMILIES[self.id[:3]]

    def finding(self, subject: Subject, said: Said) -> Finding:
        """What the check said, as a finding with its place, at the level that its stage allows."""
        file = subject.file
        if said.path or file is None:
            path, place = said.path or "outer", said.at
        else:
            path, place = file.path, file.place(*subject.pointer, *said.steps)
        level, message = self.level, said.message
        match self.stage(subject.as_of):
            case Stage.DRAFT:
                level, message = Level.INFO, f"{message} (draft of a rule)"
            case Stage.GRACE if level is Level.ERROR:
                level, message = Level.WARNING, f"{message} (an error from {self.enforced_from})"
        return Finding(self.id, level, path, place, message, self.todo, key=said.message)


FAMILIES: Mapping[str, str] = {
    "REA": "Readable: files are there, well-formed, and what their standard says",
    "IDN": "Identity and naming",
    "OWN": "Ownership and support",
    "VER": "Versioning",
    "DES": "Discoverability: a stranger can find and understand it",
    "REF": "References: everything named exists, once",
    "CON": "Contracts: what consumers rely on is written down",
    "QUA": "Quality rules: each can be executed, can fail, and says what it is for",
    "PRV": "Compliance: sensitivity, personal data, terms",
    "INO": "Interoperability: data of one product fit those of another",
    "LIN": "Lineage: where the data come from",
    "INN": "Inner seam: what the outer knows of the inner",
    "INT": "Integrity: managed files, the pin and the answers",
    "SUP": "Supply chain: what runs in CI is what was reviewed",
    "WAI": "Waivers",
    "BAS": "Baseline: findings that a product had when it adopted the standard",
    "ORG": "Organisation: policies that a platform team added",
}


def rule(
    id: str,  # noqa: A002 (the word that the field uses)
    scope: Scope,
    *,
    title: str,
    why: str,
    todo: str,
    bad: Change,
    **life: Any,
) -> Callable[[Check], Rule]:
    """Make the decorated check a rule. `life` holds what differs from the usual: level, enforced_from, draft …"""

    def decorate(check: Check) -> Rule:
        return Rule(id, title, why, todo, scope, bad, check, **life)

    return decorate
