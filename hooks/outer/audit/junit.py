"""Results of audits as JUnit XML: a suite for each port, a case for each rule. CI systems show it beside the tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from outer.result import AuditReport, Result


def junit(reports: Sequence[tuple[str, AuditReport]]) -> str:
    """The reports of ports as XML. A rule that blocks fails its case, a warning is its output, no check skips it."""
    root = Xml.Element("testsuites", name="outer verify")
    for port, report in reports:
        suite = Xml.SubElement(root, "testsuite", name=port, time=f"{report.seconds:.3f}")
        for result in report.results:
            _case(suite, port, result)
    for element in (root, *root.iter("testsuite")):
        for name, path in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            element.set(name, str(sum(1 for _ in element.iter(path))))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode")


def _case(suite: Xml.Element, port: str, result: Result) -> None:
    case = Xml.SubElement(suite, "testcase", classname=f"outer.{port}", name=_safe(result.rule))
    if result.seconds is not None:
        case.set("time", f"{result.seconds:.3f}")
    rows = "\n".join(", ".join(f"{name} = {value}" for name, value in row.items()) for row in result.examples)
    said = _safe(result.sentence()) + (f"\n{_safe(rows)}" if rows else "")
    if result.outcome == "not_checked":
        Xml.SubElement(case, "skipped", message=_safe(result.reason))
    elif result.blocks:
        # What could not be executed is an error; data that break the rule are a failure.
        kind = "error" if result.how == "could not run" else "failure"
        Xml.SubElement(case, kind, type=result.severity, message=_safe(result.sentence())).text = said
    elif result.outcome == "failed":
        Xml.SubElement(case, "system-out").text = f"{result.severity}: {said}"


def _safe(text: str) -> str:
    """`text` without the characters that XML 1.0 has no way to write."""
    wrong = "\N{REPLACEMENT CHARACTER}"
    return "".join(c if c == "\n" or (c.isprintable() and c not in "\ufffe\uffff") else wrong for c in text)
