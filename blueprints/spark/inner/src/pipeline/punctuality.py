"""The job: pure functions from DataFrame to DataFrame. No session, file, clock or environment in here."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

# What the job reads. The input ports have more columns; these are the ones it depends on.
FLIGHTS = StructType(
    [
        StructField("year", IntegerType()),
        StructField("month", IntegerType()),
        StructField("day", IntegerType()),
        StructField("dep_time", IntegerType()),
        StructField("dep_delay", IntegerType()),
        StructField("arr_delay", IntegerType()),
        StructField("carrier", StringType()),
        StructField("flight", IntegerType()),
        StructField("origin", StringType()),
        StructField("time_hour", TimestampType()),
    ]
)
AIRLINES = StructType([StructField("carrier", StringType()), StructField("name", StringType())])

# What it makes: the columns of the output port's contract, in order.
PUNCTUALITY = StructType(
    [
        StructField("flight_date", DateType()),
        StructField("carrier", StringType()),
        StructField("airline", StringType()),
        StructField("flights", LongType()),
        StructField("cancelled", LongType()),
        StructField("mean_dep_delay_min", DoubleType()),
        StructField("mean_arr_delay_min", DoubleType()),
        StructField("on_time_share", DoubleType()),
        StructField("on_time_share_7d", DoubleType()),
    ]
)
KEY = ["flight_date", "carrier"]

FLIGHT_KEY = ["time_hour", "carrier", "flight", "origin"]
ON_TIME_BELOW_MIN = 15
WINDOW_DAYS = 7


def all_days(flights: DataFrame, airlines: DataFrame) -> DataFrame:
    """Make one row per carrier and day, as PUNCTUALITY, from FLIGHTS and AIRLINES. In no order."""
    return (
        flights.transform(best_deliveries)
        .transform(count_by_day)
        .transform(add_shares)
        .transform(name_airlines, airlines)
        .select(*(F.col(field.name).cast(field.dataType) for field in PUNCTUALITY))
    )


def days_since(
    since: date, previous: DataFrame, flights: DataFrame, airlines: DataFrame
) -> DataFrame:
    """Compute the days from `since` on and keep the older ones of `previous`.

    Equal to `all_days` as long as nothing changed in the input before `since`.
    """
    needed = flights.where(flight_date() > since - timedelta(days=WINDOW_DAYS))
    fresh = all_days(needed, airlines).where(F.col("flight_date") >= since)
    return previous.where(F.col("flight_date") < since).unionByName(fresh)


def best_deliveries(flights: DataFrame) -> DataFrame:
    """Keep one row per flight, the one that tells most; the later the flight, the better.

    The order is total over every column used, so which row stays never depends on chance.
    """
    best_first = Window.partitionBy(*FLIGHT_KEY).orderBy(
        F.col("arr_delay").isNotNull().desc(),
        F.col("dep_delay").isNotNull().desc(),
        *(F.col(name).desc_nulls_last() for name in ("arr_delay", "dep_delay")),
        F.col("dep_time").isNotNull().desc(),
        *(F.col(name).desc() for name in ("year", "month", "day")),
    )
    return flights.withColumn("place", F.row_number().over(best_first)).where("place = 1")


def count_by_day(flights: DataFrame) -> DataFrame:
    """Count per carrier and day. Integers only, so that no order of summing changes a bit."""
    return flights.groupBy(flight_date().alias("flight_date"), "carrier").agg(
        F.count("*").alias("flights"),
        F.count_if(F.col("dep_time").isNull()).alias("cancelled"),
        F.count("dep_delay").alias("departed"),
        F.sum("dep_delay").alias("dep_delay_min"),
        F.count("arr_delay").alias("arrived"),
        F.sum("arr_delay").alias("arr_delay_min"),
        # A flight that never arrived compares as null, which is not counted: not on time.
        F.count_if(F.col("arr_delay") < ON_TIME_BELOW_MIN).alias("on_time"),
    )


def add_shares(days: DataFrame) -> DataFrame:
    """Add means and shares. The window goes by calendar days: one without flights counts too."""
    week = (
        Window.partitionBy("carrier")
        .orderBy(F.unix_date("flight_date"))
        .rangeBetween(1 - WINDOW_DAYS, Window.currentRow)
    )
    return days.withColumns(
        {
            "mean_dep_delay_min": ratio("dep_delay_min", "departed"),
            "mean_arr_delay_min": ratio("arr_delay_min", "arrived"),
            "on_time_share": ratio("on_time", "flights"),
            "on_time_7d": F.sum("on_time").over(week),
            "flights_7d": F.sum("flights").over(week),
        }
    ).withColumn("on_time_share_7d", ratio("on_time_7d", "flights_7d"))


def name_airlines(days: DataFrame, airlines: DataFrame) -> DataFrame:
    """Add the airline's name; a carrier that nobody named keeps its code, and no row is lost.

    A carrier that was named twice stops the job: joining it would double its days.
    """
    twice = F.concat(F.lit("airlines: more than one row for the carrier "), F.col("carrier"))
    names = airlines.groupBy("carrier").agg(
        F.when(F.count("*") > 1, F.raise_error(twice)).otherwise(F.max("name")).alias("name")
    )
    named = days.join(names, on="carrier", how="left")
    return named.withColumn("airline", F.coalesce("name", "carrier"))


def ratio(part: str, whole: str) -> Column:
    """Divide two integer columns into a double; null where `whole` is 0."""
    return F.try_divide(part, whole)


def flight_date() -> Column:
    """Give the local day at the origin airport. A day that does not exist stops the job.

    The day of time_hour is another one: in UTC, an evening flight of New York leaves tomorrow.
    """
    return F.make_date("year", "month", "day")
