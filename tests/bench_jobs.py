"""Measures the worked example's job: every blueprint, on every engine, beside the same job in plain DuckDB SQL.

python tests/bench_jobs.py [YEARS [ROUNDS]]      default: 30, which is 10 million flights, and 3

It makes its inputs and keeps nothing. What takes turns is measured ROUNDS times; Spark on Java once.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import yaml

import suite_repo
import test_spark
from fixtures.flights import full_year

YEARS = 30
ROUNDS = 3
PORT = "carrier_punctuality"
SPARK, SAIL = {"SPARK_ENGINE": "spark"}, {"SPARK_ENGINE": "sail"}
HOOKS = Path(__file__).resolve().parents[1] / "hooks"

# The same job as one would write it without a template: one statement, one process, nothing checked.
PLAIN = """
import sys, duckdb
flights, airlines, output = sys.argv[1:]
duckdb.execute(f'''
COPY (
  WITH best AS (
    SELECT * FROM read_parquet('{flights}')
    QUALIFY row_number() OVER (
      PARTITION BY time_hour, carrier, flight, origin
      ORDER BY arr_delay IS NULL, dep_delay IS NULL, arr_delay DESC, dep_delay DESC, dep_time DESC NULLS LAST) = 1),
  days AS (
    SELECT make_date(year, month, day) AS flight_date, carrier, count(*) AS flights,
      count(*) FILTER (dep_time IS NULL) AS cancelled,
      CASE WHEN count(dep_delay) > 0 THEN sum(dep_delay)::DOUBLE / count(dep_delay) END AS mean_dep_delay_min,
      CASE WHEN count(arr_delay) > 0 THEN sum(arr_delay)::DOUBLE / count(arr_delay) END AS mean_arr_delay_min,
      count(*) FILTER (arr_delay < 15) AS on_time
    FROM best GROUP BY ALL)
  SELECT flight_date, carrier, coalesce(name, carrier) AS airline, flights, cancelled, mean_dep_delay_min,
    mean_arr_delay_min, on_time / flights AS on_time_share,
    (sum(on_time) OVER week)::DOUBLE / (sum(flights) OVER week)::DOUBLE AS on_time_share_7d
  FROM days LEFT JOIN read_parquet('{airlines}') USING (carrier)
  WINDOW week AS (PARTITION BY carrier ORDER BY flight_date RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW)
  ORDER BY flight_date, carrier
) TO '{output}' (FORMAT parquet, COMPRESSION zstd)''')
"""


@dataclass(frozen=True)
class Cost:
    """What a process took, with all that it started: seconds of wall and of CPU, and the peak of memory in MiB."""

    wall: float
    cpu: float
    memory: float


class Watch(threading.Thread):
    """Adds up CPU and memory of all processes in some sessions, again and again until it is told to end."""

    def __init__(self, sessions: set[int]) -> None:
        super().__init__(daemon=True)
        self.sessions, self.ended = sessions, threading.Event()
        self.before, self.ticks, self.peak = self._ticks(), dict[int, int](), 0

    def run(self) -> None:
        while not self.ended.wait(0.05):
            self.ticks |= self._ticks()

    def _ticks(self) -> dict[int, int]:
        """CPU of each process until now; memory of all of them is noted beside it."""
        found, memory = {}, 0
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) in self.sessions:
                    found[int(folder.name)] = int(fields[11]) + int(fields[12])
                    memory += int((folder / "statm").read_text().split()[1])
            except OSError:
                continue  # it has ended in between
        self.peak = max(getattr(self, "peak", 0), memory)
        return found

    def cpu(self) -> float:
        spent = sum(ticks - self.before.get(process, 0) for process, ticks in self.ticks.items())
        return spent / os.sysconf("SC_CLK_TCK")


def measure(
    command: str | Sequence[str], cwd: Path, environment: Mapping[str, str], servers: Sequence[int] = ()
) -> Cost:
    """Run `command` to its end. `servers` are sessions of processes that do a part of its work."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, shell=isinstance(command, str), cwd=cwd, env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    watch = Watch({process.pid, *servers})
    watch.start()
    printed, _ = process.communicate()
    wall = time.perf_counter() - start
    watch.ended.set()
    watch.join()
    if process.returncode:
        sys.exit(f"bench: {command} ended with {process.returncode}\n{printed}")
    return Cost(wall, watch.cpu(), watch.peak * os.sysconf("SC_PAGE_SIZE") / 2**20)


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory")))


def many_years(flights: Path, target: Path, years: int) -> Path:
    """The year again and again, each time a year later: `years` times its rows, the same on every machine."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(
            f"""COPY (
                SELECT * EXCLUDE (i)
                    REPLACE ((year + i)::INTEGER AS year, time_hour + to_years(i::INTEGER) AS time_hour)
                FROM read_parquet('{flights}'), range({years}) later(i)
                ORDER BY i, time_hour, carrier, flight, origin
            ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"""  # noqa: S608 (our own files)
        )
    return target


@dataclass(frozen=True)
class Engine:
    """One way to run the job: a product that is set up, or the plain statement where there is none."""

    title: str
    goal: str
    product: Path | None
    environment: Mapping[str, str]
    servers: tuple[int, ...] = ()
    once: bool = False

    def job(self, inputs: Mapping[str, Path], output: Path) -> Cost:
        """The bare job, as the outer starts it but without the outer."""
        output.parent.mkdir(parents=True, exist_ok=True)
        if self.product is None:
            return measure([sys.executable, "-c", PLAIN, *map(str, inputs.values()), str(output)], output.parent, {})
        ports = {
            "environment": "local", "run_id": "bench", "since": None,
            "inputs": {name: described(path) for name, path in inputs.items()},
            "outputs": {PORT: {**described(output), "previous": None, "schema": columns(self.product)}},
        }  # fmt: skip
        file = output.with_suffix(".json")
        file.write_text(json.dumps(ports))
        [workload] = yaml.safe_load((self.product / "inner/inner.yaml").read_text())["workloads"]
        environment = {**self.environment, "PORTS_FILE": str(file), "VIRTUAL_ENV": "", "PYTHONPATH": ""}
        return measure(workload["run"], self.product / "inner", environment, self.servers)

    def governed(self, inputs: Mapping[str, Path]) -> Cost:
        """The job run by `outer run`: inputs checked, output audited, published, evidence written."""
        assert self.product is not None
        told = [word for name, path in inputs.items() for word in ("--input", f"{name}={path}")]
        command = [sys.executable, "-m", "outer", "run", "-q", *told]
        return measure(command, self.product, {**self.environment, "PYTHONPATH": str(HOOKS)}, self.servers)


def described(path: Path) -> dict[str, object]:
    return {"location": str(path), "format": "parquet", "contract": "", "schema": []}


def columns(product: Path) -> list[dict[str, object]]:
    """The columns of the output port, as its contract says them."""
    contract = yaml.safe_load((product / f"outer/contracts/output/{PORT}.v1.odcs.yaml").read_text())
    return [
        {
            "name": c["name"], "logicalType": c["logicalType"], "physicalType": c["physicalType"],
            "required": bool(c.get("required")),
        }
        for c in contract["schema"][0]["properties"]
    ]  # fmt: skip


def ready(folder: Path, suite: Path, blueprint: str, environment: Mapping[str, str]) -> Path:
    """A product of `blueprint`, set up and run once on its samples."""
    product = suite_repo.render(folder, suite, blueprint=blueprint)
    measure([sys.executable, "-m", "outer", "run", "-q"], product, {**environment, "PYTHONPATH": str(HOOKS)})
    return product


@contextmanager
def cluster(product: Path, folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A standalone cluster of a master and two workers of one core each: its address, and its sessions."""
    found = subprocess.run(
        [product / "inner/.venv/bin/python", "-c", "from pipeline import java; print(java.find().home)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    home = Path(found.stdout.strip())
    with test_spark.cluster(test_spark.Pipeline(product / "inner"), folder, home) as started:
        yield started.master, started.sessions


def engines(folder: Path, suite: Path, closing: ExitStack) -> list[Engine]:
    """Every way to run the job, quickest first."""
    polars, dbt = (ready(folder / name, suite, name, {}) for name in ("polars", "dbt"))
    stock, quick = (ready(folder / told["SPARK_ENGINE"], suite, "spark", told) for told in (SPARK, SAIL))
    address, sessions = closing.enter_context(cluster(stock, folder / "cluster"))
    there = {**SPARK, "SPARK_MASTER": address, "SPARK_LOCAL_IP": "127.0.0.1"}
    return [
        Engine("plain DuckDB SQL", "", None, {}),
        Engine("Polars", "ratio ≤ 1.3", polars, {}),
        Engine("dbt", "≤ 1.5 without start-up", dbt, {}),
        Engine("Spark on Sail", "", quick, SAIL),
        Engine("Spark in one process", "", stock, SPARK, once=True),
        Engine("Spark on a cluster", "", stock, there, servers=sessions, once=True),
    ]


def jobs(ways: Sequence[Engine], inputs: Mapping[str, Path], folder: Path, rounds: int) -> tuple[list[Cost], list[int]]:
    """The median cost of each way, which take turns; and how many rows each has that the first has not."""
    costs: list[list[Cost]] = [[] for _ in ways]
    for number in range(rounds):
        for way, taken in zip(ways, costs, strict=True):
            if number == 0 or not way.once:
                taken.append(way.job(inputs, folder / f"{way.title}.parquet"))
                print(f"bench: {way.title}: {taken[-1].wall:.1f} s", file=sys.stderr, flush=True)
    first = folder / f"{ways[0].title}.parquet"
    return [median(taken) for taken in costs], [unequal(first, folder / f"{way.title}.parquet") for way in ways]


def unequal(left: Path, right: Path) -> int:
    with duckdb.connect() as database:
        one, two = (f"SELECT * FROM read_parquet('{path}')" for path in (left, right))  # noqa: S608
        found = database.execute(
            f"SELECT count(*) FROM (({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one}))"  # noqa: S608
        ).fetchall()
    return int(found[0][0])


def first_data(folder: Path, suite: Path, blueprint: str, told: Mapping[str, str]) -> float:
    """Seconds from `copier copy` to published data by the product's own noxfile: empty home, warm package caches."""
    home = folder / f"home-{time.monotonic_ns()}"
    home.mkdir(parents=True)
    cache = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        **told, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "XDG_DATA_HOME": str(home / ".data"),
        "UV_CACHE_DIR": cache,
    }  # fmt: skip
    product = folder / f"product-{time.monotonic_ns()}"
    copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", f"blueprint={blueprint}"]
    made = measure([*copier, str(suite), str(product)], folder, environment)
    return made.wall + measure([sys.executable, "noxfile.py", "-s", "run"], product, environment).wall


def table(title: str, head: str, rows: Sequence[str]) -> str:
    return "\n".join([title, "", head, "|".join(["", *[" --- "] * (head.count("|") - 1), ""]), *rows, "", ""])


def section(
    ways: Sequence[Engine], inputs: Mapping[str, Path], name: str, start: Sequence[Cost], folder: Path, rounds: int
) -> str:
    """The table of one size of input; `start` is what each way takes for nearly nothing."""
    costs, wrong = jobs(ways, inputs, folder, rounds)
    base = costs[0]
    rows = [
        f"| {way.title} | {cost.wall:.1f} | {cost.cpu:.1f} | {cost.memory:,.0f} | {cost.wall / base.wall:.2f} "
        f"| {(cost.wall - begun.wall) / base.wall:.2f} | {f'{rest} rows differ' if rest else 'equal'} | {way.goal} |"
        for way, cost, begun, rest in zip(ways, costs, start, wrong, strict=True)
    ]
    head = "| job | s | CPU s | MiB | ratio to DuckDB | without start-up | data | goal |"
    return table(f"**{name}**", head, rows)


def main(years: int = YEARS, rounds: int = ROUNDS) -> str:
    """Measure, and give a section of Markdown."""
    # The programs of this environment first, uv among them: also where it was not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with tempfile.TemporaryDirectory() as name, ExitStack() as closing:
        folder = Path(name)
        suite = suite_repo.clone(folder / "suite")
        flights, airlines = full_year(folder / "input")
        sample = suite_repo.ROOT / "template/outer/samples/flights.parquet"
        year, small = {"flights": flights, "airlines": airlines}, {"flights": sample, "airlines": airlines}
        many = {"flights": many_years(flights, folder / "input/many.parquet", years), "airlines": airlines}

        print("bench: from nothing to data", file=sys.stderr, flush=True)
        fresh = []
        for title, blueprint, told, goal in (
            ("Polars", "polars", {}, 10),
            ("dbt", "dbt", {}, 20),
            ("Spark on Sail", "spark", SAIL, 15),
            ("Spark on Java", "spark", SPARK, 45),
        ):
            first_data(folder, suite, blueprint, told)  # fills the caches
            seconds = statistics.median(first_data(folder, suite, blueprint, told) for _ in range(rounds))
            fresh.append(f"| {title} | {seconds:.1f} | ≤ {goal} |")

        ways = engines(folder, suite, closing)
        start, _ = jobs(ways, small, folder / "small", rounds)
        sections = [
            section(ways, year, "The year: 336,776 flights", start, folder / "year", rounds),
            section(ways, many, f"{years} years: {336_776 * years:,} flights", start, folder / "many", rounds),
        ]
        overhead = []
        for way in (way for way in ways if way.product and not way.servers):
            turns = range(1 if way.once else rounds)
            pairs = [(way.job(many, folder / "bare.parquet"), way.governed(many)) for _ in turns]
            bare, whole = (median(costs) for costs in zip(*pairs, strict=True))
            rest = whole.wall - bare.wall
            overhead.append(
                f"| {way.title} | {bare.wall:.1f} | {whole.wall:.1f} | {rest:+.2f} "
                f"| {100 * rest / bare.wall:.1f} % | ≤ 3 % |"
            )
    return (
        "## The job\n\nThe worked example's job, bare, as whole processes with all that they start. Memory is the\n"
        "peak of resident memory over all of these, servers of a cluster included. Start-up is the job on the\n"
        "sample.\n\n"
        + "".join(sections)
        + table(
            f"**`outer run` beside the bare job**, {336_776 * years:,} flights",
            "| job | bare s | `outer run` s | more s | more | goal |",
            overhead,
        )
        + table(
            "**From nothing to data**: `copier copy`, then `python3 noxfile.py -s run`; empty home, warm caches",
            "| blueprint | s | goal |",
            fresh,
        )
    )


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:2])))
