"""`nox -s bench`: what the suite costs, as ratios within one run, written to docs/reference/benchmarks.md.

Every figure is the median of whole processes, the competitors of a row taking turns, so that a noisy machine hits them
alike. Nothing here is a test: machines differ, ratios hardly do.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from suite_repo import clone

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs/reference/benchmarks.md"
ROUNDS = 7


@dataclass(frozen=True)
class Row:
    """One line of the report: what was compared, with medians in seconds."""

    what: str
    seconds: float
    against: str
    base: float
    goal: str

    @property
    def line(self) -> str:
        return (
            f"| {self.what} | {self.seconds:.2f} | {self.against} | {self.base:.2f} "
            f"| {self.seconds / self.base:.2f} | {self.seconds - self.base:+.2f} | {self.goal} |"
        )


def call(command: list[str], cwd: Path, environment: Mapping[str, str] | None = None) -> float:
    """Seconds that a process takes; stops the benchmark when it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - start


def medians(*runs: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each of `runs`, which take turns after one round that does not count."""
    times: list[list[float]] = [[] for _ in runs]
    for number in range(rounds + 1):
        for run, taken in zip(runs, times, strict=True):
            seconds = run()
            if number:
                taken.append(seconds)
        print(f"bench: round {number} of {rounds}", file=sys.stderr)
    return [statistics.median(taken) for taken in times]


def copies(folder: Path, suite: Path) -> Row:
    empty = folder / "empty"
    empty.mkdir()
    (empty / "README.md").write_text("A template of one file.\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one file"], ["tag", "v0.1.0"]):
        call(["git", *arguments], empty)

    def copy(template: Path) -> Callable[[], float]:
        target = folder / "copied"

        def run() -> float:
            shutil.rmtree(target, ignore_errors=True)
            command = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", "blueprint=polars"]
            return call([*command, str(template), str(target)], folder)

        return run

    ours, base = medians(copy(suite), copy(empty))
    return Row("`copier copy` of the suite", ours, "`copier copy` of a template of one file", base, "ratio ≤ 1.5")


def checks(folder: Path, product: Path) -> list[Row]:
    def bare() -> float:
        return call([sys.executable, "-c", "pass"], folder)

    def known() -> float:
        return call([sys.executable, "-m", "outer", "check"], product)

    def first() -> float:
        cache = {"XDG_CACHE_HOME": str(folder / f"cache-{time.monotonic_ns()}")}
        return call([sys.executable, "-m", "outer", "check"], product, cache)

    base, warm, cold = medians(bare, known, first)
    return [
        Row("`outer check`, cold process, known pin", warm, "bare Python", base, "≤ 0.5 s"),
        Row("`outer check`, first time for a pin", cold, "bare Python", base, ""),
    ]


def runs(product: Path) -> Row:
    ports = {
        "PORTS_FILE": str(product / "data/bench-ports.json"),
        "VIRTUAL_ENV": "",
    }
    import json

    location = product / "data/bench.parquet"

    def port(path: Path) -> dict[str, object]:
        return {"location": str(path), "format": "parquet", "contract": "", "schema": []}

    Path(ports["PORTS_FILE"]).write_text(
        json.dumps(
            {
                "environment": "local",
                "run_id": "bench",
                "since": None,
                "inputs": {name: port(product / f"outer/samples/{name}.parquet") for name in ("flights", "airlines")},
                "outputs": {"carrier_punctuality": {**port(location), "previous": None}},
            }
        )
    )
    command = ["uv", "run", "--no-sync", "python", "-m", "pipeline", "carrier_punctuality"]

    def bare() -> float:
        return call(command, product / "inner", ports)

    def governed() -> float:
        return call([sys.executable, "-m", "outer", "run", "--quiet"], product)

    ours, base = medians(governed, bare)
    return Row("`outer run` on the samples", ours, "the bare workload", base, "overhead ≤ 1.5 s")


def first_data(folder: Path, suite: Path, *, cold: bool) -> float:
    """Seconds from `copier copy` to published data through the product's own noxfile."""
    home = folder / f"home-{time.monotonic_ns()}"
    home.mkdir()
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "XDG_DATA_HOME": str(home / ".data")}
    if cold:
        environment["UV_CACHE_DIR"] = str(home / "uv")
        environment["PIP_CACHE_DIR"] = str(home / "pip")
    product = folder / f"product-{time.monotonic_ns()}"
    start = time.perf_counter()
    copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", "blueprint=polars"]
    call([*copier, str(suite), str(product)], folder, environment)
    call([sys.executable, "noxfile.py", "-s", "run"], product, environment)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configuration = folder / "gitconfig"
        configuration.write_text("[user]\nname = Bench\nemail = bench@example.com\n")
        os.environ["GIT_CONFIG_GLOBAL"] = str(configuration)
        suite = clone(folder / "suite")
        product = folder / "product"
        copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", "blueprint=polars"]
        call([*copier, str(suite), str(product)], folder)
        call([sys.executable, "-m", "outer", "run", "-q"], product)
        rows = [copies(folder, suite), *checks(folder, product), runs(product)]
        print("bench: from nothing to data", file=sys.stderr)
        cold = statistics.median(first_data(folder, suite, cold=True) for _ in range(3))
        warm = statistics.median(first_data(folder, suite, cold=False) for _ in range(3))
    report(rows, cold, warm)


def report(rows: list[Row], cold: float, warm: float) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = "\n".join(row.line for row in rows)
    installer = "uv" if shutil.which("uv") else "pip"
    REPORT.write_text(
        f"""\
# Benchmarks

Made by `nox -s bench`; never edited by hand. Medians of whole processes, {ROUNDS} rounds, the two sides of a row taking
turns. Read the ratios; seconds depend on the machine.

Machine: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python \
{platform.python_version()}, installer {installer}. Date: {datetime.now(UTC).date()}.

| what | s | against | s | ratio | difference s | goal |
| --- | --- | --- | --- | --- | --- | --- |
{lines}

From nothing to data: `copier copy`, then `python3 noxfile.py -s run` in the new product, which installs the pinned
`outer` and the inner, runs the workload, audits and publishes. Medians of 3.

| caches | s | goal |
| --- | --- | --- |
| empty home, empty package caches, packages from the network | {cold:.1f} | ≤ 60 |
| empty home, warm package caches | {warm:.1f} | ≤ 15 |
""",
        encoding="utf-8",
    )
    print(REPORT.read_text())


if __name__ == "__main__":
    main()
