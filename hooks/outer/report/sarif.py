"""The report as SARIF 2.1.0, for code scanning.

Sources: OASIS, Static Analysis Results Interchange Format 2.1.0 (sections in brackets below); GitHub, SARIF support for
code scanning, for which properties are needed and how many results are taken.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from outer import __version__
from outer.check import Report
from outer.finding import Finding, Level, fingerprints
from outer.report import HOME, View, plain, reference, sentence
from outer.rule import Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000
"""GitHub refuses a run with more (and shows 5,000)."""

_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}
_SEVERITIES = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "recommendation"}


def as_sarif(report: Report, view: View) -> str:
    """`report` as one SARIF log of one run. Accepted findings are in it, suppressed (3.27.23)."""
    rules = [rule for rule, _ in report.judged]
    index = {rule.id: position for position, rule in enumerate(rules)}
    results = [
        _result(finding, fingerprint, index, view)
        for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    results.sort(key=lambda result: ("suppressions" in result, order[result["level"]]))
    notes = [
        {
            "level": "error",
            "message": {"text": sentence(f"Rule {name} failed: {plain(reason)}")},
            "associatedRule": {"id": name, "index": index[name]},
        }
        for name, reason in report.crashed
    ]
    if len(results) > MOST_RESULTS:
        left = len(results) - MOST_RESULTS
        notes.append({"level": "warning", "message": {"text": f"{left} more findings are left out of this file."}})
    run = {
        "tool": {
            "driver": {
                "name": "outer",
                "fullName": f"outer check {__version__} of Data Product Blueprints",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": HOME,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"outer-check/{view.prefix}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {"executionSuccessful": not report.crashed, **({"toolExecutionNotifications": notes} if notes else {})}
        ],
        "results": results[:MOST_RESULTS],
        "properties": {"asOf": report.as_of.isoformat(), "rules": report.rules, "objects": report.objects},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    """One reportingDescriptor (3.49)."""
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"{rule.why} {rule.todo}",
            "markdown": f"**Why.** {rule.why}\n\n**What to do.** {rule.todo}\n\n[Reference]({reference(rule.id)})",
        },
        "helpUri": reference(rule.id),
        "defaultConfiguration": {"level": _LEVELS[rule.level]},
        "properties": {
            "tags": ["data-product", rule.id[:3].lower()],
            "precision": "very-high",
            "problem.severity": _SEVERITIES[rule.level],
            "since": rule.since,
        },
    }


def _result(finding: Finding, fingerprint: str, index: dict[str, int], view: View) -> dict[str, Any]:
    """One result (3.27)."""
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVELS[finding.level],
        "message": {"text": f"{sentence(plain(finding.message))} {finding.todo}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(view.prefix + finding.path)},
                    "region": {"startLine": max(1, finding.place.line), "startColumn": max(1, finding.place.column)},
                }
            }
        ],
        # The first key is the one that GitHub reads; it would make one from the line's text, which says less.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "outerFinding/v1": fingerprint},
    }
    if finding.waived:
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": plain(finding.waived),
            }
        ]
    return result


def _uri(path: str) -> str:
    """`path` as a relative reference (RFC 3986)."""
    return quote(plain(path), safe="/._-~")
