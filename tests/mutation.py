"""How much of what can go wrong does the gate find? Breaks a fresh product in every clause and counts.

    python tests/mutation.py            measure, print, and write docs/reference/mutation-score.md
    python tests/mutation.py --check    measure and print; exit 1 when the page says something else

Every value of descriptor, contracts and inner.yaml is deleted, emptied, misspelt, given another type …, one at a time.
A mutant that no rule finds must be no defect, for a reason that stands in `REASONS`. What is correct, and only written
or chosen differently, must not be found: those are the variants.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

import suite_repo
from outer.check import check
from outer.finding import Level
from outer.product import DESCRIPTOR, INNER, File, Product, load
from outer.rule import Rule
from outer.rules import RULES
from outer.yamlfile import Pointer, Unreadable, parse

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "mutation-score.md"
TODAY = date(2030, 1, 1)
OUTPUT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
INPUT = "outer/contracts/input/flights.v1.odcs.yaml"
FILES: Mapping[str, str] = {DESCRIPTOR: "descriptor", OUTPUT: "output", INPUT: "input", INNER: "inner"}
"""The files that are broken: the descriptor, the output contract, a pinned input contract, inner.yaml."""

JUDGING: Sequence[Rule] = [r for r in RULES if r.id[:3] not in ("SUP", "WAI", "BAS") and r.id not in
                           ("INT001", "INT002", "INT003", "INN005", "INN006", "INN010")]  # fmt: skip
"""The rules that judge the four files. The others look at other files, which these mutants leave alone."""


# --- Mutants --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One defect: what was done (`kind`) to the value at `pointer` of the file `path`."""

    path: str
    pointer: Pointer
    kind: str
    value: Any
    """The whole document, broken."""

    def __str__(self) -> str:
        """File, pointer without positions, and kind, as in `output schema[].properties[].name: misspelt`."""
        place = "".join("[]" if isinstance(step, int) else f".{step}" for step in self.pointer).lstrip(".")
        return f"{FILES[self.path]} {place}: {self.kind}"


_GONE = object()


def mutants(path: str, document: Any) -> Iterator[Mutant]:
    """Every defect of `document`: each value, and each kind of defect that its type allows."""
    for pointer, value in _values(document, ()):
        for kind, new in _defects(value):
            yield Mutant(path, pointer, kind, _with(document, pointer, new))
        if isinstance(pointer[-1], str):
            yield Mutant(path, pointer, "key misspelt", _renamed(document, pointer))
        else:
            yield Mutant(path, pointer, "doubled", _doubled(document, pointer))


def _values(value: Any, at: Pointer) -> Iterator[tuple[Pointer, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inside:
        yield (*at, step), below
        yield from _values(below, (*at, step))


def _defects(value: Any) -> Iterator[tuple[str, Any]]:
    yield "deleted", _GONE
    yield "null", None
    if isinstance(value, bool):
        yield "flipped", not value
        yield "another type", "perhaps"
    elif isinstance(value, (int, float)):
        yield "negative", -value - 1
        yield "another type", "many"
    elif isinstance(value, str):
        yield "emptied", ""
        yield "another type", [value]
        yield "misspelt", f"{value}x"
    elif isinstance(value, list):
        yield "emptied", []
        yield "another type", {"x": 1}
    elif isinstance(value, dict):
        yield "emptied", {}
        yield "another type", "text"


def _with(document: Any, pointer: Pointer, new: Any) -> Any:
    result = copy.deepcopy(document)
    parent = _parent(result, pointer)
    if new is _GONE:
        del parent[pointer[-1]]
    else:
        parent[pointer[-1]] = new
    return result


def _renamed(document: Any, pointer: Pointer) -> Any:
    result = copy.deepcopy(document)
    parent = _parent(result, pointer)
    entries = [(f"{key}x" if key == pointer[-1] else key, value) for key, value in parent.items()]
    parent.clear()
    parent.update(entries)
    return result


def _doubled(document: Any, pointer: Pointer) -> Any:
    result = copy.deepcopy(document)
    parent = _parent(result, pointer)
    parent.insert(pointer[-1], copy.deepcopy(parent[pointer[-1]]))
    return result


def _parent(document: Any, pointer: Pointer) -> Any:
    for step in pointer[:-1]:
        document = document[step]
    return document


# --- Judging --------------------------------------------------------------------------------------


def documents(product: Product) -> dict[str, File]:
    """The files that are broken, by path."""
    return {file.path: file for file in product.files if file.path in FILES}


def changed(product: Product, path: str, value: Any) -> Product:
    """`product` with another document at `path`, read as the gate reads it. JSON is YAML."""
    file = File(path, parse(json.dumps(value, ensure_ascii=False).encode()))

    def other(files: tuple[File, ...]) -> tuple[File, ...]:
        return tuple(file if known.path == path else known for known in files)

    return replace(
        product,
        descriptor=file if path == DESCRIPTOR else product.descriptor,
        inner=file if path == INNER else product.inner,
        output_contracts=other(product.output_contracts),
        input_contracts=other(product.input_contracts),
    )


def found_by(product: Product, rules: Sequence[Rule] = JUDGING) -> frozenset[str]:
    """Ids of the rules that find something, errors and warnings. Raises `AssertionError` when a rule fails itself."""
    result = check(product, TODAY, rules)
    assert not result.crashed, result.crashed
    return frozenset(finding.rule for finding in result.findings if finding.level is not Level.INFO)


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one file."""

    path: str
    mutants: int
    survivors: tuple[Mutant, ...]

    @property
    def found(self) -> int:
        return self.mutants - len(self.survivors)


def measure(product: Product) -> tuple[Score, ...]:
    """Break each file of `product` in every way, and see what no rule finds."""
    assert found_by(product, RULES) == frozenset(), "the product to be broken is not whole"
    scores = []
    for path, file in sorted(documents(product).items(), key=lambda item: list(FILES).index(item[0])):
        count, survivors = 0, []
        for mutant in mutants(path, file.value):
            count += 1
            try:
                if not found_by(changed(product, path, mutant.value)):
                    survivors.append(mutant)
            except Unreadable:  # the gate reports REA001
                continue
        scores.append(Score(path, count, tuple(survivors)))
    return tuple(scores)


# --- Survivors that are no defects ----------------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """Why mutants that no rule finds are no defects that this gate could find. `places` are regular expressions."""

    why: str
    places: tuple[str, ...]

    def covers(self, mutant: Mutant) -> bool:
        return any(fits(place, str(mutant)) for place in self.places)


def fits(place: str, mutant: str) -> bool:
    """Whether the regular expression `place` is about a mutant."""
    return re.fullmatch(place, mutant) is not None


_COLUMN = r"schema\[\]\.properties\[\]"
REASONS: tuple[Reason, ...] = (
    Reason(
        "Another wording, name or address, as well formed as the first. Which one is right, only a reader knows.",
        (
            r".*\b(description|purpose|usage|limitations|dataGranularityDescription): misspelt",
            r"descriptor customProperties\[\]\.value: misspelt",  # the title
            r"descriptor managementPorts\[\]\.name: misspelt",
            r"(descriptor|output) support\[\]\.(channel|url): misspelt",
            r"output (roles\[\]\.role|servers\[\]\.server|schema\[\]\.quality\[\]\.name): misspelt",
            r"inner workloads\[\]\.(name|technology): misspelt",
        ),
    ),
    Reason(
        "Optional: what is left means the same, by a default of Bitol ODPS, Bitol ODCS or inner.yaml.",
        (
            r"descriptor managementPorts\[\]\.type: deleted",
            r"(output|input) schema\[\]\.quality\[\]\.type: deleted",
            r"inner workloads\[\]\.(timeout: deleted|depends_on: (deleted|emptied))",
            r"inner (setup: deleted|storage: (deleted|emptied))",
        ),
    ),
    Reason(
        "A label that helps and promises nothing.",
        (
            r"output slaProperties\[\]\.description: deleted",
            r"descriptor support\[\]\.description: deleted",
            rf"output {_COLUMN}\.examples(: (deleted|emptied)|\[\]: (deleted|doubled))",
        ),
    ),
    Reason(
        "Another promise, and a whole one. That it breaks the one before is for `outer compat`, which has both.",
        (
            rf"output {_COLUMN}: deleted",
            rf"output {_COLUMN}\.name: misspelt",
            rf"output {_COLUMN}\.required: flipped",
            rf"output {_COLUMN}\.logicalTypeOptions: (deleted|emptied)",
            rf"output {_COLUMN}\.logicalTypeOptions\.(minimum|maximum|minLength|pattern): (deleted|negative)",
            r"output schema\[\]\.quality\[\]: deleted",
        ),
    ),
    Reason(
        "A well-formed command. `outer run` and `outer test` execute it, and publish nothing when it fails.",
        (r"inner (setup|test|workloads\[\]\.run): misspelt",),
    ),
    Reason(
        "A column of an input less, or under another name. `outer run` holds every delivery against the contract.",
        (rf"input {_COLUMN}: deleted", rf"input {_COLUMN}\.name: misspelt"),
    ),
    Reason(
        "The producer's promise, pinned as it was given. The producer's own gate judges it; nothing here relies on it.",
        (
            r"input (domain|team\.name): (deleted|misspelt)",
            r"input (slaProperties|roles|support|team)(: (deleted|emptied)|\[\]: deleted)",
            r"input slaProperties\[\]\.(property|value|unit|description): .*",
            r"input roles\[\]\.(role|access|description): .*",
            r"input support\[\]\.(channel|url): .*",
            r"input team\.members(: (deleted|emptied)|\[\]: deleted|\[\]\.(username|role): (deleted|misspelt))",
            r"input schema\[\]\.quality(: (deleted|emptied)|\[\]: (deleted|emptied)|\[\]\.[A-Za-z]+: .*)",
            r"input schema\[\]\.(name: misspelt|logicalType: deleted|physicalType: (deleted|misspelt))",
            rf"input {_COLUMN}\.(required|logicalTypeOptions)(\.[A-Za-z]+)?: .*",
            r"input servers\[\]\.server: misspelt",
            r"input customProperties\[\]\.value: misspelt",  # the licence
        ),
    ),
)


def reason(mutant: Mutant) -> Reason | None:
    """Why `mutant` is no defect; None where it is one."""
    return next((reason for reason in REASONS if reason.covers(mutant)), None)


# --- Variants: what is correct must not be found ---------------------------------------------------

Variant = Callable[[Path], None]
VARIANTS: dict[str, Variant] = {}


def variant(change: Variant) -> Variant:
    """A way to write or choose something else that is as correct. The docstring says which."""
    VARIANTS[" ".join((change.__doc__ or change.__name__).split()).rstrip(".")] = change
    return change


def rewritten(root: Path, write: Callable[[Any, str], str], paths: Sequence[str] = tuple(FILES)) -> None:
    """Write the files at `paths` anew: `write` gets the value and the text of each."""
    for path in paths:
        text = (root / path).read_text(encoding="utf-8")
        (root / path).write_text(write(parse(text.encode()).value, text), encoding="utf-8", newline="")


def edited(root: Path, path: str, edit: Callable[[Any], None]) -> None:
    """Change the document at `path` in place, and write it as YAML."""
    value = copy.deepcopy(parse((root / path).read_bytes()).value)
    edit(value)
    (root / path).write_text(_yaml(value), encoding="utf-8")


def _yaml(value: Any, **style: Any) -> str:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: Any) -> bool:
            return True

    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, **style)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(below) for key, below in reversed(value.items())}
    return [_reversed(below) for below in value] if isinstance(value, list) else value


@variant
def _json(root: Path) -> None:
    """Written as JSON, so that every key and text stands in double quotes."""
    rewritten(root, lambda value, _: json.dumps(value, indent=1, ensure_ascii=False))


@variant
def _flow(root: Path) -> None:
    """Everything in one line, in braces."""
    rewritten(root, lambda value, _: _yaml(value, default_flow_style=True, width=100_000))


@variant
def _block(root: Path) -> None:
    """One key to a line, without comments."""
    rewritten(root, lambda value, _: _yaml(value, default_flow_style=False))


@variant
def _single(root: Path) -> None:
    """Texts in single quotes."""

    class Quoted(yaml.SafeDumper):
        pass

    Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'"))
    rewritten(root, lambda value, _: yaml.dump(value, Dumper=Quoted, sort_keys=False, allow_unicode=True))


@variant
def _backwards(root: Path) -> None:
    """Keys in the opposite order."""
    rewritten(root, lambda value, _: _yaml(_reversed(value)))


@variant
def _commented(root: Path) -> None:
    """Comments and empty lines everywhere."""
    rewritten(
        root,
        lambda _, text: "".join(f"# a comment: with - [signs]\n\n{line}" for line in text.splitlines(keepends=True)),
    )


@variant
def _windows(root: Path) -> None:
    """Line ends of Windows, and a byte order mark."""
    rewritten(root, lambda _, text: "\ufeff" + text.replace("\n", "\r\n"))


@variant
def _optional_of_descriptor(root: Path) -> None:
    """Every optional field of Bitol ODPS 1.1 in the descriptor."""

    def edit(value: Any) -> None:
        definition = {"type": "businessDefinition", "url": "https://glossary.example.com/punctuality"}
        value |= {
            "tenant": "Example Group", "tags": ["aviation", "punctuality"], "deprecated": False,
            "synonyms": [{"synonym": "on-time performance", "locale": "en-US"}],
            "authoritativeDefinitions": [definition, {**definition, "type": "canonicalUrl"}],
            "productCreatedTs": "2026-11-22T08:00:00Z",
            "context": {"instructions": "Use on_time_share for rankings.",
                        "constraints": [{"constraint": "Never rank airlines by mean delay."}]},
        }  # fmt: skip
        value["outputPorts"][0] |= {
            "id": "carrier_punctuality", "tags": ["daily"], "sbom": [{"url": "https://example.com/sbom.json"}],
            "synonyms": [{"synonym": "punctuality"}], "deprecated": False,
        }  # fmt: skip
        value["inputPorts"][0] |= {"tags": ["flights"], "customProperties": [{"property": "priority", "value": 1}]}
        value["managementPorts"].append({
            "name": "terms", "content": "dictionary", "type": "topic", "channel": "terms", "description": "The terms.",
        })  # fmt: skip
        value["support"].append({"channel": "#punctuality", "url": "https://chat.example.com/punctuality",
                                 "tool": "slack", "scope": "interactive"})  # fmt: skip
        value["team"]["members"].append({"username": "jo@example.com", "role": "steward", "dateIn": "2026-01-01"})
        value["team"]["members"].append({"username": "al@example.com", "role": "owner", "dateOut": "2026-01-01"})

    edited(root, DESCRIPTOR, edit)


@variant
def _optional_of_contract(root: Path) -> None:
    """Every optional field of Bitol ODCS 3.1 in the output contract."""

    def edit(value: Any) -> None:
        definition = {"type": "implementation", "url": "https://git.example.com/pipeline"}
        value |= {
            "tenant": "Example Group", "tags": ["aviation"], "authoritativeDefinitions": [definition],
            "price": {"priceAmount": 0, "priceCurrency": "EUR", "priceUnit": "month"},
            "contractCreatedTs": "2026-11-22T08:00:00Z",
        }  # fmt: skip
        table = value["schema"][0]
        table |= {"businessName": "Punctuality by day", "physicalName": "carrier_punctuality_v1", "tags": ["daily"],
                  "relationships": [{"from": "carrier_punctuality.carrier", "to": "airlines.carrier"}]}  # fmt: skip
        by_name = {column["name"]: column for column in table["properties"]}
        by_name["carrier"] |= {
            "businessName": "Airline code", "criticalDataElement": True, "unique": False, "tags": ["code"],
            "relationships": [{"to": "flights.carrier"}], "transformSourceObjects": ["flights"],
            "transformLogic": "carrier", "transformDescription": "As delivered.", "physicalName": "carrier",
            "authoritativeDefinitions": [{"type": "glossary", "url": "https://glossary.example.com/carrier"}],
            "quality": [{"name": "carrier_known", "description": "Never empty.", "metric": "nullValues", "mustBe": 0,
                         "dimension": "completeness", "severity": "error"}],
        }  # fmt: skip
        by_name["flight_date"] |= {"partitioned": True, "partitionKeyPosition": 1}
        for server in value["servers"]:  # what is partitioned is a folder
            server["path"] = server["path"].removesuffix(".parquet")
        table["quality"] += [
            {"name": "few_rows", "description": "Not more than all airlines and days.", "metric": "rowCount",
             "mustBeBetween": [1, 100000], "dimension": "coverage", "severity": "warning", "tags": ["volume"]},
            {"name": "keys", "description": "No row twice.", "type": "library", "metric": "duplicateValues",
             "arguments": {"properties": ["flight_date", "carrier"]}, "mustBeLessThan": 1, "unit": "percent",
             "dimension": "uniqueness", "severity": "error"},
            {"name": "reviewed", "description": "The team looks at the ranking each month.", "type": "text",
             "dimension": "accuracy", "severity": "info"},
            {"name": "share", "description": "Shares fit counts.", "type": "sql", "dimension": "consistency",
             "severity": "error", "query": "WITH t AS (SELECT * FROM {object}) SELECT count(*) FROM t WHERE "
             "on_time_share > 1 -- 'no; drop'", "mustBeLessOrEqualTo": 0},
            {"name": "mean", "description": "Delays are plausible.", "type": "sql", "dimension": "accuracy",
             "severity": "error", "query": "SELECT avg(mean_dep_delay_min) FROM carrier_punctuality",
             "mustBeBetween": [-60, 240]},
        ]  # fmt: skip
        value["slaProperties"] += [
            {"property": "availability", "value": 99.5, "unit": "percent", "driver": "analytics"},
            {"property": "latency", "value": 36, "unit": "hours", "element": "carrier_punctuality.flight_date"},
            {"property": "frequency", "value": 1, "unit": "d", "scheduler": "cron", "schedule": "0 6 * * *"},
            {"property": "generalAvailability", "value": "2026-12-01"},
            {"property": "endOfSupport", "value": "2035-12-31"},
            {"property": "timeOfAvailability", "value": "06:00 UTC"},
            {"property": "timeToRepair", "value": 4, "unit": "h"},
            {"property": "throughput", "value": 100, "unit": "rows/s"},
        ]
        value["roles"].append({"role": "writer", "access": "write", "description": "The pipeline.", "id": "writer"})

    edited(root, OUTPUT, edit)


@variant
def _more_columns(root: Path) -> None:
    """A column of every type, with its options and an example."""
    types: list[tuple[str, str, dict[str, Any]]] = [
        ("string", "VARCHAR(20)", {"logicalTypeOptions": {"minLength": 1, "maxLength": 20, "format": "uuid"}}),
        ("string", "UUID", {"examples": ["00000000-0000-0000-0000-000000000000"]}),
        ("integer", "INT32", {"logicalTypeOptions": {"format": "i32", "multipleOf": 5}, "examples": [5, 10]}),
        ("number", "DECIMAL(18,2)", {"logicalTypeOptions": {"exclusiveMinimum": 0, "maximum": 9}, "examples": [3]}),
        ("boolean", "BOOLEAN", {"examples": [True, False]}),
        ("date", "DATE", {"logicalTypeOptions": {"minimum": "2013-01-01", "maximum": "2013-12-31"}}),
        ("time", "TIME", {"examples": ["06:00:00"]}),
        ("timestamp", "TIMESTAMP WITH TIME ZONE", {"examples": ["2013-01-01T06:00:00Z"]}),
        ("timestamp", "TIMESTAMP", {"logicalTypeOptions": {"timezone": False, "defaultTimezone": "America/New_York"}}),
        ("array", "VARCHAR[]", {"items": {"logicalType": "string"}, "logicalTypeOptions": {"minItems": 1}}),
        ("object", "STRUCT(a INTEGER, b VARCHAR)", {"properties": [{"name": "a", "logicalType": "integer"}]}),
    ]

    def edit(value: Any) -> None:
        for number, (logical, physical, more) in enumerate(types):
            value["schema"][0]["properties"].append({
                "name": f"extra_{number}", "logicalType": logical, "physicalType": physical, "required": False,
                "description": f"One more, the {number}th.", "classification": "public", **more,
            })  # fmt: skip
        value["schema"][0]["properties"] += [
            {"name": name, "logicalType": "number", "physicalType": "DOUBLE", "required": False, "description": text,
             "classification": "internal", **more}
            for name, text, more in (
                ("distance_km", "Distance flown, in kilometres.", {}),
                ("fare_eur", "Mean fare.", {"customProperties": [{"property": "unit", "value": "EUR"}]}),
                ("delay_min", "Smallest delay of the day.", {}),
                ("web_address_count", "Addresses on the web that mention it.", {}),
                ("street_noise", "Noise there.", {"customProperties": [{"property": "personalData", "value": False}]}),
            )
        ]  # fmt: skip

    edited(root, OUTPUT, edit)


@variant
def _three_ports(root: Path) -> None:
    """Three output ports, two workloads of which one waits for the other, a storage area."""
    contract = parse((root / OUTPUT).read_bytes()).value
    for name in ("punctuality_by_month", "punctuality_by_year"):
        text = json.dumps(contract).replace("carrier_punctuality", name)
        (root / OUTPUT.replace("carrier_punctuality", name)).write_text(text)

    def ports(value: Any) -> None:
        first = value["outputPorts"][0]
        value["outputPorts"] += [
            json.loads(json.dumps(first).replace("carrier_punctuality", name))
            for name in ("punctuality_by_month", "punctuality_by_year")
        ]

    def workloads(value: Any) -> None:
        value["storage"] = [{"name": "scratch", "technology": "parquet"}]
        value["workloads"] = [
            {"name": "prepare", "technology": "polars", "reads": ["flights", "airlines"], "writes": [], "run": "make"},
            {"name": "build", "technology": "polars", "reads": [], "depends_on": ["prepare"], "run": "make all",
             "timeout": "90m", "writes": ["carrier_punctuality", "punctuality_by_month", "punctuality_by_year"]},
        ]  # fmt: skip

    edited(root, DESCRIPTOR, ports)
    edited(root, INNER, workloads)


@variant
def _active(root: Path) -> None:
    """Product and contract in force."""
    for path in (DESCRIPTOR, OUTPUT):
        edited(root, path, lambda value: value.update(status="active"))


@variant
def _two_majors(root: Path) -> None:
    """A second major beside the first, which is deprecated with an end and a successor."""
    new = json.dumps(parse((root / OUTPUT).read_bytes()).value).replace('"1.0.0"', '"2.0.0"').replace(":1:", ":2:")
    second = json.loads(new)
    second["status"] = "active"
    for server in second["servers"]:
        server["path"] = server["path"].replace(".parquet", "_v2.parquet")
    (root / OUTPUT.replace(".v1.", ".v2.")).write_text(json.dumps(second))

    def old(value: Any) -> None:
        value["status"] = "deprecated"
        value["slaProperties"].append({"property": "endOfSupport", "value": "2031-06-30"})

    def product(value: Any) -> None:
        value |= {"version": "2.0.0", "status": "active", "id": value["id"].replace(":1", ":2")}
        first = value["outputPorts"][0]
        value["outputPorts"].append(copy.deepcopy(first) | {
            "version": "2.0.0", "contractId": first["contractId"].replace(":1:", ":2:")})  # fmt: skip
        first["deprecated"] = True

    edited(root, OUTPUT, old)
    edited(root, DESCRIPTOR, product)


@variant
def _retired(root: Path) -> None:
    """A product that is retired with all that it promised."""
    for path in (DESCRIPTOR, OUTPUT):
        edited(root, path, lambda value: value.update(status="retired"))


@variant
def _no_inputs(root: Path) -> None:
    """A product without input ports."""
    for path in (INPUT, INPUT.replace("flights", "airlines")):
        (root / path).unlink()

    def product(value: Any) -> None:
        del value["inputPorts"], value["outputPorts"][0]["inputContracts"]

    edited(root, DESCRIPTOR, product)
    edited(root, INNER, lambda value: value["workloads"][0].update(reads=[]))


@variant
def _own_ci(root: Path) -> None:
    """Workflows, hooks and tools of the team's own beside the managed ones."""
    sha = "0123456789" * 4
    (root / ".github/workflows/nightly.yaml").write_text(
        "on: {schedule: [{cron: '0 3 * * *'}], workflow_dispatch: null}\npermissions: {contents: read}\njobs:\n"
        "  report:\n    if: github.repository_owner == 'example'\n    runs-on: ubuntu-24.04\n"
        "    container: {image: 'ghcr.io/example/tools:1.2'}\n    env: {REF: '${{ github.head_ref }}'}\n    steps:\n"
        f"      - uses: actions/checkout@{sha} # v7\n      - uses: ./.github/actions/setup\n"
        '      - run: rm -rf old || true\n      - run: echo "$REF ${{ github.event.pull_request.number }}"\n'
    )
    (root / "inner/.pre-commit-config.yaml").write_text(
        "repos:\n  - {repo: 'https://github.com/astral-sh/ruff-pre-commit', rev: v0.14.0, hooks: [{id: ruff}]}\n"
        "  - {repo: local, hooks: []}\n"
    )
    (root / "inner/tools").mkdir()
    (root / "inner/tools/package.json").write_text('{"name": "tools", "dependencies": {"vega": "^6"}}')
    lock = {"": {"name": "tools"}, "node_modules/vega": {"version": "6.2.0", "license": "BSD-3-Clause"}}
    (root / "inner/tools/package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": lock}))
    (root / "inner/settings.toml").write_text(
        'password = "${DB_PASSWORD}"\ntoken = "env:TOKEN"\nurl = "postgres://user:password@localhost/db"\n'
    )
    (root / "inner/env.sh").write_text('export DB_PASSWORD="$(vault read db)"\nAPI_TOKEN=${API_TOKEN:?}\n')


def said_of(root: Path) -> list[str]:
    """What the gate says of the product at `root`, warnings and notes included."""
    result = check(load(root), TODAY)
    assert not result.crashed, result.crashed
    return [f"{f.path}:{f.place.line}: {f.rule}: {f.message}" for f in result.findings]


def false_alarms(fresh: Path) -> dict[str, list[str]]:
    """What the gate says of each correct variant of the product at `fresh`; nothing, where all is well."""
    alarms = {}
    for name, change in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(shutil.copytree(fresh, Path(folder, "product"), symlinks=True))
            change(root)
            alarms[name] = said_of(root)
    return alarms


# --- The page -------------------------------------------------------------------------------------


def share(scores: Sequence[Score]) -> str:
    """The score in one phrase."""
    total, found = sum(score.mutants for score in scores), sum(score.found for score in scores)
    return f"**{100 * found / total:.1f} %** of {total} mutants are found"


def page(scores: Sequence[Score], alarms: Mapping[str, Sequence[str]]) -> str:
    """The mutation score as a page of the reference."""
    survivors = [mutant for score in scores for mutant in score.survivors]
    defects = [mutant for mutant in survivors if reason(mutant) is None]
    lines = [
        "<!-- Written by tests/mutation.py. Do not edit. -->",
        "",
        "# Mutation score of the gate",
        "",
        "How much of what can go wrong does `outer check` find? A fresh product is broken in every clause of the",
        "descriptor, the output contract, a pinned input contract and `inner.yaml`, one at a time: the value is",
        "deleted, emptied, null, misspelt, doubled, negated, flipped or of another type, or its key is misspelt.",
        "",
        f"- {share(scores)}. The other {len(survivors)} stand below, each",
        f"  with the reason why it is nothing that this gate could find. Without such a reason: **{len(defects)}**.",
        f"- **{sum(map(len, alarms.values()))} false alarms** on {len(alarms)} correct variants.",
        "- Besides, every rule finds the one defect that was seeded for it; these stand with the [rules](rules.md).",
        "",
        "| broken file | mutants | found | not found |",
        "| --- | ---: | ---: | ---: |",
        *(f"| `{s.path}` | {s.mutants} | {s.found} | {len(s.survivors)} |" for s in scores),
        "",
        "## What is not found, and why",
    ]
    for known in REASONS:
        covered = Counter(str(mutant) for mutant in survivors if reason(mutant) is known)
        lines += ["", f"{known.why} ({covered.total()})", ""]
        lines += [f"- `{name}`{f' ({count})' if count > 1 else ''}" for name, count in sorted(covered.items())]
    if defects:
        lines += ["", "Defects that no rule finds:", "", *(f"- `{m}`" for m in defects)]
    lines += [
        "",
        "## Correct variants",
        "",
        "None of these may be found, and none is.",
        "",
        *(f"- {name}: {'; '.join(alarms[name])}" if alarms[name] else f"- {name}" for name in alarms),
        "",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure, print and write. Returns the exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page says something else")
    checking = options.parse_args(arguments).check
    with tempfile.TemporaryDirectory() as folder:
        suite = suite_repo.clone(Path(folder, "suite"))
        root = suite_repo.start(suite_repo.render(Path(folder, "product"), suite))
        scores, alarms = measure(load(root)), false_alarms(root)
    text = page(scores, alarms)
    print(text.split("\n## ")[0])
    for score in scores:
        for mutant in score.survivors:
            if reason(mutant) is None:
                print(f"not found: {mutant}")
    for name, said in alarms.items():
        for line in said:
            print(f"false alarm: {name}: {line}")
    if checking:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
