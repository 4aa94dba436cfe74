"""Holds data against their contract: every clause gets a verdict, and a clause that nobody knows has failed.

A contract is compiled once to a check plan (`compile.py`), which names no engine; `execute.py` holds data against it,
wherever they are. Statistics of files prove what they can; one scan decides all rules about rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from outer.audit.compile import compiled, compiled_input
from outer.audit.custom import CustomEngine, Registered, ServerTable
from outer.audit.duck import FORMATS, Duck, duck
from outer.audit.engine import Engine, Past, Related
from outer.audit.execute import execute
from outer.audit.judge import EXAMPLES, MASK, OPEN, Circumstances
from outer.audit.personal import PERSONAL, undeclared
from outer.audit.plan import Plan
from outer.dataset import Dataset
from outer.model import Contract
from outer.parquet import Unusable
from outer.result import AuditReport, Result

__all__ = [
    "EXAMPLES", "MASK", "OPEN", "CustomEngine", "Past", "Related", "ServerTable",
    "audit", "audit_input", "audit_server",
]  # fmt: skip


def audit(
    contract: Contract,
    data: Path | Dataset,
    *,
    published: datetime | None,
    as_of: datetime,
    related: Mapping[str, Path | Dataset] | None = None,
    history: Sequence[Past] = (),
    custom: Mapping[str, CustomEngine] | None = None,
    metadata_only: bool = False,
) -> AuditReport:
    """Hold `data` against `contract`; a path is one Parquet file.

    `published` is when the data were published, for service levels that count from there; None while they are not, so
    that their age is zero. `as_of` (with a time zone) is the moment that service levels are judged at. `related` are
    the tables that relationships lead to, by the names that contracts give them; `history` the earlier runs, oldest
    first; `custom` the engines of custom rules, by name, and without it those that are installed. `metadata_only` reads
    no row: what only rows could tell is not checked. Data that cannot be read are a failed rule, not an exception.

    Rules: ODCS 3.1, sections Schema, Data Quality and Service-Level Agreement.
    """
    now = Circumstances(as_of, published, history, _engines(custom), _dataset(data), metadata_only)
    return _audit(contract, compiled(contract), data, now, related or {})


def audit_input(contract: Contract, data: Path | Dataset) -> AuditReport:
    """Hold the metadata of `data` against `contract`: their columns and types, nothing else.

    Further columns are welcome: a producer may add some without breaking anybody.
    """
    return _audit(contract, compiled_input(contract), data, Circumstances(datetime.now(UTC), metadata_only=True), {})


def audit_server(
    contract: Contract,
    environment: str,
    *,
    published: datetime | None,
    as_of: datetime,
    related: Sequence[str] = (),
    history: Sequence[Past] = (),
    custom: Mapping[str, CustomEngine] | None = None,
    table: str | None = None,
    root: Path = Path(),
) -> AuditReport:
    """Hold the table of `contract` in `environment` against it, where it is: in the warehouse of its `servers` entry,
    in a file of DuckDB, whose path counts from `root`, or in S3.

    The table is the one that the contract names, or `table`; `related` are tables beside it that relationships lead to.
    Of the rows, no more than the examples travel. The other arguments are those of `audit`. Raises `UsageError` when
    the server is no warehouse that can be asked, or its client or credentials are missing.
    """
    from outer.audit.connect import DIALECTS, file_of, warehouse
    from outer.audit.database import database
    from outer.audit.objects import objects, place_of

    server = _server(contract, environment)
    demands = compiled(contract)
    kinds = {DIALECTS.get(str(s.type).lower()) for s in contract.servers}
    name = table or str(contract.file.get("schema", 0, "physicalName") or demands.table)
    now = Circumstances(as_of, published, history, _engines(custom), ServerTable(server, name))
    opening: AbstractContextManager[Engine]
    where = f"{contract.file.path}:{contract.file.place('servers').line}"
    kind = str(server.get("type")).lower()
    if kind == "duckdb":
        path = file_of(server, root, where)
        opening = database(path, str(server.get("schema") or "main"), name, demands.table, related)
    elif kind == "s3":
        opening = objects(place_of(server, where), demands.table, demands.types)
    else:
        opening = warehouse(server, name, own_dialect=len(kinds) == 1, related=related)
    unread = Result("readable", "failed", "could not run", "a table that can be read")
    return _held(contract, demands, opening, now, AuditReport(contract.id, contract.version, 0, 0, (unread,), kind))


def _server(contract: Contract, environment: str) -> Mapping[str, Any]:
    contract.server(environment)  # says so where there is none
    entries = [s for s in contract.file.get("servers") or [] if isinstance(s, dict)]
    return next(s for s in entries if str(s.get("environment") or s.get("server")) == environment)


def _dataset(data: Path | Dataset) -> Dataset:
    return data if isinstance(data, Dataset) else Dataset(data)


def _engines(custom: Mapping[str, CustomEngine] | None) -> Mapping[str, CustomEngine]:
    return Registered() if custom is None else custom


def _audit(
    contract: Contract,
    demands: Plan,
    data: Path | Dataset,
    now: Circumstances,
    related: Mapping[str, Path | Dataset],
) -> AuditReport:
    dataset = _dataset(data)
    unread = Result("readable", "failed", "file metadata", FORMATS[dataset.format])
    size = dataset.path.stat().st_size if dataset.path.is_file() else 0
    opening = duck(dataset, demands.table, demands.types, related)
    return _held(contract, demands, opening, now, AuditReport(contract.id, contract.version, 0, size, (unread,)))


def _held(
    contract: Contract,
    demands: Plan,
    opening: AbstractContextManager[Engine],
    now: Circumstances,
    unread: AuditReport,
) -> AuditReport:
    """Hold what `opening` opens against `demands`; `unread` is the report on data that cannot be read."""
    begun = perf_counter()
    try:
        with opening as engine:
            rows, results = execute(demands, engine, now)
            if isinstance(engine, Duck) and not now.metadata_only:
                results = (*results, *undeclared(contract, engine))
            report = replace(unread, rows=rows, bytes=engine.facts.bytes, results=results, engine=engine.name)
    except Unusable as error:
        report = replace(unread, results=tuple(replace(r, reason=str(error)) for r in unread.results))
    seconds = perf_counter() - begun
    return replace(report, results=_placed(contract, demands, report.results), seconds=seconds)


def _placed(contract: Contract, demands: Plan, results: Sequence[Result]) -> tuple[Result, ...]:
    """The results, each with file and line of its clause; those of personal data of its column."""
    at = {item.rule: item.pointer for item in demands.items}
    at |= {f"{PERSONAL}:{c.name}": ("schema", 0, "properties", n) for n, c in enumerate(contract.columns)}
    file = contract.file
    return tuple(replace(r, place=f"{file.path}:{file.place(*at.get(r.rule, ('servers',))).line}") for r in results)
