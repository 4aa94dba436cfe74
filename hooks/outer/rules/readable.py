"""REA: the files are there, can be read, and are what their standard says."""

from __future__ import annotations

from collections.abc import Iterator

from outer.product import ANSWERS, DESCRIPTOR, INNER, STANDARD, WAIVERS, File
from outer.rule import Change, Rule, Said, Scope, Subject, rule
from outer.schemas import problems

_CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"


@rule(
    "REA001",
    Scope.PRODUCT,
    title="Every file of the outer is strict, bounded YAML in UTF-8.",
    why="A file that tools read differently, or not at all, promises nothing.",
    todo="Mend the file; the message names the place.",
    bad=Change(DESCRIPTOR, "kind: DataProduct", "kind: DataProduct\nkind: DataProduct"),
)
def readable(subject: Subject) -> Iterator[Said]:
    for path, error in sorted(subject.product.unreadable.items()):
        yield Said(f"{error.why}; {error.todo[:1].lower()}{error.todo[1:]}", path=path, at=error.place)


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
    "REA004", Scope.CONTRACT, "odcs", "Bitol ODCS", Change(_CONTRACT, "slaProperties:", "slaProperty:")
)
inner_schema = _follows(
    "REA005", Scope.INNER, "inner", "inner.yaml", Change(INNER, "workloads:", "speed: fast\nworkloads:")
)
standard_schema = _follows(
    "REA006", Scope.STANDARD, "standard", "the standard", Change(STANDARD, "  formats: [parquet]", "  format: parquet")
)
waivers_schema = _follows(
    "REA007", Scope.WAIVERS, "waivers", "waivers.yaml", Change(WAIVERS, "waivers: []", "waiver: []")
)
