"""Random contracts and data: the audit says of them what the slow, obvious reference says, on every engine."""

# ruff: noqa: S608 (names of this test)

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outer.audit import audit
from outer.model import Contract, _contract
from outer.product import File
from outer.result import AuditReport
from outer.yamlfile import parse
from products import contract
from reference_audit import Verdicts, reference

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
Table = tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]
"""Columns and quality rules as a contract has them, and rows."""

TEXTS = st.sampled_from(["", "a", "ab", "AB", "Ab1", "äö", "a\n", "9", "x y", "a.b", "\U0001f600", "ABC"])
FLOATS = st.sampled_from([0.0, -0.0, 0.1, 0.3, 0.5, 1.0, -1.5, 1e300, 2.0, math.nan, math.inf, -math.inf])
DAYS = st.sampled_from([date(2029, 12, 31), date(2030, 1, 1), date(2030, 1, 2), date(1969, 12, 31)])
MOMENTS = st.sampled_from(
    [datetime(2030, 1, 1), datetime(2029, 12, 31, 23, 59, 59, 999999), datetime(2030, 1, 1, 0, 0, 0, 1)]
)
VALUES: Mapping[str, tuple[str, Any]] = {
    "BIGINT": ("integer", st.integers(-3, 6)),
    "INTEGER": ("integer", st.integers(-3, 6)),
    "DOUBLE": ("number", FLOATS),
    "DECIMAL(8,2)": ("number", st.integers(-300, 300).map(lambda n: Decimal(n) / 100)),
    "VARCHAR": ("string", TEXTS),
    "VARCHAR(2)": ("string", TEXTS),
    "BOOLEAN": ("boolean", st.booleans()),
    "DATE": ("date", DAYS),
    "TIMESTAMP": ("timestamp", MOMENTS),
    "TIMESTAMP WITH TIME ZONE": ("timestamp", MOMENTS.map(lambda t: t.replace(tzinfo=UTC))),
}
NESTED: Mapping[str, tuple[str, Any]] = {
    "BIGINT[]": ("array", st.lists(st.none() | st.integers(0, 3), max_size=4)),
    "STRUCT(n BIGINT, w VARCHAR)": (
        "object", st.fixed_dictionaries({"n": st.none() | st.integers(-1, 2), "w": st.none() | TEXTS})
    ),
    "STRUCT(n BIGINT, w VARCHAR)[]": (
        "array",
        st.lists(
            st.none() | st.fixed_dictionaries({"n": st.none() | st.integers(-1, 2), "w": st.none() | TEXTS}), max_size=3
        ),
    ),
}  # fmt: skip
PATTERNS = st.sampled_from(
    [
        "^[A-Z]{2}$",
        "[0-9]",
        "^a",
        "b$",
        "^(a|ab)$",
        "^a|b$",
        r"^\w+$",
        "^.$",
        "^$",
        r"a\.b",
        "^[^a-z]*$",
        "(a|b)+",
        "^a?b*",
    ]
)
NUMBERS = st.sampled_from([0, 1, 2, -1, 0.5, 0.1, 0.3, 3, 1e300])
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def options(logical: str) -> st.SearchStrategy[dict[str, Any]]:
    """`logicalTypeOptions` of a column."""
    if logical in ("integer", "number"):
        choices: dict[str, Any] = dict.fromkeys(BOUNDS, NUMBERS)
        choices["multipleOf"] = st.sampled_from([1, 2, 5, 0.5, 0.1])
    elif logical == "string":
        choices = {"minLength": st.integers(0, 3), "maxLength": st.integers(0, 3), "pattern": PATTERNS}
    elif logical == "date":
        choices = dict.fromkeys(BOUNDS, DAYS.map(str))
    elif logical == "timestamp":
        choices = dict.fromkeys(BOUNDS, MOMENTS.map(lambda t: t.isoformat() + "Z"))
    elif logical == "array":
        choices = {"minItems": st.integers(0, 3), "maxItems": st.integers(0, 3), "uniqueItems": st.just(True)}
    else:
        choices = {}
    return st.fixed_dictionaries({}, optional=choices)


OPERATORS = st.one_of(
    st.tuples(
        st.sampled_from(["mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan",
                         "mustBeLessOrEqualTo"]),
        st.integers(0, 4) | st.sampled_from([20, 33.3, 50, 100]),
    ),
    st.tuples(st.sampled_from(["mustBeBetween", "mustNotBeBetween"]), st.sampled_from([[0, 1], [1, 3], [10, 60.5]])),
).map(lambda pair: {pair[0]: pair[1]})  # fmt: skip


def metrics(logical: str, values: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A quality rule of a column."""
    # What a contract lists is text or a number, never an object of Python.
    listed = (
        values if logical in ("integer", "string", "boolean") else NUMBERS if logical == "number" else values.map(str)
    )
    choices = [
        st.just({"metric": "nullValues"}),
        st.just({"metric": "duplicateValues"}),
        st.lists(st.none() | listed, min_size=1, max_size=3).map(
            lambda found: {"metric": "missingValues", "arguments": {"missingValues": found}}
        ),
        st.lists(listed, min_size=1, max_size=3).map(
            lambda found: {"metric": "invalidValues", "arguments": {"validValues": found}}
        ),
    ]
    if logical == "string":
        choices.append(PATTERNS.map(lambda p: {"metric": "invalidValues", "arguments": {"pattern": p}}))
    units = st.sampled_from([{}, {"unit": "rows"}, {"unit": "percent"}])
    return st.tuples(st.one_of(choices), OPERATORS, units).map(lambda parts: {**parts[0], **parts[1], **parts[2]})


@st.composite
def tables(draw: st.DrawFn, kinds: Mapping[str, tuple[str, Any]] = {**VALUES, **NESTED}) -> Table:
    columns, strategies = [], {}
    for index, physical in enumerate(draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=3))):
        logical, values = kinds[physical]
        name = f"c{index}"
        strategies[name] = st.none() | values if draw(st.booleans()) else values
        column: dict[str, Any] = {
            "name": name, "logicalType": logical, "physicalType": physical, "classification": "public",
            "logicalTypeOptions": draw(options(logical)),
        }  # fmt: skip
        if logical not in ("array", "object"):
            column |= draw(st.sampled_from([{}, {"required": True}, {"unique": True},
                                            {"primaryKey": True, "primaryKeyPosition": index + 1}]))  # fmt: skip
            found = draw(st.lists(metrics(logical, values), max_size=2))
            column["quality"] = [{**rule, "name": f"q{n}"} for n, rule in enumerate(found)]
        inner = [
            {"name": "n", "logicalType": "integer", "physicalType": "BIGINT", "required": draw(st.booleans()),
             "logicalTypeOptions": draw(options("integer"))},
            {"name": "w", "logicalType": "string", "physicalType": "VARCHAR", "required": draw(st.booleans()),
             "logicalTypeOptions": draw(options("string"))},
        ]  # fmt: skip
        if physical.startswith("STRUCT"):
            shape: dict[str, Any] = {"properties": inner}
            column |= {"items": {"logicalType": "object", **shape}} if logical == "array" else shape
        elif logical == "array":
            column["items"] = {**inner[0], "name": "item"}
        columns.append(column)
    quality = [{"name": "rows", "metric": "rowCount", **draw(OPERATORS)}] if draw(st.booleans()) else []
    plain = [c["name"] for c in columns if c["logicalType"] not in ("array", "object")]
    if plain and draw(st.booleans()):
        quality.append(
            {"name": "twice", "metric": "duplicateValues", "arguments": {"properties": plain}, **draw(OPERATORS)}
        )
    rows = draw(st.lists(st.fixed_dictionaries(strategies), max_size=8))
    return columns, quality, rows


def made(
    columns: Sequence[Mapping[str, Any]],
    quality: Sequence[Mapping[str, Any]] = (),
    server: Mapping[str, Any] = {"type": "local"},
    levels: Sequence[Mapping[str, Any]] = (),
) -> Contract:
    """The contract of a table `t` with these columns and rules."""
    text = json.dumps(contract("t", server, columns, quality, levels), ensure_ascii=False)
    return _contract(File("t.odcs.yaml", parse(text.encode())))


def compared(report: AuditReport, expected: Verdicts) -> None:
    """The report says what the reference says: of the same rules, with the same numbers of bad rows."""
    said: Verdicts = {}
    for result in report.results:
        if result.rule.partition(":")[0] not in ("readable", "columns", "type"):
            assert result.how != "could not run", result
            proved = result.how == "file metadata" and result.bad_rows is None
            said[result.rule] = (result.outcome, 0 if proved else result.bad_rows)
    # Rows are not counted where metadata have proved that there are no bad ones.
    wanted = {rule: (o, 0 if said.get(rule) == (o, 0) and n is None else n) for rule, (o, n) in expected.items()}
    assert said == wanted


def parquet(path: Path, columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write `rows` with the types of `columns`."""
    with duckdb.connect() as connection:
        fill(connection, columns, rows)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


def fill(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Make the table `t` of `rows` with the types of `columns`."""
    connection.execute("SET TimeZone = 'UTC'")
    types = ", ".join(f"{c['name']} {c['physicalType']}" for c in columns)
    connection.execute(f"CREATE TABLE t ({types})")
    for row in rows:
        connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", [row[c["name"]] for c in columns])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_duckdb_says_what_the_reference_says(table: Table) -> None:
    columns, quality, rows = table
    with tempfile.TemporaryDirectory() as folder:
        data = parquet(Path(folder) / "data.parquet", columns, rows)
        compared(audit(made(columns, quality), data, published=None, as_of=NOW), reference(columns, quality, rows))
