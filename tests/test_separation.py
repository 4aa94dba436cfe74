"""Promise 2: the same answers and another blueprint give the same outer, byte for byte, and equal data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import suite_repo

BLUEPRINTS = sorted(path.name for path in (suite_repo.ROOT / "blueprints").iterdir() if path.is_dir())
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "another product": {
        "product_name": "late-flights",
        "title": "Late: flights & more #1",
        "domain": "travel",
        "output_port": "daily_share",
        "ci_host": "gitlab",
        "environments": ["test"],
        "product_type": "aggregate",
    },
    "personal data": {"personal_data": True, "classification": "restricted", "visibility": "domain"},
}


def outer_half(product: Path) -> dict[str, bytes]:
    """Every file of `product` that is not the inner's; of the answers, all but the blueprint."""
    files = {
        name: content
        for name, content in suite_repo.contents(product).items()
        if not name.startswith(("inner/", "data/"))
    }
    answers = yaml.safe_load(files.pop(".copier-answers.yml"))
    assert answers.pop("blueprint") in BLUEPRINTS
    files["answers"] = json.dumps(answers, sort_keys=True).encode()
    return files


def differences(left: Mapping[str, bytes], right: Mapping[str, bytes]) -> set[str]:
    return {name for name in left.keys() | right.keys() if left.get(name) != right.get(name)}


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS.keys())
def test_another_blueprint_changes_no_byte_of_the_outer(
    answers: Mapping[str, Any], suite: Path, tmp_path: Path
) -> None:
    halves = {
        name: outer_half(suite_repo.render(tmp_path / name, suite, **{**answers, "blueprint": name}))
        for name in BLUEPRINTS
    }
    for left, right in combinations(BLUEPRINTS, 2):
        assert differences(halves[left], halves[right]) == set()


def test_a_word_of_a_stack_in_the_outer_would_be_found(suite: Path, tmp_path: Path) -> None:
    """The comparison sees what it is made to see: one word that depends on the blueprint, in one outer file."""
    planted = Path(tmp_path / "suite")
    suite_repo.clone(planted)
    readme = planted / "template/README.md.jinja"
    readme.write_text(readme.read_text() + "\nBuilt with {{ blueprint }}.\n")
    suite_repo.commit(planted, "v9.9.9")
    halves = [
        outer_half(suite_repo.render(tmp_path / name, planted, "v9.9.9", blueprint=name)) for name in BLUEPRINTS[:2]
    ]
    assert differences(*halves) == {"README.md"}


@pytest.fixture(scope="module")
def published(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The output port of each blueprint, run by the product's own command on the same samples."""
    folder = tmp_path_factory.mktemp("published")
    ports: dict[str, Path] = {}
    for name in BLUEPRINTS:
        product = suite_repo.render(folder / name, suite, blueprint=name)
        done = subprocess.run(
            [sys.executable, "-m", "outer", "run", "-q"], cwd=product, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        ports[name] = Path(done.stdout.strip())
    return ports


def unequal(left: Path, right: Path) -> int:
    """Rows that only one of the files holds, each as often as it does; -1 where columns or types differ."""
    database = duckdb.connect()
    shapes = [
        database.execute("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))", [str(p)])
        .fetchall() for p in (left, right)
    ]  # fmt: skip
    if shapes[0] != shapes[1]:
        return -1
    query = """
        SELECT count(*) FROM (
            (SELECT * FROM read_parquet($a) EXCEPT ALL SELECT * FROM read_parquet($b))
            UNION ALL (SELECT * FROM read_parquet($b) EXCEPT ALL SELECT * FROM read_parquet($a)))"""
    found = database.execute(query, {"a": str(left), "b": str(right)}).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.slow
def test_every_blueprint_publishes_equal_data(published: Mapping[str, Path]) -> None:
    """Rows and types, without any tolerance: means are whole sums divided by whole counts."""
    for left, right in combinations(BLUEPRINTS, 2):
        assert unequal(published[left], published[right]) == 0


@pytest.mark.slow
def test_a_wrong_number_in_one_inner_would_be_found(published: Mapping[str, Path], tmp_path: Path) -> None:
    good = published[BLUEPRINTS[0]]
    wrong = tmp_path / "wrong.parquet"
    duckdb.read_parquet(str(good)).project(
        "* REPLACE (CASE WHEN carrier = 'UA' AND flight_date = '2013-01-01' THEN cancelled + 1 ELSE cancelled END"
        " AS cancelled)"
    ).write_parquet(str(wrong))
    assert unequal(good, wrong) == 2


@pytest.mark.slow
def test_governance_sees_no_difference_between_blueprints(published: Mapping[str, Path]) -> None:
    """The same rules judged the same clauses of the data with the same outcome."""
    verdicts = []
    for port in published.values():
        receipt = json.loads((port.parent / "receipt.json").read_text())
        assert receipt["outputs"][0]["fingerprint"]
        verdicts.append(
            (
                [(entry["rule"], entry["outcome"], entry.get("expected")) for entry in receipt["audit"]],
                receipt["outputs"][0]["fingerprint"],
                receipt["outer_hash"],
            )
        )
    assert all(verdict == verdicts[0] for verdict in verdicts)
