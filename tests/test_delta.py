"""Ports that are folders: Delta tables and partitioned Parquet, audited and published as one file is, or refused."""

# ruff: noqa: S608 (jobs are SQL in Python in strings)

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake

import suite_repo
from beside import kill, readers
from outer import receipt
from outer.dataset import Dataset, Unlisted
from outer.errors import OuterError, RunFailed, UsageError
from outer.publish import Area, recover
from outer.receipt import Receipt
from outer.run import run
from outer.talk import Talk
from outer.verify import verify
from products import COLUMNS, build_product, column, outer, outer_command, write_parquet

CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
DELTA: Mapping[str, Any] = {"path": "${DATA_ROOT:-data}/local/current/{port}", "server": {"format": "delta"}}
WRITE = """
def delta(query, port):
    import duckdb
    from deltalake import write_deltalake
    write_deltalake(OUTPUTS[port], duckdb.sql(query))
"""
STAMPED = (
    WRITE
    + """
for port in OUTPUTS:
    delta(f"SELECT id, '{PORTS['run_id']}' AS word, share FROM '{INPUT}'", port)
"""
)
"""A job whose every row, in both ports, names the run that made it."""
BY_WORD = (COLUMNS[0], column("word", "VARCHAR", required=True, partitioned=True, partitionKeyPosition=1), COLUMNS[2])
PARTITIONED: Mapping[str, Any] = {"path": "${DATA_ROOT:-data}/local/current/{port}", "columns": BY_WORD}
SPLIT = """
import duckdb
assert PORTS["outputs"]["words"]["partitioned_by"] == ["word"]
duckdb.sql(f"COPY (SELECT id, 'w' || id % 3 AS word, share FROM '{INPUT}') TO '{OUTPUTS['words']}' "
           "(FORMAT parquet, PARTITION_BY (word))")
"""


def silent() -> Talk:
    return Talk(quiet=True, stream=io.StringIO())


def ran(root: Path, **arguments: Any) -> Receipt:
    return run(root, talk=silent(), **arguments)


def refused(root: Path, *words: str, error: type[OuterError] = RunFailed) -> None:
    """Run a product that must be refused, in words that a person can follow; nothing may be published."""
    with pytest.raises(error) as caught:
        ran(root)
    for word in words:
        assert word in caught.value.what
    assert caught.value.todo
    assert Area(root / "data/local").published() is None


def rows(table: Path) -> list[tuple[Any, ...]]:
    """The rows of a Delta table, read by its own library."""
    with duckdb.connect() as connection:
        connection.register("data", DeltaTable(str(table)).scan().read_all())
        return connection.execute("SELECT * FROM data ORDER BY 1").fetchall()


def complete(version: Path) -> str:
    """The run that made `version`, after a look at all of it."""
    made = receipt.read(version / "receipt.json")
    assert made.run_id == version.name
    for output in made.outputs:
        table = Dataset(version / output.file, "delta")
        assert table.sha256() == output.sha256
        assert {row[1] for row in rows(table.path)} == {made.run_id}
    return made.run_id


# --- Delta ----------------------------------------------------------------------------------------


def test_a_delta_port_is_published_as_a_whole_table_with_its_evidence(tmp_path: Path) -> None:
    root = build_product(tmp_path, outputs=["words", "more_words"], job=STAMPED, **DELTA)
    made = ran(root)
    version = root / "data/local/versions" / made.run_id
    assert sorted(p.name for p in version.iterdir()) == ["lineage.jsonl", "more_words", "receipt.json", "words"]
    assert complete(version) == made.run_id
    assert DeltaTable(str(root / "data/local/current/words")).version() == 0
    words = made.outputs[0]
    assert (words.format, words.file, words.files, words.rows) == ("delta", "words", 1, 20)
    assert words.bytes == sum(file.stat().st_size for file in Dataset(version / "words", "delta").files())
    verdict = verify(root, talk=silent())
    assert verdict.passed
    assert verdict.notes == ()


def test_the_fingerprint_of_rows_does_not_depend_on_the_format(tmp_path: Path) -> None:
    copy = "for port in OUTPUTS: delta(f\"SELECT * FROM '{INPUT}'\", port)"
    table = ran(build_product(tmp_path / "delta", job=WRITE + copy, **DELTA))
    file = ran(build_product(tmp_path / "parquet"))
    assert table.outputs[0].fingerprint == file.outputs[0].fingerprint
    assert table.outputs[0].sha256 != file.outputs[0].sha256


def test_only_the_live_rows_of_a_table_are_audited(tmp_path: Path) -> None:
    job = (
        f"{WRITE}\ndelta(f\"SELECT id - 100 AS id, word, share FROM '{{INPUT}}'\", 'words')"
        + """
write_deltalake(OUTPUTS["words"], duckdb.sql(f"SELECT * FROM '{INPUT}'"), mode="overwrite")
"""
    )
    made = ran(build_product(tmp_path, job="import duckdb\nfrom deltalake import write_deltalake\n" + job, **DELTA))
    assert (made.outputs[0].rows, made.outputs[0].files) == (20, 1)


def test_a_table_that_breaks_its_contract_is_not_published(tmp_path: Path) -> None:
    job = f"{WRITE}\ndelta(f\"SELECT id // 2 AS id, word, share FROM '{{INPUT}}'\", 'words')"
    refused(build_product(tmp_path, job=job, **DELTA), "1 rule failed")


def test_an_incremental_run_gets_the_folder_that_was_published_last(tmp_path: Path) -> None:
    job = (
        WRITE
        + """
previous = PORTS["outputs"]["words"]["previous"]
assert PORTS["outputs"]["words"]["format"] == "delta"
number = 100 if previous else 0
kept = f"SELECT * FROM read_parquet('{previous}/*.parquet') UNION ALL " if previous else ""
delta(f"{kept}SELECT {number}::BIGINT AS id, 'a' AS word, 1::DOUBLE AS share", "words")
"""
    )
    root = build_product(tmp_path, job=job, **DELTA)
    ran(root)
    assert ran(root, since=date(2030, 1, 1)).outputs[0].rows == 2


@pytest.mark.parametrize("where", ["plain", "with a blank", "naïve"])
def test_a_delta_table_can_be_an_input_wherever_it_lies(tmp_path: Path, where: str) -> None:
    table = tmp_path / where / "table"
    write_deltalake(str(table), duckdb.sql("SELECT range AS id, 'w' AS word, 0.5::DOUBLE AS share FROM range(7)"))
    job = "copy(f\"SELECT * FROM read_parquet('{INPUT}/*.parquet')\", 'words')"
    root = build_product(tmp_path / "product", job=job, input_server={"format": "delta", "path": str(table)})
    (source,) = ran(root).inputs
    assert (source.rows, source.format, source.location) == (7, "delta", str(table))
    assert source.sha256 == Dataset(table, "delta").sha256()


def test_a_consumer_who_adds_to_a_published_table_is_found_out(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=STAMPED, **DELTA)
    ran(root)
    more = duckdb.sql("SELECT 99::BIGINT AS id, 'x' AS word, 1::DOUBLE AS share")
    write_deltalake(str(root / "data/local/current/words"), more, mode="append")
    failed = {result.rule for _, report in verify(root, talk=silent()).reports for result in report.failures}
    assert failed == {"sha256", "fingerprint"}


def test_the_page_shows_a_delta_port_and_how_to_read_it(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=STAMPED, **DELTA)
    ran(root)
    assert outer(root, "page").returncode == 0
    page = (root / "data/local/page.html").read_text()
    assert "polars.read_delta" in page
    assert "There is no preview" not in page


def test_a_machine_without_the_library_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import find_spec

    root = build_product(tmp_path, job=STAMPED, **DELTA)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "deltalake" else find_spec(name))
    with pytest.raises(UsageError) as caught:
        ran(root)
    assert "deltalake" in caught.value.what
    assert "[run,delta]" in caught.value.todo
    assert not (root / "data").exists()


# --- What a folder may not be ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("pass", ["does not exist"]),
        ("copy(f\"SELECT * FROM '{INPUT}'\", 'words')", ["is a file"]),
        ("os.makedirs(OUTPUTS['words'])", ["holds no _delta_log"]),
        (STAMPED + "os.symlink(INPUT, OUTPUTS['words'] + '/more.parquet')", ["more.parquet is a link"]),
        (STAMPED + "os.link(INPUT, OUTPUTS['words'] + '/more.parquet')", ["a hard link"]),
        (STAMPED + "os.mkfifo(OUTPUTS['words'] + '/pipe')", ["pipe is no file"]),
        (STAMPED + "[p.unlink() for p in Path(OUTPUTS['words']).glob('*.parquet')]", ["lacks a file"]),
        (STAMPED + "[p.write_text('{') for p in Path(OUTPUTS['words']).glob('_delta_log/*')]", ["cannot be read"]),
        (STAMPED + "Path(OUTPUTS['words'], '..', 'more').mkdir()", ["what is no output port: `more`"]),
    ],
)
def test_what_is_no_table_of_its_own_is_not_published(tmp_path: Path, job: str, words: list[str]) -> None:
    refused(build_product(tmp_path, job=job, **DELTA), *words)


def log(table: Path, *actions: Mapping[str, Any]) -> None:
    """Add a commit to the log of a Delta table."""
    number = len(list((table / "_delta_log").iterdir()))
    (table / f"_delta_log/{number:020}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_deltalake(str(tmp_path / "table"), duckdb.sql("SELECT range AS id, 'w' AS word FROM range(7)"))
    return tmp_path / "table"


def test_a_table_whose_rows_may_be_struck_out_in_the_log_is_refused(table: Path) -> None:
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    log(table, {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}})
    with pytest.raises(Unlisted, match="deletionVectors"):
        Dataset(table, "delta").files()


def test_a_table_with_rows_outside_its_folder_is_refused(table: Path, tmp_path: Path) -> None:
    other = write_parquet(tmp_path / "other.parquet", "SELECT 1::BIGINT AS id, 'x' AS word")
    add = {"path": other.as_uri(), "size": 1, "modificationTime": 0, "dataChange": True, "partitionValues": {}}
    log(table, {"add": add})
    with pytest.raises(Unlisted, match="outside its folder"):
        Dataset(table, "delta").files()


def test_a_partitioned_delta_table_is_refused_since_its_files_lack_columns(tmp_path: Path) -> None:
    data = duckdb.sql("SELECT range AS id, 'w' AS word FROM range(7)")
    write_deltalake(str(tmp_path / "table"), data, partition_by="word")
    with pytest.raises(Unlisted, match="partitioned Delta"):
        Dataset(tmp_path / "table", "delta").files()


@pytest.mark.parametrize(
    ("server", "path", "words"),
    [
        ({"format": "delta"}, "data/local/current/{port}.parquet", "a Delta table is a folder"),
        ({"format": "delta"}, "data/local/{port}", "not at <root>/current/<name>"),
        ({"format": "delta"}, "data/local/current/quarantine", "not at <root>/current/<name>"),
        ({"format": "parquet"}, "data/local/current/{port}", "not at <root>/current/<name>.parquet"),
        ({"format": "json"}, "data/local/current/{port}.json", "cannot publish the format `json`"),
    ],
)
def test_a_contract_names_a_place_that_fits_its_format(
    tmp_path: Path, server: dict[str, Any], path: str, words: str
) -> None:
    refused(build_product(tmp_path, server=server, path=path), words, error=UsageError)


# --- Partitioned Parquet --------------------------------------------------------------------------


def test_partitioned_parquet_is_audited_and_published_whole(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=SPLIT, **PARTITIONED)
    made = ran(root)
    (words,) = made.outputs
    assert (words.format, words.file, words.files, words.rows) == ("parquet", "words", 3, 20)
    event = json.loads((root / "data/local/current/lineage.jsonl").read_text().splitlines()[-1])
    assert event["outputs"][0]["outputFacets"]["outputStatistics"]["fileCount"] == 3
    folders = sorted(p.name for p in (root / "data/local/current/words").iterdir())
    assert folders == ["word=w0", "word=w1", "word=w2"]
    assert verify(root, talk=silent()).passed
    assert outer(root, "page").returncode == 0
    assert "hive_partitioning = true" in (root / "data/local/page.html").read_text()


def test_one_bad_row_in_one_partition_keeps_all_of_them_back(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=SPLIT.replace("SELECT id,", "SELECT id // 2 AS id,"), **PARTITIONED)
    refused(root, "1 rule failed")


def test_a_partition_that_is_taken_from_a_version_is_found_out(tmp_path: Path) -> None:
    root = build_product(tmp_path, job=SPLIT, **PARTITIONED)
    ran(root)
    shutil.rmtree(root / "data/local/current/words/word=w1")
    failed = {result.rule for _, report in verify(root, talk=silent()).reports for result in report.failures}
    assert {"sha256", "fingerprint"} <= failed


# --- Side by side, and killed ---------------------------------------------------------------------


def test_readers_see_one_complete_table_while_versions_are_switched(tmp_path: Path) -> None:
    root = build_product(tmp_path, outputs=["words", "more_words"], job=STAMPED, **DELTA)
    ran(root)
    with readers(lambda: complete((root / "data/local/current").resolve())) as seen:
        made = [ran(root).run_id for _ in range(4)]
    assert len(set(made) & set(seen)) > 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_run_killed_while_it_publishes_tables_leaves_one_complete_version(tmp_path: Path) -> None:
    root = build_product(tmp_path, outputs=["words", "more_words"], job=STAMPED, **DELTA)
    old = ran(root).run_id
    outcomes: Counter[str] = Counter()
    for number in range(24):
        command, environment = outer_command(root, "run")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        kill(process, [b"build", b"audit more", b"publish"][number % 3], number / 2000)
        version = Area(root / "data/local").published()
        assert version is not None
        now = complete(version)
        outcomes["old" if now == old else "new"] += 1
        old = now
    assert outcomes["old"]
    area = Area(root / "data/local")
    assert recover(area) == area.versions / old
    assert not list((root / "data/local/staging").iterdir())
    assert all(area.receipt(p.name).exists() for p in area.versions.iterdir())


# --- The answer -----------------------------------------------------------------------------------


def test_a_blueprint_that_does_not_write_delta_is_not_offered_with_it(tmp_path: Path) -> None:
    suite = suite_repo.clone(tmp_path / "suite")
    suite_repo.plant_blueprint(suite, "planted")
    made = suite_repo.render(tmp_path / "parquet", suite, "HEAD", blueprint="planted")
    assert "format: parquet" in (made / CONTRACT).read_text()
    with pytest.raises(ValueError, match="port_format") as refused_answer:
        suite_repo.render(tmp_path / "delta", suite, "HEAD", blueprint="planted", port_format="delta")
    assert "the blueprint planted cannot write it" in str(refused_answer.value)
    assert not (tmp_path / "delta").exists()


def test_the_contract_is_the_same_whichever_blueprint_writes_the_table(suite: Path, tmp_path: Path) -> None:
    writers = [
        path.parent.name
        for path in sorted((suite_repo.ROOT / "blueprints").glob("*/blueprint.yml"))
        if "delta" in yaml.safe_load(path.read_text()).get("writes", ())
    ]
    assert len(writers) > 1
    outers = []
    for blueprint in writers:
        product = suite_repo.render(tmp_path / blueprint, suite, blueprint=blueprint, port_format="delta")
        outers.append(suite_repo.contents(product / "outer"))
        assert suite_repo.complaints(product) == []
    assert all(found == outers[0] for found in outers)
    assert b"/current/carrier_punctuality\n    format: delta\n" in outers[0][CONTRACT.removeprefix("outer/")]


@pytest.mark.slow
def test_every_blueprint_that_writes_delta_publishes_equal_rows(suite: Path, tmp_path: Path) -> None:
    prints = {}
    for blueprint, form in (("polars", "parquet"), ("polars", "delta"), ("dbt", "delta")):
        root = suite_repo.render(tmp_path / f"{blueprint}-{form}", suite, blueprint=blueprint, port_format=form)
        (made,) = ran(root).outputs
        assert made.format == form
        prints[blueprint, form] = made.fingerprint
        assert verify(root, talk=silent()).passed
    assert len(set(prints.values())) == 1, prints


def test_a_product_installs_the_library_as_soon_as_a_contract_names_the_format(tmp_path: Path) -> None:
    shutil.copy(suite_repo.ROOT / "template/noxfile.py", tmp_path / "noxfile.py")
    build_product(tmp_path)

    def extras() -> str:
        script = "import runpy; print(runpy.run_path('noxfile.py')['extras']())"
        command = [sys.executable, "-c", script]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    assert extras() == "run"
    contract = tmp_path / "outer/contracts/input/source.v1.odcs.yaml"
    contract.write_text("servers:\n  - type: local\n    format: parquet # was format: delta\n")
    assert extras() == "run"
    contract.write_text("servers:\n  - type: local\n    format: delta # a table\n")
    assert extras() == "delta,run"


LOCAL = "    path: ${DATA_ROOT:-data}/local/current/carrier_punctuality.parquet\n    format: parquet\n"
SAMPLE = "    path: outer/samples/airlines.parquet\n    format: parquet\n"
AIRLINES = "outer/contracts/input/airlines.v1.odcs.yaml"
POSTGRES = "    type: postgres\n    host: db.example.com\n    port: 5432\n    database: products\n    schema: flights\n"


@pytest.mark.parametrize(
    ("file", "before", "after", "rule"),
    [
        (CONTRACT, LOCAL, LOCAL.replace("format: parquet", "format: delta"), "CON010"),
        (CONTRACT, LOCAL, LOCAL.replace(".parquet\n", "\n"), "CON010"),
        (CONTRACT, LOCAL, LOCAL.replace(".parquet\n", "\n").replace("format: parquet", "format: delta"), None),
        (CONTRACT, "    type: local\n" + LOCAL, POSTGRES, None),
        (AIRLINES, SAMPLE, SAMPLE.replace("format: parquet", "format: delta"), "CON018"),
        (AIRLINES, SAMPLE, SAMPLE.replace("parquet", "csv"), None),
        (AIRLINES, "    type: local\n" + SAMPLE, POSTGRES, "CON018"),
    ],
)
def test_the_gate_knows_which_places_and_formats_a_run_can_use(
    product: Path, file: str, before: str, after: str, rule: str | None
) -> None:
    path = product / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    if file == AIRLINES and rule is None:
        shutil.copy(product / "outer/samples/airlines.parquet", product / "outer/samples/airlines.csv")
    found = {line.split(": ")[1] for line in suite_repo.complaints(product)}
    assert found == ({rule} if rule else set())
