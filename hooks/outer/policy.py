"""`outer policy`: which rules there are, what one of them asks for and why, and whether each does what it says."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outer import __version__, suite
from outer.check import check
from outer.errors import NothingChecked, OuterError, UsageError
from outer.product import load
from outer.report import HOME, reference
from outer.rule import FAMILIES, Rule, Stage
from outer.rules import RULES
from outer.selection import known, select
from outer.waivers import NEVER_WAIVED

if TYPE_CHECKING:
    from outer.compat.rule import Example
    from outer.compat.rule import Rule as Kind

FORMAT = 1
"""Version of the JSON that `list` and `explain` write; new keys alone do not change it."""

COMPAT = "docs/reference/compat.md"
"""The page of the rules of `outer compat`."""

_EXAMPLES = "polars"
"""The blueprint of the fresh product that the examples are changes of."""


def listing(families: Iterable[str], stages: Iterable[str], as_of: date, format: str) -> str:  # noqa: A002
    """The rules of these families and in these stages on the day `as_of`, as text or JSON; all where none is named.

    Raises `UsageError` for an unknown family, `NothingChecked` where no rule is left.
    """
    wanted = set(stages)
    chosen = [rule for rule in _of(families) if not wanted or rule.stage(as_of) in wanted]
    if not chosen:
        raise NothingChecked("there is no such rule", "`outer policy list` without options names all.")
    if format == "json":
        entries = [_entry(rule, as_of) for rule in chosen]
        return json.dumps({"format": FORMAT, "outer": __version__, "as_of": str(as_of), "policies": entries}, indent=2)
    lines: list[str] = []
    order = list(FAMILIES)
    chosen.sort(key=lambda rule: (order.index(rule.id[:3]), rule.id))
    for letters, rules in groupby(chosen, key=lambda rule: rule.id[:3]):
        lines += [f"{letters}  {FAMILIES[letters]}", ""]
        lines += [f"  {rule.id}  {rule.level:7}  {_stage(rule, as_of)}  {rule.title}" for rule in rules]
        lines.append("")
    lines.append(f"{len(chosen)} rules, as of {as_of}. `outer policy explain ID` says more of one.")
    from outer.compat.rules import RULES as KINDS  # here, since only two of the commands need them

    lines.append(f"`outer compat` has {len(KINDS)} more, for changes: {COMPAT}")
    return "\n".join(lines)


def explain(name: str, as_of: date, format: str) -> str:  # noqa: A002 (the word of the command line)
    """What the rule `name` asks for, why, and what to do, with a bad and a good example; as text or JSON.

    A rule of `outer compat` is explained as well. Raises `UsageError` where there is no such rule.
    """
    try:
        rule = known(name)
    except UsageError:
        from outer.compat.rules import BY_ID as KINDS

        kind = KINDS.get(name.upper())
        if kind is None:
            raise
        return _explained(kind, format)
    if format == "json":
        return json.dumps({"format": FORMAT, "outer": __version__, **_entry(rule, as_of)}, indent=2)
    end = f", an error from {rule.enforced_from}" if rule.stage(as_of) is Stage.GRACE else ""
    bad, good = _examples(rule)
    return "\n".join(
        [
            f"{rule.id}  {rule.title}",
            "",
            f"  level     {rule.level}",
            f"  stage     {rule.stage(as_of)} on {as_of}{end}",
            f"  since     {rule.since}",
            f"  judges    every {rule.scope}",
            f"  family    {rule.family}",
            f"  reference {reference(rule.id)}",
            "",
            "Why",
            f"  {rule.why}",
            "",
            "What to do",
            f"  {rule.todo}",
            "",
            "Bad",
            *(f"  {line}".rstrip() for line in bad),
            "",
            "Good, as in a fresh product",
            *(f"  {line}".rstrip() for line in good),
        ]
    )


def _explained(kind: Kind, format: str) -> str:  # noqa: A002
    """What a rule of `outer compat` reports."""
    from outer.compat.rule import SELECTABLE

    where = f"{HOME}/blob/v{__version__}/{COMPAT}#{kind.category}"
    if format == "json":
        entry = {
            "id": kind.id,
            "title": kind.title,
            "grade": kind.grade,
            "category": kind.category,
            "way": kind.way,
            "since": kind.since,
            "why": kind.why,
            "todo": kind.todo,
            "reference": where,
            "bad": asdict(kind.bad),
            "good": asdict(kind.good),
        }
        return json.dumps({"format": FORMAT, "outer": __version__, **entry}, indent=2)
    bump = kind.grade.bump
    need = "no version makes it good" if kind.grade == "forbidden" else f"needs a {bump.word}"
    return "\n".join(
        [
            f"{kind.id}  {kind.title}",
            "",
            f"  grade     {kind.grade}: {need}",
            f"  category  {kind.category}: {SELECTABLE.get(kind.category, 'doubts of the tool itself')}",
            "  judges    a change, in `outer compat`",
            f"  since     {kind.since}",
            f"  reference {where}",
            "",
            "Why",
            f"  {kind.why}",
            "",
            "What to do",
            f"  {kind.todo}",
            "",
            "Reported, for example",
            *_change(kind.bad),
            "",
            "Not reported, for example",
            *_change(kind.good),
        ]
    )


def _change(example: Example) -> Iterator[str]:
    """The lines of `example`: where it is, what was, and what is."""
    yield f"  {example.at}"
    sides = [("before", example.old), ("after", example.new)]
    if example.released is not None:
        sides.insert(0, ("released", example.released))
    if example.beside is not None:
        sides.append(("beside it", example.beside))
    if example.shallow:
        yield "  in a shallow clone"
    for word, text in sides:
        yield f"    {word}"
        shown = "(gone)" if text is None else text.strip() or "(nothing)"
        yield from (f"      {line}" for line in shown.splitlines())


@dataclass(frozen=True)
class Trial:
    """What became of a rule's examples. `wrong` is empty where the rule does what it says."""

    rule: Rule
    wrong: str


def try_out(families: Iterable[str], as_of: date) -> tuple[Trial, ...]:
    """Try every rule, drafts included, on its bad example and on a fresh product, as on the day `as_of`.

    Raises `UsageError` for an unknown family, `NothingChecked` where there is no rule to try.
    """
    chosen = [rule for rule in _of(families) if rule.stage(as_of) is not Stage.RETIRED]
    if not chosen:
        raise NothingChecked("there is no rule to try", "`outer policy list` names all.")
    with tempfile.TemporaryDirectory() as folder:
        good = fresh(Path(folder, "fresh"))
        barking = {finding.rule: finding.message for finding in check(load(good), as_of, chosen, drafts=True).findings}
        trials: list[Trial] = []
        for rule in chosen:
            changed = Path(shutil.copytree(good, Path(folder, "changed"), symlinks=True))
            wrong = _wrong(rule, changed, as_of)
            if rule.id in barking:
                wrong = f"it finds fault with a fresh product: {barking[rule.id]}"
            trials.append(Trial(rule, wrong))
            shutil.rmtree(changed)
    return tuple(trials)


def _of(families: Iterable[str]) -> tuple[Rule, ...]:
    chosen = select((), families)
    return RULES if chosen is None else chosen


def _wrong(rule: Rule, product: Path, as_of: date) -> str:
    try:
        rule.bad.apply(product)
    except (OSError, ValueError) as error:
        return f"its bad example does not fit a fresh product: {error}"
    # Whether an accepted finding is still there can be said only when all rules have run.
    rules = RULES if rule.id.startswith(NEVER_WAIVED) else (rule,)
    report = check(load(product), as_of, rules, drafts=True)
    for name, reason in report.crashed:
        if name == rule.id:
            return f"it failed itself: {reason}"
    return "" if any(finding.rule == rule.id for finding in report.findings) else "it does not find its bad example"


def fresh(target: Path) -> Path:
    """A fresh product with the default answers at `target`, rendered offline from the suite beside this command."""
    from outer.update.by_copier import Refused, render

    source = suite.folder()
    data = {"blueprint": _EXAMPLES, "suite_url": f"{HOME}.git", "suite_ref": f"v{__version__}"}
    try:
        render(source, target, data)
    except (Refused, OSError) as error:
        raise OuterError(
            f"no fresh product can be rendered from {source}: {error}", "Mend the template of the suite."
        ) from None
    return target


def _examples(rule: Rule) -> tuple[list[str], list[str]]:
    """The bad example as a small diff, and the lines of a fresh product in its place."""
    with tempfile.TemporaryDirectory() as folder:
        path = fresh(Path(folder, "fresh")) / rule.bad.path
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        rule.bad.apply(Path(folder, "fresh"))
        after = path.read_text(encoding="utf-8") if path.is_file() else None
    if after is None:
        return [f"{rule.bad.path} is missing."], [f"{rule.bad.path} is there."]
    new = "/dev/null" if not before else f"a/{rule.bad.path}"
    diff = list(unified_diff(before.splitlines(), after.splitlines(), new, f"b/{rule.bad.path}", n=2, lineterm=""))
    good = [line[1:] for line in diff[3:] if line[:1] in " -"]
    return diff, [f"{rule.bad.path}:", *good] if good else [f"{rule.bad.path} is not there."]


def _stage(rule: Rule, as_of: date) -> str:
    stage = rule.stage(as_of)
    return f"until {rule.enforced_from} grace" if stage is Stage.GRACE else str(stage)


def _entry(rule: Rule, as_of: date) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "family": rule.id[:3],
        "family_title": rule.family,
        "scope": rule.scope,
        "level": rule.level,
        "stage": rule.stage(as_of),
        "enforced_from": rule.enforced_from.isoformat() if rule.enforced_from else None,
        "since": rule.since,
        "why": rule.why,
        "todo": rule.todo,
        "reference": reference(rule.id),
        "bad": {"path": rule.bad.path, "old": rule.bad.old, "new": rule.bad.new},
    }


def lines(trials: tuple[Trial, ...], *, verbose: bool) -> Iterator[str]:
    """What `outer policy test` prints."""
    for trial in trials:
        if trial.wrong or verbose:
            yield f"{trial.rule.id}  {trial.wrong or 'finds its bad example, and nothing in a fresh product'}"
    wrong = sum(bool(trial.wrong) for trial in trials)
    verdict = f"fail: {wrong} of {len(trials)} rules do" if wrong else f"pass: {len(trials)} rules find their bad"
    yield f"{verdict} not do what they say" if wrong else f"{verdict} example, and nothing in a fresh product"
