"""What an audit has to know besides the data of one port: the runs before, and the tables that it refers to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from outer.audit import Past
from outer.dataset import Dataset
from outer.errors import UsageError
from outer.model import Contract
from outer.receipt import instant, read

RUNS = 100
"""Earlier runs that service levels are judged by, at most."""


def history(receipts: Path, port: str) -> tuple[Past, ...]:
    """The last runs whose receipts lie in the folder `receipts`, oldest first, as those of the output port `port`.

    A rollback is no run. What cannot be read says nothing.
    """
    found: list[Past] = []
    for path in sorted(receipts.glob("*.json"))[-RUNS:]:
        try:
            receipt = read(path)
        except UsageError:
            continue
        if receipt.outcome != "restored":
            rows = next((o.rows for o in receipt.outputs if o.port == port), None)
            found.append(Past(instant(receipt.finished), receipt.outcome == "published", rows))
    return tuple(found)


def related(contract: Contract, others: Iterable[tuple[Contract, Dataset]]) -> dict[str, Dataset]:
    """Those of `others` that the relationships of `contract` may lead to, by every name that a contract has for them.

    Nothing where it has no relationships: to open a table takes time (ODCS 3.1, Relationships).
    """
    table = contract.file.get("schema", 0) or {}
    if not table.get("relationships") and not any(c.clauses.get("relationships") for c in contract.columns):
        return {}
    found: dict[str, Dataset] = {}
    for other, data in others:
        names = (other.file.get("schema", 0, "name"), other.file.get("schema", 0, "physicalName"), other.name)
        found |= {str(name): data for name in names if name and other is not contract}
    return found
