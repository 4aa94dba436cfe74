"""`outer policy`, and the policies that an organisation adds: found, judged, explained, tried out, never skipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from outer import cli, policy, rules
from outer.check import check
from outer.declared import holds, parse, policies, values
from outer.errors import UsageError
from outer.finding import Level
from outer.product import DESCRIPTOR, load
from outer.rule import Change, Rule, Scope, Stage
from outer.rules import BY_ID, RULES

TODAY = date(2030, 1, 1)
MANUAL = rules.__file__.replace("rules/__init__.py", "organisation/README.md")


def the(kind: str) -> str:
    """The first example of the manual in this language."""
    found = re.search(rf"```{kind}\n(.+?)```", Path(MANUAL).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def declared(folder: Path, **changes: Any) -> tuple[Rule, ...]:
    """The policies of a folder that holds the manual's example, with `changes`; None takes a key away."""
    folder.mkdir(exist_ok=True)
    entry = {**yaml.safe_load(the("yaml")), **changes}
    text = json.dumps({key: value for key, value in entry.items() if value is not None})
    (folder / "one.yaml").write_text(text, encoding="utf-8")
    return policies(folder)


def said(product: Path, *chosen: Rule) -> list[str]:
    report = check(load(product), TODAY, chosen)
    assert not report.crashed
    return [finding.message for finding in report.findings]


# --- organisation policies ------------------------------------------------------------------------


def test_the_suite_ships_no_policy_of_an_organisation() -> None:
    assert policies() == ()
    assert not any(rule.id.startswith("ORG") for rule in RULES)


@pytest.mark.parametrize("kind", ["yaml", "python"])
def test_the_examples_of_the_manual_are_policies_that_bite_and_do_not_bark(
    kind: str, product: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "organisation"
    folder.mkdir()
    (folder / f"example.{'py' if kind == 'python' else kind}").write_text(the(kind))
    (rule,) = policies(folder)
    assert said(product, rule) == []
    rule.bad.apply(product)
    assert len(said(product, rule)) == 1


def test_a_declared_policy_has_everything_that_a_rule_has(product: Path, tmp_path: Path) -> None:
    (rule,) = declared(tmp_path / "o")
    assert rule.stage(TODAY) is Stage.GRACE
    assert rule.stage(date(2030, 4, 1)) is Stage.ENFORCED
    assert rule.family == "Organisation: policies that a platform team added"
    rule.bad.apply(product)
    (finding,) = check(load(product), TODAY, [rule]).findings
    assert finding.level is Level.WARNING
    assert finding.path == DESCRIPTOR
    lines = (product / DESCRIPTOR).read_text().splitlines()
    assert "mailto:somebody@elsewhere.example" in lines[finding.place.line - 1]
    assert finding.message == "the support address is `mailto:somebody@elsewhere.example` (an error from 2030-04-01)"


@pytest.mark.parametrize("level", ["error", "warning", "info"])
def test_a_declared_policy_has_the_level_that_it_says(level: str, tmp_path: Path) -> None:
    (rule,) = declared(tmp_path / "o", level=level, enforced_from=None)
    assert (rule.level, rule.stage(TODAY)) == (level, Stage.ENFORCED)


@pytest.mark.parametrize(("key", "stage"), [("draft", Stage.DRAFT), ("retired", Stage.RETIRED)])
def test_a_declared_policy_may_be_a_draft_or_retired(key: str, stage: Stage, tmp_path: Path) -> None:
    (rule,) = declared(tmp_path / "o", enforced_from=None, **{key: True})
    assert rule.stage(TODAY) is stage


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "CON001"}, "id"),
        ({"id": "ORG1"}, "id"),
        ({"title": "no full stop"}, "title"),
        ({"why": None}, "why"),
        ({"scope": "universe"}, "scope"),
        ({"level": "fatal"}, "level"),
        ({"path": "support[0].url"}, "path"),
        ({"path": "support..url"}, "path"),
        ({"path": "__import__('os')"}, "path"),
        ({"condition": {}}, "condition"),
        ({"condition": {"eval": "1"}}, "condition"),
        ({"condition": {"absent": True, "equals": 1}}, "condition"),
        ({"condition": {"matches": "("}}, "pattern"),
        ({"condition": {"matches": "(?=a)a"}}, "pattern"),
        ({"condition": {"min_length": -1}}, "min_length"),
        ({"enforced_from": "2030-02-31"}, "2030-02-31"),
        ({"enforced_from": 20300101}, "enforced_from"),
        ({"bad": {"path": "../outside", "new": "x"}}, "bad"),
        ({"bad": {"path": "/etc/passwd", "new": "x"}}, "bad"),
        ({"speed": "fast"}, "speed"),
    ],
    ids=str,
)
def test_a_file_that_is_no_policy_is_refused_with_its_place(
    changes: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        declared(tmp_path / "o", **changes)
    assert expected in refused.value.what
    assert refused.value.what.startswith("o/one.yaml:")


@pytest.mark.parametrize("text", ["a: [\n", "a: &x 1\n", "- 1\n", "", "\x00"])
def test_a_file_that_is_no_yaml_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(text)
    with pytest.raises(UsageError):
        policies(tmp_path)


@pytest.mark.parametrize("text", ["import nothing_of_this_name", "def", "x = 1"])
def test_a_module_without_a_policy_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(text)
    with pytest.raises(UsageError) as refused:
        policies(tmp_path)
    assert "one.py" in refused.value.what


def test_two_policies_never_share_an_id(tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text(the("yaml"))
    with pytest.raises(UsageError, match=r"ORG001 belongs to .*one\.yaml"):
        policies(tmp_path)


def test_a_module_cannot_take_the_id_of_a_rule_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(the("python").replace("ORG002", "CON001"))
    with pytest.raises(UsageError, match="not the id of a policy"):
        policies(tmp_path)


# --- paths and conditions -------------------------------------------------------------------------

SAMPLE = {"a": {"b": [{"k": "x", "v": 1}, {"k": "y.z", "v": None}, "odd"]}, "empty": [], "n": None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b[*].v", [(("a", "b", 0, "v"), 1), (("a", "b", 1, "v"), None), (("a", "b", 2, "v"), None)]),
        ("a.b[k=x].v", [(("a", "b", 0, "v"), 1)]),
        ("a.b[k=y.z].k", [(("a", "b", 1, "k"), "y.z")]),
        ("a.b[k=none].v", [(("a", "b", "v"), None)]),
        ("empty[*].x", []),
        ("nowhere[*].x", []),
        ("nowhere.x", [(("nowhere", "x"), None)]),
        ("n.x", [(("n", "x"), None)]),
    ],
)
def test_a_path_leads_to_the_values_that_it_names(path: str, expected: list[Any]) -> None:
    assert list(values(SAMPLE, parse(path))) == expected


@given(st.text(max_size=40))
def test_a_path_is_understood_or_refused(path: str) -> None:
    try:
        steps = parse(path)
    except ValueError:
        return
    assert steps
    list(values(SAMPLE, steps))


@pytest.mark.parametrize(
    ("condition", "kept", "broken"),
    [
        ({"present": True}, ["x", 0, False, [1]], [None, "", "  ", [], {}]),
        ({"absent": True}, [None, "", "  ", [], {}], ["x", 0, False]),
        ({"equals": "x"}, ["x"], ["y", None]),
        ({"equals": True}, [True], [1, "true", None]),
        ({"equals": 1}, [1, 1.0], [True, "1"]),
        ({"in": ["x", 2]}, ["x", 2], ["y", None, ["x"]]),
        ({"matches": "[a-z]+"}, ["abc"], ["abc1", "ABC", 5, None, "abc\n"]),
        ({"min_length": 2}, ["ab", [1, 2]], ["a", [1], 22, None]),
        ({"max_length": 2}, ["ab", [1, 2]], ["abc", 2, None]),
        ({"minimum": 2}, [2, 2.5], [1, "2", True, None]),
        ({"maximum": 2}, [2, -1], [3, "2", None, float("nan")]),
        ({"min_length": 1, "matches": "a+"}, ["aa"], ["b", ""]),
    ],
    ids=str,
)
def test_a_condition_is_kept_by_what_it_says_and_by_nothing_else(
    condition: dict[str, Any], kept: list[Any], broken: list[Any]
) -> None:
    assert all(holds(condition, value) for value in kept)
    assert not any(holds(condition, value) for value in broken)


def test_a_condition_takes_linear_time_whatever_the_text_is() -> None:
    """With Python's own engine this one would take longer than the universe has existed."""
    assert not holds({"matches": "(a+)+"}, "a" * 10_000 + "b")


@pytest.mark.parametrize("scope", ["input port", "output port", "contract", "output contract", "column", "inner"])
def test_a_policy_judges_every_object_of_its_scope(scope: str, product: Path, tmp_path: Path) -> None:
    changes = {
        "scope": scope,
        "path": "nothing.of.this",
        "condition": {"present": True},
        "message": "{name} has {value}",
    }
    (rule,) = declared(tmp_path / "o", **changes)
    report = check(load(product), TODAY, [rule])
    ((_, objects),) = report.judged
    assert len(report.findings) == objects >= 1
    assert all("has missing" in finding.message for finding in report.findings)


# --- the command ----------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["policy", *arguments])
    heard = capsys.readouterr()
    return code, heard.out, heard.err


def test_list_names_every_rule_with_level_and_stage(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--as-of", "2030-01-01")
    assert code == 0
    for rule in RULES:
        assert re.search(rf"^  {rule.id}  {rule.level} .*{re.escape(rule.title)}$", out, re.MULTILINE)


def test_list_takes_families_and_stages_and_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--family", "own", "--stage", "enforced", "--format", "json")
    content = json.loads(out)
    assert code == 0
    assert content["format"] == 1
    assert {entry["family"] for entry in content["policies"]} == {"OWN"}
    assert set(content["policies"][0]) >= {"id", "title", "why", "todo", "level", "stage", "since", "scope", "bad"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "--family", "XYZ"), 2),
        (("list", "--family", "ORG"), 3),
        (("test", "--family", "ORG"), 3),
        (("explain",), 2),
        (("explain", "CON999"), 2),
        (("list", "CON001"), 2),
        (("explain", "CON003", "--family", "CON"), 2),
        (("test", "--family", "OWN", "--stage", "grace"), 2),
        (("test", "--family", "OWN", "--format", "json"), 2),
    ],
)
def test_what_does_not_exist_or_makes_no_sense_is_never_an_empty_answer(
    arguments: tuple[str, ...], expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == expected
    assert out == ""
    assert err


def test_a_misspelt_rule_is_answered_with_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "explain", "CON0003")
    assert "Did you mean" in err
    assert "CON003" in err


def test_explain_says_what_why_and_what_to_do_with_a_bad_and_a_good_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "explain", "con003")
    rule = BY_ID["CON003"]
    assert code == 0
    for words in (rule.id, rule.title, rule.why, rule.todo, rule.scope, rule.since, "error", "enforced"):
        assert words in out
    bad, good = out.split("\nGood, as in a fresh product\n")
    assert "  -        description: Flights scheduled on the day, each counted once." in bad
    assert "          description: Flights scheduled on the day, each counted once." in good


def test_explain_knows_the_rules_of_compatibility_and_list_says_where_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from outer.compat.rules import BY_ID as KINDS
    from outer.compat.rules import RULES as CHANGES

    for kind in CHANGES:
        text = policy.explain(kind.id, TODAY, "text")
        for words in (kind.title, kind.why, kind.todo, kind.grade, kind.category):
            assert words in text
    code, out, _ = run(capsys, "explain", "sch002", "--format", "json")
    said = json.loads(out)
    assert (code, said["id"], said["grade"]) == (0, "SCH002", "breaking")
    assert said["bad"]["old"] == KINDS["SCH002"].bad.old
    assert f"`outer compat` has {len(CHANGES)} more" in run(capsys, "list")[1]
    assert not set(KINDS) & set(BY_ID)


@pytest.mark.parametrize("kind", ["a missing file", "a new file"])
def test_explain_shows_files_that_come_and_go(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Change(DESCRIPTOR) if kind == "a missing file" else Change("outer/new.yaml", new="a: 1\n")
    monkeypatch.setattr(policy, "known", lambda _: replace(BY_ID["CON003"], bad=bad))
    code, out, _ = run(capsys, "explain", "CON003")
    assert code == 0
    assert ("is missing." in out) == (kind == "a missing file")
    assert ("  +a: 1" in out) == (kind == "a new file")


def test_explain_names_the_day_on_which_a_grace_period_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (rule,) = declared(tmp_path / "o")
    monkeypatch.setattr(policy, "known", lambda _: rule)
    assert "stage     grace on 2030-01-01, an error from 2030-04-01" in policy.explain("ORG001", TODAY, "text")
    assert json.loads(policy.explain("ORG001", TODAY, "json"))["enforced_from"] == "2030-04-01"


def test_every_rule_finds_its_bad_example_and_nothing_in_a_fresh_product(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "test")
    assert (code, out.splitlines()[-1][:5]) == (0, "pass:"), out


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ({"bad": Change(DESCRIPTOR, "status: draft", "status:  draft")}, "does not find its bad example"),
        ({"bad": Change(DESCRIPTOR, "text that is not there", "x")}, "does not fit a fresh product"),
        ({"check": lambda _: [][1]}, "failed itself"),
        ({"check": lambda s: BY_ID["CON003"].check(replace(s, pointer=("nowhere",)))}, "fault with a fresh product"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_that_does_not_do_what_it_says_fails_the_test(
    life: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(BY_ID["CON003"], **life)
    monkeypatch.setattr(policy, "select", lambda *_: (broken,))
    (trial,) = policy.try_out((), TODAY)
    assert expected in trial.wrong
    assert list(policy.lines((trial,), verbose=False))[-1] == "fail: 1 of 1 rules do not do what they say"


# --- in a suite that has policies of its own ------------------------------------------------------


def outer(suite: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(suite / "hooks")}
    command = [sys.executable, "-m", "outer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def own(suite: Path, tmp_path: Path) -> Path:
    """The suite with the two policies of the manual."""
    copy = Path(shutil.copytree(suite, tmp_path / "own", symlinks=True))
    for kind, name in (("yaml", "address.yaml"), ("python", "impersonal.py")):
        (copy / "hooks/outer/organisation" / name).write_text(the(kind))
    return copy


def test_policies_of_the_organisation_are_listed_explained_tried_and_judged(own: Path, product: Path) -> None:
    listed = outer(own, "policy", "list", "--family", "ORG")
    assert "ORG001" in listed.stdout
    assert "ORG002" in listed.stdout
    assert "-    url:" in outer(own, "policy", "explain", "ORG001").stdout
    tried = outer(own, "policy", "test", "--family", "ORG", "--verbose")
    assert (tried.returncode, tried.stdout.count("finds its bad example")) == (0, 2)
    Change(DESCRIPTOR, "mailto:aviation-data@example.com", "mailto:me@elsewhere.example").apply(product)
    judged = outer(own, "check", "--as-of", "2030-05-01", "--format", "json", "--product", str(product))
    assert judged.returncode == 1
    assert "ORG001" in {finding["rule"] for finding in json.loads(judged.stdout)["findings"]}


def test_an_example_of_the_organisation_that_does_not_bite_fails(own: Path) -> None:
    path = own / "hooks/outer/organisation/address.yaml"
    path.write_text(the("yaml").replace("somebody@elsewhere.example", "somebody@example.com"))
    tried = outer(own, "policy", "test", "--family", "ORG")
    assert tried.returncode == 1
    assert "ORG001  it does not find its bad example" in tried.stdout


@pytest.mark.parametrize("command", [["check"], ["policy", "list"], ["policy", "test"]])
def test_a_broken_policy_file_stops_every_command_that_judges(command: list[str], own: Path, product: Path) -> None:
    (own / "hooks/outer/organisation/broken.yaml").write_text("id: ORG003\n")
    stopped = outer(own, *command, "--product", str(product))
    assert stopped.returncode == 2
    assert stopped.stderr.startswith("outer: organisation/broken.yaml:")
    assert "Traceback" not in stopped.stderr


# --- no vacuous pass ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rule", "CON999"], 2),
        (["--family", "XXX"], 2),
        (["--family", "ORG"], 3),
        (["--rule", "CON003"], 0),
        (["--rule", "con003", "--family", "own"], 0),
    ],
)
def test_a_selection_judges_what_it_names_or_is_no_pass(arguments: list[str], expected: int, product: Path) -> None:
    assert cli.main(["check", *arguments, "--product", str(product)]) == expected


def test_a_selection_judges_nothing_else(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    BY_ID["OWN001"].bad.apply(product)
    assert cli.main(["check", "--quiet", "--family", "CON", "--product", str(product)]) == 0
    assert cli.main(["check", "--rule", "own001", "--format", "json", "--product", str(product)]) == 1
    assert json.loads(capsys.readouterr().out)["rules"] == 1


def test_drafts_are_judged_when_asked_for_and_when_named(
    product: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = replace(BY_ID["OWN001"], draft=True)
    draft.bad.apply(product)
    monkeypatch.setitem(BY_ID, "OWN001", draft)  # type: ignore[arg-type]
    monkeypatch.setattr("outer.selection.RULES", (draft,))
    assert cli.main(["check", "--rule", "OWN001", "--product", str(product)]) == 0
    assert "draft of a rule" in capsys.readouterr().out
    assert cli.main(["check", "--family", "OWN", "--product", str(product)]) == 3
    assert cli.main(["check", "--family", "OWN", "--drafts", "--product", str(product)]) == 0


def test_a_declared_scope_is_one_that_the_engine_knows() -> None:
    schema = json.loads((Path(rules.__file__).parents[1] / "schemas/policy.schema.json").read_text())
    assert set(schema["properties"]["scope"]["enum"]) <= set(Scope)
