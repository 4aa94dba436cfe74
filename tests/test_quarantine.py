"""Rows that a workload cannot use: set aside, counted, kept for the producer, and never more than is allowed."""

# ruff: noqa: S608 (jobs are SQL in Python in strings)

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outer import receipt
from outer.errors import OuterError, RunFailed
from outer.limits import Limits, limits
from outer.product import load
from outer.publish import KEEP, KEEP_LOGS, Area, prune
from outer.receipt import QuarantineRecord, Receipt
from outer.run import run
from outer.talk import Talk
from outer.verify import verify
from products import build_product, outer

ASIDE = """
bad = PORTS["quarantine"]["source"]
assert os.environ["PORT_QUARANTINE_SOURCE"] == bad["location"] and bad["format"] == "parquet"
def aside(query):
    import duckdb
    duckdb.sql(f"COPY ({query}) TO '{bad['location']}' (FORMAT parquet)")
"""
ONE = (
    ASIDE
    + """
aside(f"SELECT *, 'too small' AS why FROM '{INPUT}' WHERE id < 1")
copy(f"SELECT * FROM '{INPUT}' WHERE id >= 1", "words")
"""
)


def ran(root: Path) -> tuple[Receipt, str]:
    stream = io.StringIO()
    return run(root, talk=Talk(stream=stream)), stream.getvalue()


def failed(root: Path, *words: str, error: type[OuterError] = RunFailed) -> Receipt:
    """The receipt of a run that fails with a message that holds `words`."""
    with pytest.raises(error) as caught:
        ran(root)
    for word in words:
        assert word in str(caught.value)
    (path,) = (root / "data/local/receipts").iterdir()
    assert Area(root / "data/local").published() is None
    assert list((root / "data/local/staging").iterdir()) == []
    return receipt.read(path)


def count(path: Path) -> int:
    with duckdb.connect() as connection:
        return int(connection.read_parquet(str(path)).shape[0])


def test_rows_that_are_set_aside_are_counted_and_kept_with_the_version(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=ONE)
    made, said = ran(root)
    file = f"versions/{made.run_id}/quarantine/source.parquet"
    assert made.quarantine == (QuarantineRecord("source", 1, 0.05, file),)
    assert made.outputs[0].rows == 19
    assert count(root / "data/local" / file) == 1
    assert f"source: 1 row (5.00%) set aside: {file}" in said
    assert receipt.read(root / "data/local/current/receipt.json") == made


def test_a_run_that_fails_tells_where_the_rows_are_then(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=f"{ONE}\ncopy('SELECT 1 AS other', 'words')")
    stream = io.StringIO()
    with pytest.raises(RunFailed, match="not as the contract says"):
        run(root, talk=Talk(stream=stream))
    (told,) = [line for line in stream.getvalue().splitlines() if "set aside" in line]
    assert count(root / "data/local" / told.rpartition(": ")[2]) == 1


def test_nobody_but_the_team_reads_what_was_set_aside(tmp_path: Path) -> None:
    meanwhile = "\nassert Path(bad['location']).parent.stat().st_mode & 0o777 == 0o700"
    root = build_product(tmp_path, job=ONE + meanwhile)
    ran(root)
    assert (root / "data/local/current/quarantine").stat().st_mode & 0o777 == 0o700


def test_verify_and_page_tell_of_it(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=ONE)
    ran(root)
    verdict = verify(root, talk=Talk(quiet=True))
    assert verdict.passed
    assert [note for note in verdict.notes if "source: 1 row (5.00%) set aside" in note]
    assert not [note for note in verdict.notes if "nobody published" in note]
    assert outer(root, "page").returncode == 0
    page = (root / "data/local/page.html").read_text()
    assert "were set aside by the last run" in page
    assert "quarantine/source.parquet" in page


@pytest.mark.parametrize("job", ["", "aside(f\"SELECT * FROM '{INPUT}' WHERE id < 0\")"], ids=["no file", "no rows"])
def test_where_nothing_was_set_aside_nothing_is_kept(tmp_path: Path, job: str) -> None:
    root = build_product(tmp_path, job=f"{ASIDE}\n{job}\ncopy(f\"SELECT * FROM '{{INPUT}}'\", 'words')")
    made, _ = ran(root)
    assert made.quarantine == ()
    assert not (root / "data/local/current/quarantine").exists()


def test_more_than_the_standard_allows_stops_the_run_and_is_kept_with_its_logs(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=ONE.replace("id < 1", "id < 2"))
    made = failed(root, "more than 5.00% of the rows of `source`", "quarantine_share")
    file = f"logs/{made.run_id}/quarantine/source.parquet"
    assert made.quarantine == (QuarantineRecord("source", 2, 0.1, file),)
    assert count(root / "data/local" / file) == 2


def test_the_standard_says_how_much_is_allowed(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=ONE.replace("id < 1", "id < 2"))
    (root / "outer/standard.yaml").write_text("contract: {quarantine_share: 0.1}\n")
    assert ran(root)[0].quarantine[0].rows == 2


def test_a_standard_that_makes_no_sense_allows_what_its_schema_says(tmp_path: Path) -> None:
    root = build_product(tmp_path)
    for text in ("keep_versions: true, quarantine_share: true", "keep_versions: 0, quarantine_share: 1.1"):
        (root / "outer/standard.yaml").write_text(f"contract: {{{text}}}\n")
        assert limits(load(root)) == Limits(KEEP, 0.05)


def test_what_a_failing_workload_had_set_aside_is_kept_too(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=ONE + "raise SystemExit(1)")
    assert failed(root, "exit code 1").quarantine[0].rows == 1


def test_it_goes_with_the_logs_of_its_run(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=ONE + "raise SystemExit(1)")
    made = failed(root, "exit code 1")
    home = Area(root / "data/local")
    for number in range(KEEP_LOGS):
        home.logs(f"20991231T2359{number:02}Z-ffffff").mkdir()
    prune(home)
    assert not home.logs(made.run_id).exists()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("Path(bad['location']).write_text('x')", "cannot be read"),
        ("Path(bad['location']).with_name('more.parquet').write_text('x')", "`more.parquet`"),
        ("os.symlink(INPUT, bad['location'])", "`source.parquet`"),
        ("os.link(INPUT, bad['location'])", "`source.parquet`"),
        ("Path(bad['location']).mkdir()", "`source.parquet`"),
    ],
)
def test_what_is_no_quarantine_fails_the_run(tmp_path: Path, job: str, words: str) -> None:
    root = build_product(tmp_path, job=f"{ASIDE}\n{job}\ncopy(f\"SELECT * FROM '{{INPUT}}'\", 'words')")
    assert failed(root, "quarantine", words).quarantine == ()


# --- Formats that only inputs have ----------------------------------------------------------------

READERS: dict[str, Any] = {"csv": "read_csv('{INPUT}', header=true)", "json": "read_json('{INPUT}')"}


@pytest.mark.parametrize("form", READERS)
def test_an_input_can_be_text_that_is_held_against_its_contract(tmp_path: Path, form: str) -> None:
    job = f"""
assert PORTS["inputs"]["source"]["format"] == "{form}"
copy(f"SELECT id::BIGINT AS id, word, share::DOUBLE AS share FROM {READERS[form]}", "words")
"""
    source = tmp_path / f"source.{form}"
    root = build_product(tmp_path / "product", job=job, input_server={"format": form, "path": str(source)})
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS id, 'w' AS word, 0.5 AS share FROM range(3)) TO '{source}'")
    made, _ = ran(root)
    assert (made.inputs[0].rows, made.inputs[0].format, made.outputs[0].rows) == (3, form, 3)


def test_text_without_a_column_of_its_contract_stops_the_run(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("id,word\n1,a\n")
    root = build_product(tmp_path / "product", input_server={"format": "csv", "path": str(source)})
    made = failed(root, "input port `source` is not as the contract")
    assert json.loads(made.as_json())["input_audit"]
