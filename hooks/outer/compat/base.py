"""Reads the product as it was: from git objects, without running anything of the repository, or from a folder or file.

Nothing of the user's or the machine's settings has a say: no configuration but the repository's own, no hooks, filters
or replacements, no network. Blobs are read as they were committed.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from outer.compat.grammar import CONTRACT_VERSIONS, DESCRIPTOR_VERSIONS
from outer.compat.versions import version
from outer.errors import NothingChecked, UsageError
from outer.git import reason
from outer.product import DESCRIPTOR, INPUT_CONTRACTS, OUTPUT_CONTRACTS, STANDARD, WAIVERS, File, Product, load
from outer.yamlfile import MAX_BYTES, Document, Unreadable, parse, read, show

_SUFFIXES = (".odcs.yaml", ".odcs.yml")
_DEFAULTS = ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main", "refs/heads/master")
_SHALLOW = "The clone is shallow: fetch history and tags (`git fetch --unshallow --tags`; in CI: fetch-depth 0)."


@dataclass(frozen=True)
class Side:
    """The descriptor and the contracts of a product at one moment."""

    label: str
    """Name of the moment for people: `main (1a2b3c4)`, `v1.2.0`, a path."""
    descriptor: File | None = None
    outputs: tuple[File, ...] = ()
    inputs: tuple[File, ...] = ()


@dataclass(frozen=True)
class Release:
    """The output contracts at a release tag."""

    tag: str
    outputs: tuple[File, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    """Path and reason of contracts that cannot be judged any more."""
    merged: bool = True
    """Whether the base holds the release, so that its versions may still be supported."""


@dataclass(frozen=True)
class Basis:
    """What the product is compared with."""

    side: Side
    releases: tuple[Release, ...] = ()
    """Oldest first."""
    shallow: bool = False
    single: bool = False
    """Whether it is one contract only, so that the rest of the product is not compared."""


def head(root: Path) -> tuple[Side, Product]:
    """The product as it lies in the folder `root`. Raises `UsageError` where a file cannot be read or is unknown."""
    product = load(root)
    for path, error in sorted(product.unreadable.items()):
        if path in (DESCRIPTOR, STANDARD, WAIVERS) or path.endswith(_SUFFIXES):
            raise UsageError(f"{path}:{error.place.line}: {error.why}", error.todo)
    side = Side("working tree", product.descriptor, product.output_contracts, product.input_contracts)
    for file in (*side.outputs, *side.inputs, *([side.descriptor] if side.descriptor else [])):
        if reason := _strange(file):
            raise UsageError(f"{file.path}:{file.place('apiVersion').line}: {reason}", "Use a known `apiVersion`.")
    return side, product


def _strange(file: File) -> str:
    """Why `file` cannot be judged; empty where it can."""
    known = DESCRIPTOR_VERSIONS if file.path == DESCRIPTOR else CONTRACT_VERSIONS
    found = file.get("apiVersion")
    return "" if found in known else f"the standard {show(found)} is not known (known: {', '.join(known)})"


# --- A folder or a file -------------------------------------------------------------------------------------------


def from_path(path: Path) -> Basis:
    """The product in the folder `path`, or the one contract in the file `path`. Raises `UsageError`."""
    if path.is_dir():
        side, _ = head(path)
        return Basis(Side(str(path), side.descriptor, side.outputs, side.inputs))
    if not path.exists():
        raise UsageError(f"{path} does not exist", "Name a product's folder, or one contract file, after --against.")
    try:
        file = File(path.name, read(path, path.parent))
    except Unreadable as error:
        raise UsageError(f"{path}:{error.place.line}: {error.why}", error.todo) from None
    if reason := _strange(file):
        raise UsageError(f"{path}: {reason}", "Use a contract with a known `apiVersion`.")
    return Basis(Side(str(path), None, (file,)), single=True)


# --- Git ----------------------------------------------------------------------------------------------------------


def from_git(root: Path, base: str | None, now: Side) -> Basis:
    """The product in `root` at the revision `base`, and at the release tags.

    Without `base` it is where HEAD left the default branch (origin/HEAD, origin/main, main, master). On that branch
    itself it is HEAD while the descriptor or a contract is changed, and the commit before HEAD while none is, so that a
    merge is compared as well. `now` are the files on disk; what is equal is not parsed again.

    Raises `UsageError` where there is no repository or no base, and `NothingChecked` where nothing is committed.
    """
    root = root.resolve()
    told = _git(root, "rev-parse", "--is-shallow-repository", "--show-prefix", must=True) or b""
    shallow, prefix = [*told.split(b"\n"), b""][:2]
    with _Objects(root, _parsed(root, now)) as objects:
        here = objects.commit("HEAD")
        if here is None:
            raise NothingChecked("the repository has no commit to compare with", "Commit first.")
        refs = _refs(root)
        at = _Reader(objects, tuple(filter(None, prefix.split(b"/"))))
        is_shallow = shallow == b"true"
        found, label = _base(root, base, here, refs, objects, at, now, is_shallow)
        side = at.side(found, label)
        tags = _release_tags(refs, now, side, root)
        merged = _merged(root, found) if tags else frozenset()
        releases = tuple(at.release(tag, commit, f"refs/tags/{tag}" in merged) for tag, commit in tags)
    return Basis(side, releases, is_shallow)


def _base(
    root: Path,
    base: str | None,
    here: str,
    refs: Mapping[str, str],
    objects: _Objects,
    at: _Reader,
    now: Side,
    shallow: bool,
) -> tuple[str, str]:
    """Commit and label of what to compare with."""
    hint = _SHALLOW if shallow else "Fetch it, or name another one with --base."
    if base is not None:
        found = objects.commit(base) if base.strip() and "\n" not in base else None
        if found is None:
            raise UsageError(f"the base {show(base)} is no commit of this repository", hint)
        return found, f"{base} ({found[:7]})"
    name = next((ref for ref in _DEFAULTS if ref in refs), None)
    if name is None:
        raise UsageError(
            "no default branch was found (origin/HEAD, origin/main, main, master)",
            _SHALLOW if shallow else "Fetch it, or name what to compare with: --base REF or --against FOLDER-OR-FILE.",
        )
    short = name.removeprefix("refs/remotes/").removeprefix("refs/heads/")
    fork = here if refs[name] == here else (_git(root, "merge-base", here, refs[name]) or b"").decode().strip()
    if not fork:
        raise UsageError(f"HEAD and {short} have no commit in common", hint)
    if fork != here:
        return fork, f"{short} ({fork[:7]})"
    if _equal(at.side(here, "HEAD"), now):
        parents = objects.parents(here)
        if parents and objects.commit(parents[0]) is None:
            raise UsageError("the commit before HEAD is not there", hint)
        if parents:
            return parents[0], f"HEAD^ ({parents[0][:7]})"
    return here, f"HEAD ({here[:7]})"


def _equal(one: Side, other: Side) -> bool:
    def values(side: Side) -> list[tuple[str, object]]:
        files = (*side.outputs, *side.inputs, *([side.descriptor] if side.descriptor else []))
        return [(file.path, file.value) for file in files]

    return values(one) == values(other)


def _refs(root: Path) -> Mapping[str, str]:
    """Branches that may be the default one, and all tags: name -> commit."""
    form = "--format=%(refname)%00%(objectname)%00%(*objectname)"
    told = _git(root, "for-each-ref", form, *_DEFAULTS, "refs/tags") or b""
    found: dict[str, str] = {}
    for line in told.decode("utf-8", "surrogateescape").split("\n"):
        name, _, rest = line.partition("\0")
        direct, _, peeled = rest.partition("\0")
        if name:
            found[name] = peeled or direct
    return found


def _release_tags(refs: Mapping[str, str], now: Side, then: Side, root: Path) -> list[tuple[str, str]]:
    """Tags `vX.Y.Z` and `<product>/vX.Y.Z`, oldest version first, with their commits."""
    names = {str(s.descriptor.get("name")) for s in (now, then) if s.descriptor} | {root.name}
    form = re.compile(rf"refs/tags/(?:(?:{'|'.join(map(re.escape, sorted(names)))})/)?v(.+)")
    found = [(v.key, name.removeprefix("refs/tags/"), commit) for name, commit in refs.items()
             if (match := form.fullmatch(name)) and (v := version(match[1]))]  # fmt: skip
    return [(tag, commit) for _, tag, commit in sorted(found)]


def _merged(root: Path, commit: str) -> frozenset[str]:
    told = _git(root, "for-each-ref", f"--merged={commit}", "--format=%(refname)", "refs/tags") or b""
    return frozenset(told.decode("utf-8", "surrogateescape").split("\n"))


def _parsed(root: Path, now: Side) -> dict[str, Document]:
    """Documents on disk by the names that git gives to their content."""
    known: dict[str, Document] = {}
    for file in (*now.outputs, *now.inputs, *([now.descriptor] if now.descriptor else [])):
        data = (root / file.path).read_bytes()
        for algorithm in ("sha1", "sha256"):
            name = hashlib.new(algorithm, b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()
            known[name] = file.document
    return known


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return own | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


# Reading objects runs nothing that a foreign repository could bring along, so its owner does not matter (CI containers
# often run as another user than the one who cloned, and their exception for it stands in the global configuration).
_COMMAND = ("git", "--no-pager", "-c", "safe.directory=*", "-c", "core.fsmonitor=false")


def _git(root: Path, *arguments: str, must: bool = False) -> bytes | None:
    """What git prints; None where it fails, unless it `must` not."""
    try:
        done = subprocess.run(
            [*_COMMAND, *arguments], cwd=root, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            check=False, timeout=60,
        )  # fmt: skip
    except OSError as error:
        raise _no_git(error) from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git {arguments[0]} did not end within a minute", "Look after the repository.") from None
    if done.returncode and must:
        said = reason(done.stderr)
        absent = f"{root} is not in a git repository"
        raise UsageError(
            absent if "not a git repository" in said else f"git does not read {root}: {said}",
            "Name what to compare with: --against FOLDER-OR-FILE.",
        )
    return done.stdout if done.returncode == 0 else None


def _no_git(error: OSError) -> UsageError:
    return UsageError(f"git cannot be run ({error.strerror})", "Install git, or compare with --against FOLDER-OR-FILE.")


class _Objects:
    """Objects of a repository, read through one process."""

    def __init__(self, root: Path, known: dict[str, Document]) -> None:
        self._known = known
        self._trees: dict[str, dict[bytes, tuple[bytes, str]]] = {}
        try:
            self._process = subprocess.Popen(
                [*_COMMAND, "cat-file", "--batch"], cwd=root, env=_environment(), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            raise _no_git(error) from None

    def __enter__(self) -> _Objects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()
        self._process.wait()

    def _read(self, name: str, most: int = 1 << 26) -> tuple[str, str, bytes] | None:
        """Name, kind and content of an object, the content up to `most` bytes; None where it is not there."""
        sender, receiver = self._process.stdin, self._process.stdout
        if sender is None or receiver is None:
            return None
        # A git that has ended gives no answer either, which is told below.
        with suppress(BrokenPipeError):
            sender.write(name.encode("utf-8", "surrogateescape") + b"\n")
            sender.flush()
        answer = receiver.readline()
        told = answer.split()
        if answer.endswith((b" missing\n", b" ambiguous\n")):
            return None
        if len(told) != 3 or not told[2].isdigit():
            raise UsageError(f"git cannot read the object {show(name)}", "Look after the repository: `git fsck`.")
        size = int(told[2])
        content = receiver.read(min(size, most))
        left = size - len(content)
        while left > 0:
            left -= len(receiver.read(min(left, 1 << 20))) or left
        if receiver.read(1) != b"\n":
            raise UsageError(f"git cannot read the object {show(name)}", "Look after the repository: `git fsck`.")
        return told[0].decode(), told[1].decode(), content

    def commit(self, name: str) -> str | None:
        """Full name of the commit that `name` stands for, or None."""
        found = self._read(f"{name}^{{commit}}")
        return found[0] if found and found[1] == "commit" else None

    def parents(self, commit: str) -> list[str]:
        found = self._read(commit)
        lines = found[2].partition(b"\n\n")[0].split(b"\n") if found else []
        return [line.split()[1].decode() for line in lines if line.startswith(b"parent ")]

    def tree(self, name: str) -> Mapping[bytes, tuple[bytes, str]]:
        """Entries of a tree: name -> mode, object."""
        if name not in self._trees:
            found = self._read(name)
            self._trees[name] = dict(_entries(found[2], len(found[0]) // 2)) if found and found[1] == "tree" else {}
        return self._trees[name]

    def document(self, name: str) -> Document:
        """The YAML document in a blob. Raises `Unreadable`."""
        if name not in self._known:
            found = self._read(name, MAX_BYTES + 1)
            if found is None:
                raise Unreadable("git does not hold its content", "Fetch the whole history.")
            if len(found[2]) > MAX_BYTES:
                raise Unreadable(f"the file is larger than {MAX_BYTES // 1024} KiB", "Compare with another base.")
            self._known[name] = parse(found[2])
        return self._known[name]


def _entries(tree: bytes, length: int) -> Iterable[tuple[bytes, tuple[bytes, str]]]:
    at = 0
    while at < len(tree):
        middle, end = tree.index(b" ", at), tree.index(b"\0", at)
        yield tree[middle + 1 : end], (tree[at:middle], tree[end + 1 : end + 1 + length].hex())
        at = end + 1 + length


@dataclass(frozen=True)
class _Reader:
    """Finds the product in commits; `prefix` is the way to it from the root of the repository."""

    objects: _Objects
    prefix: tuple[bytes, ...]
    _seen: dict[str, tuple[tuple[File, ...], tuple[tuple[str, str], ...]]] = field(default_factory=dict)

    def side(self, commit: str, label: str) -> Side:
        """The product at `commit`. Raises `UsageError` for a file that cannot be read."""

        def contracts(folder: str) -> tuple[File, ...]:
            return tuple(self._file(path, mode, name, label) for path, mode, name in self._contracts(commit, folder))

        at = self._find(commit, DESCRIPTOR.split("/")[:-1])
        entry = at.get(DESCRIPTOR.rpartition("/")[2].encode())
        descriptor = self._file(DESCRIPTOR, *entry, label) if entry else None
        return Side(label, descriptor, contracts(OUTPUT_CONTRACTS), contracts(INPUT_CONTRACTS))

    def release(self, tag: str, commit: str, merged: bool) -> Release:
        """The output contracts at a tag; what cannot be read is said, and stops nothing."""
        files: list[File] = []
        unreadable: list[tuple[str, str]] = []
        for path, mode, name in self._contracts(commit, OUTPUT_CONTRACTS):
            try:
                files.append(self._file(path, mode, name, tag))
            except UsageError as error:
                unreadable.append((path, error.what))
        return Release(tag, tuple(files), tuple(unreadable), merged)

    def _file(self, path: str, mode: bytes, name: str, label: str) -> File:
        try:
            if mode not in (b"100644", b"100755"):
                raise Unreadable("it is not a regular file", "Compare with another base.")
            file = File(path, self.objects.document(name))
        except Unreadable as error:
            raise UsageError(
                f"{path} at {label}, line {error.place.line}: {error.why}",
                "Choose a base at which it can be read.",
            ) from None
        if reason := _strange(file):
            raise UsageError(f"{path} at {label}: {reason}", "Choose a base with a known `apiVersion`.")
        return file

    def _contracts(self, commit: str, folder: str) -> Iterable[tuple[str, bytes, str]]:
        for entry, (mode, name) in sorted(self._find(commit, folder.split("/")).items()):
            path = entry.decode("utf-8", "surrogateescape")
            if path.endswith(_SUFFIXES):
                yield f"{folder}/{path}", mode, name

    def _find(self, commit: str, way: Iterable[str]) -> Mapping[bytes, tuple[bytes, str]]:
        tree = self.objects.tree(f"{commit}^{{tree}}")
        for part in (*self.prefix, *(step.encode() for step in way)):
            entry = tree.get(part)
            if entry is None or entry[0] != b"40000":
                return {}
            tree = self.objects.tree(entry[1])
        return tree
