"""`outer check --fix`: mends what has one right answer, changes nothing else, and loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suite_repo
from outer import cli
from outer.check import check
from outer.errors import UsageError
from outer.fix import KEPT, Fix, plan, write
from outer.product import ANSWERS, DESCRIPTOR, load
from outer.rule import Change
from outer.yamledit import CannotEdit, replace
from outer.yamlfile import parse

TODAY = date(2030, 1, 1)
CONTRACT = "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
STANDARD = "outer/standard.yaml"


def ids(product: Path) -> set[str]:
    report = check(load(product), TODAY)
    assert not report.crashed
    return {finding.rule for finding in report.findings}


def mended(product: Path) -> tuple[Fix, ...]:
    """The fixes, made; there must be nothing left to mend afterwards."""
    fixes = plan(load(product))
    write(load(product), fixes)
    assert plan(load(product)) == ()
    return fixes


def test_a_correct_product_is_left_as_it_is(product: Path) -> None:
    before = suite_repo.contents(product)
    assert plan(load(product)) == ()
    assert cli.main(["check", "--fix", "--product", str(product)]) == 0
    assert suite_repo.contents(product) == before


def urn(product: Path) -> None:
    Change(DESCRIPTOR, "id: urn:dmb:dp:aviation:", "id: urn:dmb:dp:shipping:").apply(product)


def port_urn(product: Path) -> None:
    Change(DESCRIPTOR, "1:carrier_punctuality", "1:punctuality").apply(product)


def contract_id(product: Path) -> None:
    Change(CONTRACT, "1:carrier_punctuality", "1:punctuality").apply(product)


def numbers_for_versions(product: Path) -> None:
    Change(DESCRIPTOR, "version: 1.0.0 #", "version: 1.0 #").apply(product)
    Change(DESCRIPTOR, "type: tables\n    version: 1.0.0", "type: tables\n    version: 1").apply(product)
    Change(CONTRACT, "version: 1.0.0", "version: 1").apply(product)


def file_name(product: Path) -> None:
    (product / CONTRACT).rename(product / "outer/contracts/output/punctuality.odcs.yaml")


def edited_managed_file(product: Path) -> None:
    Change(STANDARD, "longest_days: 90", "longest_days: 300").apply(product)


def missing_managed_file(product: Path) -> None:
    (product / "noxfile.py").unlink()


def all_at_once(product: Path) -> None:
    for change in (urn, contract_id, numbers_for_versions, file_name, edited_managed_file, missing_managed_file):
        change(product)


@pytest.mark.parametrize(
    "spoil",
    [
        urn, port_urn, contract_id, numbers_for_versions, file_name,
        edited_managed_file, missing_managed_file, all_at_once,
    ],
)  # fmt: skip
def test_what_has_one_right_answer_becomes_what_it_was(spoil: Callable[[Path], None], product: Path) -> None:
    before = {name: data for name, data in suite_repo.contents(product).items() if not name.startswith("data/")}
    spoil(product)
    assert ids(product)
    mended(product)
    assert ids(product) == set()
    after = {name: data for name, data in suite_repo.contents(product).items() if not name.startswith("data/")}
    assert after == before


def test_what_a_file_held_before_is_kept(product: Path) -> None:
    file_name(product)
    urn(product)
    edited_managed_file(product)
    held = suite_repo.contents(product)
    kept = write(load(product), plan(load(product)))
    assert kept.startswith(f"{KEPT}/")
    saved = suite_repo.contents(product / kept)
    assert set(saved) == {STANDARD, DESCRIPTOR, "outer/contracts/output/punctuality.odcs.yaml"}
    assert all(held[name] == data for name, data in saved.items())


def test_a_dry_run_shows_the_diff_and_writes_nothing(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    all_at_once(product)
    before = suite_repo.contents(product)
    assert cli.main(["check", "--fix", "--dry-run", "--product", str(product)]) == 1
    said = capsys.readouterr()
    assert "-version: 1.0 #" in said.out
    assert "+version: 1.0.0 #" in said.out
    assert "rename to outer/contracts/output/carrier_punctuality.v1.odcs.yaml" in said.out
    assert "nothing was written" in said.err
    assert suite_repo.contents(product) == before


def test_the_command_mends_and_then_judges_again(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    all_at_once(product)
    assert cli.main(["check", "--fix", "--product", str(product)]) == 0
    said = capsys.readouterr()
    assert "--- a/outer/data-product.odps.yaml" in said.out
    assert said.out.rstrip().splitlines()[-1].startswith("pass: ")
    assert KEPT in said.err


def test_the_diff_is_one_that_git_applies(product: Path, tmp_path: Path) -> None:
    urn(product)
    edited_managed_file(product)
    (product / "AGENTS.md").write_text("no line end")
    suite_repo.commit(product)
    (tmp_path / "fix.patch").write_text("".join(fix.diff for fix in plan(load(product))))
    suite_repo.git(product, "apply", str(tmp_path / "fix.patch"))
    assert ids(product) == set()


def test_a_finding_that_needs_a_person_is_left_to_one(product: Path) -> None:
    Change(DESCRIPTOR, "role: owner", "role: member").apply(product)
    assert plan(load(product)) == ()
    assert cli.main(["check", "--fix", "--product", str(product)]) == 1


def test_a_changed_answer_is_brought_to_descriptor_ids_and_contracts(product: Path) -> None:
    for old, new in (("domain: aviation", "domain: shipping"), ("owner_team: aviation-data", "owner_team: ships")):
        Change(ANSWERS, old, new).apply(product)
    suite_repo.commit(product)
    mended(product)
    descriptor, contract = load(product).descriptor, load(product).output_contracts[0]
    assert descriptor is not None
    assert descriptor.get("domain") == contract.get("domain") == "shipping"
    assert descriptor.get("team", "name") == "ships"
    assert descriptor.get("id") == "urn:dmb:dp:shipping:flight-punctuality:1"
    assert contract.get("id") == "urn:dmb:cmp:shipping:flight-punctuality:1:carrier_punctuality"
    assert "# proposed, draft, active" in (product / DESCRIPTOR).read_text()


def test_an_answer_that_changed_to_several_values_is_brought_along(product: Path) -> None:
    Change(ANSWERS, "environments: [dev, prod]", "environments: [dev, test, prod]").apply(product)
    mended(product)
    assert "value: [local, dev, test, prod]" in (product / DESCRIPTOR).read_text()


def test_a_descriptor_that_the_team_changed_itself_is_not_turned_back(product: Path) -> None:
    Change(
        DESCRIPTOR, "property: classification, value: internal", "property: classification, value: restricted"
    ).apply(product)
    suite_repo.commit(product)
    assert plan(load(product)) == ()


def test_a_pinned_input_contract_is_never_touched(product: Path) -> None:
    path = product / "outer/contracts/input/flights.v1.odcs.yaml"
    Change("outer/contracts/input/flights.v1.odcs.yaml", "version: 1.0.0", "version: 1.0").apply(product)
    before = path.read_bytes()
    plan(load(product))
    mended(product)
    assert path.read_bytes() == before


def test_an_input_port_takes_the_version_text_of_its_pinned_contract(product: Path) -> None:
    Change("outer/contracts/input/flights.v1.odcs.yaml", "version: 1.0.0", 'version: "1"').apply(product)
    text = (product / DESCRIPTOR).read_text()
    (product / DESCRIPTOR).write_text(
        text.replace("  - name: flights\n    version: 1.0.0", "  - name: flights\n    version: 1")
    )
    mended(product)
    assert '  - name: flights\n    version: "1"' in (product / DESCRIPTOR).read_text()


def test_a_version_is_read_as_text_and_not_as_a_number(product: Path) -> None:
    Change(DESCRIPTOR, "version: 1.0.0 #", "version: 1.10 #").apply(product)
    mended(product)
    assert "version: 1.10.0 #" in (product / DESCRIPTOR).read_text()


def test_a_contract_is_not_moved_over_another(product: Path) -> None:
    other = product / "outer/contracts/output/other.odcs.yaml"
    other.write_bytes((product / CONTRACT).read_bytes())
    before = suite_repo.contents(product / "outer")
    write(load(product), plan(load(product)))
    assert suite_repo.contents(product / "outer") == before


def test_nothing_is_written_through_a_link_to_outside(product: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (product / ".github").rename(elsewhere)
    (product / ".github").symlink_to(elsewhere)
    (elsewhere / "workflows/data-product.yml").write_text("mine\n")
    assert cli.main(["check", "--fix", "--product", str(product)]) == 2
    assert (elsewhere / "workflows/data-product.yml").read_text() == "mine\n"


def test_managed_files_are_left_alone_by_a_command_of_another_version(product: Path) -> None:
    edited_managed_file(product)
    Change(ANSWERS, "_commit: v", "_commit: v9").apply(product)
    assert plan(load(product)) == ()


def test_the_rights_of_a_file_stay(product: Path) -> None:
    os.chmod(product / "noxfile.py", 0o744)
    (product / "noxfile.py").write_text("mine\n")
    mended(product)
    assert (product / "noxfile.py").stat().st_mode & 0o777 == 0o744


def test_all_files_are_mended_or_none(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last replacement fails, as on a disk that fills up between the two; what was there is kept before them."""
    (product / "noxfile.py").write_text("mine\n")
    Change(DESCRIPTOR, "version: 1.0.0 #", "version: 1.10 #").apply(product)
    fixes = plan(load(product))
    assert {fix.path for fix in fixes} == {DESCRIPTOR, "noxfile.py"}
    before = suite_repo.contents(product)
    real, calls = os.replace, list[Path]()

    def fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 4:
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UsageError, match="the product is as it was"):
        write(load(product), fixes)
    assert calls[3] == product / DESCRIPTOR
    assert suite_repo.contents(product) == before
    assert not (product / KEPT).exists()


def test_a_file_that_changed_since_the_plan_is_not_overwritten(product: Path) -> None:
    edited_managed_file(product)
    fixes = plan(load(product))
    (product / STANDARD).write_text("ours: now\n")
    before = suite_repo.contents(product)
    with pytest.raises(UsageError, match="changed meanwhile"):
        write(load(product), fixes)
    assert suite_repo.contents(product) == before


def test_a_link_in_the_place_of_a_managed_file_is_kept_as_a_link(product: Path) -> None:
    (product / "CODEOWNERS").rename(product / "owners")
    (product / "CODEOWNERS").symlink_to("owners")
    kept = write(load(product), plan(load(product)))
    assert not (product / "CODEOWNERS").is_symlink()
    assert os.readlink(product / kept / "CODEOWNERS") == "owners"


def test_a_file_of_the_team_that_is_a_link_is_not_replaced_by_a_file(
    product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urn(product)
    (product / DESCRIPTOR).rename(product / "outer/shared.yaml")
    (product / DESCRIPTOR).symlink_to("shared.yaml")
    before = suite_repo.contents(product)
    assert cli.main(["check", "--fix", "--product", str(product)]) == 2
    assert f"{DESCRIPTOR} cannot be mended: it is a link" in capsys.readouterr().err
    assert (product / DESCRIPTOR).is_symlink()
    assert suite_repo.contents(product) == before


@pytest.mark.parametrize("other", [["--dry-run"], ["--fix", "--format", "json"], ["--fix", "--write-baseline"]])
def test_a_wish_that_makes_no_sense_is_a_usage_error(other: list[str], product: Path) -> None:
    assert cli.main(["check", *other, "--product", str(product)]) == 2


def test_an_unknown_rule_stops_the_command_before_it_writes(product: Path) -> None:
    urn(product)
    before = suite_repo.contents(product)
    assert cli.main(["check", "--fix", "--rule", "IDN999", "--product", str(product)]) == 2
    assert suite_repo.contents(product) == before


# --- editing YAML in place ------------------------------------------------------------------------

WINDOWS = "\ufeff# head\r\na: 1.0   # why\r\nlist:\r\n  - {k: 'v', l: [x, y] }\r\nq: \"old\"\r\nempty:\r\n".encode()


def test_only_the_value_changes_and_its_quotes_stay() -> None:
    edited = replace(
        WINDOWS, {("a",): "1.0.0", ("list", 0, "k"): "it's", ("list", 0, "l"): ["z", "no"], ("q",): 'a "b"'}
    )
    assert edited.decode() == (
        "\ufeff# head\r\na: 1.0.0   # why\r\nlist:\r\n"
        "  - {k: 'it''s', l: [z, \"no\"] }\r\n"
        'q: "a \\"b\\""\r\nempty:\r\n'
    )  # fmt: skip


def test_what_was_json_is_json_still() -> None:
    edited = replace(b'{"version": 1.0, "tags": ["a"], "id": "x"}\n', {("version",): "1.0.0", ("tags",): ["a", "b"]})
    assert json.loads(edited) == {"version": "1.0.0", "tags": ["a", "b"], "id": "x"}


@pytest.mark.parametrize("pointer", [("b",), ("block",), ("nothing",)])
def test_what_is_not_on_one_line_is_not_replaced(pointer: tuple[str]) -> None:
    with pytest.raises(CannotEdit):
        replace(b"b:\n  c: 1\nblock: |\n  text\n", {pointer: "x"})


@given(
    value=st.one_of(st.text(), st.booleans(), st.integers(0, 10**9), st.lists(st.text(), max_size=3)),
    pointer=st.sampled_from([("a",), ("list", 0, "k"), ("list", 0, "l"), ("q",), ("empty",)]),
)
def test_a_replaced_value_reads_back_as_it_was_meant_or_is_refused(
    value: object, pointer: tuple[str | int, ...]
) -> None:
    try:
        edited = replace(WINDOWS, {pointer: value})
    except CannotEdit:
        return
    found = parse(edited).value
    for step in pointer:
        found = found[step]
    assert found == value
    assert edited.decode().splitlines()[0] == "\ufeff# head"
