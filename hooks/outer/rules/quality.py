"""QUA: every quality rule can be executed, can fail, and says what it is for.

What a rule may say is Bitol ODCS 3.1, section Data Quality; what of it `outer run` executes is outer/quality.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from outer.quality import Unknown, is_percent, judge, query, subjects
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, filled, listed, mappings, matches
from outer.yamlfile import Pointer, show

if TYPE_CHECKING:
    from outer.model import Column

_DIMENSIONS = ("accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness")
_SEVERITIES = ("error", "warning", "info")
_COUNT = re.compile(r"select\s+count\s*\([^()]*\)\s+from\b", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXT = re.compile(r"'(?:[^']|'')*'")
LONGEST_QUERY = 8000
"""Characters; what is longer is a program, and belongs into inner/."""

_CHANGES = re.compile(
    r"\b(alter|attach|call|copy|create|delete|detach|drop|execute|export|grant|import|insert|install|load|merge|pragma"
    r"|replace\s+into|revoke|set|truncate|update|vacuum)\b",
    re.IGNORECASE,
)


Clause = Mapping[str, Any]


def _rules(subject: Subject) -> Iterator[tuple[Pointer, Clause, Clause | None, Clause]]:
    """Place, quality rule, its column (None: it is about the table) and its table."""
    for index, table in subject.entries("schema"):
        for position, clause in mappings(table.get("quality")):
            yield ("schema", index, "quality", position), clause, None, table
        for number, column in mappings(table.get("properties")):
            for position, clause in mappings(column.get("quality")):
                yield ("schema", index, "properties", number, "quality", position), clause, column, table


def _name(clause: Mapping[str, Any]) -> str:
    return show(clause.get("name") or clause.get("metric") or clause.get("type") or "without a name")


def _reason(clause: Mapping[str, Any], column: Mapping[str, Any] | None, table: Mapping[str, Any]) -> str:
    """Why a quality rule cannot be executed; empty where it can."""
    kind = clause.get("type", "library")
    if kind == "text":
        return "" if filled(clause.get("description")) else "it is text for people, but has no description"
    if kind == "custom":
        from outer.audit.custom import Registered, unregistered  # few contracts have such a rule

        return unregistered(str(clause.get("engine") or ""), Registered())
    if kind not in ("library", "sql"):
        return f"nothing here executes the type {show(kind)}"
    known = {str(c.get("name")): cast("Column", c) for _, c in mappings(table.get("properties"))}
    arguments = clause.get("arguments")
    try:
        if kind == "sql":
            query(clause, "t", "c" if column is not None else None)
        elif arguments is not None and not isinstance(arguments, dict):
            return f"the arguments {show(arguments)} are no mapping"
        else:
            subjects(clause, cast("Column", column) if column is not None else None, known)
        judge(clause, 0)
    except Unknown as unknown:
        return str(unknown)
    except TypeError:  # bounds of two kinds, which cannot be compared
        return "its operator compares values of different kinds"
    return _argument(clause) if kind == "library" else ""


def _argument(clause: Mapping[str, Any]) -> str:
    metric, arguments = clause.get("metric"), clause.get("arguments") or {}
    if metric == "missingValues" and not arguments.get("missingValues"):
        return "missingValues needs the list of them under `arguments`"
    if metric == "invalidValues":
        valid, pattern = arguments.get("validValues"), arguments.get("pattern")
        if not (isinstance(valid, list) and valid) and not isinstance(pattern, str):
            return "invalidValues needs `validValues` or a `pattern` under `arguments`"
        if isinstance(pattern, str) and matches(pattern, "") is None:
            return f"{show(pattern)} is no regular expression"
    return ""


@rule(
    "QUA001",
    Scope.OUTPUT_CONTRACT,
    title="Every quality rule can be executed, or is declared as text for people.",
    why="A rule that no engine understands looks like a promise that is kept; bad data pass it in silence.",
    todo="Use a library metric with exactly one operator, an SQL query that gives one number, or `type: text`.",
    bad=Change(CONTRACT, "metric: rowCount", "metric: rowNumber"),
)
def executable(subject: Subject) -> Iterator[Said]:
    for place, clause, column, table in _rules(subject):
        if reason := _reason(clause, column, table):
            yield Said(f"the quality rule {_name(clause)} cannot be executed: {reason}", place)


@rule(
    "QUA002",
    Scope.OUTPUT_CONTRACT,
    title="A quality rule can hold and can fail.",
    why="One that always holds proves nothing; one that never holds keeps everything from being published.",
    todo="Correct the operator or its bound: counts are never below 0, shares lie between 0 and 100 percent.",
    bad=Change(CONTRACT, "mustBeGreaterThan: 0", "mustBeGreaterOrEqualTo: 0"),
)
def undecided(subject: Subject) -> Iterator[Said]:
    for place, clause, column, table in _rules(subject):
        if _reason(clause, column, table) or not _counts(clause):
            continue
        percent = clause.get("type") != "sql" and is_percent(clause)
        highest = 100.0 if percent else 1e15
        limits = [x for key, value in clause.items() if key.startswith("must")
                  for x in (value if isinstance(value, list) else [value]) if isinstance(x, (int, float))]  # fmt: skip
        tried = {0.0, highest, *(float(x) + d for x in limits if abs(x) < 1e15 for d in (-1, -0.5, 0, 0.5, 1))}
        verdicts = {
            judge(clause, value)[0] for value in tried if 0 <= value <= highest and (value == int(value) or percent)
        }
        if len(verdicts) == 1:
            always = "always" if verdicts == {True} else "never"
            yield Said(f"the quality rule {_name(clause)} {always} holds, whatever the data are", place)


def _counts(clause: Clause) -> bool:
    """Whether what is measured is a number of rows, or a share of them."""
    if clause.get("type", "library") == "library":
        return True
    return clause.get("type") == "sql" and _COUNT.match(filled(clause.get("query"))) is not None


@rule(
    "QUA003",
    Scope.OUTPUT_CONTRACT,
    title="Every quality rule has a name, a description, a dimension and a severity of the standard.",
    why="Reports, waivers and receipts go by the name; the severity decides whether bad data are published.",
    todo=f"Write `name`, `description`, `dimension` ({', '.join(_DIMENSIONS)}) and `severity` "
    f"({', '.join(_SEVERITIES)}).",
    bad=Change(CONTRACT, "severity: error", "severity: fatal"),
)
def labelled(subject: Subject) -> Iterator[Said]:
    for place, clause, _, _ in _rules(subject):
        for key in ("name", "description"):
            if not filled(clause.get(key)):
                yield Said(f"the quality rule {_name(clause)} has no `{key}`", place)
        for key, known in (("dimension", _DIMENSIONS), ("severity", _SEVERITIES)):
            if clause.get(key) not in known:
                yield Said(
                    f"the {key} {show(clause.get(key))} of the quality rule {_name(clause)} is none of {listed(known)}",
                    (*place, key),
                )


@rule(
    "QUA004",
    Scope.OUTPUT_CONTRACT,
    title="A query of a quality rule is one SELECT that looks at its table, and at columns that are there.",
    why="A query that looks elsewhere proves nothing about the data; one that changes something is no check.",
    todo="Write one SELECT over {object}, which stands for the table, without a semicolon.",
    bad=Change(CONTRACT, "FROM {object} WHERE cancelled > flights", "FROM range(0)"),
)
def selects(subject: Subject) -> Iterator[Said]:
    for place, clause, _, table in _rules(subject):
        text = clause.get("query")
        if clause.get("type") != "sql" or not isinstance(text, str):
            continue
        steps = (*place, "query")
        if len(text) > LONGEST_QUERY:
            yield Said(f"the query of {_name(clause)} is longer than {LONGEST_QUERY} characters", steps)
            continue
        plain = _TEXT.sub("''", _COMMENT.sub(" ", text)).strip().rstrip(";").strip()
        if not plain.lower().startswith(("select", "with", "(")):
            yield Said(f"the query of {_name(clause)} is not a SELECT", steps)
        elif ";" in plain:
            yield Said(f"the query of {_name(clause)} holds more than one statement", steps)
        elif found := _CHANGES.search(re.sub(r'"[^"]*"', '""', plain)):
            yield Said(f"the query of {_name(clause)} holds the word {show(found[0].upper())}", steps)
        names = {name for key in ("name", "physicalName") if (name := filled(table.get(key)))}
        if not any(sign in plain for sign in ("{object}", "{table}", "{model}")) and not any(
            re.search(rf"\b{re.escape(name)}\b", plain) for name in names
        ):
            yield Said(f"the query of {_name(clause)} does not look at the table", steps)
        known = {
            str(c.get(key)).lower() for _, c in mappings(table.get("properties")) for key in ("name", "physicalName")
        }
        for word in _strange(plain, known):
            yield Said(f"the query of {_name(clause)} names {show(word)}, which is no column", steps)


_CONDITION = re.compile(r"select\s+count\s*\(\s*\*\s*\)\s+from\s+\{(?:object|table|model)\}\s+where\s", re.IGNORECASE)
_SUBTLE = re.compile(r"::|->|[\".{}]|\b(?:as|cast|select|over|interval|extract|collate)\b", re.IGNORECASE)
_WORD = re.compile(r"\b[A-Za-z_]\w*\b(?!\s*\()")
_OPERATORS = frozenset({
    "and", "between", "case", "current_date", "current_timestamp", "date", "distinct", "else", "end", "escape", "false",
    "from", "glob", "ilike", "in", "is", "like", "not", "null", "or", "regexp", "rlike", "similar", "symmetric", "then",
    "time", "timestamp", "to", "true", "when",
})  # fmt: skip


def _strange(query: str, known: set[str]) -> Iterator[str]:
    """Words of a plain query (a count of rows that meet a condition) that are neither SQL nor columns.

    What goes beyond comparisons and functions is left to the engine, which refuses it when it runs.
    """
    start = _CONDITION.match(query)
    condition = query[start.end() :] if start else ""
    if not _SUBTLE.search(condition):
        yield from sorted({w for w in _WORD.findall(condition) if w.lower() not in _OPERATORS | known})


@rule(
    "QUA005",
    Scope.OUTPUT_CONTRACT,
    title="A critical data element is required and guarded by a rule: quality, pattern, range, key or uniqueness.",
    why="Decisions hang on it; when it is wrong or missing, somebody must notice before the decision.",
    todo="Set `required: true` and add `quality`, `logicalTypeOptions` or `unique`, or drop `criticalDataElement`.",
    bad=Change(
        CONTRACT,
        "physicalType: DOUBLE\n        description: Mean delay at departure",
        "physicalType: DOUBLE\n        criticalDataElement: true\n        description: Mean delay at departure",
    ),
)
def critical(subject: Subject) -> Iterator[Said]:
    for index, table in subject.entries("schema"):
        for number, column in mappings(table.get("properties")):
            if column.get("criticalDataElement") is not True:
                continue
            place, name = ("schema", index, "properties", number), show(column.get("name"))
            if column.get("required") is not True:
                yield Said(f"the critical column {name} may be empty", place)
            guards = ("quality", "logicalTypeOptions", "unique", "primaryKey")
            if not any(column.get(key) for key in guards):
                yield Said(f"no rule guards the critical column {name}", place)


@rule(
    "QUA006",
    Scope.OUTPUT_CONTRACT,
    title="At least one quality rule that is executed keeps bad data from being published.",
    why="With warnings and texts only, the gate before publication is always open.",
    todo="Give a library or SQL rule the severity `error`.",
    bad=Change(
        CONTRACT,
        "severity: error\n      - name: no_more_cancelled_than_scheduled\n"
        "        description: Cancelled flights are part of the scheduled ones.\n        type: sql\n"
        "        query: SELECT count(*) FROM {object} WHERE cancelled > flights\n        mustBe: 0\n"
        "        dimension: consistency\n        severity: error",
        "severity: warning",
    ),
)
def guarded(subject: Subject) -> Iterator[Said]:
    found = [clause for _, clause, _, _ in _rules(subject)]
    executed = [clause for clause in found if clause.get("type", "library") in ("library", "sql")]
    if found and not any(clause.get("severity", "error") == "error" for clause in executed):
        yield Said("no quality rule with the severity `error` is executed", ("schema",))
