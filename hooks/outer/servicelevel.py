"""What the service levels of a contract mean, as far as data and receipts can show them (ODCS 3.1, SLA)."""

# ruff: noqa: S608 (names are quoted by `identifier`)

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from outer.quality import Unknown
from outer.yamlfile import show

if TYPE_CHECKING:
    from outer.parquet import Table

_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
    **dict.fromkeys(("y", "yr", "year", "years"), timedelta(days=365)),
}


def allowed_age(level: Mapping[str, Any]) -> timedelta:
    """How old data may be by the service level `level`. Raises `Unknown`; `m` is one, for a minute or a month."""
    value, unit = level.get("value"), level.get("unit")
    try:
        number = float(value)  # type: ignore[arg-type]
        if isinstance(value, bool) or not 0 <= number < 1e7:
            raise ValueError
    except (TypeError, ValueError):
        raise Unknown(f"{show(value)} is not a length of time") from None
    if str(unit).strip().lower() not in _UNITS:
        raise Unknown(f"unit {show(unit)}; use h or d")
    return number * _UNITS[str(unit).strip().lower()]


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


def newest(table: Table, column: str, found: str, as_of: datetime) -> datetime | None:
    """The newest time in `column` (quoted, of the type `found`) up to `as_of`; None where there is none.

    What lies in the future is passed over: one wrong date would make stale data fresh for ever. A date stands for its
    whole day, so it is as new as the end of that day. Times without a zone are read as UTC.
    """
    from outer.parquet import identifier  # rules ask this module too, and must not wait for what opens files

    moment = f"{column}::TIMESTAMP" if found != "TIMESTAMP WITH TIME ZONE" else column
    now = int(as_of.timestamp() * 1_000_000)
    ((found_at,),) = table.rows(
        f"SELECT max(t) FROM (SELECT epoch_us({moment}) AS t FROM {identifier(table.name)}) WHERE t <= {now}"
    )
    if found_at is None:
        return None
    latest = datetime.fromtimestamp(found_at / 1_000_000, UTC)
    return latest + timedelta(days=1) if found == "DATE" else latest
