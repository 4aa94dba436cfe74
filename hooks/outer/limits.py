"""Numbers of outer/standard.yaml that a run keeps to."""

from __future__ import annotations

from dataclasses import dataclass

from outer.product import Product, lookup
from outer.publish import KEEP


@dataclass(frozen=True)
class Limits:
    """How many good versions stay, and which share of an input's rows (0 to 1) may be set aside."""

    keep_versions: int
    quarantine_share: float


def limits(product: Product) -> Limits:
    """The limits of the standard of `product`; where it says nothing that makes sense, those of its schema."""
    standard = product.standard.value if product.standard else None
    keep, share = (lookup(standard, ("contract", name)) for name in ("keep_versions", "quarantine_share"))
    return Limits(
        # `yes` is a number to Python.
        keep if isinstance(keep, int) and not isinstance(keep, bool) and keep >= 1 else KEEP,
        share if isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1 else 0.05,
    )
