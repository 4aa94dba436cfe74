"""The conformance kit: it finds what is broken, for the right reason; the way from nothing to gold works as written."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

import suite_repo
from conformance import __main__ as command
from conformance import bronze, checks, defects, gold, guide, inputs, new, product, report
from conformance.checks import Check, Level, NotRun, Verdict, check, reached
from conformance.compare import differences, reordered
from conformance.gold import over
from conformance.product import Ran
from conformance.reference import Day, punctuality
from conformance.report import Result
from conformance.trial import Trial
from outer import workloads
from outer.errors import UsageError
from outer.model import model
from outer.ports import resolve
from outer.product import load
from outer.publish import Area
from outer.talk import Talk

DEFECTS = {defect.name: defect for defect in defects.defects()}
CHECKS = {check.id: check for check in checks.checks()}
QUICK = ("edits_the_outer", "ignores_the_flights")
"""Defects that are tried in every run of the tests; the others are heavy."""


# --- The reference --------------------------------------------------------------------------------


def test_the_reference_counts_a_day_as_a_person_would() -> None:
    june = date(2013, 6, 1)
    rows = [
        inputs.flight(june, 1, dep_delay=5, arr_delay=14),
        inputs.flight(june, 2, dep_delay=4, arr_delay=15),
        inputs.flight(june, 2, dep_delay=4, arr_delay=None),  # delivered again, and tells less
        inputs.flight(june, 3, **inputs.CANCELLED),
    ]
    assert punctuality(rows, {"AA": "American"}) == [Day(june, "AA", "American", 3, 1, 4.5, 14.5, 1 / 3, 1 / 3)]


def test_the_reference_does_not_depend_on_the_order_of_its_input() -> None:
    given = inputs.edges()
    assert punctuality(given.flights, given.airlines) == punctuality(reversed(given.flights), given.airlines)


def test_every_scenario_has_rows_and_no_two_scenarios_share_a_carrier() -> None:
    given = inputs.edges()
    carriers = [carrier for carriers in inputs.SCENARIOS.values() for carrier in carriers]
    assert len(carriers) == len(set(carriers))
    assert {flight.carrier for flight in given.flights} == set(carriers)
    assert set(inputs.SCENARIOS) <= set(CHECKS)


def test_what_is_written_to_a_file_is_read_back(tmp_path: Path) -> None:
    given = inputs.edges()
    back = inputs.read(**given.files(tmp_path))
    assert (back.flights, back.airlines) == (given.flights, given.airlines)


def test_the_reference_counts_every_flight_of_the_samples_once() -> None:
    folder = suite_repo.ROOT / "template" / "outer" / "samples"
    given = inputs.read(folder / "flights.parquet", folder / "airlines.parquet")
    keys = {(f.time_hour, f.carrier, f.flight, f.origin) for f in given.flights}
    days = punctuality(given.flights, given.airlines)
    assert sum(day.flights for day in days) == len(keys) > 10_000
    assert sum(day.cancelled for day in days) == sum(f.dep_time is None for f in given.flights)
    assert {day.airline for day in days} <= set(given.airlines.values())


def test_a_digest_sees_rows_metadata_and_order_and_not_where_the_file_lies(tmp_path: Path) -> None:
    def made(name: str, rows: str, options: str = "") -> str:
        path = tmp_path / f"{name}.parquet"
        with duckdb.connect() as database:
            database.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet{options})")
        return inputs.digest(path)

    two = "SELECT unnest([1, 2]) AS x"
    digests = [
        made("a", two),
        made("b", "SELECT unnest([2, 1]) AS x"),
        made("c", two, ", KV_METADATA {user: 'me'}"),
        made("d", "SELECT unnest([1, 2]) AS y"),
        made("e", two, ", COMPRESSION zstd"),
    ]
    assert len(set(digests)) == 5
    assert made("again", two) == digests[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"flights": 4}, "flights is wrong in 1 of 1 rows: on 2013-06-01, AA it is 4, not 3"),
        ({"on_time_share": 0.33}, "on_time_share is wrong"),
        ({"mean_dep_delay_min": -0.0}, "it is -0.0, not 0.0"),
        ({"mean_dep_delay_min": None}, "it is None, not 0.0"),
        ({"flight_date": date(2013, 6, 2)}, "the row 2013-06-01 AA is missing"),
        ({"carrier": "BB"}, "the row 2013-06-01 BB is too much"),
    ],
)
def test_a_wrong_row_is_named(changed: dict[str, object], said: str) -> None:
    good = Day(date(2013, 6, 1), "AA", "American", 3, 1, 0.0, 14.5, 1 / 3, 1 / 3)
    assert list(differences([good], [good])) == []
    assert said in "; ".join(differences([good._replace(**changed)], [good]))
    assert "comes more than once" in "; ".join(differences([good, good], [good]))


def test_the_first_row_in_another_place_is_named() -> None:
    rows = [Day(date(2013, 6, 1), carrier, "x", 1, 0, 0.0, 0.0, 1.0, 1.0) for carrier in ("9E", "AA", "B6")]
    assert reordered([rows[0], rows[2], rows[1]], rows) == "row 2 is 2013-06-01 B6, not 2013-06-01 AA"
    assert "around them" in reordered(rows, rows)


# --- Checks and levels ----------------------------------------------------------------------------


def verdicts(**status: str) -> list[Verdict]:
    """A verdict for every check: passed, but for those that are given by id."""
    found = {name.replace("_", "-"): word for name, word in status.items()}
    return [Verdict(c, found.get(c.id, "passed"), (), 0.0) for c in checks.checks()]  # type: ignore[arg-type]


def test_a_level_is_reached_when_all_its_checks_and_those_below_have_passed() -> None:
    assert reached(verdicts()) == Level.GOLD
    assert reached(verdicts(size="failed")) == Level.SILVER
    assert reached(verdicts(window="failed")) == Level.BRONZE
    assert reached(verdicts(secrets="failed")) == Level.NONE


def test_a_check_that_was_not_run_is_no_pass() -> None:
    assert reached(verdicts(offline="not run")) == Level.NONE
    assert reached([v for v in verdicts() if v.check.id != "memory"]) == Level.SILVER
    assert reached([]) == Level.NONE


def test_a_check_that_fails_by_itself_is_a_defect_of_the_kit(tmp_path: Path) -> None:
    def broken(_: Trial) -> list[str]:
        raise KeyError("oops")

    verdict = Trial("none", tmp_path, tmp_path)._judge(Check("x", "X", Level.GOLD, broken))  # type: ignore[arg-type]
    assert (verdict.status, verdict.defect) == ("not run", True)
    assert "KeyError" in verdict.reasons[0]


def test_ids_of_checks_are_unique_and_every_check_is_documented() -> None:
    assert len(CHECKS) == len(checks.checks()) > 35
    page = (suite_repo.ROOT / "docs/reference/conformance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", page, re.MULTILINE)
    documented = {name: title.strip() for name, title in rows if name in CHECKS}
    assert documented == {c.id: c.title.replace("|", "\\|") for c in CHECKS.values()}


def test_the_table_names_what_is_missing_for_the_next_level() -> None:
    result = Result("some", Level.GOLD, Level.GOLD, tuple(verdicts(window="failed", size="failed")), 65)
    assert report.headline(result) == "bronze; missing for silver: window; asked for: gold (1 min 5 s)"
    assert not result.passed
    told = json.loads(report.as_json([result]))
    assert (told["passed"], told["blueprints"][0]["level"]) == (False, "bronze")
    assert told["blueprints"][0]["missing"] == ["window"]
    assert {entry["id"] for entry in told["blueprints"][0]["checks"]} == set(CHECKS)


def test_a_run_beyond_its_budget_is_named() -> None:
    ran = Ran(0, "", "", 80.0, 160.0, 4000.0)
    assert list(over(ran, cpu_seconds=150)) == ["160 s of processor time, more than 150 s"]
    assert list(over(ran, peak_mib=3072)) == ["4000 MiB, more than 3072 MiB"]
    assert list(over(ran, cpu_seconds=161, peak_mib=4001)) == []


def test_processor_time_and_memory_of_a_child_are_seen(tmp_path: Path) -> None:
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    busy = f"{shlex.quote(sys.executable)} -c 'x = bytearray(300_000_000); sum(range(20_000_000))'"
    ran = made.command(f"sh -c {shlex.quote(busy)}", offline=False)
    assert ran.code == 0
    assert ran.cpu_seconds > 0.1
    assert ran.peak_mib > 280


def test_a_command_that_takes_too_long_is_ended_even_when_it_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "LONGEST", 3.0)  # two Pythons have to start within it, also on a slow machine
    monkeypatch.setattr(product, "GRACE", 0.5)
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    deaf = (
        "import fcntl, signal, time; lock = open('lock', 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
    )
    ran = made.command(f"{shlex.quote(sys.executable)} -c {shlex.quote(deaf)}", offline=False)
    assert ran.code != 0
    assert ran.out == "on\n"
    fcntl = pytest.importorskip("fcntl")
    with (made.root / "inner" / "lock").open() as lock:
        for _ in range(300):  # the system takes a moment to end a process
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.1)
    pytest.fail("it still holds its lock")


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")
def test_what_a_command_leaves_behind_is_counted_as_well_and_its_exit_code_is_kept(tmp_path: Path) -> None:
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    ran = made.command(f"{shlex.quote(sys.executable)} -c 'x = bytearray(300_000_000)' & exit 7", offline=False)
    assert ran.code == 7
    assert ran.peak_mib > 280


def test_without_a_network_nothing_but_this_machine_is_reached(tmp_path: Path) -> None:
    if product.isolation() != "network namespace":
        pytest.skip("this machine gives no network of its own to a process")
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    talk = (
        "import socket; server = socket.create_server((chr(49) + '27.0.0.1', 0)); "
        "socket.create_connection(server.getsockname()).close(); print('myself'); "
        "socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    )
    ran = made.command(f"{shlex.quote(sys.executable)} -c {shlex.quote(talk)}", offline=True)
    assert (ran.code, ran.out) == (1, "myself\n")
    assert "Network is unreachable" in ran.err


def test_a_machine_without_network_namespaces_gets_proxies_that_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "isolation", lambda: "poisoned proxy")
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    offline, online = (made.command("env", offline=way).out for way in (True, False))
    assert f"HTTPS_PROXY={product.NOWHERE}" in offline
    assert f"HTTPS_PROXY={product.NOWHERE}" not in online


def test_without_a_network_what_this_machine_downloaded_before_is_out_of_reach_too(tmp_path: Path) -> None:
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    offline, online = (made.command("env", offline=way).out.splitlines() for way in (True, False))
    for name in product.CACHES:
        assert f"{name}={made.empty}" in offline
        assert f"{name}={made.empty}" not in online


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_what_npm_writes_down_of_itself_is_not_taken_for_the_work_of_the_job(tmp_path: Path) -> None:
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    ran = made.command("npm config get cache", offline=True)
    assert (ran.code, list(made.home.iterdir())) == (0, [])


def test_a_command_has_a_home_of_its_own_and_no_settings_of_this_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TZ", "LC_ALL", "OUTER_SOURCE", "XDG_CONFIG_HOME", "DATA_ROOT"):
        monkeypatch.setenv(name, "elsewhere")
    made = product.Product(tmp_path / "p" / "product", suite_repo.ROOT, "x")
    (made.root / "inner").mkdir(parents=True)
    told = made.command("env", offline=False).out
    assert f"HOME={made.home}\n" in told
    assert f"TMPDIR={made.tmp}\n" in told
    assert "elsewhere" not in told


def test_evidence_that_cannot_be_had_is_asked_for_once(tmp_path: Path) -> None:
    from conformance.trial import once

    asked = []

    @once
    def evidence(_: Trial) -> None:
        asked.append(1)
        raise NotRun("gone")

    trial = Trial("none", tmp_path, tmp_path)
    for _ in range(2):
        with pytest.raises(NotRun, match="gone"):
            evidence(trial)
    assert asked == [1]


def test_a_check_registers_itself() -> None:
    before = list(checks._FOUND)
    try:
        check("new-one", "New", Level.GOLD)(lambda _: iter(()))
        assert checks._FOUND[-1].id == "new-one"
    finally:
        checks._FOUND[:] = before


# --- The command ----------------------------------------------------------------------------------


def kit(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), **environment}
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["no_such"], ["polars", "--json", "nowhere/at/all.json"], ["--level", "best"]])
def test_a_wrong_word_on_the_command_line_is_one_error(arguments: list[str]) -> None:
    done = kit(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_a_machine_that_cannot_try_anything_is_no_verdict_on_a_blueprint(tmp_path: Path) -> None:
    done = kit("polars", PATH=str(tmp_path))
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("conformance: internal error: FileNotFoundError: ")


def test_a_suite_without_blueprints_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_repo, "ROOT", tmp_path)
    assert command.main([]) == 3


def test_blueprints_are_found_by_their_cards(tmp_path: Path) -> None:
    suite_repo.write(tmp_path / "blueprints", {"b/blueprint.yml": "", "a/blueprint.yml": "", "no-card/README.md": ""})
    assert command.blueprints(tmp_path) == ["a", "b"]
    assert "polars" in command.blueprints(suite_repo.ROOT)


# --- Broken blueprints ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with the guide's blueprint, sound, and once more for each defect."""
    suite = suite_repo.clone(tmp_path_factory.mktemp("broken") / "suite")
    return defects.plant(suite, DEFECTS.values())


def tried(name: str, suite: Path, folder: Path, highest: Level) -> list[Verdict]:
    trial = Trial(name, suite, folder / "trial")
    trial.folder.mkdir()
    return trial.judge(highest, Talk(quiet=True))


def cases() -> list[object]:
    return [pytest.param(n, marks=[pytest.mark.slow] if n in QUICK else [pytest.mark.heavy]) for n in DEFECTS]


@pytest.mark.parametrize("name", cases())
def test_a_broken_blueprint_is_rejected_for_the_right_reason(name: str, broken: Path, tmp_path: Path) -> None:
    defect = DEFECTS[name]
    if "network" in name and (product.isolation() != "network namespace" or not _has_a_way_out()):
        pytest.skip("this machine has no network to be switched off")
    assert defect.wrong(tried(name, broken, tmp_path, CHECKS[defect.expect].level)) == []


def _has_a_way_out() -> bool:
    import socket

    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks the machine for a way
        except OSError:
            return False
    return True


@pytest.mark.heavy
def test_the_blueprint_that_they_are_made_of_is_gold(broken: Path, tmp_path: Path) -> None:
    found = tried(defects.SOUND, broken, tmp_path, Level.GOLD)
    assert [(v.check.id, v.status, v.reasons) for v in found if v.status != "passed"] == []


def test_every_defect_names_a_check_and_is_one_of_its_kind() -> None:
    assert len(DEFECTS) >= 15
    for defect in DEFECTS.values():
        assert defect.expect in CHECKS
        assert defect.also <= set(CHECKS)
        assert defect.title.endswith(".")
        assert defect.reason


def test_every_check_has_a_defect_that_it_finds() -> None:
    """Else it might never fail. But for two: a link leads into inner/, so that no file of a blueprint lands elsewhere;
    and minutes of processor time are not wasted here, see the test of a budget above."""
    assert set(CHECKS) - {defect.expect for defect in DEFECTS.values()} == {"owned-once", "time"}


def test_a_kit_that_overlooks_a_defect_or_finds_another_one_is_seen() -> None:
    defect = DEFECTS["inner_join"]
    assert "has to fail" in defect.wrong(verdicts())[0]
    assert "is not in" in defect.wrong(verdicts(unknown_carriers="failed"))[0]
    assert any(
        "size is failed too" in said for said in defect.wrong(verdicts(unknown_carriers="failed", size="failed"))
    )


# --- A new blueprint ------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return suite_repo.clone(tmp_path / "suite")


def test_a_new_blueprint_is_folder_link_and_choice_and_nothing_else(clone: Path) -> None:
    new.create(clone, "some_stack", "Some stack (for a test)")
    assert (clone / "template" / new.link_name("some_stack")).readlink() == Path("../blueprints/some_stack/inner")
    assert new.values(clone)[-1] == "some_stack"
    status = suite_repo.git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line[3:].strip('"') for line in status if "blueprints/some_stack/" not in line} == {
        "copier.yml", f"template/{new.link_name('some_stack')}",
    }  # fmt: skip
    added = suite_repo.git(clone, "diff", "--numstat", "copier.yml").split()[:2]
    assert added == ["1", "0"]
    card = yaml.safe_load((clone / "blueprints/some_stack/blueprint.yml").read_text())
    assert (card["name"], card["title"], card["status"]) == ("some_stack", "Some stack (for a test)", "draft")
    texts = [p.read_text() for p in (clone / "blueprints/some_stack").rglob("*") if p.is_file()]
    assert not any("NAME" in text or "TITLE" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Polars", ""), ("x-y", ""), ("", ""), ("1st", ""), ("a__b", ""), ("../up", ""), ("con", ""), ("on", ""),
        ("polars", ""), ("check", ""), ("fine", "a: b"), ("fine", "x\ny"), ("fine", "#"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_used_is_refused_and_nothing_is_changed(name: str, title: str, suite: Path) -> None:
    with pytest.raises(UsageError):
        new.create(suite, name, title)
    assert suite_repo.git(suite, "status", "--porcelain") == ""


@pytest.mark.parametrize("text", ["some_stack_x: [\n", "- some_stack_x\n"])
def test_questions_that_cannot_be_read_are_named(text: str, clone: Path) -> None:
    (clone / "blueprints" / "polars" / "questions.yml").write_text(text)
    with pytest.raises(UsageError, match=r"blueprints/polars/questions\.yml: no questions of Copier: "):
        new.create(clone, "some_stack")


def test_where_no_link_can_be_made_nothing_is_changed(clone: Path) -> None:
    shutil.rmtree(clone / "template")
    before = suite_repo.contents(clone)
    with pytest.raises(UsageError, match="the link cannot be made"):
        new.create(clone, "some_stack")
    assert suite_repo.contents(clone) == before


def test_a_blueprint_without_its_link_is_told_what_is_missing(clone: Path, tmp_path: Path) -> None:
    (clone / "template" / new.link_name("polars")).unlink()
    suite_repo.commit(clone)
    suite_repo.git(clone, "tag", "--force", suite_repo.TAG)
    said = {verdict.check.id: verdict for verdict in tried("polars", clone, tmp_path, Level.SILVER)}
    assert said["copy"].status == "failed"
    assert "inner{% endif %} has to lead to blueprints/polars/inner" in said["copy"].reasons[0]
    assert not any(verdict.defect for verdict in said.values())
    assert {name for name, verdict in said.items() if verdict.status == "passed"} == {"card", "readme"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("inner/src/job.mjs", "code"), ("inner/lib/latest.ts", "code"), ("inner/attestation.py", "code"),
        ("inner/contest/job.sql", "code"), ("inner/R/model.R", "code"), ("inner/package.json", "neither"),
        ("inner/tests/run.sh", "test"), ("inner/test/job.test.js", "test"), ("inner/src/job.spec.ts", "test"),
        ("inner/src/test_job.py", "test"), ("inner/job_test.go", "test"), ("inner/spec/job_spec.rb", "test"),
        ("inner/src/PunctualityTest.java", "test"), ("inner/conftest.py", "test"), ("inner/__tests__/job.js", "test"),
        ("inner/data-tests/rows.sql", "test"),
    ],
)  # fmt: skip
def test_code_and_its_tests_are_told_apart_by_their_paths(path: str, kind: str) -> None:
    found = "neither" if not gold._CODE.search(path) else "test" if gold._TEST.search(path) else "code"
    assert found == kind


def test_what_the_gate_advises_stands_in_the_reason(tmp_path: Path) -> None:
    found = {"rule": "INN011", "level": "error", "path": "inner/licences.yaml", "line": 1, "message": "m", "todo": "t"}
    trial = Trial("none", tmp_path, tmp_path, kept={"gate": {"default": {"findings": [found]}}})
    assert list(bronze.findings(trial, "licence")) == ["inner/licences.yaml:1: INN011: m; do: t"]


def test_every_answer_that_reaches_the_inner_is_tried(clone: Path, tmp_path: Path) -> None:
    new.create(clone, "some_stack")
    asked = {"type": "str", "choices": ["fast", "small"], "default": "fast", "when": "{{ blueprint == 'some_stack' }}"}
    folder = clone / "blueprints" / "some_stack"
    (folder / "questions.yml").write_text(json.dumps({"some_stack_engine": asked}))
    card = (folder / "blueprint.yml").read_text()
    (folder / "blueprint.yml").write_text(card.replace("writes: [parquet]", "writes: [parquet, delta]"))
    cells = Trial("some_stack", clone, tmp_path).cells
    assert {cell.name: cell.tested for cell in cells} == {
        "default": False, "other names": True, "personal data": False, "port format delta": True,
        "orchestration airflow": False, "orchestration dagster": False, "some stack engine small": True,
    }  # fmt: skip
    assert "some stack engine small" not in {cell.name for cell in Trial("polars", clone, tmp_path).cells}


def test_a_blueprint_is_not_made_twice(clone: Path) -> None:
    new.create(clone, "some_stack")
    before = suite_repo.contents(clone / "blueprints"), (clone / "copier.yml").read_bytes()
    with pytest.raises(UsageError, match="is taken"):
        new.create(clone, "some_stack")
    assert (suite_repo.contents(clone / "blueprints"), (clone / "copier.yml").read_bytes()) == before


def test_the_choice_goes_behind_the_others_whatever_they_look_like() -> None:
    choices = "    One: one\n    Two:\n      value: two\n      validator: x\n"
    text = f"a: 1\n\nblueprint:\n  type: str\n  choices:\n{choices}\nb: 2\n"
    made = new.offer(text, "three", "Three (3)")
    assert made == text.replace("validator: x\n", "validator: x\n    Three (3): three\n")
    with pytest.raises(UsageError, match="was not found"):
        new.offer("a: 1\n", "three", "Three")


# --- The guides -----------------------------------------------------------------------------------


def test_the_guide_writes_files_and_says_what_to_see() -> None:
    steps = list(guide.steps())
    assert sum(isinstance(step, guide.Command) for step in steps) >= 4
    assert sum(isinstance(step, guide.File) for step in steps) >= 4
    assert sum(isinstance(step, guide.Seen) for step in steps) >= 4


def test_the_guide_shows_the_file_of_the_ports_as_a_run_writes_it(product: Path) -> None:
    def shape(value: object) -> object:
        if not isinstance(value, dict):
            return None if isinstance(value, list) else type(value)
        return {key: shape(entry) for key, entry in value.items()}

    found = model(load(product))
    area = Area(product / "data" / "local")
    told = workloads.describe(resolve(found, "local", {}), area, "20261122T181600Z-177912", "local", None, None)
    (shown,) = re.findall(r"^```json\n(.*?)^```$", guide.GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert shape(json.loads(shown)) == shape(json.loads(Path(told["PORTS_FILE"]).read_text(encoding="utf-8")))


def test_what_a_command_did_not_print_is_missed() -> None:
    seen = guide.Seen("x: gold …\n  ok    card\n")
    assert seen.missing("noise\nx: gold (12.0 s)\n  ok   card\n") == []
    assert seen.missing("x: silver (1 s)\n  ok    card\n") == ["x: gold …"]


@pytest.mark.heavy
def test_the_guide_leads_from_nothing_to_gold_word_by_word(tmp_path: Path) -> None:
    """Every command as it stands there, typed in a clone, every file written, everything seen that it says."""
    suite = suite_repo.clone(tmp_path / "suite")
    printed, level = "", ""
    for step in guide.steps():
        if isinstance(step, guide.Command):
            line = step.line.replace("python3", shlex.quote(sys.executable), 1)
            done = subprocess.run(["sh", "-c", line], cwd=suite, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{step.line}\n{done.stdout}{done.stderr}"
            printed = done.stdout + done.stderr
            level = (re.findall(r"^duckdb_sql: (\w+)", printed, re.MULTILINE) or [level])[-1]
        elif isinstance(step, guide.File):
            assert (suite / step.path).is_file(), "the guide replaces files of the starting point"
            (suite / step.path).write_text(step.text, encoding="utf-8")
        else:
            assert step.missing(printed) == [], printed
    assert level == "gold"


RETIRE = suite_repo.ROOT / "docs" / "how-to" / "retire-a-blueprint.md"


def retired(suite: Path) -> Path:
    """Retire polars in `suite` exactly as the guide says, and release it."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", RETIRE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    before, after, status = blocks
    copier = suite / "copier.yml"
    text = copier.read_text(encoding="utf-8")
    assert text.count(before) == 1
    card = suite / "blueprints/polars/blueprint.yml"
    text_of_card = card.read_text(encoding="utf-8")
    changed = re.sub(r"^status: active", status.split(" #")[0].strip(), text_of_card, flags=re.MULTILINE)
    assert changed != text_of_card
    return suite_repo.release(
        suite, "9.9.9", {"copier.yml": text.replace(before, after), "blueprints/polars/blueprint.yml": changed}
    )


def test_a_retired_blueprint_makes_no_new_product_and_says_where_to_go(clone: Path, tmp_path: Path) -> None:
    retired(clone)
    done = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", "-d", "blueprint=polars", "--vcs-ref", "v9.9.9",
         str(clone), str(tmp_path / "made")],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "retired" in done.stderr
    assert not (tmp_path / "made" / "outer").exists()
    others = [name for name in command.blueprints(clone) if name != "polars"]
    assert (suite_repo.render(tmp_path / "other", clone, "v9.9.9", blueprint=others[0]) / "inner").is_dir()


@pytest.mark.slow
def test_a_product_of_a_retired_blueprint_is_updated_and_stays_green(clone: Path, tmp_path: Path) -> None:
    made = suite_repo.start(suite_repo.render(tmp_path / "product", clone))
    work = made / "inner" / "README.md"
    work.write_text("our own\n", encoding="utf-8")
    suite_repo.commit(made)
    retired(clone)
    for version in ("9.9.9", "9.9.10"):  # the second time, the release that it comes from is closed as well
        suite_repo.update(made, f"v{version}")
        suite_repo.commit(made)
        assert yaml.safe_load((made / ".copier-answers.yml").read_text())["_commit"] == f"v{version}"
        found = suite_repo.complaints_of([sys.executable], made, PYTHONPATH=str(clone / "hooks"))
        assert [line for line in found if "v9.9" not in line] == []
        if version == "9.9.9":
            suite_repo.release(clone, "9.9.10", {})
    assert work.read_text(encoding="utf-8") == "our own\n"


# --- The shipped blueprints -----------------------------------------------------------------------


@pytest.mark.heavy
@pytest.mark.parametrize("name", command.blueprints(suite_repo.ROOT))
def test_a_shipped_blueprint_reaches_what_its_status_asks_for(name: str, suite: Path, tmp_path: Path) -> None:
    trial = Trial(name, suite, tmp_path)
    result = command.judge(trial, Level.GOLD, Talk(quiet=True))
    assert result.passed, report.text([result])
    shutil.rmtree(tmp_path, ignore_errors=True)
