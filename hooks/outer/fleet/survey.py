"""Looks at every product of a fleet: its facts, and the verdict of the release of the standard that it is pinned to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outer import __version__
from outer import suite as own_suite
from outer.errors import OuterError, UsageError
from outer.fleet.facts import Facts, facts
from outer.fleet.journal import Journal
from outer.fleet.members import Member
from outer.fleet.pool import Answer, Job, work
from outer.fleet.progress import Progress
from outer.product import ANSWERS
from outer.rules.files import content
from outer.yamlfile import MAX_BYTES, show

if TYPE_CHECKING:
    from outer.update import Suite

_PIN = re.compile(rb"^_commit: *['\"]?([^'\"\s#]+)", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """One finding of the gate, in a product."""

    rule: str
    level: str
    path: str
    line: int
    message: str
    todo: str
    waived: str = ""
    since: str | None = None
    """Time of the commit since which it is there; empty where git does not know, None where nobody asked."""

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def fails(self) -> bool:
        return self.level == "error" and not self.waived


@dataclass(frozen=True)
class Verdict:
    """What the gate says. `error` says why it could not say anything."""

    findings: tuple[Found, ...] = ()
    rules: int = 0
    objects: int = 0
    error: str = ""
    todo: str = ""

    @property
    def passed(self) -> bool:
        """Whether something was judged and nothing fails."""
        return not self.error and self.rules > 0 and self.objects > 0 and not any(f.fails for f in self.findings)

    def count(self, level: str) -> int:
        return sum(found.level == level and not found.waived for found in self.findings)


@dataclass(frozen=True)
class Looked:
    """A product that was looked at."""

    member: Member
    facts: Facts = field(default_factory=Facts)
    verdict: Verdict = Verdict()


def verdict(value: Mapping[str, Any] | None, error: str = "", todo: str = "", *, whole: bool = True) -> Verdict:
    """What a worker answered, as a verdict: a rule that failed itself leaves nothing proven.

    Where the `whole` gate was asked, having judged nothing is an error too; a single rule may find nothing to judge.
    """
    if value is None:
        return Verdict(error=error or "it was not judged", todo=todo)
    crashed = "; ".join(f"rule {name} failed itself: {why}" for name, why in value["crashed"])
    if whole and not crashed and not (value["rules"] and value["objects"]):
        crashed = "nothing was judged"
    return Verdict(tuple(Found(**found) for found in value["findings"]), value["rules"], value["objects"], crashed)


def pin(root: Path) -> str:
    """The pin that the product in `root` names; empty where it has none. Only to choose who judges."""
    match = _PIN.search(content(root / ANSWERS, root, MAX_BYTES) or b"")
    return match[1].decode("utf-8", "replace") if match else ""


class Standard:
    """The suite that the fleet is held against: its releases, and the `outer` of each."""

    def __init__(self, source: str | None, stack: ExitStack) -> None:
        """Open the suite at `source`, a path or URL; by default the repository that this command runs from, if any.

        Only what the caller names is ever run: never an address that a product names.
        """
        self._suite: Suite | None = None
        self.tags: tuple[str, ...] = ()
        if source is None and (own_suite.folder() / ".git").exists():
            source = str(own_suite.folder())
        if source is not None:
            from outer.update import Suite

            self._suite = stack.enter_context(Suite.at(source))
            self.tags = tuple(self._suite.tags())

    @property
    def suite(self) -> Suite:
        """The suite. Raises `UsageError` where none is at hand."""
        if self._suite is None:
            raise UsageError("this needs the repository of the standard", "Name it with --suite URL|PATH.")
        return self._suite

    @property
    def repository(self) -> str:
        """Path of the suite's repository on this machine, for worker processes."""
        return str(self.suite.repository)

    @property
    def newest(self) -> str:
        """The newest release; empty where none is known."""
        return self.tags[0] if self.tags else ""

    def lag(self, pinned: str) -> int | None:
        """How many releases are newer than the pin; None where that cannot be said."""
        from outer.update.suite import version

        here = version(re.sub(r"-[0-9]+-g[0-9a-f]{7,}\Z", "", pinned))
        if not self.tags or here is None:
            return None
        return sum(number > here for tag in self.tags if (number := version(tag)) is not None)

    def hooks(self, pinned: str) -> Path | None:
        """Folder of the `outer` that judges a product with this pin; None for the one that runs.

        Raises `UsageError` where that release is not at hand.
        """
        if own_suite.is_version(pinned) is not False:
            return None
        if self._suite is None:
            raise UsageError(
                f"it is pinned to {show(pinned)}, this command is {__version__}",
                "Name the repository of the standard with --suite URL|PATH; its own release then judges it.",
            )
        try:
            return self._suite.release(pinned).folder / "hooks"
        except OuterError as error:
            what = error.what.replace(show(self._suite.source, 200), "the suite")  # wherever that lies on this machine
            raise UsageError(f"it is pinned to {show(pinned)}, and {what}", error.todo) from None


def survey(
    members: Sequence[Member],
    standard: Standard,
    *,
    environment: str,
    as_of: datetime,
    jobs: int,
    journal: Journal,
    progress: Progress,
    judged: bool = True,
) -> Iterator[Looked]:
    """Look at all `members`, in their order as far as they are ready; without `judged` only at their facts."""
    plan: list[Job] = []
    owner: list[tuple[int, str]] = []
    open_: dict[int, dict[str, Answer]] = {}
    done: dict[int, Looked] = {}
    when = as_of.isoformat()
    for number, member in enumerate(members):
        if member.broken:
            done[number] = Looked(member, verdict=Verdict(error=member.broken))
            continue
        earlier = journal.known(member)
        if earlier is not None:
            done[number] = _looked(member, earlier)
            continue
        root, pinned = str(member.root), pin(member.root)
        arguments = {"root": root, "environment": environment, "as_of": when}
        parts: list[tuple[str, Job]] = []
        open_[number] = {}
        try:
            hooks = standard.hooks(pinned) if judged else None
        except OuterError as error:
            open_[number]["verdict"] = Answer(error=error.what, todo=error.todo)
            parts = [("facts", Job("outer.fleet.facts:read", arguments))]
        else:
            if not judged:
                parts = [("facts", Job("outer.fleet.facts:read", arguments))]
                open_[number]["verdict"] = Answer()
            elif hooks is None:
                parts = [("both", Job("outer.fleet.facts:look", arguments))]
            else:
                judge = {"root": root, "as_of": as_of.date().isoformat()}
                parts = [("facts", Job("outer.fleet.facts:read", arguments)), ("verdict", Job("judge", judge, hooks))]
        for part, job in parts:
            plan.append(job)
            owner.append((number, part))
    progress.begin("looking at products", len(members), len(done))
    yield from (done[number] for number in sorted(done))
    for position, answer in work(plan, jobs):
        number, part = owner[position]
        answers = open_[number]
        if part == "both":
            value = answer.value or {}
            answers["facts"] = Answer(value.get("facts"), answer.error, answer.todo)
            answers["verdict"] = Answer(
                value.get("verdict"), answer.error or value.get("error", ""), answer.todo or value.get("todo", "")
            )
        else:
            answers[part] = answer
        if {"facts", "verdict"} <= set(answers):
            member, kept = members[number], {k: [a.value, a.error, a.todo] for k, a in open_.pop(number).items()}
            journal.note(member, kept)
            progress.advance(member.name)
            yield _looked(member, kept)
    progress.end()


def _looked(member: Member, kept: Mapping[str, Sequence[Any]]) -> Looked:
    value, error, todo = kept["facts"]
    known = facts(value) if value is not None else Facts(broken=f"{error} {todo}".strip())
    return Looked(member, known, verdict(*kept["verdict"]))
