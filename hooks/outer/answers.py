"""Where the answers that a product was made from stand in its descriptor, and where the two disagree.

A changed answer reaches managed files by `copier update`; the descriptor is the team's and stays as it was. What the
answers decide for good (names, ownership, terms) must be the same in both; what the team words itself (title, purpose,
service levels) is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outer.product import Product
from outer.yamlfile import Pointer

_FIELDS: Mapping[str, Pointer] = {
    "product_name": ("name",),
    "domain": ("domain",),
    "product_type": ("type",),
    "owner_team": ("team", "name"),
}
_PROPERTIES: Mapping[str, str] = {
    "environments": "environments",
    "classification": "classification",
    "personal_data": "personalData",
    "visibility": "visibility",
    "licence": "licence",
}
"""Answer -> custom property."""


@dataclass(frozen=True)
class Disagreement:
    """An answer and the value of the descriptor that does not say the same. `found` is None where none stands there."""

    answer: str
    pointer: Pointer
    found: Any
    wanted: Any


def disagreements(product: Product) -> Iterator[Disagreement]:
    """Every answer that the descriptor of `product` contradicts; none where either file is absent."""
    answers, descriptor = product.answers, product.descriptor
    if answers is None or descriptor is None:
        return
    pointers = dict(_FIELDS)
    properties = descriptor.get("customProperties")
    for index, entry in enumerate(properties if isinstance(properties, list) else ()):
        if isinstance(entry, dict):
            pointers |= {
                answer: ("customProperties", index, "value")
                for answer, name in _PROPERTIES.items()
                if name == entry.get("property")
            }
    members = descriptor.get("team", "members")
    for index, member in enumerate(members if isinstance(members, list) else ()):
        if isinstance(member, dict) and member.get("role") == "owner":
            pointers.setdefault("owner_email", ("team", "members", index, "username"))
    for answer, pointer in pointers.items():
        wanted = answers.get(answer)
        if answer == "environments" and isinstance(wanted, list):
            wanted = ["local", *wanted]
        found = descriptor.get(*pointer)
        if wanted is not None and found != wanted:
            yield Disagreement(answer, pointer, found, wanted)
