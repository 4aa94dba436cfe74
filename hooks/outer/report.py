"""Writes down what a check found: for people, for machines, for the host of the repository."""

from __future__ import annotations

import json
from itertools import groupby

from outer import __version__
from outer.check import Report
from outer.finding import Finding, Level
from outer.rules import BY_ID

_COLOURS = {Level.ERROR: "31", Level.WARNING: "33", Level.INFO: "36"}


def text(report: Report, *, colour: bool, quiet: bool = False) -> str:
    """For people: findings by file, then one line that says how much was judged."""

    def paint(code: str, words: str) -> str:
        return f"\x1b[{code}m{words}\x1b[0m" if colour else words

    lines: list[str] = []
    for path, found in groupby(report.findings, key=lambda f: f.path):
        lines.append(paint("1", path))
        for finding in found:
            place = f"{finding.path}:{finding.place.line}:{finding.place.column}"
            level = "waived" if finding.waived else str(finding.level)
            code = "2" if finding.waived else _COLOURS[finding.level]
            lines.append(f"  {place}  {paint(code, level)} {paint('1', finding.rule)}  {finding.message}")
            lines.append(f"    {'accepted: ' + finding.waived if finding.waived else finding.todo}")
        lines.append("")
    if not (quiet and passed(report)):
        lines.append(_summary(report, paint))
    return "\n".join(lines)


def _summary(report: Report, paint: object) -> str:
    errors, warnings = report.at(Level.ERROR), report.at(Level.WARNING)
    counts = [f"{len(errors)} error{'s' * (len(errors) != 1)}"]
    if warnings:
        counts.append(f"{len(warnings)} warning{'s' * (len(warnings) != 1)}")
    if report.waived:
        counts.append(f"{len(report.waived)} waived")
    verdict = "pass" if passed(report) else "fail"
    done = f"{report.rules} rules on {report.objects} objects"
    line = f"{verdict}: {', '.join(counts)} ({done}, as of {report.as_of})"
    assert callable(paint)  # noqa: S101
    return str(paint("32" if passed(report) else "31", line))


def passed(report: Report) -> bool:
    """Whether nothing is left that fails the gate."""
    return not report.at(Level.ERROR)


def as_json(report: Report) -> str:
    """For machines. `format` changes when a reader would break."""
    return json.dumps(
        {
            "format": 1,
            "outer": __version__,
            "as_of": report.as_of.isoformat(),
            "passed": passed(report),
            "rules": report.rules,
            "objects": report.objects,
            "findings": [
                {
                    "rule": f.rule,
                    "title": BY_ID[f.rule].title,
                    "level": f.level,
                    "path": f.path,
                    "line": f.place.line,
                    "column": f.place.column,
                    "message": f.message,
                    "todo": f.todo,
                    "waived": f.waived or None,
                }
                for f in report.findings
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def github(report: Report) -> str:
    """Workflow commands that GitHub shows beside the changed lines.

    Values are escaped as the workflow command syntax asks, so that text from a file cannot start a command of its own.
    """
    kinds = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "notice"}

    def command(finding: Finding) -> str:
        message = _escaped(f"{finding.message}. {finding.todo}")
        path = _escaped(finding.path).replace(":", "%3A").replace(",", "%2C")
        place = f"file={path},line={finding.place.line},col={finding.place.column}"
        return f"::{kinds[finding.level]} {place},title={finding.rule}::{message}"

    return "\n".join(command(f) for f in report.findings if not f.waived)


def _escaped(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
