"""Holds data against a check plan: what statistics prove is not read; one scan decides the rest, where it can."""

# ruff: noqa: S608 (names and texts are quoted by the engine's `sql`)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from time import perf_counter
from typing import Any

from outer.audit import plan
from outer.audit.custom import asked, unregistered
from outer.audit.engine import Engine
from outer.audit.judge import EXAMPLES, Circumstances, Examples, Open, missing, number, shown, veiled
from outer.audit.levels import Levels
from outer.audit.plan import Field, Item, Plan
from outer.audit.sql import holds
from outer.audit.structure import Structure
from outer.parquet import Unusable
from outer.quality import Unknown, judge, query
from outer.result import Result
from outer.yamlfile import show

__all__ = ["Circumstances", "execute"]


def execute(demands: Plan, engine: Engine, circumstances: Circumstances) -> tuple[int, tuple[Result, ...]]:
    """Hold the data of `engine` against `demands`. Gives the number of rows, and a result for every item, in order."""
    return _Execution(demands, engine, circumstances).results()


class _Execution(Structure, Levels):
    def results(self) -> tuple[int, tuple[Result, ...]]:
        judged: list[Result | Open] = []
        for item in self.plan.items:
            try:
                judged.append(self._judge(item))
            except Unknown as error:
                judged.append(self._cannot(item, f"unknown rule: {error}"))
            except Unusable as error:
                judged.append(self._cannot(item, str(error)))
        decided = self._scan([entry for entry in judged if isinstance(entry, Open)])
        found_all = (entry if isinstance(entry, Result) else decided[entry.item.rule] for entry in judged)
        return self.rows, tuple(
            replace(r, rule=item.rule, dimension=item.dimension)
            for item, r in zip(self.plan.items, found_all, strict=True)
        )

    # --- The common scan ----------------------------------------------------------------------------

    def _scan(self, entries: Sequence[Open]) -> Mapping[str, Result]:
        if self.now.metadata_only:
            reason = "only what the data say of themselves was looked at"
            return {e.item.rule: self._unsaid(e.item, reason) for e in entries}
        # A measure that several rules ask for is taken once.
        wanted = dict.fromkeys(m for e in entries for m in e.measures)
        if self.facts.rows is None:
            wanted = {"count(*)": None, **wanted}
        begun = perf_counter()
        values = self._measure(tuple(wanted))
        seconds = perf_counter() - begun
        if self.facts.rows is None and not isinstance(values["count(*)"], Unusable):
            self.rows = int(values["count(*)"])
        return {e.item.rule: self._decide(e, values, seconds) for e in entries}

    def _measure(self, measures: Sequence[str]) -> Mapping[str, Any]:
        if not measures:
            return {}
        try:
            (found,) = self.engine.rows(f"SELECT {', '.join(measures)} FROM {self.engine.table}")
        except Unusable as error:
            if len(measures) == 1:
                return {measures[0]: error}
            # One by one, so that a measure that fails takes no other with it.
            return {m: value for measure in measures for m, value in self._measure((measure,)).items()}
        return dict(zip(measures, found, strict=True))

    def _decide(self, entry: Open, values: Mapping[str, Any], seconds: float) -> Result:
        measured = [values[m] for m in entry.measures]
        if failed := next((v for v in measured if isinstance(v, Unusable)), None):
            return self._cannot(entry.item, f"the rows cannot be read: {failed}")
        begun = perf_counter()
        try:
            result = entry.verdict(measured)
        except Unknown as error:
            return self._cannot(entry.item, f"unknown rule: {error}")
        except Unusable as error:
            return self._cannot(entry.item, str(error))
        return replace(result, seconds=(seconds if measured else 0.0) + perf_counter() - begun)

    # --- One item -----------------------------------------------------------------------------------

    def _judge(self, item: Item) -> Result | Open:
        match item:
            case plan.Readable():
                return self._say(item, "passed", "file metadata", self.engine.format)
            case plan.Columns():
                return self._columns(item)
            case plan.Typed():
                return self._typed(item)
            case plan.Zoned():
                return self._zoned(item)
            case plan.Partitioned():
                return self._partitioned(item)
            case plan.Rows():
                return self._row_rule(item)
            case plan.Unique():
                return self._unique(item)
            case plan.Metric():
                return self._metric(item)
            case plan.Query():
                return self._query(item)
            case plan.Reference():
                return self._reference(item)
            case plan.Custom():
                return self._custom(item)
            case plan.Declared():
                return self._unsaid(item, item.reason)
            case plan.Impossible():
                return self._cannot(item, f"unknown rule: {item.reason}")
        return self._level(item)

    # --- Rows ---------------------------------------------------------------------------------------

    def _row_rule(self, item: plan.Rows) -> Result | Open:
        found = self.sql.found(item.field)
        if found is None:
            if sealed := self.sql.sealed(item.field):
                raise Unknown(f"what is in a {sealed} is not looked into")
            return self._unsaid(item, missing(item.field))
        try:
            bad = self.sql.bad(item.field, item.bad)
        except Unknown:
            if item.field in self.wrong:
                return self._unsaid(item, "the column has another type")
            raise
        if self._proved(item, found):
            return self._say(item, "passed", "file metadata", item.expected)
        return Open(
            item, (self.sql.count(bad),),
            lambda values: self._counted(
                item, item.expected, int(values[0] or 0), lambda: self._examples(bad, item.field)
            ),
        )  # fmt: skip

    def _proved(self, item: plan.Rows, found: str) -> bool:
        """Whether statistics show that no row is bad."""
        column, bad = item.field.column, item.bad
        nulls = self.facts.nulls.get(column)
        if len(item.field.path) > 1:
            return False
        if isinstance(bad, plan.Null):
            return nulls == 0
        if nulls is not None and nulls == self.facts.rows:
            return True
        if isinstance(bad, plan.Outside):
            ends = self.facts.lows if bad.sign in (">=", ">") else self.facts.highs
            return column in ends and holds(ends[column], bad.sign, bad.bound, found)
        return False

    def _unique(self, item: plan.Unique) -> Result | Open:
        return self._distinct(item, item.fields, lambda agreeing, _: self._counted(
            item, item.expected, agreeing, lambda: self._repeated(item.fields)
        ))  # fmt: skip

    def _distinct(self, item: Item, fields: Sequence[Field], verdict: Callable[[int, int], Result]) -> Result | Open:
        """Judge by how many rows agree with another one in `fields`, and how many of them repeat an earlier one."""
        if lacking := next((f for f in fields if self.sql.found(f) is None), None):
            return self._unsaid(item, missing(lacking))
        proof = self.engine.distinct(fields)

        def decide(values: Sequence[Any]) -> Result:
            if (values and values[0] is True) or (not values and self.engine.differ(fields)):
                return verdict(0, 0)
            ((agreeing, surplus),) = self.engine.rows(
                f"SELECT coalesce(sum(n), 0), coalesce(sum(n - 1), 0) FROM ({self._groups(fields)}) AS groups"
            )
            return verdict(int(agreeing), int(surplus))

        return Open(item, (proof,) if proof else (), decide)

    def _groups(self, fields: Sequence[Field]) -> str:
        keys = ", ".join(f"{self.sql.value(f)} AS k{n}" for n, f in enumerate(fields))
        # A null equals nothing: it is for `required` to complain about.
        present = " AND ".join(f"{self.sql.value(f)} IS NOT NULL" for f in fields)
        grouped = ", ".join(self.sql.value(f) for f in fields)
        return (
            f"SELECT {keys}, count(*) AS n FROM {self.engine.table} WHERE {present}"
            f" GROUP BY {grouped} HAVING count(*) > 1"
        )

    def _repeated(self, fields: Sequence[Field]) -> Examples:
        keys = ", ".join(f"k{n}" for n in range(len(fields)))
        texts = ", ".join(f"CAST(k{n} AS VARCHAR)" for n in range(len(fields)))
        found = self.engine.rows(
            f"SELECT {texts}, n FROM ({self._groups(fields)}) AS groups ORDER BY {keys} LIMIT {EXAMPLES}"
        )
        return tuple({**shown(fields, row[:-1]), "rows": str(row[-1])} for row in found)

    # --- Quality ------------------------------------------------------------------------------------

    def _metric(self, item: plan.Metric) -> Result | Open:
        if lacking := next((f for f in item.fields if self.sql.found(f) is None), None):
            return self._unsaid(item, missing(lacking))

        def verdict(value: int, examples: Callable[[], Examples] = tuple) -> Result:
            observed: float = (100 * value / self.rows if self.rows else 0.0) if item.percent else value
            ok, expected = judge(item.clause, observed)
            unit = " %" if item.percent else ""
            bad = None if item.metric == "rowCount" else value
            return Result(
                item.rule, "passed" if ok else "failed", "scan", expected + unit, f"{number(observed)}{unit}",
                item.severity, bad, bad / self.rows if bad is not None and self.rows else None,
                examples() if bad and not ok else (),
            )  # fmt: skip

        if item.metric == "rowCount":
            if self.facts.rows is not None:
                return replace(verdict(self.facts.rows), how="file metadata")
            return Open(item, ("count(*)",), lambda values: verdict(int(values[0])))
        if item.metric == "duplicateValues":
            return self._distinct(
                item, item.fields, lambda _, surplus: verdict(surplus, lambda: self._repeated(item.fields))
            )
        (where,) = item.fields
        if item.bad == (plan.Null(),) and (nulls := self.facts.nulls.get(where.column)) is not None:
            return replace(verdict(nulls, lambda: self._examples(self.sql.bad(where, plan.Null()), where)),
                           how="file metadata")  # fmt: skip
        bad = " OR ".join(f"({self.sql.bad(where, condition)})" for condition in item.bad)
        if item.clause.get("metric") == "invalidValues":
            bad = f"{self.sql.value(where)} IS NOT NULL AND ({bad})"
        return Open(
            item, (self.sql.count(bad),),
            lambda values: verdict(int(values[0] or 0), lambda: self._examples(bad, where)),
        )  # fmt: skip

    def _query(self, item: plan.Query) -> Open:
        text = query(item.clause, self.engine.table, self.sql.value(item.field) if item.field else None)

        def decide(_: Sequence[Any]) -> Result:
            try:
                answer = self.engine.own(text)
            except Unusable as error:
                return self._cannot(item, f"the query failed: {error}")
            value = answer[0][0] if len(answer) == 1 and len(answer[0]) == 1 else None
            if not isinstance(value, (bool, int, float, Decimal)) or value != value:
                return self._cannot(item, "the query must give one number, or true or false, in one row")
            ok, expected = judge(item.clause, value)
            return self._say(item, "passed" if ok else "failed", "scan", expected, number(value))

        return Open(item, (), decide)

    def _custom(self, item: plan.Custom) -> Result | Open:
        if reason := unregistered(item.engine, self.now.custom):
            raise Unknown(reason)
        data = self.now.data
        if data is None:
            return self._unsaid(item, "its engine is asked about the data of a port only")

        def decide(_: Sequence[Any]) -> Result:
            said = asked(self.now.custom[item.engine], item.clause, data)
            return replace(said, severity=item.severity, examples=veiled(said.examples, self.plan.fields))

        return Open(item, (), decide)

    def _reference(self, item: plan.Reference) -> Result | Open:
        if lacking := next((f for f in item.fields if self.sql.found(f) is None), None):
            return self._unsaid(item, missing(lacking))
        target = self.engine.table if item.table in self.plan.names else self.engine.others.get(item.table)
        if target is None:
            return self._unsaid(item, f"the table {show(item.table)} is not at hand")
        columns = self.engine.columns.get(item.table, {})
        if item.table in self.plan.names:
            columns = {name: field.column for name, field in self.plan.fields.items()}
        named = [Field((columns.get(t, t),), t) for t in item.targets]
        pairs = list(zip(item.fields, named, strict=True))
        # The tables have columns of the same names, which need an alias each.
        equal = " AND ".join(f"o.{self.sql.value(t)} = d.{self.sql.value(f)}" for f, t in pairs)
        present = " AND ".join(f"d.{self.sql.value(f)} IS NOT NULL" for f in item.fields)
        orphans = (
            f"FROM {self.engine.table} AS d WHERE {present} AND NOT EXISTS (SELECT 1 FROM {target} AS o WHERE {equal})"
        )
        expected = f"every value is one of {item.table}.{', '.join(item.targets)}"

        def examples() -> Examples:
            listed = ", ".join(f"CAST(d.{self.sql.value(f)} AS VARCHAR) AS k{n}" for n, f in enumerate(item.fields))
            order = ", ".join(str(n + 1) for n in range(len(item.fields)))
            found = self.engine.rows(f"SELECT DISTINCT {listed} {orphans} ORDER BY {order} LIMIT {EXAMPLES}")
            return tuple(shown(item.fields, row) for row in found)

        def decide(_: Sequence[Any]) -> Result:
            ((count,),) = self.engine.rows(f"SELECT count(*) {orphans}")
            return self._counted(item, expected, int(count), examples)

        return Open(item, (), decide)
