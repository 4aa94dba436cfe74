"""`outer update`: one command for a person. Nothing is lost, nothing is half done, and there is a way back."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

import releases
import suite_repo
from outer import cli
from outer.errors import UsageError
from outer.product import ANSWERS, DESCRIPTOR
from outer.talk import Talk
from outer.update import PATCHES, Kind, Suite, Template, UpdatePlan, apply, plan
from outer.update import command as update_command
from outer.update.render import read_answers
from products import HOOKS, outer
from releases import FIRST, SECOND, THIRD
from suite_repo import TAG, contents, executable, git, is_seed

BLUEPRINTS = releases.blueprints()
HOSTS = tuple(suite_repo.questions()["ci_host"]["choices"].values())


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with three more releases. Shared: read it, never change it."""
    return releases.build(tmp_path_factory.mktemp("history") / "suite")


@pytest.fixture(scope="module")
def standard(history: Path) -> Iterator[Suite]:
    """The same, as `outer update` sees it."""
    with Suite.at(history) as suite:
        yield suite


@pytest.fixture(scope="module")
def first(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product as it was made from this release. Shared: copy it."""
    return suite_repo.start(suite_repo.render(tmp_path_factory.mktemp("first") / "flights", history))


@pytest.fixture
def product(first: Path, tmp_path: Path) -> Path:
    return copy(first, tmp_path / "flights")


def copy(product: Path, target: Path) -> Path:
    return Path(shutil.copytree(product, target, symlinks=True))


def managed(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in contents(folder).items() if not is_seed(path)}


def rendered(standard: Suite, product: Path, version: str) -> dict[str, bytes]:
    """The managed files that a release makes of the answers of `product`."""
    found = standard.release(f"v{version}").managed(read_answers(product), exact=False)
    return {path: file.content for path, file in found.items()}


def edit(product: Path, path: str, old: str, new: str) -> None:
    text = (product / path).read_text(encoding="utf-8")
    assert old in text
    (product / path).write_text(text.replace(old, new, 1), encoding="utf-8")


def state(product: Path) -> tuple[dict[str, bytes], set[str], str]:
    """Everything that an update may not leave half done: files, modes, what git says."""
    return contents(product), executable(product), git(product, "status", "--porcelain", "--ignored")


# --- The renderer: Copier's own bytes --------------------------------------------------------------


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
@pytest.mark.parametrize("host", HOSTS)
def test_the_fast_renderer_writes_what_copier_writes(
    blueprint: str, host: str, history: Path, standard: Suite, tmp_path: Path
) -> None:
    answers = {
        "blueprint": blueprint,
        "ci_host": host,
        "product_name": "a-b",
        "title": 'It\'s "so": #1 \\ {{ x }} é',
        "purpose": "One.\nTwo: 'three'?",
        "environments": ["prod", "dev"],
        "personal_data": True,
        "retention_days": 30,
    }
    for version in (TAG.removeprefix("v"), THIRD):
        product = suite_repo.render(tmp_path / version, history, f"v{version}", **answers)
        template = standard.release(f"v{version}").template
        found = standard.release(f"v{version}").managed(read_answers(product))
        assert template.only_copier == "", "Copier rendered it, nothing was proven"
        assert {path: file.content for path, file in found.items()} == managed(product)
        assert {path for path, file in found.items() if file.executable} == executable(product) & found.keys()


def test_whatever_the_renderer_does_not_know_is_left_to_copier(history: Path, standard: Suite, tmp_path: Path) -> None:
    """A setting of another kind, a name that yields several files: the result is Copier's, only slower."""
    suite = tmp_path / "suite"
    git(history, "clone", "--quiet", ".", suite)
    text = (suite / "copier.yml").read_text()
    suite_repo.release(
        suite,
        "9.9.0",
        {
            "copier.yml": text + "\n---\nowners:\n  type: yaml\n  default: [a, b]\n",
            "template/{% yield owner from owners %}{{ owner }}.txt{% endyield %}": "x\n",
        },
    )
    product = suite_repo.render(tmp_path / "product", suite, "v9.9.0")
    with Suite.at(suite) as newer:
        release = newer.release("v9.9.0")
        assert release.template.only_copier
        found = release.managed(read_answers(product))
    assert {path: file.content for path, file in found.items()} == managed(product)
    assert "a.txt" in found


def test_a_renderer_that_differs_from_copier_once_is_not_believed_again(
    first: Path, standard: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = Template(standard.release(TAG).folder)
    good = template.managed(read_answers(first))
    assert template.only_copier == ""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # without the note that it was found equal before
    worse = Template(standard.release(TAG).folder)
    monkeypatch.setattr(worse, "_file", lambda source, context: b"wrong")
    assert worse.managed(read_answers(first)) == good
    assert "renders" in worse.only_copier
    assert worse.managed(read_answers(first)) == good


@pytest.mark.parametrize(
    ("name", "value"),
    [("ci_host", "elsewhere"), ("product_name", "Not A Name"), ("freshness_hours", 0), ("environments", ["moon"])],
)
def test_an_answer_that_is_not_allowed_is_one_error(name: str, value: object, first: Path, standard: Suite) -> None:
    answers = {**read_answers(first), name: value}
    with pytest.raises(UsageError, match=name):
        standard.release(TAG).managed(answers)


# --- The fast path equals plain `copier update` ----------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blueprint", "host", "version"),
    [
        (BLUEPRINTS[0], HOSTS[0], FIRST),
        *((BLUEPRINTS[0], host, THIRD) for host in HOSTS[1:]),
        *((blueprint, HOSTS[0], THIRD) for blueprint in BLUEPRINTS),
    ],
)
def test_an_update_of_unedited_managed_files_equals_plain_copier_byte_for_byte(
    blueprint: str, host: str, version: str, history: Path, standard: Suite, tmp_path: Path
) -> None:
    """Pin, removed and renamed files, modes and git's own view included; over one release, and over three."""
    answers = {"blueprint": blueprint, "ci_host": host, "title": "A: 'title'"}
    fresh = suite_repo.start(suite_repo.render(tmp_path / "fresh", history, **answers))
    (fresh / "inner/inner.yaml").write_bytes(b"# ours\r\n" + (fresh / "inner/inner.yaml").read_bytes())
    (fresh / "README.md").unlink()
    suite_repo.write(fresh, {"docs/ours.md": "ours\n"})
    suite_repo.commit(fresh)
    ours, theirs = copy(fresh, tmp_path / "ours"), copy(fresh, tmp_path / "theirs")
    step = plan(ours, standard, f"v{version}")
    assert step.clean
    apply(step)
    suite_repo.update(theirs, f"v{version}")
    assert state(ours) == state(theirs)


def test_a_file_that_the_standard_hands_over_to_the_team_stays(history: Path, product: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    git(history, "clone", "--quiet", ".", suite)
    text = (suite / "copier.yml").read_text(encoding="utf-8")
    changes = {
        "copier.yml": text.replace("    /README.md\n", "    /README.md\n    /CODEOWNERS\n"),
        "template/CODEOWNERS.jinja": None,
    }
    suite_repo.release(suite, "9.9.0", changes)
    edit(product, "CODEOWNERS", "* aviation", "# ours\n* aviation")
    suite_repo.commit(product)
    before = (product / "CODEOWNERS").read_bytes()
    with Suite.at(suite) as newer:
        step = plan(product, newer, "v9.9.0")
        apply(step)
    assert step.clean
    assert (product / "CODEOWNERS").read_bytes() == before


# --- What plain Copier loses -----------------------------------------------------------------------

LOST = {
    # path: what the team did and what the release does, what plain `copier update` makes of it, what it is to us
    ".editorconfig": ("edited, removed by the release", "the edit is lost", Kind.EDITED),
    "renovate.json": ("edited, renamed by the release", "the edit is lost", Kind.EDITED),
    ".pre-commit-config.yaml": ("edited in the line that the release changes", "conflict, exit code 0", Kind.EDITED),
    ".github/workflows/data-product.yml": ("renamed, changed by the release", "stays away", Kind.DELETED),
    "outer/standard.yaml": ("deleted, changed by the release", "stays away", Kind.DELETED),
    "CODEOWNERS": ("weakened, never changed again", "stays so", Kind.EDITED),
    "AGENTS.md": ("made a link, never changed again", "stays so", Kind.EDITED),
    "noxfile.py": ("made executable, never changed again", "stays so", Kind.EDITED),
    ".gitattributes": ("given a line more, never changed again", "stays so", Kind.EDITED),
    ".renovaterc.json": ("written by the team, added by the release", "conflict, exit code 0", Kind.IN_THE_WAY),
    "SECURITY.md": ("the team's and ignored by git, added by the release", "the file is lost", Kind.IN_THE_WAY),
}


def tamper(product: Path) -> dict[str, bytes]:
    """Do it, commit it; returns the files of the team's own that it made."""
    edit(product, ".editorconfig", "indent_size = 2", "indent_size = 8")
    edit(product, "renovate.json", '"automerge": false', '"automerge": true')
    edit(product, ".pre-commit-config.yaml", f'rev: "{TAG}"', "rev: main")
    workflows = product / ".github/workflows"
    (workflows / "data-product.yml").rename(workflows / "ours.yml")
    (product / "outer/standard.yaml").unlink()
    (product / "CODEOWNERS").write_text("* nobody@example.com\n")
    (product / "AGENTS.md").rename(product / "agents.md")
    (product / "AGENTS.md").symlink_to("agents.md")
    (product / "noxfile.py").chmod(0o755)
    (product / ".gitattributes").write_bytes((product / ".gitattributes").read_bytes() + b"*.bin binary")
    (product / ".renovaterc.json").write_text('{"ours": true}\n')
    suite_repo.commit(product)
    (product / ".git/info/exclude").write_text("/SECURITY.md\n")
    (product / "SECURITY.md").write_bytes(b"ours\0\xff without an end")
    return {path: (product / path).read_bytes() for path in (".github/workflows/ours.yml", "agents.md")}


@pytest.fixture(scope="module")
def tampered(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    product = copy(first, tmp_path_factory.mktemp("tampered") / "flights")
    tamper(product)
    return product


@pytest.fixture(scope="module")
def plainly(tampered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tampered product after plain `copier update`."""
    return suite_repo.update(copy(tampered, tmp_path_factory.mktemp("plainly") / "flights"), f"v{THIRD}")


@pytest.fixture(scope="module")
def safely(tampered: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The tampered product after `outer update`, and what that said."""
    product = copy(tampered, tmp_path_factory.mktemp("safely") / "flights")
    return product, outer(product, "update", "--to", f"v{THIRD}", "--format", "json")


def applied(before: bytes | None, path: str, patch: bytes) -> tuple[bytes | None, int]:
    """What `git apply` makes of a file, and its mode."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, path)
        if before is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(before)
        subprocess.run(["git", "apply", "--binary", "-"], cwd=folder, input=patch, check=True)
        if target.is_symlink():
            return os.fsencode(os.readlink(target)), 0o120000
        return (target.read_bytes(), target.stat().st_mode & 0o111) if target.exists() else (None, 0)


@pytest.mark.parametrize(
    ("path", "outcome"), [pytest.param(path, how, id=f"{path} {did}: {how}") for path, (did, how, _) in LOST.items()]
)
def test_plain_copier_loses_it_or_leaves_it_red(path: str, outcome: str, tampered: Path, plainly: Path) -> None:
    """The table is true: none of its rows would be safe, or even visible, by Copier alone."""
    before, now = contents(tampered).get(path), contents(plainly).get(path)
    if outcome == "the edit is lost":
        assert now is None
    elif outcome == "the file is lost":
        assert now is not None
        assert now != before
        assert before not in git(plainly, "log", "-p", "--all", "--", path).encode()
    elif outcome == "conflict, exit code 0":
        assert b"<<<<<<< " in (now or b"")
    elif outcome == "stays away":
        assert now is None
    else:
        assert now == before


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path} {did}") for path, (did, _, _) in LOST.items()])
def test_outer_update_keeps_it_as_a_patch_and_writes_the_file_as_the_standard_has_it(
    path: str, first: Path, tampered: Path, standard: Suite, safely: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    product, _ = safely
    assert contents(product).get(path) == rendered(standard, first, THIRD).get(path)
    patch = (product / PATCHES / f"v{THIRD}" / f"{path}.patch").read_bytes()
    before = (first / path).read_bytes() if (first / path).exists() else None
    made, mode = applied(before, path, patch)
    assert made == contents(tampered).get(path)
    if path == "noxfile.py":
        assert mode & 0o100
    assert (mode == 0o120000) == (path == "AGENTS.md")


def test_the_command_names_every_edit_and_its_patch(safely: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    product, done = safely
    assert done.returncode == 0, done.stderr
    entry = json.loads(done.stdout)
    assert {one["path"]: one["kind"] for one in entry["edits"]} == {path: kind for path, (_, _, kind) in LOST.items()}
    assert all((product / one["patch"]).is_file() for one in entry["edits"])
    assert entry["passed"] is True
    assert "nobody's edits are lost" in done.stderr


def test_everything_else_of_the_team_is_where_it_was(
    tampered: Path, safely: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    product, _ = safely
    before, after = contents(tampered), contents(product)
    team = {p: data for p, data in before.items() if is_seed(p) or p in ("agents.md", ".github/workflows/ours.yml")}
    del team[DESCRIPTOR]  # migrated
    assert {path: after.get(path) for path in team} == team


def test_undo_brings_every_byte_back(
    tampered: Path, safely: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    product = copy(safely[0], tmp_path / "flights")
    done = outer(product, "update", "--undo")
    assert done.returncode == 0, done.stderr
    assert state(product) == state(tampered)
    again = outer(product, "update", "--undo")
    assert again.returncode == 2
    assert "no update to undo" in again.stderr


# --- Refused: with one sentence, and nothing touched -----------------------------------------------


def called(product: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`outer update <arguments>` in this process, which is quicker."""
    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = cli.main(["update", *arguments, "--product", str(product)])
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), told.getvalue())


def refused(product: Path, words: str, *arguments: str) -> str:
    before = state(product)
    done = called(product, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert state(product) == before
    return done.stderr


def test_a_tree_with_changes_is_refused(product: Path) -> None:
    (product / "ours.txt").write_text("not committed\n")
    assert "ours.txt" in refused(product, "not committed")


def test_an_unfinished_merge_is_refused(product: Path) -> None:
    git(product, "switch", "--quiet", "--create", "other")
    (product / "README.md").write_text("theirs\n")
    suite_repo.commit(product)
    git(product, "switch", "--quiet", "-")
    (product / "README.md").write_text("ours\n")
    suite_repo.commit(product)
    with pytest.raises(AssertionError):
        git(product, "merge", "other")
    assert "README.md" in refused(product, "a merge is unfinished")


def test_a_product_outside_git_is_refused(product: Path) -> None:
    shutil.rmtree(product / ".git")
    before = contents(product)
    done = called(product)
    assert (done.returncode, "not in a git repository" in done.stderr) == (2, True)
    assert contents(product) == before


@pytest.mark.parametrize(
    ("to", "words"), [("v7.7.7", "has no release `v7.7.7`; the newest: "), ("--upload-pack=x", "has no release")]
)
def test_a_release_that_is_not_there_is_refused(to: str, words: str, product: Path) -> None:
    refused(product, words, f"--to={to}")


def test_a_suite_that_cannot_be_reached_is_refused(product: Path, tmp_path: Path) -> None:
    refused(product, "cannot be reached", "--suite", str(tmp_path / "nowhere"))


def test_a_password_in_the_address_of_the_suite_is_not_shown(product: Path) -> None:
    address = "http://user:hidden@127.0.0.1:1/suite.git"
    said = refused(product, "the suite `http://127.0.0.1:1/suite.git` cannot be reached", "--suite", address)
    assert "hidden" not in said


def test_git_reaches_the_suite_as_the_caller_has_set_it_up(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that CI hands over by the environment, for example whose token to use where."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{history}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.example.com/suite")
    with Suite.at("https://git.example.com/suite") as suite:
        assert f"v{THIRD}" in suite.tags()


@pytest.mark.parametrize("remote", [False, True])
def test_git_that_enters_no_bare_repository_by_itself_enters_that_of_the_suite(
    remote: bool, history: Path, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is advised against hidden repositories, and that Git 3 is to bring by itself."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.bareRepository")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "explicit")
    with Suite.at(history.as_uri() if remote else str(history)) as suite:
        assert apply(plan(product, suite, f"v{SECOND}")).target == f"v{SECOND}"


def test_a_folder_inside_a_repository_is_no_suite(history: Path, product: Path) -> None:
    refused(product, "not a suite of its own", "--suite", str(history / "template"))


def test_the_way_back_is_no_update(product: Path, standard: Suite) -> None:
    apply(plan(product, standard, f"v{SECOND}"))
    suite_repo.commit(product)
    refused(product, "is older", "--to", f"v{FIRST}")


def test_an_answer_that_the_release_cannot_take_is_refused(history: Path, product: Path, tmp_path: Path) -> None:
    """A blueprint that is gone, say: the question has no default, and nobody may guess."""
    suite = tmp_path / "suite"
    git(history, "clone", "--quiet", ".", suite)
    text = (suite / "copier.yml").read_text(encoding="utf-8")
    offered = next(line for line in text.splitlines(keepends=True) if line.endswith(": polars\n"))
    suite_repo.release(suite, "9.9.0", {"copier.yml": text.replace(offered, "")})
    refused(product, "blueprint has no answer that the release allows", "--suite", str(suite))


@pytest.mark.parametrize("what", ["a folder", "a file on the way", "a link on the way"])
def test_what_cannot_be_overwritten_is_refused(what: str, history: Path, product: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    git(history, "clone", "--quiet", ".", suite)
    suite_repo.release(suite, "9.9.0", {"template/policies/one.md": "# Managed.\n"})
    if what == "a folder":
        suite_repo.write(product, {"policies/one.md/ours": "ours\n"})
    elif what == "a file on the way":
        suite_repo.write(product, {"policies": "ours\n"})
    else:
        (tmp_path / "elsewhere").mkdir()
        (product / "policies").symlink_to(tmp_path / "elsewhere")
    suite_repo.commit(product)
    refused(product, "`policies/one.md` cannot be written", "--suite", str(suite))
    if what == "a link on the way":
        assert not any((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day: 2024-13-45\n", " cannot be read: month must be"),
        ("<<<<<<< ours\nx: 1\n", ":LINE cannot be read: could not"),
    ],
)
def test_answers_that_cannot_be_read_are_one_error_with_its_place(text: str, said: str, product: Path) -> None:
    line = (product / ANSWERS).read_text().count("\n") + 2
    with (product / ANSWERS).open("a") as file:
        file.write(text)
    suite_repo.commit(product)
    refused(product, f"{ANSWERS}{said.replace('LINE', str(line))}")


def test_a_seed_that_cannot_be_read_stops_the_update_before_it_begins(product: Path) -> None:
    (product / DESCRIPTOR).write_text("kind: [\n")
    suite_repo.commit(product)
    refused(product, f"{DESCRIPTOR}:2: ", "--to", f"v{FIRST}")


# --- Done, and taken back --------------------------------------------------------------------------


def test_a_person_is_told_what_changed_and_why(product: Path, standard: Suite) -> None:
    done = called(product, "--to", f"v{SECOND}")
    assert done.returncode == 0, done.stderr
    assert f"flights updated from {TAG} to v{SECOND}" in done.stdout
    for words in ("SECURITY.md", "renovate.json", "on_call: nobody", "(ORG001)", f"## [{FIRST}]", f"## [{SECOND}]"):
        assert words in done.stdout
    assert f"## [{THIRD}]" not in done.stdout
    assert "outer update --undo" in done.stderr
    assert managed(product) == rendered(standard, product, SECOND)
    assert b"criticality" in (product / DESCRIPTOR).read_bytes()
    assert suite_repo.complaints(product)  # by another version: the pin has moved
    assert git(product, "log", "--oneline").count("\n") == 1, "nothing is committed for a person"


def test_a_dry_run_says_the_same_and_writes_nothing(product: Path) -> None:
    before = state(product)
    foreseen = json.loads(called(product, "--dry-run", "--format", "json").stdout)
    assert state(product) == before
    done = json.loads(called(product, "--format", "json").stdout)
    assert {key: done[key] for key in foreseen if key not in ("done", "passed", "warnings")} == {
        key: foreseen[key] for key in foreseen if key not in ("done", "passed", "warnings")
    }
    assert done["target"] == f"v{THIRD}"


def test_a_release_candidate_is_taken_by_those_who_ask(history: Path, product: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    git(history, "clone", "--quiet", ".", suite)
    suite_repo.release(suite, "9.9.0rc1", {})
    targets = [
        json.loads(called(product, "--dry-run", "--format", "json", "--suite", str(suite), *more).stdout)
        for more in ((), ("--prereleases",))
    ]
    assert [one["target"] for one in targets] == [f"v{THIRD}", "v9.9.0rc1"]


def test_an_update_to_the_release_that_a_product_has_changes_nothing(product: Path) -> None:
    before = state(product)
    done = called(product, "--to", TAG)
    assert done.returncode == 0, done.stderr
    assert state(product) == before


def test_a_red_gate_is_no_success(product: Path) -> None:
    edit(product, DESCRIPTOR, "status: draft", "status: nothing")
    suite_repo.commit(product)
    done = called(product, "--to", f"v{FIRST}")
    assert done.returncode == 1
    assert "the gate is red" in done.stderr
    assert f"{DESCRIPTOR}:" in done.stdout
    assert called(product, "--undo").returncode == 0
    assert git(product, "status", "--porcelain") == ""


def test_undo_after_a_commit_or_another_edit_is_refused(product: Path) -> None:
    assert called(product, "--to", f"v{FIRST}").returncode == 0
    with (product / "SECURITY.md").open("a") as file:
        file.write("ours\n")
    refused(product, "changed since the update: `SECURITY.md`", "--undo")
    git(product, "checkout", "--", ".")
    suite_repo.commit(product)
    assert "git revert" in refused(product, "has been committed", "--undo")


@pytest.mark.parametrize("more", [("--to", "v1.0.0"), ("--prereleases",), ("--format", "json")])
def test_undo_takes_no_other_wish(more: tuple[str, ...], product: Path) -> None:
    refused(product, "--undo takes back the last update", "--undo", *more)


def test_a_patch_that_is_there_is_not_overwritten(product: Path, standard: Suite) -> None:
    kept = f"{PATCHES}/v{FIRST}/CODEOWNERS.patch"
    suite_repo.write(product, {kept: "from another time\n", "CODEOWNERS": "* nobody@example.com\n"})
    suite_repo.commit(product)
    step = plan(product, standard, f"v{FIRST}")
    apply(step)
    assert (product / kept).read_text() == "from another time\n"
    assert [one.kept for one in step.edits] == [f"{PATCHES}/v{FIRST}/CODEOWNERS.2.patch"]


def test_a_file_that_changed_since_the_plan_is_not_overwritten(product: Path, standard: Suite) -> None:
    step = plan(product, standard, f"v{FIRST}")
    (product / ANSWERS).write_text("ours: now\n")
    before = contents(product)
    with pytest.raises(UsageError, match="changed meanwhile"):
        apply(step)
    assert contents(product) == before


@pytest.mark.parametrize("fails_at", [1, 3, 5])
def test_a_failure_in_between_puts_everything_back(
    fails_at: int, product: Path, standard: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    step: UpdatePlan = plan(product, standard, f"v{THIRD}")
    before = state(product)
    real, calls = os.replace, []

    def fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UsageError, match="the product is as it was"):
        apply(step)
    assert len(calls) >= fails_at
    assert state(product) == before


@pytest.mark.slow
def test_a_killed_update_is_named_and_undone(product: Path) -> None:
    """Killed for good between two files: the next command says so, `--undo` brings every byte back."""
    before = state(product)
    script = (
        "import os, signal, sys\n"
        "from outer import cli\n"
        "real = os.replace\n"
        "def kill(source, target):\n"
        "    real(source, target)\n"
        "    if str(target).endswith('.pre-commit-config.yaml'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.replace = kill\n"
        f"sys.exit(cli.main(['update', '--to', 'v{THIRD}', '--product', {str(product)!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(HOOKS)}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert state(product) != before
    refused(product, f"an update to v{THIRD} was cut off")
    assert called(product, "--undo").returncode == 0
    assert state(product) == before


def test_a_product_in_a_folder_of_a_bigger_repository(history: Path, standard: Suite, tmp_path: Path) -> None:
    product = suite_repo.render(tmp_path / "mesh/products/flights", history)
    (tmp_path / "mesh/other.txt").write_text("a neighbour's\n")
    suite_repo.start(tmp_path / "mesh")
    (tmp_path / "mesh/other.txt").write_text("being edited\n")
    assert update_command.update(product, update_command.Wish(to=f"v{FIRST}"), _silent()) == 0
    assert managed(product) == rendered(standard, product, FIRST)
    assert update_command.undo(product, _silent()) == 0
    assert git(product, "status", "--porcelain", "--", ".") == ""


def test_two_products_of_one_repository_have_a_way_back_each(history: Path, standard: Suite, tmp_path: Path) -> None:
    mesh = tmp_path / "mesh"
    flights, trains = (suite_repo.render(mesh / name, history, product_name=name) for name in ("flights", "trains"))
    suite_repo.start(mesh)
    for product in (flights, trains):
        assert update_command.update(product, update_command.Wish(to=f"v{FIRST}"), _silent()) == 0
    assert update_command.undo(flights, _silent()) == 0
    assert git(mesh, "status", "--porcelain", "--", "flights") == ""
    assert managed(trains) == rendered(standard, trains, FIRST)
    assert update_command.undo(trains, _silent()) == 0
    assert git(mesh, "status", "--porcelain") == ""


def test_the_update_in_a_worktree_leaves_the_clone_alone(product: Path, standard: Suite, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(product, "worktree", "add", "--quiet", tree, "-b", "update")
    before = contents(product)
    assert update_command.update(tree, update_command.Wish(to=f"v{FIRST}"), _silent()) == 0
    assert contents(product) == before
    assert update_command.undo(tree, _silent()) == 0


def _silent() -> Talk:
    return Talk(quiet=True)
