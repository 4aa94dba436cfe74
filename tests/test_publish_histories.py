"""Any history of late data, incremental runs, backfills, failures and rollbacks publishes what one full run would."""

# ruff: noqa: S608 (jobs are SQL in Python in strings)

from __future__ import annotations

import io
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outer.errors import RunFailed
from outer.publish import Area
from outer.rollback.command import kept, rollback
from outer.run import run
from outer.talk import Talk
from outer.verify import verify
from products import build_product, column, write_parquet

FIRST, DAYS = date(2030, 1, 1), 8
COLUMNS = (
    column("day", "DATE", required=True, primaryKey=True, primaryKeyPosition=1),
    column("events", "BIGINT", required=True),
    column("events_3d", "BIGINT", required=True),
)
JOB = """
if Path("broken").exists():
    raise SystemExit(1)
since, previous = PORTS["since"], PORTS["outputs"]["words"]["previous"]
full = f'''SELECT day, events, CAST(sum(events) OVER w AS BIGINT) AS events_3d
           FROM (SELECT CAST(word AS DATE) AS day, count(DISTINCT id) AS events FROM '{INPUT}' GROUP BY ALL)
           WINDOW w AS (ORDER BY day RANGE BETWEEN INTERVAL 2 DAY PRECEDING AND CURRENT ROW)'''
if since and previous:
    full = f"SELECT * FROM '{previous}' WHERE day < '{since}' UNION ALL SELECT * FROM ({full}) WHERE day >= '{since}'"
copy(f"{full} ORDER BY day", "words")
"""
"""A moving sum over three days: a late row changes its own day and the two after it."""

days = st.integers(0, DAYS - 1)
actions = st.one_of(
    st.tuples(st.just("deliver"), days),  # rows of that day arrive, late or not, some of them again
    st.tuples(st.just("full"), st.just(0)),
    st.tuples(st.just("since"), days),  # from the first day that has changed, or from so many days before it
    st.tuples(st.just("again"), st.just(0)),  # the same incremental run once more
    st.tuples(st.just("fail"), days),
    st.tuples(st.just("back"), st.just(0)),
)


def talk() -> Talk:
    return Talk(quiet=True, stream=io.StringIO())


class History:
    """A product, what has been delivered to it, and from which day on each of its versions is out of date."""

    def __init__(self, root: Path) -> None:
        self.root = build_product(root, job=JOB, columns=COLUMNS, service_levels=())
        self.events: list[tuple[int, int]] = []
        self.stale: dict[str, int] = {}
        self.since = 0
        self.deliver(0)
        self.run(None)

    def deliver(self, day: int) -> None:
        number = len({n for n, _ in self.events})
        new = [(number, day), (number + 1, day)]
        self.events += new + new[:1]  # one of them is delivered twice
        values = ", ".join(f"({n}, '{FIRST + timedelta(d)}', 0.5::DOUBLE)" for n, d in self.events)
        rows = f"SELECT n::BIGINT AS id, w AS word, s AS share FROM (VALUES {values}) AS t(n, w, s)"
        write_parquet(self.root / "outer/samples/source.parquet", rows)
        self.stale = {version: min(first, day) for version, first in self.stale.items()}

    def run(self, since: int | None) -> None:
        self.since = since or 0
        day = FIRST + timedelta(since) if since is not None else None
        made = run(self.root, since=day, talk=talk())
        self.stale[made.run_id] = DAYS
        assert self.published() == self.expected()

    def fail(self, day: int) -> None:
        before = self.published()
        (self.root / "inner/broken").touch()
        with pytest.raises(RunFailed):
            run(self.root, since=FIRST + timedelta(day), talk=talk())
        (self.root / "inner/broken").unlink()
        assert self.published() == before

    def back(self) -> None:
        versions = kept(self.root, environment="local")
        current = next(n for n, v in enumerate(versions) if v.current)
        if current + 1 < len(versions):
            rollback(self.root, environment="local", to=versions[current + 1].run_id, reason="x", wait=0, talk=talk())

    def dirty(self) -> int:
        """The first day on which what is published differs from what a full run would make."""
        version = Area(self.root / "data/local").published()
        assert version is not None
        return min(self.stale[version.name], DAYS - 1)

    def published(self) -> list[tuple[date, int, int]]:
        with duckdb.connect() as connection:
            path = str(self.root / "data/local/current/words.parquet")
            return connection.execute("SELECT * FROM read_parquet(?)", [path]).fetchall()

    def expected(self) -> list[tuple[date, int, int]]:
        """The slow and obvious way."""
        counts = Counter(day for _, day in set(self.events))
        return [
            (FIRST + timedelta(day), counts[day], sum(counts[day - before] for before in range(3)))
            for day in sorted(counts)
        ]


@pytest.mark.slow
@settings(max_examples=6)
@given(st.lists(actions, min_size=4, max_size=8))
@example(
    [("deliver", 3), ("full", 0), ("deliver", 1), ("back", 0), ("since", 0), ("again", 0), ("fail", 2), ("full", 0)]
)
def test_any_history_publishes_what_one_full_run_would(history: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = History(Path(folder))
        for action, day in history:
            if action == "deliver":
                story.deliver(day)
            elif action == "full":
                story.run(None)
            elif action == "since":
                story.run(max(story.dirty() - day, 0))
            elif action == "again":
                story.run(min(story.since, story.dirty()))
            elif action == "fail":
                story.fail(day)
            else:
                story.back()
        story.run(story.dirty())
        assert verify(story.root, talk=talk()).passed


def test_a_backfill_of_a_past_day_brings_late_rows_in_and_running_it_again_changes_nothing(tmp_path: Path) -> None:
    story = History(tmp_path)
    for day in range(1, 6):
        story.deliver(day)
    story.run(None)
    story.deliver(2)
    assert story.published() != story.expected()
    story.run(2)
    first = verify(story.root, talk=talk())
    story.run(2)
    again = verify(story.root, talk=talk())
    assert first.run_id != again.run_id
    prints = [
        r.expected for v in (first, again) for _, report in v.reports for r in report.results if r.rule == "sha256"
    ]
    assert len(set(prints)) == 1, "an idempotent run gives the same bytes"
