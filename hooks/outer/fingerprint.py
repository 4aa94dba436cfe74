"""Fingerprints: of files byte by byte, and of data whatever file they are in."""

# ruff: noqa: S608 (names are quoted by `identifier`)
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from outer import git
from outer.parquet import Table, identifier


def content(table: Table) -> str:
    """Fingerprint of the rows of `table`: equal for equal data, whatever engine wrote them, in whatever order.

    It is made so that anyone can make it again, without DuckDB:

    - A row becomes text: its values in the order of the columns, joined by commas. A null is empty. A number is its
      shortest decimal notation, -0.0 is 0.0; a decimal has all places of its type; a date, a time and a truth value are
      written as 2013-01-31, 08:15:00 and true; a time stamp is microseconds since 1970-01-01 UTC. Everything else
      is text with its length in bytes before it, as in `7:Endeavo`.
    - A row's hash is MD5 of that text in UTF-8, as a number of 128 bits, least significant byte first.
    - The hashes are added up, upper and lower half for themselves, both modulo 2^64: a sum knows no order, and unlike
      XOR it does not lose rows that occur twice.
    - The fingerprint is SHA-256 of the JSON text [[names of columns], rows, upper, lower] without blanks.

    It proves that data are the same, not that nobody forged them: for that, compare SHA-256 of the file.
    """
    terms = ", ',', ".join(_term(identifier(name), found) for name, found in table.footer.types.items())
    # concat() treats null as empty, and no value but text is ever empty.
    query = (
        "SELECT count(*), coalesce(sum((h >> 64)::UBIGINT), 0), coalesce(sum((h & 18446744073709551615)::UBIGINT), 0)"
        f" FROM (SELECT md5_number(concat({terms})) AS h FROM {identifier(table.name)})"
    )
    ((rows, upper, lower),) = table.rows(query)
    parts = [list(table.footer.types), int(rows), int(upper) % 2**64, int(lower) % 2**64]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def _term(column: str, found: str) -> str:
    if found in ("FLOAT", "DOUBLE"):
        return f"{column} + 0"
    if found in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        return f"epoch_us({column})"
    if (
        found in ("BOOLEAN", "DATE", "TIME")
        or found.endswith("INT")
        or found.startswith(("DECIMAL", "INTEGER", "UINT"))
    ):
        return column if not found.endswith("[]") else _sized(f"{column}::VARCHAR")
    return _sized(f"hex({column})" if found == "BLOB" else f"{column}::VARCHAR")


def _sized(text: str) -> str:
    return f"strlen({text}), if({text} IS NULL, NULL, ':'), {text}"


def file(path: Path) -> str:
    """SHA-256 of the file at `path`, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def outer(root: Path) -> str:
    """SHA-256 over the names and contents of everything in outer/ of the product in `root`."""
    found = (p for p in (root / "outer").rglob("*") if p.is_file() or p.is_symlink())
    return _tree(root, (p for p in found if p.name != ".DS_Store"))


def inner(root: Path) -> str:
    """SHA-256 over the names and contents of everything in inner/ that git does not ignore.

    Outside a git repository, folders that begin with a dot, and caches of Python, count as ignored.
    """
    folder = root / "inner"
    told = git.printed(folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = [folder / os.fsdecode(name) for name in told.split(b"\0") if name]
    return _tree(root, {p for p in listed or _walk(folder) if p.is_file() or p.is_symlink()})


def _walk(folder: Path) -> Iterable[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        yield from (Path(current, name) for name in files)


def _tree(root: Path, paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for name, path in sorted((p.relative_to(root).as_posix(), p) for p in paths):
        # A link counts as the text that it holds: what it leads to is not part of the product.
        data = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        total.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
        total.update(data)
    return total.hexdigest()
