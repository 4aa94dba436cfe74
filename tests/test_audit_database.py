"""A table in a DuckDB database: the verdicts of a file with the same rows, and no way to anything else."""

# ruff: noqa: S608 (names of this test)

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from outer.audit import audit, audit_server
from outer.errors import UsageError
from outer.result import AuditReport
from products import column
from reference_audit import reference
from test_audit_engines import NOW, Table, compared, fill, made, parquet, tables

pytest.importorskip("sqlglot")

ID = column("id", "BIGINT")


def judged(
    path: Path,
    columns: Sequence[Mapping[str, Any]],
    quality: Sequence[Mapping[str, Any]] = (),
    server: Mapping[str, Any] = {},
    **more: Any,
) -> AuditReport:
    entry = {"type": "duckdb", "database": str(path), **server}
    return audit_server(made(columns, quality, entry), "local", published=None, as_of=NOW, **more)


def base(folder: Path, *statements: str) -> Path:
    path = folder / "base.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_a_table_gets_the_verdicts_of_the_reference_and_of_a_file(table: Table) -> None:
    columns, quality, rows = table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "base.duckdb"
        with duckdb.connect(str(path)) as connection:
            fill(connection, columns, rows)
        report = judged(path, columns, quality)
        compared(report, reference(columns, quality, rows))
        file = audit(made(columns, quality), parquet(Path(folder) / "t.parquet", columns, rows), published=None,
                     as_of=NOW)  # fmt: skip
        assert [(r.rule, r.outcome) for r in report.results] == [(r.rule, r.outcome) for r in file.results]
        assert (report.rows, report.engine) == (file.rows, "duckdb")


def test_schema_and_table_are_those_of_the_contract(tmp_path: Path) -> None:
    path = base(
        tmp_path, "CREATE SCHEMA port", "CREATE TABLE t (id BIGINT)", "CREATE TABLE port.t AS SELECT 7::BIGINT AS id",
        "CREATE TABLE port.t_2 AS SELECT range AS id FROM range(5)",
    )  # fmt: skip
    assert judged(path, [ID]).rows == 0
    assert judged(path, [ID], server={"schema": "port"}).rows == 1
    assert judged(path, [ID], server={"schema": "port"}, table="t_2").rows == 5


def test_bad_rows_are_found_with_examples(tmp_path: Path) -> None:
    path = base(tmp_path, "CREATE TABLE t AS SELECT range - 2 AS id FROM range(5)")
    (failure,) = judged(path, [{**ID, "logicalTypeOptions": {"minimum": 0}}]).failures
    assert (failure.rule, failure.bad_rows, failure.examples) == ("minimum:id", 2, ({"id": "-2"}, {"id": "-1"}))
    assert not judged(path, [{**ID, "unique": True, "required": True}]).failures


def test_types_that_only_a_database_has_are_understood(tmp_path: Path) -> None:
    path = base(
        tmp_path,
        "CREATE TABLE t (word ENUM ('a', 'b'), second TIMESTAMP_S, milli TIMESTAMP_MS)",
        "INSERT INTO t VALUES ('a', '2029-01-01', '2029-01-01 00:00:00.5'), ('b', NULL, '2030-01-01')",
        "INSERT INTO t VALUES (NULL, '2031-01-01', NULL)",
    )  # fmt: skip
    known = {"name": "known", "metric": "invalidValues", "arguments": {"validValues": ["a", "c"]}, "mustBe": 0}
    moments = {"minimum": "2029-01-01T00:00:00", "maximum": "2030-01-01"}
    columns = [
        column("word", "VARCHAR", "string", unique=True, quality=[known], logicalTypeOptions={"pattern": "^[bc]"}),
        column("second", "TIMESTAMP_S", "timestamp", logicalTypeOptions=moments),
        column("milli", "TIMESTAMP_MS", "timestamp", logicalTypeOptions=moments),
    ]
    found = {r.rule: r.bad_rows for r in judged(path, columns).failures}
    assert found == {"pattern:word": 1, "quality:word.known": 1, "maximum:second": 1}


def test_another_type_and_another_column_are_found(tmp_path: Path) -> None:
    path = base(tmp_path, "CREATE TABLE t (id INTEGER, more VARCHAR)")
    assert {r.rule for r in judged(path, [ID]).failures} == {"columns", "type:id"}


def test_a_relationship_leads_to_a_table_beside_it(tmp_path: Path) -> None:
    path = base(
        tmp_path, "CREATE TABLE t AS SELECT range AS id FROM range(3)",
        "CREATE TABLE parents AS SELECT range AS id FROM range(2)",
    )  # fmt: skip
    report = judged(path, [{**ID, "relationships": [{"to": "parents.id"}]}], related=["parents"])
    assert [(r.rule, r.examples) for r in report.failures] == [("relationships:id", ({"id": "2"},))]


def test_personal_data_that_are_not_declared_are_a_warning(tmp_path: Path) -> None:
    path = base(tmp_path, "CREATE TABLE t AS SELECT 'p' || range || '@example.org' AS x FROM range(50)")
    assert [r.rule for r in judged(path, [column("x", "VARCHAR")]).warnings] == ["personalData:x"]


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("SELECT count(*) FROM {object}", True),
        ("SELECT count(*) FROM t", True),
        ("WITH w AS (SELECT id FROM t) SELECT count(*) FROM w", True),
        ("WITH w AS (SELECT id FROM t), v AS (SELECT id FROM w) SELECT count(*) FROM v AS x, v AS y", True),
        ("WITH secret AS (SELECT 1) SELECT count(*) FROM secret", True),
        ("SELECT count(*) FROM database.main.secret", False),
        ("WITH secret AS (SELECT 1) SELECT count(*) FROM database.main.secret", False),
        ("WITH w AS (SELECT id FROM query), query AS (SELECT 1) SELECT count(*) FROM w", False),
        ("SELECT (WITH query AS (SELECT 1) SELECT count(*) FROM query) * (SELECT count(*) FROM query) FROM t", False),
        ("SELECT count(*) FROM query('SELECT * FROM database.main.secret')", False),
        ("SELECT count(*) FROM query_table('database.main.secret')", False),
        ("SELECT count(*) FROM (SUMMARIZE database.main.secret)", False),
        ("SELECT count(*) FROM (SHOW ALL TABLES)", False),
        ("SELECT count(*) FROM duckdb_tables()", False),
        ("SELECT count(*) FROM read_blob('{file}')", False),
        ("SELECT count(*) FROM (TABLE database.main.secret)", False),
        ("SELECT (SELECT min(id) FROM database.main.secret) FROM t", False),
        ("DELETE FROM t", False),
        ("SELECT 1; DETACH database", False),
    ],
)
def test_a_query_sees_its_own_table_only(tmp_path: Path, query: str, allowed: bool) -> None:
    tables = [f"CREATE TABLE {name} AS SELECT 1::BIGINT AS id" for name in ("t", "secret", "query")]
    path = base(tmp_path, *tables)
    text = query.replace("{file}", str(path))
    report = judged(path, [ID], [{"type": "sql", "name": "q", "query": text, "mustBe": 1}], related=["query"])
    assert [r.rule for r in report.failures] == ([] if allowed else ["quality:q"])


def test_a_view_of_the_database_reads_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("id\n7\n")
    path = base(
        tmp_path, "CREATE TABLE inside AS SELECT 7::BIGINT AS id", "CREATE VIEW t AS FROM inside",
        f"CREATE VIEW outside AS SELECT id FROM read_csv('{secret}')",
    )  # fmt: skip
    assert not judged(path, [ID]).failures
    assert [(r.rule, r.how) for r in judged(path, [ID], table="outside").failures] == [("readable", "could not run")]


def test_the_database_is_not_changed(tmp_path: Path) -> None:
    path = base(tmp_path, "CREATE TABLE t AS SELECT 1::BIGINT AS id")
    before = path.read_bytes()
    judged(path, [ID])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"SQLite format 3\0" + bytes(100)])
def test_what_is_no_database_is_a_failed_rule(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "base.duckdb"
    if content is not None:
        path.write_bytes(content)
    (failure,) = judged(path, [ID]).failures
    assert (failure.rule, failure.how) == ("readable", "could not run")


def test_a_database_that_another_process_writes_is_a_failed_rule(tmp_path: Path) -> None:
    path = base(tmp_path, "CREATE TABLE t AS SELECT 1::BIGINT AS id")
    writer = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        (failure,) = judged(path, [ID]).failures
        assert "lock" in failure.reason
    finally:
        writer.communicate(b"\n")
    assert not judged(path, [ID]).failures


def test_the_path_counts_from_the_product_and_may_hold_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base(tmp_path, "CREATE TABLE t AS SELECT 1::BIGINT AS id")
    monkeypatch.setenv("BASE", "base")
    assert judged(Path("${BASE}.duckdb"), [ID], root=tmp_path).rows == 1


@pytest.mark.parametrize(("given", "said"), [("", "no path"), ("${UNSET_HERE}", "UNSET_HERE is not set")])
def test_a_server_that_names_no_file_is_told_where(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"t\.odcs\.yaml:\d+: .*{said}"):
        judged(tmp_path, [ID], server={"database": given})
