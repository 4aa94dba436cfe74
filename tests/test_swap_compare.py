"""What `outer swap` says of two outputs: every difference is told where it is, and nothing else is.

The whole command is tested in test_swap.py.
"""

# ruff: noqa: S608 (the queries are ours)

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outer.dataset import Dataset
from outer.swap.compare import PortComparison, compare
from outer.swap.report import Comparison
from products import build_product, column, output_contract, write_parquet


def compared(
    tmp_path: Path, before: str, after: str, tolerance: float = 0.0, columns: Sequence[Any] | None = None
) -> PortComparison:
    """Compare the rows of two queries by a contract of three columns: id, word, share."""
    columns = columns or (column("id", "BIGINT", primaryKey=True), column("word", "VARCHAR"), column("share", "DOUBLE"))
    root = build_product(tmp_path / "product", columns=columns)
    files = [
        Dataset(write_parquet(tmp_path / f"{n} [odd] name.parquet", query)) for n, query in enumerate((before, after))
    ]
    return compare("words", output_contract(root), files[0], files[1], tolerance)


SAME = "SELECT i::BIGINT AS id, 'w' || i AS word, i / 10 AS share FROM range(100) t(i)"


def test_equal_rows_in_another_order_are_equal(tmp_path: Path) -> None:
    found = compared(tmp_path, SAME, f"{SAME} ORDER BY id DESC")
    assert found.equal
    assert (found.rows_before, found.rows_after, found.key, found.note) == (100, 100, ("id",), "")


def test_each_difference_is_told_where_it_is(tmp_path: Path) -> None:
    after = """
        SELECT id, CASE WHEN id % 10 = 3 THEN upper(word) ELSE word END AS word,
          CASE WHEN id BETWEEN 20 AND 29 THEN share + 0.5 WHEN id = 30 THEN NULL ELSE share END AS share
        FROM (SAME) WHERE id <> 50 UNION ALL SELECT 200, 'new', 1""".replace("SAME", SAME)
    found = compared(tmp_path, SAME, after)
    assert not found.equal
    assert (found.missing.rows, found.missing.examples) == (1, ({"id": "50"},))
    assert (found.extra.rows, found.extra.examples) == (1, ({"id": "200"},))
    word, share = found.columns
    assert (word.name, word.rows, word.examples[0]) == ("word", 10, {"id": "3", "word": "w3 -> W3"})
    assert len(word.examples) == 5
    assert word.within == {"id": ("3", "93")}
    assert word.delta is None
    assert (share.rows, share.delta, share.within) == (11, ("+0.5", "+0.5"), {"id": ("20", "30")})
    text = Comparison("alpha", "beta", "local", 0.0, ports=(found,)).text()
    assert "1 row that only the living inner writes\n    id 50" in text
    assert "11 rows of 99 with another value; new minus old is always +0.5; id from 20 to 30" in text


def test_closed_values_and_what_is_computed_from_them_are_masked(tmp_path: Path) -> None:
    closed = {"classification": "confidential"}
    columns = (
        column("id", "BIGINT", primaryKey=True, primaryKeyPosition=1, **closed),
        column("word", "VARCHAR"),
        column("share", "DOUBLE", **closed),
    )
    after = f"SELECT * REPLACE (share + 7 AS share, 'secret' AS word) FROM ({SAME}) WHERE id <> 98"
    found = compared(tmp_path, SAME, after, columns=columns)
    word, share = found.columns
    assert share.delta is None
    assert share.within == word.within == {}
    assert share.examples[0] == {"id": "***", "share": "*** -> ***"}
    assert word.examples[0] == {"id": "***", "word": "w0 -> secret"}
    assert found.missing.examples == ({"id": "***"},)
    told = Comparison("alpha", "beta", "local", 0.0, ports=(found,))
    assert "98" not in told.text().replace("99 rows of 99", "")
    assert "+7" not in told.text() + json.dumps(told.as_dict()) + told.markdown()


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "equal"),
    [
        ("1.0", "1.0 + 1e-12", 0.0, False),
        ("1.0", "1.0 + 1e-12", 1e-9, True),
        ("1e12", "1e12 + 1", 1e-9, True),
        ("1e12", "1e12 + 1e6", 1e-9, False),
        ("0.0", "1e-10", 1e-9, True),
        ("0.0", "-0.0", 0.0, True),
        ("'NaN'", "'NaN'", 0.0, True),
        ("'NaN'", "1.0", 0.5, False),
        ("'inf'", "'inf'", 0.5, True),
        ("'inf'", "1.0", 0.5, False),
        ("'inf'", "'-inf'", 0.5, False),
        ("NULL", "NULL", 0.0, True),
        ("NULL", "0.0", 0.5, False),
    ],
)
def test_floating_point_numbers_are_equal_up_to_the_tolerance(
    tmp_path: Path, before: str, after: str, tolerance: float, equal: bool
) -> None:
    queries = [f"SELECT 1::BIGINT AS id, 'w' AS word, ({value})::DOUBLE AS share" for value in (before, after)]
    assert compared(tmp_path, queries[0], queries[1], tolerance).equal is equal


def test_a_tolerance_is_not_for_whole_numbers(tmp_path: Path) -> None:
    columns = (column("id", "BIGINT", primaryKey=True), column("share", "BIGINT"))
    queries = [f"SELECT 1::BIGINT AS id, {n}::BIGINT AS share" for n in (1_000_000, 1_000_001)]
    assert not compared(tmp_path, queries[0], queries[1], 0.1, columns).equal


def test_types_and_columns_that_differ_are_told_and_the_rest_is_compared(tmp_path: Path) -> None:
    after = f"SELECT id::VARCHAR AS id, word, 1 AS more FROM ({SAME})"
    found = compared(tmp_path, SAME, after)
    assert found.types == {"id": ("BIGINT", "VARCHAR"), "share": ("DOUBLE", ""), "more": ("", "INTEGER")}
    assert (found.missing.rows, found.extra.rows, found.columns) == (0, 0, ())
    assert not found.equal


@pytest.mark.parametrize("twice", [True, False])
def test_without_a_key_that_tells_rows_apart_whole_rows_are_counted(tmp_path: Path, twice: bool) -> None:
    keys = {} if twice else {"columns": (column("id", "BIGINT"), column("word", "VARCHAR"), column("share", "DOUBLE"))}
    before = f"{SAME} UNION ALL SELECT 1, 'w1', 0.1"
    after = f"SELECT * FROM ({SAME}) WHERE id <> 7 UNION ALL SELECT 8, 'w8', 0.8 UNION ALL SELECT 8, 'w8', 0.8"
    found = compared(tmp_path, before, after, **keys)
    assert found.key == ()
    assert ("wrote a key twice" if twice else "names no key") in found.note
    assert (found.missing.rows, found.extra.rows) == (2, 2)
    assert found.missing.examples == (
        {"id": "1", "word": "w1", "share": "0.1"}, {"id": "7", "word": "w7", "share": "0.7"},
    )  # fmt: skip
    assert compared(tmp_path, before, f"{before} ORDER BY id DESC", **keys).equal


def test_a_null_in_the_key_is_a_value_like_any_other(tmp_path: Path) -> None:
    query = f"SELECT CASE WHEN id > 0 THEN id END AS id, word, share FROM ({SAME})"
    assert compared(tmp_path, query, query).equal
    found = compared(tmp_path, query, f"SELECT * REPLACE (upper(word) AS word) FROM ({query})")
    assert found.columns[0].rows == 100


def test_a_column_in_the_names_of_folders_is_compared_as_the_contract_says(tmp_path: Path) -> None:
    """Text stays text, though all of it looks like numbers."""
    root = build_product(tmp_path / "product")
    sides = [Dataset(tmp_path / side) for side in ("before", "after")]
    for data, word in zip(sides, ("07", "7"), strict=True):
        query = f"SELECT 1::BIGINT AS id, '{word}' AS word, 0.5::DOUBLE AS share"
        duckdb.sql(f"COPY ({query}) TO '{data.path}' (FORMAT parquet, PARTITION_BY (word))")
    found = compare("words", output_contract(root), sides[0], sides[1], 0.0)
    assert [(column.name, column.rows) for column in found.columns] == [("word", 1)]
    assert found.columns[0].examples == ({"id": "1", "word": "07 -> 7"},)
    assert compare("words", output_contract(root), sides[0], sides[0], 0.0).equal


def test_nothing_in_common_is_not_equal(tmp_path: Path) -> None:
    found = compared(tmp_path, SAME, "SELECT 1 AS other")
    assert not found.equal
    assert "no row was compared" in found.note


def test_markdown_shows_values_as_they_are(tmp_path: Path) -> None:
    found = compared(tmp_path, SAME, f"SELECT * REPLACE ('<b>|*x*' AS word) FROM ({SAME})")
    text = Comparison("alpha", "beta", "local", 0.0, ports=(found,)).markdown()
    assert r"w0 -\> \<b\>\|\*x\*" in text


Side = dict[int, tuple[str | None, float | None]]
SIDES: st.SearchStrategy[Side] = st.dictionaries(
    st.integers(0, 6), st.tuples(st.sampled_from(["a", None]), st.sampled_from([0.5, -0.0, None])), max_size=5
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=SIDES, after=SIDES)
def test_the_comparison_is_what_a_plain_program_would_say(
    tmp_path_factory: pytest.TempPathFactory, before: Side, after: Side
) -> None:
    def query(side: Side) -> str:
        def text(value: object) -> str:
            return "NULL" if value is None else repr(value)

        values = "".join(f" UNION ALL SELECT {k}, {text(w)}, {text(s)}" for k, (w, s) in side.items())
        return f"SELECT 0::BIGINT AS id, ''::VARCHAR AS word, 0::DOUBLE AS share WHERE false{values}"

    found = compared(tmp_path_factory.mktemp("plain"), query(before), query(after))
    both = before.keys() & after.keys()
    assert found.missing.rows == len(before.keys() - after.keys())
    assert found.extra.rows == len(after.keys() - before.keys())
    wanted = {name: sum(before[k][n] != after[k][n] for k in both) for n, name in enumerate(("word", "share"))}
    assert {c.name: c.rows for c in found.columns} == {name: count for name, count in wanted.items() if count}
