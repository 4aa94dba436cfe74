"""`outer run` and `outer test`: run the inner, audit what it wrote, publish it if it keeps its contracts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from outer import __version__, fingerprint, publish, quarantine, workloads
from outer.audit import audit, audit_input, audit_server
from outer.dataset import Dataset
from outer.digests import Digests
from outer.errors import NothingChecked, OuterError, RunFailed, UsageError
from outer.evidence import Lineage, lineage_run
from outer.limits import Limits, limits
from outer.lock import locked, note_holder
from outer.machine import deaf, foreseen, require, stoppable
from outer.model import DataProduct, model
from outer.parquet import Unusable, opened
from outer.ports import QUARANTINE, Location, Locations, resolve
from outer.postgres import Shelf, own_name, shelf
from outer.product import load
from outer.publish import Area
from outer.receipt import InputRecord, OutputRecord, QuarantineRecord, Receipt, check_owner, moment, pin, results
from outer.result import AuditReport
from outer.surroundings import history, related, runs
from outer.talk import Talk, counted
from outer.written import check_staging, check_written
from outer.yamlfile import show


def run(
    root: Path,
    *,
    environment: str = "local",
    inputs: Mapping[str, Path] | None = None,
    since: date | None = None,
    wait: float = 60.0,
    setup: bool = True,
    keep: int | None = None,
    talk: Talk,
) -> Receipt:
    """Run the data product in `root`, publish what it makes, and give the receipt.

    `environment` chooses the servers of the contracts; `inputs` names files to read instead, by input port; `since`
    asks for an incremental run from that day on; `wait` is how many seconds to wait for another run; `setup` says
    whether to run the inner's setup command first; `keep` is how many good versions stay, by default as many as the
    standard says.

    Raises `UsageError` when product, machine or arguments do not allow it, `RunFailed` when a workload fails or data
    break a contract, and `KeyboardInterrupt` when a person or the machine stops it. In all three cases the last good
    version is published as before.
    """
    require("duckdb", "openlineage")
    _, locations = _read(root, environment, inputs)
    area, started = Area(locations.root), datetime.now(UTC)
    run_id = publish.new_run_id(started)
    with foreseen(area.root, area.current), stoppable(), locked(area.root, run_id, wait, talk) as lock:
        # Once more: whoever had the lock before may have changed what the product is, as a swap does.
        product, locations = _read(root, environment, inputs)
        if locations.root != area.root:
            raise UsageError(f"the product publishes to {locations.root} now, no more to {area.root}", "Run again.")
        tables, bounds = shelf(locations.outputs), limits(product.source)
        bounds = bounds if keep is None else replace(bounds, keep_versions=keep)
        job = _Job(product, locations, area, environment, since, started, run_id, bounds, tables, talk)
        check_owner(area.published(), product.id)
        job.previous = publish.recover(area, bounds.keep_versions)
        try:
            tables.serve(job.previous)
            job.prepare()
            job.work(lock, setup=setup)
            job.audit()
            return job.publish()
        except BaseException as error:
            talk.close()
            job.fail(error)
            raise


def _read(root: Path, environment: str, inputs: Mapping[str, Path] | None) -> tuple[DataProduct, Locations]:
    """The product in `root` as it is now, and where its ports are."""
    product = model(load(root))
    locations = resolve(product, environment, inputs or {})
    if any(location.format == "delta" for location in locations.outputs):
        require("deltalake", extra="run,delta")  # now, not after the work
    shelf(locations.outputs)  # the same for what tables need
    return product, locations


def test(root: Path, talk: Talk) -> None:
    """Run the inner's own tests, letting through what they print.

    Raises `NothingChecked` when inner.yaml names no `test`, `RunFailed` when it fails.
    """
    product = model(load(root))
    inner, folder = product.inner, product.source.root / "inner"
    if not inner.test:
        raise NothingChecked("inner/inner.yaml names no `test`", "Name the command that runs the inner's own tests.")
    with tempfile.TemporaryDirectory(prefix="outer-") as kept, foreseen(folder), stoppable():
        env = workloads.environment(Path(kept) / "tools")
        aloud = talk if talk.quiet else Talk(verbose=True)
        for name, command, said in (("setup", inner.setup, talk), ("test", inner.test, aloud)):
            if command:
                said.step(name)
                log, advice = Path(kept) / f"{name}.log", "Mend it and run `outer test` again; -v shows all of it."
                try:
                    workloads.execute(command, name=name, cwd=folder, env=env, log=log, talk=said, advice=advice)
                except BaseException:
                    said.close()
                    raise
                said.done(name)


@dataclass
class _Job:
    """One run, from its start to its receipt."""

    product: DataProduct
    locations: Locations
    area: Area
    environment: str
    since: date | None
    started: datetime
    run_id: str
    limits: Limits
    tables: Shelf
    talk: Talk
    previous: Path | None = None
    earlier: tuple[Receipt, ...] = ()
    """The runs before, where the audit has come so far."""
    reports: dict[str, AuditReport] = field(default_factory=dict)
    input_reports: dict[str, AuditReport] = field(default_factory=dict)
    outputs: tuple[OutputRecord, ...] = ()
    quarantine: tuple[QuarantineRecord, ...] = ()
    outer_hash: str = ""
    inner_hash: str = ""
    digests: Digests | None = None
    lineage: Lineage | None = None

    def prepare(self) -> None:
        """Make room, judge the inputs, note what this run is made from."""
        self.area.staging(self.run_id).mkdir(parents=True)
        root = self.product.source.root
        self.outer_hash, self.inner_hash = fingerprint.outer(root), fingerprint.inner(root)
        self._judge_inputs()
        # Both only now: they share the processor with the workloads, not with what these wait for.
        self.digests = Digests(tuple(i.dataset for i in self.locations.inputs))
        self.lineage = self._begin_lineage()

    def _judge_inputs(self) -> None:
        if not self.locations.inputs:
            return
        self.talk.step("inputs")
        for location in self.locations.inputs:
            report = audit_input(location.port.contract, location.dataset)
            self.input_reports[location.port.name] = report
            self._tell(location, report)
        broken = [name for name, report in self.input_reports.items() if report.failures]
        if broken:
            raise RunFailed(
                f"{_ports('input', broken)} not as the contract in outer/contracts/input/ says; nothing was run",
                "Ask the producer, or take the contract that they have published since.",
            )
        rows = sum(report.rows for report in self.input_reports.values())
        self.talk.done("inputs", f"{counted(len(self.locations.inputs), 'port')}, {counted(rows, 'row')}")

    def work(self, lock: int, *, setup: bool) -> None:
        """Run setup and workloads; every output file is there when this returns."""
        staging, logs = self.area.staging(self.run_id), self.area.logs(self.run_id)
        folder = self.product.source.root / "inner"
        base = workloads.environment(logs / "tools")
        ports = workloads.describe(self.locations, self.area, self.run_id, self.environment, self.since, self.previous)

        def note(group: int) -> None:
            note_holder(lock, run_id=self.run_id, pid=os.getpid(), group=group)

        if setup and self.product.inner.setup:
            self.talk.step("setup")
            workloads.execute(
                self.product.inner.setup, name="setup", cwd=folder, env=base, log=logs / "setup.log",
                talk=self.talk, keep_open=(lock,), started=note,
            )  # fmt: skip
            self.talk.done("setup")
        for workload in self.product.inner.workloads:
            self.talk.step(workload.name)
            workloads.execute(
                workload.run, name=f"workload {show(workload.name)}", cwd=folder, env={**base, **ports},
                log=logs / f"{workload.name}.log", timeout=workload.timeout,
                talk=self.talk, keep_open=(lock,), started=note,
            )  # fmt: skip
            check_written(workload, self.locations.outputs, staging)
            self.talk.done(workload.name)
        # All of them once more: a later workload may have laid hands on what an earlier one wrote.
        check_staging(self.product.inner.workloads, self.locations.outputs, staging)
        self._set_aside()

    def _set_aside(self) -> None:
        rows = {name: report.rows for name, report in self.input_reports.items()}
        self.quarantine = quarantine.collect(self.area, self.run_id, rows)
        allowed = self.limits.quarantine_share
        if bad := [record.port for record in self.quarantine if record.share > allowed]:
            raise RunFailed(
                f"more than {allowed:.2%} of the rows of {', '.join(map(show, bad))} were set aside; "
                "nothing was published",
                f"Look at the rows in {self.area.logs(self.run_id) / QUARANTINE} and speak with the producer. How many "
                "are allowed stands in outer/standard.yaml (contract, quarantine_share).",
            )

    def audit(self) -> None:
        """Hold every output against its contract; none may break it."""
        made = [(location.port.contract, self._staged(location)) for location in self.locations.outputs]
        made += [(location.port.contract, location.dataset) for location in self.locations.inputs]
        self.earlier = runs(self.area.receipts)
        self._tell_gap()
        for location in self.locations.outputs:
            name, contract = location.port.name, location.port.contract
            self.talk.step(f"audit {name}")
            report = audit(
                contract, self._staged(location), published=None, as_of=datetime.now(UTC),
                related=related(contract, made), history=history(self.earlier, name),
            )  # fmt: skip
            if not report.results:
                raise NothingChecked(f"the audit of {show(name)} has checked nothing", "Report this defect.")
            self.reports[name] = report
            if not report.failures:
                self.talk.done(f"audit {name}", report.summary())
            self._tell(location, report)
        broken = [name for name, report in self.reports.items() if report.failures]
        if broken:
            failed = sum(len(report.failures) for report in self.reports.values())
            raise RunFailed(
                f"{_ports('output', broken)} not as the contract says: {counted(failed, 'rule')} failed; "
                "nothing was published",
                f"Mend the inner, or change the contract openly. All results: {self.area.receipt(self.run_id)}",
            )

    def _tell_gap(self) -> None:
        """Tell of days that an incremental run leaves out: runs after the published one failed, or were rolled back."""
        if self.since is None or self.previous is None:
            return
        since, published = self.since.isoformat(), self.previous.name
        lost = [r for r in self.earlier if r.run_id > published and (r.since is None or r.since < since)]
        if not lost:
            return
        days = [r.since for r in lost if r.since is not None]
        first = min(days) if len(days) == len(lost) else None
        self.talk.note(
            f"days before {since} stay as they were published by {published}, though {lost[-1].run_id} was to compute "
            f"{f'those from {first} on' if first else 'all'} and is not published\n"
            f"to catch up: outer run --env {self.environment}{f' --since {first}' if first else ''}"
        )

    def publish(self) -> Receipt:
        """Write the evidence beside the data and switch."""
        staging = self.area.staging(self.run_id)
        self._load(staging)
        self.talk.step("publish")
        self.outputs = tuple(self._record(location) for location in self.locations.outputs)
        receipt = self._receipt("published")
        assert self.lineage is not None  # noqa: S101 (`prepare` made it)
        publish.write(staging / "lineage.jsonl", self.lineage.final_events(receipt))
        publish.write(staging / "receipt.json", receipt.as_json())
        publish.settle(staging)
        # Whoever stops the run from here on is too late: what follows is short, and would not be undone.
        deaf()
        publish.switch(self.area, self.run_id)
        try:
            self.tables.switch(self.run_id)
        except OuterError:
            publish.withdraw(self.area, self.run_id, self.previous)
            raise
        self.talk.done("publish", ", ".join(dict.fromkeys(self._places())))
        self._tell_set_aside()
        self._file(receipt)
        with self._told("old versions were not removed"):
            publish.prune(self.area, self.limits.keep_versions)
            try:
                self.tables.prune({version.name for version in self.area.versions.iterdir()})
            except RunFailed as error:  # it is published; what is too much goes with the next run
                self.talk.note(f"old tables were not removed: {error.what}")
        return receipt

    def _load(self, staging: Path) -> None:
        """Copy what is staged into tables, where ports are tables, and audit those where they are."""
        if not self.tables.locations:
            return
        self.talk.step("load")
        self.tables.load(staging, self.run_id)
        for location in self.tables.locations:
            name = location.port.name
            report = audit_server(
                location.port.contract, self.environment, published=None, as_of=datetime.now(UTC),
                table=own_name(location, self.run_id), history=history(self.earlier, name),
            )  # fmt: skip
            self._tell(location, report)
            if report.failures or report.rows != self.reports[name].rows:
                raise RunFailed(
                    f"output port {show(name)} is not as the contract says once it is a table; nothing was published",
                    "The server judges otherwise than the file: look at types, collation and patterns.",
                )
        rows = sum(report.rows for report in self.reports.values())
        self.talk.done("load", f"{counted(rows, 'row')} to {', '.join(self._places())}")

    def _places(self) -> Sequence[str]:
        tables = [str(location.table) for location in self.tables.locations]
        return tables or [str(self.area.current)]

    def fail(self, error: BaseException) -> None:
        """Leave the evidence of a run that `error` has ended, and nothing else."""
        if isinstance(error, OuterError):
            reason = error.what
        elif isinstance(error, KeyboardInterrupt):
            reason = "interrupted"
        else:
            reason = f"{type(error).__name__}: {error}"
        rows = {name: report.rows for name, report in self.input_reports.items()}
        self.outputs, self.quarantine = (), quarantine.rescue(self.area, self.run_id, rows)
        self._tell_set_aside()
        publish.discard(self.area, self.run_id)  # before anything is written: on a full disk it makes room
        self.lineage = self.lineage or self._begin_lineage()
        self._file(self._receipt("failed", " ".join(reason.split())))

    def _begin_lineage(self) -> Lineage:
        lineage = Lineage(self.product, self._lineage_run(), self.started, self.area.lineage(self.run_id))
        lineage.start()
        return lineage

    def _file(self, receipt: Receipt) -> None:
        """File the evidence of a run that has ended. Where that fails people are told; the outcome stays."""
        with self._told("the receipt was not filed"):
            publish.write(self.area.receipt(self.run_id), receipt.as_json())
        if self.lineage is not None:
            for trouble in self.lineage.finish(receipt):
                self.talk.note(trouble)

    def _receipt(self, outcome: Literal["published", "failed"], reason: str = "") -> Receipt:
        digest = self.digests.take(wait=outcome == "published") if self.digests else {}
        return Receipt(
            run_id=self.run_id,
            product={"id": self.product.id, "version": self.product.version},
            environment=self.environment,
            started=moment(self.started),
            finished=moment(datetime.now(UTC)),
            outcome=outcome,
            reason=reason,
            previous=self.previous.name if self.previous else None,
            since=self.since.isoformat() if self.since else None,
            pin=pin(self.product.source),
            outer_version=__version__,
            outer_hash=self.outer_hash,
            inner_hash=self.inner_hash,
            lineage_run=self._lineage_run(),
            inputs=tuple(
                InputRecord(
                    port=location.port.name,
                    contract=location.port.contract.id,
                    version=location.port.contract.version,
                    location=str(location.path),
                    bytes=report.bytes,
                    rows=report.rows,
                    sha256=digest.get(location.dataset),
                    format=location.format,
                )
                for location in self.locations.inputs
                if (report := self.input_reports.get(location.port.name)) is not None
            ),
            outputs=self.outputs,
            audit=results(self.reports.items()),
            input_audit=results(self.input_reports.items()),
            quarantine=self.quarantine,
        )

    def _record(self, location: Location) -> OutputRecord:
        data, contract = self._staged(location), location.port.contract
        report = self.reports[location.port.name]
        try:
            with opened(data, types=location.partition_types) as table:
                content = fingerprint.content(table)
        except Unusable as error:
            raise RunFailed(f"{data.path} cannot be read any more: {error}", "Run again.") from None
        return OutputRecord(
            port=location.port.name,
            contract=contract.id,
            version=contract.version,
            file=data.path.name,
            location=location.address,
            rows=report.rows,
            bytes=report.bytes,
            sha256=data.sha256(),
            fingerprint=content,
            format=data.format,
            files=len(data.files()),
        )

    def _tell_set_aside(self) -> None:
        # Not before the run has ended well or badly: until then nobody knows where the rows will lie.
        for record in self.quarantine:
            self.talk.note(record.sentence())

    def _tell(self, location: Location, report: AuditReport) -> None:
        for result in report.failures:
            self.talk.fail(f"{location.port.name}: {result.sentence()}" + "".join(map(_example, result.examples)))
        for result in report.warnings:
            self.talk.note(f"{location.port.name}: {result.sentence()}" + "".join(map(_example, result.examples)))

    @contextmanager
    def _told(self, consequence: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.talk.fail(f"{consequence}: {error.filename or self.area.root}: {error.strerror}")

    def _staged(self, location: Location) -> Dataset:
        return location.inside(self.area.staging(self.run_id))

    def _lineage_run(self) -> str:
        return lineage_run(self.product.id, self.run_id)


def _example(row: Mapping[str, str]) -> str:
    return "\n" + ", ".join(f"{name} = {value}" for name, value in row.items())


def _ports(side: str, names: Sequence[str]) -> str:
    listed = ", ".join(map(show, names))
    return f"{side} port {listed} is" if len(names) == 1 else f"{side} ports {listed} are"
