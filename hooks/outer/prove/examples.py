"""Counter-examples: for every item of a check plan, data or circumstances that break it, and some that just do not.

Each is a query over `base`, a table of good data, or other circumstances for the same data.
"""

# ruff: noqa: S608 (names and texts are quoted by `identifier` and `literal`; the queries run over a copy in memory)

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations

from outer.audit import plan
from outer.audit.engine import Past
from outer.audit.execute import Circumstances
from outer.audit.plan import Field, Item, Plan
from outer.audit.sql import Sql
from outer.datatypes import fields, kind
from outer.parquet import identifier
from outer.prove.values import bad, edge, put
from outer.quality import Unknown, judge

SAME = "SELECT * FROM base"
MOMENT = timedelta(seconds=1)
_OTHER_TYPES = ("VARCHAR", "DOUBLE", "BIGINT", "INTEGER", "SMALLINT", "FLOAT", "DATE", "TIMESTAMP", "BLOB")


@dataclass(frozen=True)
class Example:
    """Data or circumstances to hold against the plan. `keeps`: they are good, if only just."""

    said: str
    """What was changed, for people."""
    rows: str = SAME
    """Query over `base` that gives the data."""
    now: Circumstances | None = None
    """Other circumstances; None: those of the base."""
    unreadable: bool = False
    folders: tuple[str, ...] | None = None
    """Columns to lay the data out by; None: those of the contract."""
    keeps: bool = False


@dataclass(frozen=True)
class Base:
    """Good data: `rows` of them in the table `base`, with the types that `sql` knows, and their circumstances."""

    plan: Plan
    rows: int
    sql: Sql
    now: Circumstances
    newest: Mapping[str, datetime]
    """Column -> its newest time, for those that service levels look at."""
    oldest: Mapping[str, datetime]


def examples(item: Item, base: Base) -> Iterator[Example]:
    """Examples for `item`, the likeliest first. None come for an item that no data could break."""
    match item:
        case plan.Readable():
            yield Example("a file of another format", unreadable=True)
        case plan.Columns(field=Field() as field):
            yield from _wider(field, base)
        case plan.Columns():
            yield Example("one more column", "SELECT *, 1 AS outer_extra FROM base")
            yield Example("a column less", f"SELECT * EXCLUDE ({identifier(item.names[-1])}) FROM base")
        case plan.Typed() | plan.Zoned():
            yield from _types(item.field, base)
        case plan.Partitioned():
            rest = tuple(c for c in base.plan.partitions if c != item.field.column)
            yield Example("folders of other columns", folders=rest)
        case plan.Rows():
            yield from _row(item.field, item.bad, base)
        case plan.Unique():
            yield from _repeated(item.fields, base)
        case plan.Metric():
            yield from _metric(item, base)
        case plan.Query() | plan.Custom():
            yield from _query(base)
        case plan.Reference():
            yield from _orphans(item, base)
        case plan.Filled():
            yield from _filled(item, base)
        case _:
            yield from _level(item, base)


# --- Structure ------------------------------------------------------------------------------------


def _types(field: Field, base: Base) -> Iterator[Example]:
    found = base.sql.found(field) or ""
    column = identifier(field.column)
    sort = kind(found)
    zones = tuple(f"{sort.upper()}{zone}" for zone in (" WITH TIME ZONE", "") if sort in ("timestamp", "time"))
    for other in (*zones, *_OTHER_TYPES):
        if other != found:
            changed = put(column, field.path[1:], f"TRY_CAST({_own(field, base.sql)} AS {other})", other)
            yield Example(f"{field.name} as {other}", f"SELECT * REPLACE ({changed} AS {column}) FROM base")


def _wider(field: Field, base: Base) -> Iterator[Example]:
    found, column = base.sql.found(field), identifier(field.column)
    if found and fields(found):
        more = f"{found[:-1]}, outer_extra INTEGER)"
        changed = put(column, field.path[1:], _own(field, base.sql), more)
        yield Example(f"one more field in {field.name}", f"SELECT * REPLACE ({changed} AS {column}) FROM base")


# --- Rows -----------------------------------------------------------------------------------------


def _places(rows: int) -> Sequence[int]:
    """A few row numbers, far from each other."""
    return tuple(dict.fromkeys(min(rows - 1, rows * part // 8) for part in (0, 4, 8, 2, 6, 1, 3, 5, 7))) if rows else ()


def _row(field: Field, condition: plan.Condition, base: Base) -> Iterator[Example]:
    found = base.sql.found(field)
    if found is None:
        return
    own = _own(field, base.sql)
    if (good := edge(condition, found, own)) is not None:
        for place in _places(base.rows)[:3]:
            yield _with(field, good, found, f"rowid = {place}", f"{field.name} = {good} in one row", keeps=True)
    values = tuple(bad(condition, found, own))
    for place in _places(base.rows):
        for value in values:
            yield _with(field, value, found, f"rowid = {place}", f"{field.name} = {value} in one row")


def _with(field: Field, value: str, found: str, where: str, said: str, *, keeps: bool = False) -> Example:
    column = identifier(field.column)
    changed = put(column, field.path[1:], value, found)
    query = f"SELECT * REPLACE (CASE WHEN {where} THEN {changed} ELSE {column} END AS {column}) FROM base"
    return Example(said, query, keeps=keeps)


def _own(field: Field, sql: Sql) -> str:
    """The value that `field` has; in a list, that of the element `x` which `put` goes through."""
    if plan.ELEMENTS not in field.path:
        return sql.value(field)
    last = len(field.path) - field.path[::-1].index(plan.ELEMENTS)
    return ".".join(["x", *map(identifier, field.path[last:])])


def _repeated(fields: Sequence[Field], base: Base) -> Iterator[Example]:
    names = ", ".join(f.name for f in fields)
    if base.rows > 1:
        query = f"SELECT * REPLACE ({_copied(fields, 'rowid = 1', 0)}) FROM base"
        yield Example(f"{names} of one row in another row", query)
    for place in _places(base.rows)[:3]:
        yield Example("one row twice", f"{SAME} UNION ALL SELECT * FROM base WHERE rowid = {place}")


def _copied(fields: Sequence[Field], where: str, place: int) -> str:
    """The columns of `fields` with the values of the row `place` in the rows `where`."""
    columns = [identifier(f.column) for f in fields]
    return ", ".join(
        f"CASE WHEN {where} THEN (SELECT {c} FROM base WHERE rowid = {place}) ELSE {c} END AS {c}" for c in columns
    )


def _orphans(item: plan.Reference, base: Base) -> Iterator[Example]:
    for field in item.fields:
        found = base.sql.found(field)
        if found is not None:
            for value in bad(plan.Among((), wanted=True), found, base.sql.value(field)):
                for place in _places(base.rows)[:3]:
                    yield _with(field, value, found, f"rowid = {place}", f"{field.name} = {value} in one row")


def _filled(item: plan.Filled, base: Base) -> Iterator[Example]:
    found = base.sql.found(item.field)
    if found is not None:
        least = base.rows - math.ceil(base.rows * item.least / 100)
        for count in (least + 1, least + 2, base.rows):
            said = f"{item.field.name} empty in {count:,} rows"
            yield _with(item.field, "NULL", found, f"rowid < {count}", said)


# --- Quality --------------------------------------------------------------------------------------


def _metric(item: plan.Metric, base: Base) -> Iterator[Example]:
    if item.metric == "rowCount":
        yield from _sizes(item, base)
        return
    for count, keeps in _counts(item, base):
        if item.metric == "duplicateValues":
            keys = _copied(item.fields, f"rowid < {count}", base.rows - 1)
            said = f"{count:,} rows that repeat another one in {', '.join(f.name for f in item.fields)}"
            yield Example(said, f"SELECT * REPLACE ({keys}) FROM base", keeps=keeps)
            continue
        (field,) = item.fields
        found = base.sql.found(field)
        for condition in item.bad if found is not None else ():
            for value in bad(condition, found or "", base.sql.value(field)):
                said = f"{field.name} = {value} in {count:,} rows"
                yield _with(field, value, found or "", f"rowid < {count}", said, keeps=keeps)


def _counts(item: plan.Metric, base: Base) -> Iterator[tuple[int, bool]]:
    """How many bad rows break the rule; and before them how many just do not, counted from none."""

    def holds(count: int) -> bool:
        return judge(item.clause, 100 * count / base.rows if item.percent else count)[0]

    try:
        first = next((count for count in range(1, base.rows + 1) if not holds(count)), None)
    except Unknown:
        return
    if first is not None:
        # That k rows are still good can only be said of k that were made bad, so of data without any.
        if first > 1:
            yield first - 1, True
        yield from ((count, False) for count in dict.fromkeys((first, min(first + 1, base.rows), base.rows)))


def _sizes(item: plan.Metric, base: Base) -> Iterator[Example]:
    ends = {0, base.rows, *(int(n) for v in item.clause.values() for n in (v if isinstance(v, list) else [v])
                            if isinstance(n, (int, float)) and not isinstance(n, bool))}  # fmt: skip
    try:
        sizes = [(judge(item.clause, n + step)[0], n + step) for n in ends for step in (-1, 0, 1) if n + step >= 0]
    except Unknown:
        return
    for keeps, size in sorted(set(sizes), key=lambda one: (not one[0], one[1])):
        if size <= base.rows:
            yield Example(f"{size:,} rows", f"{SAME} LIMIT {size}", keeps=keeps)
        elif not keeps and base.rows and size <= 1_000_000:
            times = -(-size // base.rows)
            query = f"SELECT base.* FROM base, range({times}) LIMIT {size}"
            yield Example(f"{size:,} rows, some of them copies", query)


def _query(base: Base) -> Iterator[Example]:
    """A query, or an engine, may ask for anything, so that many small changes are tried."""
    columns = base.sql.types
    numbers = [c for c, found in columns.items() if kind(found) in ("integer", "number")]

    def row(column: str, value: str, place: int) -> Example:
        changed = Field((column,), column)
        return _with(changed, value, columns[column], f"rowid = {place}", f"{column} = {value} in one row")

    for place in _places(base.rows)[:3]:
        for one, other in permutations(numbers, 2):
            yield row(one, f"{identifier(other)} + 1", place)
        for column, found in columns.items():
            own = identifier(column)
            if column in numbers:
                yield from (row(column, v, place) for v in ("-1", "0", f"{own} + 1", f"{own} * 1000 + 1", "NULL"))
            elif kind(found) in ("date", "timestamp"):
                steps = ("+ INTERVAL 1 DAY", "- INTERVAL 1 DAY", "+ INTERVAL 100 YEAR", "- INTERVAL 100 YEAR")
                yield from (row(column, f"{own} {step}", place) for step in steps)
                yield row(column, "NULL", place)
            else:
                yield from (row(column, v, place) for v in ("''", "'~'", f"lower({own})", "NULL"))
        yield Example("one row less", f"{SAME} WHERE rowid <> {place}")
        yield Example("one row twice", f"{SAME} UNION ALL SELECT * FROM base WHERE rowid = {place}")
    yield Example("no row at all", f"{SAME} LIMIT 0")
    yield Example("one row alone", f"{SAME} LIMIT 1")
    for column, found in columns.items():
        own = identifier(column)
        for value in ("NULL", "0", "-1") if column in numbers else ("NULL",):
            yield Example(
                f"{column} = {value} in all rows", f"SELECT * REPLACE (CAST({value} AS {found}) AS {own}) FROM base"
            )
        if column in numbers:
            yield Example(f"{column} a thousandfold", f"SELECT * REPLACE ({own} * 1000 AS {own}) FROM base")


# --- Service levels -------------------------------------------------------------------------------


def _level(item: Item, base: Base) -> Iterator[Example]:
    now, rows = base.now, base.rows

    def at(said: str, moment: datetime, *, keeps: bool = False) -> Example:
        # Publication and earlier runs move along, so that only what the data say of time grows old.
        moved = moment - now.as_of
        history = tuple(replace(past, finished=past.finished + moved) for past in now.history)
        return Example(said, now=replace(now, as_of=moment, published=moment, history=history), keeps=keeps)

    match item:
        case plan.Age(field=None):
            edge_of = now.as_of - item.allowed
            yield Example("published as long ago as is allowed", now=replace(now, published=edge_of), keeps=True)
            yield Example("published a second earlier than that", now=replace(now, published=edge_of - MOMENT))
        case plan.Age(field=Field() as field) if field.column in base.newest:
            last = base.newest[field.column] + item.allowed
            yield at("judged when the newest value is as old as is allowed", last, keeps=True)
            yield at("judged a second later than that", last + MOMENT)
        case plan.Retention(field=field) if field.column in base.oldest:
            last = base.oldest[field.column] + item.allowed
            yield at("judged when the oldest value is as old as is allowed", last, keeps=True)
            yield at("judged a second later than that", last + MOMENT)
        case plan.Frequency():
            first = now.as_of - item.allowed
            yield Example("as long between two publications as is allowed",
                          now=replace(now, history=(Past(first, True, rows),)), keeps=True)  # fmt: skip
            yield Example("a second longer than that", now=replace(now, history=(Past(first - MOMENT, True, rows),)))
        case plan.Volume(percent=True) if item.least:
            most = math.floor(rows * 100 / item.least)
            for more, keeps in ((0, True), (1, False)):
                history = tuple(replace(past, rows=most + more) for past in now.history)
                yield Example(f"{most + more:,} rows in earlier runs", now=replace(now, history=history), keeps=keeps)
        case plan.Volume():
            least = math.ceil(item.least)
            if least <= rows:
                yield Example(f"{least:,} rows", f"{SAME} LIMIT {least}", keeps=True)
            yield Example(f"{least - 1:,} rows", f"{SAME} LIMIT {max(least - 1, 0)}")
        case plan.Available():
            good = math.ceil(item.least)
            for published, keeps in ((good, True), (max(good - 1, 0), False)):
                last_run = now.history[-1]
                missed = (replace(last_run, published=False),) * (100 - published)
                history = (*missed, *((last_run,) * published))
                yield Example(f"{published} of 100 runs have published", now=replace(now, history=history), keeps=keeps)
        case plan.Until():
            last = datetime.combine(date.fromisoformat(item.date), time(23, 59, 59), UTC)
            yield at("judged on the last day", last, keeps=True)
            yield at("judged on the day after", last + timedelta(days=1))
