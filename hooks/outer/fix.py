"""`outer check --fix`: mends what has one right answer, shows it as a diff, and loses nothing.

What is mended, in this order, because each builds on the one before:

1. what a changed answer says is brought to the descriptor, where git knows that the answer is the newer of the two;
2. versions written as a number (`1`, `1.0`) become semantic versions, in the descriptor and the output contracts;
3. the ids of the product, its ports and their contracts are made from domain, name and major, and an output contract
   takes over the domain;
4. output contracts get the file name that their name and major ask for;
5. licences that installed packages give clearly are written down where none is on record;
6. managed files become again what the standard renders from the answers.

Pinned input contracts are the producer's words and are never touched. Everything is done on a copy first; the product
changes as a whole or not at all, and what a file held before is kept below data/before-fix/.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from outer import suite
from outer.answers import outdated
from outer.atomic import Blob, change, look
from outer.diff import unified
from outer.drift import managed_files
from outer.errors import UsageError
from outer.licences import RECORD, installed, normal, recorded
from outer.product import DESCRIPTOR, OUTPUT_CONTRACTS, File, Product, load, lookup, mappings
from outer.rules.licence import lock_files, read_record
from outer.rules.reading import major
from outer.yamledit import CannotEdit, replace, source
from outer.yamlfile import Pointer, Unreadable, parse, show

KEPT = "data/before-fix"
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")


@dataclass(frozen=True)
class Fix:
    """One file that is to change. `before` is None where it is new, `path` is where it lies afterwards."""

    path: str
    before: bytes | None
    after: bytes
    moved_from: str = ""

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        return unified(self.before, self.after, self.path, self.moved_from)


def plan(product: Product) -> tuple[Fix, ...]:
    """What mends `product`, by path; nothing is written. Files that cannot be read are left to people.

    Raises `UsageError` when the managed files cannot be rendered, or where a file of the team that would change is a
    link.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for file in product.files:
            (copy / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(product.root / file.path, copy / file.path)
        (copy / "outer").mkdir(exist_ok=True)
        answers = {DESCRIPTOR: {entry.pointer: entry.wanted for entry in outdated(product)}}
        _edit(copy, answers)
        for mend in (_versions, _ids, _contracts):
            _edit(copy, mend(load(copy), copy))
        moved = _file_names(copy)
        fixes = [
            Fix(path, before, after, old if old != path else "")
            for old in sorted(file.path for file in product.files)
            for path in (moved.get(old, old),)
            for before, after in (((product.root / old).read_bytes(), (copy / path).read_bytes()),)
            if before != after or old != path
        ]
    fixes += _licences(product)
    for fix in fixes:
        if (product.root / (fix.moved_from or fix.path)).is_symlink():
            raise UsageError(
                f"{fix.moved_from or fix.path} cannot be mended: it is a link", "Put a file of its own in its place."
            )
    return tuple(sorted([*fixes, *_managed(product)], key=lambda fix: fix.path))


def write(product: Product, fixes: tuple[Fix, ...]) -> str:
    """Make the changes, all of them or none. Returns the folder, from the product's root, that holds what was there
    before; empty when nothing was.

    Raises `UsageError` where a file is no longer what it was when `fixes` were planned, or cannot be written.
    """
    root, kept = product.root, f"{KEPT}/{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    before, mended, gone = dict[str, Blob](), dict[str, Blob](), list[str]()
    for fix in fixes:
        old = fix.moved_from or fix.path
        there = look(root, old)
        if (there.content if there and not there.link else None) != fix.before:
            raise UsageError(f"{show(old)} has changed meanwhile; nothing was written", "Run the command again.")
        if there is not None:
            before[f"{kept}/{old}"] = there
        mended[fix.path] = Blob(fix.after, executable=there is not None and there.executable)
        if fix.moved_from:
            gone.append(old)
    # What was there is kept before anything changes, and a file goes when its new one is there.
    wanted: dict[str, Blob | None] = {**before, **mended, **dict.fromkeys(gone)}
    change(root, wanted, {path: look(root, path) for path in wanted})
    return kept if before else ""


Changes = Mapping[str, Mapping[Pointer, Any]]
"""Path of a file -> pointer -> new value."""


def _versions(product: Product, root: Path) -> Changes:
    """Versions that YAML takes for a number. The text counts: `1.10` is 1.10.0.

    Of an input the version is what its pinned contract says, when that is the same text in quotes.
    """
    found: dict[str, dict[Pointer, Any]] = {}
    pinned = {file.get("id"): file.get("version") for file in product.input_contracts}

    def look(file: File, data: bytes, pointer: Pointer, contract: object = None) -> None:
        value, text = file.get(*pointer), source(data, pointer)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and _NUMBER.match(text):
            numbers = [str(int(number)) for number in text.split(".")]
            full = ".".join([*numbers, "0", "0"][:3])
            found.setdefault(file.path, {})[pointer] = text if pinned.get(contract) == text else full

    for file in (product.descriptor, *product.output_contracts):
        if file is None:
            continue
        data = (root / file.path).read_bytes()
        look(file, data, ("version",))
        for key in ("inputPorts", "outputPorts"):
            for index, port in mappings(file.get(key)):
                look(file, data, (key, index, "version"), port.get("contractId"))
                for position, contract in mappings(port.get("inputContracts")):
                    look(file, data, (key, index, "inputContracts", position, "version"), contract.get("id"))
    return found


def _ids(product: Product, _: Path) -> Changes:
    """The product's URN and those of its output ports; see the rules IDN001 and IDN004."""
    descriptor = product.descriptor
    if descriptor is None:
        return {}
    domain, name = descriptor.get("domain"), descriptor.get("name")
    version = major(str(descriptor.get("version")))
    if not (isinstance(domain, str) and isinstance(name, str) and domain and name):
        return {}
    changes: dict[Pointer, Any] = {}
    if version and isinstance(descriptor.get("id"), str):
        changes[("id",)] = f"urn:dmb:dp:{domain}:{name}:{version}"
    for index, port in mappings(descriptor.get("outputPorts")):
        own, port_name = major(str(port.get("version"))), port.get("name")
        if own and isinstance(port_name, str) and isinstance(port.get("contractId"), str):
            changes[("outputPorts", index, "contractId")] = f"urn:dmb:cmp:{domain}:{name}:{own}:{port_name}"
    return {DESCRIPTOR: changes}


def _contracts(product: Product, _: Path) -> Changes:
    """The domain of the output contracts, and the id of each that a port names by name and version alone."""
    found: dict[str, dict[Pointer, Any]] = {}
    if product.descriptor is None:
        return found
    domain = product.descriptor.get("domain")
    known = {str(file.get("id")) for file in product.output_contracts}
    for file in product.output_contracts:
        changes = found.setdefault(file.path, {})
        if isinstance(domain, str) and isinstance(file.get("domain"), str):
            changes[("domain",)] = domain
        key = (file.get("name"), file.get("version"))
        ids = {
            str(port["contractId"])
            for _index, port in mappings(product.descriptor.get("outputPorts"))
            if (port.get("name"), port.get("version")) == key and isinstance(port.get("contractId"), str)
        }
        alone = [(f.get("name"), f.get("version")) for f in product.output_contracts].count(key) == 1
        if alone and len(ids) == 1 and not ids & known:
            changes[("id",)] = ids.pop()
    return found


def _file_names(root: Path) -> Mapping[str, str]:
    """Move output contracts to the name that REF005 asks for, where nothing lies there. Returns old -> new path."""
    moved: dict[str, str] = {}
    for file in load(root).output_contracts:
        name, version = file.get("name"), major(str(file.get("version")))
        if not (isinstance(name, str) and re.match(r"[a-z0-9_]+\Z", name) and version):
            continue
        target = f"{OUTPUT_CONTRACTS}/{name}.v{version}.odcs.yaml"
        if PurePosixPath(file.path).name != PurePosixPath(target).name and not (root / target).exists():
            (root / file.path).rename(root / target)
            moved[file.path] = target
    return moved


def _licences(product: Product) -> Iterator[Fix]:
    """Records of licences with a line for each locked package that had none and is installed beside its lock file."""
    for lock, named in lock_files(product.root):
        folder = lock.parent
        record = read_record(folder / RECORD)
        if named and not isinstance(record, Unreadable):
            known = {normal(str(key)) for key in record.value} if record else set()
            said = installed(folder)
            found = {name: said[name] for name, own in named.items() if not own and name not in known and name in said}
            if found:
                before = (folder / RECORD).read_bytes() if record else None
                yield Fix((folder / RECORD).relative_to(product.root).as_posix(), before, recorded(before, found))


def _managed(product: Product) -> Iterator[Fix]:
    """Managed files as they must be, unless this command is of another version than the pin and cannot know them."""
    answers = product.answers
    if answers is None or suite.is_version(str(answers.get("_commit") or "")) is False:
        return
    for path, wanted in managed_files(answers).items():
        there = look(product.root, path)
        before = there.content if there and not there.link else None
        if before != wanted:
            yield Fix(path, before, wanted)


def _edit(root: Path, changes: Changes) -> None:
    """Make those `changes` that can be made in place; the others stay findings."""
    for path, values in changes.items():
        for pointer, value in values.items():
            with suppress(CannotEdit, Unreadable, FileNotFoundError):
                data = (root / path).read_bytes()
                if lookup(parse(data).value, pointer) != value:
                    (root / path).write_bytes(replace(data, {pointer: value}))
