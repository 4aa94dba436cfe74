"""`outer migrate`: shows what the migrations make of the team's files, and writes it when asked."""

from __future__ import annotations

import json
from pathlib import Path

from outer.errors import FINDINGS, PASS
from outer.migrate.planning import MigrationPlan, known, plan, write
from outer.talk import Talk, counted, put

FORMAT = 1
"""Version of the JSON; new keys alone do not change it."""


def migrate(root: Path, talk: Talk, *, to_write: bool, check: bool, format: str) -> int:  # noqa: A002
    """Show the changes of the product in `root` as a diff, and make them when `to_write`; returns the exit code.

    1 where `check` finds something to be migrated, or where something is left to the team; else 0. Raises as `plan`.
    """
    planned = plan(root)
    if to_write:
        write(planned)
    if format == "json":
        put(json.dumps(_entry(planned, to_write), indent=2))
    else:
        if planned.diff:
            put(planned.diff.rstrip("\n"))
        for left in planned.left:
            put(f"left to the team: {left.place}: {left.what}")
    for step in planned.steps:
        talk.note(f"{step.migration.title} (since {step.migration.since})\n{step.migration.why}")
    talk.note(_verdict(planned, to_write))
    return FINDINGS if planned.left or (check and planned.files) else PASS


def listing(format: str) -> str:  # noqa: A002
    """Every migration, as text or JSON."""
    if format == "json":
        entries = [{"name": m.name, "since": m.since, "title": m.title, "why": m.why} for m in known()]
        return json.dumps({"format": FORMAT, "migrations": entries}, indent=2)
    return "\n".join(f"{m.since}  {m.name}\n  {m.title}\n  {m.why}" for m in known())


def _verdict(planned: MigrationPlan, written: bool) -> str:
    looked = f"{counted(len(planned.looked_at), 'file')} looked at by {counted(planned.known, 'migration')}"
    if not planned.files:
        return f"{looked}: " + ("what is left is for the team" if planned.left else "nothing is to be migrated")
    names = ", ".join(planned.files)
    return f"{looked}: written: {names}" if written else f"{looked}: would change {names}; `--write` does it"


def _entry(planned: MigrationPlan, written: bool) -> dict[str, object]:
    return {
        "format": FORMAT,
        "looked_at": list(planned.looked_at),
        "migrations": [
            {
                "name": step.migration.name,
                "since": step.migration.since,
                "title": step.migration.title,
                "why": step.migration.why,
                "files": list(step.files),
                "left": [{"place": left.place, "what": left.what} for left in step.left],
            }
            for step in planned.steps
        ],
        "files": list(planned.files),
        "written": written and bool(planned.files),
        "diff": planned.diff,
    }
