"""Holds data against their contract: every clause gets a verdict, and a clause that nobody knows has failed.

The footer of the file proves what it can; one scan decides all rules about rows; keys and queries cost one more each.
"""

# ruff: noqa: S608 (names and texts are quoted by `identifier` and `literal`; the connection is locked in anyway)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from outer.datatypes import fits, kind, length, physical, same
from outer.model import Column, Contract
from outer.parquet import Table, Unusable, identifier, literal, opened
from outer.quality import Unknown, is_percent, judge, measure, query, subjects
from outer.result import AuditReport, How, Outcome, Result, Severity
from outer.servicelevel import allowed_age, newest
from outer.yamlfile import Pointer, show

OPEN = ("public", "internal")
"""Classifications whose values may be shown as examples; others, and none at all, are masked."""

MASK = "***"
EXAMPLES = 5

_LABELS = frozenset({
    "id", "name", "description", "businessName", "authoritativeDefinitions", "tags", "customProperties", "physicalName",
    "logicalType", "logicalTypeOptions", "physicalType", "primaryKey", "primaryKeyPosition", "partitionKeyPosition",
    "required", "unique", "classification", "encryptedName", "transformSourceObjects", "transformLogic",
    "transformDescription", "examples", "criticalDataElement", "quality",
})  # fmt: skip
"""Keys of a column that are judged elsewhere in this module, or promise nothing about the data."""

_UNCHECKED = {
    "partitioned": "a port is one file, which has no partitions",
    "relationships": "the other table is not at hand",
    "properties": "what is nested in a column is not looked into",
    "items": "what is nested in a column is not looked into",
}
_TABLE_LABELS = frozenset({
    "id", "name", "description", "businessName", "authoritativeDefinitions", "tags", "customProperties", "physicalName",
    "logicalType", "physicalType", "dataGranularityDescription", "properties", "quality",
})  # fmt: skip


def audit(contract: Contract, data: Path, *, published: datetime | None, as_of: datetime) -> AuditReport:
    """Hold the Parquet file `data` against `contract`.

    `published` is when the data were published, for service levels that count from there; None while they are not, so
    that their age is zero. `as_of` (with a time zone) is the moment that service levels are judged at. Data that cannot
    be read are a failed rule, not an exception.

    Rules: ODCS 3.1, sections Schema, Data Quality and Service-Level Agreement.
    """
    table_name = str(contract.file.get("schema", 0, "name") or "data")
    try:
        with opened(data, table_name) as table:
            return _Audit(contract, table).full(published, as_of)
    except Unusable as error:
        return _unreadable(contract, data, error)


def audit_input(contract: Contract, data: Path) -> AuditReport:
    """Hold the footer of the Parquet file `data` against `contract`: its columns and their types, nothing else.

    Further columns are welcome: a producer may add some without breaking anybody.
    """
    try:
        with opened(data) as table:
            return _Audit(contract, table).light()
    except Unusable as error:
        return _unreadable(contract, data, error)


def _unreadable(contract: Contract, data: Path, error: Unusable) -> AuditReport:
    size = data.stat().st_size if data.is_file() else 0
    place = f"{contract.file.path}:{contract.file.place('servers').line}"
    result = Result("readable", "failed", "file metadata", "a Parquet file", reason=str(error), place=place)
    return AuditReport(contract.id, contract.version, 0, size, (result,))


@dataclass(frozen=True)
class _Counted:
    """A rule that the common scan decides: `measure` is an aggregate in SQL, `verdict` judges what it gave."""

    measure: str
    verdict: Callable[[Any], Result]


@dataclass
class _Audit:
    contract: Contract
    table: Table
    results: list[Result] = field(default_factory=list)
    counted: list[_Counted] = field(default_factory=list)

    # --- The two audits ---------------------------------------------------------------------------

    def light(self) -> AuditReport:
        self._readable()
        self._columns(closed=False)
        for index, column in enumerate(self.contract.columns):
            self._type(index, column)
        return self._report()

    def full(self, published: datetime | None, as_of: datetime) -> AuditReport:
        self._readable()
        self._columns(closed=True)
        for index, column in enumerate(self.contract.columns):
            typed = self._type(index, column)
            self._required(index, column)
            self._unique(index, column)
            self._options(index, column, typed=typed)
            self._unchecked(column.clauses, ("schema", 0, "properties", index), column.name)
            for position, clause in enumerate(column.clauses.get("quality") or ()):
                self._quality(clause, ("schema", 0, "properties", index, "quality", position), column)
        self._key()
        self._unchecked(self.contract.file.get("schema", 0) or {}, ("schema", 0), "")
        for position, clause in enumerate(self.contract.quality):
            self._quality(clause, ("schema", 0, "quality", position), None)
        self._scan()
        for index, level in enumerate(self.contract.service_levels):
            self._service_level(level, ("slaProperties", index), published, as_of)
        return self._report()

    def _report(self) -> AuditReport:
        footer, seen = self.table.footer, dict[str, int]()
        named: list[Result] = []
        for result in self.results:
            # Two clauses may have the same name; their ids may not.
            seen[result.rule] = seen.get(result.rule, 0) + 1
            number = seen[result.rule]
            named.append(result if number == 1 else replace(result, rule=f"{result.rule}#{number}"))
        return AuditReport(self.contract.id, self.contract.version, footer.rows, footer.bytes, tuple(named))

    # --- Structure, from the footer ---------------------------------------------------------------

    def _readable(self) -> None:
        self._say(("servers",), "readable", "passed", "file metadata", "a Parquet file")

    def _columns(self, *, closed: bool) -> None:
        wanted = [_physical(c) for c in self.contract.columns]
        found = list(self.table.footer.types)
        missing = [c for c in wanted if c not in found]
        extra = [c for c in found if c not in wanted] if closed else []
        said = []
        if missing:
            said.append(f"missing: {_listed(missing)}")
        if extra:
            said.append(f"not in the contract: {_listed(extra)}")
        if closed and not said and wanted != found:
            said.append(f"in another order: {_listed(found)}")
        how = f"{len(wanted)} columns" + (", in this order and no others" if closed else "")
        pointer = ("schema", 0, "properties")
        self._say(pointer, "columns", "failed" if said else "passed", "file metadata", how, "; ".join(said))

    def _type(self, index: int, column: Column) -> bool:
        """Judge the type of `column`; say whether it is what the contract says."""
        found = self._found(column)
        rule, pointer = f"type:{column.name}", ("schema", 0, "properties", index, "physicalType")
        if found is None:
            return self._missing(pointer, rule)
        expected = " as ".join(t for t in (column.logical_type, column.physical_type) if t)
        if not expected:
            self._unsaid(pointer, rule, "the contract names no type")
            return True
        outcome: Outcome = "passed"
        reason = ""
        if column.physical_type:
            wanted = physical(column.physical_type)
            if wanted is None:
                outcome, reason = "failed", f"unknown rule: nobody can tell which type {show(column.physical_type)} is"
            elif not same(wanted, found):
                outcome = "failed"
        if outcome == "passed" and column.logical_type and not fits(column.logical_type, found):
            outcome = "failed"
        self._say(pointer, rule, outcome, "file metadata", expected, found, reason)
        return outcome == "passed"

    # --- Rows, by the common scan -----------------------------------------------------------------

    def _required(self, index: int, column: Column) -> None:
        if not column.required:
            return
        pointer, rule = ("schema", 0, "properties", index, "required"), f"required:{column.name}"
        if self._found(column) is None:
            self._missing(pointer, rule)
            return
        nulls = self.table.footer.nulls.get(_physical(column))
        if nulls == 0:
            self._say(pointer, rule, "passed", "file metadata", "no nulls")
            return
        self._rows(pointer, rule, f"{_sql(column)} IS NULL", "no nulls", column)

    def _unique(self, index: int, column: Column) -> None:
        if column.clauses.get("unique") is True:
            pointer = ("schema", 0, "properties", index, "unique")
            self._distinct(pointer, f"unique:{column.name}", (column,), "no value twice")

    def _key(self) -> None:
        key = sorted((c for c in self.contract.columns if c.key_position), key=lambda c: c.key_position or 0)
        if key:
            said = f"one row for each {', '.join(c.name for c in key)}"
            self._distinct(("schema", 0, "properties"), "primaryKey", tuple(key), said)

    def _options(self, index: int, column: Column, *, typed: bool) -> None:
        at: Pointer = ("schema", 0, "properties", index, "logicalTypeOptions")
        limit = length(column.physical_type)
        options = dict(column.clauses.get("logicalTypeOptions") or {})
        clauses = [(name, value, (*at, name)) for name, value in options.items()]
        if limit is not None:
            clauses.append(("length", limit, ("schema", 0, "properties", index, "physicalType")))
        for name, value, pointer in clauses:
            rule = f"{name}:{column.name}"
            found = self._found(column)
            if found is None:
                self._missing(pointer, rule)
                continue
            if name in ("format", "defaultTimezone"):
                self._unsaid(pointer, rule, "it describes text; the type of the column is checked by itself")
                continue
            if name == "timezone" and kind(found) == "timestamp" and isinstance(value, bool):
                outcome: Outcome = "passed" if ("TIME ZONE" in found) is value else "failed"
                self._say(pointer, rule, outcome, "file metadata", f"{'a' if value else 'no'} time zone", found)
                continue
            try:
                bad, expected = self._option(name, value, column, found)
            except Unknown as error:
                if typed:
                    self._say(
                        pointer,
                        rule,
                        "failed",
                        "declared only",
                        f"{name} {show(value)}",
                        reason=f"unknown rule: {error}",
                    )
                else:
                    self._unsaid(pointer, rule, "the column has another type")
                continue
            self._rows(pointer, rule, bad, expected, column)

    def _option(self, name: str, value: Any, column: Column, found: str) -> tuple[str, str]:
        """The condition in SQL that a bad row meets, and what is expected. Raises `Unknown`."""
        sql, sort = _sql(column), kind(found)
        comparison = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}.get(name)
        if comparison and sort in ("integer", "number", "date", "time", "timestamp"):
            bound = self._bound(value, found, sort)
            # DuckDB sorts NaN above every number; it is within no bounds.
            nan = f"isnan({sql}) OR " if found in ("FLOAT", "DOUBLE") else ""
            return f"{nan}NOT ({sql} {comparison} {bound})", f"{comparison} {value}"
        if name == "multipleOf" and sort in ("integer", "number") and _is_number(value) and value > 0:
            if sort == "integer" and isinstance(value, int):
                return f"{sql} % {value} <> 0", f"multiples of {value}"
            return f"abs({sql} / {value!r} - round({sql} / {value!r})) > 1e-9", f"multiples of {value}"
        if name in ("minLength", "maxLength", "length") and sort == "string" and isinstance(value, int):
            sign = ">=" if name == "minLength" else "<="
            return f"NOT (length({sql}::VARCHAR) {sign} {value})", f"length {sign} {value}"
        if name == "pattern" and sort == "string" and isinstance(value, str):
            return f"NOT {self._matches(sql, value)}", f"pattern {value}"
        if name in ("minItems", "maxItems") and sort == "array" and isinstance(value, int):
            sign = ">=" if name == "minItems" else "<="
            return f"NOT (len({sql}) {sign} {value})", f"{sign} {value} items"
        if name == "uniqueItems" and sort == "array" and isinstance(value, bool):
            return (f"len(list_distinct({sql})) <> len({sql})" if value else "false"), "different items"
        raise Unknown(f"{name} {show(value)} cannot be held against a column of the type {found}")

    def _bound(self, value: Any, found: str, sort: str) -> str:
        if sort in ("integer", "number"):
            if not _is_number(value) or value in (float("inf"), float("-inf")) or value != value:
                raise Unknown(f"{show(value)} is not a number")
            return f"CAST({value!r} AS DOUBLE)" if found in ("FLOAT", "DOUBLE") else f"({value!r})"
        text = literal(str(value))
        if self.table.rows(f"SELECT TRY_CAST({text} AS {found}) IS NULL") != [(False,)]:
            raise Unknown(f"{show(value)} is not a {found}")
        return f"CAST({text} AS {found})"

    def _matches(self, sql: str, pattern: str) -> str:
        """Like JSON Schema, a pattern is found anywhere in the text; ^ and $ tie it to the ends. Syntax: RE2."""
        condition = f"regexp_matches({sql}::VARCHAR, {literal(pattern)})"
        try:
            self.table.rows(f"SELECT regexp_matches('', {literal(pattern)})")
        except Unusable:
            raise Unknown(f"{show(pattern)} is no regular expression that RE2 understands") from None
        return condition

    def _rows(
        self, pointer: Pointer, rule: str, bad: str, expected: str, column: Column, severity: Severity = "error"
    ) -> None:
        """Let the common scan count the rows that meet the condition `bad`; none may."""

        def verdict(count: int) -> Result:
            return self._counted(pointer, rule, expected, int(count), severity, lambda: self._examples(bad, column))

        self.counted.append(_Counted(f"count(*) FILTER (WHERE {bad})", verdict))

    def _scan(self) -> None:
        """Read the rows once for all rules that count them."""
        if not self.counted:
            return
        measures = ", ".join(c.measure for c in self.counted)
        try:
            values = self.table.rows(f"SELECT {measures} FROM {identifier(self.table.name)}")[0]
        except Unusable as error:
            pointer = ("schema", 0, "properties")
            reason = f"the rows cannot be read, so {len(self.counted)} rules are unproved: {error}"
            self._say(pointer, "rows", "failed", "scan", "rows that can be read", reason=reason)
            return
        self.results += [c.verdict(v) for c, v in zip(self.counted, values, strict=True)]

    def _distinct(
        self, pointer: Pointer, rule: str, columns: tuple[Column, ...], expected: str, severity: Severity = "error"
    ) -> None:
        if any(self._found(c) is None for c in columns):
            self._missing(pointer, rule)
            return
        keys = ", ".join(_sql(c) for c in columns)
        # A null equals nothing: it is for `required` to complain about.
        present = " AND ".join(f"{_sql(c)} IS NOT NULL" for c in columns)
        groups = (
            f"SELECT {keys}, count(*) AS n FROM {identifier(self.table.name)} WHERE {present}"
            f" GROUP BY {keys} HAVING count(*) > 1"
        )
        try:
            ((count,),) = self.table.rows(f"SELECT coalesce(sum(n), 0)::BIGINT FROM ({groups})")
        except Unusable as error:
            self._say(pointer, rule, "failed", "scan", expected, reason=str(error), severity=severity)
            return

        def examples() -> tuple[Mapping[str, str], ...]:
            shown = ", ".join(f"{_sql(c)}::VARCHAR" for c in columns)
            found = self.table.rows(f"SELECT {shown}, n::VARCHAR FROM ({groups}) ORDER BY ALL LIMIT {EXAMPLES}")
            return tuple({**_shown(columns, row[:-1]), "rows": row[-1]} for row in found)

        self.results.append(self._counted(pointer, rule, expected, int(count), severity, examples))

    def _counted(
        self,
        pointer: Pointer,
        rule: str,
        expected: str,
        count: int,
        severity: Severity,
        examples: Callable[[], tuple[Mapping[str, str], ...]],
    ) -> Result:
        rows = self.table.footer.rows
        return Result(
            rule,
            "failed" if count else "passed",
            "scan",
            expected,
            severity=severity,
            bad_rows=count,
            share=count / rows if rows else 0.0,
            examples=examples() if count else (),
            place=self._place(pointer),
        )

    def _examples(self, bad: str, column: Column) -> tuple[Mapping[str, str], ...]:
        key = [c for c in self.contract.columns if c.key_position and c is not column and self._found(c) is not None]
        columns = (*sorted(key, key=lambda c: c.key_position or 0), column)
        shown = ", ".join(f"{_sql(c)}::VARCHAR" for c in columns)
        query = f"SELECT {shown} FROM {identifier(self.table.name)} WHERE {bad} ORDER BY ALL LIMIT {EXAMPLES}"
        try:
            return tuple(_shown(columns, row) for row in self.table.rows(query))
        except Unusable:
            return ()

    # --- Quality ----------------------------------------------------------------------------------

    def _quality(self, clause: Mapping[str, Any], pointer: Pointer, column: Column | None) -> None:
        name = str(clause.get("name") or clause.get("metric") or clause.get("type") or "rule")
        rule = f"quality:{column.name}.{name}" if column else f"quality:{name}"
        severity = _severity(clause)
        if clause.get("type") == "text":
            self._unsaid(pointer, rule, "it is a sentence for people", severity)
            return
        try:
            if clause.get("type") == "sql":
                self._query(clause, pointer, rule, severity, column)
            elif clause.get("type", "library") == "library":
                self._metric(clause, pointer, rule, severity, column)
            else:
                raise Unknown(f"quality of the type {show(clause.get('type'))} has no engine here")
        except Unknown as error:
            reason = f"unknown rule: {error}"
            self._say(pointer, rule, "failed", "declared only", reason=reason, severity=severity)

    def _metric(
        self, clause: Mapping[str, Any], pointer: Pointer, rule: str, severity: Severity, column: Column | None
    ) -> None:
        needed = subjects(clause, column, {c.name: c for c in self.contract.columns})
        judge(clause, 0)  # an operator that nobody knows is said before any work
        types = {_sql(c): found for c in needed if (found := self._found(c)) is not None}
        if len(types) < len(needed):
            self._missing(pointer, rule, severity)
            return
        percent = is_percent(clause)

        def verdict(value: Any) -> Result:
            rows = self.table.footer.rows
            observed = (100 * value / rows if rows else 0.0) if percent else int(value)
            ok, expected = judge(clause, observed)
            unit = " %" if percent else ""
            bad = None if clause["metric"] == "rowCount" else int(value)
            return Result(
                rule, "passed" if ok else "failed", "scan", expected + unit, f"{_number(observed)}{unit}", severity,
                bad, bad / rows if bad is not None and rows else None, (), "", self._place(pointer),
            )  # fmt: skip

        self.counted.append(_Counted(measure(clause, types, self._matches), verdict))

    def _query(
        self, clause: Mapping[str, Any], pointer: Pointer, rule: str, severity: Severity, column: Column | None
    ) -> None:
        text = query(clause, identifier(self.table.name), _sql(column) if column else None)
        judge(clause, 0)
        try:
            answer = self.table.rows(text)
        except Unusable as error:
            self._say(pointer, rule, "failed", "scan", reason=f"the query failed: {error}", severity=severity)
            return
        value = answer[0][0] if len(answer) == 1 and len(answer[0]) == 1 else None
        if not isinstance(value, (bool, int, float, Decimal)):
            reason = "the query must give one number, or true or false, in one row"
            self._say(pointer, rule, "failed", "scan", reason=reason, severity=severity)
            return
        ok, expected = judge(clause, value)
        self._say(pointer, rule, "passed" if ok else "failed", "scan", expected, _number(value), severity=severity)

    # --- Service levels ---------------------------------------------------------------------------

    def _service_level(
        self, level: Mapping[str, Any], pointer: Pointer, published: datetime | None, as_of: datetime
    ) -> None:
        name = str(level.get("property") or "")
        rule = f"sla:{name}"
        if name.casefold() not in ("freshness", "latency", "ly"):
            self._unsaid(pointer, rule, "declared only: kept by people and platforms, not seen in the data")
            return
        try:
            allowed = allowed_age(level)
        except Unknown as error:
            self._say(pointer, rule, "failed", "declared only", reason=f"unknown rule: {error}")
            return
        element = str(level.get("element") or "")
        if element:
            self._newest(element, allowed, pointer, rule, as_of)
            return
        age = as_of - published if published else timedelta()
        outcome: Outcome = "passed" if age <= allowed else "failed"
        self._say(pointer, rule, outcome, "receipt", f"published at most {_hours(allowed)} ago", f"{_hours(age)} ago")

    def _newest(self, element: str, allowed: timedelta, pointer: Pointer, rule: str, as_of: datetime) -> None:
        expected = f"newest {element} at most {_hours(allowed)} old"
        columns = {c.name: c for c in self.contract.columns}
        tables = {str(self.contract.file.get("schema", 0, k)) for k in ("name", "physicalName")}
        for part in (p.strip() for p in element.split(",")):
            table, _, name = part.rpartition(".")
            column = columns.get(name)
            found = self._found(column) if column else None
            if column is None or (table and table not in tables):
                reason = f"unknown rule: {show(part)} is not a column of this contract"
                self._say(pointer, rule, "failed", "declared only", expected, reason=reason)
                continue
            if found is None:
                self._missing(pointer, rule)
                continue
            if kind(found) not in ("date", "timestamp"):
                reason = f"unknown rule: {show(part)} of the type {found} tells no time"
                self._say(pointer, rule, "failed", "declared only", expected, reason=reason)
                continue
            try:
                latest = newest(self.table, _sql(column), found, as_of)
            except Unusable as error:
                self._say(pointer, rule, "failed", "scan", expected, reason=str(error))
                continue
            if latest is None:
                self._say(pointer, rule, "failed", "scan", expected, "no value up to now")
                continue
            age = max(as_of - latest, timedelta())
            outcome: Outcome = "passed" if age <= allowed else "failed"
            self._say(pointer, rule, outcome, "scan", expected, f"{_hours(age)} old")

    # --- Saying it --------------------------------------------------------------------------------

    def _unchecked(self, clauses: Mapping[str, Any], pointer: Pointer, name: str) -> None:
        known = _LABELS if name else _TABLE_LABELS
        for key in clauses:
            rule = f"{key}:{name}" if name else key
            if key in _UNCHECKED:
                if clauses[key] not in (False, None, []) and not (not name and key == "properties"):
                    self._unsaid((*pointer, key), rule, _UNCHECKED[key])
            elif key not in known:
                self._say((*pointer, key), rule, "failed", "declared only", reason=f"unknown rule: {show(key)}")

    def _missing(self, pointer: Pointer, rule: str, severity: Severity = "error") -> bool:
        self._unsaid(pointer, rule, "the column is missing", severity)
        return False

    def _unsaid(self, pointer: Pointer, rule: str, reason: str, severity: Severity = "error") -> None:
        self._say(pointer, rule, "not_checked", "declared only", reason=reason, severity=severity)

    def _say(
        self,
        pointer: Pointer,
        rule: str,
        outcome: Outcome,
        how: How,
        expected: str = "",
        observed: str = "",
        reason: str = "",
        severity: Severity = "error",
    ) -> None:
        self.results.append(
            Result(rule, outcome, how, expected, observed, severity, reason=reason, place=self._place(pointer))
        )

    def _place(self, pointer: Pointer) -> str:
        return f"{self.contract.file.path}:{self.contract.file.place(*pointer).line}"

    def _found(self, column: Column) -> str | None:
        return self.table.footer.types.get(_physical(column))


def _physical(column: Column) -> str:
    """Name of `column` in the data."""
    return str(column.clauses.get("physicalName") or column.name)


def _sql(column: Column) -> str:
    return identifier(_physical(column))


def _shown(columns: Sequence[Column], values: Sequence[str | None]) -> Mapping[str, str]:
    """The values of one row as an example: short, on one line, masked where they are not open."""
    return {
        c.name: ("null" if v is None else show(v).strip("`")) if c.classification.strip().lower() in OPEN else MASK
        for c, v in zip(columns, values, strict=True)
    }


def _severity(clause: Mapping[str, Any]) -> Severity:
    """ODCS leaves the words free; all but the known harmless ones keep data from being published."""
    word = str(clause.get("severity") or "error").strip().lower()
    if word in ("warning", "warn", "minor", "low"):
        return "warning"
    return "info" if word in ("info", "trivial") else "error"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(show(n) for n in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _number(value: float | Decimal) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"{float(value):.6g}"


def _hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} d"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
