"""SCH, CST: what readers rely on in the shape of the data and in its values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from outer.compat import bounds
from outer.compat.change import Change, listing, show, word
from outer.compat.grammar import names, text
from outer.compat.physical import Relation, relation, width
from outer.compat.rule import Category, Grade, Way, column, contract, rule, table
from outer.compat.thresholds import Pass

breaking = partial(rule, category=Category.SCHEMA, grade=Grade.BREAKING)
risky = partial(rule, category=Category.SCHEMA, grade=Grade.RISKY)
additive = partial(rule, category=Category.SCHEMA, grade=Grade.ADDITIVE)

_POSITIONAL = ("csv", "tsv", "psv", "txt", "fwf", "fixed")
_STRUCTURED = ("array", "object", "map", "vector")


# --- Structure ----------------------------------------------------------------------------------------------------


@breaking(
    "SCH001",
    "table",
    title="A table was removed.",
    why="Every query on it fails.",
    todo="Keep the table.",
    bad=contract(
        "schema: [{name: orders, properties: [{name: id}]}, {name: returns, properties: [{name: id}]}]",
        "schema: [{name: orders, properties: [{name: id}]}]",
    ),
    good=contract(
        "schema: [{name: orders, properties: [{name: id}]}, {name: returns, properties: [{name: id}]}]",
        "schema: [{name: returns, properties: [{name: id}]}, {name: orders, properties: [{name: id}]}]",
    ),
)
def table_removed(change: Change) -> str | None:
    return f"{change.label} was removed" if change.new is None else None


@breaking(
    "SCH002",
    "column",
    title="A column or a nested field was removed.",
    why="Every query that names it fails, and nobody can say how many do.",
    todo="Keep the column.",
    bad=table("properties: [{name: amount}, {name: note}]", "properties: [{name: amount}]"),
    good=table("properties: [{name: amount}]", "properties: [{name: amount}, {name: note}]"),
)
def column_removed(change: Change) -> str | None:
    return f"{change.label} was removed" if change.new is None else None


@breaking(
    "SCH003",
    "column.name",
    "table.name",
    title="A column or table was renamed; its id or physical name proves that it is the same.",
    why="Queries with the old name fail.",
    todo="Keep the old name, or add a second column under the new one.",
    bad=table("properties: [{id: a1, name: amount}]", "properties: [{id: a1, name: net_amount}]"),
    good=table("properties: [{id: a1, name: amount}]", "properties: [{id: a1, name: Amount}]"),
)
def renamed(change: Change) -> str | None:
    if str(change.old).casefold() == str(change.new).casefold():
        return None
    return f"{change.around.label} was called {show(change.old)}"


@breaking(
    "SCH004",
    "column.physicalName",
    "table.physicalName",
    title="The physical name of a column or table changed.",
    why="Queries are written with the physical name; the old one leads nowhere.",
    todo="Keep the physical name.",
    bad=column("physicalName: amt", "physicalName: amount_net"),
    good=column("", "physicalName: amount"),
)
def physical_name(change: Change) -> str | None:
    old, new = change.old or change.before.get("name"), change.new or change.after.get("name")
    return f"the physical name of {change.label} changed from {show(old)} to {show(new)}"


@risky(
    "SCH005",
    "column.name",
    "table.name",
    title="A name changed in nothing but its case.",
    why="Some engines care for case and some do not, so that it breaks one reader and not the other.",
    todo="Keep the case, or find out that no reader cares for it.",
    bad=table("properties: [{name: amount}]", "properties: [{name: Amount}]"),
    good=table("properties: [{id: a1, name: amount}]", "properties: [{id: a1, name: total}]"),
)
def case_only(change: Change) -> str | None:
    if str(change.old).casefold() != str(change.new).casefold():
        return None
    return f"{change.around.label} was written {show(change.old)}"


@breaking(
    "SCH006",
    "column.logicalType",
    "table.logicalType",
    title="The logical type changed, or is no longer said.",
    why="Comparisons, joins and programs that expect the old type fail or give other results.",
    todo="Keep the type, or add a second column with the new one.",
    bad=column("logicalType: integer", "logicalType: string"),
    good=column("logicalType: integer", "logicalType: array"),
)
def logical_type(change: Change) -> str | None:
    if change.old is None or (change.new is not None and _shape(change.old) != _shape(change.new)):
        return None
    return _became(change, "the logical type")


def _shape(logical: Any) -> str:
    return logical if logical in _STRUCTURED else "value"


def _became(change: Change, what: str) -> str:
    if change.new is None:
        return f"{what} of {change.label} is no longer said; it was {show(change.old)}"
    return f"{what} of {change.label} changed from {show(change.old)} to {show(change.new)}"


@breaking(
    "SCH007",
    "column.logicalType",
    "column.physicalType",
    title="A value became a list or a structure, or the other way round.",
    why="No reader of the one can read the other.",
    todo="Keep the shape, or add a second column with the new one.",
    bad=column("logicalType: string", "logicalType: array"),
    good=column("logicalType: string", "logicalType: integer"),
)
def shape(change: Change) -> str | None:
    if change.old is None or change.new is None:
        return None
    if change.key == "logicalType":
        return _became(change, "the logical type") if _shape(change.old) != _shape(change.new) else None
    return _became(change, "the physical type") if _relation(change) is Relation.SHAPE else None


def _relation(change: Change) -> Relation | None:
    """How the types of both sides relate; None where one of them is not said."""
    if not (isinstance(change.old, str) and isinstance(change.new, str)):
        return None
    return relation(change.old, change.new)


def _width(change: Change) -> Relation | None:
    """How the widths of numbers relate; None where `format` is not about numbers."""
    return width(change.old, change.new) if isinstance(change.old, str) and isinstance(change.new, str) else None


@breaking(
    "SCH008",
    "column.physicalType",
    "options.format",
    title="The physical type became narrower: in width, precision, scale or length.",
    why="Values are cut, rounded or refused, and programs with the wider type read something else.",
    todo="Keep the wider type.",
    bad=column("physicalType: 'DECIMAL(12,2)'", "physicalType: 'DECIMAL(10,2)'"),
    good=column("physicalType: 'DECIMAL(12,2)'", "physicalType: 'DECIMAL(14,2)'"),
)
def narrowed(change: Change) -> str | None:
    return _typed(change, Relation.NARROWER, "became narrower")


@risky(
    "SCH009",
    "column.physicalType",
    "options.format",
    title="The physical type became wider.",
    why="Values may come that do not fit into the variables and tables of readers.",
    todo="Ask the readers whether they can take the wider type, and write the answer down.",
    bad=column("physicalType: INTEGER", "physicalType: BIGINT"),
    good=column("physicalType: BIGINT", "physicalType: INTEGER"),
)
def widened(change: Change) -> str | None:
    return _typed(change, Relation.WIDER, "became wider")


def _typed(change: Change, wanted: Relation, what: str) -> str | None:
    found = _width(change) if change.clause == "options.format" else _relation(change)
    if found is not wanted:
        return None
    return f"the type of {change.label} {what}: {show(change.old)} to {show(change.new)}"


@breaking(
    "SCH010",
    "column.physicalType",
    "options.format",
    "options.dimensions",
    title="The physical type changed to another one, or is no longer said.",
    why="Readers that were built for the old type fail.",
    todo="Keep the type, or add a second column with the new one.",
    bad=column("physicalType: DOUBLE", "physicalType: VARCHAR"),
    good=column("physicalType: DOUBLE", "physicalType: FLOAT8"),
)
def other_type(change: Change) -> str | None:
    if change.old is None:
        return None
    if change.clause == "options.dimensions":
        return _became(change, "the number of dimensions")
    if change.clause == "options.format":
        return _became(change, "the width") if _width(change) is Relation.OTHER else None
    if change.new is not None and _relation(change) not in (None, Relation.OTHER):
        return None
    return _became(change, "the physical type")


@risky(
    "SCH011",
    "column.physicalType",
    "column.logicalType",
    "options.dimensions",
    title="A type is said for the first time, or cannot be compared with the old one.",
    why="Whether the data change is not to be seen from the contract.",
    todo="Compare the data of both versions, and write down what you found.",
    bad=column("physicalType: 'DECIMAL(12,2)'", "physicalType: DECIMAL"),
    good=column("physicalType: 'DECIMAL(12,2)'", "physicalType: 'NUMERIC(12, 2)'"),
)
def undecided_type(change: Change) -> str | None:
    if change.old is None:
        return f"the type of {change.label} is said for the first time: {show(change.new)}"
    if change.key == "physicalType" and _relation(change) is Relation.UNKNOWN:
        return f"nobody can tell how the types of {change.label} relate: {show(change.old)} and {show(change.new)}"
    return None


@breaking(
    "SCH012",
    "column.physicalType",
    "options.timezone",
    title="Times gained or lost their zone.",
    why="The same digits mean another moment.",
    todo="Keep the type, or add a second column with the new one.",
    bad=column("physicalType: TIMESTAMP WITH TIME ZONE", "physicalType: TIMESTAMP"),
    good=column("physicalType: TIMESTAMPTZ", "physicalType: TIMESTAMP WITH TIME ZONE"),
)
def zone_awareness(change: Change) -> str | None:
    if change.clause == "options.timezone":
        return _became(change, "whether times carry a zone") if change.old is not None else None
    return _became(change, "the physical type") if _relation(change) is Relation.ZONE else None


@breaking(
    "SCH013",
    "options.defaultTimezone",
    "custom.timezone",
    title="The time zone changed.",
    why="The same digits mean another moment.",
    todo="Keep the zone, or add a second column in the new one.",
    bad=column(
        "logicalType: timestamp\nlogicalTypeOptions: {defaultTimezone: UTC}",
        "logicalType: timestamp\nlogicalTypeOptions: {defaultTimezone: Europe/Berlin}",
    ),
    good=column(
        "logicalType: timestamp\nlogicalTypeOptions: {defaultTimezone: UTC}",
        "logicalType: timestamp\nlogicalTypeOptions: {defaultTimezone: Etc/UTC}",
    ),
)
def time_zone(change: Change) -> str | None:
    if change.clause == "custom.timezone" and change.old is None:
        return None
    return _became(change, "the time zone")


@breaking(
    "SCH014",
    "options.format",
    title="The format of dates or texts changed, or is no longer said.",
    why="Programs that parse the old format fail, or take the month for the day.",
    todo="Keep the format, or add a second column in the new one.",
    bad=column(
        "logicalType: date\nlogicalTypeOptions: {format: yyyy-MM-dd}",
        "logicalType: date\nlogicalTypeOptions: {format: dd.MM.yyyy}",
    ),
    good=column(
        "logicalType: integer\nlogicalTypeOptions: {format: i32}",
        "logicalType: integer\nlogicalTypeOptions: {format: i64}",
    ),
)
def format_changed(change: Change) -> str | None:
    if change.old is None or _width(change) is not None:
        return None
    return _became(change, "the format")


@breaking(
    "SCH015",
    "custom.unit",
    title="The unit or currency changed, or is no longer said.",
    why="Every sum and every comparison is wrong, and nothing fails.",
    todo="Keep the unit, or add a second column in the new one.",
    bad=column(
        "customProperties: [{property: unit, value: kg}]",
        "customProperties: [{property: unit, value: lb}]",
    ),
    good=column(
        "customProperties: [{property: unit, value: kg}]",
        "customProperties: [{property: unit, value: kg}]\nexamples: [1]",
    ),
)
def unit(change: Change) -> str | None:
    return _became(change, f"the {change.name}") if change.old is not None else None


@breaking(
    "SCH016",
    "column",
    title="A name that was removed, or is reserved, came back with another type.",
    why="Readers who still know the name take the new values for the old ones.",
    todo="Choose a name that was never used.",
    bad=table(
        "customProperties: [{property: reserved, value: [colour]}]\nproperties: [{name: amount}]",
        "customProperties: [{property: reserved, value: [colour]}]\nproperties: [{name: amount}, {name: colour}]",
    ),
    good=table(
        "customProperties: [{property: reserved, value: [colour]}]\nproperties: [{name: amount}]",
        "customProperties: [{property: reserved, value: [colour]}]\nproperties: [{name: amount}, {name: size}]",
    ),
)
def reused_name(change: Change) -> str | None:
    if change.old is not None:
        return None
    owner = change.enclosing("table")
    for entry in _entries(owner.before if owner else {}, "customProperties"):
        listed = entry.get("property") in ("reserved", "reservedNames") and entry.get("value")
        if listed and change.name in names(listed):
            return f"the name {show(change.name)} is reserved, and stands for a column again"
    for past in change.scene.past.get(change.name, ()):
        if not _same_type(past.column, change.after):
            return f"the name {show(change.name)} had another type in release {past.release}"
    return None


def _entries(element: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = element.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _same_type(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if old.get("logicalType") != new.get("logicalType"):
        return False
    before, after = old.get("physicalType"), new.get("physicalType")
    if not (isinstance(before, str) and isinstance(after, str)):
        return True
    return relation(before, after) in (Relation.SAME, Relation.WIDER, Relation.UNKNOWN)


def _positional(change: Change) -> bool:
    formats = {str(server.get("format")).lower() for server in _entries(change.scene.old, "servers")}
    return bool(formats & set(_POSITIONAL))


@breaking(
    "SCH017",
    "table.order",
    "column.order",
    title="Columns changed places in a format that knows them by their place.",
    why="Readers of CSV count columns; they take one for the other.",
    todo="Keep the order.",
    bad=contract(
        "servers: [{server: s, type: s3, format: csv}]\nschema: [{name: orders, properties: [{name: a}, {name: b}]}]",
        "servers: [{server: s, type: s3, format: csv}]\nschema: [{name: orders, properties: [{name: b}, {name: a}]}]",
    ),
    good=table("properties: [{name: a}, {name: b}]", "properties: [{name: b}, {name: a}]"),
)
def order_positional(change: Change) -> str | None:
    return _reordered(change) if _positional(change) else None


@risky(
    "SCH018",
    "table.order",
    "column.order",
    title="Columns changed places.",
    why="`SELECT *`, unions and inserts without names follow the order.",
    todo="Keep the order, and add new columns at the end.",
    bad=table("properties: [{name: a}, {name: b}]", "properties: [{name: b}, {name: a}]"),
    good=table("properties: [{name: a}, {name: b}]", "properties: [{name: a}, {name: b}, {name: c}]"),
)
def order(change: Change) -> str | None:
    return None if _positional(change) else _reordered(change)


def _reordered(change: Change) -> str:
    moved = next(str(b) for a, b in zip(change.old, change.new, strict=True) if a != b)
    return f"the columns of {change.around.label} stand in another order, from {show(moved)} on"


def _closed(change: Change) -> bool:
    owner = change.enclosing("table")
    around = (change.scene.old, owner.before if owner else {})
    return any(_says(element, "closed") for element in around)


def _says(element: Mapping[str, Any], name: str) -> bool:
    """Whether the custom property `name` of an element is true."""
    return any(e.get("property") == name and e.get("value") is True for e in _entries(element, "customProperties"))


@additive(
    "SCH019",
    "column",
    title="A column or a nested field was added.",
    why="Readers who name their columns do not notice.",
    todo="Tell the readers that there is more to read.",
    bad=table("properties: [{name: amount}]", "properties: [{name: amount}, {name: note}]"),
    good=table("properties: [{name: amount}, {name: note}]", "properties: [{name: amount}]"),
)
def column_added(change: Change) -> str | None:
    if change.old is not None or _positional(change) or _closed(change):
        return None
    return f"{change.label} was added"


@breaking(
    "SCH020",
    "column",
    title="A column was added where readers rely on there being no other.",
    why="A closed port, or a format that knows columns by their place, allows no more of them.",
    todo="Leave the column out.",
    bad=table(
        "customProperties: [{property: closed, value: true}]\nproperties: [{name: amount}]",
        "customProperties: [{property: closed, value: true}]\nproperties: [{name: amount}, {name: note}]",
    ),
    good=table("properties: [{name: amount}]", "properties: [{name: amount}, {name: note}]"),
)
def column_added_closed(change: Change) -> str | None:
    if change.old is not None or not (_positional(change) or _closed(change)):
        return None
    reason = "declared closed" if _closed(change) else "read by position"
    return f"{change.label} was added to a port that is {reason}"


@risky(
    "SCH021",
    "table.physicalType",
    title="A table became a view, or the other way round.",
    why="Cost, speed and what is allowed differ.",
    todo="Find out whether readers can live with it, and write it down.",
    bad=table("physicalType: table", "physicalType: view"),
    good=table("physicalType: table", "physicalType: table\ntags: [x]"),
)
def table_kind(change: Change) -> str | None:
    return f"{change.label} was a {show(change.old or 'table')} and is a {show(change.new or 'table')}"


@additive(
    "SCH022",
    "table",
    title="A table was added.",
    why="Nobody who reads the others notices.",
    todo="Tell the readers that there is more to read.",
    bad=contract(
        "schema: [{name: orders, properties: [{name: id}]}]",
        "schema: [{name: orders, properties: [{name: id}]}, {name: returns, properties: [{name: id}]}]",
    ),
    good=contract(
        "schema: [{name: orders, properties: [{name: id}]}]",
        "schema: [{name: orders, properties: [{name: id}, {name: note}]}]",
    ),
)
def table_added(change: Change) -> str | None:
    return f"{change.label} was added" if change.old is None else None


@risky(
    "SCH023",
    "options.format",
    "options.timezone",
    "custom.unit",
    "custom.timezone",
    title="A format, time zone or unit is said for the first time.",
    why="Readers have guessed it so far, perhaps wrongly.",
    todo="Make sure that the data were like this all along, and write it down.",
    bad=column("", "customProperties: [{property: unit, value: kg}]"),
    good=column("customProperties: [{property: unit, value: kg}]", "customProperties: [{property: unit, value: g}]"),
    way=Way.STRONGER,
)
def first_said(change: Change) -> str | None:
    if change.old is not None:
        return None
    name = change.name if change.clause.startswith("custom.") else change.key
    return f"`{name}` of {change.label} is said for the first time: {show(change.new)}"


@breaking(
    "SCH024",
    "custom.closed",
    title="A port is no longer declared closed.",
    why="Readers relied on there being no further column.",
    todo="Keep it closed.",
    bad=table(
        "customProperties: [{property: closed, value: true}]", "customProperties: [{property: closed, value: false}]"
    ),
    good=table("", "customProperties: [{property: closed, value: false}]"),
)
def opened(change: Change) -> str | None:
    return f"{change.label} is no longer closed" if change.new is not True else None


@risky(
    "SCH025",
    "custom.reserved",
    title="A reserved name was given up.",
    why="The name may come back with another meaning for readers who still know it.",
    todo="Keep the name in the list.",
    bad=table(
        "customProperties: [{property: reserved, value: [colour, size]}]",
        "customProperties: [{property: reserved, value: [size]}]",
    ),
    good=table(
        "customProperties: [{property: reserved, value: [colour]}]",
        "customProperties: [{property: reserved, value: [size, colour]}]",
    ),
    way=Way.WEAKER,
)
def unreserved(change: Change) -> str | None:
    gone = names(change.old) - names(change.new)
    return f"no longer reserved in {change.label}: {', '.join(map(show, sorted(gone)))}" if gone else None


@additive(
    "SCH026",
    "custom.closed",
    title="A port is declared closed.",
    why="From now on readers may rely on there being no further column.",
    todo="Be sure that no column is to come.",
    bad=table("", "customProperties: [{property: closed, value: true}]"),
    good=table("", "customProperties: [{property: closed, value: false}]"),
)
def closed(change: Change) -> str | None:
    return f"{change.label} is declared closed" if change.new is True else None


# --- Constraints --------------------------------------------------------------------------------------------------


@breaking(
    "CST001",
    "column.required",
    "options.required",
    title="A required value became optional.",
    why="Readers meet empty values that they were promised not to meet.",
    todo="Keep it required.",
    bad=column("required: true", "required: false"),
    good=column("required: false", "required: true"),
)
def optional(change: Change) -> str | None:
    if change.clause == "column.required":
        return None if change.new else f"{change.label} is no longer required"
    gone = names(change.old) - names(change.new)
    return f"fields of {change.label} are no longer required: {_list(gone)}" if gone else None


@risky(
    "CST002",
    "column.required",
    "options.required",
    title="An optional value became required.",
    why="Good for readers; but data that were fine yesterday may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=column("required: false", "required: true"),
    good=column("required: true", "required: false"),
    way=Way.STRONGER,
)
def required(change: Change) -> str | None:
    if change.clause == "column.required":
        return f"{change.label} is required now" if change.new else None
    came = names(change.new) - names(change.old)
    return f"fields of {change.label} are required now: {_list(came)}" if came else None


def _list(words: frozenset[str]) -> str:
    return ", ".join(map(show, sorted(words)))


@breaking(
    "CST003",
    "column.unique",
    "options.uniqueItems",
    title="Values need no longer be unique.",
    why="Joins on them multiply rows.",
    todo="Keep them unique.",
    bad=column("unique: true", "unique: false"),
    good=column("unique: false", "unique: true"),
)
def not_unique(change: Change) -> str | None:
    return None if change.new is True else f"the values of {change.label} need no longer be unique"


@risky(
    "CST004",
    "column.unique",
    "options.uniqueItems",
    title="Values must be unique from now on.",
    why="Good for readers; but data that were fine yesterday may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=column("unique: false", "unique: true"),
    good=column("unique: true", "unique: false"),
    way=Way.STRONGER,
)
def unique(change: Change) -> str | None:
    return f"the values of {change.label} must be unique now" if change.new is True else None


@breaking(
    "CST005",
    "table.key",
    "column.key",
    title="The primary key was dropped, moved, or is made of other columns.",
    why="Joins, updates and the removal of duplicates go by the key.",
    todo="Keep the key.",
    bad=table(
        "properties: [{name: a, primaryKey: true, primaryKeyPosition: 1}, {name: b}]",
        "properties: [{name: a}, {name: b, primaryKey: true, primaryKeyPosition: 1}]",
    ),
    good=table("properties: [{name: a}]", "properties: [{name: a, primaryKey: true}]"),
)
def key_changed(change: Change) -> str | None:
    if not change.old:
        return None
    return f"the primary key of {change.label} was ({', '.join(change.old)}), and is ({', '.join(change.new)})"


@risky(
    "CST006",
    "table.key",
    "column.key",
    title="A primary key is named where there was none.",
    why="Good for readers; but data with duplicates may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=table("properties: [{name: a}]", "properties: [{name: a, primaryKey: true}]"),
    good=table(
        "properties: [{name: a, primaryKey: true}]", "properties: [{name: a, primaryKey: true, primaryKeyPosition: 1}]"
    ),
    way=Way.STRONGER,
)
def key_added(change: Change) -> str | None:
    return None if change.old else f"the primary key of {change.label} is ({', '.join(change.new)}) now"


_BOUNDS = (
    "options.lower", "options.upper", "options.multipleOf",
    *(f"options.{key}" for key in (*bounds.LEAST, *bounds.MOST)),
)  # fmt: skip


def _allowed(change: Change) -> Pass:
    match change.clause:
        case "options.lower" | "options.upper":
            return bounds.allowed(change.before, change.after, lower=change.clause == "options.lower")
        case "options.multipleOf":
            return bounds.multiples(change.old, change.new)
        case _:
            return bounds.counted(change.key, change.old, change.new)


def _bound(change: Change) -> str:
    def said(value: Any) -> str:
        if change.clause in ("options.lower", "options.upper"):
            return listing(value)
        return "none" if value is None else f"{change.key} {word(value)}"

    return f"{show(said(change.old))} to {show(said(change.new))}"


@breaking(
    "CST007",
    *_BOUNDS,
    title="A bound of the values was loosened: least, largest, length, number of entries.",
    why="Readers meet values that they were promised not to meet.",
    todo="Keep the bound.",
    bad=column("logicalTypeOptions: {minimum: 0}", "logicalTypeOptions: {minimum: -10}"),
    good=column("logicalTypeOptions: {minimum: 0}", "logicalTypeOptions: {minimum: 10}"),
)
def loosened(change: Change) -> str | None:
    return f"more values are allowed in {change.label}: {_bound(change)}" if _allowed(change) is Pass.MORE else None


@risky(
    "CST008",
    *_BOUNDS,
    title="A bound of the values was tightened.",
    why="Good for readers; but data that were fine yesterday may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=column("logicalTypeOptions: {maxLength: 50}", "logicalTypeOptions: {maxLength: 20}"),
    good=column("logicalTypeOptions: {maxLength: 50}", "logicalTypeOptions: {maxLength: 80}"),
    way=Way.STRONGER,
)
def tightened(change: Change) -> str | None:
    return f"fewer values are allowed in {change.label}: {_bound(change)}" if _allowed(change) is Pass.FEWER else None


@breaking(
    "CST009",
    "options.pattern",
    title="A pattern was removed.",
    why="Readers meet texts that they were promised not to meet.",
    todo="Keep the pattern.",
    bad=column("logicalTypeOptions: {pattern: '^[A-Z]$'}", "logicalTypeOptions: {}"),
    good=column("logicalTypeOptions: {pattern: '^[A-Z]$'}", "logicalTypeOptions: {pattern: '^[A-F]$'}"),
)
def pattern_removed(change: Change) -> str | None:
    return f"the pattern of {change.label} was removed" if change.new is None else None


@risky(
    "CST010",
    "options.pattern",
    title="A pattern changed.",
    why="Whether a pattern allows more or fewer texts is not to be seen by machine.",
    todo="Say whether the new pattern allows texts that the old one did not; if so, it is breaking.",
    bad=column("logicalTypeOptions: {pattern: '^[A-Z]$'}", "logicalTypeOptions: {pattern: '^[A-F]$'}"),
    good=column("logicalTypeOptions: {}", "logicalTypeOptions: {pattern: '^[A-F]$'}"),
)
def pattern_changed(change: Change) -> str | None:
    return None if change.old is None or change.new is None else _became(change, "the pattern")


@risky(
    "CST011",
    "options.pattern",
    title="A pattern was added.",
    why="Good for readers; but data that were fine yesterday may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=column("logicalTypeOptions: {}", "logicalTypeOptions: {pattern: '^[A-F]$'}"),
    good=column("logicalTypeOptions: {pattern: '^[A-F]$'}", "logicalTypeOptions: {pattern: '^[A-Z]$'}"),
    way=Way.STRONGER,
)
def pattern_added(change: Change) -> str | None:
    return f"{change.label} must follow a pattern now: {show(change.new)}" if change.old is None else None


def _values(value: Any) -> frozenset[str]:
    entries = value if isinstance(value, list) else []
    return frozenset(text(entry.get("value") if isinstance(entry, dict) else entry) for entry in entries)


def _came(change: Change) -> frozenset[str]:
    return _values(change.new) - _values(change.old)


def _extensible(change: Change) -> bool:
    return _says(change.before, "extensible")


_OPEN = "enum: [{value: a}]\ncustomProperties: [{property: extensible, value: true}]"
_OPEN_WIDER = "enum: [{value: a}, {value: b}]\ncustomProperties: [{property: extensible, value: true}]"


@breaking(
    "CST012",
    "column.enum",
    "custom.extensible",
    title="More values are allowed than were listed.",
    why="Programs that handle every listed value meet one that they do not know.",
    todo="Keep the list, or declare it extensible from the first version on.",
    bad=column("enum: [{value: a}]", "enum: [{value: a}, {value: b}]"),
    good=column(_OPEN, _OPEN_WIDER),
)
def enum_widened(change: Change) -> str | None:
    if change.clause == "custom.extensible":
        return f"the list of values of {change.label} is declared extensible" if change.new is True else None
    if change.new is None:
        return f"any value is allowed in {change.label}"
    if change.old is None or _extensible(change):
        return None
    came = _came(change)
    return f"more values are allowed in {change.label}: {_list(came)}" if came else None


@risky(
    "CST013",
    "column.enum",
    title="A value was added to a list that is declared extensible.",
    why="Readers were told to expect it; some may not have listened.",
    todo="Tell the readers, and write down that you did.",
    bad=column(_OPEN, _OPEN_WIDER),
    good=column("enum: [{value: a}]", "enum: [{value: a}, {value: b}]"),
)
def enum_extended(change: Change) -> str | None:
    came = _came(change)
    if change.old is None or change.new is None or not _extensible(change) or not came:
        return None
    return f"more values are allowed in {change.label}, whose list is extensible: {_list(came)}"


@risky(
    "CST014",
    "column.enum",
    "custom.extensible",
    title="Fewer values are allowed than before.",
    why="Good for readers; but data that were fine yesterday may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=column("enum: [{value: a}, {value: b}]", "enum: [{value: a}]"),
    good=column("enum: [{value: a}]", "enum: [{value: a}, {value: b}]"),
    way=Way.STRONGER,
)
def enum_narrowed(change: Change) -> str | None:
    if change.clause == "custom.extensible":
        return None if change.new is True else f"the list of values of {change.label} is no longer extensible"
    if change.old is None:
        return f"only listed values are allowed in {change.label}"
    gone = _values(change.old) - _values(change.new)
    if change.new is None or not gone:
        return None
    return f"fewer values are allowed in {change.label}: without {_list(gone)}"


@breaking(
    "CST015",
    "relationship",
    "relationship.to",
    "relationship.from",
    "relationship.type",
    title="A relationship was removed, or points elsewhere.",
    why="Joins along it lose rows, or find the wrong ones.",
    todo="Keep the relationship.",
    bad=column("relationships: [{to: customers.id}]", "relationships: [{to: people.id}]"),
    good=column("", "relationships: [{to: customers.id}]"),
)
def unrelated(change: Change) -> str | None:
    if change.clause == "relationship":
        return f"{change.label} of {change.around.label} was removed" if change.new is None else None
    return f"{change.around.around.label} is related to another place: {show(change.old)} to {show(change.new)}"


@risky(
    "CST016",
    "relationship",
    title="A relationship was added.",
    why="Good for readers; but rows without a partner may keep the next run from being published.",
    todo="Run the new contract against the data that are there, and write down that it passed.",
    bad=column("", "relationships: [{to: customers.id}]"),
    good=column("relationships: [{to: customers.id}]", "relationships: []"),
    way=Way.STRONGER,
)
def related(change: Change) -> str | None:
    return f"{change.label} of {change.around.label} was added" if change.old is None else None


@risky(
    "CST017",
    *_BOUNDS,
    title="A bound changed to something that cannot be compared.",
    why="Whether more or fewer values are allowed is not to be seen by machine.",
    todo="Write both bounds as numbers or ISO dates; if more values are allowed, it is breaking.",
    bad=column("logicalTypeOptions: {minimum: '2020-01-01'}", "logicalTypeOptions: {minimum: yesterday}"),
    good=column("logicalTypeOptions: {minimum: '2020-01-01'}", "logicalTypeOptions: {minimum: '2021-01-01'}"),
)
def undecided_bound(change: Change) -> str | None:
    if _allowed(change) is not Pass.UNKNOWN:
        return None
    return f"nobody can tell whether more values are allowed in {change.label}: {_bound(change)}"
