"""REA: the files are there, can be read, and are what their standard says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outer.product import (
    ANSWERS,
    DESCRIPTOR,
    INNER,
    INPUT_CONTRACTS,
    OUTPUT_CONTRACTS,
    STANDARD,
    WAIVERS,
    File,
)
from outer.rule import Change, Rule, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, at
from outer.schemas import problems
from outer.yamlfile import Pointer


@rule(
    "REA001",
    Scope.PRODUCT,
    title="Every file of the outer is strict, bounded YAML in UTF-8.",
    why="A file that tools read differently, or not at all, promises nothing.",
    todo="Write plain YAML: UTF-8, one document, every key once, no anchors and no tags.",
    bad=Change(DESCRIPTOR, "kind: DataProduct", "kind: DataProduct\nkind: DataProduct"),
)
def readable(subject: Subject) -> Iterator[Said]:
    for path, error in sorted(subject.product.unreadable.items()):
        todo = error.todo.rstrip(".")
        yield Said(f"{error.why}; {todo[:1].lower()}{todo[1:]}", path=path, at=error.place)


@rule(
    "REA002",
    Scope.PRODUCT,
    title="Descriptor, standard, waivers, inner.yaml, the answers file and at least one output contract are there.",
    why="What is missing cannot be checked, and consumers cannot rely on it.",
    todo="Restore the file from git, or copy it from a fresh product.",
    bad=Change(WAIVERS),
)
def present(subject: Subject) -> Iterator[Said]:
    product = subject.product
    files = {
        DESCRIPTOR: product.descriptor,
        STANDARD: product.standard,
        WAIVERS: product.waivers,
        INNER: product.inner,
        ANSWERS: product.answers,
    }
    for path, file in files.items():
        if file is None and path not in product.unreadable:
            yield Said("the file does not exist", path=path)
    broken = any(path.startswith("outer/contracts/output/") for path in product.unreadable)
    if not product.output_contracts and not broken:
        yield Said("the folder holds no contract (*.odcs.yaml)", path="outer/contracts/output")


def _follows(id: str, scope: Scope, standard: str, name: str, bad: Change) -> Rule:  # noqa: A002
    @rule(
        id,
        scope,
        title=f"The file follows the JSON Schema of {name}.",
        why="Catalogues, checkers and agents read it by that schema; what deviates is lost on them.",
        todo="Correct the field; the reference of the standard describes it.",
        bad=bad,
    )
    def follows(subject: Subject) -> Iterator[Said]:
        file = subject.file
        if isinstance(file, File):
            for problem in problems(file, standard):
                yield Said(problem.message, problem.pointer)

    return follows


descriptor_schema = _follows(
    "REA003",
    Scope.DESCRIPTOR,
    "odps",
    "Bitol ODPS",
    Change(DESCRIPTOR, "version: 1.0.0 #", "version: 1.0 #"),
)
contract_schema = _follows(
    "REA004", Scope.CONTRACT, "odcs", "Bitol ODCS", Change(CONTRACT, "slaProperties:", "slaProperty:")
)
inner_schema = _follows(
    "REA005", Scope.INNER, "inner", "inner.yaml", Change(INNER, "workloads:", "speed: fast\nworkloads:")
)
standard_schema = _follows(
    "REA006",
    Scope.STANDARD,
    "standard",
    "the standard",
    Change(STANDARD, "  formats: [parquet, delta]", "  format: delta"),
)
waivers_schema = _follows(
    "REA007", Scope.WAIVERS, "waivers", "waivers.yaml", Change(WAIVERS, "waivers: []", "waiver: []")
)

_VALUES = frozenset({"arguments", "customProperties", "examples", "implementation"})
"""Keys below which an empty text may be a value like any other."""


@rule(
    "REA008",
    Scope.PRODUCT,
    title="No text of descriptor and contracts is empty.",
    why="An empty name, unit or description looks as if somebody had filled it in.",
    todo="Write what belongs there, or remove the key.",
    bad=Change(CONTRACT, "  - server: local", '  - server: ""'),
)
def filled_in(subject: Subject) -> Iterator[Said]:
    product = subject.product
    for file in (product.descriptor, *product.contracts):
        if file is not None:
            for pointer in _empty(file.value):
                yield at(file, f"`{pointer[-1]}` is empty", *pointer)


def _empty(document: Any) -> Iterator[Pointer]:
    waiting: list[tuple[Pointer, Any]] = [((), document)]
    while waiting:
        pointer, value = waiting.pop()
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(below, (dict, list)):
                if key not in _VALUES:
                    waiting.append(((*pointer, key), below))
            elif isinstance(below, str) and not below.strip():
                yield (*pointer, key)


@rule(
    "REA009",
    Scope.PRODUCT,
    title="The folders of contracts hold contracts (*.odcs.yaml) and nothing else.",
    why="A contract under another name or in a folder below is read by nobody, and nobody says so.",
    todo="Rename it to <name>.v<major>.odcs.yaml, or move it elsewhere.",
    bad=Change("outer/contracts/output/delays.v1.yaml", new="kind: DataContract\n"),
)
def only_contracts(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    for folder in (OUTPUT_CONTRACTS, INPUT_CONTRACTS):
        for path in sorted((root / folder).glob("*")):
            if not path.name.endswith((".odcs.yaml", ".odcs.yml", ".md")) and path.name != ".gitkeep":
                yield Said("it is no contract, and is not read", path=f"{folder}/{path.name}")
