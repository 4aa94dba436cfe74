"""Pushdown to a real PostgreSQL: the same verdicts as from the reference, and of the rows only the examples travel."""

# ruff: noqa: S608 (names of this test)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from outer.audit import audit_server
from outer.audit.connect import warehouse
from outer.parquet import Unusable
from reference_audit import reference
from test_audit_engines import NOW, VALUES, Table, compared, made, tables
from test_dbt_postgres import Server, server

psycopg = pytest.importorskip("psycopg")
pytest.importorskip("sqlglot")

__all__ = ["server"]
pytestmark = pytest.mark.slow

# PostgreSQL keeps no NUL in a text, and its DATE has no NaN; everything else is the same.
TYPES = {"DOUBLE": "double precision", "BIGINT": "bigint", "VARCHAR": "text", "VARCHAR(2)": "text"}


@pytest.fixture
def base(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS port")
        yield connection


def fill(base: Any, columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], name: str = "t") -> None:
    types = ", ".join(f"{c['name']} {TYPES.get(c['physicalType'], c['physicalType'])}" for c in columns)
    base.execute(f"DROP TABLE IF EXISTS port.{name}; CREATE TABLE port.{name} ({types})")
    with base.cursor() as cursor:
        names = ", ".join(c["name"] for c in columns)
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(
            f"INSERT INTO port.{name} ({names}) VALUES ({marks})", [[row[c["name"]] for c in columns] for row in rows]
        )


SERVER = {"type": "postgres", "schema": "port"}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables(VALUES))
def test_postgres_says_what_the_reference_says(base: Any, table: Table) -> None:
    columns, quality, rows = table
    fill(base, columns, rows)
    report = audit_server(made(columns, quality, SERVER), "local", published=None, as_of=NOW)
    assert report.engine == "postgres"
    compared(report, reference(columns, quality, rows))


def test_what_a_contract_says_beyond_rows_is_checked_too(base: Any) -> None:
    columns = [
        {"name": "id", "logicalType": "integer", "physicalType": "bigint", "classification": "public",
         "relationships": [{"to": "parents.id"}]},
        {"name": "at", "logicalType": "timestamp", "physicalType": "timestamptz", "classification": "public"},
    ]  # fmt: skip
    quality = [{"type": "sql", "name": "few", "query": "SELECT count(*) FROM {object} WHERE id > 1", "mustBe": 1}]
    at = NOW - timedelta(hours=30)
    fill(base, columns, [{"id": n, "at": at} for n in (1, 2)])
    fill(base, columns, [{"id": 1, "at": at}], "parents")
    levels = [{"property": "freshness", "value": 24, "unit": "h", "element": "at"}]
    contract = made(columns, quality, SERVER, levels)
    report = audit_server(contract, "local", published=None, as_of=NOW, related=["parents"])
    outcomes = {r.rule: r.outcome for r in report.results}
    assert outcomes == {
        "readable": "passed", "columns": "passed", "type:id": "passed", "relationships:id": "failed",
        "type:at": "passed", "quality:few": "passed", "sla:freshness": "failed",
    }  # fmt: skip
    (orphan,) = next(r for r in report.results if r.rule == "relationships:id").examples
    assert orphan == {"id": "2"}
    assert next(r for r in report.results if r.rule == "relationships:id").share == 0.5
    assert next(r for r in report.results if r.rule == "sla:freshness").observed == "30.0 h old"


def test_another_type_and_another_column_are_found_in_the_catalogue(base: Any) -> None:
    fill(base, [{"name": "id", "physicalType": "integer"}, {"name": "more", "physicalType": "text"}], [])
    columns = [{"name": "id", "logicalType": "integer", "physicalType": "BIGINT", "classification": "public"}]
    report = audit_server(made(columns, [], SERVER), "local", published=None, as_of=NOW)
    assert {r.rule for r in report.failures} == {"columns", "type:id"}


def test_of_the_rows_only_examples_travel(base: Any) -> None:
    columns = [{"name": "id", "logicalType": "integer", "physicalType": "bigint", "classification": "public",
                "unique": True, "required": True, "logicalTypeOptions": {"minimum": 0, "multipleOf": 3}}]  # fmt: skip
    fill(base, columns, [{"id": n} for n in range(-1000, 1000)])
    moved = []
    with warehouse(SERVER, "t") as engine:
        asked = engine._ask
        engine._ask = lambda query: moved.append(rows := asked(query)) or rows  # type: ignore[method-assign]
        from outer.audit.compile import compiled
        from outer.audit.execute import Circumstances, execute

        rows, results = execute(compiled(made(columns, [], SERVER)), engine, Circumstances(NOW))
    assert rows == 2000
    assert {r.rule for r in results if r.outcome == "failed"} == {"minimum:id", "multipleOf:id"}
    assert max(map(len, moved)) == 5


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM {object}",
        "SELECT 1; DROP TABLE port.t",
        "WITH gone AS (DELETE FROM port.t RETURNING 1) SELECT count(*) FROM gone",
        "SELECT count(*) FROM pg_catalog.pg_authid",
        "SELECT pg_sleep(9)",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT count(*) FROM {object} FOR UPDATE",
    ],
)
def test_a_query_that_does_more_than_measure_its_table_fails(base: Any, query: str) -> None:
    columns = [{"name": "id", "logicalType": "integer", "physicalType": "bigint", "classification": "public"}]
    fill(base, columns, [{"id": 1}])
    quality = [{"type": "sql", "name": "q", "query": query, "mustBe": 1}]
    report = audit_server(made(columns, quality, SERVER), "local", published=None, as_of=NOW)
    assert [r.rule for r in report.failures] == ["quality:q"]
    assert base.execute("SELECT count(*) FROM port.t").fetchone() == (1,)


def test_the_connection_cannot_write_whatever_is_asked(base: Any) -> None:
    fill(base, [{"name": "id", "physicalType": "bigint"}], [{"id": 1}])
    with warehouse(SERVER, "t") as engine, pytest.raises(Unusable, match="stopped"):
        engine._ask("DELETE FROM port.t")


def test_a_table_that_is_not_there_is_a_failed_rule(base: Any) -> None:
    columns = [{"name": "id", "logicalType": "integer", "physicalType": "bigint"}]
    report = audit_server(made(columns, [], SERVER), "local", published=None, as_of=NOW, table="nowhere")
    assert [(r.rule, r.how) for r in report.failures] == [("readable", "could not run")]


def test_a_server_that_cannot_be_reached_is_named() -> None:
    columns = [{"name": "id", "logicalType": "integer", "physicalType": "bigint"}]
    away = {**SERVER, "host": "127.0.0.1", "port": 1, "database": "base"}
    (result,) = audit_server(made(columns, [], away), "local", published=None, as_of=NOW).failures
    assert "cannot be reached: " in result.reason
    assert "127.0.0.1" in result.reason


def test_an_error_of_the_server_does_not_quote_the_data(base: Any) -> None:
    columns = [{"name": "word", "logicalType": "string", "physicalType": "text", "classification": "public"}]
    fill(base, columns, [{"word": "secret"}])
    quality = [{"type": "sql", "name": "q", "query": "SELECT max(CAST(word AS INTEGER)) FROM {object}", "mustBe": 1}]
    report = audit_server(made(columns, quality, SERVER), "local", published=None, as_of=NOW)
    (result,) = report.failures
    assert "secret" not in result.sentence()
