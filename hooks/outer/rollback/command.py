"""Goes back to a version that is kept: only to one that nobody has changed and that keeps the contracts of today."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from outer import __version__, fingerprint, publish
from outer.audit import audit
from outer.errors import OuterError, RunFailed, UsageError
from outer.evidence import Lineage, lineage_run
from outer.limits import limits
from outer.lock import locked
from outer.machine import deaf, foreseen, require, stoppable
from outer.model import DataProduct, model
from outer.ports import Location, resolve_outputs
from outer.postgres import shelf
from outer.product import load
from outer.publish import Area
from outer.receipt import Receipt, check_owner, moment, pin, read, results, same_product
from outer.result import AuditReport
from outer.surroundings import history, related, runs
from outer.talk import Talk, counted
from outer.yamlfile import show


@dataclass(frozen=True)
class Kept:
    """A version that one can go back to, or that is published now."""

    run_id: str
    published: str
    """When it was published first: ISO 8601 in UTC."""
    rows: Mapping[str, int]
    """By output port."""
    current: bool


def kept(root: Path, *, environment: str) -> tuple[Kept, ...]:
    """The good versions of the product in `root` that are kept in `environment`, the newest first.

    Raises `UsageError` when product or environment cannot be understood, `NothingChecked` when nothing is published.
    """
    product = model(load(root))
    area, _, current = _published(product, environment)
    with foreseen(area.root):
        good = _good(area, product, current)
    return tuple(
        Kept(name, receipt.finished, {o.port: o.rows for o in receipt.outputs}, name == current.name)
        for name, receipt in good.items()
    )


def listing(versions: Sequence[Kept], form: str) -> str:
    """`versions` as text for people, or as JSON."""
    if form == "json":
        entries = [{**vars(v), "rows": dict(v.rows)} for v in versions]
        return json.dumps({"format": 1, "versions": entries}, indent=2)
    return "\n".join(
        f"{'*' if v.current else ' '} {v.run_id}  {v.published}  "
        + ", ".join(f"{port} {counted(rows, 'row')}" for port, rows in v.rows.items())
        for v in versions
    )


def rollback(root: Path, *, environment: str, to: str | None, reason: str, wait: float, talk: Talk) -> Receipt:
    """Publish the kept version `to` again, by default the one before the published one, and give the receipt of that.

    `reason` is for people and stands in the receipt; `wait` is how many seconds to wait for a run. Raises `UsageError`
    when there is no such version, `RunFailed` when it was changed or breaks a contract of today, `NothingChecked` when
    nothing is published. In all three cases what is published stays published.
    """
    require("duckdb", "openlineage")
    if not reason.strip():
        raise UsageError(
            "a rollback needs its reason", "Say in one line why: --reason 'delays of 20 November are doubled'."
        )
    product, started = model(load(root)), datetime.now(UTC)
    area, locations, _ = _published(product, environment)
    tables = shelf(locations)
    run_id = publish.new_run_id(started)
    with foreseen(area.root, area.current), stoppable(), locked(area.root, run_id, wait, talk):
        check_owner(area.published(), product.id)
        publish.recover(area, limits(product.source).keep_versions)
        current = area.require(environment)
        tables.serve(current)
        target, version = _target(area, product, current, to)
        reports = _judge(locations, area, version, talk)
        receipt = _receipt(
            product, environment, run_id, started, " ".join(reason.split()), current.name, version, reports
        )
        talk.step("publish")
        tables.load(area.versions / target, target)
        # Whoever stops it from here on is too late: what follows is short, and would not be undone.
        deaf()
        publish.switch_back(area, run_id, target, receipt.as_json())
        try:
            tables.switch(target)
        except OuterError:
            publish.withdraw(area, run_id, current)
            raise
        talk.done("publish", f"{target} again, instead of {current.name}")
        lineage = Lineage(product, receipt.lineage_run, started, area.lineage(run_id))
        lineage.start()  # only now: an event of a rollback that came to nothing would stay open for ever
        for trouble in lineage.finish(receipt):
            talk.note(trouble)
        return receipt


def _published(product: DataProduct, environment: str) -> tuple[Area, tuple[Location, ...], Path]:
    folder, locations = resolve_outputs(product, environment)
    area = Area(folder)
    return area, locations, area.require(environment)


def _good(area: Area, product: DataProduct, current: Path) -> dict[str, Receipt]:
    """Receipts of the versions that were published and are kept, the newest first; the published one is among them."""
    found: dict[str, Receipt] = {}
    for folder in sorted(area.versions.iterdir(), reverse=True):
        # The receipt is filed after the switch: where there is none, the version was never published.
        if folder != current and not area.receipt(folder.name).exists():
            continue
        try:
            receipt = read(folder / "receipt.json")
        except UsageError:  # its receipt was changed: nobody can prove what it is
            continue
        if receipt.run_id == folder.name and same_product(receipt.product.get("id"), product.id):
            found[folder.name] = receipt
    return found


def _target(area: Area, product: DataProduct, current: Path, to: str | None) -> tuple[str, Receipt]:
    good = _good(area, product, current)
    older = good[current.name].previous if current.name in good else None
    wanted = to or older
    if wanted == current.name:
        raise UsageError(f"version {wanted} is published already", "Name another one: outer rollback --list")
    if wanted is None or wanted not in good:
        which = f"version {show(to)} is not kept" if to else "no older version is kept"
        names = ", ".join(name for name in good if name != current.name) or "none"
        raise UsageError(f"{which} (beside the published one there are: {names})", "Name one of these, or run again.")
    return wanted, good[wanted]


def _judge(
    locations: Sequence[Location], area: Area, version: Receipt, talk: Talk
) -> Sequence[tuple[str, AuditReport]]:
    """Hold `version`, by its receipt, against that and the contracts of today; none may be broken.

    Service levels are reported and do not count: older data are late by nature.
    """
    folder = area.versions / version.run_id
    records = {record.port: record for record in version.outputs}
    earlier = runs(area.receipts)
    reports: list[tuple[str, AuditReport]] = []
    for location in locations:
        name, data = location.port.name, location.inside(folder)
        record = records.get(name)
        if record is None or record.file != data.path.name or not data.path.exists():
            raise RunFailed(
                f"version {folder.name} does not hold the output port {show(name)} as {data.path.name}",
                "Go back to another version, or publish a new one: outer run.",
            )
        talk.step(f"audit {name}")
        if data.sha256() != record.sha256:
            raise RunFailed(
                f"version {folder.name} was changed since it was published: {data.path}",
                "Go back to another version, or publish a new one: outer run.",
            )
        contract = location.port.contract
        report = audit(
            contract, data, published=None, as_of=datetime.now(UTC), history=history(earlier, name),
            related=related(contract, [(other.port.contract, other.inside(folder)) for other in locations]),
        )  # fmt: skip
        reports.append((name, report))
        broken = [result for result in report.failures if not result.rule.startswith("sla:")]
        for result in report.failures:
            (talk.fail if result in broken else talk.note)(f"{name}: {result.sentence()}")
        if broken:
            raise RunFailed(
                f"version {folder.name} does not keep the contract of {show(name)} as it is today; "
                "what is published stays",
                "Take back the change of the contract together with the data, or publish a new version: outer run.",
            )
        talk.done(f"audit {name}", report.summary())
    return reports


def _receipt(
    product: DataProduct,
    environment: str,
    run_id: str,
    started: datetime,
    reason: str,
    previous: str,
    version: Receipt,
    reports: Sequence[tuple[str, AuditReport]],
) -> Receipt:
    root = product.source.root
    return Receipt(
        run_id=run_id,
        product={"id": product.id, "version": product.version},
        environment=environment,
        started=moment(started),
        finished=moment(datetime.now(UTC)),
        outcome="restored",
        reason=reason,
        previous=previous,
        since=None,
        pin=pin(product.source),
        outer_version=__version__,
        outer_hash=fingerprint.outer(root),
        inner_hash=fingerprint.inner(root),
        lineage_run=lineage_run(product.id, run_id),
        inputs=version.inputs,
        outputs=version.outputs,
        audit=results(reports),
        input_audit=version.input_audit,
        quarantine=version.quarantine,
        restored=version.run_id,
    )
