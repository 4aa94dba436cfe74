"""Runs rules over a product and says how much was judged: a gate that looked at nothing has not passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from outer.errors import OuterError
from outer.finding import Finding, Level
from outer.product import File, Product
from outer.rule import Rule, Said, Scope, Subject
from outer.rules import BY_ID, RULES
from outer.waivers import apply, waivers
from outer.yamlfile import Pointer


@dataclass(frozen=True)
class Report:
    """What `check` found, and on how much it looked."""

    findings: tuple[Finding, ...]
    """By path and line; those that a waiver accepts are among them, marked."""
    rules: int
    """Rules that ran on one object at least."""
    objects: int
    """Objects that were judged: files, ports, columns …"""
    crashed: tuple[tuple[str, str], ...]
    """Rules that failed themselves, with the reason. Such a report proves nothing."""
    as_of: date

    def at(self, level: Level) -> tuple[Finding, ...]:
        """Findings of `level` that no waiver accepts."""
        return tuple(f for f in self.findings if f.level is level and not f.waived)

    @property
    def waived(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.waived)


def check(product: Product, as_of: date, rules: Iterable[Rule] = RULES) -> Report:
    """Judge `product` by `rules`, with dates (waivers) judged on the day `as_of`.

    Raises `OuterError` when the answers cannot be rendered; whatever else goes wrong in a rule is in `crashed`.
    """
    findings: list[Finding] = []
    crashed: list[tuple[str, str]] = []
    ran = 0
    judged: set[tuple[str, str, Pointer]] = set()
    for rule in rules:
        subjects = list(_subjects(product, rule.scope, as_of))
        ran += bool(subjects)
        for subject in subjects:
            judged.add((rule.scope, subject.file.path if subject.file else "", subject.pointer))
            try:
                findings += [rule.finding(subject, said) for said in rule.check(subject)]
            except OuterError:
                raise
            except Exception as error:
                crashed.append((rule.id, f"{type(error).__name__}: {error}"))
    known = waivers(product)
    accepted, used = apply(findings, known, as_of)
    result = list(accepted)
    if product.waivers is not None:
        for waiver in known:
            in_force = waiver.reason and waiver.expires and waiver.expires >= as_of
            if waiver.index not in used and in_force and waiver.rule in BY_ID:
                subject = Subject(product, as_of, product.waivers, ("waivers", waiver.index))
                message = f"the waiver accepts no finding of {waiver.rule} in {waiver.place}"
                result.append(BY_ID["WAI004"].finding(subject, Said(message)))
    result.sort(key=lambda f: (f.path, f.place.line, f.place.column, f.rule, f.message))
    return Report(tuple(result), ran, len(judged), tuple(crashed), as_of)


def _subjects(product: Product, scope: Scope, as_of: date) -> Iterator[Subject]:
    def whole(*files: File | None) -> Iterator[Subject]:
        return (Subject(product, as_of, file) for file in files if file is not None)

    def each(file: File | None, *pointer: str | int) -> Iterator[Subject]:
        values = file.get(*pointer) if file else None
        for index in range(len(values) if isinstance(values, list) else 0):
            yield Subject(product, as_of, file, (*pointer, index))

    match scope:
        case Scope.PRODUCT:
            yield Subject(product, as_of)
        case Scope.DESCRIPTOR:
            yield from whole(product.descriptor)
        case Scope.INPUT_PORT:
            yield from each(product.descriptor, "inputPorts")
        case Scope.OUTPUT_PORT:
            yield from each(product.descriptor, "outputPorts")
        case Scope.CONTRACT:
            yield from whole(*product.contracts)
        case Scope.OUTPUT_CONTRACT:
            yield from whole(*product.output_contracts)
        case Scope.COLUMN:
            for file in product.contracts:
                for table in each(file, "schema"):
                    yield from each(file, *table.pointer, "properties")
        case Scope.INNER:
            yield from whole(product.inner)
        case Scope.STANDARD:
            yield from whole(product.standard)
        case Scope.WAIVERS:
            yield from whole(product.waivers)
        case Scope.WAIVER:
            yield from each(product.waivers, "waivers")
