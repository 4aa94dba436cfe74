"""Deliberately broken blueprints: the guide's blueprint with one defect each, which the kit must find and name.

A defect is a file broken/<name>.yml: what is wrong (`title`), the check that has to fail (`expect`), words of its
reason (`reason`), checks that may fail as a consequence (`also`), and the `changes`, each to one file of the blueprint:
`old` text that becomes `new`, a whole `text`, or `text: null`, which removes the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import suite_repo
from conformance import guide, new
from conformance.checks import Verdict

FOLDER = Path(__file__).with_name("broken")
SOUND = "sound"
"""Name of the blueprint without a defect, as planted."""


@dataclass(frozen=True)
class Defect:
    """One defect, and how the kit has to answer."""

    name: str
    title: str
    expect: str
    reason: str
    also: frozenset[str]
    changes: tuple[Mapping[str, Any], ...]

    def wrong(self, verdicts: Iterable[Verdict]) -> list[str]:
        """How `verdicts` differ from what has to be said of this defect; nothing when they do not."""
        said = {verdict.check.id: verdict for verdict in verdicts}
        found = said.get(self.expect)
        if found is None or found.status != "failed":
            return [f"{self.expect} has to fail, and is {found.status if found else 'missing'}: {found}"]
        problems = []
        if self.reason not in " ".join(found.reasons):
            problems.append(f"the reason {self.reason!r} is not in {found.reasons}")
        for check, verdict in said.items():
            if verdict.status != "passed" and check != self.expect and check not in self.also:
                problems.append(f"{check} is {verdict.status} too: {verdict.reasons[:2]}")
        return problems


def defects() -> list[Defect]:
    """All of broken/, by name."""
    return [_read(path) for path in sorted(FOLDER.glob("*.yml"))]


def _read(path: Path) -> Defect:
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Defect(
        path.stem,
        entry["title"],
        entry["expect"],
        entry.get("reason", ""),
        frozenset(entry.get("also", ())),
        tuple(entry["changes"]),
    )


def plant(suite: Path, defects: Iterable[Defect] = ()) -> Path:
    """Give the repository `suite` the guide's blueprint as `sound`, and one blueprint for each defect; commit it."""
    for name, changes in [(SOUND, ()), *((defect.name, defect.changes) for defect in defects)]:
        new.create(suite, name)
        folder = suite / "blueprints" / name
        for step in guide.steps():
            if isinstance(step, guide.File):
                text = step.text.replace("name: duckdb_sql", f"name: {name}")
                (suite / step.path.replace("/duckdb_sql/", f"/{name}/")).write_text(text, encoding="utf-8")
        for change in changes:
            _apply(folder / change["path"], change)
    suite_repo.commit(suite)
    suite_repo.git(suite, "tag", "--force", suite_repo.TAG)
    return suite


def _apply(path: Path, change: Mapping[str, Any]) -> None:
    if "old" in change:
        text = path.read_text(encoding="utf-8")
        assert text.count(change["old"]) == 1, (
            f"{path}: {change['old']!r} stands there {text.count(change['old'])} times"
        )
        path.write_text(text.replace(change["old"], change["new"]), encoding="utf-8")
    elif change["text"] is None:
        path.unlink()
    else:
        path.write_text(change["text"], encoding="utf-8")
