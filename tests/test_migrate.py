"""`outer migrate`: the team's files follow the standard, and keep their comments, order, quotes and line ends."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suite_repo
from outer.daytwo import edit
from outer.errors import NothingChecked, UsageError
from outer.migrate import Example, Migration, Seeds, known, plan, planning, serve, write
from outer.migrate.rewrite import remove, rename
from outer.product import DESCRIPTOR, INNER, WAIVERS
from outer.yamledit import CannotEdit, replace
from products import outer

OLD, NEW = "apiVersion: v1.0.0\n", "apiVersion: v1.1.0\n"


@pytest.fixture
def old(product: Path) -> Path:
    """A product with a descriptor that is to be migrated."""
    change(product, "apiVersion: v1.1.0\n", OLD)
    return product


def change(product: Path, before: str, after: str) -> None:
    path = product / DESCRIPTOR
    text = path.read_bytes().decode()
    assert before in text
    path.write_bytes(text.replace(before, after, 1).encode())


def made(change: Callable[[Seeds], None], since: str = "0.2.0") -> Migration:
    return Migration(since, "It changes.", "It must.", change, (Example(DESCRIPTOR, "a: 1\n", "a: 2\n"),))


# --- Every migration there is ----------------------------------------------------------------------


@pytest.mark.parametrize("migration", known(), ids=lambda migration: migration.name)
def test_a_migration_does_what_its_examples_say_and_nothing_a_second_time(migration: Migration) -> None:
    assert migration.examples
    for example in migration.examples:
        assert example.before != example.after
        for eol in ("\n", "\r\n"):
            before, after = (text.replace("\n", eol).encode() for text in (example.before, example.after))
            seeds = Seeds({example.path: before})
            migration.change(seeds)
            assert seeds.content(example.path) == after
            migration.change(seeds)
            assert seeds.content(example.path) == after
            assert not seeds.left


@pytest.mark.parametrize("migration", known(), ids=lambda migration: migration.name)
@given(
    comments=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp"))), max_size=4),
    blank=st.integers(0, 3),
)
def test_a_migration_keeps_comments_and_blank_lines(migration: Migration, comments: list[str], blank: int) -> None:
    for example in migration.examples:
        head = "".join(f"# {words}\n" for words in comments) + "\n" * blank
        seeds = Seeds({example.path: (head + example.before).encode()})
        migration.change(seeds)
        assert seeds.content(example.path) == (head + example.after).encode()


def test_a_fresh_product_of_every_blueprint_has_nothing_to_migrate(suite: Path, tmp_path: Path) -> None:
    for blueprint in suite_repo.questions()["blueprint"]["choices"].values():
        planned = plan(suite_repo.render(tmp_path / blueprint, suite, blueprint=blueprint))
        assert planned.known >= 1
        assert len(planned.looked_at) >= 4
        assert (planned.files, planned.left) == ((), ())


def test_migrations_come_in_the_order_of_versions() -> None:
    versions = [[int(number) for number in migration.since.split(".")] for migration in known()]
    assert versions == sorted(versions)


@pytest.mark.parametrize("text", ["", "MIGRATION = 1\n", "raise ValueError\n", "import nowhere\n"])
def test_a_module_that_is_no_migration_stops_the_command(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped: a migration that is left out leaves products behind, and nobody knows."""
    package = planning.import_module("outer.migrate.migrations")
    (tmp_path / "broken_one.py").write_text(text)
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    known.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"migrations/broken_one\.py"):
            known()
    finally:
        known.cache_clear()


def test_a_migration_that_prints_does_not_disturb_the_program_that_asks(
    product: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = planning.import_module("outer.migrate.migrations")
    (tmp_path / "talkative.py").write_text(
        "from outer.migrate import Example, Migration\n"
        "MIGRATION = Migration('0.2.0', 'It talks.', 'So.', lambda seeds: print('look'), (Example('a', 'b', 'c'),))\n"
    )
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"product": str(product)}) + "\n"))
    known.cache_clear()
    try:
        assert serve.main() == 0
    finally:
        known.cache_clear()
    said = capsys.readouterr()
    assert [json.loads(line).get("ok") for line in said.out.splitlines()] == [None, True]
    assert "look" in said.err


# --- On a product ----------------------------------------------------------------------------------


def test_a_plan_writes_nothing(old: Path) -> None:
    before = suite_repo.contents(old)
    planned = plan(old)
    assert planned.files == (DESCRIPTOR,)
    assert f"-{OLD}+{NEW}" in planned.diff
    assert suite_repo.contents(old) == before


def test_what_is_written_is_the_change_and_nothing_else(old: Path) -> None:
    before = suite_repo.contents(old)
    assert write(plan(old)) == (DESCRIPTOR,)
    after = suite_repo.contents(old)
    assert after == before | {DESCRIPTOR: before[DESCRIPTOR].replace(OLD.encode(), NEW.encode())}
    assert plan(old).files == ()


def test_a_file_with_windows_line_ends_and_rights_keeps_both(old: Path) -> None:
    path = old / DESCRIPTOR
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o755)
    before = path.read_bytes()
    write(plan(old))
    assert path.read_bytes() == before.replace(b"v1.0.0", b"v1.1.0", 1)
    assert path.stat().st_mode & 0o777 == 0o755


def test_migrations_see_what_the_ones_before_them_made(product: Path) -> None:
    def first(seeds: Seeds) -> None:
        if seeds.get(DESCRIPTOR, "apiVersion") == "v1.1.0":
            seeds.edit(DESCRIPTOR, lambda data: edit.add(data, (), "tags", ["a"]))

    def second(seeds: Seeds) -> None:
        if seeds.get(DESCRIPTOR, "tags") == ["a"]:
            seeds.edit(DESCRIPTOR, lambda data: edit.append(data, ("tags",), "b"))

    planned = plan(product, (made(first), made(second, "0.3.0")))
    assert [step.files for step in planned.steps] == [(DESCRIPTOR,), (DESCRIPTOR,)]
    write(planned)
    assert Seeds({DESCRIPTOR: (product / DESCRIPTOR).read_bytes()}).get(DESCRIPTOR, "tags") == ["a", "b"]


def test_what_a_text_does_not_allow_is_left_to_the_team_with_its_place(product: Path) -> None:
    change(product, "status: draft", "status: >-\n  draft\n#")

    def status(seeds: Seeds) -> None:
        seeds.edit(DESCRIPTOR, lambda data: replace(data, {("status",): "active"}), "status")

    planned = plan(product, (made(status),))
    assert planned.files == ()
    line = (product / DESCRIPTOR).read_text().splitlines().index("status: >-") + 1
    assert [left.place for left in planned.left] == [f"{DESCRIPTOR}:{line}"]


def test_pinned_input_contracts_are_out_of_reach(product: Path) -> None:
    seen: list[str] = []
    plan(product, (made(lambda seeds: seen.extend(seeds.paths)),))
    assert DESCRIPTOR in seen
    assert INNER in seen
    assert WAIVERS in seen
    assert any(path.startswith("outer/contracts/output/") for path in seen)
    assert not any("input" in path for path in seen)


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (INNER, b"a: [\n", f"{INNER}:2: "),
        (WAIVERS, b"\xff\n", f"{WAIVERS}:1: "),
        (DESCRIPTOR, b"kind: x\n<<<<<<< before updating\n", f"{DESCRIPTOR}:2: a conflict marker"),
        (WAIVERS, b"a: 1\na: 2\n", f"{WAIVERS}:2: "),
    ],
    ids=["no YAML", "no text", "conflict markers", "a key twice"],
)
def test_a_file_that_cannot_be_read_stops_everything_with_one_error(
    path: str, content: bytes, said: str, old: Path
) -> None:
    (old / path).write_bytes(content)
    before = suite_repo.contents(old)
    done = outer(old, "migrate", "--write")
    assert done.returncode == 2
    assert done.stderr.count("outer: ") == 1
    assert said in done.stderr
    assert "nothing was migrated" in done.stderr
    assert "Traceback" not in done.stderr
    assert suite_repo.contents(old) == before


def test_a_link_instead_of_a_file_is_not_followed(old: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.move(old / DESCRIPTOR, tmp_path / "elsewhere.yaml"))
    (old / DESCRIPTOR).symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    with pytest.raises(UsageError, match="link"):
        plan(old)
    assert elsewhere.read_bytes() == before


def test_a_file_that_changed_since_the_plan_is_not_overwritten(old: Path) -> None:
    planned = plan(old)
    (old / DESCRIPTOR).write_text("ours: now\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        write(planned)
    assert (old / DESCRIPTOR).read_text() == "ours: now\n"


def test_two_files_are_written_both_or_not_at_all(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second replacement fails, as on a disk that fills up between the two."""
    real = os.replace
    calls: list[object] = []

    def fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    def both(seeds: Seeds) -> None:
        for path in (DESCRIPTOR, INNER):
            seeds.edit(path, lambda data: data + b"# migrated\n")

    planned = plan(product, (made(both),))
    assert set(planned.files) == {DESCRIPTOR, INNER}
    before = suite_repo.contents(product)
    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UsageError, match="the product is as it was"):
        write(planned)
    assert suite_repo.contents(product) == before


def test_a_product_without_such_files_is_nothing_checked(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    with pytest.raises(NothingChecked):
        plan(tmp_path)


# --- The command -----------------------------------------------------------------------------------


def test_the_command_shows_a_diff_first_and_writes_when_asked(old: Path) -> None:
    shown = outer(old, "migrate")
    assert (shown.returncode, f"+{NEW}" in shown.stdout) == (0, True)
    assert "`--write` does it" in shown.stderr
    assert plan(old).files
    checked = outer(old, "migrate", "--check")
    assert (checked.returncode, checked.stdout) == (1, shown.stdout)
    written = outer(old, "migrate", "--write")
    assert (written.returncode, written.stdout) == (0, shown.stdout)
    again = outer(old, "migrate", "--check")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing is to be migrated" in again.stderr


def test_the_diff_is_one_that_git_applies(old: Path) -> None:
    change(old, OLD, f"# a sign\u2028# that ends no line for git\n{OLD}")
    shown = outer(old, "migrate").stdout
    suite_repo.commit(old)
    subprocess.run(["git", "apply", "-"], cwd=old, input=shown.encode(), check=True)
    assert not plan(old).files


def test_machines_read_the_same(old: Path) -> None:
    entry = json.loads(outer(old, "migrate", "--format", "json").stdout)
    assert entry["files"] == [DESCRIPTOR]
    assert entry["written"] is False
    assert [one["name"] for one in entry["migrations"]] == ["odps_1_1"]
    listed = json.loads(outer(old, "migrate", "--list", "--format", "json").stdout)
    assert [one["name"] for one in listed["migrations"]] == [migration.name for migration in known()]


# --- Keys that are renamed and entries that go -----------------------------------------------------

FILE = """\
# head
name: x # the name
'old': {a: 1, b: [1, 2, 3]} # stays
list: # three

  - one # first
  # about two
  - two: 2
    and: |
      text

  - three
last: >-
  the end
"""


@pytest.mark.parametrize(
    ("pointer", "new", "old_text", "new_text"),
    [
        (("name",), "title", "name: x", "title: x"),
        (("old",), "it", "'old':", "'it':"),
        (("old", "a"), "c d", "{a: 1", '{"c d": 1'),
        (("list", 1, "two"), "deux", "- two: 2", "- deux: 2"),
    ],
)
def test_a_key_is_renamed_and_nothing_else(
    pointer: tuple[str | int, ...], new: str, old_text: str, new_text: str
) -> None:
    for eol in ("\n", "\r\n"):
        text = FILE.replace("\n", eol)
        assert rename(text.encode(), pointer, new) == text.replace(old_text, new_text).encode()


@pytest.mark.parametrize(
    ("pointer", "gone"),
    [
        (("name",), "name: x # the name\n"),
        (("old", "a"), "a: 1, "),
        (("old", "b"), ", b: [1, 2, 3]"),
        (("old", "b", 1), ", 2"),
        (("list", 0), "  - one # first\n"),
        (("list", 1), "  - two: 2\n    and: |\n      text\n"),
        (("list", 1, "and"), "    and: |\n      text\n"),
        (("last",), "last: >-\n  the end\n"),
    ],
)
def test_an_entry_goes_and_nothing_else(pointer: tuple[str | int, ...], gone: str) -> None:
    for eol in ("\n", "\r\n"):
        text = FILE.replace("\n", eol)
        assert remove(text.encode(), pointer) == text.replace(gone.replace("\n", eol), "", 1).encode()


@pytest.mark.parametrize("pointer", [("nowhere",), ("list", 7), (), ("name", "x"), ("list", 1, "two")])
def test_what_cannot_go_alone_is_said(pointer: tuple[str | int, ...]) -> None:
    """The last is the first key of a list entry: it shares its line with the dash."""
    with pytest.raises(CannotEdit):
        remove(FILE.encode(), pointer)


def test_a_key_never_takes_the_name_of_another() -> None:
    with pytest.raises(CannotEdit):
        rename(FILE.encode(), ("name",), "last")


def test_the_page_of_migrations_lists_every_one() -> None:
    page = (suite_repo.ROOT / "docs/reference/migrations.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.count("|") == 4]
    listed = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row for row in listed if row[0][0].isdigit()] == [
        [migration.since, f"`{migration.name}`", migration.title] for migration in known()
    ]
