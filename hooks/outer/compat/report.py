"""Writes down what the comparison found: for people, and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from outer import __version__
from outer.compat.judge import Comparison
from outer.compat.rules import BY_ID, RULES
from outer.compat.versions import Bump
from outer.errors import FINDINGS, PASS
from outer.finding import Finding, Level
from outer.talk import counted

_COLOURS = {Level.ERROR: "31", Level.WARNING: "33", Level.INFO: "36"}
Paint = Callable[[str, str], str]


@dataclass(frozen=True)
class CompatReport:
    """What `outer compat` found, and on how much it looked."""

    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    """By path and line; those that a waiver accepts are among them, marked."""
    base: str
    releases: int
    """Releases that were looked at."""
    as_of: date

    def at(self, level: Level) -> tuple[Finding, ...]:
        """Findings of `level` that no waiver accepts."""
        return tuple(f for f in self.findings if f.level is level and not f.waived)

    @property
    def need(self) -> Bump:
        """What the product needs, over all that changed."""
        return max((c.need for c in self.comparisons), default=Bump.NONE)

    @property
    def passed(self) -> bool:
        return not self.at(Level.ERROR)

    @property
    def exit_code(self) -> int:
        return PASS if self.passed else FINDINGS

    def text(self, *, colour: bool, quiet: bool = False) -> str:
        """For people: findings by file, then what each document needs, then how much was compared."""

        def paint(code: str, words: str) -> str:
            return f"\x1b[{code}m{words}\x1b[0m" if colour else words

        lines: list[str] = []
        shown = [f for f in self.findings if not (quiet and f.level is Level.INFO)]
        for path, found in groupby(shown, key=lambda f: f.path):
            lines.append(paint("1", path))
            for finding in found:
                lines += _lines(finding, paint)
            lines.append("")
        if not (quiet and self.passed):
            lines += [paint("2", c) for c in map(_explained, self.comparisons) if c]
            lines += [_needs(c, paint) for c in self.comparisons if c.against == self.base and (c.need or not c.enough)]
            lines.append(self._summary(paint))
        return "\n".join(lines)

    def _summary(self, paint: Paint) -> str:
        counts = [counted(len(self.at(Level.ERROR)), "error")]
        if warnings := len(self.at(Level.WARNING)):
            counts.append(counted(warnings, "warning"))
        if waived := sum(bool(f.waived) for f in self.findings):
            counts.append(f"{waived} waived")
        verdict = "pass" if self.passed else "fail"
        need = f"needs {self.need.word}" if self.need else "nothing changed"
        done = f"{len(RULES)} rules on {counted(len(self.comparisons), 'comparison')} against {self.base}"
        if self.releases:
            done += f" and {counted(self.releases, 'release')}"
        line = f"{verdict}: {', '.join(counts)}; {need} ({done}, as of {self.as_of})"
        return paint("32" if self.passed else "31", line)

    def as_json(self) -> str:
        """For machines. `format` changes when a reader would break."""
        return json.dumps(
            {
                "format": 1,
                "outer": __version__,
                "as_of": self.as_of.isoformat(),
                "base": self.base,
                "releases": self.releases,
                "passed": self.passed,
                "need": self.need.word,
                "rules": len(RULES),
                "comparisons": [
                    {
                        "kind": c.kind,
                        "name": c.name,
                        "path": c.path,
                        "against": c.against,
                        "old_version": c.old_version or None,
                        "new_version": c.new_version or None,
                        "need": c.need.word,
                        "enough": c.enough,
                        "next_version": c.next_version or None,
                        "next_file": c.next_file,
                        "draft": c.drafted,
                        "explanation": _explained(c) or None,
                        "changes": [
                            {
                                "rule": v.rule.id,
                                "grade": v.rule.grade,
                                "category": v.rule.category,
                                "way": v.rule.way,
                                "message": v.message,
                            }
                            for v in c.verdicts
                        ],
                    }
                    for c in self.comparisons
                ],
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
                    for f in self.findings
                ],
            },
            indent=2,
            ensure_ascii=False,
        )


def _lines(finding: Finding, paint: Paint) -> list[str]:
    place = f"{finding.path}:{finding.place.line}:{finding.place.column}"
    level = "waived" if finding.waived else "note" if finding.level is Level.INFO else str(finding.level)
    code = "2" if finding.waived else _COLOURS[finding.level]
    lines = [f"  {place}  {paint(code, level)} {paint('1', finding.rule)}  {finding.message}"]
    if finding.level is not Level.INFO:
        lines.append(f"    {'accepted: ' + finding.waived if finding.waived else finding.todo}")
    return lines


def _explained(comparison: Comparison) -> str:
    """Why what breaks is only a note; empty where it is not, or nothing was found."""
    if not (comparison.drafted and comparison.verdicts):
        return ""
    name = f"{comparison.kind} {comparison.name}"
    if not comparison.new_version:
        return f"{name} was a draft: what breaks in it is a note, for a draft promises nothing yet"
    return (
        f"{name} is a draft at the base: what breaks in it is a note and asks for a minor, in place, until it is active"
    )


def _needs(comparison: Comparison, paint: Paint) -> str:
    name = f"{comparison.kind} {comparison.name}"
    same = comparison.old_version == comparison.new_version
    versions = f"{comparison.old_version or 'new'} to {comparison.new_version or 'gone'}"
    if comparison.kind == "pinned contract":
        return paint("2", f"{name}: {versions} asks the product for a {comparison.need.word} step")
    if comparison.enough:
        return paint("2", f"{name}: {versions} makes the {comparison.need.word} step that it needs (or a larger one)")
    where = f", in {comparison.next_file}" if comparison.next_file != comparison.path else ""
    short = f"still {comparison.old_version}" if same else f"{versions} is too small"
    return f"{name}: {short}; it needs a {comparison.need.word}: {comparison.next_version}{where}"
