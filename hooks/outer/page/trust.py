"""How far a consumer may trust what is published now: one verdict, and the facts that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from outer.model import DataProduct
from outer.page.evidence import Evidence, State
from outer.page.port import OutputView
from outer.page.promises import LevelView
from outer.page.words import brief, moment, plural, size, source, span, thousands
from outer.receipt import instant


@dataclass(frozen=True)
class Verdict:
    """What the evidence says of the whole product."""

    state: State
    headline: str
    reasons: tuple[str, ...]
    until: datetime | None = None
    """When the first promise of freshness runs out."""


@dataclass(frozen=True)
class Fact:
    """One entry of the trust panel."""

    label: str
    value: str
    remark: str = ""
    state: State = "none"
    time: datetime | None = None
    whole: str = ""
    """The long form of a shortened value."""
    share: float | None = None
    """How much of what is allowed is used up, from 0 to 1."""


def judge(evidence: Evidence, outputs: Sequence[OutputView]) -> Verdict:
    """The verdict on what is published. It is good only where every rule that was checked passed, and some were."""
    if evidence.unknown:
        return Verdict("none", "Nobody can say what is published", (evidence.unknown,))
    if evidence.receipt is None:
        if evidence.last is None:
            return Verdict("none", "Not published yet", ())
        return Verdict("bad", "Not published yet", ("No run has succeeded so far.",))
    bad = [f"{o.port.name}: {note}" for o in outputs for state, note in o.notes if state == "bad"]
    warn = [f"{o.port.name}: {note}" for o in outputs for state, note in o.notes if state != "bad"]
    counts = evidence.counts()
    if counts.failed:
        (bad if evidence.audited() == "bad" else warn).append(f"{plural(counts.failed, 'rule')} failed.")
    elif not counts.passed:
        warn.append("No rule was checked.")
    if evidence.failed:
        when = moment(instant(evidence.failed.finished))
        warn.append(f"The last run failed, {when}. What is published is the version before it.")
    late = [o.port.name for o in outputs if o.freshness and o.freshness.state == "bad"]
    if late:
        more = f" and {len(late) - 3} more" if len(late) > 3 else ""
        warn.append(f"Late: {', '.join(late[:3])}{more}.")
    ends = [level.until for o in outputs for level in o.levels if level.until is not None]
    until = min(ends, default=None)
    if bad:
        return Verdict("bad", "Do not use it as it is", (*bad, *warn), until)
    if warn:
        return Verdict("warn", "Use it with care", tuple(warn), until)
    fresh = "Fresh. " if ends else ""
    return Verdict("good", "Keeps its promises", (f"{fresh}{_all(counts.passed)} passed.",), until)


def facts(product: DataProduct, evidence: Evidence, outputs: Sequence[OutputView]) -> tuple[Fact, ...]:
    """What the verdict rests on, for the trust panel."""
    if evidence.unknown:
        return (_pin(product, evidence),)
    if evidence.receipt is None:
        return _last_run(evidence), _freshness(outputs), _pin(product, evidence)
    return tuple(_published(product, evidence, outputs))


def _published(product: DataProduct, evidence: Evidence, outputs: Sequence[OutputView]) -> Iterator[Fact]:
    counts = evidence.counts()
    records = [record for o in outputs if (record := evidence.output(o.port)) is not None]
    ports = f" in {plural(len(outputs), 'port')}" if len(outputs) > 1 else ""
    yield _last_run(evidence)
    yield _freshness(outputs)
    yield Fact(
        "Audit",
        f"{thousands(counts.passed)} of {thousands(counts.checked)} passed",
        f"{plural(counts.not_checked, 'rule')} not checked" if counts.not_checked else "No rule left unchecked",
        evidence.audited(),
    )
    yield Fact(
        "Rows",
        thousands(sum(r.rows for r in records)),
        f"{size(sum(r.bytes for r in records))}{ports}",
    )
    if aside := evidence.receipt.quarantine if evidence.receipt else ():
        ports = ", ".join(f"{record.share:.2%} of {record.port}" for record in aside)
        yield Fact("Set aside", thousands(sum(record.rows for record in aside)), f"Rows of the inputs: {ports}", "warn")
    yield _pin(product, evidence)
    if len(outputs) == 1 and outputs[0].fingerprint:
        whole = outputs[0].fingerprint
        yield Fact("Fingerprint of the data", brief(whole), "Equal data have an equal one", whole=whole)
    else:
        yield Fact("Fingerprints of the data", thousands(len(outputs)), "One with each port below")


def _last_run(evidence: Evidence) -> Fact:
    failed = evidence.failed
    if failed:
        return Fact("Last run", "Failed", failed.reason[:300] or "It gave no reason.", "bad", instant(failed.finished))
    if evidence.receipt is None:
        return Fact("Last run", "Never", "Nothing has been published here.")
    if back := evidence.restored:
        return Fact("Last run", "Rolled back", back.reason[:300], "warn", instant(back.finished))
    finished = instant(evidence.receipt.finished)
    took = span(finished - instant(evidence.receipt.started))
    return Fact("Last run", "Published", f"Took {took}", "good", finished)


def _freshness(outputs: Sequence[OutputView]) -> Fact:
    promises = [level for o in outputs if (level := o.freshness) is not None]
    if not promises:
        return Fact("Freshness", "Not promised")

    def left(level: LevelView) -> float:
        return (level.allowed - level.age).total_seconds() if level.allowed and level.age else float("inf")

    tightest = min(promises, key=left)
    allowed, age = tightest.allowed, tightest.age
    if allowed is None or age is None:
        return Fact("Freshness", "Not measured", f"Promised: {tightest.promised}")
    within = "Beyond" if tightest.state == "bad" else "Within"
    share = min(age / allowed, 1.0) if allowed else 1.0
    return Fact("Freshness", tightest.measured, f"{within} the promised {span(allowed)}", tightest.state, share=share)


def _pin(product: DataProduct, evidence: Evidence) -> Fact:
    answers = product.source.answers
    now = {key: answers.get(key) if answers else None for key in ("_commit", "_src_path")}
    pin = evidence.receipt.pin if evidence.receipt else now
    commit, address = str(pin.get("_commit") or "not pinned"), source(str(pin.get("_src_path") or ""))
    moved = f"At the last run; {now['_commit']} now. " if now["_commit"] and str(now["_commit"]) != commit else ""
    return Fact("Standard", commit, f"{moved}{address}")


def _all(passed: int) -> str:
    return "The one rule that was checked" if passed == 1 else f"All {thousands(passed)} rules that were checked"
