"""Where a swap stands: the files that say so, and the reasons to refuse.

    inner-next/            the new inner, the team's to work on; in git
    .swap/swap.yaml        which swap this is; in git too, so that others can go on with it
    .swap/journal.json     only while files are moved (see `journal`)
    .swap/trial/           what both inners wrote at the last comparison
    .swap/kept/<id>/       what was switched away or given up, whole: inner/ or inner-next/, and kept.json
    .swap/lock, .gitignore

Names that begin with a dot are passed over by the gate, by test runners and by linters: an inner that is kept disturbs
nobody.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outer import __version__, git, suite
from outer.errors import UsageError
from outer.product import ANSWERS, File, Product
from outer.yamlfile import Unreadable, read, show

INNER = "inner"
NEXT = "inner-next"
AREA = ".swap"
SWAP = f"{AREA}/swap.yaml"
RECORD = "swaps.yaml"
"""File of an inner that tells of the swaps before it."""

_OURS = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\Z")
"""Ids of what is kept, as `publish.new_run_id` makes them."""

_IGNORE = b"# Kept on this machine. Only the swap that is going on belongs in git.\n*\n!/swap.yaml\n"
_HEAD = (
    "# A swap of the inner that is going on. Written by `outer swap`, which removes it in the end; commit it together\n"
    f"# with {NEXT}/.\n"
)


@dataclass(frozen=True)
class Ongoing:
    """A swap that has begun: the new inner lies in inner-next/."""

    id: str
    blueprint: str
    """The blueprint to come."""
    replaces: str
    """The blueprint that builds the living inner."""
    answers: Mapping[str, Any]
    """Answers that only the blueprint to come asks for."""

    def text(self) -> bytes:
        fields = {"id": self.id, "to": self.blueprint, "from": self.replaces, "answers": dict(self.answers)}
        return (_HEAD + lines(fields)).encode()


@dataclass(frozen=True)
class Kept:
    """An inner that was switched away."""

    id: str
    blueprint: str
    answers: Mapping[str, Any]

    @property
    def folder(self) -> str:
        return f"{AREA}/kept/{self.id}/{INNER}"

    @property
    def note(self) -> str:
        return f"{AREA}/kept/{self.id}/kept.json"

    def text(self) -> bytes:
        return (json.dumps({"blueprint": self.blueprint, "answers": dict(self.answers)}) + "\n").encode()


def lines(fields: Mapping[str, Any], indent: str = "") -> str:
    """`fields` as YAML, one to a line. Every value is JSON, which means the same in every version of YAML."""
    return "".join(f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items())


def ongoing(root: Path) -> Ongoing | None:
    """The swap that has begun in the product at `root`, or None. Raises `UsageError` where its file makes no sense."""
    if not (root / SWAP).exists():
        return None
    try:
        file = File(SWAP, read(root / SWAP, root))
        answers = file.get("answers") or {}
        texts = [file.get(name) for name in ("id", "to", "from")]
        if not all(isinstance(text, str) and text for text in texts) or not isinstance(answers, dict):
            raise Unreadable("it does not say which swap is going on", "Take it back from git, or abort the swap.")
    except Unreadable as error:
        raise UsageError(f"{SWAP}:{error.place.line}: {error.why}", error.todo) from None
    id_, blueprint, replaces = map(str, texts)
    return Ongoing(id_, blueprint, replaces, answers)


def kept(root: Path) -> list[Kept]:
    """The inners that were switched away and are still there, the newest first."""
    found = []
    for note in sorted((root / AREA / "kept").glob("*/kept.json"), reverse=True):
        try:
            value = json.loads(note.read_bytes())
            one = Kept(note.parent.name, str(value["blueprint"]), dict(value["answers"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if (root / one.folder).is_dir():
            found.append(one)
    return found


def prepare(root: Path) -> Path:
    """Make the area of swaps in the product at `root`, out of git's sight, and give it."""
    area = root / AREA
    area.mkdir(exist_ok=True)
    ignore = area / ".gitignore"
    if not ignore.is_file() or ignore.read_bytes() != _IGNORE:
        ignore.write_bytes(_IGNORE)
    return area


def tidy(area: Path) -> None:
    """Remove what killed commands left in the area: half a scaffold, and folders that nothing came into."""
    for part in ("part", "journal.part"):
        (area / part).unlink(missing_ok=True)
    for leftover in area.glob("new-*"):
        if {path.name for path in leftover.iterdir()} <= {"product"}:
            shutil.rmtree(leftover, ignore_errors=True)
    for folder in (*area.glob("kept/*/environments"), *area.glob("kept/*")):
        if _OURS.match(folder.name) or _OURS.match(folder.parent.name):
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def answers(product: Product) -> File:
    """The answers of a product that can be swapped by this command. Raises `UsageError` with the reason against it."""
    file = product.answers
    if file is None:
        error = product.unreadable.get(ANSWERS)
        if error is not None:
            raise UsageError(f"{ANSWERS}:{error.place.line}: {error.why}", error.todo)
        raise UsageError(
            f"{ANSWERS} does not exist, so that nobody can say which blueprint built inner/",
            "Take it back from git. A product that was not made by Copier cannot be swapped.",
        )
    pin, blueprint = file.get("_commit"), file.get("blueprint")
    if not isinstance(pin, str) or not pin:
        raise UsageError(
            f"{ANSWERS} holds no pin (`_commit`), so that nobody can say from which version to take the blueprint",
            "Make products from the git address of the suite; one that was copied from a plain folder has no pin.",
        )
    if suite.is_version(pin) is False:
        raise UsageError(
            f"{ANSWERS}:{file.place('_commit').line}: the product is pinned to {show(pin)}, this command is "
            f"{show(__version__)}",
            "Run `python3 noxfile.py -s swap`, which installs the pinned version.",
        )
    if not isinstance(blueprint, str) or not blueprint:
        raise UsageError(f"{ANSWERS} names no `blueprint`", "Take the file back from git.")
    return file


def refuse_merge(root: Path) -> None:
    """Raise `UsageError` while git has conflicts in the product at `root`: half of two versions is nobody's work."""
    if unmerged := git.printed(root, "ls-files", "--unmerged", "-z", "--", "."):
        path = os.fsdecode(unmerged.split(b"\0")[0].partition(b"\t")[2])
        raise UsageError(f"{path}: git has conflicts in this product", "Resolve the merge first, and commit it.")
    if git.printed(root, "rev-parse", "--verify", "--quiet", "MERGE_HEAD"):
        raise UsageError("a merge has begun in this repository and is not committed", "Commit or abort it first.")


def commit(root: Path) -> str | None:
    """The commit that is checked out, shortened, if there is one."""
    return git.printed(root, "rev-parse", "--verify", "--quiet", "--short", "HEAD").decode().strip() or None
