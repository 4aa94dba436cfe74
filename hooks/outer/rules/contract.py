"""CON, PRV: what consumers rely on is written down, and how sensitive it is.

Field names are those of Bitol ODCS 3.1; what is optional there and mandatory here is the profile of the organisation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from outer.model import custom
from outer.product import DESCRIPTOR
from outer.rule import Change, Said, Scope, Subject, rule
from outer.yamlfile import show

CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
_PUBLISHED = re.compile(r".+/current/[^/]+\Z")


@rule(
    "CON001",
    Scope.CONTRACT,
    title="A contract describes one table with at least one column.",
    why="A port is one table; without its columns there is nothing to rely on.",
    todo="Keep one schema object to a contract, and list its columns under `properties`.",
    bad=Change(CONTRACT, "    properties:\n", "    properties: []\n    synonyms:\n"),
)
def one_table(subject: Subject) -> Iterator[Said]:
    tables = list(subject.entries("schema"))
    if len(tables) != 1:
        yield Said(f"`schema` holds {len(tables)} objects instead of one", ("schema",))
    for index, table in tables:
        if not table.get("properties"):
            yield Said("the table has no column", ("schema", index))


@rule(
    "CON002",
    Scope.COLUMN,
    title="Every column has a logical and a physical type.",
    why="Types that are not written down differ between engines, and nobody is told when they change.",
    todo="Write `logicalType` and `physicalType`.",
    bad=Change(CONTRACT, "        physicalType: DATE\n", ""),
)
def typed(subject: Subject) -> Iterator[Said]:
    for key in ("logicalType", "physicalType"):
        if not subject.text(key):
            yield Said(f"column {show(subject.get('name'))} has no `{key}`", ())


@rule(
    "CON003",
    Scope.COLUMN,
    title="Every column is described.",
    why="A name is not a meaning; people guess it and agents invent it.",
    todo="Write one sentence under `description`: what the value means, its unit, and when it is empty.",
    bad=Change(CONTRACT, "        description: Flights scheduled on the day, each counted once.\n", ""),
)
def described(subject: Subject) -> Iterator[Said]:
    if not subject.text("description"):
        yield Said(f"column {show(subject.get('name'))} has no description", ())


@rule(
    "CON004",
    Scope.COLUMN,
    title="Every column carries a classification of the standard.",
    why="Masking, access and retention follow the classification; an unknown one is treated by chance.",
    todo="Use a classification of outer/standard.yaml.",
    bad=Change(CONTRACT, "classification: internal", "classification: secret-ish"),
)
def classified(subject: Subject) -> Iterator[Said]:
    known = subject.standard("classifications")
    if isinstance(known, list) and subject.text("classification") not in known:
        yield Said(
            f"the classification {show(subject.get('classification'))} of column {show(subject.get('name'))} "
            f"is none of {', '.join(known)}",
            ("classification",),
        )


@rule(
    "CON005",
    Scope.OUTPUT_CONTRACT,
    title="Every output contract names a primary key, and its columns are required.",
    why="Without a key nobody can join, update or tell a duplicate from a fact.",
    todo="Mark the key columns with `primaryKey: true`, `primaryKeyPosition` and `required: true`.",
    bad=Change(CONTRACT, "primaryKey: true", "primaryKey: false"),
)
def keyed(subject: Subject) -> Iterator[Said]:
    for table, _ in subject.entries("schema"):
        keys = [
            (index, column)
            for index, column in subject.entries("schema", table, "properties")
            if column.get("primaryKey") is True
        ]
        if not keys:
            yield Said("no column is part of a primary key", ("schema", table))
        positions = sorted(str(column.get("primaryKeyPosition", 1)) for _, column in keys)
        if keys and positions != [str(n + 1) for n in range(len(keys))]:
            yield Said(
                f"the positions of the key columns are {', '.join(positions)} instead of 1 to {len(keys)}",
                ("schema", table),
            )
        for index, column in keys:
            if column.get("required") is not True:
                yield Said(
                    f"key column {show(column.get('name'))} is not required", ("schema", table, "properties", index)
                )


@rule(
    "CON006",
    Scope.OUTPUT_CONTRACT,
    title="Every output contract states a quality rule for its table.",
    why="Types alone let an empty or nonsensical table pass.",
    todo="Add a rule under `quality` of the schema object, for example a least number of rows.",
    bad=Change(CONTRACT, "    quality:\n", "    quality: []\n    authoritativeDefinitions:\n"),
)
def quality(subject: Subject) -> Iterator[Said]:
    for table, entry in subject.entries("schema"):
        if not entry.get("quality"):
            yield Said("the table has no quality rule", ("schema", table))


@rule(
    "CON007",
    Scope.OUTPUT_CONTRACT,
    title="Every output contract promises the service levels of the standard.",
    why="A consumer must know how fresh the data are, how long they stay, and when somebody answers.",
    todo="Add the entry under `slaProperties`.",
    bad=Change(CONTRACT, "property: freshness", "property: freshnes"),
)
def service_levels(subject: Subject) -> Iterator[Said]:
    promised = {str(level.get("property")) for _, level in subject.entries("slaProperties")}
    wanted = subject.standard("contract", "sla")
    for name in wanted if isinstance(wanted, list) else ():
        if name not in promised:
            yield Said(f"the service level `{name}` is not promised", ("slaProperties",))


@rule(
    "CON008",
    Scope.CONTRACT,
    title="A contract names a server for every environment of the product, and for no other.",
    why="Without it the product can be built in that environment, but neither run nor read.",
    todo="Add a server with this `environment`, or change `environments` in the descriptor.",
    bad=Change(CONTRACT, "    environment: prod\n", "    environment: production\n"),
)
def servers(subject: Subject) -> Iterator[Said]:
    declared = custom(subject.product.descriptor, "environments")
    if not isinstance(declared, list):
        return
    known = subject.standard("environments")
    named = {str(s.get("environment")) for _, s in subject.entries("servers")}
    for environment in declared:
        if str(environment) not in named:
            yield Said(f"no server for the environment {show(environment)}", ("servers",))
    for index, server in subject.entries("servers"):
        environment = server.get("environment")
        if environment not in declared or (isinstance(known, list) and environment not in known):
            yield Said(f"{show(environment)} is not an environment of the product", ("servers", index, "environment"))


@rule(
    "CON009",
    Scope.OUTPUT_CONTRACT,
    title="Every output contract names the roles that may read it.",
    why="Who asks for access must know what to ask for.",
    todo="Add an entry with `role` and `access` under `roles`.",
    bad=Change(CONTRACT, "roles:\n", "roles: []\ntags:\n"),
)
def roles(subject: Subject) -> Iterator[Said]:
    if not any(entry.get("role") for _, entry in subject.entries("roles")):
        yield Said("no role is named", ("roles",))


@rule(
    "CON010",
    Scope.OUTPUT_CONTRACT,
    title="Local servers publish a format of the standard to <root>/current/<file>.",
    why="All ports of a product become visible by one switch of `current`; a path beside it could not be atomic.",
    todo="Write a path that ends in /current/<port>.parquet, and a format of outer/standard.yaml.",
    bad=Change(
        CONTRACT,
        "path: ${DATA_ROOT:-data}/local/current/carrier_punctuality.parquet",
        "path: data/carrier_punctuality.parquet",
    ),
)
def published(subject: Subject) -> Iterator[Said]:
    formats = subject.standard("contract", "formats")
    for index, server in subject.entries("servers"):
        if server.get("type") != "local":
            continue
        if not _PUBLISHED.match(str(server.get("path"))):
            yield Said(
                f"the path {show(server.get('path'))} has no folder `current` before its file",
                ("servers", index, "path"),
            )
        if isinstance(formats, list) and server.get("format") not in formats:
            yield Said(
                f"the format {show(server.get('format'))} is none of {', '.join(formats)}",
                ("servers", index, "format"),
            )


def _rank(subject: Subject, name: object) -> int | None:
    known = subject.standard("classifications")
    return known.index(name) if isinstance(known, list) and name in known else None


@rule(
    "PRV001",
    Scope.DESCRIPTOR,
    title="Classification, visibility and licence of the product are those of the standard.",
    why="They decide who may see and use the data; a word of one's own is understood by nobody.",
    todo="Use a value of outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "property: visibility, value: organisation", "property: visibility, value: friends"),
)
def terms(subject: Subject) -> Iterator[Said]:
    lists = {"classification": "classifications", "visibility": "visibilities", "licence": "licences"}
    for index, entry in subject.entries("customProperties"):
        known = subject.standard(lists.get(str(entry.get("property")), "-"))
        if isinstance(known, list) and entry.get("value") not in known:
            yield Said(
                f"the {entry.get('property')} {show(entry.get('value'))} is none of {', '.join(known)}",
                ("customProperties", index),
            )


@rule(
    "PRV002",
    Scope.DESCRIPTOR,
    title="Whether the product holds personal data is said as true or false, and if it does, it is confidential.",
    why="Personal data in the open harm the people whom they are about, and the law calls it a breach.",
    todo="Raise the classification to the one that outer/standard.yaml asks for.",
    bad=Change(DESCRIPTOR, "property: personalData, value: false", "property: personalData, value: true"),
)
def personal(subject: Subject) -> Iterator[Said]:
    entries = {str(e.get("property")): (index, e.get("value")) for index, e in subject.entries("customProperties")}
    index, value = entries.get("personalData", (0, None))
    if "personalData" in entries and not isinstance(value, bool):
        yield Said(f"personalData is {show(value)}, not true or false", ("customProperties", index))
    least = _rank(subject, subject.standard("personal_data_at_least"))
    own = _rank(subject, entries.get("classification", (0, None))[1])
    if value is True and least is not None and own is not None and own < least:
        place = entries["classification"][0]
        yield Said(
            f"it holds personal data, but is classified as {show(entries['classification'][1])}",
            ("customProperties", place),
        )


@rule(
    "PRV003",
    Scope.OUTPUT_CONTRACT,
    title="No column is more closed than the product, and personal data and licence are said as in the descriptor.",
    why="Access is granted by the product's classification; a column above it would be shown to the wrong people.",
    todo="Raise the product's classification, or make contract and descriptor say the same.",
    bad=Change(CONTRACT, "classification: internal", "classification: restricted"),
)
def consistent(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    own = _rank(subject, custom(descriptor, "classification"))
    for table, _ in subject.entries("schema"):
        for index, column in subject.entries("schema", table, "properties"):
            rank = _rank(subject, column.get("classification"))
            if own is not None and rank is not None and rank > own:
                yield Said(
                    f"column {show(column.get('name'))} is {show(column.get('classification'))}, "
                    f"the product only {show(custom(descriptor, 'classification'))}",
                    ("schema", table, "properties", index, "classification"),
                )
    for name in ("personalData", "licence"):
        wanted, found = custom(descriptor, name), custom(subject.file, name)
        if wanted is not None and found != wanted:
            yield Said(f"`{name}` is {show(found)} here, and {show(wanted)} in the descriptor", ("customProperties",))
