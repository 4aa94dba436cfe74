"""Clause coverage: what became of every clause of a contract in an audit. None is passed over in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from outer.audit import plan
from outer.audit.compile import DESCRIBES, compiled
from outer.model import Contract
from outer.result import AuditReport, How, Result
from outer.yamlfile import Pointer

Verdict = Literal[
    "proved by file metadata",
    "scanned",
    "judged by receipts",
    "checked by the inner stack",
    "declared only",
    "cannot be checked",
]
"""How a clause was checked, or why it was not: it is no matter of data, or nobody here can."""

_VERDICTS: Mapping[How, Verdict] = {
    "file metadata": "proved by file metadata",
    "scan": "scanned",
    "receipt": "judged by receipts",
    "inner": "checked by the inner stack",
    "declared only": "declared only",
    "could not run": "cannot be checked",
}
_DESCRIBES = "it describes, and demands nothing of the data"
_NOTHING = "it demands nothing"


@dataclass(frozen=True)
class Clause:
    """One value of a contract, and what became of it."""

    pointer: Pointer
    place: str
    """`file:line`."""
    verdict: Verdict
    rules: tuple[str, ...] = ()
    """Rules of the audit that this clause is part of."""
    reason: str = ""
    """Why it was not checked."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without what is empty."""
        found = {"clause": "/".join(map(str, self.pointer)), "place": self.place, "verdict": self.verdict}
        return {**found, **({"rules": list(self.rules)} if self.rules else {}),
                **({"reason": self.reason} if self.reason else {})}  # fmt: skip


def summary(clauses: Sequence[Clause]) -> str:
    """How many clauses got which verdict, on one line."""
    counts = Counter(clause.verdict for clause in clauses)
    return f"{len(clauses)} clauses: " + ", ".join(f"{counts[v]} {v}" for v in get_args(Verdict) if counts[v])


def coverage(contract: Contract, report: AuditReport) -> tuple[Clause, ...]:
    """A verdict on every value in the file of `contract`, in its order; `report` is an audit by that contract."""
    items: dict[Pointer, list[plan.Item]] = {}
    for item in compiled(contract).items:
        for pointer in item.clauses:
            items.setdefault(pointer, []).append(item)
    results = {result.rule: result for result in report.results}
    file = contract.file
    return tuple(
        _clause(pointer, value, items, results, f"{file.path}:{file.place(*pointer).line}")
        for pointer, value in _leaves(file.value, ())
    )


def _leaves(value: Any, at: Pointer) -> Iterator[tuple[Pointer, Any]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [leaf for key, child in children for leaf in _leaves(child, (*at, key))]
    yield from inner or [(at, value)]


def _clause(
    pointer: Pointer,
    value: Any,
    items: Mapping[Pointer, list[plan.Item]],
    results: Mapping[str, Result],
    place: str,
) -> Clause:
    nearest = next((pointer[:n] for n in range(len(pointer), 0, -1) if pointer[:n] in items), None)
    if nearest is not None:
        found = [(item, results[item.rule]) for item in items[nearest] if item.rule in results]
        rules = tuple(item.rule for item, _ in found)
        checked = [(i, r) for i, r in found if r.outcome != "not_checked"]
        if checked:
            # Where one of several rules could not be executed, the clause is not fully checked.
            worst = next((r for _, r in checked if r.how == "could not run"), checked[0][1])
            return Clause(
                pointer, place, _VERDICTS[worst.how], rules, worst.reason if worst.how == "could not run" else ""
            )
        if found:
            declared = all(isinstance(item, plan.Declared) for item, _ in found)
            return Clause(
                pointer, place, "declared only" if declared else "cannot be checked", rules, found[0][1].reason
            )
        return Clause(pointer, place, "cannot be checked", (), "the data could not be read")
    if pointer[0] != "schema":
        return Clause(pointer, place, "declared only", (), "kept by people and platforms, not seen in the data")
    if value in (False, None) or value == {} or value == []:
        return Clause(pointer, place, "declared only", (), _NOTHING)
    if pointer[-1] in ("primaryKeyPosition", "partitionKeyPosition"):
        return Clause(pointer, place, "declared only", (), "the column is no part of the key, so it demands nothing")
    if any(step in DESCRIBES for step in pointer[2:]):
        return Clause(pointer, place, "declared only", (), _DESCRIBES)
    return Clause(pointer, place, "cannot be checked", (), "nobody here knows this clause")
