"""Service levels: what data, receipts and the calendar show of them (ODCS 3.1, Service-Level Agreement)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from statistics import median
from typing import Any

from outer.audit import plan
from outer.audit.judge import Judge, Open, hours, missing, number
from outer.audit.plan import Field, Item
from outer.audit.sql import holds, instant
from outer.datatypes import kind
from outer.quality import Unknown
from outer.result import How, Outcome, Result
from outer.servicelevel import clock
from outer.yamlfile import show


class Levels(Judge):
    """Judges the promises of a contract's service levels."""

    def _level(self, item: Item) -> Result | Open:
        match item:
            case plan.Age():
                return self._newest(item, item.field) if item.field else self._publication(item)
            case plan.Retention():
                return self._retention(item)
            case plan.Frequency():
                return self._frequency(item)
            case plan.Volume():
                return self._volume(item)
            case plan.Filled():
                return self._filled(item)
            case plan.Available():
                return self._available(item)
            case plan.Until():
                return self._until(item)
        raise Unknown(f"an item of the kind {type(item).__name__}")

    def _publication(self, item: plan.Age) -> Result:
        age = self.now.as_of - self.now.published if self.now.published else timedelta()
        outcome: Outcome = "passed" if age <= item.allowed else "failed"
        return self._say(item, outcome, "receipt", f"published at most {hours(item.allowed)} ago", f"{hours(age)} ago")

    def _newest(self, item: plan.Age, where: Field) -> Result | Open:
        expected = f"newest {where.name} at most {hours(item.allowed)} old"
        found = self._time(item, where)
        if isinstance(found, Result):
            return found
        zone = clock(where.zone, found)

        def verdict(values: Sequence[Any], how: How = "scan") -> Result:
            if values[0] is None:
                return self._say(item, "failed", how, expected, "no value up to now")
            try:
                latest = instant(str(values[0]), zone) + timedelta(days=found == "DATE")
            except (ValueError, OverflowError):  # -infinity, or a year that Python has no name for
                return self._say(item, "failed", how, expected, "no time of the calendar")
            age = max(self.now.as_of - latest, timedelta())
            outcome: Outcome = "passed" if age <= item.allowed else "failed"
            return self._say(item, outcome, how, expected, f"{hours(age)} old")

        sql = self.sql.value(where)
        moment = local(self.now.as_of, found, zone)
        now = self.sql.constant(moment, found)
        high = self.facts.highs.get(where.column)
        if high is not None and holds(high, "<=", moment, found):
            return verdict([high], "file metadata")
        # What lies in the future is passed over: one wrong date would make stale data fresh for ever.
        return Open(item, (f"CAST(max(CASE WHEN {sql} <= {now} THEN {sql} END) AS VARCHAR)",), verdict)

    def _retention(self, item: plan.Retention) -> Result | Open:
        found = self._time(item, item.field)
        if isinstance(found, Result):
            return found
        oldest = self.now.as_of - item.allowed
        # A date stands for its whole day, and is as old as the end of it.
        bound = local(oldest, found, clock(item.field.zone, found))
        if found == "DATE":
            bound = local(oldest - timedelta(microseconds=1), found)
        expected = f"no {item.field.name} older than {hours(item.allowed)}"
        low = self.facts.lows.get(item.field.column)
        if low is not None and holds(low, ">=", bound, found):
            return self._say(item, "passed", "file metadata", expected)
        bad = f"{self.sql.value(item.field)} < {self.sql.constant(bound, found)}"
        return Open(
            item, (self.sql.count(bad),),
            lambda values: self._counted(
                item, expected, int(values[0] or 0), lambda: self._examples(bad, item.field)
            ),
        )  # fmt: skip

    def _time(self, item: Item, where: Field) -> str | Result:
        found = self.sql.found(where)
        if found is None:
            return self._unsaid(item, missing(where))
        if kind(found) not in ("date", "timestamp"):
            raise Unknown(f"{show(where.name)} of the type {found} tells no time")
        return found

    def _frequency(self, item: plan.Frequency) -> Result:
        times = [p.finished for p in self.now.history if p.published]
        if not times:
            return self._unsaid(item, "there is no earlier publication to count from")
        # The newest two publications; what is staged now would be the newest.
        last = self.now.published or self.now.as_of
        gap = max(last - max((t for t in times if t < last), default=last), timedelta())
        outcome: Outcome = "passed" if gap <= item.allowed else "failed"
        expected = f"at most {hours(item.allowed)} between publications"
        return self._say(item, outcome, "receipt", expected, f"{hours(gap)} since the one before")

    def _volume(self, item: plan.Volume) -> Result | Open:
        earlier = [p.rows for p in self.now.history if p.published and p.rows is not None]
        if item.percent and not earlier:
            return self._unsaid(item, "there is no earlier publication to compare with")
        least = item.least / 100 * median(earlier) if item.percent else item.least
        expected = f">= {number(least)} rows"
        if item.percent:
            expected += f", {item.least:g} % of the median of {len(earlier)} publications"

        def verdict(rows: int, how: How) -> Result:
            return self._say(item, "passed" if rows >= least else "failed", how, expected, f"{rows:,} rows")

        if self.facts.rows is not None:
            return verdict(self.facts.rows, "receipt" if item.percent else "file metadata")
        return Open(item, ("count(*)",), lambda values: verdict(int(values[0]), "scan"))

    def _filled(self, item: plan.Filled) -> Result | Open:
        if self.sql.found(item.field) is None:
            return self._unsaid(item, missing(item.field))

        def verdict(nulls: int, how: How) -> Result:
            share = 100 * (1 - nulls / self.rows) if self.rows else 100.0
            outcome: Outcome = "passed" if share >= item.least else "failed"
            return self._say(item, outcome, how, f">= {item.least:g} % filled", f"{number(share)} %")

        nulls = self.facts.nulls.get(item.field.column)
        if nulls is not None:
            return verdict(nulls, "file metadata")
        bad = self.sql.bad(item.field, plan.Null())
        return Open(item, (self.sql.count(bad),), lambda values: verdict(int(values[0] or 0), "scan"))

    def _available(self, item: plan.Available) -> Result:
        expected = f">= {item.least:g} % of the runs have published"
        if not self.now.history:
            return self._unsaid(item, "the port can be read now; there is no earlier run to tell its share of the time")
        share = 100 * sum(p.published for p in self.now.history) / len(self.now.history)
        outcome: Outcome = "passed" if share >= item.least else "failed"
        return self._say(item, outcome, "receipt", expected, f"{number(share)} % of {len(self.now.history)}")

    def _until(self, item: plan.Until) -> Result:
        try:
            last = date.fromisoformat(item.date)
        except ValueError:
            raise Unknown(f"{show(item.date)} is not a date") from None
        outcome: Outcome = "passed" if self.now.as_of.astimezone(UTC).date() <= last else "failed"
        return self._say(item, outcome, "receipt", f"until {last}", "" if outcome == "passed" else "it is over")


def local(moment: datetime, found: str, zone: tzinfo = UTC) -> str:
    """A moment as a contract would write it for the type `found`, in `zone`."""
    there = moment.astimezone(zone)
    if found == "DATE":
        return there.date().isoformat()
    return (there if zone is UTC else there.replace(tzinfo=None)).isoformat()
