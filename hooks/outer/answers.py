"""Where the answers that a product was made from stand in its descriptor, and where these were left behind.

A changed answer reaches managed files by `copier update`; the descriptor is the team's and stays as it was. What the
answers decide (names, ownership, terms) must be the same in both; what the team words itself (title, purpose, service
levels) is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outer.product import ANSWERS, File, Product, mappings
from outer.yamlfile import Pointer, Unreadable, parse

FIELDS: Mapping[str, Pointer] = {
    "product_name": ("name",),
    "domain": ("domain",),
    "product_type": ("type",),
    "owner_team": ("team", "name"),
}
"""Answer -> field of the descriptor that says the same."""
PROPERTIES: Mapping[str, str] = {
    "environments": "environments",
    "classification": "classification",
    "personal_data": "personalData",
    "visibility": "visibility",
    "licence": "licence",
}
"""Answer -> custom property that says the same."""

_REVISIONS = 20
"""How far back an earlier answer is looked for."""


@dataclass(frozen=True)
class Outdated:
    """A value of the descriptor that an answer has left behind: `found` was the answer once, `wanted` is it now."""

    answer: str
    pointer: Pointer
    found: Any
    wanted: Any


def outdated(product: Product) -> tuple[Outdated, ...]:
    """The values of the descriptor that were right until an answer changed.

    Which of two that disagree is the newer one is told by git: a value that the answers file held in an earlier
    revision was left behind; any other is the team's own decision, and no business of a machine. Without git, nothing.
    """
    answers, descriptor = product.answers, product.descriptor
    if answers is None or descriptor is None:
        return ()
    differing = [
        Outdated(answer, pointer, descriptor.get(*pointer), _stated(answer, answers.value))
        for answer, pointer in _pointers(descriptor).items()
        if answer in answers.value and descriptor.get(*pointer) != _stated(answer, answers.value)
    ]
    earlier = list(_earlier(product.root)) if differing else []
    return tuple(
        one
        for one in differing
        if any(one.answer in before and one.found == _stated(one.answer, before) for before in earlier)
    )


def _pointers(descriptor: File) -> Mapping[str, Pointer]:
    """Answer -> where the descriptor says the same."""
    pointers = dict(FIELDS)
    for index, entry in mappings(descriptor.get("customProperties")):
        for answer, name in PROPERTIES.items():
            if name == entry.get("property"):
                pointers[answer] = ("customProperties", index, "value")
    owners = [index for index, m in mappings(descriptor.get("team", "members")) if m.get("role") == "owner"]
    if len(owners) == 1:
        pointers["owner_email"] = ("team", "members", owners[0], "username")
    return pointers


def _stated(answer: str, answers: Mapping[str, Any]) -> Any:
    """What the descriptor says when it agrees with the answer."""
    value = answers.get(answer)
    return ["local", *value] if answer == "environments" and isinstance(value, list) else value


def _earlier(root: Path) -> Iterator[Mapping[str, Any]]:
    """The answers in earlier revisions, the newest first."""
    from outer import git  # only now: the gate asks for the fields above, and rarely for git

    told = git.printed(root, "log", f"-{_REVISIONS}", "--format=%H", "--", ANSWERS)
    for commit in told.decode("ascii", "replace").split():
        try:
            yield parse(git.printed(root, "show", f"{commit}:./{ANSWERS}")).value
        except Unreadable:
            continue
