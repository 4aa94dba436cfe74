"""What the tests stand on: one session for all of them, on the engine that a run would take."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from pyspark.util import is_remote_only

from pipeline import session

if is_remote_only():
    # pyspark.testing looks for Spark's folder, which the thin client has not; any name will do.
    os.environ.setdefault("SPARK_HOME", "none")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    with session.opened() as opened:
        yield opened
