"""What executes a check plan: the question to an engine, and what it knows of the data before it reads a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from outer.audit.plan import Field
from outer.audit.sql import Sql
from outer.dataset import Dataset


@dataclass(frozen=True)
class Facts:
    """What is known without a scan. Statistics that are absent, cut off, or blind to NaN are not among it."""

    types: Mapping[str, str]
    """Column -> type, by DuckDB's names, in the order of the data."""
    rows: int | None = None
    """None: only a scan can tell."""
    bytes: int = 0
    nulls: Mapping[str, int] = field(default_factory=dict)
    lows: Mapping[str, str] = field(default_factory=dict)
    highs: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, int] | None = None
    """Formats without types: column -> values that are not of the type that the contract says."""
    partitions: tuple[str, ...] | None = None
    """Columns in the names of folders; None: the data are not in folders."""


class Engine(Protocol):
    """Data that can be asked. `rows` raises `outer.parquet.Unusable` when a query fails or takes too long."""

    name: str
    format: str
    """What a reader would call the data: `a Parquet file`, `a table in PostgreSQL`."""
    table: str
    """The table as SQL names it."""
    facts: Facts
    sql: Sql
    others: Mapping[str, str]
    """Tables for relationships: name in contracts -> name in SQL."""
    columns: Mapping[str, Mapping[str, str]]
    """The columns of `others`, where their contracts are known: name or id in the contract -> name in the data."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query of this audit, written in DuckDB's dialect."""

    def own(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query that a contract brings along."""

    def distinct(self, fields: Sequence[Field]) -> str | None:
        """An aggregate that is true only if no two rows agree in `fields`; None where the engine has no cheap one."""

    def differ(self, fields: Sequence[Field]) -> bool:
        """Whether a cheap query proves that no two rows agree in `fields`."""


@dataclass(frozen=True)
class Related(Dataset):
    """A table that relationships lead to. Its contract gives columns other names, or ids, than the data have."""

    columns: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Past:
    """An earlier run, out of its receipt."""

    finished: datetime
    published: bool
    rows: int | None = None
    """Rows of this port, where it was published."""
