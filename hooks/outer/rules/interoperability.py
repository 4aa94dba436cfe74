"""INO: data of one product fit those of another: types, units, time zones, relationships, definitions.

Types, options and relationships are those of Bitol ODCS 3.1, section Schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from outer.datatypes import fits as fits_type
from outer.datatypes import physical
from outer.finding import Level
from outer.product import DESCRIPTOR, File, Product
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, at, columns, filled, listed, major, mappings, matches, promises, stated, words
from outer.yamlfile import Pointer, show

_UNITS: Mapping[str, tuple[str, ...]] = {
    "ms": ("millisecond",), "s": ("second",), "sec": ("second",), "secs": ("second",), "seconds": ("second",),
    "min": ("minute", "minimum", "smallest", "least", "lowest"), "mins": ("minute",), "minutes": ("minute",),
    "h": ("hour",), "hrs": ("hour",), "hours": ("hour",), "days": ("day",), "weeks": ("week",), "months": ("month",),
    "mm": ("millimet",), "cm": ("centimet",), "m": ("met",), "km": ("kilomet", "km"), "mi": ("mile",),
    "miles": ("mile",), "ft": ("foot", "feet"), "kmh": ("km/h", "kilomet"), "mph": ("mile",),
    "g": ("gram",), "kg": ("kilogram",), "t": ("tonne", "ton"), "l": ("lit",), "ml": ("millilit",),
    "eur": ("eur", "€"), "usd": ("usd", "us dollar", "$"), "gbp": ("gbp", "pound", "£"), "chf": ("chf", "franc"),
    "pct": ("percent", "per cent", "%", "0 to 100"), "percent": ("percent", "per cent", "%", "0 to 100"),
    "share": ("share", "fraction", "from 0 to 1", "0..1"), "ratio": ("ratio", "per ", "divided"),
    "celsius": ("celsius", "°c"), "kwh": ("kwh", "kilowatt"), "mb": ("megabyte", "mb"), "gb": ("gigabyte", "gb"),
    "bytes": ("byte",),
}  # fmt: skip
"""Last words of column names that name a unit, and how a description says the same."""


@rule(
    "INO001",
    Scope.OUTPUT_PORT,
    title="The type of an output port is one of the standard.",
    why="Catalogues and platforms decide by it how the port is served; an unknown type is served by nobody.",
    todo="Use a type of outer/standard.yaml (`port_types`).",
    bad=Change(DESCRIPTOR, "type: tables", "type: table"),
)
def port_type(subject: Subject) -> Iterator[Said]:
    known = words(subject, "port_types")
    if known and subject.text("type") not in known:
        yield Said(f"the type {show(subject.get('type'))} is none of {listed(known)}", ("type",))


@rule(
    "INO002",
    Scope.CONTRACT,
    title="The physical type of a column can hold its logical type.",
    why="Readers go by the one, engines by the other; where they differ, values are cut, rounded or refused.",
    todo="Use a physical type as DuckDB names it that holds the logical type, for example integer with BIGINT.",
    bad=Change(
        CONTRACT, "logicalType: date\n        physicalType: DATE", "logicalType: date\n        physicalType: INTEGER"
    ),
)
def types_agree(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        logical, written = filled(column.get("logicalType")), filled(column.get("physicalType"))
        reason = _misfit(logical, written[:1000]) if logical and written else ""
        if reason:
            yield Said(f"column {show(column.get('name'))}: {reason}", (*place, "physicalType"))


@lru_cache(maxsize=256)
def _misfit(logical: str, written: str) -> str:
    found = physical(written)
    if found is None:
        return f"the physical type {show(written)} means nothing certain"
    return "" if fits_type(logical, found) else f"it is {show(logical)}, which {show(written)} does not hold"


@rule(
    "INO003",
    Scope.OUTPUT_CONTRACT,
    title="A number whose name ends in a unit is described in that unit.",
    why="A delay in minutes that is read as seconds looks plausible, and every figure made of it is wrong.",
    todo="Name the unit in the description, or state it as custom property `unit` of the column.",
    bad=Change(CONTRACT, "Mean delay at departure, in minutes,", "Mean delay at departure"),
    level=Level.WARNING,
)
def units(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        if column.get("logicalType") not in ("integer", "number"):
            continue
        *_, last = str(column.get("name")).lower().split("_")
        said = filled(column.get("description")).lower()
        if last in _UNITS and not any(word in said for word in _UNITS[last]) and not filled(stated(column, "unit")):
            yield Said(f"the description of column {show(column.get('name'))} does not say its unit", place)


@rule(
    "INO004",
    Scope.OUTPUT_CONTRACT,
    title="A point in time says its time zone.",
    why="Without it the same value is another moment for every reader, and days end at another hour.",
    todo="Use TIMESTAMP WITH TIME ZONE, or state `defaultTimezone` under `logicalTypeOptions`, for example Etc/UTC.",
    bad=Change(
        CONTRACT,
        "logicalType: date\n        physicalType: DATE",
        "logicalType: timestamp\n        physicalType: TIMESTAMP",
    ),
)
def zoned(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        if column.get("logicalType") != "timestamp":
            continue
        options, name = column.get("logicalTypeOptions"), show(column.get("name"))
        zone = options.get("defaultTimezone") if isinstance(options, dict) else None
        aware = physical(filled(column.get("physicalType"))) == "TIMESTAMP WITH TIME ZONE"
        if zone is None and not aware:
            yield Said(f"column {name} does not say its time zone", place)
        elif zone is not None and not _ZONE.match(str(zone)):
            yield Said(f"{show(zone)} is no time zone like Etc/UTC or Europe/Paris",
                       (*place, "logicalTypeOptions", "defaultTimezone"))  # fmt: skip
        if aware and isinstance(options, dict) and options.get("timezone") is False:
            yield Said(f"column {name} has a time zone and says that it has none",
                       (*place, "logicalTypeOptions", "timezone"))  # fmt: skip


_ZONE = re.compile(r"(?:UTC|GMT|[A-Z][A-Za-z_]{1,30}(?:/[A-Za-z0-9_+-]{1,30}){1,2})\Z")


# --- Relationships --------------------------------------------------------------------------------


@rule(
    "INO005",
    Scope.CONTRACT,
    title="A relationship leads from a column to one of the same type, in this or another contract of the product.",
    why="Whoever follows it writes a join that fails, or that quietly matches nothing.",
    todo="Write <table>.<column> of this contract, of another output port or of an input port.",
    bad=Change(
        CONTRACT,
        "physicalType: VARCHAR\n        description: Airline, as",
        "physicalType: VARCHAR\n        relationships: [{to: airlines.code}]\n        description: Airline, as",
    ),
)
def related(subject: Subject) -> Iterator[Said]:
    file = subject.file
    if file is None:
        return
    tables: Mapping[str, Mapping[str, Any]] | None = None
    for table, entry in subject.entries("schema"):
        links: list[tuple[Pointer, object, Mapping[str, Any] | None]] = []
        for index, link in mappings(entry.get("relationships")):
            place: Pointer = ("schema", table, "relationships", index)
            sources, targets = _listed(link.get("from")), _listed(link.get("to"))
            if len(sources) != len(targets):
                yield Said(f"the relationship joins {len(sources)} columns to {len(targets)}", place)
            links += [((*place, "from"), source, None) for source in sources]
            links += [((*place, "to"), target, None) for target in targets]
        for number, column in mappings(entry.get("properties")):
            for index, link in mappings(column.get("relationships")):
                place = ("schema", table, "properties", number, "relationships", index, "to")
                links += [(place, target, column) for target in _listed(link.get("to"))]
        for place, reference, source in links:
            tables = tables if tables is not None else _tables(subject.product, file)
            target = _target(reference, tables)
            if target is None:
                yield Said(f"{show(reference)} is no column of this product's contracts", place)
            elif source and target.get("logicalType") != source.get("logicalType"):
                yield Said(
                    f"column {show(source.get('name'))} is {show(source.get('logicalType'))}, {show(reference)} is "
                    f"{show(target.get('logicalType'))}",
                    place,
                )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _tables(product: Product, own: File) -> Mapping[str, Mapping[str, Any]]:
    """Table -> column -> what its contract says of it, over all contracts; the one that is judged goes first."""
    found: dict[str, dict[str, Any]] = {}
    for file in (own, *product.contracts):
        for _, table in mappings(file.get("schema")):
            known = {str(c.get(key)): c for _, c in mappings(table.get("properties")) for key in ("id", "name")}
            for key in ("id", "name"):
                found.setdefault(str(table.get(key)), known)
    return found


def _target(reference: object, tables: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The column that a reference means: `table.column`, or `schema/<id>/properties/<id>` behind a file or not."""
    if not isinstance(reference, str):
        return None
    if "/" in reference:
        steps = reference.rpartition("#")[2].strip("/").split("/")
        if len(steps) != 4 or steps[0] != "schema" or steps[2] != "properties":
            return None
        return tables.get(steps[1], {}).get(steps[3])
    table, _, column = reference.partition(".")
    return tables.get(table, {}).get(column)


_DEFINITIONS = (
    "businessDefinition", "canonicalUrl", "glossary", "implementation", "ontology", "privacy", "taxonomy",
    "transformationImplementation", "tutorial", "videoTutorial",
)  # fmt: skip


@rule(
    "INO006",
    Scope.PRODUCT,
    title="An authoritative definition has a type that Bitol ODCS and ODPS know, and a url.",
    why="Business terms connect products only when machines can tell a glossary from a video.",
    todo=f"Write `url` and one of these as `type`: {', '.join(_DEFINITIONS)}.",
    bad=Change(
        DESCRIPTOR,
        "customProperties:",
        "authoritativeDefinitions: [{type: wiki, url: https://example.com/punctuality}]\n\ncustomProperties:",
    ),
)
def defined(subject: Subject) -> Iterator[Said]:
    for file in promises(subject.product):
        for pointer in file.document.places:
            if pointer and pointer[-1] == "authoritativeDefinitions":
                for index, entry in mappings(file.get(*pointer)):
                    if entry.get("type") not in _DEFINITIONS:
                        message = f"the type {show(entry.get('type'))} is none that the standard knows"
                        yield at(file, message, *pointer, index, "type")
                    if not entry.get("url"):
                        yield at(file, "the definition has no url", *pointer, index)


# --- Values and their options ---------------------------------------------------------------------

_FORMATS = ("password", "byte", "binary", "email", "uuid", "uri", "hostname", "ipv4", "ipv6")
_READERS: Mapping[str, Any] = {
    "date": date.fromisoformat, "timestamp": datetime.fromisoformat, "time": time.fromisoformat,
}  # fmt: skip


def _value(logical: str, value: object) -> Any:
    """`value` as something that can be compared, where it is one of the logical type; None where it is not."""
    if logical in ("integer", "number"):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole or (logical == "number" and isinstance(value, float) and math.isfinite(value)) else None
    if logical in _READERS:
        try:
            found = _READERS[logical](value) if isinstance(value, str) and len(value) <= 40 else None
        except ValueError:
            return None
        # Times with and without a zone cannot be compared; the zone is judged by INO004.
        return found.replace(tzinfo=None) if isinstance(found, (datetime, time)) else found
    kinds: Mapping[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
    return value if logical in kinds and isinstance(value, kinds[logical]) else None


@rule(
    "INO007",
    Scope.OUTPUT_CONTRACT,
    title="Examples are values of the column: of its type, within its bounds, of its pattern.",
    why="People and agents write their first query by the examples; one that cannot occur leads them astray.",
    todo="Correct the example, or the clause that it breaks. Texts that look like numbers or dates stand in quotes.",
    bad=Change(CONTRACT, "examples: [UA, 9E]", "examples: [UA, United]"),
)
def exemplary(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        examples, logical = column.get("examples"), filled(column.get("logicalType"))
        for index, example in enumerate(examples if isinstance(examples, list) and logical else ()):
            reason = _breaks(logical, example, column)
            if reason:
                yield Said(
                    f"the example {show(example)} of column {show(column.get('name'))} {reason}",
                    (*place, "examples", index),
                )


def _breaks(logical: str, example: object, column: Mapping[str, Any]) -> str:
    value = _value(logical, example)
    if value is None:
        return f"is no {logical}"
    options = column.get("logicalTypeOptions")
    options = options if isinstance(options, dict) else {}
    if logical == "string":
        pattern = options.get("pattern")
        if isinstance(pattern, str) and matches(pattern, value) is False:
            return "does not fit the pattern"
        for key, sign in (("minLength", -1), ("maxLength", 1)):
            bound = options.get(key)
            if isinstance(bound, int) and sign * len(value) > sign * bound:
                return f"breaks `{key}`"
    if logical in ("integer", "number", *_READERS):
        for key, wrong in _BOUNDS.items():
            bound = _value("number" if logical == "integer" else logical, options.get(key))
            if bound is not None and wrong(value, bound):
                return f"breaks `{key}`"
    return ""


_BOUNDS: Mapping[str, Any] = {
    "minimum": lambda value, bound: value < bound,
    "maximum": lambda value, bound: value > bound,
    "exclusiveMinimum": lambda value, bound: value <= bound,
    "exclusiveMaximum": lambda value, bound: value >= bound,
}


@rule(
    "INO008",
    Scope.OUTPUT_CONTRACT,
    title="The options of a type leave room for values, and its pattern and format can be read.",
    why="A range that is empty or a pattern that no engine reads refuses all data, or none.",
    todo="Correct bounds, `pattern` (RE2 syntax, no look-around) or `format`.",
    bad=Change(CONTRACT, 'pattern: "^[A-Z0-9]{2}$"', 'pattern: "^[A-Z0-9{2}$"'),
)
def options_sound(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        options, logical = column.get("logicalTypeOptions"), filled(column.get("logicalType"))
        if not isinstance(options, dict):
            continue
        at_options, name = (*place, "logicalTypeOptions"), show(column.get("name"))
        pattern = options.get("pattern")
        if isinstance(pattern, str) and (not pattern or matches(pattern, "") is None):
            what = "cannot be read" if pattern else "fits everything"
            yield Said(f"the pattern {show(pattern)} of column {name} {what}", (*at_options, "pattern"))
        if logical == "string" and "format" in options and options["format"] not in _FORMATS:
            yield Said(f"the format {show(options['format'])} of column {name} is none of {', '.join(_FORMATS)}",
                       (*at_options, "format"))  # fmt: skip
        kind = "number" if logical == "integer" else logical
        if kind == "number" or kind in _READERS:
            for key in _BOUNDS:
                if key in options and _value(kind, options[key]) is None:
                    yield Said(f"`{key}` of column {name} is {show(options[key])}, which is no {logical}",
                               (*at_options, key))  # fmt: skip
        for low, high, strict in _PAIRS if len(options) > 1 else ():
            if low not in options or high not in options:
                continue
            sort = kind if low.lower().endswith("minimum") and kind in _READERS else "number"
            bounds = [_value(sort, options.get(key)) for key in (low, high)]
            if None not in bounds and (bounds[0] > bounds[1] or (strict and bounds[0] == bounds[1])):
                yield Said(f"no value of column {name} lies between `{low}` and `{high}`", (*at_options, low))


_PAIRS = (
    ("minimum", "maximum", False),
    ("exclusiveMinimum", "maximum", True),
    ("minimum", "exclusiveMaximum", True),
    ("exclusiveMinimum", "exclusiveMaximum", True),
    ("minLength", "maxLength", False),
    ("minItems", "maxItems", False),
    ("minProperties", "maxProperties", False),
)


@rule(
    "INO009",
    Scope.OUTPUT_CONTRACT,
    title="A nested column says what is inside: `properties` of an object, `items` of an array.",
    why="Readers of other languages need the whole shape; what is not said is guessed, and changes unnoticed.",
    todo="Write `properties` with name and logical type of each, or `items` with a logical type.",
    bad=Change(
        CONTRACT,
        "logicalType: date\n        physicalType: DATE",
        "logicalType: array\n        physicalType: VARCHAR[]",
    ),
)
def nested(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        name, logical = show(column.get("name")), column.get("logicalType")
        items = column.get("items")
        if logical == "object" and not any(filled(c.get("logicalType")) for _, c in mappings(column.get("properties"))):
            yield Said(f"column {name} does not say which properties it has", place)
        if logical == "array" and not (isinstance(items, dict) and filled(items.get("logicalType"))):
            yield Said(f"column {name} does not say what its items are", place)


@rule(
    "INO010",
    Scope.PRODUCT,
    title="A column of the same name has the same type in all output ports of the product.",
    why="Consumers join the ports of one product by these names without a second look.",
    todo="Use one type, or another name for what is something else.",
    bad=Change(
        "outer/contracts/output/delays.v1.odcs.yaml",
        new="apiVersion: v3.1.0\nkind: DataContract\nid: urn:dmb:cmp:aviation:flight-punctuality:1:delays\n"
        "name: delays\nversion: 1.0.0\nstatus: draft\nschema:\n  - name: delays\n    properties:\n"
        "      - {name: carrier, logicalType: integer, physicalType: INTEGER}\n",
    ),
    level=Level.WARNING,
)
def conformed(subject: Subject) -> Iterator[Said]:
    newest: dict[str, File] = {}
    for file in subject.product.output_contracts:
        name = str(file.get("name"))
        other = newest.get(name)
        if other is None or int(major(file.get("version")) or 0) > int(major(other.get("version")) or 0):
            newest[name] = file
    if len(newest) < 2:
        return
    seen: dict[str, tuple[object, str]] = {}
    for file in newest.values():
        for place, column in columns(file):
            name, kind = str(column.get("name")), column.get("logicalType")
            first = seen.setdefault(name, (kind, file.path))
            if first[0] != kind:
                message = f"column {show(name)} is {show(kind)} here and {show(first[0])} in {show(first[1], 200)}"
                yield at(file, message, *place, "logicalType")


_CONTENTS = ("discoverability", "observability", "control", "dictionary")


@rule(
    "INO011",
    Scope.DESCRIPTOR,
    title="Management ports are of a content and a type that Bitol ODPS knows.",
    why="Catalogues and monitors look for these words; under another one the port is not found.",
    todo=f"Use one of {', '.join(_CONTENTS)} as `content`, and rest or topic as `type`.",
    bad=Change(DESCRIPTOR, "    type: rest\n", "    type: html\n"),
)
def management(subject: Subject) -> Iterator[Said]:
    for index, port in subject.entries("managementPorts"):
        for key, known in (("content", _CONTENTS), ("type", ("rest", "topic"))):
            value = port.get(key, "rest" if key == "type" else None)
            if value not in known:
                yield Said(f"the {key} {show(value)} is none of {listed(known)}", ("managementPorts", index, key))
