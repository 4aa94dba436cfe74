"""INO, continued: service levels that every reader understands alike.

Names are those of Bitol ODCS 3.1, section Service-Level Agreement, with `freshness` and `supportHours` of the profile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from outer.product import File
from outer.quality import Unknown
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, columns, filled, mappings, words
from outer.servicelevel import SHORT, allowed_age, in_rows
from outer.waivers import day
from outer.yamlfile import show

_DRIVERS = ("regulatory", "analytics", "operational")
_HOURS = re.compile(r"(?:[1-9]|1[0-9]|2[0-4])x[1-7]\Z")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])? ?(?:Z|UTC|[+-][01][0-9]:[0-5][0-9])\Z")


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12


def _time_span(level: Mapping[str, Any]) -> str:
    if not _number(level.get("value")) or not level.get("value"):
        return f"{show(level.get('value'))} is no number above 0"
    try:
        allowed_age(level)
    except Unknown as unknown:
        return str(unknown)
    return ""


def _share(level: Mapping[str, Any]) -> str:
    value, unit = level.get("value"), level.get("unit")
    if not _number(value) or float(str(value)) > 100:
        return f"{show(value)} is no number from 0 to 100"
    return "" if unit in ("percent", "%") else f"the unit is {show(unit)}, not percent"


def _volume(level: Mapping[str, Any]) -> str:
    if level.get("unit") in ("percent", "%"):
        return _share(level)
    return _rate(level) or ("" if level.get("unit") == "rows" else f"the unit is {show(level.get('unit'))}, not rows")


def _kept(level: Mapping[str, Any]) -> str:
    if not in_rows(level):
        return _time_span(level)
    whole = "a number of rows is kept of the whole table; leave `element` out"
    return _volume(level) or (whole if level.get("element") else "")


def _rate(level: Mapping[str, Any]) -> str:
    if not _number(level.get("value")) or not level.get("value"):
        return f"{show(level.get('value'))} is no number above 0"
    return "" if filled(level.get("unit")) else "it has no unit"


def _day(level: Mapping[str, Any]) -> str:
    value = level.get("value")
    return "" if isinstance(value, str) and day(value[:10]) else f"{show(value)} is no date like 2030-01-31"


def _hours(level: Mapping[str, Any]) -> str:
    value = level.get("value")
    if isinstance(value, str) and _HOURS.match(value):
        return ""
    return f"{show(value)} is not hours x days, like 8x5"


def _clock(level: Mapping[str, Any]) -> str:
    value = level.get("value")
    return "" if isinstance(value, str) and _CLOCK.match(value) else f"{show(value)} is no time with a zone: 06:00 UTC"


MEANING: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    **dict.fromkeys(
        ("freshness", "latency", "frequency", "timeToDetect", "timeToNotify", "timeToRepair"), _time_span
    ),
    **dict.fromkeys(("availability", "completeness", "errorRate"), _share),
    **dict.fromkeys(("generalAvailability", "endOfSupport", "endOfLife"), _day),
    "retention": _kept, "throughput": _rate, "volume": _volume, "supportHours": _hours, "timeOfAvailability": _clock,
}  # fmt: skip
"""Service level -> what is wrong with a value of it; empty where nothing is."""


def _levels(subject: Subject) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for index, level in subject.entries("slaProperties"):
        name = str(level.get("property"))
        yield index, SHORT.get(name, name), level


@rule(
    "INO012",
    Scope.OUTPUT_CONTRACT,
    title="Service levels have names that the standard knows.",
    why="A misspelt promise is seen by no monitor: stale data pass, and everybody believes that they are watched.",
    todo=f"Use one of: {', '.join(MEANING)}, or another one that outer/standard.yaml asks for.",
    bad=Change(CONTRACT, "property: freshness", "property: freshnes"),
)
def known(subject: Subject) -> Iterator[Said]:
    asked = words(subject, "contract", "sla")
    for index, name, _ in _levels(subject):
        if name not in MEANING and name not in asked:
            from difflib import get_close_matches

            close = get_close_matches(name[:40], MEANING, 1)
            meant = f"; is {show(close[0])} meant?" if close else ""
            yield Said(f"the service level {show(name)} is not known{meant}", ("slaProperties", index, "property"))


@rule(
    "INO013",
    Scope.OUTPUT_CONTRACT,
    title="The value of a service level is one that can be measured: a number with a unit, a share, a date.",
    why="`soon` and `24` promise nothing; one reads hours and another days.",
    todo="Write numbers as numbers with a unit (s, min, h, d, w, y), shares in percent, dates as YYYY-MM-DD.",
    bad=Change(CONTRACT, "    unit: h\n", "    unit: hs\n"),
)
def measurable(subject: Subject) -> Iterator[Said]:
    for index, name, level in _levels(subject):
        meaning = MEANING.get(name)
        reason = meaning(level) if meaning else ""
        if reason:
            yield Said(f"the service level {show(name)}: {reason}", ("slaProperties", index, "value"))
        driver = level.get("driver")
        if driver is not None and driver not in _DRIVERS:
            message = f"the driver {show(driver)} is none of {', '.join(_DRIVERS)}"
            yield Said(message, ("slaProperties", index, "driver"))


@rule(
    "INO014",
    Scope.OUTPUT_CONTRACT,
    title="A service level about a column names one that is there.",
    why="A level on a column that does not exist is kept by definition, however old the data are.",
    todo="Write `element` as <table>.<column> of this contract, or leave it out.",
    bad=Change(
        CONTRACT,
        "property: freshness # hours since the last publication, at most\n",
        "property: freshness\n    element: carrier_punctuality.flight_day\n",
    ),
)
def element(subject: Subject) -> Iterator[Said]:
    names = _elements(subject.file)
    default = subject.get("slaDefaultElement")
    for part in str(default).split(",") if default else ():
        if part.strip() not in names:
            message = f"{show(part.strip())} of `slaDefaultElement` is no column of this contract"
            yield Said(message, ("slaDefaultElement",))
    for index, name, level in _levels(subject):
        written = level.get("element")
        if written is None:
            continue
        for part in str(written).split(","):
            if part.strip() not in names:
                yield Said(f"{show(part.strip())} of the service level {show(name)} is no column of this contract",
                           ("slaProperties", index, "element"))  # fmt: skip


def _elements(file: File | None) -> frozenset[str]:
    """Names by which a service level may mean a table or a column."""
    tables = [name for _, t in mappings(file.get("schema") if file else None) if (name := filled(t.get("name")))]
    own = [filled(column.get("name")) for _, column in columns(file)]
    return frozenset((*tables, *own, *(f"{table}.{name}" for table in tables for name in own)))
