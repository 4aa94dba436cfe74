"""The files of a data product as they stand on disk: read once, judged by others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.yamlfile import Document, Place, Pointer, Unreadable, read

DESCRIPTOR = "outer/data-product.odps.yaml"
STANDARD = "outer/standard.yaml"
WAIVERS = "outer/waivers.yaml"
INNER = "inner/inner.yaml"
ANSWERS = ".copier-answers.yml"
OUTPUT_CONTRACTS = "outer/contracts/output"
INPUT_CONTRACTS = "outer/contracts/input"


@dataclass(frozen=True)
class File:
    """One YAML file of the product: its path from the product's root, its value, and the places in it."""

    path: str
    document: Document

    @property
    def value(self) -> Mapping[str, Any]:
        return self.document.value  # type: ignore[no-any-return]  # a mapping, by `yamlfile.parse`

    def place(self, *pointer: str | int) -> Place:
        return self.document.place(pointer)

    def get(self, *pointer: str | int) -> Any:
        """The value at `pointer`, or None where the way to it does not exist."""
        return lookup(self.document.value, pointer)


@dataclass(frozen=True)
class Product:
    """A data product on disk. A file that is absent is None; one that cannot be read is in `unreadable`."""

    root: Path
    descriptor: File | None
    standard: File | None
    waivers: File | None
    inner: File | None
    answers: File | None
    output_contracts: tuple[File, ...]
    input_contracts: tuple[File, ...]
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)

    @property
    def contracts(self) -> tuple[File, ...]:
        return self.output_contracts + self.input_contracts

    @property
    def files(self) -> tuple[File, ...]:
        """Every file that was read, in a fixed order."""
        single = (self.descriptor, self.standard, self.waivers, self.inner, self.answers)
        return tuple(file for file in single if file is not None) + self.contracts


def lookup(value: Any, pointer: Pointer) -> Any:
    """Follow `pointer` into nested mappings and lists; None where it leads nowhere."""
    for step in pointer:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def mappings(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Position and value of every mapping in a list."""
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def load(root: Path) -> Product:
    """Read the data product in the folder `root`.

    Raises `UsageError` when the folder is no data product at all: neither a descriptor nor a standard is there.
    """
    root = root.resolve()
    if not (root / "outer").is_dir():
        raise UsageError(
            f"{root} is not a data product: it has no folder outer/",
            "Change to the root of a data product, or name it with --product DIR.",
        )
    unreadable: dict[str, Unreadable] = {}

    def one(path: str) -> File | None:
        if not (root / path).exists() and not (root / path).is_symlink():
            return None
        try:
            return File(path, read(root / path, root))
        except Unreadable as error:
            unreadable[path] = error
            return None

    def contracts(folder: str) -> tuple[File, ...]:
        found = sorted(
            path.relative_to(root).as_posix()
            for path in (root / folder).glob("*")
            if path.name.endswith((".odcs.yaml", ".odcs.yml"))
        )
        return tuple(file for path in found if (file := one(path)) is not None)

    return Product(
        root=root,
        descriptor=one(DESCRIPTOR),
        standard=one(STANDARD),
        waivers=one(WAIVERS),
        inner=one(INNER),
        answers=one(ANSWERS),
        output_contracts=contracts(OUTPUT_CONTRACTS),
        input_contracts=contracts(INPUT_CONTRACTS),
        unreadable=unreadable,
    )


def custom(file: File | None, name: str) -> Any:
    """Value of the entry `name` of `customProperties`, or None."""
    for _, entry in mappings(file.get("customProperties") if file else None):
        if entry.get("property") == name:
            return entry.get("value")
    return None
