"""One dataset: where the data of a port are and in which format. Shared by the run, the audit and `outer verify`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, get_args
from urllib.parse import unquote

from outer.machine import require

Format = Literal["parquet", "delta", "csv", "json"]
"""Formats of files that a dataset may have, as a contract's `servers[].format` names them (ODCS 3, Infrastructure)."""

FORMATS: tuple[Format, ...] = get_args(Format)


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Unlisted(Exception):
    """The files of the dataset cannot be told; the message says why, without data."""


@dataclass(frozen=True)
class Dataset:
    """Data in files. `path` is absolute: one file, a folder of Parquet files, or the folder of a Delta table."""

    path: Path
    format: Format = "parquet"

    def files(self) -> tuple[Path, ...]:
        """The files that hold the rows now, sorted by name: absolute, and without what a Delta table has removed.

        A folder of Parquet files is taken whole (`year=2013/…` are Hive partitions); names that begin with `_` or `.`
        are not data, as in Hive and Spark. Raises `Unlisted` when the path is not what the format says, or when the
        table needs a reader that this one is not; `UsageError` when the machine lacks the library that reads Delta.
        """
        if self.format == "delta":
            return _live(self.path)
        if self.path.is_file():
            return (self.path,)
        if self.format == "parquet" and self.path.is_dir():
            return _below(self.path)
        raise Unlisted(f"{self.path} {'is not a file' if self.path.exists() else 'does not exist'}")

    def sha256(self) -> str:
        """SHA-256, in hexadecimal: of the file; of a folder, over names, sizes and contents of everything in it.

        The log of a Delta table counts: it decides which rows there are.
        """
        if self.path.is_file():
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        total = hashlib.sha256()
        for name, file in sorted((f.relative_to(self.path).as_posix(), f) for f in everything(self.path)):
            total.update(f"{name}\0{file.stat().st_size}\0".encode("utf-8", "surrogateescape"))
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    total.update(block)
        return total.hexdigest()


def everything(folder: Path) -> Iterator[Path]:
    """Every file, link or other thing below `folder` that is not itself a folder."""
    for current, folders, names in os.walk(folder):
        yield from (Path(current, name) for name in names)
        yield from (Path(current, name) for name in folders if Path(current, name).is_symlink())


def _below(folder: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    for current, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(("_", "."))]
        found += [Path(current, name) for name in names if name.endswith(".parquet") and name[0] not in "_."]
    if not found:
        raise Unlisted(f"{folder} holds no Parquet file")
    return tuple(sorted(found))


def _live(folder: Path) -> tuple[Path, ...]:
    require("deltalake", extra="run,delta")
    if not (folder / "_delta_log").is_dir():
        raise Unlisted(f"{folder} is not a Delta table (it holds no _delta_log)")
    files = [folder / name for name in live(str(folder))]
    for file in files:
        if not file.is_file():
            raise Unlisted(f"{folder} lacks a file that its log names: {file.name}")
    return tuple(sorted(files))


def live(folder: str) -> tuple[str, ...]:
    """The files of the newest version of the Delta table in `folder`, a path or an address, by their paths from there.

    Delta protocol, "Action Reconciliation". Needs deltalake. Raises `Unlisted` as `Dataset.files`.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = DeltaTable(folder)
        protocol, metadata = table.protocol(), table.metadata()
        # Not `file_uris`: where a folder's name holds a blank or an umlaut, they are no paths.
        names = [str(path) for path in table.get_add_actions().column("path").to_pylist()]
    except (DeltaError, OSError, ValueError) as error:
        raise Unlisted(f"{folder} cannot be read as a Delta table ({type(error).__name__})") from None
    # Names of columns may stand in the log alone, and rows may be struck out there: files would then not tell the data.
    mapped = metadata.configuration.get("delta.columnMapping.mode", "none") != "none"
    needed = set(protocol.reader_features or ()) - {"timestampNtz", "columnMapping"}
    needed |= {"columnMapping"} if mapped else set()
    if needed or protocol.min_reader_version > 3:
        what = ", ".join(sorted(needed)) or f"reader version {protocol.min_reader_version}"
        raise Unlisted(f"{folder} needs a feature of Delta tables that is not supported here: {what}")
    if metadata.partition_columns:
        raise Unlisted(
            f"{folder} is a partitioned Delta table, which is not supported here; write it without partitions"
        )
    # A path is relative to the table, as a URI, or absolute when the table was cloned (Delta protocol, "Add File").
    paths = tuple(unquote(name) for name in names)
    if any(map(_SCHEME.match, names)) or any(PurePath(p).anchor or ".." in PurePath(p).parts for p in paths):
        raise Unlisted(f"{folder} has rows in a file outside its folder")
    return tuple(sorted(paths))
