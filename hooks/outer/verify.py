"""`outer verify`: audit what is published again, by the contracts of today, and prove that nobody has changed it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outer import fingerprint
from outer.audit import audit, audit_server
from outer.audit.clauses import Clause, coverage, summary
from outer.audit.junit import junit
from outer.dataset import Dataset
from outer.errors import RunFailed, UsageError
from outer.machine import foreseen, require
from outer.model import Contract, DataProduct, model
from outer.parquet import Unusable, opened
from outer.ports import QUARANTINE, Location, resolve_outputs
from outer.postgres import shelf
from outer.product import load
from outer.publish import Area
from outer.receipt import OutputRecord, Receipt, instant, moment, read, same_product, standing
from outer.result import AuditReport, Outcome, Result
from outer.surroundings import history, pinned, related, runs
from outer.talk import Talk
from outer.yamlfile import show


@dataclass(frozen=True)
class Verdict:
    """What `outer verify` found. Passed when no rule of any port that counts has failed."""

    run_id: str
    environment: str
    as_of: datetime
    published: datetime | None
    reports: tuple[tuple[str, AuditReport], ...]
    """For each output port; whether its data are those of the receipt is among the rules."""
    notes: tuple[str, ...]
    """What has changed since the publication without being wrong."""
    clauses: Mapping[str, tuple[Clause, ...]] = field(default_factory=dict)
    """For each output port: what became of every clause of its contract."""

    @property
    def passed(self) -> bool:
        return not any(report.failures for _, report in self.reports)

    def text(self, *, colour: bool = False) -> str:
        """The verdict for people: every failed rule, and one line for each port."""
        green, red, plain = ("\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("", "", "")
        when = f", published {moment(self.published)}" if self.published else ""
        lines = [f"{self.environment}: version {self.run_id}{when}, judged as of {moment(self.as_of)}"]
        for port, report in self.reports:
            outcome = f"{red}failed" if report.failures else f"{green}passed"
            lines.append(f"{outcome}{plain}  {port}: {report.summary()}")
            if clauses := self.clauses.get(port):
                lines.append(f"  {summary(clauses)}")
            for result in (*report.failures, *report.warnings):
                mark = "error" if result.blocks else result.severity
                lines.append(f"  {mark}: {result.sentence()}")
                lines += [f"    {', '.join(f'{k} = {v}' for k, v in row.items())}" for row in result.examples]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def as_junit(self) -> str:
        """The verdict for CI systems, as JUnit XML."""
        return junit(self.reports)

    def as_json(self) -> str:
        """The verdict for machines."""
        value: dict[str, Any] = {
            "format": 1,
            "passed": self.passed,
            "run_id": self.run_id,
            "environment": self.environment,
            "as_of": moment(self.as_of),
            "published": moment(self.published) if self.published else None,
            "ports": [
                {
                    "port": port,
                    "contract": report.contract,
                    "version": report.version,
                    "rows": report.rows,
                    "bytes": report.bytes,
                    "engine": report.engine,
                    "seconds": round(report.seconds, 3),
                    "results": [result.as_dict() for result in report.results],
                    "clauses": [clause.as_dict() for clause in self.clauses.get(port, ())],
                }
                for port, report in self.reports
            ],
            "notes": list(self.notes),
        }
        return json.dumps(value, indent=2, ensure_ascii=False)


def verify(root: Path, *, environment: str = "local", as_of: datetime | None = None, talk: Talk) -> Verdict:
    """Hold what the product in `root` has published in `environment` against today's contracts and its receipt.

    Service levels are judged as of `as_of` (now, where it is not given). Changes nothing. Raises `NothingChecked` when
    nothing is published, `UsageError` when product or environment cannot be understood, or data may not be read.
    """
    require("duckdb")
    product = model(load(root))
    folder, locations = resolve_outputs(product, environment)
    now = (as_of or datetime.now(UTC)).astimezone(UTC)
    with foreseen(folder):
        return _verdict(product, Area(folder), locations, environment, now, talk)


def _verdict(
    product: DataProduct, area: Area, locations: Sequence[Location], environment: str, now: datetime, talk: Talk
) -> Verdict:
    # Once: if a run publishes meanwhile, all of this is still about one version, which stays readable for a while.
    version = area.require(environment)
    held = {location.port.name: location for location in shelf(locations).holding(version).locations}
    locations = [held.get(location.port.name, location) for location in locations]
    receipt, trouble = _receipt(version, product)
    published = instant(receipt.finished) if receipt else None
    beside = [(location.port.contract, location.inside(version)) for location in locations]
    beside += pinned(product, receipt) if receipt else []
    earlier = runs(area.receipts)
    reports: list[tuple[str, AuditReport]] = []
    for location in locations:
        name = location.port.name
        talk.step(f"audit {name}")
        report = _port(location, version, receipt, trouble, now, beside, earlier)
        reports.append((name, report))
        talk.done(f"audit {name}", report.summary())
    _tables(reports, locations, version, environment, now)
    notes = _changes(product, locations, version, receipt)
    contracts = {location.port.name: location.port.contract for location in locations}
    clauses = {port: coverage(contracts[port], report) for port, report in reports}
    return Verdict(version.name, environment, now, published, tuple(reports), tuple(notes), clauses)


def _receipt(version: Path, product: DataProduct) -> tuple[Receipt | None, str]:
    """The receipt of `version`, or why there is none that could be trusted."""
    try:
        receipt = read(version / "receipt.json")
    except UsageError as error:
        return None, error.what
    if receipt.run_id != version.name or receipt.outcome != "published":
        return None, f"{version / 'receipt.json'} is the receipt of another run"
    if not same_product(receipt.product.get("id"), product.id):
        return None, f"{version / 'receipt.json'} is the receipt of another product"
    return receipt, ""


def _port(
    location: Location,
    version: Path,
    receipt: Receipt | None,
    trouble: str,
    now: datetime,
    beside: Sequence[tuple[Contract, Dataset]],
    earlier: Sequence[Receipt],
) -> AuditReport:
    data, contract = location.inside(version), location.port.contract
    if not data.path.exists():
        missing = Result("published", "failed", "receipt", "published data", reason=f"{data.path} does not exist")
        return AuditReport(contract.id, contract.version, 0, 0, (missing,))
    report = audit(
        contract, data, published=instant(receipt.finished) if receipt else None, as_of=now,
        related=related(contract, beside), history=history(earlier, location.port.name),
    )  # fmt: skip
    if receipt is None:
        # Its age is unknown, not zero.
        kept = tuple(
            replace(r, outcome="not_checked", observed="", reason="there is no receipt that says when")
            if r.how == "receipt"
            else r
            for r in report.results
        )
        return replace(report, results=(*kept, Result("receipt", "failed", "receipt", reason=trouble)))
    # Not by the port's name: when a newer major comes, the name is that one's. A file keeps its name for ever.
    record = next((r for r in receipt.outputs if r.file == data.path.name), None)
    if record is None:
        unknown = Result("receipt", "failed", "receipt", reason="the receipt does not name this port; publish it first")
        return replace(report, results=(*report.results, unknown))
    return replace(report, results=(*report.results, *_unchanged(location, data, record)))


def _tables(
    reports: list[tuple[str, AuditReport]],
    locations: Sequence[Location],
    version: Path,
    environment: str,
    now: datetime,
) -> None:
    """Add to `reports` whether ports that are tables show the published version, and what is wrong with them there."""
    tables = shelf(locations)
    if not tables.locations:
        return
    held = tables.holding(version)
    known = {location.port.name for location in held.locations}
    try:
        shown = held.published()
    except RunFailed as error:
        shown = error.what
    for index, (port, report) in enumerate(reports):
        outcome: Outcome = "passed" if port in known and shown == version.name else "failed"
        location = next(location for location in locations if location.port.name == port)
        found = [
            Result("table", outcome, "receipt", version.name, (port in known and shown) or "another version, or none")
        ]
        if outcome == "passed":
            there = audit_server(location.port.contract, environment, published=None, as_of=now)
            found += [replace(r, rule=f"table.{r.rule}") for r in there.results if r.outcome == "failed"]
            if there.rows != report.rows:
                found.append(Result("table.rows", "failed", "scan", f"{report.rows:,}", f"{there.rows:,}"))
        reports[index] = (port, replace(report, results=(*report.results, *found)))


def _unchanged(location: Location, data: Dataset, record: OutputRecord) -> Sequence[Result]:
    """Whether the `data` of a port are those that `record` tells of, byte for byte, and whether their rows are."""
    digest = data.sha256()
    try:
        # The same bytes hold the same rows: only others must be read to tell.
        content = record.fingerprint if digest == record.sha256 else _content(location, data)
    except Unusable as error:
        content = str(error)
    return [
        Result(rule, "passed" if found == wanted else "failed", "receipt", _short(wanted), _short(found), reason=reason)
        for rule, wanted, found, reason in (
            ("sha256", record.sha256, digest, "" if digest == record.sha256 else "what was published was changed"),
            ("fingerprint", record.fingerprint, content, "" if content == record.fingerprint else "its rows changed"),
        )
    ]


def _content(location: Location, data: Dataset) -> str:
    with opened(data, types=location.partition_types) as table:
        return fingerprint.content(table)


def _changes(
    product: DataProduct, locations: Sequence[Location], version: Path, receipt: Receipt | None
) -> Sequence[str]:
    notes: list[str] = []
    if receipt is None:
        return notes
    versions: Mapping[str, str] = {r.port: r.version for r in receipt.outputs}
    for location in locations:
        then, now = versions.get(location.port.name), location.port.contract.version
        if then is not None and then != now:
            notes.append(f"{location.port.name} was published under version {then} of its contract, which is {now} now")
    if receipt.outer_hash != fingerprint.outer(product.source.root):
        notes.append("outer/ has changed since the publication")
    if receipt.inner_hash != fingerprint.inner(product.source.root):
        notes.append("inner/ has changed since the publication")
    try:
        if restored := standing(Area(version.parent.parent).receipts, version.name):
            notes.append(f"it was published again by a rollback, {restored.finished}: {restored.reason}")
    except UsageError as error:
        notes.append(f"whether it was published by a rollback is not known: {error.what}")
    notes += [record.sentence() for record in receipt.quarantine]
    known = {"receipt.json", "lineage.jsonl", *(r.file for r in receipt.outputs)}
    known |= {QUARANTINE} if receipt.quarantine else set()
    if strange := sorted(set(os.listdir(version)) - known):
        notes.append(f"the version holds files that nobody published: {', '.join(map(show, strange[:5]))}")
    return notes


def _short(text: str) -> str:
    return text if len(text) != 64 else f"{text[:12]}…"
