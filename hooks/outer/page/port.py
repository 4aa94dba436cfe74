"""One port as its part of the page shows it: columns, first rows, rules, service levels, ways to read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outer.audit import OPEN
from outer.dataset import Dataset
from outer.model import Column, Contract, DataProduct, Port
from outer.page.evidence import Evidence, State, worst
from outer.page.preview import Preview, Profile, preview
from outer.page.promises import LevelView, RuleView, levels, rules
from outer.page.words import size, thousands
from outer.parquet import Unusable
from outer.product import custom
from outer.receipt import OutputRecord, QuarantineRecord


@dataclass(frozen=True)
class ColumnView:
    """One row of a contract summary."""

    name: str
    logical_type: str
    physical_type: str
    key: int | None
    required: bool
    classification: str
    masked: bool
    description: str
    constraints: tuple[tuple[str, str], ...]
    """What is promised of its values: words, and a piece of code or nothing."""
    profile: Profile | None


@dataclass(frozen=True)
class Place:
    """Where a port is in one environment."""

    environment: str
    type: str
    path: str
    format: str
    here: bool


@dataclass(frozen=True)
class OutputView:
    """An output port on the page."""

    anchor: str
    port: Port
    state: State
    summary: str
    description: str
    grain: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[tuple[State, str], ...]
    """What a consumer must know before anything else."""
    columns: tuple[ColumnView, ...]
    preview: Preview | None
    no_preview: str
    rules: tuple[RuleView, ...]
    levels: tuple[LevelView, ...]
    places: tuple[Place, ...]
    snippets: tuple[tuple[str, str], ...]
    readers: tuple[tuple[str, str], ...]
    fingerprint: str
    digest: str

    @property
    def freshness(self) -> LevelView | None:
        """The tightest promise of freshness."""
        found = [level for level in self.levels if level.allowed is not None]
        return min(found, key=lambda level: (level.state != "bad", level.allowed), default=None)


@dataclass(frozen=True)
class InputView:
    """An input port on the page."""

    anchor: str
    port: Port
    owner: str
    licence: str
    purpose: str
    last_read: str
    aside: str
    """What the last publication could not use, for the producer."""
    note: str
    columns: tuple[ColumnView, ...]


def output(
    product: DataProduct, port: Port, anchor: str, environment: str, evidence: Evidence, as_of: datetime
) -> OutputView:
    """The output port `port` as published in `environment`, with freshness as of `as_of`. Reads its file."""
    contract, record, data = port.contract, evidence.output(port), evidence.files.get(port.name)
    masked = frozenset(c.name for c in contract.columns if not _is_open(c))
    seen, notes, no_preview = _look(evidence, port, data, masked)
    promised = tuple(levels(contract, evidence, port.name, data, as_of))
    state: State = "none"
    if evidence.receipt is not None:
        late: list[State] = ["warn" for level in promised if level.state == "bad"]
        state = worst([*(s for s, _ in notes), evidence.audited(port.name), *late])
    table = contract.file.get("schema", 0) or {}
    return OutputView(
        anchor=anchor,
        port=port,
        state=state,
        summary=_summary(evidence, port),
        description=_said(product, port) or contract.description,
        grain=str(table.get("dataGranularityDescription") or ""),
        facts=tuple(_facts(contract, record)),
        notes=tuple(notes),
        columns=tuple(
            _column(c, c.name in masked, seen.profiles.get(c.name) if seen else None) for c in contract.columns
        ),
        preview=seen,
        no_preview=no_preview,
        rules=tuple(rules(contract, evidence, port.name)),
        levels=promised,
        places=tuple(_places(contract, environment)),
        snippets=tuple(_snippets(contract, environment)),
        readers=tuple(
            (str(r.get("role") or ""), str(r.get("description") or r.get("access") or ""))
            for r in contract.file.get("roles") or ()
        ),
        fingerprint=record.fingerprint if record else "",
        digest=record.sha256 if record else "",
    )


def input_(port: Port, anchor: str, evidence: Evidence) -> InputView:
    """The input port `port` with its pinned contract, and what the last publication read from it."""
    contract, record, aside = port.contract, evidence.input(port), evidence.set_aside(port)
    moved = record is not None and record.version != contract.version
    return InputView(
        anchor=anchor,
        port=port,
        owner=str(contract.file.get("team", "name") or ""),
        licence=str(custom(contract.file, "licence") or ""),
        purpose=str(contract.file.get("description", "purpose") or contract.description),
        last_read=f"{thousands(record.rows)} rows, {size(record.bytes)}" if record else "",
        aside=_aside(aside) if aside else "",
        note=f"What is published was made under version {record.version} of this contract." if record and moved else "",
        columns=tuple(_column(c, not _is_open(c), None) for c in contract.columns),
    )


def _aside(record: QuarantineRecord) -> str:
    rows = f"{thousands(record.rows)} rows ({record.share:.2%})"
    return f"{rows} were set aside by the last run. For the producer, they are kept in {record.file}."


# --- What is published ----------------------------------------------------------------------------


def _look(
    evidence: Evidence, port: Port, data: Dataset | None, masked: frozenset[str]
) -> tuple[Preview | None, list[tuple[State, str]], str]:
    """A look into the data, what there is to say against it, and why there is nothing to see."""
    record = evidence.output(port)
    if data is None:
        return None, [], "There is nothing to show." if evidence.unknown else "Nothing is published yet."
    if record is None:
        return None, [("warn", "What is published does not hold this port yet.")], "It comes with the next run."
    if not data.path.exists():
        return None, [("bad", f"The published file {data.path.name} is gone.")], "There is nothing to show."
    notes: list[tuple[State, str]] = []
    if data.sha256() != record.sha256:
        notes.append(("bad", "The published file is not the one that was audited: somebody has changed it since."))
    if record.version != port.contract.version:
        now = port.contract.version
        notes.append(("warn", f"Published under version {record.version} of the contract, which is {now} now."))
    wanted = {c.name: str(c.clauses.get("physicalName") or c.name) for c in port.contract.columns}
    try:
        seen = preview(data, wanted, masked)
    except Unusable as error:
        return None, notes, f"There is no preview: {error}."
    if seen.absent:
        notes.append(("bad", f"The published file lacks {', '.join(seen.absent[:5])}."))
    return seen, notes, ""


def _summary(evidence: Evidence, port: Port) -> str:
    record, counts = evidence.output(port), evidence.counts(port.name)
    if record is None:
        return "not known" if evidence.unknown else "not published"
    rules = f"{counts.passed} of {counts.checked} rules passed" if counts.checked else "no rule checked"
    return f"{thousands(record.rows)} rows · {rules}"


def _facts(contract: Contract, record: OutputRecord | None) -> Iterator[tuple[str, str]]:
    yield "Contract", f"{contract.version}, {contract.status}" if contract.status else contract.version
    if record:
        yield "Rows", thousands(record.rows)
        yield "Size", size(record.bytes)
    yield "Columns", str(len(contract.columns))
    if licence := custom(contract.file, "licence"):
        yield "Licence", str(licence)
    if custom(contract.file, "personalData") is True:
        yield "Personal data", "yes"


def _said(product: DataProduct, port: Port) -> str:
    """What the descriptor says of an output port."""
    descriptor = product.source.descriptor
    for entry in (descriptor.get("outputPorts") if descriptor else None) or ():
        if (entry.get("contractId"), entry.get("version")) == (port.contract.id, port.contract.version):
            return str(entry.get("description") or "")
    return ""


# --- Columns --------------------------------------------------------------------------------------


def _is_open(column: Column) -> bool:
    return column.classification.strip().lower() in OPEN


def _column(column: Column, masked: bool, profile: Profile | None) -> ColumnView:
    return ColumnView(
        name=column.name,
        logical_type=column.logical_type,
        physical_type=column.physical_type,
        key=column.key_position,
        required=column.required,
        classification=column.classification,
        masked=masked,
        description=column.description,
        constraints=tuple(_constraints(column.clauses, examples=not masked)),
        profile=profile,
    )


_OPTIONS = {
    "minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than", "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of", "minLength": "length at least", "maxLength": "length at most", "pattern": "matches",
    "minItems": "items at least", "maxItems": "items at most", "uniqueItems": "different items",
    "defaultTimezone": "time zone", "timezone": "with time zone",
}  # fmt: skip


def _constraints(clauses: Mapping[str, Any], *, examples: bool) -> Iterator[tuple[str, str]]:
    options = dict(clauses.get("logicalTypeOptions") or {})
    if "minimum" in options and "maximum" in options:
        yield "from", f"{options.pop('minimum')} to {options.pop('maximum')}"
    for name, value in options.items():
        yield str(_OPTIONS.get(name, name)), ("yes" if value else "no") if isinstance(value, bool) else str(value)
    if clauses.get("unique") is True:
        yield "unique", ""
    if clauses.get("criticalDataElement") is True:
        yield "critical data element", ""
    found = clauses.get("examples")
    if examples and isinstance(found, list) and found:
        yield "for example", ", ".join(str(e) for e in found[:3])


# --- How to read it -------------------------------------------------------------------------------


def _places(contract: Contract, environment: str) -> Iterator[Place]:
    for index, server in enumerate(contract.servers):
        path, form = server.path, server.format
        if table := _table(contract, index):
            entry = contract.file.get("servers", index) or {}
            path, form = f"{entry.get('host')}:{entry.get('port')}/{entry.get('database')}, {table}", "table"
        yield Place(server.environment, server.type, path, form, server.environment == environment)


def _table(contract: Contract, index: int) -> str:
    """Schema and name of the table that the port is on a server of PostgreSQL; nothing where it is none."""
    entry, table = contract.file.get("servers", index) or {}, contract.file.get("schema", 0) or {}
    if str(entry.get("type")).lower() not in ("postgres", "postgresql"):
        return ""
    return f"{entry.get('schema')}.{table.get('physicalName') or table.get('name')}"


def _snippets(contract: Contract, environment: str) -> Iterator[tuple[str, str]]:
    server = next((s for s in contract.servers if s.environment == environment), None)
    if server and (table := _table(contract, contract.servers.index(server))):
        yield "SQL", f"SELECT * FROM {table} LIMIT 20;"  # noqa: S608 (text for people)
    if server is None or not server.path:
        return
    # The default of `${NAME:-default}` stands: neither SQL nor Python would put the variable in.
    path = re.sub(r"\$\{[A-Za-z_][A-Za-z0-9_]*:-([^{}]*)\}", r"\1", server.path)
    quoted, python = "'" + path.replace("'", "''") + "'", json.dumps(path, ensure_ascii=False)
    if server.format == "delta":
        yield "DuckDB", f"INSTALL delta; LOAD delta;\nSELECT * FROM delta_scan({quoted}) LIMIT 20;"
        yield "Python", f"import polars  # with polars[deltalake]\n\ndata = polars.read_delta({python})"
    elif server.format == "parquet":
        folder = "" if path.endswith(".parquet") else "/**/*.parquet"
        quoted = quoted if not folder else f"{quoted[:-1]}{folder}', hive_partitioning = true"
        yield "DuckDB", f"SELECT * FROM read_parquet({quoted}) LIMIT 20;"  # noqa: S608 (text for people)
        yield "Python", f"import polars\n\ndata = polars.read_parquet({python})"
