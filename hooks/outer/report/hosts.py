"""The report for the hosts of repositories: annotations of GitHub, code quality of GitLab."""

from __future__ import annotations

import json

from outer.check import Report
from outer.finding import Finding, Level, fingerprints
from outer.report import View, lines, open_findings, plain, sentence

MOST_ANNOTATIONS = 10
"""GitHub shows so many of a level for each step and drops the rest without a word."""

_KINDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "notice"}
_SEVERITIES = {Level.ERROR: "major", Level.WARNING: "minor", Level.INFO: "info"}


def as_github(report: Report, view: View) -> str:
    """Workflow commands, which GitHub shows beside the changed lines.

    Values are escaped as the workflow command syntax asks, so that text from a file cannot start a command of its own.
    Where a level has more findings than GitHub shows, the last place says how many more there are; these follow as
    ordinary lines of the log.
    """
    said: list[str] = []
    rest: list[Finding] = []
    for level in Level:
        found = report.at(level)
        shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
        said += [_annotation(finding, view.prefix) for finding in shown]
        if more := found[len(shown) :]:
            rest += more
            said.append(f"::{_KINDS[level]} title=outer check::{len(more)} more findings of this level; see the log")
    said += [
        f"{plain(view.prefix + f.path)}:{f.place.line}:{f.place.column}: {f.level}: {f.rule}: {plain(f.message)}"
        for f in rest
    ]
    return lines(said)


def _annotation(finding: Finding, prefix: str) -> str:
    message = _escaped(f"{sentence(plain(finding.message))} {finding.todo}")
    path = _escaped(plain(prefix + finding.path)).replace(":", "%3A").replace(",", "%2C")
    place = f"file={path},line={finding.place.line},col={finding.place.column}"
    return f"::{_KINDS[finding.level]} {place},title={finding.rule}::{message}"


def _escaped(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def as_gitlab(report: Report, view: View) -> str:
    """A code quality report: what nothing accepts, with fingerprints by which GitLab tells new from known."""
    names = dict(zip(map(id, report.findings), fingerprints(report.findings), strict=True))
    return json.dumps(
        [
            {
                "description": f"{sentence(plain(finding.message))} {finding.todo}",
                "check_name": finding.rule,
                "fingerprint": names[id(finding)],
                "severity": _SEVERITIES[finding.level],
                "location": {"path": plain(view.prefix + finding.path), "lines": {"begin": finding.place.line}},
            }
            for finding in open_findings(report)
        ],
        indent=2,
    )
