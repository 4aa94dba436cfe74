"""What an update would do to one product: which managed files it writes and removes, and which edits it keeps."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path

from outer.atomic import Blob, look
from outer.errors import UsageError
from outer.update.render import Managed, read_answers
from outer.update.repository import git_bytes, ready, state
from outer.update.suite import Suite

PATCHES = "outer-update-patches"
"""Folder in the product for what hands had made of managed files: one patch each, in a folder named by the release."""


class Kind(StrEnum):
    """What hands had made of a managed file."""

    EDITED = "edited"
    DELETED = "deleted"
    IN_THE_WAY = "in the way"
    """A file of the team stands where a managed one is to be."""


@dataclass(frozen=True)
class Edit:
    """A managed file that is not what the standard had made it. `patch` leads from that to what the team has."""

    path: str
    kind: Kind
    patch: bytes
    """For `git apply`, binary content and modes included."""
    kept: str
    """Path, from the product's root, at which `apply` keeps the patch."""


@dataclass(frozen=True)
class UpdatePlan:
    """One product, and what an update of it will do."""

    product: Path
    current: str
    """The pin now, for example `v0.2.0`."""
    target: str
    """The pin afterwards."""
    write: Mapping[str, Managed]
    """Path -> what is to be written there; files that are as they must be are left out."""
    remove: tuple[str, ...]
    edits: tuple[Edit, ...]
    new_answers: Mapping[str, object]
    """Questions that the product was never asked, and the defaults that they got."""
    dropped: Mapping[str, object]
    """Answers that the new release does not allow any more, or has no question for."""
    commit: str
    """Where the product's HEAD is."""
    seen: Mapping[str, Blob | None] = field(repr=False)
    """What stood at each path that is to change."""

    @property
    def clean(self) -> bool:
        """Whether nobody had edited a managed file: no person needs to look at a patch."""
        return not self.edits

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.write or self.remove or self.edits)


def plan(product: Path, suite: Suite, ref: str | None = None, *, allow_dirty: bool = False) -> UpdatePlan:
    """What the update of the product at `product` to the release `ref` of `suite` (default: the newest) will do.

    Nothing is written. Raises `UsageError`, with what to do, where it cannot be done: no product or pin, a release that
    is not there or older than the pin, answers that the release cannot take, a working tree with changes in it or an
    unfinished merge (unless `allow_dirty`, for a forecast only).
    """
    root = product.resolve()
    answers = read_answers(root)
    commit = (state if allow_dirty else ready)(root).commit
    earlier = suite.release(str(answers["_commit"]))
    later = suite.release(ref)
    if not suite.follows(later, earlier):
        raise UsageError(
            f"{root} is at {earlier.tag}; {later.tag} is older",
            "An update leads forward. To go back, revert the commit of the update.",
        )
    was = earlier.managed(answers)
    wanted = later.managed(answers, exact=False)
    # Files that the newer release hands over to the team stay: it takes them out of every update.
    was = {path: file for path, file in was.items() if path in wanted or not later.template.excluded(path, answers)}
    seen = {path: look(root, path) for path in sorted(was.keys() | wanted.keys())}
    write = {path: file for path, file in sorted(wanted.items()) if seen[path] != _blob(file)}
    remove = tuple(sorted(path for path in was.keys() - wanted.keys() if seen[path] is not None))
    edits = []
    for path, now in seen.items():
        before, after = _blob(was.get(path)), _blob(wanted.get(path))
        if now in (before, after):
            continue
        kind = Kind.DELETED if now is None else Kind.EDITED if before is not None else Kind.IN_THE_WAY
        patch = _patch(path, before, now)
        kept = _free(root, f"{PATCHES}/{later.tag}/{path}", patch)
        edits.append(Edit(path, kind, patch, kept))
        seen = {**seen, kept: look(root, kept)}
    given = later.template.answers_of(answers)
    touched = {*write, *remove, *(edit.kept for edit in edits)}
    return UpdatePlan(
        product=root,
        current=str(answers["_commit"]),
        target=later.tag,
        write=write,
        remove=remove,
        edits=tuple(edits),
        new_answers=given.new,
        dropped=given.dropped,
        commit=commit,
        seen={path: blob for path, blob in seen.items() if path in touched},
    )


def _free(root: Path, name: str, patch: bytes) -> str:
    """A path for `patch` at which nothing else lies."""
    for number in count(1):
        kept = f"{name}{'' if number == 1 else f'.{number}'}.patch"
        if look(root, kept) in (None, Blob(patch)):
            return kept
    raise AssertionError


def _blob(file: Managed | None) -> Blob | None:
    return None if file is None else Blob(file.content, file.executable)


def _patch(path: str, before: Blob | None, now: Blob | None) -> bytes:
    """The change from `before` to `now` as `git apply` takes it."""
    with tempfile.TemporaryDirectory() as folder:
        sides = []
        for side, blob in (("a", before), ("b", now)):
            place = Path(folder, side, path)
            if blob is None:
                sides.append("/dev/null")
                continue
            sides.append(f"{side}/{path}")
            place.parent.mkdir(parents=True)
            if blob.link:
                place.symlink_to(blob.content.decode("utf-8", "surrogateescape"))
            else:
                place.write_bytes(blob.content)
                place.chmod(0o755 if blob.executable else 0o644)
        return git_bytes(
            Path(folder), "diff", "--no-index", "--no-prefix", "--no-renames", "--no-ext-diff", "--no-textconv",
            "--binary", "--full-index", "--", *sides, fine=(0, 1),
        )  # fmt: skip
