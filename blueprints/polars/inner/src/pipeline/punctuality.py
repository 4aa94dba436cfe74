"""The job: pure functions from LazyFrame to LazyFrame. No file, clock or environment in here."""

from datetime import date, timedelta

import dataframely as dy
import polars as pl


class Flights(dy.Schema):
    """What the job reads of `flights`: the columns that it depends on, and what is true of a row.

    The port has more columns. The rules are those of its contract and of the calendar; a row that
    breaks one is set aside.
    """

    year = dy.Int32(min=1, max=9999)  # what a date can hold
    month = dy.Int32(min=1, max=12)
    day = dy.Int32(min=1, max=31)
    dep_time = dy.Int32(nullable=True, min=0, max=2400)
    dep_delay = dy.Int32(nullable=True)
    arr_delay = dy.Int32(nullable=True)
    carrier = dy.String(regex=r"^[A-Z0-9]{2}$")
    flight = dy.Int32()
    origin = dy.String()
    time_hour = dy.Datetime(time_unit="us", time_zone="UTC")

    @dy.rule()
    def day_of_month(cls) -> pl.Expr:
        """The month has such a day."""
        year, month = pl.col("year"), pl.col("month")
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        february = pl.when(leap).then(29).otherwise(28)
        days = pl.when(month == 2).then(february).when(month.is_in([4, 6, 9, 11])).then(30)
        return pl.col("day") <= days.otherwise(31)


class Airlines(dy.Schema):
    """What the job reads of `airlines`."""

    carrier = dy.String(regex=r"^[A-Z0-9]{2}$")
    name = dy.String()


class Punctuality(dy.Schema):
    """What the job makes: the columns of the output port's contract, in order.

    The tests hold the job to the rules; in a run the audit does.
    """

    flight_date = dy.Date(primary_key=True)
    carrier = dy.String(primary_key=True, regex=r"^[A-Z0-9]{2}$")
    airline = dy.String(min_length=1)
    flights = dy.Int64(min=1)
    cancelled = dy.Int64(min=0)
    mean_dep_delay_min = dy.Float64(nullable=True)
    mean_arr_delay_min = dy.Float64(nullable=True)
    on_time_share = dy.Float64(min=0, max=1)
    on_time_share_7d = dy.Float64(min=0, max=1)


FLIGHT_KEY = ["time_hour", "carrier", "flight", "origin"]
ON_TIME_BELOW_MIN = 15
WINDOW = timedelta(days=7)


def all_days(flights: pl.LazyFrame, airlines: pl.LazyFrame) -> pl.LazyFrame:
    """Make one row per carrier and day, as Punctuality, from Flights and Airlines."""
    return (
        flights.pipe(best_deliveries)
        .pipe(count_by_day)
        .pipe(add_shares)
        .pipe(name_airlines, airlines)
        .pipe(Punctuality.cast)
        .sort("flight_date", "carrier")
    )


def days_since(
    since: date, previous: pl.LazyFrame, flights: pl.LazyFrame, airlines: pl.LazyFrame
) -> pl.LazyFrame:
    """Compute the days from `since` on and keep the older ones of `previous`.

    Equal to `all_days` as long as nothing changed in the input before `since`.
    """
    needed = flights.filter(flight_date() > since - WINDOW)
    kept = previous.filter(pl.col("flight_date") < since)
    fresh = all_days(needed, airlines).filter(pl.col("flight_date") >= since)
    return pl.concat([kept, fresh]).sort("flight_date", "carrier")


def best_deliveries(flights: pl.LazyFrame) -> pl.LazyFrame:
    """Keep one row per flight, the one that tells most; the later the flight, the better.

    The order is total over every column used, so which row stays never depends on chance.
    """
    arrived, delayed, left = (
        pl.col(name).is_not_null() for name in ("arr_delay", "dep_delay", "dep_time")
    )
    order = [arrived, delayed, "arr_delay", "dep_delay", left, "year", "month", "day"]
    # Most flights come once, and to sort them too would be most of the time and the memory. A hash
    # tells them apart. Flights that share one by chance are sorted for nothing, which does no harm.
    code = pl.struct(FLIGHT_KEY).hash().cast(pl.UInt32, wrap_numerical=True)
    hashed = flights.with_columns(hash=code)
    several = hashed.group_by("hash").len().filter(pl.col("len") > 1)
    once = hashed.join(several, on="hash", how="anti")
    again = hashed.join(several, on="hash", how="semi")
    best = again.sort(order, descending=True, nulls_last=True).unique(FLIGHT_KEY, keep="first")
    return pl.concat([once, best]).drop("hash")


def count_by_day(flights: pl.LazyFrame) -> pl.LazyFrame:
    """Count per carrier and day. Integers only, so that no order of summing changes a bit."""
    dep_delay, arr_delay = pl.col("dep_delay").cast(pl.Int64), pl.col("arr_delay").cast(pl.Int64)
    return flights.group_by(flight_date(), "carrier").agg(
        flights=pl.len().cast(pl.Int64),
        cancelled=pl.col("dep_time").null_count(),
        departed=dep_delay.count(),
        dep_delay_min=dep_delay.sum(),
        arrived=arr_delay.count(),
        arr_delay_min=arr_delay.sum(),
        # A flight that never arrived compares as null, which the sum leaves out: not on time.
        on_time=(arr_delay < ON_TIME_BELOW_MIN).sum().cast(pl.Int64),
    )


def add_shares(days: pl.LazyFrame) -> pl.LazyFrame:
    """Add means and shares. The window goes by calendar days: one without flights counts too."""

    def moving(column: str) -> pl.Expr:
        return pl.col(column).rolling_sum_by("flight_date", WINDOW).over("carrier")

    return days.with_columns(
        mean_dep_delay_min=ratio(pl.col("dep_delay_min"), pl.col("departed")),
        mean_arr_delay_min=ratio(pl.col("arr_delay_min"), pl.col("arrived")),
        on_time_share=ratio(pl.col("on_time"), pl.col("flights")),
        on_time_share_7d=ratio(moving("on_time"), moving("flights")),
    )


def name_airlines(days: pl.LazyFrame, airlines: pl.LazyFrame) -> pl.LazyFrame:
    """Add the airline's name; a carrier that nobody named keeps its code, and no row is lost."""
    named = days.join(airlines, on="carrier", how="left", validate="m:1")
    return named.with_columns(airline=pl.coalesce("name", "carrier"))


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Divide two integer expressions into a float64; null where `whole` is 0."""
    return pl.when(whole != 0).then(part / whole)


def flight_date() -> pl.Expr:
    """Give the local day at the origin airport.

    The day of time_hour is another one: in UTC, an evening flight of New York leaves tomorrow.
    """
    return pl.date("year", "month", "day").alias("flight_date")
