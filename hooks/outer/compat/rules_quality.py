"""QRL: what readers rely on because it is checked before it is published."""

from __future__ import annotations

from functools import partial
from typing import Any

from outer.compat import grammar, units
from outer.compat.change import Change, listing, show
from outer.compat.grammar import text
from outer.compat.rule import Category, Grade, Way, rule, table
from outer.compat.thresholds import Pass, passing

breaking = partial(rule, category=Category.SCHEMA, grade=Grade.BREAKING)
risky = partial(rule, category=Category.SCHEMA, grade=Grade.RISKY)
additive = partial(rule, category=Category.SCHEMA, grade=Grade.ADDITIVE)

_SEVERITIES = ("info", "warning", "error")
_ROWS = "quality: [{name: rows, metric: rowCount, mustBeGreaterThan: 0%s}]"
_SQL = "quality: [{name: sums, type: sql, query: '%s', mustBe: 0}]"
_ARGUMENTS = ("arguments.validValues", "arguments.missingValues", "arguments.properties", "arguments.pattern")
_VALID = "quality: [{name: known, metric: invalidValues, mustBe: 0, arguments: {validValues: [%s]}}]"


@breaking(
    "QRL001",
    "quality",
    title="A quality rule was removed.",
    why="What was checked before every publication is checked no more, and nobody is told.",
    todo="Keep the rule.",
    bad=table(_ROWS % "", "quality: []"),
    good=table("quality: []", _ROWS % ""),
)
def removed(change: Change) -> str | None:
    return f"{change.label} of {change.around.label} was removed" if change.new is None else None


@breaking(
    "QRL002",
    "quality.threshold",
    title="A threshold was loosened, or moved.",
    why="Data pass that did not pass before.",
    todo="Keep the threshold.",
    bad=table(_ROWS.replace("0%s", "100"), _ROWS.replace("0%s", "10")),
    good=table(_ROWS.replace("0%s", "10"), _ROWS.replace("0%s", "100")),
)
def loosened(change: Change) -> str | None:
    return _threshold(change, Pass.MORE, "lets more pass")


@risky(
    "QRL003",
    "quality.threshold",
    title="A threshold was tightened.",
    why="Good for readers; but data that were fine yesterday may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=table(_ROWS.replace("0%s", "10"), _ROWS.replace("0%s", "100")),
    good=table(_ROWS.replace("0%s", "100"), _ROWS.replace("0%s", "10")),
    way=Way.STRONGER,
)
def tightened(change: Change) -> str | None:
    return _threshold(change, Pass.FEWER, "lets fewer pass")


@risky(
    "QRL004",
    "quality.threshold",
    title="A threshold changed to something that cannot be compared.",
    why="Whether more or fewer data pass is not to be seen by machine.",
    todo="Keep the unit and write numbers; if more data pass, it is breaking.",
    bad=table(
        "quality: [{name: gaps, metric: nullValues, mustBeLessThan: 5}]",
        "quality: [{name: gaps, metric: nullValues, mustBeLessThan: 5, unit: percent}]",
    ),
    good=table(
        "quality: [{name: gaps, metric: nullValues, mustBe: 0}]",
        "quality: [{name: gaps, metric: nullValues, mustBe: 0, unit: percent}]",
    ),
)
def undecided(change: Change) -> str | None:
    return _threshold(change, Pass.UNKNOWN, "cannot be compared")


def _threshold(change: Change, wanted: Pass, what: str) -> str | None:
    if passing(change.before, change.after) is not wanted:
        return None
    return f"the threshold of {change.label} {what}: {show(listing(change.old))} to {show(listing(change.new))}"


@breaking(
    "QRL005",
    "quality.measure",
    title="A quality rule measures something else.",
    why="What it measured before is checked no more.",
    todo="Keep the rule, and add another one.",
    bad=table(_ROWS % "", "quality: [{name: rows, metric: nullValues, mustBeGreaterThan: 0}]"),
    good=table(_ROWS % "", _ROWS % ", type: library"),
)
def other_measure(change: Change) -> str | None:
    return f"{change.label} measures something else: {show(listing(change.old))} to {show(listing(change.new))}"


def _severity(value: Any) -> int | None:
    word = "error" if value is None else str(value).lower()
    return _SEVERITIES.index(word) if word in _SEVERITIES else None


@breaking(
    "QRL006",
    "quality.severity",
    title="The severity of a quality rule was lowered.",
    why="Data that would have been held back are published.",
    todo="Keep the severity.",
    bad=table(_ROWS % ", severity: error", _ROWS % ", severity: warning"),
    good=table(_ROWS % ", severity: warning", _ROWS % ", severity: error"),
)
def milder(change: Change) -> str | None:
    old, new = _severity(change.old), _severity(change.new)
    if old is None or new is None or new >= old:
        return None
    return f"{change.label} only says {show(change.new)} where it said {show(change.old or 'error')}"


@risky(
    "QRL007",
    "quality.severity",
    title="The severity of a quality rule was raised, or cannot be compared.",
    why="Data that were published with a warning may be held back.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=table(_ROWS % ", severity: warning", _ROWS % ", severity: error"),
    good=table(_ROWS % ", severity: error", _ROWS % ", severity: info"),
    way=Way.STRONGER,
)
def stricter(change: Change) -> str | None:
    old, new = _severity(change.old), _severity(change.new)
    if old is not None and new is not None and new < old:
        return None
    return f"the severity of {change.label} changed from {show(change.old or 'error')} to {show(change.new or 'error')}"


_FILTER = tuple(f"arguments.{key}" for key in grammar.FILTERS)


@breaking(
    "QRL008",
    "custom.filter",
    *_FILTER,
    title="A quality rule looks at fewer rows.",
    why="The rows that it passes over are checked no more.",
    todo="Keep it looking at all rows.",
    bad=table(_ROWS % "", _ROWS % ", customProperties: [{property: filter, value: a > 0}]"),
    good=table(_ROWS % ", customProperties: [{property: filter, value: a > 0}]", _ROWS % ""),
)
def filtered(change: Change) -> str | None:
    return f"{change.label} looks at fewer rows: {show(change.new)}" if change.old is None else None


@risky(
    "QRL009",
    "custom.filter",
    *_FILTER,
    title="A quality rule looks at other rows, or at all of them.",
    why="Whether these are more or fewer is not to be seen by machine.",
    todo="Say whether rows are passed over that were checked before; if so, it is breaking.",
    bad=table(_ROWS % ", arguments: {filter: a > 0}", _ROWS % ", arguments: {filter: a > 1}"),
    good=table(_ROWS % "", _ROWS % ", arguments: {filter: a > 0}"),
)
def refiltered(change: Change) -> str | None:
    if change.old is None:
        return None
    return f"{change.label} looks at other rows: {show(change.old)} to {show(change.new or 'all')}"


@risky(
    "QRL010",
    "quality.query",
    "quality.implementation",
    "quality.engine",
    "quality.description",
    title="The text of a query, of a rule for another tool or of a rule in words changed.",
    why="Whether it is stricter or milder is not to be seen by machine.",
    todo="Say whether data pass that did not pass before; if so, it is breaking.",
    bad=table(_SQL % "SELECT 1", _SQL % "SELECT 2"),
    good=table(_SQL % "SELECT 1", _SQL % "SELECT   1"),
)
def rewritten(change: Change) -> str | None:
    if change.key == "description" and change.after.get("type") != "text":
        return None
    return f"the `{change.key}` of {change.label} changed"


@risky(
    "QRL011",
    "quality.schedule",
    title="A quality rule runs less often, or nobody can tell.",
    why="A defect stays unseen for longer.",
    todo="Keep the schedule, or write down why less is enough.",
    bad=table(_ROWS % ", schedule: 0 * * * *", _ROWS % ", schedule: 0 5 * * *"),
    good=table(_ROWS % ", schedule: 0 5 * * *", _ROWS % ", schedule: 0 * * * *"),
    way=Way.WEAKER,
)
def less_often(change: Change) -> str | None:
    if _often(change) not in ("less", "unknown"):
        return None
    return f"{change.label} runs at {show(change.new or 'no stated time')}, before at {show(change.old)}"


def _often(change: Change) -> str:
    if change.old is None:
        return "more" if units.runs_a_week(change.new) is not None else "unknown"
    old, new = units.runs_a_week(change.old), units.runs_a_week(change.new)
    if old is None or new is None:
        return "unknown"
    return "less" if new < old else "more" if new > old else "same"


@additive(
    "QRL012",
    "quality.schedule",
    title="A quality rule runs more often.",
    why="A defect is seen earlier.",
    todo="Be sure that the producer can keep up.",
    bad=table(_ROWS % ", schedule: 0 5 * * *", _ROWS % ", schedule: 0 * * * *"),
    good=table(_ROWS % ", schedule: 0 5 * * *", _ROWS % ", schedule: 0 6 * * *"),
)
def more_often(change: Change) -> str | None:
    return f"{change.label} runs at {show(change.new)}" if _often(change) == "more" else None


@additive(
    "QRL013",
    "quality",
    title="A quality rule was added.",
    why="Readers may rely on more.",
    todo="Run the new contract against the data that are there.",
    bad=table("quality: []", _ROWS % ""),
    good=table(_ROWS % "", "quality: []"),
)
def added(change: Change) -> str | None:
    return f"{change.label} of {change.around.label} was added" if change.old is None else None


@breaking(
    "QRL014",
    *_ARGUMENTS,
    title="The arguments of a quality rule let more pass.",
    why="Values pass that did not pass before.",
    todo="Keep the arguments.",
    bad=table(_VALID % "a, b", _VALID % "a, b, c"),
    good=table(_VALID % "a, b", _VALID % "a"),
)
def more_pass(change: Change) -> str | None:
    return _arguments(change) if _milder(change) else None


def _milder(change: Change) -> bool:
    old, new = (frozenset(map(text, side)) if isinstance(side, list) else None for side in (change.old, change.new))
    match change.key:
        case "validValues":
            return old is not None and (new is None or not new <= old)
        case "missingValues":
            return old is not None and (new is None or not old <= new)
        case "properties":
            # Rows that are equal in fewer columns are equal in them, so fewer columns find more duplicates.
            around = change.enclosing("quality")
            counts_duplicates = around is not None and around.before.get("metric") == "duplicateValues"
            return old is not None and (new is None or not (new <= old and counts_duplicates))
        case "pattern":
            return change.old is not None and change.new is None
        case _:
            return False


def _arguments(change: Change) -> str:
    return f"the argument `{change.key}` of {change.label} changed: {show(change.old)} to {show(change.new)}"


@risky(
    "QRL015",
    *_ARGUMENTS,
    "arguments.*",
    title="The arguments of a quality rule changed in another way.",
    why="Fewer values may pass, or nobody can tell.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=table(_VALID % "a, b", _VALID % "a"),
    good=table(_VALID % "a, b", _VALID % "b, a"),
    way=Way.STRONGER,
)
def other_arguments(change: Change) -> str | None:
    return None if _milder(change) else _arguments(change)
