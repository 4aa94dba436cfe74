"""What a check is: one thing that holds for every blueprint, with an id, a title and the level it belongs to."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from conformance.trial import Trial


class Level(IntEnum):
    """What can be said of a blueprint: all checks of the level and of those below it have passed."""

    NONE = 0
    BRONZE = 1
    """A product made from it is whole, safe, and runs."""
    SILVER = 2
    """Its data are right."""
    GOLD = 3
    """It can be trusted: on bad days, at any place, at size."""

    @property
    def word(self) -> str:
        return self.name.lower()


Status = Literal["passed", "failed", "not run"]


class NotRun(Exception):
    """A check could not be run, which is never a pass; the message says why."""


@dataclass(frozen=True)
class Check:
    """One check. `judge` gives what is wrong, in sentences; it raises `NotRun` when it cannot tell."""

    id: str
    title: str
    level: Level
    judge: Callable[[Trial], Iterator[str]]


@dataclass(frozen=True)
class Verdict:
    """What came of one check. `reasons` say what is wrong, or why it was not run; `note` how it was found out."""

    check: Check
    status: Status
    reasons: tuple[str, ...]
    seconds: float
    note: str = ""
    defect: bool = False
    """The check itself has failed, which is a defect of the kit."""


_FOUND: list[Check] = []


def check(
    id: str,  # noqa: A002 (the field's word)
    title: str,
    level: Level,
) -> Callable[[Callable[[Trial], Iterator[str]]], Callable[[Trial], Iterator[str]]]:
    """Register the decorated function as the check `id`."""

    def register(judge: Callable[[Trial], Iterator[str]]) -> Callable[[Trial], Iterator[str]]:
        _FOUND.append(Check(id, title, level, judge))
        return judge

    return register


def checks(highest: Level = Level.GOLD) -> tuple[Check, ...]:
    """All checks up to the level `highest`, in the order in which they are run."""
    for level in ("bronze", "silver", "gold"):
        importlib.import_module(f"conformance.{level}")
    return tuple(check for check in sorted(_FOUND, key=lambda c: c.level) if check.level <= highest)


def reached(verdicts: list[Verdict]) -> Level:
    """The highest level of which, and below which, every check has passed. A check that is missing has not."""
    status = {verdict.check.id: verdict.status for verdict in verdicts}
    level = Level.NONE
    for step in (Level.BRONZE, Level.SILVER, Level.GOLD):
        if any(status.get(check.id) != "passed" for check in checks() if check.level == step):
            return level
        level = step
    return level
