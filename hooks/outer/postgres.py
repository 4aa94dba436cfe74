"""Output ports in PostgreSQL: views that one transaction turns to the tables of a version, all of them or none.

    <schema>.<table>                            a view, by the name that the contract gives; its comment says which run
    <schema>._<run id>_<digest of contract>     the rows of one version of one port

Workloads write files here as everywhere, and the audit judges those; a table is their copy, audited again where it is.
The versions on the file system stay the memory: a table that is not there any more is loaded from them.
Credentials are those of libpq: PGUSER, PGPASSWORD, PGPASSFILE, PGSERVICE.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outer.errors import RunFailed
from outer.machine import require
from outer.parquet import Unusable, identifier, opened
from outer.ports import Location, Table
from outer.receipt import file_of

if TYPE_CHECKING:
    import psycopg

PATIENCE = 30.0
"""Seconds that a switch waits for readers whose transactions hold a view."""

ROWS = 10_000
"""Rows that travel at a time."""

_PUBLISHED = re.compile(r"Published by outer, run ([0-9]{8}T[0-9]{6}Z-[0-9a-f]{6})\Z")
_TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "smallint", "SMALLINT": "smallint", "INTEGER": "integer", "BIGINT": "bigint",
    "HUGEINT": "numeric(39)", "FLOAT": "real", "DOUBLE": "double precision", "VARCHAR": "text", "BLOB": "bytea",
    "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz", "UUID": "uuid",
}  # fmt: skip


@dataclass(frozen=True)
class Shelf:
    """The output ports of one environment that are views in PostgreSQL: all of its ports, or none."""

    locations: tuple[Location, ...]

    def load(self, folder: Path, run_id: str) -> None:
        """Copy the ports of the version in `folder` into tables of their own, where they are not yet.

        Raises `RunFailed` when the database refuses; then nothing is left behind.
        """
        if not self.locations:
            return
        with self._connected() as connection, connection.transaction():
            for location, table in self._tables():
                name = own_name(location, run_id)
                if not _exists(connection, table.schema, name):
                    _load(connection, location, table.schema, name, folder)

    def switch(self, run_id: str) -> None:
        """Turn all views to the tables of the run `run_id` in one transaction. Raises `RunFailed`; then none is turned.

        Readers that hold a view keep their version until their transaction ends; the switch waits for them.
        """
        if not self.locations:
            return
        import psycopg

        deadline = time.monotonic() + PATIENCE
        with self._connected() as connection:
            while True:
                try:
                    with connection.transaction():
                        # Short, so that readers who come meanwhile are not kept waiting behind this one.
                        connection.execute("SET LOCAL lock_timeout = '300ms'")
                        for location, table in self._tables():
                            _turn(connection, location, table, run_id)
                    return
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                    if time.monotonic() >= deadline:
                        raise RunFailed(
                            f"{self.locations[0].table} is being read by a transaction that does not end",
                            "End it (pg_stat_activity tells whose it is), and run again.",
                        ) from None
                    time.sleep(0.2)

    def published(self) -> str | None:
        """The run whose version all views show; None where they show none, or not one."""
        if not self.locations:
            return None
        with self._connected() as connection:
            found = {_shown(connection, table) for _, table in self._tables()}
        return found.pop() if len(found) == 1 else None

    def serve(self, version: Path | None) -> None:
        """Show the `version` that is published on the file system: a run that was killed may not have come so far.

        Where none is, this only tells of a database that does not answer, before anybody has worked for it.
        """
        held = self.holding(version) if version else Shelf(())
        if not held.locations:
            self.published()
        elif version and held.published() != version.name:
            held.load(version, version.name)
            held.switch(version.name)

    def holding(self, version: Path) -> Shelf:
        """The ports that `version` holds: one that came later is shown when a run has made it, and not before."""
        found = []
        for location in self.locations:
            if file := file_of(version, location.port.contract.id, location.address):
                found.append(replace(location, path=location.path.with_name(file)))
        return Shelf(tuple(found))

    def prune(self, kept: Collection[str]) -> None:
        """Remove the tables of versions whose run is not in `kept`, as far as nobody reads them."""
        if not self.locations:
            return
        import psycopg

        with self._connected() as connection:
            for location, table in self._tables():
                for name, run_id in _versions(connection, location, table.schema):
                    if run_id in kept:
                        continue
                    try:
                        with connection.transaction():
                            connection.execute("SET LOCAL lock_timeout = '300ms'")
                            connection.execute(_sql("DROP TABLE {}.{}", table.schema, name))
                    except psycopg.Error:  # somebody reads it, or has built upon it: another time
                        continue

    def _tables(self) -> Iterator[tuple[Location, Table]]:
        return ((location, location.table) for location in self.locations if location.table is not None)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        import psycopg

        table = self.locations[0].table
        assert table is not None  # noqa: S101 (`shelf` takes no other)
        try:
            # autocommit: every `transaction()` is one of its own.
            with psycopg.connect(
                host=table.host, port=table.port, dbname=table.database, autocommit=True,
                options="-c timezone=UTC", application_name="outer",
            ) as connection:  # fmt: skip
                yield connection
        except psycopg.Error as error:
            raise RunFailed(f"{table}: {_said(error)}", "Look at the server, at PGUSER and at its rights.") from None


def shelf(locations: Sequence[Location]) -> Shelf:
    """The ports among `locations` that are tables. Raises `UsageError` where the library for them is missing."""
    served = tuple(location for location in locations if location.table is not None)
    if served:
        require("psycopg", "sqlglot", extra="run,postgres")
    return Shelf(served)


def own_name(location: Location, run_id: str) -> str:
    """Name of the table that holds one version of a port; short enough for PostgreSQL whatever the port is called."""
    return f"_{run_id.replace('-', '_')}_{_digest(location)}"


def _digest(location: Location) -> str:
    # Of the contract's id, which no other product has: several may share a schema. And of the name that consumers know:
    # that of the port is another one as soon as a newer major stands beside it.
    name = location.table.name if location.table else location.port.name
    return sha256(f"{location.port.contract.id} {name}".encode()).hexdigest()[:12]


def _load(connection: psycopg.Connection[Any], location: Location, schema: str, name: str, folder: Path) -> None:
    data, contract = location.inside(folder), location.port.contract
    required = {str(c.clauses.get("physicalName") or c.name) for c in contract.columns if c.required}
    key = [
        str(c.clauses.get("physicalName") or c.name)
        for c in sorted((c for c in contract.columns if c.key_position), key=lambda c: c.key_position or 0)
    ]
    try:
        with opened(data) as table:
            columns = {column: _type(column, found) for column, found in table.footer.types.items()}
            defined = ", ".join(
                f"{identifier(column)} {type_}{' NOT NULL' if column in required else ''}"
                for column, type_ in columns.items()
            )
            if key:
                defined += f", PRIMARY KEY ({', '.join(map(identifier, key))})"
            connection.execute(_sql("CREATE TABLE {}.{} ", schema, name) + _raw(f"({defined})"))
            with connection.cursor() as cursor, cursor.copy(_sql("COPY {}.{} FROM STDIN", schema, name)) as copy:
                for row in table.stream(ROWS):
                    copy.write_row(row)
            connection.execute(_sql("ANALYZE {}.{}", schema, name))
    except Unusable as error:
        raise RunFailed(f"{data.path} cannot be read any more: {error}", "Run again.") from None


def _turn(connection: psycopg.Connection[Any], location: Location, table: Table, run_id: str) -> None:
    import psycopg

    # A view keeps its table, which is named by the contract: another product may have published under the same name.
    last = _shown(connection, table)
    ours = last is not None and _exists(connection, table.schema, own_name(location, last))
    if not ours and _exists(connection, table.schema, table.name):
        raise RunFailed(
            f"{table} is there and was not made by `outer run` of this product",
            "Move it away, or give the port another name or schema in its contract.",
        )
    query = _sql(" AS SELECT * FROM {}.{}", table.schema, own_name(location, run_id))
    view = _sql("VIEW {}.{}", table.schema, table.name)
    try:
        with connection.transaction():
            # Keeps the rights that people have been granted.
            connection.execute(_raw("CREATE OR REPLACE ") + view + query)
    except psycopg.errors.InvalidTableDefinition:  # its columns are others now
        connection.execute(_raw("DROP ") + view)
        connection.execute(_raw("CREATE ") + view + query)
    connection.execute(_raw("COMMENT ON ") + view + _raw(f" IS 'Published by outer, run {run_id}'"))


def _shown(connection: psycopg.Connection[Any], table: Table) -> str | None:
    """The run whose version a view shows; None where there is no such view, or it is not ours."""
    row = connection.execute(
        "SELECT obj_description(c.oid, 'pg_class') FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'v'",
        (table.schema, table.name),
    ).fetchone()
    match = _PUBLISHED.match(str(row[0])) if row else None
    return match[1] if match else None


def _exists(connection: psycopg.Connection[Any], schema: str, name: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        (schema, name),
    ).fetchone()
    return row is not None


def _versions(connection: psycopg.Connection[Any], location: Location, schema: str) -> Sequence[tuple[str, str]]:
    """Tables of the versions of a port, with their run ids."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind = 'r'",
        (schema,),
    ).fetchall()
    ours = re.compile(rf"_([0-9]{{8}}T[0-9]{{6}}Z)_([0-9a-f]{{6}})_{_digest(location)}\Z")
    return [(str(name), f"{match[1]}-{match[2]}") for (name,) in rows if (match := ours.match(str(name)))]


def _type(column: str, found: str) -> str:
    if found.startswith("DECIMAL"):
        return "numeric" + found.removeprefix("DECIMAL")
    if found not in _TYPES:
        raise RunFailed(
            f"column `{column}` is {found}, for which PostgreSQL has no type here",
            "Publish it as another type, or to files.",
        )
    return _TYPES[found]


def _sql(text: str, *names: str) -> Any:
    from psycopg import sql

    return sql.SQL(text).format(*map(sql.Identifier, names))


def _raw(text: str) -> Any:
    from psycopg import sql

    return sql.SQL(text)


def _said(error: psycopg.Error) -> str:
    # These classes are about connection, rights, names and what depends on them; others may quote values of the data.
    state = error.sqlstate or "08"
    line = (str(error).splitlines() or [""])[0][:300] if state[:2] in ("08", "28", "2B", "3D", "3F", "42") else ""
    return line or f"PostgreSQL stopped with {type(error).__name__}"
