"""A change of several files of a product: judged before anything is written, then written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from outer.atomic import Blob, change, look
from outer.check import check
from outer.errors import UsageError
from outer.finding import Finding, Level, fingerprints
from outer.model import DataProduct, model
from outer.product import DESCRIPTOR, INNER, INPUT_CONTRACTS, OUTPUT_CONTRACTS, File, Product, load, mappings
from outer.rules.describe import PENDING as PENDING
from outer.yamledit import CannotEdit
from outer.yamlfile import Unreadable, parse, show

_TEAMS = frozenset(
    (
        "VER003",  # an active product has a draft beside it, until the team activates the new contract
        "LIN004",  # the sample of a new input port is not there yet
        "PRV010",  # an output port is made from personal data now; whether they were removed is for the team to say
    )
)
"""Rules that may break elsewhere than in the new files, because only the team can mend what they find."""

_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")


@dataclass(frozen=True)
class Left:
    """Something that only the team can do, and where."""

    place: str
    """`path:line`, or a path that is not there yet."""
    what: str


@dataclass(frozen=True)
class Changed:
    """What a command did to a product."""

    done: str
    """One sentence."""
    files: tuple[str, ...] = ()
    """What was written, by path from the product's root."""
    left: tuple[Left, ...] = ()

    def text(self) -> str:
        """For people, on stdout."""
        return told(self.done, self.files, self.left)


def told(done: str, files: Sequence[str], left: Sequence[Left]) -> str:
    """What was done, what was written, and what is left to the team, for people."""
    parts = [done]
    if files:
        parts.append("\n".join(["written:", *(f"  {path}" for path in files)]))
    if left:
        parts.append("\n".join(["left to the team:", *(f"  {one.place}: {one.what}" for one in left)]))
    return "\n\n".join(parts)


class Draft:
    """Files of a product as they are to be. Nothing is written before `write`."""

    def __init__(self, root: Path, as_of: date | None = None) -> None:
        """Read the product in `root`. Raises `UsageError` with file and line where it makes no sense as it is."""
        self.product: Product = load(root)
        self.model: DataProduct = model(self.product)
        self.as_of = as_of or datetime.now(UTC).date()
        self._contents: dict[str, bytes] = {}
        self._before: dict[str, bytes | None] = {}

    @property
    def root(self) -> Path:
        return self.product.root

    @property
    def descriptor(self) -> File:
        assert self.product.descriptor is not None  # noqa: S101 (`model` has made sure)
        return self.product.descriptor

    @property
    def inner(self) -> File:
        assert self.product.inner is not None  # noqa: S101 (`model` has made sure)
        return self.product.inner

    def text(self, path: str) -> bytes:
        """What `path` holds, changes of this draft included."""
        if path not in self._contents:
            self._contents[path] = self._before[path] = (self.root / path).read_bytes()
        return self._contents[path]

    def put(self, path: str, content: bytes) -> None:
        """Change the file at `path`."""
        self.text(path)
        self._contents[path] = content

    def edit(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Change the file at `path` by a function of `edit` or `yamledit`; `UsageError` where it finds no way."""
        try:
            self.put(path, change(self.text(path)))
        except CannotEdit as error:
            raise UsageError(
                f"{path} is written in a way that is not changed by machine: {error}; nothing was written",
                "Write the file as in a fresh product, one key to a line, or make the change by hand.",
            ) from None

    def create(self, path: str, content: bytes) -> None:
        """Make the file at `path`. Raises `UsageError` where something lies there: nothing is ever overwritten."""
        if (self.root / path).exists() or (self.root / path).is_symlink() or path in self._contents:
            raise UsageError(f"{path} is there already", "Remove or rename it first, if nothing needs it.")
        self._contents[path], self._before[path] = content, None

    @property
    def changed(self) -> tuple[str, ...]:
        """Paths that are new or not as they were: contracts, samples, the descriptor, the inner."""
        paths = [path for path, content in self._contents.items() if content != self._before[path]]
        return tuple(sorted(paths, key=lambda path: (path == INNER, path == DESCRIPTOR, path)))

    def after(self) -> Product:
        """The product as it will be."""
        files: dict[str, File] = {file.path: file for file in self.product.files}
        for path in self.changed:
            if path.endswith((".yaml", ".yml")):
                try:
                    files[path] = File(path, parse(self._contents[path]))
                except Unreadable as error:
                    raise UsageError(f"{path}:{error.place.line}: {error.why}", error.todo) from None

        def contracts(folder: str) -> tuple[File, ...]:
            return tuple(files[path] for path in sorted(files) if path.startswith(f"{folder}/"))

        return replace(
            self.product,
            descriptor=files.get(DESCRIPTOR),
            inner=files.get(INNER),
            output_contracts=contracts(OUTPUT_CONTRACTS),
            input_contracts=contracts(INPUT_CONTRACTS),
        )

    def findings(self) -> tuple[Finding, ...]:
        """What `outer check` will find in the product that it does not find now."""
        after = check(self.after(), self.as_of).findings
        # A sample that comes with the change is there in the end.
        coming = [path for path in self.changed if path.startswith("outer/samples/")]
        after = tuple(f for f in after if not (f.rule == "LIN004" and any(show(path) in f.message for path in coming)))
        if not after:
            return ()
        # Without the number: what was wrong with an entry before is no news when there is a copy of the entry.
        before = {_unnumbered(name) for name in fingerprints(check(self.product, self.as_of).findings)}
        return tuple(f for f, name in zip(after, fingerprints(after), strict=True) if _unnumbered(name) not in before)

    def left(self, mine: Sequence[str]) -> Iterator[Left]:
        """What `outer check` will find in the files `mine`, which only the team can mend, and what it will warn of.

        Raises `UsageError`, before anything is written, when it will find an error elsewhere, or when the product could
        not be run any more.
        """
        for finding in self.findings():
            place = f"{finding.path}:{finding.place.line}"
            if finding.path not in mine and finding.level is Level.ERROR and finding.rule not in _TEAMS:
                raise UsageError(
                    f"{place}: the change would break {finding.rule}: {finding.message}; nothing was written",
                    finding.todo,
                )
            yield Left(place, f"{finding.message} ({finding.rule})")
        model(self.after())

    def write(self) -> tuple[str, ...]:
        """Write what has changed, all of it or nothing; return the paths."""
        seen = {path: look(self.root, path) for path in self.changed}
        for path, blob in seen.items():
            if blob is not None and blob.link:
                raise UsageError(f"{path} cannot be written: it is a link", "Remove the link.")
            if (blob.content if blob else None) != self._before[path]:
                raise UsageError(f"{path} has changed meanwhile; nothing was written", "Run the command again.")
        wanted = {path: Blob(self._contents[path], bool(blob and blob.executable)) for path, blob in seen.items()}
        change(self.root, wanted, seen)
        return tuple(seen)


def _unnumbered(fingerprint: str) -> str:
    return fingerprint.partition(":")[0]


def place(file: File, *pointer: str | int) -> str:
    """`path:line` of what `pointer` leads to in `file`."""
    return f"{file.path}:{file.place(*pointer).line}"


def file(path: str, content: bytes) -> File:
    """A file of the product as it is to be."""
    return File(path, parse(content))


def pending(made: File) -> Iterator[Left]:
    """The texts in a file that the team still has to write."""
    for pointer in made.document.places:
        value = made.get(*pointer)
        if isinstance(value, str) and value.startswith(PENDING):
            yield Left(place(made, *pointer), f"`{pointer[-1]}`: {value.removeprefix(PENDING).strip().rstrip('.')}")


def check_name(product: Product, name: str) -> None:
    """Raise `UsageError` where `name` cannot be the name of a port."""
    from outer.rules.reading import matches

    pattern = product.standard.get("names", "port") if product.standard else None
    fits = not isinstance(pattern, str) or matches(f"^(?:{pattern})$", name) is not False
    if not _SHAPE.match(name) or not fits:
        wanted = f" {show(pattern)} (outer/standard.yaml)" if isinstance(pattern, str) else " of a port"
        raise UsageError(
            f"the name {show(name)} does not fit the pattern{wanted}",
            "Choose a name of small letters, digits and single underscores, for example daily_orders.",
        )


def workload(draft: Draft, wanted: str | None) -> int:
    """Position in inner.yaml of the workload that is meant: the named one, or the only one. Raises `UsageError`."""
    names = [str(one.get("name")) for _, one in mappings(draft.inner.get("workloads"))]
    where, known = place(draft.inner, "workloads"), ", ".join(names)
    if wanted is None and len(names) == 1:
        return 0
    if wanted is None:
        raise UsageError(f"{where}: the product has {len(names)} workloads: {known}", "Name one: --workload NAME.")
    if wanted not in names:
        raise UsageError(f"{where}: there is no workload {show(wanted)}; there is: {known}", "Name one of these.")
    return names.index(wanted)
