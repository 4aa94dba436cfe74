"""The way back: what an update found at every path that it changes, kept in the product's git folder."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from outer.atomic import Blob, change, look, part_of
from outer.errors import UsageError
from outer.machine import save
from outer.update.repository import git_folder, state
from outer.yamlfile import show

_FORMAT = 1


@dataclass(frozen=True)
class Journal:
    """One update of one product."""

    current: str
    target: str
    commit: str
    """Where HEAD was."""
    before: Mapping[str, Blob | None]
    after: Mapping[str, Blob | None]
    """What the update left at each path, as far as it came."""

    @property
    def cut_off(self) -> bool:
        """Whether the update did not come to its end."""
        return self.before.keys() != self.after.keys()


def keep(product: Path, journal: Journal) -> None:
    """Write `journal` where `read` finds it, whole or not at all. Raises `UsageError` where git's folder is closed."""
    entry = {
        "format": _FORMAT,
        "current": journal.current,
        "target": journal.target,
        "commit": journal.commit,
        "before": {path: _packed(blob) for path, blob in journal.before.items()},
        "after": {path: _packed(blob) for path, blob in journal.after.items()},
    }
    save(_file(product), json.dumps(entry).encode(), todo="An update needs a way back.")


def read(product: Path) -> Journal | None:
    """The journal of the last update of `product`; None where there is none, or it cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        entry = json.loads(_file(product).read_bytes())
        if entry["format"] == _FORMAT:
            before = {path: _unpacked(blob) for path, blob in entry["before"].items()}
            after = {path: _unpacked(blob) for path, blob in entry["after"].items()}
            return Journal(entry["current"], entry["target"], entry["commit"], before, after)
    return None


def forget(product: Path) -> None:
    """Remove the journal."""
    with suppress(OSError):
        _file(product).unlink(missing_ok=True)


def undo(product: Path) -> Journal:
    """Put back what the last update of `product` changed, and forget it.

    Raises `UsageError`, with nothing changed, where there was none, where it was committed, or where somebody has
    changed one of its files since.
    """
    journal = read(product)
    if journal is None:
        raise UsageError(f"{product}: there is no update to undo", "What was committed, `git revert` takes back.")
    if state(product).commit != journal.commit:
        raise UsageError(
            f"{product}: the update to {journal.target} has been committed, or another commit came after it",
            f"`git revert` takes a commit back; {journal.commit[:12]} was the one before the update.",
        )
    now = {path: look(product, path) for path in journal.before}
    changed = [
        path
        for path, blob in now.items()
        if path in journal.after and blob not in (journal.before[path], journal.after[path])
    ]
    if changed:
        raise UsageError(
            f"{product}: changed since the update: {', '.join(map(show, changed[:5]))}",
            "Put your own version of these aside, take the update's back with `git checkout`, and try again.",
        )
    for path in journal.before:
        with suppress(OSError):  # of an update that was cut off
            part_of(product / path).unlink(missing_ok=True)
    wanted = {path: blob for path, blob in journal.before.items() if now[path] != blob}
    change(product, wanted, now)
    forget(product)
    return journal


def _file(product: Path) -> Path:
    """The journal of `product`. Several products may lie in one repository, each with an update of its own."""
    folder, below = git_folder(product)
    name = "" if below == "." else f"-{sha256(os.fsencode(below)).hexdigest()[:16]}"
    return folder / f"outer-update{name}.json"


def _packed(blob: Blob | None) -> dict[str, Any] | None:
    if blob is None:
        return None
    content = base64.b64encode(blob.content).decode("ascii")
    return {"content": content, "executable": blob.executable, "link": blob.link}


def _unpacked(entry: Mapping[str, Any] | None) -> Blob | None:
    if entry is None:
        return None
    return Blob(base64.b64decode(entry["content"]), bool(entry["executable"]), bool(entry["link"]))
