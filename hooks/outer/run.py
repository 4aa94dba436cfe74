"""`outer run` and `outer test`: run the inner, audit what it wrote, publish it if it keeps its contracts."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from outer import __version__, fingerprint, publish, workloads
from outer.audit import audit, audit_input
from outer.errors import NothingChecked, OuterError, RunFailed
from outer.evidence import Lineage, lineage_run
from outer.machine import deaf, foreseen, require, stoppable
from outer.model import DataProduct, Workload, model
from outer.parquet import Unusable, opened
from outer.ports import Location, Locations, resolve, variable
from outer.product import load
from outer.publish import Area
from outer.receipt import InputRecord, OutputRecord, Receipt, moment, results
from outer.result import AuditReport
from outer.talk import Talk
from outer.yamlfile import show

HASHED = 1 << 30
"""Largest input, in bytes, whose SHA-256 goes into the receipt: to hash more would take longer than many a run."""


def run(
    root: Path,
    *,
    environment: str = "local",
    inputs: Mapping[str, Path] | None = None,
    since: date | None = None,
    wait: float = 60.0,
    setup: bool = True,
    talk: Talk,
) -> Receipt:
    """Run the data product in `root`, publish what it makes, and give the receipt.

    `environment` chooses the servers of the contracts; `inputs` names files to read instead, by input port; `since`
    asks for an incremental run from that day on; `wait` is how many seconds to wait for another run; `setup` says
    whether to run the inner's setup command first.

    Raises `UsageError` when product, machine or arguments do not allow it, `RunFailed` when a workload fails or data
    break a contract, and `KeyboardInterrupt` when a person or the machine stops it. In all three cases the last good
    version is published as before.
    """
    require("duckdb", "openlineage")
    product = model(load(root))
    locations = resolve(product, environment, inputs or {})
    area, started = Area(locations.root), datetime.now(UTC)
    job = _Job(product, locations, area, environment, since, started, publish.new_run_id(started), talk)
    with foreseen(area.root, area.current), stoppable(), publish.locked(area, job.run_id, wait, talk) as lock:
        job.previous = publish.recover(area)
        try:
            job.prepare()
            job.work(lock, setup=setup)
            job.audit()
            return job.publish()
        except BaseException as error:
            talk.close()
            job.fail(error)
            raise


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
    talk: Talk
    previous: Path | None = None
    reports: dict[str, AuditReport] = field(default_factory=dict)
    input_reports: dict[str, AuditReport] = field(default_factory=dict)
    outputs: tuple[OutputRecord, ...] = ()
    outer_hash: str = ""
    inner_hash: str = ""
    digests: _Digests | None = None
    lineage: Lineage | None = None

    def prepare(self) -> None:
        """Make room, judge the inputs, note what this run is made from."""
        self.area.staging(self.run_id).mkdir(parents=True)
        root = self.product.source.root
        self.outer_hash, self.inner_hash = fingerprint.outer(root), fingerprint.inner(root)
        self._judge_inputs()
        # Both only now: they share the processor with the workloads, not with what these wait for.
        self.digests = _Digests(tuple(i.path for i in self.locations.inputs))
        self.lineage = self._begin_lineage()

    def _judge_inputs(self) -> None:
        if not self.locations.inputs:
            return
        self.talk.step("inputs")
        for location in self.locations.inputs:
            report = audit_input(location.port.contract, location.path)
            self.input_reports[location.port.name] = report
            self._tell(location, report)
        broken = [name for name, report in self.input_reports.items() if report.failures]
        if broken:
            raise RunFailed(
                f"{_ports('input', broken)} not as the contract in outer/contracts/input/ says; nothing was run",
                "Ask the producer, or take the contract that they have published since.",
            )
        rows = sum(report.rows for report in self.input_reports.values())
        self.talk.done("inputs", f"{_count(len(self.locations.inputs), 'port')}, {_count(rows, 'row')}")

    def work(self, lock: int, *, setup: bool) -> None:
        """Run setup and workloads; every output file is there when this returns."""
        logs = self.area.logs(self.run_id)
        folder = self.product.source.root / "inner"
        base = workloads.environment(logs / "tools")
        ports = workloads.describe(self.locations, self.area, self.run_id, self.environment, self.since, self.previous)

        def note(group: int) -> None:
            publish.note_holder(lock, run_id=self.run_id, pid=os.getpid(), group=group)

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
            for location in self.locations.outputs:
                if location.port.name in workload.writes:
                    _check_written(workload, location, self._staged(location))
            self.talk.done(workload.name)
        expected = {location.path.name for location in self.locations.outputs}
        if strange := sorted(set(os.listdir(self.area.staging(self.run_id))) - expected):
            raise RunFailed(
                f"the workloads have written what is no output port: {', '.join(map(show, strange[:5]))}",
                "Write each output port to its location and nothing beside it; keep other files inside inner/.",
            )

    def audit(self) -> None:
        """Hold every output against its contract; none may break it."""
        for location in self.locations.outputs:
            name = location.port.name
            self.talk.step(f"audit {name}")
            report = audit(location.port.contract, self._staged(location), published=None, as_of=datetime.now(UTC))
            if not report.results:
                raise NothingChecked(f"the audit of {show(name)} has checked nothing", "Report this defect.")
            self.reports[name] = report
            if not report.failures:
                self.talk.done(f"audit {name}", said(report))
            self._tell(location, report)
        broken = [name for name, report in self.reports.items() if report.failures]
        if broken:
            failed = sum(len(report.failures) for report in self.reports.values())
            raise RunFailed(
                f"{_ports('output', broken)} not as the contract says: {_count(failed, 'rule')} failed; "
                "nothing was published",
                f"Mend the inner, or change the contract openly. All results: {self.area.receipt(self.run_id)}",
            )

    def publish(self) -> Receipt:
        """Write the evidence beside the data and switch."""
        self.talk.step("publish")
        self.outputs = tuple(self._record(location) for location in self.locations.outputs)
        receipt = self._receipt("published")
        assert self.lineage is not None  # noqa: S101 (`prepare` made it)
        staging = self.area.staging(self.run_id)
        publish.write(staging / "lineage.jsonl", self.lineage.final_events(receipt))
        publish.write(staging / "receipt.json", receipt.as_json())
        # Whoever stops the run from here on is too late: what follows is short, and would not be undone.
        deaf()
        publish.switch(self.area, self.run_id)
        self.talk.done("publish", str(self.area.current))
        self._file(receipt)
        with self._told("old versions were not removed"):
            publish.prune(self.area)
        return receipt

    def fail(self, error: BaseException) -> None:
        """Leave the evidence of a run that `error` has ended, and nothing else."""
        if isinstance(error, OuterError):
            reason = error.what
        elif isinstance(error, KeyboardInterrupt):
            reason = "interrupted"
        else:
            reason = f"{type(error).__name__}: {error}"
        publish.discard(self.area, self.run_id)  # first: on a full disk it makes room for the receipt
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
        answers = self.product.source.answers
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
            pin={key: _text(answers.get(key)) if answers else None for key in ("_commit", "_src_path")},
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
                    sha256=digest.get(location.path),
                )
                for location in self.locations.inputs
                if (report := self.input_reports.get(location.port.name)) is not None
            ),
            outputs=self.outputs,
            audit=results(self.reports.items()),
            input_audit=results(self.input_reports.items()),
        )

    def _record(self, location: Location) -> OutputRecord:
        path, contract = self._staged(location), location.port.contract
        report = self.reports[location.port.name]
        try:
            with opened(path) as table:
                content = fingerprint.content(table)
        except Unusable as error:
            raise RunFailed(f"{path} cannot be read any more: {error}", "Run again.") from None
        return OutputRecord(
            port=location.port.name,
            contract=contract.id,
            version=contract.version,
            file=path.name,
            location=str(location.path),
            rows=report.rows,
            bytes=report.bytes,
            sha256=fingerprint.file(path),
            fingerprint=content,
        )

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
            self.talk.note(f"{consequence}: {error.filename or self.area.root}: {error.strerror}")

    def _staged(self, location: Location) -> Path:
        return self.area.staging(self.run_id) / location.path.name

    def _lineage_run(self) -> str:
        return lineage_run(self.product.id, self.run_id)


class _Digests:
    """SHA-256 of the inputs, taken while the workloads read them. A file that changes meanwhile has none."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._found: dict[Path, str] = {}
        self._thread = threading.Thread(target=self._work, args=(paths,), daemon=True)
        self._thread.start()

    def take(self, *, wait: bool) -> Mapping[Path, str]:
        if wait:
            self._thread.join()
        return dict(self._found)

    def _work(self, paths: Sequence[Path]) -> None:
        for path in paths:
            with suppress(OSError):
                before = path.stat()
                if before.st_size <= HASHED:
                    digest = fingerprint.file(path)
                    after = path.stat()
                    if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
                        self._found[path] = digest


def said(report: AuditReport) -> str:
    """How an audit went, in a few words."""
    counted = [f"{report.count('passed')} rules passed"]
    if failed := report.count("failed"):
        counted.append(f"{failed} failed")
    if unchecked := report.count("not_checked"):
        counted.append(f"{unchecked} not checked")
    return f"{_count(report.rows, 'row')}, {', '.join(counted)}"


def _check_written(workload: Workload, location: Location, path: Path) -> None:
    todo = f"Let it write one Parquet file to ${variable('OUTPUT', location.port.name)}."
    start = f"workload {show(workload.name)} has ended without writing output port {show(location.port.name)}"
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise RunFailed(f"{start}: {path} does not exist", todo) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a link" if stat.S_ISLNK(found.st_mode) else "no file"
        raise RunFailed(f"{start}: {path} is {what}", todo)
    if found.st_nlink > 1:
        raise RunFailed(
            f"{start}: {path} is the same file as another one (a hard link), which could change it later",
            "Let it write a file of its own, or copy.",
        )


def _example(row: Mapping[str, str]) -> str:
    return "\n" + ", ".join(f"{name} = {value}" for name, value in row.items())


def _ports(side: str, names: Sequence[str]) -> str:
    listed = ", ".join(map(show, names))
    return f"{side} port {listed} is" if len(names) == 1 else f"{side} ports {listed} are"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
