"""How two types relate: whether a reader of the old one can read every value of the new one."""

from __future__ import annotations

import re
from enum import Enum

from outer.datatypes import length, physical

_SIGNED = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_UNSIGNED = {"UTINYINT": 8, "USMALLINT": 16, "UINTEGER": 32, "UBIGINT": 64}
_FLOATS = {"FLOAT": 32, "DOUBLE": 64}
_ZONES = {"TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"}
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC|NUMBER)(?:\(([0-9]{1,9})(?:,([0-9]{1,9}))?\))?\Z")
_SIZED = re.compile(r"([^(<\[]+?)\s*\(([0-9, ]{1,30})\)\s*(.*)\Z")
_LIST = re.compile(r"(?:(?:ARRAY|LIST)\s*[<(](.*)[>)]|(.*)\[[0-9]*\])\Z")
_STRUCTURE = re.compile(r"(STRUCT|ROW|RECORD|MAP|OBJECT)\b")
_OPTION = re.compile(r"([iuf])([0-9]{1,3})\Z")


class Relation(Enum):
    """What became of a type."""

    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    OTHER = "another type"
    SHAPE = "another shape"
    ZONE = "another awareness of time zones"
    UNKNOWN = "not comparable"


def relation(old: str, new: str) -> Relation:
    """How the physical type `new` of a contract relates to `old`; names of different systems are understood."""
    before, after = (" ".join(text.upper().split()) for text in (old, new))
    if before == after:
        return Relation.SAME
    lists = _LIST.match(before), _LIST.match(after)
    if lists[0] and lists[1]:
        return relation(*(found[1] or found[2] or "" for found in lists if found))
    structures = bool(_STRUCTURE.match(before)), bool(_STRUCTURE.match(after))
    if bool(lists[0]) != bool(lists[1]) or structures[0] != structures[1]:
        return Relation.SHAPE
    if structures[0]:
        return Relation.SAME if "".join(before.split()) == "".join(after.split()) else Relation.OTHER
    decimals = _DECIMAL.match("".join(before.split())), _DECIMAL.match("".join(after.split()))
    if decimals[0] and decimals[1]:
        return _decimals(*(_digits(found) for found in decimals if found))
    known = physical(before), physical(after)
    if known[0] is None or known[1] is None:
        return _unknown(before, after)
    return _names(known[0], known[1], length(before), length(after))


def _names(old: str, new: str, longest: int | None, longest_new: int | None) -> Relation:
    if old == new:
        # Only text has a length; None sets no limit.
        before, after = (float("inf") if n is None else n for n in (longest, longest_new))
        return Relation.SAME if before == after else Relation.WIDER if after > before else Relation.NARROWER
    for widths in (_SIGNED, _UNSIGNED, _FLOATS):
        if old in widths and new in widths:
            return Relation.WIDER if widths[new] > widths[old] else Relation.NARROWER
    if old in _UNSIGNED and new in _SIGNED and _SIGNED[new] > _UNSIGNED[old]:
        return Relation.WIDER
    if {old, new} == {"TIMESTAMP", "TIMESTAMP_NS"}:
        return Relation.WIDER if new == "TIMESTAMP_NS" else Relation.NARROWER
    return Relation.ZONE if old in _ZONES and new in _ZONES else Relation.OTHER


def _digits(found: re.Match[str]) -> tuple[int, int] | None:
    return (int(found[1]), int(found[2] or 0)) if found[1] else None


def _decimals(old: tuple[int, int] | None, new: tuple[int, int] | None) -> Relation:
    if old is None or new is None:
        # Without digits a decimal is 18,3 in one system and 38,0 or 10,0 in another.
        return Relation.SAME if old == new else Relation.UNKNOWN
    (precision, scale), (precision_new, scale_new) = old, new
    if old == new:
        return Relation.SAME
    wider = precision_new - scale_new >= precision - scale and scale_new >= scale
    return Relation.WIDER if wider else Relation.NARROWER


def _unknown(old: str, new: str) -> Relation:
    sized = _SIZED.match(old), _SIZED.match(new)
    bases = tuple(f"{m[1]} {m[3]}".strip() if m else text for m, text in zip(sized, (old, new), strict=True))
    if bases[0] == bases[1]:
        if not (sized[0] and sized[1]):
            return Relation.UNKNOWN
        numbers = [[int(n) for n in m[2].split(",") if n.strip()] for m in sized if m]
        if len(numbers[0]) != len(numbers[1]):
            return Relation.UNKNOWN
        pairs = list(zip(*numbers, strict=True))
        if all(a == b for a, b in pairs):
            return Relation.SAME
        return Relation.NARROWER if any(b < a for a, b in pairs) else Relation.WIDER
    types = physical(bases[0]), physical(bases[1])
    if types[0] and types[1]:
        # A size that the type does not have, as in INT(11) or TIMESTAMP(6), tells nothing about the other one.
        found = _names(types[0], types[1], None, None)
        return Relation.UNKNOWN if found is Relation.SAME else found
    whole = {*_SIGNED, *_UNSIGNED, None}
    if "INT8" in bases and all(physical(base) in whole for base in bases):
        return Relation.UNKNOWN  # 8 bits in Arrow, 8 bytes in PostgreSQL
    return Relation.OTHER


def width(old: str, new: str) -> Relation | None:
    """How two formats of numbers (`logicalTypeOptions.format`: i32, u8, f64) relate; None where one is none."""
    before, after = _OPTION.match(old), _OPTION.match(new)
    if before is None or after is None:
        return None
    bits, bits_new = int(before[2]), int(after[2])
    if before[1] == after[1]:
        if bits == bits_new:
            return Relation.SAME
        return Relation.WIDER if bits_new > bits else Relation.NARROWER
    return Relation.WIDER if (before[1], after[1]) == ("u", "i") and bits_new > bits else Relation.OTHER
