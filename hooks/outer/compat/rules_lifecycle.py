"""LCY, REL: from draft to retired, removal and deprecation, versions and releases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from outer.compat import units
from outer.compat.change import Change, show
from outer.compat.rule import Category, Grade, Way, column, contract, rule, table
from outer.compat.versions import Bump, version

forbidden = partial(rule, category=Category.LIFECYCLE, grade=Grade.FORBIDDEN)
additive = partial(rule, category=Category.LIFECYCLE, grade=Grade.ADDITIVE)

_STATUS = ("contract.status", "descriptor.status")
_ENDED = "slaProperties: [{property: endOfSupport, value: '2029-12-31'}]"
_ENDS = "slaProperties: [{property: endOfSupport, value: '2031-12-31'}]"
_SOON = "slaProperties: [{property: endOfSupport, value: '2030-01-15'}]"
_NOTHING = "customProperties: [{property: successor, value: none}]"


def sunset(document: Mapping[str, Any]) -> date | None:
    """The last day of a contract: the latest end of support or life that it announces, or None."""
    levels = document.get("slaProperties")
    days = [
        units.day(level.get("value"))
        for level in (levels if isinstance(levels, list) else ())
        if isinstance(level, dict) and units.plain(level.get("property")) in units.ENDS
    ]
    return max((day for day in days if day is not None), default=None)


def ended(document: Mapping[str, Any], as_of: date) -> bool:
    """Whether nothing is promised any more: retired, or deprecated with an end that has passed on `as_of`."""
    end = sunset(document)
    status = document.get("status")
    return status == "retired" or (status == "deprecated" and end is not None and end < as_of)


def _why_not(document: Mapping[str, Any]) -> str:
    if document.get("status") != "deprecated":
        return f"it is {show(document.get('status'))}, not deprecated"
    end = sunset(document)
    return f"its end is {end}" if end else "it names no end of support"


@forbidden(
    "LCY001",
    "contract",
    title="A contract was removed before its end.",
    why="Readers were promised the port until then.",
    todo="Put the contract back; deprecate it with an end of support, and remove it after that day.",
    bad=contract("status: active", None),
    good=contract(f"status: deprecated\n{_ENDED}", None),
    way=Way.WEAKER,
)
def removed(change: Change) -> str | None:
    scene = change.scene
    if change.new is not None or scene.overwritten or ended(scene.old, scene.as_of):
        return None
    return f"{change.label} {scene.old.get('version')} was removed, but {_why_not(scene.old)}"


@additive(
    "LCY002",
    "contract",
    title="A contract was removed after its end.",
    why="It was announced, and readers had the time to move.",
    todo="Tell the readers that it is gone.",
    bad=contract(f"status: deprecated\n{_ENDED}", None),
    good=contract(f"status: deprecated\n{_ENDS}", None),
    way=Way.WEAKER,
)
def removed_in_time(change: Change) -> str | None:
    scene = change.scene
    if change.new is not None or scene.overwritten or not ended(scene.old, scene.as_of):
        return None
    return f"{change.label} {scene.old.get('version')} was removed after its end"


@forbidden(
    "LCY003",
    *_STATUS,
    title="A contract was retired without being deprecated first, or before its end.",
    why="Readers were promised it until then.",
    todo="Deprecate it with an end of support, and retire it after that day.",
    bad=contract("status: active", "status: retired"),
    good=contract(f"status: deprecated\n{_ENDED}", f"status: retired\n{_ENDED}"),
    way=Way.WEAKER,
)
def retired(change: Change) -> str | None:
    if change.new != "retired":
        return None
    if change.clause == "descriptor.status":
        return None if change.old == "deprecated" else f"{change.label} was retired, but was never deprecated"
    old = change.scene.old
    return None if ended(old, change.scene.as_of) else f"{change.label} was retired, but {_why_not(old)}"


@forbidden(
    "LCY004",
    "contract.status",
    title="A contract was deprecated with too little time until its end.",
    why="Readers cannot move in time.",
    todo="Choose a later end of support.",
    bad=contract(f"status: active\n{_SOON}", f"status: deprecated\n{_SOON}\n{_NOTHING}"),
    good=contract(f"status: active\n{_ENDS}", f"status: deprecated\n{_ENDS}\n{_NOTHING}"),
)
def short_notice(change: Change) -> str | None:
    end = sunset(change.scene.new)
    if change.new != "deprecated" or end is None or (end - change.scene.as_of).days >= change.scene.notice_days:
        return None
    return f"{change.label} ends on {end}, less than {change.scene.notice_days} days after {change.scene.as_of}"


@forbidden(
    "LCY005",
    "contract.status",
    title="A contract was deprecated without an end, or without a successor.",
    why="Readers know that they must go, and neither when nor whither.",
    todo="Add endOfSupport to slaProperties, and a newer major beside it or the custom property `successor` (or none).",
    bad=contract("status: active", "status: deprecated"),
    good=contract(f"status: active\n{_ENDS}", f"status: deprecated\n{_ENDS}\n{_NOTHING}"),
)
def endless(change: Change) -> str | None:
    if change.new != "deprecated":
        return None
    lacking = [] if sunset(change.scene.new) else ["an end of support"]
    lacking += [] if change.scene.successor or _named(change.scene.new) else ["a successor"]
    return f"{change.label} was deprecated without {' and '.join(lacking)}" if lacking else None


def _named(document: Mapping[str, Any]) -> bool:
    entries = document.get("customProperties")
    return any(
        isinstance(e, dict) and units.plain(e.get("property")) in ("successor", "replacedby") and bool(e.get("value"))
        for e in (entries if isinstance(entries, list) else ())
    )


def _back(change: Change) -> bool:
    scale = change.scene.statuses
    if change.old not in scale or change.new not in scale or (change.old, change.new) == ("deprecated", "active"):
        return False
    return scale.index(change.new) < scale.index(change.old)


@forbidden(
    "LCY006",
    *_STATUS,
    title="A status went back.",
    why="What was promised is taken back by a word.",
    todo="Keep the status; a new attempt is a new major, as a draft.",
    bad=contract("status: active", "status: draft"),
    good=contract("status: draft", "status: active"),
    way=Way.WEAKER,
)
def went_back(change: Change) -> str | None:
    return f"{change.label} went back from {show(change.old)} to {show(change.new)}" if _back(change) else None


@additive(
    "LCY007",
    *_STATUS,
    title="A status went on, or a deprecation was taken back.",
    why="Readers see what they may rely on.",
    todo="Tell the readers.",
    bad=contract("status: draft", "status: active"),
    good=contract("status: active", "status: draft"),
    way=Way.NEITHER,
)
def went_on(change: Change) -> str | None:
    scale = change.scene.statuses
    if _back(change) or change.old not in scale or change.new not in scale:
        return None
    return f"{change.label} went from {show(change.old)} to {show(change.new)}"


@partial(rule, category=Category.LIFECYCLE, grade=Grade.RISKY)(
    "LCY008",
    *_STATUS,
    title="A status is said that the standard does not know, or none at all.",
    why="Nobody can tell what is promised.",
    todo="Use a status of outer/standard.yaml.",
    bad=contract("status: active", "status: sleeping"),
    good=contract("status: active", "status: draft"),
)
def unknown_status(change: Change) -> str | None:
    scale = change.scene.statuses
    if change.old in scale and change.new in scale:
        return None
    return f"the status of {change.label} changed from {show(change.old)} to {show(change.new)}"


@forbidden(
    "LCY009",
    "sla.promise",
    "sla",
    title="The end of a deprecated contract moved earlier, or is not said any more.",
    why="Readers move by the day that they were told.",
    todo="Keep the day, or choose a later one.",
    bad=contract(f"status: deprecated\n{_ENDS}", f"status: deprecated\n{_SOON}"),
    good=contract(f"status: active\n{_ENDS}", f"status: active\n{_SOON}"),
    way=Way.WEAKER,
)
def sunset_moved(change: Change) -> str | None:
    name = (change.before or change.after).get("property")
    if change.scene.old.get("status") != "deprecated" or units.plain(name) not in units.ENDS or change.old is None:
        return None
    if change.clause == "sla":
        return f"{change.label} is not said any more" if change.new is None else None
    if units.shift(name, change.before, change.after) is not units.Shift.WEAKER:
        return None
    return f"{change.label} moved from {show(change.before.get('value'))} to {show(change.after.get('value'))}"


@forbidden(
    "LCY010",
    "contract",
    title="A new major took the place of the old one.",
    why="Readers of the old major lose it without notice; both must stand beside each other for a time.",
    todo="Put the old contract back, and write the new major into a file of its own.",
    bad=contract("version: 1.4.0", "version: 2.0.0\nid: urn:dmb:cmp:sales:shop:2:orders"),
    good=contract("version: 0.4.0", "version: 0.5.0"),
    way=Way.WEAKER,
)
def overwritten(change: Change) -> str | None:
    if change.new is not None or not change.scene.overwritten:
        return None
    return f"{change.label} {change.scene.old.get('version')} was overwritten by {change.scene.next_version}"


@additive(
    "LCY011",
    "contract",
    title="A contract was added.",
    why="Nobody who reads the others notices.",
    todo="Tell the readers that there is more to read.",
    bad=contract("", "", beside="status: draft"),
    good=contract("status: draft", "status: active"),
)
def added(change: Change) -> str | None:
    return f"{change.label} {change.scene.new.get('version')} was added" if change.old is None else None


@additive(
    "LCY012",
    "column.deprecated",
    "table.deprecated",
    "outputPort.deprecated",
    "inputPort.deprecated",
    "descriptor.deprecated",
    title="A part was deprecated, or its deprecation was taken back.",
    why="Readers see what will be gone in the next major.",
    todo="Tell the readers, and say what to use instead.",
    bad=column("", "deprecated: true"),
    good=column("deprecated: true", "deprecated: true\ntags: [x]"),
    way=Way.NEITHER,
)
def part_deprecated(change: Change) -> str | None:
    return f"{change.label} is {'deprecated' if change.new else 'no longer deprecated'}"


# --- Versions and releases ----------------------------------------------------------------------------------------


def _step(change: Change) -> Bump | None:
    """The step that the version makes; None where one of both is no semantic version."""
    old, new = version(change.old), version(change.new)
    return old.step(new) if old and new else None


def _decreased(change: Change) -> bool:
    old, new = version(change.old), version(change.new)
    return bool(old and new and new.key < old.key)


@forbidden(
    "REL001",
    "version",
    title="Something changed, and the version did not.",
    why="Nobody can tell one content from the other.",
    todo="Run `outer bump`, or raise the version.",
    bad=table("", "description: Orders."),
    good=contract("version: 1.0.0", "version: 1.0.1\ntags: [x]"),
)
def unchanged(change: Change) -> str | None:
    if _step(change) is not Bump.NONE or _decreased(change) or change.scene.need is Bump.NONE:
        return None
    return f"{change.label} changed and still has the version {change.old}; it needs {change.scene.next_version}"


@forbidden(
    "REL002",
    "version",
    title="A version went down.",
    why="Readers take the newer content for the older one.",
    todo="Raise the version.",
    bad=contract("version: 1.1.0", "version: 1.0.0"),
    good=contract("version: 1.1.0", "version: 1.1.1"),
)
def decreased(change: Change) -> str | None:
    return f"the version of {change.label} went down from {change.old} to {change.new}" if _decreased(change) else None


def _too_small(change: Change) -> bool:
    step = _step(change)
    return step is not None and Bump.NONE < step < change.scene.need


@forbidden(
    "REL003",
    "version",
    title="Readers are broken, and the version does not say so.",
    why="Readers trust the major; they take the upgrade and fail.",
    todo="Take the change back, or publish the new major beside this one.",
    bad=contract("version: 1.0.0\nroles: [{role: a}]", "version: 1.1.0\nroles: []"),
    good=contract("version: 0.1.0\nroles: [{role: a}]", "version: 0.2.0\nroles: []"),
)
def not_major(change: Change) -> str | None:
    if not _too_small(change) or change.scene.need is not Bump.MAJOR:
        return None
    return f"{change.label} needs a new major, {change.scene.next_version}, and has {change.new} after {change.old}"


@forbidden(
    "REL004",
    "version",
    title="Something was added or is in doubt, and the version makes too small a step.",
    why="Readers of a patch look for nothing new.",
    todo="Run `outer bump`, or raise the minor.",
    bad=contract("version: 1.0.0", "version: 1.0.1\nroles: [{role: a}]"),
    good=contract("version: 1.0.0", "version: 1.1.0\nroles: [{role: a}]"),
)
def not_minor(change: Change) -> str | None:
    if not _too_small(change) or change.scene.need is Bump.MAJOR:
        return None
    return f"{change.label} needs {change.scene.next_version}, and has {change.new} after {change.old}"


@forbidden(
    "REL005",
    "version",
    title="A version is no semantic version.",
    why="Nobody can tell from it whether an upgrade is safe.",
    todo="Write MAJOR.MINOR.PATCH, for example 1.0.0.",
    bad=contract("version: 1.0.0", "version: v2"),
    good=contract("version: 1.0.0", "version: 1.0.1-rc.1"),
)
def not_semantic(change: Change) -> str | None:
    if version(change.new) is not None and version(change.old) is not None:
        return None
    return f"the version of {change.label} is no semantic version: {show(change.old)} to {show(change.new)}"


@forbidden(
    "REL006",
    "released",
    title="A released version has another content.",
    why="What was released never changes; whoever pinned it has something else.",
    todo="Put the content of the release back, or raise the version.",
    bad=contract("tags: [b]", "tags: [b]", released="tags: [a]"),
    good=contract("tags: [b]", "tags: [b]", released="tags: [a]\nversion: 0.9.0"),
)
def released(change: Change) -> str | None:
    return f"{change.label} {change.new} was released as {change.scene.release} with another content"


@forbidden(
    "REL007",
    "version.product",
    title="The version of the product makes a smaller step than its contracts ask for.",
    why="One major runs through product, ports and contracts; readers look at one number only.",
    todo="Run `outer bump`, or raise the version of the product.",
    bad=contract("version: 1.0.0", "version: 1.1.0\nroles: [{role: a}]"),
    good=contract("version: 1.0.0", "version: 1.0.0"),
)
def product_behind(change: Change) -> str | None:
    step = _step(change)
    if step is None or step >= change.scene.need or _decreased(change):
        return None
    following = change.scene.next_version
    now = f"is still {change.new}" if str(change.new) == str(change.old) else f"has {change.new} after {change.old}"
    return f"{change.label} needs {following} for its contracts, and {now}"
