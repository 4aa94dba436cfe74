"""`nox -s demo`: the suite's main job from end to end, on a year of real flights, told step by step.

Everything lands in demo/, which each run makes anew (but for the downloaded flights).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.flights import full_year
from suite_repo import clone

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"
PRODUCT = DEMO / "flight-punctuality"
IDENTITY = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")


@contextmanager
def step(number: int, what: str) -> Iterator[None]:
    print(f"\n[{number}/6] {what}", flush=True)
    start = time.monotonic()
    yield
    print(f"      done in {time.monotonic() - start:.1f} s", flush=True)


def call(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run `command`, let it talk on stderr, and return what it printed as its result."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"demo: {' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def main() -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    DEMO.mkdir(exist_ok=True)
    for left_over in (PRODUCT, DEMO / "suite"):
        shutil.rmtree(left_over, ignore_errors=True)

    with step(1, "Release the working tree of the suite as v0.1.0, in a clone of its own"):
        suite = clone(DEMO / "suite")
    with step(2, "copier copy: make a data product (Polars inside)"):
        call("copier", "copy", "--quiet", "--defaults", "--data", "blueprint=polars", suite, PRODUCT)
        call("git", "init", "--quiet", cwd=PRODUCT)
        call("git", "add", "--all", cwd=PRODUCT)
        call("git", *IDENTITY, "commit", "--quiet", "--message", "New data product", cwd=PRODUCT)
    with step(3, "Fetch the flights of 2013 from the Python index (once)"):
        flights, airlines = full_year(DEMO / "input")
    with step(4, "outer run: the workload on 336,776 flights, audit, publish"):
        port = call("outer", "run", "--input", f"flights={flights}", "--input", f"airlines={airlines}", cwd=PRODUCT)
    with step(5, "outer check: the gate"):
        print("     ", call("outer", "check", cwd=PRODUCT))
    with step(6, "outer page: something to look at"):
        page = call("outer", "page", cwd=PRODUCT)

    print(f"""
A data product, from nothing to published data:

  product    {PRODUCT}
  data       {port}
  page       {Path(page).resolve()}
  receipt    {PRODUCT}/data/local/current/receipt.json
  lineage    {PRODUCT}/data/local/current/lineage.jsonl

{preview(Path(port))}

Three things to try next:

  cd {PRODUCT.relative_to(Path.cwd()) if PRODUCT.is_relative_to(Path.cwd()) else PRODUCT}

  1. Check, test, run and verify it, on the samples in the product
       python3 noxfile.py
  2. Promise another column than the workload writes: nothing is published, the last good version stays
       sed -i 's/on_time_share$/punctual_share/' outer/contracts/output/carrier_punctuality.v1.odcs.yaml
       python3 noxfile.py -s run
  3. Take it back, and look at the page again
       git checkout . && python3 noxfile.py -s page
""")


def preview(port: Path) -> str:
    """The five least punctual airlines of the year, read from the port as a consumer would."""
    import duckdb

    year = duckdb.read_parquet(str(port))
    return str(
        year.aggregate(
            "airline, sum(flights)::BIGINT AS flights, sum(cancelled)::BIGINT AS cancelled, "
            "round(sum(on_time_share * flights) / sum(flights), 3) AS on_time_share"
        )
        .order("on_time_share")
        .limit(5)
    )


if __name__ == "__main__":
    main()
