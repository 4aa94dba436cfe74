"""What an audit has to know besides the data of one port: the runs before, and the tables that it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from outer.audit import Past, Related
from outer.dataset import FORMATS, Dataset
from outer.errors import UsageError
from outer.model import Contract, DataProduct
from outer.receipt import Receipt, instant, read

RUNS = 100
"""Earlier runs that service levels are judged by, at most."""


def runs(receipts: Path) -> tuple[Receipt, ...]:
    """The last runs whose receipts lie in the folder `receipts`, oldest first.

    A rollback is no run. What cannot be read says nothing.
    """
    found: list[Receipt] = []
    for path in sorted(receipts.glob("*.json"))[-RUNS:]:
        with suppress(UsageError):
            found.append(read(path))
    return tuple(receipt for receipt in found if receipt.outcome != "restored")


def history(earlier: Sequence[Receipt], port: str) -> tuple[Past, ...]:
    """The `earlier` runs, as those of the output port `port`."""
    return tuple(
        Past(
            instant(receipt.finished),
            receipt.outcome == "published",
            next((o.rows for o in receipt.outputs if o.port == port), None),
        )
        for receipt in earlier
    )


def related(contract: Contract, others: Iterable[tuple[Contract, Dataset]]) -> dict[str, Related]:
    """Those of `others` that the relationships of `contract` may lead to, by every name that a contract has for them.

    Nothing where it has no relationships: to open a table takes time (ODCS 3.1, Relationships).
    """
    if not _refers(contract):
        return {}
    found: dict[str, Related] = {}
    for other, data in others:
        names = [*(other.file.get("schema", 0, key) for key in ("id", "name", "physicalName")), other.name]
        columns = {str(c.clauses[key]): str(c.clauses.get("physicalName") or c.name)
                   for key in ("id", "name") for c in other.columns if c.clauses.get(key)}  # fmt: skip
        table = Related(data.path, data.format, columns)
        found |= {str(name): table for name in names if name and other is not contract}
    return found


def pinned(product: DataProduct, receipt: Receipt) -> list[tuple[Contract, Dataset]]:
    """The inputs of the run of `receipt` that are still as it read them, by their digests.

    Nothing where no relationship of `product` could lead to them: to read them all takes time.
    """
    if not any(_refers(port.contract) for port in product.outputs):
        return []
    contracts = {port.name: port.contract for port in product.inputs}
    found = []
    for record in receipt.inputs:
        form = next((known for known in FORMATS if known == record.format), None)
        if form and record.sha256 and record.port in contracts:
            data = Dataset(Path(record.location), form)
            with suppress(OSError):  # what cannot be read is not what it was
                if data.sha256() == record.sha256:
                    found.append((contracts[record.port], data))
    return found


def _refers(contract: Contract) -> bool:
    table = contract.file.get("schema", 0) or {}
    return bool(table.get("relationships") or any(c.clauses.get("relationships") for c in contract.columns))
