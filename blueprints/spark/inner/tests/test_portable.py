"""The code runs on every engine because it keeps to what all of them have."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "pipeline"

# RDDs are in no server's reach; rows that go through Python leave the engine.
FORBIDDEN = {
    *("rdd", "sparkContext", "SparkContext", "_sc", "_jvm", "_jdf"),
    *("toPandas", "foreach", "foreachPartition", "udf", "pandas_udf", "udtf", "arrow_udf"),
    *("mapInPandas", "mapInArrow", "applyInPandas", "applyInArrow"),
}


def names(code: str) -> set[str]:
    """Give every name that a piece of code imports, or looks up in something else."""
    nodes = list(ast.walk(ast.parse(code)))
    looked_up = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imported = [node.name for node in nodes if isinstance(node, ast.alias)]
    return looked_up | {part for name in imported for part in name.split(".")}


def test_the_pipeline_uses_nothing_that_only_one_engine_has_or_that_leaves_the_engine() -> None:
    files = SOURCE.glob("*.py")
    used = {name for file in files for name in names(file.read_text(encoding="utf-8"))}
    assert "transform" in used
    assert used & FORBIDDEN == set()


@pytest.mark.parametrize(
    "code",
    [
        "rows = frame.rdd.map(double)",
        "from pyspark import SparkContext",
        "import pyspark.rdd",
        "from pyspark.sql.functions import udf as function",
        "again = F.pandas_udf(double, 'int')",
        "frame.mapInPandas(double, schema)",
    ],
)
def test_what_only_one_engine_has_is_found_however_it_gets_in(code: str) -> None:
    assert names(code) & FORBIDDEN
