"""Which rules a command is to judge by: all of them, or those that somebody names."""

from __future__ import annotations

from collections.abc import Iterable

from outer.errors import UsageError
from outer.rule import FAMILIES, Rule
from outer.rules import BY_ID, RULES


def select(rules: Iterable[str] = (), families: Iterable[str] = ()) -> tuple[Rule, ...] | None:
    """The rules with these ids and of these families, in either case of letters; None where nothing is named.

    Raises `UsageError` for a rule or a family that does not exist: a gate that judged nothing must not pass.
    """
    names = {known(name).id for name in rules}
    letters = {family.upper() for family in families}
    for family in sorted(letters - set(FAMILIES)):
        raise UsageError(f"there is no family {family!r}", f"Name one of: {', '.join(FAMILIES)}.")
    if not names and not letters:
        return None
    return tuple(rule for rule in RULES if rule.id in names or rule.id[:3] in letters)


def known(name: str) -> Rule:
    """The rule with this id, in either case of letters. Raises `UsageError` where there is none."""
    rule = BY_ID.get(name.upper())
    if rule is None:
        from difflib import get_close_matches

        close = get_close_matches(name.upper(), BY_ID, n=3)
        meant = f"Did you mean {' or '.join(close)}?" if close else "`outer policy list` names all."
        raise UsageError(f"there is no rule {name!r}", meant)
    return rule
