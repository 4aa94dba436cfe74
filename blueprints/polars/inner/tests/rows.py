"""Rows to test with: one usual flight, and a month of them."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipeline.punctuality import Airlines

Row = dict[str, Any]

NAMES = pl.LazyFrame(
    {"carrier": ["AA", "HA"], "name": ["American", "Hawaiian"]}, pl.Schema(Airlines)
)


def flight(day: int = 1, number: int = 1, **changes: Any) -> Row:
    """One flight of American in June 2013 that left and arrived on time; change what matters."""
    usual = {
        "year": 2013,
        "month": 6,
        "day": day,
        "dep_time": 900,
        "dep_delay": 0,
        "arr_delay": 0,
        "carrier": "AA",
        "flight": number,
        "origin": "JFK",
        "time_hour": datetime(2013, 6, day, 13, tzinfo=UTC),
    }
    return usual | changes


# A month in which AA flies daily and HA every fourth day, with delays of all kinds.
MONTH = [
    flight(day, number, carrier=carrier, arr_delay=(day * number * 7) % 40 - 10)
    for carrier, step in (("AA", 1), ("HA", 4))
    for day in range(1, 31, step)
    for number in (1, 2, 3)
]
