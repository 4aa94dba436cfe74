"""CON: what consumers rely on is written down.

Field names are those of Bitol ODCS 3.1; what is optional there and mandatory here is the profile of the organisation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from outer.datatypes import physical
from outer.product import File, Product, custom
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import AIRLINES, CONTRACT, VARIABLE, at, columns, filled, listed, mappings, words
from outer.yamlfile import show

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
    Scope.CONTRACT,
    title="Every column has a logical and a physical type.",
    why="Types that are not written down differ between engines, and nobody is told when they change.",
    todo="Write `logicalType` and `physicalType`.",
    bad=Change(CONTRACT, "        physicalType: DATE\n", ""),
)
def typed(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        for key in ("logicalType", "physicalType"):
            if not filled(column.get(key)):
                yield Said(f"column {show(column.get('name'))} has no `{key}`", place)


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
    Scope.CONTRACT,
    title="Every column carries a classification of the standard.",
    why="Masking, access and retention follow the classification; an unknown one is treated by chance.",
    todo="Use a classification of outer/standard.yaml.",
    bad=Change(CONTRACT, "classification: internal", "classification: secret-ish"),
)
def classified(subject: Subject) -> Iterator[Said]:
    known = words(subject, "classifications")
    for place, column in columns(subject.file):
        if known and column.get("classification") not in known:
            yield Said(
                f"the classification {show(column.get('classification'))} of column {show(column.get('name'))} "
                f"is none of {listed(known)}",
                (*place, "classification"),
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
    for table, entry in subject.entries("schema"):
        keys = [(index, c) for index, c in mappings(entry.get("properties")) if c.get("primaryKey") is True]
        if not keys:
            yield Said("no column is part of a primary key", ("schema", table))
        # Where there is only one, its position goes without saying.
        positions = sorted(str(c.get("primaryKeyPosition", 1 if len(keys) == 1 else "none")) for _, c in keys)
        if keys and positions != sorted(str(n + 1) for n in range(len(keys))):
            yield Said(
                f"the positions of the key columns are {show(', '.join(positions))} instead of 1 to {len(keys)}",
                ("schema", table),
            )
        for index, column in keys:
            if column.get("required") is not True:
                yield Said(
                    f"key column {show(column.get('name'))} is not required", ("schema", table, "properties", index)
                )
        for index, column in mappings(entry.get("properties")):
            if "primaryKeyPosition" in column and column.get("primaryKey") is not True:
                yield Said(
                    f"column {show(column.get('name'))} has a position in the key, but is no part of it",
                    ("schema", table, "properties", index, "primaryKeyPosition"),
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
    for name in words(subject, "contract", "sla"):
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
    known = words(subject, "environments")
    named = {str(s.get("environment")) for _, s in subject.entries("servers")}
    for environment in declared:
        if str(environment) not in named:
            yield Said(f"no server for the environment {show(environment)}", ("servers",))
    for index, server in subject.entries("servers"):
        environment = server.get("environment")
        if environment not in declared or (known and environment not in known):
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
    todo="Write a path that ends in /current/<port>.parquet (a folder for Delta), and a format of outer/standard.yaml.",
    bad=Change(
        CONTRACT,
        "path: ${DATA_ROOT:-data}/local/current/carrier_punctuality.parquet",
        "path: data/carrier_punctuality.parquet",
    ),
)
def published(subject: Subject) -> Iterator[Said]:
    formats = words(subject, "contract", "formats")
    partitioned = any(column.get("partitioned") is True for _, column in columns(subject.file))
    for index, server in subject.entries("servers"):
        if server.get("type") != "local":
            continue
        path, kind = str(server.get("path")), server.get("format")
        if not _PUBLISHED.match(path):
            yield Said(f"the path {show(path)} has no folder `current` before its file", ("servers", index, "path"))
        elif isinstance(kind, str) and kind in formats and (said := _misnamed(path, kind, partitioned=partitioned)):
            yield Said(said, ("servers", index, "path"))
        if formats and kind not in formats:
            yield Said(f"the format {show(kind)} is none of {listed(formats)}", ("servers", index, "format"))


def _misnamed(path: str, kind: str, *, partitioned: bool) -> str:
    """What is wrong with the name of a published file or folder; nothing where nothing is.

    A Delta table and partitioned Parquet are folders; their names end as they like, but not as a file's.
    """
    if kind == "delta" or (kind == "parquet" and partitioned):
        what = "a Delta table" if kind == "delta" else "partitioned Parquet"
        return f"the path {show(path)} ends like a file, but {what} is a folder" if path.endswith(".parquet") else ""
    return "" if path.endswith(f".{kind}") else f"the path {show(path)} does not end in `.{kind}`"


@rule(
    "CON011",
    Scope.OUTPUT_CONTRACT,
    title="Every column of an output contract says whether it may be empty.",
    why="What is not said is read as `may be empty` by some and as `always there` by others.",
    todo="Write `required: true` or `required: false`.",
    bad=Change(CONTRACT, "        required: false\n", ""),
)
def emptiness(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        if not isinstance(column.get("required"), bool):
            yield Said(f"column {show(column.get('name'))} has no `required`", place)


@rule(
    "CON012",
    Scope.CONTRACT,
    title="A contract names one server for each environment.",
    why="With two, one reader goes to the first and another to the second; only one of them is kept fresh.",
    todo="Keep one of the servers; another way to the same data is another port.",
    bad=Change(CONTRACT, "    environment: dev\n", "    environment: prod\n"),
)
def one_server(subject: Subject) -> Iterator[Said]:
    seen: set[str] = set()
    for index, server in subject.entries("servers"):
        name = str(server.get("environment"))
        if name in seen:
            yield Said(f"the environment {show(name)} has a second server", ("servers", index, "environment"))
        seen.add(name)


def _served(product: Product) -> Iterator[tuple[File, int, str, str]]:
    """Contract, position, environment and path of every local server of an output port."""
    for file in product.output_contracts:
        for index, server in mappings(file.get("servers")):
            path = filled(server.get("path"))
            if path and server.get("type") == "local":
                yield file, index, str(server.get("environment")), path


@rule(
    "CON013",
    Scope.PRODUCT,
    title="Every output port has a location of its own in every environment.",
    why="A run in dev would overwrite what consumers read in prod, or one port another.",
    todo="Write the name of environment and port into the path.",
    bad=Change(CONTRACT, "/dev/current/carrier_punctuality", "/prod/current/carrier_punctuality"),
)
def own_location(subject: Subject) -> Iterator[Said]:
    seen: dict[str, tuple[str, str]] = {}
    for file, index, environment, path in _served(subject.product):
        other = seen.setdefault(path, (file.path, environment))
        if other != (file.path, environment):
            message = f"{show(other[0], 200)} publishes to the same place in {show(other[1])}"
            yield at(file, message, "servers", index, "path")


@rule(
    "CON014",
    Scope.PRODUCT,
    title="All output ports of an environment are published in one folder, each environment in its own.",
    why="One switch publishes all ports of a run or none; with two folders readers would see half a run.",
    todo="Give all ports of the environment the same path up to /current/, and no other environment.",
    bad=Change(CONTRACT, "/dev/current/carrier_punctuality", "/prod/current/punctuality"),
)
def one_root(subject: Subject) -> Iterator[Said]:
    folders: dict[str, str] = {}
    owners: dict[str, str] = {}
    for file, index, environment, path in _served(subject.product):
        folder = str(PurePosixPath(path).parent)
        if folders.setdefault(environment, folder) != folder:
            yield at(file, f"another port of {show(environment)} is published in {show(folders[environment])}",
                     "servers", index, "path")  # fmt: skip
        elif owners.setdefault(folder, environment) != environment:
            yield at(file, f"the folder belongs to {show(owners[folder])} already", "servers", index, "path")


@rule(
    "CON015",
    Scope.CONTRACT,
    title="The location of a port is one plain path, and for `local` it is the same on every machine.",
    why="A pattern may match another file than the one meant; a way out of the product may lead to anybody's data.",
    todo="Write a path without `..`, `~`, patterns and stray `$`; for `local` one that starts in the product or with "
    "a variable that has a default: ${NAME:-default}.",
    bad=Change(CONTRACT, "path: ${DATA_ROOT:-data}/local/", "path: ../local/"),
)
def plain_location(subject: Subject) -> Iterator[Said]:
    for index, server in subject.entries("servers"):
        path = server.get("path")
        if server.get("type") != "local" or not isinstance(path, str):
            continue
        place = ("servers", index, "path")
        expanded = VARIABLE.sub(lambda match: match[1] or "variable", path)
        parts = PurePosixPath(expanded.replace("\\", "/")).parts
        if "$" in VARIABLE.sub("", path):
            yield Said(f"the path {show(path)} holds a `$` that is no variable", place)
        elif ".." in parts or expanded.startswith("~"):
            yield Said(f"the path {show(path)} leads out of where it starts", place)
        elif any(sign in expanded for sign in "*?[]\0\n") or not path.strip():
            yield Said(f"the path {show(path)} is not that of one file", place)
        elif server.get("environment") == "local" and any(match[1] is None for match in VARIABLE.finditer(path)):
            yield Said(f"the path {show(path)} needs a variable that has no default", place)
        elif server.get("environment") == "local" and (expanded.startswith("/") or re.match("[A-Za-z]:", expanded)):
            yield Said(f"the path {show(path)} is that of one machine", place)


@rule(
    "CON016",
    Scope.OUTPUT_CONTRACT,
    title="Every role says what it may do and who gets it.",
    why="Access is granted by these words; a role without them is granted by habit.",
    todo="Write `access` (read, write or readWrite) and `description` for the role.",
    bad=Change(CONTRACT, "    access: read\n", "    access: some\n"),
)
def roles_said(subject: Subject) -> Iterator[Said]:
    for index, entry in subject.entries("roles"):
        if entry.get("access") not in ("read", "write", "readWrite"):
            yield Said(
                f"the access {show(entry.get('access'))} of role {show(entry.get('role'))} is none of read, write, "
                "readWrite",
                ("roles", index, "access"),
            )
        if not filled(entry.get("description")):
            yield Said(f"role {show(entry.get('role'))} has no description", ("roles", index))


@rule(
    "CON017",
    Scope.OUTPUT_CONTRACT,
    title="Key columns have exact types.",
    why="Two floating-point numbers that look equal are not always; joins lose rows, and nobody is told.",
    todo="Use a whole number, text, date, time or DECIMAL, or another key.",
    bad=Change(
        CONTRACT, "logicalType: date\n        physicalType: DATE", "logicalType: number\n        physicalType: DOUBLE"
    ),
)
def exact_key(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        if column.get("primaryKey") is not True:
            continue
        if physical(filled(column.get("physicalType"))[:100]) in ("FLOAT", "DOUBLE"):
            yield Said(f"key column {show(column.get('name'))} is {show(column.get('physicalType'))}",
                       (*place, "physicalType"))  # fmt: skip


@rule(
    "CON018",
    Scope.CONTRACT,
    title="Every server is of a type that the standard supports, and of a format that can be read.",
    why="What `outer run` cannot reach is a location on paper: the product fails there at its first run.",
    todo="Use a type and a format that outer/standard.yaml names under `contract`.",
    bad=Change(AIRLINES, "    type: local\n", "    type: custom\n"),
)
def supported(subject: Subject) -> Iterator[Said]:
    types = words(subject, "contract", "servers")
    formats = words(subject, "contract", "input_formats") or words(subject, "contract", "formats")
    for index, server in subject.entries("servers"):
        if types and server.get("type") not in types:
            message = f"the type {show(server.get('type'))} is none of {listed(types)}"
            yield Said(message, ("servers", index, "type"))
        elif subject.file in subject.product.input_contracts and server.get("type") != "local":
            message = f"a run reads files, not a server of the type {show(server.get('type'))}"
            yield Said(message, ("servers", index, "type"))
        elif subject.file in subject.product.input_contracts:
            kind, ending = server.get("format"), PurePosixPath(filled(server.get("path"))).suffix
            if formats and kind not in formats:
                message = f"the format {show(kind)} is none of {listed(formats)}"
                yield Said(message, ("servers", index, "format"))
            elif ending and not _fitting(ending, kind):
                yield Said(f"the path ends in {show(ending)}, the format is {show(kind)}", ("servers", index, "path"))


def _fitting(ending: str, kind: object) -> bool:
    if kind == "delta":  # a folder: what follows a point in its name says nothing
        return ending not in (".parquet", ".csv", ".json", ".jsonl", ".ndjson")
    return ending == f".{kind}" or (kind == "json" and ending in (".jsonl", ".ndjson"))


_TABLES = ("table", "view", "materialized view", "file", "topic")


@rule(
    "CON019",
    Scope.OUTPUT_CONTRACT,
    title="The table of an output contract says what it is: an object, as a table, view, file or topic.",
    why="Whether rows can be queried, must be fetched or arrive one by one decides how a consumer reads them.",
    todo=f"Write `logicalType: object` and one of these as `physicalType`: {', '.join(_TABLES)}.",
    bad=Change(CONTRACT, "physicalType: table", "physicalType: tabel"),
)
def kind_of_table(subject: Subject) -> Iterator[Said]:
    for index, table in subject.entries("schema"):
        if table.get("logicalType") != "object":
            yield Said(f"the logical type of the table is {show(table.get('logicalType'))}, not object",
                       ("schema", index, "logicalType"))  # fmt: skip
        if table.get("physicalType") not in _TABLES:
            message = f"the physical type {show(table.get('physicalType'))} is none of {', '.join(_TABLES)}"
            yield Said(message, ("schema", index, "physicalType"))
