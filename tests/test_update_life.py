"""The standard moves on for two years: releases roll over products of every blueprint, and nobody is surprised."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import fuzz_update
import releases
import suite_repo
from outer.product import DESCRIPTOR, WAIVERS
from outer.update import Migrated, Suite, apply, plan
from releases import FIRST, GRACE_ENDS, SECOND, THIRD
from suite_repo import contents, git, is_seed

BLUEPRINTS = releases.blueprints()
IN_GRACE, ENFORCED = date(2039, 12, 31), date.fromisoformat(GRACE_ENDS)


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with Suite.at(releases.build(tmp_path_factory.mktemp("history") / "suite")) as suite:
        yield suite


@pytest.fixture(scope="module")
def made(standard: Suite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A product of each blueprint, as this release makes it. Shared: copy it."""
    folder = tmp_path_factory.mktemp("made")
    return {
        name: suite_repo.start(suite_repo.render(folder / name, standard.source, blueprint=name)) for name in BLUEPRINTS
    }


def moved(product: Path, standard: Suite, version: str, *, migrate: bool = True) -> Migrated:
    """Update the product, migrate it, commit; returns what the gate of that release says today."""
    apply(plan(product, standard, f"v{version}"))
    result = standard.release(f"v{version}").migrate(product, dry_run=not migrate)
    suite_repo.commit(product)
    return result


def judged(product: Path, standard: Suite, version: str, as_of: date) -> Migrated:
    return standard.release(f"v{version}").migrate(product, dry_run=True, as_of=as_of)


@pytest.mark.slow
@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_three_releases_roll_over_a_product_and_it_stays_green(
    blueprint: str, made: dict[str, Path], standard: Suite, tmp_path: Path
) -> None:
    product = Path(shutil.copytree(made[blueprint], tmp_path / "product", symlinks=True))
    before = contents(product)
    for version in (FIRST, SECOND, THIRD):
        done = moved(product, standard, version)
        assert done.passed, done.errors
        assert done.warnings == ()
        assert judged(product, standard, version, ENFORCED).passed
    after = contents(product)
    fresh = contents(suite_repo.render(tmp_path / "fresh", standard.source, f"v{THIRD}", blueprint=blueprint))
    assert {p: d for p, d in after.items() if not is_seed(p)} == {p: d for p, d in fresh.items() if not is_seed(p)}
    assert {p: d for p, d in after.items() if is_seed(p) and p != DESCRIPTOR} == {
        p: d for p, d in before.items() if is_seed(p) and p != DESCRIPTOR
    }
    added = b"  - {property: criticality, value: medium}\n"
    assert after[DESCRIPTOR].replace(added, b"") == before[DESCRIPTOR]
    assert (".renovaterc.json" in after, "renovate.json" in after, ".editorconfig" in after) == (True, False, False)
    assert b"policy list" in after[".github/workflows/data-product.yml"]


def test_one_step_over_three_releases_ends_where_three_steps_end(
    made: dict[str, Path], standard: Suite, tmp_path: Path
) -> None:
    slow = Path(shutil.copytree(made[BLUEPRINTS[0]], tmp_path / "slow", symlinks=True))
    fast = Path(shutil.copytree(made[BLUEPRINTS[0]], tmp_path / "fast", symlinks=True))
    for version in (FIRST, SECOND, THIRD):
        moved(slow, standard, version)
    moved(fast, standard, THIRD)
    assert contents(slow) == contents(fast)
    assert git(fast, "rev-list", "--count", "HEAD") != git(slow, "rev-list", "--count", "HEAD")


@pytest.fixture
def unmigrated(made: dict[str, Path], standard: Suite, tmp_path: Path) -> Path:
    """A product that took the first release and left the migration for later."""
    product = Path(shutil.copytree(made[BLUEPRINTS[0]], tmp_path / "product", symlinks=True))
    moved(product, standard, FIRST, migrate=False)
    return product


def test_a_new_mandatory_field_warns_until_its_day_and_fails_from_then_on(unmigrated: Path, standard: Suite) -> None:
    grace = judged(unmigrated, standard, FIRST, IN_GRACE)
    assert grace.passed
    assert len(grace.warnings) == 1
    assert "ORG001" in grace.warnings[0]
    assert f"(an error from {GRACE_ENDS})" in grace.warnings[0]
    late = judged(unmigrated, standard, FIRST, ENFORCED)
    assert not late.passed
    assert [f"{DESCRIPTOR}:" in error and "ORG001" in error for error in late.errors] == [True]


def test_a_migration_gives_the_new_field_its_value(unmigrated: Path, standard: Suite) -> None:
    done = standard.release(f"v{FIRST}").migrate(unmigrated, as_of=ENFORCED)
    assert (done.files, done.passed, done.warnings) == ((DESCRIPTOR,), True, ())
    again = standard.release(f"v{FIRST}").migrate(unmigrated, as_of=ENFORCED)
    assert (again.files, again.steps) == ((), ())


def test_a_waiver_gives_time_until_it_expires(unmigrated: Path, standard: Suite) -> None:
    (unmigrated / WAIVERS).write_text(
        f"waivers:\n  - {{rule: ORG001, place: {DESCRIPTOR}, reason: The committee meets in February.,\n"
        "     owner: a@example.com, approver: b@example.com, expires: '2040-02-15'}\n"
    )
    assert judged(unmigrated, standard, FIRST, ENFORCED).passed
    assert judged(unmigrated, standard, FIRST, date(2040, 2, 15)).passed
    assert not judged(unmigrated, standard, FIRST, date(2040, 2, 16)).passed


def test_a_draft_is_silent_then_warns_then_fails_then_is_retired(
    made: dict[str, Path], standard: Suite, tmp_path: Path
) -> None:
    product = Path(shutil.copytree(made[BLUEPRINTS[0]], tmp_path / "product", symlinks=True))
    text = (product / DESCRIPTOR).read_text()
    line = next(line for line in text.splitlines() if line.startswith("  limitations:"))
    (product / DESCRIPTOR).write_text(text.replace(line, "  limitations: None that we know of."))
    suite_repo.commit(product)

    def said(version: str, as_of: date) -> tuple[int, int]:
        found = judged(product, standard, version, as_of)
        return sum("ORG002" in one for one in found.errors), sum("ORG002" in one for one in found.warnings)

    moved(product, standard, FIRST)
    assert said(FIRST, date(2050, 1, 1)) == (0, 0)
    moved(product, standard, SECOND)
    assert said(SECOND, date(2040, 12, 31)) == (0, 1)
    assert said(SECOND, date(2041, 1, 1)) == (1, 0)
    moved(product, standard, THIRD)
    assert said(THIRD, date(2050, 1, 1)) == (0, 0)


def test_a_tightened_parameter_is_said_by_the_release_that_brings_it(unmigrated: Path, standard: Suite) -> None:
    """A waiver of two months is fine before the third release, and too long after it."""
    (unmigrated / WAIVERS).write_text(
        f"waivers:\n  - {{rule: ORG001, place: {DESCRIPTOR}, reason: The committee meets in February.,\n"
        "     owner: a@example.com, approver: b@example.com, expires: '2040-02-15'}\n"
    )
    suite_repo.commit(unmigrated)
    assert judged(unmigrated, standard, FIRST, IN_GRACE).passed
    moved(unmigrated, standard, THIRD, migrate=False)
    found = judged(unmigrated, standard, THIRD, IN_GRACE)
    assert any("WAI" in error and WAIVERS in error for error in found.errors), found.errors


# --- Any team, any release -------------------------------------------------------------------------


@pytest.mark.slow
def test_random_histories_against_random_releases_lose_nothing() -> None:
    """The short form of `nox -s fuzz_update`."""
    with tempfile.TemporaryDirectory(dir=fuzz_update.space()) as folder:
        with fuzz_update.Arena(Path(folder), seed=1, releases=3) as arena:
            fuzz_update.fuzz(arena, 80, 1, how=40)
        assert arena.cases["all"] >= 80
        assert arena.cases["edited"] > 10
        assert arena.cases["clean"] > 10
        assert arena.cases["refused"] > 1
        assert arena.cases["through the command, and undone"] >= 1
