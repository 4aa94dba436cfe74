"""Pushdown: the same plan where the data are. Aggregates travel, and of the rows at most the examples.

The audit writes DuckDB's SQL; sqlglot says it in the dialect of the warehouse. What dialects mean differently by the
same words (patterns, NaN, moments) is told them in words that all of them mean alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from outer.audit.engine import Facts
from outer.audit.pattern import portable
from outer.audit.plan import Field
from outer.audit.sql import Sql
from outer.datatypes import physical
from outer.parquet import Unusable, identifier, literal
from outer.quality import Unknown

Dialect = Literal["postgres", "snowflake", "databricks", "spark", "trino"]

NAMES: Mapping[str, str] = {
    "postgres": "PostgreSQL", "snowflake": "Snowflake", "databricks": "Databricks", "spark": "Spark", "trino": "Trino",
}  # fmt: skip
_JAVA = ("databricks", "spark", "trino")
"""Their `$` also fits before a last line break; `\\z` does not."""
_FORBIDDEN = re.compile(
    r"(pg|lo|dblink|txid|has|system)[_$]|(set_config|current_setting|xmlexists|sleep)\Z"
    # These do what a text says: ask other tables or servers, tell secrets, call Java.
    r"|\w+_to_xml|(dblink|crosstab\w*|connectby|ts_stat|ts_rewrite)\Z"
    r"|((try_)?(reflect|secret)|java_method|list_secrets|http_request|remote_query)\Z"
)
"""Functions that do more than measure a table. What is really allowed is for the role to say that audits run under."""

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Runs one query in the warehouse, read only; raises `Unusable`."""


class Warehouse:
    """One table of a warehouse. `parts` is its name, from the database inwards; `types` are DuckDB's names."""

    def __init__(
        self,
        dialect: Dialect,
        parts: Sequence[str],
        types: Mapping[str, str],
        ask: Ask,
        *,
        own_dialect: bool = False,
        others: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.name: str = dialect
        self.format = f"a table in {NAMES[dialect]}"
        self.table = _joined(parts)
        self.facts = Facts(types=types)
        self.sql: Sql = WarehouseSql(dialect, types)
        self.others: Mapping[str, str] = {name: _joined(other) for name, other in (others or {}).items()}
        self.columns: Mapping[str, Mapping[str, str]] = {}
        self._dialect, self._ask, self._own = dialect, ask, own_dialect

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._ask(translated(query, self._dialect))]

    def own(self, query: str) -> list[tuple[Any, ...]]:
        """A contract's query, in the warehouse's dialect where all servers of the contract are of it, else DuckDB's."""
        text = guarded(query, self._dialect if self._own else "duckdb", self._dialect, self.table)
        return [tuple(row) for row in self._ask(text)]

    def distinct(self, fields: Sequence[Field]) -> str | None:
        return None

    def differ(self, fields: Sequence[Field]) -> bool:
        return False


class WarehouseSql(Sql):
    """What a warehouse must be told in other words, still in DuckDB's dialect."""

    def __init__(self, dialect: Dialect, types: Mapping[str, str]) -> None:
        super().__init__(types)
        self._dialect = dialect

    def matches(self, sql: str, pattern: str) -> str:
        text = literal(portable(pattern, r"\z" if self._dialect in _JAVA else "$"))
        # Snowflake's REGEXP_LIKE wants the whole text to fit.
        return f"regexp_instr({sql}, {text}) > 0" if self._dialect == "snowflake" else f"regexp_matches({sql}, {text})"

    def nan(self, sql: str) -> str:
        return f"isnan({sql})" if self._dialect == "trino" else f"{sql} = CAST('NaN' AS DOUBLE)"

    def member(self, sql: str, name: str) -> str:
        raise Unknown(f"what is nested in a column is not looked into in {NAMES[self._dialect]}")

    def any_element(self, sql: str, name: str, bad: str) -> str:
        return self.member(sql, name)

    def size(self, sql: str, found: str) -> str:
        return self.member(sql, found)

    def repeats(self, sql: str) -> str:
        return self.member(sql, "")


def translated(query: str, dialect: Dialect) -> str:
    """`query`, which is DuckDB's SQL, in `dialect`. Raises `Unusable` where that cannot be said."""
    import sqlglot
    from sqlglot.errors import ErrorLevel, SqlglotError

    try:
        (text,) = sqlglot.transpile(query, read="duckdb", write=dialect, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, ValueError) as error:
        raise Unusable(f"it cannot be said in {NAMES[dialect]}: {str(error).splitlines()[0][:200]}") from None
    return str(text)


def guarded(query: str, read: str, dialect: Dialect | Literal["duckdb"], table: str) -> str:
    """A contract's query in `dialect`, if it is one SELECT that looks at `table` only. Raises `Unusable`."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ErrorLevel, SqlglotError
    from sqlglot.optimizer.scope import Scope, traverse_scope

    try:
        found = [s for s in sqlglot.parse(query, read=read) if s is not None]
        wanted = sqlglot.parse_one(table, into=exp.Table, read="duckdb").sql("duckdb", identify=True)
        if len(found) != 1 or not isinstance(found[0], exp.Query) or found[0].args.get("into"):
            raise Unusable("it is not one SELECT")
        # Names that stand for a part of the query itself. Elsewhere in it, the same name may be that of a table.
        own = {
            id(named)
            for scope in traverse_scope(found[0])
            for named, source in scope.selected_sources.values()
            if isinstance(source, Scope)
        }
        for named in found[0].find_all(exp.Table):
            plain = exp.Table(this=named.this, db=named.args.get("db"), catalog=named.args.get("catalog"))
            if id(named) not in own and plain.sql("duckdb", identify=True) != wanted:
                raise Unusable("it looks at another table than its own")
        for call in found[0].find_all(exp.Func):
            name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
            if _FORBIDDEN.match(name.lower()):
                raise Unusable(f"it calls {name[:60]}, which is no measurement")
        if found[0].find(exp.Lock, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Command):
            raise Unusable("it does more than read")
        return str(found[0].sql(dialect, unsupported_level=ErrorLevel.RAISE))
    except (SqlglotError, ValueError) as error:
        name = NAMES.get(dialect, "DuckDB")
        raise Unusable(f"it cannot be said in {name}: {str(error).splitlines()[0][:200]}") from None


def common(found: str, dialect: Dialect) -> str:
    """The type `found`, as the catalogue of a warehouse names it, by DuckDB's name; as it is where there is none."""
    text = " ".join(found.split())
    if dialect in ("spark", "databricks"):
        text = {"timestamp": "timestamptz", "timestamp_ntz": "timestamp"}.get(text.lower(), text)
    if dialect == "snowflake":
        text = {"FLOAT": "DOUBLE", "NUMBER": "DECIMAL(38,0)"}.get(text.upper(), text)
    text = re.sub(r"(?i)^(timestamp|time)( ?)\([0-9]\)", r"\1", text)
    return physical(text) or ("DECIMAL" if text.lower() == "numeric" else text.upper())


def _joined(parts: Sequence[str]) -> str:
    return ".".join(identifier(part) for part in parts if part)
