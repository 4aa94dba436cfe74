"""Output ports in a real PostgreSQL: loaded, audited there, and switched by one transaction, or not at all.

The test starts a server of its own, on a free port of this machine, and stops it. Debian has it as `postgresql`.
"""

# ruff: noqa: S608 (names of this test)

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from beside import readers
from outer import postgres, publish, receipt
from outer.errors import RunFailed, UsageError
from outer.model import model
from outer.ports import resolve_outputs
from outer.postgres import Shelf, shelf
from outer.product import load
from outer.publish import Area
from outer.receipt import Receipt
from outer.rollback.command import rollback
from outer.run import run
from outer.talk import Talk
from outer.verify import verify
from products import COLUMNS, PRELUDE, add_major, build_product, column, outer
from test_dbt_postgres import Server, server

psycopg = pytest.importorskip("psycopg")
pytest.importorskip("sqlglot")

__all__ = ["server"]
pytestmark = pytest.mark.slow

PORTS = ("words", "more_words")
STAMPED = """
for port in OUTPUTS:
    copy(f"SELECT id, '{PORTS['run_id']}' AS word, share FROM '{INPUT}'", port)
"""
"""A job whose every row, in both ports, names the run that made it."""


@pytest.fixture
def base(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop")
        yield connection


@pytest.fixture
def root(base: Any, server: Server, tmp_path: Path) -> Path:
    return product(server, tmp_path)


def product(server: Server, root: Path, **changes: Any) -> Path:
    where = {"type": "postgres", "host": "127.0.0.1", "port": int(server.environment["PGPORT"])}
    where |= {"database": "postgres", "schema": "shop", "path": None, "format": None}
    return build_product(root, **{"outputs": PORTS, "job": STAMPED, "server": where, **changes})


def ran(root: Path) -> Receipt:
    return run(root, talk=silent())


def silent() -> Talk:
    return Talk(quiet=True, stream=io.StringIO())


def back(root: Path, **arguments: Any) -> Receipt:
    return rollback(root, environment="local", to=None, reason="x", wait=5, talk=silent(), **arguments)


def tables(root: Path) -> Shelf:
    return shelf(resolve_outputs(model(load(root)), "local")[1])


def shown(base: Any) -> str:
    """The run that all rows of both ports name, as one query sees them."""
    query = " UNION ".join(f"SELECT word, count(*) FROM shop.{port} GROUP BY word" for port in PORTS)
    ((word, rows),) = base.execute(query).fetchall()
    assert rows == 20
    return str(word)


def test_a_run_publishes_its_ports_as_views_of_one_version(root: Path, base: Any) -> None:
    made = ran(root)
    assert shown(base) == made.run_id == tables(root).published()
    assert made.outputs[0].location.endswith("/postgres/shop.words")
    assert Area(root / "data/local").published() == root / "data/local/versions" / made.run_id
    assert verify(root, talk=silent()).passed
    columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'words' ORDER BY 1"
    assert base.execute(columns).fetchall() == [("id", "bigint"), ("share", "double precision"), ("word", "text")]
    event = json.loads((root / "data/local/current/lineage.jsonl").read_text().splitlines()[-1])
    assert event["outputs"][0]["facets"]["dataSource"]["name"] == "postgres"


def test_the_page_says_where_the_table_is(root: Path, base: Any) -> None:
    ran(root)
    page = outer(root, "page")
    assert page.returncode == 0, page.stderr
    text = (root / "data/local/page.html").read_text()
    assert "SELECT * FROM shop.words LIMIT 20;" in text
    assert "/postgres, shop.words" in text


def test_rights_that_people_have_been_granted_outlive_a_publication(root: Path, base: Any) -> None:
    ran(root)
    base.execute("DO $$ BEGIN CREATE ROLE consumer; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    base.execute("GRANT USAGE ON SCHEMA shop TO consumer; GRANT SELECT ON shop.words TO consumer")
    ran(root)
    allowed = "SELECT has_table_privilege('consumer', 'shop.words', 'SELECT')"
    assert base.execute(allowed).fetchone() == (True,)


def test_old_tables_go_with_their_versions(root: Path, base: Any) -> None:
    made = [ran(root).run_id for _ in range(4)]
    names = base.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'shop'").fetchall()
    kept = {name[1:24].replace("Z_", "Z-") for (name,) in names}
    assert kept == set(made[-3:])
    assert len(names) == 3 * len(PORTS)


def test_a_rollback_turns_the_views_back_also_when_the_old_table_is_gone(root: Path, base: Any) -> None:
    first, second = ran(root).run_id, ran(root).run_id
    tables(root).prune({second})
    assert back(root).restored == first
    assert shown(base) == first
    assert verify(root, talk=silent()).passed


def test_a_rollback_that_the_database_refuses_changes_nothing(
    root: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = ran(root).run_id, ran(root).run_id
    monkeypatch.setattr(postgres, "PATIENCE", 0.5)
    area = Area(root / "data/local")
    receipts = sorted(area.receipts.iterdir())
    with psycopg.connect() as reader:
        reader.execute("SELECT count(*) FROM shop.words")
        with pytest.raises(RunFailed, match="a transaction that does not end"):
            back(root)
    assert shown(base) == second
    assert area.published() == area.versions / second
    assert sorted(area.receipts.iterdir()) == receipts
    assert verify(root, talk=silent()).notes == ()


def test_variables_may_say_where_the_database_is(root: Path, base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "shop")
    for path in (root / "outer/contracts/output").iterdir():
        text = path.read_text().replace('"127.0.0.1"', '"${SHOP_HOST:-127.0.0.1}"')
        path.write_text(text.replace('"schema": "shop"', '"schema": "${SHOP}"'))
    assert ran(root).run_id == shown(base)
    assert verify(root, talk=silent()).passed
    monkeypatch.delenv("SHOP")
    with pytest.raises(UsageError, match="SHOP is not set"):
        ran(root)


def test_data_that_break_their_contract_never_reach_the_database(root: Path, base: Any) -> None:
    good = ran(root).run_id
    (root / "inner/job.py").write_text(
        (root / "inner/job.py").read_text().replace("SELECT id,", "SELECT id // 2 AS id,")
    )
    with pytest.raises(RunFailed, match="failed; nothing was published"):
        ran(root)
    assert shown(base) == good
    assert len(base.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'shop'").fetchall()) == len(PORTS)


def test_a_column_more_is_published_too(root: Path, base: Any, server: Server) -> None:
    ran(root)
    more = (column("extra", "BIGINT"), *COLUMNS)  # in front: PostgreSQL can only add columns behind
    product(server, root, columns=more, job=STAMPED.replace("SELECT id", "SELECT 1::BIGINT AS extra, id"))
    assert shown(base) != ran(root).run_id
    assert base.execute("SELECT DISTINCT extra FROM shop.words").fetchall() == [(1,)]


def test_what_others_have_built_upon_a_view_is_not_taken_from_them(root: Path, base: Any, server: Server) -> None:
    good = ran(root).run_id
    base.execute("CREATE VIEW shop.report AS SELECT count(*) AS n FROM shop.words")
    more = (column("extra", "BIGINT"), *COLUMNS)
    product(server, root, columns=more, job=STAMPED.replace("SELECT id", "SELECT 1::BIGINT AS extra, id"))
    with pytest.raises(RunFailed, match=r"view shop.words because other objects depend on it"):
        ran(root)
    assert shown(base) == good == str(Area(root / "data/local").require("local").name)
    assert base.execute("SELECT n FROM shop.report").fetchall() == [(20,)]


def test_a_newer_major_is_published_beside_the_older_one(base: Any, server: Server, tmp_path: Path) -> None:
    root = product(server, tmp_path, outputs=["words"])
    ran(root)
    contracts = root / "outer/contracts/output"
    newer = json.loads((contracts / "words.v1.odcs.yaml").read_text()) | {"version": "2.0.0"}
    newer["schema"][0]["name"] = "words_v2"
    (contracts / "words.v2.odcs.yaml").write_text(json.dumps(newer, indent=2))
    path = root / "outer/data-product.odps.yaml"
    descriptor = json.loads(path.read_text())
    descriptor["outputPorts"].append(descriptor["outputPorts"][0] | {"version": "2.0.0"})
    path.write_text(json.dumps(descriptor, indent=2))
    made = [ran(root).run_id for _ in range(3)]
    for view in ("words", "words_v2"):
        assert base.execute(f"SELECT DISTINCT word FROM shop.{view}").fetchall() == [(made[-1],)]
    assert len(base.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'shop'").fetchall()) == 6
    assert verify(root, talk=silent()).passed


def test_a_port_that_came_later_is_published_by_the_next_run_and_not_before(
    base: Any, server: Server, tmp_path: Path
) -> None:
    root = product(server, tmp_path, outputs=PORTS[:1])
    good = ran(root).run_id
    product(server, tmp_path, job="raise SystemExit(1)")
    with pytest.raises(RunFailed, match="exit code 1"):
        ran(root)
    assert views(base) == {PORTS[0]: good}
    assert [port for port, report in verify(root, talk=silent()).reports if report.failures] == [PORTS[1]]
    product(server, tmp_path)
    assert ran(root).run_id == shown(base)
    assert verify(root, talk=silent()).passed


def test_data_of_an_older_major_are_never_shown_as_those_of_the_newer_one(
    base: Any, server: Server, tmp_path: Path
) -> None:
    root = product(server, tmp_path, outputs=["words"])
    good = ran(root).run_id
    add_major(root, "words")
    asked = "Path('asked').write_text(json.dumps({n: p['previous'] for n, p in PORTS['outputs'].items()}))"
    (root / "inner/job.py").write_text(PRELUDE + asked + "\nraise SystemExit(1)\n")
    with pytest.raises(RunFailed, match="exit code 1"):
        ran(root)
    assert views(base) == {"words": good}
    previous = json.loads((root / "inner/asked").read_text())
    assert previous["words"] is None
    assert previous["words.v1"] == str(root / "data/local/versions" / good / "words.parquet")
    assert [port for port, report in verify(root, talk=silent()).reports if report.failures] == ["words"]


def views(base: Any) -> dict[str, str]:
    """Every view that somebody can read -> the run that its rows name."""
    found = base.execute("SELECT viewname FROM pg_views WHERE schemaname = 'shop'").fetchall()
    return {name: base.execute(f"SELECT DISTINCT word FROM shop.{name}").fetchone()[0] for (name,) in found}


def test_a_view_of_another_product_is_not_replaced(root: Path, base: Any, server: Server, tmp_path: Path) -> None:
    good = ran(root).run_id
    other = product(server, tmp_path / "other")
    for path in (other / "outer").rglob("*.yaml"):
        path.write_text(path.read_text().replace("test:tiny", "test:other"))
    with pytest.raises(RunFailed, match="was not made by `outer run` of this product"):
        ran(other)
    assert shown(base) == good
    assert ran(root).run_id == shown(base)


def test_a_table_of_somebody_else_is_not_replaced(root: Path, base: Any) -> None:
    base.execute("CREATE TABLE shop.more_words (precious int); INSERT INTO shop.more_words VALUES (7)")
    with pytest.raises(RunFailed, match="was not made by `outer run`"):
        ran(root)
    assert base.execute("SELECT * FROM shop.more_words").fetchall() == [(7,)]
    assert base.execute("SELECT to_regclass('shop.words')").fetchone() == (None,), "no port without the other"
    assert Area(root / "data/local").published() is None
    assert not list((root / "data/local/versions").iterdir())


def test_a_database_that_does_not_answer_leaves_what_is_published(
    root: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = root / "inner/job.py"
    job.write_text(job.read_text() + "Path('worked').touch()\n")
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSWORD", "wrong")
        with pytest.raises(RunFailed, match="postgres://"):
            ran(root)
        assert not (root / "inner/worked").exists(), "it is told before the work"
    good = ran(root).run_id
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSWORD", "wrong")
        with pytest.raises(RunFailed, match="postgres://"):
            ran(root)
    assert shown(base) == good
    assert Area(root / "data/local").published() == root / "data/local/versions" / good


def test_a_reader_who_holds_a_view_is_waited_for_and_then_the_run_fails(
    root: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ran(root).run_id
    monkeypatch.setattr(postgres, "PATIENCE", 0.5)
    with psycopg.connect() as reader:
        reader.execute("SELECT count(*) FROM shop.words")
        with pytest.raises(RunFailed, match="a transaction that does not end"):
            ran(root)
        assert reader.execute("SELECT DISTINCT word FROM shop.more_words").fetchall() == [(good,)]
    assert Area(root / "data/local").published() == root / "data/local/versions" / good
    assert shown(base) == good
    assert ran(root).run_id == shown(base)


def test_a_run_killed_between_the_two_switches_is_finished_by_the_next_command(
    root: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ran(root).run_id

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "switch", kill)
        with pytest.raises(Killed):
            ran(root)
    area = Area(root / "data/local")
    late = area.published()
    assert late is not None
    assert late.name != good == shown(base)
    assert {r.rule for _, report in verify(root, talk=silent()).reports for r in report.failures} == {"table"}
    (root / "inner/job.py").write_text("raise SystemExit(1)")
    with pytest.raises(RunFailed):
        ran(root)
    assert shown(base) == late.name
    assert verify(root, talk=silent()).passed
    assert publish.recover(area) == late
    assert receipt.read(area.receipt(late.name)).outcome == "published"


def test_readers_see_one_version_in_both_ports_while_it_is_switched(root: Path, base: Any) -> None:
    ran(root)
    with (
        psycopg.connect(autocommit=True) as one,
        psycopg.connect(autocommit=True) as other,
        readers(lambda: shown(one), lambda: shown(other)) as seen,
    ):
        made = [ran(root).run_id for _ in range(4)]
    assert len(set(made) & set(seen)) > 1


def test_rows_that_were_changed_in_the_database_are_found_out(root: Path, base: Any) -> None:
    ran(root)
    base.execute("DELETE FROM shop.words WHERE id = 3")
    failed = {r.rule for _, report in verify(root, talk=silent()).reports for r in report.failures}
    assert failed == {"table.rows"}


def test_ports_in_two_places_cannot_be_switched_together(root: Path) -> None:
    path = root / "outer/contracts/output/more_words.v1.odcs.yaml"
    document = json.loads(path.read_text())
    document["servers"][0]["database"] = "other"
    path.write_text(json.dumps(document, indent=2))
    with pytest.raises(UsageError, match="in another place"):
        ran(root)
