"""BAS: a baseline has an owner and an end, and holds only what is still there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from outer.baseline import BASELINE, load
from outer.finding import Level
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.waiver import judged_by_the_engine
from outer.waivers import day
from outer.yamlfile import Unreadable, show

_KEYS = {"owner", "written", "expires", "findings"}
_ENTRY = {"rule", "place", "fingerprint", "message"}


def _baseline(**changes: str) -> Change:
    lines = {"owner": "aviation-data@example.com", "written": '"2030-01-01"', "expires": '"2030-02-01"', **changes}
    entry = (
        "  - rule: CON003\n    place: outer/contracts/output/carrier_punctuality.v1.odcs.yaml\n"
        "    fingerprint: 0123456789abcdef:1\n    message: it has no description\n"
    )
    head = "".join(f"{key}: {value}\n" for key, value in lines.items() if value)
    return Change(BASELINE, new=f"{head}findings:\n{entry}")


@rule(
    "BAS001",
    Scope.PRODUCT,
    title="A baseline can be read, and has an owner, two dates and its findings.",
    why="Accepted findings that nobody answers for, or that never end, are a second standard.",
    todo="Mend the line, or delete outer/baseline.yaml and write it again with `outer check --write-baseline`.",
    bad=_baseline(owner=""),
)
def complete(subject: Subject) -> Iterator[Said]:
    try:
        baseline = load(subject.product.root)
    except Unreadable as error:
        yield Said(f"the baseline cannot be read: {error.why}", path=BASELINE, at=error.place)
        return
    if baseline is None:
        return
    file = baseline.file

    def said(message: str, *pointer: str | int) -> Said:
        return Said(message, path=BASELINE, at=file.place(*pointer))

    if not baseline.owner:
        yield said("the baseline has no `owner`", "owner")
    for key in ("written", "expires"):
        if day(file.get(key)) is None:
            yield said(f"the date `{key}` is {show(file.get(key))}, and cannot be read", key)
    for key in file.value:
        if key not in _KEYS:
            yield said(f"the key {show(key)} is not known", key)
    findings = file.get("findings")
    if not isinstance(findings, list) or not findings:
        yield said("the baseline holds no finding", "findings")
    for index, entry in enumerate(findings if isinstance(findings, list) else ()):
        if not isinstance(entry, dict) or set(entry) != _ENTRY or not all(isinstance(v, str) for v in entry.values()):
            yield said(f"the entry does not hold exactly {', '.join(sorted(_ENTRY))} as text", "findings", index)


@rule(
    "BAS002",
    Scope.PRODUCT,
    title="A baseline is in force: it has not ended, and does not end too far ahead.",
    why="It is there to adopt the standard step by step, not to stay away from it.",
    todo="Mend what it holds, or decide anew: expires, within the time that outer/standard.yaml gives a waiver.",
    bad=_baseline(written='"2019-12-01"', expires='"2020-01-01"'),
)
def in_force(subject: Subject) -> Iterator[Said]:
    try:
        baseline = load(subject.product.root)
    except Unreadable:
        return
    if baseline is None or baseline.expires is None:
        return
    longest = subject.standard("waivers", "longest_days")
    at = baseline.file.place("expires")
    if baseline.expires < subject.as_of:
        yield Said(f"the baseline ended on {baseline.expires}", path=BASELINE, at=at)
    elif isinstance(longest, int) and baseline.expires > subject.as_of + timedelta(days=longest):
        yield Said(f"the baseline ends on {baseline.expires}, more than {longest} days ahead", path=BASELINE, at=at)


stale = rule(
    "BAS003",
    Scope.PRODUCT,
    title="Every entry of a baseline is a finding that is still there.",
    why="An entry that stays after its finding is mended would let the same mistake in again.",
    todo="Run `outer check --write-baseline`, which drops what is mended.",
    bad=_baseline(),
    level=Level.WARNING,
)(judged_by_the_engine)
