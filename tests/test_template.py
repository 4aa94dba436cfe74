"""The template: what it asks of a machine, what it writes, and that halves and classes of files stay apart."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import jinja2
import pytest
import yaml

import suite_repo
from outer import __version__, drift, yamlfile
from outer.product import ANSWERS, File
from suite_repo import ROOT, contents, git, is_seed, questions

BLUEPRINTS = sorted(path.parent.name for path in ROOT.glob("blueprints/*/blueprint.yml"))
HOSTS = ["github", "gitlab"]
SUITE_FILES = sorted(
    name
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    if name and os.path.lexists(ROOT / name)
)


def managed(product: Path) -> Mapping[str, bytes]:
    """The managed files that `outer check` wants to see in `product`."""
    return drift.managed_files(File(ANSWERS, yamlfile.read(product / ANSWERS, product)))


@pytest.fixture(scope="module", params=HOSTS)
def fresh(request: pytest.FixtureRequest, suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh product, for either host. Shared: read it, never change it."""
    return suite_repo.render(tmp_path_factory.mktemp("fresh") / request.param, suite, ci_host=request.param)


# --- What it asks of a machine --------------------------------------------------------------------


def test_a_copy_needs_no_trust() -> None:
    """Nothing that Copier runs only for trusted templates; all renders in these tests are made without trust."""
    assert set(suite_repo.settings()) & {"_tasks", "_migrations", "_jinja_extensions", "_external_data"} == set()
    assert not (ROOT / ".gitmodules").exists()


@pytest.mark.parametrize("where", ["a URL", "a clone", "a folder"])
def test_a_product_is_the_same_wherever_the_suite_comes_from(where: str, suite: Path, tmp_path: Path) -> None:
    here = suite_repo.render(tmp_path / "product", suite)
    source, ref = offered(where, suite, tmp_path / "suite"), None if where == "a folder" else suite_repo.TAG
    there = suite_repo.render(tmp_path / "there", source, ref)
    wanted = contents(here)
    for name in (ANSWERS, ".pre-commit-config.yaml"):  # the two that name source and version
        wanted[name] = wanted[name].replace(str(suite).encode(), source.encode())
    if ref is None:  # nobody can tell the version of a folder: `outer check` says so
        wanted[ANSWERS] = wanted[ANSWERS].replace(f"_commit: {suite_repo.TAG}".encode(), b"_commit: ''")
        pinned = f'rev: "{suite_repo.TAG}"'.encode()
        wanted[".pre-commit-config.yaml"] = wanted[".pre-commit-config.yaml"].replace(pinned, b'rev: ""')
        assert f"{ANSWERS}:3: INT002: the pin (`_commit`) is missing" in suite_repo.complaints(there)
    assert contents(there) == wanted


def offered(where: str, suite: Path, folder: Path) -> str:
    """The suite as Copier may find it: a bare repository behind a URL, a clone, an unpacked archive."""
    if where == "a URL":
        git(folder.parent, "clone", "--quiet", "--bare", suite, f"{folder}.git")
        return f"{folder.as_uri()}.git"
    # What is checked out follows the user's configuration, which suite_repo.git would hide.
    subprocess.run(["git", "clone", "--quiet", suite, folder], check=True)
    if where == "a folder":
        shutil.rmtree(folder / ".git")
    return str(folder)


def _no_git(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == ".git"]


@pytest.mark.parametrize(
    ("source", "pin"),
    [
        ("gh:org/suite", "https://github.com/org/suite.git"),
        ("gh:/org/suite.git", "https://github.com/org/suite.git"),
        ("gl:org/group/suite/", "https://gitlab.com/org/group/suite.git"),
        ("https://github.com/org/suite", "https://github.com/org/suite"),
        ("https://git.example.com/org/suite.git", "https://git.example.com/org/suite.git"),
        ("git+https://git.example.com/org/suite.git", "https://git.example.com/org/suite.git"),
        ("git+https://git.example.com/org/suite", "git+https://git.example.com/org/suite"),
        ("git+ssh://git@git.example.com/org/suite", "git+ssh://git@git.example.com/org/suite"),
        ("ssh://git@git.example.com/org/suite.git", "ssh://git@git.example.com/org/suite.git"),
        ("git@git.example.com:org/suite.git", "git@git.example.com:org/suite.git"),
        ("https://me:secret@git.example.com/org/suite.git", "https://git.example.com/org/suite.git"),
        ("git+https://secret@git.example.com/org/suite", "git+https://git.example.com/org/suite"),
    ],
)
def test_the_pin_holds_an_address_that_copier_and_other_machines_understand(source: str, pin: str) -> None:
    environment = jinja2.Environment(  # noqa: S701 (no HTML is made)
        loader=jinja2.FileSystemLoader(ROOT), extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    )
    macros = environment.get_template("template/.macros/answers.jinja").module
    assert macros.public_url(source) == pin  # type: ignore[attr-defined]
    assert macros.public_url(pin) == pin  # type: ignore[attr-defined]


def test_the_pin_of_a_local_suite_is_an_absolute_path(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(suite.parent)
    product = suite_repo.render(tmp_path / "made", suite.name)
    assert yaml.safe_load((product / ANSWERS).read_text())["_src_path"] == str(suite.resolve())


@pytest.mark.parametrize("conversation", [False, True], ids=["headless", "in a conversation"])
@pytest.mark.parametrize("where", ["a URL", "a folder"])
def test_a_checkout_without_links_is_refused_in_one_sentence_before_anything_is_written(
    where: str, conversation: bool, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text("[core]\n  symlinks = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    source = offered(where, suite, tmp_path / "suite")
    done = subprocess.run(
        [sys.executable, "-m", "copier", "copy", *([] if conversation else ["--defaults", "-d", "blueprint=polars"]),
         source, str(tmp_path / "made")],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Switch links on (git config --global core.symlinks true" in done.stderr
    assert not (tmp_path / "made").exists()


def test_managed_files_need_no_links(
    suite: Path, product: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`outer check` works on a Windows without links, where pip has checked the suite out."""
    (tmp_path / "gitconfig").write_text("[core]\n  symlinks = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    flat = offered("a folder", suite, tmp_path / "suite")
    pin = {"suite_url": str(suite), "suite_ref": suite_repo.TAG}
    made = suite_repo.render(tmp_path / "made", flat, None, managed_only=True, **pin)
    assert contents(made) == managed(product)


@pytest.mark.slow
def test_an_older_copier_is_refused_before_anything_is_written(suite: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", "copier==9.10.*")
    done = subprocess.run(
        [python, "-m", "copier", "copy", "--defaults", "-d", "blueprint=polars", str(suite), str(tmp_path / "made")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert re.search(r"requires Copier version >= 9\.17\.2, while your version of Copier is 9\.10", done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()


def test_copier_is_asked_for_in_the_same_version_by_template_and_package() -> None:
    least = suite_repo.settings()["_min_copier_version"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"copier>={least},<10" in project["dependencies"]


def environment(folder: Path, *requirements: str) -> str:
    """The Python of a new virtual environment with `requirements`."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run(["uv", "venv", "--quiet", "--no-project", "--python", sys.executable, folder], check=True)
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *requirements], check=True)
    return str(python)


# --- Two halves: the outer and the blueprints ------------------------------------------------------


def test_the_suite_has_a_blueprint() -> None:
    assert "polars" in BLUEPRINTS


def test_folder_link_choice_and_card_of_a_blueprint_stay_in_step() -> None:
    links = {path.name: os.readlink(path) for path in (ROOT / "template").iterdir() if path.is_symlink()}
    links = {name: target for name, target in links.items() if "orchestration" not in name}
    assert links == {
        f"{{% if blueprint == '{name}' %}}inner{{% endif %}}": f"../blueprints/{name}/inner" for name in BLUEPRINTS
    }
    assert sorted(suite_repo.choices(questions()["blueprint"])) == BLUEPRINTS
    for name in BLUEPRINTS:
        folder = ROOT / "blueprints" / name
        card = yamlfile.read(folder / "blueprint.yml", ROOT).value
        assert card["name"] == name
        assert (folder / "questions.yml").is_file()
        assert (folder / "README.md").is_file()
        assert list((folder / "inner").glob("inner.yaml*"))


def test_no_link_but_those_into_inner_and_the_probe_is_in_the_suite() -> None:
    links = {name for name in SUITE_FILES if (ROOT / name).is_symlink()}
    assert {name for name in links if not name.startswith("template/")} == {"blueprints/.link-probe"}
    assert len(links) == len(BLUEPRINTS) + 3 + 1  # orchestration: what all have in common, and two orchestrators


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_asks_only_under_its_own_name_and_only_when_it_was_chosen(name: str) -> None:
    for key, question in own_questions(ROOT / "blueprints" / name).items():
        assert key.startswith(f"{name}_")
        assert name in question["when"]
        assert "blueprint ==" in question["when"]


def own_questions(blueprint: Path) -> dict[str, dict[str, str]]:
    return yaml.safe_load((blueprint / "questions.yml").read_text(encoding="utf-8")) or {}


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_no_path_is_owned_by_both_halves(name: str, suite: Path, tmp_path: Path) -> None:
    whole = set(contents(suite_repo.render(tmp_path / "whole", suite, blueprint=name)))
    outer = shutil.copytree(suite, tmp_path / "suite", symlinks=True, ignore=_no_git)
    for link in (outer / "template").iterdir():
        if link.is_symlink():
            link.unlink()
    without = set(contents(suite_repo.render(tmp_path / "outer", outer, None, blueprint=name)))
    assert not {path for path in without if path.casefold().startswith("inner/")}
    inner = {f"inner/{path.removesuffix('.jinja')}" for path in contents(suite / "blueprints" / name / "inner")}
    assert without | inner == whole


# --- Two classes of files: managed and seed --------------------------------------------------------


def test_every_file_is_either_managed_or_seed(fresh: Path) -> None:
    made = contents(fresh)
    assert managed(fresh) == {path: data for path, data in made.items() if not is_seed(path)}
    for path in ("README.md", "outer/data-product.odps.yaml", "outer/waivers.yaml", "inner/inner.yaml"):
        assert path in made


def test_every_managed_file_that_can_say_so_says_that_it_is_managed(fresh: Path) -> None:
    for path, data in managed(fresh).items():
        head = data.decode("utf-8")[:1200]
        assert "Managed: rendered from the suite at the pin" in head or path in (ANSWERS, "outer/standard.yaml"), path
    assert "NEVER EDIT BY HAND" in (fresh / ANSWERS).read_text(encoding="utf-8")


def test_agents_are_told_every_managed_file_by_name(fresh: Path) -> None:
    text = (fresh / "AGENTS.md").read_text(encoding="utf-8")
    (paragraph,) = re.findall(r"^\*\*Never edit a managed file.*?\n\n", text, re.DOTALL | re.MULTILINE)
    assert sorted(re.findall(r"`([^` ]+)`", paragraph)) == sorted(managed(fresh))


def test_owners_approve_every_managed_file_by_name(fresh: Path) -> None:
    lines = re.findall(r"^/(\S+) \S+@\S+$", (fresh / "CODEOWNERS").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(line for line in lines if line != "outer/") == sorted(managed(fresh))


WORDS = {
    "polars", "pandas", "arrow", "duckdb", "spark", "pyspark", "dbt", "sqlmesh", "ibis", "flink", "kafka", "scala",
    "java", "jvm", "airflow", "dagster", "prefect", "snowflake", "bigquery", "redshift", "databricks", "trino",
    "iceberg", "hudi", "dataframe", "dataframes", "notebook", "jupyter", "sbt", "maven",
    "gradle", "cargo", "npm",
}  # fmt: skip
"""What an inner may be built with. Parquet, Delta and Postgres are not among them: a port has them as its format or its
server, whatever writes it, and so they are words of the outer."""


def words_of_a_stack(files: Mapping[str, bytes]) -> list[str]:
    """Every word in `files` that belongs to an inner stack, with its place. The answer `blueprint` itself is none."""
    cards = [yaml.safe_load((ROOT / "blueprints" / name / "blueprint.yml").read_bytes()) for name in BLUEPRINTS]
    words = WORDS | {word for card in cards for word in (card["name"], card["technology"])}
    return [
        f"{path}:{number}: {word}"
        for path, data in sorted(files.items())
        for number, line in enumerate(data.decode("utf-8").splitlines(), start=1)
        if not (path == ANSWERS and line.startswith("blueprint: "))
        for word in re.findall(r"[a-z]+", line.lower())
        if word in words
    ]


def test_no_managed_file_holds_a_word_of_an_inner_stack(fresh: Path) -> None:
    assert words_of_a_stack(managed(fresh)) == []


@pytest.mark.parametrize("planted", ["# runs Polars\n", "image: apache/spark:4\n", "dbt_project\n", "import duckdb\n"])
def test_a_planted_word_of_an_inner_stack_is_found(planted: str, fresh: Path) -> None:
    files = dict(managed(fresh))
    lines = files["noxfile.py"].count(b"\n")
    files["noxfile.py"] += planted.encode()
    (found,) = words_of_a_stack(files)
    assert found.startswith(f"noxfile.py:{lines + 1}: ")


def test_managed_files_are_the_same_with_another_blueprint(suite: Path, tmp_path: Path) -> None:
    other = suite_repo.plant_blueprint(shutil.copytree(suite, tmp_path / "suite", symlinks=True), "other")
    git(other, "tag", "--force", suite_repo.TAG)
    one = contents(suite_repo.render(tmp_path / "one", other))
    two = contents(suite_repo.render(tmp_path / "two", other, blueprint="other"))
    assert {path for path in two if path.startswith("inner/")} == {"inner/inner.yaml", "inner/build.sh"}
    one[ANSWERS] = one[ANSWERS].replace(b"blueprint: polars\n", b"blueprint: other\n")
    for half in (one, two):
        for path in [path for path in half if path.startswith("inner/")]:
            del half[path]
    assert one == two


def test_every_managed_file_that_was_edited_or_deleted_is_found_with_path_and_line(product: Path) -> None:
    wanted = managed(product)
    assert len(wanted) > 9
    for path, data in wanted.items():
        first = data.index(b"e")  # in the comment that opens the file
        (product / path).write_bytes(data.replace(b"e", b"E", 1))
        line = data.count(b"\n", 0, first) + 1
        assert f"{path}:{line}: INT001: the managed file was changed here" in suite_repo.complaints(product)

        lines = data.splitlines(keepends=True)
        line = len(lines) // 2 + 1
        lines[line - 1] = lines[line - 1].rstrip(b"\n") + b" \n"
        (product / path).write_bytes(b"".join(lines))
        assert f"{path}:{line}: INT001: the managed file was changed here" in suite_repo.complaints(product)

        (product / path).write_bytes(data.removesuffix(b"\n"))
        assert f"{path}:{len(lines)}: INT001: the managed file was changed here" in suite_repo.complaints(product)

        (product / path).unlink()
        missing = "REA002: the file does not exist" if path == ANSWERS else "INT001: the managed file is missing"
        assert f"{path}:1: {missing}" in suite_repo.complaints(product)

        (product / path).write_bytes(data)
        assert suite_repo.complaints(product) == []


def test_a_link_in_the_place_of_a_managed_file_is_found(product: Path) -> None:
    (product / "noxfile.py").rename(product / "inner" / "noxfile.py")
    (product / "noxfile.py").symlink_to("inner/noxfile.py")
    assert "noxfile.py:1: INT001: the managed file is no ordinary file" in suite_repo.complaints(product)


def test_an_answer_that_was_edited_by_hand_is_found(product: Path) -> None:
    """By the managed file that it no longer fits, and by the descriptor that says otherwise."""
    answers = product / ANSWERS
    answers.write_text(answers.read_text().replace("owner_email: aviation-data@", "owner_email: others@"))
    found = suite_repo.complaints(product)
    assert any(complaint.startswith("CODEOWNERS:4: INT001: ") for complaint in found)
    assert any("INT004: the answer owner_email is `others@example.com`" in complaint for complaint in found)


# --- Files that every machine can hold ------------------------------------------------------------

RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?\Z", re.IGNORECASE)


def unfit_names(paths: Iterable[str]) -> list[str]:
    """Those of `paths` that Windows or a file system that ignores case cannot hold."""
    paths = sorted(paths, key=lambda path: (path.casefold(), path))
    bad = {
        path
        for path in paths
        for part in path.split("/")
        if re.search(r'[<>:"|?*\\\x00-\x1f]', part)
        or part.endswith((".", " "))
        or RESERVED.match(part)
        or len(path) > 180
    }
    return sorted(bad | {right for left, right in pairwise(paths) if left.casefold() == right.casefold()})


def test_every_path_of_the_suite_is_legal_everywhere() -> None:
    assert len(SUITE_FILES) > 50
    assert unfit_names(SUITE_FILES) == []


def test_every_path_of_a_product_is_legal_everywhere(fresh: Path) -> None:
    assert unfit_names(contents(fresh)) == []


@pytest.mark.parametrize(
    "path",
    ['a/b"c', "a|b", "{% if x < y %}a", "a:b/c", "a?", "a*", "a\\b", "a./b", "a /b", "x/NUL", "aux.txt", "com1.d/a"],
)
def test_a_path_that_is_illegal_somewhere_is_found(path: str) -> None:
    assert unfit_names(["fine.txt", path]) == [path]
    assert unfit_names(["A/readme", "a/README"]) == ["a/README"]


def untidy(files: Mapping[str, bytes]) -> list[str]:
    """Places in the text of `files` where an editor that obeys .editorconfig would change something."""
    found = []
    for path, data in sorted(files.items()):
        if path.endswith((".parquet", ".png")):
            continue
        text = data.decode("utf-8")
        if data and not re.search(r"[^\n]\n\Z", text):
            found.append(f"{path}: does not end in one newline")
        found += [
            f"{path}:{number}: {what}"
            for number, line in enumerate(text.split("\n"), start=1)
            for what, pattern in (("white space at the end", r"[ \t]\Z"), ("tab", r"\t"), ("CR or BOM", "\r|\ufeff"))
            if re.search(pattern, line)
        ]
    return found


def test_every_text_of_template_and_blueprints_is_tidy() -> None:
    names = [name for name in SUITE_FILES if name.startswith(("template/", "blueprints/", "copier.yml"))]
    assert untidy({name: (ROOT / name).read_bytes() for name in names if not (ROOT / name).is_symlink()}) == []


def test_every_text_of_a_product_is_tidy(fresh: Path) -> None:
    assert untidy(contents(fresh)) == []


@pytest.mark.parametrize("text", ["a", "a\n\n", "\n", "a \n", "\ta\n", "a\r\n", "\ufeffa\n"])
def test_an_untidy_text_is_found(text: str) -> None:
    assert untidy({"x.md": text.encode()})
    assert untidy({"x.md": b"a\n", "empty.py": b"", "x.parquet": b"a"}) == []


def test_git_and_editors_are_told_the_same(product: Path) -> None:
    config = configparser.ConfigParser()
    text = re.sub(r" #.*", "", (product / ".editorconfig").read_text(encoding="utf-8"))
    config.read_string(f"[top]\n{text}")
    assert config["top"]["root"] == "true"
    everything = dict(config["*"])
    assert everything["charset"] == "utf-8"
    assert everything["insert_final_newline"] == everything["trim_trailing_whitespace"] == "true"
    listed = git(product, "ls-files", "--eol", "-z").split("\0")
    assert len(listed) > 20
    for entry in filter(None, listed):
        state, path = entry.split("\t")
        if path.endswith(".parquet"):
            assert "attr/-text" in state, path
        else:
            assert f"attr/text=auto eol={everything['end_of_line']}" in state, path
            assert "i/crlf" not in state, path


def test_every_file_of_a_fresh_product_can_be_committed(product: Path) -> None:
    """The product's own .gitignore hides none of its files, and a run's data are hidden."""
    assert git(product, "status", "--porcelain", "--ignored") == ""
    assert set(git(product, "ls-files", "-z").strip("\0").split("\0")) == set(contents(product))
    (product / "data" / "local").mkdir(parents=True)
    (product / "data" / "local" / "lock").touch()
    (product / ".env").touch()
    assert git(product, "status", "--porcelain") == ""


# --- Files that other programs read ---------------------------------------------------------------


@pytest.mark.slow
def test_files_of_ci_and_renovate_follow_the_schemas_of_their_makers(fresh: Path) -> None:
    schemas = {
        "vendor.github-workflows": list(fresh.glob(".github/workflows/*.yml")),
        "vendor.gitlab-ci": list(fresh.glob(".gitlab-ci.yml")),
        "vendor.renovate": [fresh / "renovate.json"],
    }
    assert sum(map(len, schemas.values())) >= 2
    for schema, paths in schemas.items():
        if paths:
            done = subprocess.run(
                ["check-jsonschema", "--builtin-schema", schema, *paths], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_workflow_is_safe(fresh: Path) -> None:
    if not (fresh / ".github").exists():
        assert (fresh / ".gitlab-ci.yml").exists()  # zizmor judges GitHub only
        return
    done = subprocess.run(
        ["zizmor", "--offline", "--no-progress", fresh / ".github"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr


def test_actions_are_pinned_to_a_commit(fresh: Path) -> None:
    for path in fresh.glob(".github/workflows/*.yml"):
        uses = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
        assert uses
        for action, comment in uses:
            assert re.search(r"@[0-9a-f]{40}\Z", action), action
            assert re.fullmatch(r" # v[0-9.]+", comment), action


def test_the_hooks_of_a_product_are_pinned_like_the_product(suite: Path, product: Path) -> None:
    (entry,) = yaml.safe_load((product / ".pre-commit-config.yaml").read_text())["repos"]
    assert (entry["repo"], entry["rev"]) == (str(suite), suite_repo.TAG)
    offered = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"] for hook in entry["hooks"]} <= {hook["id"] for hook in offered}


# --- The environments that a product makes for itself ----------------------------------------------

MAKE = "import runpy, sys; print(runpy.run_path('noxfile.py')['environment']('tiny', sys.argv[1]))"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ensurepip") is None, reason="this Python makes no virtual environments")
def test_environments_are_made_also_for_people_whose_pip_installs_into_their_home(
    product: Path, tmp_path: Path
) -> None:
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        file.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.dist-info/RECORD", "")
    own = os.environ | {"PATH": str(tmp_path), "PIP_USER": "1", "PIP_NO_INDEX": "1"}  # without uv, and no network
    done = subprocess.run(
        [sys.executable, "-c", MAKE, f"tiny @ {wheel.as_uri()}"],
        cwd=product, env=own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    subprocess.run([Path(done.stdout.strip(), "python"), "-c", "import tiny"], check=True)


# --- The installed package carries the template ----------------------------------------------------


@pytest.mark.slow
def test_the_installed_command_judges_as_the_checkout_does_and_without_a_network(
    suite: Path, product: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(suite, tmp_path / "source", symlinks=True)
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", source], check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name == f"data_product_blueprints-{__version__}-py3-none-any.whl"
    python = environment(tmp_path / "venv", str(wheel))
    offline = ["unshare", "--user", "--map-root-user", "--net"] if _can_unshare() else []
    nowhere = dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
    )

    def judge() -> tuple[int, list[str]]:
        """Exit code of the command, and what it found, with a cache as empty as on the first day."""
        own = nowhere | {"XDG_CACHE_HOME": str(tmp_path / f"cache-{len(list(tmp_path.iterdir()))}")}
        command: list[str | Path] = [*offline, Path(python).with_name("outer"), "check", "--product", product]
        done = subprocess.run(command, env=os.environ | own | {"PYTHONPATH": ""}, capture_output=True, check=False)
        return done.returncode, suite_repo.complaints_of([*offline, python], product, **own)

    assert judge() == (0, [])
    (product / "noxfile.py").write_text("# mine\n")
    (product / "outer/waivers.yaml").unlink()
    expected = suite_repo.complaints(product)
    assert len(expected) == 2
    assert judge() == (1, expected)


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "true"], capture_output=True, check=False
        ).returncode
        == 0
    )
