"""The questions: what they accept, what they refuse, and that every answer arrives unharmed wherever it is written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import suite_repo
from outer import product as outer_product
from outer import yamlfile
from suite_repo import contents, questions

CONVERSATION = [
    "product_name", "title", "domain", "purpose", "product_type",  # what is it?
    "owner_team", "owner_email",  # who answers for it?
    "output_port", "personal_data", "classification", "visibility", "licence",  # what does it promise?
    "freshness_hours", "retention_days", "support_hours", "environments",
    "ci_host",  # where does it live?
    "blueprint", "port_format", "orchestration",  # how is it built?
]  # fmt: skip
COMPUTED = ["suite_url", "suite_ref", "managed_only", "product_urn", "port_urn"]

DESCRIPTOR = outer_product.DESCRIPTOR
CONTRACT = f"{outer_product.OUTPUT_CONTRACTS}/carrier_punctuality.v1.odcs.yaml"
INPUTS = [f"{outer_product.INPUT_CONTRACTS}/{port}.v1.odcs.yaml" for port in ("flights", "airlines")]
ANSWERS_FILE = outer_product.ANSWERS

QUESTIONS = questions()
ASKED = {name: question for name, question in QUESTIONS.items() if question.get("when") is not False}


# --- The conversation -----------------------------------------------------------------------------


def test_the_questions_come_in_the_order_of_a_conversation() -> None:
    names, known = list(QUESTIONS), CONVERSATION + COMPUTED
    assert names[: len(known)] == known
    prefixes = tuple(f"{blueprint}_" for blueprint in suite_repo.choices(QUESTIONS["blueprint"]))
    assert all(name.startswith(prefixes) for name in names[len(known) :]), "blueprints ask last, under their own name"


@pytest.mark.parametrize("name", ASKED)
def test_every_question_is_a_question_with_a_default(name: str) -> None:
    question = ASKED[name]
    assert re.match(r"[A-Z][^.!?]*\?( [A-Z].*[.?])?\Z", question["help"]), question["help"]
    assert ("default" in question) == (name != "blueprint")


def test_a_copy_without_a_terminal_says_what_to_do_next(suite: Path, tmp_path: Path) -> None:
    done = copier("copy", "--defaults", "--data", "blueprint=polars", suite, tmp_path / "made")
    assert done.returncode == 0, done.stderr
    assert "flight-punctuality is ready" in done.stderr
    assert str(tmp_path / "made") in done.stderr
    assert suite_repo.complaints(tmp_path / "made") == []


def test_the_blueprint_is_the_only_answer_that_must_be_given(suite: Path, tmp_path: Path) -> None:
    done = copier("copy", "--defaults", suite, tmp_path / "none")
    assert done.returncode != 0
    assert 'Question "blueprint" is required' in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_blueprint_that_does_not_exist_is_refused_and_nothing_is_written(suite: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Invalid choice for 'blueprint'"):
        suite_repo.render(tmp_path / "made", suite, blueprint="cobol")
    assert not (tmp_path / "made").exists()


def copier(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "copier", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


# --- What is accepted and what is refused ---------------------------------------------------------

LONGEST_NAME = "a" * 63
ACCEPTED: dict[str, list[Any]] = {
    "product_name": ["a", "a1", "orders", "orders-by-day-2", "nullable", "console", LONGEST_NAME],
    "title": ["x", "1e3", "two\nlines", "\ttab", "x" * 2000],
    "domain": ["aviation", "air-traffic", "d2"],
    "purpose": ["Why?", "- a\n- b\n", "# not a heading"],
    "product_type": ["sourceAligned", "aggregate", "consumerAligned"],
    "owner_team": ["team", "aviation-data"],
    "owner_email": ["a@b.c", "First.Last+tag@mail.example.co.uk", "x_y-z@a-b.example", f"a@{'b.' * 120}cc"],
    "output_port": ["a", "orders", "orders_by_day_2", "flights_2", LONGEST_NAME],
    "personal_data": [True, False, ("yes", True), ("no", False)],
    "freshness_hours": [1, 24, 8784, ("36", 36)],
    "retention_days": [1, 36500, ("30", 30)],
    "environments": [["dev"], (["prod", "dev"], ["dev", "prod"]), ["dev", "test", "prod"], ("[test]", ["test"])],
}
"""A pair where an answer is remembered in other words than it was given."""
NO_NAMES = [
    "", " ", "Orders", "orders ", " orders", "1a", "-a", "a-", "a--b", "_a", "a_", "a.b", "a b", "a/b", "../a", "ä",
    "a\n", "a\nb", "{{ 1 }}", "a" * 64, "y", "no", "true", "null", "on", "nul", "con", "aux", "prn", "com1", "lpt9",
]  # fmt: skip
NO_TEXTS = ["", " ", "\n\t", "...", "\u200b", "🛫", "x" * 2001]
NO_TEXTS += [f"x{c}y" for c in "\0\a\b\v\f\r\x1b\x7f\x85\x9b\u2028\u2029\ud800\udfff\udcff\ufeff\ufffe\uffff"]
REFUSED: dict[str, list[Any]] = {
    "product_name": [*NO_NAMES, "a_b"],
    "title": NO_TEXTS,
    "domain": ["", "Air traffic", "a_b", "nul"],
    "purpose": NO_TEXTS[::5],
    "product_type": ["", "source-aligned", "SourceAligned"],
    "owner_team": ["", "Data team", "a_b", "nul"],
    "owner_email": [
        "", "a", "@b.c", "a@b", "a@", "a@b..c", "a@.b.c", "a@-b.c", "a@b-.c", ".a@b.c", "a.@b.c", "a..b@c.d", "a b@c.d",
        "a@b.c\n", "a@b.c d@e.f", "<a@b.c>", "A <a@b.c>", "a@b.c,d@e.f", "#a@b.c", "ä@b.c", "a@bä.c",
        "a@" + "b." * 130 + "c",
    ],
    "output_port": ["", "Order lines", "a-b", "a__b", "_a", "a_", "a" * 64, "null", "nul", "flights", "airlines"],
    "classification": ["secret", ""],
    "visibility": ["everybody"],
    "licence": ["MIT"],
    "freshness_hours": [0, -1, 8785, "a day", "1.5", ""],
    "retention_days": [0, -1, 36501, "for ever"],
    "support_hours": ["9x5"],
    "environments": [[], "[]", ["local"], ["staging"], "dev"],
    "ci_host": ["bitbucket"],
    "blueprint": ["", "Polars", "polars "],
    "port_format": ["", "Delta", "iceberg"],
}  # fmt: skip


def cases(table: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(name, value, id=f"{name}={value!r:.24}") for name, values in table.items() for value in values]


@pytest.fixture(scope="module")
def interview(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with nothing to render but the answers file: asks and judges as the whole one does, only faster."""
    return reduced(suite, tmp_path_factory.mktemp("interview") / "suite", keep=())


def reduced(suite: Path, target: Path, keep: tuple[str, ...]) -> Path:
    """A copy of `suite` whose template holds the answers file, the shared pieces and the files named in `keep`."""
    shutil.copytree(suite, target, symlinks=True, ignore=shutil.ignore_patterns(".git", "hooks", "tests", "docs"))
    for name, path in suite_repo.files(target / "template").items():
        if not name.startswith((".macros/", "{{_copier_conf.answers_file}}")) and name not in keep:
            path.unlink()
    return target


@pytest.mark.parametrize(("name", "value"), cases(ACCEPTED))
def test_an_answer_is_accepted_and_remembered_as_it_was_given(
    name: str, value: Any, interview: Path, tmp_path: Path
) -> None:
    given, expected = value if isinstance(value, tuple) else (value, value)
    product = suite_repo.render(tmp_path / "made", interview, None, **{name: given})
    remembered = yaml.safe_load((product / ANSWERS_FILE).read_bytes())
    assert remembered[name] == expected


@pytest.mark.parametrize(("name", "value"), cases(REFUSED))
def test_an_answer_is_refused_with_one_sentence_and_nothing_is_written(
    name: str, value: Any, interview: Path, tmp_path: Path
) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        suite_repo.render(tmp_path / "made", interview, None, **{name: value})
    assert re.match(
        rf"(Validation error for question|Invalid choice for) '{name}': .+|Not a YAML list|invalid literal for int",
        str(refused.value),
        re.DOTALL,
    )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name",
    # That of `blueprint` judges the machine, not the answer: see test_template.py.
    [name for name, question in ASKED.items() if "validator" in question and name != "blueprint"],
)
def test_every_validator_says_what_to_do_in_words_of_its_own(name: str, interview: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"for question '{name}'") as refused:
        suite_repo.render(tmp_path / "made", interview, None, **{name: REFUSED[name][0]})
    told = str(refused.value)
    assert re.match(rf"Validation error for question '{name}': [A-Z].*[.)]", told, re.DOTALL), told


@pytest.mark.parametrize(
    ("together", "reason"),
    [
        ({"personal_data": True, "classification": "public"}, "personal data are confidential at least"),
        ({"personal_data": True, "classification": "internal"}, "personal data are confidential at least"),
        ({"visibility": "public"}, "only data classified as public may be visible to everyone"),
        ({"classification": "restricted", "visibility": "public"}, "only data classified as public"),
    ],
    ids=str,
)
def test_answers_that_contradict_each_other_are_refused(
    together: dict[str, Any], reason: str, interview: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        suite_repo.render(tmp_path / "made", interview, None, **together)
    assert not (tmp_path / "made").exists()


# --- Every choice makes a product that keeps the standard -----------------------------------------

NEEDS: dict[tuple[str, Any], dict[str, Any]] = {
    ("visibility", "public"): {"classification": "public"},
    ("port_format", "delta"): {"blueprint": "dbt"},
}
"""Other answers that a choice asks for."""

WRITTEN: dict[str, list[tuple[str, Any]]] = {
    "product_name": [(DESCRIPTOR, lambda f: f["name"]), (DESCRIPTOR, lambda f: f["id"].split(":")[4])],
    "title": [(DESCRIPTOR, lambda f: custom(f, "title"))],
    "domain": [(DESCRIPTOR, lambda f: f["domain"]), (CONTRACT, lambda f: f["domain"])],
    "purpose": [(DESCRIPTOR, lambda f: f["description"]["purpose"]), (CONTRACT, lambda f: f["description"]["purpose"])],
    "product_type": [(DESCRIPTOR, lambda f: f["type"])],
    "owner_team": [(path, lambda f: f["team"]["name"]) for path in (DESCRIPTOR, CONTRACT)],
    "owner_email": [(path, lambda f: f["team"]["members"][0]["username"]) for path in (DESCRIPTOR, CONTRACT)],
    "output_port": [(DESCRIPTOR, lambda f: f["outputPorts"][0]["name"]), (CONTRACT, lambda f: f["name"])],
    "personal_data": [(path, lambda f: custom(f, "personalData")) for path in (DESCRIPTOR, CONTRACT)],
    "classification": [
        (DESCRIPTOR, lambda f: custom(f, "classification")),
        (CONTRACT, lambda f: f["schema"][0]["properties"][0]["classification"]),
    ],
    "visibility": [(DESCRIPTOR, lambda f: custom(f, "visibility"))],
    "licence": [(path, lambda f: custom(f, "licence")) for path in (DESCRIPTOR, CONTRACT)],
    "freshness_hours": [(CONTRACT, lambda f: level(f, "freshness"))],
    "retention_days": [(CONTRACT, lambda f: level(f, "retention"))],
    "support_hours": [(CONTRACT, lambda f: level(f, "supportHours"))],
    "environments": [
        (DESCRIPTOR, lambda f: custom(f, "environments")[1:]),
        *[(path, lambda f: [s["environment"] for s in f["servers"]][1:]) for path in (CONTRACT, *INPUTS)],
    ],
    "ci_host": [],  # decides which file there is: see test_template.py
    "blueprint": [],  # decides what lies in inner/
    "port_format": [(CONTRACT, lambda f: f["servers"][0]["format"])],
    "orchestration": [],  # decides what lies in inner/orchestration
}
"""Where each answer is to be found in a product."""

NASTY = [
    "quotes \" and ' and \\ and ` and </script>",
    "colon: comma, hash # and & * ! | > % @ {a: b} [c]",
    "- a list\n- of lines\n\n# a heading\n---\n...\n",
    "{{ 7 * 7 }} {% raw %} {# gone? #} ${DATA_ROOT} $(id) %APPDATA%",
    "1. first\n2) second\n    code\n\ttab",
    "  spaces before and after  ",
    "سلام עולם 東京 naïve e\u0301 \N{NO-BREAK SPACE} 👩\u200d🚀 \U0010fffd",
    "*bold* _it_ ~~no~~ <b>tag</b> [link](http://x.y) ![i](j) &amp; <http://a.b> | cell |",
    "<<<<<<< ours\n=======\nyours\n>>>>>>> theirs",
    *[
        "yes",
        "null",
        "1e3",
        "0o17",
        "0x1f",
        "2026-01-01",
        "12:30:00",
        "1_000",
        "=x",
        "<< x",
        "!x",
        "&x",
        "*x",
        "?x",
        "%x",
        "@x",
    ],
]


def custom(file: Any, name: str) -> Any:
    return next(entry["value"] for entry in file["customProperties"] if entry["property"] == name)


def level(file: Any, name: str) -> Any:
    return next(entry["value"] for entry in file["slaProperties"] if entry["property"] == name)


EVERY_CHOICE = [
    (name, value)
    for name, question in ASKED.items()
    for value in suite_repo.choices(question)
    if value != question.get("default")  # the default is part of every other product here
]


def test_the_table_of_places_knows_every_question() -> None:
    assert [name for name in WRITTEN if name in CONVERSATION] == CONVERSATION


@pytest.mark.parametrize("choice", EVERY_CHOICE, ids=lambda choice: f"{choice[0]}={choice[1]}")
def test_every_choice_makes_a_product_that_keeps_the_standard(
    choice: tuple[str, Any], suite: Path, tmp_path: Path
) -> None:
    """Each with another nasty title and purpose, which makes them so many more proofs of the tests below."""
    name, value = choice
    number = EVERY_CHOICE.index(choice)
    answers = {
        "title": f"{NASTY[number % len(NASTY)]} x",
        "purpose": NASTY[(number + 1) % len(NASTY)],
        **NEEDS.get(choice, {}),
        name: [value] if ASKED[name].get("multiselect") else value,
    }
    product = suite_repo.render(tmp_path / "made", suite, **answers)
    assert_sound(product, answers)
    assert suite_repo.complaints(product) == []


def test_every_extreme_answer_at_once_makes_a_product_that_keeps_the_standard(suite: Path, tmp_path: Path) -> None:
    answers: dict[str, Any] = {
        "product_name": LONGEST_NAME, "domain": "d", "owner_team": "t", "owner_email": "a@b.c", "output_port": "o" * 63,
        "title": "x" * 2000, "purpose": "\n" * 1000 + "x" + " " * 999, "freshness_hours": 8784, "retention_days": 1,
        "personal_data": True, "classification": "restricted", "environments": ["dev", "test", "prod"],
    }  # fmt: skip
    product = suite_repo.render(tmp_path / "made", suite, **answers)
    assert_sound(product, answers)
    assert suite_repo.complaints(product) == []


# --- Any text arrives unharmed --------------------------------------------------------------------

PRINTABLE = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff")
TEXTS = (
    st.lists(
        st.sampled_from([*NASTY, "\n", "\t", " ", "  ", "-", "#", ":", "'", '"', "\\", "{{", "}}", "{%", "%}", "{#"])
        | st.text(PRINTABLE, max_size=12),
        min_size=1,
        max_size=8,
    )
    .map("".join)
    .filter(lambda text: re.search(r"\w", text) is not None and len(text) <= 2000)
)


@pytest.fixture(scope="module")
def texts_only(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with nothing to render but the files that a title or purpose goes to."""
    template = suite / "template"
    names = [
        name for name, path in suite_repo.files(template).items()
        if path.suffix == ".jinja" and re.search(r"\b(title|purpose)\b", path.read_text(encoding="utf-8"))
    ]  # fmt: skip
    return reduced(suite, tmp_path_factory.mktemp("texts") / "suite", keep=tuple(names))


@settings(max_examples=30)
@given(title=TEXTS, purpose=TEXTS)
@example(title="x" * 2000, purpose="x\U0010ffff")
@example(title="x\\", purpose="\\x\\\\")
def test_any_text_arrives_unharmed_wherever_it_is_written(title: str, purpose: str, texts_only: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        product = suite_repo.render(Path(folder, "made"), texts_only, None, title=title, purpose=purpose)
        assert_sound(product, {"title": title, "purpose": purpose})


@pytest.mark.slow
@settings(max_examples=30)
@given(title=TEXTS, purpose=TEXTS)
def test_any_text_makes_a_product_that_keeps_the_standard(title: str, purpose: str, suite: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        product = suite_repo.render(Path(folder, "made"), suite, title=title, purpose=purpose)
        assert_sound(product, {"title": title, "purpose": purpose})
        assert suite_repo.complaints(product) == []


def test_a_title_reaches_no_managed_file_but_the_answers_file(suite: Path, tmp_path: Path) -> None:
    """Managed files are safe from free text because they hold none."""
    made = [
        contents(suite_repo.render(tmp_path / word, suite, title=word, purpose=word)) for word in ("one", "two")
    ]  # fmt: skip
    changed = {name for name in made[0] if made[0][name] != made[1][name]}
    assert changed == {ANSWERS_FILE, DESCRIPTOR, CONTRACT, "README.md"}


def test_the_answers_given_survive_an_update_as_they_are(suite: Path, tmp_path: Path) -> None:
    """Copier renders defaults, never remembered answers: `{{ 7 * 7 }}` stays what it is."""
    answers = {"title": NASTY[3], "purpose": "".join(NASTY[:10])}
    product = suite_repo.start(suite_repo.render(tmp_path / "made", suite, **answers))
    before = contents(product)
    suite_repo.update(product, ":current:")
    assert contents(product) == before


def assert_sound(product: Path, answers: dict[str, Any]) -> None:
    """Every file of `product` is valid in its language, and holds `answers` where they belong, exactly."""
    parsed: dict[str, Any] = {}
    for name, data in contents(product).items():
        if name.endswith((".yaml", ".yml")):
            parsed[name] = yaml.safe_load(data)
            assert name != outer_product.ANSWERS or yamlfile.parse(data).value == parsed[name]
            if name.startswith("outer/") or name == outer_product.INNER:
                assert yamlfile.parse(data).value == parsed[name]
        elif name.endswith(".toml"):
            tomllib.loads(data.decode("utf-8"))
        elif name.endswith(".py"):
            compile(data, name, "exec")
    for name, value in answers.items():
        assert parsed[ANSWERS_FILE][name] == value
        for path, find in WRITTEN[name]:
            path = path.replace("carrier_punctuality", answers.get("output_port", "carrier_punctuality"))
            assert find(parsed[path]) == value, f"{name} in {path}"
    if "title" in answers:
        assert_readme(product / "README.md", answers["title"], answers["purpose"])


def assert_readme(path: Path, title: str, purpose: str) -> None:
    """The README shows both texts as they are, white space folded, and they change nothing else of it."""
    blocks = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    assert [block.tag for block in blocks[:6]] == ["h1", "", "h1", "p", "", "p"]
    for block, text in ((blocks[1], title), (blocks[4], purpose)):
        assert [child.type for child in block.children or []] == ["text"]
        assert block.children[0].content == " ".join(text.split())  # type: ignore[index]
    headings = [after.content for block, after in pairwise(blocks) if block.type == "heading_open"]
    assert headings[1:] == re.findall(
        r"^## (.+)$", (suite_repo.ROOT / "template/README.md.jinja").read_text(encoding="utf-8"), re.MULTILINE
    )
