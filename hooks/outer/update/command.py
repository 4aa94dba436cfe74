"""`outer update` for a person: pre-flight, update, migrations, gate, one summary, and a way back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from outer.atomic import look
from outer.errors import FINDINGS, PASS, OuterError, UsageError
from outer.git import public
from outer.talk import Talk, put
from outer.update import journal
from outer.update.applying import apply
from outer.update.changelog import between
from outer.update.planning import PATCHES, Kind, UpdatePlan, plan
from outer.update.render import read_answers
from outer.update.successor import Migrated
from outer.update.suite import Release, Suite

FORMAT = 1
"""Version of the JSON; new keys alone do not change it."""

_KINDS = {
    Kind.EDITED: "was edited by hand",
    Kind.DELETED: "had been deleted",
    Kind.IN_THE_WAY: "a file of your own stood where the standard now has one",
}


@dataclass(frozen=True)
class Wish:
    """What `outer update` is asked for."""

    to: str | None = None
    suite: str | None = None
    prereleases: bool = False
    dry_run: bool = False
    format: str = "text"


def update(root: Path, wish: Wish, talk: Talk) -> int:
    """Update the product in `root` and prove it; returns the exit code: 0, or 1 where the gate or a migration says no.

    Raises `UsageError`, with the product as it was, where the update cannot be done.
    """
    root = root.resolve()
    answers = read_answers(root)
    _not_cut_off(root)
    source = wish.suite or str(answers["_src_path"])
    talk.step(f"look at the suite {public(source)}")
    with Suite.at(_here(source, root)) as suite:
        release = suite.release(wish.to, candidates=wish.prereleases)
        talk.done(release.tag)
        talk.step(f"compare the managed files at {answers['_commit']} and {release.tag}")
        step = plan(root, suite, release.tag)
        talk.done(f"{len(step.write)} to write, {len(step.remove)} to remove")
        talk.step(f"look through the team's files with the `outer` of {release.tag}")
        ahead = release.migrate(root, dry_run=True, check=False)  # a file that cannot be read stops it here
        talk.done(f"{len(ahead.files)} to migrate")
        news = between(release.folder, step.current, step.target)
        if wish.dry_run:
            _show(step, ahead, news, wish, done=False)
            talk.note("nothing was written")
            return PASS
        talk.step("write, migrate and check")
        done = _carry_out(root, step, ahead, release)
        talk.done("the gate is green" if done.passed else f"the gate has {len(done.errors)} errors")
        _show(step, done, news, wish, done=True)
        _advise(talk, step, done)
    return PASS if done.passed and not done.left else FINDINGS


def _carry_out(root: Path, step: UpdatePlan, ahead: Migrated, release: Release) -> Migrated:
    seeds = {path: look(root, path) for path in ahead.files}
    begun = journal.Journal(step.current, step.target, step.commit, {**step.seen, **seeds}, {})
    journal.keep(root, begun)
    try:
        apply(step)
    except BaseException:  # it has put back what it had written
        journal.forget(root)
        raise
    journal.keep(root, replace(begun, after={path: look(root, path) for path in step.seen}))
    try:
        done = release.migrate(root, check=True)
    except BaseException:  # also when a person stops it in between
        with suppress(OuterError):
            journal.undo(root)
        raise
    journal.keep(root, replace(begun, after={path: look(root, path) for path in begun.before}))
    return done


def undo(root: Path, talk: Talk) -> int:
    """Put back what the last update changed. Raises `UsageError`, with nothing changed, where it cannot."""
    root = root.resolve()
    journal_of = journal.undo(root)
    talk.note(f"the product is as it was before the update to {journal_of.target}: at {journal_of.current}")
    put(f"undone: {journal_of.target} to {journal_of.current}")
    return PASS


def _not_cut_off(root: Path) -> None:
    known = journal.read(root)
    if known is not None and known.cut_off:
        raise UsageError(
            f"{root}: an update to {known.target} was cut off",
            "`outer update --undo` puts the product back as it was before; then again.",
        )


def _here(source: str, root: Path) -> str:
    """A path is meant from the product's root, as Copier writes it."""
    if "://" not in source and not source.startswith("git@") and (root / source).is_dir():
        return str(root / source)
    return source


def _show(step: UpdatePlan, moved: Migrated, news: str, wish: Wish, *, done: bool) -> None:
    if wish.format == "json":
        put(json.dumps(_entry(step, moved, news, done), indent=2))
        return
    word = "updated" if done else "would be updated"
    lines = [f"{step.product.name} {word} from {step.current} to {step.target}"]
    if step.empty:
        lines = [f"{step.product.name} is at {step.target} already"]
    lines += _part("managed files written", step.write)
    lines += _part("managed files removed", step.remove)
    lines += _part("files of the team migrated", [*moved.files, *(f"({sentence})" for sentence in moved.steps)])
    lines += _part("new answers, from the defaults", [f"{name}: {value}" for name, value in step.new_answers.items()])
    lines += _part("answers that are gone", [f"{name}: {value}" for name, value in step.dropped.items()])
    lines += _part("left to the team", moved.left)
    lines += _part(
        "edits of managed files, kept as patches", [f"{e.path} {_KINDS[e.kind]}: {e.kept}" for e in step.edits]
    )
    lines += _part("the gate says", [*moved.errors, *(f"(warning) {w}" for w in moved.warnings)])
    if news:
        lines += ["", "what the standard says of it:", "", news]
    put("\n".join(lines))


def _part(title: str, entries: Iterable[object]) -> list[str]:
    found = [str(entry) for entry in entries]
    return ["", f"{title}:", *(f"  {entry}" for entry in found)] if found else []


def _advise(talk: Talk, step: UpdatePlan, done: Migrated) -> None:
    if step.edits:
        talk.note(
            f"nobody's edits are lost: look through {PATCHES}/{step.target}/, move what is worth it to a place of the "
            "team's own (AGENTS.md), and delete the folder"
        )
    if not done.passed:
        talk.fail("the gate is red: mend or waive what it says, or go back: outer update --undo")
        return
    talk.note(
        f'prove and commit: python3 noxfile.py && git add -A && git commit -m "Standard {step.target}"\n'
        "or go back: outer update --undo"
    )


def _entry(step: UpdatePlan, moved: Migrated, news: str, done: bool) -> dict[str, object]:
    return {
        "format": FORMAT,
        "product": step.product.name,
        "current": step.current,
        "target": step.target,
        "before": step.commit,
        "done": done,
        "written": sorted(step.write),
        "removed": list(step.remove),
        "edits": [{"path": e.path, "kind": str(e.kind), "patch": e.kept} for e in step.edits],
        "new_answers": dict(step.new_answers),
        "dropped_answers": dict(step.dropped),
        "migrated": list(moved.files),
        "migrations": list(moved.steps),
        "left": list(moved.left),
        "passed": moved.passed if done else None,
        "errors": list(moved.errors),
        "warnings": list(moved.warnings),
        "changelog": news,
    }
