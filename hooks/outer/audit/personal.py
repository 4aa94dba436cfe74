"""Finds columns that look like personal data but are not declared so: by a sample of their values, and by their names.

It gives warnings, for it can only guess: a column that looks harmless may be personal, and the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from outer.audit.engine import Engine
from outer.datatypes import kind
from outer.model import Column, Contract
from outer.parquet import Unusable
from outer.product import custom
from outer.result import Result
from outer.yamlfile import show

PERSONAL = "personalData"
"""First part of the ids of its results; the rest is the name of the column."""

SAMPLE = 1000
"""Rows that are looked at."""
ENOUGH = 0.8
"""Share of the values of a column that must look alike: one address among remarks makes no column of addresses."""
FEWEST = 3
"""Least number of different values: two numbers with a right check digit are chance."""

_EMAIL = re.compile(r"[^\s@,;<>]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(\+|00)[1-9][0-9 ()./-]{6,18}[0-9]")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}( ?[A-Z0-9]){11,30}")
_CARD = re.compile(r"[2-6][0-9]{3}([ -]?[0-9]){9,15}")
_ADDRESS = re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}")
_NUMBERS = {
    "at.vnr": ("Austrian", r"[0-9]{4} ?[0-9]{6}"),
    "be.nn": ("Belgian", r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}-?[0-9]{3}\.?[0-9]{2}"),
    "ch.ssn": ("Swiss", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}"),
    "de.idnr": ("German", r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}"),
    "es.dni": ("Spanish", r"[0-9]{8}-?[A-Z]"),
    "fi.hetu": ("Finnish", r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Z]"),
    "fr.nir": ("French", r"[1-478]( ?[0-9AB]){14}"),
    "it.codicefiscale": ("Italian", r"[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z][0-9]{3}[A-Z]"),
    "pl.pesel": ("Polish", r"[0-9]{11}"),
    "se.personnummer": ("Swedish", r"([0-9]{2})?[0-9]{6}[-+][0-9]{4}"),
    "us.ssn": ("US", r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
}
"""National numbers of people: module of python-stdnum -> whose, and their form."""

_NAMES = re.compile(
    r"(^|_)(e_?mail|phone|mobile|fax|iban|ssn|passport|birth_?(day|date)|date_of_birth|dob|first_?name|last_?name"
    r"|surname|full_?name|given_?name|family_?name|street|home_address|ip_address|gender|religion|nationality)(_|$)",
    re.IGNORECASE,
)


def undeclared(contract: Contract, engine: Engine) -> Iterator[Result]:
    """A warning for each column of `engine` that looks like personal data which `contract` does not declare.

    Declared are columns with the custom property `personalData: true` or a tag like `pii`; all, where the contract has
    that property and no column has.
    """
    columns = tuple(c for c in contract.columns if not _declared(c))
    if custom(contract.file, "personalData") is True and len(columns) == len(contract.columns):
        return
    named = {c.name: str(c.clauses.get("physicalName") or c.name) for c in columns}
    texts = [c for c in columns if kind(engine.facts.types.get(named[c.name], "")) == "string"]
    values = _sampled(engine, [named[c.name] for c in texts])
    for column in columns:
        sample = values.get(named[column.name], ())
        what = looks_like(sample)
        found = _NAMES.search(named[column.name])
        if what or (found and named[column.name] in engine.facts.types):
            shown = f"values like {masked(sample[0])}" if what and sample else f"the name {show(column.name)}"
            yield Result(
                f"{PERSONAL}:{column.name}", "failed", "scan" if what else "file metadata",
                "personal data are declared as such", f"{what or 'personal data'}, by {shown}", "warning",
                reason="it looks like personal data, and is not declared so (customProperties: personalData)",
            )  # fmt: skip


def looks_like(values: Sequence[str]) -> str:
    """What most of the `values` look like: e-mail addresses, IBANs …; empty where it is nothing personal."""
    different = tuple(dict.fromkeys(v.strip() for v in values if v.strip()))
    if len(different) < FEWEST:
        return ""
    for what, pattern, check in _kinds():
        formed = _most((pattern.fullmatch(value) for value in different), len(different))
        # Only now is anything imported.
        if formed and _most((pattern.fullmatch(value) and check(value) for value in different), len(different)):
            return what
    return ""


def _most(answers: Iterable[object], number: int) -> bool:
    """Whether enough of the `number` answers are true; no more are asked for than it takes to know."""
    missed = 0
    for answer in answers:
        missed += not answer
        if number - missed < ENOUGH * number:
            return False
    return True


def masked(value: str) -> str:
    """`value` with its form kept and its content gone: `a***@e***.com` reads as `x***@x***.xxx`."""
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "0", show(value, 24).strip("`")))


def _declared(column: Column) -> bool:
    entries = column.clauses.get("customProperties") or ()
    marks = [e.get("value") for e in entries if isinstance(e, dict) and e.get("property") == "personalData"]
    tags = {str(t).lower().replace(" ", "").replace("-", "") for t in column.clauses.get("tags") or ()}
    return bool(marks) or bool(tags & {"pii", "personaldata", "gdpr"})


def _sampled(engine: Engine, columns: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    if not columns:
        return {}
    from outer.parquet import identifier

    listed = ", ".join(f"CAST({identifier(c)} AS VARCHAR)" for c in columns)
    try:
        rows = engine.rows(f"SELECT {listed} FROM {engine.table} LIMIT {SAMPLE}")  # noqa: S608 (quoted)
    except Unusable:
        return {}
    return {c: tuple(v for v in values if v) for c, values in zip(columns, zip(*rows, strict=True), strict=False)}


def _kinds() -> Iterator[tuple[str, re.Pattern[str], Callable[[str], bool]]]:
    yield "e-mail addresses", _EMAIL, lambda value: True
    yield "phone numbers", _PHONE, lambda value: True
    yield "IP addresses", _ADDRESS, lambda value: all(int(part) < 256 for part in value.split("."))
    yield "IBANs", _IBAN, lambda value: _valid("iban", value)
    yield "payment cards", _CARD, lambda value: _valid("luhn", value.replace(" ", "").replace("-", ""))
    for module, (whose, form) in _NUMBERS.items():
        yield f"{whose} national numbers", re.compile(form), partial(_valid, module)


def _valid(module: str, value: str) -> bool:
    try:
        check: Any = import_module(f"stdnum.{module}")
    except ImportError:  # without the extra `run` nothing can be told
        return False
    return bool(check.is_valid(value))
