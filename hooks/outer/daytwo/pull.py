"""`outer pull`: is the contract that an input port has pinned still the producer's?

It is the same, or changed and compatible, or breaking: judged by the rules of `outer compat`, with this product as the
reader. A pin binds this product to what it says, so the words of a contract that is still a draft count like those of
an active one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from outer.compat.base import Basis, Side
from outer.compat.judge import UNSTABLE, Comparison, judge, settings
from outer.compat.rule import Category, Grade, Way
from outer.daytwo import edit
from outer.daytwo.change import Draft, Left, place, told
from outer.daytwo.pin import REVISION, Pin, pinned, recorded
from outer.daytwo.sample import SAMPLES, sample
from outer.daytwo.source import Offer, Source, Unreachable, source
from outer.errors import FINDINGS, NOTHING_CHECKED, PASS, USAGE, NothingChecked, OuterError, UsageError
from outer.model import Port
from outer.parquet import opened
from outer.product import DESCRIPTOR, File, custom, mappings
from outer.rules.reading import major
from outer.talk import Talk
from outer.yamledit import replace as replaced
from outer.yamlfile import Pointer, parse, show


class State(StrEnum):
    """What became of a contract since it was pinned."""

    SAME = "same"
    COMPATIBLE = "changed, compatible"
    BREAKING = "breaking"
    UNREACHABLE = "not looked at"
    UNKNOWN = "no source is known"


@dataclass(frozen=True)
class Pulled:
    """One input port."""

    name: str
    place: str
    """`path:line` of the pinned contract."""
    state: State
    version: str
    offered: str = ""
    """The producer's version; empty where it was not seen."""
    said: tuple[str, ...] = ()
    """Sentences: what changed, or why it could not be looked at."""
    taken: bool = False
    """Whether the producer's contract is the pinned one now."""

    def text(self) -> str:
        """For people."""
        versions = self.version if self.offered in ("", self.version) else f"{self.version} to {self.offered}"
        head = f"{self.name} {versions}: {self.state}" + (", taken" if self.taken else "")
        return "\n".join([f"{head} ({self.place})", *(f"    {sentence}" for sentence in self.said)])


@dataclass(frozen=True)
class PullReport:
    """What `pull` found, and what it wrote."""

    ports: tuple[Pulled, ...]
    files: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 same or compatible, 1 breaking, 2 a producer could not be looked at, 3 no source is known at all."""
        states = {port.state for port in self.ports}
        if State.BREAKING in states:
            return FINDINGS
        if State.UNREACHABLE in states:
            return USAGE
        return NOTHING_CHECKED if states <= {State.UNKNOWN} else PASS

    def text(self) -> str:
        """For people, on stdout."""
        return told("\n".join(port.text() for port in self.ports), self.files, self.left)


def pull(
    root: Path,
    ports: Sequence[str] = (),
    *,
    talk: Talk,
    dry_run: bool = True,
    origin: str | None = None,
    as_of: date | None = None,
) -> PullReport:
    """Compare the pinned contracts of the input ports `ports` (by default all) with those of their producers.

    `origin` is where to look instead of where each came from. Without `dry_run` the producer's contract is taken where
    it is compatible; a breaking one only when its port is named. The servers stay this product's; its sample is taken
    anew where the columns changed.

    Raises `UsageError`, with nothing written, for a product that makes no sense and a port that it does not have,
    `NothingChecked` where it has no input port at all.
    """
    draft = Draft(root, as_of)
    known = draft.model.inputs
    if not known:
        raise NothingChecked(
            f"{place(draft.descriptor, 'inputPorts')}: the product has no input port", "Nothing is to be pulled."
        )
    names = [port.name for port in known]
    for name in ports:
        if name not in names:
            raise UsageError(
                f"{place(draft.descriptor, 'inputPorts')}: there is no input port {show(name)}; there is: "
                f"{', '.join(names)}",
                "Name one of these.",
            )
    if origin and not ports:
        raise UsageError(f"which ports come from {show(origin)} is not said", "Name them: outer pull PORT --from …")
    found: list[Pulled] = []
    stale: list[Left] = []
    with ExitStack() as stack:
        seen: dict[str, Source | OuterError] = {}
        for port in known:
            if ports and port.name not in ports:
                continue
            pulled, offer, producer = _look(draft, port, origin, seen, stack, talk)
            wanted = pulled.state in (State.SAME, State.COMPATIBLE) or port.name in ports
            if offer is not None and producer is not None and not dry_run and wanted:
                pulled = replace(pulled, taken=_take(draft, port, offer, producer))
                if pulled.taken:
                    stale += _resample(draft, port, offer)
            found.append(pulled)
        if dry_run or not draft.changed:
            return PullReport(tuple(found))
        left = (*stale, *draft.left([path for path in draft.changed if path != DESCRIPTOR]))
        return PullReport(tuple(found), draft.write(), left)


# --- Looking ------------------------------------------------------------------------------------------------------


def _look(
    draft: Draft, port: Port, origin: str | None, seen: dict[str, Source | OuterError], stack: ExitStack, talk: Talk
) -> tuple[Pulled, Offer | None, Source | None]:
    contract = port.contract.file
    here = Pulled(port.name, place(contract), State.UNKNOWN, port.contract.version)
    given = origin or recorded(contract)
    if not given:
        todo = f"write it down: outer pull {port.name} --from URL|PATH --write"
        return replace(here, said=(todo,)), None, None
    if given not in seen:
        try:
            # What the contract says counts from the product, what the caller says from where they are.
            beside = Path.cwd() if origin else draft.root
            seen[given] = stack.enter_context(source(given, draft.root, beside, talk))
        except OuterError as error:
            seen[given] = error
    producer = seen[given]
    if isinstance(producer, OuterError):
        # Also a source that is something else now: nothing was compared.
        talk.close()
        hint = "" if isinstance(producer, Unreachable) else producer.todo
        return replace(here, state=State.UNREACHABLE, said=tuple(filter(None, (producer.what, hint)))), None, None
    name, number = str(contract.get("name") or port.name), major(port.contract.version)
    same = [o for o in producer.offers if o.major == number and port.contract.id == o.id] or [
        o for o in producer.offers if o.major == number and name == o.name
    ]
    others = [other for other in producer.majors(name) if int(other) > int(number or 0)]
    more = (
        f"a newer major is offered: outer add input-port --from {given} {show(name).strip('`')}@{others[-1]}"
        if others
        else ""
    )
    if not same and name in producer.broken:
        wrong = producer.broken[name]
        return replace(here, state=State.UNREACHABLE, said=(wrong.what, wrong.todo)), None, None
    if not same:
        gone = (f"{given} no longer offers {show(name)} in major {number}; it offers: {producer.listed}", more)
        return replace(here, state=State.BREAKING, said=tuple(filter(None, gone))), None, None
    offer = same[0]
    state, sentences = _judged(draft, port, offer)
    said = tuple(filter(None, (*sentences, more)))
    return replace(here, state=state, offered=offer.version, said=said), offer, producer


def _judged(draft: Draft, port: Port, offer: Offer) -> tuple[State, tuple[str, ...]]:
    old = port.contract.file
    new = File(old.path, parse(_pinned(draft, port, offer, recorded(old), str(custom(old, REVISION) or ""))))
    if old.value == new.value:
        status = f"it is {old.get('status')}" if old.get("status") in ("deprecated", "retired") else ""
        return State.SAME, (status,)
    basis = Basis(Side("the pinned contract", None, (_firm(old),)), single=True)
    by = settings(draft.product.standard, draft.as_of, Category)
    (found,) = judge(Side("the producer", None, (_firm(new),)), basis, by)
    sentences = tuple(_sentences(found))
    breaks = any(sentence.startswith(_BREAKS) for sentence in sentences)
    return State.BREAKING if breaks else State.COMPATIBLE, sentences


_BREAKS, _DOUBT = "breaks: ", "look at: "


def _sentences(found: Comparison) -> Iterator[str]:
    """What changed, the worst first. That the producer's version says too little is theirs, and said as well."""
    words: Mapping[bool, str] = {True: _BREAKS, False: ""}
    marked: list[tuple[int, str]] = []
    for verdict in found.verdicts:
        rule = verdict.rule
        release = rule.id.startswith("REL")
        breaking = rule.grade is Grade.BREAKING or (rule.grade is Grade.FORBIDDEN and rule.way is Way.WEAKER)
        doubt = rule.grade is Grade.RISKY or (release and not breaking)
        mark = words[breaking and not release] or (_DOUBT if doubt else "")
        marked.append((0 if mark == _BREAKS else 1 if mark else 2, f"{mark}{verdict.message} ({rule.id})"))
    yield from (sentence for _, sentence in sorted(marked, key=lambda one: one[0]))


def _firm(file: File) -> File:
    """The contract, as if it were in force where it promises nothing yet."""
    if file.get("status") not in UNSTABLE:
        return file
    return replace(file, document=replace(file.document, value={**file.value, "status": "active"}))


def _pinned(draft: Draft, port: Port, offer: Offer, given: str, revision: str) -> bytes:
    """The producer's contract as this product pins it."""
    own = port.contract.file
    value: Any = own.get("servers") or []
    servers = edit.block(draft.text(own.path), "servers") or edit.written({"servers": value})
    return pinned(offer, Pin(port.name, "", given, revision), servers)


# --- Taking -------------------------------------------------------------------------------------------------------


def _take(draft: Draft, port: Port, offer: Offer, producer: Source) -> bool:
    """Pin the producer's contract, and say its version wherever the descriptor names it."""
    own = port.contract.file
    content = _pinned(draft, port, offer, producer.recorded, producer.revision)
    new = File(own.path, parse(content))
    as_before = _pinned(draft, port, offer, producer.recorded, str(custom(own, REVISION) or ""))
    if own.value == parse(as_before).value:
        return False  # nothing but the commit of the producer is another
    draft.put(own.path, content)
    before, after = (own.get("id"), own.get("version")), (new.get("id"), new.get("version"))
    changes: dict[Pointer, Any] = {}
    for index, entry in mappings(draft.descriptor.get("inputPorts")):
        if (entry.get("contractId"), entry.get("version")) == before:
            changes |= {("inputPorts", index, "contractId"): after[0], ("inputPorts", index, "version"): after[1]}
    for index, output in mappings(draft.descriptor.get("outputPorts")):
        for position, entry in mappings(output.get("inputContracts")):
            if (entry.get("id"), entry.get("version")) == before:
                pointer: Pointer = ("outputPorts", index, "inputContracts", position)
                changes |= {(*pointer, "id"): after[0], (*pointer, "version"): after[1]}
    if before != after:
        draft.edit(DESCRIPTOR, lambda data: replaced(data, changes))
    return True


def _resample(draft: Draft, port: Port, offer: Offer) -> Iterator[Left]:
    """Take the sample of the port anew where its columns changed; what cannot be taken is the team's."""
    old = port.contract.file
    if _shape(old.get("schema")) == _shape(offer.value.get("schema")):
        return
    for _, server in mappings(old.get("servers")):
        path = str(server.get("path") or "")
        local = server.get("environment") == "local" and server.get("type") == "local"
        if not (local and path.startswith(f"{SAMPLES}/") and path.endswith(".parquet")):
            continue
        rows, reason = sample(offer, draft.product.standard)
        target = draft.root / path
        if rows is not None and (target.is_symlink() or ".." in Path(path).parts):
            rows, reason = None, "it is a link, or lies elsewhere"
        if rows is not None and (missing := _missing(rows, offer)):
            rows, reason = None, f"what the producer has published lacks {', '.join(map(show, missing))}"
        if rows is None:
            yield Left(path, f"the sample as of {offer.version}, whose columns are others: {reason}")
        elif target.exists():
            draft.put(path, rows)
        else:
            draft.create(path, rows)


def _shape(value: Any) -> Any:
    """Names and types of tables and columns, in any order, and nothing else of a schema."""
    if isinstance(value, list):
        return {str(entry.get("name")): _shape(entry) for _, entry in mappings(value)}
    if isinstance(value, dict):
        inside = {key: _shape(value[key]) for key in ("properties", "items") if value.get(key)}
        return value.get("logicalType"), value.get("physicalType"), value.get("physicalName"), inside
    return None


def _missing(rows: bytes, offer: Offer) -> list[str]:
    """Columns of the contract that the Parquet file `rows` does not have."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.parquet")
        data.write_bytes(rows)
        with opened(data) as table:
            there = {name.lower() for name in table.footer.types}
    return [
        str(column.get("name"))
        for _, table in mappings(offer.value.get("schema"))
        for _, column in mappings(table.get("properties"))
        if not there & {str(column.get(key)).lower() for key in ("name", "physicalName")}
    ]
