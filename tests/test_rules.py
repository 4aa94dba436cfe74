"""The rules, one by one: more of what each must find, and what looks like it and must not be found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from outer.check import check
from outer.finding import Finding, Level
from outer.product import ANSWERS, DESCRIPTOR, INNER, STANDARD, WAIVERS, load
from outer.rule import Change
from outer.rules import BY_ID
from outer.rules.describe import PENDING
from outer.rules.files import own_files
from outer.rules.reading import AIRLINES, CONTRACT, FLIGHTS, matches
from outer.rules.secret import found as secrets
from outer.rules.supply import GITLAB, WORKFLOW

TODAY = date(2030, 1, 1)


def findings(root: Path, rule: str, as_of: date = TODAY) -> tuple[Finding, ...]:
    """What one rule says of the product at `root`."""
    found = load(root)
    assert not found.unreadable, "the example cannot be read, so nothing was judged"
    result = check(found, as_of, (BY_ID[rule],))
    assert not result.crashed
    if rule != "SUP008":
        assert check(found, as_of, (BY_ID["SUP008"],)).findings == (), "the pipeline cannot be read"
    return result.findings


def cases(table: dict[str, Sequence[Sequence[Change]]]) -> list[object]:
    return [
        pytest.param(rule, changes, id=f"{rule}-{number}")
        for rule, found in table.items()
        for number, changes in enumerate(found, start=1)
    ]


def in_contract(old: str, new: str) -> list[Change]:
    return [Change(CONTRACT, old, new)]


def in_descriptor(old: str, new: str) -> list[Change]:
    return [Change(DESCRIPTOR, old, new)]


def in_workflow(old: str, new: str) -> list[Change]:
    return [Change(WORKFLOW, old, new)]


def own_workflow(text: str) -> list[Change]:
    return [Change(".github/workflows/own.yml", new=text)]


def own_action(uses: str) -> list[Change]:
    return [Change(".github/actions/own/action.yml", new=f"runs: {{using: composite, steps: [{{uses: {uses}}}]}}\n")]


def gitlab(text: str, *, host: bool = True) -> list[Change]:
    """A product on GitLab with this pipeline."""
    changes = [Change(WORKFLOW), Change(GITLAB[0], new=text)]
    return [*changes, Change(".copier-answers.yml", "ci_host: github", "ci_host: gitlab")] if host else changes


def property_of_column(text: str) -> list[Change]:
    """Custom properties for the column `airline`."""
    return in_contract(
        "required: true\n        logicalTypeOptions: {minLength: 1}",
        f"required: true\n        customProperties: [{text}]\n        logicalTypeOptions: {{minLength: 1}}",
    )


def column(text: str) -> list[Change]:
    """Other types, options and examples for the first column."""
    changes = in_contract("logicalType: date\n        physicalType: DATE", text.replace("; ", "\n        "))
    return [Change(CONTRACT, EXAMPLES, ""), *changes] if "examples" in text else changes


def quality(text: str) -> list[Change]:
    """Another quality rule for the table."""
    return in_contract("    quality:\n", f"    quality:\n      - {text}\n")


def level(text: str) -> list[Change]:
    """Another service level."""
    return in_contract("slaProperties:\n", f"slaProperties:\n  - {text}\n")


def server(new: str) -> list[Change]:
    """Another path for the first server."""
    return in_contract("path: ${DATA_ROOT:-data}/local/current/carrier_punctuality.parquet", f"path: {new}")


def say(name: str, value: str, was: str) -> list[Change]:
    """Another value of a custom property of the descriptor."""
    return in_descriptor(f"property: {name}, value: {was}", f"property: {name}, value: {value}")


DATE = "logicalType: date; physicalType: DATE; "
TEXT = "logicalType: string; physicalType: VARCHAR; "
WHOLE = "logicalType: integer; physicalType: BIGINT; "
REAL = "logicalType: number; physicalType: DOUBLE; "
STAMP = "logicalType: timestamp; physicalType: TIMESTAMP; "
EXAMPLES = '        examples: ["2013-01-01"]\n'
PERSONAL = "{property: personalData, value: true}"
MARKED = property_of_column(PERSONAL)
ALL_PERSONAL = [
    *say("personalData", "true", "false"), *in_contract("personalData, value: false", "personalData, value: true")
]  # fmt: skip
GATE = "run: python3 noxfile.py -s check compat test run verify"
CHECKOUT = "uses: actions/checkout@" + "0" * 40
PIPELINE = "prove:\n  image: python:3.13-slim\n  script: [python3 noxfile.py -s check test]\n"
JOB = "permissions: {}\non: pull_request\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - %s\n"

BAD: dict[str, Sequence[Sequence[Change]]] = {
    "IDN003": [
        in_descriptor("  - name: page", "  - name: lineage"),
        in_descriptor("  - name: page", "  - name: The page"),
    ],
    "IDN005": [in_contract("- name: flights", "- name: cancelled"), in_contract("- name: flights", '- name: "a\\nb"')],
    "IDN008": [in_contract("- name: flights", "- name: Order")],
    "VER002": [in_descriptor("version: 1.0.0 #", "version: 2.0.0 #")],
    "VER005": [
        [*in_descriptor("status: draft #", "status: active #"), *in_contract("status: draft", "status: deprecated")],
        [*in_descriptor("status: draft #", "status: deprecated #"), *in_contract("status: draft", "status: active")],
    ],
    "VER006": [
        [*in_contract("status: draft", "status: deprecated"), *level('{property: endOfSupport, value: "2031-01-01"}')],
        [
            *in_contract("status: draft", "status: deprecated"),
            *level("{property: endOfSupport, value: soon}"),
            *in_contract("customProperties:\n", "customProperties:\n  - {property: successor, value: none}\n"),
        ],
    ],
    "VER007": [
        level('{property: es, value: "2029-12-31"}'),
        level('{property: endOfLife, value: "2029-12-31T00:00:00Z"}'),
    ],
    "VER008": [[*in_contract("version: 1.0.0", "version: 0.9.0"), *in_contract("status: draft", "status: active")]],
    "VER009": [
        in_descriptor("    type: tables", "    type: tables\n    deprecated: true"),
        [
            *in_contract("status: draft", "status: deprecated"),
            *in_descriptor("    type: tables", "    type: tables\n    deprecated: false"),
        ],
    ],
    "OWN004": [
        in_contract('username: "aviation-data@example.com"', "username: aviation-data@example"),
        in_descriptor('username: "aviation-data@example.com"', 'username: "a b@example.com"'),
    ],
    "OWN005": [in_contract('username: "aviation-data@example.com"', "username: other@example.com")],
    "OWN006": [
        in_descriptor("role: owner", 'role: owner\n      dateIn: "2030-02-01"'),
        in_contract("role: owner", 'role: owner\n      dateOut: "2029-12-31"'),
    ],
    "DES003": [say("title", "7", '"Flight punctuality"'), say("title", "[a]", '"Flight punctuality"')],
    "DES006": [
        say("environments", "[dev, prod]", "[local, dev, prod]"),
        say("environments", "local", "[local, dev, prod]"),
        say("environments", "[local, dev, prod, prod]", "[local, dev, prod]"),
        say("environments", "[]", "[local, dev, prod]"),
    ],
    "DES007": [in_descriptor("    description: Punctuality of each airline", "    # Punctuality of each airline")],
    "DES008": [
        in_contract("description: Scheduled flights that never departed.", "description: tbd"),
        in_contract("description: Scheduled flights that never departed.", "description: Cancelled."),
        in_descriptor("  usage: Read", "  usage: To be described! #"),
        in_contract("  usage: One row", "  usage: Lorem ipsum dolor sit amet. #"),
    ],
    "DES009": [[Change(FLIGHTS, "    description: One scheduled flight.\n", "")]],
    "REA008": [in_contract("unit: h", 'unit: " "'), [Change(AIRLINES, "name: nyc-flights", 'name: ""')]],
    "REA009": [[Change("outer/contracts/input/more/x.v1.odcs.yaml", new="a: b\n")]],
    "REF003": [in_descriptor("    inputContracts:", "    madeFrom:")],
    "REF006": [
        in_contract("roles:\n", "roles:\n  - {role: reader, access: write}\n"),
        in_contract("domain: aviation", "tags: [a, A]\ndomain: aviation"),
        in_contract("domain: aviation", 'tags: [" "]\ndomain: aviation'),
        in_contract("  - server: dev", "  - server: local"),
        in_descriptor("customProperties: #", "customProperties:\n  - {property: licence, value: CC0-1.0} #"),
        quality("{name: has_rows, type: text, description: a}"),
        [
            *in_contract("  - server: dev", "  - id: a\n    server: dev"),
            *in_contract("  - server: prod", "  - id: a\n    server: prod"),
        ],
    ],
    "REF007": [
        in_descriptor('url: "mailto:', 'url: "mailto://'),
        in_descriptor('url: "mailto:aviation-data@', 'url: "mailto:" # "'),
        in_contract('url: "mailto:aviation-data@example.com"', "url: docs/help.md"),
        in_contract('url: "mailto:aviation-data@example.com"', 'url: "javascript:alert(1)"'),
        in_contract('url: "mailto:aviation-data@example.com"', "url: https:///nowhere"),
    ],
    "CON005": [
        in_contract("        primaryKeyPosition: 2\n", ""),
        in_contract("primaryKeyPosition: 2", "primaryKeyPosition: 3"),
        in_contract("primaryKeyPosition: 2", "primaryKeyPosition: 1"),
    ],
    "CON010": [server("data/local/current/a.csv")],
    "CON012": [[Change(FLIGHTS, "    environment: dev\n", "    environment: prod\n")]],
    "CON015": [
        server("/srv/local/current/a.parquet"),
        server("~/local/current/a.parquet"),
        server("a/../current/a.parquet"),
        server('"data/local/current/*.parquet"'),
        server('"data/local/current/a$b.parquet"'),
        server("${DATA_ROOT}/local/current/a.parquet"),
        server("C:/data/local/current/a.parquet"),
        [Change(FLIGHTS, "path: outer/samples/", "path: ../samples/")],
    ],
    "CON016": [in_contract('    description: "Everyone in the organisation', '    # "Everyone in the organisation')],
    "CON018": [
        [Change(AIRLINES, "    format: parquet\n", "    format: csv\n")],
        [Change(AIRLINES, "airlines.parquet #", "airlines.csv #")],
        in_contract(
            "    type: local\n    path: ${DATA_ROOT:-data}/prod", "    type: s3\n    path: ${DATA_ROOT:-data}/prod"
        ),
    ],
    "CON019": [in_contract("    physicalType: table\n", ""), in_contract("    logicalType: object\n", "")],
    "QUA001": [
        quality("{name: a, metric: rowCount}"),
        quality("{name: a, metric: rowCount, mustBe: 1, mustNotBe: 2}"),
        quality("{name: a, metric: nullValues, mustBe: 0}"),
        quality("{name: a, type: sql, mustBe: 0}"),
        quality("{name: a, metric: rowCount, mustBeBetween: [5, 1]}"),
        quality("{name: a, metric: rowCount, mustBeBetween: [1, x]}"),
        quality("{name: a, metric: rowCount, mustBe: many}"),
        quality("{name: a, metric: rowCount, mustBe: 1, unit: kg}"),
        quality("{name: a, type: custom, engine: soda, implementation: x}"),
        quality("{name: a, type: text}"),
        quality("{name: a, metric: duplicateValues, mustBe: 0, arguments: {properties: [carier]}}"),
        quality("{name: a, metric: duplicateValues, mustBe: 0, arguments: {property: [carrier]}}"),
        quality("{name: a, metric: duplicateValues, mustBe: 0, arguments: 7}"),
        quality("{name: a, type: sql, query: 'SELECT count(*) FROM ${schema}', mustBe: 0}"),
        column(DATE + "quality: [{metric: missingValues, mustBe: 0}]"),
        column(DATE + "quality: [{metric: invalidValues, mustBe: 0}]"),
        column(TEXT + "quality: [{metric: invalidValues, mustBe: 0, arguments: {pattern: '(a'}}]"),
    ],
    "QUA002": [
        quality("{name: a, metric: rowCount, mustBeLessThan: 0}"),
        quality("{name: a, metric: rowCount, mustBe: 0.5}"),
        quality("{name: a, metric: rowCount, mustNotBe: -1}"),
        quality(
            "{name: a, metric: duplicateValues, arguments: {properties: [carrier]}, unit: percent, "
            "mustBeLessOrEqualTo: 100}"
        ),
        quality("{name: a, type: sql, query: 'select COUNT(*) from {object}', mustBeGreaterThan: -1}"),
    ],
    "QUA003": [
        in_contract("dimension: consistency", "dimension: correctness"),
        in_contract("- name: has_rows", "- tags: [a]"),
    ],
    "QUA004": [
        quality("{name: a, type: sql, mustBe: 0, query: 'DELETE FROM {object}'}"),
        quality("{name: a, type: sql, mustBe: 0, query: 'SELECT count(*) FROM {object}; SELECT 1'}"),
        quality("{name: a, type: sql, mustBe: 0, query: 'WITH a AS (SELECT 1 FROM {object}) INSERT INTO t FROM a'}"),
        quality("{name: a, type: sql, mustBe: 0, query: \"SELECT count(*) FROM '{object}'\"}"),
        quality("{name: a, type: sql, mustBe: 0, query: 'SELECT count(*) FROM {object} WHERE flihgts > 0'}"),
        quality(
            "{name: a, type: sql, mustBe: 0, query: 'SELECT 1 FROM {object} WHERE x'}".replace("x'", "x" * 9000 + "'")
        ),
    ],
    "QUA005": [
        in_contract("description: Mean delay at arrival", "criticalDataElement: true\n        description: Mean delay"),
    ],
    "PRV002": [say("personalData", '"no"', "false")],
    "PRV003": [
        in_contract("personalData, value: false", "personalData, value: true"),
        in_contract("licence, value: proprietary", "licence, value: CC0-1.0"),
    ],
    "PRV004": [ALL_PERSONAL, MARKED],
    "PRV006": [
        [*ALL_PERSONAL, *in_contract("- property: retention #", "- property: throughput #")],
        [
            *ALL_PERSONAL,
            *in_contract("- property: retention #", "- property: throughput #"),
            *level("{property: retention, value: 1000, unit: rows}"),
        ],
        [*ALL_PERSONAL, *level("{property: retention, value: 30, unit: y}")],
    ],
    "PRV007": [
        [
            *say("personalData", "true", "false"),
            *in_descriptor("customProperties: #", "customProperties:\n  - {property: legalBasis, value: because} #"),
        ],
    ],
    "PRV008": [
        in_contract("- name: cancelled", "- name: email"),
        in_contract("- name: cancelled", "- name: contactEmail"),
        in_contract("- name: cancelled", "- name: pilot_date_of_birth"),
        [Change(FLIGHTS, "- name: tailnum", "- name: iban")],
    ],
    "PRV014": [
        [
            Change(FLIGHTS, "licence, value: CC0-1.0", "licence, value: proprietary"),
            *say("licence", "CC0-1.0", "proprietary"),
        ]
    ],
    "PRV015": [
        [Change(FLIGHTS, "personalData, value: false", "personalData, value: unknown")],
        [Change(FLIGHTS, "  - {property: licence, value: CC0-1.0}\n", "")],
    ],
    "INO002": [
        column("logicalType: integer; physicalType: VARCHAR"),
        column("logicalType: integer; physicalType: INT8"),
        column("logicalType: number; physicalType: DECIMAL"),
        [Change(FLIGHTS, "logicalType: integer", "logicalType: string")],
    ],
    "INO003": [
        in_contract("- name: cancelled", "- name: distance_km"),
        in_contract("- name: cancelled", "- name: fare_eur"),
        in_contract(
            "Share of the scheduled flights that arrived less than 15 minutes late, from 0 to 1.", "Flights in time."
        ),
    ],
    "INO004": [
        column(STAMP + "logicalTypeOptions: {timezone: true}"),
        column(STAMP + "logicalTypeOptions: {defaultTimezone: ../etc/passwd}"),
        column("logicalType: timestamp; physicalType: TIMESTAMPTZ; logicalTypeOptions: {timezone: false}"),
    ],
    "INO005": [
        column(DATE + "relationships: [{to: airlines.carrier}]"),
        column(DATE + "relationships: [{to: airports.code}]"),
        column(DATE + "relationships: [{to: schema/flights/carrier}]"),
        in_contract("    quality:\n", "    relationships: [{from: [a.b], to: [c.d, e.f]}]\n    quality:\n"),
        in_contract("    quality:\n", "    relationships: [{from: a.b, to: airlines.carrier}]\n    quality:\n"),
    ],
    "INO006": [
        in_contract("domain: aviation", "authoritativeDefinitions: [{type: blog, url: https://a.b}]\ndomain: aviation")
    ],
    "INO007": [
        column(DATE + "examples: [2013-13-01]"),
        column(DATE + "examples: [20130101.5]"),
        column(WHOLE + "logicalTypeOptions: {maximum: 5}; examples: [6]"),
        column(REAL + "logicalTypeOptions: {exclusiveMinimum: 0}; examples: [0]"),
        column(TEXT + "examples: [12]"),
        column(TEXT + "logicalTypeOptions: {maxLength: 2}; examples: [abc]"),
        column(TEXT + "logicalTypeOptions: {minLength: 2}; examples: [a]"),
        column("logicalType: boolean; physicalType: BOOLEAN; examples: [1]"),
        column(WHOLE + "examples: [true]"),
        column('logicalType: time; physicalType: TIME; examples: ["25:00"]'),
    ],
    "INO008": [
        column(WHOLE + "logicalTypeOptions: {minimum: 5, maximum: 4}"),
        column(WHOLE + "logicalTypeOptions: {exclusiveMinimum: 5, maximum: 5}"),
        column(DATE + 'logicalTypeOptions: {minimum: "2013-02-30"}'),
        column(DATE + 'logicalTypeOptions: {minimum: "2014-01-01", maximum: "2013-01-01"}'),
        column(TEXT + "logicalTypeOptions: {minLength: 3, maxLength: 2}"),
        column(TEXT + "logicalTypeOptions: {pattern: '(?=look)ahead'}"),
        column(TEXT + "logicalTypeOptions: {format: mail}"),
        column(REAL + "logicalTypeOptions: {minimum: .inf}"),
    ],
    "INO009": [
        column("logicalType: object; physicalType: STRUCT(a INTEGER)"),
        column("logicalType: array; physicalType: VARCHAR[]; items: {name: a}"),
    ],
    "INO011": [in_descriptor("content: observability", "content: observation")],
    "INO012": [level("{property: Retention, value: 1, unit: d}"), level("{property: freshnes, value: 1, unit: h}")],
    "INO013": [
        level("{property: latency, value: 1}"),
        level("{property: latency, value: 1, unit: m}"),
        level("{property: latency, value: 0, unit: d}"),
        level('{property: ly, value: "1", unit: d}'),
        level("{property: latency, value: true, unit: d}"),
        level("{property: latency, value: .nan, unit: d}"),
        level("{property: availability, value: 101, unit: percent}"),
        level("{property: av, value: 99}"),
        level("{property: endOfSupport, value: soon}"),
        level("{property: endOfSupport, value: 2031}"),
        level("{property: throughput, value: 5}"),
        level("{property: timeOfAvailability, value: '06:00'}"),
        level("{property: retention, value: 0, unit: rows}"),
        level("{property: re, value: 1000, unit: percent}"),
        level("{property: re, value: 1000, unit: rows, element: carrier_punctuality}"),
        in_contract('value: "8x5"', 'value: "9 to 5"'),
        in_contract("    unit: h\n", "    unit: h\n    driver: fun\n"),
    ],
    "INO014": [
        level("{property: latency, value: 1, unit: d, element: flights.flight_date}"),
        level("{property: latency, value: 1, unit: d, element: 'carrier, nothing'}"),
        in_contract("slaProperties:\n", "slaDefaultElement: flight_day\nslaProperties:\n"),
    ],
    "LIN002": [
        [Change(FLIGHTS, "slaProperties:\n", 'slaProperties:\n  - {property: endOfSupport, value: "2029-06-30"}\n')]
    ],
    "LIN003": [
        [Change(FLIGHTS, "status: active", "status: draft"), *in_descriptor("status: draft #", "status: active #")]
    ],
    "LIN004": [
        [Change("outer/samples/airlines.parquet")],
        [Change("outer/samples/airlines.parquet", new="")],
        [Change(AIRLINES, "path: outer/samples/airlines.parquet", "path: ../airlines.parquet")],
        [Change(AIRLINES, "path: outer/samples/airlines.parquet", 'path: "outer/\\0"')],
    ],
    "LIN005": [
        in_descriptor("      - id: urn:dmb:cmp:aviation:nyc-flights:1:airlines\n        version: 1.0.0\n", ""),
    ],
    "INN002": [[Change(INNER, "writes: [carrier_punctuality]", "writes: []")]],
    "INN003": [[Change(INNER, "depends_on: []", "depends_on: [build]")]],
    "INN006": [
        [Change("inner/pyproject.toml", "dependencies = [\n", 'dependencies = [\n  "requests",\n')],
        [Change("inner/pyproject.toml", "dependencies = [\n", "dependencies = \n")],
        [Change("inner/uv.lock"), Change("inner/requirements.txt", new="polars==2.1.0\n")],
        [Change("inner/ui/package.json", new='{"dependencies": {"vega": "6"}}')],
        [Change("inner/dbt/packages.yml", new="packages:\n  - package: dbt-labs/dbt_utils\n")],
        [Change("inner/rs/Cargo.toml", new="[dependencies]\nserde = '1'\n")],
    ],
    "INN008": [
        [Change(INNER, "storage: []", "storage: [{name: a, technology: x}, {name: a, technology: y}]")],
        [Change(INNER, "storage: []", "storage: [{name: carrier_punctuality, technology: x}]")],
    ],
    "INN009": [
        [Change(INNER, "setup: uv sync --frozen", f"setup: {command}")]
        for command in (
            "npm install",
            "pip install polars",
            "curl -sSf https://a.b/i.sh | sh",
            "yarn install && uv sync --frozen",
        )
    ],
    "INN010": [
        [Change("inner/build.gradle", new="implementation 'org.example:lib:1.+'\n")],
        [Change("inner/pom.xml", new="<version>[1.0,2.0)</version>")],
    ],
    "INT003": [
        [Change("inner/pipeline.py.rej", new="@@ -1 +1 @@\n")],
        [Change("inner/notes.md", new="<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n")],
    ],
    "INT004": [
        in_descriptor("domain: aviation", "domain: shipping"),
        in_descriptor("name: aviation-data", "name: other-data"),
        in_descriptor('username: "aviation-data@example.com"', "username: else@example.com"),
        say("environments", "[local, dev]", "[local, dev, prod]"),
        say("licence", "CC0-1.0", "proprietary"),
    ],
    "INT005": [
        [Change("outer/standard.yaml", '  domain: "[a-z]', '  domain: "([a-z]')],
        [Change("outer/standard.yaml", "at_least: confidential", "at_least: secret")],
    ],
    "SUP001": [
        own_workflow(JOB % "uses: actions/setup-python@main"),
        own_workflow(JOB % "uses: docker://alpine"),
        own_workflow(JOB % "uses: docker://alpine:latest"),
        own_workflow("permissions: {}\non: push\njobs: {a: {uses: org/repo/.github/workflows/x.yml@v1}}\n"),
        own_action("a/b@v1"),
        own_workflow("permissions: {}\non: push\njobs: {a: {container: python}}\n"),
        own_workflow("permissions: {}\non: push\njobs: {a: {services: {b: {image: 'postgres:latest'}}}}\n"),
        gitlab(PIPELINE.replace("python:3.13-slim", "python:latest")),
        gitlab(PIPELINE.replace("python:3.13-slim", "python")),
        gitlab(PIPELINE + "image: {name: registry.example.com:5000/tools}\n"),
        gitlab(PIPELINE + "services: [postgres]\n"),
        gitlab(PIPELINE + "include: [{remote: 'https://a.b/c.yml'}]\n"),
        gitlab(PIPELINE + "include: [{project: a/b, file: c.yml}]\n"),
        gitlab(PIPELINE + "include: {component: gitlab.com/a/b@~latest}\n"),
        [Change("inner/ci.gitlab-ci.yml", new="a: {image: 'python:latest', script: [make]}\n")],
        [Change("inner/.pre-commit-config.yaml", new="repos: [{repo: https://a.b/c, rev: main, hooks: []}]\n")],
    ],
    "SUP002": [
        in_workflow("      contents: read", "      contents: read\n  other:\n    permissions: write-all #"),
        own_workflow("on: push\njobs: {a: {steps: []}}\n"),
    ],
    "SUP003": [
        own_workflow((JOB % CHECKOUT).replace("on: pull_request", "on: [push, pull_request_target]")),
        own_workflow(
            (JOB % f"{CHECKOUT}\n        with: {{ref: '${{{{ github.event.workflow_run.head_sha }}}}'}}").replace(
                "on: pull_request", "on: {workflow_run: {workflows: [a]}}"
            )
        ),
    ],
    "SUP004": [
        in_workflow(GATE, f"{GATE}\n        continue-on-error: true"),
        in_workflow(GATE, f"run: |\n          {GATE[5:]} || :"),
        in_workflow(GATE, f"{GATE} || echo failed"),
        in_workflow(GATE, "run: SKIP=outer-check pre-commit run"),
        in_workflow("    timeout-minutes: 30", "    continue-on-error: ${{ true }}\n    timeout-minutes: 30"),
        in_workflow(GATE, f"{GATE}\n        env: {{SKIP: outer-check}}"),
        in_workflow(GATE, "run: |\n          set +e\n          python3 noxfile.py"),
        own_workflow(JOB % "run: outer check --quiet; true"),
        own_workflow(JOB % "run: git commit --no-verify && nox"),
        in_workflow(GATE, f"{GATE} | tee log"),
        own_workflow(JOB % "run: outer check |& cat\n        shell: bash {0}"),
        gitlab(PIPELINE + "  allow_failure: true\n"),
        gitlab(PIPELINE.replace("-s check test", "|| true")),
        gitlab(PIPELINE + "  before_script: ['set +e']\n"),
        gitlab(PIPELINE + "variables: {SKIP: outer-check}\n"),
    ],
    "SUP005": [
        [Change(WORKFLOW)],
        in_workflow(GATE, "run: python3 noxfile.py -s test run"),
        in_workflow(GATE, "run: python3 noxfile.py --list"),
        in_workflow(GATE, "run: nox -k 'not check'"),
        in_workflow("  pull_request:\n", ""),
        in_workflow("    timeout-minutes: 30", "    if: github.actor != 'me'\n    timeout-minutes: 30"),
        in_workflow(GATE, f"{GATE}\n        if: false"),
        in_workflow("  pull_request:\n", "  pull_request: {branches-ignore: [feature/**]}\n"),
        gitlab(PIPELINE.replace("check test", "test")),
        gitlab(PIPELINE + "  when: manual\n"),
        gitlab(PIPELINE + "  rules: [{changes: [inner/**]}]\n"),
        gitlab(PIPELINE + "  only: [main]\n"),
        [*gitlab("a: {script: [make]}\n"), Change(GITLAB[1], new=PIPELINE)],
    ],
    "SUP006": [
        [Change("CODEOWNERS")],
        [Change("CODEOWNERS", new="*.md @docs\n")],
        [Change("CODEOWNERS", new="* @team\n/outer/waivers.yaml\n")],
        [Change("CODEOWNERS", new="/inner/ @team\nouter/contracts/ @team\n")],
        [Change(".github/CODEOWNERS", new="/README.md @team\n")],
        [*gitlab(PIPELINE), Change("CODEOWNERS", new="[Docs] @docs\n*.md\n")],
    ],
    "SUP007": [
        own_workflow(JOB % "run: echo ${{ github.event.issue.title }}"),
        own_workflow(JOB % "run: git checkout ${{ github.head_ref }}"),
        own_workflow(JOB % "run: echo ${{ inputs.name }}"),
        own_workflow(JOB % "run: echo ${{ toJSON(github.event.pull_request.body) }}"),
    ],
    "SUP008": [
        own_workflow("on: &a push\njobs: {}\n"),
        own_workflow("[a, b]\n"),
        gitlab(PIPELINE + "a: !reference [prove, script]\n"),
    ],
}

GOOD: dict[str, Sequence[Sequence[Change]]] = {
    "IDN008": [in_contract("- name: flights", "- name: order_count")],
    "VER005": [
        [*in_descriptor("status: draft #", "status: retired #"), *in_contract("status: draft", "status: retired")]
    ],
    "VER006": [
        [
            *in_contract("status: draft", "status: deprecated"),
            *level('{property: es, value: "2031-01-01"}'),
            *in_contract("customProperties:\n", "customProperties:\n  - {property: successor, value: none}\n"),
        ],
    ],
    "VER007": [
        level('{property: endOfSupport, value: "2030-01-01"}'),
        [*level('{property: endOfSupport, value: "2020-01-01"}'), *in_contract("status: draft", "status: retired")],
    ],
    "VER008": [in_contract("version: 1.0.0", "version: 0.9.0"), in_contract("version: 1.0.0", "version: 1.0.0-rc.1")],
    "VER009": [in_descriptor("status: draft #", "deprecated: false\nstatus: draft #")],
    "OWN004": [in_contract('username: "aviation-data@example.com"', "username: First.Last+tag@mail.example.co.uk")],
    "OWN006": [in_descriptor("role: owner", 'role: owner\n      dateIn: "2020-02-01"\n      dateOut: "2030-01-01"')],
    "DES008": [
        in_contract("description: Scheduled flights that never departed.", "description: Cancelled flights."),
        in_contract(
            "description: Scheduled flights that never departed.", "description: What we have to do by tomorrow."
        ),
    ],
    "REF006": [in_contract("roles:\n", "roles:\n  - {role: writer, access: write, description: a}\n")],
    "REF007": [
        in_contract('url: "mailto:aviation-data@example.com"', 'url: "https://example.com/a?b=c#d"'),
        in_contract('url: "mailto:aviation-data@example.com"', 'url: "slack://channel?id=1"'),
        in_contract('url: "mailto:aviation-data@example.com"', 'url: "mailto:a@b.example?subject=Hi"'),
    ],
    "REA008": [column(TEXT + 'examples: [""]')],
    "REA009": [[Change("outer/contracts/output/README.md", new="# Contracts\n")]],
    "CON005": [
        [
            *in_contract("        primaryKey: true\n        primaryKeyPosition: 2\n", ""),
            *in_contract("        primaryKeyPosition: 1\n", ""),
        ],
    ],
    "CON015": [server("${A:-x}/${B:-y}/current/a.parquet"), server("a..b/current/a.parquet")],
    "CON018": [[Change(AIRLINES, "${INPUT_ROOT}/airlines.parquet", "${INPUT_ROOT}/airlines")]],
    "QUA001": [
        quality("{name: a, metric: rowCount, mustBeBetween: [1, 5]}"),
        quality("{name: a, type: text, description: b}"),
        quality("{name: a, metric: duplicateValues, mustBe: 0, arguments: {properties: [carrier, flight_date]}}"),
        column(DATE + "quality: [{metric: nullValues, mustBe: 0, unit: percent}]"),
    ],
    "QUA002": [
        quality("{name: a, metric: rowCount, mustBeLessThan: 1}"),
        quality("{name: a, metric: rowCount, mustNotBe: 0}"),
        quality("{name: a, metric: rowCount, mustBeBetween: [0, 1000000]}"),
        quality(
            "{name: a, metric: duplicateValues, arguments: {properties: [carrier]}, unit: percent, mustBeLessThan: 0.5}"
        ),
        quality("{name: a, type: sql, query: 'SELECT min(mean_dep_delay_min) FROM {object}', mustBeGreaterThan: -90}"),
    ],
    "QUA004": [
        quality(f"{{name: a, type: sql, mustBe: 0, query: {json.dumps(query)}}}")
        for query in (
            "select count(*) from {table} where carrier = 'DELETE; drop' and lower(airline) <> 'set' -- it's",
            "SELECT count(*) FROM carrier_punctuality WHERE no_such_column > 1",  # left to the engine
            "SELECT count(*) FROM {object} WHERE flight_date < DATE '2013-01-01' OR Flights BETWEEN 1 AND cancelled",
            'SELECT count(*) FROM {object} t WHERE t."update" = 1;',
            "WITH days AS (SELECT flight_date FROM {object}) SELECT count(*) FROM days",
            "SELECT count(*) FROM {object} WHERE CAST(flights AS hugeint) > 1",
        )
    ],
    "QUA005": [
        in_contract(
            "physicalType: VARCHAR\n        description: Airline, as",
            "physicalType: VARCHAR\n        criticalDataElement: true\n        description: Airline, as",
        ),
    ],
    "PRV003": [in_contract("classification: internal", "classification: public")],
    "PRV004": [[*ALL_PERSONAL, *MARKED]],
    "PRV005": [
        [*MARKED, *in_contract("    access: read\n", "    access: read\n    firstLevelApprovers: a@b.example\n")],
        [*MARKED, *in_contract("    access: read\n", "    access: write\n")],
        property_of_column(PERSONAL + "]\n        encryptedName: airline_encrypted\n        tags: [a"),
    ],
    "PRV006": [ALL_PERSONAL, [*ALL_PERSONAL, *level("{property: re, value: 1000, unit: rows}")]],
    "PRV007": [
        [
            *say("personalData", "true", "false"),
            *in_descriptor("customProperties: #", "customProperties:\n  - {property: legalBasis, value: consent} #"),
        ],
    ],
    "PRV008": [
        in_contract("- name: cancelled", "- name: phoneme"),
        in_contract("- name: cancelled", "- name: emails_sent"),
        in_contract("- name: cancelled", "- name: address"),
        [
            *in_contract("- name: airline\n", "- name: street_name\n"),
            *property_of_column("{property: personalData, value: false}"),
        ],
        [*in_contract("- name: airline\n", "- name: street_name\n"), *MARKED],
    ],
    "PRV010": [
        [
            Change(FLIGHTS, "personalData, value: false", "personalData, value: true"),
            *in_contract(
                "customProperties:\n",
                "customProperties:\n  - {property: personalDataRemoved, value: Counted by day.}\n",
            ),
        ],
    ],
    "PRV012": [
        [
            Change(
                FLIGHTS,
                "personalData, value: false}",
                "personalData, value: true}\n  - {property: syntheticSample, value: true}",
            )
        ],
    ],
    "PRV014": [say("licence", "CC-BY-4.0", "proprietary")],
    "INO002": [
        column("logicalType: string; physicalType: varchar( 20 )"),
        column("logicalType: number; physicalType: NUMERIC(10, 2)"),
        column("logicalType: integer; physicalType: DECIMAL(10,0)"),
        column("logicalType: number; physicalType: INT32"),
        column("logicalType: array; physicalType: VARCHAR[]"),
        column("logicalType: string; physicalType: JSON"),
    ],
    "INO003": [
        in_contract("Mean delay at departure, in minutes,", "Smallest delay"),
        [*in_contract("- name: airline\n", "- name: airline_km\n")],  # text has no unit
    ],
    "INO004": [
        column("logicalType: timestamp; physicalType: TIMESTAMPTZ"),
        column(STAMP + "logicalTypeOptions: {defaultTimezone: Etc/UTC}"),
        column(STAMP + "logicalTypeOptions: {defaultTimezone: UTC}"),
    ],
    "INO005": [
        in_contract(
            "physicalType: VARCHAR\n        description: Airline, as",
            "physicalType: VARCHAR\n        relationships: [{to: [airlines.carrier]}, {to: flights.carrier}]\n"
            "        description: Airline, as",
        ),
        in_contract(
            "physicalType: VARCHAR\n        description: Airline, as",
            "physicalType: VARCHAR\n        relationships: [{to: /schema/airlines/properties/carrier}, "
            "{to: contracts/airlines.v1.odcs.yaml#/schema/airlines/properties/carrier}]\n"
            "        description: Airline, as",
        ),
        in_contract(
            "    quality:\n",
            "    relationships: [{from: carrier_punctuality.carrier, to: airlines.carrier}]\n    quality:\n",
        ),
    ],
    "INO006": [
        in_contract(
            "domain: aviation", "authoritativeDefinitions: [{type: ontology, url: https://a.b}]\ndomain: aviation"
        )
    ],
    "INO007": [
        column(STAMP + 'examples: ["2013-01-01T06:00:00+01:00", "2013-01-01 06:00"]'),
        column(REAL + "examples: [1, 1.5, -2e3]"),
        column("logicalType: array; physicalType: VARCHAR[]; examples: [[a, b]]"),
        column(TEXT + "logicalTypeOptions: {pattern: b, maxLength: 3}; examples: [abc]"),
    ],
    "INO008": [
        column(WHOLE + "logicalTypeOptions: {minimum: 5, maximum: 5}"),
        column(WHOLE + "logicalTypeOptions: {minimum: 0.5}"),
        column(DATE + 'logicalTypeOptions: {minimum: "2013-01-01", format: yyyy-MM-dd}'),
    ],
    "INO013": [
        level("{property: latency, value: 1.5, unit: Hours}"),
        level("{property: frequency, value: 15, unit: min}"),
        level("{property: errorRate, value: 0, unit: percent}"),
        level("{property: re, value: 1000, unit: rows}"),
        level("{property: ga, value: '2030-01-31T08:00:00Z'}"),
        in_contract('value: "8x5"', 'value: "24x7"'),
        level("{property: timeOfAvailability, value: '06:00 +01:00'}"),
        level("{property: latency, value: 1, unit: d, driver: regulatory}"),
    ],
    "INO014": [
        level("{property: latency, value: 1, unit: d, element: 'carrier_punctuality.flight_date, carrier'}"),
        in_contract("slaProperties:\n", "slaDefaultElement: carrier_punctuality.flight_date\nslaProperties:\n"),
    ],
    "LIN001": [
        in_descriptor("contractId: urn:dmb:cmp:aviation:nyc-flights:1:flights", "contractId: urn:example:flights")
    ],
    "LIN002": [
        [Change(FLIGHTS, "slaProperties:\n", 'slaProperties:\n  - {property: endOfSupport, value: "2030-06-30"}\n')]
    ],
    "LIN006": [[Change(AIRLINES, "  name: nyc-flights\n", "")]],
    "INN004": [[Change(INNER, "setup: uv sync", "setup: uv sync 2>/dev/null; uv sync")]],
    "INN006": [
        [Change("inner/uv.lock"), Change("inner/requirements.txt", new="polars==2.1.0 --hash=sha256:00\n")],
        [Change("inner/ui/package.json", new='{"dependencies": {}}')],
        [Change("inner/tool/pyproject.toml", new="[tool.ruff]\nline-length = 100\n")],
        [Change("inner/.venv/lib/pyproject.toml", new='[project]\nname = "x"\ndependencies = ["y"]\n')],
        [Change("inner/env/pyvenv.cfg", new=""), Change("inner/env/package.json", new='{"dependencies": {"a": "1"}}')],
    ],
    "INN009": [
        [Change(INNER, "setup: uv sync --frozen", f"setup: {command}")]
        for command in (
            "uv sync --locked",
            "npm ci",
            "pip install --require-hashes -r r.txt",
            "pip install -r r.txt",
            "make",
        )
    ],
    "INN010": [
        [Change("inner/pom.xml", new="<version>1.2.3</version>")],
        [Change("inner/build.gradle", new="x 'a:b:1.+'\n"), Change("inner/gradle.lockfile", new="")],
    ],
    "INT003": [[Change("inner/notes.md", new="Title\n=======\n\ntext <<<<<<< in a line\n")]],
    "SUP001": [
        own_workflow(JOB % CHECKOUT),
        own_workflow(JOB % "uses: ./.github/actions/x"),
        own_action("a/b@" + "0" * 40),
        own_workflow(JOB % f"uses: docker://alpine@sha256:{'0' * 64}"),
        own_workflow(JOB % "uses: docker://alpine:3.20"),
        gitlab(PIPELINE + "services: ['postgres:17', {name: 'redis:8'}]\ninclude: [local.yml, {local: a.yml}]\n"),
        gitlab(PIPELINE + "image: $IMAGE\ninclude: [{project: a/b, ref: v1.2.0, file: c.yml}]\n"),
    ],
    "SUP002": [own_workflow("on: push\njobs: {a: {permissions: {}, steps: []}}\n")],
    "SUP003": [own_workflow((JOB % "run: echo hi").replace("on: pull_request", "on: pull_request_target"))],
    "SUP004": [
        own_workflow(JOB % "run: rm -r old || true"),
        own_workflow(JOB % "run: make\n        continue-on-error: true"),
        gitlab(PIPELINE + "lint: {script: [make || true], allow_failure: true}\n"),
        in_workflow(GATE, f"{GATE}\n        continue-on-error: false"),
        gitlab(PIPELINE + "  after_script: ['rm -r old || true']\n"),
        in_workflow(GATE, f"{GATE} | tee log\n        shell: bash"),
        in_workflow(GATE, f"run: |\n          set -o pipefail\n          {GATE[5:]} | tee log"),
        own_workflow((JOB % "run: nox | cat").replace("jobs:", "defaults: {run: {shell: bash}}\njobs:")),
        gitlab(PIPELINE.replace("-s check test", "-s check test | cat")),
    ],
    "SUP005": [
        in_workflow(GATE, "run: python3 noxfile.py"),
        in_workflow(GATE, "run: outer check && outer test"),
        in_workflow("  pull_request:\n", "  pull_request: {types: [opened, synchronize, reopened]}\n"),
        in_workflow("on:\n", "on: [push, pull_request]\nname2:\n"),
        gitlab(PIPELINE),
        gitlab(PIPELINE + "  when: always\n"),
        [
            *in_workflow("  pull_request:\n", "  pull_request: {paths: [inner]}\n"),
            *own_workflow(JOB % "run: nox -s check"),
        ],
    ],
    "SUP006": [
        [Change("CODEOWNERS", new="* @team # all of it\n")],
        [Change("CODEOWNERS", new="outer @org/team\n")],
        [Change("CODEOWNERS", new="/outer/** a@b.example\n")],
        [Change("CODEOWNERS", new="**/outer/ @team\n")],
        [*gitlab(PIPELINE), Change("CODEOWNERS", new="^[All][2] @team\n/outer/\n")],
    ],
    "SUP007": [
        own_workflow(JOB % "run: echo ${{ github.event.pull_request.number }} ${{ github.sha }}"),
        own_workflow(JOB % "run: echo \"$TITLE\"\n        env: {TITLE: '${{ github.event.issue.title }}'}"),
    ],
}


@pytest.mark.parametrize(("rule", "changes"), cases(BAD))
def test_a_rule_finds_what_breaks_it(rule: str, changes: Sequence[Change], product: Path) -> None:
    for change in changes:
        change.apply(product)
    assert findings(product, rule)


@pytest.mark.parametrize(("rule", "changes"), cases(GOOD))
def test_a_rule_lets_pass_what_only_looks_like_breaking_it(rule: str, changes: Sequence[Change], product: Path) -> None:
    for change in changes:
        change.apply(product)
    assert findings(product, rule) == ()


# --- What no text of an example can show ----------------------------------------------------------


def git(folder: Path, *arguments: str) -> None:
    """Run git; a merge that ends in conflicts is what some tests want."""
    own = {"GIT_AUTHOR_DATE": "2030-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2030-01-01T00:00:00Z"}
    subprocess.run(("git", *arguments), cwd=folder, check=False, capture_output=True, env={**os.environ, **own})


def conflict(root: Path) -> None:
    """Leave the merge of README.md unfinished, without a marker in the file."""
    git(root, "branch", "ours")
    for branch in ("theirs", "ours"):
        git(root, "checkout", "-q", *(["-b"] if branch == "theirs" else []), branch)
        (root / "README.md").write_text(f"{branch}\n")
        git(root, "commit", "-qam", branch)
    git(root, "merge", "theirs")
    (root / "README.md").write_text("ours, edited without a word to git\n")


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_merge_that_git_knows_to_be_unfinished_is_a_finding(version: str, product: Path) -> None:
    git(product, "update-index", "--index-version", version)
    assert findings(product, "INT003") == ()
    conflict(product)
    assert [(f.path, f.place.line) for f in findings(product, "INT003")] == [("README.md", 1)]


def test_an_unfinished_merge_is_found_in_a_worktree(product: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(product, "worktree", "add", "-q", str(tree), "-b", "tree")
    conflict(tree)
    assert [f.path for f in findings(tree, "INT003")] == ["README.md"]
    assert findings(product, "INT003") == ()


def test_an_unfinished_merge_is_found_in_a_product_that_is_a_folder_of_a_repository(
    product: Path, tmp_path: Path
) -> None:
    shutil.rmtree(product / ".git")
    for name in ("one", "two"):
        shutil.copytree(product, tmp_path / "all" / name)
    git(tmp_path / "all", "init", "-q")
    git(tmp_path / "all", "add", "-A")
    git(tmp_path / "all", "commit", "-qm", "All")
    conflict(tmp_path / "all" / "one")
    assert [f.path for f in findings(tmp_path / "all" / "one", "INT003")] == ["README.md"]
    assert findings(tmp_path / "all" / "two", "INT003") == ()


@pytest.mark.parametrize("index", [b"", b"DIRC", b"DIRC\0\0\0\2\xff\xff\xff\xff" + b"x" * 99, b"\0" * 500])
def test_a_broken_index_of_git_is_no_finding_and_no_failure(index: bytes, product: Path) -> None:
    (product / ".git/index").write_bytes(index)
    assert findings(product, "INT003") == ()


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


@pytest.mark.parametrize("target", ["/etc/hostname", "../../..", "nowhere/../../../x", "self"])
def test_a_link_that_leads_out_of_the_product_or_in_a_circle_is_a_finding(target: str, product: Path) -> None:
    link(product, "inner/self", target)
    assert [f.path for f in findings(product, "INN004")] == ["inner/self"]


def test_a_link_within_the_product_is_none(product: Path) -> None:
    link(product, "inner/contracts", "../outer/contracts")
    assert findings(product, "INN004") == ()


SECRETS = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE",
    "a key of AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "a token of GitHub": "ghp_" + "a1" * 18,
    "a token of GitLab": "glpat-" + "Zx9" * 7,
    "a token of Slack": "xoxb-" + "123456789012-abc",
    "a key of Google": "AIza" + "Sy" + "a-9" * 11,
    "a signed token (JWT)": "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 30,
    "an address with a password": "postgresql://etl:" + "Tr0ub4dor@db.example.com/x",
    "a value for `password`": 'password = "' + 'correct-horse"',
    "a value for `token`": "API_TOKEN: " + "q8Kx-71hfPz0",
    "a value for `secret`": "client_secret='" + "aB3$dE6&gH9'",
}


@pytest.mark.parametrize(("what", "text"), SECRETS.items(), ids=SECRETS)
def test_a_secret_is_found_and_never_repeated(what: str, text: str, product: Path) -> None:
    (product / "inner/settings.cfg").write_text(f"# settings\n\n{text}\n")
    (finding,) = findings(product, "INN005")
    assert (finding.path, finding.place.line, finding.message) == ("inner/settings.cfg", 3, f"here stands {what}")


@pytest.mark.parametrize("suffix", [".py", ".cfg"])
@pytest.mark.parametrize(
    "text",
    [
        'password = "${DB_PASSWORD}"', "password: $DB_PASSWORD", "password = os.environ['DB_PASSWORD']",
        'password = ""',
        'password = "changeme"', "password=<your password>", "token: {{ vault('token') }}",
        'secret: "arn:aws:secrets:1"',
        "postgresql://user:password@localhost/db", "https://example.com:8080/a@b",
        "postgresql://etl:${PASSWORD}@db/x",
        "The password: choose a long one, Please2.", 'token_type = "carrier_punctuality"', 'tokens = ["a1B2c3D4e5"]',
        "secret_name: prod/db/reader", "AKIA is how a key begins", "-----BEGIN CERTIFICATE-----",
        'assert "password" in message', "token_url = 'https://id.example.com/T0ken'", "pwd: /data/Dir1/x",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_is_none(text: str, suffix: str) -> None:
    assert list(secrets(text.encode(), quoted=suffix == ".py")) == []


def test_secrets_are_looked_for_where_they_would_be_committed_and_nowhere_else(product: Path) -> None:
    text = f"{SECRETS['a token of GitHub']}\n"
    for path in (".env", "data/local/x.txt", "inner/.venv/x.txt", "inner/node_modules/x.txt", "inner/big.txt"):
        (product / path).parent.mkdir(parents=True, exist_ok=True)
        (product / path).write_text(text * (30_000 if path == "inner/big.txt" else 1))
    (product / "inner/binary").write_bytes(b"\0" + text.encode())
    assert findings(product, "INN005") == ()
    committed = {"README.md", "outer/waivers.yaml", ".github/x.txt", ".devcontainer/x.txt", "inner/.streamlit/x.toml"}
    for path in committed:
        (product / path).parent.mkdir(parents=True, exist_ok=True)
        (product / path).write_text(text)
    found = check(load(product), TODAY, (BY_ID["INN005"],)).findings
    assert {f.path for f in found} == committed


def test_a_product_with_too_many_files_is_not_taken_for_searched(
    product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outer.rules.files.MOST", 10)
    (finding,) = findings(product, "INN005")
    assert "not all of them were searched" in finding.message
    for rule in ("INN006", "INN010", "INT003"):
        assert findings(product, rule) == ()


def test_links_are_counted_too(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outer.rules.files.MOST", len(list(own_files(product))) + 1)
    link(product, "inner/one", "inner.yaml")
    assert findings(product, "INN005") == ()
    link(product, "inner/two", "inner.yaml")
    (finding,) = findings(product, "INN005")
    assert "not all of them were searched" in finding.message


@pytest.mark.parametrize("path", ["outer/standard.yaml", ".copier-answers.yml", INNER, WAIVERS, DESCRIPTOR, CONTRACT])
def test_no_rule_fails_when_a_file_that_it_reads_is_missing(path: str, product: Path) -> None:
    (product / path).unlink()
    result = check(load(product), TODAY)
    assert not result.crashed
    assert "REA002" in {f.rule for f in result.findings}


def test_patterns_of_a_file_are_matched_in_linear_time() -> None:
    """With Python's own engine this one would take longer than the universe has existed."""
    assert matches("^(a+)+$", "a" * 10_000 + "b") is False
    assert matches("(", "a") is None


def test_a_finding_in_another_file_names_the_place_there(product: Path) -> None:
    for change in level('{property: latency, value: 1, unit: d, element: "a\\nb"}'):
        change.apply(product)
    (finding,) = findings(product, "INO014")
    lines = (product / CONTRACT).read_text().splitlines()
    assert "element" in lines[finding.place.line - 1]
    assert "\n" not in finding.message


PENDING_TEXT = f"{PENDING} what it is for."


def test_a_text_that_the_team_still_has_to_write_counts_once_its_promise_is_active(product: Path) -> None:
    for path, old in ((CONTRACT, "  usage: One row"), (DESCRIPTOR, "  usage: Read")):
        Change(path, old, f"  usage: {PENDING_TEXT} #").apply(product)
    port = "    description: Punctuality of each airline"
    Change(DESCRIPTOR, port, f"    description: {PENDING_TEXT} #").apply(product)
    assert findings(product, "DES008") == ()
    Change(DESCRIPTOR, "status: draft #", "status: active #").apply(product)
    # The port is not promised as long as its contract is a draft.
    assert [(f.path, f.level) for f in findings(product, "DES008")] == [(DESCRIPTOR, Level.ERROR)]
    Change(CONTRACT, "status: draft", "status: active").apply(product)
    assert [f.path for f in findings(product, "DES008")] == [CONTRACT, DESCRIPTOR, DESCRIPTOR]


@pytest.mark.parametrize("path", [DESCRIPTOR, STANDARD, INNER, WAIVERS, ANSWERS, CONTRACT, FLIGHTS])
def test_a_file_that_cannot_be_read_is_one_finding_and_not_many(path: str, product: Path) -> None:
    (product / path).write_text("a: [\n")
    found = {f.rule for f in check(load(product), TODAY).findings}
    assert found == ({"REA001", "INT001"} if path == STANDARD else {"REA001"})


@pytest.mark.parametrize("path", [DESCRIPTOR, STANDARD, INNER, WAIVERS, ANSWERS])
def test_a_file_that_is_not_there_is_one_finding_and_not_many(path: str, product: Path) -> None:
    (product / path).unlink()
    found = {f.rule for f in check(load(product), TODAY).findings}
    assert found == ({"REA002", "INT001"} if path == STANDARD else {"REA002"})


def test_a_file_that_cannot_be_read_is_explained_once(product: Path) -> None:
    (product / CONTRACT).write_text("a: [\n")
    (finding,) = check(load(product), TODAY, (BY_ID["REA001"],)).findings
    assert finding.message.endswith("; mend the syntax at this place")
    assert "mend" not in finding.todo.casefold()


def test_a_file_that_is_too_large_is_told_the_limit_in_mib(product: Path) -> None:
    (product / CONTRACT).write_text("#" * (1024 * 1024 + 1))
    (finding,) = check(load(product), TODAY, (BY_ID["REA001"],)).findings
    assert "larger than 1 MiB" in finding.message


def test_rules_that_the_engine_applies_share_one_check() -> None:
    assert BY_ID["BAS003"].check is BY_ID["WAI004"].check
