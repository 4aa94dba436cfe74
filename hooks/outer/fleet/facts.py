"""What the fleet knows of one product: read in a worker process, handed over as JSON.

A product that cannot be understood still has the facts that can be read; `broken` says what is wrong with the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from outer import baseline
from outer.errors import OuterError
from outer.fleet import git
from outer.fleet.worker import judged, nameless
from outer.model import Contract, DataProduct, model
from outer.page.evidence import Evidence, State, gather, worst
from outer.page.promises import LevelView, levels
from outer.page.words import span
from outer.ports import resolve_outputs
from outer.product import Product, custom, load
from outer.receipt import instant
from outer.waivers import waivers
from outer.yamlfile import Unreadable


@dataclass(frozen=True)
class Column:
    """One column of a contract."""

    name: str
    type: str
    required: bool
    key: bool
    description: str
    classification: str


@dataclass(frozen=True)
class Level:
    """One service level of a port, as it stands now."""

    name: str
    promised: str
    measured: str
    state: State


@dataclass(frozen=True)
class Output:
    """One major of an output port."""

    name: str
    contract: str
    """Id of its contract."""
    version: str
    status: str
    description: str
    columns: tuple[Column, ...]
    levels: tuple[Level, ...]
    made_from: tuple[str, ...]
    """Ids of the contracts of the inputs that it is made from."""


@dataclass(frozen=True)
class Input:
    """An input port, with the contract that it has pinned."""

    name: str
    contract: str
    version: str
    status: str


@dataclass(frozen=True)
class Run:
    """The last run in the environment that was asked for."""

    state: State
    said: str
    """For people, in one line."""
    run_id: str = ""
    finished: str = ""
    """ISO 8601; empty where nothing has run."""


@dataclass(frozen=True)
class Accepted:
    """A waiver, or the baseline, with the last day on which it counts."""

    rule: str
    place: str
    owner: str
    expires: str
    days: int


@dataclass(frozen=True)
class Facts:
    """All of it."""

    id: str = ""
    name: str = ""
    title: str = ""
    domain: str = ""
    type: str = ""
    status: str = ""
    version: str = ""
    purpose: str = ""
    owner_team: str = ""
    owner: str = ""
    classification: str = ""
    personal_data: bool | None = None
    visibility: str = ""
    licence: str = ""
    pin: str = ""
    commit: str = ""
    technologies: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    inputs: tuple[Input, ...] = ()
    run: Run = Run("none", "not known")
    sla: State = "none"
    sla_said: str = ""
    accepted: tuple[Accepted, ...] = ()
    broken: str = ""
    """The first thing that keeps the product from being understood."""


def read(root: str, environment: str, as_of: str) -> dict[str, Any]:
    """The facts of the product in `root`, with its runs in `environment`, as of the moment `as_of` (ISO 8601)."""
    return asdict(_read(load(Path(root)), environment, datetime.fromisoformat(as_of)))


def look(root: str, environment: str, as_of: str) -> dict[str, Any]:
    """The facts of the product in `root`, and what the gate of this release says of it on the day of `as_of`."""
    product, now = load(Path(root)), datetime.fromisoformat(as_of)
    found: dict[str, Any] = {
        "facts": asdict(_read(product, environment, now)),
        "verdict": None,
        "error": "",
        "todo": "",
    }
    try:
        found["verdict"] = judged(product, now.date())
    except OuterError as error:
        found |= {"error": nameless(error.what, str(product.root)), "todo": error.todo}
    return found


def facts(value: Mapping[str, Any]) -> Facts:
    """What `read` has made, after a journey through JSON."""
    told = dict(value)
    told["outputs"] = tuple(
        Output(
            **{
                **port,
                "columns": tuple(Column(**column) for column in port["columns"]),
                "levels": tuple(Level(**level) for level in port["levels"]),
                "made_from": tuple(port["made_from"]),
            }
        )
        for port in told["outputs"]
    )
    told["inputs"] = tuple(Input(**port) for port in told["inputs"])
    told["technologies"] = tuple(told["technologies"])
    told["accepted"] = tuple(Accepted(**entry) for entry in told["accepted"])
    told["run"] = Run(**told["run"])
    return Facts(**told)


def _read(product: Product, environment: str, now: datetime) -> Facts:
    descriptor, answers = product.descriptor, product.answers

    def said(*pointer: str) -> str:
        value = descriptor.get(*pointer) if descriptor else None
        return value if isinstance(value, str) else ""

    personal = custom(descriptor, "personalData")
    known: dict[str, Any] = {
        "id": said("id"),
        "name": said("name"),
        "title": str(custom(descriptor, "title") or said("name")),
        "domain": said("domain"),
        "type": said("type"),
        "status": said("status"),
        "version": said("version"),
        "purpose": said("description", "purpose"),
        "owner_team": said("team", "name"),
        "classification": str(custom(descriptor, "classification") or ""),
        "personal_data": personal if isinstance(personal, bool) else None,
        "visibility": str(custom(descriptor, "visibility") or ""),
        "licence": str(custom(descriptor, "licence") or ""),
        "pin": str(answers.get("_commit") or "") if answers else "",
        "commit": git.head(product.root),
        "accepted": tuple(_accepted(product, now.date())),
    }
    try:
        understood = model(product)
    except OuterError as error:
        return Facts(**known, broken=nameless(error.what, str(product.root)))
    known |= {
        "owner": understood.owner,
        "technologies": tuple(dict.fromkeys(workload.technology for workload in understood.inner.workloads)),
        "inputs": tuple(
            Input(port.name, port.contract.id, port.contract.version, port.contract.status)
            for port in understood.inputs
        ),
    }
    try:
        folder, locations = resolve_outputs(understood, environment)
        evidence = gather(folder, locations)
    except OuterError as error:
        outputs = tuple(_outputs(understood, Evidence({}, None, None), now))
        # Not to be in an environment is no fault; a receipt that nobody can read is one.
        here = all(environment in {s.environment for s in port.contract.servers} for port in understood.outputs)
        return Facts(
            **known, outputs=outputs, run=Run("bad" if here else "none", nameless(error.what, str(product.root)))
        )
    outputs = tuple(_outputs(understood, evidence, now))
    run = _run(evidence, now)
    gone = [data.path.name for port in understood.outputs
            if evidence.output(port) and not (data := evidence.files[port.name]).path.exists()]  # fmt: skip
    if gone:
        run = replace(run, state="bad", said=f"{run.said}, but {', '.join(gone)} is gone since")
    measured = [level for port in outputs for level in port.levels if level.state != "none"]
    late = [level for level in measured if level.state == "bad"]
    sla: State = worst([*(level.state for level in measured), evidence.audited()]) if evidence.receipt else "none"
    words = [f"{len(measured) - len(late)} of {len(measured)} kept"] if measured else []
    if evidence.audited() != "good":
        words.append("the audit has findings" if evidence.counts().failed else "nothing was audited")
    return Facts(**known, outputs=outputs, run=run, sla=sla, sla_said="; ".join(words) if evidence.receipt else "")


def _accepted(product: Product, today: date) -> Iterator[Accepted]:
    for waiver in waivers(product):
        if waiver.expires is not None:
            days = waiver.days_left(today)
            yield Accepted(waiver.rule, waiver.place, waiver.owner, waiver.expires.isoformat(), days)
    try:
        held = baseline.load(product.root)
    except Unreadable:  # a finding of the gate
        return
    if held is not None and held.expires is not None:
        yield Accepted("baseline", baseline.BASELINE, held.owner, held.expires.isoformat(), held.days_left(today))


def _outputs(product: DataProduct, evidence: Evidence, now: datetime) -> Iterator[Output]:
    for port in product.outputs:
        path = evidence.files.get(port.name)
        found = levels(port.contract, evidence, port.name, path, now)
        yield Output(
            port.name,
            port.contract.id,
            port.contract.version,
            port.contract.status,
            port.contract.description,
            tuple(_columns(port.contract)),
            tuple(_level(level) for level in found),
            port.made_from,
        )


def _level(level: LevelView) -> Level:
    return Level(level.name, level.promised, level.measured, level.state)


def _columns(contract: Contract) -> Iterator[Column]:
    for column in contract.columns:
        yield Column(
            column.name,
            column.physical_type or column.logical_type,
            column.required,
            column.key_position is not None,
            column.description,
            column.classification,
        )


def _run(evidence: Evidence, now: datetime) -> Run:
    last = evidence.failed or evidence.restored or evidence.receipt or evidence.last
    if last is None:
        return Run("none", "never")
    finished = instant(last.finished)
    ago = f"{span(max(now - finished, timedelta()))} ago"
    if last.outcome == "restored":
        return Run("warn", f"rolled back {ago}: {' '.join(last.reason.split())[:200]}", last.run_id, last.finished)
    if last.outcome != "published":
        return Run("bad", f"failed {ago}: {' '.join(last.reason.split())[:200]}", last.run_id, last.finished)
    return Run("good", f"published {ago}", last.run_id, last.finished)
