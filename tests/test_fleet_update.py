"""`outer fleet update`: one branch with one commit each, nothing lost, and no clone touched that is not clean."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import fleets
import suite_repo
from fleets import wish
from outer.errors import FINDINGS, PASS, UsageError
from outer.fleet import update as updating
from outer.fleet.update import Step, update

BRANCH = "standard/v0.2.0"


def steps(*places: Path, suite: Path, to: str = "v0.2.0", **more: Any) -> dict[str, Step]:
    return {one.product: one for one in update(wish(*places, suite=suite), to=to, **more).steps}


@pytest.fixture
def ready(fleet: Path, later: Path) -> Path:
    """The fleet, as made from the suite that has later releases, at its first."""
    for product in fleet.iterdir():
        fleets.from_suite(product, later)
    return fleet


def everything(product: Path) -> tuple[dict[str, bytes], str, str]:
    """Files, branches and state of a clone."""
    git = suite_repo.git
    return suite_repo.contents(product), git(product, "for-each-ref"), git(product, "status", "--porcelain")


def at(product: Path, branch: str, folder: Path) -> dict[str, bytes]:
    """What `branch` of `product` holds."""
    suite_repo.git(product, "worktree", "add", "--quiet", "--detach", str(folder), branch)
    return {path: data for path, data in suite_repo.contents(folder).items() if path != ".git"}


def test_each_product_gets_one_branch_with_one_commit_and_its_tree_is_not_touched(ready: Path, later: Path) -> None:
    before = {product.name: suite_repo.contents(product) for product in ready.iterdir()}
    found = steps(ready, suite=later)
    for name, one in found.items():
        product = ready / name
        assert (one.outcome, one.branch, one.why) == ("clean", BRANCH, ())
        assert suite_repo.contents(product) == before[name]
        assert suite_repo.git(product, "rev-list", "--count", f"HEAD..{BRANCH}").strip() == "1"
        assert suite_repo.git(product, "rev-parse", f"{BRANCH}~1") == suite_repo.git(product, "rev-parse", "HEAD")
        assert suite_repo.git(product, "branch", "--show-current").strip() == "main"
        assert suite_repo.git(product, "worktree", "list").count("\n") == 1


def test_the_branch_holds_what_plain_copier_update_makes(ready: Path, later: Path, tmp_path: Path) -> None:
    product = ready / "product-0001"
    copier = suite_repo.update(Path(shutil.copytree(product, tmp_path / "copier", symlinks=True)), "v0.2.0")
    steps(product, suite=later)
    assert at(product, BRANCH, tmp_path / "tree") == suite_repo.contents(copier)
    assert suite_repo.executable(tmp_path / "tree") == suite_repo.executable(copier)


def test_a_clone_that_is_not_clean_is_refused_and_not_touched(ready: Path, later: Path) -> None:
    (ready / "product-0001/notes.txt").write_text("not committed\n")
    before = everything(ready / "product-0001")
    found = update(wish(ready, suite=later), to="v0.2.0")
    one = {step.product: step for step in found.steps}["product-0001"]
    assert one.outcome == "refused"
    assert "not committed" in one.why[0]
    assert everything(ready / "product-0001") == before
    assert found.exit_code == FINDINGS
    assert sum(step.outcome == "clean" for step in found.steps) == 3


def test_edits_of_managed_files_need_a_person_and_are_kept_as_a_patch(ready: Path, later: Path, tmp_path: Path) -> None:
    product = ready / "product-0001"
    with (product / "AGENTS.md").open("a") as file:
        file.write("our own words\n")
    suite_repo.commit(product)
    one = steps(product, suite=later)["product-0001"]
    assert one.outcome == "needs a person"
    assert "AGENTS.md was edited" in one.why[0]
    tree = at(product, BRANCH, tmp_path / "tree")
    (patch,) = [data for path, data in tree.items() if path.endswith("AGENTS.md.patch")]
    assert b"+our own words" in patch
    assert b"our own words" not in tree["AGENTS.md"]
    assert "## Needs a person" in one.body


def test_a_gate_that_the_update_turns_red_needs_a_person(ready: Path, later: Path) -> None:
    one = steps(ready / "product-0001", suite=later, to="v0.3.0")["product-0001"]
    assert one.outcome == "needs a person"
    assert "availability" in one.why[0]
    assert "Every port promises its availability." in one.body
    assert "The gate is red." in one.body


def test_a_dry_run_tells_the_same_and_changes_nothing(ready: Path, later: Path) -> None:
    before = {product.name: everything(product) for product in ready.iterdir()}
    planned = steps(ready, suite=later, to="v0.3.0", dry_run=True)
    assert {product.name: everything(product) for product in ready.iterdir()} == before
    done = steps(ready, suite=later, to="v0.3.0")
    for name, one in planned.items():
        assert (one.outcome, one.why, one.written, one.body) == (
            done[name].outcome, done[name].why, done[name].written, done[name].body,
        )  # fmt: skip


def test_branches_are_pushed_and_what_cannot_be_pushed_is_rolled_back(ready: Path, later: Path, tmp_path: Path) -> None:
    for name in ("product-0001", "product-0002"):
        origin = tmp_path / f"{name}.git"
        suite_repo.git(tmp_path, "clone", "--quiet", "--bare", str(ready / name), str(origin))
        suite_repo.git(ready / name, "remote", "add", "origin", str(origin))
    shutil.rmtree(tmp_path / "product-0002.git")
    found = steps(ready / "product-0001", ready / "product-0002", suite=later, push=True)
    assert found["product-0001"].pushed
    assert suite_repo.git(tmp_path / "product-0001.git", "rev-parse", BRANCH).strip() == found["product-0001"].commit
    assert found["product-0002"].outcome == "refused"
    assert "could not be pushed" in found["product-0002"].why[0]
    assert suite_repo.git(ready / "product-0002", "branch", "--list", BRANCH) == ""


def test_a_failure_in_the_middle_leaves_nothing_behind(
    ready: Path, later: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    product = ready / "product-0001"
    before = everything(product)
    (tmp_path / "nobody").write_text("[user]\n  useConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "nobody"))  # git refuses to commit for nobody
    one = steps(product, suite=later)["product-0001"]
    monkeypatch.undo()
    assert one.outcome == "refused"
    assert "git commit" in one.why[0]
    assert everything(product) == before
    assert suite_repo.git(product, "worktree", "list").count("\n") == 1


def test_what_was_done_before_is_not_done_again(ready: Path, later: Path) -> None:
    first = steps(ready, suite=later)
    again = steps(ready, suite=later)
    assert {name: one.commit for name, one in again.items()} == {name: one.commit for name, one in first.items()}
    assert {one.outcome for one in again.values()} == {"clean"}


def test_a_branch_that_was_deleted_after_a_stopped_run_is_made_again(
    ready: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:  # what a run that is killed leaves: its journal
        stopped.setattr(updating.Journal, "close", lambda journal: None)
        first = steps(ready, suite=later)
    suite_repo.git(ready / "product-0001", "branch", "-D", BRANCH)
    suite_repo.git(ready / "product-0002", "commit", "--quiet", "--allow-empty", "--message", "Go on")
    again = steps(ready, suite=later)
    for name in ("product-0003", "source-0000"):
        assert again[name] == first[name]
    assert again["product-0001"].outcome == "clean"
    assert suite_repo.git(ready / "product-0001", "rev-parse", BRANCH).strip() == again["product-0001"].commit
    assert again["product-0002"].outcome == "refused"  # its branch does not begin where the product stands now


def test_a_branch_of_somebody_else_is_left_alone(ready: Path, later: Path) -> None:
    product = ready / "product-0001"
    suite_repo.git(product, "branch", BRANCH)
    one = steps(product, suite=later)["product-0001"]
    assert one.outcome == "refused"
    assert "is there already" in one.why[0]
    assert suite_repo.git(product, "rev-parse", BRANCH) == suite_repo.git(product, "rev-parse", "HEAD")
    assert steps(product, suite=later, branch="ours/next")["product-0001"].branch == "ours/next"


def test_a_product_that_is_there_already_needs_no_branch(ready: Path, later: Path) -> None:
    found = update(wish(ready, suite=later), to="v0.1.0")
    assert {one.outcome for one in found.steps} == {"up to date"}
    assert found.exit_code == PASS
    assert suite_repo.git(ready / "product-0001", "branch", "--list", "standard/*") == ""


def test_two_products_of_one_repository_get_a_branch_each(ready: Path, later: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for name in ("product-0001", "product-0002"):
        shutil.copytree(ready / name, both / "teams" / name, ignore=shutil.ignore_patterns(".git"))
    suite_repo.start(both)
    found = steps(both, suite=later)
    assert sorted(one.branch for one in found.values()) == [
        f"{BRANCH}-teams-product-0001",
        f"{BRANCH}-teams-product-0002",
    ]
    changed = suite_repo.git(both, "diff", "--name-only", "HEAD", f"{BRANCH}-teams-product-0001").splitlines()
    assert changed
    assert all(path.startswith("teams/product-0001/") for path in changed)
    (both / "elsewhere.txt").write_text("not committed\n")
    assert {one.outcome for one in steps(both, suite=later, branch="next").values()} == {"refused"}


def test_the_texts_of_pull_requests_are_written(ready: Path, later: Path, tmp_path: Path) -> None:
    steps(ready, suite=later, to="v0.3.0", bodies=tmp_path / "bodies")
    text = (tmp_path / "bodies/product-0001.md").read_text(encoding="utf-8")
    assert "From `v0.1.0` to `v0.3.0`" in text
    assert "- `SECURITY.md`" in text


def test_each_pull_request_has_a_text_of_its_own(ready: Path, later: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("a/b", "a-b", "A-B"), start=1):
        (ready / name).parent.mkdir(exist_ok=True)
        (ready / f"product-000{number}").rename(ready / name)
    steps(ready, suite=later, bodies=tmp_path / "new" / "bodies")
    assert len(list((tmp_path / "new" / "bodies").glob("*.md"))) == 4
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="bodies"):
        update(wish(ready, suite=later), to="v0.3.0", bodies=tmp_path / "file" / "bodies")
    assert "v0.3.0" not in suite_repo.git(ready / "a/b", "branch", "--list")


def test_every_reason_is_told_in_full_however_narrow_the_terminal(ready: Path, later: Path) -> None:
    (ready / "product-0001/notes.txt").write_text("not committed\n")
    shutil.rmtree(ready / "product-0002/.git")
    said = update(wish(ready, suite=later), to="v0.2.0", dry_run=True).text(colour=False, width=60)
    assert "product-0001: the working tree has changes that are not committed: `notes.txt`. Commit them or" in said
    assert "product-0002" in said
    assert "is not in a git repository. `git init`" in said
    assert "4 products to v0.2.0: 2 clean, 2 refused (nothing was changed)" in said


def test_what_makes_no_sense_is_refused(ready: Path, later: Path) -> None:
    with pytest.raises(UsageError, match="no release"):
        update(wish(ready, suite=later), to="v9.9.9")
    with pytest.raises(UsageError, match="--push"):
        update(wish(ready, suite=later), to="v0.2.0", dry_run=True, push=True)
    with pytest.raises(UsageError, match="no name of a branch"):
        update(wish(ready, suite=later), to="v0.2.0", branch="--force")
    with pytest.raises(UsageError, match="cannot be reached"):
        update(wish(ready, suite=later / "nowhere"), to="v0.2.0")
