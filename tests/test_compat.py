"""`outer compat`: pairs judged by hand, every rule by its examples, laws under random change, real git repositories."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from outer import rules as gate_rules
from outer.compat import SELECTABLE, CompatReport, command, grammar, units
from outer.compat import rules as compat_rules
from outer.compat.base import Basis, Release, Side
from outer.compat.change import Scene, changes
from outer.compat.judge import Comparison, Settings, judge
from outer.compat.physical import Relation, relation
from outer.compat.rule import Category, Example, Grade, Rule
from outer.compat.rules import BY_ID, RULES, judged
from outer.compat.thresholds import Pass, passing
from outer.compat.versions import Bump, version
from outer.errors import NothingChecked, UsageError
from outer.finding import Level
from outer.product import DESCRIPTOR, File
from outer.yamlfile import parse
from suite_repo import ROOT, commit, git

ORACLE = Path(__file__).parent / "compat_oracle"
AS_OF = date(2026, 11, 22)
STANDARD = Settings(
    AS_OF,
    classifications=("public", "internal", "confidential", "restricted"),
    visibilities=("domain", "organisation", "public"),
)
ORDERS_FILE = "outer/contracts/output/orders.v1.odcs.yaml"


# --- Documents ----------------------------------------------------------------------------------------------------


def load(path: Path) -> dict[str, Any]:
    return parse(path.read_bytes()).value  # type: ignore[no-any-return]


def file(path: str, value: Mapping[str, Any]) -> File:
    return File(path, parse(yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()))


ORDERS = load(ORACLE / "orders.v1.odcs.yaml")


def _entry(values: list[Any], name: str) -> int:
    for index, value in enumerate(values):
        if isinstance(value, dict) and name in (
            str(value.get(key)) for key in ("name", "property", "server", "role", "channel", "username")
        ):
            return index
    return int(name)


def _parent(document: Any, path: str) -> tuple[Any, Any]:
    """What holds the value at `path`, and its key there; entries of lists go by their name or position."""
    here = document
    if path == "columns" or path.startswith("columns/"):
        path = "schema/0/properties" + path.removeprefix("columns")
    *way, last = path.split("/")
    for step in way:
        here = here[_entry(here, step)] if isinstance(here, list) else here.setdefault(step, {})
    return here, (last if isinstance(here, dict) else _at(here, last))


def _at(values: list[Any], name: str) -> int:
    try:
        return _entry(values, name)
    except ValueError:
        raise AssertionError(f"no entry {name}") from None


def write(document: Any, path: str, value: Any) -> None:
    holder, key = _parent(document, path)
    if isinstance(holder, list) and key >= len(holder):
        holder.append(value)
    elif isinstance(holder, dict) and value is None:
        holder.pop(key, None)
    else:
        holder[key] = value


def apply(document: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with `set`, `del`, `add` and `move` of a case."""
    made = copy.deepcopy(dict(document))
    for path, value in case.get("set", {}).items():
        write(made, path, copy.deepcopy(value))
    for path in case.get("del", []):
        holder, key = _parent(made, path)
        del holder[key]
    for path, value in case.get("add", {}).items():
        holder, key = _parent(made, path)
        holder[key].append(copy.deepcopy(value))
    for path, position in case.get("move", {}).items():
        holder, key = _parent(made, path)
        holder.insert(position, holder.pop(key))
    return made


def verdicts(old: Mapping[str, Any], new: Mapping[str, Any], by: Settings = STANDARD) -> list[tuple[Rule, str]]:
    scene = Scene(
        old=old, new=new, as_of=by.as_of, classifications=by.classifications, visibilities=by.visibilities,
        statuses=by.statuses, notice_days=by.notice_days,
    )  # fmt: skip
    return [said for change in changes(scene, "contract") for said in judged(change)]


def need(said: Sequence[tuple[Rule, str]]) -> Bump:
    return max((rule.grade.bump for rule, _ in said), default=Bump.NONE)


# --- The oracle ---------------------------------------------------------------------------------------------------


def _cases() -> Iterator[Any]:
    for path in sorted(ORACLE.glob("*.yaml")):
        if path.name == "orders.v1.odcs.yaml":
            continue
        for case in yaml.safe_load(path.read_bytes()):
            yield pytest.param(case, id=f"{path.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(_cases()))
def test_a_hand_judged_pair_is_judged_the_same(case: dict[str, Any]) -> None:
    old = apply(ORDERS, {"set": case.get("given", {})})
    new = apply(old, case)
    said = verdicts(old, new)
    assert sorted({rule.id for rule, _ in said}) == sorted(case["rules"]), [words for _, words in said]
    assert need(said).word == case["verdict"]


# --- Whole products -----------------------------------------------------------------------------------------------

CUSTOMERS = load(ORACLE / "product" / "customers.yaml")
PRODUCT = load(ORACLE / "product" / "product.yaml")
PATHS = {
    "orders": ORDERS_FILE,
    "orders2": ORDERS_FILE.replace("v1", "v2"),
    "customers": "outer/contracts/input/customers.v1.odcs.yaml",
    "product": DESCRIPTOR,
}


def documents() -> dict[str, Any]:
    return copy.deepcopy({"orders": ORDERS, "customers": CUSTOMERS, "product": PRODUCT})


def changed(made: Mapping[str, Any], by: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    made = copy.deepcopy(dict(made))
    for name, ops in by.items():
        for path, value in ops.items():
            write(made[name], path, copy.deepcopy(value))
    return made


def second_major(orders: Mapping[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(dict(orders)), "id": "urn:dmb:cmp:sales:order-book:2:orders", "version": "2.0.0",
            "status": "active"}  # fmt: skip


def side(label: str, made: Mapping[str, Any]) -> Side:
    files = {name: file(PATHS[name], value) for name, value in made.items()}
    outputs = tuple(files[name] for name in ("orders", "orders2") if name in files)
    inputs = (files["customers"],) if "customers" in files else ()
    return Side(label, files.get("product"), outputs, inputs)


def levels(found: Sequence[Comparison], level: Level) -> list[str]:
    return sorted({v.rule.id for comparison in found for v in comparison.verdicts if v.level is level})


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c["name"]) for c in yaml.safe_load((ORACLE / "product" / "cases.yaml").read_bytes())],
)
def test_a_hand_judged_product_is_judged_the_same(case: dict[str, Any]) -> None:
    given_change = case.get("given", {})
    base = changed(documents(), given_change)
    if "version" in given_change.get("product", {}):
        base["product"]["outputPorts"][0]["version"] = given_change["orders"]["version"]
    head = copy.deepcopy(base)
    if "orders2" in case.get("add", []):
        head["orders2"] = second_major(head["orders"])
    for name in case.get("remove", []):
        del head[name]
    head = changed(head, case.get("change", {}))
    releases = tuple(
        Release(tag, side(tag, changed(documents(), by)).outputs) for tag, by in case.get("released", {}).items()
    )
    by = replace(STANDARD, as_of=date.fromisoformat(case.get("as_of", AS_OF.isoformat())))
    found = judge(side("head", head), Basis(side("base", base), releases), by)
    said = [(v.rule.id, v.level.value, v.message) for c in found for v in c.verdicts]
    assert levels(found, Level.ERROR) == sorted(case["errors"]), said
    assert levels(found, Level.WARNING) == sorted(case["warnings"]), said


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"columns/amount/required": False}, ["REL006"]),
        ({"columns/amount/required": False, "version": "1.3.0"}, ["CST001", "REL003"]),
        ({}, []),
    ],
)
def test_a_contract_that_comes_back_is_held_to_its_releases(made: dict[str, Any], expected: list[str]) -> None:
    base = documents()
    release = Release("v1.2.0", side("v1.2.0", base).outputs)
    base["orders2"] = second_major(base.pop("orders"))
    head = changed({**base, "orders": copy.deepcopy(ORDERS)}, {"orders": made})
    found = judge(side("head", head), Basis(side("base", base), (release,)), STANDARD)
    assert [rule for rule in levels(found, Level.ERROR) if rule != "REL007"] == expected


# --- The rules ----------------------------------------------------------------------------------------------------

EXAMPLE_DAY = date(2030, 1, 1)
_ID = "urn:dmb:cmp:sales:shop:1:orders"
_PIN = "urn:dmb:cmp:crm:customers:1:customers"


def minimal(example: Example, fragment: str | None) -> dict[str, Any]:
    """A minimal product with `fragment` of an example written in its place."""
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "version": "1.0.0"}
    column: dict[str, Any] = {"name": "amount"}
    table: dict[str, Any] = {"name": "orders", "properties": [column]}
    contract = {**head, "id": _ID, "name": "orders", "status": example.status, "schema": [table]}
    pinned = {**head, "id": _PIN, "name": "customers", "status": "active",
              "schema": [{"name": "customers", "properties": [{"name": "id"}]}]}  # fmt: skip
    descriptor = {"apiVersion": "v1.1.0", "kind": "DataProduct", "id": "urn:dmb:dp:sales:shop:1", "name": "shop",
                  "version": "1.0.0", "status": "active"}  # fmt: skip
    made: dict[str, Any] = {"orders": contract, "customers": pinned, "product": descriptor}
    places: dict[str, dict[str, Any]] = {
        "contract": contract, "table": table, "column": column, "descriptor": descriptor, "pin": pinned
    }  # fmt: skip
    place = places[example.at]
    if fragment is None:
        del made["orders"]
    else:
        place.update(parse(fragment.encode()).value if fragment.strip() else {})
    return made


def judged_example(example: Example) -> list[str]:
    old, new = minimal(example, example.old), minimal(example, example.new)
    if example.beside is not None:
        second = parse(example.beside.encode()).value
        new["orders2"] = {**old["orders"], "id": _ID.replace(":1:", ":2:"), "version": "2.0.0", **second}
    releases: tuple[Release, ...] = ()
    if example.released is not None:
        made = side("v1.0.0", minimal(example, example.released)).outputs
        strange = made[0].get("apiVersion") not in grammar.CONTRACT_VERSIONS
        releases = (Release("v1.0.0", () if strange else made, ((made[0].path, "unknown"),) if strange else ()),)
    basis = Basis(side("base", old), releases, example.shallow)
    found = judge(side("head", new), basis, replace(STANDARD, as_of=EXAMPLE_DAY))
    return sorted({v.rule.id for comparison in found for v in comparison.verdicts})


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_a_rule_reports_its_bad_example_and_not_its_good_one(rule: Rule) -> None:
    assert rule.id in judged_example(rule.bad)
    assert rule.id not in judged_example(rule.good)


def test_rules_read_like_sentences_and_have_ids_of_their_own() -> None:
    modules = [module for name, module in vars(compat_rules).items() if name.startswith("rules_")]
    defined = {id(value): value.id for module in modules for value in vars(module).values() if isinstance(value, Rule)}
    assert len(defined) == len(set(defined.values())) == len(RULES) == len(BY_ID) > 140
    assert not {rule.id for rule in RULES} & set(gate_rules.BY_ID)
    for rule in RULES:
        assert rule.title.endswith(".")
        assert rule.why.endswith(".")
        assert rule.todo.endswith(".")
        assert rule.clauses
    assert {rule.category for rule in RULES} == set(Category)


def test_every_rule_about_a_clause_has_a_hand_judged_pair() -> None:
    judged_by_hand = {rule for case in _cases() for rule in case.values[0]["rules"]}
    for case in yaml.safe_load((ORACLE / "product" / "cases.yaml").read_bytes()):
        judged_by_hand |= {*case["errors"], *case["warnings"]}
    silent = {rule.id for rule in RULES if rule.grade in (Grade.BREAKING, Grade.RISKY, Grade.FORBIDDEN)}
    # Told by git alone; tested there.
    assert silent - judged_by_hand <= {"TOOL003", "TOOL004"}


# --- Laws ---------------------------------------------------------------------------------------------------------


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in pairs:
        yield from paths(part, (*at, key))


PATHS_OF_ORDERS = [p for p in paths(ORDERS) if p]
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=True), st.text("ab: -1", max_size=4)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "id", "value", "property", "type", "required", "x", "properties", "items"]), inner,
        max_size=3,
    ),
    max_leaves=5,
)  # fmt: skip


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    here = made
    for step in at[:-1]:
        here = here[step]
    if value is DELETED:
        del here[at[-1]]
    else:
        here[at[-1]] = value
    return made


DELETED = object()


def shuffled(value: Any, by: Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        by.shuffle(keys)
        return {key: shuffled(value[key], by) for key in keys}
    return [shuffled(v, by) for v in value] if isinstance(value, list) else value


def test_a_contract_does_not_differ_from_itself() -> None:
    assert changes(Scene(old=ORDERS, new=copy.deepcopy(ORDERS)), "contract") == []
    assert changes(Scene(old=PRODUCT, new=copy.deepcopy(PRODUCT)), "descriptor") == []


def test_comments_quotes_and_layout_make_no_difference() -> None:
    rewritten = json.dumps(ORDERS, sort_keys=True, indent=1)
    value = parse(b"# another comment\n" + rewritten.encode()).value
    assert [change.clause for change in changes(Scene(old=ORDERS, new=value), "contract")] == []


@given(at=st.sampled_from(PATHS_OF_ORDERS), value=JUNK | st.just(DELETED), seed=st.integers(0, 2**32))
def test_any_change_is_judged_and_the_order_of_keys_does_not_matter(at: Any, value: Any, seed: int) -> None:
    new = put(ORDERS, at, value)
    said = verdicts(ORDERS, new)
    assert bool(said) != grammar.equal("contract", ORDERS, new)
    by = Random(seed)  # noqa: S311
    again = verdicts(shuffled(ORDERS, by), shuffled(new, by))
    assert sorted({(rule.id, words) for rule, words in said}) == sorted({(rule.id, words) for rule, words in again})


KEYS = ["schema", "servers", "slaProperties", "roles", "team", "customProperties", "description", "price"]


@given(old=JUNK, new=JUNK, key=st.sampled_from(KEYS))
def test_broken_contracts_are_judged_without_a_crash(old: Any, new: Any, key: str) -> None:
    one, other = {**ORDERS, key: old}, {**ORDERS, key: new}
    assert verdicts(one, copy.deepcopy(one)) == []
    assert bool(verdicts(one, other)) != grammar.equal("contract", one, other)


BY_DOCUMENT = [(name, at) for name, made in documents().items() for at in paths(made) if at]


@given(where=st.sampled_from(BY_DOCUMENT), value=JUNK | st.just(DELETED), released=st.booleans())
def test_broken_products_are_judged_without_a_crash(where: Any, value: Any, released: bool) -> None:
    name, at = where
    base, head = documents(), documents()
    head[name] = put(head[name], at, value)
    for old, new in ((base, head), (head, base)):
        sides = [side("", made) for made in (old, new)]
        releases = (Release("v1.0.0", sides[0].outputs),) if released else ()
        assert judge(sides[1], Basis(sides[0], releases), STANDARD)


@given(seed=st.integers(0, 2**32))
def test_removing_more_never_asks_for_less(seed: int) -> None:
    by = Random(seed)  # noqa: S311
    columns = ORDERS["schema"][0]["properties"]
    first, second = by.sample(range(len(columns)), 2)
    once = put(ORDERS, ("schema", 0, "properties", first), DELETED)
    twice = copy.deepcopy(ORDERS)
    twice["schema"][0]["properties"] = [c for i, c in enumerate(columns) if i not in (first, second)]
    assert need(verdicts(ORDERS, twice)) >= need(verdicts(ORDERS, once)) == Bump.MAJOR


# What readers may rely on, written down a second time and as simply as possible: which values a column may hold.

NUMBERS = [None, *range(-3, 7), 0.5, 2.5]
WORDS = [None, "", "a", "ab", "abc", "b", "zzzz"]
_BOUND = st.none() | st.integers(-2, 5)
NUMERIC = st.fixed_dictionaries(
    {},
    optional={
        "required": st.booleans(),
        "logicalTypeOptions": st.fixed_dictionaries(
            {},
            optional={
                "minimum": _BOUND, "maximum": _BOUND, "exclusiveMinimum": _BOUND, "exclusiveMaximum": _BOUND,
                "multipleOf": st.sampled_from([None, 0.5, 1, 2, 3]),
            },
        ),
        "enum": st.none() | st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, unique=True),
    },
)  # fmt: skip
TEXTUAL = st.fixed_dictionaries(
    {},
    optional={
        "required": st.booleans(),
        "logicalTypeOptions": st.fixed_dictionaries(
            {}, optional={"minLength": st.none() | st.integers(0, 3), "maxLength": st.none() | st.integers(0, 4)}
        ),
        "enum": st.none() | st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, unique=True),
    },
)


def holds(column: Mapping[str, Any], value: Any) -> bool:
    options = {k: v for k, v in (column.get("logicalTypeOptions") or {}).items() if v is not None}
    if value is None:
        return column.get("required") is not True
    enum = column.get("enum")
    if enum is not None and value not in [entry["value"] for entry in enum]:
        return False
    if isinstance(value, str):
        return options.get("minLength", 0) <= len(value) <= options.get("maxLength", 99)
    return (
        options.get("minimum", -99) <= value <= options.get("maximum", 99)
        and options.get("exclusiveMinimum", -99) < value < options.get("exclusiveMaximum", 99)
        and value % options.get("multipleOf", 0.5) == 0
    )


def with_column(column: Mapping[str, Any], kind: str) -> dict[str, Any]:
    enum = column.get("enum")
    made = {**column, "enum": [{"value": v} for v in enum] if enum else None}
    return {**ORDERS, "schema": [{"name": "t", "properties": [{"name": "c", "logicalType": kind, **made}]}]}


@pytest.mark.parametrize(("kind", "values"), [("number", NUMBERS), ("string", WORDS)])
@given(data=st.data())
def test_a_column_that_may_hold_what_it_never_held_needs_a_major(kind: str, values: list[Any], data: Any) -> None:
    columns = NUMERIC if kind == "number" else TEXTUAL
    old, new = with_column(data.draw(columns), kind), with_column(data.draw(columns), kind)
    before, after = (document["schema"][0]["properties"][0] for document in (old, new))
    surprises = [value for value in values if holds(after, value) and not holds(before, value)]
    if surprises:
        assert need(verdicts(old, new)) is Bump.MAJOR, surprises


_KEYED = st.fixed_dictionaries({"unique": st.booleans(), "key": st.sampled_from([0, 0, 1, 2])})
ROWS = [((x, y), (z, w)) for x in (1, 2) for y in (1, 2) for z in (1, 2) for w in (1, 2)]


def keyed(columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    made = [
        {"name": name, "unique": c["unique"], "primaryKey": bool(c["key"]), "primaryKeyPosition": c["key"] or None}
        for name, c in zip("ab", columns, strict=True)
    ]
    return {**ORDERS, "schema": [{"name": "t", "properties": made}]}


def allows(columns: Sequence[Mapping[str, Any]], rows: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    one, other = rows
    if any(c["unique"] and one[i] == other[i] for i, c in enumerate(columns)):
        return False
    key = [i for i, c in enumerate(columns) if c["key"]]
    return not key or any(one[i] != other[i] for i in key)


@given(old=st.tuples(_KEYED, _KEYED), new=st.tuples(_KEYED, _KEYED))
def test_a_table_that_may_hold_duplicates_it_never_held_needs_a_major(old: Any, new: Any) -> None:
    if any(allows(new, rows) and not allows(old, rows) for rows in ROWS):
        assert need(verdicts(keyed(old), keyed(new))) is Bump.MAJOR


_LIMIT = st.integers(0, 6)
_OPERATOR = st.one_of(
    *(st.tuples(st.just(name), _LIMIT) for name in grammar.thresholds.OPERATORS[:6]),
    *(st.tuples(st.just(name), st.tuples(_LIMIT, _LIMIT).map(sorted)) for name in grammar.thresholds.OPERATORS[6:]),
).map(lambda pair: {pair[0]: pair[1]})


def passes(rule: Mapping[str, Any], value: float) -> bool:
    ((operator, limit),) = rule.items()
    tests: dict[str, Callable[[], bool]] = {
        "mustBe": lambda: value == limit, "mustNotBe": lambda: value != limit,
        "mustBeGreaterThan": lambda: value > limit, "mustBeGreaterOrEqualTo": lambda: value >= limit,
        "mustBeLessThan": lambda: value < limit, "mustBeLessOrEqualTo": lambda: value <= limit,
        "mustBeBetween": lambda: limit[0] <= value <= limit[1],
        "mustNotBeBetween": lambda: not limit[0] <= value <= limit[1],
    }  # fmt: skip
    return tests[operator]()


@given(old=_OPERATOR, new=_OPERATOR, whole=st.booleans())
def test_thresholds_are_compared_by_what_passes(old: dict[str, Any], new: dict[str, Any], whole: bool) -> None:
    values = [n if whole else n / 4 for n in range(0 if whole else -8, 40)]
    came = any(passes(new, v) and not passes(old, v) for v in values)
    went = any(passes(old, v) and not passes(new, v) for v in values)
    expected = Pass.MORE if came else Pass.FEWER if went else Pass.SAME
    extra = {"metric": "rowCount"} if whole else {"type": "sql"}
    assert passing({**old, **extra}, {**new, **extra}) is expected


# What a reader's query does, really run: DuckDB holds one table for each contract.

TYPES = {
    "INTEGER": ("integer", "{c} + 1"), "BIGINT": ("integer", "{c} + 1"), "DOUBLE": ("number", "round({c}, 1)"),
    "DECIMAL(10,2)": ("number", "{c} * 2"), "VARCHAR": ("string", "substr({c}, 1, 1)"), "DATE": ("date", "year({c})"),
    "TIMESTAMP": ("timestamp", "date_trunc('hour', {c})"), "BOOLEAN": ("boolean", "NOT {c}"),
    "INTEGER[]": ("array", "len({c})"), "STRUCT(x INTEGER)": ("object", "{c}.x"),
}  # fmt: skip
_NAMES = ["a", "b", "c", "d"]
TABLES = st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(sorted(TYPES))), min_size=1, max_size=4,
                  unique_by=lambda c: c[0])  # fmt: skip


def typed(columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    made = [{"name": n, "logicalType": TYPES[t][0], "physicalType": t} for n, t in columns]
    return {**ORDERS, "schema": [{"name": "t", "properties": made}]}


@given(old=TABLES, new=TABLES)
def test_a_query_that_fails_on_the_new_table_was_told_as_a_major(old: Any, new: Any) -> None:
    import duckdb

    with duckdb.connect() as db:
        for name, columns in (("old", old), ("new", new)):
            db.execute(f"CREATE TABLE {name} ({', '.join(f'{n} {t}' for n, t in columns)})")
        for column, kind in old:
            query = f"SELECT {TYPES[kind][1].format(c=column)} FROM "  # noqa: S608 (made of the lists above)
            db.execute(query + "old")
            try:
                db.execute(query + "new")
            except duckdb.Error:
                assert need(verdicts(typed(old), typed(new))) is Bump.MAJOR, query
                return


@given(old=st.sampled_from(sorted(TYPES)), new=st.sampled_from(sorted(TYPES)))
def test_values_that_do_not_survive_the_old_type_were_told_as_a_major_or_as_a_doubt(old: str, new: str) -> None:
    assume(old != new)
    said = verdicts(typed([("a", old)]), typed([("a", new)]))
    assert need(said) is Bump.MAJOR or relation(old, new) is Relation.WIDER


@pytest.mark.parametrize("widths", [("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), ("BIGINT", "INTEGER", "SMALLINT")])
def test_a_chain_of_steps_in_one_direction_asks_for_its_largest_step(widths: tuple[str, ...]) -> None:
    def asked(old: str, new: str) -> Bump:
        old_new = ({"name": "t", "properties": [{"name": "a", "physicalType": kind}]} for kind in (old, new))
        return need(verdicts(*({**ORDERS, "schema": [table]} for table in old_new)))

    for a, b, c in zip(widths, widths[1:], widths[2:], strict=False):
        assert asked(a, c) == max(asked(a, b), asked(b, c))


def test_a_contract_with_many_columns_is_compared_column_by_column() -> None:
    columns = [{"name": f"c{n}", "logicalType": "integer", "description": f"Number {n}."} for n in range(2000)]
    old = {**ORDERS, "schema": [{"name": "t", "properties": columns}]}
    new = {**ORDERS, "schema": [{"name": "t", "properties": [{**c, "logicalType": "string"} for c in columns]}]}
    assert [rule.id for rule, _ in verdicts(old, new)] == ["SCH006"] * 2000


# --- Types and units ----------------------------------------------------------------------------------------------

TYPE_PAIRS = {
    Relation.SAME: "INT|INTEGER STRING|VARCHAR DECIMAL(9,2)|numeric(9,2) DECIMAL|NUMBER double|float8 XY(4)|XY(4)",
    Relation.WIDER: (
        "INT|BIGINT UINT8|INT16 FLOAT|DOUBLE VARCHAR(9)|TEXT TIMESTAMP|TIMESTAMP_NS TIMESTAMP(3)|TIMESTAMP(6) "
        "CHAR2(3)|CHAR2(4) INTEGER[]|BIGINT[] ARRAY<INT>|BIGINT[]"
    ),
    Relation.NARROWER: (
        "BIGINT|INT DOUBLE|REAL TEXT|VARCHAR(9) DECIMAL(12,2)|DECIMAL(12,4) TIMESTAMP_NS|DATETIME CHAR2(4,1)|CHAR2(4,0)"
    ),
    Relation.OTHER: (
        "INT|DOUBLE INT|UINTEGER DATE|TIMESTAMP GEOMETRY|GEOGRAPHY BOOLEAN|INT UUID|VARCHAR MONEY|INT MAP(a,b)|MAP(a,c)"
    ),
    Relation.SHAPE: "INT|INT[] VARCHAR|STRUCT(a) MAP(a,b)|TEXT",
    Relation.ZONE: "TIMESTAMP|TIMESTAMPTZ TIMESTAMP(6)|TIMESTAMPTZ",
    Relation.UNKNOWN: "DECIMAL|DECIMAL(9,2) INT8|BIGINT INT(11)|INTEGER CHAR2|CHAR2(4) CHAR2(4)|CHAR2(4,1)",
}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [(*pair.split("|"), found) for found, pairs in TYPE_PAIRS.items() for pair in pairs.split()],
)
def test_types_of_different_systems_are_related(old: str, new: str, expected: Relation) -> None:
    assert relation(old, new) is expected


LEVEL_PAIRS = {
    units.Shift.SAME: (
        "freshness|24,h|24,hours freshness|24h|24,h availability|99%|99,percent mood|3|3 "
        "endOfLife|2030-01-01|2030-01-01T09:30:10-08:00"
    ),
    units.Shift.REWRITTEN: (
        "freshness|24,h|1,d freshness|P1D|24,h freshness|1.5,h|90,min retention|P1Y|365,d retention|12,mo|1,y"
    ),
    units.Shift.WEAKER: (
        "freshness|5,m|6,m retention|2,w|10,d supportHours|24x7|8x5 supportHours|24x7|24x5 "
        "endOfLife|2030-01-01|2029-12-31 endOfLife|2030-01-01T20:00:00-08:00|2030-01-01"
    ),
    units.Shift.STRONGER: (
        "latency|90,s|1,min frequency|PT1H|PT30M availability|99|99.5 throughput|5,rows/s|6,rows/s "
        "supportHours|8x5|12x5 generalAvailability|2030-01-01|2029-12-31 timeOfAvailability|09:00|08:00 "
        "timeOfAvailability|09:00-08:00|09:00-07:00"
    ),
    units.Shift.UNKNOWN: (
        "freshness|5,m|6,h freshness|P|P1D freshness|1,h|x availability|0.99|99% availability|high|low "
        "availability|99,%|5,min supportHours|8x5|always timeOfAvailability|09:00|09:00+01:00 "
        "timeOfAvailability|dawn|noon mood|3|4"
    ),
}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [(*pair.split("|"), found) for found, pairs in LEVEL_PAIRS.items() for pair in pairs.split()],
)
def test_service_levels_are_compared_in_one_unit(name: str, old: str, new: str, expected: units.Shift) -> None:
    sides = [dict(zip(("value", "unit"), said.split(","), strict=False)) for said in (old, new)]
    assert units.shift(name, *sides) is expected


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("* * * * *", 60 * 24 * 7), ("0 * * * *", 24 * 7), ("*/10 * * * *", 6 * 24 * 7), ("0 6 * * *", 7),
        ("0 6 * * 1-5", 5), ("0 6 * * 0,7", 1), ("0 6,18 * * 1", 2), ("5/20 0 * * *", 21), ("0 0 1-31 * *", 7),
        ("0 6 * * MON", None), ("0 6 * *", None), ("0 30 * * *", None), ("*/0 * * * *", None), ("9-3 * * * *", None),
        (None, None), (6, None),
    ],
)  # fmt: skip
def test_schedules_are_compared_by_how_often_they_fire(schedule: Any, runs: float | None) -> None:
    assert units.runs_a_week(schedule) == runs


# --- Versions -----------------------------------------------------------------------------------------------------


def test_versions_are_ordered_and_stepped_as_semver_says() -> None:
    ordered = [f"1.0.0-{pre}" for pre in ("alpha", "alpha.1", "alpha.beta", "beta.2", "beta.11", "rc.1")] + ["1.0.0"]
    found = [version(text) for text in ordered]
    assert sorted(found, key=lambda v: v.key if v else ()) == found
    steps = ["1.2.3 2.0.0 major", "1.2.3 1.3.0 minor", "1.2.3 1.2.4 patch", "1.2.3 1.2.3 none", "1.2.3 1.2.2 none",
             "0.2.3 0.3.0 major", "0.2.3 0.2.4 minor", "0.9.0 1.0.0 major", "1.0.0-rc.1 1.0.0 patch"]  # fmt: skip
    for old, new, step in map(str.split, steps):
        before, after = version(old), version(new)
        assert before
        assert after
        assert before.step(after).word == step
    for text in ("1.0", "v1.0.0", "01.0.0", "1.0.0-", "", "1.0.0\n", None, 1.0):
        assert version(text) is None


@given(st.tuples(*[st.integers(0, 3)] * 3), st.sampled_from(list(Bump)[1:]))
def test_the_next_version_makes_the_step_that_is_needed(parts: tuple[int, int, int], step: Bump) -> None:
    now = version(".".join(map(str, parts)))
    assert now
    assert now.step(now.after(step)) >= step


# --- Git ----------------------------------------------------------------------------------------------------------


def save(root: Path, made: Mapping[str, Any]) -> None:
    for name, value in made.items():
        path = root / PATHS[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The product of the oracle, committed on the branch main."""
    return start(tmp_path / "order-book")


def start(root: Path) -> Path:
    save(root, documents())
    shutil.copy(ROOT / "template" / "outer" / "standard.yaml", root / "outer" / "standard.yaml")
    git(root, "init", "--quiet")
    return commit(root)


def compare(root: Path, **options: Any) -> CompatReport:
    given_options: dict[str, Any] = {"base": None, "against": None, "categories": None, "as_of": AS_OF} | options
    return command(root, **given_options)


def ids(report: CompatReport, level: Level = Level.ERROR) -> list[str]:
    return sorted({finding.rule for finding in report.at(level)})


def edit(root: Path, by: Mapping[str, Mapping[str, Any]]) -> None:
    made = {name: load(root / PATHS[name]) for name in PATHS if (root / PATHS[name]).exists()}
    save(root, changed(made, by))


OPTIONAL = {"orders": {"columns/amount/required": False}}
ADDED = {
    "orders": {"columns/11": {"name": "channel", "logicalType": "string"}, "version": "1.3.0"},
    "product": {"version": "1.3.0", "outputPorts/0/version": "1.3.0"},
}


def test_a_branch_is_compared_with_where_it_left_the_default_branch(repo: Path) -> None:
    git(repo, "switch", "--quiet", "-c", "feature")
    edit(repo, OPTIONAL)
    commit(repo)
    git(repo, "switch", "--quiet", "main")
    edit(repo, {"orders": {"roles": None, "version": "1.3.0"}})
    commit(repo)
    git(repo, "switch", "--quiet", "feature")
    report = compare(repo)
    assert ids(report) == ["CST001", "REL001", "REL007"]
    assert report.base.startswith("main (")
    assert report.exit_code == 1


def test_changes_that_are_not_committed_count(repo: Path) -> None:
    edit(repo, OPTIONAL)
    report = compare(repo)
    assert "CST001" in ids(report)
    assert report.base.startswith("HEAD (")


def test_on_the_default_branch_the_commit_before_is_the_base(repo: Path) -> None:
    edit(repo, OPTIONAL)
    commit(repo)
    report = compare(repo)
    assert "CST001" in ids(report)
    assert report.base.startswith("HEAD^ (")


def test_a_fresh_product_is_compared_with_itself(product: Path) -> None:
    report = compare(product)
    assert (report.exit_code, report.need, report.findings) == (0, Bump.NONE, ())
    assert len(report.comparisons) == 2
    assert "nothing changed" in report.text(colour=False)


def test_a_proper_addition_passes_with_notes(repo: Path) -> None:
    edit(repo, ADDED)
    report = compare(repo)
    assert report.exit_code == 0
    assert [f.rule for f in report.findings] == ["SCH019"]
    assert report.need is Bump.MINOR


def test_the_remote_default_branch_goes_before_the_local_one(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(repo), "clone")
    clone = tmp_path / "clone"
    edit(clone, OPTIONAL)
    commit(clone)
    report = compare(clone)
    assert report.base.startswith("origin/HEAD (")
    assert "CST001" in ids(report)


def test_a_base_may_be_a_tag_a_branch_or_a_commit(repo: Path) -> None:
    git(repo, "tag", "old")
    edit(repo, ADDED)
    commit(repo)
    edit(repo, {"orders": {"contractCreatedTs": None, "version": "1.3.1"},
                "product": {"version": "1.3.1", "outputPorts/0/version": "1.3.1"}})  # fmt: skip
    commit(repo)
    for base in ("old", "main~2", git(repo, "rev-parse", "main~2").strip()):
        assert sorted({f.rule for f in compare(repo, base=base).findings}) == ["SCH019", "SEM009"]
    assert [f.rule for f in compare(repo, base="main~1").findings] == ["SEM009"]


@pytest.mark.parametrize("base", ["nowhere", "", "HEAD:outer", "-x", "main\nHEAD", "--help", "HEAD^{tree}"])
def test_an_unknown_base_is_an_error(repo: Path, base: str) -> None:
    with pytest.raises(UsageError, match="no commit"):
        compare(repo, base=base)


def test_a_folder_without_git_is_an_error(tmp_path: Path) -> None:
    save(tmp_path, documents())
    with pytest.raises(UsageError, match="not in a git repository"):
        compare(tmp_path)


def test_a_repository_without_a_commit_has_nothing_to_compare(tmp_path: Path) -> None:
    save(tmp_path, documents())
    git(tmp_path, "init", "--quiet")
    with pytest.raises(NothingChecked) as caught:
        compare(tmp_path)
    assert caught.value.exit_code == 3


def test_a_repository_without_a_default_branch_is_an_error(repo: Path) -> None:
    git(repo, "branch", "--move", "main", "trunk")
    with pytest.raises(UsageError, match="no default branch"):
        compare(repo)
    assert compare(repo, base="trunk").exit_code == 0


def test_histories_without_a_common_commit_are_an_error(repo: Path) -> None:
    git(repo, "switch", "--quiet", "--orphan", "other")
    save(repo, documents())
    commit(repo)
    with pytest.raises(UsageError, match="no commit in common"):
        compare(repo)


def shallow(repo: Path, target: Path) -> Path:
    git(target.parent, "clone", "--quiet", "--depth", "1", f"file://{repo}", target.name)
    return target


def test_a_shallow_clone_without_the_base_is_an_error(repo: Path, tmp_path: Path) -> None:
    first = git(repo, "rev-parse", "HEAD").strip()
    edit(repo, ADDED)
    commit(repo)
    clone = shallow(repo, tmp_path / "clone")
    with pytest.raises(UsageError, match="before HEAD is not there"):
        compare(clone)
    with pytest.raises(UsageError) as caught:
        compare(clone, base=first)
    assert "shallow" in caught.value.todo


def test_a_shallow_clone_with_the_base_says_what_it_cannot_see(repo: Path, tmp_path: Path) -> None:
    clone = shallow(repo, tmp_path / "clone")
    edit(clone, ADDED)
    report = compare(clone)
    assert ids(report, Level.WARNING) == ["TOOL003"]


def test_a_base_without_contracts_has_nothing_to_compare_unless_that_is_allowed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "README.md").write_text("Here will be a product.\n")
    commit(tmp_path)
    save(tmp_path, documents())
    with pytest.raises(NothingChecked, match="no output contract"):
        compare(tmp_path)
    report = compare(tmp_path, allow_empty=True)
    assert (report.exit_code, report.comparisons) == (0, ())
    assert "0 comparisons" in report.text(colour=False)


BROKEN = ["a: b: c", "a: 1\na: 2", "- a", "&a b: *a", "apiVersion: v9.0.0", "\tx", "a: !!int 1"]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("where", ["orders", "customers", "product"])
def test_a_file_that_cannot_be_read_on_either_side_is_an_error(repo: Path, broken: str, where: str) -> None:
    path = repo / PATHS[where]
    good = path.read_bytes()
    path.write_text(broken)
    with pytest.raises(UsageError, match="outer/"):
        compare(repo)
    commit(repo)
    path.write_bytes(good)
    with pytest.raises(UsageError, match="outer/"):
        compare(repo)


def test_a_link_or_a_huge_file_in_the_base_is_an_error(repo: Path) -> None:
    path = repo / PATHS["orders"]
    good = path.read_bytes()
    path.unlink()
    path.symlink_to("/etc/passwd")
    commit(repo)
    path.unlink()
    path.write_bytes(good)
    with pytest.raises(UsageError, match="not a regular file"):
        compare(repo)
    path.write_bytes(b"# " + b"x" * (1 << 21) + b"\n" + good)
    commit(repo)
    path.write_bytes(good)
    with pytest.raises(UsageError, match="larger than"):
        compare(repo)


def test_a_product_without_a_descriptor_is_an_error(repo: Path) -> None:
    (repo / DESCRIPTOR).unlink()
    with pytest.raises(UsageError, match="does not exist"):
        compare(repo)


def test_a_product_in_a_folder_of_a_larger_repository_is_found(tmp_path: Path) -> None:
    root = tmp_path / "products" / "order book ü"
    save(root, documents())
    save(tmp_path / "products" / "other", changed(documents(), OPTIONAL))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "order-book/v1.0.0")
    git(tmp_path, "tag", "other/v1.0.0")
    edit(root, {"orders": {"columns/note/required": True}})
    report = compare(root)
    assert [f.rule for f in report.findings if f.rule.startswith("CST")] == ["CST002"]
    assert report.releases == 1


def test_a_released_version_is_immutable_even_on_another_branch(repo: Path) -> None:
    git(repo, "switch", "--quiet", "-c", "hotfix")
    edit(repo, ADDED)
    commit(repo, "v1.3.0")
    git(repo, "switch", "--quiet", "main")
    edit(repo, ADDED)
    assert compare(repo).exit_code == 0
    edit(repo, {"orders": {"columns/channel/name": "source"}})
    report = compare(repo)
    assert ids(report) == ["REL006"]
    assert "v1.3.0" in next(f.message for f in report.at(Level.ERROR))


def test_every_supported_release_is_compared_and_not_only_the_base(repo: Path) -> None:
    commit(repo, "v1.2.0")
    edit(repo, {**OPTIONAL, "product": {"version": "1.3.0", "outputPorts/0/version": "1.3.0"}})
    edit(repo, {"orders": {"version": "1.3.0"}})
    commit(repo)
    commit(repo)
    report = compare(repo)
    assert ids(report) == ["CST001", "REL003"]
    assert all("(against v1.2.0)" in f.message for f in report.at(Level.ERROR))


def test_a_release_that_the_base_does_not_hold_is_not_supported_there(repo: Path) -> None:
    git(repo, "switch", "--quiet", "-c", "hotfix")
    edit(repo, ADDED)
    commit(repo, "v1.3.0")
    git(repo, "switch", "--quiet", "main")
    edit(repo, {"orders": {"version": "1.4.0"}, "product": {"version": "1.4.0", "outputPorts/0/version": "1.4.0"}})
    assert compare(repo).exit_code == 0


def test_a_release_that_cannot_be_read_is_told_and_stops_nothing(repo: Path) -> None:
    path = repo / PATHS["orders"]
    good = path.read_bytes()
    path.write_text("a: b: c\n")
    commit(repo, "v0.1.0")
    path.write_bytes(good)
    commit(repo)
    commit(repo)
    report = compare(repo)
    assert ids(report, Level.WARNING) == ["TOOL004"]
    assert report.exit_code == 0


def test_tags_that_are_no_releases_do_not_count(repo: Path) -> None:
    for tag in ("v1", "1.2.0", "other/v1.2.0", "v1.2", "release-1.2.0"):
        git(repo, "tag", tag)
    git(repo, "tag", "-a", "v1.2.0", "-m", "annotated")
    assert compare(repo).releases == 1


def test_nothing_of_the_repository_or_the_user_is_run_or_trusted(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    bait = tmp_path / "bait.sh"
    bait.write_text(f"#!/bin/sh\ntouch {trap}\n")
    bait.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.alternateRefsCommand",
                "diff.external", "diff.bait.textconv", "filter.bait.smudge", "credential.helper"):  # fmt: skip
        git(repo, "config", key, str(bait))
    (repo / ".gitattributes").write_text("*.yaml filter=bait diff=bait\n")
    hooks = repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        shutil.copy(bait, hooks / hook)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(bait))
    edit(repo, OPTIONAL)
    assert "CST001" in ids(compare(repo))
    assert not trap.exists()


def test_a_damaged_repository_is_an_error(repo: Path) -> None:
    name = git(repo, "rev-parse", "HEAD:" + PATHS["orders"]).strip()
    edit(repo, OPTIONAL)
    blob = repo / ".git" / "objects" / name[:2] / name[2:]
    blob.chmod(0o644)
    blob.write_bytes(b"rubbish")
    with pytest.raises(UsageError):
        compare(repo)
    blob.unlink()
    with pytest.raises(UsageError, match="does not hold its content"):
        compare(repo)


def test_a_repository_with_longer_names_of_objects_is_read(tmp_path: Path) -> None:
    save(tmp_path, documents())
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    commit(tmp_path, "v1.2.0")
    edit(tmp_path, OPTIONAL)
    assert {"CST001", "REL006"} <= set(ids(compare(tmp_path)))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_read(repo: Path) -> None:
    edit(repo, OPTIONAL)
    for path in (repo, *repo.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert "CST001" in ids(compare(repo))


def test_replaced_objects_do_not_deceive(repo: Path) -> None:
    honest = git(repo, "rev-parse", "HEAD:" + PATHS["orders"]).strip()
    edit(repo, OPTIONAL)
    forged = git(repo, "hash-object", "-w", PATHS["orders"]).strip()
    git(repo, "replace", honest, forged)
    assert "CST001" in ids(compare(repo))


# --- A folder or a file -------------------------------------------------------------------------------------------


def test_a_folder_may_be_the_base(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    save(old, documents())
    save(new, documents())
    assert compare(new, against=old).exit_code == 0
    edit(new, OPTIONAL)
    report = compare(new, against=old)
    assert ids(report) == ["CST001", "REL001", "REL007"]
    assert report.base == str(old)


def test_one_contract_file_may_be_the_base(tmp_path: Path) -> None:
    save(tmp_path / "new", changed(documents(), OPTIONAL))
    before = tmp_path / "anything.yaml"
    before.write_text(yaml.safe_dump(ORDERS))
    report = compare(tmp_path / "new", against=before)
    assert ids(report) == ["CST001", "REL001"]
    assert len(report.comparisons) == 1


def test_a_pinned_contract_may_be_compared_with_that_of_its_producer(tmp_path: Path) -> None:
    save(tmp_path / "new", documents())
    producer = tmp_path / "customers.v1.odcs.yaml"
    producer.write_text(yaml.safe_dump(CUSTOMERS))
    assert compare(tmp_path / "new", against=producer).exit_code == 0
    edit(tmp_path / "new", {"customers": {"columns/country/required": True}})
    report = compare(tmp_path / "new", against=producer)
    assert ids(report) == ["UPS005"]
    assert "column `country` is required now" in report.findings[0].message


@pytest.mark.parametrize("what", ["missing", "stranger", "broken", "link"])
def test_a_base_that_is_no_version_of_the_product_is_an_error(tmp_path: Path, what: str) -> None:
    save(tmp_path / "new", documents())
    path = tmp_path / "x.odcs.yaml"
    if what == "stranger":
        path.write_text(yaml.safe_dump({**CUSTOMERS, "id": "urn:x"}))
    elif what == "broken":
        path.write_text("a: b: c")
    elif what == "link":
        path.symlink_to("/etc/passwd")
    with pytest.raises(UsageError):
        compare(tmp_path / "new", against=path)


def test_a_base_and_a_folder_together_are_an_error(repo: Path) -> None:
    with pytest.raises(UsageError, match="both"):
        compare(repo, base="main", against=repo)


# --- Selection, waivers, reports ----------------------------------------------------------------------------------


def test_categories_select_what_is_judged(repo: Path) -> None:
    edit(repo, {"orders": {"columns/amount/required": False, "slaProperties/freshness/value": 48, "roles": None}})
    assert ids(compare(repo, categories=["schema"])) == ["CST001", "REL001", "REL007"]
    assert ids(compare(repo, categories=["delivery", "access"])) == ["ACC001", "REL001", "REL007", "SVL001"]
    assert ids(compare(repo, categories=["semantics"])) == []
    assert ids(compare(repo, categories=list(SELECTABLE))) == ids(compare(repo))


@pytest.mark.parametrize("names", [["nonsense"], [], ["schema", "tool"]])
def test_an_unknown_category_is_an_error(repo: Path, names: list[str]) -> None:
    with pytest.raises(UsageError, match="category"):
        compare(repo, categories=names)


def test_an_unknown_clause_is_told_whatever_is_selected(repo: Path) -> None:
    edit(repo, {"orders": {"columns/note/colour": "red"}})
    for name in SELECTABLE:
        assert ids(compare(repo, categories=[name]), Level.WARNING) == ["TOOL001"]


def test_a_waiver_is_the_recorded_decision(repo: Path) -> None:
    edit(repo, {"orders": {"columns/amount/description": "Amount with tax.", "version": "1.3.0"},
                "product": {"version": "1.3.0", "outputPorts/0/version": "1.3.0"}})  # fmt: skip
    assert ids(compare(repo), Level.WARNING) == ["SEM001"]
    (repo / "outer" / "waivers.yaml").write_text(
        f"waivers:\n  - {{rule: SEM001, place: {PATHS['orders']}, reason: Only the words., owner: ana@example.com, "
        'approver: bo@example.com, expires: "2027-01-01"}\n'
    )
    report = compare(repo)
    assert ids(report, Level.WARNING) == []
    assert "accepted: Only the words." in report.text(colour=False)
    assert ids(compare(repo, as_of=date(2027, 1, 2)), Level.WARNING) == ["SEM001"]


def test_findings_say_where_what_and_what_to_do(repo: Path) -> None:
    edit(repo, OPTIONAL)
    report = compare(repo)
    finding = next(f for f in report.findings if f.rule == "CST001")
    line = (repo / PATHS["orders"]).read_text().splitlines()[finding.place.line - 1]
    assert line.strip() == "required: false"
    assert finding.message == "column `amount` is no longer required"
    assert "2.0.0" in finding.todo
    assert "outer/contracts/output/orders.v2.odcs.yaml" in finding.todo
    needed = "contract orders: still 1.2.0; it needs a major: 2.0.0, in outer/contracts/output/orders.v2"
    assert needed in report.text(colour=False)
    behind = next(f for f in report.findings if f.rule == "REL007")
    assert "is still 1.2.0" in behind.message
    assert "outer bump" in behind.todo


def test_what_breaks_in_a_draft_is_explained(repo: Path) -> None:
    edit(repo, {"orders": {"status": "draft"}})
    commit(repo)
    edit(repo, {"orders": {"columns/note": {"name": "remark", "logicalType": "string"}}})
    report = compare(repo, base="HEAD")
    text = report.text(colour=False)
    assert "note SCH002" in text
    assert text.count("contract orders is a draft at the base: what breaks in it is a note and asks for a minor") == 1
    told = [c for c in json.loads(report.as_json())["comparisons"] if c["kind"] == "contract"]
    assert [(c["draft"], bool(c["explanation"])) for c in told if c["name"] == "orders"] == [(True, True)]


def test_a_custom_property_that_came_or_went_is_not_called_changed(repo: Path) -> None:
    edit(repo, {"orders": {"customProperties": [{"property": "title", "value": "Orders"},
                                                {"property": "colour", "value": "red"}]}})  # fmt: skip
    messages = [f.message for f in compare(repo).findings]
    assert "`title` of contract `orders` was added" in messages
    assert "no rule knows `colour` of contract `orders`: red was added" in [m.replace("`red`", "red") for m in messages]


def test_what_was_removed_is_shown_where_it_stood(repo: Path) -> None:
    before = (repo / PATHS["orders"]).read_text().splitlines()
    edit(repo, {"orders": {"columns/note": {"name": "remark", "logicalType": "string"}}})
    finding = next(f for f in compare(repo).findings if f.rule == "SCH002")
    assert finding.path == PATHS["orders"]
    assert "note" in before[finding.place.line - 1]


def test_the_report_for_machines_holds_everything(repo: Path) -> None:
    edit(repo, OPTIONAL)
    said = json.loads(compare(repo).as_json())
    assert said["format"] == 1
    assert said["passed"] is False
    contract = said["comparisons"][0]
    assert (contract["need"], contract["enough"]) == ("major", False)
    assert (contract["next_version"], contract["next_file"]) == ("2.0.0", "outer/contracts/output/orders.v2.odcs.yaml")
    assert {"rule": "CST001", "grade": "breaking", "category": "schema", "way": "weaker",
            "message": "column `amount` is no longer required"} in contract["changes"]  # fmt: skip
    assert {f["rule"] for f in said["findings"]} == {"CST001", "REL001", "REL007"}


def test_the_report_for_people_is_quiet_when_told_and_keeps_hostile_text_off_the_terminal(repo: Path) -> None:
    edit(repo, ADDED)
    report = compare(repo)
    assert report.text(colour=False, quiet=True) == ""
    assert "note SCH019" in report.text(colour=False)
    edit(repo, {"orders": {"columns/channel/name": "x\x1b[31m\nfake: pass"}})
    shown = compare(repo).text(colour=False)
    assert "\x1b" not in shown
    assert "\nfake" not in shown
    edit(repo, OPTIONAL)
    assert "\x1b[31m" in compare(repo).text(colour=True)


def test_the_result_does_not_depend_on_the_folder(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(repo, OPTIONAL)
    here = compare(repo).as_json()
    monkeypatch.chdir(repo / "outer")
    assert compare(Path("..")).as_json() == here


def test_a_cold_process_loads_nothing_heavy(repo: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import date; from outer.compat import command;"
        f"command(Path({str(repo)!r}), base=None, against=None, categories=None, as_of=date(2026, 1, 1));"
        "print([m for m in ('duckdb', 'jsonschema_rs', 'copier', 'jinja2', 'pydantic') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "hooks")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
