"""What every test stands on: a machine without settings of its own, the suite at a tag, a fresh product."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import fleets
import suite_repo

# No example is judged by its duration: machines differ.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the user's home, git and Copier settings out of the tests. Only downloads are shared with the user."""
    home = tmp_path_factory.mktemp("home")
    (home / "copier.yml").write_text("{}\n")
    (home / "gitconfig").write_text(
        "[user]\n  name = Tester\n  email = tester@example.com\n"
        "[init]\n  defaultBranch = main\n[core]\n  symlinks = true\n[advice]\n  detachedHead = false\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        # The programs of this environment first: also where it was not activated.
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
        hooks = os.environ.get("PRE_COMMIT_HOME") or str(Path.home() / ".cache" / "pre-commit")
        for variable, folder in {**suite_repo.downloads(), "PRE_COMMIT_HOME": hooks}.items():
            patch.setenv(variable, folder)
        for name in [name for name in os.environ if name.startswith(("GIT_", "COPIER_", "OUTER_"))]:
            patch.delenv(name)
        for name in ("NO_COLOR", "FORCE_COLOR", "DATA_ROOT", "INPUT_ROOT", *suite_repo.OWN_ENVIRONMENT):
            patch.delenv(name, raising=False)
        direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        for name in ("NO_PROXY", "no_proxy"):  # the servers of tests are on this machine
            patch.setenv(name, ",".join(filter(None, [direct, "127.0.0.1", "localhost"])))
        patch.setenv("HOME", str(home))
        patch.setenv("USERPROFILE", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("LOCALAPPDATA", str(home / "local"))
        patch.setenv("COPIER_SETTINGS_PATH", str(home / "copier.yml"))
        patch.setenv("COPIER_CACHE_DIR", str(home / "copier"))  # one for each worker: Copier's is not locked
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in [name for name in os.environ if name.startswith(("SPARK_", "PYSPARK_"))]:
            patch.delenv(name)
        patch.setenv("SPARK_ENGINE", "sail")  # seconds instead of minutes; tests/test_spark.py runs Spark itself
        yield


@pytest.fixture(scope="session")
def suite(_isolated: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite as a git repository at its tag. Shared: read it, never change it."""
    return suite_repo.clone(tmp_path_factory.mktemp("suite") / "data-product-blueprints")


@pytest.fixture(scope="session")
def _rendered(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    product = suite_repo.render(tmp_path_factory.mktemp("rendered") / "flight-punctuality", suite)
    return suite_repo.start(product)


@pytest.fixture
def product(_rendered: Path, tmp_path: Path) -> Path:
    """A fresh product with the default answers, committed to git. The test's own."""
    return Path(shutil.copytree(_rendered, tmp_path / "flight-punctuality", symlinks=True))


@pytest.fixture(scope="session")
def _fleet(_rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One source and three products that read it, each a git repository."""
    folder = tmp_path_factory.mktemp("fleet") / "clones"
    fleets.fleet(folder, _rendered, 4, commit=True)
    return folder


@pytest.fixture
def fleet(_fleet: Path, tmp_path: Path) -> Path:
    """The same; the test's own."""
    return Path(shutil.copytree(_fleet, tmp_path / "clones", symlinks=True))


@pytest.fixture(scope="session")
def later(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with two more releases: v0.2.0 has another managed file, v0.3.0 asks for one more service level."""
    folder = tmp_path_factory.mktemp("later") / "suite"
    suite_repo.git(suite.parent, "clone", "--quiet", str(suite), str(folder))
    suite_repo.release(folder, "0.2.0", {"template/SECURITY.md": "Write to the platform team.\n"})
    standard = (folder / "template/outer/standard.yaml").read_text(encoding="utf-8")
    tightened = standard.replace("sla: [freshness, ", "sla: [availability, freshness, ")
    assert tightened != standard
    changes = "# Changes\n\n## 0.3.0\n\nEvery port promises its availability.\n"
    suite_repo.release(folder, "0.3.0", {"template/outer/standard.yaml": tightened, "CHANGELOG.md": changes})
    return folder
