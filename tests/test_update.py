"""`copier update`: the standard moves on, and not one byte of the team's moves with it.

Every scenario plays on real releases of the suite: this one, and later ones that change, add, move and remove files of
both classes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import suite_repo
from outer import __version__
from outer.product import ANSWERS
from suite_repo import TAG, contents, executable, git, is_seed

MAJOR, MINOR = (int(number) for number in __version__.split(".")[:2])
NEXT, AFTER = f"{MAJOR}.{MINOR + 1}.0", f"{MAJOR}.{MINOR + 2}.0"

NEW_SEED = "outer/glossary.yaml"
"""A seed that the next release adds, at a path where the team of these tests already has a file of its own."""
NEW_MANAGED = "SECURITY.md"
MOVED_MANAGED = ("renovate.json", ".renovaterc.json")
REMOVED_MANAGED = ".editorconfig"


def next_release(suite: Path) -> None:
    """Changes, adds, moves and removes managed files, and does the same to seeds of both halves."""

    def was(name: str) -> bytes:
        return (suite / name).read_bytes()

    def changed(name: str, old: str, new: str) -> dict[str, str]:
        text = was(name).decode("utf-8")
        assert old in text, f"{name}: {old}"
        return {name: text.replace(old, new)}

    question = "\non_call:\n  type: str\n  help: Who is on call?\n  default: nobody\n"
    inner = "blueprints/polars/inner"
    managed_files: dict[str, str | bytes | None] = {
        **changed("template/.gitignore.jinja", "!.env.example\n", "!.env.example\n*.pem\n"),
        **changed("template/noxfile.py", '"""The gate:', '"""The gate of the next release:'),
        **changed("template/CODEOWNERS.jinja", "/outer/ ", "# On call: {{ on_call }}\n/outer/** "),
        **changed("template/outer/standard.yaml", "longest_days: 90", "longest_days: 60"),
        f"template/{NEW_MANAGED}.jinja": "# Security\n\nManaged. Write to {{ owner_email }}.\n",
        f"template/{MOVED_MANAGED[1]}": was(f"template/{MOVED_MANAGED[0]}"),
        f"template/{MOVED_MANAGED[0]}": None,
        f"template/{REMOVED_MANAGED}.jinja": None,
    }
    outer_seeds: dict[str, str | bytes | None] = {
        "template/README.md.jinja": "# Another way in\n",
        **changed("template/outer/data-product.odps.yaml.jinja", "status: draft", "status: proposed"),
        f"template/{NEW_SEED}": "words: {}\n",
        "template/outer/exceptions.yaml": was("template/outer/waivers.yaml"),
        "template/outer/waivers.yaml": None,
        "template/outer/samples/airlines.parquet": None,
    }
    inner_seeds: dict[str, str | bytes | None] = {
        f"{inner}/README.md": "# Another inside\n",
        **changed(f"{inner}/pyproject.toml", "\n[project]", "\n# New.\n[project]"),
        f"{inner}/src/pipeline/new.py": "NEW = True\n",
        f"{inner}/src/pipeline/doors.py": was(f"{inner}/src/pipeline/ports.py"),
        f"{inner}/src/pipeline/ports.py": None,
        f"{inner}/tests/test_main.py": None,
    }
    settings = changed("copier.yml", "\nci_host:", f"{question}\nci_host:")
    suite_repo.release(suite, NEXT, settings | managed_files | outer_seeds | inner_seeds)


def release_after(suite: Path) -> None:
    """Brings back what the release before removed, and turns the whole inside and outside of the seeds over."""
    template = suite / "template"
    suite_repo.release(
        suite,
        AFTER,
        {
            f"template/{REMOVED_MANAGED}": "# Managed, and back again.\n",
            f"template/{NEW_MANAGED}.jinja": None,
            "template/CODEOWNERS.jinja": "# Managed.\n* {{ owner_email }}\n",
            "template/docs/style.md": "# Managed, in a folder of its own\n",
            "template/outer/waivers.yaml": "waivers: []\n",
            "template/outer/exceptions.yaml": None,
            f"template/{NEW_SEED}": None,
            "template/README.md.jinja": (template / "AGENTS.md.jinja").read_bytes(),
            "blueprints/polars/inner/src/pipeline/ports.py": "BACK = True\n",
            "blueprints/polars/inner/src/pipeline/__main__.py": None,
            "blueprints/polars/inner/docs/how.md": "# How\n",
        },
    )


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with its history: this release, the next one, and the one after. Shared: read it, never change it."""
    suite = suite_repo.clone(tmp_path_factory.mktemp("releases") / "suite")
    next_release(suite)
    release_after(suite)
    return suite


@pytest.fixture(scope="module")
def gate(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next release, checked out: the `outer` that the new pin stands for."""
    target = tmp_path_factory.mktemp("gate") / "suite"
    git(releases, "clone", "--quiet", "--branch", f"v{NEXT}", ".", target)
    return target


def judged(product: Path, gate: Path) -> list[str]:
    """What the `outer check` of that checkout finds in `product`."""
    return suite_repo.complaints_of([sys.executable], product, PYTHONPATH=str(gate / "hooks"))


@pytest.fixture(scope="module")
def first(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product as it was made from this release. Shared: copy it."""
    return suite_repo.start(suite_repo.render(tmp_path_factory.mktemp("first") / "product", releases))


@pytest.fixture(scope="module")
def fresh(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Release -> the managed files of a product that is made from it today."""
    folder = tmp_path_factory.mktemp("fresh")
    return {
        release: managed(suite_repo.render(folder / release, releases, f"v{release}"))
        for release in (__version__, NEXT, AFTER)
    }


def managed(product: Path) -> dict[str, bytes]:
    return {path: data for path, data in contents(product).items() if not is_seed(path)}


def copy(product: Path, target: Path) -> Path:
    return Path(shutil.copytree(product, target, symlinks=True))


def assert_updated(product: Path, team: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> None:
    """The managed files are exactly `wanted`, everything else is exactly `team`, and nothing is left half done."""
    now = contents(product)
    assert {path: data for path, data in now.items() if path not in wanted} == team
    assert {path: now.get(path) for path in wanted} == wanted
    assert not [path for path in now if path.endswith(".rej")]
    assert git(product, "ls-files", "--unmerged") == ""


# --- A product with a life of its own --------------------------------------------------------------


def live(product: Path) -> None:
    """What teams do: edit every seed, delete some, move others, add files of their own. Commits it."""
    for path in [path for path in contents(product) if is_seed(path)]:
        file = product / path
        if path.endswith(".parquet"):
            file.write_bytes(file.read_bytes()[::-1])
        else:
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            lines.insert(len(lines) // 2, "# the team was here\n")
            file.write_text("# first line\n" + "".join(lines) + "# last line, without an end", encoding="utf-8")
    suite_repo.write(
        product,
        {
            NEW_SEED: "ours: long before the standard had one\n",
            "outer/contracts/output/second.v1.odcs.yaml": "kind: DataContract\n",
            "inner/src/pipeline/new.py": "OURS = True\n",
            "inner/deep/er/notes.md": "<<<<<<< not a conflict, only a text about one\n",
            "docs/decisions.md": "ours\n",
            ".github/workflows/ours.yml": "on: push\n",
            "inner/.env.example": "\r\n\0binary\xff".encode("latin-1"),
        },
    )
    for path in ("inner/tests/rows.py", "outer/contracts/input/airlines.v1.odcs.yaml", "inner/README.md"):
        (product / path).unlink()
    (product / "inner/src/pipeline/punctuality.py").rename(product / "inner/src/pipeline/job.py")
    (product / "outer/samples/flights.parquet").rename(product / "outer/samples/departures.parquet")
    (product / "inner/src/pipeline/__main__.py").chmod(0o755)
    (product / "inner/latest").symlink_to("src/pipeline")
    suite_repo.commit(product)
    suite_repo.write(product, {"data/local/lock": "", "inner/.venv/pyvenv.cfg": "home = here\n", ".env": "SECRET=1\n"})


@pytest.fixture(scope="module")
def lived(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product with a life of its own, before the update."""
    product = copy(first, tmp_path_factory.mktemp("lived") / "product")
    live(product)
    return product


@pytest.fixture(scope="module")
def updated(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after `copier update` to the next release."""
    return suite_repo.update(copy(lived, tmp_path_factory.mktemp("updated") / "product"), f"v{NEXT}")


def test_an_update_leaves_every_byte_of_the_team_where_it_was(lived: Path, updated: Path) -> None:
    before, after = contents(lived), contents(updated)
    team = {path: data for path, data in before.items() if is_seed(path) or path not in MANAGED_AT_FIRST}
    assert len(team) > 20
    assert {path: after.get(path) for path in team} == team
    assert executable(updated) == executable(lived)


MANAGED_AT_FIRST = {
    ANSWERS, ".editorconfig", ".gitattributes", ".github/workflows/data-product.yml",
    ".github/workflows/update-standard.yml", ".gitignore",
    ".pre-commit-config.yaml", "AGENTS.md", "CODEOWNERS", "noxfile.py", "outer/standard.yaml", "renovate.json",
}  # fmt: skip


def test_an_update_makes_managed_files_equal_to_a_fresh_render(
    lived: Path, updated: Path, fresh: dict[str, dict[str, bytes]]
) -> None:
    assert fresh[__version__].keys() == MANAGED_AT_FIRST
    team = {path: data for path, data in contents(lived).items() if path not in MANAGED_AT_FIRST}
    assert_updated(updated, team, fresh[NEXT])
    assert NEW_MANAGED in fresh[NEXT]
    assert MOVED_MANAGED[1] in fresh[NEXT]
    for gone in (MOVED_MANAGED[0], REMOVED_MANAGED):
        assert not (updated / gone).exists()


def test_an_update_brings_no_seed_back_and_none_that_is_new(lived: Path, updated: Path) -> None:
    assert {path for path in contents(updated) if is_seed(path)} == {path for path in contents(lived) if is_seed(path)}


def test_an_update_moves_the_pin(updated: Path) -> None:
    answers = yaml.safe_load((updated / ANSWERS).read_text(encoding="utf-8"))
    assert answers["_commit"] == f"v{NEXT}"
    assert answers["on_call"] == "nobody"


def test_an_update_is_exactly_the_change_of_the_managed_files(lived: Path, updated: Path) -> None:
    changed = {line[3:] for line in git(updated, "status", "--porcelain", "-z").split("\0") if line}
    before, after = contents(lived), contents(updated)
    assert changed == {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert not {path for path in changed if is_seed(path)}


def test_after_an_update_the_gate_of_the_new_release_is_green(first: Path, gate: Path, tmp_path: Path) -> None:
    """With an edit of the team that keeps the standard."""
    product = copy(first, tmp_path / "product")
    descriptor = product / "outer/data-product.odps.yaml"
    descriptor.write_text(descriptor.read_text().replace("usage: Read", "usage: Please read"))
    suite_repo.commit(product)
    suite_repo.update(product, f"v{NEXT}")
    assert judged(product, gate) == []


def test_a_second_update_follows_the_first(
    lived: Path, updated: Path, fresh: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    product = suite_repo.commit(copy(updated, tmp_path / "product"))
    suite_repo.update(product)
    team = {path: data for path, data in contents(lived).items() if path not in MANAGED_AT_FIRST}
    assert_updated(product, team, fresh[AFTER])


def test_an_update_over_two_releases_ends_where_two_updates_end(
    lived: Path, fresh: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """On the command line, as AGENTS.md says: headless, without trust, and with a word about what was done."""
    product = copy(lived, tmp_path / "product")
    done = subprocess.run(
        [sys.executable, "-m", "copier", "update", "--skip-answered", "--defaults"],
        cwd=product, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"The managed files were rendered at v{AFTER}" in done.stderr
    team = {path: data for path, data in contents(lived).items() if path not in MANAGED_AT_FIRST}
    assert_updated(product, team, fresh[AFTER])


def test_an_update_to_the_release_that_a_product_has_changes_nothing(lived: Path, tmp_path: Path) -> None:
    product = copy(lived, tmp_path / "product")
    suite_repo.update(product, TAG)
    assert contents(product) == contents(lived)


def test_a_file_that_the_standard_hands_over_to_the_team_stays(first: Path, releases: Path, tmp_path: Path) -> None:
    """Managed in one release, seed in the next: the way out for a file that turned out to be the team's."""
    suite = copy(releases, tmp_path / "suite")
    git(suite, "reset", "--quiet", "--hard", TAG)
    text = (suite / "copier.yml").read_text(encoding="utf-8")
    handed_over = text.replace("    /README.md\n", "    /README.md\n    /CODEOWNERS\n")
    assert handed_over != text
    suite_repo.release(suite, f"{MAJOR}.{MINOR + 3}.0", {"copier.yml": handed_over})
    product = copy(first, tmp_path / "product")
    before = (product / "CODEOWNERS").read_bytes()
    (product / ANSWERS).write_text((product / ANSWERS).read_text().replace(str(releases), str(suite)))
    suite_repo.commit(product)
    suite_repo.update(product)
    assert (product / "CODEOWNERS").read_bytes() == before


# --- Somebody edited managed files -----------------------------------------------------------------

OWN = "ours\n"
TAMPERED: dict[str, tuple[str, str]] = {
    # path: what the team did, what plain `copier update` makes of it
    ".gitattributes": ("edited, untouched by the release", "stays edited"),
    ".gitignore": ("edited, changed by the release elsewhere", "stays edited"),
    ".pre-commit-config.yaml": ("edited, changed by the release in the same line", "conflicts"),
    "CODEOWNERS": ("reformatted, changed by the release", "conflicts"),
    "AGENTS.md": ("deleted, untouched by the release", "stays deleted"),
    "outer/standard.yaml": ("deleted, changed by the release", "stays deleted"),
    "noxfile.py": ("moved, changed by the release", "stays deleted"),
    REMOVED_MANAGED: ("edited, removed by the release", "healed"),
    MOVED_MANAGED[0]: ("edited, moved by the release", "healed"),
    MOVED_MANAGED[1]: ("untouched", "healed"),
    NEW_MANAGED: ("written by the team, added by the release", "conflicts"),
    ".github/workflows/data-product.yml": ("untouched", "healed"),
    ".github/workflows/update-standard.yml": ("untouched", "healed"),
    ANSWERS: ("an answer was edited by hand", "healed"),
}
"""Nobody may edit them, yet people do. An edit may survive the update, but it cannot hide: `outer check` is red."""


def tamper(product: Path) -> None:
    def edit(path: str, old: str, new: str) -> None:
        text = (product / path).read_text(encoding="utf-8")
        assert old in text
        (product / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    edit(".gitattributes", "*.parquet binary", "*.parquet text")
    edit(".gitignore", "# What is made", "# What was made")
    edit(".pre-commit-config.yaml", f'rev: "{TAG}"', "rev: main")
    (product / "CODEOWNERS").write_text((product / "CODEOWNERS").read_text().upper())
    (product / "AGENTS.md").unlink()
    (product / "outer/standard.yaml").unlink()
    (product / "noxfile.py").rename(product / "tasks.py")
    edit(REMOVED_MANAGED, "indent_size = 2", "indent_size = 8")
    edit(MOVED_MANAGED[0], '"automerge": false', '"automerge": true')
    (product / NEW_MANAGED).write_text(OWN)
    edit(ANSWERS, "owner_team: aviation-data", "owner_team: others")
    suite_repo.commit(product)


@pytest.fixture(scope="module")
def tampered(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    product = copy(first, tmp_path_factory.mktemp("tampered") / "product")
    tamper(product)
    return suite_repo.update(product, f"v{NEXT}")


@pytest.fixture(scope="module")
def wanted(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Managed files of a fresh product with the answers that the tampered one has."""
    answers = {"owner_team": "others", "owner_email": "aviation-data@example.com"}
    return managed(suite_repo.render(tmp_path_factory.mktemp("wanted") / "product", releases, f"v{NEXT}", **answers))


@pytest.fixture(scope="module")
def told(tampered: Path, gate: Path) -> list[str]:
    """What `outer check` of the new release says of the tampered product after its update."""
    return judged(tampered, gate)


@pytest.mark.parametrize(
    ("path", "outcome"),
    [pytest.param(path, outcome, id=f"{path} {did}: {outcome}") for path, (did, outcome) in TAMPERED.items()],
)
def test_an_edit_of_a_managed_file_is_healed_by_the_update_or_cannot_hide(
    path: str, outcome: str, tampered: Path, wanted: dict[str, bytes], told: list[str]
) -> None:
    now = (tampered / path).read_bytes() if (tampered / path).exists() else None
    least = {
        "healed": set(),
        "stays edited": {"INT001"},
        "stays deleted": {"INT001"},
        "conflicts": {"INT001", "INT003"},
    }
    red = {complaint.split(": ")[1] for complaint in told if complaint.startswith(f"{path}:")}
    assert (now == wanted.get(path)) == (outcome == "healed")
    assert red >= least[outcome]
    assert bool(red) == (outcome != "healed")


def test_a_file_of_the_team_in_the_way_of_a_new_managed_file_is_not_lost(tampered: Path) -> None:
    assert OWN in (tampered / NEW_MANAGED).read_text()
    assert git(tampered, "show", f"HEAD:{NEW_MANAGED}") == OWN


def test_the_table_of_edits_names_every_managed_file(fresh: dict[str, dict[str, bytes]]) -> None:
    assert TAMPERED.keys() == fresh[__version__].keys() | fresh[NEXT].keys()


def test_a_recopy_heals_managed_files_and_keeps_every_seed(
    lived: Path, fresh: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """As INT001 advises. A seed that the team has deleted comes back, a new file that `git status` shows."""
    product = copy(lived, tmp_path / "product")
    before = contents(product)
    (product / "AGENTS.md").unlink()
    (product / "noxfile.py").write_text("# nothing\n")
    with (product / "outer/standard.yaml").open("a") as standard:
        standard.write("# ours\n")
    suite_repo.commit(product)
    done = subprocess.run(
        [sys.executable, "-m", "copier", "recopy", "-r", ":current:", "-A", "--overwrite"],
        cwd=product, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    after = contents(product)
    assert {path: after[path] for path in before} == before
    assert {path: after[path] for path in fresh[__version__]} == fresh[__version__]
    assert all(is_seed(path) for path in after.keys() - before.keys())


def test_a_recopy_heals_what_an_update_left_half_done(tampered: Path, wanted: dict[str, bytes], tmp_path: Path) -> None:
    product = suite_repo.recopy(copy(tampered, tmp_path / "product"))
    after = managed(product)
    assert after.pop("tasks.py")
    assert after == wanted


# --- Other answers ---------------------------------------------------------------------------------


def test_another_answer_changes_managed_files_and_nothing_of_the_team(
    lived: Path, releases: Path, tmp_path: Path
) -> None:
    answers = {"owner_email": "others@example.com", "ci_host": "gitlab", "title": "Another title"}
    product = suite_repo.update(copy(lived, tmp_path / "product"), suite_repo.CURRENT, **answers)
    team = {path: data for path, data in contents(lived).items() if path not in MANAGED_AT_FIRST}
    assert_updated(product, team, managed(suite_repo.render(tmp_path / "fresh", releases, TAG, **answers)))
    assert (product / ".gitlab-ci.yml").exists()
    assert not (product / ".github/workflows/data-product.yml").exists()
    assert not (product / ".github/workflows/update-standard.yml").exists()
    assert (product / ".github/workflows/ours.yml").exists()


def test_another_blueprint_leaves_the_inner_as_it_is(tmp_path: Path) -> None:
    suite = suite_repo.clone(tmp_path / "suite")
    suite_repo.plant_blueprint(suite, "other")
    git(suite, "tag", "--force", TAG)
    product = suite_repo.start(suite_repo.render(tmp_path / "product", suite))
    live(product)
    before = contents(product)
    suite_repo.update(product, suite_repo.CURRENT, blueprint="other")
    after = contents(product)
    assert after.pop(ANSWERS) == before.pop(ANSWERS).replace(b"blueprint: polars\n", b"blueprint: other\n")
    assert after == before


def test_a_blueprint_that_is_gone_stops_the_update_before_anything_is_touched(tmp_path: Path) -> None:
    suite = suite_repo.clone(tmp_path / "suite")
    suite_repo.plant_blueprint(suite, "other")
    git(suite, "tag", "--force", TAG)
    product = suite_repo.start(suite_repo.render(tmp_path / "product", suite, blueprint="other"))
    before = contents(product)
    text = (suite / "copier.yml").read_text(encoding="utf-8")
    suite_repo.release(suite, NEXT, {"copier.yml": text.replace("    Other: other\n", "")})
    with pytest.raises(ValueError, match='Question "blueprint" is required'):
        suite_repo.update(product)
    assert contents(product) == before


# --- Any life of any team --------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "ours\n", "no end", "a\r\nb\r\n", "<<<<<<< x\n=======\n>>>>>>> y\n", "\0\1", "é\n" * 40])
FOLDERS = st.sampled_from(["inner", "inner/src/pipeline", "inner/own", "outer", "outer/samples", "docs", ".github", ""])
NAMES = st.sampled_from(
    ["ours.py", "new.py", "doors.py", "how.md", "é ü.txt", "-x", "exceptions.yaml", "glossary.yaml"]
)
NEW_PATHS = st.builds(lambda folder, name: f"{folder}/{name}".lstrip("/"), FOLDERS, NAMES)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.integers(0, 999), TEXTS),
        st.tuples(st.just("append"), st.integers(0, 999), TEXTS),
        st.tuples(st.just("delete"), st.integers(0, 999)),
        st.tuples(st.just("move"), st.integers(0, 999), NEW_PATHS),
        st.tuples(st.just("mode"), st.integers(0, 999)),
        st.tuples(st.just("link"), NEW_PATHS, st.sampled_from(["README.md", "nowhere", "../outer"])),
        st.tuples(st.just("add"), NEW_PATHS, TEXTS),
    ),
    min_size=1,
    max_size=12,
)


def do(product: Path, deed: tuple[str, ...]) -> None:
    """One deed of a team in its own files; a deed that meets what an earlier one has done may be void."""
    kind, where, *what = deed
    if isinstance(where, int):
        own = sorted(path for path in contents(product) if path not in MANAGED_AT_FIRST)
        if not own:
            return
        file = product / own[where % len(own)]
    else:
        file = product / where
        if file.exists() or file.is_symlink():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        file.symlink_to(what[0])
    elif kind == "delete":
        file.unlink()
    elif kind == "move":
        target = product / what[0]
        if not target.exists() and not target.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    elif file.is_symlink():
        return
    elif kind == "mode":
        file.chmod(0o755 if not file.stat().st_mode & 0o100 else 0o644)
    else:
        with file.open("ab" if kind == "append" else "wb") as stream:
            stream.write(what[0].encode())


@pytest.mark.slow
@settings(max_examples=20)
@given(deeds=DEEDS, release=st.sampled_from([NEXT, AFTER]))
def test_whatever_a_team_does_to_its_files_an_update_leaves_them_so(
    deeds: list[tuple[str, ...]], release: str, first: Path, fresh: dict[str, dict[str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        product = copy(first, Path(folder, "product"))
        for deed in deeds:
            do(product, deed)
        suite_repo.commit(product)
        team = {path: data for path, data in contents(product).items() if path not in MANAGED_AT_FIRST}
        modes = executable(product)
        suite_repo.update(product, f"v{release}")
        assert_updated(product, team, fresh[release])
        assert executable(product) & team.keys() == modes & team.keys()
        assert yaml.safe_load(fresh[release][ANSWERS])["_commit"] == f"v{release}"
