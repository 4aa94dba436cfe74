"""Moves and writes of several files that happen all or not at all, and survive a kill at any moment.

The steps are written down before the first is done. A journal that lies there when a command begins is one of a killed
command: `finish` goes on where it stopped, `undo` goes back. Each step is a rename, or the replacement of one small
file, so that data are never copied and a step is done or not done.

(`outer.atomic` changes files alone, and a kill leaves some of them changed: enough where a diff or git shows the rest.)
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outer.errors import OuterError, UsageError
from outer.machine import concerned

FORMAT = 1


@dataclass(frozen=True)
class Move:
    """Rename `source` to `target`, both paths from the product's root."""

    source: str
    target: str


@dataclass(frozen=True)
class Write:
    """Turn the content of the file at `path` from `before` into `after`; None: there is no such file."""

    path: str
    before: bytes | None
    after: bytes | None


Step = Move | Write


@dataclass(frozen=True)
class Journal:
    """Steps that have begun. Those before `at` are done, later ones are not; `at` itself may be either."""

    what: str
    """What they are for, in one word."""
    steps: tuple[Step, ...]
    at: int = 0
    back: bool = False
    """Whether they are being undone."""


def carry_out(root: Path, area: Path, what: str, steps: Sequence[Step]) -> None:
    """Do all `steps` in the product at `root`; their journal is kept in the folder `area` meanwhile.

    Raises `UsageError` when one is not possible; then those before it have been undone.
    """
    started = Journal(what, tuple(steps))
    _save(area, started)
    try:
        _forth(root, area, started)
    except (OuterError, OSError) as error:
        failed = started_at(area) or started
        # A step that fails has done nothing: what it does is one rename.
        _back(root, area, replace(failed, at=failed.at - 1))
        raise UsageError(
            f"{_said(error)}; everything is as it was before", "Put that right, and run the command again."
        ) from None


def started_at(area: Path) -> Journal | None:
    """The journal of a command that did not come to its end; None where there is none."""
    try:
        text = _file(area).read_bytes()
    except FileNotFoundError:
        return None
    try:
        value = json.loads(text)
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']}")
        return Journal(value["what"], tuple(map(_step, value["steps"])), value["at"], value["back"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{_file(area)} cannot be read ({error})",
            "It was not written by this version of `outer`. Use the version that began the swap.",
        ) from None


def finish(root: Path, area: Path, journal: Journal) -> None:
    """Go on with `journal` in its direction. Raises `UsageError` where somebody changed what it is about."""
    try:
        _back(root, area, journal) if journal.back else _forth(root, area, journal)
    except OSError as error:
        raise UsageError(_said(error), "Put that right, and go on: outer swap --continue.") from None


def undo(root: Path, area: Path, journal: Journal) -> None:
    """Take back what `journal` has done. Raises `UsageError` where somebody changed what it is about."""
    try:
        _back(root, area, journal)
    except OSError as error:
        raise UsageError(_said(error), "Put that right, and try again: outer swap --abort.") from None


def _forth(root: Path, area: Path, journal: Journal) -> None:
    for at in range(journal.at, len(journal.steps)):
        _save(area, replace(journal, at=at))
        step = journal.steps[at]
        if isinstance(step, Move):
            _move(root, step.source, step.target)
        else:
            _write(root, area, step.path, step.before, step.after)
    _file(area).unlink()


def _back(root: Path, area: Path, journal: Journal) -> None:
    for at in range(min(journal.at, len(journal.steps) - 1), -1, -1):
        _save(area, replace(journal, at=at, back=True))
        step = journal.steps[at]
        if isinstance(step, Move):
            _move(root, step.target, step.source)
        else:
            _write(root, area, step.path, step.after, step.before)
    _file(area).unlink()


def _move(root: Path, source: str, target: str) -> None:
    here, there = os.path.lexists(root / source), os.path.lexists(root / target)
    if there and not here:
        return  # done before the kill
    if here and there:
        raise UsageError(f"{source} cannot become {target}: that is there already", "Move one of the two away.")
    if not here:
        raise UsageError(f"{source} is gone, and {target} is not there either", "Put it back, from git or a backup.")
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    os.rename(root / source, root / target)
    for folder in {(root / source).parent, (root / target).parent}:
        _sync(folder)


def _write(root: Path, area: Path, path: str, before: bytes | None, after: bytes | None) -> None:
    target = root / path
    now = target.read_bytes() if os.path.lexists(target) else None
    if now == after:
        return
    if now != before:
        raise UsageError(
            f"{path} has changed meanwhile", "Set your version aside, and put back the one that was there."
        )
    if after is None:
        target.unlink()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        put(target, after, area / "part")
    _sync(target.parent)


def put(target: Path, content: bytes, part: Path) -> None:
    """Make `content` the file at `target`, whole or not at all, by way of the file `part` on the same disk."""
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(mode)
    os.replace(part, target)


def _file(area: Path) -> Path:
    return area / "journal.json"


def _save(area: Path, journal: Journal) -> None:
    value = {
        "format": FORMAT,
        "what": journal.what,
        "at": journal.at,
        "back": journal.back,
        "steps": [_entry(step) for step in journal.steps],
    }
    put(_file(area), json.dumps(value, indent=1).encode(), area / "journal.part")
    _sync(area)


def _entry(step: Step) -> dict[str, Any]:
    if isinstance(step, Move):
        return {"move": step.source, "to": step.target}
    return {"write": step.path, "before": _packed(step.before), "after": _packed(step.after)}


def _packed(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _step(entry: dict[str, Any]) -> Step:
    if "move" in entry:
        return Move(entry["move"], entry["to"])
    before, after = (None if entry[key] is None else base64.b64decode(entry[key]) for key in ("before", "after"))
    return Write(entry["write"], before, after)


def _said(error: Exception) -> str:
    if isinstance(error, OuterError):
        return error.what
    if isinstance(error, OSError):
        return f"{concerned(error)}: {error.strerror}"
    return str(error)


def _sync(folder: Path) -> None:
    """Make renames in `folder` survive a power cut, where the system can."""
    if os.name == "nt":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
