"""Compiles a contract to its check plan. Reads no data; what it does not understand becomes an item that fails.

What clauses mean: Bitol ODCS 3.1, sections Schema, Data Quality and Service-Level Agreement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from outer.audit import plan
from outer.audit.plan import ELEMENTS, Field, Item, Plan
from outer.datatypes import fields, length, physical
from outer.model import Column, Contract
from outer.quality import Unknown, is_percent, judge, query, subjects
from outer.result import Severity
from outer.servicelevel import SHORT, allowed_age, elements, in_rows, share, zone
from outer.yamlfile import Pointer, show

DESCRIBES = frozenset({
    "id", "name", "description", "businessName", "authoritativeDefinitions", "tags", "customProperties", "physicalName",
    "classification", "encryptedName", "transformSourceObjects", "transformLogic", "transformDescription", "examples",
    "criticalDataElement", "dataGranularityDescription",
})  # fmt: skip
"""Keys of a table or column that tell people something, and demand nothing of the data."""

_COLUMN = DESCRIBES | {
    "logicalType", "logicalTypeOptions", "physicalType", "primaryKey", "primaryKeyPosition", "partitioned",
    "partitionKeyPosition", "required", "unique", "relationships", "quality", "properties", "items",
}  # fmt: skip
_TABLE = DESCRIBES | {"logicalType", "physicalType", "properties", "quality", "relationships"}
_BOUNDS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_TEXT = r"[^\s@\"(),:;<>\[\]\\]+"
_OCTET = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
FORMATS: Mapping[str, str] = {
    "email": rf"^{_TEXT}@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$",
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+$",
    "hostname": r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$",
    "ipv4": rf"^{_OCTET}(\.{_OCTET}){{3}}$",
    "ipv6": r"^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$",
    "byte": r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
"""Formats of text (ODCS, Schema, logicalTypeOptions.format) as patterns; coarse ones, which refuse no good value."""

_WIDTHS = {
    **{f"i{8 * 2**n}": name for n, name in enumerate(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"))},
    **{f"u{8 * 2**n}": name for n, name in enumerate(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"))},
    "f32": "FLOAT", "f64": "DOUBLE",
}  # fmt: skip


def compiled(contract: Contract) -> Plan:
    """The check plan of `contract`. Its items stand in the order of the contract, their rules have different names."""
    return _Compiler(contract).plan()


def compiled_input(contract: Contract) -> Plan:
    """What an input must show before anything reads it: its columns, further ones allowed, and their types."""
    compiler = _Compiler(contract)
    items = [i for i in compiler.plan(closed=False).items if isinstance(i, (plan.Readable, plan.Columns, plan.Typed))]
    return compiler.finished(items)


def severity(clause: Mapping[str, Any]) -> Severity:
    """How bad it is to break `clause`. ODCS leaves the words free; all but the known harmless ones are errors."""
    word = str(clause.get("severity") or "error").strip().lower()
    if word in ("warning", "warn", "minor", "low"):
        return "warning"
    return "info" if word in ("info", "trivial") else "error"


class _Compiler:
    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.columns = {c.name: c for c in contract.columns}
        self.fields = {
            c.name: Field((_physical(c.clauses),), c.name, _classification(c.clauses), zone(c.clauses))
            for c in contract.columns
        }
        self.ids = {str(c.clauses["id"]): c.name for c in contract.columns if c.clauses.get("id")}
        table = contract.file.get("schema", 0) or {}
        self.clauses: Mapping[str, Any] = table if isinstance(table, dict) else {}
        self.names = frozenset(str(self.clauses[k]) for k in ("name", "physicalName") if self.clauses.get(k))
        self.closed = True

    def plan(self, *, closed: bool = True) -> Plan:
        self.closed = closed
        items: list[Item] = [self._readable(), self._names()]
        for index, column in enumerate(self.contract.columns):
            at: Pointer = ("schema", 0, "properties", index)
            items += self._field(self.fields[column.name], column.clauses, at, required=column.required)
            items += self._quality(column.clauses.get("quality"), (*at, "quality"), column)
        items += self._table()
        items += self._quality(self.contract.quality, ("schema", 0, "quality"), None)
        for index, level in enumerate(self.contract.service_levels):
            items += self._level(level, ("slaProperties", index))
        return self.finished(items)

    def finished(self, items: Iterable[Item]) -> Plan:
        named: dict[str, Item] = {}
        for item in items:
            # Two clauses may have the same name; their ids may not.
            ids = (f"{item.rule}#{number}" for number in count(2))
            rule = item.rule if item.rule not in named else next(i for i in ids if i not in named)
            named[rule] = item if rule == item.rule else replace(item, rule=rule)
        return Plan(
            table=str(self.clauses.get("name") or "data"),
            names=self.names,
            items=tuple(named.values()),
            key=self._key(),
            fields=self.fields,
            types={
                self.fields[c.name].column: found
                for c in self.contract.columns
                if c.physical_type and (found := physical(c.physical_type)) is not None
            },
        )

    # --- Structure --------------------------------------------------------------------------------

    def _readable(self) -> Item:
        kinds: tuple[Pointer, ...] = (("schema", 0, "logicalType"), ("schema", 0, "physicalType"))
        return plan.Readable(rule="readable", pointer=("servers",), covers=(("servers",), *kinds))

    def _names(self) -> Item:
        at: Pointer = ("schema", 0, "properties")
        columns = enumerate(self.contract.columns)
        return plan.Columns(
            rule="columns",
            pointer=at,
            covers=tuple((*at, i, k) for i, _ in columns for k in ("name", "physicalName")),
            names=tuple(f.column for f in self.fields.values()),
            closed=self.closed,
        )

    def _key(self) -> tuple[Field, ...]:
        found = sorted((c for c in self.contract.columns if c.key_position), key=lambda c: c.key_position or 0)
        return tuple(self.fields[c.name] for c in found)

    def _table(self) -> Iterator[Item]:
        at: Pointer = ("schema", 0)
        if key := self._key():
            marks = ("primaryKey", "primaryKeyPosition")
            columns = enumerate(self.contract.columns)
            yield plan.Unique(
                rule="primaryKey",
                pointer=(*at, "properties"),
                covers=tuple((*at, "properties", i, m) for i, c in columns if c.key_position for m in marks),
                fields=key,
                expected=f"one row for each {', '.join(f.name for f in key)}",
            )
        yield from self._strange(self.clauses, _TABLE, at, "")
        yield from self._relationships(self.clauses.get("relationships"), (*at, "relationships"), None)

    def _strange(self, clauses: Mapping[str, Any], known: frozenset[str], at: Pointer, name: str) -> Iterator[Item]:
        for key in clauses:
            if key not in known:
                rule = f"{key}:{name}" if name else key
                yield plan.Impossible(rule=rule, pointer=(*at, key), reason=show(key))

    def _field(self, where: Field, clauses: Mapping[str, Any], at: Pointer, *, required: bool) -> Iterator[Item]:
        # What holds something is what can hold it, also where nobody says so.
        implied = "object" if clauses.get("properties") else "array" if clauses.get("items") else ""
        logical, written = str(clauses.get("logicalType") or implied), str(clauses.get("physicalType") or "")
        covers = ((*at, "logicalType"), (*at, "physicalType"))
        yield plan.Typed(
            rule=f"type:{where.name}", pointer=(*at, "physicalType"), covers=covers,
            field=where, physical=written, logical=logical,
        )  # fmt: skip
        if required:
            yield plan.Rows(
                rule=f"required:{where.name}", pointer=(*at, "required"),
                covers=((*at, "required"), (*at, "primaryKey")), field=where, bad=plan.Null(), expected="no nulls",
            )  # fmt: skip
        if clauses.get("unique") is True:
            rule = f"unique:{where.name}"
            if ELEMENTS in where.path:
                yield plan.Impossible(rule=rule, pointer=(*at, "unique"), reason="`unique` inside a list")
            else:
                yield plan.Unique(rule=rule, pointer=(*at, "unique"), fields=(where,), expected="no value twice")
        yield from self._options(where, clauses, at, written)
        if clauses.get("partitioned"):
            yield plan.Partitioned(
                rule=f"partitioned:{where.name}", pointer=(*at, "partitioned"), field=where,
                position=max(position, 0) if isinstance(position := clauses.get("partitionKeyPosition"), int) else 0,
                covers=((*at, "partitioned"), (*at, "partitionKeyPosition")),
            )  # fmt: skip
        yield from self._relationships(clauses.get("relationships"), (*at, "relationships"), where)
        yield from self._strange(clauses, _COLUMN, at, where.name)
        yield from self._nested(where, clauses, at)

    def _nested(self, where: Field, clauses: Mapping[str, Any], at: Pointer) -> Iterator[Item]:
        inner = [
            (str(entry.get("name")), _physical(entry), entry, (*at, "properties", index))
            for index, entry in enumerate(_mappings(clauses.get("properties")))
        ]
        names = tuple(name for _, name, _, _ in inner)
        # A physical type that names the same fields says the same already.
        if names and names != tuple(fields(physical(str(clauses.get("physicalType") or "")) or "")):
            marks = ("name", "physicalName")
            yield plan.Columns(
                rule=f"columns:{where.name}", pointer=(*at, "properties"), field=where, closed=self.closed,
                names=names, covers=tuple((*p, m) for *_, p in inner for m in marks),
            )  # fmt: skip
        entry = clauses.get("items")
        if isinstance(entry, dict):
            inner.append((ELEMENTS, ELEMENTS, entry, (*at, "items")))
        for name, physical_name, entry, place in inner:
            joined = f"{where.name}{name}" if name == ELEMENTS else f"{where.name}.{name}"
            field = Field((*where.path, physical_name), joined, _classification(entry, where.classification))
            yield from self._field(field, entry, place, required=entry.get("required") is True)
            for index, clause in enumerate(_mappings(entry.get("quality"))):
                yield plan.Impossible(
                    rule=f"quality:{joined}.{_called(clause)}", pointer=(*place, "quality", index),
                    severity=severity(clause), dimension=str(clause.get("dimension") or ""),
                    reason="a quality rule inside a column; write it for the column or the table",
                )  # fmt: skip

    # --- Values -----------------------------------------------------------------------------------

    def _options(self, where: Field, clauses: Mapping[str, Any], at: Pointer, written: str) -> Iterator[Item]:
        options = clauses.get("logicalTypeOptions") or {}
        place = (*at, "logicalTypeOptions")
        for name, value in options.items() if isinstance(options, dict) else ():
            yield from self._option(where, str(name), value, (*place, name))
        if (limit := length(written)) is not None:
            yield plan.Rows(
                rule=f"length:{where.name}", pointer=(*at, "physicalType"), field=where,
                bad=plan.Length("<=", limit), expected=f"length <= {limit}",
            )  # fmt: skip

    def _option(self, where: Field, name: str, value: Any, at: Pointer) -> Iterator[Item]:
        rule = f"{name}:{where.name}"

        def rows(bad: plan.Condition, expected: str) -> Item:
            return plan.Rows(rule=rule, pointer=at, field=where, bad=bad, expected=expected)

        whole = isinstance(value, int) and not isinstance(value, bool)
        if name in _BOUNDS:
            yield rows(plan.Outside(_BOUNDS[name], value), f"{_BOUNDS[name]} {value}")  # type: ignore[arg-type]
        elif name == "multipleOf" and _number(value) and value > 0:
            yield rows(plan.NotMultiple(value), f"multiples of {value}")
        elif name in ("minLength", "maxLength") and whole:
            yield rows(plan.Length(sign := ">=" if name == "minLength" else "<=", value), f"length {sign} {value}")
        elif name == "pattern" and isinstance(value, str):
            yield rows(plan.Mismatch(value), f"pattern {value}")
        elif name in ("minItems", "maxItems", "minProperties", "maxProperties") and whole:
            sign = ">=" if name.startswith("min") else "<="
            yield rows(plan.Items(sign, value), f"{sign} {value} {name[3:].lower()}")  # type: ignore[arg-type]
        elif name == "uniqueItems" and isinstance(value, bool):
            if value:
                yield rows(plan.Repeated(), "different items")
            else:
                yield plan.Declared(rule=rule, pointer=at, reason="it allows everything")
        elif name == "timezone" and isinstance(value, bool):
            yield plan.Zoned(rule=rule, pointer=at, field=where, zoned=value)
        elif name == "format":
            yield from self._format(where, str(value), rule, at)
        elif name == "defaultTimezone":
            reason = "it tells how to read times that have no zone"
            yield plan.Declared(rule=rule, pointer=at, reason=reason)
        elif name == "required" and isinstance(value, list) and all(isinstance(v, str) for v in value):
            for inner in value:
                field = Field((*where.path, inner), f"{where.name}.{inner}", where.classification)
                yield plan.Rows(rule=f"required:{field.name}", pointer=at, field=field, bad=plan.Null(),
                                expected="no nulls")  # fmt: skip
        else:
            yield plan.Impossible(rule=rule, pointer=at, reason=f"{name} {show(value)}")

    def _format(self, where: Field, value: str, rule: str, at: Pointer) -> Iterator[Item]:
        if value in FORMATS:
            yield plan.Rows(
                rule=rule, pointer=at, field=where, bad=plan.Mismatch(FORMATS[value]), expected=f"format {value}"
            )
        elif value in _WIDTHS:
            yield plan.Typed(rule=rule, pointer=at, field=where, physical=_WIDTHS[value], logical="")
        else:
            reason = f"the format {show(value)} describes text, and no pattern for it is known"
            yield plan.Declared(rule=rule, pointer=at, reason=reason)

    # --- Relationships ----------------------------------------------------------------------------

    def _relationships(self, clauses: Any, at: Pointer, where: Field | None) -> Iterator[Item]:
        for index, clause in enumerate(_mappings(clauses)):
            place = (*at, index)
            rule = f"relationships:{where.name}" if where else "relationships"
            try:
                yield self._relationship(clause, place, rule, where)
            except Unknown as error:
                yield plan.Impossible(rule=rule, pointer=place, reason=str(error))

    def _relationship(self, clause: Mapping[str, Any], at: Pointer, rule: str, where: Field | None) -> Item:
        if clause.get("type", "foreignKey") != "foreignKey":
            raise Unknown(f"a relationship of the type {show(clause.get('type'))}")
        if where is not None and len(where.path) > 1:
            raise Unknown("a relationship of what is nested in a column")
        targets = [self._reference(text) for text in _texts(clause.get("to"))]
        sources = [self._reference(text) for text in _texts(clause.get("from"))]
        if sources and (strange := [n for t, n in sources if n not in self.fields or (t and t not in self.names)]):
            raise Unknown(f"{show(strange[0])} is not a column of this contract")
        fields = (where,) if where is not None else tuple(self.fields[name] for _, name in sources)
        tables = {table for table, _ in targets}
        if not fields or len(fields) != len(targets) or len(tables) != 1 or "" in tables:
            raise Unknown("it needs as many columns of one other table as it has itself")
        return plan.Reference(
            rule=rule, pointer=at, fields=fields, table=tables.pop(), targets=tuple(name for _, name in targets)
        )

    def _reference(self, text: str) -> tuple[str, str]:
        """Table and column that `text` means: `table.column`, by their names, or by their ids
        `contract.yaml#/schema/table/properties/column` (ODCS 3.1, References). Where both are of this contract, their
        names.
        """
        if not (match := re.fullmatch(r"[^#]*#?/?schema/([^/]+)/properties/([^/]+)", text)):
            table, _, name = text.rpartition(".")
            return table, name
        table, name = match.groups()
        if table == self.clauses.get("id") or table in self.names:
            return str(self.clauses.get("name") or table), self.ids.get(name, name)
        return table, name

    # --- Quality ----------------------------------------------------------------------------------

    def _quality(self, clauses: Any, at: Pointer, column: Column | None) -> Iterator[Item]:
        for index, clause in enumerate(_mappings(clauses)):
            rule = f"quality:{column.name}.{_called(clause)}" if column else f"quality:{_called(clause)}"
            labels: dict[str, Any] = {
                "rule": rule, "pointer": (*at, index),
                "severity": severity(clause), "dimension": str(clause.get("dimension") or ""),
            }  # fmt: skip
            try:
                yield self._rule(clause, column, labels)
            except Unknown as error:
                yield plan.Impossible(**labels, reason=str(error))
            except TypeError:  # bounds of two kinds, which cannot be compared
                yield plan.Impossible(**labels, reason="its operator compares values of different kinds")

    def _rule(self, clause: Mapping[str, Any], column: Column | None, labels: Mapping[str, Any]) -> Item:
        kind, field = clause.get("type", "library"), self.fields[column.name] if column else None
        if kind == "text":
            return plan.Declared(**labels, reason="it is a sentence for people")
        if kind == "custom":
            return plan.Custom(**labels, engine=str(clause.get("engine") or ""), clause=clause, field=field)
        if kind == "sql":
            query(clause, "t", "c" if column else None)
            judge(clause, 0)
            return plan.Query(**labels, clause=clause, field=field)
        if kind != "library":
            raise Unknown(f"quality of the type {show(kind)} has no engine here")
        needed = subjects(clause, column, self.columns)
        judge(clause, 0)  # an operator that nobody knows is said before any work
        fields, metric = tuple(self.fields[c.name] for c in needed), str(clause["metric"])
        rest: dict[str, Any] = {**labels, "clause": clause, "percent": is_percent(clause), "fields": fields}
        if metric == "rowCount":
            return plan.Metric(**rest, metric="rowCount")
        if metric == "duplicateValues":
            return plan.Metric(**rest, metric="duplicateValues")
        return plan.Metric(**rest, metric="rows", bad=tuple(_bad(metric, clause.get("arguments") or {})))

    # --- Service levels ---------------------------------------------------------------------------

    def _level(self, level: Mapping[str, Any], at: Pointer) -> Iterator[Item]:
        written = str(level.get("property") or "")
        name = SHORT.get(written.casefold(), written)
        rule = f"sla:{written}"
        covers: tuple[Pointer, ...] = ()
        try:
            about = tuple(self.fields[column] for column in elements(level, self.contract))
            covers = (at, ("slaDefaultElement",)) if about and not level.get("element") else ()
            items = list(self._promise(name.casefold(), level, about, rule, at))
        except Unknown as error:
            items = [plan.Impossible(rule=rule, pointer=at, reason=str(error))]
        yield from (replace(item, covers=covers) for item in items)

    def _promise(
        self, name: str, level: Mapping[str, Any], about: tuple[Field, ...], rule: str, at: Pointer
    ) -> Iterator[Item]:
        if name in ("freshness", "latency"):
            allowed = allowed_age(level)
            for field in about or (None,):
                yield plan.Age(rule=rule, pointer=at, allowed=allowed, field=field)
        elif name == "retention" and in_rows(level):
            if level.get("element"):
                raise Unknown("a number of rows is kept of the whole table; leave `element` out")
            yield plan.Volume(rule=rule, pointer=at, least=share(level, percent=False), percent=False)
        elif name == "retention" and about:
            for field in about:
                yield plan.Retention(rule=rule, pointer=at, allowed=allowed_age(level), field=field)
        elif name == "frequency":
            yield plan.Frequency(rule=rule, pointer=at, severity="warning", allowed=allowed_age(level))
        elif name == "volume":
            percent = str(level.get("unit")) in ("percent", "%")
            yield plan.Volume(
                rule=rule, pointer=at, severity="warning" if percent else "error", least=share(level, percent=percent),
                percent=percent,
            )  # fmt: skip
        elif name == "completeness" and about:
            for field in about:
                yield plan.Filled(rule=rule, pointer=at, least=share(level, percent=True), field=field)
        elif name == "availability":
            yield plan.Available(rule=rule, pointer=at, severity="warning", least=share(level, percent=True))
        elif name in ("endofsupport", "endoflife"):
            yield plan.Until(rule=rule, pointer=at, severity="warning", date=str(level.get("value"))[:10])
        elif name in ("retention", "completeness"):
            yield plan.Declared(rule=rule, pointer=at, reason="it names no column in `element` to see it by")
        else:
            reason = "declared only: kept by people and platforms, not seen in the data"
            yield plan.Declared(rule=rule, pointer=at, reason=reason)


def _bad(metric: str, arguments: Mapping[str, Any]) -> Iterator[plan.Condition]:
    if metric == "nullValues":
        yield plan.Null()
        return
    if metric == "missingValues":
        values = arguments.get("missingValues")
        if not isinstance(values, list) or not values:
            raise Unknown("missingValues without the list of them")
        yield plan.Among(tuple(values), wanted=False)
        return
    valid, pattern = arguments.get("validValues"), arguments.get("pattern")
    if valid is not None:
        if not isinstance(valid, list) or not valid:
            raise Unknown("validValues is not a list of values")
        yield plan.Among(tuple(valid), wanted=True)
    if pattern is not None:
        if not isinstance(pattern, str):
            raise Unknown(f"the pattern {show(pattern)}")
        yield plan.Mismatch(pattern)
    if valid is None and pattern is None:
        raise Unknown("invalidValues without validValues or a pattern")


def _called(clause: Mapping[str, Any]) -> str:
    return str(clause.get("name") or clause.get("metric") or clause.get("type") or "rule")


def _physical(clauses: Mapping[str, Any]) -> str:
    """Name of a column or field in the data."""
    return str(clauses.get("physicalName") or clauses.get("name"))


def _classification(clauses: Mapping[str, Any], outer: str = "") -> str:
    """The classification of a column with everything in it: its own, or none where something in it has another."""
    own = str(clauses.get("classification") or outer)
    inner = [*_mappings(clauses.get("properties")), *_mappings([clauses.get("items")])]
    return own if all(_classification(entry, own) == own for entry in inner) else ""


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, (list, tuple)) else []


def _texts(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)] if value else []


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
