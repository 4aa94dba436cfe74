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

MADE = (".git", ".nox", ".venv", "__pycache__", "node_modules")
"""Folders of a product that are git's, or that tools make and can make again."""

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
        if os.path.isdir(place):
            found += _below(place.resolve())
        elif os.path.isfile(place):
            found += _listed(place, cache, progress, jobs)
        else:
            why = "is neither a folder nor a file" if os.path.exists(place) else "does not exist"
            raise UsageError(f"{place} {why}", "Name a folder of clones, or a file of git addresses.")
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


def slug(name: str, taken: set[str]) -> str:
    """A name for a file: readable, safe in any address and on any file system, and not yet among `taken`, to which it
    is added."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "product"
    found, number = base, 2
    while found in taken:
        found, number = f"{base}-{number}", number + 1
    taken.add(found)
    return found


def is_product(folder: Path) -> bool:
    """Whether `folder` is, or wants to be, a data product."""
    return os.path.exists(folder / DESCRIPTOR) or all(os.path.lexists(folder / name) for name in (ANSWERS, "outer"))


def _below(place: Path) -> Iterator[Member]:
    if is_product(place):
        yield Member(place.name, place)
        return
    for root, broken in sorted(_search(place, DEPTH)):
        inside = root.relative_to(place).as_posix()
        yield Member(place.name if inside == "." else inside, root, broken=broken)


def _search(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """The products below `folder`; also every folder that may not be looked into, with the reason: there may be one."""
    try:
        with os.scandir(folder) as entries:
            inside = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        yield folder, f"the folder cannot be read: {error.strerror}"
        return
    for name in inside:
        if name.startswith("."):
            continue
        if is_product(folder / name):
            yield folder / name, ""
        elif depth > 1 and name not in _PASSED_OVER:
            yield from _search(folder / name, depth - 1)


def _listed(place: Path, cache: Path, progress: Progress, jobs: int) -> Iterator[Member]:
    """The clones of the addresses in the file `place`: one to a line, `#` begins a remark."""
    try:
        if place.stat().st_size > _LONGEST_LIST:
            raise UsageError(
                f"{place} is no list of git addresses: it is too large", "Name a file with one in every line."
            )
        lines = place.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {error.strerror}", "Check the rights of the file.") from None
    addresses: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
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
    folder = f"{re.sub('[^A-Za-z0-9._-]', '-', name)[:60]}-{sha256(address.encode()).hexdigest()[:12]}"
    clone = cache.resolve() / "clones" / folder
    try:
        git.mirror(address, clone)
    except UsageError as error:
        yield Member(name, clone, address, error.what)
        return
    found = tuple(_below(clone))
    if not found:
        yield Member(name, clone, address, "there is no data product in this repository")
    for member in found:
        inside = "" if member.root == clone else f"/{member.name}"
        yield replace(member, name=f"{name}{inside}", origin=address)
