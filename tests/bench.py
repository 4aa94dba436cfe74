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

import bench_audit
import bench_fleet
import bench_jobs
from suite_repo import OWN_ENVIRONMENT, clone

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


def gate(folder: Path, product: Path) -> list[Row]:
    """The gate beside other tools on the same files. They say different things; what is compared is the wait."""
    rivals = folder / "rivals"
    call(["uv", "venv", "-q", "--python", sys.executable, str(rivals)], folder)
    packages = ["datacontract-cli>=1.2", "dataproduct-cli>=0.3.2", "check-jsonschema>=0.36"]
    call(["uv", "pip", "install", "-q", "--python", str(rivals / "bin/python"), *packages], folder)
    contract = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
    descriptor = "outer/data-product.odps.yaml"
    changed = folder / "changed.odcs.yaml"
    changed.write_text((product / contract).read_text().replace("physicalType: BIGINT", "physicalType: INTEGER"))
    schema = folder / "odcs.json"
    import open_data_contract_standard

    shutil.copy(Path(open_data_contract_standard.__file__).with_name("schema.json"), schema)

    def tool(name: str, *arguments: str) -> Callable[[], float]:
        return lambda: call([str(rivals / "bin" / name), *arguments], product)

    def ours(*arguments: str) -> Callable[[], float]:
        return lambda: call([sys.executable, "-m", "outer", *arguments], product)

    families = ("REA", "IDN", "OWN", "VER", "DES", "REF", "CON", "PRV")
    written = [word for family in families for word in ("--family", family)]
    check, part, compat, lint, jsonschema, breaking, dataproduct = medians(
        ours("check"),
        ours("check", *written),
        ours("compat"),
        tool("datacontract", "lint", "--no-inline-references", contract),
        tool("check-jsonschema", "--schemafile", str(schema), contract),
        lambda: _tolerant([str(rivals / "bin/datacontract"), "breaking", contract, str(changed)], product),
        tool("dataproduct", "lint", "--local-references", descriptor),
    )
    return [
        Row("`outer check`: all rules", check, "`datacontract lint` of one contract", lint, "≤ 0.3 s"),
        Row(
            "`outer check`: descriptor and contracts",
            part,
            "`check-jsonschema` of one contract",
            jsonschema,
            "≤ 0.15 s",
        ),
        Row("`outer check`: descriptor and contracts", part, "`dataproduct lint`", dataproduct, "≤ 0.15 s"),
        Row("`outer compat` in a git repository", compat, "`datacontract breaking` of two files", breaking, "≤ 0.25 s"),
    ]


def _tolerant(command: list[str], cwd: Path) -> float:
    """Seconds of a process that is expected to find something, and so to fail."""
    start = time.perf_counter()
    subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    return time.perf_counter() - start


SCALE = """
import resource, sys, time
from datetime import date
from pathlib import Path
from outer.check import check
from outer.product import load
times = []
for folder in sorted(Path(sys.argv[1]).iterdir()):
    start = time.perf_counter()
    report = check(load(folder), date(2030, 1, 1))
    times.append(time.perf_counter() - start)
    if len(times) == 100:
        early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert report.objects > 30 and not report.crashed and not report.findings, report.findings
times.sort()
print(times[len(times) // 2], sum(times), early / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def scale(folder: Path, product: Path) -> str:
    """Many products in one process, and one product with many ports."""
    many = folder / "many"
    for number in range(1000):
        target = many / f"p{number:04}"
        shutil.copytree(product / "outer", target / "outer", copy_function=os.link)
        shutil.copytree(product / "inner", target / "inner", ignore=shutil.ignore_patterns(".venv"))
        for name in os.listdir(product):
            if name not in ("outer", "inner", "data", ".git", ".nox"):
                source = product / name
                (shutil.copytree if source.is_dir() else shutil.copy)(source, target / name)
    done = subprocess.run(
        [sys.executable, "-c", SCALE, str(many)], capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        sys.exit(f"bench: {done.stderr}")
    each, total, early, late = map(float, done.stdout.split())
    wide = widened(folder / "wide", product)
    (large,) = medians(lambda: _tolerant([sys.executable, "-m", "outer", "check", "--product", str(wide)], folder))
    return (
        "| what | measured | goal |\n| --- | --- | --- |\n"
        f"| a further product in one process (median) | {each * 1000:.1f} ms | ≤ 20 ms |\n"
        f"| 1,000 products in one process | {total:.1f} s | ≤ 15 s |\n"
        f"| memory after 100 and after 1,000 products | {early:.0f} and {late:.0f} MiB | flat |\n"
        f"| `outer check` of one product with 50 ports of 200 columns | {large:.2f} s | ≤ 1 s |\n"
    )


def widened(target: Path, product: Path) -> Path:
    """`product` with 50 output ports of 200 columns each."""
    shutil.copytree(product, target, ignore=shutil.ignore_patterns("data", ".git", ".nox", ".venv"))
    folder = target / "outer/contracts/output"
    (one,) = folder.iterdir()
    text = one.read_text()
    head, rest = text.split("      - name: cancelled\n", 1)
    column, rest = rest.split("      - name: mean_dep_delay_min\n", 1)
    columns = "".join(f"      - name: cancelled_{n:03}\n{column}" for n in range(192))
    wide = f"{head}      - name: cancelled\n{column}{columns}      - name: mean_dep_delay_min\n{rest}"
    descriptor = target / "outer/data-product.odps.yaml"
    before, after = descriptor.read_text().split("outputPorts:", 1)
    ports, after = after.split("\nmanagementPorts:", 1)
    comment, ports = ports.split("\n", 1)
    inner = target / "inner/inner.yaml"
    names = [f"port_{n:02}" for n in range(50)]
    one.unlink()
    for name in names:
        (folder / f"{name}.v1.odcs.yaml").write_text(wide.replace("carrier_punctuality", name))
    entries = "\n".join(ports.replace("carrier_punctuality", name).rstrip("\n") for name in names)
    descriptor.write_text(f"{before}outputPorts:{comment}\n{entries}\n\nmanagementPorts:{after}")
    inner.write_text(inner.read_text().replace("writes: [carrier_punctuality]", f"writes: [{', '.join(names)}]"))
    return target


def hostile() -> str:
    """The slowest refusal among the hostile files of the tests, in milliseconds."""
    from outer.yamlfile import Unreadable, parse
    from test_yamlfile import HOSTILE

    slowest = 0.0
    for data, _ in HOSTILE.values():
        start = time.perf_counter()
        try:
            parse(data)
        except Unreadable:
            slowest = max(slowest, time.perf_counter() - start)
        else:
            sys.exit("bench: a hostile file was read")
    return f"| slowest refusal of {len(HOSTILE)} hostile files | {slowest * 1000:.1f} ms | ≤ 50 ms |\n"


def first_data(folder: Path, suite: Path, *, cold: bool, uv: bool = True) -> float:
    """Seconds from `copier copy` to published data through the product's own noxfile."""
    home = folder / f"home-{time.monotonic_ns()}"
    home.mkdir()
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "XDG_DATA_HOME": str(home / ".data")}
    if cold:
        environment["UV_CACHE_DIR"] = str(home / "uv")
        environment["PIP_CACHE_DIR"] = str(home / "pip")
    if not uv:
        paths = os.environ["PATH"].split(os.pathsep)
        environment["PATH"] = os.pathsep.join(path for path in paths if not Path(path, "uv").exists())
    product = folder / f"product-{time.monotonic_ns()}"
    start = time.perf_counter()
    copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", "blueprint=polars"]
    call([*copier, str(suite), str(product)], folder, environment)
    call([sys.executable, "noxfile.py", "-s", "run"], product, environment)
    return time.perf_counter() - start


def suite() -> str:
    """The section on copying, the gate, a run, and the way from nothing to data."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configuration = folder / "gitconfig"
        configuration.write_text("[user]\nname = Bench\nemail = bench@example.com\n")
        os.environ["GIT_CONFIG_GLOBAL"] = str(configuration)
        cloned = clone(folder / "suite")
        product = folder / "product"
        copier = [sys.executable, "-m", "copier", "copy", "-q", "--defaults", "-d", "blueprint=polars"]
        call([*copier, str(cloned), str(product)], folder)
        call([sys.executable, "-m", "outer", "run", "-q"], product)
        call(["git", "init", "-q", "-b", "main"], product)
        call(["git", "add", "-A"], product)
        call(["git", "commit", "-qm", "New data product"], product)
        rows = [copies(folder, cloned), *checks(folder, product), *gate(folder, product), runs(product)]
        sizes = scale(folder, product)
        print("bench: from nothing to data", file=sys.stderr)
        cold = statistics.median(first_data(folder, cloned, cold=True) for _ in range(3))
        warm = statistics.median(first_data(folder, cloned, cold=False) for _ in range(3))
        pip = statistics.median(first_data(folder, cloned, cold=True, uv=False) for _ in range(3))
    lines = "\n".join(row.line for row in rows)
    return f"""\
## The gate, a copy and a run

Medians of whole processes, {ROUNDS} rounds, the two sides of a row taking turns.

| what | s | against | s | ratio | difference s | goal |
| --- | --- | --- | --- | --- | --- | --- |
{lines}

{sizes}{hostile()}
From nothing to data: `copier copy`, then `python3 noxfile.py -s run` in the new product, which installs the pinned
`outer` and the inner, runs the workload, audits and publishes. Medians of 3.

| caches | s | goal |
| --- | --- | --- |
| empty home, empty package caches, packages from the network, with uv | {cold:.1f} | ≤ 60 |
| the same without uv, by pip | {pip:.1f} | ≤ 60 |
| empty home, warm package caches, with uv | {warm:.1f} | ≤ 15 |
"""


PARTS: Mapping[str, Callable[[], str]] = {
    "suite": suite,
    "audit": bench_audit.main,
    "jobs": bench_jobs.main,
    "fleet": bench_fleet.main,
}
HEAD = """\
# Benchmarks

Made by `nox -s bench`; never edited by hand. `-- audit jobs` measures these parts alone and leaves the others as they
stand. Read the ratios; seconds depend on the machine.

"""


def main(arguments: list[str]) -> None:
    """Measure the parts that `arguments` name (all, where they name none), and put their sections into the report."""
    # Whoever sets it would have every process of every product compiled anew, which nobody's machine does.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in OWN_ENVIRONMENT:
        os.environ.pop(name, None)
    if strange := [name for name in arguments if name not in PARTS]:
        sys.exit(f"bench: there is no part {strange[0]} (there are: {', '.join(PARTS)})")
    for part in arguments or PARTS:
        text = PARTS[part]().strip("\n")
        title, _, rest = text.partition("\n")
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        machine = (
            f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}, {datetime.now(UTC).date()}. Command: `nox -s bench -- {part}`."
        )
        sections = {**_sections(), part: f"{title}\n\n<!-- {part} -->\n{machine}\n\n{rest.strip()}\n"}
        REPORT.write_text(HEAD + "\n".join(sections[name] for name in PARTS if name in sections), encoding="utf-8")
        print(sections[part])


def _sections() -> Mapping[str, str]:
    """The sections of the report as it stands, by the part that made them."""
    found = {}
    for section in REPORT.read_text(encoding="utf-8").split("\n## ")[1:]:
        for name in PARTS:
            if f"<!-- {name} -->" in section:
                found[name] = f"## {section.rstrip()}\n"
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
