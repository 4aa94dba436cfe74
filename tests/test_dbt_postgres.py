"""The dbt blueprint on another engine: the same models in a real PostgreSQL give the same rows as embedded.

The test starts a server of its own, on a free port of this machine, and stops it. Debian has it as `postgresql`.
"""

# ruff: noqa: S608 (names and days of this test)
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

import suite_repo
from inners import call, free_port, install, program

SAMPLES = suite_repo.ROOT / "template" / "outer" / "samples"
PORT = "carrier_punctuality"
FILLS = f"fct_carrier_days={PORT}"

pytestmark = pytest.mark.slow


def binaries() -> Path | None:
    """The folder with the programs of PostgreSQL, or None; Debian keeps the server's off PATH."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    folders = [Path(found).resolve().parent] if found else [path.parent for path in reversed(debian)]
    return next((folder for folder in folders if (folder / "psql").exists()), None)


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL, and how to reach it."""

    bin: Path
    environment: Mapping[str, str]

    def sql(self, text: str, *options: str) -> str:
        """What psql prints for `text`, stopping at the first error."""
        command = [self.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-c", text]
        return call(command, Path.cwd(), **self.environment)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    # PostgreSQL refuses to run as root, so that root needs another user's folder, outside of pytest's private one.
    pwd, user = pytest.importorskip("pwd"), None
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            user = next((name for name in ("postgres", "nobody") if name in names), None)
            if user is None:
                pytest.skip("PostgreSQL does not run as root, and there is no other user")
            shutil.chown(folder, user)
        port = free_port()
        secret = folder / "password"
        secret.write_text("only for this test\n")
        if user:
            shutil.chown(secret, user)

        def own(program: str, *arguments: str | Path) -> None:
            done = subprocess.run(
                [found / program, *arguments], user=user, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=(folder / "log").open("ab"), stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (folder / "log").read_text()

        data = folder / "data"
        own(
            "initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        own("pg_ctl", "start", "-w", "-D", data, "-l", folder / "server.log", "-o", options)
        try:
            yield Server(
                found,
                {
                    "PGHOST": "127.0.0.1",
                    "PGPORT": str(port),
                    "PGUSER": "owner",
                    "PGPASSWORD": "only for this test",
                    "PGDATABASE": "postgres",
                },
            )
        finally:
            own("pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def inner(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The blueprint's project, installed from its lock with the adapter for PostgreSQL."""
    return install("dbt", tmp_path_factory.mktemp("dbt"), "--group", "postgres")


@pytest.fixture(scope="module")
def expected(inner: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The samples' result as the embedded engine gives it, as a query."""
    folder = tmp_path_factory.mktemp("embedded")
    inputs = {f"PORT_INPUT_{name.upper()}": str(SAMPLES / f"{name}.parquet") for name in ("flights", "airlines")}
    built = folder / "local.duckdb"
    dbt(inner, "local", {**inputs, "DUCKDB_FILE": str(built)})
    file = folder / "expected.parquet"
    with duckdb.connect(str(built)) as connection:
        connection.execute(f"COPY {PORT} TO '{file}'")
    return f"SELECT * FROM '{file}'"


def dbt(inner: Path, target: str, environment: Mapping[str, str], since: str = "") -> str:
    """What `dbt build` prints: all models, all tests of data and all unit tests."""
    told = f"ports: {{fct_carrier_days: {PORT}}}" + (f", since: '{since}'" if since else "")
    command = [program(inner, "dbt"), "build", "--target", target, "--vars", f"{{{told}}}", "--no-use-colors"]
    return call(command, inner, **environment)


def warehouse(server: Server) -> dict[str, str]:
    """The variables of the target `postgres` in profiles.yml."""
    told = server.environment
    return {
        "POSTGRES_HOST": told["PGHOST"],
        "POSTGRES_PORT": told["PGPORT"],
        "POSTGRES_USER": told["PGUSER"],
        "DBT_ENV_SECRET_POSTGRES_PASSWORD": told["PGPASSWORD"],
        "POSTGRES_DATABASE": told["PGDATABASE"],
        "POSTGRES_SCHEMA": "analytics",
        "POSTGRES_SSLMODE": "disable",
    }


def load(server: Server, folder: Path) -> None:
    """Put the samples into the tables of the source `nyc_flights`, as a platform would."""
    server.sql("CREATE SCHEMA nyc_flights")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in ("flights", "airlines"):
            sample, text = SAMPLES / f"{name}.parquet", folder / f"{name}.csv"
            columns = connection.execute(f"DESCRIBE SELECT * FROM '{sample}'").fetchall()
            defined = ", ".join(f'"{column[0]}" {column[1].replace("VARCHAR", "text")}' for column in columns)
            connection.execute(f"COPY (SELECT * FROM '{sample}') TO '{text}' (HEADER)")
            server.sql(f"CREATE TABLE nyc_flights.{name} ({defined})")
            server.sql(f"\\copy nyc_flights.{name} FROM '{text}' WITH (FORMAT csv, HEADER)")


def differences(server: Server, folder: Path, expected: str) -> list[object]:
    """Rows that the table in PostgreSQL has and `expected` has not, or the other way round; floats to the last bit."""
    text = folder / "found.csv"
    server.sql(f"\\copy (SELECT * FROM analytics.{PORT}) TO '{text}' WITH (FORMAT csv, HEADER)")
    with duckdb.connect() as connection:
        types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {expected}").fetchall()}
        connection.read_csv(str(text), header=True, columns=types).create("found")
        assert connection.execute("SELECT count(*) > 100 FROM found").fetchall() == [(True,)]
        return [
            *connection.execute(f"FROM found EXCEPT ALL {expected}").fetchall(),
            *connection.execute(f"{expected} EXCEPT ALL FROM found").fetchall(),
        ]


def test_the_models_build_in_postgres_and_give_the_rows_of_the_embedded_engine(
    server: Server, inner: Path, expected: str, tmp_path: Path
) -> None:
    load(server, tmp_path)
    told = dbt(inner, "postgres", warehouse(server))
    assert "Completed successfully" in told
    assert "unit_test" in told
    assert differences(server, tmp_path, expected) == []
    columns = server.sql(
        f"SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = '{PORT}'"
        " ORDER BY ordinal_position",
        "-At",
    ).split()
    assert "flights|bigint|NO" in columns
    assert "flight_date|date|NO" in columns

    # An incremental day: what is wrong since then is computed again, what is older stays as it is.
    day = "'2013-01-09'"
    server.sql(f"UPDATE analytics.{PORT} SET flights = 7, on_time_share_7d = 0.5 WHERE flight_date >= {day}")
    server.sql(f"UPDATE analytics.{PORT} SET airline = 'as it was' WHERE flight_date < {day}")
    dbt(inner, "postgres", warehouse(server), since="2013-01-09")
    kept = f"SELECT * REPLACE (if(flight_date < {day}, 'as it was', airline) AS airline) FROM ({expected})"
    assert differences(server, tmp_path, kept) == []


def test_no_password_is_written_down(server: Server, inner: Path) -> None:
    written = [path for folder in ("logs", "target") for path in (inner / folder).rglob("*") if path.is_file()]
    assert written
    assert not any(server.environment["PGPASSWORD"].encode() in path.read_bytes() for path in written)
