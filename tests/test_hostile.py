"""Hostile and broken files: a finding each, no rule that fails, nothing read outside, no escape that is printed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fuzz_check
import suite_repo
from mutation import JUDGING, Pointer, _values, _with
from outer import cli
from outer.check import check
from outer.product import ANSWERS, DESCRIPTOR, INNER, STANDARD, WAIVERS, File, Product, load
from outer.rules import BY_ID, RULES
from outer.rules.reading import CONTRACT, FLIGHTS
from outer.yamlfile import Document

TODAY = date(2030, 1, 1)
PATHS = (DESCRIPTOR, CONTRACT, FLIGHTS, INNER, STANDARD, WAIVERS, ANSWERS)
WAIVER = {"rule": "CON003", "place": CONTRACT, "reason": "r", "owner": "o", "approver": "a", "expires": "2030-01-02"}
DEEP: Any = 1
for _ in range(60):
    DEEP = {"x": [DEEP]}
VALUES: dict[str, Any] = {
    "null": None, "true": True, "a number": -7, "a huge number": 10**299, "a fraction": 1e308,
    "not a number": float("nan"), "infinity": float("-inf"), "a text": "x", "a huge text": "aA0_- ;:/'\"$*(" * 5000,
    "an escape": "\x1b[31m\r\n::error::\0", "a list": [],
    "a list of all kinds": [None, True, 1, "x", [], {}], "a mapping": {}, "a deep one": DEEP,
    "a mapping of all kinds": {"name": None, "property": [], "id": {}, "type": 1, "x": "y"},
    "a placeholder": "${" * 50, "a path": "../../../../etc/passwd", "a pattern": "(a+)+$(",
}  # fmt: skip
"""What takes the place of each value, one at a time."""
RULES_HERE = [rule for rule in RULES if rule.id != "INT001"]
"""Without the drift of managed files: other answers would be rendered anew, half a second each."""


def files(product: Product) -> dict[str, File]:
    return {file.path: file for file in product.files if file.path in PATHS}


def with_file(product: Product, file: File) -> Product:
    """`product` with another document in place of the one at the same path."""

    def other(known: tuple[File, ...]) -> tuple[File, ...]:
        return tuple(file if one.path == file.path else one for one in known)

    names = {DESCRIPTOR: "descriptor", STANDARD: "standard", WAIVERS: "waivers", INNER: "inner", ANSWERS: "answers"}
    single: dict[str, Any] = {names[file.path]: file} if file.path in names else {}
    return replace(
        product,
        output_contracts=other(product.output_contracts),
        input_contracts=other(product.input_contracts),
        **single,
    )


def broken(product: Product, every: int) -> Iterator[tuple[str, Product]]:
    """Products with one value that is something else, of all places and values each `every`th."""
    count = 0
    for path, file in files(product).items():
        value = {"waivers": [WAIVER]} if path == WAIVERS else file.value
        places: list[Pointer] = [pointer for pointer, _ in _values(value, ())]
        for pointer in places:
            for name, new in VALUES.items():
                count += 1
                if count % every == 0:
                    document = Document(_with(value, pointer, new), file.document.places)
                    yield f"{name} at {path} {pointer}", with_file(product, File(path, document))


def assert_no_rule_fails(product: Product, every: int) -> None:
    for what, other in broken(product, every):
        result = check(other, TODAY, RULES_HERE)
        assert result.crashed == (), f"{what}: {result.crashed}"


def test_no_rule_fails_over_a_value_that_is_something_else(product: Path) -> None:
    assert_no_rule_fails(load(product), every=31)


@pytest.mark.slow
def test_no_rule_fails_over_many_more_values_that_are_something_else(product: Path) -> None:
    assert_no_rule_fails(load(product), every=3)


@pytest.fixture(scope="module")
def fresh(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    return load(suite_repo.render(tmp_path_factory.mktemp("fresh") / "product", suite))


@settings(max_examples=25)
@given(chance=st.randoms(use_true_random=False))
def test_a_product_with_any_changes_is_judged_twice_the_same_and_no_rule_fails(
    chance: random.Random, fresh: Product
) -> None:
    """A few examples of what tests/fuzz_check.py does for hours."""
    values = fuzz_check.mutated(fuzz_check.documents(fresh), chance)
    fuzz_check.judged(fuzz_check.assembled(fresh, values, {}))


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_holds_something_else_altogether_is_a_finding(path: str, product: Path) -> None:
    for text in (
        "",
        "a",
        "[]",
        "{}",
        "null",
        "- a\n- b\n",
        "x: " + "[" * 70 + "]" * 70,
        "a: &a [*a]",
        "\0",
        "\ud7ff: 1",
    ):
        (product / path).write_text(text, encoding="utf-8")
        result = check(load(product), TODAY, RULES_HERE)
        assert result.crashed == (), text
        assert result.findings, text


HOSTILE_NAMES = ["a\nb", "\x1b[31mred", "::error::x", "a b", "%0A", "ä", "-rf", "'\"`$(id)", "a\tb", "x" * 200]


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
@pytest.mark.parametrize(
    "folder",
    [
        "outer/contracts/output", "outer/contracts/input", "inner", ".github/workflows", ".",
    ],
)  # fmt: skip
def test_names_of_files_with_escapes_reach_no_terminal(
    folder: str, product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"on: push\njobs: {{a: {{steps: [{{uses: a@v1}}]}}}}\npassword: {'s3cr3t'}-Horse1\n"
    for name in HOSTILE_NAMES:
        for suffix in (".odcs.yaml", ".yml", ".rej"):
            (product / folder / (name + suffix)).write_text(text, encoding="utf-8")
    for form in ("text", "github", "markdown", "json", "junit", "sarif"):
        assert cli.main(["check", "--format", form, "--product", str(product)]) == 1
        printed = capsys.readouterr()
        for stream in (printed.out, printed.err):
            assert "\x1b" not in stream
            assert "s3cr3t" not in stream
            assert not any(line.startswith(("::error::x", "b.")) for line in stream.splitlines())


def call(product: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`outer check` in a process of its own, which is stopped when it does not come back."""
    command = [sys.executable, "-m", "outer", "check", "--product", str(product), *options]
    own = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=own)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_pipes_devices_and_circles_are_passed_over_or_refused(product: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("password: hunter2-Secret\n")
    for place in (
        "outer/contracts/output/p.v1.odcs.yaml", "inner/p.cfg", "inner/requirements.txt", ".github/workflows/p.yml",
        ".gitlab-ci.yml", "inner/.pre-commit-config.yaml", "docs/CODEOWNERS",
    ):  # fmt: skip
        for number, make in enumerate((os.mkfifo, lambda p: os.symlink("/dev/zero", p), lambda p: os.symlink(p, p),
                                       lambda p: os.symlink(tmp_path / "secret.yaml", p))):  # fmt: skip
            if number == 2 and place.startswith("outer/"):
                continue  # see below
            path = (product / place).with_name(f"{number}{Path(place).name}") if number else product / place
            path.parent.mkdir(parents=True, exist_ok=True)
            make(str(path))
    (product / "inner/loop").symlink_to("..", target_is_directory=True)
    (product / "inner/out").symlink_to(tmp_path, target_is_directory=True)
    done = call(product)
    assert done.returncode == 1, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_contract_that_is_a_link_to_itself_is_a_finding(product: Path) -> None:
    (product / "outer/contracts/output/p.v1.odcs.yaml").symlink_to("p.v1.odcs.yaml")
    assert "REA001" in {f.rule for f in check(load(product), TODAY).findings}


@pytest.mark.parametrize("name", [".github/workflows", "outer/samples", "inner/shared", "outer/contracts"])
def test_nothing_is_read_through_a_folder_that_is_a_link_to_outside(name: str, product: Path, tmp_path: Path) -> None:
    """What lies there would be found, had it been read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.yml").write_text(
        "on: push\njobs: {a: {steps: [{uses: evil/action@main}]}}\npassword: 'hunter2-Secret'\n"
    )
    (outside / "x.v1.odcs.yaml").write_text("hunter2: [\n")
    if (product / name).exists():
        (product / name).rename(tmp_path / "before")
    (product / name).symlink_to(outside, target_is_directory=True)
    result = check(load(product), TODAY)
    assert result.crashed == ()
    said = " ".join(f.message for f in result.findings)
    assert "evil" not in said
    assert "hunter2" not in said
    assert any(f.rule == "INN004" for f in result.findings)


def test_huge_files_are_refused_or_passed_over(product: Path) -> None:
    huge = b"a: [" + b"1," * 25_000_000 + b"]\n"
    for path in (CONTRACT, ".github/workflows/data-product.yml", "inner/notes.cfg", "CODEOWNERS"):
        (product / path).write_bytes(huge)
    (product / "inner/uv.lock").write_bytes(b'name = "x"\n' * 5_000_000)
    done = call(product)
    assert done.returncode == 1, done.stderr
    assert "larger than 1 MiB" in done.stdout


SLOW_TEXTS = {
    CONTRACT: "SELECT count(*) FROM {object} WHERE cancelled > flights",
    ".github/workflows/data-product.yml": "python3 noxfile.py -s check compat test run verify",
    INNER: "uv run --no-sync pytest -q",
}
REPEATED = [
    "nox -s ",
    "${{ github.",
    "|| ",
    "/*",
    "''",
    '"',
    "--",
    "curl ",
    "| sh",
    "password=",
    "://a:",
    "a.",
    "\\\\(",
    "set +",
]


@pytest.mark.parametrize("path", SLOW_TEXTS)
def test_no_text_keeps_a_rule_busy(path: str, product: Path) -> None:
    """Texts that make patterns try again and again; a pattern that does would run for hours."""
    before = (product / path).read_text()
    for piece in REPEATED:
        long = (piece * (200_000 // len(piece)))[:200_000].replace("'", "''")
        text = before.replace(SLOW_TEXTS[path], f"'{long}'", 1)
        assert text != before
        (product / path).write_text(text)
        assert check(load(product), TODAY).crashed == ()


def test_a_standard_with_a_pattern_that_explodes_does_no_harm(product: Path) -> None:
    text = (product / STANDARD).read_text()
    (product / STANDARD).write_text(text.replace('product: "[a-z][a-z0-9]*(-[a-z0-9]+)*"', 'product: "([a-z-]+)+#"'))
    descriptor = (product / DESCRIPTOR).read_text()
    (product / DESCRIPTOR).write_text(descriptor.replace("name: flight-punctuality", f"name: {'a' * 5000}"))
    result = check(load(product), TODAY)
    assert "IDN002" in {f.rule for f in result.findings}


def test_a_broken_standard_lets_nothing_pass_in_silence(product: Path) -> None:
    (product / STANDARD).write_text('version: "1"\nnames: {product: "("}\nclassifications: []\n')
    found = {f.rule for f in check(load(product), TODAY).findings}
    assert {"REA006", "INT001", "INT005"} <= found


def test_the_rules_that_mutants_are_judged_by_are_nearly_all() -> None:
    assert len(JUDGING) > len(BY_ID) - 40
