"""The dbt project: it parses without a warning, its unit tests pass, and everything in it is described."""

import os

from dbt.cli.main import dbtRunner

from conftest import Run
from pipeline.project import ROOT


def test_dbt_builds_and_tests_the_project_without_a_warning(run: Run) -> None:
    run.deliver()
    os.environ["DUCKDB_FILE"] = str(run.folder / "local.duckdb")
    for port in ("flights", "airlines"):
        os.environ[f"PORT_INPUT_{port.upper()}"] = str(run.folder / f"{port}.parquet")
    done = dbtRunner().invoke(
        ["build", "--warn-error", "--show-all-deprecations", "--no-partial-parse", "--quiet"],
        project_dir=str(ROOT),
        profiles_dir=str(ROOT),
        target="local",
        target_path=str(run.folder / "target"),
        log_path=str(run.folder / "logs"),
    )
    assert done.success, done.exception
    found = [result.node.resource_type for result in done.result.results]
    assert found.count("unit_test") > 0
    assert found.count("test") > 0

    manifest = (
        dbtRunner()
        .invoke(
            ["parse", "--quiet"],
            project_dir=str(ROOT),
            profiles_dir=str(ROOT),
            target_path=str(run.folder / "target"),
            log_path=str(run.folder / "logs"),
        )
        .result
    )
    ours = [n for n in manifest.nodes.values() if n.resource_type == "model"]
    for node in [*ours, *manifest.sources.values()]:
        assert node.description, node.name
        assert node.columns, node.name
        for column in node.columns.values():
            assert column.description, f"{node.name}.{column.name}"
