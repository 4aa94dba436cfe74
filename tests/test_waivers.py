"""Waivers and the baseline: what is accepted has a reason, somebody who answers for it, and an end."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from outer import cli
from outer.baseline import BASELINE
from outer.baseline import load as read
from outer.check import Report, check
from outer.finding import Level
from outer.product import DESCRIPTOR, WAIVERS, load
from outer.rule import Change
from outer.rules import BY_ID
from outer.yamlfile import parse

TODAY = date(2030, 1, 1)
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
DESCRIPTION = "        description: Flights scheduled on the day, each counted once.\n"
NAME = "        description: Name of the airline; its code where the name is not known.\n"


def judged(product: Path, as_of: date = TODAY) -> Report:
    report = check(load(product), as_of)
    assert not report.crashed
    return report


def ids(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings if not finding.waived}


def waive(product: Path, **changes: str | None) -> None:
    entry = {
        "rule": "CON003",
        "place": CONTRACT,
        "reason": "The glossary is being written.",
        "owner": "aviation-data@example.com",
        "approver": "governance@example.com",
        "expires": "2030-02-01",
        **changes,
    }
    lines = [f"{key}: {json.dumps(value)}" for key, value in entry.items() if value is not None]
    (product / WAIVERS).write_text("waivers:\n  - " + "\n    ".join(lines) + "\n")


def undescribed(product: Path) -> None:
    Change(CONTRACT, DESCRIPTION, "").apply(product)


# --- waivers --------------------------------------------------------------------------------------


def test_the_example_in_the_head_of_the_file_is_a_waiver_in_order(product: Path) -> None:
    undescribed(product)
    head = [line.removeprefix("# ") for line in (product / WAIVERS).read_text().splitlines()]
    start = head.index("waivers:")
    example = "\n".join(head[start : head.index("", start)])
    text = example.replace("CON007", "CON003").replace("orders.v1", "carrier_punctuality.v1")
    (product / WAIVERS).write_text(f"{text}\n")
    report = judged(product)
    assert report.findings
    assert ids(report) == set()


@pytest.mark.parametrize("place", ["*", "outer/*", "outer/contracts/*/carrier*.yaml", CONTRACT.replace("v1", "v?")])
def test_a_place_may_stand_for_many_files(place: str, product: Path) -> None:
    undescribed(product)
    waive(product, place=place)
    report = judged(product)
    assert report.passed
    assert [finding.rule for finding in report.waived] == ["CON003"]


@pytest.mark.parametrize("place", ["inner/*", "outer/contracts/input/*", "carrier*", "OUTER/*"])
def test_a_pattern_that_does_not_fit_accepts_nothing(place: str, product: Path) -> None:
    undescribed(product)
    waive(product, place=place)
    assert ids(judged(product)) == {"CON003", "WAI004"}


@pytest.mark.parametrize("key", ["reason", "owner", "approver", "expires", "place", "rule"])
@pytest.mark.parametrize("place", ["*", CONTRACT])
def test_an_incomplete_waiver_is_an_error_with_a_wildcard_or_without(key: str, place: str, product: Path) -> None:
    undescribed(product)
    waive(product, **{"place": place, key: None})
    report = judged(product)
    assert not report.passed
    assert "WAI001" in ids(report)


@pytest.mark.parametrize("key", ["reason", "expires"])
def test_a_wildcard_without_a_reason_or_an_end_accepts_nothing(key: str, product: Path) -> None:
    undescribed(product)
    waive(product, **{"place": "*", key: None})
    assert "CON003" in ids(judged(product))


def test_a_waiver_that_accepts_nothing_is_a_warning(product: Path) -> None:
    waive(product)
    report = judged(product)
    assert report.passed
    assert [finding.rule for finding in report.at(Level.WARNING)] == ["WAI004"]


@pytest.mark.parametrize("expires", ["2029-12-31", "soon", "2030-02-31", "2030-12-31"])
def test_a_waiver_that_has_ended_or_cannot_be_read_or_lasts_too_long_is_an_error(expires: str, product: Path) -> None:
    undescribed(product)
    waive(product, expires=expires)
    report = judged(product)
    assert not report.passed
    assert "WAI003" in ids(report)


def test_a_waiver_of_one_rule_is_not_called_unused_when_only_another_ran(product: Path) -> None:
    waive(product)
    report = check(load(product), TODAY, [BY_ID["OWN001"], BY_ID["WAI004"]])
    assert report.findings == ()
    assert report.waivers == ()


@pytest.mark.parametrize("rule", ["WAI001", "WAI004", "BAS001"])
def test_the_rules_that_judge_the_accepting_cannot_be_accepted(rule: str, product: Path) -> None:
    waive(product, rule=rule, place="*", owner=None)
    assert "WAI001" in ids(judged(product))


def test_every_report_lists_the_waivers_in_force_with_the_days_left(
    product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undescribed(product)
    waive(product)
    for form in ("text", "json", "markdown"):
        arguments = ["check", "--verbose", "--format", form, "--as-of", "2030-01-01", "--product", str(product)]
        assert cli.main(arguments) == 0
        said = capsys.readouterr().out
        assert "31 days left" in said or '"days_left": 31' in said
        assert "glossary" in said


# --- the baseline ---------------------------------------------------------------------------------


def adopt(product: Path, as_of: str = "2030-01-01") -> int:
    return cli.main(["check", "--write-baseline", "--as-of", as_of, "--product", str(product)])


def test_a_product_that_adopts_the_standard_late_passes_with_a_baseline(product: Path) -> None:
    undescribed(product)
    Change(DESCRIPTOR, "role: owner", "role: owner # for now").apply(product)
    BY_ID["CON006"].bad.apply(product)
    before = ids(judged(product))
    assert adopt(product) == 0
    report = judged(product)
    assert report.passed
    assert {finding.rule for finding in report.baselined} == before
    assert report.waived == ()


def test_the_baseline_says_who_answers_for_it_and_when_it_ends(product: Path) -> None:
    undescribed(product)
    adopt(product)
    found = parse((product / BASELINE).read_bytes()).value
    assert found["owner"] == "aviation-data@example.com"
    assert (found["written"], found["expires"]) == ("2030-01-01", str(TODAY + timedelta(days=90)))
    assert [entry["rule"] for entry in found["findings"]] == ["CON003"]
    assert (product / BASELINE).read_text().startswith("# Findings that this product had when it adopted")


def test_only_new_findings_fail(product: Path) -> None:
    undescribed(product)
    adopt(product)
    Change(CONTRACT, NAME, "").apply(product)
    report = judged(product)
    (new,) = report.at(Level.ERROR)
    assert new.rule == "CON003"
    assert "airline" in new.message
    assert len(report.baselined) == 1


def test_lines_may_move_under_a_baseline(product: Path) -> None:
    undescribed(product)
    adopt(product)
    path = product / CONTRACT
    path.write_text("# one more line\n" * 7 + path.read_text())
    assert judged(product).passed


def test_writing_again_drops_what_is_mended_and_takes_nothing_new_in(product: Path) -> None:
    undescribed(product)
    Change(CONTRACT, NAME, "").apply(product)
    adopt(product)
    text = (product / CONTRACT).read_text()
    (product / CONTRACT).write_text(
        text.replace("      - name: flights\n", f"      - name: flights\n{DESCRIPTION}", 1)
    )  # fmt: skip
    BY_ID["OWN001"].bad.apply(product)
    report = judged(product)
    assert [finding.rule for finding in report.at(Level.WARNING)] == ["BAS003"]
    assert adopt(product, "2030-01-15") == 1
    baseline = read(product)
    assert baseline is not None
    assert baseline.written == TODAY
    assert [entry.rule for entry in baseline.entries] == ["CON003"]
    assert "airline" in baseline.entries[0].message
    assert ids(judged(product)) == {"OWN001"}


def test_a_baseline_that_has_become_empty_is_deleted(product: Path) -> None:
    before = (product / CONTRACT).read_bytes()
    undescribed(product)
    adopt(product)
    (product / CONTRACT).write_bytes(before)
    assert "BAS003" in ids(judged(product))
    assert adopt(product) == 0
    assert not (product / BASELINE).exists()
    assert judged(product).findings == ()


def test_a_baseline_ends(product: Path) -> None:
    undescribed(product)
    adopt(product)
    last = TODAY + timedelta(days=90)
    assert judged(product, last).passed
    assert ids(judged(product, last + timedelta(days=1))) == {"CON003", "BAS002"}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('owner: "aviation-data@example.com"', "owner:", "BAS001"),
        ('expires: "2030-04-01"', "expires: never", "BAS001"),
        ('expires: "2030-04-01"', 'expires: "2031-04-01"', "BAS002"),
        ("owner:", "ticket: X-1\nowner:", "BAS001"),
        ("    message:", "    reason:", "BAS001"),
        ("findings:", "findings: []\nmore:", "BAS001"),
        ("findings:", "findings: [\n", "BAS001"),
    ],
)
def test_a_baseline_that_is_not_in_order_is_an_error(old: str, new: str, rule: str, product: Path) -> None:
    undescribed(product)
    adopt(product)
    Change(BASELINE, old, new).apply(product)
    report = judged(product)
    assert not report.passed
    assert rule in ids(report)


def test_a_baseline_in_a_link_to_outside_is_refused(product: Path, tmp_path: Path) -> None:
    undescribed(product)
    adopt(product)
    shutil.move(product / BASELINE, tmp_path / "baseline.yaml")
    (product / BASELINE).symlink_to(tmp_path / "baseline.yaml")
    assert ids(judged(product)) >= {"BAS001", "CON003"}


def test_a_changed_managed_file_is_never_part_of_a_baseline(product: Path) -> None:
    undescribed(product)
    BY_ID["INT001"].bad.apply(product)
    assert adopt(product) == 1
    assert "INT001" in ids(judged(product))


def test_a_waived_finding_stays_with_its_waiver(product: Path) -> None:
    undescribed(product)
    Change(CONTRACT, NAME, "").apply(product)
    waive(product)
    BY_ID["CON006"].bad.apply(product)
    assert adopt(product) == 0
    report = judged(product)
    assert {finding.rule for finding in report.waived} == {"CON003"}
    assert "CON003" not in {finding.rule for finding in report.baselined}


@pytest.mark.parametrize("place", [CONTRACT, "outer/*"])
def test_a_baseline_does_not_take_what_an_expired_waiver_names(place: str, product: Path) -> None:
    undescribed(product)
    waive(product, expires="2029-12-31", place=place)
    BY_ID["CON006"].bad.apply(product)
    assert adopt(product) == 1
    report = judged(product)
    assert "CON003" in ids(report)
    assert "CON006" in {finding.rule for finding in report.baselined}
    assert "CON003" not in {finding.rule for finding in report.baselined}


def test_a_product_in_order_needs_no_baseline(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adopt(product) == 2
    assert "nothing that a baseline could accept" in capsys.readouterr().err
    assert not (product / BASELINE).exists()


def test_a_baseline_without_somebody_who_answers_for_it_is_not_written(product: Path) -> None:
    BY_ID["OWN001"].bad.apply(product)
    assert adopt(product) == 2
    assert not (product / BASELINE).exists()


def test_a_baseline_is_of_all_rules(product: Path) -> None:
    undescribed(product)
    assert cli.main(["check", "--write-baseline", "--rule", "CON003", "--product", str(product)]) == 2
