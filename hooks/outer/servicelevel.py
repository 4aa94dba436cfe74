"""What the service levels of a contract mean, as far as data and receipts can show them (ODCS 3.1, SLA)."""

# ruff: noqa: S608 (names are quoted by `identifier`)

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from outer.quality import Unknown
from outer.yamlfile import show

if TYPE_CHECKING:
    from outer.model import Contract
    from outer.parquet import Table

SHORT: Mapping[str, str] = {
    "av": "availability", "th": "throughput", "er": "errorRate", "ga": "generalAvailability", "es": "endOfSupport",
    "el": "endOfLife", "re": "retention", "fy": "frequency", "ly": "latency", "ta": "timeOfAvailability",
    "td": "timeToDetect", "tn": "timeToNotify", "tr": "timeToRepair",
}  # fmt: skip
"""Short names of service levels, as ODCS allows them."""

_SHOWN = ("freshness", "latency", "retention", "completeness")
"""Service levels that the values of a column show."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST = timedelta(days=1000 * 365)
"""Longest time that a service level may name: from today, no calendar reaches much further back."""

_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
    **dict.fromkeys(("y", "yr", "year", "years"), timedelta(days=365)),
}


def allowed_age(level: Mapping[str, Any]) -> timedelta:
    """How old data may be by the service level `level`. Raises `Unknown`: the unit `m` is a minute or a month."""
    value, unit = level.get("value"), level.get("unit")
    try:
        number = float(value)  # type: ignore[arg-type]
        if isinstance(value, bool) or not 0 <= number < 1e12:
            raise ValueError
    except (TypeError, ValueError):
        raise Unknown(f"{show(value)} is not a length of time") from None
    one = _UNITS.get(str(unit).strip().lower())
    if one is None:
        raise Unknown(f"unit {show(unit)}; use h or d")
    if number > LONGEST / one:
        raise Unknown(f"{show(value)} {unit} is longer than 1,000 years; leave it out where there is no limit")
    return number * one


def elements(level: Mapping[str, Any], contract: Contract) -> tuple[str, ...]:
    """Columns of `contract` that the service level `level` is about; none, where it is about the whole table.

    Where it names none, it is about `slaDefaultElement`, if columns can show it. Raises `Unknown`.
    """
    written = level.get("element")
    name = str(level.get("property") or "").casefold()
    if not written and SHORT.get(name, name) in _SHOWN and not in_rows(level):
        written = contract.file.get("slaDefaultElement")
    columns = {column.name for column in contract.columns}
    tables = {str(contract.file.get("schema", 0, key)) for key in ("name", "physicalName")}
    found = []
    for part in filter(None, (part.strip() for part in str(written or "").split(","))):
        if part in tables and part not in columns:
            continue
        names = (part, *(part.removeprefix(f"{table}.") for table in tables))
        if (column := next((n for n in names if n in columns), None)) is None:
            raise Unknown(f"{show(part)} is not a column of this contract")
        found.append(column)
    return tuple(found)


def zone(column: Mapping[str, Any]) -> str:
    """Name of the time zone in which `column` of a contract tells times that have none; empty: UTC."""
    options = column.get("logicalTypeOptions")
    return str(options.get("defaultTimezone") or "") if isinstance(options, dict) else ""


def clock(zone: str, found: str) -> tzinfo:
    """The time zone `zone` for values of the type `found`; UTC for those that have one, and for days.

    Raises `Unknown` for one that this machine does not know.
    """
    told = found == "TIMESTAMP" or found.startswith("TIMESTAMP_")
    if not told or zone in ("", "UTC", "Etc/UTC", "GMT", "Z"):
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # rules ask this module too, and must not wait for it

    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unknown(f"the time zone {show(zone)} is not known here") from None


def in_rows(level: Mapping[str, Any]) -> bool:
    """Whether the service level `level` counts rows."""
    return str(level.get("unit")) in ("rows", "row")


def share(level: Mapping[str, Any], *, percent: bool) -> float:
    """The value of the service level `level`: a number of rows, or with `percent` one up to 100. Raises `Unknown`."""
    value, unit = level.get("value"), str(level.get("unit") or "")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e15:
        raise Unknown(f"{show(value)} is not a number")
    if percent and (value > 100 or unit not in ("percent", "%")):
        raise Unknown(f"{show(value)} {unit} is not a share; write a number up to 100 with the unit percent")
    if not percent and not in_rows(level):
        raise Unknown(f"unit {show(unit)}; use rows or percent")
    return float(value)


def newest(table: Table, column: str, found: str, as_of: datetime, zone: str = "") -> datetime | None:
    """The newest time in `column` (quoted, of the type `found`) up to `as_of`; None where there is none.

    What lies in the future is passed over: one wrong date would make stale data fresh for ever. A date stands for its
    whole day, so it is as new as the end of that day. Times without a zone are those of `zone`. Raises `Unknown`.
    """
    from outer.parquet import identifier  # rules ask this module too, and must not wait for what opens files

    moment = f"{column}::TIMESTAMP" if found != "TIMESTAMP WITH TIME ZONE" else column
    there = clock(zone, found)
    now = int(as_of.astimezone(there).replace(tzinfo=UTC).timestamp() * 1_000_000)
    ((found_at,),) = table.rows(
        f"SELECT max(t) FROM (SELECT epoch_us({moment}) AS t FROM {identifier(table.name)}) WHERE t <= {now}"
    )
    try:
        if found_at is None:
            return None
        return (_EPOCH + timedelta(microseconds=found_at, days=found == "DATE")).replace(tzinfo=there).astimezone(UTC)
    except OverflowError:  # before the calendar of Python
        return None
