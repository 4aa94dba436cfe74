"""What the documentation says is so: pages are up to date, links lead somewhere, and everything named exists."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from fnmatch import fnmatchcase
from itertools import pairwise, takewhile
from pathlib import Path, PurePosixPath

import pytest
from markdown_it import MarkdownIt

from outer import errors
from outer.cli import _parser
from outer.compat.rules import BY_ID as CHANGES
from outer.drift import managed_files
from outer.product import load
from outer.receipt import InputRecord, OutputRecord, Receipt
from outer.result import Result
from outer.rules import BY_ID
from suite_repo import ROOT, contents, git

PROMISES = ROOT / "docs/explanation/promises.md"
MARKDOWN = MarkdownIt().enable("table")


def listed() -> list[Path]:
    """Every file that git knows or would know."""
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


PAGES = [path for path in listed() if path.suffix == ".md"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages(argument: str = "page") -> pytest.MarkDecorator:
    return pytest.mark.parametrize(argument, PAGES, ids=name)


# --- Generated pages ------------------------------------------------------------------------------


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- Links ----------------------------------------------------------------------------------------


def links(text: str) -> Iterator[str]:
    """Targets of all links and images of a page, those in HTML included."""
    for token in MARKDOWN.parse(text):
        for child in token.children or ():
            if target := child.attrGet("href") or child.attrGet("src"):
                yield str(target)
            if child.type == "html_inline":
                yield from re.findall(r"""(?:href|src(?:set)?)=["']([^"']+)""", child.content)
        if token.type == "html_block":
            yield from re.findall(r"""(?:href|src(?:set)?)=["']([^"']+)""", token.content)


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub and GitLab make them."""
    found: set[str] = set()
    tokens = MARKDOWN.parse(text)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            words = "".join(c.content for c in token.children or () if c.type in ("text", "code_inline"))
            anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found.add(anchor if anchor not in found else f"{anchor}-1")
    return found


def broken_links(text: str, page: Path) -> list[str]:
    """Links of the text of `page` that lead nowhere in this repository."""
    broken = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and anchor not in anchors(target.read_text(encoding="utf-8") if path else text)):
            broken.append(link)
    return broken


@pages()
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page.read_text(encoding="utf-8"), page) == []


@pytest.mark.parametrize("link", ["nowhere.md", "README.md#no-such-heading", "#no-such-heading", "../outside.md"])
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert broken_links(f"# Here\n\n[there]({link})\n", ROOT / "docs.md") == [link]


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            found = (link.partition("#")[0] for link in links(page.read_text(encoding="utf-8")))
            waiting += [(page.parent / path).resolve() for path in found if path and ":" not in path]
    assert {name(p) for p in PAGES if p.is_relative_to(ROOT / "docs")} - {"docs/README.md"} <= set(map(name, reached))


def test_the_index_of_the_documentation_names_every_page() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index.read_text(encoding="utf-8"))}
    # Decisions have an index of their own, which it names.
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.parent.name != "decisions"}
    assert sorted(map(name, pages - linked - {index})) == []
    assert ROOT / "docs/explanation/decisions/README.md" in linked


# --- Commands, sessions, rules --------------------------------------------------------------------


def code(text: str) -> Iterator[str]:
    """Lines of code of a page: those of its blocks without comments, and each piece within a sentence."""
    for token in MARKDOWN.parse(text):
        if token.type == "fence":
            yield from (re.sub(r"(^|\s)# .*", "", line) for line in token.content.splitlines())
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def options() -> Mapping[str, set[str]]:
    """The options of every command of `outer`; one that has commands below it has theirs."""

    def held(parser: argparse.ArgumentParser) -> set[str]:
        found = {option for action in parser._actions for option in action.option_strings}
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                found = found.union(*map(held, action.choices.values()))
        return found

    (group,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {command: held(parser) for command, parser in group.choices.items()}


def sessions(noxfile: Path) -> set[str]:
    """Names of the sessions of a noxfile, read without running it."""
    tree = ast.parse(noxfile.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(d) for d in node.decorator_list)
    }


SUITE, PRODUCT = sessions(ROOT / "noxfile.py"), sessions(ROOT / "template/noxfile.py")


def unknown(text: str) -> list[str]:
    """What the text of a page names of commands, options, sessions and rules, and what does not exist."""
    known, wrong = options(), []
    for line in code(text):
        for command, rest in re.findall(r"(?<![\w/:.-])outer ([a-z]\w*)([^#|;)]*)", line):
            given = set(re.findall(r"(?<!\S)--[a-z][\w-]*", rest))
            wrong += [f"outer {command} {option}" for option in sorted(given - known.get(command, given))]
            wrong += [f"outer {command}"] if command not in known else []
        for rest in re.findall(r"(?:noxfile\.py|\bnox) (-s [^#|;)]*)", line):
            words = rest.split()[1:]
            named = list(takewhile(lambda word: re.fullmatch(r"[a-z_]+", word), words))
            wrong += [f"-s {session}" for session in named if session not in SUITE | PRODUCT]
            if named and named[-1] in known and "--" in words:
                given = {word for word in words[words.index("--") + 1 :] if word.startswith("--")}
                wrong += [f"outer {named[-1]} {option}" for option in sorted(given - known[named[-1]])]
    # ORG: policies that an organisation writes for itself; 999: an example of what does not exist.
    ids = re.findall(r"\b(?!ORG)[A-Z]{3}(?!999)[0-9]{3}\b", text)
    return wrong + [rule for rule in ids if rule not in BY_ID and rule not in CHANGES]


@pages()
def test_every_command_option_session_and_rule_that_is_named_exists(page: Path) -> None:
    assert unknown(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`outer fly`", "outer fly"),
        ("`outer check --fast`", "outer check --fast"),
        ("```\npython3 noxfile.py -s run -- --speed 3  # fast\n```", "outer run --speed"),
        ("```\nnox -s check fly\n```", "-s fly"),
        ("See ABC123.", "ABC123"),
    ],
)
def test_a_name_of_what_does_not_exist_is_found(text: str, expected: str) -> None:
    assert unknown(text) == [expected]


def test_every_session_is_documented() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [s for s in SUITE if f"python3 noxfile.py -s {s}`" not in contributing] == []
    assert [s for s in PRODUCT if f"`python3 noxfile.py -s {s}`" not in readme] == []


def test_a_fresh_machine_and_ci_are_told_the_same_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for command in ("python3 noxfile.py -s demo", "python3 noxfile.py -s tests"):
        assert re.search(rf"^{command}\b", readme, re.MULTILINE), command
    run = " ".join(re.findall(r"^python3 noxfile\.py -s (.+)$", ci, re.MULTILINE)).split()
    assert "tests" in run
    assert set(run) <= SUITE


# --- Reference ------------------------------------------------------------------------------------


def rows(page: str) -> Iterator[list[str]]:
    """Cells of every row of every table of a page of the reference."""
    for line in (ROOT / "docs/reference" / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_page_of_the_receipt_explains_every_field() -> None:
    explained = {field for row in rows("receipt.md") for field in re.findall(r"`(\w+)`", row[0])}
    wanted = {f.name for record in (Receipt, InputRecord, OutputRecord, Result) for f in fields(record)}
    assert wanted | {"format"} == explained


def test_the_page_of_exit_codes_lists_those_of_the_command() -> None:
    codes = {int(row[0]) for row in rows("exit-codes.md") if row[0].isdigit()}
    own = {errors.PASS, errors.FINDINGS, errors.USAGE, errors.NOTHING_CHECKED, errors.INTERNAL}
    assert codes == own | {130}


def test_the_page_of_files_knows_every_file_of_a_product_and_who_owns_it(product: Path) -> None:
    classes = {
        re.sub(r"<\w+>", "*", pattern): row[1]
        for row in rows("product-files.md")
        if row[1] in ("managed", "seed")
        for pattern in re.findall(r"`([^`]+)`", row[0])
    }
    answers = load(product).answers
    assert answers is not None
    managed = managed_files(answers)
    for path in contents(product):
        (owned,) = {kind for pattern, kind in classes.items() if fnmatchcase(path, pattern)} or {"nobody"}
        assert owned == ("managed" if path in managed else "seed"), path


# --- Promises -------------------------------------------------------------------------------------


def test_every_promise_names_tests_that_exist() -> None:
    promises = re.split(r"^## ", PROMISES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(promises) >= 6
    for promise in promises:
        named = re.findall(r"`tests/(\w+\.py)::(\w+)`", promise)
        assert named, f"no test holds: {promise.splitlines()[0]}"
        for file, test in named:
            tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
            assert test in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, f"{file}::{test}"


# --- The repository stands alone ------------------------------------------------------------------

# Where the suite was written must not show.
_MACHINE = re.compile(r"(?<![\w.}>*/$-])(?:/(?:root|work)/\w|/tmp/\w{1,5}/|(?:\.\./)+shared\b)")
_ELSEWHERE = ("https://pypi.org/", "https://files.pythonhosted.org/")


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = []
    for path in listed():
        if path != Path(__file__).resolve() and PurePosixPath(path).suffix not in (".parquet", ".png"):
            lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
            found += [f"{name(path)}:{n}: {line.strip()[:80]}" for n, line in lines if _MACHINE.search(line)]
    assert found == []


def test_lock_files_name_the_public_index() -> None:
    for path in listed():
        if path.name == "uv.lock":
            addresses = set(re.findall(r"https?://[^/\"]+/", path.read_text(encoding="utf-8")))
            assert addresses <= set(_ELSEWHERE), name(path)


def test_pictures_are_small_and_drawings_load_nothing() -> None:
    for path in (ROOT / "docs/images").iterdir():
        assert path.stat().st_size < 300_000, name(path)
        if path.suffix == ".svg":
            text = path.read_text(encoding="utf-8")
            assert "prefers-color-scheme: dark" in text
            assert not re.search(r"<script|@import|(?:href|src)=[\"']https?:", text)


def test_the_version_is_in_the_changelog() -> None:
    from outer import __version__

    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
