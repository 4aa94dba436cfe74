"""Measures `outer fleet` over many products: time for each command, whether it grows in line, and the memory it takes.

python tests/bench_fleet.py [PRODUCTS]      default: 1000
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fleets
import suite_repo
from browser import browser, chromium

COUNT = 1000
SMALL = 10
"""The smaller fleet is this many times smaller."""
_HOOKS = Path(__file__).resolve().parents[1] / "hooks"


@dataclass(frozen=True)
class Taken:
    """What one command took."""

    seconds: float
    processor: float
    """Seconds of processor time, of all its processes together."""
    megabytes: float
    """Of its largest process."""


def fleet(*arguments: str | Path, cache: Path) -> Taken:
    """Run `outer fleet` with these arguments, as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(_HOOKS), "XDG_CACHE_HOME": str(cache), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "outer", "fleet", *map(str, arguments), "--quiet"]
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        code = process.returncode = os.waitstatus_to_exitcode(status)
        if code not in (0, 1):
            said.seek(0)
            sys.exit(f"bench: {' '.join(command)} ended with {code}\n{said.read().decode()[-3000:]}")
    processor = usage.ru_utime + usage.ru_stime
    print(f"bench: {' '.join(map(str, arguments[:3]))}: {seconds:.1f} s, processor {processor:.1f} s", file=sys.stderr)
    return Taken(seconds, processor, usage.ru_maxrss / 1024)


def copier(products: Sequence[Path], folder: Path) -> float:
    """Seconds for each of `products` that `copier update` as a process and a commit take."""
    environment = {**os.environ, "COPIER_CACHE_DIR": str(folder / "copier")}
    start = time.perf_counter()
    for product in products:
        command = [sys.executable, "-m", "copier", "update", "--quiet", "--defaults", "--vcs-ref", "v0.2.0"]
        subprocess.run(command, cwd=product, env=environment, check=True, capture_output=True)
        suite_repo.commit(product)
    return (time.perf_counter() - start) / len(products)


def main(count: int = COUNT) -> str:
    """Measure with `count` products, and return the section of the report."""
    with tempfile.TemporaryDirectory(prefix="outer-bench-") as name:
        folder = Path(name)
        (folder / "settings.yml").write_text("{}\n")
        os.environ["COPIER_SETTINGS_PATH"] = str(folder / "settings.yml")
        suite = suite_repo.clone(folder / "suite")
        fresh = suite_repo.render(folder / "fresh", suite)
        suite_repo.release(suite, "0.2.0", {"template/SECURITY.md": "Write to the platform team.\n"})
        roots = fleets.fleet(folder / "many", fresh, count, commit=True)
        few = folder / "few"
        few.mkdir()
        for root in roots[: count // SMALL]:
            shutil.copytree(root, few / root.name, symlinks=True)
        print(f"bench: {count} products are there", file=sys.stderr)
        return _measure(folder, suite, roots, few)


def _measure(folder: Path, suite: Path, roots: Sequence[Path], few: Path) -> str:
    many, count, cache = folder / "many", len(roots), folder / "cache"
    small = count // SMALL
    lines = [
        "## Many products", "",
        f"{count} synthetic products, each a git clone; every tenth is read by the nine after it. Whole processes,",
        f"{len(os.sched_getaffinity(0))} processors. Memory is that of the largest process.", "",
        f"| what | {small} products | {count} products | processor time | each | memory {small} / {count} | goal |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip

    def row(what: str, less: Taken, more: Taken, goal: str) -> None:
        each = f"{less.processor / small * 1000:.0f} / {more.processor / count * 1000:.0f} ms"
        lines.append(
            f"| {what} | {less.seconds:.1f} s | {more.seconds:.1f} s | {more.processor:.1f} s | {each} "
            f"| {less.megabytes:.0f} / {more.megabytes:.0f} MB | {goal} |"
        )

    def both(what: str, goal: str, *arguments: str | Path) -> None:
        row(what, fleet(arguments[0], few, *arguments[1:], cache=cache),
            fleet(arguments[0], many, *arguments[1:], cache=cache), goal)  # fmt: skip

    draft = folder / "cost.yaml"
    draft.write_text(fleets.COST_CENTRE)
    both("`status`, the first time on a machine", "≤ 15 s", "status", "--suite", suite)
    both("`status`, again", "≤ 15 s", "status", "--suite", suite)
    both("`impact` of a rule that all keep", "≤ 15 s", "impact", "--policy", "CON007")
    both("`impact` of a draft that all fail, with its dates", "≤ 15 s", "impact", "--draft", draft)
    both("`mesh`", "", "mesh")
    site = folder / "site"
    both("`catalog`", "", "catalog", "--to", site)
    lines += ["", *_site(site), ""]
    alone = [Path(shutil.copytree(root, folder / "alone" / root.name, symlinks=True)) for root in roots[:5]]
    one = copier(alone, folder)
    arguments = ("--suite", suite, "--to", "v0.2.0")
    less = fleet("update", few, *arguments, cache=cache)
    more = fleet("update", many, *arguments, cache=cache)
    lines += [
        "| one product to the next release | seconds each | of processor | against `copier update` | goal |",
        "| --- | --- | --- | --- | --- |",
        f"| `copier update` as a process, and a commit | {one:.2f} | | 1 | |",
        *(
            f"| `outer fleet update` of {number}: update, migrations, gate, commit | {taken.seconds / number:.2f} "
            f"| {taken.processor / number:.2f} | {one * number / taken.seconds:.1f} times faster | {goal} |"
            for number, taken, goal in ((small, less, ""), (count, more, "≤ 0.3 s, ≥ 5 times"))
        ),
    ]
    return "\n".join(lines) + "\n"


_SEARCHES = """(() => {
  const field = document.getElementById("search"), times = [];
  for (const words of ["p", "pr", "product", "on_time", "zzz", ""]) {
    field.value = words;
    const start = performance.now();
    field.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
    times.push(performance.now() - start);
  }
  return JSON.stringify(times);
})()"""


def _site(site: Path) -> list[str]:
    """How long the catalogue takes in a browser."""
    program = chromium()
    size = (site / "index.html").stat().st_size / 1e6
    if program is None:
        return [f"index.html of the catalogue: {size:.1f} MB."]
    found: dict[str, float] = {}
    with browser(program) as running:
        for page in ("index.html", "lineage.html"):
            start = time.perf_counter()
            view = running.open((site / page).as_uri(), width=1280)
            found[page] = time.perf_counter() - start
            if page == "index.html":
                found["search"] = max(json.loads(view.evaluate(_SEARCHES))) / 1000
    slowest = found["search"] * 1000
    return [
        f"The catalogue in Chromium: index.html ({size:.1f} MB) is there after {found['index.html']:.1f} s,",
        f"lineage.html after {found['lineage.html']:.1f} s; the slowest of six searches took {slowest:.0f} ms.",
    ]


if __name__ == "__main__":
    print(main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
