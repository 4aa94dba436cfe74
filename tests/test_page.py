"""`outer page`: complete, honest, inert, and readable by everyone who meets a data product."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import browser
from outer import cli
from outer.errors import UsageError
from outer.model import model
from outer.page import page, words
from outer.page.lineage_svg import draw
from outer.page.preview import BARS, PROFILED_ROWS, preview
from outer.product import DESCRIPTOR, INNER, load
from outer.receipt import Receipt, read
from outer.run import run
from outer.talk import Talk

CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
STYLE = Path(sys.modules["outer.page"].__file__ or "").with_name("page.css")
TALK = Talk(quiet=True)

# An inner in one file: it writes every output port that it is asked for.
WORK = """
import json, os, duckdb
ports = json.load(open(os.environ["PORTS_FILE"]))
flights, airlines = (ports["inputs"][name]["location"] for name in ("flights", "airlines"))
query = f'''
    SELECT make_date(year, month, day) AS flight_date, carrier, any_value(coalesce(name, carrier)) AS airline,
        count(*) AS flights, count(*) - count(dep_time) AS cancelled, avg(dep_delay) AS mean_dep_delay_min,
        avg(arr_delay) AS mean_arr_delay_min,
        count(*) FILTER (arr_delay < 15) / count(*) AS on_time_share, on_time_share AS on_time_share_7d
    FROM '{flights}' LEFT JOIN '{airlines}' USING (carrier) GROUP BY ALL ORDER BY flight_date, carrier'''
for port in ports["outputs"].values():
    duckdb.sql(query).write_parquet(port["location"])
"""


class Plain(yaml.SafeDumper):
    """Writes values out wherever they stand: aliases are not allowed in a product."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def edit(root: Path, path: str, change: Callable[[Any], object]) -> None:
    """Change what a YAML file of the product says."""
    value = yaml.safe_load((root / path).read_text(encoding="utf-8"))
    change(value)
    (root / path).write_text(yaml.dump(value, Dumper=Plain, allow_unicode=True, sort_keys=False), encoding="utf-8")


def with_inner(root: Path) -> Path:
    (root / "inner" / "work.py").write_text(WORK)
    ports = yaml.safe_load((root / DESCRIPTOR).read_text(encoding="utf-8"))["outputPorts"]
    workload = {
        "name": "build",
        "technology": "duckdb",
        "reads": ["flights", "airlines"],
        "writes": [port["name"] for port in ports],
        "run": f'"{sys.executable}" work.py',
    }
    storage = [{"name": "scratch", "technology": "parquet"}]
    (root / INNER).write_text(yaml.safe_dump({"workloads": [workload], "storage": storage}))
    return root


def with_ports(root: Path, count: int) -> Path:
    """Give the product `count` output ports of the same shape."""
    text = (root / CONTRACT).read_text(encoding="utf-8")

    def add(descriptor: dict[str, Any]) -> None:
        first = descriptor["outputPorts"][0]
        for number in range(2, count + 1):
            name = f"table_{number:02}"
            contract = text.replace("carrier_punctuality", name)
            (root / CONTRACT).with_name(f"{name}.v1.odcs.yaml").write_text(contract, encoding="utf-8")
            descriptor["outputPorts"].append(
                {**first, "name": name, "contractId": first["contractId"].replace("carrier_punctuality", name)}
            )

    edit(root, DESCRIPTOR, add)
    return with_inner(root)


@pytest.fixture(scope="session")
def _published(_rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published") / "flight-punctuality"
    with_inner(Path(shutil.copytree(_rendered, root, symlinks=True)))
    run(root, talk=TALK)
    return root


@pytest.fixture
def published(_published: Path, tmp_path: Path) -> Path:
    """A product that has just been published. The test's own."""
    return Path(shutil.copytree(_published, tmp_path / "published", symlinks=True))


def receipt(root: Path) -> Receipt:
    return read(root / "data/local/current/receipt.json")


def rewrite(root: Path, **fields: Any) -> None:
    """Change what the receipt of the published version says."""
    path = root / "data/local/current/receipt.json"
    changed = replace(read(path), **fields)
    path.unlink()  # published files cannot be written to
    path.write_bytes(changed.as_json())


def soon(root: Path, after: timedelta = timedelta(hours=3)) -> datetime:
    """A moment `after` the publication."""
    return datetime.fromisoformat(receipt(root).finished) + after


def built(root: Path, as_of: datetime | None = None, environment: str = "local") -> str:
    """The page of `root`, three hours after its publication."""
    if as_of is None and (root / "data/local/current/receipt.json").exists():
        as_of = soon(root)
    return page(root, environment=environment, as_of=as_of, talk=TALK).read_text(encoding="utf-8")


class Outline(HTMLParser):
    """The tags and the text of a page, as a browser's parser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.style = ""
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        self._inside = tag
        if tag == "script":
            self.scripts.append((found, ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        elif self._inside == "style":
            self.style += data
        else:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def attribute(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    @property
    def linked_data(self) -> dict[str, Any]:
        (found,) = (text for attributes, text in self.scripts if attributes.get("type") == "application/ld+json")
        return dict(json.loads(found))


# --- One file -------------------------------------------------------------------------------------


def test_the_page_is_one_file_that_fetches_nothing(published: Path) -> None:
    outline = Outline(built(published))
    for name in ("src", "srcset", "data", "poster", "action", "background", "ping", "xlink:href"):
        assert outline.attribute(name) == []
    for tag in ("img", "iframe", "object", "embed", "base", "form", "video", "audio", "source", "image", "use"):
        assert outline.all(tag) == []
    assert [link["rel"] for link in outline.all("link")] == ["icon"]
    assert outline.all("link")[0]["href"].startswith("data:")
    assert "url(" not in outline.style
    assert "@import" not in outline.style
    assert all(a["href"].startswith(("#", "mailto:", "https://")) for a in outline.all("a"))
    assert [a["rel"] for a in outline.all("a") if "//" in a["href"]] == []


def test_its_policy_allows_its_own_style_and_script_and_nothing_else(published: Path) -> None:
    outline = Outline(built(published))
    (policy,) = (m["content"] for m in outline.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    (script,) = (text for attributes, text in outline.scripts if not attributes)

    def hashed(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == hashed(outline.style)
    assert rules["script-src"] == hashed(script)
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy
    # The policy would block both, and with them what they are for.
    assert outline.attribute("style") == []
    assert [name for _, attributes in outline.tags for name in attributes if name.startswith("on")] == []


def test_the_same_product_at_the_same_moment_gives_the_same_page(published: Path, tmp_path: Path) -> None:
    first = built(published)
    other = Path(shutil.copytree(published, tmp_path / "elsewhere", symlinks=True))
    assert built(other) == first
    assert str(tmp_path) not in first


def test_only_what_depends_on_the_moment_changes_with_it(published: Path) -> None:
    first, second = (
        re.sub(r'<time datetime="[^"]*">[^<]*</time>', "", built(published, soon(published, timedelta(hours=h))))
        for h in (3, 4)
    )
    changed = [(a, b) for a, b in zip(first.splitlines(), second.splitlines(), strict=True) if a != b]
    assert len(changed) == 2  # the panel with its meter, and the service level
    assert all("3 h old" in a and "4 h old" in b for a, b in changed)


def test_the_page_is_complete_without_its_script(published: Path) -> None:
    outline = Outline(built(published))
    assert all("hidden" in attributes for attributes in outline.all("button") + outline.all("input"))
    whole = receipt(published).outputs[0].fingerprint
    assert whole in outline.words


def test_ids_are_unique_and_every_link_inside_leads_somewhere(published: Path) -> None:
    outline = Outline(built(published))
    ids = outline.attribute("id")
    assert len(ids) == len(set(ids))
    for name in ("href", "data-copy", "data-filter", "aria-labelledby", "aria-describedby"):
        for value in outline.attribute(name):
            if name != "href" or value.startswith("#"):
                assert set(value.lstrip("#").split()) <= set(ids), value


# --- What it says ---------------------------------------------------------------------------------


def test_a_published_product_shows_what_it_is_and_how_far_to_trust_it(published: Path) -> None:
    outline = Outline(built(published))
    said = outline.words
    for expected in (
        "Flight punctuality",
        "urn:dmb:dp:aviation:flight-punctuality:1",
        "aviation-data@example.com",
        "Keeps its promises",
        "3 h old",
        "206",
        "v0.1.0",
        "One row per flight_date and carrier.",
        "^[A-Z0-9]{2}$",
        "no_more_cancelled_than_scheduled",
        "Endeavor Air Inc.",
        "read_parquet('data/local/current/carrier_punctuality.parquet')",
        "${DATA_ROOT:-data}/prod/current/carrier_punctuality.parquet",
        "urn:dmb:cmp:aviation:nyc-flights:1:flights",
        "build (duckdb) reads flights, airlines and writes carrier_punctuality.",
    ):
        assert expected in said, expected
    passed = sum(r["outcome"] == "passed" for r in receipt(published).audit)
    assert f"{passed} of {passed} passed" in said
    assert "mailto:aviation-data@example.com" in outline.attribute("href")


def test_before_the_first_publication_the_page_says_how_to_publish(product: Path) -> None:
    said = Outline(built(with_inner(product))).words
    assert "Not published yet" in said
    assert "python3 noxfile.py -s run" in said
    assert "Keeps its promises" not in said
    assert "flight_date" in said
    other = Outline(built(product, environment="prod")).words
    assert "python3 noxfile.py -s run -- --env prod" in other


def test_a_failed_run_is_told_beside_the_last_good_version(published: Path) -> None:
    now = receipt(published)
    failed = replace(now, run_id="29991231T000000Z-000000", outcome="failed", reason="The audit failed: 2 rules.")
    (published / f"data/local/receipts/{failed.run_id}.json").write_bytes(failed.as_json())
    said = Outline(built(published)).words
    assert "Use it with care" in said
    assert "What is published is the version before it." in said
    assert "The audit failed: 2 rules." in said
    assert "Endeavor Air Inc." in said


def test_data_older_than_promised_are_late(published: Path) -> None:
    on_time = Outline(built(published, soon(published, timedelta(hours=24)))).words
    late = Outline(built(published, soon(published, timedelta(hours=24, seconds=1)))).words
    assert "Keeps its promises" in on_time
    assert "Use it with care" in late
    assert "Late: carrier_punctuality." in late
    assert "Beyond the promised 1 day" in late


def test_freshness_of_an_element_is_measured_in_the_data(published: Path) -> None:
    edit(published, CONTRACT, lambda c: c["slaProperties"][0].update(element="carrier_punctuality.flight_date"))
    said = Outline(built(published, datetime(2013, 1, 15, 6, tzinfo=UTC))).words
    # The last day of the sample is 14 January, which ends when the 15th begins.
    assert "6 h old" in said
    assert "for the newest carrier_punctuality.flight_date" in said


def test_a_published_file_that_somebody_changed_is_not_trusted(published: Path) -> None:
    file = published / "data/local/current/carrier_punctuality.parquet"
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data + b" ")
    assert "Do not use it as it is" in Outline(built(published)).words


def test_a_published_file_that_is_gone_is_not_trusted(published: Path) -> None:
    (published / "data/local/current/carrier_punctuality.parquet").unlink()
    said = Outline(built(published)).words
    assert "Do not use it as it is" in said
    assert "carrier_punctuality.parquet is gone" in said


def test_failed_and_unchecked_rules_are_told_by_their_weight(published: Path) -> None:
    audit = [dict(entry) for entry in receipt(published).audit]
    audit[-4] |= {"outcome": "failed", "severity": "warning", "bad_rows": 7}
    rewrite(published, audit=tuple(audit))
    mild = Outline(built(published)).words
    assert "Use it with care" in mild
    assert "1 rule failed." in mild
    assert "7 bad rows" in mild
    audit[-4]["severity"] = "error"
    rewrite(published, audit=tuple(audit))
    assert "Do not use it as it is" in Outline(built(published)).words
    rewrite(published, audit=())
    silent = Outline(built(published)).words
    assert "Keeps its promises" not in silent
    assert "No rule was checked." in silent


def test_a_contract_that_moved_on_since_the_publication_is_told(published: Path) -> None:
    now = receipt(published)
    outputs = (replace(now.outputs[0], version="0.9.0"),)
    rewrite(published, outputs=outputs, pin={"_commit": "v0.0.9", "_src_path": now.pin["_src_path"]})
    said = Outline(built(published)).words
    assert "Published under version 0.9.0 of the contract, which is 1.0.0 now." in said
    assert "At the last run; v0.1.0 now." in said


def test_an_unreadable_receipt_is_one_clear_error(published: Path) -> None:
    path = published / "data/local/current/receipt.json"
    path.unlink()
    path.write_text('{"format": 2}')
    with pytest.raises(UsageError, match="receipt"):
        built(published, datetime(2030, 1, 1, tzinfo=UTC))


def test_an_environment_that_no_contract_names_is_refused(published: Path) -> None:
    with pytest.raises(UsageError, match="no server for the environment"):
        built(published, environment="moon")


def test_a_page_that_cannot_be_written_is_one_clear_error(published: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        page(published, target=published / "README.md" / "page.html", talk=TALK)


def test_the_command_prints_where_the_page_is(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = published / "site" / "index.html"
    target.parent.mkdir()
    assert cli.main(["page", "--product", str(published), "--to", str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in target.parent.iterdir()] == ["index.html"]


def test_passwords_in_the_address_of_the_suite_stay_off_the_page() -> None:
    assert words.source("https://me:secret@git.example.com/suite.git") == "git.example.com/suite"
    assert words.source("/home/somebody/suite") == "suite"
    assert words.source("gh:owner/suite") == "gh:owner/suite"


# --- Hostile text ---------------------------------------------------------------------------------

HOSTILE = {
    "script": "</script></style></title></textarea></svg>--><script>window.hacked=1</script>",
    "image": "\"'><img src=x onerror=window.hacked=1>",
    "template": "{{ 7 * 7 }}{% raw %}${alert(1)}",
    "emoji": "👩‍✈️ naïve ß 東京 🇪🇺",
    "right_to_left": "\u202eevil\u202c مرحبا بالعالم \u2067\u05e9\u05dc\u05d5\u05dd\u2069",
    "long": "x" * 2000,
    "line_separator": "a\u2028b\u2029c",
}


def poison(root: Path, text: str) -> None:
    """Put `text` wherever the team may write what it likes."""

    def descriptor(d: dict[str, Any]) -> None:
        d["description"] = {"purpose": text, "usage": text, "limitations": text}
        d["domain"] = d["team"]["name"] = d["team"]["members"][0]["username"] = text
        d["outputPorts"][0]["description"] = text
        d["support"] = [
            {"channel": text, "url": f"javascript:alert('{text[:40]}')", "description": text},
            {"channel": text, "url": f"https://example.com/?{text[:60]}", "description": text},
        ]
        for entry in d["customProperties"]:
            if entry["property"] in ("title", "classification", "licence", "visibility"):
                entry["value"] = text

    def contract(c: dict[str, Any]) -> None:
        table = c["schema"][0]
        table["description"] = table["dataGranularityDescription"] = text
        for column in table["properties"]:
            column["description"] = text
        words = [column for column in table["properties"] if column["logicalType"] == "string"]
        words[0]["logicalTypeOptions"] = {"pattern": text}
        words[0]["examples"] = [text]
        table["properties"][0]["classification"] = text
        for rule in table["quality"]:
            rule["name"] = rule["description"] = text
        for level in c["slaProperties"]:
            level["description"] = text
        c["roles"][0] |= {"role": text, "description": text}
        c["description"]["purpose"] = text

    edit(root, DESCRIPTOR, descriptor)
    edit(root, CONTRACT, contract)
    edit(root, "outer/contracts/input/flights.v1.odcs.yaml", contract)
    edit(root, INNER, lambda i: (i["workloads"][0].update(technology=text), i["storage"][0].update(technology=text)))
    if (root / "data/local/current").exists():
        audit = tuple({**entry, "observed": text, "expected": text, "reason": text} for entry in receipt(root).audit)
        rewrite(root, audit=audit, pin={"_commit": text, "_src_path": text})
        file = root / "data/local/current/carrier_punctuality.parquet"
        with duckdb.connect() as db:
            db.execute("CREATE TABLE t AS SELECT * REPLACE (? AS airline) FROM read_parquet(?)", [text, str(file)])
            file.unlink()
            db.execute(f"COPY t TO '{file}'")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_inert(published: Path, text: str) -> None:
    clean = Outline(built(published))
    poison(published, text)
    html = built(published)
    outline = Outline(html)
    assert len(outline.scripts) == 2
    assert {tag for tag, _ in outline.tags} <= {tag for tag, _ in clean.tags} | {"p"}
    assert [name for _, attributes in outline.tags for name in attributes if name.startswith("on")] == []
    assert all(a["href"].startswith(("#", "https://example.com/")) for a in outline.all("a"))
    assert "javascript:" not in " ".join(outline.attribute("href"))
    assert outline.linked_data["name"] == text
    assert " ".join(text.split())[:60] in outline.words
    assert "49" not in outline.linked_data["description"]
    assert html.count("</script>") == 2


def test_the_machine_readable_block_describes_every_port(published: Path) -> None:
    found = Outline(built(published)).linked_data
    assert found["@type"] == ["Dataset", "dcat:Dataset"]
    assert found["@id"] == "urn:dmb:dp:aviation:flight-punctuality:1"
    assert found["creator"] == {"@type": "Organization", "name": "aviation-data", "email": "aviation-data@example.com"}
    (port,) = found["hasPart"]
    assert [v["name"] for v in port["variableMeasured"]][:2] == ["flight_date", "carrier"]
    here = next(d for d in port["distribution"] if d["name"] == "local")
    assert here["contentSize"] == f"{receipt(published).outputs[0].bytes} B"
    assert port["isBasedOn"] == [p.contract.id for p in model(load(published)).inputs]
    assert "Endeavor" not in json.dumps(found)


# --- The data -------------------------------------------------------------------------------------


def close_columns(contract: dict[str, Any]) -> None:
    """Close four columns, each in another way."""
    columns = {c["name"]: c for c in contract["schema"][0]["properties"]}
    columns["airline"]["classification"] = "Confidential"
    columns["flights"]["classification"] = "restricted"
    columns["carrier"]["classification"] = "no such class"
    columns["carrier"]["examples"] = ["ZZ", "9E"]
    del columns["cancelled"]["classification"]


def test_values_of_closed_columns_never_reach_the_page(published: Path) -> None:
    assert "Endeavor" in built(published)
    edit(published, CONTRACT, close_columns)
    html = built(published)
    for secret in ("Endeavor", "JetBlue", "9E", "ZZ", "Distribution of flights", "different value"):
        assert secret not in html
    assert "Distribution of on_time_share" in html
    said = Outline(html).words
    assert "Values of 4 columns are masked" in said


def test_a_table_of_closed_columns_only_shows_that_there_are_rows(published: Path) -> None:
    def close(contract: dict[str, Any]) -> None:
        for column in contract["schema"][0]["properties"]:
            column["classification"] = "restricted"

    edit(published, CONTRACT, close)
    html = built(published)
    assert "2013-01-01" not in html.replace("for example", "")
    assert html.count('class="masked"') >= 20 * 9


def parquet(folder: Path, query: str) -> Path:
    path = folder / "data.parquet"
    duckdb.sql(query).write_parquet(str(path))
    return path


def look(path: Path, *columns: str, masked: tuple[str, ...] = ()) -> Any:
    return preview(path, {c: c for c in columns}, masked)


def test_a_preview_tells_null_empty_and_zero_apart(tmp_path: Path) -> None:
    query = "SELECT * FROM (VALUES (NULL, '', 0, 0.5), (1, NULL, NULL, NULL), (-1, 'null', 2, 12.25)) t(a, b, c, d)"
    path = parquet(tmp_path, query.replace("0.5", "0.5::DOUBLE"))
    seen = look(path, "a", "b", "c", "d", "gone")
    assert [cell.kind for cell in seen.rows[0]] == ["null", "value", "value", "value"]
    assert [[cell.text for cell in row] for row in seen.rows] == [
        ["", "", "0", "0.50"],
        ["1", "", "", ""],
        ["-1", "null", "2", "12.25"],
    ]
    assert seen.numeric == {"a", "c", "d"}
    assert seen.absent == ("gone",)
    assert seen.profiles["a"].nulls == 1


def test_a_preview_shows_twenty_rows_in_the_order_of_the_file(tmp_path: Path) -> None:
    seen = look(parquet(tmp_path, "SELECT 1000 - i AS i FROM range(1000) t(i)"), "i")
    assert [row[0].text for row in seen.rows] == [str(1000 - i) for i in range(20)]
    assert seen.total == 1000 <= PROFILED_ROWS


def test_a_preview_cuts_long_text_and_leaves_out_what_the_contract_does_not_name(tmp_path: Path) -> None:
    path = parquet(tmp_path, "SELECT repeat('x', 5000) AS a, [1, 2] AS b, 'secret' AS c")
    seen = look(path, "a", "b")
    assert len(seen.rows[0][0].text) == 121
    assert seen.rows[0][1].text == "[1, 2]"
    assert seen.unknown == 1
    assert "secret" not in repr(seen)


def test_even_data_draw_an_even_histogram(tmp_path: Path) -> None:
    path = parquet(tmp_path, "SELECT i, i::DOUBLE AS d, DATE '2013-01-01' + i::INT AS day FROM range(31) t(i)")
    profiles = look(path, "i", "d", "day").profiles
    # 31 whole numbers in 24 steps would count one here and two there: a comb that is not in the data.
    assert profiles["i"].bars == (2,) * 15 + (1,)
    assert profiles["day"].bars == profiles["i"].bars
    assert (profiles["day"].low, profiles["day"].high) == ("2013-01-01", "2013-01-31")
    assert len(profiles["d"].bars) == BARS
    assert sum(profiles["d"].bars) == 31


@pytest.mark.parametrize(
    ("query", "low", "high", "count"),
    [
        ("SELECT 'nan'::DOUBLE AS a UNION ALL SELECT 'inf'::DOUBLE UNION ALL SELECT 1.5", "1.5", "1.5", 0),
        ("SELECT NULL::INTEGER AS a", "", "", 0),
        ("SELECT 1e308::DOUBLE AS a UNION ALL SELECT -1e308::DOUBLE", "-1e+308", "1e+308", 0),
        ("SELECT 9007199254740993::BIGINT AS a UNION ALL SELECT 0", "0", "9.01e+15", 24),
        ("SELECT 12.345::DECIMAL(9,3) AS a UNION ALL SELECT 0", "0", "12.3", 24),
        ("SELECT 'infinity'::TIMESTAMP AS a UNION ALL SELECT TIMESTAMP '2013-01-01 05:00'", "2013-01-01 05:00", "", 0),
    ],
)
def test_odd_numbers_do_not_spoil_a_histogram(tmp_path: Path, query: str, low: str, high: str, count: int) -> None:
    profile = look(parquet(tmp_path, query), "a").profiles["a"]
    assert profile.low == low
    assert profile.high in (high, low)
    assert len(profile.bars) == count


# --- Ports and lineage ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 50])
def test_any_number_of_ports_has_its_place(product: Path, count: int) -> None:
    outline = Outline(built(with_ports(product, count)))
    ports = [d for d in outline.all("details") if d.get("id", "").startswith("output-")]
    assert len(ports) == count
    assert all(("open" in d) == (count <= 3) for d in ports)
    boxes = [a["class"] for _, a in outline.tags if a.get("class", "").startswith("box")]
    assert boxes.count("box output") == count
    assert boxes.count("box input") == 2
    assert boxes.count("box workload") == 1
    edges = [a for _, a in outline.tags if a.get("class") == "edge"]
    assert len(edges) == count + 2
    assert len(outline.linked_data["hasPart"]) == count


def test_the_drawing_shows_workloads_in_the_order_of_their_work(published: Path) -> None:
    def chain(inner: dict[str, Any]) -> None:
        last = inner["workloads"][0]
        last["depends_on"] = ["clean", "join"]
        last["reads"] = ["airlines"]
        shape = {"technology": "sql", "run": "true"}
        inner["workloads"] += [
            {"name": "clean", "reads": ["flights"], "writes": [], "depends_on": [], **shape},
            {"name": "join", "reads": [], "writes": [], "depends_on": ["clean"], **shape},
        ]

    edit(published, INNER, chain)
    svg = str(draw(model(load(published))))
    left = {
        name: float(x) for x, name in re.findall(r'<text class="name" x="([0-9.]+)" y="[0-9.]+">([^<]+)</text>', svg)
    }
    assert left["flights"] < left["clean"] < left["join"] < left["build"] < left["carrier_punctuality"]
    assert svg.count('class="edge"') == 6
    frames = {
        kind: (float(x), float(x) + float(width))
        for kind, x, width in re.findall(r'<rect class="frame (\w+)" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', svg)
    }
    assert frames["outer"][0] < left["flights"] < frames["inner"][0] < left["clean"]
    assert left["build"] < frames["inner"][1] < left["carrier_punctuality"] < frames["outer"][1]


# --- Looks ----------------------------------------------------------------------------------------

TEXT_ON = {
    "ink": ("paper", "card", "wash", "accent-wash", "warn-wash", "bad-wash"),
    "soft": ("paper", "card", "wash", "accent-wash", "warn-wash", "bad-wash"),
    "accent": ("paper", "card", "wash", "accent-wash"),
    "warn": ("paper", "card", "warn-wash"),
    "bad": ("paper", "card", "bad-wash"),
}


def colours(scheme: str) -> dict[str, str]:
    css = STYLE.read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark, paper = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", b)) for b in blocks)
    return {"light": light, "dark": light | dark, "paper": light | paper}[scheme]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "paper"])
def test_text_and_drawing_can_be_told_from_their_ground(scheme: str) -> None:
    found = colours(scheme)
    for text, grounds in TEXT_ON.items():
        for ground in grounds:
            assert contrast(found[text], found[ground]) >= 4.5, f"{text} on {ground}"
    for ground in ("card", "wash", "paper"):  # borders of controls, arrows: WCAG 1.4.11
        assert contrast(found["edge"], found[ground]) >= 3, f"edge on {ground}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (timedelta(milliseconds=300), "under 1 s"),
        (timedelta(seconds=48), "48 s"),
        (timedelta(hours=3, minutes=12, seconds=59), "3 h 12 min"),
        (timedelta(hours=24), "1 day"),
        (timedelta(days=2, hours=4), "2 days 4 h"),
        (timedelta(days=400, hours=4), "400 days"),
    ],
)
def test_lengths_of_time_are_told_in_two_units(given: timedelta, expected: str) -> None:
    assert words.span(given) == expected


# --- In a browser ---------------------------------------------------------------------------------

PROBE = """
(() => {
  const wide = [];
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest(".scroll, .drawing, pre, .unseen, .skip, svg")) continue;
    const box = element.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) wide.push(element.outerHTML.slice(0, 80));
  }
  const ground = getComputedStyle(document.body).backgroundColor;
  return {width: document.documentElement.scrollWidth, inner: innerWidth, wide, hacked: window.hacked ?? null, ground};
})()
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Browser]:
    program = browser.chromium()
    if program is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(browser.NAMES)})")
    with browser.browser(program) as found:
        yield found


@pytest.mark.slow
def test_the_browser_would_tell_of_every_fault(chromium: browser.Browser, tmp_path: Path) -> None:
    """The tests below prove something only if a bad page is seen to be bad."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><meta http-equiv='Content-Security-Policy' content=\"script-src 'unsafe-inline'\">"
        "<link rel='stylesheet' href='other.css'><div style='width: 2000px'>x</div>"
        "<script>window.hacked = 1; console.error('one')</script><script>throw new Error('two')</script>"
        "<script src='three.js'></script>"
    )
    view = chromium.open(bad.as_uri(), width=360)
    found = view.evaluate(PROBE)
    assert found["hacked"] == 1
    assert found["width"] == 2008
    assert found["wide"]
    assert [Path(request).name for request in view.requests] == ["bad.html", "other.css", "three.js"]
    for fault in ("one", "Uncaught", "ERR_FILE_NOT_FOUND", "three.js"):
        assert any(fault in complaint for complaint in view.complaints), view.complaints


@pytest.mark.slow
@pytest.mark.parametrize("state", ["published", "unpublished", "masked", "fifty ports", *HOSTILE])
def test_a_browser_shows_it_whole_on_phone_and_desk(
    chromium: browser.Browser, product: Path, published: Path, state: str
) -> None:
    root = published
    if state == "unpublished":
        root = with_inner(product)
    elif state == "fifty ports":
        root = with_ports(product, 50)
        run(root, talk=TALK)
    elif state == "masked":
        edit(root, CONTRACT, close_columns)
    elif state in HOSTILE:
        poison(root, HOSTILE[state])
    built(root)
    address = (root / "data/local/page.html").as_uri()
    for width in (360, 1280):
        grounds = set()
        for dark in (False, True):
            view = chromium.open(address, width=width, dark=dark)
            found = view.evaluate(PROBE)
            assert view.complaints == []
            assert view.requests == [address]
            assert found["inner"] == width
            assert found["width"] <= width, found
            assert found["wide"] == []
            assert found["hacked"] is None
            grounds.add(found["ground"])
        assert len(grounds) == 2, "light and dark look the same"


@pytest.mark.slow
def test_a_page_that_has_grown_old_says_so(chromium: browser.Browser, published: Path) -> None:
    shown = "document.querySelector('[data-until]').offsetParent !== null"
    address = (published / "data/local/page.html").as_uri()
    assert "Keeps its promises" in built(published, soon(published, timedelta()))
    assert chromium.open(address, width=1280).evaluate(shown) is False
    # Fresh for a third of a second: true when the page is made, and over when it is read.
    edit(published, CONTRACT, lambda c: c["slaProperties"][0].update(value=0.0001))
    assert "Keeps its promises" in built(published, soon(published, timedelta()))
    assert chromium.open(address, width=1280).evaluate(shown) is True


@pytest.mark.slow
def test_filter_and_copy_work_in_a_browser(chromium: browser.Browser, published: Path) -> None:
    built(published)
    view = chromium.open((published / "data/local/page.html").as_uri(), width=1280)
    shown = "[...document.querySelectorAll('#columns-1 tbody tr')].filter(r => r.offsetParent).length"
    assert view.evaluate(shown) == 9
    view.evaluate(
        "(f => { f.value = 'delay'; f.dispatchEvent(new Event('input')); })(document.querySelector('.filter'))"
    )
    assert view.evaluate(shown) == 2
    view.evaluate("document.querySelector('button[data-copy=urn]').click()")
    answer = """new Promise(done => {
        const button = document.querySelector("button[data-copy=urn]");
        const look = () => button.textContent === "Copy" ? setTimeout(look, 10) : done(button.textContent);
        look();
    })"""
    assert view.evaluate(answer) in ("Copied", "Selected")
    assert view.complaints == []
