"""How the rows of a port differ from those of the reference, in sentences that a person can act on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence

from conformance.reference import Day

KEY = 2
"""Columns of the key: day and carrier."""


def differences(
    found: Sequence[Day], wanted: Sequence[Day], *, carriers: Container[str] | None = None, without: str = ""
) -> Iterator[str]:
    """What is wrong with the rows `found`; nothing when they are those `wanted`, bit by bit, whatever their order.

    Only rows of `carriers` are compared, where given, and all columns but `without`.
    """
    ours = [row for row in found if carriers is None or row.carrier in carriers]
    theirs = {row[:KEY]: row for row in wanted if carriers is None or row.carrier in carriers}
    known = {row[:KEY]: row for row in ours}
    repeated = sorted(key for key, count in Counter(row[:KEY] for row in ours).items() if count > 1)
    for what, keys in (
        ("comes more than once", repeated),
        ("is missing", sorted(theirs.keys() - known.keys())),
        ("is too much", sorted(known.keys() - theirs.keys())),
    ):
        if keys:
            more = f", and so {len(keys) - 1} others" if len(keys) > 1 else ""
            yield f"the row {keys[0][0]} {keys[0][1]} {what}{more}"
    for column, name in enumerate(Day._fields):
        if column < KEY or name == without:
            continue
        wrong = [
            key for key in sorted(theirs.keys() & known.keys()) if _unequal(known[key][column], theirs[key][column])
        ]
        if wrong:
            key = wrong[0]
            yield (
                f"{name} is wrong in {len(wrong)} of {len(theirs)} rows: on {key[0]}, {key[1]} it is "
                f"{known[key][column]!r}, not {theirs[key][column]!r}"
            )


def reordered(found: Sequence[Day], wanted: Sequence[Day]) -> str:
    """How two files of the same rows differ, as far as their rows tell."""
    for number, (ours, theirs) in enumerate(zip(found, wanted, strict=False), start=1):
        if ours[:KEY] != theirs[:KEY]:
            return f"row {number} is {ours[0]} {ours[1]}, not {theirs[0]} {theirs[1]}"
    return "the rows in the same order, and what is around them differs"


def _unequal(left: object, right: object) -> bool:
    # 0.0 and -0.0, 1 and 1.0 are equal to Python; the bits of a port are not.
    return left != right or repr(left) != repr(right)
