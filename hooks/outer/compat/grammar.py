"""What Bitol contracts and descriptors are made of: lists with names, keys that belong together, what is the same.

Read by `change`, which takes two documents apart. A key that stands nowhere here is still compared, as one value.
Clauses are written `<kind of element>.<key>`: `column.required`, `server.path`. Source: ODCS 3.0 to 3.2, ODPS to 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from outer.compat import bounds, thresholds, units
from outer.compat.physical import Relation, relation, width
from outer.compat.versions import version

Element = Mapping[str, Any]
Identity = Callable[[Element], Hashable | None]

CONTRACT_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
DESCRIPTOR_VERSIONS = ("v0.9.0", "v1.0.0", "v1.1.0")
"""Values of `apiVersion` that this grammar fits."""


def exact(value: Any) -> str:
    """`value` as JSON, whatever the order of its keys; quicker than `text`, and equal less often."""
    return json.dumps(value, sort_keys=True)


def text(value: Any) -> str:
    """`value` as JSON, equal where the meaning is: key order, `1` or `1.0`, absent or null make no difference."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- Lists whose entries have names -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """A list of elements: their kind, and how to find the same one on the other side, best proof first."""

    element: str
    identities: tuple[Identity, ...]


def _by(*keys: str) -> Identity:
    def identity(element: Element) -> Hashable | None:
        values = tuple(element.get(key) for key in keys)
        return None if any(v is None for v in values) else text(list(values))

    return identity


def _folded(element: Element) -> Hashable | None:
    name = element.get("name")
    return name.casefold() if isinstance(name, str) else None


def _unnamed_rule(element: Element) -> Hashable | None:
    if element.get("name") is not None:
        return None
    kind = element.get("type") or ("library" if element.get("metric") or element.get("rule") else None)
    return text([kind, element.get("metric") or element.get("rule"), element.get("arguments")])


def _unnamed_kind(element: Element) -> Hashable | None:
    return None if element.get("name") is not None else text([element.get("type"), element.get("metric")])


def _level(*keys: str) -> Identity:
    def identity(element: Element) -> Hashable | None:
        name = element.get("property")
        return None if name is None else text([units.plain(name), *(element.get(key) for key in keys)])

    return identity


def _custom(element: Element) -> Hashable | None:
    name = element.get("property")
    return None if name is None else units.plain(name)


def _port(element: Element) -> Hashable | None:
    found = version(element.get("version"))
    return text([element.get("name"), found.major if found else element.get("version")])


def _any(_: Element) -> Hashable | None:
    return ""


_COLUMNS = Listed("column", (_by("id"), _by("name"), _by("physicalName"), _folded))
_QUALITY = Listed("quality", (_by("id"), _by("name"), _unnamed_rule, _unnamed_kind))
_RELATIONSHIPS = Listed("relationship", (_by("id"), _by("from", "to"), _by("to"), _by("from"), _any))
_ROLES = Listed("role", (_by("id"), _by("role")))
_SUPPORT = Listed("support", (_by("id"), _by("channel")))

LISTS: Mapping[str, Listed] = {
    "contract.schema": Listed("table", (_by("id"), _by("name"), _by("physicalName"), _folded)),
    "table.properties": _COLUMNS,
    "column.properties": _COLUMNS,
    "table.quality": _QUALITY,
    "column.quality": _QUALITY,
    "table.relationships": _RELATIONSHIPS,
    "column.relationships": _RELATIONSHIPS,
    "contract.slaProperties": Listed(
        "sla", (_by("id"), _level("element", "driver"), _level("element"), _level("driver"), _level())
    ),
    "contract.servers": Listed("server", (_by("id"), _by("server"), _by("environment", "type"))),
    "contract.roles": _ROLES,
    "server.roles": _ROLES,
    "contract.support": _SUPPORT,
    "descriptor.support": _SUPPORT,
    "team.members": Listed("member", (_by("id"), _by("username"))),
    "descriptor.inputPorts": Listed("inputPort", (_by("id"), _port, _by("name"))),
    "descriptor.outputPorts": Listed("outputPort", (_by("id"), _port)),
    "descriptor.managementPorts": Listed("managementPort", (_by("id"), _by("name"))),
    "outputPort.inputContracts": Listed("lineage", (_by("id"),)),
    "outputPort.sbom": Listed("sbom", (_by("url"),)),
}


def listed(clause: str) -> Listed | None:
    """The list that stands at `clause`, or None where it holds no elements."""
    found = LISTS.get(clause)
    if found is None:
        key = clause.rpartition(".")[2]
        if key == "customProperties":
            return Listed("custom", (_custom,))
        if key == "authoritativeDefinitions":
            return Listed("definition", (_by("id"), _by("url", "type"), _by("type"), _by("url")))
        if key == "synonyms":
            return Listed("synonym", (_by("synonym"),))
    return found


ORDERED = ("table.properties", "column.properties")
"""Lists whose order is seen by readers."""

OBJECTS: Mapping[str, str] = {
    "contract.description": "about",
    "contract.price": "price",
    "contract.team": "team",
    "descriptor.description": "about",
    "descriptor.team": "team",
    "column.logicalTypeOptions": "options",
    "column.map": "map",
    "quality.arguments": "arguments",
}
"""Objects that are compared key by key, an absent one as an empty one."""

NESTED = ("column.items", "map.key", "map.value")
"""Objects that are columns of their own."""

SETS = ("arguments.validValues", "arguments.missingValues", "arguments.properties", "column.transformSourceObjects",
        "options.required", "column.enum", "sla.element")  # fmt: skip
"""Lists without an order; tags are too, wherever they stand."""

SKIPPED = ("contract.version", "descriptor.version", "outputPort.version", "inputPort.version", "lineage.version")
"""What is judged by what else changed, not by itself."""

_CUSTOMS: Mapping[str, tuple[str, ...]] = {
    "custom.unit": ("unit", "units", "currency"),
    "custom.timezone": ("timezone",),
    "custom.closed": ("closed",),
    "custom.reserved": ("reserved", "reservednames"),
    "custom.extensible": ("extensible",),
    "custom.personal": ("personaldata", "pii", "gdpr"),
    "custom.masking": ("masking", "maskingpolicy", "pseudonymisation", "anonymisation"),
    "custom.legal": ("residency", "region", "legalbasis", "lawfulbasis", "processingpurpose"),
    "custom.security": ("encryption", "authentication", "authmethod"),
    "custom.terms": ("licence", "license", "terms", "termsandconditions"),
    "custom.visibility": ("visibility",),
    "custom.classification": ("classification",),
    "custom.environments": ("environments",),
    "custom.filter": ("filter", "where", "rowfilter"),
    "custom.successor": ("successor", "replacedby"),
    "custom.title": ("title",),
}
CUSTOMS: Mapping[str, str] = {name: clause for clause, names in _CUSTOMS.items() for name in names}
"""Custom properties with a meaning, by their name without case and separators. All others are clauses nobody knows."""

FILTERS = ("filter", "where", "rowFilter")


# --- Keys that say one thing together -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Bundle:
    """Keys of an element that are one clause, and what they say together."""

    clause: str
    keys: tuple[str, ...]
    view: Callable[[Element], Any]


def _only(*keys: str) -> Callable[[Element], Any]:
    return lambda element: {key: element[key] for key in keys if element.get(key) is not None}


def _required(column: Element) -> bool:
    return column.get("required") is True or column.get("primaryKey") is True


def _partition(column: Element) -> Any:
    return column.get("partitionKeyPosition", 1) if column.get("partitioned") is True else None


def _measure(rule: Element) -> Any:
    metric = rule.get("metric") or rule.get("rule")
    return {"type": rule.get("type") or "library", "metric": metric}


_PROMISE = ("value", "unit")
_PRICE = ("priceAmount", "priceCurrency", "priceUnit")
_OPERATORS = (*thresholds.OPERATORS, "unit")

BUNDLES: Mapping[str, tuple[Bundle, ...]] = {
    "column": (
        Bundle("column.required", ("required",), _required),
        Bundle("column.partition", ("partitioned", "partitionKeyPosition"), _partition),
    ),
    "options": (
        Bundle("options.lower", bounds.LOWER, _only(*bounds.LOWER)),
        Bundle("options.upper", bounds.UPPER, _only(*bounds.UPPER)),
    ),
    "quality": (
        Bundle("quality.measure", ("type", "metric", "rule"), _measure),
        Bundle("quality.threshold", _OPERATORS, _only(*_OPERATORS)),
    ),
    "sla": (Bundle("sla.promise", _PROMISE, _only(*_PROMISE)),),
    "price": (Bundle("price.price", _PRICE, _only(*_PRICE)),),
}

KEY_FLAGS = ("primaryKey", "primaryKeyPosition")
"""Keys of a column that are judged for the whole table, as its primary key."""


# --- The same, written otherwise ----------------------------------------------------------------------------------

_DEFAULTS: Mapping[str, Any] = {
    "column.unique": False,
    "column.criticalDataElement": False,
    "column.deprecated": False,
    "table.logicalType": "object",
    "relationship.type": "foreignKey",
    "options.uniqueItems": False,
    "options.defaultTimezone": "Etc/UTC",
    "quality.severity": "error",
    "custom.closed": False,
    "custom.extensible": False,
    "custom.personal": False,
}
_UTC = ("UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT")


def same(clause: str, old: Any, new: Any, before: Element, after: Element) -> bool:
    """Whether `old` and `new`, None where absent, mean the same at `clause` of the elements `before` and `after`."""
    default = _DEFAULTS.get(clause)
    old, new = default if old is None else old, default if new is None else new
    if text(old) == text(new):
        return True
    known = _SAME.get(clause)
    return known(old, new, before, after) if known else False


def _zones(old: Any, new: Any, before: Element, after: Element) -> bool:
    return old in _UTC and new in _UTC


def _types(old: Any, new: Any, before: Element, after: Element) -> bool:
    return isinstance(old, str) and isinstance(new, str) and relation(old, new) is Relation.SAME


def _formats(old: Any, new: Any, before: Element, after: Element) -> bool:
    return isinstance(old, str) and isinstance(new, str) and width(old, new) is Relation.SAME


def _physical_names(old: Any, new: Any, before: Element, after: Element) -> bool:
    return bool((old or before.get("name")) == (new or after.get("name")))


def _elements(old: Any, new: Any, before: Element, after: Element) -> bool:
    return elements(old) == elements(new)


def elements(value: Any) -> frozenset[str]:
    """The columns that a service level is about, without their table where the contract has only one anyway."""
    return frozenset(part.strip().rpartition(".")[2] for part in str(value or "").split(",") if part.strip())


def _names(old: Any, new: Any, before: Element, after: Element) -> bool:
    return names(old) == names(new)


def names(value: Any) -> frozenset[str]:
    """The words of a list, or the one word that stands instead of it."""
    if isinstance(value, list):
        return frozenset(entry if isinstance(entry, str) else text(entry) for entry in value)
    return frozenset() if value is None else names([value])


def _queries(old: Any, new: Any, before: Element, after: Element) -> bool:
    return isinstance(old, str) and isinstance(new, str) and old.split() == new.split()


_Same = Callable[[Any, Any, Element, Element], bool]


def _counted(key: str) -> _Same:
    return lambda old, new, before, after: bounds.counted(key, old, new) is thresholds.Pass.SAME


_SAME: Mapping[str, _Same] = {
    "column.physicalType": _types,
    "options.format": _formats,
    "options.defaultTimezone": _zones,
    "column.physicalName": _physical_names,
    "table.physicalName": _physical_names,
    "sla.element": _elements,
    "quality.query": _queries,
    "custom.environments": _names,
    "custom.reserved": _names,
    "options.lower": lambda o, n, b, a: bounds.allowed(b, a, lower=True) is thresholds.Pass.SAME,
    "options.upper": lambda o, n, b, a: bounds.allowed(b, a, lower=False) is thresholds.Pass.SAME,
    "quality.threshold": lambda o, n, b, a: thresholds.passing(b, a) is thresholds.Pass.SAME,
    "sla.promise": lambda o, n, b, a: units.shift(a.get("property"), b, a) is units.Shift.SAME,
    **{f"options.{key}": _counted(key) for key in (*bounds.LEAST, *bounds.MOST)},
}  # fmt: skip

_PROSE = frozenset({
    "contract.name", "about.purpose", "about.usage", "about.limitations", "table.description",
    "table.dataGranularityDescription", "table.businessName", "column.description", "column.businessName",
    "column.transformDescription", "outputPort.description", "inputPort.description",
})  # fmt: skip
_LOGIC = frozenset({"column.transformLogic"})
_MARKS = re.compile(r"(?<![0-9])[.,;:!?\"'()]+|[.,;:!?\"'()]+(?![0-9])")


def same_words(clause: str, old: Any, new: Any) -> bool:
    """Whether two texts for people differ in nothing but blanks and marks; in logic, only blanks are nothing."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    if clause in _LOGIC:
        return old.split() == new.split()
    return clause in _PROSE and _MARKS.sub(" ", old).split() == _MARKS.sub(" ", new).split()


# --- Equality of whole clauses ------------------------------------------------------------------------------------


def canonical(clause: str, value: Any) -> Any:
    """`value` in a form that is equal exactly where no change is found: lists without an order are sorted."""
    here = listed(clause)
    if clause.endswith(".team"):
        value = team(value)
    if clause == "outputPort.version":
        found = version(value)
        return found.major if found else value  # two majors are two ports
    if isinstance(value, list):
        element = here.element if here else clause
        parts = [canonical(element, v) for v in value]
        unordered = (here is not None and clause not in ORDERED) or clause in SETS or clause.endswith(".tags")
        return sorted(parts, key=text) if unordered else parts
    if isinstance(value, dict):
        kind = "column" if clause in NESTED else OBJECTS.get(clause, clause)
        made = {}
        for key, part in value.items():
            at = f"{kind}.{key}"
            said = canonical(at, part)
            empty = said is None or (said in ([], {}) and (at in OBJECTS or listed(at) is not None))
            if not empty and (at not in SKIPPED or at == "outputPort.version"):
                made[key] = said
        return made
    return value


def team(value: Any) -> Any:
    """A team as an object; until ODCS 3.0 it was the list of its members."""
    return {"members": value} if isinstance(value, list) else value


def equal(clause: str, old: Any, new: Any) -> bool:
    """Whether nothing changed at `clause`, in whatever order it is written."""
    if old is new or exact(old) == exact(new):
        return True
    return text(canonical(clause, old)) == text(canonical(clause, new))
