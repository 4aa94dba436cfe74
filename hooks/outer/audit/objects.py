"""The embedded engine over files in S3, which are read where they are: what metadata prove is not fetched.

Access is that of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, and for a
storage that is not Amazon's AWS_ENDPOINT_URL (with AWS_ALLOW_HTTP=true where that is http).
DuckDB's own way to S3 is an extension, which would have to be downloaded from outside the package index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from outer.audit.duck import FORMATS, Duck
from outer.dataset import FORMATS as KNOWN
from outer.dataset import Format, Unlisted, live
from outer.errors import UsageError
from outer.machine import require
from outer.parquet import Files, Table, Unusable, bind, footer, lock_in, partition_keys, said, secluded
from outer.ports import interpolate
from outer.yamlfile import show

_LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)/([^*?\[\]{}]+)")
_RETRY: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}


@dataclass(frozen=True)
class Place:
    """Where the data of a server of the type `s3` are: a bucket, one object or the folder `key` in it, and a format."""

    bucket: str
    key: str
    format: Format

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def place_of(server: Mapping[str, Any], where: str) -> Place:
    """The place that a server names (ODCS, Servers: `location`, `format`, `endpointUrl`).

    Raises `UsageError` at `where` for another location or format. Also for an `endpointUrl` that is not the one of the
    environment: a contract alone must not decide who is shown the credentials.
    """
    location = interpolate(str(server.get("location") or ""), where).strip()
    found = _LOCATION.fullmatch(location.rstrip("/"))
    if not found:
        raise UsageError(
            f"{where}: {show(location)} is no place in S3",
            "Write `location` as s3://bucket/folder or s3://bucket/folder/file.parquet, without patterns.",
        )
    kind = str(server.get("format") or "parquet")
    form = next((known for known in KNOWN if known == kind), None)
    if form is None:
        raise UsageError(f"{where}: {show(kind)} cannot be audited in S3", f"Known formats are {', '.join(KNOWN)}.")
    endpoint = interpolate(str(server.get("endpointUrl") or ""), where).rstrip("/")
    if endpoint and endpoint != os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/"):
        raise UsageError(
            f"{where}: the server names the endpoint {show(endpoint)}, and AWS_ENDPOINT_URL does not",
            "Set AWS_ENDPOINT_URL to it, if you trust it: whoever is there is shown the credentials.",
        )
    return Place(found[1], found[2], form)


@contextmanager
def objects(place: Place, table: str, types: Mapping[str, str]) -> Iterator[Duck]:
    """Open what is at `place` as `table`; `types` are those of columns that have none of their own (CSV, partitions).

    Raises `Unusable` when nothing is there or it cannot be read, `UsageError` when the libraries are missing.
    """
    require("obstore", "fsspec", extra="run,s3")
    if place.format == "delta":
        require("deltalake", extra="run,s3,delta")
    import duckdb
    from obstore.fsspec import FsspecStore

    found = _found(place)
    with secluded() as connection:
        try:
            connection.register_filesystem(FsspecStore("s3", retry_config=_RETRY))
            reading = bind(connection, table, found, types)
            opened = Table(table, footer(connection, table, found, reading), connection)
            lock_in(connection, found.names)
        except duckdb.Error as error:
            raise Unusable(said(error)) from None
        except Unusable:
            raise
        except Exception as error:  # whatever the storage raises comes through DuckDB
            raise _unreadable(place, error) from None
        folder = place.format == "parquet" and found.names != (str(place),)
        yield Duck(opened, FORMATS[place.format], {}, folder=folder)


def _found(place: Place) -> Files:
    """The objects that hold the rows now. Names that begin with `_` or `.` are not data, as in Hive and Spark."""
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    try:
        store = S3Store(place.bucket, retry_config=_RETRY)
        sizes = {str(m["path"]): int(m["size"]) for chunk in store.list(prefix=place.key) for m in chunk}
        single = not sizes and place.format != "delta"
        if single:
            sizes = {place.key: int(store.head(place.key)["size"])}
        if place.format == "delta":
            kept = [f"{place.key}/{path}" for path in live(str(place))]
        else:
            kept = sorted(key for key in sizes if single or _is_data(key.removeprefix(f"{place.key}/"), place.format))
    except Unlisted as error:
        raise Unusable(str(error)) from None
    except (BaseError, OSError, ValueError) as error:
        raise _unreadable(place, error) from None
    if not kept:
        raise Unusable(f"{place} holds no {place.format} data")
    if any(key not in sizes for key in kept):
        raise Unusable(f"{place} lacks a file that its log names")
    if any(set(key) & set("*?[]") for key in kept):
        raise Unusable(f"{place} holds an object with one of * ? [ ] in its name")
    parts = [tuple(key.removeprefix(f"{place.key}/").split("/")) for key in kept]
    keys = partition_keys(str(place), parts) if place.format == "parquet" and not single else ()
    return Files(
        tuple(f"s3://{place.bucket}/{key}" for key in kept), sum(sizes[key] for key in kept), place.format, keys
    )


def _unreadable(place: Place, error: Exception) -> Unusable:
    kind = type(error).__name__
    return Unusable(f"{place} cannot be read ({kind}); access is that of the AWS_ variables of the environment")


def _is_data(path: str, form: Format) -> bool:
    return path.endswith(f".{form}") and not any(part.startswith(("_", ".")) for part in path.split("/"))
