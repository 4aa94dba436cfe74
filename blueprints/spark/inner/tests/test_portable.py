"""The code runs on every engine because it keeps to what all of them have."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "pipeline"

# RDDs are in no server's reach; rows that go through Python leave the engine.
FORBIDDEN = {"rdd", "sparkContext", "SparkContext", "_jvm", "toPandas", "foreach", "udf"}


def test_the_pipeline_uses_nothing_that_only_one_engine_has_or_that_leaves_the_engine() -> None:
    files = list(SOURCE.glob("*.py"))
    used = {
        node.attr
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert "transform" in used
    assert used & FORBIDDEN == set()
