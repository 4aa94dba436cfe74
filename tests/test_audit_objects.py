"""Files in S3: the verdicts of local files with the same rows, and no way to other objects.

The storage is a server of this machine that speaks S3.
"""

# ruff: noqa: S608 (names of this test)

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from outer.audit import audit, audit_server
from outer.errors import UsageError
from outer.result import AuditReport
from products import column
from test_audit_engines import NOW, Table, made, parquet, tables
from test_polars import bucket

pytest.importorskip("fsspec")
obstore = pytest.importorskip("obstore")

__all__ = ["bucket"]
pytestmark = pytest.mark.slow

ID = column("id", "BIGINT")
YEAR = {**ID, "name": "year", "partitioned": True, "partitionKeyPosition": 1}


@pytest.fixture
def store(bucket: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from obstore.store import S3Store

    for name, value in bucket.items():
        monkeypatch.setenv(name, value)
    found = S3Store("deliveries")
    yield found
    for chunk in found.list():
        for entry in chunk:
            found.delete(entry["path"])


def put(store: Any, folder: Path, key: str, rows: str) -> None:
    file = folder / "upload.parquet"
    duckdb.sql(f"COPY ({rows}) TO '{file}' (FORMAT parquet)")
    obstore.put(store, key, file.read_bytes())


def judged(key: str, columns: Any = (ID,), quality: Any = (), **server: Any) -> AuditReport:
    entry = {"type": "s3", "location": f"s3://deliveries/{key}", **server}
    return audit_server(made(columns, quality, entry), "local", published=None, as_of=NOW)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_an_object_gets_the_verdicts_of_a_file(store: Any, table: Table) -> None:
    columns, quality, rows = table
    with tempfile.TemporaryDirectory() as folder:
        file = parquet(Path(folder) / "t.parquet", columns, rows)
        obstore.put(store, "any/t.parquet", file.read_bytes())
        here = audit(made(columns, quality), file, published=None, as_of=NOW)
        there = judged("any/t.parquet", columns, quality)
    assert [(r.rule, r.outcome, r.how, r.bad_rows, r.examples) for r in there.results] == [
        (r.rule, r.outcome, r.how, r.bad_rows, r.examples) for r in here.results
    ]
    assert (there.rows, there.engine) == (here.rows, "duckdb")


def test_a_folder_is_taken_whole_with_its_partitions(store: Any, tmp_path: Path) -> None:
    for year in (2013, 2014):
        put(store, tmp_path, f"a b/year={year}/x.parquet", f"SELECT range + {year} AS id FROM range(10)")
    obstore.put(store, "a b/_SUCCESS", b"")
    put(store, tmp_path, "a b/_tmp/year=1/x.parquet", "SELECT 'x' AS id")
    put(store, tmp_path, "a bc/x.parquet", "SELECT 'x' AS id")
    report = judged("a b/", [ID, YEAR])
    assert (report.failures, report.rows) == ((), 20)
    failed = judged("a b", [{**ID, "unique": True, "logicalTypeOptions": {"maximum": 2020}}, YEAR]).failures
    assert {r.rule: r.bad_rows for r in failed} == {"unique:id": 18, "maximum:id": 5}


@pytest.mark.parametrize("form", ["csv", "json"])
def test_formats_without_types_are_read_as_the_contract_says(store: Any, form: str) -> None:
    good, bad = {"csv": (b"id\n1\n", b"id\nx\n"), "json": (b'{"id": 1}\n', b'{"id": "x"}\n')}[form]
    obstore.put(store, f"t.{form}", good)
    assert not judged(f"t.{form}", format=form).failures
    obstore.put(store, f"t.{form}", bad)
    assert [r.rule for r in judged(f"t.{form}", format=form).failures] == ["type:id"]


def test_of_a_delta_table_the_live_files_count(store: Any) -> None:
    deltalake = pytest.importorskip("deltalake")
    polars = pytest.importorskip("polars")
    for ids in ([1, 1], [1, 2, 3]):
        rows = polars.DataFrame({"id": ids}, schema={"id": polars.Int64})
        deltalake.write_deltalake("s3://deliveries/table", rows, mode="overwrite")
    unique = {**ID, "unique": True}
    report = judged("table", [unique], format="delta")
    assert (report.failures, report.rows) == ((), 3)
    assert {
        r.rule for r in judged("table", [{**unique, "logicalTypeOptions": {"maximum": 2}}], format="delta").failures
    } == {"maximum:id"}
    obstore.delete(store, next(e["path"] for c in store.list("table") for e in c if e["path"].endswith(".parquet")))
    obstore.delete(store, next(e["path"] for c in store.list("table") for e in c if e["path"].endswith(".parquet")))
    assert [(r.rule, r.how) for r in judged("table", format="delta").failures] == [("readable", "could not run")]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM 's3://deliveries/secret.parquet'",
        "SELECT count(*) FROM read_parquet('s3://deliveries/*.parquet')",
        "SELECT count(*) FROM glob('s3://deliveries/*')",
        "SELECT count(*) FROM read_text('/etc/hostname')",
        "COPY t TO 's3://deliveries/stolen.parquet'",
    ],
)
def test_a_query_reaches_no_other_object(store: Any, tmp_path: Path, query: str) -> None:
    put(store, tmp_path, "t.parquet", "SELECT 1::BIGINT AS id")
    put(store, tmp_path, "secret.parquet", "SELECT 1::BIGINT AS id")
    own = {"type": "sql", "name": "own", "query": "SELECT count(*) FROM t", "mustBe": 1}
    other = {"type": "sql", "name": "other", "query": query, "mustBe": 1}
    assert [r.rule for r in judged("t.parquet", quality=[own, other]).failures] == ["quality:other"]


@pytest.mark.parametrize("key", ["nothing.parquet", "nothing", "text.parquet", "mixed", "odd"])
def test_what_cannot_be_read_is_a_failed_rule(store: Any, tmp_path: Path, key: str) -> None:
    obstore.put(store, "text.parquet", b"no Parquet")
    put(store, tmp_path, "mixed/a.parquet", "SELECT 1::BIGINT AS id")
    put(store, tmp_path, "mixed/b.parquet", "SELECT 1::INTEGER AS id")
    put(store, tmp_path, "odd/a*.parquet", "SELECT 1::BIGINT AS id")
    assert [(r.rule, r.how) for r in judged(key).failures] == [("readable", "could not run")]


def test_credentials_are_not_shown_to_an_endpoint_that_only_the_contract_names(store: Any, tmp_path: Path) -> None:
    import os

    put(store, tmp_path, "t.parquet", "SELECT 1::BIGINT AS id")
    assert not judged("t.parquet", endpointUrl=os.environ["AWS_ENDPOINT_URL"] + "/").failures
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL does not"):
        judged("t.parquet", endpointUrl="http://127.0.0.1:1")


@pytest.mark.parametrize("server", [{"location": "s3://deliveries/*.parquet"}, {"location": "data/t.parquet"},
                                    {"location": "s3://deliveries"}, {"format": "avro"}])  # fmt: skip
def test_a_place_that_is_not_understood_is_told_where(server: Mapping[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"t\.odcs\.yaml:\d+: "):
        judged("t.parquet", **server)
