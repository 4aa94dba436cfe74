"""SVL, SRV: how fresh, how available and how long, where it is, and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from outer.compat import units
from outer.compat.change import Change, show
from outer.compat.grammar import names, text
from outer.compat.rule import Category, Grade, Way, column, contract, descriptor, rule
from outer.compat.units import Kind, Shift

breaking = partial(rule, category=Category.DELIVERY, grade=Grade.BREAKING)
risky = partial(rule, category=Category.DELIVERY, grade=Grade.RISKY)
additive = partial(rule, category=Category.DELIVERY, grade=Grade.ADDITIVE)


def _sla(clause: str) -> str:
    return f"slaProperties: [{{{clause}}}]"


# --- Service levels -----------------------------------------------------------------------------------------------


def _shift(change: Change) -> Shift:
    return units.shift(_name(change), change.before, change.after)


def _name(change: Change) -> str:
    return units.plain(change.after.get("property") or change.before.get("property"))


def _kind(change: Change) -> Kind | None:
    known = units.level(_name(change))
    return known.kind if known else None


def _said(side: Mapping[str, Any]) -> str:
    values = (side[key] for key in ("value", "unit") if side.get(key) is not None)
    return show(" ".join(value if isinstance(value, str) else text(value) for value in values))


def _weaker(change: Change, *kinds: Kind) -> str | None:
    if _shift(change) is not Shift.WEAKER or _kind(change) not in kinds:
        return None
    return f"{change.label} promises less: {_said(change.before)} to {_said(change.after)}"


@breaking(
    "SVL001",
    "sla.promise",
    title="A time that is promised became longer: freshness, latency, frequency, time to detect, notify or repair.",
    why="Readers decide on older data, or wait longer for help.",
    todo="Keep the promise.",
    bad=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: 2, unit: d")),
    good=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: 12, unit: h")),
)
def slower(change: Change) -> str | None:
    return None if _name(change) in units.RETENTION else _weaker(change, Kind.TIME)


@breaking(
    "SVL002",
    "sla.promise",
    title="Availability, throughput, completeness or volume was lowered, or more errors are allowed.",
    why="Readers find the port closed, slow or wrong more often.",
    todo="Keep the promise.",
    bad=contract(_sla("property: availability, value: 99.9%"), _sla("property: availability, value: 99%")),
    good=contract(_sla("property: availability, value: 99%"), _sla("property: availability, value: 99.9%")),
)
def less_available(change: Change) -> str | None:
    return _weaker(change, Kind.SHARE, Kind.AMOUNT)


@breaking(
    "SVL003",
    "sla.promise",
    title="Data are kept for a shorter time.",
    why="History that readers count on is gone.",
    todo="Keep the data for as long as before.",
    bad=contract(_sla("property: retention, value: 3, unit: y"), _sla("property: retention, value: 1000, unit: d")),
    good=contract(_sla("property: retention, value: 3, unit: y"), _sla("property: retention, value: 4, unit: y")),
)
def shorter_retention(change: Change) -> str | None:
    return _weaker(change, Kind.TIME) if _name(change) in units.RETENTION else None


@breaking(
    "SVL004",
    "sla.promise",
    title="Support has fewer hours.",
    why="Readers who need help find nobody.",
    todo="Keep the hours.",
    bad=contract(_sla("property: supportHours, value: 24x7"), _sla("property: supportHours, value: 8x5")),
    good=contract(_sla("property: supportHours, value: 8x5"), _sla("property: supportHours, value: 24x7")),
)
def fewer_hours(change: Change) -> str | None:
    return _weaker(change, Kind.HOURS)


@breaking(
    "SVL005",
    "sla.promise",
    title="The end of support or life moved earlier, or the port or its daily delivery becomes available later.",
    why="Readers have planned with the day or hour that they were told.",
    todo="Keep the day.",
    bad=contract(_sla("property: endOfLife, value: '2040-01-01'"), _sla("property: endOfLife, value: '2039-01-01'")),
    good=contract(_sla("property: endOfLife, value: '2040-01-01'"), _sla("property: endOfLife, value: '2041-01-01'")),
)
def sooner_end(change: Change) -> str | None:
    deprecated = change.scene.old.get("status") == "deprecated" and _name(change) in units.ENDS
    return None if deprecated else _weaker(change, Kind.DAY, Kind.CLOCK)


@breaking(
    "SVL006",
    "sla",
    "sla.property",
    title="A service level is no longer promised.",
    why="Nobody has to keep it any more, and nobody measures it.",
    todo="Keep the service level.",
    bad=contract(_sla("property: freshness, value: 24, unit: h"), "slaProperties: []"),
    good=contract(_sla("property: endOfLife, value: '2040-01-01'"), "slaProperties: []"),
)
def no_promise(change: Change) -> str | None:
    if change.clause == "sla.property":
        return f"the service level {show(change.old)} became {show(change.new)}"
    if change.new is not None or _name(change) in units.ENDS:
        return None
    return f"{change.label} is no longer promised"


@breaking(
    "SVL007",
    "sla.element",
    "contract.slaDefaultElement",
    title="A service level points at another element.",
    why="What is measured is no longer what readers rely on.",
    todo="Keep the element.",
    bad=contract(
        _sla("property: freshness, value: 24, unit: h, element: t.a"),
        _sla("property: freshness, value: 24, unit: h, element: t.b"),
    ),
    good=contract(
        _sla("property: freshness, value: 24, unit: h, element: t.a"),
        _sla("property: freshness, value: 24, unit: h, element: a"),
    ),
)
def other_element(change: Change) -> str | None:
    old, new = change.old or "nothing named", change.new or "nothing named"
    return f"{change.label} is about {show(new)}, before about {show(old)}"


@additive(
    "SVL008",
    "sla",
    "sla.promise",
    "sla.schedule",
    title="A service level was improved.",
    why="Readers may rely on more.",
    todo="Be sure that it can be kept.",
    bad=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: 1, unit: h")),
    good=contract(_sla("property: freshness, value: 1, unit: h"), _sla("property: freshness, value: 24, unit: h")),
)
def improved(change: Change) -> str | None:
    if change.clause == "sla":
        lifted = change.new is None and _name(change) in units.ENDS
        lifted = lifted and change.scene.old.get("status") != "deprecated"
        return f"{change.label} was lifted: no end is announced any more" if lifted else None
    if change.clause == "sla.schedule":
        old, new = units.runs_a_week(change.old), units.runs_a_week(change.new)
        return f"{change.label} is delivered more often" if old and new and new > old else None
    if _shift(change) is not Shift.STRONGER or _longer_personal(change):
        return None
    return f"{change.label} promises more: {_said(change.before)} to {_said(change.after)}"


def _longer_personal(change: Change) -> bool:
    return _name(change) in units.RETENTION and personal(change.scene.new)


def personal(document: Mapping[str, Any]) -> bool:
    """Whether a contract says that it holds personal data, of itself or of a column."""
    return any(flagged(element) for element in _walk(document))


def flagged(element: Mapping[str, Any]) -> bool:
    """Whether an element of a contract is marked as personal data, by a custom property or a tag."""
    entries = element.get("customProperties")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and units.plain(entry.get("property")) in ("personaldata", "pii", "gdpr"):
            return entry.get("value") not in (False, None)
    return bool(personal_tags(element.get("tags")))


def personal_tags(tags: Any) -> frozenset[str]:
    """Those of `tags` that say that data are about people."""
    marks = ("pii", "personal", "personaldata", "gdpr", "sensitive")
    return frozenset(tag for tag in names(tags) if units.plain(tag) in marks)


def _walk(element: Any) -> list[Mapping[str, Any]]:
    if not isinstance(element, dict):
        return []
    found: list[Mapping[str, Any]] = [element]
    for key in ("schema", "properties"):
        parts = element.get(key)
        for part in parts if isinstance(parts, list) else ():
            found += _walk(part)
    return found + _walk(element.get("items"))


_PERSONAL = "customProperties: [{property: personalData, value: true}]\n"


@risky(
    "SVL009",
    "sla.promise",
    title="Personal data are kept for longer.",
    why="What is kept longer than its purpose needs is against the law in many places (GDPR, article 5).",
    todo="Ask who answers for data protection, and write the answer down.",
    bad=contract(
        _PERSONAL + _sla("property: retention, value: 3, unit: y"),
        _PERSONAL + _sla("property: retention, value: 9, unit: y"),
    ),
    good=contract(_sla("property: retention, value: 3, unit: y"), _sla("property: retention, value: 9, unit: y")),
    way=Way.STRONGER,
)
def longer_personal(change: Change) -> str | None:
    if _shift(change) is not Shift.STRONGER or not _longer_personal(change):
        return None
    return f"personal data are kept for longer: {_said(change.before)} to {_said(change.after)}"


@risky(
    "SVL010",
    "sla.promise",
    title="A service level is said in another unit, with the same length.",
    why="Programs that read the number without its unit are wrong from now on.",
    todo="Keep the unit, or find out that only people read it.",
    bad=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: 1, unit: d")),
    good=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: 24, unit: hours")),
)
def other_unit(change: Change) -> str | None:
    if _shift(change) is not Shift.REWRITTEN:
        return None
    return f"{change.label} says the same in another unit: {_said(change.before)} to {_said(change.after)}"


@risky(
    "SVL011",
    "sla.promise",
    "sla.valueExt",
    "sla.driver",
    "sla.schedule",
    title="A service level changed in a way that cannot be compared.",
    why="Whether it promises more or less is not to be seen by machine.",
    todo="Write a number with a unit like h, d or percent; if it promises less, it is breaking.",
    bad=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: soon")),
    good=contract(_sla("property: freshness, value: 24, unit: h"), _sla("property: freshness, value: 36, unit: h")),
)
def undecided(change: Change) -> str | None:
    if change.clause == "sla.promise":
        if _shift(change) is not Shift.UNKNOWN:
            return None
        return f"nobody can tell how {change.label} changed: {_said(change.before)} to {_said(change.after)}"
    if change.clause == "sla.schedule" and improved.judge(change):
        return None
    return f"`{change.key}` of {change.label} changed: {show(change.old)} to {show(change.new)}"


def _notice(change: Change) -> date:
    return change.scene.as_of + timedelta(days=change.scene.notice_days)


def _soon(change: Change) -> bool:
    end = units.day(change.after.get("value"))
    return _name(change) in units.ENDS and (end is None or end < _notice(change))


@additive(
    "SVL012",
    "sla",
    title="A service level is promised that was not, or an end is announced in good time.",
    why="Readers may rely on more, or plan.",
    todo="Be sure that it can be kept.",
    bad=contract("slaProperties: []", _sla("property: freshness, value: 24, unit: h")),
    good=contract(_sla("property: freshness, value: 24, unit: h"), "slaProperties: []"),
)
def promised(change: Change) -> str | None:
    return f"{change.label} is promised now" if change.old is None and not _soon(change) else None


@breaking(
    "SVL013",
    "sla",
    title="An end of support or life is announced too late.",
    why="Readers cannot move in time.",
    todo="Choose a later day.",
    bad=contract("slaProperties: []", _sla("property: endOfLife, value: '2030-01-15'")),
    good=contract("slaProperties: []", _sla("property: endOfLife, value: '2035-01-15'")),
)
def short_notice(change: Change) -> str | None:
    if change.old is not None or not _soon(change):
        return None
    return f"{change.label} is announced for {show(change.after.get('value'))}, before {_notice(change)}"


# --- Servers and ports --------------------------------------------------------------------------------------------


def _server(clause: str) -> str:
    return f"servers: [{{server: lake, environment: prod, {clause}}}]"


@breaking(
    "SRV001",
    "server",
    title="A server was removed.",
    why="Readers look where nothing is.",
    todo="Keep the server.",
    bad=contract("servers: [{server: lake}, {server: db}]", "servers: [{server: lake}]"),
    good=contract("servers: [{server: lake}, {server: db}]", "servers: [{server: db}, {server: lake}]"),
)
def server_removed(change: Change) -> str | None:
    return f"{change.label} was removed" if change.new is None else None


def _turned(change: Change) -> str:
    return f"`{change.key}` of {change.label} changed from {show(change.old)} to {show(change.new)}"


@breaking(
    "SRV002",
    "server.type",
    title="A server is of another type.",
    why="Readers need another driver.",
    todo="Keep the server, and add another one.",
    bad=contract(_server("type: s3"), _server("type: gcs")),
    good=contract(_server("type: s3"), _server("type: s3, description: The lake.")),
)
def server_type(change: Change) -> str | None:
    return _turned(change)


@breaking(
    "SRV003",
    "server.format",
    "server.delimiter",
    "server.encoding",
    "server.compression",
    title="Files have another format.",
    why="Readers of the old one cannot read it.",
    todo="Keep the format, and add another server for the new one.",
    bad=contract(_server("type: s3, format: parquet"), _server("type: s3, format: csv")),
    good=contract(_server("type: s3, format: parquet"), _server("format: parquet, type: s3")),
)
def server_format(change: Change) -> str | None:
    return _turned(change)


@breaking(
    "SRV004",
    "server.*",
    title="Data are at another place: path, location, host, port, catalogue, database, schema and the like.",
    why="Readers look where nothing is, or worse, where old data stay.",
    todo="Keep the place, and add another server for the new one.",
    bad=contract(_server("type: s3, location: 's3://a/'"), _server("type: s3, location: 's3://b/'")),
    good=contract(_server("type: s3, location: 's3://a/'"), _server("type: gcs, location: 's3://a/'")),
)
def server_place(change: Change) -> str | None:
    return _turned(change)


@breaking(
    "SRV005",
    "server.environment",
    "custom.environments",
    title="A server or product left an environment.",
    why="Readers there find nothing, or the data of another environment.",
    todo="Keep the environment.",
    bad=contract(_server("type: s3"), _server("type: s3").replace("prod", "test")),
    good=contract(_server("type: s3"), _server("type: s3, description: The lake.")),
)
def left_environment(change: Change) -> str | None:
    if change.clause == "server.environment":
        return _turned(change)
    gone = names(change.old) - names(change.new)
    return f"{change.label} left: {', '.join(map(show, sorted(gone)))}" if gone else None


@risky(
    "SRV006",
    "server",
    "custom.environments",
    title="A server or environment was added.",
    why="Two places may disagree; somebody must say which one counts.",
    todo="Say which server is for whom, and write it down.",
    bad=contract("servers: []", _server("type: s3")),
    good=contract(_server("type: s3"), "servers: []"),
    way=Way.STRONGER,
)
def server_added(change: Change) -> str | None:
    if change.clause == "server":
        return f"{change.label} was added" if change.old is None else None
    came = names(change.new) - names(change.old)
    return f"{change.label} entered: {', '.join(map(show, sorted(came)))}" if came else None


@breaking(
    "SRV007",
    "column.partition",
    title="Partitioning was dropped or changed.",
    why="Paths that readers address are gone, and queries that read one part read everything.",
    todo="Keep the partitions.",
    bad=column("partitioned: true\npartitionKeyPosition: 1", "partitioned: false"),
    good=column("partitioned: true", "partitioned: true\npartitionKeyPosition: 1"),
)
def repartitioned(change: Change) -> str | None:
    if change.old is None:
        return None
    if change.new is None:
        return f"{change.label} makes no partitions any more"
    return f"{change.label} makes partitions at position {show(change.new)} instead of {show(change.old)}"


@risky(
    "SRV008",
    "column.partition",
    title="Data are partitioned by one more column.",
    why="Files lie elsewhere, though queries go on.",
    todo="Find out that nobody reads files by their path, and write it down.",
    bad=column("", "partitioned: true"),
    good=column("partitioned: true", "partitioned: false"),
)
def partitioned(change: Change) -> str | None:
    return f"{change.label} makes partitions now" if change.old is None else None


@risky(
    "SRV009",
    "server.server",
    title="A server was renamed.",
    why="Readers who choose it by its name do not find it.",
    todo="Keep the name, or find out that nobody uses it.",
    bad=contract(_server("type: s3"), _server("type: s3").replace("lake", "sea")),
    good=contract(_server("type: s3"), _server("type: gcs")),
)
def server_renamed(change: Change) -> str | None:
    return f"{change.label} was called {show(change.old)}"


_ONE_PORT = "outputPorts: [{name: orders, version: 1.0.0, contractId: 'urn:dmb:cmp:sales:shop:1:orders'%s}]"


@breaking(
    "SRV010",
    "outputPort.type",
    title="An output port is of another type.",
    why="Readers need another way in.",
    todo="Keep the port, and add another one.",
    bad=descriptor(_ONE_PORT % ", type: tables", _ONE_PORT % ", type: files"),
    good=descriptor(_ONE_PORT % ", type: tables", _ONE_PORT % ", type: tables, description: Orders."),
)
def port_type(change: Change) -> str | None:
    return _turned(change)


@partial(rule, category=Category.DELIVERY, grade=Grade.FORBIDDEN)(
    "SRV011",
    "outputPort",
    title="An output port was removed before the end of its contract.",
    why="Readers were promised the port until then.",
    todo="Put the port back; deprecate its contract with an end of support, and remove both after that day.",
    bad=descriptor(_ONE_PORT % "", "outputPorts: []"),
    good=descriptor("outputPorts: []", _ONE_PORT % ""),
    way=Way.WEAKER,
)
def port_removed(change: Change) -> str | None:
    return f"{change.label} was removed" if change.new is None and not _ended(change) else None


def _ended(change: Change) -> bool:
    return (str(change.before.get("name")), str(change.before.get("version"))) in change.scene.ended


@additive(
    "SRV012",
    "outputPort",
    title="An output port was added.",
    why="Readers may rely on more.",
    todo="Tell the readers that there is more to read.",
    bad=descriptor("outputPorts: []", _ONE_PORT % ""),
    good=descriptor(_ONE_PORT % "", "outputPorts: []"),
)
def port_added(change: Change) -> str | None:
    return f"{change.label} {show(change.after.get('version'))} was added" if change.old is None else None


@risky(
    "SRV013",
    "managementPort",
    "managementPort.content",
    "managementPort.type",
    "managementPort.url",
    "managementPort.channel",
    title="A management port was removed, or is elsewhere.",
    why="Those who watch and find data products lose sight of this one.",
    todo="Keep the port, or tell those who use it.",
    bad=descriptor("managementPorts: [{name: page, content: discoverability}]", "managementPorts: []"),
    good=descriptor("managementPorts: []", "managementPorts: [{name: page, content: discoverability}]"),
    way=Way.WEAKER,
)
def management(change: Change) -> str | None:
    if change.clause != "managementPort":
        return _turned(change)
    return f"{change.label} was removed" if change.new is None else None


@additive(
    "SRV014",
    "managementPort",
    title="A management port was added.",
    why="There is more to watch or to find.",
    todo="Tell those who use such ports.",
    bad=descriptor("managementPorts: []", "managementPorts: [{name: page, content: discoverability}]"),
    good=descriptor("managementPorts: [{name: page, content: discoverability}]", "managementPorts: []"),
)
def management_added(change: Change) -> str | None:
    return f"{change.label} was added" if change.old is None else None


@additive(
    "SRV015",
    "outputPort",
    title="An output port was removed after the end of its contract.",
    why="It was announced, and readers had the time to move.",
    todo="Tell the readers that it is gone.",
    bad=descriptor(_ONE_PORT % "", "outputPorts: []", status="retired"),
    good=descriptor(_ONE_PORT % "", "outputPorts: []"),
    way=Way.WEAKER,
)
def port_removed_in_time(change: Change) -> str | None:
    return f"{change.label} was removed after its end" if change.new is None and _ended(change) else None
