"""What a migration is: a change of the team's files that a version of the standard needs, and what shows it right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outer.errors import UsageError
from outer.product import DESCRIPTOR, INNER, OUTPUT_CONTRACTS, WAIVERS, File
from outer.product import mappings as entries
from outer.yamledit import CannotEdit
from outer.yamlfile import Pointer, Unreadable, parse

_CONFLICT = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True)
class Left:
    """Something that a migration cannot do, because the text does not allow it or only the team can decide."""

    place: str
    """`path:line`."""
    what: str


class Seeds:
    """The team's files as they are to be. Nothing is written here."""

    def __init__(self, files: Mapping[str, bytes], answers: Mapping[str, Any] | None = None) -> None:
        """`files`: path from the product's root -> content. Raises `UsageError` where one cannot be read as YAML."""
        self._files = dict(files)
        self._read: dict[str, tuple[bytes, File]] = {}
        self.answers: Mapping[str, Any] = answers or {}
        """The answers of the product, for values that they decide."""
        self.left: list[Left] = []
        for path in self._files:
            self.file(path)

    @property
    def paths(self) -> tuple[str, ...]:
        """What there is, by path."""
        return tuple(sorted(self._files))

    @property
    def output_contracts(self) -> tuple[str, ...]:
        """Paths of the contracts of the output ports. Pinned input contracts are their producers' words: never here."""
        return tuple(path for path in self.paths if path.startswith(f"{OUTPUT_CONTRACTS}/"))

    @property
    def descriptor(self) -> tuple[str, ...]:
        """The path of the descriptor; nothing where there is none. `waivers` and `inner` likewise."""
        return self._there(DESCRIPTOR)

    @property
    def waivers(self) -> tuple[str, ...]:
        return self._there(WAIVERS)

    @property
    def inner(self) -> tuple[str, ...]:
        return self._there(INNER)

    def _there(self, path: str) -> tuple[str, ...]:
        return (path,) if path in self._files else ()

    def content(self, path: str) -> bytes:
        """The bytes of `path`, changes included."""
        return self._files[path]

    def file(self, path: str) -> File:
        """`path` as it reads now. Raises `UsageError` where it is no YAML, or holds the markers of a merge."""
        data = self._files[path]
        known = self._read.get(path)
        if known is None or known[0] is not data:
            marker = _CONFLICT.search(data)
            if marker:
                line = data.count(b"\n", 0, marker.start()) + 1
                raise UsageError(
                    f"{path}:{line}: a conflict marker of an unfinished merge stands here; nothing was migrated",
                    "Decide which side stays, and remove the markers.",
                )
            try:
                self._read[path] = known = (data, File(path, parse(data)))
            except Unreadable as error:
                raise UsageError(f"{path}:{error.place.line}: {error.why}; nothing was migrated", error.todo) from None
        return known[1]

    def get(self, path: str, *pointer: str | int) -> Any:
        """The value at `pointer` in `path`; None where there is none."""
        return self.file(path).get(*pointer)

    def edit(self, path: str, change: Callable[[bytes], bytes], *at: str | int) -> bool:
        """Change `path` by a function of `outer.yamledit` or `outer.daytwo.edit`; whether it could.

        Where the text does not allow it, the file stays as it is and the place `at` is left to the team.
        """
        try:
            self._files[path] = change(self._files[path])
        except CannotEdit as error:
            self.leave(path, f"it is written in a way that is not changed by machine: {error}", *at)
            return False
        return True

    def leave(self, path: str, what: str, *at: str | int) -> None:
        """Leave something in `path`, at the pointer `at`, to the team."""
        line = self.file(path).place(*at).line
        self.left.append(Left(f"{path}:{line}", what))


@dataclass(frozen=True)
class Example:
    """One file before and after: run as a test, printed in the reference."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Migration:
    """One change that a version of the standard needs.

    `change` is given the files and changes them through `Seeds.edit`. It looks at what a file says, never at which
    version wrote it, and changes nothing a second time.
    """

    since: str
    """Version of the suite that needs it."""
    title: str
    """What it does, in one sentence."""
    why: str
    change: Callable[[Seeds], None]
    examples: tuple[Example, ...]
    name: str = ""
    """Name of its module; set when it is discovered."""


__all__ = ["Example", "Left", "Migration", "Pointer", "Seeds", "entries"]
