"""Day two: `outer add`, `outer pull` and `outer bump`, and the edits that they make in files of the team."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from difflib import SequenceMatcher
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import products
import suite_repo
from outer.compat import command as compat
from outer.daytwo import edit
from outer.daytwo.add import add_input_port, add_output_port
from outer.daytwo.bump import bump
from outer.daytwo.change import Changed
from outer.daytwo.pull import PullReport, State, pull
from outer.errors import NothingChecked, UsageError
from outer.model import model
from outer.ports import resolve_outputs
from outer.product import load, lookup
from outer.talk import Talk
from outer.yamledit import CannotEdit, replace, scalar
from outer.yamlfile import parse
from suite_repo import change

TALK = Talk(quiet=True)
DESCRIPTOR = "outer/data-product.odps.yaml"
INNER = "inner/inner.yaml"
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
PINNED = "outer/contracts/input/delays.v1.odcs.yaml"
SAMPLE = "outer/samples/delays.parquet"

add_output = partial(add_output_port, talk=TALK)
add_input = partial(add_input_port, talk=TALK)
pulled = partial(pull, talk=TALK)
bumped = partial(bump, talk=TALK)


def changed_lines(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """Lines that are gone and lines that came."""
    old, new = (side.decode().splitlines(keepends=True) for side in (before, after))
    gone: list[str] = []
    came: list[str] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += old[a:b]
            came += new[c:d]
    return gone, came


def refused(root: Path, call: Any, *words: str) -> UsageError:
    """The error that `call` raises; it says each of `words`, and the product in `root` is as it was."""
    before = suite_repo.contents(root)
    with pytest.raises(UsageError) as caught:
        call()
    assert suite_repo.contents(root) == before
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return caught.value


def rows(path: Path) -> int:
    """Rows of a Parquet file."""
    return int(duckdb.read_parquet(str(path)).count("*").fetchall()[0][0])


def places(result: Changed | PullReport) -> list[str]:
    return [one.place for one in result.left]


# --- Edits --------------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        "a",
        "orders",
        "two words",
        "NO",
        "1.0",
        "é ü",
        "x: y",
        "# none",
        "it's",
        'say "so"',
        "",
        "-",
        "[",
        "a,b",
        "\u2028",
    ]
)
_SCALARS = _WORDS | st.integers(-5, 99) | st.booleans() | st.sampled_from(["line one\nline two\n", "kept\n\n"])
_KEYS = st.sampled_from(["name", "id", "reads", "a-b", "two words", "on", "é"])
_VALUES = st.recursive(
    _SCALARS, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(_KEYS, inside, max_size=3), max_leaves=8
)
_FILES = st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4)


class _Writer:
    """Writes a value as people do: in lines or in brackets, with comments and blank lines at odd places."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def one_of(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def note(self) -> str:
        return str(self.one_of("", "", " # why", "   # - not: [an entry"))

    def between(self, indent: int) -> list[str]:
        far = ["", " " * (indent + 6) + "# far in"]
        return list(self.one_of([], [], [], [""], [" " * indent + "# about the next"], ["# at the margin"], far))

    def scalar(self, value: Any) -> str:
        if isinstance(value, str) and "\n" not in value and self.one_of(True, False):
            return "'" + value.replace("'", "''") + "'"
        return scalar(value)

    def flow(self, value: Any, indent: int) -> str:
        if not isinstance(value, (list, dict)):
            return self.scalar(value)
        left, right = "[]" if isinstance(value, list) else "{}"
        inside = value if isinstance(value, list) else value.values()
        parts = [self.flow(one, indent + 2) for one in inside]
        if isinstance(value, dict):
            parts = [f"{self.scalar(key)}: {part}" for key, part in zip(value, parts, strict=True)]
        if not parts:
            return f"{left}{self.one_of('', ' ')}{right}"
        if self.one_of(True, True, False):
            return f"{left}{self.one_of('', ' ')}{', '.join(parts)}{self.one_of('', ' ', ',')}{right}"
        signs = [","] * (len(parts) - 1) + [self.one_of("", ",")]
        lines = [f"{' ' * (indent + 2)}{p}{sign}{self.note()}" for p, sign in zip(parts, signs, strict=True)]
        return "\n".join([left + self.note(), *lines, " " * (indent + 1) + right])

    def lines(self, value: Any, indent: int) -> list[str]:
        heads = [f"{self.scalar(key)}:" for key in value] if isinstance(value, dict) else ["-"] * len(value)
        found: list[str] = []
        for head, one in zip(heads, value.values() if isinstance(value, dict) else value, strict=True):
            found += self.between(indent) + self.entry(" " * indent + head, one, indent)
        return found

    def entry(self, head: str, value: Any, indent: int) -> list[str]:
        if isinstance(value, str) and value.endswith("\n") and self.one_of(True, False):
            sign = "|+" if value.endswith("\n\n") else self.one_of("|", "|+")
            text = value.split("\n")[:-1]
            return [f"{head} {sign}", *(f"{' ' * (indent + 2)}{line}" if line else "" for line in text)]
        if isinstance(value, (list, dict)) and value and self.one_of(True, True, False):
            if head.endswith("-"):
                first, *rest = self.lines(value, indent + 2)
                inline = first.strip() and not first.strip().startswith("#")
                return [f"{head} {first[indent + 2 :]}", *rest] if inline else [head, first, *rest]
            step = self.one_of(0, 2, 4) if isinstance(value, list) else self.one_of(2, 3)
            return [head + self.note(), *self.lines(value, indent + step)]
        return f"{head} {self.flow(value, indent + 2)}{self.note()}".split("\n")

    def file(self, value: Any) -> bytes:
        end = self.one_of("\n", "\r\n")
        lines = self.one_of([], ["# head", ""]) + self.lines(value, 0) + self.one_of([], ["", "# end"])
        return (self.one_of("", "", "\ufeff") + end.join(lines) + self.one_of("", end)).encode()


def _collections(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)):
        yield at
    for step, inside in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from _collections(inside, (*at, step))


@settings(max_examples=200)
@given(st.data())
def test_an_entry_or_a_key_comes_in_and_nothing_else_changes(data: st.DataObject) -> None:
    value = data.draw(_FILES)
    written = _Writer(data.draw).file(value)
    assume(_reads_as(written, value))  # the writer is not perfect
    pointer = data.draw(st.sampled_from(list(_collections(value))))
    new = data.draw(_VALUES)
    note(f"{written.decode()}\n{pointer}: {new!r}")
    wanted = deepcopy(value)
    place = lookup(wanted, pointer)
    if isinstance(place, list):
        after = data.draw(st.sampled_from([None, *range(len(place))]))
        place.insert(len(place) if after is None else after + 1, new)
        result = edit.append(written, pointer, new, after=after)
    else:
        after = data.draw(st.sampled_from(["", *place]))
        place["new key"] = new
        result = edit.add(written, pointer, "new key", new, after=after)
    assert parse(result).value == wanted
    gone, _ = changed_lines(written, result)
    assert len(gone) <= 1
    assert result.count(b"\r\n") == (result.count(b"\n") if b"\r\n" in written else 0)


@settings(max_examples=100)
@given(st.data())
def test_a_whole_block_is_replaced_and_nothing_else_changes(data: st.DataObject) -> None:
    value = data.draw(_FILES)
    written, other = _Writer(data.draw).file(value), data.draw(_VALUES)
    assume(_reads_as(written, value))
    key = data.draw(st.sampled_from(list(value)))
    note(f"{written.decode()}\n{key}: {other!r}")
    block = edit.block(written, key)
    result = edit.set_block(written, key, other)
    assert parse(result).value == {**value, key: other}
    gone, _ = changed_lines(written, result)
    assert len(gone) <= len(block.splitlines())
    assert parse(edit.set_block(result, key, value[key], block)).value == value


@given(_FILES, _VALUES)
def test_what_was_json_is_json_still(value: Any, new: Any) -> None:
    written = json.dumps(value, indent=2).encode()
    assert json.loads(edit.add(written, (), "new key", new)) == {**value, "new key": new}
    for pointer in _collections(value):
        if isinstance(lookup(value, pointer), list):
            wanted = deepcopy(value)
            lookup(wanted, pointer).append(new)
            assert json.loads(edit.append(written, pointer, new)) == wanted


def _reads_as(written: bytes, value: Any) -> bool:
    try:
        return bool(parse(written).value == value)
    except Exception:
        return False


def test_an_entry_is_copied_with_its_comments() -> None:
    data = b"ports:\n  - name: a # first\n    # why\n    version: 1.0.0\n\nother: 1\n"
    source = edit.entry(data, ("ports", 0))
    assert source == "name: a # first\n# why\nversion: 1.0.0"
    result = edit.append(data, ("ports",), {"name": "a", "version": "1.0.0"}, source=source)
    assert result == data.replace(b"\n\nother", b"\n  - name: a # first\n    # why\n    version: 1.0.0\n\nother")


def test_a_source_that_says_something_else_is_refused() -> None:
    with pytest.raises(CannotEdit):
        edit.append(b"ports:\n  - name: a\n", ("ports",), {"name": "b"}, source="name: c")


def test_a_key_that_is_there_is_not_written_again() -> None:
    with pytest.raises(CannotEdit, match="there already"):
        edit.add(b"a: 1\n", (), "a", 2)


@pytest.mark.parametrize(
    "empty", ["ports:\n", "ports: # none\n", "ports: []\n", "ports: [] # none\n", "ports: null\n", ""]
)
def test_a_list_that_is_not_there_is_begun_in_lines(empty: str) -> None:
    data = f"name: x\n{empty}other: 1\n".encode()
    result = edit.append(data, ("ports",), {"name": "a"})
    assert parse(result).value == {"name": "x", "ports": [{"name": "a"}], "other": 1}
    assert b"  - name: a\n" in result
    assert ("# none" in empty) == (b"# none" in result)


# --- Output ports -------------------------------------------------------------------------------------------------


def test_a_new_output_port_passes_the_gate(product: Path) -> None:
    before = suite_repo.contents(product)
    result = add_output(product, "daily_orders")
    contract = "outer/contracts/output/daily_orders.v1.odcs.yaml"
    assert set(result.files) == {contract, DESCRIPTOR, INNER}
    assert suite_repo.complaints(product) == []
    after = suite_repo.contents(product)
    assert {path for path in after if after[path] != before.get(path)} == set(result.files)
    gone, came = changed_lines(before[INNER], after[INNER])
    assert [line.replace("[carrier_punctuality]", "[carrier_punctuality, daily_orders]") for line in gone] == came
    assert changed_lines(before[DESCRIPTOR], after[DESCRIPTOR])[0] == []
    port = model(load(product)).outputs[1]
    assert (port.name, port.contract.version, port.contract.status) == ("daily_orders", "1.0.0", "draft")
    assert port.made_from == model(load(product)).outputs[0].made_from


def test_what_only_the_team_can_say_is_named_with_its_place(product: Path) -> None:
    result = add_output(product, "daily_orders")
    for one in result.left:
        path, _, line = one.place.rpartition(":")
        assert int(line) <= len((product / path).read_text().splitlines())
    found = {one.place.rpartition(":")[0]: "" for one in result.left}
    assert set(found) == set(result.files)
    for path in found:
        pending = [
            n for n, line in enumerate((product / path).read_text().splitlines(), 1) if "still has to say" in line
        ]
        assert {f"{path}:{line}" for line in pending} <= set(places(result))
    assert "PORT_OUTPUT_DAILY_ORDERS" in result.text()
    assert "left to the team:" in result.text()


def test_the_contract_takes_over_what_the_product_says(product: Path) -> None:
    change(
        product / DESCRIPTOR,
        ("property: classification, value: internal", "property: classification, value: confidential"),
    )
    change(product / CONTRACT, ("value: 24\n", "value: 6\n"), ("path: ${DATA_ROOT:-data}/dev/", "path: /mnt/dev/"))
    add_output(product, "daily_orders")
    made = load(product).output_contracts[1]
    assert made.get("schema", 0, "properties", 0, "classification") == "confidential"
    assert made.get("slaProperties", 0, "value") == 6
    assert made.get("servers", 1, "path") == "/mnt/dev/current/daily_orders.parquet"
    assert [s["environment"] for s in made.get("servers")] == ["local", "dev", "prod"]
    assert made.get("team", "name") == "aviation-data"


def test_a_port_beside_tables_is_a_table_in_the_same_database(product: Path) -> None:
    text = (product / CONTRACT).read_text()
    start, end = text.index("  - server: prod\n"), text.index("\nschema:")
    table = "    type: postgres\n    host: ${HOST:-db}\n    port: 5432\n    database: products\n    schema: shop\n"
    (product / CONTRACT).write_text(f"{text[:start]}  - server: prod\n    environment: prod\n{table}{text[end:]}")
    add_output(product, "daily_orders")
    first, made = load(product).output_contracts
    assert made.get("servers", 2) == first.get("servers", 2)
    _, locations = resolve_outputs(model(load(product)), "prod")  # so both can be published by one switch
    assert [str(location.table) for location in locations] == [
        f"postgres://db:5432/products/shop.{name}" for name in ("carrier_punctuality", "daily_orders")
    ]


def test_a_product_with_personal_data_gets_a_closed_port(suite: Path, tmp_path: Path) -> None:
    closed = suite_repo.render(tmp_path / "people", suite, personal_data=True, classification="confidential")
    known = suite_repo.complaints(closed)
    add_output(closed, "daily_orders")
    assert [c for c in suite_repo.complaints(closed) if c.startswith("outer/contracts/output/daily")] == [
        c.replace("carrier_punctuality", "daily_orders")
        for c in known
        if c.startswith(CONTRACT) and "role" in c  # nobody approves the readers of the first port either
    ]
    made = load(closed).output_contracts[1]
    assert made.get("schema", 0, "properties", 0, "customProperties") == [{"property": "personalData", "value": True}]


def test_an_active_product_is_told_to_activate_the_contract(product: Path) -> None:
    change(product / DESCRIPTOR, ("status: draft #", "status: active #"))
    change(product / CONTRACT, ("status: draft", "status: active"))
    result = add_output(product, "daily_orders")
    assert any("(VER003)" in one.what for one in result.left)
    assert {c.split(": ")[1] for c in suite_repo.complaints(product)} == {"VER003"}
    made = product / "outer/contracts/output/daily_orders.v1.odcs.yaml"
    change(made, ("status: draft", "status: active"))
    assert {c.split(": ")[1] for c in suite_repo.complaints(product)} == {"DES008"}, "an active promise says nothing"
    say_what_was_left(product)
    assert suite_repo.complaints(product) == []


def say_what_was_left(product: Path) -> None:
    """Put words where `outer add` left them to the team."""
    for path in (product / DESCRIPTOR, *(product / "outer/contracts/output").iterdir()):
        path.write_text(path.read_text(encoding="utf-8").replace("The team still has to say", "It is known"), "utf-8")


def test_one_of_several_workloads_has_to_be_named(product: Path) -> None:
    change(
        product / INNER,
        ("# Storage areas", "  - name: extra\n    technology: python\n    reads: [airlines]\n    writes: []\n"
         "    depends_on: [build]\n    run: python extra.py\n\n# Storage areas"),
    )  # fmt: skip
    refused(product, lambda: add_output(product, "daily_orders"), "inner/inner.yaml:8", "build, extra", "--workload")
    refused(product, lambda: add_output(product, "daily_orders", workload_name="none"), "`none`", "build, extra")
    add_output(product, "daily_orders", workload_name="extra")
    assert load(product).inner.get("workloads", 1, "writes") == ["daily_orders"]  # type: ignore[union-attr]
    assert suite_repo.complaints(product) == []


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Daily", "pattern"), ("daily-orders", "pattern"), ("../daily", "pattern"), ("", "pattern"),
        ("a\nb", "pattern"), ("a" * 200, "pattern"), ("carrier_punctuality", "already"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_fit_or_is_taken_is_refused(product: Path, name: str, word: str) -> None:
    refused(product, lambda: add_output(product, name), word)


def test_a_name_that_yaml_takes_for_something_else_is_quoted(product: Path) -> None:
    add_output(product, "null")
    assert suite_repo.complaints(product) == []
    assert model(load(product)).outputs[1].name == "null"


def test_an_added_port_is_not_added_twice(product: Path) -> None:
    add_output(product, "daily_orders")
    refused(product, lambda: add_output(product, "daily_orders"), "already", f"{DESCRIPTOR}:38")


def test_a_file_in_the_way_is_not_overwritten(product: Path) -> None:
    path = product / "outer/contracts/output/daily_orders.v1.odcs.yaml"
    path.symlink_to("nowhere")
    refused(product, lambda: add_output(product, "daily_orders"), "daily_orders.v1.odcs.yaml:1")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: DataProduct", "kind: DataProduct\nkind: DataProduct", ("data-product.odps.yaml:7", "twice")),
        ("outputPorts:", "outputPort:", ("data-product.odps.yaml",)),
        ("version: 1.0.0 #", "version: soon #", ("data-product.odps.yaml:9", "semantic version")),
    ],
)
def test_a_descriptor_that_makes_no_sense_stops_everything(
    product: Path, old: str, new: str, words: tuple[str]
) -> None:
    change(product / DESCRIPTOR, (old, new))
    refused(product, lambda: add_output(product, "daily_orders"), *words)


def test_a_product_in_json_and_one_with_windows_lines_stay_as_they_are(product: Path, tmp_path: Path) -> None:
    tiny = products.build_product(tmp_path / "tiny")
    add_output(tiny, "more")
    assert json.loads((tiny / DESCRIPTOR).read_text())["outputPorts"][1]["name"] == "more"
    assert json.loads((tiny / INNER).read_text())["workloads"][0]["writes"] == ["words", "more"]
    for path in (DESCRIPTOR, INNER):
        (product / path).write_bytes((product / path).read_bytes().replace(b"\n", b"\r\n"))
    add_output(product, "daily_orders")
    for path in (DESCRIPTOR, INNER):
        data = (product / path).read_bytes()
        assert data.count(b"\n") == data.count(b"\r\n")
    assert suite_repo.complaints(product) == []


def test_the_new_port_is_published_once_its_workload_writes_it(tmp_path: Path) -> None:
    tiny = products.build_product(tmp_path / "tiny", job="copy(f\"SELECT * FROM '{INPUT}'\", 'words')")
    add_output(tiny, "ids")
    before = products.outer(tiny, "run")
    assert before.returncode == 1
    assert "PORT_OUTPUT_IDS" in before.stderr
    with (tiny / "inner/job.py").open("a") as job:
        job.write("copy(f\"SELECT id FROM '{INPUT}'\", 'ids')\n")
    after = products.outer(tiny, "run")
    assert after.returncode == 0, after.stderr
    assert rows(tiny / "data/local/current/ids.parquet") == 20


@pytest.mark.parametrize("ports", [1, 3, pytest.param(50, marks=pytest.mark.slow)])
def test_products_of_many_ports_are_ordinary(product: Path, ports: int) -> None:
    for number in range(1, ports):
        add_output(product, f"port_{number}")
    assert len(model(load(product)).outputs) == ports
    assert suite_repo.complaints(product) == []
    bumped(product, to="major")
    assert suite_repo.complaints(product) == []
    assert len(model(load(product)).outputs) == 2 * ports


@pytest.mark.slow
def test_the_gate_judges_fifty_ports_of_two_hundred_columns(product: Path) -> None:
    for number in range(1, 50):
        add_output(product, f"port_{number}")
    column = "      - {name: NAME, logicalType: string, physicalType: VARCHAR, description: A word of the row., "
    column += "classification: internal, required: true}\n"
    columns = "".join(column.replace("NAME", f"word_{number}") for number in range(199))
    for path in (product / "outer/contracts/output").glob("port_*"):
        change(path, ("    quality:\n", f"{columns}    quality:\n"))
    assert suite_repo.complaints(product) == []
    assert sum(len(port.contract.columns) for port in model(load(product)).outputs) == 49 * 200 + 9


# --- Input ports --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def _producer(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("producer") / "airline-delays"
    product = suite_repo.render(target, suite, product_name="airline-delays", domain="operations", output_port="delays")
    return suite_repo.start(product)


@pytest.fixture
def producer(_producer: Path, tmp_path: Path) -> Path:
    """Another product, with the output port `delays`, beside the product. The test's own."""
    return Path(shutil.copytree(_producer, tmp_path / "airline-delays", symlinks=True))


THEIRS = "outer/contracts/output/delays.v1.odcs.yaml"


def publish(producer: Path, query: str = "SELECT range AS id FROM range(3000)") -> None:
    """Let the producer have published the rows of `query`."""
    version = producer / "data/local/versions/one"
    version.mkdir(parents=True)
    products.write_parquet(version / "delays.parquet", query)
    (producer / "data/local/current").symlink_to("versions/one")


def test_an_input_port_comes_with_contract_sample_and_lineage(product: Path, producer: Path) -> None:
    publish(producer)
    before = suite_repo.contents(product)
    result = add_input(product, str(producer), "delays")
    assert set(result.files) == {PINNED, SAMPLE, DESCRIPTOR, INNER}
    assert suite_repo.complaints(product) == []
    assert rows(product / SAMPLE) == 1000
    made = model(load(product))
    assert made.inputs[2].name == "delays"
    assert made.outputs[0].made_from[-1] == "urn:dmb:cmp:operations:airline-delays:1:delays"
    assert "delays" in made.inner.workloads[0].reads
    assert changed_lines(before[DESCRIPTOR], (product / DESCRIPTOR).read_bytes())[0] == []


def test_the_pinned_copy_is_the_producers_but_for_head_servers_and_source(product: Path, producer: Path) -> None:
    result = add_input(product, str(producer), "delays")
    theirs, ours = (producer / THEIRS).read_bytes(), (product / PINNED).read_bytes()
    gone, came = changed_lines(theirs, ours)
    assert all(line.startswith(("#", "servers:", "    path:")) for line in gone)
    assert all(line.startswith(("#", "servers:", "    path:", "  - {property: source, value:")) for line in came)
    pinned = load(product).input_contracts[1]
    assert [s["path"] for s in pinned.get("servers")] == [SAMPLE, *["${INPUT_ROOT}/delays.parquet"] * 2]
    assert len([one for one in result.left if "INPUT_ROOT" in one.what]) == 2


def test_a_location_that_means_the_same_here_is_taken_over(product: Path, producer: Path) -> None:
    change(producer / THEIRS, ("path: ${DATA_ROOT:-data}/prod/current", "path: /mnt/lake/prod/current"))
    add_input(product, str(producer), "delays")
    paths = {s["environment"]: s["path"] for s in load(product).input_contracts[1].get("servers")}
    assert paths["prod"] == "/mnt/lake/prod/current/delays.parquet"
    assert paths["dev"] == "${INPUT_ROOT}/delays.parquet"


def test_without_data_the_team_is_told_where_the_sample_belongs(product: Path, producer: Path) -> None:
    result = add_input(product, str(producer), "delays")
    assert SAMPLE in places(result)
    assert {c.split(": ")[1] for c in suite_repo.complaints(product)} == {"LIN004"}
    shutil.copy(product / "outer/samples/airlines.parquet", product / SAMPLE)
    assert suite_repo.complaints(product) == []


def test_the_producers_own_sample_is_the_second_choice(product: Path, producer: Path) -> None:
    shutil.copy(producer / "outer/samples/airlines.parquet", producer / "outer/samples/delays.parquet")
    assert SAMPLE in add_input(product, str(producer), "delays").files


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("property: personalData, value: false", "property: personalData, value: true", "personal data"),
        ("classification: internal", "classification: confidential", "is `confidential`"),
        ("        required: true\n", "        customProperties: [{property: personalData, value: true}]\n"
         "        required: true\n", "column `flight_date`"),
    ],
)  # fmt: skip
def test_closed_data_are_never_copied(product: Path, producer: Path, old: str, new: str, reason: str) -> None:
    publish(producer)
    change(producer / THEIRS, (old, new))
    result = add_input(product, str(producer), "delays")
    assert SAMPLE not in result.files
    assert not (product / SAMPLE).exists()
    assert any(reason in one.what for one in result.left if one.place == SAMPLE)


def test_data_that_are_no_parquet_are_no_sample(product: Path, producer: Path) -> None:
    publish(producer)
    (producer / "data/local/versions/one/delays.parquet").write_text("rows")
    result = add_input(product, str(producer), "delays")
    assert any("not readable Parquet" in one.what for one in result.left)


def test_a_contract_file_is_a_source_too(product: Path, producer: Path) -> None:
    publish(producer)
    result = add_input(product, str(producer / THEIRS), "delays@1")
    assert SAMPLE in result.files
    assert suite_repo.complaints(product) == []


def test_a_git_repository_is_read_at_its_reference(product: Path, producer: Path) -> None:
    suite_repo.git(producer, "tag", "v1.0.0")
    change(producer / THEIRS, ("version: 1.0.0", "version: 1.1.0"))
    change(producer / DESCRIPTOR, ("type: tables\n    version: 1.0.0", "type: tables\n    version: 1.1.0"))
    suite_repo.commit(producer)
    add_input(product, f"{producer.as_uri()}#v1.0.0", "delays")
    pinned = load(product).input_contracts[1]
    assert pinned.get("version") == "1.0.0"
    properties = {entry["property"]: entry["value"] for entry in pinned.get("customProperties")}
    assert properties["source"] == f"{producer.as_uri()}#v1.0.0"
    assert properties["sourceRevision"] == suite_repo.git(producer, "rev-parse", "v1.0.0").strip()
    assert pulled(product, ["delays"]).ports[0].state is State.SAME


@pytest.fixture
def site() -> Iterator[dict[str, Any]]:
    """A web site on this machine: `url`, and what it answers by path in `pages`."""
    pages: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pages.get(self.path, (404, b"none"))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.end_headers()
            if status == 200:
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield {"url": f"http://127.0.0.1:{server.server_port}", "pages": pages}
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_contract_is_fetched_from_its_address(product: Path, producer: Path, site: dict[str, Any]) -> None:
    site["pages"]["/delays.v1.odcs.yaml"] = (200, (producer / THEIRS).read_bytes())
    site["pages"]["/old.odcs.yaml"] = (302, b"/delays.v1.odcs.yaml")
    result = add_input(product, f"{site['url']}/old.odcs.yaml", "delays")
    assert PINNED in result.files
    assert any(one.place == SAMPLE for one in result.left)


def test_an_address_is_bounded_and_does_not_lead_elsewhere(product: Path, site: dict[str, Any]) -> None:
    pages, url = site["pages"], site["url"]
    pages["/large.yaml"] = (200, b"#" * (2 * 1024 * 1024))
    pages["/away.yaml"] = (302, b"http://example.invalid/x.yaml")
    pages["/file.yaml"] = (302, b"file:///etc/hostname")
    pages["/text.yaml"] = (200, b"hello: world\n")
    pages["/broken.yaml"] = (200, b"a: [1\n")
    for page, word in {
        "large": "1024 KiB", "away": "leads to", "file": "not allowed", "text": "no contract",
        "broken": "broken.yaml:2", "none": "404",
    }.items():  # fmt: skip
        refused(product, lambda page=page: add_input(product, f"{url}/{page}.yaml", "delays"), word)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("../nowhere", "is not there"),
        ("../airline-delays/inner", "no folder outer/"),
        ("../airline-delays/README.md", "README.md"),
        ("ftp://example.com/orders.git", "ftp"),
        ("http://example.com/orders.git", "http"),
        ("ext::sh -c true", "is not there"),
        ("https://name:word@example.com/orders.git", "user name or password"),
        ("https://example.com/orders.git#--upload-pack=x", "no branch"),
        ("file:///nowhere/orders", "cannot be read"),
        ("https://[::1/orders.git", "no address"),
        ("https://example.com/or ders.git", "space"),
        ("orders\x1b[31m", "neither"),
        ("https://127.0.0.1:9/orders.git", "cannot be read"),
        ("https://127.0.0.1:9/orders.odcs.yaml", "cannot be read"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    product: Path, producer: Path, monkeypatch: pytest.MonkeyPatch, source: str, word: str
) -> None:
    monkeypatch.chdir(product)
    assert producer.is_dir()
    error = refused(product, lambda: add_input(product, source, "delays"), word)
    assert "word@" not in str(error)


def test_a_port_that_is_not_there_is_answered_with_those_that_are(product: Path, producer: Path) -> None:
    refused(product, lambda: add_input(product, str(producer), "orders"), "it offers: delays@1")
    refused(product, lambda: add_input(product, str(producer), "delays@2"), "it offers: delays@1")
    refused(product, lambda: add_input(product, str(producer), "delays@new"), "PORT@MAJOR")


def test_an_input_port_is_not_added_twice(product: Path, producer: Path) -> None:
    add_input(product, str(producer), "delays")
    refused(product, lambda: add_input(product, str(producer), "delays"), "already", "outer pull delays")


def test_a_producer_with_a_broken_contract_is_named_with_the_line(product: Path, producer: Path) -> None:
    change(producer / THEIRS, ("kind: DataContract", "kind: DataContract\nextra: 1"))
    refused(product, lambda: add_input(product, str(producer), "delays"), f"{THEIRS}:5")


def test_what_the_gate_finds_in_the_producers_words_is_left_to_the_team(product: Path, producer: Path) -> None:
    change(producer / THEIRS, ("classification: internal", "classification: house"))
    result = add_input(product, str(producer), "delays")
    assert any("(CON004)" in one.what and one.place.startswith(PINNED) for one in result.left)


def test_a_product_does_not_read_its_own_port(product: Path) -> None:
    refused(product, lambda: add_input(product, str(product), "carrier_punctuality"), "LIN007", "nothing was written")


def test_the_next_major_of_an_input_stands_beside_the_first(product: Path, producer: Path) -> None:
    publish(producer)
    add_input(product, str(producer), "delays")
    bumped(producer, to="major")
    (producer / "data/local/versions/one/delays.v2.parquet").write_bytes((product / SAMPLE).read_bytes())
    result = add_input(product, str(producer), "delays@2")
    assert "outer/samples/delays.v2.parquet" in result.files
    assert suite_repo.complaints(product) == []
    assert [p.name for p in model(load(product)).inputs] == ["flights", "airlines", "delays.v1", "delays"]
    assert "PORT_INPUT_DELAYS_V1" in result.text()


def test_a_failing_write_leaves_the_product_as_it_was(product: Path, producer: Path) -> None:
    publish(producer)
    shutil.move(product / "outer/samples", product / "outer/kept")
    (product / "outer/samples").write_text("a file where a folder should be")
    refused(product, lambda: add_input(product, str(producer), "delays"), "outer/samples")


# --- Pull ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def consumer(product: Path, producer: Path) -> Path:
    """The product, which reads `delays` of the producer beside it."""
    publish(producer)
    add_input(product, str(producer), "delays")
    return suite_repo.commit(product)


def raised(producer: Path, version: str, *pairs: tuple[str, str]) -> None:
    """Let the producer change its contract and give it a version."""
    change(producer / THEIRS, ("version: 1.0.0", f"version: {version}"), *pairs)
    change(producer / DESCRIPTOR, ("type: tables\n    version: 1.0.0", f"type: tables\n    version: {version}"))


OPTIONAL = ("        required: true\n        logicalTypeOptions: {minLength: 1}\n", "        required: false\n")


def state(report: PullReport, name: str = "delays") -> State:
    return next(port.state for port in report.ports if port.name == name)


def test_what_has_not_changed_is_the_same(consumer: Path) -> None:
    report = pulled(consumer)
    assert (state(report), state(report, "flights"), report.exit_code) == (State.SAME, State.UNKNOWN, 0)
    assert pulled(consumer, dry_run=False).files == ()


def test_a_compatible_change_is_told_and_taken_on_demand(consumer: Path, producer: Path) -> None:
    raised(producer, "1.1.0", ("    quality:\n", "    tags: [daily]\n    quality:\n"))
    report = pulled(consumer, ["delays"])
    assert (state(report), report.exit_code, report.files) == (State.COMPATIBLE, 0, ())
    report = pulled(consumer, dry_run=False)
    assert report.files == (PINNED, DESCRIPTOR)
    assert suite_repo.complaints(consumer) == []
    pinned = load(consumer).input_contracts[1]
    assert pinned.get("version") == "1.1.0"
    assert pinned.get("servers", 0, "path") == SAMPLE
    assert "1.1.0" in (consumer / DESCRIPTOR).read_text()
    assert state(pulled(consumer)) is State.SAME


COLUMN = "      - {name: gates, logicalType: integer, physicalType: BIGINT, description: Gates., "
COLUMN += "classification: internal}\n"


def test_the_sample_follows_the_columns_or_is_left_to_the_team(consumer: Path, producer: Path) -> None:
    raised(producer, "1.1.0", ("    quality:\n", f"{COLUMN}    quality:\n"))
    shutil.copytree(consumer, kept := consumer.parent / "kept", symlinks=True)
    report = pulled(kept, dry_run=False)
    assert SAMPLE not in report.files
    assert SAMPLE in places(report)
    assert "gates" in report.text()
    assert (kept / SAMPLE).read_bytes() == (consumer / SAMPLE).read_bytes()
    columns = [c["name"] for c in parse((producer / THEIRS).read_bytes()).value["schema"][0]["properties"]]
    shutil.rmtree(producer / "data")
    values = ", ".join(f"range AS {name}" for name in columns)
    publish(producer, f"SELECT {values} FROM range(20)")  # noqa: S608 (own names)
    report = pulled(consumer, dry_run=False)
    assert set(report.files) == {PINNED, SAMPLE, DESCRIPTOR}
    assert SAMPLE not in places(report)
    assert duckdb.read_parquet(str(consumer / SAMPLE)).columns == columns
    assert suite_repo.complaints(consumer) == []


def test_a_breaking_change_is_told_and_taken_only_by_name(consumer: Path, producer: Path) -> None:
    raised(producer, "1.1.0", OPTIONAL)
    report = pulled(consumer, dry_run=False)
    assert (state(report), report.exit_code, report.files) == (State.BREAKING, 1, ())
    assert "breaks: column `airline` is no longer required" in report.text()
    report = pulled(consumer, ["delays"], dry_run=False)
    assert (report.exit_code, report.files) == (1, (PINNED, DESCRIPTOR))
    assert state(pulled(consumer)) is State.SAME


def test_a_producer_that_says_active_only_on_paper_still_breaks(consumer: Path, producer: Path) -> None:
    assert load(producer).output_contracts[0].get("status") == "draft"
    raised(producer, "1.1.0", ("      - name: cancelled\n", "      - name: called_off\n"))
    assert state(pulled(consumer)) is State.BREAKING


def test_a_port_that_is_gone_is_breaking_and_its_successor_is_named(consumer: Path, producer: Path) -> None:
    bumped(producer, to="major")
    report = pulled(consumer, ["delays"])
    assert (state(report), report.exit_code) == (State.COMPATIBLE, 0)
    assert "delays@2" in report.text()
    (producer / THEIRS).unlink()
    report = pulled(consumer, ["delays"])
    assert (state(report), report.exit_code) == (State.UNREACHABLE, 2)  # the producer contradicts itself
    text = (producer / DESCRIPTOR).read_text()
    start = text.index("  - name: delays")
    (producer / DESCRIPTOR).write_text(text[:start] + text[text.index("  - name: delays", start + 1) :])
    report = pulled(consumer, ["delays"])
    assert (state(report), report.exit_code) == (State.BREAKING, 1)
    assert "no longer offers `delays` in major 1" in report.text()


def test_a_producer_that_cannot_be_looked_at_is_no_pass(consumer: Path, producer: Path) -> None:
    shutil.rmtree(producer)
    report = pulled(consumer)
    assert (state(report), report.exit_code) == (State.UNREACHABLE, 2)


def test_a_broken_contract_of_the_producer_is_no_pass_and_not_in_the_way_of_others(
    consumer: Path, producer: Path
) -> None:
    add_output(producer, "punctual")
    change(producer / THEIRS, ("kind: DataContract", "kind: DataContract\nkind: DataContract"))
    report = pulled(consumer, ["delays"])
    assert (state(report), report.exit_code) == (State.UNREACHABLE, 2)
    assert f"{THEIRS}:7" in report.text()
    add_input(consumer, str(producer), "punctual")


def test_nothing_to_look_at_is_no_pass(product: Path, tmp_path: Path) -> None:
    report = pulled(product)
    assert report.exit_code == 3
    assert "outer pull flights --from" in report.text()
    tiny = products.build_product(tmp_path / "tiny")
    for path, name in ((DESCRIPTOR, "inputPorts"), (INNER, "workloads")):
        document = json.loads((tiny / path).read_text())
        document[name] = [] if name == "inputPorts" else [{**document[name][0], "reads": []}]
        (tiny / path).write_text(json.dumps(document))
    with pytest.raises(NothingChecked, match="no input port"):
        pulled(tiny)


def test_a_source_is_written_down_once_it_is_named(product: Path, producer: Path) -> None:
    add_input(product, str(producer / THEIRS), "delays")
    suite_repo.commit(product)
    refused(product, lambda: pulled(product, origin=str(producer)), "not said")
    report = pulled(product, ["delays"], origin=str(producer), dry_run=False)
    assert report.files == (PINNED,)
    gone, came = changed_lines(
        suite_repo.git(product, "show", f"HEAD:{PINNED}").encode(), (product / PINNED).read_bytes()
    )
    assert len(gone) == len(came) == 1
    assert "source" in came[0]


def test_a_port_that_the_product_has_not_is_refused(consumer: Path) -> None:
    refused(consumer, lambda: pulled(consumer, ["orders"]), "flights, airlines, delays")


# --- Bump ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def active(product: Path) -> Path:
    """The product, released and active, on its default branch."""
    change(product / CONTRACT, ("status: draft", "status: active"))
    change(product / DESCRIPTOR, ("status: draft #", "status: active #"))
    shutil.rmtree(product / ".git")  # there is no earlier commit to be compared with
    suite_repo.start(product)
    return suite_repo.commit(product, "v1.0.0")


def versions(root: Path) -> tuple[str, list[str]]:
    product = load(root)
    assert product.descriptor is not None
    return str(product.descriptor.get("version")), [str(file.get("version")) for file in product.output_contracts]


def errors(root: Path) -> list[str]:
    report = compat(root, base=None, against=None, categories=None, as_of=datetime.now(UTC).date())
    return [f"{f.rule} {f.message}" for f in report.findings if f.level == "error"]


def test_nothing_is_bumped_where_nothing_has_changed(active: Path) -> None:
    before = suite_repo.contents(active)
    result = bumped(active)
    assert (result.files, suite_repo.contents(active)) == ((), before)
    assert result.text().startswith("Nothing to do")


@pytest.mark.parametrize(
    ("old", "new", "version"),
    [
        ("    properties:\n", "    tags: [daily]\n    properties:\n", "1.0.1"),
        ("    quality:\n", "      - name: seats\n        logicalType: integer\n        physicalType: BIGINT\n"
         "        description: Seats on offer.\n        classification: internal\n        required: false\n"
         "    quality:\n", "1.1.0"),
    ],
)  # fmt: skip
def test_a_small_change_is_bumped_in_place(active: Path, old: str, new: str, version: str) -> None:
    change(active / CONTRACT, (old, new))
    assert errors(active)
    before = suite_repo.contents(active)
    result = bumped(active)
    assert set(result.files) == {CONTRACT, DESCRIPTOR}
    assert versions(active) == (version, [version])
    assert (errors(active), suite_repo.complaints(active)) == ([], [])
    for path in result.files:
        gone, came = changed_lines(before[path], (active / path).read_bytes())
        assert [re.sub(r"\d+\.\d+\.\d+", "", line) for line in gone] == [re.sub(r"\d+\.\d+\.\d+", "", c) for c in came]
    assert bumped(active).files == ()


def test_a_break_goes_beside_and_the_old_promise_is_kept(active: Path) -> None:
    old = (active / CONTRACT).read_bytes()
    change(active / CONTRACT, ("- name: cancelled\n", "- name: called_off\n"), ("WHERE cancelled", "WHERE called_off"))
    result = bumped(active)
    second = CONTRACT.replace(".v1.", ".v2.")
    assert set(result.files) == {CONTRACT, second, DESCRIPTOR}
    assert versions(active) == ("2.0.0", ["1.1.0", "2.0.0"])
    assert (errors(active), suite_repo.complaints(active)) == ([], [])
    gone, came = changed_lines(old, (active / CONTRACT).read_bytes())
    assert len(gone) == 2  # version and status
    assert any("endOfSupport" in line for line in came)
    assert "called_off" in (active / second).read_text()
    made = model(load(active))
    assert [(p.name, p.contract.status) for p in made.outputs] == [
        ("carrier_punctuality.v1", "deprecated"), ("carrier_punctuality", "active"),
    ]  # fmt: skip
    assert "PORT_OUTPUT_CARRIER_PUNCTUALITY_V1" in result.text()
    assert bumped(active).files == ()
    assert bumped(active, to="major").files == ()


def test_the_third_major_leaves_the_first_alone(active: Path) -> None:
    bumped(active, to="major")
    suite_repo.commit(active)
    first = (active / CONTRACT).read_bytes()
    assert bumped(active, to="major").files == ()  # on the default branch the commit before is the base
    bumped(active, to="major", base="HEAD")
    assert versions(active) == ("3.0.0", ["1.1.0", "2.1.0", "3.0.0"])
    assert (active / CONTRACT).read_bytes() == first
    assert suite_repo.complaints(active) == []
    names = [p.contract.servers[0].path.rpartition("/")[2] for p in model(load(active)).outputs]
    assert names == ["carrier_punctuality.parquet", "carrier_punctuality.v2.parquet", "carrier_punctuality.v3.parquet"]


def test_a_step_that_is_told_is_made_once(active: Path) -> None:
    bumped(active, to="minor")
    assert versions(active) == ("1.1.0", ["1.1.0"])
    for step in ("minor", "patch"):
        assert bumped(active, to=step).files == ()
    bumped(active, to="major")
    assert versions(active) == ("2.0.0", ["1.1.0", "2.0.0"])
    assert errors(active) == []


def test_without_git_every_step_counts(tmp_path: Path) -> None:
    tiny = products.build_product(tmp_path / "tiny")
    with pytest.raises(UsageError, match="git repository"):
        bumped(tiny)
    for version in ("1.0.1", "1.0.2"):
        bumped(tiny, to="patch")
        assert versions(tiny) == (version, [version])


def test_a_product_without_a_commit_has_nothing_to_compare_with(tmp_path: Path) -> None:
    tiny = products.build_product(tmp_path / "tiny")
    suite_repo.git(tiny, "init", "--quiet")
    with pytest.raises((UsageError, NothingChecked)):
        bumped(tiny)


def test_only_the_port_that_changed_is_raised(active: Path) -> None:
    add_output(active, "daily_orders")
    change(active / "outer/contracts/output/daily_orders.v1.odcs.yaml", ("status: draft", "status: active"))
    say_what_was_left(active)
    suite_repo.commit(active)
    refused(active, lambda: bumped(active, to="minor"), "2 output ports", "carrier_punctuality, daily_orders")
    refused(active, lambda: bumped(active, ["daily_orders"], to="major"), "one major runs through product and ports")
    refused(active, lambda: bumped(active, ["orders"], to="minor"), "there is no output port `orders`")
    bumped(active, ["daily_orders"], to="minor")
    assert versions(active) == ("1.1.0", ["1.0.0", "1.1.0"])
    assert suite_repo.complaints(active) == []
    bumped(active, to="major")
    assert versions(active) == ("2.0.0", ["1.1.0", "2.0.0", "1.1.0", "2.0.0"])
    assert (errors(active), suite_repo.complaints(active)) == ([], [])


def test_a_new_port_asks_for_a_minor_of_the_product(active: Path) -> None:
    add_output(active, "daily_orders")
    bumped(active)
    assert versions(active)[0] == "1.1.0"
    assert errors(active) == []


def test_a_break_of_an_older_major_is_refused(active: Path) -> None:
    bumped(active, to="major")
    suite_repo.commit(active)
    change(active / CONTRACT, ("- name: cancelled\n", "- name: called_off\n"))
    refused(active, lambda: bumped(active), "an older major", "git checkout")


def test_support_does_not_end_before_the_notice_is_over(active: Path) -> None:
    today = datetime.now(UTC).date()
    refused(active, lambda: bumped(active, to="major", sunset=today + timedelta(days=30)), "less than 90 days")
    bumped(active, to="major", sunset=today + timedelta(days=400))
    assert model(load(active)).outputs[0].contract.service_level("endOfSupport") == str(today + timedelta(days=400))


def test_an_end_of_support_without_a_new_major_is_refused(active: Path) -> None:
    change(active / CONTRACT, ("limitations: ", "limitations: Mind that. "))
    refused(active, lambda: bumped(active, sunset=date(2040, 1, 1)), "--sunset is the end of an older major")


def test_a_base_that_is_not_there_is_refused(active: Path) -> None:
    refused(active, lambda: bumped(active, base="nowhere"), "`nowhere`")
    refused(active, lambda: bumped(active, to="minor", base="nowhere"), "`nowhere`")
    refused(active, lambda: bumped(active, to="huge"), "major, minor or patch")


def test_both_majors_are_published_and_verified(tmp_path: Path) -> None:
    tiny = products.build_product(tmp_path / "tiny")
    shutil.copy(suite_repo.ROOT / "template/outer/standard.yaml", tiny / "outer")
    assert products.outer(tiny, "run").returncode == 0
    bumped(tiny, to="major")
    assert products.outer(tiny, "verify").returncode == 1
    run = products.outer(tiny, "run")
    assert run.returncode == 0, run.stderr
    current = tiny / "data/local/current"
    assert {path.name for path in current.glob("*.parquet")} == {"words.parquet", "words.v2.parquet"}
    ports = json.loads(next(iter(sorted((tiny / "data/local/logs").glob("*/ports.json"), reverse=True))).read_text())
    assert set(ports["outputs"]) == {"words", "words.v1"}
    assert ports["outputs"]["words"]["location"].endswith("words.v2.parquet")
    assert ports["outputs"]["words.v1"]["previous"].endswith("words.parquet")
    assert products.outer(tiny, "verify").returncode == 0
    assert products.outer(tiny, "page").returncode == 0


def test_two_versions_of_one_major_are_refused(tmp_path: Path) -> None:
    tiny = products.build_product(tmp_path / "tiny")
    path = tiny / "outer/contracts/output/words.v1.odcs.yaml"
    (path.parent / "words.v1b.odcs.yaml").write_bytes(replace(path.read_bytes(), {("version",): "1.1.0"}))
    descriptor = json.loads((tiny / DESCRIPTOR).read_text())
    descriptor["outputPorts"].append({**descriptor["outputPorts"][0], "version": "1.1.0"})
    (tiny / DESCRIPTOR).write_text(json.dumps(descriptor, indent=2))
    with pytest.raises(UsageError, match="stands twice in the major 1"):
        model(load(tiny))
