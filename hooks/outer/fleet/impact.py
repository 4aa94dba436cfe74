"""`outer fleet impact`: whom a policy would fail if it were enforced, since when, and what mends it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from outer import __version__
from outer.declared import policies
from outer.errors import FINDINGS, PASS, NothingChecked, UsageError
from outer.fleet import table
from outer.fleet.pool import Job, work
from outer.fleet.survey import Found, Verdict, verdict
from outer.fleet.wish import Fleet, Wish, fleet
from outer.page.evidence import State
from outer.receipt import moment
from outer.report import count, plain
from outer.rule import Rule
from outer.selection import known


@dataclass(frozen=True)
class Hit:
    """One product, as it would be judged."""

    product: str
    root: Path
    verdict: Verdict

    @property
    def failing(self) -> tuple[Found, ...]:
        return tuple(found for found in self.verdict.findings if found.fails)

    @property
    def state(self) -> State:
        if self.verdict.error or self.failing:
            return "bad"
        if not self.verdict.objects:
            return "none"
        return "warn" if any(not found.waived for found in self.verdict.findings) else "good"

    @property
    def word(self) -> str:
        """What would become of it."""
        if self.verdict.error:
            return "not judged"
        if self.failing:
            return "fails"
        if not self.verdict.objects:
            return "nothing to judge"
        if self.state == "warn":
            return "is warned"
        return "waived" if self.verdict.findings else "passes"

    @property
    def since(self) -> str:
        """The day since which the oldest finding is there; empty where git does not know."""
        return min((found.since for found in self.verdict.findings if found.since), default="")[:10]


@dataclass(frozen=True)
class Impact:
    """What would happen."""

    asked: str
    """What was asked for, in words."""
    rules: tuple[Rule, ...]
    """The policy; none where a whole standard is meant."""
    hits: tuple[Hit, ...]
    as_of: datetime

    @property
    def exit_code(self) -> int:
        return FINDINGS if any(hit.state == "bad" for hit in self.hits) else PASS

    def summary(self) -> str:
        """The outcome in one line."""
        words = [hit.word for hit in self.hits]
        said = [f"{words.count(word)} {meant}" for word, meant in (
            ("fails", "would fail"), ("is warned", "would be warned"), ("waived", "waived"), ("passes", "would pass"),
            ("nothing to judge", "with nothing to judge"), ("not judged", "could not be judged"),
        ) if word in words]  # fmt: skip
        verdict = "fail" if self.exit_code else "pass"
        of = count(len(self.hits), "product")
        return f"{verdict}: {self.asked}: {', '.join(said)} of {of} (as of {self.as_of:%Y-%m-%d})"

    def text(self, *, colour: bool, width: int | None = None, quiet: bool = False) -> str:
        """For people: who, since when, where; then what mends it, once for each rule."""
        shown = [hit for hit in self.hits if hit.word not in ("passes", "waived", "nothing to judge")]
        lines: list[str] = []
        if shown:
            rows = [
                (table.MARKS[hit.state], plain(hit.product), hit.word, hit.since or "?", *_place(hit)) for hit in shown
            ]
            heads = ("", "product", "would be", "since", "findings", "the first of them")
            colours = [hit.state for hit in shown] if colour else None
            lines = [*table.lines(heads, rows, width=width, colours=colours), ""]
            said = [
                f"  {rule} in {count(products, 'product')}: {plain(todo)}" for rule, products, todo in self.remedies()
            ]
            lines += ["what mends it:", *said, ""] if said else []
        if not (quiet and not shown):
            lines.append(self.summary())
        return "\n".join(lines)

    def remedies(self) -> Iterator[tuple[str, int, str]]:
        """Rule, number of products, and what to do, the most frequent first."""
        hits: dict[tuple[str, str], set[str]] = {}
        for hit in self.hits:
            for found in hit.verdict.findings:
                if not found.waived and found.level != "info":
                    hits.setdefault((found.rule, found.todo), set()).add(hit.product)
        for (rule, todo), products in sorted(hits.items(), key=lambda entry: (-len(entry[1]), entry[0])):
            yield rule, len(products), todo

    def as_json(self) -> str:
        """For machines; `format` changes when a reader would break."""
        value = {
            "format": 1,
            "outer": __version__,
            "as_of": moment(self.as_of),
            "asked": self.asked,
            "policies": [
                {"id": rule.id, "title": rule.title, "why": rule.why, "todo": rule.todo, "level": rule.level,
                 "stage": rule.stage(self.as_of.date()), "enforced_from": rule.enforced_from}
                for rule in self.rules
            ],
            "passed": not self.exit_code,
            "products": [
                {
                    "product": hit.product,
                    "root": str(hit.root),
                    "outcome": hit.word,
                    "since": hit.since or None,
                    "reason": hit.verdict.error or None,
                    "findings": [asdict(found) for found in hit.verdict.findings],
                }
                for hit in self.hits
            ],
        }  # fmt: skip
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _place(hit: Hit) -> Sequence[str]:
    if hit.verdict.error:
        return "-", plain(f"{hit.verdict.error}. {hit.verdict.todo}")
    open_ = [found for found in hit.verdict.findings if not found.waived]
    first = (hit.failing or tuple(open_))[0]
    which = "" if len({found.rule for found in open_}) == 1 else f"{first.rule} "
    return str(len(open_)), plain(f"{first.place}: {which}{first.message}")


def impact(wish: Wish, *, policy: str | None = None, draft: Path | None = None, standard: str | None = None) -> Impact:
    """Judge every product of `wish` as if the rule `policy`, the policy in the file `draft`, or the release `standard`
    of the suite were enforced. Exactly one of the three is given.

    Raises `UsageError` for a policy that is none, `NothingChecked` where there is no product, or nothing to judge.
    """
    with ExitStack() as stack:
        asked, rules, arguments = "", tuple[Rule, ...](), dict[str, Any]()
        if policy is not None:
            rules = (known(policy),)
            arguments = {"rules": [rules[0].id]}
            asked = f"{rules[0].id} enforced"
        elif draft is not None:
            folder = stack.enter_context(_alone(draft))
            try:
                rules = policies(folder)
            except UsageError as error:
                raise UsageError(error.what.replace(f"{folder.name}/{draft.name}", str(draft)), error.todo) from None
            if not rules:
                why = f"{draft} would be passed over in outer/organisation/"
                raise UsageError(why, "Give it a name that does not begin with _ or a dot.")
            arguments = {"rules": [rule.id for rule in rules], "policies": str(folder)}
            asked = f"{', '.join(rule.id for rule in rules)} of {draft} enforced"
        found = stack.enter_context(fleet(wish, needs_suite=standard is not None))
        if standard is not None:
            release = found.standard.suite.release(standard)
            asked = f"updated to {release.tag}"
            update = {
                "as_of": wish.as_of.date().isoformat(),
                "source": found.standard.repository,
                "ref": release.commit,
            }
            plan = [
                Job("outer.fleet.forecast:judge", {"root": str(m.root), **update})
                for m in found.members
                if not m.broken
            ]
        else:
            day = {"as_of": wish.as_of.date().isoformat(), "enforced": True, "since": True}
            plan = [Job("judge", {"root": str(m.root), **day, **arguments}) for m in found.members if not m.broken]
        hits = tuple(_hits(found, plan, whole=standard is not None))
        if standard is not None:
            hits = tuple(_dated(hits, found, release.folder / "hooks", release.tag))
        if all(hit.word == "nothing to judge" for hit in hits):
            raise NothingChecked(f"{asked}: no product has anything that it judges", "Name more places.")
        return Impact(asked, rules, hits, wish.as_of)


def _hits(found: Fleet, plan: Sequence[Job], *, whole: bool) -> Iterator[Hit]:
    """What became of each product, in their order."""
    able = [member for member in found.members if not member.broken]
    found.progress.begin("judging products", len(able))
    hits = {m.name: Hit(m.name, m.root, Verdict(error=m.broken)) for m in found.members if m.broken}
    for number, answer in work(plan, found.processes):
        member = able[number]
        hits[member.name] = Hit(member.name, member.root, verdict(answer.value, answer.error, answer.todo, whole=whole))
        found.progress.advance(member.name)
    found.progress.end()
    return (hits[member.name] for member in found.members)


def _dated(hits: Sequence[Hit], found: Fleet, hooks: Path, pin: str) -> Iterator[Hit]:
    """The same, told since when, as far as the rules of that release find the same in the product as it is now."""
    day = {"as_of": found.wish.as_of.date().isoformat(), "since": True, "pin": pin}
    failing = [hit for hit in hits if hit.failing]
    jobs = [
        Job("judge", {"root": str(hit.root), "rules": sorted({one.rule for one in hit.failing}), **day}, hooks)
        for hit in failing
    ]
    dates: dict[str, dict[tuple[str, str, str], str | None]] = {}
    for number, answer in work(jobs, found.processes):
        dates[failing[number].product] = {
            (one.rule, one.path, one.message): one.since for one in verdict(answer.value).findings
        }
    for hit in hits:
        known = dates.get(hit.product, {})
        findings = tuple(
            replace(one, since=known.get((one.rule, one.path, one.message))) for one in hit.verdict.findings
        )
        yield replace(hit, verdict=replace(hit.verdict, findings=findings))


@contextmanager
def _alone(draft: Path) -> Iterator[Path]:
    """A folder with nothing but the policy in the file `draft`, as outer/organisation/ would hold it."""
    if not draft.is_file() or draft.suffix not in (".yaml", ".yml", ".py"):
        raise UsageError(f"{draft} is no file of a policy", "Name a file that outer/organisation/ could hold.")
    with tempfile.TemporaryDirectory(prefix="outer-draft-") as folder:
        (Path(folder) / "draft").mkdir()
        shutil.copyfile(draft, Path(folder, "draft", draft.name))
        yield Path(folder, "draft")
