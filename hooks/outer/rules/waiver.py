"""WAI: a waiver names its finding, its reason, its owner and its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from outer.finding import Level
from outer.product import WAIVERS
from outer.rule import Change, Said, Scope, Subject, rule
from outer.waivers import NEVER_WAIVED, day
from outer.yamlfile import show

_KEYS = ("rule", "place", "reason", "owner", "approver", "expires")


def _waiver(**changes: str) -> Change:
    lines = {
        "rule": "CON003",
        "place": "outer/contracts/output/carrier_punctuality.v1.odcs.yaml",
        "reason": "The glossary is being written.",
        "owner": "aviation-data@example.com",
        "approver": "governance@example.com",
        "expires": '"2999-01-01"',
        **changes,
    }
    text = "\n    ".join(f"{key}: {value}" for key, value in lines.items() if value)
    return Change(WAIVERS, "waivers: []", f"waivers:\n  - {text}")


@rule(
    "WAI001",
    Scope.WAIVER,
    title="A waiver has rule, place, reason, owner, approver and expires, and no other key.",
    why="An exception that nobody answers for, or that is misspelt, is a hole.",
    todo="Complete the waiver; the head of outer/waivers.yaml shows one.",
    bad=_waiver(reason=""),
)
def complete(subject: Subject) -> Iterator[Said]:
    for key in _KEYS:
        if not subject.text(key):
            yield Said(f"the waiver has no `{key}`", ())
    entry = subject.get()
    for key in entry if isinstance(entry, dict) else ():
        if key not in _KEYS:
            yield Said(f"the key {show(key)} is not known", (key,))


@rule(
    "WAI002",
    Scope.WAIVER,
    title="A waiver names a rule that exists.",
    why="A waiver for a rule that nobody knows hides a mistake, today or at the next update.",
    todo="Use the id that `outer check` printed.",
    bad=_waiver(rule="CON999"),
)
def known(subject: Subject) -> Iterator[Said]:
    from outer.rules import BY_ID

    name = subject.text("rule")
    if name and name not in BY_ID:
        from outer.compat.rules import BY_ID as CHANGES  # only now: most waivers are for findings of this gate

        if name in CHANGES:
            return
    if name and (name not in BY_ID or name.startswith(NEVER_WAIVED)):
        yield Said(f"{show(name)} is not the id of a rule that can be waived", ("rule",))


@rule(
    "WAI003",
    Scope.WAIVER,
    title="A waiver is in force: its date can be read, has not passed, and is not too far ahead.",
    why="What was accepted for a while would stay for ever.",
    todo='Mend the cause, or decide again: expires: "YYYY-MM-DD", within the time that outer/standard.yaml allows.',
    bad=_waiver(expires='"2020-01-01"'),
)
def in_force(subject: Subject) -> Iterator[Said]:
    value = subject.get("expires")
    if value is None:
        return
    last = day(value)
    longest = subject.standard("waivers", "longest_days")
    if last is None:
        yield Said(f"the date {show(value)} cannot be read", ("expires",))
    elif last < subject.as_of:
        yield Said(f"the waiver has expired on {last}", ("expires",))
    elif isinstance(longest, int) and last > subject.as_of + timedelta(days=longest):
        yield Said(f"the waiver ends on {last}, more than {longest} days ahead", ("expires",))


# Whether a waiver or an entry of the baseline matches a finding is known only after all other rules have run.
def judged_by_the_engine(_: Subject) -> Iterator[Said]:
    """The check of a rule that `outer.check` itself applies."""
    yield from ()


unused = rule(
    "WAI004",
    Scope.WAIVER,
    title="A waiver accepts a finding that is there.",
    why="A waiver that matches nothing waits for the next, perhaps different, mistake at its place.",
    todo="Delete the waiver.",
    bad=_waiver(),
    level=Level.WARNING,
)(judged_by_the_engine)
