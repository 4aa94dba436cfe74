"""A descriptor of Bitol ODPS 1.0.0 becomes one of 1.1.0, which only adds fields and asks for fewer."""

from __future__ import annotations

from outer.migrate.migration import Example, Migration, Seeds
from outer.product import DESCRIPTOR
from outer.yamledit import replace


def _change(seeds: Seeds) -> None:
    for path in seeds.descriptor:
        if seeds.get(path, "apiVersion") == "v1.0.0":
            seeds.edit(path, lambda data: replace(data, {("apiVersion",): "v1.1.0"}), "apiVersion")


MIGRATION = Migration(
    since="0.2.0",
    title="The descriptor is written for ODPS 1.1.0, no longer for 1.0.0.",
    why="1.1.0 has fields of its own for what 1.0.0 kept in custom properties, such as the type of the product; the "
    "standard asks for them there. Every descriptor of 1.0.0 is valid in 1.1.0 as it is.",
    change=_change,
    examples=(
        Example(
            DESCRIPTOR,
            before="# Ours.\napiVersion: 'v1.0.0' # of the standard\nkind: DataProduct\n",
            after="# Ours.\napiVersion: 'v1.1.0' # of the standard\nkind: DataProduct\n",
        ),
    ),
)
