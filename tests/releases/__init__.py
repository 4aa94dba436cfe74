"""Three releases of the standard after this one, as real git tags: what a platform team does to products in two years.

`build` makes a suite of the working tree and releases it three times. Each release is one module with a `changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import suite_repo
from outer import __version__

Changes = Mapping[str, str | bytes | None]
"""Path in the suite -> new content; None deletes."""

MAJOR, MINOR = (int(number) for number in __version__.split(".")[:2])
FIRST, SECOND, THIRD = (f"{MAJOR}.{MINOR + step}.0" for step in (1, 2, 3))

GRACE_ENDS = "2040-01-01"
"""Day from which the new mandatory field of the first release is enforced."""


def build(target: Path) -> Path:
    """The suite at `target` with its history: this release and the three after it, each with its tag."""
    from releases import first, second, third

    suite = suite_repo.clone(target)
    for version, module in ((FIRST, first), (SECOND, second), (THIRD, third)):
        suite_repo.release(suite, version, module.changes(suite) | news(suite, version, module.NEWS))
    return suite


def replaced(suite: Path, name: str, old: str, new: str) -> dict[str, str]:
    """The file `name` of the suite with `old`, which must be there once, replaced."""
    text = (suite / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{name}: {old}"
    return {name: text.replace(old, new)}


def news(suite: Path, version: str, entry: str) -> dict[str, str]:
    """The changelog with what products will see."""
    return replaced(suite, "CHANGELOG.md", "## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}]\n\n{entry}\n")


def blueprints() -> tuple[str, ...]:
    """Every blueprint that the suite offers."""
    return tuple(suite_repo.questions()["blueprint"]["choices"].values())
