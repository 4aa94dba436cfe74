"""The audit: every clause of a contract gets a verdict, broken data never pass, nothing is passed over in silence."""

# ruff: noqa: S608

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from outer import fingerprint
from outer.audit import MASK, audit, audit_input
from outer.datatypes import physical
from outer.parquet import Unusable, opened
from outer.result import AuditReport, Result
from products import COLUMNS, HOOKS, ROWS, build_product, column, output_contract, write_parquet

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
Clauses = Mapping[str, Any]


def audited(
    folder: Path,
    rows: str = ROWS,
    columns: Sequence[Clauses] = COLUMNS,
    quality: Sequence[Clauses] = (),
    service_levels: Sequence[Clauses] = (),
    published: datetime | None = None,
) -> AuditReport:
    root = build_product(folder, columns=columns, quality=quality, service_levels=service_levels)
    data = write_parquet(folder / "data.parquet", rows)
    return audit(output_contract(root), data, published=published, as_of=NOW)


def verdict(report: AuditReport, rule: str) -> Result:
    found = [result for result in report.results if result.rule == rule]
    assert len(found) == 1, f"{rule} is not one of {[r.rule for r in report.results]}"
    return found[0]


def one(clauses: Clauses, physical_type: str, logical: str = "") -> tuple[dict[str, Any], ...]:
    """The columns of a table whose one column `x` has these clauses."""
    return (column("x", physical_type, logical, **clauses),)


def options(**values: Any) -> Clauses:
    return {"logicalTypeOptions": values}


# --- Structure ------------------------------------------------------------------------------------


def test_good_data_pass_with_a_verdict_for_every_clause(tmp_path: Path) -> None:
    report = audited(tmp_path)
    assert report.rows == 20
    assert {r.outcome for r in report.results} == {"passed"}
    assert [r.rule for r in report.results] == [
        "readable", "columns", "type:id", "required:id", "type:word", "required:word", "type:share", "primaryKey",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS.replace(", range / 10 AS share", ""), "missing: `share`"),
        (ROWS.replace("AS share", "AS share, 1 AS more"), "not in the contract: `more`"),
        ("SELECT word, id, share FROM (" + ROWS + ")", "in another order"),
        (ROWS.replace("AS word", "AS Word"), "missing: `word`; not in the contract: `Word`"),
    ],
    ids=["missing", "extra", "order", "case"],
)
def test_columns_other_than_those_of_the_contract_fail(tmp_path: Path, rows: str, said: str) -> None:
    result = verdict(audited(tmp_path, rows), "columns")
    assert result.blocks
    assert said in result.observed


@pytest.mark.parametrize(
    ("declared", "logical", "found"),
    [
        ("DATE", "date", "DATE '2030-01-01'"),
        ("varchar", "string", "'a'"),
        ("STRING", "string", "'a'"),
        ("TEXT", "string", "'a'"),
        ("VARCHAR(3)", "string", "'abc'"),
        ("int64", "integer", "1::BIGINT"),
        ("LONG", "integer", "1::BIGINT"),
        ("INTEGER", "integer", "1::INTEGER"),
        ("INT", "number", "1::INTEGER"),
        ("smallint", "integer", "1::SMALLINT"),
        ("Double", "number", "1::DOUBLE"),
        ("REAL", "number", "1::FLOAT"),
        ("DECIMAL(10, 2)", "number", "1::DECIMAL(10,2)"),
        ("NUMERIC(10,2)", "number", "1::DECIMAL(10,2)"),
        ("DECIMAL(10)", "integer", "1::DECIMAL(10,0)"),
        ("BOOLEAN", "boolean", "true"),
        ("bool", "boolean", "true"),
        ("TIMESTAMP", "timestamp", "TIMESTAMP '2030-01-01'"),
        ("DATETIME", "timestamp", "TIMESTAMP '2030-01-01'"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp", "TIMESTAMPTZ '2030-01-01 00:00:00+00'"),
        ("timestamptz", "timestamp", "TIMESTAMPTZ '2030-01-01 00:00:00+00'"),
        ("TIME", "time", "TIME '10:00'"),
        ("UUID", "string", "'123e4567-e89b-12d3-a456-426614174000'::UUID"),
        ("INTEGER[]", "array", "[1, 2]"),
        ("STRUCT(a INTEGER)", "object", "{'a': 1}"),
        ("BLOB", "string", "'a'::BLOB"),  # ODCS: a string of the format `binary`
    ],
)
def test_a_type_is_recognised_by_its_usual_names(tmp_path: Path, declared: str, logical: str, found: str) -> None:
    report = audited(tmp_path, f"SELECT {found} AS x", one({}, declared, logical))
    assert verdict(report, "type:x").outcome == "passed"


@pytest.mark.parametrize(
    ("declared", "logical", "found"),
    [
        ("BIGINT", "integer", "1::INTEGER"),
        ("INTEGER", "integer", "1::BIGINT"),
        ("DOUBLE", "number", "1::FLOAT"),
        ("DOUBLE", "number", "1::DECIMAL(10,2)"),
        ("DECIMAL(10,2)", "number", "1::DECIMAL(12,2)"),
        ("DECIMAL(10,2)", "number", "1::DECIMAL(10,3)"),
        ("DATE", "date", "'2030-01-01'"),
        ("DATE", "date", "TIMESTAMP '2030-01-01'"),
        ("TIMESTAMP", "timestamp", "TIMESTAMPTZ '2030-01-01 00:00:00+00'"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp", "TIMESTAMP '2030-01-01'"),
        ("VARCHAR", "string", "'a'::BLOB"),
        ("VARCHAR", "string", "1"),
        ("BIGINT", "string", "1::BIGINT"),  # the physical type is right, the logical one is not
        ("STRUCT(a INTEGER)", "string", "{'a': 1}"),
    ],
)
def test_a_type_that_differs_fails(tmp_path: Path, declared: str, logical: str, found: str) -> None:
    assert verdict(audited(tmp_path, f"SELECT {found} AS x", one({}, declared, logical)), "type:x").blocks


@pytest.mark.parametrize("name", ["INT8", "DECIMAL", "FANCY", "VARCHAR(1,2)", "INTEGER(4)", ""])
def test_a_type_name_that_means_nothing_or_two_things_is_unknown(name: str) -> None:
    assert physical(name) is None


def test_an_unknown_type_name_fails_instead_of_passing(tmp_path: Path) -> None:
    result = verdict(audited(tmp_path, "SELECT 1::BIGINT AS x", one({}, "FANCY", "integer")), "type:x")
    assert result.blocks
    assert "unknown rule" in result.reason


def test_a_file_that_is_not_parquet_fails(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    data = tmp_path / "data.parquet"
    data.write_text("id,word\n1,a\n")
    report = audit(output_contract(root), data, published=None, as_of=NOW)
    assert [r.rule for r in report.failures] == ["readable"]


def test_a_file_with_broken_pages_fails(tmp_path: Path) -> None:
    root = build_product(tmp_path, columns=(*COLUMNS[:2], column("share", "DOUBLE", **options(minimum=0))))
    data = write_parquet(tmp_path / "data.parquet", ROWS.replace("range(20)", "range(9999)"))
    broken = bytearray(data.read_bytes())
    broken[100:5000] = b"\0" * 4900
    data.write_bytes(broken)
    report = audit(output_contract(root), data, published=None, as_of=NOW)
    assert report.failures


def test_columns_whose_names_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    root, data = build_product(tmp_path), tmp_path / "data.parquet"
    polars.DataFrame({"a": [1], "A": [2]}).write_parquet(data)
    report = audit(output_contract(root), data, published=None, as_of=NOW)
    assert "differ in case" in verdict(report, "readable").reason


# --- Rows -----------------------------------------------------------------------------------------

ROW_RULES = [
    ("required", {"required": True}, "VARCHAR", "'a'", "NULL"),
    ("minimum", options(minimum=0), "BIGINT", "0::BIGINT", "-1::BIGINT"),
    ("minimum", options(minimum=0.5), "BIGINT", "1::BIGINT", "0::BIGINT"),
    ("maximum", options(maximum=1), "DOUBLE", "1.0::DOUBLE", "1.0000001::DOUBLE"),
    ("maximum", options(maximum=1), "DOUBLE", "NULL::DOUBLE", "'nan'::DOUBLE"),
    ("minimum", options(minimum=0), "DOUBLE", "0::DOUBLE", "'nan'::DOUBLE"),
    ("exclusiveMinimum", options(exclusiveMinimum=0), "DOUBLE", "0.1::DOUBLE", "0::DOUBLE"),
    ("exclusiveMaximum", options(exclusiveMaximum=1), "DOUBLE", "0.9::DOUBLE", "1::DOUBLE"),
    ("minimum", options(minimum="2030-01-01"), "DATE", "DATE '2030-01-01'", "DATE '2029-12-31'"),
    ("maximum", options(maximum="2030-01-01"), "DATE", "DATE '2030-01-01'", "DATE '2030-01-02'"),
    ("multipleOf", options(multipleOf=5), "BIGINT", "10::BIGINT", "11::BIGINT"),
    ("multipleOf", options(multipleOf=0.1), "DOUBLE", "0.3::DOUBLE", "0.35::DOUBLE"),
    ("minLength", options(minLength=2), "VARCHAR", "'äö'", "'ä'"),
    ("maxLength", options(maxLength=2), "VARCHAR", "'äö'", "'äöü'"),
    ("pattern", options(pattern="^[A-Z]{2}$"), "VARCHAR", "'UA'", "'UAL'"),
    ("pattern", options(pattern="[0-9]"), "VARCHAR", "'a1b'", "'ab'"),  # found anywhere, as in JSON Schema
]


@pytest.mark.parametrize(("rule", "clauses", "physical_type", "good", "bad"), ROW_RULES)
def test_a_rule_about_rows_tells_good_from_bad(
    tmp_path: Path, rule: str, clauses: Clauses, physical_type: str, good: str, bad: str
) -> None:
    columns = one(clauses, physical_type)
    assert verdict(audited(tmp_path / "good", f"SELECT {good} AS x", columns), f"{rule}:x").outcome == "passed"
    rows = f"SELECT {good} AS x UNION ALL SELECT {bad} UNION ALL SELECT {good} UNION ALL SELECT {bad}"
    result = verdict(audited(tmp_path / "bad", rows, columns), f"{rule}:x")
    assert result.blocks
    assert (result.bad_rows, result.share) == (2, 0.5)
    assert len(result.examples) == 2


def test_a_length_in_the_physical_type_is_a_rule(tmp_path: Path) -> None:
    columns = one({}, "VARCHAR(3)", "string")
    assert verdict(audited(tmp_path / "good", "SELECT 'abc' AS x", columns), "length:x").outcome == "passed"
    assert verdict(audited(tmp_path / "bad", "SELECT 'abcd' AS x", columns), "length:x").blocks


def test_no_nulls_are_proved_by_the_file_without_reading_rows(tmp_path: Path) -> None:
    assert verdict(audited(tmp_path), "required:word").how == "file metadata"


def test_nulls_are_counted_where_the_file_has_no_statistics(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    root = build_product(tmp_path, columns=one({"required": True}, "VARCHAR"))
    data = tmp_path / "data.parquet"
    for values, outcome in ((["a", "b"], "passed"), (["a", None], "failed")):
        polars.DataFrame({"x": values}).write_parquet(data, statistics=False)
        result = verdict(audit(output_contract(root), data, published=None, as_of=NOW), "required:x")
        assert (result.outcome, result.how) == (outcome, "scan")


def test_a_repeated_key_fails_and_shows_itself(tmp_path: Path) -> None:
    result = verdict(audited(tmp_path, ROWS.replace("range AS id", "range // 2 AS id")), "primaryKey")
    assert (result.blocks, result.bad_rows) == (True, 20)
    assert result.examples[0] == {"id": "0", "rows": "2"}


def test_a_key_of_two_columns_may_repeat_each_of_them(tmp_path: Path) -> None:
    key = {"primaryKey": True, "required": True}
    columns = (
        {**column("a", "BIGINT", primaryKeyPosition=2), **key},
        {**column("b", "BIGINT", primaryKeyPosition=1), **key},
    )
    good = "SELECT range // 2 AS a, range % 2 AS b FROM range(4)"
    assert verdict(audited(tmp_path / "good", good, columns), "primaryKey").outcome == "passed"
    result = verdict(audited(tmp_path / "bad", f"{good} UNION ALL SELECT 1, 1", columns), "primaryKey")
    assert result.blocks
    assert list(result.examples[0]) == ["b", "a", "rows"]


def test_a_unique_column_may_hold_nulls_but_no_value_twice(tmp_path: Path) -> None:
    columns = one({"unique": True}, "BIGINT")
    nulls = "SELECT nullif(range, 1) AS x FROM range(2) UNION ALL SELECT NULL"
    assert verdict(audited(tmp_path / "good", nulls, columns), "unique:x").outcome == "passed"
    assert verdict(audited(tmp_path / "bad", "SELECT 1::BIGINT AS x FROM range(2)", columns), "unique:x").blocks


@pytest.mark.parametrize("classification", ["confidential", "restricted", "something else", ""])
def test_examples_of_closed_columns_are_masked(tmp_path: Path, classification: str) -> None:
    columns = (COLUMNS[0], column("word", "VARCHAR", classification=classification, **options(pattern="^x$")))
    report = audited(tmp_path, "SELECT range AS id, 'secret' AS word FROM range(9)", columns)
    result = verdict(report, "pattern:word")
    assert result.examples[0] == {"id": "0", "word": MASK}
    assert "secret" not in json.dumps([r.as_dict() for r in report.results])


def test_at_most_five_examples_are_shown(tmp_path: Path) -> None:
    report = audited(tmp_path, "SELECT -range AS x FROM range(1, 100)", one(options(minimum=0), "BIGINT"))
    assert len(verdict(report, "minimum:x").examples) == 5


# --- What nobody understands ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clauses", "physical_type", "rule"),
    [
        (options(pattern="(?=a)b"), "VARCHAR", "pattern:x"),  # look-ahead: RE2 has none
        (options(minimum="yesterday"), "DATE", "minimum:x"),
    ],
)
def test_a_clause_that_cannot_be_understood_fails(
    tmp_path: Path, clauses: Clauses, physical_type: str, rule: str
) -> None:
    value = "DATE '2030-01-01'" if physical_type == "DATE" else "'a'"
    result = verdict(audited(tmp_path, f"SELECT {value} AS x", one(clauses, physical_type)), rule)
    assert result.blocks
    assert "unknown rule" in result.reason


@pytest.mark.parametrize(
    ("clauses", "rule"),
    [
        ({"partitioned": True}, "partitioned:x"),
        ({"relationships": [{"to": "other.x"}]}, "relationships:x"),
        (options(format="password"), "format:x"),
        ({"quality": [{"type": "text", "name": "nice", "description": "It is nice."}]}, "quality:x.nice"),
    ],
)
def test_what_is_not_checked_says_so_and_why(tmp_path: Path, clauses: Clauses, rule: str) -> None:
    result = verdict(audited(tmp_path, "SELECT 'a' AS x", one(clauses, "VARCHAR")), rule)
    assert (result.outcome, result.blocks) == ("not_checked", False)
    assert result.reason


def test_rules_of_a_missing_column_are_not_called_passed(tmp_path: Path) -> None:
    columns = (*COLUMNS[:2], column("share", "DOUBLE", required=True, **options(minimum=0)))
    report = audited(tmp_path, "SELECT range AS id, 'a' AS word FROM range(2)", columns)
    for rule in ("type:share", "required:share", "minimum:share"):
        assert verdict(report, rule).outcome == "not_checked"
    assert verdict(report, "columns").blocks


# --- Quality --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "good", "bad"),
    [
        ("mustBe", 20, 21),
        ("mustNotBe", 21, 20),
        ("mustBeGreaterThan", 19, 20),
        ("mustBeGreaterOrEqualTo", 20, 21),
        ("mustBeLessThan", 21, 20),
        ("mustBeLessOrEqualTo", 20, 19),
        ("mustBeBetween", [20, 30], [21, 30]),
        ("mustNotBeBetween", [21, 30], [20, 30]),
    ],
)
def test_every_operator_tells_good_from_bad(tmp_path: Path, operator: str, good: Any, bad: Any) -> None:
    rules = [{"metric": "rowCount", "name": n, operator: v} for n, v in (("good", good), ("bad", bad))]
    report = audited(tmp_path, quality=rules)
    assert verdict(report, "quality:good").outcome == "passed"
    assert verdict(report, "quality:bad").blocks


METRICS = [
    ({"metric": "nullValues"}, "x", 1),
    ({"metric": "missingValues", "arguments": {"missingValues": [None, "", "n/a"]}}, "x", 3),
    ({"metric": "invalidValues", "arguments": {"validValues": ["a", "b"]}}, "x", 2),
    ({"metric": "invalidValues", "arguments": {"pattern": "^[ab]?$"}}, "x", 1),
    ({"metric": "invalidValues", "arguments": {"validValues": [1, 2.5]}}, "n", 4),
    ({"metric": "duplicateValues"}, "x", 1),
    ({"metric": "duplicateValues", "unit": "percent"}, "x", 20),
    ({"metric": "nullValues", "unit": "percent"}, "x", 20),
]
VALUES = "SELECT * FROM (VALUES ('a', 1::BIGINT), ('', 2), ('n/a', 3), (NULL, 4), ('a', 5)) AS t(x, n)"


@pytest.mark.parametrize(("clause", "subject", "measured"), METRICS)
def test_every_metric_measures_what_it_says(tmp_path: Path, clause: Clauses, subject: str, measured: int) -> None:
    quality = [{**clause, "name": "good", "mustBe": measured}, {**clause, "name": "bad", "mustNotBe": measured}]
    columns = [column("x", "VARCHAR"), column("n", "BIGINT")]
    next(c for c in columns if c["name"] == subject)["quality"] = quality
    report = audited(tmp_path, VALUES, columns)
    assert verdict(report, f"quality:{subject}.good").outcome == "passed"
    assert verdict(report, f"quality:{subject}.bad").blocks


def test_duplicates_over_several_columns_are_counted(tmp_path: Path) -> None:
    clause = {"metric": "duplicateValues", "arguments": {"properties": ["word", "share"]}, "name": "twice"}
    rows = "SELECT range AS id, 'a' AS word, (range // 2)::DOUBLE AS share FROM range(6)"
    assert (
        verdict(audited(tmp_path / "a", rows, quality=[{**clause, "mustBe": 3}]), "quality:twice").outcome == "passed"
    )
    assert verdict(audited(tmp_path / "b", rows, quality=[{**clause, "mustBe": 0}]), "quality:twice").blocks


def test_a_query_is_compared_with_what_it_must_be(tmp_path: Path) -> None:
    quality = [
        {"type": "sql", "name": "good", "query": "SELECT count(*) FROM {object} WHERE id < 0", "mustBe": 0},
        {"type": "sql", "name": "dollar", "query": "SELECT max(id) FROM ${object}", "mustBeLessThan": 20},
        {"type": "sql", "name": "truth", "query": "SELECT min(id) = 0 FROM {table}", "mustBe": True},
        {"type": "sql", "name": "bad", "query": "SELECT count(*) FROM {object}", "mustBe": 0},
    ]
    of_column = [{"type": "sql", "name": "own", "query": "SELECT min(length({property})) FROM {object}", "mustBe": 6}]
    report = audited(tmp_path, columns=(COLUMNS[0], {**COLUMNS[1], "quality": of_column}, COLUMNS[2]), quality=quality)
    for rule in ("quality:good", "quality:dollar", "quality:truth", "quality:word.own"):
        assert verdict(report, rule).outcome == "passed", verdict(report, rule)
    assert verdict(report, "quality:bad").blocks


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM read_csv('/etc/passwd')",
        "SELECT count(*) FROM read_text('/etc/hostname')",
        "SELECT count(*) FROM glob('/*')",
        "SELECT count(*) FROM 'https://example.com/a.parquet'",
        "COPY {object} TO '/tmp/stolen.parquet'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "DROP VIEW {object}",
        "SELECT 0; SELECT 0",
        "SELECT nothing FROM {object}",
        "SELECT id FROM {object}",
        "SELECT 1, 2",
        "SELECT min(word) FROM {object}",
        "SELECT 'nan'::DOUBLE",
        "SELECT count(*) FROM ${SECRET}",
        "SELECT count({property}) FROM {object}",
        "SELECT",
        "",
    ],
)
def test_a_query_that_is_no_measurement_of_the_port_fails(tmp_path: Path, query: str) -> None:
    result = verdict(
        audited(tmp_path, quality=[{"type": "sql", "name": "q", "query": query, "mustBe": 0}]), "quality:q"
    )
    assert result.blocks
    assert "word 0" not in result.sentence()


def test_a_failing_query_does_not_quote_the_data(tmp_path: Path) -> None:
    for query in ("SELECT max(word::INTEGER) FROM {object}", "SELECT error(min(word)) FROM {object}"):
        result = verdict(
            audited(tmp_path, quality=[{"type": "sql", "name": "q", "query": query, "mustBe": 0}]), "quality:q"
        )
        assert result.blocks
        assert "word 0" not in result.sentence()


@pytest.mark.parametrize(
    "clause",
    [
        {"type": "custom", "engine": "soda", "implementation": "x"},
        {"metric": "missingValues", "mustBe": 0},
        {"metric": "rowCount", "mustBe": 0, "unit": "percent"},
        {"metric": "rowCount", "mustBe": 0, "unit": "bananas"},
        {"metric": "rowCount", "mustBe": 0, "arguments": {"strange": 1}},
        {"metric": "rowCount", "mustBe": "many"},
        {"metric": "rowCount", "mustBeBetween": [9, 1]},
        {"metric": "nullValues", "mustBe": 0},
        {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["nobody"]}},
    ],
)
def test_a_quality_rule_that_nobody_understands_fails(tmp_path: Path, clause: Clauses) -> None:
    result = verdict(audited(tmp_path, quality=[{**clause, "name": "odd"}]), "quality:odd")
    assert result.blocks
    assert "unknown rule" in result.reason


@pytest.mark.parametrize(
    ("severity", "blocks"),
    [(None, True), ("error", True), ("critical", True), ("warning", False), ("info", False), ("whatever", True)],
)
def test_severity_decides_whether_a_failed_rule_blocks(tmp_path: Path, severity: str | None, blocks: bool) -> None:
    clause = {"metric": "rowCount", "name": "q", "mustBe": 0, **({"severity": severity} if severity else {})}
    report = audited(tmp_path, quality=[clause])
    result = verdict(report, "quality:q")
    assert (result.outcome, result.blocks) == ("failed", blocks)
    assert bool(report.failures) is blocks


def test_two_rules_of_one_name_keep_ids_of_their_own(tmp_path: Path) -> None:
    report = audited(tmp_path, quality=[{"metric": "rowCount", "mustBe": 20}, {"metric": "rowCount", "mustBe": 0}])
    assert {verdict(report, r).outcome for r in ("quality:rowCount", "quality:rowCount#2")} == {"passed", "failed"}


def test_a_name_that_looks_like_the_id_of_another_rule_takes_no_verdict_over(tmp_path: Path) -> None:
    rules = [{"name": name, "metric": "rowCount", "mustBe": size} for name, size in (("a", 1), ("a", 2), ("a#2", 20))]
    report = audited(tmp_path, quality=rules)
    assert [(r.rule, r.outcome) for r in report.results if r.rule.startswith("quality")] == [
        ("quality:a", "failed"), ("quality:a#2", "failed"), ("quality:a#2#2", "passed"),
    ]  # fmt: skip


# --- Service levels -------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "outcome"), [(23, "passed"), (25, "failed")])
def test_freshness_counts_from_the_publication(tmp_path: Path, age: int, outcome: str) -> None:
    level = {"property": "freshness", "value": 1, "unit": "d"}
    report = audited(tmp_path, service_levels=[level], published=NOW - timedelta(hours=age))
    assert verdict(report, "sla:freshness").outcome == outcome


@pytest.mark.parametrize(
    ("newest", "outcome"),
    [("2030-01-31 06:00", "passed"), ("2030-01-29 06:00", "failed"), ("2099-01-01 00:00", "failed")],
    ids=["fresh", "stale", "only-future"],
)
def test_freshness_of_a_column_counts_from_its_newest_value_up_to_now(
    tmp_path: Path, newest: str, outcome: str
) -> None:
    level = {"property": "freshness", "value": 24, "unit": "h", "element": "words.at"}
    columns = one({}, "TIMESTAMP", "timestamp")
    columns[0]["name"] = "at"
    report = audited(tmp_path, f"SELECT TIMESTAMP '{newest}' AS at", columns, service_levels=[level])
    assert verdict(report, "sla:freshness").outcome == outcome


def test_a_day_before_the_calendar_is_not_fresh(tmp_path: Path) -> None:
    level = {"property": "freshness", "value": 24, "unit": "h", "element": "x"}
    report = audited(tmp_path, "SELECT DATE '0044-03-15 (BC)' AS x", one({}, "DATE"), service_levels=[level])
    assert verdict(report, "sla:freshness").blocks


def test_a_date_is_as_new_as_the_end_of_its_day(tmp_path: Path) -> None:
    level = {"property": "freshness", "value": 24, "unit": "h", "element": "x"}
    report = audited(tmp_path, "SELECT DATE '2030-01-30' AS x", one({}, "DATE"), service_levels=[level])
    assert verdict(report, "sla:freshness").observed == "12.0 h old"


@pytest.mark.parametrize(
    "level",
    [
        {"property": "freshness", "value": 24, "unit": "fortnights"},
        {"property": "freshness", "value": 24},
        {"property": "freshness", "value": "soon", "unit": "h"},
        {"property": "freshness", "value": 9999, "unit": "y"},
        {"property": "freshness", "value": 24, "unit": "h", "element": "nobody"},
        {"property": "freshness", "value": 24, "unit": "h", "element": "other.id"},
        {"property": "freshness", "value": 24, "unit": "h", "element": "word"},
    ],
)
def test_a_service_level_that_cannot_be_measured_as_written_fails(tmp_path: Path, level: Clauses) -> None:
    result = verdict(audited(tmp_path, service_levels=[level]), "sla:freshness")
    assert result.blocks
    assert "unknown rule" in result.reason


def test_other_service_levels_are_declared_only(tmp_path: Path) -> None:
    levels: list[Clauses] = [
        {"property": "retention", "value": 3, "unit": "y"},
        {"property": "support", "value": "8x5"},
    ]
    report = audited(tmp_path, service_levels=levels)
    assert {verdict(report, f"sla:{n}").outcome for n in ("retention", "support")} == {"not_checked"}


# --- Inputs ---------------------------------------------------------------------------------------


def test_an_input_may_have_more_columns_but_no_fewer_and_no_others(tmp_path: Path) -> None:
    contract = output_contract(build_product(tmp_path))
    more = audit_input(contract, write_parquet(tmp_path / "more.parquet", ROWS.replace("AS share", "AS share, 1 AS y")))
    fewer = audit_input(contract, write_parquet(tmp_path / "fewer.parquet", ROWS.replace("range AS id,", "")))
    other = audit_input(contract, write_parquet(tmp_path / "other.parquet", ROWS.replace("range AS id", "'a' AS id")))
    assert not more.failures
    assert [r.rule for r in fewer.failures] == ["columns"]
    assert [r.rule for r in other.failures] == ["type:id"]


# --- Fingerprints ---------------------------------------------------------------------------------


def content(path: Path) -> str:
    with opened(path) as table:
        return fingerprint.content(table)


def test_a_fingerprint_knows_neither_order_nor_engine(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    values = "range AS a, 'wörd, ' || range AS b, range / 7 AS c, DATE '2030-01-01' + range::INTEGER AS d"
    rows = f"SELECT {values} FROM range(99)"
    first = write_parquet(tmp_path / "a.parquet", rows)
    second = write_parquet(tmp_path / "b.parquet", f"{rows} ORDER BY a DESC")
    polars.read_parquet(first).sort("c", descending=True).write_parquet(tmp_path / "c.parquet", compression="zstd")
    assert len({content(p) for p in (first, second, tmp_path / "c.parquet")}) == 1


@pytest.mark.parametrize(
    "rows",
    [
        "SELECT * FROM (VALUES ('a', 'b'), ('c', NULL), ('c', NULL)) AS t(x, y)",
        "SELECT * FROM (VALUES ('a', 'b'), ('c', NULL)) AS t(x, z)",
        "SELECT * FROM (VALUES ('a', 'b'), ('c', '')) AS t(x, y)",
        "SELECT * FROM (VALUES ('a', 'b'), (NULL, 'c')) AS t(x, y)",
        "SELECT * FROM (VALUES ('ab', ''), ('c', NULL)) AS t(x, y)",
        "SELECT * FROM (VALUES ('a', 'c'), ('b', NULL)) AS t(x, y)",
        "SELECT * FROM (VALUES ('a', 'b')) AS t(x, y)",
    ],
)
def test_a_fingerprint_sees_every_difference(tmp_path: Path, rows: str) -> None:
    base = write_parquet(tmp_path / "a.parquet", "SELECT * FROM (VALUES ('a', 'b'), ('c', NULL)) AS t(x, y)")
    assert content(base) != content(write_parquet(tmp_path / "b.parquet", rows))


def test_a_fingerprint_can_be_made_without_duckdb_as_documented(tmp_path: Path) -> None:
    import hashlib

    values = {
        "7::BIGINT": "7", "'Endeavo'": "7:Endeavo", "'wörd'": "5:wörd", "''": "0:", "NULL::VARCHAR": "",
        "0.5::DOUBLE": "0.5", "-0.0::DOUBLE": "0.0", "1e300::DOUBLE": "1e+300", "0.1::FLOAT": "0.1", "2::DOUBLE": "2.0",
        "1.5::DECIMAL(8,2)": "1.50", "true": "true", "TIME '08:15'": "08:15:00", "DATE '2013-01-31'": "2013-01-31",
        "TIMESTAMP '1970-01-02'": "86400000000", "TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'": "-1",
        "[1, 2]": "6:[1, 2]", "'a'::BLOB": "2:61", "NULL::BIGINT": "",
    }  # fmt: skip
    columns = [f"c{n}" for n in range(len(values))]
    row = ", ".join(f"{value} AS {name}" for name, value in zip(columns, values, strict=True))
    path = write_parquet(tmp_path / "a.parquet", f"SELECT {row}")
    digest = int.from_bytes(hashlib.md5(",".join(values.values()).encode(), usedforsecurity=False).digest(), "little")
    text = json.dumps([columns, 1, digest >> 64, digest % 2**64], separators=(",", ":"))
    assert content(path) == hashlib.sha256(text.encode()).hexdigest()


def test_a_path_is_never_taken_for_a_pattern(tmp_path: Path) -> None:
    """`x[1].parquet` is a pattern that matches `x1.parquet`, which DuckDB would then read."""
    write_parquet(tmp_path / "x1.parquet", "SELECT 'the other' AS x")
    with opened(write_parquet(tmp_path / "x[1].parquet", "SELECT 'the one' AS x")) as table:
        assert table.rows("SELECT x FROM data") == [("the one",)]


def test_folder_names_do_not_become_columns(tmp_path: Path) -> None:
    (tmp_path / "year=2030").mkdir()
    with opened(write_parquet(tmp_path / "year=2030" / "x.parquet", "SELECT 1 AS x")) as table:
        assert list(table.footer.types) == ["x"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is counted in other units, or not at all")
def test_a_wide_file_is_opened_in_little_memory(tmp_path: Path) -> None:
    """With expressions for each column, the statistics of 300 columns took gigabytes."""
    columns = ", ".join(f"range AS c{n}" for n in range(300))
    path = write_parquet(tmp_path / "wide.parquet", f"SELECT {columns} FROM range(9)")
    job = (
        "import pathlib, resource, sys\n"
        "from outer.parquet import opened\n"
        "with opened(pathlib.Path(sys.argv[1])) as table:\n"
        "    footer = table.footer\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(len(footer.nulls), set(footer.lows.values()), set(footer.highs.values()), peak // 1024)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(HOOKS)}
    command = [sys.executable, "-c", job, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    *told, megabytes = done.stdout.split()
    assert told == ["300", "{'0'}", "{'8'}"]
    assert int(megabytes) < 400


def test_an_empty_file_is_not_usable(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").touch()
    with pytest.raises(Unusable), opened(tmp_path / "x.parquet"):
        pass
