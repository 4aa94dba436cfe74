"""Promise 1: one `copier copy`, no trust, and the product runs, passes its own gate and shows data.

These tests do what a stranger does on the first day, with the tools that the product itself brings.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite_repo import clone

pytestmark = pytest.mark.slow


def call(cwd: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=cwd, text=True, capture_output=True, check=False, env={**os.environ, **environment}, timeout=900
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product made by the command line of the README from a git URL at a tag, and committed."""
    folder = tmp_path_factory.mktemp("first-day")
    suite = clone(folder / "suite.git")  # Copier knows a URL as git by this ending
    product = folder / "flight-punctuality"
    call(
        folder,
        *(sys.executable, "-m", "copier", "copy", "--defaults", "--data", "blueprint=polars"),
        suite.as_uri(),
        str(product),
    )
    call(product, "git", "init", "-q")
    call(product, "git", "add", "-A")
    call(product, "git", "commit", "-qm", "New data product")
    return product


def test_every_session_of_a_fresh_product_passes_untouched(first_day: Path) -> None:
    done = call(first_day, sys.executable, "noxfile.py", "-s", "check", "test", "run", "verify", "page")
    assert "pass: 0 errors" in done.stdout
    receipt = json.loads((first_day / "data/local/current/receipt.json").read_text())
    assert receipt["outcome"] == "published"
    assert receipt["outputs"][0]["rows"] > 100
    assert "Flight punctuality" in (first_day / "data/local/page.html").read_text()
    assert call(first_day, "git", "status", "--porcelain").stdout == ""


def test_after_the_first_run_no_network_is_needed(first_day: Path) -> None:
    """Proxies that lead nowhere stand for a machine without a network, also for uv and pip."""
    call(first_day, sys.executable, "noxfile.py", "-s", "check", "run")
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"), "http://127.0.0.1:9")
    call(
        first_day,
        *(sys.executable, "noxfile.py", "-s", "check", "test", "run", "verify"),
        **dead,
        NO_PROXY="",
        UV_OFFLINE="1",
        PIP_NO_INDEX="1",
    )


def test_a_fresh_product_passes_its_own_pre_commit_hooks(first_day: Path, tmp_path: Path) -> None:
    done = call(
        first_day,
        *(sys.executable, "-m", "pre_commit", "run", "--all-files"),
        PRE_COMMIT_HOME=str(tmp_path / "pre-commit"),
    )
    assert "Passed" in done.stdout
    assert "Skipped" not in done.stdout


def test_the_hook_of_a_product_refuses_a_commit_that_breaks_the_standard(first_day: Path, tmp_path: Path) -> None:
    product = tmp_path / "product"
    shutil.copytree(first_day, product, symlinks=True, ignore=shutil.ignore_patterns("data", ".nox", ".venv"))
    standard = product / "outer/standard.yaml"
    standard.write_text(standard.read_text().replace("longest_days: 90", "longest_days: 200"))
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files"],
        cwd=product,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path.parent / "pre-commit")},
    )
    assert done.returncode == 1
    line = next(n for n, text in enumerate(standard.read_text().splitlines(), start=1) if "longest_days: 200" in text)
    assert f"outer/standard.yaml:{line}" in done.stdout
