"""Types of columns: what a contract calls them, and what a Parquet file has."""

from __future__ import annotations

import re

_ALIASES = {
    "BOOLEAN": ("BOOL", "LOGICAL"),
    "TINYINT": (),
    "SMALLINT": ("INT16", "INT2", "SHORT"),
    "INTEGER": ("INT", "INT32", "INT4", "SIGNED"),
    "BIGINT": ("INT64", "LONG", "BIG INT"),
    "HUGEINT": ("INT128",),
    "UTINYINT": ("UINT8",),
    "USMALLINT": ("UINT16",),
    "UINTEGER": ("UINT32",),
    "UBIGINT": ("UINT64",),
    "FLOAT": ("REAL", "FLOAT4", "FLOAT32"),
    "DOUBLE": ("FLOAT8", "FLOAT64", "DOUBLE PRECISION"),
    "VARCHAR": ("STRING", "TEXT", "CHAR", "CHARACTER VARYING", "CHARACTER", "NVARCHAR", "UTF8", "BPCHAR"),
    "BLOB": ("BINARY", "VARBINARY", "BYTES", "BYTEA", "BYTE_ARRAY"),
    "DATE": ("DATE32",),
    "TIME": ("TIME WITHOUT TIME ZONE",),
    "TIMESTAMP": ("DATETIME", "TIMESTAMP_NTZ", "TIMESTAMP WITHOUT TIME ZONE"),
    "TIMESTAMP_NS": (),
    "TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ"),
    "UUID": (),
    "JSON": (),
}
_NAMES = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)}
_SIZED = re.compile(r"([A-Z][A-Z0-9_ ]*?)\s*\(\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?\)\Z")

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_KINDS = {
    **dict.fromkeys(_WHOLE, "integer"),
    "BOOLEAN": "boolean", "FLOAT": "number", "DOUBLE": "number", "VARCHAR": "string", "UUID": "string",
    "JSON": "object", "BLOB": "binary", "DATE": "date", "TIME": "time",
    "TIMESTAMP": "timestamp", "TIMESTAMP_NS": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp",
}  # fmt: skip
_FITTING = {"number": {"number", "integer"}, "string": {"string", "object"}, "object": {"object"}, "array": {"array"}}


def physical(text: str) -> str | None:
    """The type that a contract's `physicalType` means, as DuckDB names it; None where nobody can tell.

    Names of other systems are understood where they mean one thing only. INT8 does not: it is 8 bits wide in Arrow and
    8 bytes in PostgreSQL. A length, as in VARCHAR(20), is no part of the type; see `length`.
    """
    name = " ".join(text.upper().split())
    sized = _SIZED.match(name)
    base = sized[1] if sized else name
    if base in ("DECIMAL", "NUMERIC", "NUMBER"):
        # Without precision it is 18,3 in DuckDB and 38,0 or 10,0 elsewhere.
        return f"DECIMAL({sized[2]},{sized[3] or 0})" if sized else None
    if name in ("JSON",) or base in _NAMES:
        found = _NAMES[base]
        return found if not sized or (found == "VARCHAR" and sized[3] is None) else None
    if re.fullmatch(r"(STRUCT|MAP)\s*\(.*\)|.*\[\]", name):
        return "".join(text.upper().split())
    return None


def length(text: str) -> int | None:
    """The longest text that a `physicalType` like VARCHAR(20) allows, in characters; None where it sets no limit."""
    sized = _SIZED.match(" ".join(text.upper().split()))
    return int(sized[2]) if sized and _NAMES.get(sized[1]) == "VARCHAR" and sized[3] is None else None


def same(wanted: str, found: str) -> bool:
    """Whether the type `wanted`, by `physical`, is the type `found` of a Parquet column, by DuckDB."""
    return wanted == found or "".join(wanted.upper().split()) == "".join(found.upper().split())


def kind(found: str) -> str:
    """The logical type of ODCS that the type `found` of a Parquet column belongs to, or binary or unknown."""
    if found.endswith("[]"):
        return "array"
    if found.startswith("DECIMAL"):
        return "integer" if found.endswith(",0)") else "number"
    if found.startswith(("STRUCT", "MAP")):
        return "object"
    return _KINDS.get(found, "unknown")


def fits(logical: str, found: str) -> bool:
    """Whether a column of the Parquet type `found` can hold what `logicalType` says (ODCS, Schema, logical types)."""
    return kind(found) in _FITTING.get(logical, {logical})
