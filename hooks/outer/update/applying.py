"""Carries an update out: all of it, or nothing, with a way back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from outer.atomic import Blob, change
from outer.update.planning import UpdatePlan


@dataclass(frozen=True)
class Updated:
    """What an update did to one product."""

    product: Path
    current: str
    target: str
    written: tuple[str, ...]
    removed: tuple[str, ...]
    patches: tuple[str, ...]
    """Paths, from the product's root, of the patches that hold edits of managed files."""
    before: str
    """The commit that the product was at: everything that this update changed is in it."""


def apply(step: UpdatePlan) -> Updated:
    """Write what `step` says. On any failure the product is put back as it was, and `UsageError` is raised.

    `.copier-answers.yml`, the pin, is written last: an update that is cut off in between is still one from the old pin.
    """
    wanted: dict[str, Blob | None] = {edit.kept: Blob(edit.patch) for edit in step.edits}
    wanted |= dict.fromkeys(step.remove)
    order = sorted(step.write, key=lambda path: (path == ".copier-answers.yml", path))
    wanted |= {path: Blob(step.write[path].content, step.write[path].executable) for path in order}
    change(step.product, wanted, step.seen)
    return Updated(
        product=step.product,
        current=step.current,
        target=step.target,
        written=tuple(sorted(step.write)),
        removed=step.remove,
        patches=tuple(edit.kept for edit in step.edits),
        before=step.commit,
    )
