"""Reads a guide as a person follows it: commands to type, files to write, and what to see. Of docs/how-to/ only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import suite_repo

GUIDE = suite_repo.ROOT / "docs" / "how-to" / "contribute-a-blueprint.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"`(blueprints/[\w./-]+)`:\s*\Z")


@dataclass(frozen=True)
class Command:
    """A line to type in the root of the suite."""

    line: str


@dataclass(frozen=True)
class File:
    """A file to write: path from the root of the suite, and text."""

    path: str
    text: str


@dataclass(frozen=True)
class Seen:
    """What the command before has printed, among other things; `…` stands for anything."""

    text: str

    def missing(self, printed: str) -> list[str]:
        """Lines of this text that `printed` does not hold."""
        found = [_plain(line) for line in printed.splitlines()]
        return [line for line in self.text.splitlines() if not any(_like(line, candidate) for candidate in found)]


def steps(guide: Path = GUIDE) -> Iterator[Command | File | Seen]:
    """The steps of `guide`, in their order.

    A block `console` is commands, one to a line; a block `text` is what they print; any other block is a file when the
    sentence before it ends with the path of one, in `blueprints/`.
    """
    text = guide.read_text(encoding="utf-8")
    for block in _FENCE.finditer(text):
        kind, body = block[1], block[2]
        if kind == "console":
            yield from (Command(line) for line in body.splitlines() if line.strip())
        elif kind == "text":
            yield Seen(body)
        elif named := _NAMED.search(text[: block.start()]):
            yield File(named[1], body)


def _like(line: str, candidate: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, _plain(line).split("…"))), candidate) is not None


def _plain(line: str) -> str:
    return " ".join(line.split())
