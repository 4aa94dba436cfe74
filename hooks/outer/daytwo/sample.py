"""A small sample of what a producer publishes, for tests and first runs of its consumer."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from outer.daytwo.source import Offer
from outer.parquet import literal, secluded
from outer.product import File, lookup, mappings
from outer.rules.lineage import LARGEST_SAMPLE
from outer.yamlfile import show

SAMPLES = "outer/samples"
ROWS = 1000
"""Rows of a sample, at most."""

_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-([^{}]*))?\}")


def sample(offer: Offer, standard: File | None) -> tuple[bytes | None, str]:
    """The first rows of the port as Parquet, or None and why there are none.

    Taken from what the producer has published locally, else from its own sample of the port. Personal and closed data
    are never copied: a sample lies in git for ever.
    """
    if reason := _closed(offer, standard):
        return None, reason
    if offer.root is None:
        return None, "the source is a contract without its data"
    reason = "the producer has published nothing that can be read here"
    for path in _candidates(offer, offer.root):
        if path.is_file() and path.resolve().is_relative_to(offer.root):
            rows, reason = _first_rows(path)
            if rows is not None:
                return rows, ""
    return None, reason


def _closed(offer: Offer, standard: File | None) -> str:
    """Why no row of the port may be copied; empty where rows may."""
    entries = [entry for _, entry in mappings(offer.value.get("customProperties"))]
    if any(e.get("property") == "personalData" and e.get("value") is not False for e in entries):
        return "the port holds personal data"
    known = lookup(standard.value, ("classifications",)) if standard else None
    for _, table in mappings(offer.value.get("schema")):
        for _, column in mappings(table.get("properties")):
            for _, entry in mappings(column.get("customProperties")):
                if entry.get("property") == "personalData" and entry.get("value") is not False:
                    return f"column {show(column.get('name'))} holds personal data"
            classification = column.get("classification")
            # The two most open classes of the standard: what everybody in the organisation may see.
            if isinstance(known, list) and classification not in known[:2]:
                return f"column {show(column.get('name'))} is {show(classification)}"
    return ""


def _candidates(offer: Offer, root: Path) -> list[Path]:
    served = [
        root / _VARIABLE.sub(lambda match: match[1] or "", str(server.get("path")))
        for _, server in mappings(offer.value.get("servers"))
        if server.get("environment") == "local" and server.get("type") == "local" and server.get("path")
    ]
    return [*served, root / SAMPLES / f"{offer.name}.parquet"]


def _first_rows(path: Path) -> tuple[bytes | None, str]:
    try:
        import duckdb
    except ImportError:
        return None, "duckdb is not installed, so that the producer's data cannot be read"
    with tempfile.TemporaryDirectory() as folder:
        # Under a name of our own: DuckDB takes some signs in a path for a pattern.
        data, target = Path(folder, "data.parquet"), Path(folder, "sample.parquet")
        try:
            os.symlink(path.resolve(), data)
        except OSError:
            shutil.copyfile(path, data)
        rows = ROWS
        while True:
            try:
                with secluded() as connection:
                    connection.execute(
                        f"COPY (SELECT * FROM read_parquet({literal(str(data))}) LIMIT {rows}) "  # noqa: S608 (quoted)
                        f"TO {literal(str(target))} (FORMAT parquet)"
                    )
            except duckdb.Error:
                return None, "the producer's data are not readable Parquet"
            if target.stat().st_size <= LARGEST_SAMPLE:
                return target.read_bytes(), ""
            if rows == 1:
                return None, "a single row is larger than a sample may be"
            rows //= 10
