"""Types of columns: what a contract calls them, and what the data have. DuckDB's names are the common ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_ALIASES = {
    "BOOLEAN": ("BOOL", "LOGICAL"),
    "TINYINT": (),
    "SMALLINT": ("INT16", "INT2", "SHORT", "SMALLSERIAL"),
    "INTEGER": ("INT", "INT32", "INT4", "SIGNED", "SERIAL"),
    "BIGINT": ("INT64", "LONG", "BIG INT", "BIGSERIAL"),
    "HUGEINT": ("INT128",),
    "UTINYINT": ("UINT8",),
    "USMALLINT": ("UINT16",),
    "UINTEGER": ("UINT32",),
    "UBIGINT": ("UINT64",),
    "FLOAT": ("REAL", "FLOAT4", "FLOAT32"),
    "DOUBLE": ("FLOAT8", "FLOAT64", "DOUBLE PRECISION"),
    "VARCHAR": ("STRING", "TEXT", "CHAR", "CHARACTER VARYING", "CHARACTER", "NVARCHAR", "UTF8", "BPCHAR",
                "NCHAR", "CHAR VARYING"),
    "BLOB": ("BINARY", "VARBINARY", "BYTES", "BYTEA", "BYTE_ARRAY"),
    "DATE": ("DATE32",),
    "TIME": ("TIME WITHOUT TIME ZONE",),
    "TIME_NS": (),
    "TIME WITH TIME ZONE": ("TIMETZ",),
    "TIMESTAMP": ("DATETIME", "TIMESTAMP_NTZ", "TIMESTAMPNTZ", "TIMESTAMP WITHOUT TIME ZONE"),
    "TIMESTAMP_S": (),
    "TIMESTAMP_MS": (),
    "TIMESTAMP_NS": (),
    "TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMPLTZ",
                                 "TIMESTAMP WITH LOCAL TIME ZONE"),
    "UUID": (),
    "JSON": ("JSONB",),
}  # fmt: skip
_NAMES = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)}
_WRAPPED = re.compile(r"(STRUCT|ROW|MAP|ARRAY|LIST)\s*[(<](.*)[)>]", re.IGNORECASE | re.DOTALL)
_SUFFIX = re.compile(r"(.+)\[[0-9]*\]", re.DOTALL)
_FIELD = re.compile(r'(?:"((?:[^"]|"")+)"|([^\s:"]+))(?:\s*:\s*|\s+)(.+)', re.DOTALL)
_SIZED = re.compile(r"([A-Z][A-Z0-9_ ]*?)\s*\(\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?\)\Z")

_PRECISE = re.compile(r"(TIME\w*|DATETIME) ?\(([69])\)( WITH.*)?\Z")

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_KINDS = {
    **dict.fromkeys(_WHOLE, "integer"),
    "BOOLEAN": "boolean", "FLOAT": "number", "DOUBLE": "number", "VARCHAR": "string", "UUID": "string",
    "JSON": "object", "BLOB": "binary", "DATE": "date",
    "TIME": "time", "TIME_NS": "time", "TIME WITH TIME ZONE": "time",
    "TIMESTAMP": "timestamp", "TIMESTAMP_S": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}  # fmt: skip


def physical(text: str) -> str | None:
    """The type that a contract's `physicalType` means, as DuckDB names it; None where nobody can tell.

    Names of other systems are understood where they mean one thing only. INT8 does not: it is 8 bits wide in Arrow and
    8 bytes in PostgreSQL. A length, as in VARCHAR(20), is no part of the type; see `length`.
    """
    name = " ".join(text.upper().split())
    sized = _SIZED.match(name)
    base = sized[1] if sized else name
    if precise := _PRECISE.match(name):
        # Six digits of a second are what the name says without them.
        plain = _NAMES.get(precise[1] + (precise[3] or ""))
        return plain if precise[2] == "6" else {"TIME": "TIME_NS", "TIMESTAMP": "TIMESTAMP_NS"}.get(plain or "")
    if base in ("DECIMAL", "NUMERIC", "NUMBER", "DEC"):
        # Without precision it is 18,3 in DuckDB and 38,0 or 10,0 elsewhere.
        return f"DECIMAL({sized[2]},{sized[3] or 0})" if sized else None
    if base in _NAMES:
        found = _NAMES[base]
        return found if not sized or (found == "VARCHAR" and sized[3] is None) else None
    return _nested(text.strip())


def _nested(text: str) -> str | None:
    """The name in DuckDB of a list, a map or a structure, as DuckDB, Spark, Trino or Snowflake write it."""
    if match := _SUFFIX.fullmatch(text):
        inner = physical(match[1])
        return f"{inner}[]" if inner else None
    if not (match := _WRAPPED.fullmatch(text)):
        return None
    word, parts = match[1].upper(), list(_parts(match[2]))
    if word in ("STRUCT", "ROW"):
        named = [_named(part) for part in parts]
        types = [physical(found) for _, found in named]
        if not all(types) or not all(name for name, _ in named):
            return None
        return f"STRUCT({', '.join(f'{_quoted(n)} {t}' for (n, _), t in zip(named, types, strict=True))})"
    types = [physical(part) for part in parts]
    if word == "MAP" and len(types) == 2 and all(types):
        return f"MAP({types[0]}, {types[1]})"
    return f"{types[0]}[]" if word in ("ARRAY", "LIST") and len(types) == 1 and types[0] else None


def _parts(text: str) -> Iterator[str]:
    """What commas part in `text`, outside of brackets and quotation marks."""
    depth, quoted, start = 0, False, 0
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += (character in "(<[") - (character in ")>]")
            if character == "," and depth == 0:
                yield text[start:index].strip()
                start = index + 1
    yield text[start:].strip()


def _named(text: str) -> tuple[str, str]:
    """Name and type of one field of a structure: `zip VARCHAR`, `"a b" VARCHAR`, `zip: string`."""
    match = _FIELD.fullmatch(text)
    return (match[1].replace('""', '"') if match[1] is not None else match[2], match[3]) if match else ("", "")


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def fields(found: str) -> Mapping[str, str]:
    """Name -> type of what the structure `found` holds; empty for every other type."""
    match = _WRAPPED.fullmatch(found) if not found.endswith("]") else None
    return dict(_named(part) for part in _parts(match[2])) if match and match[1].upper() == "STRUCT" else {}


def element(found: str) -> str | None:
    """The type of the elements of the list `found`; None for every other type."""
    match = _SUFFIX.fullmatch(found)
    return match[1] if match else None


def length(text: str) -> int | None:
    """The longest text that a `physicalType` like VARCHAR(20) allows, in characters; None where it sets no limit."""
    sized = _SIZED.match(" ".join(text.upper().split()))
    return int(sized[2]) if sized and _NAMES.get(sized[1]) == "VARCHAR" and sized[3] is None else None


def same(wanted: str, found: str) -> bool:
    """Whether the type `wanted`, by `physical`, is the type `found` of a column of the data, nested ones included."""
    # What DuckDB calls an ENUM is a text; its values are for `validValues` to say.
    return wanted == found or wanted == ("VARCHAR" if found.startswith("ENUM(") else physical(found))


def kind(found: str) -> str:
    """The logical type of ODCS that the type `found` of a column belongs to, or binary or unknown."""
    if found.endswith("]"):
        return "array"
    if found.startswith("DECIMAL"):
        return "integer" if found.endswith(",0)") else "number"
    if found.startswith(("STRUCT", "MAP")):
        return "object"
    if found.startswith("ENUM("):
        return "string"
    return _KINDS.get(found, "unknown")


def fits(logical: str, found: str) -> bool:
    """Whether a column of the Parquet type `found` can hold what `logicalType` says (ODCS, Schema, logical types)."""
    if logical == "string" and found in ("BLOB", "JSON"):
        return True  # ODCS has no type for bytes: they are a string of the format `binary`
    return kind(found) == logical or (kind(found), logical) == ("integer", "number")
