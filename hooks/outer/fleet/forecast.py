"""A product as it would be after an update: in a copy, by the very steps of the update. Done in worker processes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.fleet.members import MADE
from outer.update import Migrated, Suite, UpdatePlan, apply, plan


@dataclass(frozen=True)
class Stepped:
    """What an update makes of a product: the plan, what the release did to the team's files and says of them."""

    plan: UpdatePlan
    moved: Migrated
    changelog: str


@cache
def suite(source: str) -> Suite:
    """The suite at the path `source`, open as long as this process lives."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(Suite.at(source))


def step(product: Path, folder: Path, source: str, ref: str, as_of: date, *, allow_dirty: bool = False) -> Stepped:
    """Update what lies in `folder`, which is as the product in `product`, to the release `ref` of the suite `source`.

    Raises `UsageError` where it cannot be done; `product` itself is only read.
    """
    from outer.update.changelog import between

    planned = plan(product, suite(source), ref, allow_dirty=allow_dirty)
    release = suite(source).release(ref)
    apply(replace(planned, product=folder))
    moved = release.migrate(folder, as_of=as_of)
    return Stepped(planned, moved, between(release.folder, planned.current, planned.target))


@contextmanager
def copied(product: Path) -> Iterator[Path]:
    """A copy of the product in `product` without what runs and tools have made, as long as the block lasts."""
    root = product.resolve()

    def left_out(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == root
        return [name for name in names if name in MADE or (top and name == "data")]

    with tempfile.TemporaryDirectory(prefix="outer-forecast-") as folder:
        copy = Path(folder, root.name)
        shutil.copytree(root, copy, symlinks=True, ignore=left_out)
        yield copy


def judge(root: str, as_of: str, source: str, ref: str) -> Mapping[str, Any]:
    """What the gate of the release `ref` would say of the product in `root` if it were updated to it.

    Changes that are not committed count as they lie there. The answer is that of `worker.judged`.
    """
    with copied(Path(root)) as copy:
        done = step(Path(root), copy, source, ref, date.fromisoformat(as_of), allow_dirty=True)
    return verdict(done.moved)


def verdict(moved: Migrated) -> Mapping[str, Any]:
    """The report of a release's gate in the words of `worker.judged`."""
    report = moved.report
    if report is None:
        raise UsageError("the gate of the release was not asked", "Report this.")
    keys = ("rule", "level", "path", "line", "message", "todo")
    return {
        "rules": report["rules"],
        "objects": report["objects"],
        "crashed": [[one["rule"], one["reason"]] for one in report["crashed"]],
        "findings": [{**{key: one[key] for key in keys}, "waived": one["waived"] or ""} for one in report["findings"]],
    }
