"""Several files of a product changed at once: all of them, or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from outer.errors import UsageError
from outer.yamlfile import show


@dataclass(frozen=True)
class Blob:
    """What git keeps of a file: its bytes, whether it may be executed, whether it is a link (then to `content`)."""

    content: bytes
    executable: bool = False
    link: bool = False


def look(root: Path, path: str) -> Blob | None:
    """What stands at `path` of the product at `root`; None where nothing does.

    Raises `UsageError` for a folder or device, and where a folder on the way is a link or a file: nobody can say then
    where a write would end.
    """
    place = root
    *folders, name = path.split("/")
    for folder in folders:
        place = place / folder
        mode = _mode(place)
        if mode is None:
            return None
        if not stat.S_ISDIR(mode):
            raise UsageError(
                f"{show(path)} cannot be written: {show(place.relative_to(root).as_posix())} is no folder of its own",
                "Rename or remove what stands there, commit, and try again.",
            )
    place = place / name
    mode = _mode(place)
    if mode is None:
        return None
    if stat.S_ISLNK(mode):
        return Blob(os.fsencode(os.readlink(place)), link=True)
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"{show(path)} cannot be written: a folder or device stands there",
            "Rename or remove what stands there, commit, and try again.",
        )
    try:
        return Blob(place.read_bytes(), bool(mode & 0o100))
    except OSError as error:
        raise UsageError(f"{show(path)} cannot be read: {error.strerror}", "Check the rights of the file.") from None


def _mode(place: Path) -> int | None:
    try:
        return os.lstat(place).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {error.strerror}", "Check the rights of its folder.") from None


def change(root: Path, wanted: Mapping[str, Blob | None], seen: Mapping[str, Blob | None]) -> None:
    """Make every path of `wanted` what it says (None: no file), where it is still what it was when `seen`.

    Raises `UsageError` where one has changed meanwhile, or cannot be written; the product is as it was then. A kill in
    between can leave some files changed, each of them whole.
    """
    for path in wanted:
        if look(root, path) != seen.get(path):
            raise UsageError(f"{show(path)} has changed meanwhile; nothing was written", "Run the command again.")
    parts: dict[str, Path] = {}
    made: list[Path] = []
    done: list[str] = []
    try:
        try:
            for path, blob in wanted.items():
                if blob is not None:
                    made += _folders(root, path)
                    parts[path] = part_of(root / path)  # known before it is written: half of one is removed too
                    _part(root / path, blob)
            for path in wanted:
                done.append(path)
                if path in parts:
                    os.replace(parts[path], root / path)
                else:
                    (root / path).unlink(missing_ok=True)
        except BaseException:  # also when a person stops it in between
            for path in done:
                with suppress(OSError):
                    _restore(root / path, seen.get(path))
            for part in parts.values():
                part.unlink(missing_ok=True)
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()
            raise
    except OSError as error:
        raise UsageError(
            f"{error.filename or root} cannot be written: {error.strerror}; the product is as it was",
            "Check the rights of the folder and the space on the disk.",
        ) from None
    for path, blob in wanted.items():
        if blob is None:
            _prune(root, path)


def _folders(root: Path, path: str) -> list[Path]:
    """Make the folders on the way to `path`; returns the new ones."""
    made: list[Path] = []
    place = root
    for folder in path.split("/")[:-1]:
        place = place / folder
        if not place.is_dir():
            place.mkdir()
            made.append(place)
    return made


def _part(target: Path, blob: Blob) -> Path:
    """`blob` under another name beside `target`, whole, with the rights of what stands there."""
    part = part_of(target)
    part.unlink(missing_ok=True)  # of a change that was cut off
    if blob.link:
        part.symlink_to(os.fsdecode(blob.content))
    else:
        part.write_bytes(blob.content)
        old = _mode(target)
        rights = stat.S_IMODE(old) & 0o777 if old is not None and stat.S_ISREG(old) else 0o644
        if bool(rights & 0o100) != blob.executable:
            rights = rights | (rights & 0o444) >> 2 if blob.executable else rights & ~0o111
        part.chmod(rights)
    return part


def part_of(target: Path) -> Path:
    """Where the new content of `target` is written before it takes its place."""
    return target.with_name(f".{target.name[:200]}.outer-part")


def _restore(target: Path, blob: Blob | None) -> None:
    if blob is None:
        target.unlink(missing_ok=True)
    else:
        os.replace(_part(target, blob), target)


def _prune(root: Path, path: str) -> None:
    """Remove the folders that the file at `path` has left empty: git knows no empty folder."""
    for folder in list((root / path).parents):
        if folder == root or not folder.is_relative_to(root):
            return
        try:
            folder.rmdir()
        except OSError:
            return
