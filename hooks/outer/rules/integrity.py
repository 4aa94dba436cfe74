"""INT: managed files are what the standard made them, and the pin says which standard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from outer import __version__, suite
from outer.product import ANSWERS, DESCRIPTOR
from outer.rule import Change, Said, Scope, Subject, rule
from outer.yamlfile import Place, show

_MARKER = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)
_LARGEST = 1024 * 1024


@rule(
    "INT001",
    Scope.PRODUCT,
    title="Managed files are byte for byte what the pinned standard renders from the answers.",
    why="A gate that the change it judges can edit is no gate, and an edit here is lost at the next update.",
    todo="Undo the edit (`git checkout` the file, or `copier recopy -r :current: -A --overwrite`); "
    "needs of your own have places of their own, see AGENTS.md.",
    bad=Change("outer/standard.yaml", "longest_days: 90", "longest_days: 9000"),
)
def drift(subject: Subject) -> Iterator[Said]:
    from outer.drift import managed_files

    answers = subject.product.answers
    if answers is None:
        return
    for path, wanted in managed_files(answers).items():
        actual = _read(subject.product.root / path)
        if actual is None:
            yield Said("the managed file is missing", path=path)
        elif actual != wanted:
            yield Said("the managed file was changed here", path=path, at=Place(_first_difference(actual, wanted)))


def _read(path: Path) -> bytes | None:
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError:
        return None


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
    todo="Run `nox -s check`, which installs the pinned version, or update the product.",
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
    title="No file holds the markers of an unfinished merge, and no rejected hunk lies about.",
    why="Copier and git leave them behind and report success; whatever is between them is not what anybody wrote.",
    todo="Decide which side stays, remove the markers or the .rej file.",
    bad=Change(DESCRIPTOR, "kind: DataProduct", "<<<<<<< before updating\nkind: DataProduct"),
)
def merged(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    for path in _own_files(root):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".rej":
            yield Said("a rejected hunk of an update lies here", path=name)
            continue
        data = _read(path)
        match = _MARKER.search(data) if data else None
        if data and match and (match.group(1) != b"=======" or b"<<<<<<< " in data):
            yield Said(
                "a conflict marker of an unfinished merge stands here",
                path=name,
                at=Place(data.count(b"\n", 0, match.start()) + 1),
            )


def _own_files(root: Path) -> Iterator[Path]:
    """Files of the product that people write: no tool folders, no data, no environments."""
    folders = [root]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.is_symlink():
                continue
            if path.is_file():
                if path.suffix not in (".parquet", ".lock"):
                    yield path
            elif path.name not in ("data", "node_modules", "__pycache__", "target") and (
                not path.name.startswith(".") or path.name == ".github"
            ):
                folders.append(path)
