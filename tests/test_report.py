"""Reports of `outer check`: the same findings, readable for people and for every machine that asks."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import jsonschema_rs
import pytest
from markdown_it import MarkdownIt

import suite_repo
from outer import cli, report
from outer.baseline import Baseline, Entry
from outer.check import Report, check
from outer.finding import Finding, Level, fingerprints
from outer.metrics import Metric, metrics
from outer.product import DESCRIPTOR, File, load
from outer.report import View, hosts, markdown, sarif
from outer.rule import Change, Rule, Scope
from outer.rules import BY_ID
from outer.waivers import Waiver
from outer.yamlfile import Document, Place

TODAY = date(2030, 1, 1)
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
MARKS = "<img src=x onerror=alert(1)> [click](https://evil.example) | `x` @team"
HOSTILE = f"\x1b[31mred\r\n::error::planted%0A {MARKS} \ufffe\ud800"


def made(name: str, **life: Any) -> Rule:
    return Rule(name, f"Title of {name}.", "Why.", "Do it.", Scope.COLUMN, Change("x"), lambda _: iter(()), **life)


RULES = (made("CON901"), made("CON902", level=Level.WARNING), made("OWN901"), made("VER901", level=Level.INFO))


def finding(rule: str, line: int = 3, **other: Any) -> Finding:
    level = next(r.level for r in RULES if r.id == rule)
    values: dict[str, Any] = {"path": CONTRACT, "message": f"what {rule} found", **other}
    return Finding(rule, level, place=Place(line, 7), todo="Do it.", **values)


def a_report(*findings: Finding, **other: Any) -> Report:
    values: dict[str, Any] = {
        "findings": findings,
        "judged": tuple((rule, 5) for rule in RULES),
        "objects": 20,
        "crashed": (),
        "as_of": TODAY,
        **other,
    }
    return Report(**values)


def a_mixed_report() -> Report:
    """Every level, one finding waived and one in the baseline."""
    waiver = Waiver(0, "OWN901", "outer/*", "Being appointed.", "a@example.com", "b@example.com", date(2030, 1, 10))
    baseline = Baseline(
        File("outer/baseline.yaml", Document({}, {})), "c@example.com", TODAY, date(2030, 3, 1),
        (Entry(0, "CON901", CONTRACT, "0", "old"),),
    )  # fmt: skip
    return a_report(
        finding("CON901", 3),
        finding("CON902", 4),
        finding("VER901", 5, path=DESCRIPTOR),
        finding("OWN901", 6, path=DESCRIPTOR, waived="Being appointed."),
        finding("CON901", 9, message="old", waived="in the baseline until 2030-03-01", baselined=True),
        waivers=(waiver,),
        baseline=baseline,
    )


def hostile() -> Report:
    return a_report(
        finding("CON901", message=HOSTILE, path=f"outer/contracts/output/{HOSTILE}.odcs.yaml"),
        finding("OWN901", message=HOSTILE, waived=HOSTILE),
    )


# --- text -----------------------------------------------------------------------------------------


def test_text_groups_findings_by_file_and_ends_with_how_much_was_judged() -> None:
    assert (
        report.text(a_mixed_report(), colour=False)
        == f"""\
{CONTRACT}
  error    CON901  what CON901 found
                   at  {CONTRACT}:3:7
                   do  Do it.

  warning  CON902  what CON902 found
                   at  {CONTRACT}:4:7
                   do  Do it.

{DESCRIPTOR}
  info     VER901  what VER901 found
                   at  {DESCRIPTOR}:5:7
                   do  Do it.

accepted for a time
  OWN901  outer/*: Being appointed.
          9 days left, ends 2030-01-10; owner a@example.com, approved by b@example.com

fail: 1 error, 1 warning, 1 note, 1 waived, 1 in the baseline (4 rules on 20 objects, as of 2030-01-01)"""
    )


def test_verbose_text_names_the_reference_all_waivers_and_the_baseline_with_days_left() -> None:
    text = report.text(a_mixed_report(), colour=False, verbose=True)
    assert "docs/reference/rules.md#con901" in text
    assert "accepted OWN901" in text
    assert "9 days left" in text
    assert "baseline of 2030-01-01: 1 finding" in text
    assert "59 days left" in text


def test_green_text_is_one_line_and_nothing_when_quiet() -> None:
    assert report.text(a_report(), colour=False) == "pass: 0 errors (4 rules on 20 objects, as of 2030-01-01)"
    assert report.text(a_report(), colour=False, quiet=True) == ""


def test_a_report_of_a_rule_that_failed_itself_is_no_pass() -> None:
    crashed = a_report(crashed=(("CON901", "ZeroDivisionError: oops"),))
    assert not crashed.passed
    assert "fail: 0 errors, 1 rule failed" in report.text(crashed, colour=False)


def test_text_is_folded_to_the_terminal_and_loses_no_word() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    text = report.render(a_report(finding("CON901", message=words)), "text", View(width=80))
    assert all(len(line) <= 80 for line in text.splitlines()[1:6])
    assert re.findall(r"word\d+", text) == words.split()


def test_text_from_files_never_steers_the_terminal() -> None:
    for verbose in (False, True):
        text = report.text(hostile(), colour=False, verbose=verbose)
        assert "\x1b" not in text
        assert "\r" not in text
        assert not any(line.startswith("::") for line in text.splitlines())


# --- JSON -----------------------------------------------------------------------------------------


def test_json_says_format_counts_findings_waivers_and_baseline() -> None:
    content = json.loads(report.render(a_mixed_report(), "json"))
    assert content["format"] == 1
    assert not content["passed"]
    assert content["counts"] == {"error": 1, "warning": 1, "info": 1, "waived": 1, "baselined": 1}
    assert content["waivers"][0]["days_left"] == 9
    assert content["baseline"] == {
        "owner": "c@example.com", "written": "2030-01-01", "expires": "2030-03-01", "days_left": 59, "findings": 1,
    }  # fmt: skip
    first = content["findings"][0]
    assert (first["rule"], first["line"], first["column"]) == ("CON901", 3, 7)
    assert first["reference"] == report.reference("CON901")
    assert re.fullmatch(r"[0-9a-f]{16}:1", first["fingerprint"])
    assert [entry["waived"] for entry in content["findings"][3:]] == [
        "Being appointed.", "in the baseline until 2030-03-01",
    ]  # fmt: skip


def test_json_of_hostile_text_is_ascii_and_reads_back_as_it_was() -> None:
    text = report.render(hostile(), "json")
    assert text.isascii()
    assert json.loads(text)["findings"][0]["message"] == HOSTILE


# --- SARIF ----------------------------------------------------------------------------------------


def closed(required: str, optional: str = "", **clauses: Any) -> dict[str, Any]:
    """Schema of an object with these keys and no other; `clauses` say what is in them, text where they say nothing."""
    keys = [*required.split(), *optional.split()]
    properties = {key: clauses.get(key, {"type": "string", "minLength": 1}) for key in keys}
    return {"type": "object", "additionalProperties": False, "required": required.split(), "properties": properties}


def listed(items: dict[str, Any], least: int = 0, most: int = 25_000) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, "uniqueItems": True}


LEVEL = {"enum": ["error", "warning", "note"]}
INDEX = {"type": "integer", "minimum": 0}
NUMBER = {"type": "integer", "minimum": 1}
HTTPS = {"type": "string", "pattern": "^https://[^ ]+$"}
MESSAGE = closed("text")
BAG = {"type": "object"}
RELATIVE = {"type": "string", "pattern": "^(?![/.])([A-Za-z0-9/._~-]|%[0-9A-F]{2})+$"}
REGION = closed("startLine startColumn", startLine=NUMBER, startColumn=NUMBER)
PLACE = closed("artifactLocation region", artifactLocation=closed("uri", uri=RELATIVE), region=REGION)
LOG = closed(
    "$schema version runs",
    version={"const": "2.1.0"},
    runs=listed(
        closed(
            "tool automationDetails columnKind invocations results properties",
            tool=closed(
                "driver",
                driver=closed(
                    "name fullName version semanticVersion informationUri rules",
                    informationUri=HTTPS,
                    rules=listed(
                        closed(
                            "id shortDescription fullDescription help helpUri defaultConfiguration properties",
                            shortDescription=MESSAGE,
                            fullDescription=MESSAGE,
                            help=closed("text markdown"),
                            helpUri=HTTPS,
                            defaultConfiguration=closed("level", level=LEVEL),
                            properties=closed(
                                "tags precision problem.severity since", tags=listed({"type": "string"}, 1, 10)
                            ),
                        )
                    ),
                ),
            ),
            automationDetails=closed("id"),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            invocations=listed(
                closed(
                    "executionSuccessful",
                    "toolExecutionNotifications",
                    executionSuccessful={"type": "boolean"},
                    toolExecutionNotifications=listed(
                        closed("message level", "associatedRule", message=MESSAGE, level=LEVEL, associatedRule=BAG)
                    ),
                )
            ),
            results=listed(
                closed(
                    "ruleId ruleIndex level message locations partialFingerprints",
                    "suppressions",
                    ruleIndex=INDEX,
                    level=LEVEL,
                    message=MESSAGE,
                    locations=listed(closed("physicalLocation", physicalLocation=PLACE), 1, 1),
                    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
                    suppressions=listed(
                        closed(
                            "kind status justification",
                            kind={"enum": ["inSource", "external"]},
                            status={"enum": ["accepted", "underReview", "rejected"]},
                        ),
                        1,
                    ),
                )
            ),
            properties=BAG,
        ),
        1,
        1,
    ),
)
"""The part of SARIF 2.1.0 that we write (sections 3.13 to 3.58), and what GitHub asks for besides: each key is one of
the standard, each value is of its type, and nothing else is there. The official schema is asked too."""

OFFICIAL = ("@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json")
OFFICIAL_SHA256 = "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8"
"""The one package on a registry that carries the schema of SARIF 2.1.0, and the digest of that file."""


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A validator of the schema of SARIF 2.1.0."""
    if not (npm := shutil.which("npm")):
        pytest.skip("npm, which fetches the schema of SARIF, is not installed")
    package, member = OFFICIAL
    folder = tmp_path_factory.mktemp("sarif")
    command = [npm, "pack", "--silent", package]
    name = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(folder / name) as archive, archive.extractfile(member) as file:  # type: ignore[union-attr]
        data = file.read()
    assert hashlib.sha256(data).hexdigest() == OFFICIAL_SHA256
    # By the Python library: one pattern of the schema is none to the stricter one that the gate uses.
    return jsonschema.Draft4Validator(json.loads(data))


@pytest.mark.slow
@pytest.mark.parametrize("make", ["mixed", "hostile", "crashed", "empty"])
def test_sarif_is_valid_by_the_official_schema(official: Any, make: str) -> None:
    made_of = {
        "mixed": a_mixed_report,
        "hostile": hostile,
        "crashed": lambda: a_report(crashed=(("OWN901", "ZeroDivisionError: oops"),)),
        "empty": a_report,
    }
    log = json.loads(report.render(made_of[make](), "sarif"))
    assert [f"{error.json_path}: {error.message}" for error in official.iter_errors(log)] == []
    log["runs"][0]["tool"]["driver"]["name"] = 7
    assert not official.is_valid(log), "the schema must be able to refuse"


def a_log(text: str) -> dict[str, Any]:
    """The only run of a SARIF log, after all that the standard and GitHub ask for has been looked at."""
    log = json.loads(text)
    assert [
        f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(LOG).iter_errors(log)
    ] == []
    run: dict[str, Any] = log["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(prints) == len(set(prints))
    assert all(ids[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    return run


def test_sarif_holds_open_findings_first_and_accepted_ones_suppressed_with_their_reason() -> None:
    run = a_log(report.render(a_mixed_report(), "sarif"))
    assert [(result["ruleId"], result["level"], "suppressions" in result) for result in run["results"]] == [
        ("CON901", "error", False),
        ("CON902", "warning", False),
        ("VER901", "note", False),
        ("OWN901", "error", True),
        ("CON901", "error", True),
    ]
    assert run["results"][3]["suppressions"][0]["justification"] == "Being appointed."
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_sarif_of_hostile_text_and_paths_is_valid() -> None:
    assert a_log(report.render(hostile(), "sarif"))["results"]


def test_sarif_of_a_rule_that_failed_says_that_the_run_failed() -> None:
    run = a_log(report.render(a_report(crashed=(("OWN901", "ZeroDivisionError: oops"),)), "sarif"))
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    assert "OWN901" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_stays_below_the_limit_of_github_and_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    found = [finding("CON902", line, message=f"{line}") for line in range(1, 4)] + [finding("CON901", 9)]
    run = a_log(report.render(a_report(*found), "sarif"))
    assert [result["ruleId"] for result in run["results"]] == ["CON901", "CON902"]
    assert "2 more findings" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_fingerprints_stay_when_lines_move_and_when_a_grace_period_ends() -> None:
    before = finding("CON901", 3, message="it is wrong (an error from 2030-02-01)", key="it is wrong")
    after = finding("CON901", 90, message="it is wrong", key="it is wrong")
    assert fingerprints([before]) == fingerprints([after])


def test_fingerprints_tell_findings_apart_that_say_the_same() -> None:
    names = fingerprints([finding("CON901", 3), finding("CON901", 5), finding("CON901", 5, path=DESCRIPTOR)])
    assert len(set(names)) == 3
    assert names[0].rpartition(":")[0] == names[1].rpartition(":")[0]


# --- JUnit ----------------------------------------------------------------------------------------


def test_junit_has_a_case_for_each_rule_and_fails_those_with_errors() -> None:
    mixed = a_mixed_report()
    judged = (*mixed.judged[:3], (RULES[3], 0))
    root = ElementTree.fromstring(report.render(replace(mixed, judged=judged), "junit"))  # noqa: S314 (our own)
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    assert [suite.get("name", "")[:3] for suite in root] == ["CON", "OWN", "VER"]
    failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["CON901 Title of CON901."]
    assert f"{CONTRACT}:3:7: error: what CON901 found." in (failed[0].findtext("failure") or "")
    outputs = [case.findtext("system-out") or "" for case in root.iter("testcase")]
    assert any("Accepted: Being appointed." in output for output in outputs)


def test_junit_of_a_rule_that_failed_is_an_error() -> None:
    root = ElementTree.fromstring(report.render(a_report(crashed=(("OWN901", "oops"),)), "junit"))  # noqa: S314 (our own)
    assert root.get("errors") == "1"


def test_junit_of_hostile_text_is_well_formed() -> None:
    root = ElementTree.fromstring(report.render(hostile(), "junit").encode())  # noqa: S314 (our own)
    assert root.get("failures") == "1"


# --- GitHub and GitLab ----------------------------------------------------------------------------


def test_github_shows_ten_places_of_a_level_and_says_how_many_more_there_are() -> None:
    errors = [finding("CON901", line, message=f"error {line}") for line in range(1, 14)]
    said = report.render(a_report(*errors, finding("CON902")), "github").splitlines()
    places = [line for line in said if line.startswith("::error")]
    assert len(places) == hosts.MOST_ANNOTATIONS
    assert places[-1] == "::error title=outer check::4 more findings of this level; see the log"
    assert [line for line in said if line.startswith("::warning")]
    assert f"{CONTRACT}:13:7: error: CON901: error 13" in said


def test_github_names_ten_findings_one_by_one() -> None:
    said = report.render(a_report(*(finding("CON901", line) for line in range(1, 11))), "github").splitlines()
    assert len(said) == 10
    assert all(line.startswith(f"::error file={CONTRACT},line=") for line in said)


def test_text_from_files_starts_no_command_of_github() -> None:
    many = [finding("CON901", line, message=HOSTILE, path=f"outer/{HOSTILE}") for line in range(1, 20)]
    said = report.render(a_report(*many), "github").split("\n")
    assert len(said) == 20
    assert all(line.startswith(("::error file=outer/", "::error title=", "outer/")) for line in said)
    assert not any("\r" in line or "\x1b" in line for line in said)


def test_gitlab_lists_what_nothing_accepts_with_fingerprints_of_its_own() -> None:
    listed = json.loads(report.render(a_mixed_report(), "gitlab"))
    assert [(entry["check_name"], entry["severity"]) for entry in listed] == [
        ("CON901", "major"), ("CON902", "minor"), ("VER901", "info"),
    ]  # fmt: skip
    assert listed[0]["location"] == {"path": CONTRACT, "lines": {"begin": 3}}
    assert len({entry["fingerprint"] for entry in listed}) == 3
    assert json.loads(report.render(a_report(), "gitlab")) == []


# --- Markdown -------------------------------------------------------------------------------------


def shown(text: str) -> tuple[str, list[str]]:
    """What a reader sees of Markdown as GitHub has it, and the addresses it links to."""
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable("table")
    words: list[str] = []
    links: list[str] = []
    for token in parser.parse(text):
        for inside in [token, *(token.children or [])]:
            assert not inside.type.startswith("html"), inside
            assert inside.type not in ("image", "em_open", "strong_open", "s_open")
            if inside.type == "link_open":
                links.append(str(inside.attrs["href"]))
            if inside.type in ("text", "code_inline"):
                words.append(inside.content)
    return " ".join(words), links


def test_markdown_shows_findings_what_is_accepted_and_metrics() -> None:
    view = View(metrics=(Metric("m", "A metric", 1, 2, (("column: businessName", 1),)),))
    words, links = shown(report.render(a_mixed_report(), "markdown", view))
    for expected in ("what CON902 found", "Being appointed.", "9 days left", "baseline of 2030-01-01", "50 %", "amber"):
        assert expected in words
    assert set(links) == {report.reference(rule.id) for rule in RULES}


def test_text_from_files_formats_and_links_nothing_in_markdown() -> None:
    text = report.render(hostile(), "markdown")
    words, links = shown(text)
    assert MARKS in words
    assert all(link.startswith(report.HOME) for link in links)
    assert "https://evil" not in text
    assert "@team" not in text


def test_markdown_of_many_findings_stays_short_and_says_so() -> None:
    many = [finding("CON901", line, message="x" * 300) for line in range(1, 10_000)]
    text = report.render(a_report(*many), "markdown")
    assert len(text.encode()) < 2**20
    assert f"And {9_999 - markdown.MOST_ROWS} more." in text


# --- from the command line ------------------------------------------------------------------------


@pytest.mark.parametrize("form", report.FORMATS)
def test_every_format_of_a_real_product_says_the_same(
    form: str, product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    BY_ID["OWN001"].bad.apply(product)
    assert cli.main(["check", "--format", form, "--product", str(product)]) == 1
    said = capsys.readouterr()
    assert "OWN001" in said.out
    assert form == "text" or said.err.startswith("outer: fail: 1 error")
    if form == "sarif":
        a_log(said.out)


def test_the_command_offers_exactly_the_formats_that_there_are() -> None:
    options = cli._parser().parse_args(["check", "--format", report.FORMATS[-1]])
    assert options.format == report.FORMATS[-1]
    for form in report.FORMATS:
        assert report.render(a_report(finding("CON901")), form)


def test_a_report_goes_to_a_file_and_its_outcome_to_stderr(
    product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "report.xml"
    target.write_text("old")
    arguments = ["check", "--format", "junit", "--output", str(target), "--product", str(product)]
    assert cli.main(arguments) == 0
    assert ElementTree.parse(target).getroot().tag == "testsuites"  # noqa: S314 (our own)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("outer: pass: 0 errors")
    assert [path.name for path in tmp_path.glob("*report*")] == ["report.xml"]


@pytest.mark.parametrize("target", [DESCRIPTOR, "outer", "nowhere/report.txt"])
def test_a_report_is_never_written_over_the_product_or_into_nowhere(
    target: str, product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (product / DESCRIPTOR).read_bytes()
    assert cli.main(["check", "--output", str(product / target), "--product", str(product)]) == 2
    assert "--output" in capsys.readouterr().err
    assert (product / DESCRIPTOR).read_bytes() == before


def test_paths_start_at_the_repository_where_the_product_is_a_folder_in_it(
    product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(product / ".git")
    (tmp_path / "mono/products").mkdir(parents=True)
    inside = Path(shutil.move(product, tmp_path / "mono/products/one"))
    suite_repo.start(tmp_path / "mono")
    BY_ID["OWN001"].bad.apply(inside)
    cli.main(["check", "--format", "sarif", "--product", str(inside)])
    (result,) = a_log(capsys.readouterr().out)["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": f"products/one/{DESCRIPTOR}"}


def test_the_reference_lives_where_the_package_says_its_home_is() -> None:
    project = tomllib.loads((suite_repo.ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Documentation"].startswith(f"{report.HOME}/")
    assert report.reference("CON003").endswith("/docs/reference/rules.md#con003")


# --- metrics --------------------------------------------------------------------------------------


def test_metrics_rise_when_the_team_fills_in_what_is_missing(product: Path) -> None:
    before = {metric.id: metric for metric in metrics(load(product))}
    path = product / CONTRACT
    text = path.read_text()
    named = text.replace("        physicalType:", "        businessName: A name for people\n        physicalType:")
    path.write_text(named)
    after = {metric.id: metric for metric in metrics(load(product))}
    columns = text.count("        physicalType:")
    assert after["completeness"].reached == before["completeness"].reached + columns
    assert after["ai_readiness"].reached == before["ai_readiness"].reached + columns
    assert after["contract_coverage"] == before["contract_coverage"]


def test_a_column_without_a_clause_lowers_the_coverage(product: Path) -> None:
    def coverage() -> Metric:
        return next(metric for metric in metrics(load(product)) if metric.id == "contract_coverage")

    before = coverage()
    Change(CONTRACT, "        logicalTypeOptions: {minLength: 1}\n", "").apply(product)
    assert coverage().reached == before.reached - 1


@pytest.mark.parametrize(
    ("reached", "possible", "score", "band"),
    [(0, 0, None, "none"), (49, 100, 49, "red"), (1, 2, 50, "amber"), (799, 1000, 79, "amber"), (4, 5, 80, "green")],
)
def test_the_band_of_a_metric_follows_its_score(reached: int, possible: int, score: int | None, band: str) -> None:
    metric = Metric("m", "M", reached, possible, ())
    assert (metric.score, metric.band) == (score, band)


def test_metrics_are_shown_when_asked_for_and_fail_nothing(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--metrics", "--product", str(product)]) == 0
    assert "Completeness of metadata" in capsys.readouterr().out
    assert cli.main(["check", "--metrics", "--format", "json", "--product", str(product)]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert [metric["id"] for metric in found] == ["completeness", "ai_readiness", "contract_coverage"]


def test_metrics_of_broken_files_are_measured_as_far_as_they_can_be_read(product: Path) -> None:
    (product / CONTRACT).write_text("schema: [1, {properties: [x, {quality: 7}]}]\nroles: {}\n")
    (product / DESCRIPTOR).write_text("outputPorts: nothing\n")
    assert check(load(product), TODAY)
    assert metrics(load(product))
