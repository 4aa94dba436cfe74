"""datacontract-cli on the common ground: it says what the audit says, but for the differences listed here.

Each is explained in docs/reference/audit.md. It runs in an environment of its own: its pins are not those of products.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench_audit import datacontract
from outer.audit import audit
from products import column, contract, write_parquet
from test_audit import METRICS, NOW, ROW_RULES, VALUES
from test_audit_engines import made

pytestmark = pytest.mark.heavy

ASK = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from datacontract.data_contract import DataContract
said = {}
for name, path in json.loads(sys.stdin.read()).items():
    try:
        said[name] = str(DataContract(data_contract_file=path).test().result.value)
    except Exception as error:
        said[name] = type(error).__name__
print("SAID" + json.dumps(said))
"""

STRUCTURE: Mapping[str, tuple[list[dict[str, Any]], str]] = {
    "good": ([column("x", "BIGINT")], "SELECT 1::BIGINT AS x"),
    "missing column": ([column("x", "BIGINT"), column("y", "BIGINT")], "SELECT 1::BIGINT AS x"),
    "undeclared column": ([column("x", "BIGINT")], "SELECT 1::BIGINT AS x, 2 AS y"),
    "another order": ([column("x", "BIGINT"), column("y", "BIGINT")], "SELECT 1::BIGINT AS y, 2::BIGINT AS x"),
    "narrower number": ([column("x", "BIGINT")], "SELECT 1::INTEGER AS x"),
    "text for a number": ([column("x", "BIGINT")], "SELECT '1' AS x"),
    "another scale": ([column("x", "DECIMAL(10,2)", "number")], "SELECT 1::DECIMAL(10,3) AS x"),
    "day with a time": ([column("x", "DATE")], "SELECT TIMESTAMP '2030-01-01 10:00:00' AS x"),
    "key twice": (
        [column("x", "BIGINT", primaryKey=True, primaryKeyPosition=1)],
        "SELECT 1::BIGINT AS x FROM range(2)",
    ),
    "unique with nulls": ([column("x", "BIGINT", unique=True)], "SELECT NULL::BIGINT AS x FROM range(2)"),
    "unique twice": ([column("x", "BIGINT", unique=True)], "SELECT 1::BIGINT AS x FROM range(2)"),
}

DIFFERENCES: Mapping[str, tuple[str, str]] = dict.fromkeys(
    (
        "undeclared column", "another order",
        "narrower number", "text for a number", "another scale", "day with a time",
        "5 minimum DOUBLE bad",  # NaN
        "10 multipleOf BIGINT bad", "11 multipleOf DOUBLE bad",
        "6 duplicateValues x bad",  # in percent
    ),
    ("failed", "passed"),
)  # fmt: skip
"""Case -> what the audit and what datacontract-cli say."""


def cases() -> Mapping[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]]:
    """Columns, quality rules and rows of each case."""
    found: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = {
        name: (columns, [], rows) for name, (columns, rows) in STRUCTURE.items()
    }
    for number, (rule, clauses, physical, good, bad) in enumerate(ROW_RULES):
        columns = [column("x", physical, **clauses)]
        found[f"{number} {rule} {physical} good"] = (columns, [], f"SELECT {good} AS x")
        found[f"{number} {rule} {physical} bad"] = (columns, [], f"SELECT {good} AS x UNION ALL SELECT {bad}")
    for number, (clause, subject, value) in enumerate(METRICS):
        for word, operator in (("good", "mustBe"), ("bad", "mustNotBe")):
            quality = [{**clause, "name": "q", operator: value}]
            columns = [column("x", "VARCHAR"), column("n", "BIGINT")]
            next(c for c in columns if c["name"] == subject)["quality"] = quality
            found[f"{number} {clause['metric']} {subject} {word}"] = (columns, [], VALUES)
    return found


def test_datacontract_says_the_same_but_for_what_is_listed(tmp_path: Path) -> None:
    tool = datacontract()
    if tool is None:
        pytest.skip("datacontract-cli cannot be installed")
    ours, files = {}, {}
    for index, (name, (columns, quality, rows)) in enumerate(cases().items()):
        data = write_parquet(tmp_path / f"{index}.parquet", rows)
        report = audit(made(columns, quality), data, published=None, as_of=NOW)
        ours[name] = "failed" if report.failures else "passed"
        server = {"type": "local", "format": "parquet", "path": str(data)}
        terms = contract("t", server, columns, quality)
        terms["schema"][0]["physicalType"] = "table"
        path = tmp_path / f"{index}.yaml"
        path.write_text(json.dumps(terms))
        files[name] = str(path)
    done = subprocess.run(
        [tool.with_name("python"), "-c", ASK], input=json.dumps(files), capture_output=True, text=True, check=False,
        timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(done.stdout.rpartition("SAID")[2])
    # It warns that it does not check types of Parquet files, whatever they are.
    said = {name: "passed" if verdict == "warning" else verdict for name, verdict in theirs.items()}
    assert {name: (ours[name], said[name]) for name in ours if ours[name] != said[name]} == DIFFERENCES
