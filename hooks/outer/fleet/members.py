"""Which products a fleet has: those below folders of clones, and those that a file of git addresses names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from outer.errors import NothingChecked, UsageError
from outer.fleet import git
from outer.fleet.progress import Progress
from outer.product import ANSWERS, DESCRIPTOR
from outer.yamlfile import show

DEPTH = 5
"""Folders below a named one in which products are looked for."""

_PASSED_OVER = frozenset(("node_modules", "venv", "data", "build", "dist", "target", "inner", "outer"))
_ADDRESS = re.compile(r"(?:(?:https|ssh|file)://[^\s]+|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s:][^\s]*|/[^\s]+)\Z")
_LONGEST_LIST = 16 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """A product of the fleet, or the reason why it cannot be looked at."""

    name: str
    """How it is called in tables: its path below the folder that was named, or the end of its address."""
    root: Path
    origin: str = ""
    """Its git address, where a file of addresses named it."""
    broken: str = ""
    """Why it cannot be looked at; empty where it can."""


def members(places: Sequence[Path], cache: Path, progress: Progress, *, jobs: int) -> tuple[Member, ...]:
    """The products at `places`, in their order: folders are searched, files hold a git address in every line.

    What an address leads to is cloned into `cache`, or fetched again where it is there. Raises `UsageError` for a place
    that is neither, `NothingChecked` where no product is found at all.
    """
    found: list[Member] = []
    for place in places:
        if place.is_dir():
            found += _below(place)
        elif place.is_file():
            found += _listed(place, cache, progress, jobs)
        else:
            raise UsageError(f"{place} does not exist", "Name a folder of clones, or a file of git addresses.")
    unique = {os.path.realpath(member.root): member for member in reversed(found)}
    kept = [member for member in found if unique.get(os.path.realpath(member.root)) is member]
    if not kept:
        raise NothingChecked(
            f"no data product was found in {', '.join(map(str, places))}",
            f"A product is a folder with {DESCRIPTOR} or {ANSWERS}, at most {DEPTH} folders down.",
        )
    return _named(kept)


def _named(found: Sequence[Member]) -> tuple[Member, ...]:
    """The same, each with a name of its own."""
    seen: dict[str, int] = {}
    named: list[Member] = []
    for member in found:
        seen[member.name] = seen.get(member.name, 0) + 1
        number = seen[member.name]
        named.append(member if number == 1 else replace(member, name=f"{member.name} ({number})"))
    return tuple(named)


def is_product(folder: Path) -> bool:
    """Whether `folder` is, or wants to be, a data product."""
    return (folder / DESCRIPTOR).exists() or ((folder / ANSWERS).exists() and (folder / "outer").is_dir())


def _below(place: Path) -> Iterator[Member]:
    if is_product(place):
        yield Member(place.resolve().name, place.resolve())
        return
    for root in sorted(_search(place.resolve(), DEPTH)):
        yield Member(root.relative_to(place.resolve()).as_posix(), root)


def _search(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in inside:
        if name.startswith(".") or name in _PASSED_OVER:
            continue
        if is_product(folder / name):
            yield folder / name
        elif depth > 1:
            yield from _search(folder / name, depth - 1)


def _listed(place: Path, cache: Path, progress: Progress, jobs: int) -> Iterator[Member]:
    """The clones of the addresses in the file `place`: one to a line, `#` begins a remark."""
    if place.stat().st_size > _LONGEST_LIST:
        raise UsageError(f"{place} is no list of git addresses: it is too large", "Name a file with one in every line.")
    addresses: dict[str, int] = {}
    for number, line in enumerate(place.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        address = line.partition(" #")[0].strip()
        if not address or address.startswith("#"):
            continue
        if not _ADDRESS.match(address):
            raise UsageError(
                f"{place}:{number}: {show(address)} is no git address",
                "Write one in every line: https://…, ssh://…, file://…, user@host:path, or an absolute path.",
            )
        parts = urlsplit(address) if "://" in address else None
        if parts and (parts.password or (parts.username and parts.scheme != "ssh")):
            raise UsageError(
                f"{place}:{number}: the address holds a user name or password",
                "Leave it out; git asks its credential helper.",
            )
        addresses.setdefault(address, number)
    progress.begin("fetching", len(addresses))
    with ThreadPoolExecutor(max_workers=max(jobs * 2, 2)) as pool:
        for found in pool.map(lambda address: tuple(_fetched(address, cache)), addresses):
            progress.advance(found[0].name)
            yield from found
    progress.end()


def _fetched(address: str, cache: Path) -> Iterator[Member]:
    """The products in the repository at `address`, which may hold several."""
    name = re.split(r"[/:]", address.rstrip("/").removesuffix(".git"))[-1] or address
    clone = (
        cache / "clones" / f"{re.sub('[^A-Za-z0-9._-]', '-', name)[:60]}-{sha256(address.encode()).hexdigest()[:12]}"
    )
    try:
        git.mirror(address, clone)
    except UsageError as error:
        yield Member(name, clone, address, error.what)
        return
    found = [clone] if is_product(clone) else sorted(_search(clone, DEPTH))
    if not found:
        yield Member(name, clone, address, "there is no data product in this repository")
    for root in found:
        inside = root.relative_to(clone).as_posix()
        yield Member(name if inside == "." else f"{name}/{inside}", root, address)
