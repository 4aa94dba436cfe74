"""Promise 2: the same answers and another blueprint give the same outer, byte for byte, and equal data.

Blueprints are found in blueprints/, and every pair of them is compared over a matrix of answers and of inputs. Spark is
on its quick engine here, see conftest.py; tests/test_spark.py shows that its other engines give the same rows.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import suite_repo

CARDS = {
    path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(suite_repo.ROOT.glob("blueprints/*/blueprint.yml"))
}
BLUEPRINTS = list(CARDS)
PAIRS = list(combinations(BLUEPRINTS, 2))
SAMPLE = suite_repo.ROOT / "template" / "outer" / "samples" / "flights.parquet"

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
    "many environments": {"environments": ["dev", "test", "prod"], "classification": "public", "visibility": "public"},
    "odd words": {
        "title": "Pünktlich? «ja» 100 % {{ no }}",
        "purpose": "Who is late: 'A', \"B\" # and C?\n\nA second paragraph.",
        "owner_team": "team-of-2",
        "owner_email": "a.b+c@mail.example.org",
        "output_port": "x",
    },
}

REDELIVERED = """
    SELECT * FROM (
        SELECT * FROM sample
        UNION ALL SELECT * REPLACE (NULL AS arr_delay) FROM sample WHERE flight % 7 = 0
        UNION ALL SELECT * REPLACE (arr_delay + 30 AS arr_delay, dep_delay - 5 AS dep_delay) FROM sample
            WHERE flight % 11 = 0
        UNION ALL SELECT * REPLACE (dep_delay + 9 AS dep_delay) FROM sample WHERE flight % 13 = 0
        UNION ALL SELECT * FROM sample WHERE flight % 5 = 0
        UNION ALL SELECT * REPLACE ('ZZ' AS carrier) FROM sample WHERE flight % 17 = 0 AND day % 4 = 1)
    ORDER BY hash(flight, time_hour), arr_delay, dep_delay"""
"""The sample with flights told twice and thrice, each time differently, and with an airline that nobody named."""


# --- The outer half --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rendered(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The product with some answers and a blueprint. Shared: read it, never change it."""
    folder = tmp_path_factory.mktemp("rendered")

    @cache
    def render(answers: str, blueprint: str) -> Path:
        return suite_repo.render(folder / answers / blueprint, suite, **ANSWERS[answers], blueprint=blueprint)

    return render


def outer_half(product: Path) -> dict[str, bytes]:
    """Every file of `product` that is not the inner's; of the answers, all but the blueprint and what only it asked."""
    files = {
        name: content
        for name, content in suite_repo.contents(product).items()
        if not name.startswith(("inner/", "data/"))
    }
    answers = yaml.safe_load(files.pop(".copier-answers.yml"))
    blueprint = answers.pop("blueprint")
    assert blueprint in BLUEPRINTS
    kept = {name: answer for name, answer in answers.items() if not name.startswith(f"{blueprint}_")}
    files["answers"] = json.dumps(kept, sort_keys=True).encode()
    return files


def differences(left: Mapping[str, bytes], right: Mapping[str, bytes]) -> set[str]:
    return {name for name in left.keys() | right.keys() if left.get(name) != right.get(name)}


def test_there_are_blueprints_to_compare() -> None:
    assert len(PAIRS) >= 3
    assert len({card["technology"] for card in CARDS.values()}) == len(CARDS)


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_another_blueprint_changes_no_byte_of_the_outer(
    left: str, right: str, answers: str, rendered: Callable[[str, str], Path]
) -> None:
    one, two = outer_half(rendered(answers, left)), outer_half(rendered(answers, right))
    assert len(one) > 15
    assert differences(one, two) == set()


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_a_word_of_a_stack_in_the_outer_would_be_found(
    blueprint: str, rendered: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """The comparison sees what it is made to see: one word that depends on the blueprint, in one outer file."""
    planted = Path(shutil.copytree(rendered("defaults", blueprint), tmp_path / "product", symlinks=True))
    contract = planted / "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
    contract.write_text(contract.read_text() + f"# Written by {CARDS[blueprint]['technology']}.\n")
    for other in BLUEPRINTS:
        if other != blueprint:
            found = differences(outer_half(planted), outer_half(rendered("defaults", other)))
            assert found == {"outer/contracts/output/carrier_punctuality.v1.odcs.yaml"}


def test_a_template_that_knows_the_blueprint_would_be_found(tmp_path: Path) -> None:
    planted = suite_repo.clone(tmp_path / "suite")
    readme = planted / "template/README.md.jinja"
    readme.write_text(readme.read_text() + "\nBuilt with {{ blueprint }}.\n")
    suite_repo.commit(planted, "v9.9.9")
    halves = [
        outer_half(suite_repo.render(tmp_path / name, planted, "v9.9.9", blueprint=name)) for name in BLUEPRINTS[:2]
    ]
    assert differences(*halves) == {"README.md"}


# --- The data, and what governance says of them ----------------------------------------------------


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The inputs that every blueprint runs on: the sample of a product, and one full of redeliveries."""
    target = tmp_path_factory.mktemp("input") / "flights.parquet"
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.read_parquet(str(SAMPLE)).create_view("sample")
        database.execute(f"COPY ({REDELIVERED}) TO '{target}' (FORMAT parquet)")
    return {"sample": SAMPLE, "redeliveries": target}


@pytest.fixture(scope="module")
def published(
    suite: Path, flights: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Path]:
    """What each product publishes by its own command, by input and blueprint: the folder `data` and the page in it."""
    folder = tmp_path_factory.mktemp("published")
    products: dict[tuple[str, str], Path] = {}
    for blueprint in BLUEPRINTS:
        product = suite_repo.render(folder / blueprint, suite, blueprint=blueprint)
        for name, source in flights.items():
            outer(product, "run", "-q", "--input", f"flights={source}")
            products[name, blueprint] = Path(shutil.copytree(product / "data", folder / f"{blueprint} {name}"))
            outer(product, "page", "-q", "--to", folder / f"{blueprint} {name}" / "page.html")
    return products


def outer(product: Path, *arguments: str | Path) -> str:
    """What the product's own command prints as its result."""
    done = subprocess.run(
        [sys.executable, "-m", "outer", *map(str, arguments)],
        cwd=product, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def port(data: Path) -> Path:
    return data / "local" / "current" / "carrier_punctuality.parquet"


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


def receipt(data: Path) -> dict[str, Any]:
    """What a receipt says of the product and its data: all but the moment, the place and the file around the rows."""
    told = json.loads((data / "local" / "current" / "receipt.json").read_text())
    for name in ("run_id", "previous", "lineage_run", "started", "finished", "inner_hash"):
        del told[name]
    for entry in told["inputs"]:
        del entry["location"]
    for entry in told["outputs"]:
        assert entry["fingerprint"]
        for name in ("location", "bytes", "sha256"):
            del entry[name]
    for entry in [*told["audit"], *told["input_audit"]]:
        entry.pop("seconds", None)
    return dict(told)


CHANGES = (
    r"\d{4}-\d\d-\d\dT[\d:.]+Z",  # moments
    r"\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d UTC",
    r"\d{8}T\d{6}Z-[0-9a-f]{6}",  # runs
    r"\b(under )?[\d.,]+ (ms|s|min|minutes?|h|hours?|seconds?|days?)( ago)?\b",  # how long it took, and how long ago
    r"\b[\d.,]+ k?B\b",  # sizes, and hashes of files: engines pack the same rows differently
    r"\b[0-9a-f]{64}\b",
)


def page(data: Path) -> str:
    """The page but for moments, sizes and hashes of files, and for the drawing, where the inner may say what it is."""
    text = (data / "page.html").read_text(encoding="utf-8")
    text, drawings = re.subn(r'<section id="lineage".*?</section>', "", text, flags=re.DOTALL)
    assert drawings == 1
    for pattern in CHANGES:
        text = re.sub(pattern, "·", text)
    return text


@pytest.mark.slow
@pytest.mark.parametrize("input_", ["sample", "redeliveries"])
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_every_blueprint_publishes_equal_data_and_governance_sees_no_difference(
    left: str, right: str, input_: str, published: Mapping[tuple[str, str], Path]
) -> None:
    """Rows and types without any tolerance (means are whole sums divided by whole counts), receipt and page."""
    one, two = published[input_, left], published[input_, right]
    assert unequal(port(one), port(two)) == 0
    assert receipt(one) == receipt(two)
    assert page(one).splitlines() == page(two).splitlines()


@pytest.mark.slow
def test_redeliveries_change_the_data(published: Mapping[tuple[str, str], Path]) -> None:
    """Else they would prove nothing."""
    for blueprint in BLUEPRINTS:
        assert unequal(port(published["sample", blueprint]), port(published["redeliveries", blueprint])) > 100


@pytest.mark.slow
@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_a_wrong_number_in_one_inner_would_be_found(
    blueprint: str, published: Mapping[tuple[str, str], Path], tmp_path: Path
) -> None:
    good = port(published["sample", blueprint])
    wrong = tmp_path / "wrong.parquet"
    duckdb.read_parquet(str(good)).project(
        "* REPLACE (CASE WHEN carrier = 'UA' AND flight_date = '2013-01-01' THEN cancelled + 1 ELSE cancelled END"
        " AS cancelled)"
    ).write_parquet(str(wrong))
    for other in BLUEPRINTS:
        assert unequal(port(published["sample", other]), wrong) == 2


@pytest.mark.slow
def test_a_slip_in_the_code_of_one_inner_would_be_found(
    suite: Path, published: Mapping[tuple[str, str], Path], tmp_path: Path
) -> None:
    product = suite_repo.render(tmp_path / "product", suite, blueprint="polars")
    job = product / "inner/src/pipeline/punctuality.py"
    right, slip = "ON_TIME_BELOW_MIN = 15", "ON_TIME_BELOW_MIN = 16"
    assert job.read_text().count(right) == 1
    job.write_text(job.read_text().replace(right, slip))
    outer(product, "run", "-q", "--input", f"flights={SAMPLE}")
    data = product / "data"
    for other in BLUEPRINTS:
        assert unequal(port(data), port(published["sample", other])) > 0
        assert receipt(data)["outputs"] != receipt(published["sample", other])["outputs"]
