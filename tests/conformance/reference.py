"""The reference: the job of the worked example in plain Python, written from the words of the contract alone.

It shares nothing with any blueprint, on purpose: slow, obvious, and of no stack. What it says is right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple


class Flight(NamedTuple):
    """One row of the input port `flights`, in the order of its contract."""

    year: int
    month: int
    day: int
    sched_dep_time: int
    dep_time: int | None
    dep_delay: int | None
    arr_delay: int | None
    carrier: str
    flight: int
    tailnum: str | None
    origin: str
    dest: str
    distance: int
    time_hour: datetime


class Day(NamedTuple):
    """One row of the output port: a carrier on a day."""

    flight_date: date
    carrier: str
    airline: str
    flights: int
    cancelled: int
    mean_dep_delay_min: float | None
    mean_arr_delay_min: float | None
    on_time_share: float
    on_time_share_7d: float


LATE = 15
"""Minutes from which an arrival is late."""
WINDOW = 7
"""Days that the moving share looks at, the day itself included."""


def punctuality(flights: Iterable[Flight], airlines: Mapping[str, str]) -> list[Day]:
    """What the output port has to hold for these inputs, in its order."""
    scheduled: dict[tuple[date, str], list[Flight]] = defaultdict(list)
    for flight in _once_each(flights):
        scheduled[date(flight.year, flight.month, flight.day), flight.carrier].append(flight)
    on_time = {key: sum(1 for f in found if f.arr_delay is not None and f.arr_delay < LATE)
               for key, found in scheduled.items()}  # fmt: skip
    days = []
    for (day, carrier), found in sorted(scheduled.items()):
        week = [(day - timedelta(days=back), carrier) for back in range(WINDOW)]
        days.append(
            Day(
                day,
                carrier,
                airlines.get(carrier, carrier),
                len(found),
                sum(1 for f in found if f.dep_time is None),
                _mean([f.dep_delay for f in found if f.dep_delay is not None]),
                _mean([f.arr_delay for f in found if f.arr_delay is not None]),
                on_time[day, carrier] / len(found),
                sum(on_time.get(key, 0) for key in week) / sum(len(scheduled.get(key, ())) for key in week),
            )
        )
    return days


def _once_each(flights: Iterable[Flight]) -> Iterable[Flight]:
    """Of the deliveries of each flight the one that tells most."""
    best: dict[tuple[datetime, str, int, str], Flight] = {}
    for flight in flights:
        key = flight.time_hour, flight.carrier, flight.flight, flight.origin
        if key not in best or _worth(flight) > _worth(best[key]):
            best[key] = flight
    return best.values()


def _worth(flight: Flight) -> tuple[bool, bool, int, int, bool, date]:
    return (
        flight.arr_delay is not None,
        flight.dep_delay is not None,
        flight.arr_delay or 0,
        flight.dep_delay or 0,
        flight.dep_time is not None,
        date(flight.year, flight.month, flight.day),
    )


def _mean(minutes: list[int]) -> float | None:
    return sum(minutes) / len(minutes) if minutes else None
