"""`outer fleet update`: every product to a release of the standard, as one branch with one commit each.

A clone's own working tree is never touched: the work is done in a worktree that is gone afterwards, and the branch is
made as the last step. Whatever fails before leaves nothing behind.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from outer import __version__
from outer.errors import FINDINGS, PASS, OuterError, UsageError
from outer.fleet import git, table
from outer.fleet.journal import Journal
from outer.fleet.members import Member, slug
from outer.fleet.pool import Answer, Job, work
from outer.fleet.survey import pin
from outer.fleet.wish import Fleet, Wish, cache_folder, fleet
from outer.machine import foreseen
from outer.page.evidence import State
from outer.report import count, plain
from outer.update import PATCHES
from outer.yamlfile import show

Outcome = Literal["clean", "needs a person", "refused", "up to date"]
_WHYS = 5
"""Reasons that are told of one product on a terminal."""
_STATES: Mapping[str, State] = {"clean": "good", "needs a person": "warn", "refused": "bad", "up to date": "none"}


@dataclass(frozen=True)
class Step:
    """What became of one product, or in a dry run would."""

    product: str
    root: Path
    outcome: Outcome
    why: tuple[str, ...]
    """Why a person is needed, or why nothing was done."""
    current: str
    target: str
    branch: str
    """The branch that was made; empty where none was."""
    commit: str
    pushed: bool
    written: tuple[str, ...]
    removed: tuple[str, ...]
    migrated: tuple[str, ...]
    body: str
    """Text for the pull request."""


@dataclass(frozen=True)
class Rolled:
    """The whole roll-out."""

    target: str
    dry_run: bool
    steps: tuple[Step, ...]

    @property
    def exit_code(self) -> int:
        return FINDINGS if any(one.outcome in ("refused", "needs a person") for one in self.steps) else PASS

    def summary(self) -> str:
        """The outcome in one line."""
        words = [one.outcome for one in self.steps]
        said = [f"{words.count(word)} {word}" for word in _STATES if word in words]
        done = sum(bool(one.branch) for one in self.steps)
        pushed = sum(one.pushed for one in self.steps)
        made = "nothing was changed" if self.dry_run else f"{done} branch{'es' * (done != 1)}, {pushed} pushed"
        return f"{count(len(self.steps), 'product')} to {self.target}: {', '.join(said)} ({made})"

    def text(self, *, colour: bool, width: int | None = None, quiet: bool = False) -> str:
        """For people: a line for each product, why where there is a why, and the outcome."""
        shown = [one for one in self.steps if not quiet or one.outcome in ("refused", "needs a person")]
        lines: list[str] = []
        if shown:
            rows = [
                (table.MARKS[_STATES[one.outcome]], plain(one.product), plain(one.current) or "?", one.outcome,
                 f"{one.branch}{' (pushed)' if one.pushed else ''}" or "-")
                for one in shown
            ]  # fmt: skip
            heads = ("", "product", "pin", "outcome", "branch")
            colours = [_STATES[one.outcome] for one in shown] if colour else None
            lines = [*table.lines(heads, rows, width=width, colours=colours), ""]
            for one in shown:
                lines += [f"{plain(one.product)}: {plain(why)}" for why in one.why[:_WHYS]]
                if len(one.why) > _WHYS:
                    lines.append(f"{plain(one.product)}: and {len(one.why) - _WHYS} more; --format json tells all")
            if any(one.why for one in shown):
                lines.append("")
        if shown or not quiet:
            lines.append(self.summary())
        return "\n".join(lines)

    def as_json(self) -> str:
        """For machines; `format` changes when a reader would break."""
        steps = [{**asdict(one), "root": str(one.root)} for one in self.steps]
        value = {"format": 1, "outer": __version__, "target": self.target, "dry_run": self.dry_run, "products": steps}
        return json.dumps(value, indent=2, ensure_ascii=False)


def update(
    wish: Wish,
    *,
    to: str | None,
    dry_run: bool = False,
    push: bool = False,
    branch: str | None = None,
    bodies: Path | None = None,
) -> Rolled:
    """Bring every product of `wish` to the release `to` (default: the newest) of the suite.

    Each gets the branch `branch` (default: standard/<release>) with one commit from where it stands; `push` pushes it.
    `bodies` is a folder for the texts of pull requests. Raises `UsageError` for a release that is not there.
    """
    if dry_run and push:
        raise UsageError("--dry-run changes nothing, and --push would", "Leave one of them out.")
    if branch is not None and (not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", branch) or ".." in branch):
        raise UsageError(f"{show(branch)} is no name of a branch", "Use letters, digits, - _ . and /.")
    if bodies is not None and bodies.exists() and not bodies.is_dir():
        raise UsageError(f"--bodies {bodies}: it is no folder", "Name a folder.")
    with fleet(wish, needs_suite=True) as found:
        release = found.standard.suite.release(to)
        arguments = {
            "as_of": wish.as_of.date().isoformat(), "source": found.standard.repository, "ref": release.commit,
            "tag": release.tag, "branch": branch or f"standard/{release.tag}", "dry_run": dry_run, "push": push,
        }  # fmt: skip
        if bodies is not None:
            with foreseen(bodies):  # before anything is done that could not be told
                bodies.mkdir(parents=True, exist_ok=True)
        steps = tuple(_steps(found, arguments))
    if bodies is not None:
        with foreseen(bodies):
            _write(steps, bodies)
    return Rolled(release.tag, dry_run, steps)


def _steps(found: Fleet, arguments: Mapping[str, Any]) -> Iterator[Step]:
    journal = Journal(cache_folder(), "update", {**arguments, "source": found.wish.suite}, fresh=found.wish.fresh)
    done: dict[str, Step] = {}
    waiting: list[Member] = []
    for member in found.members:
        earlier = journal.known(member)
        if member.broken:
            done[member.name] = _step(member, Answer(error=member.broken), arguments)
        elif earlier is not None and _there(member, earlier):
            done[member.name] = _step(member, Answer(earlier), arguments)
        else:
            waiting.append(member)
    found.progress.begin("updating", len(found.members), len(done))
    jobs = [Job("outer.fleet.update:one", {"root": str(member.root), **arguments}) for member in waiting]
    for number, answer in work(jobs, found.processes):
        member = waiting[number]
        done[member.name] = _step(member, answer, arguments)
        if answer.value is not None:  # what was refused is tried again
            journal.note(member, answer.value)
        found.progress.advance(member.name)
    found.progress.end()
    journal.close()
    return (done[member.name] for member in found.members)


def _there(member: Member, earlier: Mapping[str, Any]) -> bool:
    """Whether the branch that an earlier run made is still what it made; somebody may have deleted it since."""
    branch = earlier["branch"]
    return not branch or git.head(member.root, f"refs/heads/{branch}") == earlier["commit"]


def _step(member: Member, answer: Answer, arguments: Mapping[str, Any]) -> Step:
    refused = {
        "outcome": "refused",
        "why": [". ".join(filter(None, (answer.error, answer.todo)))],
        "current": pin(member.root),
        "branch": "",
        "commit": "",
        "pushed": False,
        "written": [],
        "removed": [],
        "migrated": [],
        "body": "",
    }
    told: Mapping[str, Any] = answer.value or refused
    lists = {key: tuple(told[key]) for key in ("why", "written", "removed", "migrated")}
    return Step(product=member.name, root=member.root, target=arguments["tag"], **{**told, **lists})


def _write(steps: Sequence[Step], bodies: Path) -> None:
    """One file for each branch: <product>.md, in small letters; whatever else is in a name becomes a dash."""
    taken: set[str] = set()
    for one in steps:
        if one.body:
            (bodies / f"{slug(one.product, taken)}.md").write_text(one.body, encoding="utf-8", errors="replace")


# --- One product, in a worker process -----------------------------------------------------------------------------


def one(
    root: str, as_of: str, source: str, ref: str, tag: str, branch: str, dry_run: bool, push: bool
) -> dict[str, Any]:
    """Update the product in `root`; see `update`. Raises `UsageError`, with nothing left behind, where it cannot be."""
    from outer.fleet.forecast import Stepped, copied, step
    from outer.update.repository import ready

    product, day = Path(root), date.fromisoformat(as_of)
    now = ready(product)
    top = git.top(product)
    inside = product.resolve().relative_to(top.resolve()).as_posix()
    if inside != ".":
        branch = f"{branch}-{inside.replace('/', '-')}"
    if top.resolve() != product.resolve() and (changed := git.dirty(top)):
        raise UsageError(f"the clone has changes that are not committed: {show(changed[0])}", "Commit or stash them.")
    if (there := _branch(top, branch)) is not None:
        return _again(top, branch, there, now.commit, tag, push, inside)
    if dry_run:
        with copied(product) as copy:
            return _told(step(product, copy, source, ref, day), "", "", pushed=False)
    with tempfile.TemporaryDirectory(prefix="outer-worktree-") as folder:
        tree = Path(folder, "tree")
        try:
            git.ask(top, "worktree", "add", "--quiet", "--detach", str(tree), now.commit)
            done: Stepped = step(product, tree / inside, source, ref, day)
            if done.plan.empty and not done.moved.files:
                return _told(done, "", "", pushed=False)
            told = _told(done, branch, "", pushed=False)
            git.ask(tree, "add", "--all", "--", ".")
            message = f"Standard {tag}\n\n{told['body']}"
            git.ask(tree, "commit", "--quiet", "--no-verify", "--cleanup=verbatim", "--file=-", data=message.encode())
            commit = git.ask(tree, "rev-parse", "HEAD").decode().strip()
        finally:
            with suppress(OuterError):  # its folder goes with this block in any case
                git.ask(top, "worktree", "remove", "--force", str(tree))
    git.ask(top, "branch", "--no-track", branch, commit)
    if push:
        _pushed(top, branch, made=True)
    return {**told, "commit": commit, "pushed": push}


def _branch(top: Path, branch: str) -> tuple[str, str] | None:
    """The commit that `branch` is at, and its first parent; None where there is no such branch."""
    told = git.ask(top, "for-each-ref", "--format=%(objectname) %(parent)", f"refs/heads/{branch}").decode().split()
    return (told[0], told[1] if len(told) > 1 else "") if told else None


def _again(
    top: Path, branch: str, there: tuple[str, str], head: str, tag: str, push: bool, inside: str
) -> dict[str, Any]:
    """A branch that is there already: what an earlier run made, or somebody else's, which is left alone."""
    commit, parent = there
    answers = ".copier-answers.yml" if inside == "." else f"{inside}/.copier-answers.yml"
    pin_there = f"_commit: {tag}\n".encode()
    if parent != head or pin_there not in git.ask(top, "show", f"{commit}:{answers}"):
        raise UsageError(
            f"the branch {branch} is there already, and is not this update",
            f"Delete it (git branch -D {branch}), or name another one with --branch.",
        )
    body = git.ask(top, "log", "-1", "--format=%b", commit).decode("utf-8", "replace")
    before = re.search(r"^from `?([^`\s]+)`? to ", body, re.MULTILINE | re.IGNORECASE)
    outcome: Outcome = "needs a person" if _PERSON in body else "clean"
    reasons = body.partition(_PERSON)[2].partition("\n## ")[0].splitlines()
    why = [line.removeprefix("- ") for line in reasons if line.startswith("- ")]
    if push:
        _pushed(top, branch, made=False)
    return {
        "outcome": outcome, "why": why, "current": before[1] if before else "", "branch": branch, "commit": commit,
        "pushed": push, "written": [], "removed": [], "migrated": [], "body": body,
    }  # fmt: skip


def _pushed(top: Path, branch: str, *, made: bool) -> None:
    """Push the branch; one that was `made` just now goes again where that fails."""
    try:
        git.ask(top, "push", "--quiet", "--no-verify", "origin", f"refs/heads/{branch}:refs/heads/{branch}")
    except OuterError as error:
        if made:
            git.ask(top, "branch", "--quiet", "-D", branch)
        raise UsageError(f"the branch could not be pushed: {error.what}", "Check the access, and run again.") from None


_PERSON = "## Needs a person\n"


def _told(done: Any, branch: str, commit: str, *, pushed: bool) -> dict[str, Any]:
    """What was done to a product, for the journal and the table."""
    planned, moved = done.plan, done.moved
    nothing = planned.empty and not moved.files
    why = [f"{edit.path} was {edit.kind} by hand; what it was is kept in {edit.kept}" for edit in planned.edits]
    why += [f"the gate of {planned.target} finds {finding}" for finding in moved.errors]
    why += [f"left to the team: {left}" for left in moved.left]
    if moved.report is None or moved.report["crashed"]:
        why.append(f"the gate of {planned.target} could not judge it")
    outcome: Outcome = "needs a person" if why else "up to date" if nothing else "clean"
    return {
        "outcome": outcome,
        "why": why,
        "current": planned.current,
        "branch": branch,
        "commit": commit,
        "pushed": pushed,
        "written": sorted(planned.write),
        "removed": list(planned.remove),
        "migrated": list(moved.files),
        "body": "" if nothing else body(done, why),
    }


def body(done: Any, why: Sequence[str]) -> str:
    """The text of a pull request: what changes for this team, and what is asked of it. Markdown."""
    planned, moved = done.plan, done.moved
    parts = [f"From `{planned.current}` to `{planned.target}` of the standard. Files of the team are not touched"
             + (", but for those named as migrated." if moved.files else ".")]  # fmt: skip
    if why:
        parts.append(_PERSON + "\n" + _list(why))
    if done.changelog:
        parts.append("## What the standard says of it\n\n" + re.sub(r"^#", "##", done.changelog, flags=re.MULTILINE))
    changed = [f"`{path}`" for path in sorted(planned.write)] + [f"`{path}` is gone" for path in planned.remove]
    if changed:
        parts.append("## Managed files\n\n" + _list(changed))
    if moved.files:
        parts.append("## Migrated files of the team\n\n" + _list([*(f"`{p}`" for p in moved.files), *moved.steps]))
    if planned.new_answers:
        answers = [f"`{name}`: `{value}`" for name, value in planned.new_answers.items()]
        parts.append("## New answers, from the defaults\n\n" + _list(answers))
    if planned.dropped:
        parts.append("## Answers that are gone\n\n" + _list([f"`{n}`: `{v}`" for n, v in planned.dropped.items()]))
    warned = [f"{warning}" for warning in moved.warnings]
    if warned:
        parts.append("## Warnings of the gate\n\n" + _list(warned))
    kept = f" Patches lie in `{PATCHES}/`: take what is worth it, and delete the folder." if planned.edits else ""
    verdict = "red" if moved.errors else "green"
    parts.append(f"## Prove it\n\nThe gate is {verdict}. Run `python3 noxfile.py`, then merge. To go back, revert the "
                 f"commit.{kept}")  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _list(entries: Sequence[str]) -> str:
    return "\n".join(f"- {' '.join(entry.split())}" for entry in entries)
