"""INT: managed files are what the standard made them, and everything agrees with the pin and the answers."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from outer import __version__, suite
from outer.answers import FIELDS, PROPERTIES
from outer.finding import Level
from outer.pattern import fits
from outer.product import ANSWERS, DESCRIPTOR, STANDARD, custom
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.files import TooMany, content, held, own_files
from outer.rules.reading import rank
from outer.yamlfile import Place, Pointer, show

GENERATIONS = ("1",)
"""Generations of the standard (`version` in outer/standard.yaml) that the rules of this command are written for."""

_MARKER = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)


@rule(
    "INT001",
    Scope.PRODUCT,
    title="Managed files are byte for byte what the pinned standard renders from the answers.",
    why="A gate that the change it judges can edit is no gate, and an edit here is lost at the next update.",
    todo="Undo the edit (`outer check --fix` restores the file and keeps yours aside); "
    "needs of your own have places of their own, see AGENTS.md.",
    bad=Change("outer/standard.yaml", "longest_days: 90", "longest_days: 9000"),
)
def drift(subject: Subject) -> Iterator[Said]:
    from outer.drift import managed_files

    answers = subject.product.answers
    if answers is None:
        return
    pin = answers.get("_commit")
    if isinstance(pin, str) and suite.is_version(pin) is False:  # INT002 says so; only its version can judge the files
        return
    for path, wanted in managed_files(answers).items():
        actual = content(subject.product.root / path, subject.product.root)
        if actual is None:
            there = os.path.lexists(subject.product.root / path)
            yield Said(f"the managed file is {'no ordinary file' if there else 'missing'}", path=path)
        elif actual != wanted:
            yield Said("the managed file was changed here", path=path, at=Place(_first_difference(actual, wanted)))


def _first_difference(actual: bytes, wanted: bytes) -> int:
    lines = zip(actual.splitlines(True), wanted.splitlines(True), strict=False)
    for number, (left, right) in enumerate(lines, start=1):
        if left != right:
            return number
    return min(actual.count(b"\n"), wanted.count(b"\n")) + 1


@rule(
    "INT002",
    Scope.PRODUCT,
    title="The command that checks is the one that the product is pinned to.",
    why="Another version knows other rules; its verdict says nothing about this product.",
    todo="Run `python3 noxfile.py -s check`, which installs the pinned version, or update the product.",
    bad=Change(ANSWERS, "_commit: v0.1.0", "_commit: v0.0.9"),
)
def pinned(subject: Subject) -> Iterator[Said]:
    answers = subject.product.answers
    if answers is None:
        return
    pin = answers.get("_commit")
    if not isinstance(pin, str) or not pin:
        yield Said("the pin (`_commit`) is missing", path=ANSWERS, at=answers.place("_commit"))
    elif suite.is_version(pin) is False:
        yield Said(
            f"the product is pinned to {show(pin)}, this command is {__version__}",
            path=ANSWERS,
            at=answers.place("_commit"),
        )


@rule(
    "INT003",
    Scope.PRODUCT,
    title="No merge is unfinished: no file holds its markers, no rejected hunk lies about, git knows of no such file.",
    why="Copier and git leave them behind and report success; whatever is between them is not what anybody wrote.",
    todo="Decide which side stays, remove the markers or the .rej file.",
    bad=Change(DESCRIPTOR, "kind: DataProduct", "<<<<<<< before updating\nkind: DataProduct"),
)
def merged(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    with suppress(TooMany):  # INN005 says so
        for path in own_files(root):
            name = path.relative_to(root).as_posix()
            if path.suffix == ".rej":
                yield Said("a rejected hunk of an update lies here", path=name)
                continue
            data = held(path) or b""
            match = _MARKER.search(data) if b"<<<<<<< " in data or b">>>>>>> " in data else None
            if match:
                yield Said(
                    "a conflict marker of an unfinished merge stands here",
                    path=name,
                    at=Place(data.count(b"\n", 0, match.start()) + 1),
                )
    for name in sorted(set(unmerged(root))):
        yield Said("git holds more than one version of the file: its merge is unfinished", path=name)


def unmerged(root: Path) -> Iterator[str]:
    """Files of the product at `root` that git's index holds in several stages, as after a merge with conflicts.

    The index is read here and not by git: a process costs more than the whole gate, and git may run what the
    configuration of the repository names. Format: git's documentation, gitformat-index, versions 2 to 4.
    """
    place = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    git = place / ".git" if place else None
    if place is None or git is None:
        return
    with suppress(OSError, ValueError, struct.error, IndexError):
        if git.is_file():  # a worktree or submodule: one line says where it is kept
            git = place / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        data = content(git / "index", git, 64 * 1024 * 1024)
        below = root.relative_to(place).as_posix() + "/" if root != place else ""
        for name, stage in _entries(data or b""):
            if stage and name.startswith(below):
                yield name.removeprefix(below)


def _entries(index: bytes) -> Iterator[tuple[str, int]]:
    """Path and stage of every entry of a git index; nothing where it is none."""
    if index[:4] != b"DIRC":
        return
    version, count = struct.unpack(">II", index[4:12])
    at, name = 12, b""
    for _ in range(count if version in (2, 3, 4) else 0):
        (flags,) = struct.unpack_from(">H", index, at + 60)
        start = at + (64 if flags & 0x4000 else 62)  # one more field in version 3 and after
        if version == 4:  # the path is what it shares with the one before, and the rest
            cut, start = _number(index, start)
            end = index.index(b"\0", start)
            name, at = name[: len(name) - cut] + index[start:end], end + 1
        else:
            end = index.index(b"\0", start)
            name, at = index[start:end], end + 8 - (end - at) % 8
        if stage := flags >> 12 & 3:
            yield name.decode("utf-8", "replace"), stage


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, as in git's pack files, and where it ends."""
    byte = data[at]
    value = byte & 127
    while byte & 128:
        at += 1
        byte = data[at]
        value = (value + 1) << 7 | byte & 127
    return value, at + 1


@rule(
    "INT004",
    Scope.DESCRIPTOR,
    title="The descriptor says what the answers say.",
    why="Managed files (CODEOWNERS, CI) are rendered from the answers; they would serve the product that it once was.",
    todo="Bring the answer along: `copier update -r :current: --defaults -d NAME=VALUE`; or correct the descriptor.",
    bad=Change(DESCRIPTOR, "property: visibility, value: organisation", "property: visibility, value: domain"),
    level=Level.WARNING,
)
def answered(subject: Subject) -> Iterator[Said]:
    answers, descriptor = subject.product.answers, subject.file
    if answers is None or descriptor is None:
        return
    stated: dict[str, tuple[Any, Pointer]] = {name: (descriptor.get(*at), at) for name, at in FIELDS.items()}
    stated |= {name: (custom(descriptor, own), ("customProperties",)) for name, own in PROPERTIES.items()}
    del stated["environments"]  # the descriptor may name more of them: judged below
    for name, (here, place) in stated.items():
        wanted = answers.get(name)
        if name in answers.value and wanted != here:
            yield Said(f"the answer {name} is {show(wanted)}, the descriptor says {show(here)}", place)
    owners = [m.get("username") for _, m in subject.entries("team", "members") if m.get("role") == "owner"]
    if "owner_email" in answers.value and owners and answers.get("owner_email") not in owners:
        message = f"the answer owner_email is {show(answers.get('owner_email'))}, the owner is {show(owners[0])}"
        yield Said(message, ("team", "members"))
    chosen, declared = answers.get("environments"), custom(descriptor, "environments")
    if isinstance(chosen, list) and isinstance(declared, list):
        for environment in chosen:
            if environment not in declared:
                yield Said(f"the answer environments names {show(environment)}, the descriptor does not",
                           ("customProperties",))  # fmt: skip


@rule(
    "INT005",
    Scope.STANDARD,
    title="The standard is of a generation that this command knows, and agrees with itself.",
    why="Rules would judge by parameters that mean something else today, or by none, and say nothing.",
    todo="Take outer/standard.yaml back from git, or update the product: `copier update`.",
    bad=Change(STANDARD, 'version: "1"', 'version: "99"'),
)
def supported(subject: Subject) -> Iterator[Said]:
    if subject.get("version") not in GENERATIONS:
        known = ", ".join(GENERATIONS)
        yield Said(f"the generation {show(subject.get('version'))} is none of {known}", ("version",))
    names = subject.get("names")
    for key, pattern in names.items() if isinstance(names, dict) else ():
        if isinstance(pattern, str) and fits(pattern, "") is None:
            yield Said(f"the pattern {show(pattern)} for names cannot be read", ("names", key))
    least = subject.get("personal_data", "at_least")
    if rank(subject, least) is None:
        yield Said(f"{show(least)} is no classification of the standard", ("personal_data", "at_least"))
