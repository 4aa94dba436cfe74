"""`outer update`: one product to another release of the standard, losing nothing.

For programs that update many products, in this order:

    with Suite.at(url) as suite:                            # one mirror of the standard, shared by all products
        step = plan(product, suite, "v0.3.0")               # reads only; raises `UsageError` where it cannot be done
        done = apply(step)                                  # writes managed files and patches; commits nothing
        moved = suite.release("v0.3.0").migrate(product)    # seeds, by the `outer` of that release

All of it works on the product's folder, which may be a worktree, and none of it commits or pushes. Managed files end
as the new release renders them, always; what somebody had made of one by hand is kept as a patch below `PATCHES`.
Where nobody had edited one (`UpdatePlan.clean`), the result is byte for byte that of plain `copier update`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outer.update.applying import Updated, apply
    from outer.update.planning import PATCHES, Edit, Kind, UpdatePlan, plan
    from outer.update.render import Managed, Template
    from outer.update.successor import Migrated
    from outer.update.suite import Release, Suite

_HOME = {
    "applying": ("Updated", "apply"),
    "planning": ("PATCHES", "Edit", "Kind", "UpdatePlan", "plan"),
    "render": ("Managed", "Template"),
    "successor": ("Migrated",),
    "suite": ("Release", "Suite"),
}

__all__ = [
    "PATCHES", "Edit", "Kind", "Managed", "Migrated", "Release", "Suite", "Template", "UpdatePlan", "Updated", "apply",
    "plan",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Load what is asked for with its first use: to declare the command, or to render, takes little of it."""
    from importlib import import_module

    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"outer.update.{module}"), name)
    raise AttributeError(name)
