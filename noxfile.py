"""The commands of the suite: try it, prove it, measure it. Owned by the platform team.

    python3 noxfile.py -s demo     a data product from the working tree, on a year of real flights
    python3 noxfile.py -s tests    everything that proves the promises

Needs Python (3.11 to 3.14) and git, nothing else; where nox is installed, `nox -s demo` does the same.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NOX = "nox==2026.10.20"

os.environ["PIP_USER"] = "0"  # somebody's `user = true` for pip would be refused in every environment made here

if not (3, 11) <= sys.version_info[:2] < (3, 15):
    sys.exit(f"noxfile.py: Python 3.11 to 3.14 is needed, this is {sys.version.split()[0]}.")


def bootstrap() -> None:
    """Become nox where nox is not installed: through uv, or in an environment of our own (so also on Debian)."""
    arguments = ["-f", __file__, *sys.argv[1:]]
    if uv := shutil.which("uv"):
        command = [uv, "tool", "run", "--python", sys.executable, "--from", NOX, "nox", *arguments]
        sys.exit(subprocess.run(command, check=False).returncode)
    home = ROOT / ".nox" / "bootstrap"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (home / "ready").exists():
        try:
            print(f"noxfile.py: installing {NOX} into {home}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", NOX], check=True)
        except (OSError, subprocess.CalledProcessError):
            sys.exit(
                "noxfile.py: nox could not be installed. Debian and Ubuntu need `apt install python3-venv`; "
                "every machine needs a way to the Python package index."
            )
        (home / "ready").touch()
    sys.exit(subprocess.run([str(python), "-m", "nox", *arguments], check=False).returncode)


if importlib.util.find_spec("nox") is None:
    bootstrap()

import nox  # noqa: E402

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]
nox.options.stop_on_first_error = True


@nox.session
def demo(session: nox.Session) -> None:
    """Make a data product of the working tree, run it on the full year, check it and build its page."""
    session.install("-e", ".[run]", "pip")  # pip fetches the flights
    session.run("python", "tests/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test but the heavy ones. Quick ones only: `nox -s tests -- -m "not slow and not heavy"`."""
    session.install("-e", ".[run]", "pip", "--group", "tests")
    session.run("pytest", *(session.posargs or ["-m", "not heavy", "-n", "2", "--dist", "loadfile"]))


@nox.session
def tests_heavy(session: nox.Session) -> None:
    """Run what needs minutes and gigabytes: Spark on Java and a cluster, real orchestrators, all broken blueprints."""
    session.install("-e", ".[run]", "pip", "--group", "tests")
    session.run("pytest", *(session.posargs or ["-m", "heavy"]))


@nox.session
def conformance(session: nox.Session) -> None:
    """Try blueprints as products and judge them from outside: `-- NAME … --level quick --json FILE`, all by default."""
    session.install("-e", ".[run,delta]")
    session.run("python", "-m", "conformance", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def new_blueprint(session: nox.Session) -> None:
    """Make a runnable starting point: `-- NAME --title "What people choose it by"`."""
    session.install("-e", ".")
    session.run("python", "-m", "conformance.new", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def lint(session: nox.Session) -> None:
    """Format, types, schemas and the security of workflows, as in the suite's pre-commit hooks."""
    session.install("-e", ".[run]", "--group", "lint", "--group", "tests")
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure")
    session.run("mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, as ratios within one run, and write docs/reference/benchmarks.md."""
    session.install("-e", ".[run]", "pip", "--group", "tests")
    session.run("python", "tests/bench.py", *session.posargs)


@nox.session
def fuzz_check(session: nox.Session) -> None:
    """Judge mutated products for `-- --minutes N`: no rule may fail, hang or eat the machine."""
    session.install("-e", ".[run]", "pip", "--group", "tests")
    session.run("python", "tests/fuzz_check.py", *session.posargs)


@nox.session
def fuzz_update(session: nox.Session) -> None:
    """Random teams against random releases: `-- --cases N --seed S --jobs J`. An update may lose nothing."""
    session.install("-e", ".[run]", "pip", "--group", "tests")
    session.run("python", "tests/fuzz_update.py", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Seed one defect for each rule and clause, and write docs/reference/mutation-score.md."""
    session.install("-e", ".[run]", "pip", "--group", "tests")
    session.run("python", "tests/mutation.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the generated pages of docs/reference; `-- --check` only says whether they are up to date."""
    session.install("-e", ".")
    session.run("python", "docs/generate.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
