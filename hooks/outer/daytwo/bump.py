"""`outer bump`: gives contracts, ports and product the versions that a change needs.

What changed, and what that needs, is for `outer compat` to say. A patch or a minor raises versions in place. A major
goes beside the old one: a second contract and a second port; the old contract is put back as it was at the base, is
deprecated, and says until when it is supported and what takes its place. One major runs through product and ports
(rules VER002 and IDN004), so with one port all of them get the new major.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from outer import git
from outer.compat import CompatReport, command
from outer.compat.judge import settings
from outer.compat.rule import Category
from outer.compat.versions import Bump, Version, version
from outer.daytwo import edit
from outer.daytwo.change import Changed, Draft, Left, file, place
from outer.errors import OuterError, UsageError
from outer.finding import Level
from outer.ports import variable
from outer.product import DESCRIPTOR, OUTPUT_CONTRACTS, File, mappings
from outer.talk import Talk
from outer.yamledit import replace
from outer.yamlfile import Pointer, Unreadable, parse, show

_ENDS = ("endOfSupport", "es")
_BASE = re.compile(r"\(([0-9a-f]{7,64})\)\Z")
_FILE = re.compile(r"(?P<stem>.+?)(?:\.v[0-9]+)?(?P<kind>\.[A-Za-z][A-Za-z0-9]*)?\Z")


@dataclass(frozen=True)
class _Port:
    """An output port in its newest major."""

    name: str
    index: int
    """Position in the descriptor."""
    version: Version
    contract: File


@dataclass
class _Plan:
    """The versions that are to be."""

    product: Version | None = None
    in_place: dict[str, Version] = field(default_factory=dict)
    """Path of a contract -> its version."""
    beside: bool = False
    """Whether every port gets a new major."""
    restored: dict[str, bytes] = field(default_factory=dict)
    """Path of a contract -> what it was, where a break stands in it."""
    old: Mapping[str, str] = field(default_factory=dict)
    """Path -> version at the base."""


def bump(
    root: Path,
    ports: Sequence[str] = (),
    *,
    to: str | None = None,
    talk: Talk,
    base: str | None = None,
    sunset: date | None = None,
    as_of: date | None = None,
) -> Changed:
    """Give the product in `root` the versions that its changes need.

    Without `to` as `outer compat` asks against `base` (a git revision, by default where HEAD left the default branch);
    with `to` (major, minor or patch) that step for the output ports `ports`, counted from the base where there is one,
    so that it is made once. `sunset` is the last day of support of a major that is followed by another, by default as
    soon as the standard's notice allows.

    Raises `UsageError`, with nothing written, for a product that makes no sense, a port that it does not have, a base
    that is not there, a day that comes too soon, and where the gate would find an error; `NothingChecked` where there
    is nothing to compare with and no `to`.
    """
    draft = Draft(root, as_of)
    if to not in (None, "major", "minor", "patch"):
        raise UsageError(f"{show(to)} is no step", "Choose major, minor or patch, or leave --to out.")
    known = _newest(draft)
    chosen = _chosen(draft, known, ports, to)
    report = _compared(draft, base, needed=to is None or base is not None)
    if to is None:
        assert report is not None  # noqa: S101 (it was needed)
        plan = _asked(draft, report, known, chosen)
    else:
        plan = _told(draft, report, known, chosen, Bump[to.upper()])
    if sunset and not plan.beside:
        raise UsageError(
            "--sunset is the end of an older major, and no new one is to be made",
            "Leave it out, or make one: --to major.",
        )
    end = sunset or draft.as_of + timedelta(days=_notice(draft))
    if plan.beside and (end - draft.as_of).days < _notice(draft):
        raise UsageError(
            f"support would end on {end}, less than {_notice(draft)} days from {draft.as_of}",
            "Choose a later day: consumers need the time to move.",
        )
    made: list[str] = []
    if plan.beside:
        made = [_beside(draft, port, plan, end) for port in reversed(list(known.values()))]
    _in_place(draft, plan)
    if not draft.changed:
        return Changed(_nothing(report, to))
    for path in plan.restored:
        assert report is not None  # noqa: S101 (it came from there)
        talk.note(f"{path} is put back as it was at {report.base}; the change goes to the next major")
    left = [*_left(draft, known, made, end), *draft.left(made)]
    written = draft.write()
    left += _open(draft, base if report else None, needed=report is not None)
    after = file(DESCRIPTOR, draft.text(DESCRIPTOR))
    return Changed(_done(draft.descriptor, after, known), written, tuple(left))


# --- Who is meant -------------------------------------------------------------------------------------------------


def _newest(draft: Draft) -> Mapping[str, _Port]:
    """Every output port by its name, in its newest major, in the order of the descriptor."""
    contracts = {(f.get("id"), f.get("version")): f for f in draft.product.output_contracts}
    found: dict[str, _Port] = {}
    for index, entry in mappings(draft.descriptor.get("outputPorts")):
        name, own = str(entry.get("name")), version(entry.get("version"))
        contract = contracts[(entry.get("contractId"), entry.get("version"))]  # `model` has made sure
        if own is None:
            raise UsageError(
                f"{place(draft.descriptor, 'outputPorts', index, 'version')}: {show(entry.get('version'))} is no "
                "semantic version",
                "Write MAJOR.MINOR.PATCH, for example 1.0.0.",
            )
        if name not in found or found[name].version.major < own.major:
            found[name] = _Port(name, index, own, contract)
    return dict(sorted(found.items(), key=lambda item: item[1].index))


def _chosen(draft: Draft, known: Mapping[str, _Port], ports: Sequence[str], to: str | None) -> Sequence[str]:
    where, there = place(draft.descriptor, "outputPorts"), ", ".join(known)
    for name in ports:
        if name not in known:
            raise UsageError(f"{where}: there is no output port {show(name)}; there is: {there}", "Name one of these.")
    if to == "major" and ports and set(ports) != set(known):
        raise UsageError(
            f"{where}: one major runs through product and ports, so that {there} get a new one together",
            "Leave the port out; or move it to a product of its own, if it shall go its own way.",
        )
    if to in ("minor", "patch") and not ports and len(known) > 1:
        raise UsageError(
            f"{where}: the product has {len(known)} output ports: {there}",
            "Name those that changed, or leave --to out: then `outer compat` tells which.",
        )
    return tuple(ports) or tuple(known)


def _notice(draft: Draft) -> int:
    return settings(draft.product.standard, draft.as_of, Category).notice_days


# --- What is needed -----------------------------------------------------------------------------------------------


def _compared(draft: Draft, base: str | None, *, needed: bool) -> CompatReport | None:
    try:
        return command(draft.root, base=base, against=None, categories=None, as_of=draft.as_of)
    except OuterError:
        if needed:
            raise
        return None


def _asked(draft: Draft, report: CompatReport, known: Mapping[str, _Port], chosen: Sequence[str]) -> _Plan:
    """The versions that `outer compat` asks for."""
    plan = _Plan(old=_old(report))
    by_path = {port.contract.path: port for port in known.values()}
    wanted = {file.path for file in draft.product.output_contracts if str(file.get("name")) in chosen}
    for one in report.comparisons:
        following = version(one.next_version)
        if one.enough or following is None or one.kind == "pinned contract":
            continue
        if one.kind == "product":
            plan.product = following
        elif one.path in wanted and one.next_file == one.path:
            plan.in_place[one.path] = max(following, plan.in_place.get(one.path, following), key=_order)
        elif one.path in wanted and one.path in by_path:
            plan.beside = True
        elif one.path in wanted:
            raise UsageError(
                f"{one.path}: an older major was changed so that it breaks its readers; nothing was written",
                f"Take the change back: git checkout {_revision(report) or 'the base'} -- {one.path}",
            )
    own = version(draft.descriptor.get("version"))
    if own and plan.product and plan.product.major > own.major > 0:
        plan.beside = True
    if plan.beside:
        _restore(draft, report, known, plan)
    return plan


def _told(
    draft: Draft, report: CompatReport | None, known: Mapping[str, _Port], chosen: Sequence[str], step: Bump
) -> _Plan:
    """The versions that one step makes, counted from the base."""
    old = _old(report)
    plan = _Plan(old=old)
    ports = [known[name] for name in chosen]
    own = version(draft.descriptor.get("version"))
    if step is Bump.MAJOR and own and own.major:
        fresh = [port for port in ports if old.get(port.contract.path) == ""]
        older = {f.get("name") for f in draft.product.output_contracts if old.get(f.path)}
        plan.beside = not (fresh and len(fresh) == len(ports) and {p.name for p in fresh} <= older)
        if plan.beside and report:
            _restore(draft, report, known, plan)
        return plan
    for port in ports:
        then = version(old.get(port.contract.path)) or port.version
        if then.step(port.version) < step:
            plan.in_place[port.contract.path] = then.after(step)
    then_product = version(old.get(DESCRIPTOR)) or own
    if plan.in_place and own and then_product and then_product.step(own) < step:
        plan.product = then_product.after(step)
    return plan


def _old(report: CompatReport | None) -> Mapping[str, str]:
    """Path -> version at the base; empty where there was none."""
    found: dict[str, str] = {}
    for one in report.comparisons if report else ():
        if one.against == report.base and one.kind != "pinned contract":  # type: ignore[union-attr]
            found.setdefault(one.path, one.old_version)
    return found


def _restore(draft: Draft, report: CompatReport, known: Mapping[str, _Port], plan: _Plan) -> None:
    """Find what each contract was that breaks its readers now."""
    paths = {port.contract.path for port in known.values()}
    for one in report.comparisons:
        if one.path in paths and one.kind == "contract" and one.next_file != one.path and not one.enough:
            plan.restored[one.path] = _at_base(draft.root, report, one.path, one.old_version)


def _revision(report: CompatReport) -> str:
    match = _BASE.search(report.base)
    return match[1] if match else ""


def _at_base(root: Path, report: CompatReport, path: str, old: str) -> bytes:
    """The contract at `path` as it was at the base, byte for byte."""
    revision = _revision(report)
    if revision:
        there = git.printed(root, "show", f"{revision}:./{path}")
        with suppress(Unreadable):
            if str(parse(there).value.get("version")) == old:
                return there
    raise UsageError(
        f"{path} breaks its readers, and what it was at {report.base} was not found; nothing was written",
        "Put the old content back by hand, and the new one into the contract of the next major.",
    )


def _order(value: Version) -> Any:
    return value.key


# --- In place -----------------------------------------------------------------------------------------------------


def _in_place(draft: Draft, plan: _Plan) -> None:
    """Raise versions where they stand, in the contracts and wherever the descriptor names them."""
    descriptor = file(DESCRIPTOR, draft.text(DESCRIPTOR))
    changes: dict[Pointer, Any] = {}
    for path, following in plan.in_place.items():
        contract = file(path, draft.text(path))
        key = (contract.get("id"), contract.get("version"))
        draft.edit(path, lambda data, following=following: replace(data, {("version",): str(following)}))  # type: ignore[misc]
        for index, entry in mappings(descriptor.get("outputPorts")):
            if (entry.get("contractId"), entry.get("version")) == key:
                changes[("outputPorts", index, "version")] = str(following)
            for position, used in mappings(entry.get("inputContracts")):
                if (used.get("id"), used.get("version")) == key:
                    changes[("outputPorts", index, "inputContracts", position, "version")] = str(following)
    if plan.product and not plan.beside:
        changes[("version",)] = str(plan.product)
    if plan.beside:
        number = _next_major(descriptor)
        changes[("version",)] = f"{number}.0.0"
        changes[("id",)] = f"urn:dmb:dp:{descriptor.get('domain')}:{descriptor.get('name')}:{number}"
    if changes:
        draft.edit(DESCRIPTOR, lambda data: replace(data, changes))


def _next_major(descriptor: File) -> int:
    own = version(descriptor.get("version"))
    if own is None:
        raise UsageError(
            f"{place(descriptor, 'version')}: {show(descriptor.get('version'))} is no semantic version",
            "Write MAJOR.MINOR.PATCH, for example 1.0.0.",
        )
    return own.major + 1


# --- Beside -------------------------------------------------------------------------------------------------------


def _beside(draft: Draft, port: _Port, plan: _Plan, end: date) -> str:
    """Put the next major of a port beside the one that it has; return the path of its contract."""
    contract, path = port.contract, port.contract.path
    if contract.get("status") in ("deprecated", "retired"):
        raise UsageError(
            f"{place(contract, 'status')}: {port.name} is {contract.get('status')} already; nothing was written",
            "Give up the product, or bring the contract back to active.",
        )
    number = _next_major(draft.descriptor)
    name, domain, product = port.name, draft.descriptor.get("domain"), draft.descriptor.get("name")
    urn = f"urn:dmb:cmp:{domain}:{product}:{number}:{name}"
    target = f"{OUTPUT_CONTRACTS}/{name}.v{number}.odcs.yaml"
    values: dict[Pointer, Any] = {("id",): urn, ("version",): f"{number}.0.0"}
    for position, server in mappings(contract.get("servers")):
        for key in ("path", "location"):
            if isinstance(server.get(key), str):
                values[("servers", position, key)] = _moved(server[key], number)
    new = _said(draft, path, lambda data: replace(data, values))
    draft.create(target, _titled(new, port.version.major, number))

    then = plan.restored.get(path)
    if then is not None:
        draft.put(path, then)
    old = file(path, draft.text(path))
    own = version(old.get("version")) or port.version
    plan.in_place.pop(path, None)
    base = version(plan.old.get(path)) or own
    last = own if base.step(own) >= Bump.MINOR else base.after(Bump.MINOR)
    draft.edit(path, lambda data: _deprecated(data, old, last, end, urn))
    _second(draft, port, old, urn, number, last)
    return target


def _said(draft: Draft, path: str, change: Any) -> bytes:
    """What `path` would be after `change`, which stays as it is."""
    before = draft.text(path)
    draft.edit(path, change)
    after = draft.text(path)
    draft.put(path, before)
    return after


def _moved(location: str, number: int) -> str:
    """Where the next major of a port is published: beside the older one, under another name."""
    folder, slash, last = location.rpartition("/")
    match = _FILE.match(last)
    return f"{folder}{slash}{match['stem']}.v{number}{match['kind'] or ''}" if match else location


def _titled(data: bytes, old: int, new: int) -> bytes:
    """The contract with its major in the first line, where that line is the one of a fresh product."""
    first, end, rest = data.partition(b"\n")
    before, after = (f", major version {number}:".encode() for number in (old, new))
    return first.replace(before, after) + end + rest if first.startswith(b"#") else data


def _deprecated(data: bytes, old: File, last: Version, end: date, successor: str) -> bytes:
    values: dict[Pointer, Any] = {("version",): str(last), ("status",): "deprecated"}
    levels = {str(level.get("property")): index for index, level in mappings(old.get("slaProperties"))}
    known = next((levels[name] for name in _ENDS if name in levels), None)
    if known is not None:
        values[("slaProperties", known, "value")] = end.isoformat()
    entries = {str(entry.get("property")): index for index, entry in mappings(old.get("customProperties"))}
    if "successor" in entries:
        values[("customProperties", entries["successor"], "value")] = successor
    if old.get("deprecated") is False:
        values[("deprecated",)] = True
    data = replace(data, values)
    if known is None:
        level = {
            "property": "endOfSupport",
            "value": end.isoformat(),
            "description": "Until then both majors are kept.",
        }
        data = edit.append(data, ("slaProperties",), level)
    if "successor" not in entries:
        data = edit.append(data, ("customProperties",), {"property": "successor", "value": successor})
    return data


def _second(draft: Draft, port: _Port, old: File, urn: str, number: int, last: Version) -> None:
    """Name the second major in the descriptor, as the first is named there, and say that the first is deprecated."""
    at: Pointer = ("outputPorts", port.index)
    after: Pointer = ("outputPorts", port.index + 1)
    entry = dict(draft.descriptor.get(*at))
    source = edit.entry(draft.text(DESCRIPTOR), at)

    def change(data: bytes) -> bytes:
        data = edit.append(data, ("outputPorts",), entry, after=port.index, source=source)
        values: dict[Pointer, Any] = {
            (*at, "version"): str(last),
            (*at, "contractId"): old.get("id"),
            (*after, "version"): f"{number}.0.0",
            (*after, "contractId"): urn,
        }
        if isinstance(entry.get("deprecated"), bool):
            return replace(data, {**values, (*at, "deprecated"): True, (*after, "deprecated"): False})
        return edit.add(replace(data, values), at, "deprecated", True, after="version")

    draft.edit(DESCRIPTOR, change)


# --- What is said -------------------------------------------------------------------------------------------------


def _nothing(report: CompatReport | None, to: str | None) -> str:
    against = f" since {report.base}" if report else ""
    return f"Nothing to do: the versions make the {to} step{against} already." if to else (
        f"Nothing to do: the versions say what has changed{against}.")  # fmt: skip


def _done(before: File, after: File, known: Mapping[str, _Port]) -> str:
    lines: list[str] = []
    if after.get("version") != before.get("version"):
        lines.append(f"The product is {after.get('version')}, before {before.get('version')}.")
    for name in known:
        versions = [
            [str(entry.get("version")) for _, entry in mappings(side.get("outputPorts")) if entry.get("name") == name]
            for side in (before, after)
        ]
        if versions[0] != versions[1]:
            lines.append(f"The output port {name} is {' and '.join(versions[1])}, before {' and '.join(versions[0])}.")
    return "\n".join(lines)


def _left(draft: Draft, known: Mapping[str, _Port], made: Sequence[str], end: date) -> Sequence[Left]:
    if not made:
        return ()
    left: list[Left] = []
    for path in sorted(made):
        contract = file(path, draft.text(path))
        name = str(contract.get("name"))
        old = known[name].contract.path
        before = file(old, draft.text(old))
        left.append(Left(place(contract, "schema"), f"what {name} is from this major on, if it is not said yet"))
        left.append(Left(place(before, "status"), f"its consumers, who have to know that support ends on {end}"))
        unmoved = [s for _, s in mappings(contract.get("servers")) if s in (before.get("servers") or [])]
        for server in unmoved:
            left.append(Left(place(contract, "servers"), f"where it is in {server.get('environment')}"))
    for index, workload in mappings(draft.inner.get("workloads")):
        for name in workload.get("writes") or ():
            older = known[name].version.major
            left.append(
                Left(
                    place(draft.inner, "workloads", index, "writes"),
                    f"a job that writes both majors of {name}: {variable('OUTPUT', name)} is the new one, "
                    f"{variable('OUTPUT', f'{name}.v{older}')} the old one; until then `outer run` fails",
                )
            )
    return left


def _open(draft: Draft, base: str | None, *, needed: bool) -> Sequence[Left]:
    """What `outer compat` still has against the product."""
    report = _compared(draft, base, needed=False) if needed else None
    found = report.at(Level.ERROR) if report else ()
    return [Left(f"{f.path}:{f.place.line}", f"{f.message} ({f.rule})") for f in found]
