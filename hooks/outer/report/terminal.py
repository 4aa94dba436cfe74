"""The report for people: findings by file, what to do about each, and one line that says how much was judged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from outer.check import Report
from outer.finding import Finding, Level
from outer.metrics import Metric
from outer.report import View, count, lines, plain, reference, sentence, summary

_LEVELS = {Level.ERROR: "31;1", Level.WARNING: "33;1", Level.INFO: "36;1"}
_BANDS = {"green": "32", "amber": "33", "red": "31", "none": "2"}
_SOON = 14
"""Days before its end from which a waiver is mentioned without being asked for."""


def as_text(report: Report, view: View) -> str:
    """`report` as text; empty when it is green and `view` is quiet."""
    page = _Page(view)
    said: list[str] = []
    shown = [finding for finding in report.findings if view.verbose or not finding.waived]
    for path, found in groupby(shown, key=lambda finding: finding.path):
        said.append(page.paint("1;4", plain(path)))
        for finding in found:
            said += [*page.finding(finding), ""]
    if not view.quiet:
        said += page.accepted(report)
        said += page.metrics(view.metrics)
    if not (view.quiet and report.passed):
        said.append(page.paint("32;1" if report.passed else "31;1", summary(report)))
    return lines(said)


class _Page:
    """Lays words out for one terminal."""

    def __init__(self, view: View) -> None:
        self._view = view

    def paint(self, code: str, words: str) -> str:
        return f"\x1b[{code}m{words}\x1b[0m" if self._view.colour else words

    def finding(self, finding: Finding) -> Iterator[str]:
        level = f"{'accepted' if finding.waived else finding.level:8}"
        head = f"  {self.paint('2' if finding.waived else _LEVELS[finding.level], level)} "
        head += self.paint("1", finding.rule)
        yield from self._folded(f"{head}  ", "  accepted XXX000  ", plain(finding.message))
        place = f"{plain(finding.path)}:{finding.place.line}:{finding.place.column}"
        yield f"{'':19}{self.paint('2', f'at  {place}')}"
        yield from self._folded(f"{'':19}do  ", f"{'':23}", plain(finding.todo))
        if finding.waived:
            yield from self._folded(f"{'':19}ok  ", f"{'':23}", plain(sentence(finding.waived)))
        if self._view.verbose:
            yield f"{'':19}{self.paint('2', f'see {reference(finding.rule)}')}"

    def accepted(self, report: Report) -> Iterator[str]:
        """Waivers and the baseline: all of them when verbose, else those that end soon."""
        said: list[str] = []
        for waiver in report.waivers:
            left = waiver.days_left(report.as_of)
            if self._view.verbose or left <= _SOON:
                who = f"owner {plain(waiver.owner) or 'nobody'}, approved by {plain(waiver.approver) or 'nobody'}"
                said.append(f"  {waiver.rule}  {plain(waiver.place)}: {plain(sentence(waiver.reason))}")
                said.append(f"          {self._days(left, f'ends {waiver.expires}')}; {who}")
        baseline = report.baseline
        if baseline is not None:
            left = baseline.days_left(report.as_of)
            if self._view.verbose or left <= _SOON:
                said.append(f"  baseline of {baseline.written}: {count(len(baseline.entries), 'finding')}")
                said.append(f"          {self._days(left, f'ends {baseline.expires}')}; owner {plain(baseline.owner)}")
        if said:
            yield from [self.paint("1;4", "accepted for a time"), *said, ""]

    def metrics(self, metrics: tuple[Metric, ...]) -> Iterator[str]:
        if not metrics:
            return
        yield self.paint("1;4", "metrics")
        for metric in metrics:
            score = "nothing to measure" if metric.score is None else f"{metric.score:3} %  {metric.band}"
            detail = f"  ({metric.reached} of {metric.possible})" if metric.possible else ""
            yield f"  {metric.title:26}{self.paint(_BANDS[metric.band], score)}{self.paint('2', detail)}"
            if self._view.verbose:
                yield from (f"    {count:4} x {what}" for what, count in metric.gaps)
        yield ""

    def _days(self, left: int, words: str) -> str:
        return self.paint("33" if left <= _SOON else "2", f"{left} days left, {words}")

    def _folded(self, first: str, next_: str, words: str) -> Iterator[str]:
        """`words` after `first`, folded to the terminal with later lines below them; `next_` is as wide as `first`."""
        room = (self._view.width or 0) - len(next_)
        if room < 30:
            yield first + words
            return
        from textwrap import wrap

        start, *rest = wrap(words, room, break_long_words=False, break_on_hyphens=False) or [""]
        yield first + start
        yield from (" " * len(next_) + line for line in rest)
