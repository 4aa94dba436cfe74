"""What a command has done already: a run over many products that was stopped goes on where it stopped.

One JSON object to a line, in the user's cache. An entry counts only while its product is as it was, and a run that came
to its end leaves none: what is told is never older than the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from outer import __version__
from outer.fleet import git
from outer.fleet.members import MADE, Member


class Journal:
    """The entries of one command with one set of arguments."""

    def __init__(self, folder: Path, command: str, arguments: Mapping[str, Any], *, fresh: bool) -> None:
        """Read the entries that an earlier run left in `folder`; none when `fresh`."""
        key = sha256(json.dumps([__version__, command, arguments], sort_keys=True, default=str).encode()).hexdigest()
        self._path = folder / "unfinished" / f"{command}-{key[:24]}.jsonl"
        self._known: dict[str, tuple[str, Any]] = {}
        if fresh:
            with suppress(OSError):
                self._path.unlink()
        with suppress(OSError):
            for line in self._path.read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):  # the last line of a run that was killed
                    entry = json.loads(line)
                    self._known[entry["root"]] = (entry["stamp"], entry["value"])

    def known(self, member: Member) -> Any:
        """What an earlier run found, or None where it did not come so far or the product has changed since."""
        stamp, value = self._known.get(str(member.root), ("", None))
        return value if value is not None and stamp == _stamp(member.root) else None

    def note(self, member: Member, value: Any) -> None:
        """Keep what was found. A machine that keeps nothing begins anew, and that is all."""
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            entry = {"root": str(member.root), "stamp": _stamp(member.root), "value": value}
            with self._path.open("ab") as file:
                file.write(json.dumps(entry, default=str).encode() + b"\n")

    def close(self) -> None:
        """Forget all of it: the run has come to its end."""
        with suppress(OSError):
            self._path.unlink()


def _stamp(root: Path) -> str:
    """Something that changes when the product does: names, sizes and times of its files, and its commit."""
    found: list[str] = []
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in MADE:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                state = entry.stat(follow_symlinks=False)
                found.append(f"{entry.path}\0{state.st_size}\0{state.st_mtime_ns}")
    found.append(git.head(root))
    return sha256("\n".join(sorted(found)).encode("utf-8", "surrogateescape")).hexdigest()[:24]
