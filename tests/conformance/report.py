"""What came of a trial: a table for people, JSON for machines."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.checks import Level, Verdict, reached
from conformance.product import isolation
from outer import __version__
from outer.talk import seconds

FORMAT = 1


@dataclass(frozen=True)
class Result:
    """The trial of one blueprint: what was asked of it, and the verdict of each check that was run."""

    blueprint: str
    asked: Level
    judged: Level
    """The highest level whose checks were part of the trial."""
    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def level(self) -> Level:
        return reached(list(self.verdicts))

    @property
    def passed(self) -> bool:
        return self.level >= self.asked

    @property
    def missing(self) -> tuple[Verdict, ...]:
        """What stands between it and the next level; nothing when the trial went no further."""
        ahead = Level(min(self.level + 1, Level.GOLD))
        return tuple(v for v in self.verdicts if v.status != "passed" and v.check.level <= ahead)


def text(results: Sequence[Result], *, colour: bool = False) -> str:
    """The results as tables, one for each blueprint."""
    return "\n\n".join(_table(result, colour=colour) for result in results)


def _table(result: Result, *, colour: bool) -> str:
    width = max(len(verdict.check.id) for verdict in result.verdicts)
    lines = []
    for step in (Level.BRONZE, Level.SILVER, Level.GOLD):
        verdicts = [v for v in result.verdicts if v.check.level == step]
        if not verdicts:
            continue
        lines.append(step.word)
        for verdict in verdicts:
            mark = {"passed": "ok  ", "failed": "FAIL", "not run": "-   "}[verdict.status]
            mark = _paint(mark, {"passed": "32", "failed": "31", "not run": "33"}[verdict.status], colour=colour)
            note = f" ({verdict.note})" if verdict.note and verdict.status == "passed" else ""
            lines.append(f"  {mark}  {verdict.check.id:<{width}}  {verdict.check.title}{note}")
            lines += [f"        {' ' * width}{_short(reason)}" for reason in verdict.reasons[:5]]
            if len(verdict.reasons) > 5:
                lines.append(f"        {' ' * width}and {len(verdict.reasons) - 5} more")
    return "\n".join([f"{result.blueprint}: {headline(result)}", *lines])


def headline(result: Result) -> str:
    """Level, what is missing for the next one, and how long it took, in one line."""
    said = [result.level.word if result.level else "no level"]
    if result.missing:
        named = ", ".join(verdict.check.id for verdict in result.missing)
        said.append(f"missing for {Level(min(result.level + 1, Level.GOLD)).word}: {named}")
    elif result.judged < Level.GOLD and result.level == result.judged:
        said.append(f"{Level(result.judged + 1).word} was not judged")
    if not result.passed:
        said.append(f"asked for: {result.asked.word}")
    return f"{'; '.join(said)} ({seconds(result.seconds)})"


def as_json(results: Sequence[Result]) -> str:
    """The results as one JSON object; the format is described in docs/reference/conformance.md."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "suite": __version__,
        "passed": all(result.passed for result in results),
        "network": isolation(),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "blueprints": [
            {
                "blueprint": result.blueprint,
                "level": result.level.word,
                "asked": result.asked.word,
                "judged": result.judged.word,
                "passed": result.passed,
                "missing": [verdict.check.id for verdict in result.missing],
                "seconds": round(result.seconds, 1),
                "checks": [
                    {
                        "id": verdict.check.id,
                        "title": verdict.check.title,
                        "level": verdict.check.level.word,
                        "status": verdict.status,
                        "reasons": list(verdict.reasons),
                        "note": verdict.note,
                        "seconds": round(verdict.seconds, 2),
                    }
                    for verdict in result.verdicts
                ],
            }
            for result in results
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _short(reason: str) -> str:
    return reason if len(reason) <= 400 else f"{reason[:399]}…"


def _paint(text: str, code: str, *, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
