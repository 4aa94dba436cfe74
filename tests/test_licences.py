"""Licences of what the inner installs: read from lock files, held against the standard, written down by a machine."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outer.check import check
from outer.finding import Finding
from outer.fix import plan, write
from outer.licences import RECORD, allowed, packages, recorded
from outer.product import load
from outer.rules import BY_ID

TODAY = date(2030, 1, 1)
KNOWN = ("MIT", "Apache-2.0", "BSD-3-Clause", "GPL-2.0-only WITH Classpath-exception-2.0")


def found(root: Path, name: str = "INN011") -> list[Finding]:
    return list(check(load(root), TODAY, [BY_ID[name]]).findings)


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("GPL-2.0-only", False),
        ("", None),
        ("(MIT", None),
        ("MIT MIT", None),
        ("MIT OR", None),
        ("see the file", None),
        ("BSD/MIT", None),
        ("(" * 5000, None),
    ],
)
def test_an_expression_is_allowed_when_it_can_be_met(expression: str, verdict: bool | None) -> None:
    assert allowed(expression, KNOWN) is verdict


@given(st.lists(st.sampled_from(["MIT", "GPL-3.0-only", "AND", "OR", "WITH", "(", ")", " "]), max_size=12))
def test_no_text_makes_the_reader_of_expressions_fail(words: list[str]) -> None:
    assert allowed(" ".join(words), KNOWN) in (True, False, None)


@pytest.mark.parametrize(
    ("lock", "text", "expected"),
    [
        (
            "uv.lock",
            'version = 1\n\n[[package]]\nname = "Poly_Ars"\nversion = "1"\nsource = { registry = "https://x" }\n'
            '\n[[package]]\nname = "own"\nsource = { editable = "." }\n',
            {"poly-ars": ""},
        ),
        ("poetry.lock", '[[package]]\nname = "a"\nversion = "1"\n', {"a": ""}),
        ("pylock.toml", '[[packages]]\nname = "a"\n\n[[packages]]\nname = "b"\ndirectory = {path = "."}\n', {"a": ""}),
        (
            "Cargo.lock",
            '[[package]]\nname = "own"\n\n[[package]]\nname = "serde"\nsource = "registry+x"\n',
            {"serde": ""},
        ),
        (
            "package-lock.json",
            '{"packages": {"": {"name": "own"}, "node_modules/a": {"license": "MIT"},'
            ' "node_modules/x/node_modules/b": {}}}',
            {"a": "MIT", "b": ""},
        ),
        ("package-lock.json", '{"dependencies": {}}', None),
        ("package-lock.json", "{", None),
        ("requirements.txt", "a==1 --hash=sha256:0\nb[x]==2 \\\n  --hash=sha256:0\n", {"a": "", "b": ""}),
        ("go.sum", "example.com/lib v1.0.0 h1:x=\n", None),
    ],
)
def test_each_kind_of_lock_file_names_its_packages(lock: str, text: str, expected: dict[str, str] | None) -> None:
    assert packages(lock, text.encode()) == expected


def test_every_blueprint_comes_with_the_licences_of_all_that_it_locks(suite: Path) -> None:
    locks = sorted(suite.glob("blueprints/*/inner/**/uv.lock"))
    assert locks
    for lock in locks:
        record = (lock.parent / RECORD).read_text(encoding="utf-8")
        for package in packages("uv.lock", lock.read_bytes()) or {}:
            assert f"\n{package}: " in record, f"{lock}: {package}"


def test_a_package_without_a_licence_on_record_is_named(product: Path) -> None:
    assert found(product) == []
    record = product / "inner" / RECORD
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    record.write_text("".join(line for line in lines if not line.startswith("polars:")), encoding="utf-8")
    (finding,) = found(product)
    assert "polars" in finding.message
    record.unlink()
    (finding,) = found(product)
    assert "no licence is on record" in finding.message


def test_a_licence_that_the_standard_does_not_allow_is_shown_where_it_stands(product: Path) -> None:
    record = product / "inner" / RECORD
    text = record.read_text(encoding="utf-8").replace("\npolars: MIT", "\npolars: SSPL-1.0")
    record.write_text(text, encoding="utf-8")
    (finding,) = found(product)
    assert finding.path == f"inner/{RECORD}"
    assert text.splitlines()[finding.place.line - 1].startswith("polars:")


@pytest.mark.parametrize("text", ["- a list", "polars: [MIT]", "a: b: c", "polars: MIT\npolars: MIT"])
def test_a_record_that_cannot_be_read_is_red(product: Path, text: str) -> None:
    (product / "inner" / RECORD).write_text(text, encoding="utf-8")
    assert found(product)


def test_a_lock_that_nobody_can_read_is_said(product: Path) -> None:
    (product / "inner" / "go.sum").write_text("example.com/lib v1.0.0 h1:x=\n", encoding="utf-8")
    (finding,) = found(product, "INN012")
    assert finding.path == "inner/go.sum"


def test_a_fix_writes_down_what_installed_packages_say_and_keeps_the_rest(product: Path) -> None:
    record = product / "inner" / RECORD
    before = record.read_text(encoding="utf-8")
    kept = before.replace("\npolars: MIT", "").replace("\npytest: MIT", "\npytest: MIT # looked up by hand")
    record.write_text(kept, encoding="utf-8")
    site = product / "inner/.venv/lib/python3.11/site-packages/polars-2.1.0.dist-info"
    site.mkdir(parents=True)
    (product / "inner/.venv/pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    (site / "METADATA").write_text("Metadata-Version: 2.4\nName: Polars\nVersion: 2.1.0\nLicense-Expression: MIT\n")
    fixes = plan(load(product))
    assert [fix.path for fix in fixes] == [f"inner/{RECORD}"]
    write(load(product), fixes)
    assert record.read_text(encoding="utf-8") == before.replace("\npytest: MIT", "\npytest: MIT # looked up by hand")
    assert found(product) == []


def test_a_record_begins_with_what_it_is_for() -> None:
    text = recorded(None, {"b": "MIT", "a": "ISC"}).decode()
    assert text.startswith("# ")
    assert text.endswith("\n\na: ISC\nb: MIT\n")
