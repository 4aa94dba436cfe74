"""`outer verify --prove`: every rule of a contract has data that break it, and the audit finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outer import prove
from outer.audit.plan import Outside
from outer.audit.sql import Sql
from outer.errors import NothingChecked
from outer.prove import Trial, values
from outer.run import run
from outer.talk import Talk
from products import COLUMNS, FRESH, build_product, column, outer
from test_audit_custom import Install, install

__all__ = ["install"]

QUIET = Talk(quiet=True)

RICH: Sequence[Mapping[str, Any]] = (
    column("id", "BIGINT", required=True, primaryKey=True, primaryKeyPosition=1, logicalTypeOptions={"minimum": 0}),
    column(
        "word", "VARCHAR", required=True, unique=True,
        logicalTypeOptions={"minLength": 5, "maxLength": 8, "pattern": "^word [0-9]+$"},
    ),
    column("share", "DOUBLE", logicalTypeOptions={"minimum": 0, "exclusiveMaximum": 2}),
    column("even", "BIGINT", logicalTypeOptions={"multipleOf": 2}),
    column("kind", "VARCHAR", quality=[{
        "name": "known", "type": "library", "metric": "invalidValues", "mustBe": 0,
        "arguments": {"validValues": ["a", "b"]},
    }]),
    column("note", "VARCHAR", quality=[
        {"name": "few_nulls", "type": "library", "metric": "nullValues", "unit": "percent", "mustBeLessThan": 30},
        {"name": "few_dots", "type": "library", "metric": "missingValues", "mustBeLessOrEqualTo": 4,
         "arguments": {"missingValues": [".", "?"]}},
    ]),
    column("day", "DATE", logicalTypeOptions={"minimum": "2020-01-01"}),
    {**column("tags", "VARCHAR", "array"), "physicalType": "VARCHAR[]", "logicalTypeOptions": {"maxItems": 2}},
    {"name": "hour", "logicalType": "time", "logicalTypeOptions": {"minimum": "08:00:00", "maximum": "18:00"}},
    {"name": "pair", "logicalType": "object", "properties": [
        {"name": "x", "logicalType": "integer"}, {"name": "at", "logicalType": "time",
                                                  "logicalTypeOptions": {"timezone": False}},
    ]},
    {**column("at", "VARCHAR", "object"), "physicalType": "STRUCT(x BIGINT, y BIGINT)", "properties": [
        {"name": "x", "logicalType": "integer", "physicalType": "BIGINT", "logicalTypeOptions": {"maximum": 99}},
        {"name": "y", "logicalType": "integer", "physicalType": "BIGINT"},
    ]},
)  # fmt: skip
QUALITY = (
    {"name": "size", "type": "library", "metric": "rowCount", "mustBeBetween": [10, 25]},
    {"name": "pairs", "type": "library", "metric": "duplicateValues", "mustBeLessThan": 3,
     "arguments": {"properties": ["note"]}},
    {"name": "in_order", "type": "sql", "mustBe": 0,
     "query": "SELECT count(*) FROM {object} WHERE even > 100 * id + 100"},
    {"name": "a_sentence", "type": "text", "description": "It is good."},
)  # fmt: skip
LEVELS = (
    *FRESH,
    {"property": "latency", "value": 48, "unit": "h", "element": "day"},
    {"property": "retention", "value": 400, "unit": "d", "element": "day"},
    {"property": "frequency", "value": 1, "unit": "d"},
    {"property": "completeness", "value": 90, "unit": "percent", "element": "note"},
    {"property": "availability", "value": 95, "unit": "percent"},
)
ROWS = (
    "SELECT id, word, share, 2 * id AS even, CASE WHEN id % 2 = 0 THEN 'a' ELSE 'b' END AS kind, 'n' || id AS note, "
    "CAST(now() AT TIME ZONE 'UTC' AS DATE) - CAST(id AS INTEGER) AS day, "
    "['x'] AS tags, TIME '09:00:00' AS hour, "
    "{'x': 1, 'at': TIME '00:00:00'} AS pair, {'x': id, 'y': id} AS at FROM '{INPUT}'"
)


def published(root: Path, rows: str = "SELECT * FROM '{INPUT}'", **product: Any) -> Path:
    query = rows.replace("{'x': id, 'y': id}", "struct_pack(x := id, y := id)")
    query = query.replace("{'x': 1, 'at': TIME '00:00:00'}", "struct_pack(x := 1, at := TIME '00:00:00')")
    build_product(root, job=f'for port in OUTPUTS: copy(f"{query}", port)', **product)
    run(root, talk=QUIET)
    return root


def trials(root: Path) -> dict[str, Trial]:
    (proof,) = prove.prove(root, talk=QUIET)
    return {trial.rule: trial for trial in proof.trials}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """The trials of a contract that holds a rule of nearly every kind."""
    root = tmp_path_factory.mktemp("rich")
    return trials(published(root, ROWS, columns=RICH, quality=QUALITY, service_levels=LEVELS))


def test_every_rule_of_a_rich_contract_has_data_that_break_it(rich: dict[str, Trial]) -> None:
    assert {rule: trial for rule, trial in rich.items() if not trial.proved} == {}
    assert len(rich) > 35


def test_most_rules_are_broken_alone_and_the_others_say_with_whom(rich: dict[str, Trial]) -> None:
    together = {rule: trial.others for rule, trial in rich.items() if trial.outcome == "bites with others"}
    # What is too short for one rule does not fit the pattern of the other; where values go missing, two rules count.
    assert all(others for others in together.values())
    assert len(together) < 10, together


def test_what_stands_on_the_edge_of_a_rule_passes(rich: dict[str, Trial]) -> None:
    for rule in (
        "minimum:id", "exclusiveMaximum:share", "minimum:day", "maxItems:tags", "maximum:at.x", "multipleOf:even",
        "quality:size", "quality:note.few_dots", "sla:freshness", "sla:frequency", "sla:availability",
    ):  # fmt: skip
        assert rich[rule].edge, rule
        assert not rich[rule].refused, rule


def test_a_rule_that_no_data_can_break_is_found(tmp_path: Path) -> None:
    loose = {**COLUMNS[1], "logicalTypeOptions": {"pattern": ".*"}}
    found = trials(published(tmp_path, columns=(COLUMNS[0], loose, COLUMNS[2])))
    assert [rule for rule, trial in found.items() if not trial.proved] == ["pattern:word"]
    assert found["pattern:word"].outcome == "survives"
    done = outer(tmp_path, "verify", "--prove")
    assert done.returncode == 1
    assert "pattern:word" in done.stdout


def test_a_query_that_asks_nothing_of_the_data_is_found(tmp_path: Path) -> None:
    empty = {"name": "empty", "type": "sql", "query": "SELECT 0", "mustBe": 0}
    asked = {"name": "asked", "type": "sql", "query": "SELECT count(*) FROM {object} WHERE share > id", "mustBe": 0}
    found = trials(published(tmp_path, quality=[empty, asked]))
    assert found["quality:asked"].proved
    assert found["quality:empty"].outcome == "survives"


def test_an_audit_that_is_blind_to_a_rule_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (*COLUMNS[:2], {**COLUMNS[2], "logicalTypeOptions": {"maximum": 5}})
    root = published(tmp_path, columns=columns)
    assert trials(root)["maximum:share"].outcome == "bites"
    real = Sql.bad

    def blind(sql: Sql, field: Any, condition: Any) -> str:
        return "false" if isinstance(condition, Outside) else real(sql, field, condition)

    monkeypatch.setattr(Sql, "bad", blind)
    assert trials(root)["maximum:share"].outcome == "survives"


def test_an_audit_that_is_too_strict_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (*COLUMNS[:2], {**COLUMNS[2], "logicalTypeOptions": {"maximum": 5}})
    root = published(tmp_path, columns=columns)
    real = Sql.bad

    def strict(sql: Sql, field: Any, condition: Any) -> str:
        return real(sql, field, replace(condition, sign="<") if isinstance(condition, Outside) else condition)

    monkeypatch.setattr(Sql, "bad", strict)
    trial = trials(root)["maximum:share"]
    assert trial.refused
    assert not trial.proved


def test_a_rule_that_the_published_data_break_is_not_called_proved(tmp_path: Path) -> None:
    warned = {"name": "many", "type": "library", "metric": "rowCount", "mustBeGreaterThan": 100, "severity": "warning"}
    trial = trials(published(tmp_path, quality=[warned]))["quality:many"]
    assert trial.outcome == "cannot be tried"
    assert not trial.proved


def test_without_published_data_nothing_is_proved(tmp_path: Path) -> None:
    build_product(tmp_path)
    with pytest.raises(NothingChecked):
        prove.prove(tmp_path, talk=QUIET)
    assert outer(tmp_path, "verify", "--prove").returncode == 3


def test_the_proof_is_there_for_machines_and_changes_nothing(tmp_path: Path) -> None:
    root = published(tmp_path)
    before = {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    done = outer(root, "verify", "--prove", "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert told["ports"][0]["share"] == 1
    assert {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()} == before


def test_what_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    root = published(tmp_path)
    data = root / "data" / "local" / "current" / "words.parquet"
    kept = data.read_bytes()
    data.chmod(0o644)  # what is published is for reading alone
    for content in (b"no Parquet", kept[: len(kept) // 2]):
        data.write_bytes(content)
        with pytest.raises(NothingChecked, match="`words` cannot be read"):
            prove.prove(root, talk=QUIET)
    data.unlink()
    done = outer(root, "verify", "--prove")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_a_contract_that_has_gone_on_since_is_no_defect_of_the_program(tmp_path: Path) -> None:
    root = published(tmp_path)
    more = (*COLUMNS, column("day", "DATE", logicalTypeOptions={"minimum": "2020-01-01"}))
    levels = [{"property": "freshness", "value": 1, "unit": "d", "element": name} for name in ("day", "word")]
    build_product(root, columns=more, service_levels=levels)
    found = trials(root)
    for rule in ("columns", "type:day", "sla:freshness", "sla:freshness#2"):
        assert found[rule].outcome == "cannot be tried", rule
    assert found["primaryKey"].proved


def test_a_rule_that_only_holds_for_many_rows_is_tried_on_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "ROWS", 10)
    many = {"name": "many", "type": "library", "metric": "rowCount", "mustBeGreaterThan": 15}
    up = column("up", "BIGINT", relationships=[{"to": "words.id"}])
    rows = "SELECT *, 19 - id AS up FROM '{INPUT}'"
    found = trials(published(tmp_path, rows, columns=(*COLUMNS, up), quality=[many]))
    assert found["quality:many"].outcome == "bites"
    assert found["relationships:up"].outcome == "bites"


def test_a_relationship_to_an_input_is_tried(tmp_path: Path) -> None:
    linked = {**COLUMNS[0], "relationships": [{"to": "source.id"}]}
    assert trials(published(tmp_path, columns=(linked, *COLUMNS[1:])))["relationships:id"].proved


def test_a_rule_of_an_installed_engine_is_tried_by_asking_it(tmp_path: Path, install: Install) -> None:
    install(
        "import duckdb\n"
        "def engine(clause, data):\n"
        "    seen.append(data)\n"
        "    bad = duckdb.sql(f\"FROM '{data.path}' WHERE share > id\").fetchall()\n"
        "    assert not bad or clause['implementation'] != 'stops'\n"
        "    failed = bad and clause['implementation'] == 'bites'\n"
        "    return Result('', 'failed' if failed else 'passed', 'inner')\n"
    )
    kinds = ("bites", "blind", "stops")
    rules = [{"type": "custom", "name": kind, "engine": "words", "implementation": kind} for kind in kinds]
    found = trials(published(tmp_path, quality=rules))
    assert found["quality:bites"].proved
    assert found["quality:blind"].outcome == "survives"
    assert found["quality:stops"].outcome == "survives"  # an engine that stops has found nothing


@pytest.mark.slow
def test_every_rule_of_the_shipped_contract_bites(product: Path) -> None:
    run(product, talk=QUIET)
    found = trials(product)
    assert {rule: trial for rule, trial in found.items() if trial.outcome != "bites"} == {}
    assert len(found) == 30


def test_values_that_a_bound_excludes_differ_from_those_that_it_allows() -> None:
    assert values.edge(Outside(">=", 3), "BIGINT", "x") == "3"
    assert next(values.bad(Outside(">=", 3), "BIGINT", "x")) == "2"
    assert next(values.bad(Outside(">", 3), "BIGINT", "x")) == "3"
