"""The conformance kit: makes products from a blueprint, and judges them. See docs/reference/conformance.md."""
