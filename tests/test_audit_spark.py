"""Pushdown to Spark, really run in an environment of its own: by Sail, and by stock PySpark where there is Java."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
NEEDS = ("duckdb>=1.5,<2", "hypothesis", "sqlglot>=30,<32", "pyyaml", "jsonschema-rs>=0.60,<0.70",
         "open-data-contract-standard>=3.1.2,<3.2", "dataproduct-cli>=0.3.2,<0.4", "pandas<3", "pyarrow")  # fmt: skip

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    ("engine", "packages", "examples"),
    [
        ("sail", ("pysail>=0.7,<0.8", "pyspark-client>=4.2,<4.3"), 25),
        ("java", ("pyspark>=4.2,<4.3",), 10),
    ],
)
def test_spark_says_what_the_reference_says(engine: str, packages: tuple[str, ...], examples: int) -> None:
    if engine == "java" and not shutil.which("java"):
        pytest.skip("no Java on this machine (Debian: apt-get install openjdk-17-jre-headless)")
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    extras = [part for package in (*NEEDS, *packages) for part in ("--with", package)]
    command = [uv, "run", "--quiet", "--no-project", "--isolated", *extras, "python", str(TESTS / "spark_audit.py")]
    paths = os.pathsep.join([str(TESTS.parent / "hooks"), str(TESTS)])
    environment = {**os.environ, "PYTHONPATH": paths, "VIRTUAL_ENV": "", "TZ": "UTC"}
    done = subprocess.run(
        [*command, engine, str(examples)], env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert f"{examples} tables" in done.stdout
