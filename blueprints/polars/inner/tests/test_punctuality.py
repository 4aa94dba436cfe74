"""The job on small frames, one edge of the data per test."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.punctuality import Flights, Punctuality, all_days, days_since
from rows import MONTH, NAMES, Row, flight


def days(*flights: Row) -> list[Row]:
    """Run the job on these flights."""
    return all_days(pl.LazyFrame(flights, pl.Schema(Flights)), NAMES).collect().to_dicts()


def test_a_day_of_a_carrier_is_one_row_with_means_and_shares() -> None:
    [row] = days(
        flight(number=1, dep_delay=10, arr_delay=14),
        flight(number=2, dep_delay=-5, arr_delay=15),
        flight(number=3, dep_delay=0, arr_delay=-30),
    )
    assert row == {
        "flight_date": date(2013, 6, 1),
        "carrier": "AA",
        "airline": "American",
        "flights": 3,
        "cancelled": 0,
        "mean_dep_delay_min": 5 / 3,
        "mean_arr_delay_min": -1 / 3,
        "on_time_share": 2 / 3,
        "on_time_share_7d": 2 / 3,
    }


def test_a_cancelled_flight_counts_as_a_flight_but_in_no_mean() -> None:
    [row] = days(
        flight(number=1, dep_delay=8, arr_delay=4),
        flight(number=2, dep_time=None, dep_delay=None, arr_delay=None),
    )
    assert (row["flights"], row["cancelled"]) == (2, 1)
    assert (row["mean_dep_delay_min"], row["mean_arr_delay_min"]) == (8.0, 4.0)
    assert row["on_time_share"] == 0.5


def test_a_diverted_flight_departed_but_is_not_on_time() -> None:
    [row] = days(flight(dep_delay=6, arr_delay=None))
    assert (row["flights"], row["cancelled"], row["on_time_share"]) == (1, 0, 0.0)
    assert (row["mean_dep_delay_min"], row["mean_arr_delay_min"]) == (6.0, None)


def test_a_day_without_departures_has_no_means() -> None:
    [row] = days(flight(dep_time=None, dep_delay=None, arr_delay=None))
    assert (row["mean_dep_delay_min"], row["mean_arr_delay_min"]) == (None, None)
    assert (row["on_time_share"], row["on_time_share_7d"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param((900, None, -9), (900, 99, None), id="one with an arrival"),
        pytest.param((900, -9, 5), (900, None, 99), id="then one with a departure delay"),
        pytest.param((900, -9, 20), (900, 99, 10), id="then the later arrival"),
        pytest.param((900, 20, 5), (900, 10, 5), id="then the later departure"),
        pytest.param((900, None, None), (None, None, None), id="then one that departed"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_deliveries_of_a_flight_the_one_that_tells_more_stays(
    better: tuple[int | None, ...], worse: tuple[int | None, ...], turned: bool
) -> None:
    names = ("dep_time", "dep_delay", "arr_delay")
    kept, dropped = (flight() | dict(zip(names, row, strict=True)) for row in (better, worse))
    deliveries = [dropped, kept] if turned else [kept, dropped]
    assert days(*deliveries) == days(kept)


def test_of_deliveries_that_contradict_each_other_on_the_day_the_later_one_stays() -> None:
    deliveries = [flight(), flight() | {"day": 2}]
    assert days(*deliveries) == days(*reversed(deliveries)) == days(deliveries[1])


def test_many_deliveries_in_any_order_leave_the_best_of_each_flight() -> None:
    flights = [flight(number=number, arr_delay=number % 50 - 10) for number in range(1, 2000)]
    worse = [row | {"arr_delay": None} for row in flights[::3]]
    delivered = pl.DataFrame([*flights, *worse, *worse], pl.Schema(Flights))
    wanted = all_days(pl.LazyFrame(flights, pl.Schema(Flights)), NAMES).collect()
    for seed in range(3):
        shuffled = delivered.sample(fraction=1.0, shuffle=True, seed=seed)
        assert_frame_equal(all_days(shuffled.lazy(), NAMES).collect(), wanted)


def test_what_the_job_makes_keeps_the_rules_of_its_port() -> None:
    made = all_days(pl.LazyFrame(MONTH, pl.Schema(Flights)), NAMES).collect()
    assert Punctuality.is_valid(made)
    assert not Punctuality.is_valid(pl.concat([made, made]))  # the key counts among the rules


def test_flights_that_differ_in_any_part_of_the_key_are_all_kept() -> None:
    [row] = days(
        flight(),
        flight(flight=2),
        flight(origin="LGA"),
        flight(time_hour=datetime(2013, 6, 1, 14, tzinfo=UTC)),
    )
    assert row["flights"] == 4


def test_the_day_is_the_local_one_even_when_utc_is_a_day_ahead() -> None:
    late = flight(day=1, time_hour=datetime(2013, 6, 2, 3, tzinfo=UTC))
    assert [row["flight_date"] for row in days(late)] == [date(2013, 6, 1)]


def test_a_carrier_that_nobody_named_keeps_its_code() -> None:
    assert [row["airline"] for row in days(flight(carrier="ZZ"))] == ["ZZ"]


def test_an_airline_given_twice_is_refused_instead_of_doubling_rows() -> None:
    twice = pl.concat([NAMES, NAMES])
    with pytest.raises(pl.exceptions.ComputeError, match="m:1"):
        all_days(pl.LazyFrame([flight()], pl.Schema(Flights)), twice).collect()


def test_the_window_is_seven_calendar_days_and_not_seven_rows() -> None:
    late = {"arr_delay": 60}
    rows = days(flight(day=1, **late), flight(day=2, **late), flight(day=8), flight(day=15))
    shares = {row["flight_date"].day: row["on_time_share_7d"] for row in rows}
    # The 8th still sees the 2nd but no more the 1st; the 15th sees nothing older than the 9th.
    assert shares == {1: 0.0, 2: 0.0, 8: 0.5, 15: 1.0}


def test_the_window_weighs_by_flights_and_stays_within_a_carrier() -> None:
    rows = days(
        flight(day=1, number=1, arr_delay=60),
        flight(day=1, number=2, arr_delay=60),
        flight(day=2, number=1),
        flight(day=2, number=1, carrier="HA"),
    )
    shares = {(row["flight_date"].day, row["carrier"]): row["on_time_share_7d"] for row in rows}
    assert shares == {(1, "AA"): 0.0, (2, "AA"): 1 / 3, (2, "HA"): 1.0}


def test_rows_come_by_day_and_carrier_whatever_the_order_of_the_input() -> None:
    rows = days(flight(day=2), flight(day=1, carrier="HA"), flight(day=1, carrier="AA"))
    assert [(row["flight_date"].day, row["carrier"]) for row in rows] == [
        (1, "AA"),
        (1, "HA"),
        (2, "AA"),
    ]


def test_no_flights_give_no_rows_of_the_right_types() -> None:
    empty = all_days(pl.LazyFrame(schema=pl.Schema(Flights)), NAMES).collect()
    assert (empty.height, empty.schema) == (0, pl.Schema(Punctuality))


@pytest.mark.parametrize("since", [date(2013, 5, 1), *(date(2013, 6, d) for d in (1, 9, 30))])
def test_computing_from_a_day_on_equals_computing_all(since: date) -> None:
    flights = pl.LazyFrame(MONTH, pl.Schema(Flights))
    full = all_days(flights, NAMES).collect()
    # What was published before: wrong from `since` on, so that only recomputing makes it right.
    stale = full.with_columns(
        flights=pl.when(pl.col("flight_date") >= since).then(0).otherwise("flights")
    )
    assert_frame_equal(days_since(since, stale.lazy(), flights, NAMES).collect(), full)


def test_computing_from_a_day_on_keeps_older_days_as_published() -> None:
    flights = pl.LazyFrame(MONTH, pl.Schema(Flights))
    published = all_days(flights, NAMES).with_columns(airline=pl.lit("as published")).collect()
    again = days_since(date(2013, 6, 9), published.lazy(), flights, NAMES).collect()
    older = pl.col("flight_date") < date(2013, 6, 9)
    assert_frame_equal(again.filter(older), published.filter(older))


def test_a_day_that_lost_all_its_flights_disappears() -> None:
    flights = pl.LazyFrame(MONTH, pl.Schema(Flights))
    published = all_days(flights, NAMES).collect().lazy()
    again = days_since(date(2013, 6, 20), published, flights.filter(pl.col("day") < 20), NAMES)
    assert again.collect()["flight_date"].max() == date(2013, 6, 19)
