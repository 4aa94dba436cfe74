"""The job: pure functions from LazyFrame to LazyFrame. No file, clock or environment in here."""

from datetime import date, timedelta

import polars as pl

# What the job reads. The input ports have more columns; these are the ones it depends on.
FLIGHTS = pl.Schema(
    {
        "year": pl.Int32(),
        "month": pl.Int32(),
        "day": pl.Int32(),
        "dep_time": pl.Int32(),
        "dep_delay": pl.Int32(),
        "arr_delay": pl.Int32(),
        "carrier": pl.String(),
        "flight": pl.Int32(),
        "origin": pl.String(),
        "time_hour": pl.Datetime("us", "UTC"),
    }
)
AIRLINES = pl.Schema({"carrier": pl.String(), "name": pl.String()})

# What it makes: the columns of the output port's contract, in order.
PUNCTUALITY = pl.Schema(
    {
        "flight_date": pl.Date(),
        "carrier": pl.String(),
        "airline": pl.String(),
        "flights": pl.Int64(),
        "cancelled": pl.Int64(),
        "mean_dep_delay_min": pl.Float64(),
        "mean_arr_delay_min": pl.Float64(),
        "on_time_share": pl.Float64(),
        "on_time_share_7d": pl.Float64(),
    }
)

FLIGHT_KEY = ["time_hour", "carrier", "flight", "origin"]
ON_TIME_BELOW_MIN = 15
WINDOW = timedelta(days=7)


def all_days(flights: pl.LazyFrame, airlines: pl.LazyFrame) -> pl.LazyFrame:
    """Make one row per carrier and day, as PUNCTUALITY, from FLIGHTS and AIRLINES."""
    return (
        flights.pipe(best_deliveries)
        .pipe(count_by_day)
        .pipe(add_shares)
        .pipe(name_airlines, airlines)
        .select(pl.col(name).cast(dtype) for name, dtype in PUNCTUALITY.items())
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
    known = [pl.col(name).is_not_null() for name in ("arr_delay", "dep_delay")]
    order = [*known, "arr_delay", "dep_delay", "dep_time"]
    return flights.sort(order, descending=True, nulls_last=True).unique(FLIGHT_KEY, keep="first")


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
