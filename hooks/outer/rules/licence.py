"""INN011 and INN012: what the inner installs may be used for what the organisation does.

Sources: SPDX 2.3, annex D (licence expressions); ISO/IEC 5230 (OpenChain), 3.3.2 (a process for the licences in use).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from outer.finding import Level
from outer.licences import RECORD, allowed, normal, packages
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.files import TooMany, held, own_files
from outer.rules.inner import LOCKS, is_requirements
from outer.yamlfile import Document, Unreadable, parse, show

_LARGEST = 16 * 1024 * 1024


@rule(
    "INN011",
    Scope.INNER,
    title="What the inner installs has a licence on record that the standard allows.",
    why="A licence that forbids the use, or asks for the source code, binds everyone who builds on the product.",
    todo=f"Write the package's licence into {RECORD} beside the lock file, as an SPDX expression (`outer check --fix` "
    "takes what installed packages say), and use only packages whose licence outer/standard.yaml allows.",
    bad=Change(f"inner/{RECORD}", "\npolars: MIT", "\npolars: SSPL-1.0"),
)
def licensed(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    wanted = subject.standard("dependencies", "licences")
    if not isinstance(wanted, list):  # REA001 or REA002 says so
        return
    permitted = [licence for licence in wanted if isinstance(licence, str)]
    for lock, named in lock_files(subject.product.root):
        if not named:
            continue
        where = (lock.parent / RECORD).relative_to(root).as_posix()
        record = read_record(lock.parent / RECORD)
        if isinstance(record, Unreadable):
            yield Said(f"the licences cannot be read: {record.why}", path=where, at=record.place)
            continue
        values = record.value if record is not None and isinstance(record.value, dict) else {}
        on_record = {normal(str(key)): (key, value) for key, value in values.items()}
        missing: list[str] = []
        for package, said in sorted(named.items()):
            key, licence = on_record.get(package, (package, said))
            if not licence:
                missing.append(package)
            elif (verdict := allowed(str(licence), permitted)) is not True:
                what = "is no SPDX expression" if verdict is None else "is not among those that the standard allows"
                message = f"the licence of {show(package)}, {show(licence)}, {what}"
                if record is not None and package in on_record:
                    yield Said(message, path=where, at=record.place((key,)))
                else:
                    yield Said(message, path=_path(lock, root))
        if missing:
            few = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            yield Said(f"no licence is on record for what {lock.name} installs: {few}", path=where)


@rule(
    "INN012",
    Scope.INNER,
    title="The licences of all that the inner installs can be judged.",
    why="What no machine can look into is not approved, only unseen.",
    todo="Judge the licences in another way, or lock with a tool whose file can be read: uv, poetry, pdm, npm, Cargo, "
    "or requirements with hashes.",
    bad=Change("inner/go.sum", new="example.com/lib v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
    level=Level.INFO,
)
def judged(subject: Subject) -> Iterator[Said]:
    for lock, named in lock_files(subject.product.root):
        if named is None:
            path = _path(lock, subject.product.root)
            yield Said(f"nobody can tell the licences of what {lock.name} installs", path=path)


def lock_files(root: Path) -> Iterator[tuple[Path, Mapping[str, str] | None]]:
    """Lock files of the inner of the product at `root`, each with the packages that it names, and the licences that it
    gives itself; None where it cannot be read."""
    patterns = [pattern for locks in LOCKS.values() for pattern in locks]
    try:
        found = list(own_files(root, "inner"))
    except TooMany:  # INN005 says so
        return
    for path in found:
        if is_requirements(path.name) or any(fnmatchcase(path.name, pattern) for pattern in patterns):
            data = held(path, _LARGEST)
            yield path, None if data is None else packages(path.name, data)


def read_record(path: Path) -> Document | Unreadable | None:
    """The record at `path`; None where there is none, `Unreadable` where it is no list of packages and licences."""
    data = held(path)
    if data is None:
        return None
    try:
        document = parse(data)
    except Unreadable as error:
        return error
    if not isinstance(document.value, dict) or not all(isinstance(v, str) for v in document.value.values()):
        return Unreadable("it is no list of `package: licence`", "Write one line for each package.")
    return document


def _path(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
