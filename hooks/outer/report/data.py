"""The report as JSON, for machines."""

from __future__ import annotations

import json
from typing import Any

from outer import __version__
from outer.check import Report
from outer.finding import Finding, Level, fingerprints
from outer.report import View, reference

FORMAT = 1
"""Changes when a reader of the older one would break; new keys alone do not change it."""


def as_json(report: Report, view: View) -> str:
    """`report` as one JSON object."""
    stages = {rule.id: (rule.title, rule.stage(report.as_of)) for rule, _ in report.judged}

    def entry(finding: Finding, fingerprint: str) -> dict[str, Any]:
        title, stage = stages[finding.rule]
        return {
            "rule": finding.rule,
            "title": title,
            "stage": stage,
            "level": finding.level,
            "path": finding.path,
            "line": finding.place.line,
            "column": finding.place.column,
            "message": finding.message,
            "todo": finding.todo,
            "reference": reference(finding.rule),
            "fingerprint": fingerprint,
            "waived": finding.waived or None,
            "baselined": finding.baselined,
        }

    baseline = report.baseline
    content: dict[str, Any] = {
        "format": FORMAT,
        "outer": __version__,
        "as_of": report.as_of.isoformat(),
        "passed": report.passed,
        "rules": report.rules,
        "objects": report.objects,
        "counts": {
            **{str(level): len(report.at(level)) for level in Level},
            "waived": len(report.waived),
            "baselined": len(report.baselined),
        },
        "crashed": [{"rule": rule, "reason": reason} for rule, reason in report.crashed],
        "findings": [
            entry(finding, fingerprint)
            for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
        ],
        "waivers": [
            {
                "rule": waiver.rule,
                "place": waiver.place,
                "reason": waiver.reason,
                "owner": waiver.owner,
                "approver": waiver.approver,
                "expires": str(waiver.expires),
                "days_left": waiver.days_left(report.as_of),
            }
            for waiver in report.waivers
        ],
        "baseline": None
        if baseline is None
        else {
            "owner": baseline.owner,
            "written": str(baseline.written),
            "expires": str(baseline.expires),
            "days_left": baseline.days_left(report.as_of),
            "findings": len(baseline.entries),
        },
    }
    if view.metrics:
        content["metrics"] = [
            {
                "id": metric.id,
                "title": metric.title,
                "score": metric.score,
                "band": metric.band,
                "reached": metric.reached,
                "possible": metric.possible,
                "gaps": [{"what": what, "count": count} for what, count in metric.gaps],
            }
            for metric in view.metrics
        ]
    # Escaped to ASCII, so that no console and no file name can make the output unreadable.
    return json.dumps(content, indent=2)
