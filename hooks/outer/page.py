"""`outer page`: one HTML file on which a consumer finds, understands and learns how far to trust a data product.

The file needs nothing beside itself: no network, no script, no font. It is the same for the same product, the same
published data and the same `as_of`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

from outer import __version__
from outer.errors import UsageError
from outer.jsonld import dataset
from outer.lineage_svg import draw, sentences
from outer.model import Column, Contract, DataProduct, Port, custom, model
from outer.preview import NoPreview, Preview, Profile, preview
from outer.product import load
from outer.yamlfile import show

MASKED_FROM = "confidential"
"""Values of columns with this classification, a stricter one or an unknown one are not shown."""

State = Literal["good", "warn", "bad", "none"]


class Talk(Protocol):
    """What this command needs of the one who tells the user how far it is."""

    def step(self, text: str) -> object: ...
    def done(self, text: str) -> object: ...
    def note(self, text: str) -> object: ...


@dataclass(frozen=True)
class Verdict:
    """What the evidence says of the whole product at the time of the page."""

    state: State
    headline: str
    reasons: tuple[str, ...]


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
    """What is promised of its values: words, and a piece of code (or nothing)."""
    profile: Profile | None


@dataclass(frozen=True)
class RuleView:
    """One quality rule with its result in the audit of what is published now."""

    name: str
    description: str
    outcome: str
    severity: str
    result: str
    declared: bool
    """Written down under `quality`; the others follow from the schema and the service levels."""


@dataclass(frozen=True)
class LevelView:
    """One service level: what is promised, and what was measured."""

    name: str
    promised: str
    description: str
    measured: str
    state: State


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
    """One output port on the page."""

    anchor: str
    port: Port
    state: State
    summary: str
    description: str
    grain: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    columns: tuple[ColumnView, ...]
    preview: Preview | None
    no_preview: str
    rules: tuple[RuleView, ...]
    levels: tuple[LevelView, ...]
    places: tuple[Place, ...]
    snippets: tuple[tuple[str, str], ...]
    readers: tuple[tuple[str, str], ...]
    made_from: tuple[tuple[str, str], ...]
    fingerprint: str
    digest: str


@dataclass(frozen=True)
class InputView:
    """One input port on the page."""

    anchor: str
    port: Port
    owner: str
    licence: str
    purpose: str
    last_read: str
    note: str
    columns: tuple[ColumnView, ...]


@dataclass(frozen=True)
class Evidence:
    """What the runs in one environment have left behind."""

    folder: Path
    """Where the published version is; it need not exist."""
    current: Mapping[str, Any] | None
    """Receipt of the published version."""
    last: Mapping[str, Any] | None
    """Receipt of the latest run, also of one that failed."""


def page(
    root: Path,
    *,
    environment: str = "local",
    target: Path | None = None,
    as_of: datetime | None = None,
    talk: Talk,
) -> Path:
    """Write the page of the data product in `root` and return where it is.

    `environment` is the one whose published data are shown, `target` the file to write (default
    data/<environment>/page.html), `as_of` the moment for which freshness is stated (default now).
    Raises `UsageError` when the product, the environment or the receipt cannot be understood.
    """
    product = model(load(root))
    _known(product, environment)
    home = _data_root(product.source.root) / environment
    talk.step(f"Drawing the page of {show(product.name)} in {environment}")
    evidence = _evidence(home)
    if evidence.current is None:
        talk.note(f"Nothing is published in {environment} yet; the page says how to change that.")
    moment = (as_of or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    html = render(product, environment, evidence, moment)
    target = target or home / "page.html"
    _write(target, html)
    talk.done(f"{target} ({len(html.encode('utf-8', 'replace')) // 1024} KiB, one file)")
    return target


def render(product: DataProduct, environment: str, evidence: Evidence, as_of: datetime) -> str:
    """The page as text. Reads the published files in `evidence.folder`, and nothing else."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    receipt = evidence.current
    anchors = _anchors(product)
    outputs = tuple(
        _output(product, port, anchors[f"output:{port.name}"], environment, evidence, as_of)
        for port in product.outputs
    )
    sizes = {o.port.name: int(_entry(receipt, "outputs", o.port).get("bytes") or 0) for o in outputs}
    here = Path(__file__).parent
    # `autoescape` is on for everything: what comes from files is text, never markup.
    templates = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(moment=_moment, iso=_iso, thousands=_thousands, size=_size, link=_link)
    css, script = ((here / f"page.{kind}").read_text(encoding="utf-8").strip() for kind in ("css", "js"))
    published = _time(receipt.get("finished")) if receipt else None
    return templates.get_template("page.html.jinja").render(
        product=product,
        environment=environment,
        as_of=as_of,
        css=css,
        script=script,
        policy=_policy(css, script),
        linked_data=_json_for_html(
            dataset(product, environment, _iso(published) if published else None, sizes)
        ),
        chips=_chips(product),
        contacts=_contacts(product),
        verdict=_verdict(evidence, outputs, as_of),
        published=published,
        fresh_until=_fresh_until(product, published),
        facts=_facts(product, evidence, outputs, as_of),
        outputs=outputs,
        inputs=tuple(_input(p, anchors[f"input:{p.name}"], receipt, environment) for p in product.inputs),
        lineage=draw(product, anchors),
        lineage_words=sentences(product),
        publish=_publish(environment),
        run_id=str((receipt or {}).get("run_id") or ""),
        tool=__version__,
        descriptor=product.source.descriptor.path if product.source.descriptor else "",
        histogram=histogram,
    )


# --- Evidence -------------------------------------------------------------------------------------


def _known(product: DataProduct, environment: str) -> None:
    named = [s.environment for p in product.outputs for s in p.contract.servers]
    if environment not in named or Path(environment).name != environment or environment in (".", ".."):
        known = ", ".join(dict.fromkeys(named)) or "none"
        raise UsageError(
            f"no output port has a server for the environment {show(environment)} (named: {known})",
            "Choose one of these with --env.",
        )


def _data_root(root: Path) -> Path:
    return root / os.environ.get("DATA_ROOT", "data")


def _evidence(home: Path) -> Evidence:
    current = home / "current"
    runs = sorted((home / "receipts").glob("*.json"), key=lambda path: path.name)
    return Evidence(
        folder=current,
        current=_receipt(current / "receipt.json"),
        last=_receipt(runs[-1]) if runs else None,
    )


def _receipt(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: the receipt cannot be read ({error})", "Run the product again: `outer run`."
        ) from None
    if not isinstance(found, dict) or found.get("format") != 1:
        raise UsageError(
            f"{path}: this is no receipt of format 1",
            "Run the product again with this version of the command: `outer run`.",
        )
    return found


def _entry(receipt: Mapping[str, Any] | None, side: str, port: Port) -> Mapping[str, Any]:
    """What `receipt` says of `port`; empty where it says nothing."""
    found = [e for e in (receipt or {}).get(side) or () if isinstance(e, dict) and e.get("port") == port.name]
    same = [e for e in found if e.get("contract") == port.contract.id]
    return (same or found or [{}])[0]


def _published_file(evidence: Evidence, entry: Mapping[str, Any], port: Port) -> Path:
    # Only the name counts: a receipt must not lead the page to a file elsewhere.
    return evidence.folder / Path(str(entry.get("file") or f"{port.name}.parquet")).name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- The whole product ----------------------------------------------------------------------------


def _chips(product: DataProduct) -> tuple[tuple[str, str], ...]:
    personal = product.custom("personalData")
    words = {True: "yes", False: "none"}
    entries = (
        ("Status", product.status),
        ("Version", product.version),
        ("Type", re.sub(r"(?<=[a-z])([A-Z])", lambda m: f"-{m[1].lower()}", product.type)),
        ("Classification", product.custom("classification")),
        ("Personal data", words.get(personal, "not stated") if isinstance(personal, bool) else "not stated"),
        ("Visibility", product.custom("visibility")),
        ("Licence", product.custom("licence")),
    )
    return tuple((name, str(value)) for name, value in entries if value not in (None, ""))


def _contacts(product: DataProduct) -> tuple[tuple[str, str, str], ...]:
    """Owner and support channels: words, address, remark."""
    found: list[tuple[str, str, str]] = []
    if product.owner:
        address = f"mailto:{product.owner}" if "@" in product.owner else ""
        found.append((product.owner, address, "Owner"))
    descriptor = product.source.descriptor
    for entry in (descriptor.get("support") if descriptor else None) or ():
        url = str(entry.get("url") or "")
        if url.removeprefix("mailto:") == product.owner:
            remark = str(entry.get("description") or "")
            found[0] = (*found[0][:2], f"Owner. {remark}" if remark else "Owner")
            continue
        found.append((str(entry.get("channel") or url), url, str(entry.get("description") or "")))
    return tuple(found)


def _fresh_until(product: DataProduct, published: datetime | None) -> datetime | None:
    promises = [p for port in product.outputs if (p := _promise(port.contract)) is not None]
    return published + min(promises) if published and promises else None


def _verdict(evidence: Evidence, outputs: Sequence[OutputView], as_of: datetime) -> Verdict:
    receipt = evidence.current
    if receipt is None:
        failed = evidence.last is not None
        why = ("The last run failed, and there is no earlier version.",) if failed else ()
        return Verdict("bad" if failed else "none", "Not published yet", why)
    bad = [f"{o.port.name}: {note}" for o in outputs for note in o.notes if o.state == "bad"]
    warn = [f"{o.port.name}: {note}" for o in outputs for note in o.notes if o.state == "warn"]
    counts = _counts(receipt)
    if counts["failed"]:
        (bad if _failed_error(receipt) else warn).append(_plural(counts["failed"], "rule") + " failed.")
    if not counts["passed"] and not counts["failed"]:
        warn.append("No rule was checked.")
    if _last_failed(evidence):
        when = _moment(_time((evidence.last or {}).get("finished")))
        warn.append(f"The last run, {when}, failed. What is published is the version before it.")
    late = [o.port.name for o in outputs for level in o.levels if level.state == "bad"]
    if late:
        warn.append(f"Late: {', '.join(late[:5])}{' and others' if len(late) > 5 else ''}.")
    if bad:
        return Verdict("bad", "Do not use it as it is", tuple(dict.fromkeys(bad + warn)))
    if warn:
        return Verdict("warn", "Use it with care", tuple(dict.fromkeys(warn)))
    parts = [f"All {_plural(counts['passed'], 'checked rule')} passed."]
    if any(_promise(o.port.contract) for o in outputs):
        parts.insert(0, "Fresh.")
    return Verdict("good", "Keeps its promises", (" ".join(parts),))


def _facts(
    product: DataProduct, evidence: Evidence, outputs: Sequence[OutputView], as_of: datetime
) -> tuple[dict[str, Any], ...]:
    """The trust panel: label, value, remark, state; `whole` is the long form that can be copied."""
    receipt, last = evidence.current, evidence.last or evidence.current
    pin = _pin(product, receipt)
    if receipt is None:
        outcome = "Failed" if last else "Never"
        return (
            {
                "label": "Last run",
                "value": outcome,
                "remark": _why(last) if last else "No run has been published here.",
                "state": "bad" if last else "none",
            },
            {"label": "Freshness", "value": _promises(product), "remark": "Promised; nothing to measure yet."},
            pin,
        )
    finished = _time(receipt.get("finished"))
    started = _time(receipt.get("started"))
    failed = _last_failed(evidence)
    took = f" in {_span(finished - started)}" if finished and started and finished >= started else ""
    facts: list[dict[str, Any]] = [
        {
            "label": "Last run",
            "value": "Failed" if failed else "Published",
            "state": "bad" if failed else "good",
            "time": _time((last or {}).get("finished")) if failed else finished,
            "remark": _why(last) if failed else f"{took.strip().capitalize()}".strip(),
        }
    ]
    if failed:
        facts.append({"label": "Published version", "value": "", "time": finished, "remark": "The last good run."})
    facts.append(_freshness(product, finished, as_of))
    counts = _counts(receipt)
    checked = counts["passed"] + counts["failed"]
    unchecked = f"{_thousands(counts['not_checked'])} not checked" if counts["not_checked"] else "none left unchecked"
    facts.append(
        {
            "label": "Audit",
            "value": f"{_thousands(counts['passed'])} of {_thousands(checked)} passed",
            "remark": f"{_thousands(counts['failed'])} failed, {unchecked}" if counts["failed"] else unchecked,
            "state": "bad" if counts["failed"] else "good" if counts["passed"] else "warn",
        }
    )
    entries = [_entry(receipt, "outputs", o.port) for o in outputs]
    rows = sum(int(e.get("rows") or 0) for e in entries)
    size = sum(int(e.get("bytes") or 0) for e in entries)
    ports = f" in {_plural(len(outputs), 'port')}" if len(outputs) > 1 else ""
    facts.append({"label": "Rows", "value": _thousands(rows), "remark": f"{_size(size)}{ports}"})
    facts.append(pin)
    if len(outputs) == 1 and outputs[0].fingerprint:
        whole = outputs[0].fingerprint
        facts.append(
            {"label": "Fingerprint", "value": _brief(whole), "whole": whole, "remark": "Of the data, whatever the file."}
        )
    else:
        facts.append(
            {"label": "Fingerprints", "value": f"{len(outputs)}", "remark": "One for each port, below."}
        )
    return tuple(facts)


def _freshness(product: DataProduct, finished: datetime | None, as_of: datetime) -> dict[str, Any]:
    until = _fresh_until(product, finished)
    if finished is None:
        return {"label": "Freshness", "value": "Not known", "remark": "The receipt names no time.", "state": "warn"}
    age = max(as_of - finished, timedelta())
    fact: dict[str, Any] = {"label": "Freshness", "value": f"{_span(age)} old"}
    if until is None:
        return {**fact, "remark": "Nothing is promised."}
    promise = until - finished
    late = as_of > until
    return {
        **fact,
        "state": "bad" if late else "good",
        "remark": f"{'Late: at' if late else 'Fresh: at'} most {_span(promise)} promised",
        "share": min(age / promise, 1.0) if promise else 1.0,
    }


def _pin(product: DataProduct, receipt: Mapping[str, Any] | None) -> dict[str, Any]:
    answers = product.source.answers
    now = {key: answers.get(key) if answers else None for key in ("_commit", "_src_path")}
    ran = (receipt or {}).get("pin") or now
    commit = str(ran.get("_commit") or "none")
    remark = _source(str(ran.get("_src_path") or ""))
    if now["_commit"] and commit != str(now["_commit"]):
        remark = f"At the last run; now {now['_commit']}. {remark}"
    return {"label": "Standard", "value": commit, "remark": remark}


def _promises(product: DataProduct) -> str:
    promises = [p for port in product.outputs if (p := _promise(port.contract)) is not None]
    return f"At most {_span(min(promises))}" if promises else "Nothing promised"


def _publish(environment: str) -> str:
    command = "python3 noxfile.py -s run"
    return command if environment == "local" else f"{command} -- --env {environment}"


def _last_failed(evidence: Evidence) -> bool:
    last, current = evidence.last, evidence.current
    if last is None or last.get("outcome") != "failed":
        return False
    return current is None or str(last.get("run_id")) > str(current.get("run_id"))


def _why(receipt: Mapping[str, Any] | None) -> str:
    return str((receipt or {}).get("reason") or "It left no reason.")[:300]


def _counts(receipt: Mapping[str, Any], port: str | None = None) -> dict[str, int]:
    found = {"passed": 0, "failed": 0, "not_checked": 0}
    for entry in receipt.get("audit") or ():
        if port is None or entry.get("port") == port:
            found[entry["outcome"] if entry.get("outcome") in found else "not_checked"] += 1
    return found


def _failed_error(receipt: Mapping[str, Any], port: str | None = None) -> bool:
    return any(
        e.get("outcome") == "failed" and e.get("severity") in (None, "", "error")
        for e in receipt.get("audit") or ()
        if port is None or e.get("port") == port
    )


# --- Ports ----------------------------------------------------------------------------------------


def _anchors(product: DataProduct) -> dict[str, str]:
    """An id on the page for every port: readable, unique, and safe in an address."""
    found: dict[str, str] = {}
    for side, ports in (("output", product.outputs), ("input", product.inputs)):
        for port in ports:
            slug = re.sub(r"[^a-z0-9]+", "-", port.name.lower()).strip("-")[:60] or "port"
            anchor, number = f"{side}-{slug}", 2
            while anchor in found.values():
                anchor, number = f"{side}-{slug}-{number}", number + 1
            found[f"{side}:{port.name}"] = anchor
    return found


def _output(
    product: DataProduct, port: Port, anchor: str, environment: str, evidence: Evidence, as_of: datetime
) -> OutputView:
    contract, receipt = port.contract, evidence.current
    entry = _entry(receipt, "outputs", port)
    masked = _masked(product, contract)
    path = _published_file(evidence, entry, port)
    notes: list[tuple[State, str]] = []
    seen: Preview | None = None
    no_preview = ""
    if receipt is None:
        no_preview = "Nothing is published yet."
    elif not entry:
        no_preview = "The published version does not hold this port; it comes with the next run."
        notes.append(("warn", "the published version does not hold it."))
    elif not path.is_file():
        no_preview = f"The published file {path.name} is gone."
        notes.append(("bad", f"the published file {path.name} is gone."))
    else:
        if entry.get("sha256") and _digest(path) != entry["sha256"]:
            notes.append(("bad", "the published file is not the one that was audited."))
        try:
            seen = preview(path, [c.name for c in contract.columns], masked)
        except NoPreview as error:
            no_preview = str(error)
    if entry and entry.get("version") not in (None, contract.version):
        notes.append(("warn", f"published under contract {entry['version']}, which is {contract.version} now."))
    if seen and seen.absent:
        notes.append(("bad", f"the published file lacks {', '.join(seen.absent[:5])}."))
    levels = _levels(contract, receipt, port.name, as_of)
    states = [state for state, _ in notes]
    counts = _counts(receipt or {}, port.name)
    if counts["failed"]:
        states.append("bad" if _failed_error(receipt or {}, port.name) else "warn")
    if any(level.state == "bad" for level in levels):
        states.append("warn")
    state: State = "none" if receipt is None else max([*states, "good"], key=("good", "warn", "bad").index)
    profiles = seen.profiles if seen else {}
    table = contract.file.get("schema", 0) or {}
    return OutputView(
        anchor=anchor,
        port=port,
        state=state,
        summary=_summary(entry, counts),
        description=_port_description(product, port) or contract.description,
        grain=str(table.get("dataGranularityDescription") or ""),
        facts=tuple(_port_facts(contract, entry)),
        notes=tuple(dict.fromkeys(note for _, note in notes)),
        columns=tuple(_column(c, masked, profiles.get(c.name)) for c in contract.columns),
        preview=seen,
        no_preview=no_preview,
        rules=_rules(contract, receipt, port.name),
        levels=levels,
        places=tuple(
            Place(s.environment, s.type, s.path, s.format, s.environment == environment) for s in contract.servers
        ),
        snippets=_snippets(contract, environment),
        readers=tuple(
            (str(r.get("role") or ""), str(r.get("description") or r.get("access") or ""))
            for r in contract.file.get("roles") or ()
        ),
        made_from=_made_from(product, port),
        fingerprint=str(entry.get("fingerprint") or ""),
        digest=str(entry.get("sha256") or ""),
    )


def _summary(entry: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    if not entry:
        return "not published"
    checked = counts["passed"] + counts["failed"]
    rules = f"{counts['passed']} of {checked} rules passed" if checked else "no rule checked"
    return f"{_thousands(entry.get('rows') or 0)} rows · {rules}"


def _port_description(product: DataProduct, port: Port) -> str:
    descriptor = product.source.descriptor
    for entry in (descriptor.get("outputPorts") if descriptor else None) or ():
        if entry.get("name") == port.name and str(entry.get("contractId")) == port.contract.id:
            return str(entry.get("description") or "")
    return ""


def _port_facts(contract: Contract, entry: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "Contract", f"{contract.version}, {contract.status}" if contract.status else contract.version
    if entry:
        yield "Rows", _thousands(entry.get("rows") or 0)
        yield "Size", _size(entry.get("bytes") or 0)
    yield "Columns", str(len(contract.columns))
    licence = custom(contract.file, "licence")
    if licence:
        yield "Licence", str(licence)
    if custom(contract.file, "personalData") is True:
        yield "Personal data", "yes"


def _made_from(product: DataProduct, port: Port) -> tuple[tuple[str, str], ...]:
    by_id = {p.contract.id: p.name for p in product.inputs}
    return tuple((by_id.get(contract, ""), contract) for contract in port.made_from)


def _input(port: Port, anchor: str, receipt: Mapping[str, Any] | None, environment: str) -> InputView:
    contract, entry = port.contract, _entry(receipt, "inputs", port)
    read = ""
    if entry:
        size = f", {_size(entry['bytes'])}" if entry.get("bytes") else ""
        read = f"{_thousands(entry['rows'])} rows{size}" if entry.get("rows") is not None else size.lstrip(", ")
    stale = entry and entry.get("version") not in (None, contract.version)
    return InputView(
        anchor=anchor,
        port=port,
        owner=str(contract.file.get("team", "name") or ""),
        licence=str(custom(contract.file, "licence") or ""),
        purpose=str(contract.file.get("description", "purpose") or contract.description),
        last_read=read,
        note=f"The last run read it under contract {entry['version']}." if stale else "",
        columns=tuple(_column(c, frozenset(), None) for c in contract.columns),
    )


def _masked(product: DataProduct, contract: Contract) -> frozenset[str]:
    """Columns whose values stay off the page: confidential or stricter, or of a classification nobody has defined."""
    standard = product.source.standard
    known = [str(c).casefold() for c in (standard.get("classifications") if standard else None) or ()]
    if MASKED_FROM not in known:
        known = ["public", "internal", MASKED_FROM]
    open_ones = set(known[: known.index(MASKED_FROM)])
    default = str(product.custom("classification") or "")
    return frozenset(
        c.name for c in contract.columns if (c.classification or default).strip().casefold() not in open_ones
    )


def _column(column: Column, masked: frozenset[str], profile: Profile | None) -> ColumnView:
    return ColumnView(
        name=column.name,
        logical_type=column.logical_type,
        physical_type=column.physical_type,
        key=column.key_position,
        required=column.required,
        classification=column.classification,
        masked=column.name in masked,
        description=column.description,
        constraints=tuple(_constraints(column.clauses, examples=column.name not in masked)),
        profile=profile,
    )


_OPTIONS = {
    "minimum": "at least", "maximum": "at most",
    "exclusiveMinimum": "more than", "exclusiveMaximum": "less than", "multipleOf": "a multiple of",
    "minLength": "length at least", "maxLength": "length at most", "pattern": "matches", "format": "format",
    "minItems": "items at least", "maxItems": "items at most", "uniqueItems": "different items", "timezone": "time zone",
}  # fmt: skip


def _constraints(clauses: Mapping[str, Any], *, examples: bool) -> Iterable[tuple[str, str]]:
    options = dict(clauses.get("logicalTypeOptions") or {})
    if "minimum" in options and "maximum" in options:
        yield "from", f"{options.pop('minimum')} to {options.pop('maximum')}"
    for name, value in options.items():
        yield _OPTIONS.get(name, name), str(value)
    if clauses.get("unique") is True:
        yield "unique", ""
    if clauses.get("criticalDataElement") is True:
        yield "critical data element", ""
    if examples and isinstance(clauses.get("examples"), list):
        yield "for example", ", ".join(str(e) for e in clauses["examples"][:3])


# --- Rules and service levels ---------------------------------------------------------------------


def _rules(contract: Contract, receipt: Mapping[str, Any] | None, port: str) -> tuple[RuleView, ...]:
    """Rules that the contract declares, in its order, then those that follow from its schema."""
    results = [e for e in (receipt or {}).get("audit") or () if e.get("port") == port]
    by_name = {str(e.get("rule")): e for e in results}
    found: list[RuleView] = []
    used: set[str] = set()
    for clause in _declared(contract):
        name = str(clause.get("name") or clause.get("metric") or clause.get("type") or "rule")
        result = by_name.get(name) or {}
        used.add(name)
        text = str(clause.get("description") or clause.get("query") or "")
        found.append(_rule(name, text, result, clause, declared=True))
    found += [
        _rule(name, str(result.get("how") or ""), result, {}, declared=False)
        for name, result in by_name.items()
        if name not in used
    ]
    return tuple(found)


def _declared(contract: Contract) -> Iterable[Mapping[str, Any]]:
    yield from contract.quality
    for column in contract.columns:
        yield from column.clauses.get("quality") or ()


def _rule(
    name: str, text: str, result: Mapping[str, Any], clause: Mapping[str, Any], *, declared: bool
) -> RuleView:
    outcome = str(result.get("outcome") or "not_checked")
    said: list[str] = []
    if outcome == "not_checked":
        said.append(str(result.get("reason") or "No result yet."))
    else:
        if result.get("observed") is not None:
            said.append(f"found {result['observed']}")
        if result.get("expected") is not None:
            said.append(f"expected {result['expected']}")
        if result.get("bad_rows"):
            said.append(f"{_plural(int(result['bad_rows']), 'bad row')}")
        if outcome == "failed" and result.get("reason"):
            said.append(str(result["reason"]))
    severity = str(result.get("severity") or clause.get("severity") or "")
    return RuleView(name, text, outcome, severity, "; ".join(said), declared)


def _levels(
    contract: Contract, receipt: Mapping[str, Any] | None, port: str, as_of: datetime
) -> tuple[LevelView, ...]:
    finished = _time((receipt or {}).get("finished"))
    found: list[LevelView] = []
    for level in contract.service_levels:
        name = str(level.get("property") or "")
        value, unit = level.get("value"), str(level.get("unit") or "")
        promised = f"{value} {_unit(unit)}".strip()
        measured, state = "Not measured", "none"
        promise = _promise(contract)
        if name == "freshness" and promise is not None:
            promised = f"at most {_span(promise)}"
            if finished is not None:
                age = max(as_of - finished, timedelta())
                measured, state = f"{_span(age)} old", "bad" if age > promise else "good"
        elif name == "supportHours":
            measured = "Kept by people"
        found.append(
            LevelView(
                name=re.sub(r"(?<=[a-z])([A-Z])", lambda m: f" {m[1].lower()}", name).capitalize(),
                promised=promised,
                description=str(level.get("description") or ""),
                measured=measured,
                state=state,  # type: ignore[arg-type]
            )
        )
    return tuple(found)


_UNITS = {"s": 1, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400, "w": 604800}
_UNITS |= {"second": 1, "week": 604800}


def _promise(contract: Contract) -> timedelta | None:
    """Longest age that the service level `freshness` allows; None where it promises nothing that can be measured."""
    for level in contract.service_levels:
        if level.get("property") == "freshness":
            unit = str(level.get("unit") or "").strip().lower()
            seconds = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
            try:
                return timedelta(seconds=float(level["value"]) * seconds) if seconds else None
            except (TypeError, ValueError, OverflowError, KeyError):
                return None
    return None


def _unit(unit: str) -> str:
    return {"h": "hours", "d": "days", "w": "weeks", "s": "seconds", "y": "years"}.get(unit, unit)


# --- How to read it -------------------------------------------------------------------------------


def _snippets(contract: Contract, environment: str) -> tuple[tuple[str, str], ...]:
    server = next((s for s in contract.servers if s.environment == environment), None)
    if server is None or server.format != "parquet" or not server.path:
        return ()
    # `${NAME:-default}` is for the shell and for `outer run`; here the default stands.
    path = re.sub(r"\$\{[A-Za-z_][A-Za-z0-9_]*:-([^}]*)\}", r"\1", server.path)
    quoted = "'" + path.replace("'", "''") + "'"
    python = json.dumps(path, ensure_ascii=False)
    return (
        ("DuckDB", f"SELECT * FROM read_parquet({quoted}) LIMIT 20;"),
        ("Python", f"import polars\n\ndata = polars.read_parquet({python})"),
    )


# --- Words and numbers ----------------------------------------------------------------------------


def histogram(profile: Profile) -> tuple[tuple[float, float, float, float], ...]:
    """Bars of a profile as (x, y, width, height) in a box of 120 by 26; a bar that counts a row is never invisible."""
    if not profile.bars:
        return ()
    step, tallest = 120 / len(profile.bars), max(profile.bars)
    width = min(step - 1, 14)
    return tuple(
        (round(i * step + (step - width) / 2, 2), round(26 - height, 2), round(width, 2), round(height, 2))
        for i, rows in enumerate(profile.bars)
        if rows and (height := max(rows / tallest * 26, 1.0))
    )


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def _moment(value: datetime | None) -> str:
    """22 Nov 2026, 08:15 UTC: no locale in it, so that every machine writes the same."""
    if value is None:
        return "at an unknown time"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}, {value:%H:%M} UTC"


def _iso(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(span: timedelta) -> str:
    """A length of time in its two largest units: 2 days 4 h, 3 h 12 min, 48 s."""
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return _plural(days, "day") + (f" {hours} h" if hours and days < 10 else "")
    if seconds >= 3600:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" if minutes else f"{seconds} s"


def _thousands(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _size(value: Any) -> str:
    size = float(value or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _plural(count: int, noun: str) -> str:
    return f"{_thousands(count)} {noun}{'' if count == 1 else 's'}"


def _brief(digest: str) -> str:
    return digest if len(digest) <= 20 else f"{digest[:8]}…{digest[-8:]}"


def _source(address: str) -> str:
    """Address of the suite without what is nobody's business: a password in it, or the folders of a machine."""
    if "://" in address:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return Path(address).name if address.startswith(("/", "~", ".")) else address


def _link(address: str) -> str:
    """`address` if it may be clicked, else nothing: a file must not bring a script as its address."""
    return address if re.match(r"(https?://|mailto:)\S", address, re.IGNORECASE) else ""


# --- The file -------------------------------------------------------------------------------------


def _policy(css: str, script: str) -> str:
    """Content Security Policy that allows this page's own style and script by their hash, and nothing else."""
    style, code = (
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in (css, script)
    )
    return (
        f"default-src 'none'; style-src {style}; script-src {code}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _json_for_html(value: Any) -> str:
    """JSON that no HTML parser can mistake for markup (`<`, `>`, `&` as escapes)."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return re.sub("[<>&\u2028\u2029]", lambda m: f"\\u{ord(m[0]):04x}", text)


def _write(target: Path, html: str) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(html.encode("utf-8", "replace"))
        part.replace(target)
    except OSError as error:
        raise UsageError(
            f"{target}: the page cannot be written ({error.strerror})", "Choose another file with --to."
        ) from None
    finally:
        part.unlink(missing_ok=True)
