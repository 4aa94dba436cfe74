"""A new managed file, a new mandatory field with a migration and a time of grace, and a draft of a policy."""

from __future__ import annotations

from pathlib import Path

from releases import FIRST, GRACE_ENDS, Changes, replaced

NEWS = f"""\
### Added

- `SECURITY.md`: whom to write to about a weakness.
- Every descriptor says how critical the product is (ORG001): a warning until {GRACE_ENDS}, then an error.
  `outer migrate` writes `medium`, which the team corrects."""

POLICY = f"""\
id: ORG001
title: The descriptor says how critical the product is.
why: In an incident nobody knows what to repair first.
todo: Write the custom property criticality as low, medium or high; `outer migrate` writes medium.
scope: descriptor
path: customProperties[property=criticality].value
condition: {{in: [low, medium, high]}}
message: the criticality is {{value}}
since: "{FIRST}"
enforced_from: "{GRACE_ENDS}"
bad:
  path: outer/data-product.odps.yaml
  old: "value: medium"
  new: "value: whatever"
"""
DRAFT = f"""\
id: ORG002
title: Limitations are said in full sentences.
why: A consumer who is not warned computes nonsense.
todo: Write at least fifty characters in description.limitations.
scope: descriptor
path: description.limitations
condition: {{min_length: 50}}
message: the limitations are {{value}}
since: "{FIRST}"
draft: true
bad:
  path: outer/data-product.odps.yaml
  old: "limitations: Departures"
  new: 'limitations: "-" #'
"""
MIGRATION = f'''\
"""The descriptor says how critical the product is."""

from __future__ import annotations

from outer.daytwo import edit
from outer.migrate.migration import Example, Migration, Seeds, entries
from outer.product import DESCRIPTOR

ENTRY = {{"property": "criticality", "value": "medium"}}


def _change(seeds: Seeds) -> None:
    for path in seeds.descriptor:
        known = [one.get("property") for _, one in entries(seeds.get(path, "customProperties"))]
        if "criticality" not in known:
            seeds.edit(path, lambda data: edit.append(data, ("customProperties",), ENTRY), "customProperties")


MIGRATION = Migration(
    since="{FIRST}",
    title="The descriptor says how critical the product is: medium, until the team knows better.",
    why="ORG001 asks for it.",
    change=_change,
    examples=(
        Example(
            DESCRIPTOR,
            before="name: x\\ncustomProperties: # ours\\n  - {{property: title, value: 'X'}} # short\\n",
            after="name: x\\ncustomProperties: # ours\\n  - {{property: title, value: 'X'}} # short\\n"
            "  - {{property: criticality, value: medium}}\\n",
        ),
    ),
)
'''


def changes(suite: Path) -> Changes:
    """What this release does."""
    organisation = "hooks/outer/organisation"
    return {
        "template/SECURITY.md.jinja": "# Security\n\nManaged. Write to {{ owner_email }}.\n",
        f"{organisation}/criticality.yaml": POLICY,
        f"{organisation}/limitations.yaml": DRAFT,
        "hooks/outer/migrate/migrations/criticality.py": MIGRATION,
        **replaced(
            suite,
            "template/outer/data-product.odps.yaml.jinja",
            "  - {property: licence, value: {{ licence }}}",
            "  - {property: licence, value: {{ licence }}}\n  - {property: criticality, value: medium}",
        ),
    }
