"""The gate finds every defect that can be seeded into descriptor, contracts and inner.yaml, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

import mutation
from outer.product import load


@pytest.mark.parametrize("name", mutation.VARIANTS)
def test_a_correct_variant_of_a_product_has_no_finding(name: str, product: Path, tmp_path: Path) -> None:
    mutation.VARIANTS[name](product)
    assert mutation.said_of(product) == []


@pytest.mark.slow
def test_every_mutant_is_found_or_is_no_defect_for_a_known_reason(product: Path) -> None:
    scores = mutation.measure(load(product))
    assert sum(score.mutants for score in scores) > 2500
    survivors = [mutant for score in scores for mutant in score.survivors]
    assert [str(mutant) for mutant in survivors if mutation.reason(mutant) is None] == []
    # The list of reasons does not grow older than what it excuses.
    excused = [str(mutant) for mutant in survivors]
    for reason in mutation.REASONS:
        for place in reason.places:
            assert any(mutation.fits(place, mutant) for mutant in excused), f"no mutant needs the excuse {place}"
    page = mutation.PAGE.read_text(encoding="utf-8")
    assert mutation.share(scores) in page, "the page is stale: python tests/mutation.py"
