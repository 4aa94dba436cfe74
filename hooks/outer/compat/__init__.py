"""`outer compat`: does a change of the contracts break anybody, and do the versions say so?

Output contracts are judged for those who read: a weaker promise is a break. A pinned input contract is the producer's;
what changed in it is told with its direction, and asks nobody here for a new major.

What is compared
- every output contract of the base with the one of the same id and major now, unless it is retired: the base is where
  HEAD left the default branch, or `--base REF`, or `--against FOLDER-OR-FILE`; on the default branch itself the commit
  before HEAD, while nothing is changed since HEAD;
- the same contract in every release (tags `vX.Y.Z` and `<product>/vX.Y.Z`) that the base holds, while its major is
  still there and not retired: a break against any of them is a break;
- all releases, for their versions: the content of a released version never changes, and a name that was once removed
  does not come back with another type;
- the descriptor, and each pinned input contract.

What a version must do: a break asks for a major, and a major stands in a file of its own beside the old one, which is
deprecated with an end, and removed after it. Additions and doubts ask for a minor, words for a patch. Before 1.0.0 a
minor acts as a major and a patch as a minor. A contract that is proposed or a draft promises nothing yet: it breaks
with a minor, in place, and what breaks is told as a note; that it becomes active asks for no step. A pre-release breaks
with any higher version.

Exit codes: 0 compatible, or the versions say what changed; 1 findings; 2 the base or a file cannot be read or is not
known; 3 there was no contract to compare (a product that has just begun passes with `allow_empty`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from outer.compat.base import from_git, from_path, head
from outer.compat.judge import Comparison, judge, settings
from outer.compat.report import CompatReport
from outer.compat.rule import SELECTABLE, Category
from outer.errors import NothingChecked, UsageError
from outer.finding import Finding
from outer.waivers import apply, waivers

__all__ = ["SELECTABLE", "CompatReport", "command"]


def command(
    root: Path,
    *,
    base: str | None,
    against: Path | None,
    categories: Sequence[str] | None,
    as_of: date,
    allow_empty: bool = False,
) -> CompatReport:
    """Compare the data product in `root` with what it was, judging dates as on the day `as_of`.

    `base` is a git revision, `against` the folder of a product or a contract file; at most one of both. `categories`
    are words of `SELECTABLE`, by default all. Raises `UsageError` and `NothingChecked`; never passes by silence.
    """
    if base is not None and against is not None:
        raise UsageError("both --base and --against are given", "Give one of them.")
    chosen = _categories(categories)
    now, product = head(root)
    basis = from_path(against) if against is not None else from_git(product.root, base, now)
    comparisons: tuple[Comparison, ...] = ()
    try:
        comparisons = judge(now, basis, settings(product.standard, as_of, chosen))
    except NothingChecked:
        if not allow_empty:
            raise
    accepted, _ = apply(_findings(comparisons), waivers(product), as_of)
    return CompatReport(comparisons, accepted, basis.side.label, len(basis.releases), as_of)


def _categories(names: Sequence[str] | None) -> list[Category]:
    if names is None:
        return list(SELECTABLE)
    known = ", ".join(SELECTABLE)
    for name in names:
        if name not in SELECTABLE:
            raise UsageError(f"the category {name!r} is not known", f"Use one of: {known}.")
    if not names:
        raise UsageError("no category is chosen", f"Use one of: {known}.")
    return [Category(name) for name in names]


def _findings(comparisons: Sequence[Comparison]) -> list[Finding]:
    found = dict.fromkeys(verdict.finding() for comparison in comparisons for verdict in comparison.verdicts)
    return sorted(found, key=lambda f: (f.path, f.place.line, f.place.column, f.rule, f.message))
