"""Judges a product against what it was: which changes there are, what they need, and whether the versions say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Literal

from outer.compat import grammar
from outer.compat.base import Basis, Release, Side
from outer.compat.change import Change, Element, Past, Scene, changes
from outer.compat.rule import Category, Grade, Rule, Way
from outer.compat.rules import judged
from outer.compat.rules_lifecycle import ended
from outer.compat.versions import Bump, Version, version
from outer.errors import NothingChecked, UsageError
from outer.finding import Finding, Level
from outer.product import DESCRIPTOR, File
from outer.yamlfile import Place

UNSTABLE = ("proposed", "draft")
"""States in which a contract promises nothing yet: it may break with a minor, and what breaks is told, not failed."""

NOTICE_DAYS = 90
"""Least notice before an end, unless outer/standard.yaml says `contract.notice_days`."""

_PORT = re.compile(r"(.+?)(?:\.v[0-9]+)?\.odcs\.ya?ml\Z")


@dataclass(frozen=True)
class Settings:
    """What is judged by, besides the rules."""

    as_of: date
    classifications: tuple[str, ...] = ()
    visibilities: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ("proposed", "draft", "active", "deprecated", "retired")
    notice_days: int = NOTICE_DAYS
    categories: frozenset[Category] = frozenset(Category)


def settings(standard: File | None, as_of: date, categories: Iterable[Category]) -> Settings:
    """The organisation's scales from outer/standard.yaml; without it only what is built in."""

    def words(*steps: str) -> tuple[str, ...]:
        value = standard.get(*steps) if standard else None
        return tuple(map(str, value)) if isinstance(value, list) else ()

    notice = standard.get("contract", "notice_days") if standard else None
    own = Settings(as_of)
    return Settings(
        as_of,
        words("classifications"),
        words("visibilities"),
        words("statuses") or own.statuses,
        notice if isinstance(notice, int) and not isinstance(notice, bool) else NOTICE_DAYS,
        frozenset(categories) | {Category.TOOL},
    )


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a change."""

    rule: Rule
    message: str
    todo: str
    path: str
    place: Place
    level: Level = Level.INFO

    def finding(self) -> Finding:
        return Finding(self.rule.id, self.level, self.path, self.place, self.message, self.todo)


@dataclass(frozen=True)
class Comparison:
    """One document against what it was."""

    kind: Literal["contract", "pinned contract", "product"]
    path: str
    """The newer file, or the older one where there is no newer."""
    name: str
    against: str
    old_version: str
    """Empty where there was none, as `new_version` where there is none any more."""
    new_version: str
    need: Bump
    """What the changes ask for."""
    enough: bool
    """Whether the versions make that step."""
    next_version: str
    next_file: str
    """Where the next version belongs: a new major beside the old one, everything else in place."""
    verdicts: tuple[Verdict, ...]
    drafted: bool = False
    """Whether the contract promised nothing yet: what breaks in it is told, not failed."""


def judge(head: Side, basis: Basis, by: Settings) -> tuple[Comparison, ...]:
    """Compare `head` with `basis`, document by document. Raises `NothingChecked` where there was no contract."""
    if basis.single:
        return (_single(head, basis, by),)
    if not basis.side.outputs:
        raise NothingChecked(
            f"nothing to compare: there was no output contract at {basis.side.label}",
            "Choose another base; a product that has just begun may be let through with --allow-empty.",
        )
    pairs, gone, fresh = _paired(basis.side.outputs, head.outputs)
    past = _past(basis.releases)
    found: list[Comparison] = []
    released: list[Comparison] = []
    for old, new in pairs:
        scene = _scene(by, old, new, successor=_successor(new, head.outputs), past=past.get(port(new.path), {}))
        own = _contract(scene, old, new, basis.side.label, by)
        found.append(own)
        released += _released(own, scene, old, new, basis.releases, by)
    found += [_gone(old, head, basis.side, by) for old in gone]
    for new in fresh:
        own = _fresh(new, basis.side, by)
        found.append(own)
        # It may have been there before, and gone for a while.
        released += _released(own, _scene(by, None, new), new, new, basis.releases, by)
    found += _pins(basis.side, head, by)
    doubts = tuple(_doubts(basis, by))
    if head.descriptor is None:
        raise UsageError(f"{DESCRIPTOR} does not exist", "Restore it from git.")
    if basis.side.descriptor is not None:
        found.append(_product(head, basis, found, by))
    if doubts:
        found[0] = replace(found[0], verdicts=(*found[0].verdicts, *doubts))
    return (*found, *released)


# --- Who is compared with whom ------------------------------------------------------------------------------------


def port(path: str) -> str:
    """Name of the port that a contract file is for: `orders` for `orders.v2.odcs.yaml`."""
    name = PurePosixPath(path).name
    match = _PORT.match(name)
    return match[1] if match else name


def _major(file: File) -> Any:
    found = version(file.get("version"))
    return found.major if found else file.get("version")


def unstable(document: Element) -> bool:
    """Whether a document promises nothing yet: by its status, or as a pre-release."""
    found = version(document.get("version"))
    return document.get("status") in UNSTABLE or bool(found and found.pre)


def _paired(old: Sequence[File], new: Sequence[File]) -> tuple[list[tuple[File, File]], list[File], list[File]]:
    """Pairs of the same contract, those that are gone, and those that came.

    The same is what has the same id and major; then the same file and major; and what promised nothing yet, or stood
    before 1.0.0, also with another major.
    """
    waiting = list(new)
    pairs: list[tuple[File, File]] = []
    gone = list(old)

    def pair(fits: Any) -> None:
        for before in list(gone):
            after = next((file for file in waiting if fits(before, file)), None)
            if after is not None:
                pairs.append((before, after))
                gone.remove(before)
                waiting.remove(after)

    def same_id(a: File, b: File) -> bool:
        return a.get("id") is not None and grammar.text(a.get("id")) == grammar.text(b.get("id"))

    def loose(file: File) -> bool:
        found = version(file.get("version"))
        return unstable(file.value) or found is None or not found.major

    pair(lambda a, b: same_id(a, b) and _major(a) == _major(b) and a.path == b.path)
    pair(lambda a, b: same_id(a, b) and _major(a) == _major(b))
    pair(lambda a, b: a.path == b.path and _major(a) == _major(b))
    pair(lambda a, b: a.path == b.path and version(b.get("version")) is None)
    pair(lambda a, b: loose(a) and (same_id(a, b) or a.path == b.path))
    return sorted(pairs, key=lambda p: p[1].path), gone, waiting


def _successor(file: File, all_contracts: Iterable[File]) -> bool:
    own = version(file.get("version"))
    others = (v for f in all_contracts if port(f.path) == port(file.path) and f.get("status") != "retired"
              and (v := version(f.get("version"))))  # fmt: skip
    return own is not None and any(v.major > own.major for v in others)


def _past(releases: Iterable[Release]) -> dict[str, dict[str, tuple[Past, ...]]]:
    """Port -> path of a column -> how releases described it."""
    found: dict[str, dict[str, tuple[Past, ...]]] = {}
    for release in releases:
        for file in release.outputs:
            columns = found.setdefault(port(file.path), {})
            tables = file.get("schema")
            for table in tables if isinstance(tables, list) else ():
                for name, column in _columns(table, ""):
                    known = columns.get(name, ())
                    if not any(grammar.equal("column", past.column, column) for past in known):
                        columns[name] = (*known, Past(release.tag, column))
    return found


def _columns(element: Any, path: str) -> Iterator[tuple[str, Element]]:
    """Columns inside an element, each with its path as changes call it."""
    inside = element.get("properties") if isinstance(element, dict) else None
    for column in inside if isinstance(inside, list) else ():
        if isinstance(column, dict):
            name = f"{path}.{column.get('name')}" if path else str(column.get("name"))
            yield name, column
            yield from _columns(column, name)
            yield from _columns(column.get("items"), f"{name}[]")


# --- One document -------------------------------------------------------------------------------------------------


def _scene(by: Settings, old: File | None, new: File | None, **more: Any) -> Scene:
    return Scene(
        old=old.value if old else {},
        new=new.value if new else {},
        as_of=by.as_of,
        classifications=by.classifications,
        visibilities=by.visibilities,
        statuses=by.statuses,
        notice_days=by.notice_days,
        **more,
    )


@dataclass(frozen=True)
class _Judged:
    """What the rules said, before it is known whether the version is large enough."""

    rule: Rule
    change: Change
    message: str


def _said(found: Iterable[Change], by: Settings) -> list[_Judged]:
    return [
        _Judged(rule, change, words)
        for change in found
        for rule, words in judged(change)
        if rule.category in by.categories
    ]


def _need(said: Iterable[_Judged], old: Element) -> Bump:
    """The step that changes ask for. What promised nothing yet asks for a minor at most, a pre-release for any step.

    That a draft becomes active asks for none: the version that was drafted is the one that is released.
    """
    drafted = old.get("status") in UNSTABLE
    counted = (one for one in said if not (drafted and one.change.clause.endswith(".status")))
    need = max((one.rule.grade.bump for one in counted), default=Bump.NONE)
    found = version(old.get("version"))
    if found and found.pre:
        return min(need, Bump.PATCH)
    return min(need, Bump.MINOR) if old.get("status") in UNSTABLE else need


def _version_change(clause: str, scene: Scene, kind: str, need: Bump) -> Change:
    """The version of a document as a change of its own, for the rules about versions."""
    old, new = version(scene.old.get("version")), scene.new.get("version")
    following = str(old.after(need)) if old else "1.0.0"
    named = replace(scene, need=need, next_version=following)
    name = str(scene.new.get("name") or scene.old.get("name") or "")
    root = Change(kind, name, scene.old, scene.new, (), (), None, named)
    return replace(root, clause=clause, old=scene.old.get("version"), new=new, new_at=("version",), owner=root)


def _versioned(clause: str, scene: Scene, kind: str, need: Bump) -> list[_Judged]:
    change = _version_change(clause, scene, kind, need)
    return [_Judged(rule, change, words) for rule, words in judged(change) if rule.category is Category.LIFECYCLE]


def _step(old: Element, new: Element) -> Bump | None:
    before, after = version(old.get("version")), version(new.get("version"))
    return before.step(after) if before and after else None


def _level(said: _Judged, old: Element, step: Bump | None) -> Level:
    rule = said.rule
    if rule.id.startswith("REL"):
        return Level.ERROR
    if rule.category is Category.TOOL:
        return Level.WARNING
    told = unstable(old)
    match rule.grade:
        case Grade.FORBIDDEN:
            return Level.INFO if told else Level.ERROR
        case Grade.BREAKING:
            return Level.INFO if told or step is Bump.MAJOR else Level.ERROR
        case Grade.RISKY:
            return Level.INFO if told or step is Bump.MAJOR else Level.WARNING
        case _:
            return Level.INFO


def _verdicts(
    said: Iterable[_Judged], path: str, old: File, new: File | None, step: Bump | None, way_out: str
) -> tuple[Verdict, ...]:
    found: list[Verdict] = []
    for one in said:
        rule, change = one.rule, one.change
        gone = change.new is None and change.old is not None
        place = old.place(*change.old_at) if gone or new is None else new.place(*change.new_at)
        todo = rule.todo
        if way_out and rule.id in ("REL001", "REL003"):
            todo = f"Take the change back. {way_out}"
        elif way_out and rule.grade is Grade.BREAKING:
            todo = f"{todo} {way_out}"
        found.append(Verdict(rule, one.message, todo, path, place, _level(one, old.value, step)))
    return tuple(sorted(found, key=lambda v: (v.place.line, v.place.column, v.rule.id, v.message)))


def _next(path: str, old: Version | None, need: Bump, *, beside: bool) -> tuple[str, str]:
    """The next version, and the file where it belongs."""
    following = old.after(need) if old else Version(1, 0, 0)
    if not (beside and need is Bump.MAJOR and old and following.major > old.major):
        return str(following), path
    suffix = ".odcs.yml" if path.endswith(".yml") else ".odcs.yaml"
    return str(following), str(PurePosixPath(path).parent / f"{port(path)}.v{following.major}{suffix}")


def _contract(scene: Scene, old: File, new: File, against: str, by: Settings) -> Comparison:
    found = changes(scene, "contract")
    if old.get("status") == "retired":
        # Nothing is promised any more; only its coming back matters.
        found = [c for c in found if c.clause == "contract.status"]
        said = [j for j in _said(found, by) if j.rule.grade is Grade.FORBIDDEN]
        need = Bump.NONE
    else:
        said = _said(found, by)
        need = _need(said, old.value)
        said += _versioned("version", scene, "contract", need)
    step = _step(old.value, new.value)
    before = version(old.get("version"))
    following, file = _next(new.path, before, need, beside=not unstable(old.value))
    way_out = f"Or publish it as {following} in {file} beside this one." if file != new.path else ""
    return Comparison(
        "contract", new.path, str(new.get("name") or port(new.path)), against, str(old.get("version")),
        str(new.get("version")), need, _enough(need, step), following, file,
        _verdicts(said, new.path, old, new, step, way_out), drafted=old.get("status") in UNSTABLE,
    )  # fmt: skip


def _enough(need: Bump, step: Bump | None) -> bool:
    return step is not None and step >= need


def _gone(old: File, head: Side, base: Side, by: Settings) -> Comparison:
    over = next((f for f in head.outputs if f.path == old.path), None)
    scene = _scene(
        by, old, None, overwritten=over.path if over else "", next_version=str(over.get("version")) if over else ""
    )
    name = str(old.get("name") or port(old.path))
    said = _said([Change("contract", name, old.value, None, ("version",), (), None, scene)], by)
    need = _need(said, old.value)
    return Comparison(
        "contract", old.path, name, base.label, str(old.get("version")), "", need, True, "", old.path,
        _verdicts(said, old.path, old, over, None, ""), drafted=old.get("status") in UNSTABLE,
    )  # fmt: skip


def _fresh(new: File, base: Side, by: Settings) -> Comparison:
    scene = _scene(by, None, new)
    name = str(new.get("name") or port(new.path))
    said = _said([Change("contract", name, None, new.value, (), ("version",), None, scene)], by)
    return Comparison(
        "contract", new.path, name, base.label, "", str(new.get("version")), Bump.NONE, True, str(new.get("version")),
        new.path, _verdicts(said, new.path, new, new, None, ""),
    )  # fmt: skip


# --- Releases -----------------------------------------------------------------------------------------------------


def _released(
    own: Comparison, scene: Scene, base: File, new: File, releases: Iterable[Release], by: Settings
) -> Iterator[Comparison]:
    """The contract against its releases: no other content under a released version, no break of the same line."""
    if new.get("status") == "retired":
        return
    told = {(v.rule.id, v.message) for v in own.verdicts}
    seen = [base.value]
    now = version(new.get("version"))
    for release in releases:
        for old in release.outputs:
            same = grammar.text(old.get("id")) == grammar.text(new.get("id"))
            if not same or old.get("status") in (*UNSTABLE, "retired") or now is None:
                continue
            clash = old.get("version") == new.get("version") and not grammar.equal("contract", old.value, new.value)
            before = version(old.get("version"))
            if clash and Category.LIFECYCLE in by.categories:
                scene_then = replace(scene, old=old.value, release=release.tag)
                change = _version_change("released", scene_then, "contract", Bump.NONE)
                change = replace(change, scene=scene_then)
                said = [_Judged(rule, change, words) for rule, words in judged(change)]
                yield _compared(said, old, new, release, Bump.PATCH, Bump.NONE)
                return
            supported = release.merged and before is not None and before.line == now.line and before.key < now.key
            if not supported or any(grammar.equal("contract", old.value, known) for known in seen):
                continue
            seen.append(old.value)
            then = replace(scene, old=old.value)
            said = [j for j in _said(changes(then, "contract"), by) if j.rule.grade is Grade.BREAKING]
            said = [j for j in said if (j.rule.id, j.message) not in told]
            if said:
                told |= {(j.rule.id, j.message) for j in said}
                said += _versioned("version", then, "contract", Bump.MAJOR)
                yield _compared(said, old, new, release, Bump.MAJOR, _step(old.value, new.value))


def _compared(said: list[_Judged], old: File, new: File, release: Release, need: Bump, step: Bump | None) -> Comparison:
    following, file = _next(new.path, version(new.get("version")), need, beside=True)
    way_out = f"Or publish it as {following} in {file} beside this one." if need is Bump.MAJOR else ""
    verdicts = _verdicts(said, new.path, new, new, step, way_out)
    return Comparison(
        "contract", new.path, str(new.get("name") or port(new.path)), release.tag, str(old.get("version")),
        str(new.get("version")), need, _enough(need, step), following, file,
        tuple(replace(v, message=f"{v.message} (against {release.tag})") for v in verdicts),
    )  # fmt: skip


def _doubts(basis: Basis, by: Settings) -> Iterator[Verdict]:
    """What could not be compared, said aloud."""
    found: list[Change] = []
    scene = _scene(by, None, None)
    if basis.shallow:
        found.append(Change("shallow", "", None, None, (), (), None, scene))
    for release in basis.releases:
        for path, reason in release.unreadable:
            at = replace(scene, release=release.tag)
            found.append(Change("unreadable", path, None, reason, (), (), None, at))
    for change in found:
        for rule, words in judged(change):
            yield Verdict(rule, words, rule.todo, change.name or DESCRIPTOR, Place(), Level.WARNING)


# --- Pinned contracts ---------------------------------------------------------------------------------------------

_CLOSING = ("GVN002", "GVN004", "GVN006", "GVN007")


def _pins(base: Side, head: Side, by: Settings) -> Iterator[Comparison]:
    """Each pinned contract against the one before. What the producer did asks nobody here for a major."""
    waiting = list(head.inputs)
    for old in base.inputs:
        new = next((f for f in waiting if f.get("id") == old.get("id")), None) or next(
            (f for f in waiting if port(f.path) == port(old.path)), None
        )
        if new is not None:
            waiting.remove(new)
            yield from _pin(old, new, base.label, by)


def _pin(old: File, new: File, against: str, by: Settings) -> Iterator[Comparison]:
    scene = _scene(by, old, new, successor=True)
    every = replace(by, categories=frozenset(Category))
    said = _said(changes(scene, "contract"), every)
    before, after = version(old.get("version")), version(new.get("version"))
    unraised = str(old.get("version")) == str(new.get("version"))
    weaker = [j.message for j in said if _takes(j)]
    if before and after and after.key < before.key:
        weaker.append("the version went down")
    closing = [j.message for j in said if j.rule.id in _CLOSING]
    same = [j.message for j in said if j.change.clause in ("notation", "wording")]
    rest = [j.message for j in said if j.message not in {*weaker, *closing, *same}]
    rest = rest or ([] if weaker or closing else same)
    name = str(new.get("name") or port(new.path))

    def change(clause: str, words: list[str]) -> Change:
        at = replace(scene, pinned=tuple(words))
        root = Change("inputPort", name, old.value, new.value, (), (), None, at)
        return Change(clause, name, old.get("version"), new.get("version"), (), ("version",), root, at)

    found: list[Change] = []
    if unraised and said:
        found.append(change("pin.edited", weaker + closing + rest))
    if weaker:
        found.append(change("pin.weaker", weaker))
    if closing and not unraised:
        found.append(change("pin.closed", closing))
    if not (weaker or closing or unraised):
        found.append(change("pin.stronger", rest))
    upstream = _said(found, by)
    if not upstream:
        return
    need = max(j.rule.grade.bump for j in upstream)
    # A pin binds this product, not the producer, so its own state and version do not soften what is said.
    firm = replace(old, document=replace(old.document, value={**old.value, "status": "active", "version": "1.0.0"}))
    yield Comparison(
        "pinned contract", new.path, name, against, str(old.get("version")), str(new.get("version")), need, True,
        str(new.get("version")), new.path, _verdicts(upstream, new.path, firm, new, None, ""),
    )  # fmt: skip


def _takes(said: _Judged) -> bool:
    """Whether a change upstream may take something from those who read."""
    if said.change.clause == "contract.status":
        return said.change.new not in ("draft", "active")
    doubtful = said.rule.grade is Grade.RISKY and said.rule.way is Way.NEITHER
    return (said.rule.way is Way.WEAKER and said.rule.id not in _CLOSING) or doubtful


# --- The product --------------------------------------------------------------------------------------------------


def _product(head: Side, basis: Basis, contracts: Sequence[Comparison], by: Settings) -> Comparison:
    old, new = basis.side.descriptor, head.descriptor
    if old is None or new is None:
        raise AssertionError("both descriptors are there, by `judge`")
    scene = _scene(by, old, new, ended=_ended_ports(old, basis.side.outputs, by.as_of))
    said = _said(changes(scene, "descriptor"), by)
    own = _need(said, old.value)
    step = _step(old.value, new.value)
    version_said = _versioned("version", scene, "descriptor", own)
    need = max(own, _asked(old, contracts))
    found = version(old.get("version"))
    if found and found.pre:
        need = min(need, Bump.PATCH)
    elif old.get("status") in UNSTABLE:
        need = min(need, Bump.MINOR)
    if not version_said:
        version_said = _versioned("version.product", scene, "descriptor", need)
    following, _ = _next(new.path, found, need, beside=False)
    way_out = f"Or raise the version of the product to {following}." if need is Bump.MAJOR else ""
    return Comparison(
        "product", new.path, str(new.get("name") or ""), basis.side.label, str(old.get("version")),
        str(new.get("version")), need, _enough(need, step), following, new.path,
        _verdicts(said + version_said, new.path, old, new, step, way_out),
    )  # fmt: skip


def _asked(old: File, contracts: Sequence[Comparison]) -> Bump:
    """What the contracts together ask of the version of the product."""
    own = version(old.get("version"))
    need = Bump.NONE
    for comparison in contracts:
        need = max(need, comparison.need)
        came = version(comparison.new_version)
        if not comparison.old_version and came is not None:
            need = max(need, Bump.MAJOR if own and came.major > own.major else Bump.MINOR)
    return need


def _ended_ports(descriptor: File, contracts: Sequence[File], as_of: date) -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    ports = descriptor.get("outputPorts")
    for entry in ports if isinstance(ports, list) else ():
        if not isinstance(entry, dict):
            continue
        key = (entry.get("contractId"), entry.get("version"))
        contract = next((c for c in contracts if (c.get("id"), c.get("version")) == key), None)
        if contract is not None and (ended(contract.value, as_of) or unstable(contract.value)):
            found.add((str(entry.get("name")), str(entry.get("version"))))
    return frozenset(found)


# --- One contract file --------------------------------------------------------------------------------------------


def _single(head: Side, basis: Basis, by: Settings) -> Comparison:
    (old,) = basis.side.outputs
    pairs, _, _ = _paired([old], head.outputs)
    if not pairs:
        pairs = [(old, file) for file in head.outputs if port(file.path) == port(old.path)][-1:]
    if pairs:
        new = pairs[0][1]
        scene = _scene(by, old, new, successor=_successor(new, head.outputs))
        return _contract(scene, old, new, basis.side.label, by)
    for new in head.inputs:
        if new.get("id") == old.get("id"):
            found = list(_pin(old, new, basis.side.label, by))
            version_now = str(new.get("version"))
            nothing = Comparison(
                "pinned contract", new.path, str(new.get("name") or port(new.path)), basis.side.label,
                str(old.get("version")), version_now, Bump.NONE, True, version_now, new.path, (),
            )  # fmt: skip
            return found[0] if found else nothing
    raise UsageError(
        f"no contract of the product is a version of {basis.side.label}",
        "Compare with a contract of the same id, or of the same file name.",
    )
