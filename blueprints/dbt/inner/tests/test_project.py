"""The dbt project: it parses without a warning, its unit tests pass, and its documentation is complete."""

import json
import os
from typing import Any

from dbt.cli.main import dbtRunner

from conftest import Run
from pipeline.project import ROOT


def dbt(run: Run, *arguments: str) -> Any:
    """Run a command of dbt, as people do, on the files of a run; a warning fails it."""
    done = dbtRunner().invoke(
        [*arguments, "--warn-error", "--no-partial-parse", "--quiet"],
        project_dir=str(ROOT),
        profiles_dir=str(ROOT),
        target="local",
        target_path=str(run.folder / "target"),
        log_path=str(run.folder / "logs"),
    )
    assert done.success, done.exception
    return done.result


def test_dbt_builds_tests_and_documents_the_project_without_a_warning(run: Run) -> None:
    run.deliver()
    os.environ["DUCKDB_FILE"] = str(run.folder / "local.duckdb")
    for port in ("flights", "airlines"):
        os.environ[f"PORT_INPUT_{port.upper()}"] = str(run.folder / f"{port}.parquet")
    built = dbt(run, "build", "--show-all-deprecations")
    found = [result.node.resource_type for result in built.results]
    assert found.count("unit_test") > 0
    assert found.count("test") > 0

    dbt(run, "docs", "generate", "--static")
    assert (run.folder / "target" / "static_index.html").is_file()
    manifest = json.loads((run.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    for node in [*models, *manifest["sources"].values()]:
        assert node["description"], node["name"]
        assert node["columns"], node["name"]
        for column in node["columns"].values():
            assert column["description"], f"{node['name']}.{column['name']}"
