"""The report as Markdown, for the page of a CI job. Text from files is escaped: it formats, links and names nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from outer.check import Report
from outer.finding import Finding
from outer.report import View, count, lines, open_findings, plain, reference, sentence, summary

MOST_ROWS = 200
"""Findings shown; GitHub takes 1 MiB for the page of a job, and people read less."""


def as_markdown(report: Report, view: View) -> str:
    """`report` as GitHub and GitLab flavoured Markdown."""
    mark = "✅" if report.passed else "❌"
    said = [f"## {mark} outer check", "", escape(sentence(summary(report))), ""]
    found = open_findings(report)
    if found:
        said += [*_table(("", "rule", "where", "what", "what to do"), map(_row, found[:MOST_ROWS])), ""]
    if len(found) > MOST_ROWS:
        said += [f"And {len(found) - MOST_ROWS} more.", ""]
    if report.crashed:
        said += ["### Rules that failed themselves", ""]
        said += [f"- {escape(rule)}: {escape(plain(reason))}" for rule, reason in report.crashed] + [""]
    if report.waivers or report.baseline:
        said += ["### Accepted for a time", "", *_accepted(report), ""]
    if view.metrics:
        rows = (
            (
                escape(metric.title),
                "none" if metric.score is None else f"{metric.score} %",
                metric.band,
                escape(", ".join(f"{count} x {what}" for what, count in metric.gaps[:3])),
            )
            for metric in view.metrics
        )
        said += ["### Metrics", "", *_table(("metric", "score", "band", "missing most"), rows), ""]
    return lines(said)


def _row(finding: Finding) -> tuple[str, ...]:
    return (
        str(finding.level),
        f"[{finding.rule}]({reference(finding.rule)})",
        escape(f"{plain(finding.path)}:{finding.place.line}"),
        escape(plain(finding.message)),
        escape(finding.todo),
    )


def _accepted(report: Report) -> Iterator[str]:
    rows = [
        (
            f"[{waiver.rule}]({reference(waiver.rule)})",
            *(escape(plain(words)) for words in (waiver.place, waiver.reason, waiver.owner, waiver.approver)),
            f"{waiver.expires} ({waiver.days_left(report.as_of)} days left)",
        )
        for waiver in report.waivers
    ]
    if baseline := report.baseline:
        end = f"{baseline.expires} ({baseline.days_left(report.as_of)} days left)"
        held = f"baseline of {baseline.written}: {count(len(baseline.entries), 'finding')}"
        rows.append(("", "", held, escape(plain(baseline.owner)), "", end))
    yield from _table(("rule", "where", "why", "owner", "approved by", "ends"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(row) + " |"


def escape(words: str) -> str:
    """`words` so that Markdown shows them as they are: no formatting, no HTML, no link, no mention, no table cell."""
    safe = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = re.sub(r"([\\`*_{}\[\]()#+!|~$^=-])", r"\\\1", safe)
    # What renderers find without marks: addresses, mentions, short codes.
    return safe.replace(":", "&#58;").replace("@", "&#64;").replace("www.", "www&#46;")
