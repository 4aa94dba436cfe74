"""Run by test_audit_spark.py in an environment with Spark: the audit in Spark, held against the reference.

`python tests/spark_audit.py sail|java EXAMPLES`
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings

from outer.audit.compile import compiled
from outer.audit.connect import _types, spark
from outer.audit.execute import Circumstances, execute
from outer.audit.warehouse import Warehouse
from outer.result import AuditReport
from reference_audit import reference
from test_audit_engines import NOW, VALUES, Table, compared, made, tables

TYPES = {"VARCHAR": "string", "VARCHAR(2)": "string", "TIMESTAMP": "timestamp_ntz",
         "TIMESTAMP WITH TIME ZONE": "timestamp"}  # fmt: skip


_KEPT: list[Any] = []
"""A server of Sail ends with the object that stands for it."""


def session(engine: str) -> Any:
    if engine == "sail":
        from pysail.spark import SparkConnectServer  # type: ignore[import-not-found]
        from pyspark.sql import SparkSession

        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
        _KEPT.append(server)
        _, port = server.listening_address
        return SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    from pyspark.sql import SparkSession

    flags = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    builder = SparkSession.builder.master("local[2]").config("spark.driver.extraJavaOptions", flags)
    return builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()


def audited(ask: Any, connection: Any, columns: Sequence[Mapping[str, Any]], quality: Any, rows: Any) -> AuditReport:
    types = ", ".join(f"{c['name']} {TYPES.get(c['physicalType'], c['physicalType'].lower())}" for c in columns)
    data = [tuple(row[c["name"]] for c in columns) for row in rows]
    connection.createDataFrame(data, types).createOrReplaceTempView("t")
    engine = Warehouse("spark", ("t",), _types(ask, "spark", {}, "t"), ask)
    found, results = execute(compiled(made(columns, quality)), engine, Circumstances(NOW))
    return AuditReport("t", "1.0.0", found, 0, results, "spark")


def main(engine: str, examples: int) -> None:
    connection = session(engine)
    ask = spark(connection)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(table=tables(VALUES))
    def compare(table: Table) -> None:
        columns, quality, rows = table
        report = audited(ask, connection, columns, quality, rows)
        compared(report, reference(columns, quality, rows))
        assert {r.outcome for r in report.results if r.rule.startswith(("type:", "columns"))} == {"passed"}, report

    compare()
    print(f"{examples} tables: Spark says what the reference says")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
