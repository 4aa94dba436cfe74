"""Runs rules over a product and says how much was judged: a gate that looked at nothing has not passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from outer import baseline as baselines
from outer.baseline import Baseline
from outer.errors import OuterError
from outer.finding import Finding, Level
from outer.product import File, Product
from outer.rule import Rule, Said, Scope, Stage, Subject
from outer.rules import RULES
from outer.waivers import Waiver, apply, waivers
from outer.yamlfile import Pointer, Unreadable, show


@dataclass(frozen=True)
class Report:
    """What `check` found, and on how much it looked."""

    findings: tuple[Finding, ...]
    """By path and line; those that a waiver or the baseline accepts are among them, marked."""
    judged: tuple[tuple[Rule, int], ...]
    """Every rule that ran, with the number of objects that it judged."""
    objects: int
    """Objects that were judged: files, ports, columns …"""
    crashed: tuple[tuple[str, str], ...]
    """Rules that failed themselves, with the reason. Such a report proves nothing."""
    as_of: date
    waivers: tuple[Waiver, ...] = ()
    """Waivers in force, of the rules that ran."""
    baseline: Baseline | None = None
    """The baseline, where the product has one that is in force."""

    @property
    def rules(self) -> int:
        """Rules that ran on one object at least."""
        return sum(1 for _, objects in self.judged if objects)

    @property
    def passed(self) -> bool:
        """Whether nothing is left that fails the gate, and every rule could be asked."""
        return not self.crashed and not self.at(Level.ERROR)

    def at(self, level: Level) -> tuple[Finding, ...]:
        """Findings of `level` that are not accepted."""
        return tuple(f for f in self.findings if f.level is level and not f.waived)

    @property
    def waived(self) -> tuple[Finding, ...]:
        """Findings that a waiver accepts."""
        return tuple(f for f in self.findings if f.waived and not f.baselined)

    @property
    def baselined(self) -> tuple[Finding, ...]:
        """Findings that the baseline accepts."""
        return tuple(f for f in self.findings if f.baselined)


def check(product: Product, as_of: date, rules: Iterable[Rule] = RULES, *, drafts: bool = False) -> Report:
    """Judge `product` by `rules` as they are on the day `as_of`; by drafts of rules too when `drafts` is set.

    Raises `OuterError` when the answers cannot be rendered; whatever else goes wrong in a rule is in `crashed`.
    """
    findings: list[Finding] = []
    crashed: list[tuple[str, str]] = []
    judged: dict[str, tuple[Rule, int]] = {}
    subjects: dict[Scope, Sequence[Subject]] = {}
    for rule in rules:
        stage = rule.stage(as_of)
        if stage is Stage.RETIRED or (stage is Stage.DRAFT and not drafts):
            continue
        if rule.scope not in subjects:
            subjects[rule.scope] = tuple(_subjects(product, rule.scope, as_of))
        judged[rule.id] = (rule, len(subjects[rule.scope]))
        for subject in subjects[rule.scope]:
            try:
                findings += [rule.finding(subject, said) for said in rule.check(subject)]
            except OuterError:
                raise
            except Exception as error:
                crashed.append((rule.id, f"{type(error).__name__}: {error}"))
    # What accepts findings is judged as well, once they are known, and only by what has run.
    sound = set(judged) - {name for name, _ in crashed}
    known = waivers(product)
    result, used = apply(sorted(findings, key=_order), known, as_of)
    late: list[Finding] = []

    def report(name: str, file: File | None, pointer: Pointer, message: str) -> None:
        if name in judged:
            late.append(judged[name][0].finding(Subject(product, as_of, file, pointer), Said(message)))

    for waiver in known:
        if waiver.index not in used and waiver.in_force(as_of) and waiver.rule in sound:
            message = f"the waiver accepts no finding of {waiver.rule} in {show(waiver.place)}"
            report("WAI004", product.waivers, ("waivers", waiver.index), message)
    baseline = _baseline(product)
    if baseline is not None:
        result, found = baselines.apply(result, baseline, as_of)
        for entry in baseline.entries:
            if entry.index not in found and entry.rule in sound:
                message = f"{entry.rule} no longer finds it in {show(entry.place)}: {show(entry.message)}"
                report("BAS003", baseline.file, ("findings", entry.index), message)
    return Report(
        findings=tuple(sorted((*result, *late), key=_order)),
        judged=tuple(judged.values()),
        objects=sum(len(found) for found in subjects.values()),
        crashed=tuple(crashed),
        as_of=as_of,
        waivers=tuple(waiver for waiver in known if waiver.in_force(as_of) and waiver.rule in sound),
        baseline=baseline if baseline is not None and baseline.in_force(as_of) else None,
    )


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    return finding.path, finding.place.line, finding.place.column, finding.rule, finding.message


def _baseline(product: Product) -> Baseline | None:
    try:
        return baselines.load(product.root)
    except Unreadable:  # the rule BAS001 says so
        return None


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
