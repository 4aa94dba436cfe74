"""`outer run`, `outer test` and `outer verify` on tiny products: real processes, real files, every message read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from beside import heeded
from outer import fingerprint, receipt
from outer import run as running
from outer.errors import NothingChecked, OuterError, RunFailed, UsageError
from outer.machine import require
from outer.receipt import Receipt
from outer.run import run
from outer.talk import Talk
from outer.verify import Verdict, verify
from products import COLUMNS, PRELUDE, ROWS, build_product, column, outer, outer_command, write_parquet

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs groups of processes")


class Heard:
    """A product's run and everything that it said."""

    def __init__(self, root: Path, **arguments: Any) -> None:
        self.stream = io.StringIO()
        verbose = arguments.pop("verbose", False)
        quiet = arguments.pop("quiet", False)
        self.receipt: Receipt | None = None
        self.error: OuterError | None = None
        try:
            self.receipt = run(root, talk=Talk(quiet=quiet, verbose=verbose, stream=self.stream), **arguments)
        except OuterError as error:
            self.error = error

    @property
    def said(self) -> str:
        return self.stream.getvalue() + (f"{self.error}" if self.error else "")


def published(root: Path) -> str | None:
    """Name of the version that `root` publishes; it is complete."""
    current = root / "data" / "local" / "current"
    if not current.is_symlink():
        return None
    written = receipt.read(current / "receipt.json")
    for output in written.outputs:
        assert fingerprint.file(current / output.file) == output.sha256
    assert (current / "lineage.jsonl").is_file()
    return current.resolve().name


def filed(root: Path) -> list[Receipt]:
    """The receipts of all runs, oldest first."""
    return sorted(
        (receipt.read(path) for path in (root / "data/local/receipts").glob("*.json")), key=lambda r: r.started
    )


def rejected(root: Path, *words: str, error: type[OuterError] = UsageError, **arguments: Any) -> Heard:
    """Run a product that must be rejected with a message that holds all `words`; nothing may have changed."""
    before = published(root)
    heard = Heard(root, **arguments)
    assert type(heard.error) is error, heard.error
    for word in words:
        assert word in heard.said
    assert heard.error.todo
    assert published(root) == before
    staging = root / "data/local/staging"
    assert not staging.exists() or not list(staging.iterdir())
    return heard


# --- A good run -----------------------------------------------------------------------------------


def test_a_good_run_publishes_every_port_with_its_evidence(tmp_path: Path) -> None:
    root = build_product(tmp_path, outputs=["words", "more_words"])
    heard = Heard(root)
    assert heard.receipt is not None, heard.said
    assert published(root) == heard.receipt.run_id
    version = root / "data/local/versions" / heard.receipt.run_id
    assert sorted(p.name for p in version.iterdir()) == [
        "lineage.jsonl", "more_words.parquet", "receipt.json", "words.parquet",
    ]  # fmt: skip
    assert [r.outcome for r in filed(root)] == ["published"]


def test_a_receipt_can_be_recomputed(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    made = Heard(root).receipt
    assert made is not None
    assert made == receipt.read(root / "data/local/current/receipt.json")
    (source,), (words,) = made.inputs, made.outputs
    assert source.sha256 == hashlib.sha256(Path(source.location).read_bytes()).hexdigest()
    assert words.sha256 == hashlib.sha256(Path(words.location).read_bytes()).hexdigest()
    assert (source.rows, words.rows) == (20, 20)
    assert (made.outer_hash, made.inner_hash) == (fingerprint.outer(root), fingerprint.inner(root))
    assert {entry["port"] for entry in made.audit} == {"words"}
    assert {entry["port"] for entry in made.input_audit} == {"source"}


def test_hashes_of_outer_and_inner_change_with_any_file(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    before = fingerprint.outer(root), fingerprint.inner(root)
    (root / "outer/notes.md").write_text("a")
    (root / "inner/job.py").rename(root / "inner/work.py")
    after = fingerprint.outer(root), fingerprint.inner(root)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_the_inner_hash_leaves_out_what_git_ignores(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    without_git = fingerprint.inner(root)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".gitignore").write_text("*.log\n")
    (root / "inner/noise.log").write_text("x")
    assert fingerprint.inner(root) == without_git
    (root / "inner/new.py").write_text("x")
    assert fingerprint.inner(root) != without_git


def test_workloads_learn_their_ports_from_the_environment_and_from_a_file(tmp_path: Path) -> None:
    job = """
assert os.environ["PORT_INPUT_SOURCE"] == PORTS["inputs"]["source"]["location"]
assert os.environ["PORT_OUTPUT_WORDS"] == PORTS["outputs"]["words"]["location"]
assert PORTS["environment"] == "local" and PORTS["since"] is None and "RUN_SINCE" not in os.environ
assert PORTS["outputs"]["words"]["previous"] is None
for port in (*PORTS["inputs"].values(), *PORTS["outputs"].values()):
    assert port["format"] == "parquet" and Path(port["contract"]).is_file() and Path(port["location"]).is_absolute()
assert PORTS["outputs"]["words"]["schema"][0] == {
    "name": "id", "logicalType": "integer", "physicalType": "BIGINT", "required": True}
assert Path.cwd().name == "inner"
copy(f"SELECT * FROM '{INPUT}'", "words")
"""
    heard = Heard(build_product(tmp_path, job=job))
    assert heard.error is None, heard.said


def test_an_incremental_run_gets_its_day_and_the_last_good_file(tmp_path: Path) -> None:
    job = """
since, previous = os.environ.get("RUN_SINCE"), PORTS["outputs"]["words"]["previous"]
assert since == PORTS["since"]
kept = f"SELECT * FROM '{previous}' UNION ALL " if since and previous else ""
number = 100 if since else 0
copy(f"{kept} SELECT {number}::BIGINT AS id, 'a' AS word, 1::DOUBLE AS share", "words")
"""
    root = build_product(tmp_path, job=job)
    first = Heard(root).receipt
    second = Heard(root, since=date(2030, 1, 2)).receipt
    assert first is not None
    assert second is not None
    assert [o.rows for o in (*first.outputs, *second.outputs)] == [1, 2]
    assert (second.since, second.previous) == ("2030-01-02", first.run_id)


def test_workloads_run_in_the_order_of_their_dependencies_and_setup_first(tmp_path: Path) -> None:
    root = build_product(tmp_path, setup="echo setup >> order.txt")
    inner = json.loads((root / "inner/inner.yaml").read_text())
    work = inner["workloads"][0]
    work["run"] = f"echo build >> order.txt; {work['run']}"
    last = {
        **work,
        "name": "report",
        "reads": [],
        "writes": [],
        "depends_on": ["build"],
        "run": "echo report >> order.txt",
    }
    (root / "inner/inner.yaml").write_text(json.dumps({**inner, "workloads": [last, work]}))
    assert Heard(root).error is None
    assert (root / "inner/order.txt").read_text().split() == ["setup", "build", "report"]
    assert Heard(root, setup=False).error is None
    assert (root / "inner/order.txt").read_text().split()[3:] == ["build", "report"]


def test_an_output_that_a_later_workload_has_replaced_is_not_published(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    inner = json.loads((root / "inner/inner.yaml").read_text())
    later = "Path(OUTPUTS['words']).unlink(); os.symlink(INPUT, OUTPUTS['words'])"
    (root / "inner/later.py").write_text(f"{PRELUDE}{later}\n")
    work = inner["workloads"][0]
    report = {**work, "name": "report", "writes": [], "depends_on": ["build"]}
    report["run"] = work["run"].replace("job.py", "later.py")
    (root / "inner/inner.yaml").write_text(json.dumps({**inner, "workloads": [work, report]}))
    rejected(root, "workload `build`", "words.parquet is a link", error=RunFailed)


def test_an_input_given_on_the_command_line_is_read_instead(tmp_path: Path) -> None:
    root = build_product(tmp_path / "product", input_server={"path": "${NOT_SET}/source.parquet"})
    other = write_parquet(tmp_path / "other.parquet", ROWS.replace("range(20)", "range(3)"))
    made = Heard(root, inputs={"source": other}).receipt
    assert made is not None
    assert made.inputs[0].location == str(other)
    assert made.outputs[0].rows == 3


def test_data_may_lie_outside_the_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "elsewhere"))
    root = build_product(tmp_path / "product")
    made = Heard(root).receipt
    assert made is not None
    assert made.outputs[0].location == str(tmp_path / "elsewhere/local/current/words.parquet")
    assert not (root / "data").exists()


def test_workloads_do_not_see_the_environment_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {
        "VIRTUAL_ENV": "/x", "PYTHONPATH": "/x", "PYTHONHOME": "/nowhere", "GIT_DIR": "/x", "GIT_INDEX_FILE": "/x",
        "UV_PROJECT_ENVIRONMENT": "/x", "PORT_INPUT_OLD": "/x", "RUN_SINCE": "1999-01-01",
    }  # fmt: skip
    for name, value in foreign.items():
        if name != "PYTHONHOME":  # this process could not start another one
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_SSH_COMMAND", "kept")
    monkeypatch.setenv("FOREIGN", " ".join(foreign))
    monkeypatch.setenv("OWN_PROGRAMS", "" if sys.prefix == sys.base_prefix else str(Path(sys.prefix) / "bin"))
    job = """
assert not [name for name in os.environ["FOREIGN"].split() if name in os.environ], os.environ
assert os.environ["GIT_SSH_COMMAND"] == "kept"
assert os.environ["OWN_PROGRAMS"] not in os.environ["PATH"].split(os.pathsep)
copy(f"SELECT * FROM '{INPUT}'", "words")
"""
    heard = Heard(build_product(tmp_path, job=job))
    assert heard.error is None, heard.said


@posix_only
@pytest.mark.skipif(not (Path(sys.prefix) / "bin/uv").exists(), reason="needs uv beside this Python")
def test_a_machine_without_uv_is_lent_one_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("uv"):
        pytest.skip("this machine has a uv of its own")
    job = """
import shutil
found = shutil.which("uv")
assert found, os.environ["PATH"]
assert os.listdir(os.path.dirname(found)) == ["uv"]
copy(f"SELECT * FROM '{INPUT}'", "words")
"""
    heard = Heard(build_product(tmp_path, job=job))
    assert heard.error is None, heard.said


def test_an_installation_without_the_extra_is_told_what_to_add() -> None:
    with pytest.raises(UsageError, match="no_such_package") as caught:
        require("json", "no_such_package")
    assert "data-product-blueprints[run]" in caught.value.todo


# --- Talk -----------------------------------------------------------------------------------------


def test_the_inner_is_heard_when_verbose_and_kept_in_a_log_always(tmp_path: Path) -> None:
    root = build_product(tmp_path, job="print('hello from inside')\ncopy(f\"SELECT * FROM '{INPUT}'\", 'words')")
    calm, loud = Heard(root), Heard(root, verbose=True)
    assert "hello" not in calm.said
    assert "    hello from inside\n" in loud.said
    assert loud.receipt is not None
    log = root / "data/local/logs" / loud.receipt.run_id / "build.log"
    assert log.read_text() == "hello from inside\n"


def test_a_quiet_run_says_nothing_unless_it_fails(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    assert Heard(root, quiet=True).said == ""
    (root / "inner/job.py").write_text("raise SystemExit('broken inside')")
    assert "broken inside" in Heard(root, quiet=True).said


def test_talk_survives_a_listener_that_goes_away_and_letters_it_cannot_print(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert run(root, talk=Talk(stream=narrow))
    gone = io.StringIO()
    talk = Talk(stream=gone)
    gone.close()
    assert run(root, talk=talk)


# --- What the product may not ask for -------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"type": "s3", "location": "s3://b/x.parquet", "path": None}, ["cannot reach", "`s3`", "words.v1.odcs.yaml:"]),
        ({"format": "csv"}, ["cannot publish the format `csv`"]),
        ({"path": "data/local/words.parquet"}, ["not at <root>/current/<name>.parquet", "words.v1.odcs.yaml:14"]),
        ({"path": "data/local/current/words.csv"}, ["not at <root>/current/<name>.parquet"]),
        ({"path": "${NOT_SET}/current/words.parquet"}, ["NOT_SET is not set", "words.v1.odcs.yaml:14"]),
        ({"path": "$NOT_SET/current/words.parquet"}, ["holds a `$` that is not a variable"]),
        ({"path": "data[1]/current/words.parquet"}, ["take for a pattern"]),
        ({"path": ""}, ["no path"]),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, server: Mapping[str, str | None], words: list[str]
) -> None:
    rejected(build_product(tmp_path, server=server), *words)
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="in this locale every byte is a letter")
def test_a_folder_whose_name_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    root = build_product(tmp_path / "plain").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    rejected(root, "is no UTF-8", "words.v1.odcs.yaml:14")


def test_an_environment_that_no_contract_names_is_refused(tmp_path: Path) -> None:
    rejected(build_product(tmp_path), "no server for the environment `prod`", "named: local", environment="prod")


def test_output_ports_of_different_roots_are_refused(tmp_path: Path) -> None:
    rejected(build_product(tmp_path, outputs=["a", "b"], path="data/{port}/current/{port}.parquet"), "another root")


def test_output_ports_of_one_file_are_refused(tmp_path: Path) -> None:
    rejected(build_product(tmp_path, outputs=["a", "b"], path="data/local/current/x.parquet"), "are the same file")


def test_ports_whose_variables_would_be_the_same_are_refused(tmp_path: Path) -> None:
    rejected(build_product(tmp_path, outputs=["a-b", "a_b"]), "share one environment variable")


def test_an_unknown_input_is_refused(tmp_path: Path) -> None:
    rejected(build_product(tmp_path), "`nobody` is not an input port", "source", inputs={"nobody": tmp_path})


def test_a_missing_input_names_port_path_and_cure(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    (root / "outer/samples/source.parquet").unlink()
    rejected(root, "input port `source`", str(root / "outer/samples/source.parquet"), "--input source=FILE")
    rejected(root, "--input source=", "does not exist", inputs={"source": tmp_path / "nothing"})
    rejected(root, "is not a file", inputs={"source": tmp_path})
    assert not (root / "data").exists()


def test_an_input_that_breaks_its_contract_stops_the_run_before_any_workload(tmp_path: Path) -> None:
    root = build_product(tmp_path, job="Path('ran').touch()")
    write_parquet(root / "outer/samples/source.parquet", "SELECT 'a' AS id, 1.5::DOUBLE AS share")
    heard = rejected(root, "input port `source`", "type:id", "missing: `word`", error=RunFailed)
    assert "source.v1.odcs.yaml:" in heard.said
    assert not (root / "inner/ran").exists()
    (kept,) = filed(root)
    assert kept.outcome == "failed"
    assert [e["eventType"] for e in events(root / f"data/local/lineage/{kept.run_id}.jsonl")] == ["START", "FAIL"]


def test_an_input_that_is_no_parquet_stops_the_run(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    (root / "outer/samples/source.parquet").write_text("id,word\n")
    rejected(root, "readable", "too small to be a Parquet file", error=RunFailed)


# --- What a workload may do wrong -----------------------------------------------------------------

GOOD = "copy(f\"SELECT * FROM '{INPUT}'\", 'words')\n"


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("print('line ' * 3); sys.exit(3)", ["workload `build` failed: exit code 3", "line line line", "build.log"]),
        ("os.kill(os.getpid(), 9)", ["ended by SIGKILL", "want of memory"]),
        ("pass", ["without writing output port `words`", "does not exist", "$PORT_OUTPUT_WORDS"]),
        ("os.mkdir(OUTPUTS['words'])", ["words.parquet is a folder"]),
        ("os.symlink(INPUT, OUTPUTS['words'])", ["words.parquet is a link"]),
        ("os.link(INPUT, OUTPUTS['words'])", ["hard link"]),
        ("Path(OUTPUTS['words']).write_text('no')", ["readable", "Parquet"]),
        (GOOD + "Path(OUTPUTS['words'] + '.crc').touch()", ["what is no output port: `words.parquet.crc`"]),
        ("copy(f\"SELECT * FROM '{INPUT}' WHERE id < 0\", 'words')", ["quality:has_rows", "found 0"]),
        ("copy(f\"SELECT id, share FROM '{INPUT}'\", 'words')", ["columns", "missing: `word`"]),
        ("copy(f\"SELECT id::INT AS id, word, share FROM '{INPUT}'\", 'words')", ["type:id", "found INTEGER"]),
        (
            "copy(f\"SELECT id - 5 AS id, word, share FROM '{INPUT}'\", 'words')",
            ["minimum:id", "5 bad rows", "id = -5"],
        ),
        ("copy(f\"SELECT id // 2 AS id, word, share FROM '{INPUT}'\", 'words')", ["primaryKey", "rows = 2"]),
    ],
)
@posix_only
def test_a_workload_that_does_wrong_leaves_the_old_version(tmp_path: Path, job: str, words: list[str]) -> None:
    columns = ({**COLUMNS[0], "logicalTypeOptions": {"minimum": 0}}, *COLUMNS[1:])
    quality = [{"name": "has_rows", "metric": "rowCount", "mustBeGreaterThan": 0}]
    root = build_product(tmp_path, columns=columns, quality=quality)
    assert Heard(root).error is None
    good = published(root)
    prelude = (root / "inner/job.py").read_text().partition("for port in")[0]
    (root / "inner/job.py").write_text(prelude + job)
    rejected(root, *words, error=RunFailed)
    assert good == published(root)
    last = filed(root)[-1]
    assert (last.outcome, last.previous) == ("failed", good)
    assert last.reason
    assert not list(root.glob("data/local/versions/" + last.run_id))


def test_service_levels_are_judged_by_the_runs_before(tmp_path: Path) -> None:
    volume = {"property": "volume", "value": 90, "unit": "percent"}
    root = build_product(tmp_path, outputs=["words", "more"], service_levels=[volume])
    first = Heard(root).receipt
    assert first is not None
    assert {e["outcome"] for e in first.audit if e["rule"] == "sla:volume"} == {"not_checked"}
    assert Heard(root).error is None
    write_parquet(root / "outer/samples/source.parquet", ROWS.replace("range(20)", "range(10)"))
    said = Heard(root).said
    for port in ("words", "more"):
        assert f"{port}: sla:volume: expected >= 18 rows, 90 % of the median of 2 publications; found 10 rows" in said


def test_a_rule_of_low_severity_is_told_and_does_not_block(tmp_path: Path) -> None:
    quality = [{"name": "many", "metric": "rowCount", "mustBeGreaterThan": 1000, "severity": "warning"}]
    root = build_product(tmp_path, quality=quality)
    heard = Heard(root)
    assert heard.receipt is not None
    assert "words: quality:many: expected > 1000; found 20" in heard.said
    assert [e["severity"] for e in heard.receipt.audit if e["outcome"] == "failed"] == ["warning"]


def test_values_of_closed_columns_reach_neither_terminal_nor_receipt(tmp_path: Path) -> None:
    word = column("word", "VARCHAR", classification="confidential", logicalTypeOptions={"pattern": "^x$"})
    root = build_product(tmp_path, columns=(COLUMNS[0], word, COLUMNS[2]))
    heard = rejected(root, "pattern:word", "word = ***", error=RunFailed)
    assert "word 0" not in heard.said
    for path in root.glob("data/local/*/*"):
        assert path.is_dir() or "word 0" not in path.read_text(), path


def wait_for(path: Path) -> str:
    for _ in range(600):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} has not appeared")


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    with contextlib.suppress(OSError):
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def gone(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
CHILD = "child = __import__('subprocess').Popen(['sleep', '600'])\nPath('pid').write_text(str(child.pid))\n"


@linux_only
def test_a_workload_that_takes_too_long_is_stopped_with_all_its_children(tmp_path: Path) -> None:
    # A shell is up long before the second is over, on any machine; a Python may not be.
    root = build_product(tmp_path, run="sleep 600 & echo $! > pid; wait", timeout="1s")
    rejected(root, "took longer than 1.0 s", error=RunFailed)
    assert gone(int((root / "inner/pid").read_text()))


@linux_only
def test_nothing_that_a_workload_leaves_running_outlives_it(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=CHILD + GOOD)
    assert Heard(root).error is None
    assert gone(int((root / "inner/pid").read_text()))


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_stops_its_workloads_and_leaves_the_old_version(tmp_path: Path, number: int) -> None:
    root = build_product(tmp_path)
    assert Heard(root).error is None
    good = published(root)
    (root / "inner/job.py").write_text("import time\nfrom pathlib import Path\n" + CHILD + "time.sleep(600)")
    command, environment = outer_command(root, "run")
    with heeded(number):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    child = int(wait_for(root / "inner/pid"))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert gone(child)
    assert published(root) == good
    assert not list((root / "data/local/staging").iterdir())
    assert [(r.outcome, r.reason) for r in filed(root)][1:] == [("failed", "interrupted")]


# --- Lineage --------------------------------------------------------------------------------------


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lineage_names_the_declared_ports_by_their_contracts(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    made = Heard(root).receipt
    assert made is not None
    start, complete = events(root / "data/local/current/lineage.jsonl")
    assert [start["eventType"], complete["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"] == made.lineage_run
    assert (complete["job"]["namespace"], complete["job"]["name"]) == ("test", "tiny")
    (source,), (words,) = complete["inputs"], complete["outputs"]
    assert (source["namespace"], source["name"]) == ("dataproduct", "urn:dmb:cmp:test:tiny:1:source")
    assert (words["namespace"], words["name"]) == ("dataproduct", "urn:dmb:cmp:test:tiny:1:words")
    assert [f["name"] for f in words["facets"]["schema"]["fields"]] == ["id", "word", "share"]
    assert words["outputFacets"]["outputStatistics"]["rowCount"] == 20
    asserted = words["facets"]["dataQualityAssertions"]["assertions"]
    assert len(asserted) == len([e for e in made.audit if e["outcome"] != "not_checked"])
    assert all(a["success"] for a in asserted)
    assert events(root / f"data/local/lineage/{made.run_id}.jsonl") == [start, complete]


def test_a_failed_run_leaves_lineage_that_says_so(tmp_path: Path) -> None:
    root = build_product(tmp_path, job="sys.exit(3)")
    rejected(root, "exit code 3", error=RunFailed)
    (kept,) = filed(root)
    start, fail = events(root / f"data/local/lineage/{kept.run_id}.jsonl")
    assert [start["eventType"], fail["eventType"]] == ["START", "FAIL"]
    assert "exit code 3" in fail["run"]["facets"]["errorMessage"]["message"]


@contextlib.contextmanager
def lineage_server(delay: float = 0.0) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            time.sleep(delay)
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            with contextlib.suppress(OSError):
                self.send_response(201)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_lineage_server_gets_the_events_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = build_product(tmp_path)
    with lineage_server() as (url, taken):
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        assert Heard(root).error is None
    assert taken == events(root / "data/local/current/lineage.jsonl")


def test_an_address_of_a_lineage_server_that_is_none_is_a_note_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://[secret")
    heard = Heard(build_product(tmp_path))
    assert heard.receipt is not None
    assert "the lineage server that OPENLINEAGE_URL names took no event" in heard.said
    assert "secret" not in heard.said


def test_a_lineage_server_that_is_not_there_is_a_note_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9/secret-path")
    root = build_product(tmp_path)
    heard = Heard(root)
    assert heard.receipt is not None
    assert "the lineage server 127.0.0.1 took no event (ConnectionError)" in heard.said
    assert "secret-path" not in heard.said
    assert len(events(root / f"data/local/lineage/{heard.receipt.run_id}.jsonl")) == 2


# --- outer test -----------------------------------------------------------------------------------


def test_the_tests_of_the_inner_are_run_and_heard(tmp_path: Path) -> None:
    root = build_product(tmp_path, setup="echo ready > setup.txt", test="cat setup.txt; echo all well")
    done = outer(root, "test")
    assert done.returncode == 0, done.stderr
    assert "ready" in done.stderr
    assert "all well" in done.stderr


def test_failing_tests_of_the_inner_fail(tmp_path: Path) -> None:
    done = outer(build_product(tmp_path, test="echo unwell; exit 7"), "test")
    assert done.returncode == 1
    assert "unwell" in done.stderr
    assert "exit code 7" in done.stderr


def test_an_inner_without_tests_is_never_a_pass(tmp_path: Path) -> None:
    with pytest.raises(NothingChecked):
        running.test(build_product(tmp_path), Talk(quiet=True))


# --- outer verify ---------------------------------------------------------------------------------


def verified(root: Path, **arguments: Any) -> Verdict:
    return verify(root, talk=Talk(quiet=True), **arguments)


def failed_rules(verdict: Verdict) -> list[str]:
    return [result.rule for _, report in verdict.reports for result in report.failures]


def test_what_was_just_published_is_verified(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    verdict = verified(root)
    assert verdict.passed
    assert verdict.notes == ()
    assert json.loads(verdict.as_json())["passed"] is True
    assert "passed  words: 20 rows" in verdict.text()


def test_nothing_published_is_never_a_pass(tmp_path: Path) -> None:
    with pytest.raises(NothingChecked):
        verified(build_product(tmp_path))
    assert outer(tmp_path, "verify").returncode == 3


def test_stale_data_fail(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    verdict = verified(root, as_of=datetime.now(UTC) + timedelta(hours=25))
    assert failed_rules(verdict) == ["sla:freshness"]
    assert "sla:freshness: expected published at most 24.0 h ago; found 25.0 h ago" in verdict.text()


def test_data_that_somebody_changed_fail(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    path = root / "data/local/current/words.parquet"
    os.chmod(path, 0o644)
    write_parquet(path, f"{ROWS} ORDER BY id DESC")
    assert failed_rules(verified(root)) == ["sha256"]  # the same rows, in another file
    write_parquet(path, ROWS.replace("'word '", "'sword '"))
    assert failed_rules(verified(root)) == ["sha256", "fingerprint"]
    path.write_text("nothing")
    assert failed_rules(verified(root)) == ["readable", "sha256", "fingerprint"]
    path.unlink()
    assert failed_rules(verified(root)) == ["published"]


@linux_only
def test_published_data_that_the_machine_cannot_read_are_one_clear_error(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    path = root / "data/local/current/words.parquet"
    path.unlink()
    path.symlink_to("/proc/self/mem")  # there, and every try to read it fails as on a broken disk
    done = outer(root, "verify")
    assert done.returncode == 2
    assert "Input/output error" in done.stderr
    assert "Traceback" not in done.stderr


def test_published_files_cannot_be_written_by_accident(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    assert not (root / "data/local/current/words.parquet").stat().st_mode & 0o222


def test_published_data_are_judged_by_the_contract_of_today(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    build_product(root, columns=({**COLUMNS[0], "logicalTypeOptions": {"maximum": 10}}, *COLUMNS[1:]))
    verdict = verified(root)
    assert failed_rules(verdict) == ["maximum:id"]
    assert "outer/ has changed since the publication" in verdict.notes


def test_a_port_that_was_never_published_fails(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    build_product(root, outputs=["words", "more"])
    assert failed_rules(verified(root)) == ["published"]


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"format": 2}', '{"format": 1, "run_id": 1}'])
def test_without_a_readable_receipt_nothing_is_proved(tmp_path: Path, text: str | None) -> None:
    root = build_product(tmp_path)
    Heard(root)
    path = root / "data/local/current/receipt.json"
    path.chmod(0o644)
    path.unlink() if text is None else path.write_text(text)
    verdict = verified(root)
    assert failed_rules(verdict) == ["receipt"]
    ((_, report),) = verdict.reports
    assert [r.outcome for r in report.results if r.rule == "sla:freshness"] == ["not_checked"]
    assert verdict.text()


def test_a_receipt_of_another_run_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    Heard(root)
    (root / "data/local/receipts/20991231T000000Z-aaaaaa.json").touch()
    verdict = verified(root)
    assert verdict.passed
    (note,) = verdict.notes
    assert "is not known" in note
    assert "20991231T000000Z-aaaaaa.json" in note


def test_verify_speaks_through_the_command_too(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    assert outer(root, "run").returncode == 0
    assert outer(root, "verify").returncode == 0
    late = outer(root, "verify", "--format", "json", "--as-of", "2099-01-01")
    assert late.returncode == 1
    assert json.loads(late.stdout)["passed"] is False
