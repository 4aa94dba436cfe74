"""`outer migrate`: brings the team's files (descriptor, contracts, waivers, inner.yaml) to the standard of today.

A migration is one module in `migrations/`; nothing else needs to know it. See docs/reference/migrations.md.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outer.migrate.migration import Example, Left, Migration, Seeds
    from outer.migrate.planning import MigrationPlan, Step, known, plan, write

_HOME = {
    "migration": ("Example", "Left", "Migration", "Seeds"),
    "planning": ("MigrationPlan", "Step", "known", "plan", "write"),
}

__all__ = ["Example", "Left", "Migration", "MigrationPlan", "Seeds", "Step", "known", "plan", "write"]


def __getattr__(name: str) -> object:
    """Load what is asked for with its first use: to declare the command, or to render, takes little of it."""
    from importlib import import_module

    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"outer.migrate.{module}"), name)
    raise AttributeError(name)
