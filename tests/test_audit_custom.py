"""Custom quality rules: engines that other packages register, found when a contract asks for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outer.audit import ServerTable, audit, audit_server
from outer.audit.clauses import coverage
from outer.audit.custom import GROUP
from outer.check import check
from outer.errors import RunFailed
from outer.product import load
from outer.result import AuditReport, Result
from outer.rules import BY_ID
from outer.talk import Talk
from outer.verify import verify
from products import build_product, column, write_parquet
from test_audit_engines import NOW, made
from test_run import Heard, rejected

RULE = {"type": "custom", "name": "c", "engine": "words", "implementation": "few", "severity": "error"}
COLUMN = column("x", "VARCHAR")
CLOSED = column("y", "VARCHAR", classification="confidential")
HEAD = "from outer.result import Result\nseen = []\n"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a package with one engine, as an installer leaves it: a module, and a .dist-info that names it."""

    def installed(body: str, *, engine: str = "words", package: str = "quality_words") -> None:
        site = tmp_path / "site" / package
        site.mkdir(parents=True)
        (site / f"{package}.py").write_text(HEAD + body)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{engine} = {package}:engine\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, package, raising=False)

    return installed


def engine(body: str) -> str:
    return f"def engine(clause, data):\n    seen.append((clause, data))\n    {body}\n"


def judged(folder: Path, rule: dict[str, Any] = RULE) -> tuple[Result, AuditReport]:
    data = write_parquet(folder / "t.parquet", "SELECT 'a' AS x, 'b' AS y")
    report = audit(made([COLUMN, CLOSED], [rule]), data, published=None, as_of=NOW)
    return next(r for r in report.results if r.rule == "quality:c"), report


def test_an_installed_engine_judges_the_rules_that_name_it(tmp_path: Path, install: Install) -> None:
    install(engine("return Result('', 'passed', 'scan', clause['implementation'], str(data.path.name))"))
    result, report = judged(tmp_path)
    assert (result.outcome, result.how, result.expected, result.observed) == ("passed", "inner", "few", "t.parquet")
    assert result.seconds is not None
    clauses = coverage(made([COLUMN, CLOSED], [RULE]), report)
    assert {c.verdict for c in clauses if "quality:c" in c.rules} == {"checked by the inner stack"}


def test_what_an_engine_finds_bad_blocks_by_the_severity_of_the_contract(tmp_path: Path, install: Install) -> None:
    install(engine("return Result('', 'failed', 'inner', 'none', 'one', severity='info', bad_rows=1)"))
    assert judged(tmp_path)[0].blocks
    result, report = judged(tmp_path, {**RULE, "severity": "warning"})
    assert (result.outcome, result.severity, list(report.failures)) == ("failed", "warning", [])


def test_examples_of_an_engine_are_masked_like_our_own(tmp_path: Path, install: Install) -> None:
    row = {"x": "a", "y": "b", "else": "c"}
    install(engine(f"return Result('', 'failed', 'inner', bad_rows=9, examples=({row},) * 9)"))
    assert judged(tmp_path)[0].examples == ({"x": "a", "y": "***", "else": "***"},) * 5


def test_a_table_on_a_server_is_given_by_its_server_and_name(tmp_path: Path, install: Install) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "t.duckdb")) as connection:
        connection.execute("CREATE TABLE t_2 AS SELECT 'a' AS x")
    install(engine("return Result('', 'passed', 'inner')"))
    server = {"type": "duckdb", "database": str(tmp_path / "t.duckdb")}
    report = audit_server(made([COLUMN], [RULE], server), "local", published=None, as_of=NOW, table="t_2")
    assert not report.failures
    ((clause, data),) = sys.modules["quality_words"].seen
    assert clause["engine"] == "words"
    assert isinstance(data, ServerTable)
    assert (data.name, data.server["database"]) == ("t_2", server["database"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (engine("raise ValueError('secret')"), "the engine stopped with ValueError"),
        (engine("raise SystemExit(0)"), "the engine stopped with SystemExit"),
        (engine("return None"), "the engine stopped with AttributeError"),
        (engine("return Result('', 'failed', 'inner', bad_rows='many')"), "the engine stopped with ValueError"),
        (engine("return Result('', 'not_checked', 'inner', reason='no time')"), "has not checked it: `no time`"),
        (engine("return Result('', 'fine', 'inner')"), "has not checked it"),
        ("raise SystemExit(0)\n", "cannot be loaded (SystemExit)"),
        ("raise RuntimeError('secret')\n", "engine `words` of `quality_words` cannot be loaded (RuntimeError)"),
        ("engine = 1\n", "engine `words` of `quality_words` cannot be called"),
        ("other = 1\n", "cannot be loaded (AttributeError)"),
    ],
)
def test_an_engine_that_says_nothing_is_no_pass(tmp_path: Path, install: Install, body: str, reason: str) -> None:
    install(body)
    result, _ = judged(tmp_path)
    assert result.blocks
    assert result.how == "could not run"
    assert reason in result.reason
    assert "secret" not in result.sentence()


def test_what_an_engine_prints_is_no_result_of_ours(
    tmp_path: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("print('loaded')\n" + engine("print('asked'); return Result('', 'passed', 'inner')"))
    assert judged(tmp_path)[0].outcome == "passed"
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "loaded\nasked\n")


def test_an_engine_that_is_not_installed_is_an_error(tmp_path: Path, install: Install) -> None:
    install(engine("return Result('', 'passed', 'inner')"), engine="letters")
    result, _ = judged(tmp_path)
    assert result.blocks
    assert "no engine `words` is registered (registered: `letters`)" in result.reason
    assert "quality_words" not in sys.modules


def test_two_packages_with_an_engine_of_one_name_are_an_error(tmp_path: Path, install: Install) -> None:
    install(engine("return Result('', 'passed', 'inner')"))
    install(engine("return Result('', 'failed', 'inner')"), package="quality_other")
    result, _ = judged(tmp_path)
    assert result.blocks
    assert "registered twice: `quality_other` and `quality_words`" in result.reason


def test_no_engine_is_loaded_before_a_contract_asks(tmp_path: Path, install: Install) -> None:
    install(engine("return Result('', 'passed', 'inner')"))
    data = write_parquet(tmp_path / "t.parquet", "SELECT 'a' AS x")
    assert not audit(made([COLUMN]), data, published=None, as_of=NOW).failures
    assert not audit(made([COLUMN], [RULE]), data, published=None, as_of=NOW, metadata_only=True).failures
    assert "quality_words" not in sys.modules
    code = "import sys, outer.audit; sys.exit('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_gate_accepts_a_rule_whose_engine_is_installed(tmp_path: Path, install: Install) -> None:
    rule = {**RULE, "dimension": "accuracy", "description": "Few words."}
    columns = (column("id", "BIGINT"), column("word", "VARCHAR", quality=[rule]), column("share", "DOUBLE"))
    root = build_product(tmp_path / "product", columns=columns)
    (found,) = check(load(root), NOW.date(), (BY_ID["QUA001"],)).findings
    assert "no engine `words` is registered" in found.message
    install(engine("return Result('', 'passed', 'inner')"))
    assert not check(load(root), NOW.date(), (BY_ID["QUA001"],)).findings
    assert "quality_words" not in sys.modules


def test_run_and_verify_ask_the_engine(tmp_path: Path, install: Install) -> None:
    install(engine("return Result('', verdict, 'inner', 'good words')") + "verdict = 'passed'\n")
    root = build_product(tmp_path / "product", quality=[RULE])
    heard = Heard(root)
    assert heard.receipt is not None, heard.error
    assert [e["outcome"] for e in heard.receipt.audit if e["rule"] == "quality:c"] == ["passed"]
    assert verify(root, talk=Talk(quiet=True)).passed
    sys.modules["quality_words"].verdict = "failed"  # type: ignore[attr-defined]
    assert not verify(root, talk=Talk(quiet=True)).passed
    rejected(root, "quality:c: expected good words", error=RunFailed)
    assert len(sys.modules["quality_words"].seen) == 4
