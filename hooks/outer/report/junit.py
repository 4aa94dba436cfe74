"""The report as JUnit XML: a suite for each family, a case for each rule. GitLab, Jenkins and Azure DevOps show it."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as Xml

from outer.check import Report
from outer.finding import Finding, Level
from outer.report import View, plain, sentence
from outer.rule import Rule


def as_junit(report: Report, view: View) -> str:
    """`report` as XML. Errors fail a case, warnings and accepted findings are its output, no object skips it."""
    crashed = dict(report.crashed)
    root = Xml.Element("testsuites", name="outer check")
    for family, judged in groupby(sorted(report.judged, key=lambda entry: entry[0].id), key=lambda e: e[0].id[:3]):
        suite = Xml.SubElement(root, "testsuite", name=f"{family}: {_family(report, family)}")
        for rule, objects in judged:
            found = [finding for finding in report.findings if finding.rule == rule.id]
            _case(suite, rule, objects, found, crashed.get(rule.id), view.prefix)
        _counted(suite, [suite])
    _counted(root, list(root))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=False)


def _family(report: Report, family: str) -> str:
    return next(rule.family for rule, _ in report.judged if rule.id.startswith(family))


def _case(suite: Xml.Element, rule: Rule, objects: int, found: list[Finding], crash: str | None, prefix: str) -> None:
    case = Xml.SubElement(suite, "testcase", classname=f"outer.{rule.id[:3]}", name=f"{rule.id} {rule.title}")
    failing: list[Finding] = []
    others: list[Finding] = []
    for finding in found:
        (failing if finding.level is Level.ERROR and not finding.waived else others).append(finding)
    if crash is not None:
        Xml.SubElement(case, "error", type="internal", message="the rule itself failed").text = _safe(crash)
    elif failing:
        first = failing[0]
        message = _safe(first.message) + (f", and {len(failing) - 1} more" if len(failing) > 1 else "")
        failure = Xml.SubElement(case, "failure", type=str(first.level), message=message)
        failure.text = "\n".join([*(_line(finding, prefix) for finding in failing), rule.todo])
    elif not objects:
        Xml.SubElement(case, "skipped", message=f"the product has no {rule.scope}")
    if others:
        Xml.SubElement(case, "system-out").text = "\n".join(_line(finding, prefix) for finding in others)


def _line(finding: Finding, prefix: str) -> str:
    place = f"{_safe(prefix + finding.path)}:{finding.place.line}:{finding.place.column}"
    accepted = f" Accepted: {_safe(sentence(finding.waived))}" if finding.waived else ""
    return f"{place}: {finding.level}: {_safe(sentence(finding.message))}{accepted}"


def _counted(element: Xml.Element, suites: list[Xml.Element]) -> None:
    """Set the numbers that readers show first."""
    for name, path in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(len(list(suite.iter(path))) for suite in suites)))


def _safe(words: str) -> str:
    """`words` without the characters that XML 1.0 has no way to write."""
    return "".join(c if c not in "\ufffe\uffff" else "\N{REPLACEMENT CHARACTER}" for c in plain(words))
