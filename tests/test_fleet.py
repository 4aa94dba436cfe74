"""`outer fleet`: many products at once, and none of them is passed over in silence."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import fleets
import products
import suite_repo
from fleets import wish
from outer.check import check
from outer.cli import main
from outer.declared import policies
from outer.errors import FINDINGS, NOTHING_CHECKED, PASS, USAGE, NothingChecked, UsageError
from outer.fleet import facts, git, pool
from outer.fleet import wish as wishes
from outer.fleet.impact import impact
from outer.fleet.journal import Journal
from outer.fleet.members import Member, members
from outer.fleet.mesh import mesh
from outer.fleet.pool import Job, work
from outer.fleet.progress import Progress
from outer.fleet.status import Row, status
from outer.fleet.wish import cache_folder
from outer.product import DESCRIPTOR, WAIVERS, load
from outer.rollback.command import rollback
from outer.run import run
from outer.talk import Talk

NOW = datetime.now(UTC)
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
AIRLINES = "outer/contracts/output/airlines.v1.odcs.yaml"


def rows(found: Sequence[Row]) -> dict[str, Row]:
    return {row.product: row for row in found}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} does not hold {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# --- Which products ---------------------------------------------------------------------------------------------------


def test_products_are_found_in_folders_below_and_each_once(fleet: Path, tmp_path: Path) -> None:
    (fleet / "team").mkdir()
    shutil.copytree(fleet / "product-0001", fleet / "team" / "shop", symlinks=True)
    found = members((fleet, fleet / "product-0002"), tmp_path / "cache", Progress(quiet=True), jobs=2)
    assert [m.name for m in found] == ["product-0001", "product-0002", "product-0003", "source-0000", "team/shop"]


def test_a_file_of_git_addresses_is_cloned_and_fetched_again(fleet: Path, tmp_path: Path) -> None:
    origin = fleet / "product-0001"
    listed = tmp_path / "products.txt"
    listed.write_text(f"# ours\n{origin.as_uri()}\n\n{tmp_path.as_uri()}/nowhere # gone\n")
    cache, quiet = tmp_path / "cache", Progress(quiet=True)
    first, broken = members((listed,), cache, quiet, jobs=2)
    assert not first.broken
    assert git.head(first.root) == git.head(origin)
    assert "cannot be read" in broken.broken
    suite_repo.write(origin, {"outer/NOTES.md": "new\n"})
    suite_repo.commit(origin)
    again, _ = members((listed,), cache, quiet, jobs=2)
    assert (again.root / "outer/NOTES.md").is_file()


def test_a_clone_is_found_whatever_it_is_called(fleet: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("data", "build"), start=1):
        (fleet / f"product-000{number}").rename(fleet / name)
    found = members((fleet,), tmp_path / "cache", Progress(quiet=True), jobs=1)
    assert [m.name for m in found] == ["build", "data", "product-0003", "source-0000"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_folder_that_may_not_be_looked_into_is_a_red_row(fleet: Path) -> None:
    closed = fleet / "product-0001"
    closed.chmod(0)
    try:
        found = status(wish(fleet))
    finally:
        closed.chmod(0o755)
    assert len(found.rows) == 4
    assert [(row.product, row.gate) for row in found.red] == [("product-0001", "unreadable")]
    assert "cannot be read" in found.red[0].reason


def test_a_file_of_git_addresses_may_begin_with_a_mark_of_its_order_of_bytes(fleet: Path, tmp_path: Path) -> None:
    listed = tmp_path / "products.txt"
    listed.write_bytes(b"\xef\xbb\xbf" + f"{(fleet / 'product-0001').as_uri()}\r\n".encode())
    (one,) = members((listed,), tmp_path / "cache", Progress(quiet=True), jobs=1)
    assert (one.name, one.broken) == ("product-0001", "")


@pytest.mark.parametrize(
    ("line", "why"),
    [("not an address", "no git address"), ("https://me:secret@git.example.com/a.git", "user name or password")],
)
def test_a_line_that_is_no_address_is_refused_with_its_place(line: str, why: str, tmp_path: Path) -> None:
    listed = tmp_path / "products.txt"
    listed.write_text(f"\n{line}\n")
    with pytest.raises(UsageError, match=f"products.txt:2: .*{why}") as refused:
        members((listed,), tmp_path / "cache", Progress(quiet=True), jobs=1)
    assert "secret" not in str(refused.value)


def test_no_product_at_all_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["status"],
        ["impact", "--policy", "CON007"],
        ["catalog", "--to", str(tmp_path / "site")],
        ["mesh"],
    ):
        assert main(["fleet", command[0], str(tmp_path), *command[1:]]) == NOTHING_CHECKED
        assert "no data product was found" in capsys.readouterr().err


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        status(wish(tmp_path / "nowhere"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="neither a folder nor a file"):
        status(wish(tmp_path / "pipe"))


def test_the_head_of_a_product_is_read_as_git_tells_it(fleet: Path) -> None:
    root = fleet / "product-0001"
    told = suite_repo.git(root, "rev-parse", "HEAD").strip()
    assert git.head(root) == told
    suite_repo.git(root, "pack-refs", "--all")
    assert git.head(root) == told
    suite_repo.git(root, "checkout", "--quiet", "--detach")
    assert git.head(root) == told
    suite_repo.git(root, "worktree", "add", "--quiet", "-b", "side", str(fleet / "side"))
    assert git.head(fleet / "side") == told
    assert git.head(root, "refs/heads/side") == git.head(fleet / "side", "refs/heads/main") == told
    assert git.head(root, "refs/heads/nowhere") == ""


# --- The worker processes ---------------------------------------------------------------------------------------------


def test_a_process_that_dies_fails_its_job_and_no_other(fleet: Path) -> None:
    good = Job(
        "outer.fleet.facts:read",
        {"root": str(fleet / "product-0001"), "environment": "local", "as_of": NOW.isoformat()},
    )
    answers = dict(work([good, Job("os:_exit", {"status": 3}), good, good], 2))
    assert len(answers) == 4
    assert "ended, or hung" in answers[1].error
    assert all(answers[number].value["name"] == "product-0001" for number in (0, 2, 3))


def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, answer),) = work([Job("time:sleep", {})], 1)
    assert "internal error" in answer.error  # it wants to know how long: a defect is told, and ends nothing
    monkeypatch.setattr(pool, "PATIENCE", 1.0)
    ((_, answer),) = work([Job("signal:pause", {})], 1)
    assert "ended, or hung" in answer.error


def test_a_run_that_was_stopped_goes_on_where_it_stopped(fleet: Path, tmp_path: Path) -> None:
    member, other = Member("a", fleet / "product-0001"), Member("b", fleet / "product-0002")
    journal = Journal(tmp_path, "status", {"day": "today"}, fresh=False)
    journal.note(member, {"kept": 1})
    journal.note(other, {"kept": 2})
    edit(other.root / DESCRIPTOR, "visibility", "visibility")  # rewritten: no longer what was looked at
    (other.root / "outer/NOTES.md").write_text("new\n")
    again = Journal(tmp_path, "status", {"day": "today"}, fresh=False)
    assert again.known(member) == {"kept": 1}
    assert again.known(other) is None
    assert Journal(tmp_path, "status", {"day": "tomorrow"}, fresh=False).known(member) is None
    suite_repo.commit(member.root)  # the files are as they were, but what was refused for them may be fine now
    assert again.known(member) is None
    assert Journal(tmp_path, "status", {"day": "today"}, fresh=True).known(member) is None


@pytest.mark.parametrize(("fresh", "kept"), [(False, 2), (True, 0)])
def test_what_a_stopped_run_has_seen_is_not_looked_at_again(
    fleet: Path, fresh: bool, kept: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with wishes.fleet(wish(fleet)) as found:
        looking = found.survey("status")
        assert next(looking).member.name != next(looking).member.name
        looking.close()
    assert status(wish(fleet, quiet=False, fresh=fresh)).exit_code == PASS
    assert (f"{kept} of 4 are done already" in capsys.readouterr().err) == bool(kept)


def test_a_run_that_came_to_its_end_leaves_nothing_to_go_on_with(fleet: Path) -> None:
    assert status(wish(fleet)).exit_code == PASS
    assert not list((cache_folder() / "unfinished").glob("status-*"))


def test_progress_is_a_bar_on_a_terminal_and_plain_lines_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def told(stream: io.StringIO, *, quiet: bool = False) -> str:
        progress = Progress(quiet=quiet, stream=stream)
        progress.begin("looking", 20)
        for number in range(20):
            progress.advance(f"p{number}\x1b[2J")
        progress.end()
        return stream.getvalue()

    plain = told(io.StringIO())
    assert "\r" not in plain
    assert "\x1b" not in plain
    assert 5 <= plain.count("\n") <= 12
    assert "[####" in told(Terminal())
    assert "\x1b[2J" not in told(Terminal())
    assert told(io.StringIO(), quiet=True) == ""


# --- Status -----------------------------------------------------------------------------------------------------------


def test_a_fleet_in_order_is_green(fleet: Path) -> None:
    found = status(wish(fleet))
    assert found.exit_code == PASS
    assert [row.gate for row in found.rows] == ["pass"] * 4
    assert "pass: 4 products, 0 red" in found.text(colour=False)
    told = json.loads(found.as_json())
    assert told["products"][0]["id"] == "urn:dmb:dp:aviation:product-0001:1"
    assert told["products"][0]["commit"] == git.head(fleet / "product-0001")


def test_one_broken_product_is_a_red_row_and_stops_nobody(fleet: Path) -> None:
    (fleet / "product-0001" / DESCRIPTOR).write_text("a: [\n")
    (fleet / "product-0002" / CONTRACT).unlink()
    (fleet / "product-0003" / ".copier-answers.yml").write_text("_commit: v0.1.0\nblueprint: [nonsense]\n")
    lost = Path(shutil.copytree(fleet / "product-0003", fleet / "lost", symlinks=True))
    shutil.rmtree(lost / "outer")
    (lost / "outer").write_text("a file\n")
    found = status(wish(fleet))
    row = rows(found.rows)
    assert found.exit_code == FINDINGS
    assert row["source-0000"].state == "good"
    assert row["product-0001"].gate == "unreadable"
    assert "it is not YAML" in row["product-0001"].reason
    assert row["lost"].reason.startswith("is not a data product: it has no folder outer/")
    assert row["product-0002"].state == "bad"
    assert row["product-0003"].state == "bad"
    assert all(row[f"product-000{n}"].reason for n in (1, 2, 3))
    assert (row["product-0001"].facts.run.said, row["source-0000"].facts.run.said) == ("not known", "never")
    judged = impact(wish(fleet / "lost", fleet / "source-0000"), policy="CON007").text(colour=False)
    assert "1 could not be judged" in judged
    assert "what mends it" not in judged
    quiet = found.text(colour=False, quiet=True)
    assert "source-0000" not in quiet
    assert "product-0003" in quiet


def test_drift_is_told_by_file(fleet: Path) -> None:
    with (fleet / "product-0002/AGENTS.md").open("a") as file:
        file.write("mine\n")
    (fleet / "product-0002/CODEOWNERS").unlink()
    row = rows(status(wish(fleet)).rows)["product-0002"]
    assert set(row.drift) == {"AGENTS.md", "CODEOWNERS"}
    assert row.gate == "fail"


def test_each_product_is_judged_by_the_release_that_it_is_pinned_to(fleet: Path, later: Path) -> None:
    updated = fleet / "product-0001"
    suite_repo.update(fleets.from_suite(updated, later), "v0.3.0")
    found = status(wish(fleet, suite=later))
    row = rows(found.rows)
    assert found.newest == "v0.3.0"
    assert (row["product-0001"].facts.pin, row["product-0001"].lag) == ("v0.3.0", 0)
    assert "availability" in row["product-0001"].reason  # what v0.3.0 asks for
    assert (row["product-0002"].facts.pin, row["product-0002"].lag) == ("v0.1.0", 2)
    assert row["product-0002"].gate == "pass"
    assert row["product-0002"].state == "warn"


def test_a_product_that_nobody_here_can_judge_is_red(fleet: Path) -> None:
    edit(fleet / "product-0001/.copier-answers.yml", "_commit: v0.1.0", "_commit: v9.0.0")
    row = rows(status(wish(fleet)).rows)["product-0001"]
    assert (row.gate, row.state) == ("not judged", "bad")
    assert "the suite has no release `v9.0.0`" in row.reason
    assert str(suite_repo.ROOT) not in row.reason
    assert row.facts.name == "product-0001"  # what can be read is still told


def test_waivers_that_end_soon_are_told(fleet: Path) -> None:
    def waive(days: int) -> str:
        until = (NOW + timedelta(days=days)).date()
        return (
            "waivers:\n  - rule: DES002\n    place: outer/data-product.odps.yaml\n    reason: It comes later.\n"
            f'    owner: a@example.com\n    approver: b@example.com\n    expires: "{until}"\n'
        )

    (fleet / "product-0001" / WAIVERS).write_text(waive(12))
    (fleet / "product-0002" / WAIVERS).write_text(waive(60))
    row = rows(status(wish(fleet)).rows)
    assert [(one.rule, one.days) for one in row["product-0001"].ending] == [("DES002", 12)]
    assert row["product-0002"].ending == ()
    assert "DES002 12 d left" in status(wish(fleet)).text(colour=False)


def test_the_last_run_and_the_promises_are_told(tmp_path: Path) -> None:
    root = products.build_product(tmp_path / "tiny", service_levels=products.FRESH)
    never = facts.facts(facts.read(str(root), "local", NOW.isoformat()))
    assert (never.run.state, never.sla) == ("none", "none")
    receipt = run(root, talk=Talk(quiet=True))
    published = datetime.fromisoformat(receipt.finished)
    fresh = facts.facts(facts.read(str(root), "local", (published + timedelta(hours=1)).isoformat()))
    assert (fresh.run.state, fresh.sla) == ("good", "good")
    assert "published 1 h ago" in fresh.run.said
    late = facts.facts(facts.read(str(root), "local", (published + timedelta(hours=25)).isoformat()))
    assert late.sla == "bad"
    assert facts.facts(facts.read(str(root), "prod", NOW.isoformat())).run.state == "none"


def test_a_failed_run_is_red(tmp_path: Path) -> None:
    root = products.build_product(tmp_path / "tiny")
    receipt = run(root, talk=Talk(quiet=True))
    failed = replace(receipt, run_id="29991231T000000Z-000000", outcome="failed", reason="No room left.")
    (root / f"data/local/receipts/{failed.run_id}.json").write_bytes(failed.as_json())
    told = facts.facts(facts.read(str(root), "local", NOW.isoformat()))
    assert told.run.state == "bad"
    assert "No room left." in told.run.said


def test_a_product_that_was_rolled_back_asks_for_a_look(tmp_path: Path) -> None:
    root = products.build_product(tmp_path / "tiny", service_levels=products.FRESH)
    quiet = Talk(quiet=True)
    first, _ = run(root, talk=quiet), run(root, talk=quiet)
    made = rollback(root, environment="local", to=None, reason="rows are doubled", wait=10, talk=quiet)
    assert made.restored == first.run_id
    now = datetime.fromisoformat(made.finished) + timedelta(hours=2)
    told = facts.facts(facts.read(str(root), "local", now.isoformat()))
    assert (told.run.state, told.run.run_id) == ("warn", made.run_id)
    assert told.run.said == "rolled back 2 h ago: rows are doubled"


def test_a_receipt_that_nobody_can_read_is_red_and_named_from_the_root(tmp_path: Path) -> None:
    root = products.build_product(tmp_path / "tiny")
    receipt = run(root, talk=Talk(quiet=True))
    path = root / f"data/local/versions/{receipt.run_id}/receipt.json"
    path.chmod(0o644)
    path.write_text('{"format": 2}')
    told = facts.facts(facts.read(str(root), "local", NOW.isoformat()))
    assert told.run.state == "bad"
    assert told.run.said.startswith(f"data/local/versions/{receipt.run_id}/receipt.json: the receipt cannot be read")


def test_published_data_that_are_gone_are_red(tmp_path: Path) -> None:
    root = products.build_product(tmp_path / "tiny")
    receipt = run(root, talk=Talk(quiet=True))
    folder = root / f"data/local/versions/{receipt.run_id}"
    folder.chmod(0o755)
    (folder / "words.parquet").unlink()
    told = facts.facts(facts.read(str(root), "local", receipt.finished))
    assert told.run.state == "bad"
    assert told.run.said == "published under 1 s ago, but words.parquet is gone since"


def test_words_of_a_product_steer_no_terminal(fleet: Path) -> None:
    edit(fleet / "product-0001" / DESCRIPTOR, "visibility", "visi\\u001b[31mbility")
    name = fleet / "red\x1b[31m"
    (fleet / "product-0002").rename(name)
    assert "\x1b" not in status(wish(fleet)).text(colour=False)


# --- Impact -----------------------------------------------------------------------------------------------------------


def test_the_forecast_of_a_draft_equals_what_is_enforced_later(fleet: Path, tmp_path: Path) -> None:
    with (fleet / "product-0002" / DESCRIPTOR).open("a") as file:
        file.write("- {property: costCentre, value: A-17}\n")
    draft = tmp_path / "cost.yaml"
    draft.write_text(f"{fleets.COST_CENTRE}draft: true\n")
    found = impact(wish(fleet), draft=draft)
    assert found.exit_code == FINDINGS
    assert {hit.product: hit.word for hit in found.hits} == {
        "product-0001": "fails", "product-0002": "passes", "product-0003": "fails", "source-0000": "fails",
    }  # fmt: skip
    assert "Add the custom property costCentre." in found.text(colour=False)
    (tmp_path / "released").mkdir()
    (tmp_path / "released/cost.yaml").write_text(fleets.COST_CENTRE)
    for hit in found.hits:
        later = check(load(hit.root), NOW.date(), policies(tmp_path / "released"))
        assert [(f.rule, f.path, f.place.line, f.message) for f in later.findings] == [
            (f.rule, f.path, f.line, f.message) for f in hit.verdict.findings
        ]
        assert later.passed == (hit.state != "bad")


def test_the_forecast_of_a_policy_in_grace_is_what_its_day_brings(fleet: Path, tmp_path: Path) -> None:
    draft = tmp_path / "cost.yaml"
    draft.write_text(f'{fleets.COST_CENTRE}enforced_from: "2999-01-01"\n')
    found = impact(wish(fleet), draft=draft)
    assert {hit.word for hit in found.hits} == {"fails"}
    (tmp_path / "released").mkdir()
    shutil.copyfile(draft, tmp_path / "released/cost.yaml")
    today = check(load(fleet / "product-0001"), NOW.date(), policies(tmp_path / "released"))
    that_day = check(load(fleet / "product-0001"), date(2999, 1, 1), policies(tmp_path / "released"))
    assert today.passed
    assert not that_day.passed


def test_a_rule_that_everybody_keeps_would_fail_nobody(fleet: Path) -> None:
    found = impact(wish(fleet), policy="con007")
    assert found.exit_code == PASS
    assert found.text(colour=False, quiet=True) == ""
    with pytest.raises(NothingChecked, match="no product has anything"):
        impact(wish(fleet), policy="WAI001")  # judges waivers, and there is none
    with pytest.raises(UsageError, match="there is no rule"):
        impact(wish(fleet), policy="CON999")


def test_a_draft_that_would_be_passed_over_is_refused(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "_cost.yaml").write_text(fleets.COST_CENTRE)
    with pytest.raises(UsageError, match="would be passed over"):
        impact(wish(fleet), draft=tmp_path / "_cost.yaml")
    with pytest.raises(UsageError, match="no file of a policy"):
        impact(wish(fleet), draft=tmp_path / "nowhere.yaml")
    (tmp_path / "cost.yaml").write_text("a: [\n")
    with pytest.raises(UsageError, match=f"^{tmp_path}/cost.yaml:2: it is not YAML"):
        impact(wish(fleet), draft=tmp_path / "cost.yaml")


def test_since_when_is_the_commit_that_brought_it(fleet: Path) -> None:
    root = fleet / "product-0001"

    def commit(day: str) -> None:
        git.ask(root, "add", "--all")
        git.ask(root, "commit", "--quiet", "-m", day, variables={"GIT_COMMITTER_DATE": f"{day}T12:00:00Z"})

    edit(root / CONTRACT, "  - property: retention", "  - property: keeping")
    commit("2020-02-02")
    with (root / DESCRIPTOR).open("a") as file:
        file.write("# said again\n")
    commit("2021-03-03")
    (hit,) = impact(wish(root), policy="CON007").hits
    assert hit.word == "fails"
    assert hit.since == "2020-02-02"
    edit(root / CONTRACT, "  - property: supportHours", "  - property: hours")  # not committed
    (hit,) = impact(wish(root), policy="CON007").hits
    assert sorted((found.since or "")[:10] for found in hit.verdict.findings) == ["", "2020-02-02"]


GPG = """#!/bin/sh
case "$*" in
*--verify*) echo "gpg: Good signature" >&2 ;;
*) cat >/dev/null; printf '\\n[GNUPG:] SIG_CREATED \\n' >&2; echo "-----BEGIN PGP SIGNATURE-----" ;;
esac
"""
"""Signs with a line, and finds every signature good."""


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_since_when_is_told_also_where_git_shows_signatures(fleet: Path, tmp_path: Path) -> None:
    root, gpg = fleet / "product-0001", tmp_path / "gpg"
    gpg.write_text(GPG)
    gpg.chmod(0o755)
    for name, value in {"gpg.program": gpg, "commit.gpgSign": "true", "log.showSignature": "true"}.items():
        git.ask(root, "config", name, str(value))
    edit(root / CONTRACT, "  - property: retention", "  - property: keeping")
    day = {"GIT_COMMITTER_DATE": "2020-02-02T12:00:00Z"}
    git.ask(root, "commit", "--quiet", "--all", "--message", "Signed", variables=day)
    assert "Good signature" in suite_repo.git(root, "log", "-1")
    (hit,) = impact(wish(root), policy="CON007").hits
    assert hit.since == "2020-02-02"


def test_a_waiver_stands_against_a_forecast_until_it_ends(fleet: Path) -> None:
    root = fleet / "product-0001"
    edit(root / CONTRACT, "  - property: retention", "  - property: keeping")
    until = (NOW + timedelta(days=10)).date()
    (root / WAIVERS).write_text(
        f"waivers:\n  - rule: CON007\n    place: {CONTRACT}\n    reason: Comes with the new store.\n"
        f'    owner: a@example.com\n    approver: b@example.com\n    expires: "{until}"\n'
    )
    (hit,) = impact(wish(root), policy="CON007").hits
    assert hit.word == "waived"
    (hit,) = impact(wish(root, as_of=NOW + timedelta(days=11)), policy="CON007").hits
    assert hit.word == "fails"


def test_the_forecast_of_a_standard_equals_the_gate_after_the_update(fleet: Path, later: Path) -> None:
    for name in ("product-0001", "product-0002"):
        fleets.from_suite(fleet / name, later)
    edit(
        fleet / "product-0002" / CONTRACT,
        "slaProperties:\n",
        "slaProperties:\n  - {property: availability, value: 99, unit: '%'}\n",
    )
    suite_repo.commit(fleet / "product-0002")
    for name in ("product-0003", "source-0000"):
        shutil.rmtree(fleet / name)
    before = suite_repo.contents(fleet)
    found = impact(wish(fleet, suite=later), standard="v0.3.0")
    assert suite_repo.contents(fleet) == before
    assert {hit.product: hit.word for hit in found.hits} == {"product-0001": "fails", "product-0002": "passes"}
    made = suite_repo.git(fleet / "product-0001", "log", "--format=%cs", "--max-parents=0").strip()
    assert found.hits[0].since == made
    for hit in found.hits:
        suite_repo.update(hit.root, "v0.3.0")
    row = rows(status(wish(fleet, suite=later)).rows)
    for hit in found.hits:
        assert row[hit.product].errors == len(hit.failing)
        if hit.failing:
            assert hit.failing[0].message in row[hit.product].reason


# --- Mesh -------------------------------------------------------------------------------------------------------------


def test_pins_that_their_producers_keep_are_fine(fleet: Path) -> None:
    found = mesh(wish(fleet))
    assert found.exit_code == PASS
    fine = [(pin.consumer, pin.producer) for pin in found.pins if pin.fit == "fine"]
    assert fine == [(f"product-000{n}", "source-0000") for n in (1, 2, 3)]
    assert {pin.producer for pin in found.pins if pin.fit == "no producer"} == {"aviation:nyc-flights"}


def test_a_change_of_a_producer_names_every_consumer_that_it_breaks(fleet: Path) -> None:
    source = fleet / "source-0000"
    edit(source / AIRLINES, "- name: name\n", "- name: airline\n")
    found = mesh(wish(fleet), producer=source)
    assert found.exit_code == FINDINGS
    assert [pin.consumer for pin in found.pins if pin.fit == "breaks"] == [
        "product-0001",
        "product-0002",
        "product-0003",
    ]
    said = found.text(colour=False)
    assert "column `name` was removed" in said
    assert "aviation-data@example.com" in said


def test_what_was_broken_before_fails_nothing(fleet: Path) -> None:
    source = fleet / "source-0000"
    edit(source / AIRLINES, "- name: name\n", "- name: airline\n")
    suite_repo.commit(source)
    edit(source / AIRLINES, "description: One airline.", "description: An airline.")
    found = mesh(wish(fleet), producer=source, base="HEAD")
    assert found.exit_code == PASS
    assert {pin.fit for pin in found.pins} == {"broken before"}
    assert mesh(wish(fleet), producer=source, base="HEAD~1").exit_code == FINDINGS


def test_what_was_broken_before_is_known_in_a_repository_of_many_products(fleet: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for name in ("source-0000", "product-0001"):
        shutil.copytree(fleet / name, both / "teams" / name, ignore=shutil.ignore_patterns(".git"))
    source = both / "teams/source-0000"
    suite_repo.start(both)
    edit(source / AIRLINES, "- name: name\n", "- name: airline\n")
    assert mesh(wish(both), producer=source, base="HEAD").exit_code == FINDINGS
    suite_repo.commit(both)
    assert {pin.fit for pin in mesh(wish(both), producer=source, base="HEAD").pins} == {"broken before"}
    with pytest.raises(UsageError, match=r"--base `nowhere`: .* not a valid object name"):
        mesh(wish(both), producer=source, base="nowhere")


def test_a_port_that_its_producer_has_given_up_breaks_its_consumers(fleet: Path) -> None:
    source = fleet / "source-0000"
    (source / AIRLINES).rename(source / "outer/contracts/output/carriers.v1.odcs.yaml")
    edit(source / "outer/contracts/output/carriers.v1.odcs.yaml", ":1:airlines", ":1:carriers")
    for path in (source / DESCRIPTOR, source / "inner/inner.yaml"):
        text = path.read_text(encoding="utf-8")
        outputs, name = text.partition("outputPorts:"), "airlines"
        after = outputs[2].replace(":1:airlines", ":1:carriers", 1).replace(f"name: {name}", "name: carriers", 1)
        path.write_text(
            outputs[0] + outputs[1] + after
            if outputs[1]
            else text.replace("- airlines\n  depends", "- carriers\n  depends")
        )
    edit(source / "outer/contracts/output/carriers.v1.odcs.yaml", "name: airlines", "name: carriers")
    fleets.edit(source / "inner/inner.yaml", lambda value: value["workloads"][0].update(writes=["carriers"]))
    found = mesh(wish(fleet), consumer=fleet / "product-0001")
    (pin,) = [pin for pin in found.pins if pin.producer == "source-0000"]
    assert pin.fit == "breaks"
    assert "no longer offers" in pin.said[0]
    assert found.exit_code == FINDINGS


def test_a_pin_is_held_against_every_product_that_offers_its_contract(fleet: Path) -> None:
    """A copy of a product offers the same contracts: which of the two is meant, nobody knows."""
    shutil.copytree(fleet / "source-0000", fleet / "zource-0000")
    edit(fleet / "zource-0000" / AIRLINES, "- name: name\n", "- name: airline\n")
    found = mesh(wish(fleet), consumer=fleet / "product-0001")
    fits = {pin.producer: pin.fit for pin in found.pins}
    assert (fits["source-0000"], fits["zource-0000"]) == ("fine", "breaks")
    assert found.exit_code == FINDINGS


def test_a_pin_whose_producer_cannot_be_read_or_is_unknown_could_not_run(fleet: Path) -> None:
    one = fleet / "product-0001"
    found = mesh(wish(fleet), consumer=one)
    assert {pin.producer: pin.fit for pin in found.pins} == {
        "source-0000": "fine",
        "aviation:nyc-flights": "no producer",
    }
    assert found.exit_code == USAGE  # one of the two pins could not be looked at
    edit(fleet / "source-0000" / AIRLINES, "kind: DataContract", "kind: [")
    found = mesh(wish(fleet), consumer=one)
    assert found.exit_code == USAGE
    assert "fine" not in {pin.fit for pin in found.pins}


def test_a_consumer_that_cannot_be_read_is_no_consumer_that_is_fine(fleet: Path) -> None:
    (fleet / "product-0003" / DESCRIPTOR).write_text("a: [\n")
    found = mesh(wish(fleet), producer=fleet / "source-0000")
    assert found.exit_code == USAGE
    assert found.broken[0][0] == "product-0003"


def test_nothing_to_compare_is_no_pass(fleet: Path) -> None:
    with pytest.raises(NothingChecked, match="nothing to compare"):
        mesh(wish(fleet / "product-0001", fleet / "product-0002"))
    with pytest.raises(UsageError, match="--base"):
        mesh(wish(fleet), base="HEAD")


# --- For machines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("status", []), ("impact", ["--policy", "CON007"]), ("mesh", []),
        ("update", ["--suite", "LATER", "--to", "v0.2.0", "--dry-run"]),
    ],
)  # fmt: skip
def test_machines_get_every_key_that_the_reference_names(
    command: str, more: list[str], fleet: Path, later: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "impact":
        edit(fleet / "product-0001" / CONTRACT, "  - property: retention", "  - property: keeping")
    words = [str(later) if word == "LATER" else word for word in more]
    assert main(["fleet", command, str(fleet), *words, "--format", "json", "--quiet", "--jobs", "1"]) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == 1
    reference = (suite_repo.ROOT / "docs/reference/fleet.md").read_text(encoding="utf-8")
    section = reference.split(f"\n## {command}\n")[1].split("\n## ")[0]
    inside: list[object] = [told]
    for line in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", line):
            group, _, key = name.removesuffix("[]").rpartition(".")
            if group:
                inside = told[group.removesuffix("[]")]
            elif not name.startswith("."):
                inside = [told]
            assert inside, f"{name}: there is nothing to look at"
            assert all(key in one for one in inside), f"{name} is not there"  # type: ignore[operator]
