"""`outer fleet`: many products at once. Where they stand, who a new policy would fail, what an update would do, what
depends on what, and a catalogue of all of them. Owned by the platform team.

One broken product never stops the others: it is a row with its reason, and it is red.
"""
