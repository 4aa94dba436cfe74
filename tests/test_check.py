"""`outer check`: every rule bites, none barks at a correct product, and nothing passes unjudged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from outer import check as engine
from outer import cli, report, schemas
from outer.check import Report, check
from outer.finding import Level
from outer.product import DESCRIPTOR, WAIVERS, load
from outer.rule import FAMILIES, Change, Rule
from outer.rules import BY_ID, RULES

TODAY = date(2030, 1, 1)
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"


def judged(root: Path, as_of: date = TODAY) -> Report:
    result = check(load(root), as_of)
    assert not result.crashed
    return result


def apply(root: Path, change: Change) -> None:
    change.apply(root)


def ids(result: Report) -> set[str]:
    return {finding.rule for finding in result.findings if not finding.waived}


def test_a_fresh_product_has_no_finding_at_all(product: Path) -> None:
    result = judged(product)
    assert result.findings == ()
    assert result.objects > 30


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_finds_its_bad_example(rule: Rule, product: Path) -> None:
    apply(product, rule.bad)
    found = [finding for finding in judged(product).findings if finding.rule == rule.id]
    assert found
    for finding in found:
        assert finding.message
        assert finding.todo
        assert (product / finding.path).exists() or rule.id == "REA002"


SHARED = """
    BAS001 BAS002 CON001 CON006 CON007 CON009 CON012 CON013 CON017 DES002 DES003 DES006 IDN002 IDN003 IDN004 IDN008
    INN002 INO009 INO010 INO012 INT001 INT003 INT005 LIN001 LIN005 LIN007 OWN002 OWN004 PRV001 PRV002 PRV004 PRV005
    PRV006 PRV007 PRV008 PRV009 PRV010 PRV011 PRV012 PRV013 QUA001 REA003 REA004 REA006 REF003 REF004 REF005 SUP001
    SUP002 SUP003 SUP004 SUP005 SUP006 SUP007 SUP008 VER001 VER002 VER008 WAI001 WAI002 WAI004
""".split()  # noqa: SIM905 (sixty pairs of quotation marks would be harder to read)
"""Rules whose bad example others see as well: it edits a managed file or what an answer says, it is one clause that two
rules judge from two sides, or it leaves out what several ask for."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_whose_check_is_taken_out_lets_its_bad_example_pass(rule: Rule, product: Path) -> None:
    """No other rule would have seen it, but where one change breaks several things."""
    apply(product, rule.bad)
    others = [other for other in RULES if other is not rule]
    found = check(load(product), TODAY, others).findings
    assert (found != ()) == (rule.id in SHARED)


def test_every_rule_has_an_id_of_its_own_in_a_known_family() -> None:
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert rule.id[:3] in FAMILIES
        assert len(rule.id) == 6
        for sentence in (rule.title, rule.why, rule.todo):
            assert sentence.endswith("."), f"{rule.id}: {sentence}"


def test_findings_name_the_line_and_column_of_the_value(product: Path) -> None:
    apply(product, Change(CONTRACT, "classification: internal", "classification: secret"))
    (finding,) = judged(product).findings
    lines = (product / CONTRACT).read_text().splitlines()
    assert finding.rule == "CON004"
    assert lines[finding.place.line - 1][finding.place.column - 1 :].startswith("classification: secret")


def test_findings_do_not_depend_on_the_order_of_keys(product: Path) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    before = ids(judged(product))
    text = (product / DESCRIPTOR).read_text()
    head, tail = text.split("\nsupport:", 1)
    (product / DESCRIPTOR).write_text("support:" + tail + "\n" + head)
    assert ids(judged(product)) == before


def waive(root: Path, **changes: str) -> None:
    entry = {
        "rule": "OWN001",
        "place": DESCRIPTOR,
        "reason": "The owner is being appointed.",
        "owner": "aviation-data@example.com",
        "approver": "governance@example.com",
        "expires": "2030-02-01",
        **changes,
    }
    lines = [f"{key}: {json.dumps(value)}" for key, value in entry.items()]
    (root / WAIVERS).write_text("waivers:\n  - " + "\n    ".join(lines) + "\n")


def test_a_waiver_accepts_its_finding_until_its_last_day(product: Path) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    waive(product)
    result = judged(product, date(2030, 2, 1))
    assert report.passed(result)
    assert [finding.rule for finding in result.waived] == ["OWN001"]


def test_an_expired_waiver_accepts_nothing_and_is_a_finding(product: Path) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    waive(product)
    assert ids(judged(product, date(2030, 2, 2))) == {"OWN001", "WAI003"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"expires": "soon"}, "WAI003"),
        ({"expires": "2031-01-01"}, "WAI003"),
        ({"reason": " "}, "WAI001"),
        ({"rule": "OWN999"}, "WAI002"),
        ({"rule": "WAI001"}, "WAI002"),
        ({"rule": "BAS002"}, "WAI002"),
        ({"place": "outer/elsewhere.yaml"}, "WAI004"),
        ({"ticket": "X-1"}, "WAI001"),
    ],
    ids=lambda value: str(value),
)
def test_a_waiver_that_is_not_in_order_is_a_finding(change: dict[str, str], expected: str, product: Path) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    waive(product, **change)
    assert expected in ids(judged(product))


def test_a_waiver_for_one_file_does_not_cover_another(product: Path) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    waive(product, place=CONTRACT)
    assert "OWN001" in ids(judged(product))


@pytest.mark.parametrize("pin", ["v0.0.9", "v9.0.0", "v0.0.9-3-gabcdef0"])
def test_a_pin_to_another_version_than_the_command_is_a_finding(pin: str, product: Path) -> None:
    apply(product, Change(".copier-answers.yml", "_commit: v0.1.0", f"_commit: {pin}"))
    assert "INT002" in ids(judged(product))


def test_managed_files_of_another_version_are_not_judged(product: Path) -> None:
    apply(product, BY_ID["INT001"].bad)
    assert "INT001" in ids(judged(product))
    apply(product, Change(".copier-answers.yml", "_commit: v0.1.0", "_commit: v0.0.9"))
    result = judged(product)
    assert "INT001" not in ids(result)
    (finding,) = (f for f in result.findings if f.rule == "INT002")
    assert "`python3 noxfile.py -s check`" in finding.todo


@pytest.mark.parametrize("pin", ["v0.1.0-3-gabcdef0", "abcdef0"])
def test_a_pin_to_a_commit_between_versions_is_none(pin: str, product: Path) -> None:
    apply(product, Change(".copier-answers.yml", "_commit: v0.1.0", f"_commit: {pin}"))
    assert "INT002" not in ids(judged(product))


def test_a_product_whose_every_file_is_gone_is_red(product: Path) -> None:
    for path in sorted((product / "outer").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert cli.main(["check", "--product", str(product)]) == 1


def test_a_folder_that_is_no_product_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--product", str(tmp_path)]) == 2
    assert "is not a data product" in capsys.readouterr().err


def test_a_run_without_rules_or_objects_is_not_a_pass(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.check, "__defaults__", ((),))
    assert cli.main(["check", "--product", str(product)]) == 3


def test_a_schema_that_is_not_there_stops_the_gate(
    product: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(schemas._SUPPORTED["odcs"], "v3.1.0", ("open_data_contract_standard", "nowhere.json"))  # type: ignore[arg-type]
    schemas._validator.cache_clear()
    assert cli.main(["check", "--product", str(product)]) == 2
    assert "nowhere.json was not found in the package" in capsys.readouterr().err


def test_a_rule_that_fails_itself_is_an_internal_error(
    product: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> object:
        raise ZeroDivisionError("oops")

    rules = (replace(BY_ID["OWN001"], check=broken), BY_ID["OWN002"])
    monkeypatch.setattr(engine.check, "__defaults__", (rules,))
    assert cli.main(["check", "--product", str(product)]) == 4
    assert "OWN001" in capsys.readouterr().err


def test_a_green_check_is_quiet_when_asked_to_be(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--quiet", "--product", str(product)]) == 0
    assert capsys.readouterr() == ("", "")


def test_json_holds_every_finding_with_its_place(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    assert cli.main(["check", "--format", "json", "--product", str(product)]) == 1
    result = json.loads(capsys.readouterr().out)
    assert not result["passed"]
    assert result["rules"] > 40
    (finding,) = result["findings"]
    assert (finding["rule"], finding["path"]) == ("OWN001", DESCRIPTOR)
    assert finding["line"] > 1


def test_text_of_a_file_cannot_start_a_command_of_the_host(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply(product, Change(DESCRIPTOR, "domain: aviation", 'domain: "x\\n::error::planted%0A"'))
    assert cli.main(["check", "--format", "github", "--product", str(product)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("::") for line in lines)
    assert not any(line.startswith("::error::planted") for line in lines)


def test_colours_appear_only_on_a_terminal(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply(product, Change(DESCRIPTOR, "role: owner", "role: member"))
    cli.main(["check", "--product", str(product)])
    assert "\x1b" not in capsys.readouterr().out
    assert "\x1b" in report.text(judged(product), colour=True)


def staged(product: Path, as_of: date, *, drafts: bool = False, **life: object) -> Report:
    """`product` without an owner, judged by the rule OWN001 alone, at another point of its life."""
    apply(product, BY_ID["OWN001"].bad)
    return check(load(product), as_of, (replace(BY_ID["OWN001"], **life), BY_ID["OWN002"]), drafts=drafts)  # type: ignore[arg-type]


def test_a_rule_in_grace_warns_and_names_the_day_from_which_it_is_an_error(product: Path) -> None:
    result = staged(product, date(2029, 12, 31), enforced_from=TODAY)
    assert report.passed(result)
    (finding,) = result.at(Level.WARNING)
    assert "an error from 2030-01-01" in finding.message


def test_a_rule_is_an_error_from_the_day_on_which_it_is_enforced(product: Path) -> None:
    assert not report.passed(staged(product, TODAY, enforced_from=TODAY))


def test_a_draft_of_a_rule_is_reported_only_when_asked_for(product: Path) -> None:
    assert staged(product, TODAY, draft=True).findings == ()


def test_a_draft_of_a_rule_never_fails_the_gate(product: Path) -> None:
    result = staged(product, TODAY, draft=True, drafts=True)
    assert report.passed(result)
    assert [finding.level for finding in result.findings] == [Level.INFO]


def test_a_retired_rule_is_not_judged(product: Path) -> None:
    assert staged(product, TODAY, retired=True).findings == ()


def test_a_contract_in_a_link_to_outside_is_refused_and_not_read(product: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.odcs.yaml"
    secret.write_text("password: hunter2\n")
    (product / "outer/contracts/output/secret.v1.odcs.yaml").symlink_to(secret)
    result = judged(product)
    assert "REA001" in ids(result)
    assert "hunter2" not in report.text(result, colour=False)
