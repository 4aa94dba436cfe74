"""Runs one inner on the inputs of a product, into a folder where nobody looks. Nothing is published."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from outer import workloads
from outer.audit import audit
from outer.dataset import Dataset
from outer.errors import UsageError
from outer.model import DataProduct, Port, model
from outer.ports import Locations
from outer.product import File, Product
from outer.publish import Area, new_run_id
from outer.receipt import Receipt
from outer.result import AuditReport
from outer.surroundings import history, related, runs
from outer.swap.state import INNER
from outer.talk import Talk
from outer.written import check_staging
from outer.yamlfile import Unreadable, read, show


@dataclass(frozen=True)
class Ground:
    """What both inners of a comparison have in common."""

    product: Product
    locations: Locations
    environment: str
    since: date | None
    previous: Path | None
    """Folder of the version that is published, for incremental runs."""
    locks: tuple[int, ...]
    """File descriptors that workloads inherit, so that one that outlives this command keeps the next one out."""

    @cached_property
    def earlier(self) -> tuple[Receipt, ...]:
        """The runs before, read once for all ports."""
        return runs(Area(self.locations.root).receipts)

    def judged(self, port: Port, outputs: Mapping[str, Dataset]) -> AuditReport:
        """Hold what was written for an output port against its contract, as `outer run` does."""
        made = [(one.port.contract, outputs[one.port.name]) for one in self.locations.outputs]
        made += [(one.port.contract, one.dataset) for one in self.locations.inputs]
        return audit(
            port.contract, outputs[port.name], published=None, as_of=datetime.now(UTC),
            related=related(port.contract, made), history=history(self.earlier, port.name),
        )  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """What one inner made of the inputs."""

    outputs: Mapping[str, Dataset]
    """Output port -> what was written for it."""
    seconds: float
    """Wall time of all workloads, without `setup`."""


def fitted(product: Product, folder: str) -> DataProduct:
    """`product` with the inner in `folder`. Raises `UsageError` where that does not fit descriptor and contracts."""
    if folder == INNER:
        return model(product)
    path = f"{folder}/inner.yaml"
    if not (product.root / path).is_file():
        raise UsageError(f"{path} does not exist", "Write it; inner/inner.yaml of the living inner is an example.")
    try:
        return model(replace(product, inner=File(path, read(product.root / path, product.root))))
    except Unreadable as error:
        raise UsageError(f"{path}:{error.place.line}: {error.why}", error.todo) from None


def trial(ground: Ground, folder: str, target: Path, talk: Talk) -> Trial:
    """Run the inner in `folder` of the product on the inputs of `ground`, and keep what it writes in `target`.

    Raises `UsageError` where the inner does not fit the ports, `RunFailed` where it fails or leaves a port unwritten.
    """
    product = fitted(ground.product, folder)
    shutil.rmtree(target, ignore_errors=True)
    area, run_id = Area(target), new_run_id(datetime.now(UTC))
    staging, logs = area.staging(run_id), area.logs(run_id)
    staging.mkdir(parents=True)
    base = workloads.environment(logs / "tools")
    ports = workloads.describe(
        ground.locations, area, run_id, ground.environment, ground.since, ground.previous
    )  # fmt: skip
    cwd = ground.product.root / folder
    began = time.monotonic()
    if product.inner.setup:
        talk.step(f"{folder}: setup")
        workloads.execute(
            product.inner.setup, name=f"setup of {folder}/", cwd=cwd, env=base, log=logs / "setup.log",
            talk=talk, keep_open=ground.locks,
        )  # fmt: skip
        talk.done(f"{folder}: setup")
        began = time.monotonic()
    for workload in product.inner.workloads:
        talk.step(f"{folder}: {workload.name}")
        workloads.execute(
            workload.run, name=f"workload {show(workload.name)} of {folder}/", cwd=cwd, env={**base, **ports},
            log=logs / f"{workload.name}.log", timeout=workload.timeout, talk=talk, keep_open=ground.locks,
        )  # fmt: skip
        talk.done(f"{folder}: {workload.name}")
    took = time.monotonic() - began
    check_staging(product.inner.workloads, ground.locations.outputs, staging)
    outputs = {location.port.name: location.inside(staging) for location in ground.locations.outputs}
    return Trial(outputs, took)


def unchanged(locations: Locations) -> Sequence[tuple[str, int, int]]:
    """What tells whether an input was replaced: equal before and after, nobody has touched them."""
    return [
        (str(file), found.st_size, found.st_mtime_ns)
        for location in locations.inputs
        for file in location.dataset.files()
        for found in (file.stat(),)
    ]
