"""`outer rollback`: one switch back to a version that is kept, with evidence, whatever happens meanwhile."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest

from beside import kill, readers
from outer import fingerprint, publish, receipt
from outer.errors import NothingChecked, RunFailed, UsageError
from outer.publish import Area
from outer.receipt import Receipt, standing
from outer.rollback.command import kept, rollback
from outer.run import run
from outer.talk import Talk
from outer.verify import verify
from products import add_major, build_product, outer, outer_command

STAMPED = """copy(f"SELECT id, '{PORTS['run_id']}' AS word, share FROM '{INPUT}'", "words")"""
"""A job whose every row names the run that made it."""


def silent() -> Talk:
    return Talk(quiet=True, stream=io.StringIO())


def published(root: Path) -> str:
    """The run that is published, after a look at all of it."""
    version = Area(root / "data/local").published()
    assert version is not None
    made = receipt.read(version / "receipt.json")
    for output in made.outputs:
        assert fingerprint.file(version / output.file) == output.sha256
        with duckdb.connect() as connection:
            words = connection.execute(
                "SELECT DISTINCT word FROM read_parquet(?)", [str(version / output.file)]
            ).fetchall()
        assert words == [(version.name,)]
    return version.name


def ran(root: Path, times: int) -> list[str]:
    """Run the product so many times; the ids of the runs."""
    return [run(root, talk=silent()).run_id for _ in range(times)]


def back(root: Path, to: str | None = None, reason: str = "rows are doubled") -> Receipt:
    return rollback(root, environment="local", to=to, reason=reason, wait=10, talk=silent())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_product(tmp_path, job=STAMPED)


# --- There and back -------------------------------------------------------------------------------


def test_a_rollback_publishes_the_version_before_with_its_evidence(root: Path) -> None:
    first, second = ran(root, 2)
    made = back(root)
    assert published(root) == first
    assert (made.outcome, made.restored, made.previous, made.reason) == ("restored", first, second, "rows are doubled")
    area = Area(root / "data/local")
    assert receipt.read(area.receipt(made.run_id)) == made
    assert made.outputs == receipt.read(area.current / "receipt.json").outputs
    events = [json.loads(line) for line in area.lineage(made.run_id).read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    assert events[-1]["outputs"][0]["facets"]["dataSource"]
    assert not area.rollback.exists()


def test_the_rules_of_the_contract_are_judged_again_and_stand_in_the_receipt(root: Path) -> None:
    ran(root, 2)
    made = back(root)
    assert {entry["rule"] for entry in made.audit} >= {"columns", "primaryKey"}
    assert all(entry["outcome"] != "failed" for entry in made.audit)


def test_one_can_go_back_twice_and_forward_again(root: Path) -> None:
    first, second, third = ran(root, 3)
    back(root)
    assert published(root) == second
    back(root)
    assert published(root) == first
    back(root, to=third, reason="it was right after all")
    assert published(root) == third
    assert [v.run_id for v in kept(root, environment="local")] == [third, second, first]


def test_the_next_run_follows_the_version_that_was_restored_and_drops_the_one_that_was_taken_back(root: Path) -> None:
    first, second = ran(root, 2)
    back(root)
    made = run(root, talk=silent())
    assert made.previous == first
    assert published(root) == made.run_id
    assert sorted(p.name for p in (root / "data/local/versions").iterdir()) == sorted([first, made.run_id])
    assert standing(root / "data/local/receipts", made.run_id) is None
    assert Area(root / "data/local").receipt(second).exists(), "the receipt of what was taken back stays"


def test_a_run_that_fails_after_a_rollback_changes_nothing(root: Path) -> None:
    first, second = ran(root, 2)
    back(root)
    (root / "inner/job.py").write_text("raise SystemExit(1)")
    with pytest.raises(RunFailed):
        run(root, talk=silent())
    assert published(root) == first
    back(root, to=second)
    assert published(root) == second


def test_an_incremental_run_tells_of_days_that_were_to_be_computed_and_are_not_published(root: Path) -> None:
    def said(day: int) -> str:
        stream = io.StringIO()
        run(root, since=date(2013, 1, day), talk=Talk(stream=stream))
        return " ".join(stream.getvalue().split())

    ran(root, 1)
    assert "catch up" not in said(5)
    back(root)
    assert "catch up" not in said(5), "what was taken back is computed again"
    back(root)
    told = said(6)
    assert "days before 2013-01-06 stay as they were published" in told
    assert "those from 2013-01-05 on" in told
    assert "to catch up: outer run --env local --since 2013-01-05" in told
    assert "catch up" not in said(7), "it has been said"
    job = root / "inner/job.py"
    text = job.read_text()
    job.write_text("raise SystemExit(1)")
    with pytest.raises(RunFailed):
        ran(root, 1)
    job.write_text(text)
    told = said(8)
    assert "was to compute all and is not published" in told
    assert "to catch up: outer run --env local ▸" in told


def test_verify_and_page_say_that_it_was_rolled_back_and_why(root: Path) -> None:
    ran(root, 2)
    back(root, reason="delays of 20 November are doubled")
    verdict = verify(root, talk=silent())
    assert verdict.passed
    assert any("rollback" in note and "delays of 20 November are doubled" in note for note in verdict.notes)
    assert outer(root, "page").returncode == 0
    page = (root / "data/local/page.html").read_text()
    assert "Rolled back" in page
    assert "delays of 20 November are doubled" in page


def test_the_command_lists_switches_and_prints_the_version(root: Path) -> None:
    first, second = ran(root, 2)
    listed = outer(root, "rollback", "--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["*", first]
    assert "20 rows" in listed.stdout
    done = outer(root, "rollback", "--reason", "x")
    assert (done.returncode, done.stdout) == (0, f"{first}\n")
    machine = json.loads(outer(root, "rollback", "--list", "--format", "json").stdout)
    assert [(v["run_id"], v["current"]) for v in machine["versions"]] == [(second, False), (first, True)]


# --- Refused --------------------------------------------------------------------------------------


def test_a_rollback_needs_its_reason(root: Path) -> None:
    ran(root, 2)
    refused = outer(root, "rollback")
    assert refused.returncode == 2
    assert "--reason" in refused.stderr


def test_without_an_older_version_there_is_nothing_to_go_back_to(root: Path) -> None:
    (only,) = ran(root, 1)
    with pytest.raises(UsageError, match="no older version is kept"):
        back(root)
    with pytest.raises(UsageError, match="is published already"):
        back(root, to=only)
    with pytest.raises(UsageError, match="is not kept"):
        back(root, to="20300101T000000Z-abcdef")
    assert published(root) == only


def test_a_newer_major_is_the_same_product(root: Path) -> None:
    ids = ran(root, 2)
    add_major(root, "words", path="${DATA_ROOT:-data}/local/current/words.v2.parquet")
    failures = {p: {r.rule for r in report.failures} for p, report in verify(root, talk=silent()).reports}
    assert failures == {"words.v1": set(), "words": {"published"}}
    assert [version.run_id for version in kept(root, environment="local")] == ids[::-1]
    with pytest.raises(RunFailed, match="does not hold the output port"):
        back(root)


def test_nothing_published_is_nothing_to_roll_back(root: Path) -> None:
    with pytest.raises(NothingChecked):
        back(root)
    assert outer(root, "rollback", "--list").returncode == 3


def test_a_version_that_somebody_has_changed_does_not_come_back(root: Path) -> None:
    first, second = ran(root, 2)
    file = root / "data/local/versions" / first / "words.parquet"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(RunFailed, match="was changed since it was published"):
        back(root)
    assert published(root) == second


def test_a_version_that_breaks_the_contract_of_today_does_not_come_back(root: Path) -> None:
    _, second = ran(root, 2)
    path = root / "outer/contracts/output/words.v1.odcs.yaml"
    document = json.loads(path.read_text())
    document["schema"][0]["properties"][0]["logicalTypeOptions"] = {"minimum": 5}
    path.write_text(json.dumps(document))
    with pytest.raises(RunFailed, match="does not keep the contract"):
        back(root)
    assert published(root) == second


def test_a_version_that_was_never_published_is_not_offered(root: Path) -> None:
    first, second = ran(root, 2)
    area = Area(root / "data/local")
    late = area.versions / "20991231T235959Z-ffffff"  # what a run leaves that was killed right before its switch
    late.mkdir()
    assert [v.run_id for v in kept(root, environment="local")] == [second, first]
    with pytest.raises(UsageError, match="is not kept"):
        back(root, to=late.name)


# --- Versions that stay ---------------------------------------------------------------------------


def test_the_standard_says_how_many_versions_stay_and_the_command_line_overrides_it(root: Path) -> None:
    (root / "outer/standard.yaml").write_text("contract: {keep_versions: 2}\n")
    made = ran(root, 3)
    versions = root / "data/local/versions"
    assert sorted(p.name for p in versions.iterdir()) == made[-2:]
    more = run(root, keep=4, talk=silent()).run_id
    assert sorted(p.name for p in versions.iterdir()) == [*made[-2:], more]
    only = run(root, keep=1, talk=silent()).run_id
    assert sorted(p.name for p in versions.iterdir()) == [only]
    assert outer(root, "run", "--keep", "0").returncode == 2


# --- Killed, and side by side ---------------------------------------------------------------------


def test_readers_see_one_complete_version_while_it_goes_back_and_forth(root: Path) -> None:
    ran(root, 2)
    with readers(lambda: published(root)) as seen:
        for version in [v.run_id for v in kept(root, environment="local")][::-1] * 3:
            back(root, to=version)
    assert len(seen) == 2


@pytest.mark.parametrize("when", ["before the switch", "after the switch"])
def test_a_rollback_that_was_killed_is_settled_by_the_next_command(
    root: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ran(root, 2)
    area = Area(root / "data/local")

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if when == "before the switch":
            patch.setattr("outer.pointer.lead", kill)
        else:
            real = os.replace
            patch.setattr("outer.publish.os.replace", lambda a, b: kill() if Path(a) == area.rollback else real(a, b))
        with pytest.raises(Killed):
            back(root)
    assert area.rollback.exists()
    assert len(list((area.root / "lineage").iterdir())) == 2, "that it began is not said: that it ended would not be"
    expected = second if when == "before the switch" else first
    assert published(root) == expected
    publish.recover(area)
    assert not area.rollback.exists()
    assert published(root) == expected
    found = standing(area.root / "receipts", expected)
    assert (found is not None) == (when == "after the switch")
    back(root, to=first if expected == second else second)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_rollback_killed_at_any_moment_leaves_one_complete_version(root: Path) -> None:
    ran(root, 2)
    chance = random.Random(20301122)  # noqa: S311
    area = Area(root / "data/local")
    outcomes: Counter[bool] = Counter()
    versions = [v.run_id for v in kept(root, environment="local")]
    while sum(outcomes.values()) < 25 or len(outcomes) < 2:
        assert sum(outcomes.values()) < 300, outcomes
        before = published(root)
        target = next(v for v in versions if v != before)
        command, environment = outer_command(root, "rollback", "--to", target, "--reason", "x")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        kill(process, [b"audit", b"publish"][chance.randrange(2)], chance.uniform(0, 0.02))
        after = published(root)
        assert after in (before, target)
        outcomes[after == target] += 1
        publish.recover(area)
        assert published(root) == after
        assert not area.rollback.exists()
        assert (standing(area.root / "receipts", after) is not None) or after == before
        assert not list(area.root.glob(".current*"))
        assert sorted(p.name for p in area.versions.iterdir()) == sorted(versions)


# --- Where a rename cannot replace a link ---------------------------------------------------------


def _ids(root: Path) -> Sequence[str]:
    return sorted(p.name for p in (root / "data/local").glob(".current*"))


def test_the_link_is_switched_in_two_steps_where_a_rename_cannot_replace_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outer.pointer.ATOMIC", False)
    first, second = ran(root, 2)
    assert published(root) == second
    back(root)
    assert published(root) == first
    assert _ids(root) == []


def test_a_process_killed_between_the_two_steps_is_mended_by_the_next_one(root: Path) -> None:
    first, second = ran(root, 2)
    area = Area(root / "data/local")
    os.rename(area.current, area.root / ".current.old")
    os.symlink(f"versions/{first}", area.root / f".current-{first}")
    assert area.published() is None
    assert publish.recover(area) == area.versions / second
    assert published(root) == second
    assert _ids(root) == []


def test_a_link_with_an_absolute_target_is_ours_only_where_the_target_is(root: Path, tmp_path: Path) -> None:
    (only,) = ran(root, 1)
    area = Area(root / "data/local")
    area.current.unlink()
    os.symlink(area.versions / only, area.current)  # as a junction of Windows has it
    assert published(root) == only
    area.current.unlink()
    os.symlink(tmp_path / "elsewhere" / "versions" / only, area.current)
    with pytest.raises(UsageError, match="not to a version"):
        area.published()
