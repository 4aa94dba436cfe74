"""How rules read: parameters of the standard, tables and columns, patterns. Empty where a file says something else.

The rule REA006 says what is wrong with a standard that cannot be read; no rule may fail over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from outer.pattern import fits as fit
from outer.pattern import matches as matches
from outer.product import File, Product
from outer.product import mappings as mappings
from outer.rule import Said, Subject
from outer.yamlfile import Pointer

VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-([^{}]*))?\}")
"""A variable in the place that a server names, with its default where it has one: `${NAME}`, `${NAME:-default}`."""

_SEMVER = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z")


def major(version: object) -> str:
    """Major of a semantic version (semver.org); empty where `version` is none."""
    match = _SEMVER.match(version) if isinstance(version, str) else None
    return match.group(1) if match else ""


def prerelease(version: object) -> bool:
    """Whether `version` says of itself that it is not finished: a suffix as in 1.0.0-rc.1, or the major 0."""
    match = _SEMVER.match(version) if isinstance(version, str) else None
    return match is not None and (match.group(1) == "0" or match.group(4) is not None)


def words(subject: Subject, *steps: str) -> tuple[str, ...]:
    """A list of words in the standard; empty where there is none. What cannot be printed is no word."""
    value = subject.standard(*steps)
    found = value if isinstance(value, list) else ()
    return tuple(word for word in found if isinstance(word, str) and word.isprintable() and len(word) <= 100)


def listed(known: Sequence[str]) -> str:
    """Words for a message, the first dozen of them."""
    return ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")


def ranks(subject: Subject) -> Mapping[str, int]:
    """How closed each classification is, from 0."""
    return {name: position for position, name in enumerate(words(subject, "classifications"))}


def rank(subject: Subject, classification: object) -> int | None:
    """How closed a classification is, from 0; None where the standard does not know it."""
    return ranks(subject).get(classification) if isinstance(classification, str) else None


def age(subject: Subject, status: object) -> int | None:
    """Position of a status in the life that the standard describes; None where it does not know it."""
    known = words(subject, "statuses")
    return known.index(status) if isinstance(status, str) and status in known else None


def fits(subject: Subject, kind: str, name: str) -> bool:
    """Whether `name` is formed as the standard wants names of this kind."""
    pattern = subject.standard("names", kind)
    return not isinstance(pattern, str) or fit(pattern, name) is not False


def columns(file: File | None) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """Every column of a contract with its place."""
    for table, entry in mappings(file.get("schema") if file else None):
        for index, column in mappings(entry.get("properties")):
            yield ("schema", table, "properties", index), column


def ports(product: Product, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Position and value of every port under `key` of the descriptor."""
    yield from mappings(product.descriptor.get(key) if product.descriptor else None)


def level(file: File | None, *names: str) -> tuple[int, Mapping[str, Any]] | None:
    """The first service level of a contract that has one of these names, with its position."""
    for index, entry in mappings(file.get("slaProperties") if file else None):
        if entry.get("property") in names:
            return index, entry
    return None


def stated(entry: Mapping[str, Any], name: str) -> Any:
    """Value of the custom property `name` of a part of a file (ODCS, ODPS: customProperties), or None."""
    for _, found in mappings(entry.get("customProperties")):
        if found.get("property") == name:
            return found.get("value")
    return None


def filled(value: object) -> str:
    """`value` without the space around it, where it is text; otherwise empty."""
    return value.strip() if isinstance(value, str) else ""


def at(file: File, message: str, *pointer: str | int) -> Said:
    """What there is to say of a place in `file`, which need not be the file that is judged."""
    return Said(message, path=file.path, at=file.place(*pointer))


def promises(product: Product) -> tuple[File, ...]:
    """Descriptor and output contracts: what this product says of itself."""
    return tuple(file for file in (product.descriptor, *product.output_contracts) if file is not None)


def unread(product: Product, folder: str) -> bool:
    """Whether a file of `folder` cannot be read (REA001): what is missed there may stand in it."""
    return any(path.startswith(f"{folder}/") for path in product.unreadable)


def pinned(subject: Subject) -> File | None:
    """The contract of the input port that is judged, by id and version."""
    wanted = (subject.get("contractId"), subject.get("version"))
    return next((f for f in subject.product.input_contracts if (f.get("id"), f.get("version")) == wanted), None)


def output_port(product: Product, contract: File | None) -> tuple[int, Mapping[str, Any]] | None:
    """The output port that a contract belongs to, with its position in the descriptor."""
    if contract is None:
        return None
    wanted = (contract.get("id"), contract.get("version"))
    found = ports(product, "outputPorts")
    return next(((i, p) for i, p in found if (p.get("contractId"), p.get("version")) == wanted), None)


CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
"""The output contract of a fresh product, which examples change."""
FLIGHTS, AIRLINES = (f"outer/contracts/input/{name}.v1.odcs.yaml" for name in ("flights", "airlines"))
"""Its input contracts."""
