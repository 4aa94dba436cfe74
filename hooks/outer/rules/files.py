"""The files of a product that people write, for rules that look into them: bounded, and never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

LARGEST = 1024 * 1024
"""Files above this many bytes are not looked into: nobody wrote them by hand."""

MOST = 10_000
"""A product holds fewer files and links than this; whoever has more keeps something else in it."""

_MADE = frozenset({"node_modules", "__pycache__", "target", "site-packages", "dbt_packages"})
_KEPT = frozenset({
    ".github", ".gitlab", ".circleci", ".devcontainer", ".vscode", ".idea",
    ".aws", ".dbt", ".docker", ".kube", ".ssh", ".streamlit",
})  # fmt: skip
"""Hidden folders that people commit, or keep secrets in; all others are those of tools."""


class TooMany(Exception):
    """There are more than `MOST` files and links, so that nobody can say that all of them were looked at."""


def own_files(root: Path, below: str = "") -> Iterator[Path]:
    """What lies below the folder `below` of the product: no tool folders, no environments, no data, no links.

    In a fixed order. Raises `TooMany`.
    """
    for count, (path, is_link) in enumerate(_walk(root, root / below), start=1):
        if count > MOST:
            raise TooMany
        if not is_link:
            yield path


def links(root: Path) -> Iterator[Path]:
    """Links among the product's files and folders, in a fixed order."""
    for count, (path, is_link) in enumerate(_walk(root, root), start=1):
        if count > MOST:  # INN005 says so
            return
        if is_link:
            yield path


def _walk(root: Path, top: Path) -> Iterator[tuple[Path, bool]]:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        # A virtual environment, whatever it is called.
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path), True
            elif not entry.is_dir(follow_symlinks=False):
                yield Path(entry.path), False
            elif not (
                entry.name in _MADE
                or (entry.name.startswith(".") and entry.name not in _KEPT)
                or (entry.name == "data" and folder == root)  # what `outer run` publishes
            ):
                folders.append(Path(entry.path))


def content(path: Path, root: Path, limit: int = LARGEST) -> bytes | None:
    """What an ordinary file of the product at `root` holds.

    None where there is none, or it is a link, a device, larger than `limit`, may not be read, or lies elsewhere.
    """
    real = os.path.realpath(path)
    if path.is_symlink() or not Path(real).is_relative_to(root):
        return None
    return held(path, limit)


def held(path: Path, limit: int = LARGEST) -> bytes | None:
    """What a file that `own_files` found holds; None where it is a device, larger than `limit`, or may not be read."""
    try:
        found = os.stat(path, follow_symlinks=False)
        return path.read_bytes() if stat.S_ISREG(found.st_mode) and found.st_size <= limit else None
    except OSError:
        return None
