"""The job on small frames, one edge of the data per test."""

from datetime import UTC, date, datetime

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual, assertSchemaEqual

from pipeline.punctuality import FLIGHTS, KEY, PUNCTUALITY, all_days, days_since
from rows import MONTH, NAMES, Row, airlines, flight, flights, frame


def days(spark: SparkSession, *rows: Row) -> list[Row]:
    """Run the job on these flights; the rows come by day and carrier."""
    made = all_days(flights(spark, *rows), airlines(spark)).orderBy(*KEY)
    return [row.asDict() for row in made.collect()]


def assert_same(left: DataFrame, right: DataFrame) -> None:
    """Assert that two frames hold the same rows, floats to the last bit."""
    assertDataFrameEqual(left, right, rtol=0, atol=0)


def test_a_day_of_a_carrier_is_one_row_with_means_and_shares(spark: SparkSession) -> None:
    made = all_days(
        flights(
            spark,
            flight(number=1, dep_delay=10, arr_delay=14),
            flight(number=2, dep_delay=-5, arr_delay=15),
            flight(number=3, dep_delay=0, arr_delay=-30),
        ),
        airlines(spark),
    )
    row: Row = {
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
    assert_same(made, frame(spark, [row], PUNCTUALITY))


def test_a_cancelled_flight_counts_as_a_flight_but_in_no_mean(spark: SparkSession) -> None:
    [row] = days(
        spark,
        flight(number=1, dep_delay=8, arr_delay=4),
        flight(number=2, dep_time=None, dep_delay=None, arr_delay=None),
    )
    assert (row["flights"], row["cancelled"]) == (2, 1)
    assert (row["mean_dep_delay_min"], row["mean_arr_delay_min"]) == (8.0, 4.0)
    assert row["on_time_share"] == 0.5


def test_a_diverted_flight_departed_but_is_not_on_time(spark: SparkSession) -> None:
    [row] = days(spark, flight(dep_delay=6, arr_delay=None))
    assert (row["flights"], row["cancelled"], row["on_time_share"]) == (1, 0, 0.0)
    assert (row["mean_dep_delay_min"], row["mean_arr_delay_min"]) == (6.0, None)


def test_a_day_without_departures_has_no_means(spark: SparkSession) -> None:
    [row] = days(spark, flight(dep_time=None, dep_delay=None, arr_delay=None))
    assert (row["mean_dep_delay_min"], row["mean_arr_delay_min"]) == (None, None)
    assert (row["on_time_share"], row["on_time_share_7d"]) == (0.0, 0.0)


# Dep. time, dep. delay and arr. delay of two deliveries of one flight: the one that stays, the other one.
DELIVERIES = {
    "one with an arrival": ((900, None, -9), (900, 99, None)),
    "then one with a departure delay": ((900, -9, 5), (900, None, 99)),
    "then the later arrival": ((900, -9, 20), (900, 99, 10)),
    "then the later departure": ((900, 20, 5), (900, 10, 5)),
    "then one that departed": ((900, None, None), (None, None, None)),
}


def test_of_two_deliveries_of_a_flight_the_one_that_tells_more_stays(spark: SparkSession) -> None:
    names = ("dep_time", "dep_delay", "arr_delay")
    better, worse = (
        [
            flight(day=day, **dict(zip(names, pair[side], strict=True)))
            for day, pair in enumerate(DELIVERIES.values(), start=1)
        ]
        for side in (0, 1)
    )
    # By the words above: a job costs Spark as much for one pair as for all.
    alone = dict(zip(DELIVERIES, days(spark, *better), strict=True))
    for rows in (better + worse, worse + better):
        assert dict(zip(DELIVERIES, days(spark, *rows), strict=True)) == alone


def test_of_deliveries_that_contradict_each_other_on_the_day_the_later_one_stays(
    spark: SparkSession,
) -> None:
    deliveries = [flight(), flight() | {"day": 2}, flight(number=2) | {"day": 2}, flight(number=2)]
    [row] = days(spark, *deliveries)
    assert (row["flight_date"], row["flights"]) == (date(2013, 6, 2), 2)


def test_flights_that_differ_in_any_part_of_the_key_are_all_kept(spark: SparkSession) -> None:
    [row] = days(
        spark,
        flight(),
        flight(flight=2),
        flight(origin="LGA"),
        flight(time_hour=datetime(2013, 6, 1, 14, tzinfo=UTC)),
    )
    assert row["flights"] == 4


def test_the_day_is_the_local_one_even_when_utc_is_a_day_ahead(spark: SparkSession) -> None:
    late = flight(day=1, time_hour=datetime(2013, 6, 2, 3, tzinfo=UTC))
    assert [row["flight_date"] for row in days(spark, late)] == [date(2013, 6, 1)]


def test_a_day_that_does_not_exist_stops_the_job(spark: SparkSession) -> None:
    with pytest.raises(PySparkException, match="13"):
        days(spark, flight(month=13))


def test_a_carrier_that_nobody_named_keeps_its_code(spark: SparkSession) -> None:
    assert [row["airline"] for row in days(spark, flight(carrier="ZZ"))] == ["ZZ"]


def test_an_airline_given_twice_is_refused_instead_of_doubling_rows(spark: SparkSession) -> None:
    twice = airlines(spark, *NAMES, *NAMES)
    with pytest.raises(PySparkException, match="more than one row for the carrier AA"):
        all_days(flights(spark, flight()), twice).collect()


def test_the_window_is_seven_calendar_days_and_not_seven_rows(spark: SparkSession) -> None:
    late = {"arr_delay": 60}
    rows = days(spark, flight(day=1, **late), flight(day=2, **late), flight(day=8), flight(day=15))
    shares = {row["flight_date"].day: row["on_time_share_7d"] for row in rows}
    # The 8th still sees the 2nd but no more the 1st; the 15th sees nothing older than the 9th.
    assert shares == {1: 0.0, 2: 0.0, 8: 0.5, 15: 1.0}


def test_the_window_weighs_by_flights_and_stays_within_a_carrier(spark: SparkSession) -> None:
    rows = days(
        spark,
        flight(day=1, number=1, arr_delay=60),
        flight(day=1, number=2, arr_delay=60),
        flight(day=2, number=1),
        flight(day=2, number=1, carrier="HA"),
    )
    shares = {(row["flight_date"].day, row["carrier"]): row["on_time_share_7d"] for row in rows}
    assert shares == {(1, "AA"): 0.0, (2, "AA"): 1 / 3, (2, "HA"): 1.0}


def test_no_flights_give_no_rows_of_the_right_types(spark: SparkSession) -> None:
    empty = all_days(frame(spark, [], FLIGHTS), airlines(spark))
    assertSchemaEqual(empty.schema, PUNCTUALITY, ignoreNullable=True)
    assert empty.collect() == []


@pytest.fixture(scope="module")
def full(spark: SparkSession) -> DataFrame:
    """Compute the whole month, once for all that compare with it."""
    made = all_days(flights(spark, *MONTH), airlines(spark))
    return frame(spark, [row.asDict() for row in made.collect()], PUNCTUALITY)


@pytest.mark.parametrize("day", [date(2013, 5, 1), date(2013, 6, 9), date(2013, 6, 30)])
def test_computing_from_a_day_on_equals_computing_all_and_keeps_what_is_older(
    day: date, full: DataFrame, spark: SparkSession
) -> None:
    # What was published before: wrong from the day on, so that only recomputing makes it right.
    stale = full.withColumn(
        "flights", F.when(F.col("flight_date") < day, F.col("flights")).otherwise(0)
    )
    again = days_since(day, stale, flights(spark, *MONTH), airlines(spark))
    assert_same(again, full)


def test_a_day_that_lost_all_its_flights_disappears_and_older_days_stay(
    full: DataFrame, spark: SparkSession
) -> None:
    published = full.withColumn("airline", F.lit("as published"))
    left = flights(spark, *MONTH).where(F.col("day") < 20)
    again = days_since(date(2013, 6, 17), published, left, airlines(spark)).collect()
    kept = {row["flight_date"].day for row in again if row["airline"] == "as published"}
    assert kept == set(range(1, 17))
    assert {row["flight_date"].day for row in again} == set(range(1, 20))
