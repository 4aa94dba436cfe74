"""Runs the migrations over a product: in memory first, shown as a diff, then written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from outer.atomic import Blob, change, look
from outer.diff import unified
from outer.errors import NothingChecked, UsageError
from outer.migrate.migration import Left, Migration, Seeds
from outer.product import DESCRIPTOR, INNER, OUTPUT_CONTRACTS, WAIVERS, load


@dataclass(frozen=True)
class Step:
    """One migration that has something to do in a product."""

    migration: Migration
    files: tuple[str, ...]
    left: tuple[Left, ...]


@dataclass(frozen=True)
class MigrationPlan:
    """What the migrations make of a product."""

    root: Path
    known: int
    """How many migrations looked at it."""
    looked_at: tuple[str, ...]
    steps: tuple[Step, ...]
    before: Mapping[str, Blob]
    after: Mapping[str, bytes]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths that change."""
        return tuple(path for path in self.after if self.after[path] != self.before[path].content)

    @property
    def left(self) -> tuple[Left, ...]:
        """What is left to the team."""
        return tuple(left for step in self.steps for left in step.left)

    @property
    def diff(self) -> str:
        """All changes as one unified diff."""
        return "".join(unified(self.before[path].content, self.after[path], path) for path in self.files)


@cache
def known() -> tuple[Migration, ...]:
    """Every migration in `outer/migrate/migrations/`, in the order of versions, then of names.

    Raises `UsageError` for a module that is none: no file is skipped.
    """
    package = import_module("outer.migrate.migrations")
    found: list[Migration] = []
    for module in iter_modules(package.__path__):
        try:
            value = getattr(import_module(f"{package.__name__}.{module.name}"), "MIGRATION", None)
        except Exception as error:
            raise UsageError(
                f"migrations/{module.name}.py cannot be loaded: {type(error).__name__}: {error}", "Mend the module."
            ) from error
        if not isinstance(value, Migration) or not value.examples or not re.match(r"[0-9]+(\.[0-9]+)+\Z", value.since):
            raise UsageError(
                f"migrations/{module.name}.py defines no MIGRATION with a version and an example",
                "See docs/reference/migrations.md.",
            )
        found.append(replace(value, name=module.name))
    return tuple(sorted(found, key=lambda one: ([int(n) for n in one.since.split(".")], one.name)))


def plan(root: Path, migrations: tuple[Migration, ...] | None = None) -> MigrationPlan:
    """What the migrations (by default all of the suite) make of the product in `root`; nothing is written.

    Raises `UsageError` where one of the files cannot be read, `NothingChecked` where there is none of them or no
    migration.
    """
    product = load(root)
    paths = [path for path in (DESCRIPTOR, WAIVERS, INNER) if (product.root / path).exists()]
    paths += sorted(
        path.relative_to(product.root).as_posix()
        for path in (product.root / OUTPUT_CONTRACTS).glob("*")
        if path.name.endswith((".odcs.yaml", ".odcs.yml"))
    )
    chosen = known() if migrations is None else migrations
    if not paths or not chosen:
        what = "no file that a migration could change" if not paths else "no migration"
        raise NothingChecked(f"{product.root}: there is {what}", "Change to the root of a data product.")
    before: dict[str, Blob] = {}
    for path in paths:
        blob = look(product.root, path)
        if blob is None or blob.link:
            raise UsageError(f"{path} is a link; nothing was migrated", "Put a file of its own in its place.")
        before[path] = blob
    seeds = Seeds(
        {path: blob.content for path, blob in before.items()}, product.answers.value if product.answers else {}
    )
    steps: list[Step] = []
    for migration in chosen:
        was = {path: seeds.content(path) for path in seeds.paths}
        seeds.left = []
        migration.change(seeds)
        changed = tuple(path for path in seeds.paths if seeds.content(path) != was[path])
        for path in changed:
            seeds.file(path)  # what a migration writes is read again before the next one sees it
        if changed or seeds.left:
            steps.append(Step(migration, changed, tuple(seeds.left)))
    after = {path: seeds.content(path) for path in seeds.paths}
    return MigrationPlan(product.root, len(chosen), tuple(before), tuple(steps), before, after)


def write(planned: MigrationPlan) -> tuple[str, ...]:
    """Write what has changed, all of it or nothing; returns the paths. Raises `UsageError` where it cannot."""
    wanted = {path: replace(planned.before[path], content=planned.after[path]) for path in planned.files}
    change(planned.root, wanted, planned.before)
    return planned.files
