"""What a rule of compatibility is: one object with its id, its weight, its reason, its remedy and its examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from outer.compat.change import Change
from outer.compat.versions import Bump


class Category(StrEnum):
    """Who is hurt by a change; a user can select some."""

    SCHEMA = "schema"
    SEMANTICS = "semantics"
    DELIVERY = "delivery"
    ACCESS = "access"
    LIFECYCLE = "lifecycle"
    LINEAGE = "lineage"
    TOOL = "tool"


SELECTABLE: Mapping[Category, str] = {
    Category.SCHEMA: "readers: structure, constraints, quality",
    Category.SEMANTICS: "readers: what the values mean",
    Category.DELIVERY: "service levels, servers, ports",
    Category.ACCESS: "roles, security, price, terms, classification, compliance",
    Category.LIFECYCLE: "deprecation, removal, released versions",
    Category.LINEAGE: "what the product is made from",
}
"""What each category is about. Doubts of the tool itself are always reported, and so is a version that is too small."""


class Grade(StrEnum):
    """How much a change weighs."""

    FORBIDDEN = "forbidden"
    """No version makes it good."""
    BREAKING = "breaking"
    """Needs a new major."""
    RISKY = "risky"
    """Soft, or not decidable by machine: somebody must decide, and write the decision down. Needs a minor."""
    ADDITIVE = "additive"
    """Needs a minor."""
    DESCRIPTIVE = "descriptive"
    """Needs a patch."""

    @property
    def bump(self) -> Bump:
        return _BUMPS[self]


_BUMPS = {
    Grade.FORBIDDEN: Bump.PATCH,
    Grade.BREAKING: Bump.MAJOR,
    Grade.RISKY: Bump.MINOR,
    Grade.ADDITIVE: Bump.MINOR,
    Grade.DESCRIPTIVE: Bump.PATCH,
}


class Way(StrEnum):
    """Which side of a contract feels a change: readers get less, or the producer has to give more."""

    WEAKER = "weaker"
    STRONGER = "stronger"
    NEITHER = "neither"


@dataclass(frozen=True)
class Example:
    """A change of a minimal product, as YAML that is written over the object `at` before and after.

    `at` is contract, table, column, descriptor or pin (the pinned contract of the input port). Without `new` the
    object is gone. `released` is what a release held in that place; `beside` is a second contract, of the next major.
    """

    at: str
    old: str
    new: str | None
    released: str | None = None
    beside: str | None = None
    status: str = "active"
    """Status of the contract, unless the fragments say it."""
    shallow: bool = False
    """Whether the history of the repository is cut off."""


Judge = Callable[[Change], str | None]
"""Says in one sentence what the change does, or None where the rule does not mean it."""


@dataclass(frozen=True)
class Rule:
    """One sentence of what may be relied on across versions."""

    id: str
    clauses: tuple[str, ...]
    """Clauses of `Change` that it judges; `server.*` is every key of a server that no other rule names."""
    grade: Grade
    category: Category
    title: str
    """What the rule reports, in one sentence."""
    why: str
    """What happens to consumers."""
    todo: str
    bad: Example
    """A change that the rule reports."""
    good: Example
    """A change close to it that the rule does not report."""
    judge: Judge
    way: Way
    since: str = "0.1.0"


def rule(
    id: str,  # noqa: A002 (the word that the field uses)
    *clauses: str,
    grade: Grade,
    category: Category,
    title: str,
    why: str,
    todo: str,
    bad: Example,
    good: Example,
    way: Way | None = None,
) -> Callable[[Judge], Rule]:
    """Make the decorated judgement a rule. What breaks readers weakens the contract, what adds to it strengthens it."""

    def decorate(judge: Judge) -> Rule:
        usual = {Grade.BREAKING: Way.WEAKER, Grade.ADDITIVE: Way.STRONGER}
        felt = way or usual.get(grade, Way.NEITHER)
        return Rule(id, clauses, grade, category, title, why, todo, bad, good, judge, felt)

    return decorate


def contract(old: str, new: str | None, **more: Any) -> Example:
    return Example("contract", old, new, **more)


def table(old: str, new: str | None) -> Example:
    return Example("table", old, new)


def column(old: str, new: str | None) -> Example:
    return Example("column", old, new)


def descriptor(old: str, new: str | None, **more: Any) -> Example:
    return Example("descriptor", old, new, **more)


def pin(old: str, new: str | None) -> Example:
    return Example("pin", old, new)
