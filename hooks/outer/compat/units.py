"""What the values of service levels mean in numbers that can be compared: seconds, per cent, hours a week, days."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from enum import Enum, StrEnum
from typing import Any

_SECONDS: Mapping[str, float] = {
    "ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 365 * 86_400 / 12, "y": 365 * 86_400,
}  # fmt: skip
_UNIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("mo", "month", "months"), "mo"),
    **dict.fromkeys(("y", "yr", "year", "years"), "y"),
    **dict.fromkeys(("%", "percent", "per cent", "pct"), "percent"),
}
"""`m` is missing on purpose: nobody can tell a minute from a month."""

_NUMBER = re.compile(r"\s*([-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z%][A-Za-z/% ]*)?\s*\Z")
_ISO = re.compile(
    r"P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?\Z"
)
_HOURS = re.compile(r"\s*(\d{1,2})\s*[xX/×]\s*(\d)\s*\Z")  # noqa: RUF001 (people do type the sign of multiplication)


class Kind(StrEnum):
    """How the value of a service level is read."""

    TIME = "time"
    SHARE = "share"
    AMOUNT = "amount"
    HOURS = "support hours"
    DAY = "date"
    CLOCK = "time of day"


@dataclass(frozen=True)
class Level:
    """A service level of the Data QoS list that ODCS refers to: how to read it, and whether more of it is better."""

    kind: Kind
    more_is_better: bool


_LEVELS: Mapping[str, Level] = {
    **dict.fromkeys(
        (
            "freshness", "latency", "ly", "frequency", "fy", "intervalofchange", "timeliness", "timetodetect", "td",
            "timetonotify", "tn", "timetorepair", "tr", "responsetime", "resolutiontime", "informationtime",
        ),
        Level(Kind.TIME, False),
    ),
    **dict.fromkeys(("retention", "re"), Level(Kind.TIME, True)),
    **dict.fromkeys(("availability", "av", "uptime", "completeness"), Level(Kind.SHARE, True)),
    **dict.fromkeys(("errorrate", "er"), Level(Kind.SHARE, False)),
    **dict.fromkeys(("throughput", "th", "volume"), Level(Kind.AMOUNT, True)),
    **dict.fromkeys(("supporthours", "support"), Level(Kind.HOURS, True)),
    **dict.fromkeys(("endofsupport", "es", "endoflife", "el"), Level(Kind.DAY, True)),
    **dict.fromkeys(("generalavailability", "ga"), Level(Kind.DAY, False)),
    **dict.fromkeys(("timeofavailability",), Level(Kind.CLOCK, False)),
}  # fmt: skip

ENDS = frozenset({"endofsupport", "es", "endoflife", "el"})
RETENTION = frozenset({"retention", "re"})


def plain(word: object) -> str:
    """A name without case and separators: `endOfSupport` and `end_of_support` are one."""
    return re.sub(r"[^0-9a-z]", "", str(word).lower())


def level(name: object) -> Level | None:
    """The service level `name` (`slaProperties[].property`), or None where it is not a known one."""
    return _LEVELS.get(plain(name))


class Shift(Enum):
    """What became of a promise."""

    SAME = "same"
    REWRITTEN = "the same in another unit"
    WEAKER = "weaker"
    STRONGER = "stronger"
    UNKNOWN = "not comparable"


@dataclass(frozen=True)
class Quantity:
    """A number in a base unit (seconds, per cent, hours a week, days), and the unit that it was written in."""

    value: float
    unit: str


def quantity(value: Any, unit: Any, kind: Kind) -> Quantity | None:
    """What `value` with `unit` says as a `kind`; None where nobody can tell."""
    if isinstance(value, bool) or value is None:
        return None
    match kind:
        case Kind.DAY:
            found = day(value)
            return Quantity(found.toordinal(), "date") if found else None
        case Kind.CLOCK:
            return _clock(value)
        case Kind.HOURS:
            hours = _HOURS.match(str(value))
            return Quantity(int(hours[1]) * int(hours[2]), "hours") if hours else None
        case _:
            return _number(value, unit, kind)


def _number(value: Any, unit: Any, kind: Kind) -> Quantity | None:
    if kind is Kind.TIME and isinstance(value, str) and unit is None:
        iso = _ISO.match(value)
        if iso and any(iso.groups()):
            parts = [int(part or 0) for part in iso.groups()]
            names = ("y", "mo", "w", "d", "h", "min", "s")
            return Quantity(sum(n * _SECONDS[u] for n, u in zip(parts, names, strict=True)), "iso")
    written = _NUMBER.match(str(value))
    if written is None or (written[2] and unit is not None):
        return None
    word = written[2] if unit is None else unit
    name = _UNIT_WORDS.get(str(word).strip().lower(), str(word)) if word is not None else ""
    number = float(written[1])
    if kind is Kind.TIME:
        return Quantity(number * _SECONDS[name], name) if name in _SECONDS else None
    if kind is Kind.SHARE and name not in ("percent", ""):
        return None
    return Quantity(number, name)


def _clock(value: Any) -> Quantity | None:
    try:
        at = time.fromisoformat(str(value))
    except ValueError:
        return None
    offset = at.utcoffset()
    seconds = at.hour * 3600 + at.minute * 60 + at.second - (offset.total_seconds() if offset else 0)
    return Quantity(seconds, "utc" if offset is not None else "local")


def day(value: Any) -> date | None:
    """The day (UTC) of an ISO date or time stamp; None where `value` is neither."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment.astimezone(timezone.utc) if moment.tzinfo else moment).date()  # noqa: UP017 (one import less)


def shift(name: object, old: Mapping[str, Any], new: Mapping[str, Any]) -> Shift:
    """What became of the service level `name`, given `value` and `unit` before and after."""
    known = level(name)
    if known is None:
        return Shift.SAME if str(old.get("value")) == str(new.get("value")) and _same_unit(old, new) else Shift.UNKNOWN
    before = quantity(old.get("value"), old.get("unit"), known.kind)
    after = quantity(new.get("value"), new.get("unit"), known.kind)
    if before is None or after is None:
        before, after = _bare(old, new)
        if before is None or after is None:
            return Shift.UNKNOWN
    comparable = known.kind in (Kind.TIME, Kind.DAY, Kind.HOURS) or before.unit == after.unit
    if not comparable:
        return Shift.UNKNOWN
    if abs(before.value - after.value) <= 1e-9 * max(1.0, abs(before.value)):
        return Shift.SAME if before.unit == after.unit else Shift.REWRITTEN
    return Shift.STRONGER if (after.value > before.value) == known.more_is_better else Shift.WEAKER


def _same_unit(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return str(old.get("unit")) == str(new.get("unit"))


def _bare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Quantity | None, Quantity | None]:
    """Two numbers in the same unit can be compared, whatever the unit is."""
    if not _same_unit(old, new):
        return None, None
    numbers = [_NUMBER.match(str(side.get("value"))) for side in (old, new)]
    if any(n is None or n[2] for n in numbers):
        return None, None
    before, after = (Quantity(float(n[1]), "") for n in numbers if n is not None)
    return before, after


def runs_a_week(schedule: Any) -> float | None:
    """How often a cron schedule of five fields fires in an average week; None where it cannot be read."""
    fields = str(schedule).split() if isinstance(schedule, str) else []
    if len(fields) != 5:
        return None
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    sets = [_field(text, low, high) for text, (low, high) in zip(fields, ranges, strict=True)]
    if any(s is None for s in sets):
        return None
    minutes, hours, dates, months, weekdays = (s or frozenset() for s in sets)
    by_date = 7 * len(dates) / 31 if fields[2] != "*" else 7.0
    by_weekday = float(len({d % 7 for d in weekdays})) if fields[4] != "*" else 7.0
    # Cron fires when either of the two day fields fits, if both are restricted.
    days = min(7.0, by_date + by_weekday) if fields[2] != "*" and fields[4] != "*" else min(by_date, by_weekday)
    return len(minutes) * len(hours) * days * len(months) / 12


def _field(text: str, low: int, high: int) -> frozenset[int] | None:
    values: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", part)
        if found is None or found[4] == "0":
            return None
        first = low if found[1] else int(found[2])
        last = high if found[1] or (found[4] and not found[3]) else int(found[3] or found[2])
        if not low <= first <= last <= high:
            return None
        values.update(range(first, last + 1, int(found[4] or 1)))
    return frozenset(values)
