"""Opens the table that a contract's `servers` entry names, where it is. Credentials come from the environment.

postgres     psycopg                      PGUSER, PGPASSWORD and the other variables of libpq
snowflake    snowflake-connector-python   SNOWFLAKE_USER, SNOWFLAKE_PASSWORD
databricks   databricks-sql-connector     DATABRICKS_HTTP_PATH, DATABRICKS_TOKEN
trino        trino                        TRINO_USER, TRINO_PASSWORD
spark        pyspark                      SPARK_REMOTE; in a contract it is `type: custom` with the custom property
                                          `engine: spark`, since ODCS has no name for it
"""

# ruff: noqa: S608 (texts are quoted by `literal`)

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outer.audit.warehouse import NAMES, Ask, Dialect, Warehouse, common
from outer.errors import UsageError
from outer.machine import require
from outer.parquet import SECONDS, Unusable, literal
from outer.ports import interpolate
from outer.yamlfile import show

DIALECTS: Mapping[str, Dialect] = {
    "postgres": "postgres", "postgresql": "postgres", "snowflake": "snowflake", "databricks": "databricks",
    "trino": "trino", "spark": "spark",
}  # fmt: skip
"""Type of a server (ODCS, Infrastructure and Servers) -> dialect."""


@contextmanager
def warehouse(
    server: Mapping[str, Any], table: str, *, own_dialect: bool = False, related: Sequence[str] = ()
) -> Iterator[Warehouse]:
    """Open `table` on `server`, an entry of `servers`, read only; `related` are tables beside it.

    `own_dialect` says that the contract's queries are in the dialect of the server. Raises `UsageError` when type,
    client, credentials or a variable are missing, `Unusable` when the table cannot be read.
    """
    dialect = _dialect(server)
    require("sqlglot", extra="run,warehouse")
    where = f"server {show(str(server.get('server')))}"
    server = {key: interpolate(value, where) if isinstance(value, str) else value for key, value in server.items()}
    with _CONNECTED[dialect](server) as ask:
        types = _types(ask, dialect, server, table)
        if not types:
            raise Unusable(f"there is no table {table} with columns that may be read")
        others = {name: _parts(server, name) for name in related if name != table}
        yield Warehouse(dialect, _parts(server, table), types, ask, own_dialect=own_dialect, others=others)


def _dialect(server: Mapping[str, Any]) -> Dialect:
    kind = str(server.get("type") or "").lower()
    for entry in server.get("customProperties") or []:
        if kind == "custom" and isinstance(entry, dict) and entry.get("property") == "engine":
            kind = str(entry.get("value") or "").lower()
    if kind not in DIALECTS:
        raise UsageError(
            f"data on a server of the type {kind or 'unknown'} cannot be audited where they are",
            f"Known are: duckdb, s3, {', '.join(DIALECTS)}. Files of this machine are audited by the embedded engine.",
        )
    return DIALECTS[kind]


def file_of(server: Mapping[str, Any], root: Path, where: str) -> Path:
    """The file of a server of the type `duckdb` (ODCS, Servers: `database`); a relative path counts from `root`.

    Raises `UsageError` at `where` when it names none, or a variable that is not set.
    """
    name = interpolate(str(server.get("database") or ""), where).strip()
    if not name or "\0" in name:
        raise UsageError(f"{where}: {show(name)} is no path of a file", "Write it into `database` of the server.")
    return Path(os.path.normpath(root / name))


def _parts(server: Mapping[str, Any], table: str) -> tuple[str, ...]:
    catalog = server.get("catalog") or (server.get("database") if server.get("type") == "snowflake" else None)
    return tuple(str(part) for part in (catalog, server.get("schema"), table) if part)


def _types(ask: Ask, dialect: Dialect, server: Mapping[str, Any], table: str) -> Mapping[str, str]:
    """Columns of the table with their types, from the catalogue."""
    if dialect in ("spark", "databricks"):
        rows = ask(f"DESCRIBE TABLE {'.'.join('`' + p.replace('`', '``') + '`' for p in _parts(server, table))}")
        # After an empty line or a heading come partitions, which are columns already.
        named: list[tuple[str, str]] = []
        for name, found, *_ in rows:
            if not name or str(name).startswith("#"):
                break
            named.append((str(name), str(found)))
        return {name: common(found, dialect) for name, found in named}
    schema = literal(str(server.get("schema") or ("public" if dialect == "postgres" else "")))
    if dialect == "postgres":
        rows = ask(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a"
            " JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            f" WHERE n.nspname = {schema} AND c.relname = {literal(table)} AND a.attnum > 0 AND NOT a.attisdropped"
            " ORDER BY a.attnum"
        )
        return {str(name): common(str(found), dialect) for name, found in rows}
    rows = ask(
        "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns"
        f" WHERE table_schema = {schema} AND table_name = {literal(table)} ORDER BY ordinal_position"
    )
    return {str(name): common(_sized(str(found), *sizes), dialect) for name, found, *sizes in rows}


def _sized(found: str, precision: object, scale: object) -> str:
    plain = found.upper() in ("NUMBER", "DECIMAL", "NUMERIC")
    return f"{found}({precision},{scale})" if plain and precision is not None and scale is not None else found


# --- Clients ---------------------------------------------------------------------------------------


def _client(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(
            f"to ask this warehouse, the Python package {package} is needed, which is not installed",
            f"Install it beside the command: pip install 'data-product-blueprints[run,warehouse]' {package}.",
        ) from None


def _secret(name: str) -> str:
    if not (value := os.environ.get(name)):
        raise UsageError(f"the environment variable {name} is not set", "Set it; passwords never stand in a contract.")
    return value


@contextmanager
def _postgres(server: Mapping[str, Any]) -> Iterator[Ask]:
    psycopg = _client("psycopg", "psycopg[binary]")
    options = {"host": server.get("host"), "port": server.get("port"), "dbname": server.get("database")}
    given = {key: value for key, value in options.items() if value is not None}
    settings = f"-c default_transaction_read_only=on -c statement_timeout={int(SECONDS)}s -c timezone=UTC"
    try:
        connection = psycopg.connect(**given, options=settings, autocommit=False)
    except psycopg.Error as error:
        why = (
            " ".join(str(error).split())[:300] or type(error).__name__
        )  # of host, port and user; there are no data yet
        raise Unusable(f"PostgreSQL cannot be reached: {why}") from None
    try:
        connection.read_only = True

        def ask(query: str) -> Sequence[Sequence[Any]]:
            try:
                # One transaction sees one state of the data; a savepoint keeps it usable after a query that fails.
                # Prepared, so that a text holds one statement only.
                with connection.transaction(), connection.cursor() as cursor:
                    return list(cursor.execute(query, prepare=True).fetchall())
            except psycopg.Error as error:
                raise Unusable(_said(error, "PostgreSQL")) from None

        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield ask
    finally:
        connection.rollback()
        connection.close()


def _said(error: Any, who: str) -> str:
    state = str(getattr(error, "sqlstate", "") or "")
    # Errors of class 42 are about the query; others may quote values of the data, which must not reach a log.
    line = (str(error).splitlines() or [""])[0][:300] if state.startswith("42") else ""
    return line or f"{who} stopped with {type(error).__name__}"


@contextmanager
def _spark(server: Mapping[str, Any]) -> Iterator[Ask]:
    sql = _client("pyspark.sql", "pyspark")
    session = sql.SparkSession.getActiveSession() or sql.SparkSession.builder.getOrCreate()
    yield spark(session)


def spark(session: Any) -> Ask:
    """Queries to a Spark session, of this process or by Spark Connect."""
    session.conf.set("spark.sql.session.timeZone", "UTC")

    def ask(query: str) -> Sequence[Sequence[Any]]:
        try:
            return [tuple(row) for row in session.sql(query).collect()]
        except Exception as error:  # errors of Java, of gRPC and of Python have no common ancestor
            raise Unusable(f"Spark stopped with {type(error).__name__}") from None

    return ask


def _cursor(connect: Callable[[], Any], who: str) -> Iterator[Ask]:
    """Queries by a client that keeps to the Database API of Python (PEP 249)."""
    try:
        connection = connect()
    except Exception as error:  # each client has errors of its own
        raise Unusable(f"{who} cannot be reached ({type(error).__name__})") from None

    def ask(query: str) -> Sequence[Sequence[Any]]:
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]
        except Exception as error:  # each client has errors of its own
            raise Unusable(_said(error, who)) from None
        finally:
            cursor.close()

    try:
        yield ask
    finally:
        connection.close()


@contextmanager
def _snowflake(server: Mapping[str, Any]) -> Iterator[Ask]:
    client = _client("snowflake.connector", "snowflake-connector-python")
    named = {key: server.get(key) for key in ("account", "database", "schema", "warehouse")}
    user, password = _secret("SNOWFLAKE_USER"), _secret("SNOWFLAKE_PASSWORD")
    yield from _cursor(
        lambda: client.connect(**named, user=user, password=password, session_parameters={"TIMEZONE": "UTC"}),
        NAMES["snowflake"],
    )


@contextmanager
def _databricks(server: Mapping[str, Any]) -> Iterator[Ask]:
    client = _client("databricks.sql", "databricks-sql-connector")
    path, token = _secret("DATABRICKS_HTTP_PATH"), _secret("DATABRICKS_TOKEN")
    yield from _cursor(
        lambda: client.connect(
            server_hostname=server.get("host"), http_path=path, access_token=token,
            session_configuration={"timezone": "UTC"},
        ),
        NAMES["databricks"],
    )  # fmt: skip


@contextmanager
def _trino(server: Mapping[str, Any]) -> Iterator[Ask]:
    client = _client("trino.dbapi", "trino")
    user, password = _secret("TRINO_USER"), os.environ.get("TRINO_PASSWORD")
    basic = _client("trino.auth", "trino").BasicAuthentication(user, password) if password else None
    yield from _cursor(
        lambda: client.connect(
            host=server.get("host"), port=server.get("port") or 443, user=user, auth=basic, timezone="UTC",
            catalog=server.get("catalog"), schema=server.get("schema"), http_scheme="https" if basic else "http",
        ),
        NAMES["trino"],
    )  # fmt: skip


_CONNECTED: Mapping[Dialect, Callable[[Mapping[str, Any]], Any]] = {
    "postgres": _postgres, "spark": _spark, "snowflake": _snowflake, "databricks": _databricks, "trino": _trino,
}  # fmt: skip
