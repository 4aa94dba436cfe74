"""Orchestration, an inner answer: the same files for every blueprint, no byte of the outer, and real orchestrators."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import suite_repo
from beside import heeded
from inners import call, program
from outer.product import ANSWERS
from suite_repo import ROOT, contents

BLUEPRINTS = sorted(path.parent.name for path in ROOT.glob("blueprints/*/blueprint.yml"))
PIECES = ROOT / "blueprints" / ".orchestration"
ORCHESTRATORS = [choice for choice in suite_repo.choices(suite_repo.questions()["orchestration"]) if choice != "none"]
FOLDER = "inner/orchestration/"
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"


def pieces(orchestrator: str) -> dict[str, bytes]:
    """The files that `orchestrator` brings into a product."""
    found = contents(PIECES / "common") | contents(PIECES / orchestrator)
    # Linters leave their caches there; `copier copy` leaves them behind.
    return {f"inner/{path}": data for path, data in found.items() if "_cache/" not in path}


# --- Files ----------------------------------------------------------------------------------------


def test_folder_link_and_choice_of_an_orchestrator_stay_in_step() -> None:
    links = {p.name: os.readlink(p) for p in (ROOT / "template").iterdir() if "orchestration" in p.name}
    wanted = {f"{{% if orchestration == '{name}' %}}inner{{% endif %}}": name for name in ORCHESTRATORS}
    wanted["{% if orchestration != 'none' %}inner{% endif %}"] = "common"
    assert links == {name: f"../blueprints/.orchestration/{target}" for name, target in wanted.items()}
    assert sorted(p.name for p in PIECES.iterdir() if p.is_dir()) == sorted(wanted.values())


@pytest.mark.parametrize("orchestrator", ORCHESTRATORS)
def test_no_path_belongs_to_two_pieces_or_to_a_piece_and_a_blueprint(orchestrator: str) -> None:
    common, own = contents(PIECES / "common"), contents(PIECES / orchestrator)
    assert common
    assert own
    assert common.keys().isdisjoint(own)
    assert all(path.startswith("orchestration/") and not path.endswith(".jinja") for path in common.keys() | own.keys())
    for blueprint in BLUEPRINTS:
        assert not (ROOT / "blueprints" / blueprint / "inner" / "orchestration").exists()


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
@pytest.mark.parametrize("orchestrator", ORCHESTRATORS)
def test_the_files_are_the_same_whatever_the_blueprint_and_the_rest_stays_as_it_is(
    orchestrator: str, blueprint: str, suite: Path, tmp_path: Path
) -> None:
    without = contents(suite_repo.render(tmp_path / "without", suite, blueprint=blueprint))
    assert not [path for path in without if path.startswith(FOLDER)]
    product = suite_repo.render(tmp_path / "with", suite, blueprint=blueprint, orchestration=orchestrator)
    made = contents(product)
    assert made.keys() >= {FOLDER + "product.py", FOLDER + "pyproject.toml", FOLDER + "uv.lock", FOLDER + "README.md"}
    without[ANSWERS] = without[ANSWERS].replace(b"orchestration: none\n", f"orchestration: {orchestrator}\n".encode())
    assert made == without | pieces(orchestrator)
    assert suite_repo.complaints(product) == []


@pytest.mark.parametrize("orchestrator", ORCHESTRATORS)
def test_no_file_holds_an_answer_or_the_word_of_a_blueprint(orchestrator: str) -> None:
    words = (*BLUEPRINTS, "carrier_punctuality", "flight-punctuality", "aviation")
    for path, data in pieces(orchestrator).items():
        if not path.endswith("uv.lock"):
            assert [word for word in words if word in data.decode().lower()] == [], path


@pytest.mark.parametrize("orchestrator", ORCHESTRATORS)
def test_a_lock_names_public_addresses_only(orchestrator: str) -> None:
    lock = (PIECES / orchestrator / "orchestration" / "uv.lock").read_text()
    hosts = {line.split("https://", 1)[1].split("/", 1)[0] for line in lock.splitlines() if "https://" in line}
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
    assert "http://" not in lock


def test_an_update_touches_nothing_of_the_team_and_brings_no_orchestration_back(suite: Path, tmp_path: Path) -> None:
    newer = Path(shutil.copytree(suite, tmp_path / "suite", symlinks=True))
    product = suite_repo.start(suite_repo.render(tmp_path / "product", newer, orchestration="airflow"))
    folder = product / FOLDER
    (folder / "dag.py").write_text("# the team's own\n")
    (folder / "README.md").unlink()
    (folder / "own.py").write_text("mine = True\n")
    suite_repo.commit(product)
    before = contents(product / "inner")
    piece = "blueprints/.orchestration/airflow/orchestration/dag.py"
    suite_repo.release(newer, "9.9.9", {piece: "# of the newer suite\n"})
    suite_repo.update(product)
    assert yaml.safe_load((product / ANSWERS).read_text())["_commit"] == "v9.9.9"
    assert contents(product / "inner") == before
    suite_repo.commit(product)
    suite_repo.update(product, suite_repo.CURRENT, orchestration="none")
    assert yaml.safe_load((product / ANSWERS).read_text())["orchestration"] == "none"
    assert contents(product / "inner") == before


def test_a_product_without_orchestration_gets_it_as_the_guide_says(suite: Path, tmp_path: Path) -> None:
    product = suite_repo.start(suite_repo.render(tmp_path / "product", suite, owner_team="late-birds"))
    copier = [sys.executable, "-m", "copier"]
    fetch = ["copy", "--defaults", "--data-file", ANSWERS, "-d", "orchestration=dagster", "-r", suite_repo.TAG]
    call([*copier, *fetch, suite, "../fetched"], product)
    shutil.copytree(tmp_path / "fetched" / FOLDER, product / FOLDER)
    suite_repo.commit(product)
    call([*copier, "update", "--defaults", "-r", ":current:", "-d", "orchestration=dagster"], product)
    whole = suite_repo.render(tmp_path / "whole", suite, orchestration="dagster", owner_team="late-birds")
    assert contents(product) == contents(whole)


# --- What is read from a product ------------------------------------------------------------------


def load(product: Path) -> Any:
    return of(product)["load"](product)


def of(product: Path) -> dict[str, Any]:
    return runpy.run_path(str(product / FOLDER / "product.py"))


@pytest.fixture
def orchestrated(product: Path) -> Path:
    """A fresh product with the pieces that all orchestrators have in common."""
    shutil.copytree(PIECES / "common", product / "inner", dirs_exist_ok=True)
    return product


def test_ports_and_workloads_are_those_of_the_product(orchestrated: Path) -> None:
    product = load(orchestrated)
    assert (product.name, product.domain, product.owner) == ("flight-punctuality", "aviation", "aviation-data")
    assert [port.urn for port in product.outputs] == ["urn:dmb:cmp:aviation:flight-punctuality:1:carrier_punctuality"]
    assert [port.name for port in product.inputs] == ["flights", "airlines"]
    assert product.area == orchestrated / "data" / "local"
    assert "| build | polars | flights, airlines | carrier_punctuality |" in product.table()


def test_the_environment_says_where_runs_are_made(orchestrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_PRODUCT_ENVIRONMENT", "prod")
    monkeypatch.setenv("DATA_ROOT", "/srv/data")
    assert load(orchestrated).area == Path("/srv/data/prod")
    contract = orchestrated / CONTRACT
    text = contract.read_text()
    contract.write_text(text.replace("    path: ${DATA_ROOT:-data}/prod/current/carrier_punctuality.parquet\n", ""))
    assert contract.read_text() != text
    assert load(orchestrated).area == Path("/srv/data/prod")  # as `outer run` has it for a port that is no file
    monkeypatch.setenv("DATA_PRODUCT_ENVIRONMENT", "moon")
    own = of(orchestrated)
    with pytest.raises(own["Failed"], match="no environment moon"):
        _ = own["load"](orchestrated).area


def level(name: str, value: Any, unit: str | None = None, **more: str) -> dict[str, Any]:
    return {"property": name, "value": value, "unit": unit, **more}


@pytest.mark.parametrize(
    ("levels", "cron"),
    [
        pytest.param([level("freshness", 24, "h")], "0 */12 * * *", id="a daily run would be late by its own length"),
        pytest.param([level("freshness", 25, "h")], "0 0 * * *", id="with room for the run it is daily"),
        pytest.param([level("freshness", 1, "d"), level("freshness", 3, "h")], "0 */2 * * *", id="the shortest counts"),
        pytest.param([level("freshness", 1, "h")], "*/30 * * * *", id="hourly data need half hours"),
        pytest.param([level("freshness", 1, "min")], "*/5 * * * *", id="no more often than every five minutes"),
        pytest.param([level("freshness", 30, "d")], "0 0 * * 0", id="no more seldom than weekly"),
        pytest.param([level("frequency", 1, "d")], "0 0 * * *", id="as often as the frequency"),
        pytest.param([level("frequency", 1, "d"), level("freshness", 6, "h")], "0 */4 * * *", id="both promises"),
        pytest.param(
            [level("frequency", 1, "d", scheduler="cron", schedule="15 6 * * 1-5"), level("freshness", 1, "h")],
            "15 6 * * 1-5",
            id="a schedule that stands in the contract",
        ),
        pytest.param([level("retention", 10, "d")], None, id="no promise, no schedule"),
        pytest.param([level("freshness", "soon", "h"), level("freshness", 1, "m")], None, id="no length of time"),
    ],
)
def test_the_schedule_comes_from_the_service_levels(levels: list[dict[str, Any]], cron: str | None) -> None:
    found, why = runpy.run_path(str(PIECES / "common/orchestration/product.py"))["schedule"](levels)
    assert found == cron
    assert why


def test_ports_with_different_schedules_are_refused() -> None:
    levels = [level("frequency", 1, "d", schedule="0 6 * * *"), level("frequency", 1, "d", schedule="0 7 * * *")]
    with pytest.raises(ValueError, match="several schedules"):
        runpy.run_path(str(PIECES / "common/orchestration/product.py"))["schedule"](levels)


def test_a_fresh_product_runs_often_enough_for_its_freshness(orchestrated: Path) -> None:
    product = load(orchestrated)
    assert (product.cron, product.why) == ("0 */12 * * *", "promised: never older than 24 h")


# --- What happens when a run fails ----------------------------------------------------------------

NOXFILE = """
import json, os, sys
from pathlib import Path
print("arguments:", *sys.argv[1:])
if receipt := os.environ.get("RECEIPT"):
    folder = Path("data/local/receipts")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "20260101T000000Z-aaaaaa.json").write_text(receipt)
sys.exit(int(os.environ["CODE"]))
"""


def published(product: Path, code: int, receipt: Mapping[str, Any] | None) -> SimpleNamespace:
    """What `publish` makes of a run that ends with `code` and leaves `receipt`."""
    (product / "noxfile.py").write_text(NOXFILE)
    own, log = of(product), []
    environment = {"CODE": str(code), "RECEIPT": json.dumps(receipt) if receipt else ""}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            made, error = own["publish"](own["load"](product), log.append), None
        except own["Failed"] as failed:
            made, error = None, failed
    return SimpleNamespace(made=made, error=error, kind=type(error).__name__, log=log)


def failed(rule: str, severity: str = "error") -> dict[str, Any]:
    return {"port": "words", "rule": rule, "outcome": "failed", "severity": severity}


def test_a_run_is_the_products_own_command_and_gives_the_receipt(orchestrated: Path) -> None:
    receipt = {"run_id": "x", "outcome": "published", "outputs": []}
    run = published(orchestrated, 0, receipt)
    assert run.log == ["arguments: -s run -- --env local"]
    assert run.made == receipt


@pytest.mark.parametrize(
    "receipt",
    [pytest.param(None, id="no receipt"), pytest.param({"outcome": "failed", "reason": "x"}, id="one of a failure")],
)
def test_a_run_that_ends_well_without_a_receipt_that_says_so_has_failed(
    receipt: dict[str, Any] | None, orchestrated: Path
) -> None:
    run = published(orchestrated, 0, receipt)
    assert run.kind == "Failed"
    assert "no receipt of a published version in" in str(run.error)


def test_data_that_break_a_contract_are_told_apart_from_runs_that_may_go_better(orchestrated: Path) -> None:
    run = published(orchestrated, 1, {"reason": "1 rule failed", "audit": [failed("minimum:cancelled")]})
    assert run.kind == "BrokenContract"
    assert str(run.error) == "1 rule failed (words: minimum:cancelled)"


@pytest.mark.parametrize(
    "receipt",
    [
        pytest.param(None, id="it was not even started"),
        pytest.param({"reason": "a workload failed", "audit": [], "input_audit": []}, id="a workload failed"),
        pytest.param({"reason": "x", "audit": [failed("fresh", "warning")]}, id="a warning is not to blame"),
    ],
)
def test_a_run_that_failed_for_another_reason_may_be_tried_again(
    receipt: dict[str, Any] | None, orchestrated: Path
) -> None:
    assert published(orchestrated, 1, receipt).kind == "Failed"


def test_the_receipt_of_an_earlier_run_is_not_taken_for_that_of_this_one(orchestrated: Path) -> None:
    published(orchestrated, 1, {"reason": "earlier", "audit": [failed("x")]})
    assert published(orchestrated, 1, None).kind == "Failed"


STOPPED = """
import pathlib, signal, sys, time
def stop(*_):
    pathlib.Path("stopped").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
print("begun", flush=True)
time.sleep(600)
"""
TASK = f"""
import runpy, sys
from pathlib import Path
own = runpy.run_path("{FOLDER}product.py")
own["command"](own["load"](Path()), "run", lambda line: print(line, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without asking them")
def test_a_task_that_is_stopped_takes_with_it_what_it_has_started(orchestrated: Path) -> None:
    (orchestrated / "noxfile.py").write_text(STOPPED)
    with heeded(signal.SIGINT):
        started = subprocess.Popen([sys.executable, "-c", TASK], cwd=orchestrated, stdout=subprocess.PIPE, text=True)
    with started as task:
        assert task.stdout is not None
        assert task.stdout.readline() == "begun\n"
        task.send_signal(signal.SIGINT)
        assert task.wait(60) != 0
    assert (orchestrated / "stopped").exists()


# --- Real orchestrators ---------------------------------------------------------------------------

BROKEN = """
p = "inner/src/pipeline/punctuality.py"
text = open(p).read()
wanted = ".pipe(Punctuality.cast)"
assert text.count(wanted) == 1
open(p, "w").write(text.replace(wanted, ".with_columns(cancelled=pl.lit(-1))" + wanted))
"""
"""Makes the workload write data that break the contract."""


def installed(suite: Path, folder: Path, orchestrator: str) -> Path:
    """A product with `orchestrator`, and with the programs of its lock."""
    product = suite_repo.start(suite_repo.render(folder / "product", suite, orchestration=orchestrator))
    call(["uv", "sync", "--frozen", "--quiet"], product / FOLDER)
    assert suite_repo.git(product, "status", "--porcelain") == ""
    return product


def current(product: Path) -> dict[str, Any]:
    receipt: dict[str, Any] = json.loads((product / "data/local/current/receipt.json").read_text())
    return receipt


@pytest.mark.heavy
def test_airflow_runs_the_product_and_never_tries_broken_data_again(suite: Path, tmp_path: Path) -> None:
    product = installed(suite, tmp_path, "airflow")
    folder = product / FOLDER
    environment = {
        "AIRFLOW_HOME": str(folder / ".airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    airflow = program(folder, "airflow")
    call([airflow, "db", "migrate"], folder, **environment)
    listed = call([airflow, "dags", "list", "--local"], folder, **environment)
    assert re.findall(r"^(\S+) +\| +(\S+)", listed, re.MULTILINE)[1:] == [
        ("flight-punctuality", str(folder / "dag.py"))
    ]
    test: list[str | Path] = [airflow, "dags", "test", "flight-punctuality", "-f", folder / "dag.py"]
    said = call(test, folder, both=True, **environment)
    assert "state=success" in said
    receipt = current(product)
    assert receipt["outcome"] == "published"
    assert receipt["run_id"] in said
    call([sys.executable, "-c", BROKEN], product)
    said = call(test, folder, code=1, both=True, **environment)
    assert "AirflowFailException: output port `carrier_punctuality` is not as the contract says" in said
    assert "minimum:cancelled" in said
    assert "up_for_retry" not in said
    assert current(product) == receipt


MATERIALIZE = """
import json, sys, dagster as dg
from definitions import defs
job = defs.resolve_job_def("publish")
with dg.DagsterInstance.ephemeral() as instance:
    done = job.execute_in_process(instance=instance, raise_on_error=False)
made = [event.materialization for event in done.all_events if event.event_type_value == "ASSET_MATERIALIZATION"]
print(json.dumps({
    "success": done.success,
    "retries": sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in done.all_events),
    "made": {m.asset_key.to_user_string(): {k: v.value for k, v in m.metadata.items()} for m in made},
    "checks": {c.asset_key.to_user_string(): c.passed for c in done.get_asset_check_evaluations()},
    "inputs": sorted(key.to_user_string() for key in defs.resolve_asset_graph().external_asset_keys),
    "cron": [schedule.cron_schedule for schedule in defs.schedules],
}), file=sys.stdout)
"""


@pytest.mark.heavy
def test_dagster_runs_the_product_and_never_tries_broken_data_again(suite: Path, tmp_path: Path) -> None:
    product = installed(suite, tmp_path, "dagster")
    folder, home = product / FOLDER, tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {"DAGSTER_HOME": str(home)}
    assert "All code locations passed validation" in call(
        [program(folder, "dagster"), "definitions", "validate"], folder, both=True, **environment
    )

    def materialize() -> dict[str, Any]:
        said = call([program(folder, "python"), "-c", MATERIALIZE], folder, **environment)
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    key = "aviation/flight-punctuality/1/carrier_punctuality"
    good = materialize()
    receipt = current(product)
    assert good["success"]
    assert good["checks"] == {key: True}
    assert good["cron"] == ["0 */12 * * *"]
    assert good["inputs"] == ["aviation/nyc-flights/1/airlines", "aviation/nyc-flights/1/flights"]
    made = good["made"][key]
    assert (made["run_id"], made["dagster/row_count"]) == (receipt["run_id"], receipt["outputs"][0]["rows"])
    call([sys.executable, "-c", BROKEN], product)
    bad = materialize()
    assert (bad["success"], bad["retries"], bad["made"], bad["checks"]) == (False, 0, {}, {key: False})
    assert current(product) == receipt
