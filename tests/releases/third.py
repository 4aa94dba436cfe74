"""A managed file goes, a parameter of the standard is tightened, a policy is retired."""

from __future__ import annotations

from pathlib import Path

from releases import Changes, replaced

REMOVED = ".editorconfig"
NEWS = """\
### Changed

- A waiver lasts for 30 days at most, no longer for 90.

### Removed

- `.editorconfig`. What a team wants of it goes to `inner/.editorconfig`.
- The policy ORG002 is retired: nobody was helped by it."""


def changes(suite: Path) -> Changes:
    """What this release does."""
    return {
        f"template/{REMOVED}.jinja": None,
        **replaced(suite, "template/outer/standard.yaml", "longest_days: 90", "longest_days: 30"),
        **replaced(
            suite, "hooks/outer/organisation/limitations.yaml", 'enforced_from: "2041-01-01"\n', "retired: true\n"
        ),
    }
