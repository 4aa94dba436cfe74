"""`outer fleet mesh`: does what producers offer now still fit what their consumers have pinned?

A consumer's pin is held against the producer's contract by `outer pull`, with the consumer as the reader.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from outer import __version__
from outer.errors import FINDINGS, PASS, USAGE, NothingChecked, OuterError, UsageError
from outer.fleet import git, table
from outer.fleet.lineage import Edge, edges
from outer.fleet.members import Member, is_product
from outer.fleet.pool import Job, work
from outer.fleet.survey import Looked
from outer.fleet.wish import Fleet, Wish, fleet
from outer.page.evidence import State
from outer.receipt import moment
from outer.report import count, plain
from outer.talk import Talk
from outer.yamlfile import show

Fit = Literal["fine", "breaks", "broken before", "could not run", "no producer"]
_STATES: dict[Fit, State] = {
    "fine": "good", "breaks": "bad", "broken before": "warn", "could not run": "bad", "no producer": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Pin:
    """An input port of a consumer, held against its producer."""

    consumer: str
    owner: str
    port: str
    contract: str
    pinned: str
    """The version that the consumer has pinned."""
    producer: str
    """Name of the producer in the fleet; where there is none, what the contract's id says."""
    offered: str
    fit: Fit
    said: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class Mesh:
    """All that was held against each other."""

    pins: tuple[Pin, ...]
    broken: tuple[tuple[str, str], ...]
    """Products that could not be understood, with the reason: what they read is not known."""
    strict: bool
    """Whether a pin without a producer is one that could not run: where one consumer was asked for."""
    as_of: datetime

    @property
    def exit_code(self) -> int:
        """0 fine, 1 somebody breaks, 2 something could not be looked at."""
        fits = {pin.fit for pin in self.pins}
        if "breaks" in fits:
            return FINDINGS
        return USAGE if "could not run" in fits or self.broken or (self.strict and "no producer" in fits) else PASS

    def summary(self) -> str:
        """The outcome in one line."""
        fits = [pin.fit for pin in self.pins]
        said = [f"{fits.count(fit)} {words}" for fit, words in (
            ("fine", "fine"), ("breaks", "would break"), ("broken before", "broken before"),
            ("could not run", "could not be compared"), ("no producer", "without a producer in the fleet"),
        ) if fit in fits]  # fmt: skip
        said += [f"{count(len(self.broken), 'product')} not understood"] if self.broken else []
        verdict = {PASS: "pass", FINDINGS: "fail"}.get(self.exit_code, "not everything could be compared")
        return f"{verdict}: {count(len(self.pins), 'pin')}: {', '.join(said)} (as of {self.as_of:%Y-%m-%d})"

    def text(self, *, colour: bool, width: int | None = None, quiet: bool = False) -> str:
        """For people: a line for each pin, and what breaks."""
        shown = [pin for pin in self.pins if not (quiet and pin.fit in ("fine", "no producer"))]
        lines: list[str] = []
        if shown:
            rows = [
                (table.MARKS[_STATES[pin.fit]], plain(pin.producer), pin.offered or "?", plain(pin.consumer),
                 plain(pin.port), pin.pinned, pin.fit)
                for pin in shown
            ]  # fmt: skip
            heads = ("", "producer", "offers", "consumer", "port", "pinned", "fit")
            lines = table.lines(heads, rows, width=width, colours=[_STATES[p.fit] for p in shown] if colour else None)
        for pin in shown:
            if pin.fit in ("breaks", "broken before", "could not run"):
                owner = f" (owner: {plain(pin.owner)})" if pin.owner else ""
                lines += ["", f"{plain(pin.consumer)}, port {plain(pin.port)}{owner}:"]
                lines += [f"  {plain(words)}" for words in _worst(pin)]
        lines += ["", *(f"{plain(name)}: {plain(why)}" for name, why in self.broken)] if self.broken else []
        if not (quiet and not lines):
            lines += ["", self.summary()]
        return "\n".join(lines).lstrip("\n")

    def as_json(self) -> str:
        """For machines; `format` changes when a reader would break."""
        value = {
            "format": 1,
            "outer": __version__,
            "as_of": moment(self.as_of),
            "passed": self.exit_code == PASS,
            "pins": [asdict(pin) for pin in self.pins],
            "not_understood": [{"product": name, "reason": why} for name, why in self.broken],
        }
        return json.dumps(value, indent=2, ensure_ascii=False)


def _worst(pin: Pin) -> Iterator[str]:
    """What a person wants to know first of a pin that does not fit: what breaks, and how much else changed."""
    said = [words for words in pin.said if words]
    breaks = [words for words in said if words.startswith("breaks: ")] or said
    yield from breaks
    if rest := len(said) - len(breaks):
        yield f"and {count(rest, 'more change')}; --format json tells all"


def mesh(wish: Wish, *, producer: Path | None = None, consumer: Path | None = None, base: str | None = None) -> Mesh:
    """Hold the pins of the fleet against their producers: all, those on `producer`, or those of `consumer`.

    With `base`, a git revision of the producer, what was broken there already is told and fails nothing. Raises
    `NothingChecked` where there was nothing to compare.
    """
    if base is not None and producer is None:
        raise UsageError("--base is a revision of the producer", "Name the producer: --producer DIR.")
    with fleet(wish) as found, ExitStack() as stack:
        looked = list(found.survey("mesh", judged=False))
        consumers, producers = looked, looked
        if producer is not None:
            producers = [_one(producer, found)]
            consumers = [one for one in looked if one.member.root != producers[0].member.root]
        elif consumer is not None:
            consumers = [_one(consumer, found)]
            producers = [one for one in looked if one.member.root != consumers[0].member.root]
        known = list(edges(consumers, producers))
        if producer is not None:
            known = [edge for edge in known if edge.producer is not None]
        earlier: Path | None = None
        if base is not None and producer is not None:
            earlier = _at(producer, base, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outer-base-"))))
        pins = tuple(_compared(known, found, earlier))
        # Who stands aside here: their pins are not known, so nobody can say that nothing breaks.
        broken = tuple((one.member.name, one.facts.broken or one.verdict.error) for one in looked if _unknown(one))
    if not any(pin.fit != "no producer" for pin in pins) and not broken:
        what = f"no product of the fleet reads {producer}" if producer else "no pin has a producer in the fleet"
        raise NothingChecked(f"there was nothing to compare: {what}", "Name more places.")
    return Mesh(pins, broken, consumer is not None, wish.as_of)


def _unknown(one: Looked) -> bool:
    return bool(one.member.broken or one.facts.broken)


def _one(folder: Path, found: Fleet) -> Looked:
    """The product in `folder`, which need not be one of the fleet's."""
    if not is_product(folder):
        raise UsageError(f"{folder} is not a data product", "Name the root of a data product.")
    root = folder.resolve()
    member = Member(root.name, root)
    job = Job(
        "outer.fleet.facts:read", {"root": str(root), "environment": "local", "as_of": found.wish.as_of.isoformat()}
    )
    ((_, answer),) = work([job], 1)
    from outer.fleet.facts import facts

    if answer.value is None:
        raise UsageError(f"{folder}: {answer.error}", answer.todo)
    known = facts(answer.value)
    if known.broken:
        raise UsageError(f"{folder}: {known.broken}", "Mend the product, and run again.")
    return Looked(member, known)


def _compared(known: Sequence[Edge], found: Fleet, earlier: Path | None) -> Iterator[Pin]:
    """Every pin with its fit, by producer and consumer."""
    able = [edge for edge in known if edge.producer is not None]
    today = found.wish.as_of.date().isoformat()

    def jobs(pins: Sequence[Edge], origin: Path | None = None) -> list[Job]:
        return [
            Job("outer.fleet.mesh:compare", {
                "root": str(edge.consumer.member.root), "port": edge.port.name, "as_of": today,
                "origin": str(origin or (edge.producer.member.root if edge.producer else "")),
            })
            for edge in pins
        ]  # fmt: skip

    found.progress.begin("comparing pins", len(able))
    results: dict[int, Pin] = {}
    for number, answer in work(jobs(able), found.processes):
        edge = able[number]
        told = answer.value or {"fit": "could not run", "offered": "", "said": [answer.error, answer.todo], "place": ""}
        results[number] = _pin(edge, told)
        found.progress.advance(edge.consumer.member.name)
    found.progress.end()
    if earlier is not None:
        breaks = [number for number, pin in results.items() if pin.fit == "breaks"]
        for position, answer in work(jobs([able[number] for number in breaks], earlier), found.processes):
            if (answer.value or {}).get("fit") == "breaks":
                results[breaks[position]] = replace(results[breaks[position]], fit="broken before")
    pins = [*results.values(), *(_pin(edge, {}) for edge in known if edge.producer is None)]
    yield from sorted(pins, key=lambda pin: (pin.fit == "no producer", pin.producer, pin.consumer, pin.port))


def _pin(edge: Edge, told: dict[str, Any]) -> Pin:
    facts = edge.consumer.facts
    return Pin(
        consumer=edge.consumer.member.name,
        owner=facts.owner or facts.owner_team,
        port=edge.port.name,
        contract=edge.port.contract,
        pinned=edge.port.version,
        producer=edge.producer.member.name if edge.producer else edge.upstream,
        offered=told.get("offered", ""),
        fit=told.get("fit", "no producer"),
        said=tuple(told.get("said", ())),
        place=told.get("place", ""),
    )


def compare(root: str, port: str, origin: str, as_of: str) -> dict[str, Any]:
    """Hold the input port `port` of the product in `root` against the producer in the folder `origin`. For a worker."""
    from outer.daytwo.pull import State as Pulled
    from outer.daytwo.pull import pull

    talk = Talk(quiet=True)
    try:
        report = pull(Path(root), [port], talk=talk, dry_run=True, origin=origin, as_of=date.fromisoformat(as_of))
    except OuterError as error:
        return {"fit": "could not run", "offered": "", "said": [error.what, error.todo], "place": ""}
    (one,) = report.ports
    fits: dict[Pulled, Fit] = {
        Pulled.SAME: "fine",
        Pulled.COMPATIBLE: "fine",
        Pulled.BREAKING: "breaks",
        Pulled.UNREACHABLE: "could not run",
        Pulled.UNKNOWN: "could not run",
    }
    return {"fit": fits[one.state], "offered": one.offered, "said": list(one.said), "place": one.place}


def _at(producer: Path, base: str, folder: Path) -> Path:
    """What the producer's folder outer/ was at the revision `base`, in `folder`."""
    root = producer.resolve()
    if not base.strip() or base.startswith("-"):
        raise UsageError(f"--base {show(base)} is no revision", "Name a branch, a tag or a commit.")
    try:
        # Of this folder alone, also in a repository of many products.
        data = git.ask(root, "archive", "--format=tar", base, "outer")
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            # Python before 3.11.4, as Debian 12 has it, knows no filters.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            archive.extractall(folder)  # noqa: S202 (filtered, and git keeps no path that leads out)
    except (UsageError, tarfile.TarError, OSError) as error:
        why = error.what if isinstance(error, UsageError) else str(error)
        raise UsageError(
            f"--base {show(base)}: outer/ as it was then cannot be read: {why}", "Name a branch, a tag or a commit."
        ) from None
    return folder
