"""IDN: names and addresses.

The URN form comes from the Data Product Specification of Agile Lab (README, section on identifiers).
"""

from __future__ import annotations

from collections.abc import Iterator

from outer.finding import Level
from outer.product import DESCRIPTOR
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.reading import CONTRACT, columns, fits, major, mappings
from outer.yamlfile import show

_RESERVED = frozenset({
    "all", "and", "any", "array", "as", "asc", "both", "case", "cast", "check", "column", "constraint", "create",
    "cross", "current_date", "current_time", "current_timestamp", "current_user", "default", "desc", "distinct",
    "else", "end", "except", "exists", "false", "fetch", "for", "foreign", "from", "full", "grant", "group",
    "having", "in", "inner", "insert", "intersect", "into", "is", "join", "lateral", "leading", "left", "like",
    "limit", "natural", "not", "null", "offset", "on", "only", "or", "order", "outer", "primary", "references",
    "right", "select", "session_user", "some", "table", "then", "to", "trailing", "true", "union", "unique",
    "update", "user", "using", "values", "when", "where", "window", "with",
})  # fmt: skip
"""Words that SQL:2016 keeps for itself and that PostgreSQL, DuckDB, Spark or Snowflake want quoted as a column."""


@rule(
    "IDN001",
    Scope.DESCRIPTOR,
    title="The product's id is urn:dmb:dp:<domain>:<name>:<major>, made of its own domain, name and version.",
    why="The id is the address under which consumers and catalogues know the product; a wrong one points nowhere.",
    todo="Write the id from domain, name and the major of the version.",
    bad=Change(DESCRIPTOR, "id: urn:dmb:dp:aviation:", "id: urn:dmb:dp:shipping:"),
)
def product_urn(subject: Subject) -> Iterator[Said]:
    domain, name, version = (subject.text(key) for key in ("domain", "name", "version"))
    expected = f"urn:dmb:dp:{domain}:{name}:{major(version)}"
    if subject.text("id") != expected:
        yield Said(f"the id is {show(subject.get('id'))}, but should be {show(expected)}", ("id",))


@rule(
    "IDN002",
    Scope.DESCRIPTOR,
    title="Product and domain are named as the standard says.",
    why="Names become addresses, folders and tables; one pattern keeps all of them valid everywhere.",
    todo="Rename it to fit the pattern in outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "domain: aviation", "domain: Aviation"),
)
def names(subject: Subject) -> Iterator[Said]:
    for key, kind in (("name", "product"), ("domain", "domain")):
        name = subject.text(key)
        if not fits(subject, kind, name):
            pattern = subject.standard("names", kind)
            yield Said(f"the {kind} name {show(name)} does not fit the pattern {show(pattern)}", (key,))


@rule(
    "IDN003",
    Scope.DESCRIPTOR,
    title="Ports are named as the standard says, each name and version once.",
    why="Name and version are the key of a port (ODPS); two ports under one key cannot be told apart.",
    todo="Rename the port to fit the pattern in outer/standard.yaml.",
    bad=Change(DESCRIPTOR, "  - name: airlines", "  - name: flights"),
)
def port_names(subject: Subject) -> Iterator[Said]:
    for key in ("inputPorts", "outputPorts", "managementPorts"):
        seen: set[tuple[str, str]] = set()
        for index, port in subject.entries(key):
            name, version = str(port.get("name")), str(port.get("version", ""))
            if not fits(subject, "port", name):
                pattern = subject.standard("names", "port")
                yield Said(f"the port name {show(name)} does not fit the pattern {show(pattern)}", (key, index, "name"))
            if (name, version) in seen:
                yield Said(f"the port {show(f'{name} {version}'.strip())} stands twice", (key, index))
            seen.add((name, version))


@rule(
    "IDN004",
    Scope.OUTPUT_PORT,
    title="The contract id of an output port is urn:dmb:cmp:<domain>:<product>:<major>:<port>.",
    why="Consumers pin a contract by this id; it must lead back to the product and the port.",
    todo="Write the contractId from the product's domain, name, major and the port's name.",
    bad=Change(DESCRIPTOR, "1:carrier_punctuality", "1:punctuality"),
)
def port_urn(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    if descriptor is None:
        return
    domain, product = descriptor.get("domain"), descriptor.get("name")
    version = major(subject.text("version"))
    expected = f"urn:dmb:cmp:{domain}:{product}:{version}:{subject.text('name')}"
    if subject.text("contractId") != expected:
        yield Said(
            f"the contractId is {show(subject.get('contractId'))}, but should be {show(expected)}", ("contractId",)
        )


@rule(
    "IDN005",
    Scope.CONTRACT,
    title="Columns are named as the standard says, each name once.",
    why="A column name that needs quoting, or differs only in case, breaks queries in one engine and not in another.",
    todo="Rename the column to fit the pattern in outer/standard.yaml.",
    bad=Change(CONTRACT, "- name: on_time_share_7d", "- name: onTimeShare7d"),
)
def column_names(subject: Subject) -> Iterator[Said]:
    seen: set[tuple[str | int, str]] = set()
    for place, column in columns(subject.file):
        name = str(column.get("name"))
        if not fits(subject, "column", name):
            pattern = subject.standard("names", "column")
            yield Said(f"the column name {show(name)} does not fit the pattern {show(pattern)}", (*place, "name"))
        if (place[1], name.casefold()) in seen:
            yield Said(f"the column {show(name)} stands twice", (*place, "name"))
        seen.add((place[1], name.casefold()))


@rule(
    "IDN006",
    Scope.OUTPUT_CONTRACT,
    title="An output contract names the domain of its product.",
    why="A contract travels without its product; under another domain it is filed, and searched for, elsewhere.",
    todo="Write the `domain` of the descriptor into the contract.",
    bad=Change(CONTRACT, "domain: aviation", "domain: shipping"),
)
def contract_domain(subject: Subject) -> Iterator[Said]:
    descriptor = subject.product.descriptor
    if descriptor is not None and subject.get("domain") != descriptor.get("domain"):
        yield Said(
            f"the domain is {show(subject.get('domain'))}, that of the product is {show(descriptor.get('domain'))}",
            ("domain",),
        )


@rule(
    "IDN007",
    Scope.OUTPUT_CONTRACT,
    title="The table of an output contract is called like its port.",
    why="Quality rules, relationships and consumers address the table by this name.",
    todo="Give `schema[0].name` the `name` of the contract; a name in storage goes to `physicalName`.",
    bad=Change(CONTRACT, "schema:\n  - name: carrier_punctuality", "schema:\n  - name: punctuality"),
)
def table_name(subject: Subject) -> Iterator[Said]:
    for index, table in mappings(subject.get("schema")):
        if table.get("name") != subject.get("name"):
            yield Said(
                f"the table is called {show(table.get('name'))}, the contract {show(subject.get('name'))}",
                ("schema", index, "name"),
            )


@rule(
    "IDN008",
    Scope.OUTPUT_CONTRACT,
    title="No column of an output contract has a word of SQL for its name.",
    why="It must be quoted in some engines and not in others, so that a query that works here fails there.",
    todo="Give the column a name that says more, for example `customer_group` instead of `group`.",
    bad=Change(CONTRACT, "- name: cancelled", "- name: group"),
    level=Level.WARNING,
)
def reserved(subject: Subject) -> Iterator[Said]:
    for place, column in columns(subject.file):
        if str(column.get("name")).lower() in _RESERVED:
            yield Said(f"the column name {show(column.get('name'))} is a word of SQL", (*place, "name"))
