"""The check plan: all that a contract demands of its data, typed, and without a word of any engine.

`compile.py` makes it from a contract, `execute.py` holds data against it. Every item names its place in the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from outer.result import Severity
from outer.yamlfile import Pointer

ELEMENTS = "[]"
"""Step of a path into the elements of a list."""


@dataclass(frozen=True)
class Field:
    """A column, or something nested in it."""

    path: tuple[str, ...]
    """Names in the data, from the column inwards; `ELEMENTS` steps into a list."""
    name: str
    """What the contract calls it: `zip`, `address.zip`, `tags[]`."""
    classification: str = ""
    zone: str = ""
    """Time zone of times that have none (ODCS `defaultTimezone`); empty: UTC."""

    @property
    def column(self) -> str:
        """Name of the column in the data."""
        return self.path[0]


# --- Conditions: what a bad row meets --------------------------------------------------------------


@dataclass(frozen=True)
class Null:
    """The field is null, and what it is nested in is not."""


@dataclass(frozen=True)
class Outside:
    """A number or a time that does not keep `sign` `bound`. NaN keeps nothing."""

    sign: Literal[">=", "<=", ">", "<"]
    bound: Any


@dataclass(frozen=True)
class NotMultiple:
    """A number that is no multiple of `factor`; between floats, a billionth more or less does not matter."""

    factor: float


@dataclass(frozen=True)
class Length:
    """A text whose number of characters does not keep `sign` `limit`."""

    sign: Literal[">=", "<="]
    limit: int


@dataclass(frozen=True)
class Mismatch:
    """A text in which the regular expression is not found, as in JSON Schema: `^` and `$` tie it to the ends."""

    pattern: str


@dataclass(frozen=True)
class Among:
    """A value that is one of `values`, or is none of them; null counts where null is among them."""

    values: tuple[Any, ...]
    wanted: bool
    """True: bad are values that are not there. False: bad are those that are."""


@dataclass(frozen=True)
class Items:
    """A list or map whose number of elements does not keep `sign` `limit`."""

    sign: Literal[">=", "<="]
    limit: int


@dataclass(frozen=True)
class Repeated:
    """A list that holds a value twice."""


Condition = Null | Outside | NotMultiple | Length | Mismatch | Among | Items | Repeated


# --- Items of a plan -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Item:
    """One demand of a contract."""

    rule: str
    """Its id in reports."""
    pointer: Pointer
    """Its place in the contract."""
    severity: Severity = "error"
    dimension: str = ""
    covers: tuple[Pointer, ...] = ()
    """The clauses that it decides, where they are others than what stands at `pointer`."""

    @property
    def clauses(self) -> tuple[Pointer, ...]:
        """The clauses that it decides."""
        return self.covers or (self.pointer,)


@dataclass(frozen=True, kw_only=True)
class Readable(Item):
    """The data can be read as what they say they are."""


@dataclass(frozen=True, kw_only=True)
class Columns(Item):
    """These columns are there, or with `field` what is nested in it; where `closed`, no others and in this order."""

    names: tuple[str, ...]
    closed: bool
    field: Field | None = None


@dataclass(frozen=True, kw_only=True)
class Typed(Item):
    """The field has the physical and logical type; either may be empty."""

    field: Field
    physical: str
    logical: str


@dataclass(frozen=True, kw_only=True)
class Zoned(Item):
    """The field is a time stamp with, or without, a time zone."""

    field: Field
    zoned: bool


@dataclass(frozen=True, kw_only=True)
class Partitioned(Item):
    """The data are in folders named by the values of this column; `position` orders these columns, 0: nobody says."""

    field: Field
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class Rows(Item):
    """No row meets the condition `bad`. A null is bad only for `Null`."""

    field: Field
    bad: Condition
    expected: str


@dataclass(frozen=True, kw_only=True)
class Unique(Item):
    """No two rows agree in all of `fields`; a null agrees with nothing."""

    fields: tuple[Field, ...]
    expected: str


@dataclass(frozen=True, kw_only=True)
class Metric(Item):
    """A library metric keeps the operator of `clause` (ODCS, Data Quality, library).

    Counted are: all rows (`rowCount`), rows that repeat an earlier one in `fields` (`duplicateValues`), or rows that
    meet one of `bad`.
    """

    metric: Literal["rowCount", "duplicateValues", "rows"]
    clause: Mapping[str, Any]
    percent: bool
    fields: tuple[Field, ...] = ()
    bad: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Query(Item):
    """What an SQL query gives keeps the operator of `clause` (ODCS, Data Quality, sql)."""

    clause: Mapping[str, Any]
    field: Field | None = None


@dataclass(frozen=True, kw_only=True)
class Reference(Item):
    """Every combination of `fields` without a null is found in `targets` of the table `table` (ODCS, Relationships)."""

    fields: tuple[Field, ...]
    table: str
    targets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Custom(Item):
    """A rule for another engine, which must be registered (ODCS, Data Quality, custom)."""

    engine: str
    clause: Mapping[str, Any]
    field: Field | None = None


@dataclass(frozen=True, kw_only=True)
class Age(Item):
    """The newest value of `field`, or without it the publication, is at most `allowed` old."""

    allowed: timedelta
    field: Field | None = None


@dataclass(frozen=True, kw_only=True)
class Retention(Item):
    """No value of `field` is older than `allowed`."""

    allowed: timedelta
    field: Field


@dataclass(frozen=True, kw_only=True)
class Frequency(Item):
    """No more than `allowed` between two publications."""

    allowed: timedelta


@dataclass(frozen=True, kw_only=True)
class Volume(Item):
    """At least `least` rows, or, in percent, at least this share of the median of earlier publications."""

    least: float
    percent: bool


@dataclass(frozen=True, kw_only=True)
class Filled(Item):
    """At least `least` percent of the values of `field` are there."""

    least: float
    field: Field


@dataclass(frozen=True, kw_only=True)
class Available(Item):
    """At least `least` percent of the recent runs have published; the port itself is there to be read."""

    least: float


@dataclass(frozen=True, kw_only=True)
class Until(Item):
    """A date of the life cycle; a note when it is past."""

    date: str


@dataclass(frozen=True, kw_only=True)
class Declared(Item):
    """Nothing that data could show, or that can be seen here; `reason` says why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Impossible(Item):
    """A demand that nobody here understands, which fails."""

    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything that one contract demands of one table, in the order of the contract."""

    table: str
    """What SQL calls the table."""
    names: frozenset[str]
    """What the contract calls it."""
    items: tuple[Item, ...]
    key: tuple[Field, ...]
    """The primary key, which shows which rows are bad."""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """Columns by their name in the contract."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Column in the data -> the type that the contract gives it, as DuckDB names it, where it is understood."""

    @property
    def partitions(self) -> tuple[str, ...]:
        """Columns that stand in the names of folders, outermost first."""
        found = [item for item in self.items if isinstance(item, Partitioned)]
        return tuple(item.field.column for item in sorted(found, key=lambda item: item.position or 10_000))
