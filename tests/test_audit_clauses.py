"""The whole of a contract: formats, nesting, relationships, service levels; and no clause without a verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from outer.audit import Past, audit, audit_input
from outer.audit.clauses import coverage
from outer.audit.compile import FORMATS, compiled
from outer.audit.pattern import portable
from outer.audit.personal import looks_like, masked
from outer.audit.warehouse import NAMES, Warehouse, guarded, translated
from outer.dataset import Dataset
from outer.model import Contract, model
from outer.parquet import Unusable, opened
from outer.product import load
from outer.quality import Unknown
from outer.result import AuditReport, Result
from outer.run import run
from outer.servicelevel import newest
from outer.surroundings import related
from outer.talk import Talk
from outer.verify import verify
from products import COLUMNS, ROWS, build_product, column, output_contract, write_parquet
from test_audit import verdict
from test_audit_engines import NOW, Table, made, parquet, tables

Clauses = Mapping[str, Any]


def word(**clauses: Any) -> dict[str, Any]:
    return column("x", "VARCHAR", "string", **clauses)


def audited(
    folder: Path, rows: str, columns: Sequence[Clauses], levels: Sequence[Clauses] = (), **more: Any
) -> AuditReport:
    data = write_parquet(folder / "t.parquet", rows)
    return audit(made(columns, levels=levels), data, **{"published": None, "as_of": NOW, **more})


# --- Clause coverage ------------------------------------------------------------------------------


def leaves(value: Any) -> int:
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return sum(map(leaves, children)) or 1


def covered(contract: Contract, report: AuditReport) -> None:
    """Every value of the contract has a verdict and a place; what was not checked has a reason."""
    clauses = coverage(contract, report)
    assert len(clauses) == leaves(contract.file.value)
    rules = {rule for clause in clauses for rule in clause.rules}
    # What the audit found by itself is of no clause.
    assert {r.rule for r in report.results if not r.rule.startswith("personalData")} <= rules
    for clause in clauses:
        assert clause.place.startswith(contract.file.path + ":")
        assert clause.reason or clause.rules, clause
        if clause.verdict in ("declared only", "cannot be checked"):
            assert clause.reason, clause


def test_every_clause_of_a_fresh_product_has_a_verdict(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    for port in (*model(load(root)).outputs, *model(load(root)).inputs):
        data = write_parquet(tmp_path / "data.parquet", ROWS)
        covered(port.contract, audit(port.contract, data, published=None, as_of=NOW))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_every_clause_of_a_random_contract_has_a_verdict(table: Table) -> None:
    columns, quality, rows = table
    contract = made(columns, quality)
    with tempfile.TemporaryDirectory() as folder:
        data = parquet(Path(folder) / "data.parquet", columns, rows)
        covered(contract, audit(contract, data, published=None, as_of=NOW))


def test_clauses_say_how_they_were_checked(tmp_path: Path) -> None:
    columns = [
        column("id", "BIGINT", "integer", required=True, primaryKey=True, primaryKeyPosition=1),
        word(description="A word.", logicalTypeOptions={"pattern": "^a", "format": "password"}),
    ]
    contract = made(columns, [{"type": "custom", "name": "c", "engine": "soda", "implementation": "y"}])
    data = write_parquet(tmp_path / "t.parquet", "SELECT 1::BIGINT AS id, 'a' AS x")
    found = {c.pointer[2:]: c.verdict for c in coverage(contract, audit(contract, data, published=None, as_of=NOW))}
    assert found["properties", 0, "required"] == "proved by file metadata"
    assert found["properties", 0, "primaryKey"] == "proved by file metadata"
    assert found["properties", 0, "primaryKeyPosition"] == "scanned"
    assert found["properties", 1, "logicalTypeOptions", "pattern"] == "scanned"
    assert found["properties", 1, "logicalTypeOptions", "format"] == "declared only"
    assert found["properties", 1, "description"] == "declared only"
    assert found["quality", 0, "engine"] == "cannot be checked"


def test_an_unknown_clause_is_a_failed_rule_wherever_it_stands(tmp_path: Path) -> None:
    inner = {"name": "n", "logicalType": "integer", "strange": 1}
    columns = [word(odd=True), column("s", "STRUCT(n INTEGER)", "object", properties=[inner])]
    report = audited(tmp_path, "SELECT 'a' AS x, {'n': 1} AS s", columns)
    assert {r.rule for r in report.failures} == {"odd:x", "strange:s.n"}


# --- Formats and nesting --------------------------------------------------------------------------

GOOD_AND_BAD = {
    "email": ("jane.doe+x@mail.example.org", "jane at example.org"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
    "uri": ("https://example.org/a?b=c", "example"),
    "hostname": ("a-b.example.org", "-a.example"),
    "ipv4": ("192.168.0.255", "192.168.0.256"),
    "ipv6": ("2001:db8::1", "2001"),
    "byte": ("aGVsbG8=", "aGVsbG8"),
}


def test_every_format_has_an_example() -> None:
    assert set(GOOD_AND_BAD) == set(FORMATS)


@pytest.mark.parametrize("name", sorted(GOOD_AND_BAD))
def test_a_format_tells_good_from_bad(tmp_path: Path, name: str) -> None:
    good, bad = GOOD_AND_BAD[name]
    columns = [word(logicalTypeOptions={"format": name})]
    report = audited(tmp_path, f"SELECT unnest(['{good}', '{bad}', NULL]) AS x", columns)
    result = verdict(report, "format:x")
    assert (result.outcome, result.bad_rows) == ("failed", 1)
    assert result.examples == ({"x": bad},)


def test_the_width_of_a_number_is_part_of_its_type(tmp_path: Path) -> None:
    columns = [column("x", "INTEGER", "integer", logicalTypeOptions={"format": "i64"})]
    assert verdict(audited(tmp_path, "SELECT 1::INTEGER AS x", columns), "format:x").blocks


NESTED = "STRUCT(zip VARCHAR, flags BOOLEAN[])"


def nested(**zip_code: Any) -> list[dict[str, Any]]:
    inner = [
        {"name": "zip", "logicalType": "string", "physicalType": "VARCHAR", **zip_code},
        {"name": "flags", "logicalType": "array", "physicalType": "BOOLEAN[]", "items": {"logicalType": "boolean"}},
    ]
    return [column("at", NESTED, "object", properties=inner)]


def test_what_is_nested_in_a_column_is_checked(tmp_path: Path) -> None:
    rows = "SELECT {'zip': unnest(['1', NULL, '12345']), 'flags': [true]} AS at UNION ALL SELECT NULL"
    report = audited(tmp_path, rows, nested(required=True, logicalTypeOptions={"maxLength": 3}))
    assert {r.rule: r.bad_rows for r in report.failures} == {"required:at.zip": 1, "maxLength:at.zip": 1}
    assert verdict(report, "type:at.flags[]").outcome == "passed"


def test_a_nested_field_that_is_missing_or_of_another_type_fails(tmp_path: Path) -> None:
    report = audited(tmp_path, "SELECT {'zip': 1, 'more': 2} AS at", nested())
    assert {r.rule for r in report.failures} == {"type:at", "type:at.zip"}
    assert verdict(report, "type:at.flags").outcome == "not_checked"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("SELECT {'zip': '1', 'flags': [true]} AS at", ""),
        ("SELECT {'flags': [true]} AS at", "missing: `zip`"),
        ("SELECT {'zip': '1', 'flags': [true], 'more': 1} AS at", "not in the contract: `more`"),
        ("SELECT {'flags': [true], 'zip': '1'} AS at", "in another order: `flags`, `zip`"),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_fields_of_an_object_are_those_of_the_contract_also_where_no_physical_type_says_so(
    tmp_path: Path, rows: str, said: str, listed: bool
) -> None:
    (entry,) = nested(required=True)
    columns = [{key: value for key, value in entry.items() if key != "physicalType"}]
    if listed:
        inner = {"logicalType": "object", "properties": columns[0]["properties"]}
        columns, rows = [{"name": "at", "logicalType": "array", "items": inner}], rows.replace(" AS at", "] AS at")
        rows = rows.replace("SELECT ", "SELECT [")
    report = audited(tmp_path, rows, columns)
    assert [r.observed for r in report.failures] == ([said] if said else [])
    data = tmp_path / "t.parquet"
    accepted = audit_input(made(columns), data)
    assert bool(accepted.failures) is said.startswith("missing"), "an input may have more"


def test_a_rule_about_what_lies_in_json_fails_since_nobody_looks_into_it(tmp_path: Path) -> None:
    inner = {"name": "zip", "logicalType": "string"}
    columns = [{"name": "at", "logicalType": "object", "physicalType": "JSON", "properties": [inner]}]
    rows = "SELECT '{}'::JSON AS at"
    assert not audited(tmp_path, rows, columns).failures
    inner["required"] = True  # type: ignore[assignment]
    assert {r.rule: r.how for r in audited(tmp_path, rows, columns).failures} == {"required:at.zip": "could not run"}


def test_a_closed_field_masks_the_column_around_it(tmp_path: Path) -> None:
    columns = nested(classification="confidential", logicalTypeOptions={"maxLength": 3})
    columns.append(column("id", "BIGINT", "integer", primaryKey=True, primaryKeyPosition=1))
    rows = "SELECT {'zip': 'secret', 'flags': [true]} AS at, 1::BIGINT AS id"
    assert verdict(audited(tmp_path, rows, columns), "maxLength:at.zip").examples == ({"id": "1", "at.zip": "***"},)


@pytest.mark.parametrize(
    ("physical", "value", "zoned", "failed"),
    [
        ("TIME", "TIME '08:00:00'", False, set()),
        ("TIME", "TIME '07:59:59'", True, {"timezone:x", "minimum:x"}),
        ("TIME(6)", "TIME '08:00:00'", False, set()),
        ("TIME_NS", "TIME_NS '07:59:59.999999999'", False, {"minimum:x"}),
        ("TIMETZ", "TIMETZ '10:00:00+02'", True, set()),
        ("TIME WITH TIME ZONE", "TIMETZ '09:59:59+02'", False, {"timezone:x", "minimum:x"}),
        ("TIMETZ", "TIME '08:00:00'", True, {"type:x", "timezone:x"}),
    ],
)
def test_a_time_of_the_day_has_bounds_and_a_zone_or_none(
    tmp_path: Path, physical: str, value: str, zoned: bool, failed: set[str]
) -> None:
    columns = [column("x", physical, "time", logicalTypeOptions={"timezone": zoned, "minimum": "08:00:00"})]
    report = audited(tmp_path, f"SELECT {value} AS x", columns)
    assert {r.rule for r in report.failures} == failed
    assert all(r.how != "could not run" for r in report.failures)


# --- Relationships --------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["parents.id", "other.odcs.yaml#/schema/parents/properties/id"])
def test_a_value_without_its_counterpart_in_another_table_fails(tmp_path: Path, to: str) -> None:
    columns = [column("x", "BIGINT", "integer", relationships=[{"to": to}])]
    parents = write_parquet(tmp_path / "p.parquet", "SELECT range AS id FROM range(3)")
    rows = "SELECT unnest([0, 2, 3, 4, NULL])::BIGINT AS x"
    result = verdict(audited(tmp_path, rows, columns, related={"parents": parents}), "relationships:x")
    assert (result.outcome, result.bad_rows) == ("failed", 2)
    assert result.examples == ({"x": "3"}, {"x": "4"})
    assert verdict(audited(tmp_path, rows, columns), "relationships:x").outcome == "not_checked"


def test_a_relationship_may_name_tables_and_columns_by_their_ids(tmp_path: Path) -> None:
    own = [
        column("id", "BIGINT", "integer", id="own_pk", physicalName="key"),
        column("up", "BIGINT", "integer", id="up_id", relationships=[{"to": "schema/t_tbl/properties/own_pk"}]),
        column("p", "BIGINT", "integer",
               relationships=[{"to": "p.odcs.yaml#/schema/p_tbl/properties/p_pk"}, {"to": "parents.number"}]),
    ]  # fmt: skip
    document = made(own)
    document.file.value["schema"][0] |= {
        "id": "t_tbl",
        "relationships": [{"from": "schema/t_tbl/properties/up_id", "to": "schema/t_tbl/properties/own_pk"}],
    }
    other = made([column("number", "BIGINT", "integer", id="p_pk", physicalName="no")])
    other.file.value["schema"][0] |= {"id": "p_tbl", "name": "parents"}
    parents = Dataset(write_parquet(tmp_path / "p.parquet", "SELECT range AS no FROM range(3)"))
    tables = related(document, [(document, parents), (other, parents)])
    data = write_parquet(tmp_path / "t.parquet", "SELECT 1::BIGINT AS key, 7::BIGINT AS up, 3::BIGINT AS p")
    report = audit(document, data, published=None, as_of=NOW, related=tables)
    assert {r.rule: r.bad_rows for r in report.failures} == {
        "relationships:up": 1, "relationships:p": 1, "relationships:p#2": 1, "relationships": 1,
    }  # fmt: skip


def test_a_relationship_of_several_columns_holds_for_all_of_them_together(tmp_path: Path) -> None:
    document = made([column("a", "BIGINT", "integer"), column("b", "BIGINT", "integer")])
    document.file.value["schema"][0]["relationships"] = [{"from": ["t.a", "t.b"], "to": ["p.a", "p.b"]}]
    parents = write_parquet(tmp_path / "p.parquet", "SELECT range AS a, range * 10 AS b FROM range(5)")
    data = write_parquet(tmp_path / "t.parquet", "SELECT range AS a, 10::BIGINT AS b FROM range(5)")
    report = audit(document, data, published=None, as_of=NOW, related={"p": parents})
    assert verdict(report, "relationships").bad_rows == 4


def test_a_table_may_refer_to_itself(tmp_path: Path) -> None:
    columns = [column("id", "BIGINT", "integer"), column("up", "BIGINT", "integer", relationships=[{"to": "t.id"}])]
    report = audited(tmp_path, "SELECT range AS id, nullif(range - 1, -1) AS up FROM range(3)", columns)
    assert verdict(report, "relationships:up").outcome == "passed"


def test_a_relationship_to_an_input_is_verified_while_the_input_is_that_of_the_run(tmp_path: Path) -> None:
    linked = {**COLUMNS[0], "relationships": [{"to": "source.id"}]}
    root = build_product(tmp_path, columns=(linked, *COLUMNS[1:]))
    run(root, talk=Talk(quiet=True))

    def judged() -> str:
        ((_, report),) = verify(root, talk=Talk(quiet=True)).reports
        return verdict(report, "relationships:id").outcome

    assert judged() == "passed"
    write_parquet(root / "outer/samples/source.parquet", ROWS.replace("range AS id", "range + 5 AS id"))
    assert judged() == "not_checked"


@pytest.mark.parametrize("clause", [{"to": "id"}, {"to": ["p.a", "p.b"]}, {"to": "p.a", "type": "friend"}])
def test_a_relationship_that_makes_no_sense_fails(tmp_path: Path, clause: Clauses) -> None:
    columns = [column("x", "BIGINT", "integer", relationships=[clause])]
    assert "unknown rule" in verdict(audited(tmp_path, "SELECT 1::BIGINT AS x", columns), "relationships:x").reason


# --- Service levels -------------------------------------------------------------------------------

DAY = [column("x", "DATE", "date")]
RUNS = tuple(Past(NOW - timedelta(days=n), n != 3, 100 + n) for n in range(5, 0, -1))


@pytest.mark.parametrize(
    ("level", "rows", "outcome"),
    [
        ({"property": "retention", "value": 30, "unit": "d", "element": "x"}, "DATE '2030-01-01'", "passed"),
        ({"property": "retention", "value": 30, "unit": "d", "element": "x"}, "DATE '2029-12-31'", "failed"),
        ({"property": "retention", "value": 1000, "unit": "y", "element": "x"}, "DATE '1999-01-01'", "passed"),
        ({"property": "retention", "value": 1001, "unit": "y", "element": "x"}, "DATE '1999-01-01'", "failed"),
        ({"property": "retention", "value": 1, "unit": "rows"}, "DATE '1999-01-01'", "passed"),
        ({"property": "retention", "value": 2, "unit": "rows"}, "DATE '2030-01-01'", "failed"),
        ({"property": "re", "value": 2, "unit": "rows"}, "DATE '2030-01-01'", "failed"),
        ({"property": "retention", "value": 1, "unit": "rows", "element": "x"}, "DATE '2030-01-01'", "failed"),
        ({"property": "retention", "value": "many", "unit": "rows"}, "DATE '2030-01-01'", "failed"),
        ({"property": "frequency", "value": 1, "unit": "d"}, "DATE '2030-01-01'", "passed"),
        ({"property": "frequency", "value": 23, "unit": "h"}, "DATE '2030-01-01'", "failed"),
        ({"property": "volume", "value": 1, "unit": "rows"}, "DATE '2030-01-01'", "passed"),
        ({"property": "volume", "value": 2, "unit": "rows"}, "DATE '2030-01-01'", "failed"),
        ({"property": "volume", "value": 0.9, "unit": "percent"}, "DATE '2030-01-01'", "passed"),
        ({"property": "volume", "value": 50, "unit": "percent"}, "DATE '2030-01-01'", "failed"),
        ({"property": "completeness", "value": 50, "unit": "percent", "element": "x"}, "DATE '2030-01-01'", "passed"),
        ({"property": "completeness", "value": 50, "unit": "percent", "element": "x"}, "NULL::DATE", "failed"),
        ({"property": "availability", "value": 80, "unit": "percent"}, "DATE '2030-01-01'", "passed"),
        ({"property": "availability", "value": 99, "unit": "percent"}, "DATE '2030-01-01'", "failed"),
        ({"property": "endOfSupport", "value": "2030-01-31"}, "DATE '2030-01-01'", "passed"),
        ({"property": "endOfLife", "value": "2030-01-30"}, "DATE '2030-01-01'", "failed"),
        ({"property": "retention", "value": 30, "unit": "d", "element": "nothing"}, "DATE '2030-01-01'", "failed"),
        ({"property": "completeness", "value": 200, "unit": "percent", "element": "x"}, "DATE '2030-01-01'", "failed"),
    ],
)
def test_a_service_level_is_judged_by_data_and_history(tmp_path: Path, level: Clauses, rows: str, outcome: str) -> None:
    report = audited(tmp_path, f"SELECT {rows} AS x", DAY, [level], history=RUNS)
    assert verdict(report, f"sla:{level['property']}").outcome == outcome


def test_a_service_level_without_an_element_is_about_the_one_that_the_contract_names_for_all(tmp_path: Path) -> None:
    levels = [{"property": "Latency", "value": 2, "unit": "d"}, {"property": "re", "value": 30, "unit": "days"},
              {"property": "frequency", "value": 1, "unit": "d"}]  # fmt: skip
    document = made(DAY, levels=levels)
    data = write_parquet(tmp_path / "t.parquet", "SELECT DATE '2029-01-01' AS x")
    assert not audit(document, data, published=NOW, as_of=NOW).failures
    document.file.value["slaDefaultElement"] = "t.x"
    report = audit(document, data, published=NOW, as_of=NOW)
    assert {r.rule for r in report.failures} == {"sla:Latency", "sla:re"}
    (clause,) = [c for c in coverage(document, report) if c.pointer == ("slaDefaultElement",)]
    assert clause.rules == ("sla:Latency", "sla:re")


@pytest.mark.parametrize(
    ("zone", "fresh", "stale"),
    [
        ("", "2030-01-31 10:00:00", "2030-01-31 09:59:59"),
        ("Etc/UTC", "2030-01-31 10:00:00", "2030-01-31 09:59:59"),
        ("Asia/Tokyo", "2030-01-31 19:00:00", "2030-01-31 18:59:59"),
        ("America/Los_Angeles", "2030-01-31 02:00:00", "2030-01-31 01:59:59"),
    ],
)
def test_times_without_a_zone_are_those_of_the_default_one(tmp_path: Path, zone: str, fresh: str, stale: str) -> None:
    if zone and zone not in available_timezones():
        pytest.skip("this machine knows no time zones")
    options = {"logicalTypeOptions": {"defaultTimezone": zone}} if zone else {}
    columns = [column("x", "TIMESTAMP", "timestamp", **options)]
    levels = [{"property": name, "value": 2, "unit": "h", "element": "x"} for name in ("latency", "retention")]
    for value, failed in ((fresh, set()), (stale, {"sla:latency", "sla:retention"})):
        # The future is passed over, so that the other value is the newest, with statistics and without.
        rows = f"SELECT unnest([TIMESTAMP '{value}', TIMESTAMP '2031-01-01']) AS x"
        for query in (rows, f"{rows} LIMIT 1"):
            report = audited(tmp_path, query, columns, levels)
            assert {r.rule for r in report.failures} == failed
    with opened(write_parquet(tmp_path / "x.parquet", rows)) as table:
        found = newest(table, '"x"', "TIMESTAMP", NOW, zone)
    assert found == NOW - timedelta(hours=2, seconds=1)


def test_a_time_zone_that_is_not_known_is_no_pass(tmp_path: Path) -> None:
    columns = [column("x", "TIMESTAMP", "timestamp", logicalTypeOptions={"defaultTimezone": "Mars/Base"})]
    level = {"property": "latency", "value": 2, "unit": "h", "element": "x"}
    result = verdict(audited(tmp_path, "SELECT TIMESTAMP '2030-01-31' AS x", columns, [level]), "sla:latency")
    assert (result.outcome, result.how) == ("failed", "could not run")
    assert "`Mars/Base` is not known here" in result.reason


@pytest.mark.parametrize(("element", "failed"), [("t", False), ("t.x.y", True), ("x.y", True), ("t, t.x.y", True)])
def test_an_element_is_a_table_or_a_column_whatever_is_in_its_name(tmp_path: Path, element: str, failed: bool) -> None:
    level = {"property": "freshness", "value": 2, "unit": "d", "element": element}
    rows = "SELECT DATE '2029-01-01' AS \"x.y\""
    report = audited(tmp_path, rows, [column("x.y", "DATE", "date")], [level], published=NOW)
    result = verdict(report, "sla:freshness")
    assert ((result.outcome == "failed"), result.how != "could not run") == (failed, True)


@pytest.mark.parametrize("name", ["frequency", "volume", "availability"])
def test_without_a_history_nothing_is_claimed(tmp_path: Path, name: str) -> None:
    level = {"property": name, "value": 1, "unit": "d" if name == "frequency" else "percent"}
    assert (
        verdict(audited(tmp_path, "SELECT DATE '2030-01-01' AS x", DAY, [level]), f"sla:{name}").outcome
        == "not_checked"
    )


def test_a_promise_of_the_past_that_was_broken_does_not_keep_new_data_back(tmp_path: Path) -> None:
    level = {"property": "frequency", "value": 1, "unit": "h"}
    result = verdict(audited(tmp_path, "SELECT DATE '2030-01-01' AS x", DAY, [level], history=RUNS), "sla:frequency")
    assert (result.outcome, result.severity) == ("failed", "warning")


# --- Custom rules ---------------------------------------------------------------------------------


def test_a_custom_rule_is_executed_by_the_engine_of_its_name(tmp_path: Path) -> None:
    rule = {"type": "custom", "name": "c", "engine": "inner", "implementation": "checked", "dimension": "accuracy"}

    def inner(clause: Mapping[str, Any], data: Any) -> Result:
        assert data == Dataset(tmp_path / "t.parquet")
        return Result("", "passed", "inner", str(clause["implementation"]))

    data = write_parquet(tmp_path / "t.parquet", "SELECT 'a' AS x")
    contract = made([word()], [rule])
    report = audit(contract, data, published=None, as_of=NOW, custom={"inner": inner})
    result = verdict(report, "quality:c")
    assert {c.verdict for c in coverage(contract, report) if "quality:c" in c.rules} == {"checked by the inner stack"}
    assert (result.outcome, result.how, result.expected, result.dimension) == ("passed", "inner", "checked", "accuracy")
    assert verdict(audit(contract, data, published=None, as_of=NOW), "quality:c").blocks


# --- Formats of files -----------------------------------------------------------------------------

TYPED = [column("id", "BIGINT", "integer", required=True), column("day", "DATE", "date")]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_formats_without_types_are_read_as_the_contract_says(tmp_path: Path, form: Any) -> None:
    texts = {
        "csv": ("id,day\n1,2030-01-01\n2,\n", "id,day\nx,2030-01-01\n2,2030-13-01\n"),
        "json": ('{"id": 1, "day": "2030-01-01"}\n{"id": 2, "day": null}\n', '{"id": "x", "day": "soon"}\n{"id": 2}\n'),
    }
    for text, failed in zip(texts[form], (set(), {"type:id", "required:id", "type:day"}), strict=True):
        data = tmp_path / f"t.{form}"
        data.write_text(text)
        report = audit(made(TYPED), Dataset(data, form), published=None, as_of=NOW)
        assert report.rows == 2
        assert {r.rule for r in report.failures} >= failed - ({"type:day"} if form == "json" else set())
        assert bool(report.failures) is bool(failed)


@pytest.mark.parametrize(
    ("physical", "logical", "good", "bad"),
    [
        ("BIGINT", "integer", ("1.0", "-7", "9223372036854775807"), ("1.5", "0.000001")),
        ("DECIMAL(8,2)", "number", ("1.230", "123456.78", "1e2"), ("1.239", "1e-3")),
        ("DECIMAL(38,2)", "number", ("1.23", "-0.5"), ("many",)),
        ("DATE", "date", ("2030-01-01", "2030-01-01 00:00:00"), ("2030-01-01 10:00:00", "2030-02-30")),
    ],
)
def test_a_text_that_a_type_could_only_hold_with_a_loss_is_no_such_thing(
    tmp_path: Path, physical: str, logical: str, good: Sequence[str], bad: Sequence[str]
) -> None:
    contract, data = made([column("x", physical, logical)]), Dataset(tmp_path / "t.csv", "csv")
    for values, wrong in ((good, None), ((*good, *bad), len(bad))):
        data.path.write_text("\n".join(("x", *values, "")))
        report = audit(contract, data, published=None, as_of=NOW)
        assert verdict(report, "type:x").bad_rows == wrong
        assert bool(report.failures) is bool(wrong)


def test_a_number_of_json_keeps_its_places(tmp_path: Path) -> None:
    data = Dataset(tmp_path / "t.json", "json")
    columns = [column("n", "BIGINT"), column("d", "DECIMAL(12,2)", "number")]
    data.path.write_text('{"n": 1, "d": 12345678.1}\n{"n": 2.0, "d": 0.07}\n')
    assert not audit(made(columns), data, published=None, as_of=NOW).failures
    data.path.write_text('{"n": 1, "d": 12345678.1}\n{"n": 2.5, "d": 0.071}\n')
    assert {r.rule: r.bad_rows for r in audit(made(columns), data, published=None, as_of=NOW).failures} == {
        "type:n": 1, "type:d": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("form", "text"), [("csv", ""), ("json", ""), ("json", "[]")])
def test_a_text_file_without_anything_has_none_of_the_columns(tmp_path: Path, form: Any, text: str) -> None:
    (tmp_path / "t").write_text(text)
    report = audit(made(TYPED), Dataset(tmp_path / "t", form), published=None, as_of=NOW)
    assert [r.rule for r in report.failures] == ["columns"]


def test_a_quotation_mark_that_comes_late_in_a_csv_file_is_one(tmp_path: Path) -> None:
    data = Dataset(tmp_path / "t.csv", "csv")
    contract = made([column("id", "BIGINT"), word(logicalTypeOptions={"pattern": '^(a|b, "q")$'})])
    rows = [f"{n},a\n" for n in range(25_000)]
    data.path.write_text("".join(["id,x\n", *rows, '1,"b, ""q"""\n']))
    report = audit(contract, data, published=None, as_of=NOW)
    assert (report.rows, report.failures) == (25_001, ())
    data.path.write_text("id,x\n1,'b, \"q\"'\n")
    assert not audit(contract, data, published=None, as_of=NOW).failures


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ('{"x": "secret", "more": 1}', 'in line 25001: unknown key "more"'),
        ('{"x": "secret", "x": "secret"}', 'in line 25001: duplicate key "x"'),
        ('{"x": "secret"', "in line 25002"),
    ],
)
def test_why_json_cannot_be_read_is_said_without_what_is_in_it(tmp_path: Path, last: str, said: str) -> None:
    data = Dataset(tmp_path / "t.json", "json")
    data.path.write_text('{"x": "a"}\n' * 25_000 + last + "\n")
    (result,) = audit(made([word()]), data, published=None, as_of=NOW).failures
    assert said in result.reason
    assert "secret" not in result.reason


def test_an_object_of_json_is_no_text(tmp_path: Path) -> None:
    data = Dataset(tmp_path / "t.json", "json")
    pattern = {"pattern": "^[ab7]$"}
    for text, bad in (
        ('{"x": "a"}\n{"x": 7}\n{"x": null}\n', None),
        ('{"x": {"y": "a"}}\n{"x": null}\n', 1),
        ('{"x": ["a"]}\n', 1),
        ('{"x": "a"}\n{"x": {"y": 1}}\n{"x": [1]}\n', 2),
    ):
        data.path.write_text(text)
        report = audit(made([word(logicalTypeOptions=pattern)]), data, published=None, as_of=NOW)
        assert {r.rule: r.bad_rows for r in report.failures} == ({"type:x": bad} if bad else {}), text


def test_an_undeclared_column_of_a_text_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,day,more\n1,2030-01-01,x\n")
    report = audit(made(TYPED), Dataset(tmp_path / "t.csv", "csv"), published=None, as_of=NOW)
    assert [r.rule for r in report.failures] == ["columns"]


def partitioned(folder: Path, rows: str) -> Dataset:
    with duckdb.connect() as base:
        base.execute(f"COPY ({rows}) TO '{folder / 'p'}' (FORMAT parquet, PARTITION_BY (y))")
    return Dataset(folder / "p")


def test_columns_in_the_names_of_folders_have_the_type_of_the_contract(tmp_path: Path) -> None:
    columns = [column("y", "INTEGER", "integer", partitioned=True, logicalTypeOptions={"maximum": 2030}), *TYPED[:1]]
    data = partitioned(tmp_path, "SELECT range AS id, 2029 + range % 3 AS y FROM range(9)")
    report = audit(made(columns), data, published=None, as_of=NOW)
    assert {r.rule: r.bad_rows for r in report.failures} == {"maximum:y": 3}
    assert verdict(report, "partitioned:y").outcome == "passed"


def test_folders_lie_in_one_another_in_the_order_of_the_contract(tmp_path: Path) -> None:
    place = {"partitioned": True, "physicalType": "INTEGER", "logicalType": "integer"}
    columns = [{"name": "y", **place, "partitionKeyPosition": 2}, {"name": "z", **place, "partitionKeyPosition": 1},
               *TYPED[:1]]  # fmt: skip
    for by, failed in (("z, y", set()), ("y, z", {"partitioned:y", "partitioned:z"})):
        data = tmp_path / by.replace(", ", "")
        with duckdb.connect() as base:
            rows = "SELECT 1::BIGINT AS id, 1 AS y, 2 AS z"
            base.execute(f"COPY ({rows}) TO '{data}' (FORMAT parquet, PARTITION_BY ({by}))")
        assert {r.rule for r in audit(made(columns), Dataset(data), published=None, as_of=NOW).failures} == failed


def test_a_position_in_no_key_demands_nothing(tmp_path: Path) -> None:
    document = made([word(primaryKey=False, primaryKeyPosition=-1, partitioned=False, partitionKeyPosition=-1)])
    data = write_parquet(tmp_path / "t.parquet", "SELECT 'a' AS x")
    found = coverage(document, audit(document, data, published=None, as_of=NOW))
    assert {c.verdict for c in found if c.pointer[-1] in ("primaryKeyPosition", "partitionKeyPosition")} == {
        "declared only"
    }


def test_files_that_do_not_agree_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    write_parquet(tmp_path / "p" / "a.parquet", "SELECT 1::BIGINT AS id, DATE '2030-01-01' AS day")
    write_parquet(tmp_path / "p" / "b.parquet", "SELECT 1::INTEGER AS id, DATE '2030-01-01' AS day")
    (result,) = audit(made(TYPED), Dataset(tmp_path / "p"), published=None, as_of=NOW).failures
    assert "same columns and types" in result.reason


def test_metadata_alone_prove_what_they_can_and_claim_no_more(tmp_path: Path) -> None:
    columns = [column("id", "BIGINT", "integer", required=True, unique=True, logicalTypeOptions={"minimum": 0}),
               word(logicalTypeOptions={"pattern": "^a"})]  # fmt: skip
    rows = "SELECT range AS id, 'b' AS x FROM range(5)"
    report = audited(tmp_path, rows, columns, metadata_only=True)
    outcomes = {r.rule: r.outcome for r in report.results}
    assert outcomes["minimum:id"] == outcomes["required:id"] == "passed"
    assert outcomes["pattern:x"] == outcomes["unique:id"] == "not_checked"


def test_a_number_of_the_contract_is_the_one_that_a_column_of_four_bytes_can_hold(tmp_path: Path) -> None:
    listed = {"metric": "invalidValues", "arguments": {"validValues": [0.1, 0.3, 1234.6, 0.7]}, "mustBe": 0}
    options = {"minimum": 0.1, "maximum": 1234.6, "multipleOf": 0.1}
    wide = {"exclusiveMinimum": 0.7, "maximum": 1e39}
    columns = [
        column("x", "REAL", "number", quality=[listed], logicalTypeOptions=options),
        column("y", "REAL", "number", logicalTypeOptions=wide),
    ]
    good = "SELECT unnest([0.1, 0.3, 0.7, 1234.6, NULL])::FLOAT AS x, unnest([0.70001, 3e38])::FLOAT AS y"
    assert not audited(tmp_path, good, columns).failures
    bad = "SELECT unnest([0.0999999, 1234.7, 0.35, 'nan'::FLOAT, 'inf', 0.1]) AS x, unnest([0.7, 0.8])::FLOAT AS y"
    assert {r.rule: r.bad_rows for r in audited(tmp_path, bad, columns).failures} == {
        "minimum:x": 2, "maximum:x": 3, "multipleOf:x": 4, "quality:x.invalidValues": 5, "exclusiveMinimum:y": 1,
    }  # fmt: skip


# --- Statistics -----------------------------------------------------------------------------------


def test_bounds_are_proved_by_statistics_and_else_by_a_scan(tmp_path: Path) -> None:
    columns = [column("x", "INTEGER", "integer", logicalTypeOptions={"minimum": 0, "maximum": 3})]
    report = audited(tmp_path, "SELECT range::INTEGER AS x FROM range(5)", columns)
    assert (verdict(report, "minimum:x").how, verdict(report, "minimum:x").outcome) == ("file metadata", "passed")
    assert (verdict(report, "maximum:x").how, verdict(report, "maximum:x").bad_rows) == ("scan", 1)


def test_statistics_are_not_believed_where_they_pass_over_nan(tmp_path: Path) -> None:
    columns = [column("x", "DOUBLE", "number", logicalTypeOptions={"maximum": 3})]
    result = verdict(audited(tmp_path, "SELECT unnest([1.0, 'nan'::DOUBLE]) AS x", columns), "maximum:x")
    assert (result.how, result.bad_rows) == ("scan", 1)


@pytest.mark.parametrize(
    ("rows", "bad"),
    [
        ("SELECT range AS x, DATE '2030-01-01' + range::INTEGER AS y FROM range(5000)", 0),
        ("SELECT range % 4999 AS x, DATE '2030-01-01' + (range % 4999)::INTEGER AS y FROM range(5000)", 2),
        ("SELECT range * 9223372036854 AS x, DATE '2030-01-01' AS y FROM range(5000)", 0),
        ("SELECT nullif(range, 7) AS x, DATE '2030-01-01' AS y FROM range(5000) UNION ALL SELECT NULL, NULL", 0),
        ("SELECT -range AS x, DATE '1960-01-01' AS y FROM range(5000) UNION ALL SELECT -7, DATE '1960-01-01'", 2),
    ],
    ids=["different", "one-repeated", "far-apart", "nulls", "negative"],
)
def test_a_key_is_compared_by_whatever_way_is_cheap(tmp_path: Path, rows: str, bad: int) -> None:
    key = {"primaryKey": True}
    columns = [column("x", "BIGINT", "integer", primaryKeyPosition=1, **key),
               column("y", "DATE", "date", primaryKeyPosition=2, **key)]  # fmt: skip
    assert verdict(audited(tmp_path, rows, columns), "primaryKey").bad_rows == bad


# --- Personal data --------------------------------------------------------------------------------

PERSONAL = {
    "e-mail addresses": ["a@example.org", "b.c@example.com", "d@mail.example.net"],
    "phone numbers": ["+49 30 1234567", "+1 (212) 555-0100", "0049301234567"],
    "IBANs": ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "FR1420041010050500013M02606"],
    "payment cards": ["4111111111111111", "5500005555555559", "4012888888881881"],
    "IP addresses": ["192.168.0.1", "10.0.0.2", "8.8.8.8"],
    "Italian national numbers": ["RSSMRA85T10A562S", "RCCMNL83S18D969H", "BNCSFN85T58G702W"],
}


@pytest.mark.parametrize("what", sorted(PERSONAL))
def test_a_column_that_looks_like_personal_data_but_is_not_declared_so_is_a_warning(tmp_path: Path, what: str) -> None:
    pytest.importorskip("stdnum")
    rows = f"SELECT unnest({PERSONAL[what]}) AS x"
    result = verdict(audited(tmp_path, rows, [word()]), "personalData:x")
    assert (result.outcome, result.severity, result.blocks) == ("failed", "warning", False)
    assert what in result.observed
    assert not any(value in result.sentence() for value in PERSONAL[what])


@pytest.mark.parametrize(
    "clauses", [{"customProperties": [{"property": "personalData", "value": True}]}, {"tags": ["PII"]}]
)
def test_declared_personal_data_are_no_surprise(tmp_path: Path, clauses: Clauses) -> None:
    rows = f"SELECT unnest({PERSONAL['e-mail addresses']}) AS x"
    assert not audited(tmp_path, rows, [word(**clauses)]).warnings


def test_ordinary_words_and_numbers_are_not_taken_for_personal_data() -> None:
    for values in (
        [f"N{n}UA" for n in range(100, 999)],
        [f"ORD-{n:012d}" for n in range(900)],
        [f"{n:011d}" for n in range(900)],
        [f"{n:016d}" for n in range(4_000_000_000_000_000, 4_000_000_000_000_900)],
        [f"2013-01-{n:02d}" for n in range(1, 29)],
        ["a@example.org"] * 9,
        ["a@example.org", "none", "unknown", "n/a"],
    ):
        assert looks_like(values) == ""


def test_a_name_alone_is_reason_enough_to_ask(tmp_path: Path) -> None:
    columns = [column("first_name", "VARCHAR", "string")]
    result = verdict(audited(tmp_path, "SELECT 'Ada' AS first_name", columns), "personalData:first_name")
    assert "the name" in result.observed


def test_a_warning_leads_to_the_column_that_it_is_about(tmp_path: Path) -> None:
    contract = output_contract(build_product(tmp_path, columns=(*COLUMNS, column("first_name", "VARCHAR"))))
    data = write_parquet(tmp_path / "t.parquet", ROWS.replace("AS share", "AS share, 'Ada' AS first_name"))
    (result,) = audit(contract, data, published=None, as_of=NOW).warnings
    path, _, line = result.place.rpartition(":")
    assert path == contract.file.path
    assert int(line) == contract.file.place("schema", 0, "properties", 3).line


def test_an_example_keeps_its_form_and_loses_its_content() -> None:
    assert masked("Jane.Doe7@example.org") == "xxxx.xxx0@xxxxxxx.xxx"


# --- Dialects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"^\d+\.\w*$", r"^[0-9]+\.[0-9A-Za-z_]*\z"),
        ("^(?:a|b)+?$", r"^(a|b)+\z"),
        ("[^a-z&]x{2,3}?.", "[^a-z\\&]x{2,3}[^\n]"),
        (r"[\d\-]", r"[0-9\-]"),
    ],
)
def test_a_pattern_is_told_in_words_that_every_engine_reads_alike(pattern: str, told: str) -> None:
    assert portable(pattern, r"\z") == told


@pytest.mark.parametrize("pattern", [r"\bword", "(?i)a", "(?=a)b", r"\p{L}", "[[:alpha:]]", "[a", r"a\1"])
def test_a_pattern_that_engines_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(Unknown):
        portable(pattern)


RULES = [
    word(required=True, unique=True, logicalTypeOptions={"pattern": r"^[A-Z]\d{2}$", "maxLength": 3},
         quality=[{"metric": "invalidValues", "arguments": {"validValues": ["it's", "a\\b"]}, "mustBe": 0}]),
    column("n", "DOUBLE", "number", logicalTypeOptions={"minimum": 0.5, "multipleOf": 0.1}),
    column("at", "TIMESTAMPTZ", "timestamp", logicalTypeOptions={"maximum": "2030-01-01T00:00:00Z"}),
]  # fmt: skip


def test_shares_are_those_of_the_rows_also_where_only_a_scan_tells_how_many_there_are() -> None:
    pytest.importorskip("sqlglot")
    from outer.audit.execute import Circumstances, execute

    rules = [column("x", "BIGINT", unique=True, relationships=[{"to": "p.x"}], logicalTypeOptions={"maximum": 2})]
    with duckdb.connect() as base:
        base.execute("CREATE TABLE t AS SELECT unnest([1, 1, 2, 3])::BIGINT AS x; CREATE TABLE p AS SELECT 1 AS x")
        engine = Warehouse(
            "postgres", ("t",), {"x": "BIGINT"}, lambda query: base.execute(query).fetchall(), others={"p": ("p",)}
        )
        rows, results = execute(compiled(made(rules)), engine, Circumstances(NOW))
    assert rows == 4
    assert {r.rule: r.share for r in results if r.share} == {
        "unique:x": 0.5, "relationships:x": 0.5, "maximum:x": 0.25,
    }  # fmt: skip


def asked(dialect: Any) -> list[str]:
    """The queries that an audit sends to a warehouse, which answers that nothing is wrong."""
    from outer.audit.execute import Circumstances, execute

    sent: list[str] = []

    def answer(query: str) -> list[tuple[Any, ...]]:
        import sqlglot

        sent.append(query)
        return [(0,) * len(sqlglot.parse_one(query, read=dialect).selects)]

    levels = [{"property": "retention", "value": 30, "unit": "d", "element": "at"}]
    quality = [{"type": "sql", "name": "q", "query": "SELECT count(*) FROM {object} WHERE n < 0", "mustBe": 0}]
    contract = made(RULES, quality, levels=levels)
    types = {"x": "VARCHAR", "n": "DOUBLE", "at": "TIMESTAMP WITH TIME ZONE"}
    engine = Warehouse(dialect, ("sales", "t"), types, answer)
    _, results = execute(compiled(contract), engine, Circumstances(datetime(2030, 1, 31, tzinfo=UTC)))
    assert {r.outcome for r in results} == {"passed"}, results
    return sent


@pytest.mark.parametrize("dialect", sorted(NAMES))
def test_the_queries_of_a_warehouse_are_those_on_file(dialect: str) -> None:
    pytest.importorskip("sqlglot")
    kept = Path(__file__).parent / "fixtures" / "audit" / f"{dialect}.sql"
    assert "\n".join(f"{query};" for query in asked(dialect)) + "\n" == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", sorted(NAMES))
def test_what_cannot_be_said_in_a_dialect_is_refused(dialect: Any) -> None:
    pytest.importorskip("sqlglot")
    with pytest.raises(Unusable):
        translated("SELECT FROM WHERE", dialect)
    with pytest.raises(Unusable, match="another table"):
        guarded("SELECT count(*) FROM secrets", "duckdb", dialect, '"sales"."t"')


@pytest.mark.parametrize(
    ("dialect", "call"),
    [
        ("postgres", "length(CAST(table_to_xml('secret', true, true, '') AS TEXT))"),
        ("postgres", "database_to_xml(true, true, '')"),
        ("postgres", "dblink('host=elsewhere', 'SELECT 1')"),
        ("postgres", "(ts_stat('SELECT word FROM secret')).ndoc"),
        ("postgres", "pg_catalog.pg_sleep(9)"),
        ("snowflake", "SYSTEM$WAIT(9)"),
        ("databricks", "reflect('java.lang.System', 'exit', 1)"),
        ("databricks", "length(secret('scope', 'key'))"),
    ],
)
def test_a_query_may_not_call_what_does_as_a_text_says(dialect: Any, call: str) -> None:
    pytest.importorskip("sqlglot")
    assert guarded("SELECT max(n) FROM t", dialect, dialect, '"t"')
    with pytest.raises(Unusable, match="no measurement"):
        guarded(f"SELECT {call} FROM t", dialect, dialect, '"t"')  # noqa: S608


# --- The report -----------------------------------------------------------------------------------


def test_results_say_how_long_their_query_took(tmp_path: Path) -> None:
    report = audited(tmp_path, "SELECT 'a' AS x", [word(unique=True, logicalTypeOptions={"pattern": "a"})])
    assert all(r.seconds is not None and r.seconds > 0 for r in report.results if r.how == "scan")
    assert report.seconds > 0
    assert report.engine == "duckdb"


def test_a_measure_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    columns = [column("x", "BIGINT", "integer", logicalTypeOptions={"multipleOf": 3}),
               column("w", "VARCHAR", "string", logicalTypeOptions={"pattern": "^a"})]  # fmt: skip
    quality = [{"type": "sql", "name": "q", "query": "SELECT max(w::INTEGER) FROM {object}", "mustBe": 0}]
    data = write_parquet(tmp_path / "t.parquet", "SELECT 3::BIGINT AS x, 'a' AS w")
    report = audit(made(columns, quality), data, published=None, as_of=NOW)
    assert {r.rule for r in report.failures} == {"quality:q"}


def test_the_contract_of_a_product_is_compiled_without_reading_data(tmp_path: Path) -> None:
    items = compiled(output_contract(build_product(tmp_path, columns=COLUMNS))).items
    assert len({item.rule for item in items}) == len(items)
    assert [item.rule for item in items][:2] == ["readable", "columns"]
