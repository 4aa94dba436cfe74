"""`outer swap`: another inner beside the living one, compared, and switched without losing a byte, killed or not.

Most scenarios play with two blueprints of a few lines, planted into a clone of the suite, so that hundreds of swaps fit
into a test; the last ones with those that the suite ships.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import suite_repo
from beside import kill
from outer import __version__
from outer.cli import main
from outer.errors import UsageError
from outer.lock import locked
from outer.product import ANSWERS
from outer.swap import journal
from outer.swap.journal import Move, Write
from outer.talk import Talk
from products import outer_command, write_parquet
from suite_repo import TAG, change, contents, git

JOB = """
import json, os
import duckdb
late = json.load(open("settings.json"))["late"]
duckdb.sql(f'''
COPY (
  WITH told AS (
    SELECT *, make_date(year, month, day) AS flight_date, row_number() OVER (
      PARTITION BY time_hour, carrier, flight, origin
      ORDER BY arr_delay DESC NULLS LAST, dep_delay DESC NULLS LAST, dep_time DESC NULLS LAST) AS n
    FROM '{os.environ["PORT_INPUT_FLIGHTS"]}'),
  days AS (
    SELECT flight_date, carrier, count(*) AS flights, count(*) - count(dep_time) AS cancelled,
      sum(dep_delay) / count(dep_delay) AS mean_dep_delay_min, sum(arr_delay) / count(arr_delay) AS mean_arr_delay_min,
      count(*) FILTER (arr_delay < {late}) AS on_time
    FROM told WHERE n = 1 GROUP BY ALL)
  SELECT flight_date, carrier, coalesce(name, carrier) AS airline, flights, cancelled, mean_dep_delay_min,
    mean_arr_delay_min, on_time / flights AS on_time_share,
    (sum(on_time) OVER week / sum(flights) OVER week)::DOUBLE AS on_time_share_7d
  FROM days LEFT JOIN '{os.environ["PORT_INPUT_AIRLINES"]}' USING (carrier)
  WINDOW week AS (PARTITION BY carrier ORDER BY flight_date RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW)
  ORDER BY flight_date, carrier
) TO '{os.environ["PORT_OUTPUT_CARRIER_PUNCTUALITY"]}' (FORMAT parquet)''')
"""
"""The worked example in one query. `late` is how many minutes make a flight late."""

INNER = """\
# Of the blueprint NAME
setup: 'true'
workloads:
  - {name: build, technology: NAME, reads: [flights, airlines], writes: [{{ output_port }}], depends_on: [],
     run: '"$PLAIN_PYTHON" job.py'}
storage: []
test: 'true'
"""


def plant(suite: Path, name: str) -> None:
    """Give the suite a blueprint that computes the worked example, and asks one question of its own."""
    suite_repo.plant_blueprint(suite, name)
    question = (
        f"{name}_late:\n  type: int\n  help: How late is late, in minutes?\n  default: 15\n"
        f"  when: \"{{{{ blueprint == '{name}' }}}}\"\n"
    )
    suite_repo.write(
        suite / "blueprints" / name,
        {
            "questions.yml": question,
            "inner/inner.yaml.jinja": INNER.replace("NAME", name),
            "inner/job.py": JOB,
            "inner/settings.json.jinja": f'{{"late": {{{{ {name}_late }}}}}}\n',
            f"inner/only-{name}.txt": f"{name}\n",
            "inner/build.sh": None,
        },
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The suite with the blueprints `alpha` and `beta`, at its tag and at the one after. Read it, never change it."""
    suite = suite_repo.clone(tmp_path_factory.mktemp("pair") / "suite", "v0.0.0")
    for name in ("alpha", "beta"):
        plant(suite, name)
    suite_repo.commit(suite, TAG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAIN_PYTHON", sys.executable)
        yield suite


@pytest.fixture(scope="module")
def unspoilt_alpha(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return suite_repo.start(suite_repo.render(tmp_path_factory.mktemp("alpha") / "product", pair, blueprint="alpha"))


@pytest.fixture
def alpha(unspoilt_alpha: Path, tmp_path: Path) -> Path:
    """A fresh product of the blueprint `alpha`. The test's own."""
    return copy(unspoilt_alpha, tmp_path / "product")


@pytest.fixture(scope="module")
def unspoilt_begun(pair: Path, unspoilt_alpha: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    product = copy(unspoilt_alpha, tmp_path_factory.mktemp("begun") / "product")
    assert swap(pair, product, "--to", "beta", "--scaffold").returncode == 0
    return product


@pytest.fixture
def begun(unspoilt_begun: Path, tmp_path: Path) -> Path:
    """The same with a swap to `beta` that has begun. The test's own."""
    return copy(unspoilt_begun, tmp_path / "product")


def copy(product: Path, target: Path) -> Path:
    return Path(shutil.copytree(product, target, symlinks=True))


def command(suite: Path, product: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of `outer` as that suite has it."""
    return outer_command(product, *arguments, PYTHONPATH=str(suite / "hooks"))


def outer(suite: Path, product: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line, environment = command(suite, product, *arguments)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300, check=False)


def swap(suite: Path, product: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return outer(suite, product, "swap", *arguments)


def green(suite: Path, product: Path) -> list[str]:
    """What the `outer check` of that suite finds."""
    return suite_repo.complaints_of([sys.executable], product, PYTHONPATH=str(suite / "hooks"))


def tree(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Everything below `folder`, empty folders included: path -> bytes (a link: where it points), rights."""
    found: dict[str, tuple[bytes | None, int]] = {}
    for path in sorted(folder.rglob("*")):
        name, mode = path.relative_to(folder).as_posix(), stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            found[name] = (os.fsencode(os.readlink(path)), 0)
        else:
            found[name] = (path.read_bytes() if path.is_file() else None, mode)
    return found


def without(found: dict[str, tuple[bytes | None, int]], *tops: str) -> dict[str, tuple[bytes | None, int]]:
    return {path: entry for path, entry in found.items() if path.partition("/")[0] not in tops}


def kept(product: Path) -> Path:
    (found,) = (product / ".swap/kept").glob("*/inner")
    return found


def answers(product: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((product / ANSWERS).read_text(encoding="utf-8")))


LATER = '{"late": 10}\n'
"""Other settings than those of the example: the data differ."""


# --- The whole way --------------------------------------------------------------------------------


def test_equal_data_are_enough_to_switch(pair: Path, alpha: Path) -> None:
    before = tree(alpha)
    done = swap(pair, alpha, "--to", "beta")
    assert done.returncode == 0, done.stderr
    assert "equal, 206 rows, compared by flight_date, carrier" in done.stdout
    assert "built with beta now" in done.stdout
    assert (alpha / "inner/only-beta.txt").is_file()
    assert not (alpha / "inner-next").exists()
    assert tree(kept(alpha)) == tree_below(before, "inner")
    # Beside the two inners nothing but the answer has changed, and what git does not see.
    mine = ("inner", ".swap", "data", ANSWERS)
    assert without(tree(alpha), ".git", *mine) == without(before, ".git", *mine)


def tree_below(found: dict[str, tuple[bytes | None, int]], top: str) -> dict[str, tuple[bytes | None, int]]:
    return {path.removeprefix(f"{top}/"): entry for path, entry in found.items() if path.startswith(f"{top}/")}


def test_after_a_switch_the_gate_is_green_and_the_product_runs(pair: Path, alpha: Path) -> None:
    assert outer(pair, alpha, "run").returncode == 0
    published = os.readlink(alpha / "data/local/current")
    assert swap(pair, alpha, "--to", "beta", "-d", "beta_late=15").returncode == 0
    assert os.readlink(alpha / "data/local/current") == published, "a swap publishes nothing"
    assert answers(alpha)["blueprint"] == "beta"
    assert answers(alpha)["beta_late"] == 15
    assert "alpha_late" not in answers(alpha)
    assert green(pair, alpha) == []
    assert outer(pair, alpha, "run").returncode == 0
    assert outer(pair, alpha, "verify").returncode == 0


def test_the_update_after_a_switch_changes_managed_files_only(pair: Path, tmp_path: Path) -> None:
    """With real tags: the swap at one release, `copier update` to the next."""
    suite = tmp_path / "suite"
    git(pair, "clone", "--quiet", ".", suite)
    alpha = suite_repo.start(suite_repo.render(tmp_path / "product", suite, blueprint="alpha"))
    (alpha / "inner/ours.txt").write_text("ours\n")
    suite_repo.commit(alpha)
    assert swap(pair, alpha, "--to", "beta").returncode == 0
    (alpha / "inner/more.txt").write_text("ours too\n")
    suite_repo.commit(alpha)
    number = f"{__version__.rpartition('.')[0]}.99"
    suite_repo.release(
        suite,
        number,
        {
            "template/renovate.json": '{"extends": ["config:recommended"]}\n',
            "blueprints/beta/inner/job.py": "raise SystemExit\n",
            "blueprints/alpha/inner/only-alpha.txt": None,
        },
    )
    before = tree(alpha)
    suite_repo.update(alpha, f"v{number}")
    changed = {line[3:] for line in git(alpha, "status", "--porcelain").splitlines()}
    assert changed == {ANSWERS, ".pre-commit-config.yaml", "renovate.json"}
    assert without(tree(alpha), ".git", *changed) == without(before, ".git", *changed)
    assert answers(alpha)["blueprint"] == "beta"
    checkout = tmp_path / "next"
    git(suite, "clone", "--quiet", "--branch", f"v{number}", ".", checkout)
    assert green(checkout, alpha) == []


def test_a_swap_that_is_going_on_disturbs_neither_the_gate_nor_git_nor_an_update(pair: Path, begun: Path) -> None:
    assert green(pair, begun) == []
    suite_repo.commit(begun)
    assert swap(pair, begun, "--compare").returncode == 0
    assert git(begun, "status", "--porcelain") == ""
    assert ".swap/swap.yaml" in git(begun, "ls-files")
    assert git(begun, "ls-files", ".swap").split() == [".swap/swap.yaml"]
    suite_repo.update(begun, TAG)
    assert git(begun, "status", "--porcelain") == ""


def test_a_colleague_goes_on_from_a_clone(pair: Path, begun: Path, tmp_path: Path) -> None:
    suite_repo.commit(begun)
    theirs = tmp_path / "theirs"
    git(begun, "clone", "--quiet", ".", theirs)
    assert "from alpha to beta" in swap(pair, theirs).stdout
    assert swap(pair, theirs, "--switch").returncode == 0
    assert answers(theirs)["blueprint"] == "beta"
    assert {line.split()[-1].partition("/")[0] for line in git(theirs, "status", "--porcelain").splitlines()} == {
        ANSWERS, ".swap", "inner", "inner-next",
    }  # fmt: skip


def test_months_of_work_go_compare_by_compare(pair: Path, alpha: Path) -> None:
    """The team has changed its contract: the example of the new blueprint does not fit until it is worked on."""
    contract = alpha / "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
    job = alpha / "inner/job.py"
    contract.write_text(contract.read_text().replace("airline", "operator"))
    change(job, ("AS airline", "AS operator"))
    assert outer(pair, alpha, "run").returncode == 0
    first = swap(pair, alpha, "--to", "beta")
    assert first.returncode == 1
    assert "column operator: only the living inner writes it (VARCHAR)" in first.stdout
    assert "column airline: only the new inner writes it (VARCHAR)" in first.stdout
    assert "breaks its contract: columns" in first.stdout
    assert (alpha / "inner/only-alpha.txt").exists()
    job = alpha / "inner-next/job.py"
    change(job, ("AS airline", "AS operator"))
    (alpha / "inner-next/settings.json").write_text(LATER)
    second = swap(pair, alpha, "--switch")
    assert second.returncode == 1
    assert "column on_time_share:" in second.stdout
    assert "Not switched" in second.stdout
    assert (alpha / "inner/only-alpha.txt").exists()
    (alpha / "inner-next/settings.json").write_text('{"late": 15}\n')
    assert swap(pair, alpha, "--compare").returncode == 0
    assert (alpha / "inner/only-alpha.txt").exists(), "to compare is not to switch"
    assert swap(pair, alpha, "--switch").returncode == 0
    assert (alpha / "inner/only-beta.txt").exists()


def test_differences_are_accepted_in_words_which_are_recorded(pair: Path, begun: Path) -> None:
    (begun / "inner-next/settings.json").write_text(LATER)
    refused = swap(pair, begun, "--switch", "--accept-differences", "  ")
    assert refused.returncode == 2
    done = swap(pair, begun, "--switch", "--accept-differences", "late is 10 minutes now")
    assert done.returncode == 0, done.stderr
    (entry,) = yaml.safe_load((begun / "inner/swaps.yaml").read_text())["swaps"]
    assert entry["reason"] == "late is 10 minutes now"
    assert (entry["from"], entry["to"], entry["verdict"]) == ("alpha", "beta", "different")
    assert set(entry["ports"][0]["columns"]) == {"on_time_share", "on_time_share_7d"}
    assert green(pair, begun) == []


def test_an_inner_that_does_not_run_is_not_equal(pair: Path, begun: Path) -> None:
    (begun / "inner-next/job.py").write_text("raise SystemExit('no idea')\n")
    done = swap(pair, begun, "--switch", "--format", "json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["verdict"], told["switched"]) == ("failed", False)
    assert "exit code 1" in told["reason"]
    assert "no idea" in done.stderr


def test_an_inner_whose_output_a_run_would_not_take_is_not_equal(pair: Path, begun: Path) -> None:
    job = begun / "inner-next/job.py"
    job.write_text(
        job.read_text() + "port = os.environ['PORT_OUTPUT_CARRIER_PUNCTUALITY']\n"
        "os.rename(port, 'ours.parquet'); os.symlink(os.path.abspath('ours.parquet'), port)\n"
    )
    done = swap(pair, begun, "--switch")
    assert done.returncode == 1
    assert "not compared: workload `build` has ended without writing output port" in done.stdout
    assert "is a link" in done.stdout


def test_the_new_data_are_audited_as_a_run_would_do_it(pair: Path, begun: Path) -> None:
    """Rules that need other tables are among them."""
    contract = begun / "outer/contracts/output/carrier_punctuality.v1.odcs.yaml"
    name = "      - name: carrier\n"
    text = contract.read_text()
    assert text.count(name) == 1
    contract.write_text(text.replace(name, f"{name}        relationships: [{{to: airlines.carrier}}]\n"))
    equal = swap(pair, begun, "--compare")
    assert "breaks its contract" not in equal.stdout
    job = begun / "inner-next/job.py"
    change(job, ("SELECT flight_date, carrier, coal", "SELECT flight_date, 'ZZ' AS carrier, coal"))
    done = swap(pair, begun, "--compare")
    assert done.returncode == 1
    assert "breaks its contract: relationships:carrier" in done.stdout


def test_equal_rows_in_columns_that_a_run_would_not_take_are_not_equal(pair: Path, begun: Path) -> None:
    job = begun / "inner-next/job.py"
    change(job, ("SELECT flight_date, carrier, coalesce", "SELECT carrier, flight_date, coalesce"))
    done = swap(pair, begun, "--switch")
    assert done.returncode == 1
    assert "equal, 206 rows" in done.stdout
    assert "breaks its contract: columns" in done.stdout
    assert "Not switched" in done.stdout
    assert (begun / "inner/only-alpha.txt").exists()
    # What the data of both break is not the fault of the new one.
    job = begun / "inner/job.py"
    change(job, ("SELECT flight_date, carrier, coalesce", "SELECT carrier, flight_date, coalesce"))
    done = swap(pair, begun, "--switch")
    assert done.returncode == 0
    assert "breaks its contract, as the data of the living inner do: columns" in done.stdout


def test_what_is_equal_within_a_tolerance_is_called_so_and_switched_so(pair: Path, begun: Path) -> None:
    job = begun / "inner-next/job.py"
    change(job, ("on_time / flights AS", "on_time / flights * (1 - 1e-12) AS"))
    done = swap(pair, begun, "--compare", "--tolerance", "1e-9")
    assert done.returncode == 0
    assert "equal within a tolerance of 1e-09" in done.stdout
    assert "Switch: outer swap --switch --tolerance 1e-09." in done.stdout
    assert swap(pair, begun, "--switch", "--tolerance", "1e-09").returncode == 0


def test_an_inner_for_other_ports_is_told_with_its_line(pair: Path, begun: Path) -> None:
    seam = begun / "inner-next/inner.yaml"
    change(seam, ("carrier_punctuality", "elsewhere"))
    done = swap(pair, begun, "--compare")
    assert done.returncode == 1
    assert "inner-next/inner.yaml:4: `elsewhere` is not an output port" in done.stdout
    assert "\n  Use the name of a port, or add the port to the descriptor.\n" in done.stdout


def test_a_living_inner_that_fails_is_no_comparison(pair: Path, begun: Path) -> None:
    (begun / "inner/job.py").write_text("raise SystemExit(3)\n")
    done = swap(pair, begun, "--switch", "--accept-differences", "whatever")
    assert done.returncode == 1
    assert "of inner/ failed: exit code 3" in done.stderr
    assert (begun / "inner-next").is_dir()


def test_no_rows_on_either_side_are_no_proof(pair: Path, begun: Path, tmp_path: Path) -> None:
    sample = begun / "outer/samples/flights.parquet"
    empty = write_parquet(tmp_path / "empty.parquet", f"FROM '{sample}' LIMIT 0")
    done = swap(pair, begun, "--switch", "--input", f"flights={empty}")
    assert done.returncode == 3
    assert "nothing was compared" in done.stderr
    assert (begun / "inner-next").is_dir()


def test_the_comparison_can_be_kept_for_a_pull_request(pair: Path, begun: Path, tmp_path: Path) -> None:
    (begun / "inner-next/settings.json").write_text(LATER)
    done = swap(pair, begun, "--compare", "--report", str(tmp_path / "swap.md"), "--format", "json")
    told = json.loads(done.stdout)
    text = (tmp_path / "swap.md").read_text()
    assert told["verdict"] == "different"
    assert f"{told['ports'][0]['columns'][0]['rows']} rows of 206" in text
    assert text.startswith("## Swap of the inner: alpha to beta: different")


def test_a_report_that_cannot_be_written_hides_no_switch(pair: Path, begun: Path, tmp_path: Path) -> None:
    done = swap(pair, begun, "--switch", "--report", str(tmp_path / "nowhere/swap.md"))
    assert done.returncode == 2
    assert "built with beta now" in done.stdout
    assert "swap.md: it cannot be written" in done.stderr


def test_status_tells_where_a_swap_stands(pair: Path, alpha: Path) -> None:
    assert "No swap is going on" in swap(pair, alpha).stdout
    assert not (alpha / ".swap").exists(), "to ask changes nothing"
    swap(pair, alpha, "--to", "beta", "--scaffold")
    assert "from alpha to beta is going on" in swap(pair, alpha).stdout
    swap(pair, alpha, "--switch")
    assert "(alpha)" in swap(pair, alpha).stdout


# --- Ways back ------------------------------------------------------------------------------------


def test_giving_up_keeps_what_was_begun(pair: Path, begun: Path) -> None:
    (begun / "inner-next/ours.txt").write_text("weeks of work\n")
    work = tree(begun / "inner-next")
    before = without(tree(begun), ".swap", "inner-next")
    assert swap(pair, begun, "--abort").returncode == 0
    (given_up,) = (begun / ".swap/kept").glob("*/inner-next")
    assert tree(given_up) == work
    assert without(tree(begun), ".swap") == before
    assert swap(pair, begun, "--abort").returncode == 2, "there is nothing to give up"
    assert swap(pair, begun, "--to", "beta", "--scaffold").returncode == 0


def test_the_old_inner_comes_back_whole(pair: Path, begun: Path) -> None:
    (begun / "inner/ignored.env").write_text("LEVEL=1\n")
    (begun / "inner/latest").symlink_to("job.py")
    living, coming = tree(begun / "inner"), tree(begun / "inner-next")
    assert swap(pair, begun, "--switch").returncode == 0
    assert swap(pair, begun, "--back").returncode == 0
    record = "swaps.yaml"
    assert without(tree(begun / "inner"), record) == living
    assert without(tree(kept(begun)), record) == coming
    assert answers(begun)["blueprint"] == "alpha"
    assert answers(begun)["alpha_late"] == 15
    assert green(pair, begun) == []
    told = yaml.safe_load((begun / "inner/swaps.yaml").read_text())["swaps"]
    assert [(entry["from"], entry["to"]) for entry in told] == [("alpha", "beta"), ("beta", "alpha")]
    assert swap(pair, begun, "--back").returncode == 0, "and forth again"
    assert answers(begun)["blueprint"] == "beta"


def test_an_environment_that_would_not_work_at_its_new_place_is_set_aside(pair: Path, begun: Path) -> None:
    """A virtual environment holds its own path; `setup` makes it anew."""
    suite_repo.write(begun / "inner-next", {".venv/pyvenv.cfg": "home = there\n", ".venv/bin/tool": "#!there\n"})
    assert swap(pair, begun, "--switch").returncode == 0
    assert not (begun / "inner/.venv").exists()
    (aside,) = (begun / ".swap/kept").glob("*/environments/*")
    assert contents(aside) == {"pyvenv.cfg": b"home = there\n", "bin/tool": b"#!there\n"}


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "cobol"], "there is no blueprint `cobol` (there are: dbt, polars"),
        (["--to", "polars"], "built with `polars` already"),
        (["--to", "dbt", "-d", "title=Other"], "does not ask for `title`"),
        (["--compare"], "no swap is going on"),
        (["--switch"], "no swap is going on"),
        (["--continue"], "nothing was interrupted"),
        (["--abort"], "no swap is going on"),
        (["--back"], "no inner is kept here"),
        (["--scaffold"], "--scaffold belongs to --to"),
        (["--compare", "--accept-differences", "x"], "belongs to --to or --switch"),
        (["--to", "dbt", "--scaffold", "--report", "x.md"], "--report belongs to --switch or --compare"),
        (["--back", "--tolerance", "0.1"], "--tolerance belongs to --to or --switch or --compare"),
        (["--to", "dbt", "--accept-differences", " "], "needs a reason in words"),
        (["--compare", "--input", "flights=a", "--input", "flights=b"], "given twice"),
    ],
)
def test_what_cannot_be_is_one_clear_error_and_changes_nothing(
    product: Path, arguments: Sequence[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = without(tree(product), ".swap")
    assert main(["swap", "--product", str(product), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert without(tree(product), ".swap") == before
    assert git(product, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "arguments", [["--tolerance", "-1"], ["--tolerance", "nan"], ["-d", "x"], ["--compare", "--abort"]]
)
def test_a_command_line_that_makes_no_sense_is_refused(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["swap", *arguments])
    assert stopped.value.code == 2
    assert "outer swap: error:" in capsys.readouterr().err


def test_an_answer_that_the_blueprint_does_not_take_is_refused(pair: Path, alpha: Path) -> None:
    refused = swap(pair, alpha, "--to", "beta", "-d", "beta_late=soon")
    assert refused.returncode == 2
    assert "`beta` cannot be rendered with the answers of this product" in refused.stderr
    assert not (alpha / "inner-next").exists()


def no_pin(product: Path) -> str:
    text = (product / ANSWERS).read_text()
    (product / ANSWERS).write_text(text.replace(f"_commit: {TAG}", "_commit: ''"))
    return "holds no pin"


def other_pin(product: Path) -> str:
    text = (product / ANSWERS).read_text()
    (product / ANSWERS).write_text(text.replace(f"_commit: {TAG}", "_commit: v0.0.1"))
    return "the product is pinned to `v0.0.1`"


def no_answers(product: Path) -> str:
    (product / ANSWERS).unlink()
    return f"{ANSWERS} does not exist"


def edited_answers(product: Path) -> str:
    (product / ANSWERS).write_text((product / ANSWERS).read_text() + "# ours\n")
    return f"{ANSWERS} is not as the standard made it"


def conflict(product: Path) -> str:
    git(product, "checkout", "--quiet", "-b", "other")
    (product / "inner/inner.yaml").write_text("theirs\n")
    suite_repo.commit(product)
    git(product, "checkout", "--quiet", "main")
    (product / "inner/inner.yaml").write_text("ours\n")
    suite_repo.commit(product)
    with pytest.raises(AssertionError):
        git(product, "merge", "--quiet", "other")
    return "inner/inner.yaml: git has conflicts"


def merge(product: Path) -> str:
    conflict(product)
    git(product, "add", "--all")
    return "a merge has begun"


def a_folder_of_that_name(product: Path) -> str:
    (product / "inner-next").mkdir()
    return "inner-next/ is there already"


def a_link(product: Path) -> str:
    (product / "inner").rename(product / "elsewhere")
    (product / "inner").symlink_to("elsewhere")
    return "inner is a link"


@pytest.mark.parametrize(
    "spoil", [no_pin, other_pin, no_answers, edited_answers, conflict, merge, a_folder_of_that_name, a_link]
)
def test_a_product_that_cannot_be_swapped_is_told_why(
    product: Path, spoil: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = spoil(product)
    before = without(tree(product), ".swap", ".git")
    assert main(["swap", "--product", str(product), "--to", "dbt"]) == 2
    assert words in capsys.readouterr().err
    assert without(tree(product), ".swap", ".git") == before


def test_a_second_swap_waits_for_the_end_of_the_first(pair: Path, begun: Path) -> None:
    assert "a swap to `beta` is going on" in swap(pair, begun, "--to", "polars").stderr


def other_blueprint(product: Path) -> str:
    path = product / ".swap/swap.yaml"
    path.write_text(path.read_text().replace('to: "beta"', 'to: "cobol"'))
    return ".swap/swap.yaml: there is no blueprint `cobol`"


def a_file_of_that_name(product: Path) -> str:
    (product / "inner-next").rename(product / "aside")
    (product / "inner-next").write_text("ours\n")
    return "inner-next is no folder"


@pytest.mark.parametrize("spoil", [other_blueprint, edited_answers, a_file_of_that_name])
def test_what_stands_in_the_way_of_a_switch_is_told_before_anything_runs(pair: Path, begun: Path, spoil: Any) -> None:
    words = spoil(begun)
    done = swap(pair, begun, "--switch", "--accept-differences", "a test")
    assert done.returncode == 2
    assert words in done.stderr
    assert "build" not in done.stderr


def test_two_swaps_at_the_same_time_never_mix(pair: Path, begun: Path) -> None:
    running = [
        subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line, environment in [command(pair, begun, "swap", "--switch")] * 2
    ]
    said = [process.communicate()[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 2], said
    assert any("no swap is going on" in text for text in said)
    assert (begun / "inner/only-beta.txt").exists()


def test_a_run_in_another_environment_is_waited_for(pair: Path, begun: Path) -> None:
    folder = begun / "data/dev"
    for action, before in (("--switch", "alpha"), ("--back", "beta")):
        with locked(folder, "20300101T000000Z-abcdef", 0, Talk(quiet=True)):
            refused = swap(pair, begun, action, "--wait", "0")
        assert refused.returncode == 2
        assert f"another run has {folder}: run 20300101T000000Z-abcdef" in refused.stderr
        assert (begun / f"inner/only-{before}.txt").exists()
        assert swap(pair, begun, action, "--wait", "0").returncode == 0
        assert not (begun / f"inner/only-{before}.txt").exists()


def test_somebody_who_switched_meanwhile_is_noticed(pair: Path, begun: Path) -> None:
    text = (begun / ANSWERS).read_text()
    (begun / ANSWERS).write_text(text.replace("blueprint: alpha", "blueprint: polars"))
    assert "Somebody has switched meanwhile" in swap(pair, begun, "--switch").stderr
    assert swap(pair, begun, "--abort").returncode == 0


def test_a_swap_asks_no_network(pair: Path, alpha: Path) -> None:
    """Where there is none: in a network namespace of its own, if the machine allows one."""
    line, environment = command(pair, alpha, "swap", "--to", "beta")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespaces here")
    done = subprocess.run(["unshare", "-rn", *line], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- Killed ---------------------------------------------------------------------------------------

KILLER = """
import os, shutil, signal, sys
from pathlib import Path
from outer.cli import main
from outer.dataset import Dataset
from outer.errors import UsageError
import outer.swap.command, outer.drift, outer.audit, outer.check

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def child(product, arguments, kill_at):
    "Run `outer swap` in a process of its own, which ends by SIGKILL right before the nth time it touches the product."
    process = os.fork()
    if process == 0:
        count = 0
        def watch(event, values):
            nonlocal count
            if event == "open":
                touches = isinstance(values[2], int) and values[2] & WRITING
            else:
                touches = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.symlink")
            if touches and isinstance(values[0], (str, bytes, os.PathLike)):
                if os.fsdecode(values[0]).startswith(product):
                    count += 1
                    if count == kill_at:
                        os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        code = 4
        try:
            with open(os.devnull, "w") as nothing:
                os.dup2(nothing.fileno(), 1)
                os.dup2(nothing.fileno(), 2)
            code = main(["swap", "--product", product, *arguments])
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

unspoilt, folder, way, *arguments = sys.argv[1:]
for kill_at in range(1, 1000):
    product = os.path.join(folder, str(kill_at))
    shutil.copytree(unspoilt, product, symlinks=True)
    ended = child(product, arguments, kill_at)
    if ended != -signal.SIGKILL:
        print("ended", ended, flush=True)
        break
    pending = os.path.exists(product + "/.swap/journal.json")
    # Nobody may have to know whether it was interrupted: the way on is the command again, or what that advises.
    again = child(product, ["--" + way] if pending else arguments, 0)
    print(kill_at, int(pending), again, flush=True)
"""


def killed(pair: Path, product: Path, folder: Path, way: str, *arguments: str) -> list[tuple[Path, bool, int]]:
    """Kill `outer swap <arguments>` before each single change that it makes to a copy of `product`, and go on.

    By `--<way>` where files were on the move, else by the same command again. Gives each copy, whether files were on
    the move, and the exit code in the end; the last one ended by itself.
    """
    script = [sys.executable, "-c", KILLER, str(product), str(folder), way, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(pair / "hooks")}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    *lines, end = done.stdout.splitlines()
    assert end == "ended 0"
    return [(folder / n, pending == "1", int(code)) for n, pending, code in map(str.split, lines)]


@pytest.fixture
def ready(begun: Path) -> Path:
    """A swap whose new inner never runs, so that a switch in words is nothing but moves."""
    (begun / "inner-next/inner.yaml").write_text("workloads: []\n")
    shutil.rmtree(begun / ".git")  # a product need not be in git, and copies are quicker
    suite_repo.write(begun / "inner-next", {".venv/pyvenv.cfg": "home = there\n"})
    suite_repo.write(begun / "inner", {"untracked.txt": "ours\n", ".gitignore": "*.env\n", "ignored.env": "ours\n"})
    return begun


@pytest.mark.slow
@pytest.mark.parametrize("way", ["continue", "abort"])
def test_a_switch_that_is_killed_at_any_step_goes_on_or_goes_back(
    pair: Path, ready: Path, tmp_path: Path, way: str
) -> None:
    living, coming = tree(ready / "inner"), told(tree(ready / "inner-next"))
    elsewhere = without(tree(ready), "inner", "inner-next", ".swap", ANSWERS, ".git", "data")
    runs = killed(pair, ready, tmp_path / "killed", way, "--switch", "--accept-differences", "a test")
    moving = [product for product, pending, _ in runs if pending]
    assert len(runs) > len(moving) > 15
    for product, pending, code in runs:
        assert code == 0, product
        assert without(tree(product), "inner", "inner-next", ".swap", ANSWERS, ".git", "data") == elsewhere
        assert not (product / ".swap/journal.json").exists()
        if pending and way == "abort":
            (given_up,) = (product / ".swap/kept").glob("*/inner-next")
            assert (tree(product / "inner"), told(tree(given_up))) == (living, coming)
            assert (given_up / ".venv/pyvenv.cfg").is_file()
            assert answers(product)["blueprint"] == "alpha"
        else:
            assert (tree(kept(product)), told(tree(product / "inner"))) == (living, coming)
            assert len(list((product / ".swap/kept").glob("*/environments/0/pyvenv.cfg"))) == 1
            assert answers(product)["blueprint"] == "beta"
        assert not (product / "inner-next").exists()
        assert not (product / ".swap/swap.yaml").exists()


@pytest.mark.slow
def test_a_way_back_that_is_killed_at_any_step_is_gone_to_its_end(pair: Path, ready: Path, tmp_path: Path) -> None:
    living = tree(ready / "inner")
    assert swap(pair, ready, "--switch", "--accept-differences", "a test").returncode == 0
    for product, _, code in killed(pair, ready, tmp_path / "killed", "continue", "--back"):
        assert code == 0
        assert told(tree(product / "inner")) == living
        assert answers(product)["blueprint"] == "alpha"


@pytest.mark.slow
def test_giving_up_that_is_killed_at_any_step_is_given_up(pair: Path, ready: Path, tmp_path: Path) -> None:
    living, coming = tree(ready / "inner"), tree(ready / "inner-next")
    for product, _, _ in killed(pair, ready, tmp_path / "killed", "abort", "--abort"):
        (given_up,) = (product / ".swap/kept").glob("*/inner-next")
        assert (tree(product / "inner"), tree(given_up)) == (living, coming)
        assert not (product / ".swap/swap.yaml").exists()


@pytest.mark.slow
def test_a_swap_that_is_killed_at_any_moment_is_not_started_or_goes_on(pair: Path, alpha: Path, tmp_path: Path) -> None:
    """The real command, with everything that it starts, killed soon after it has said a word."""
    chance = random.Random(20301122)  # noqa: S311
    suite_repo.write(alpha / "inner", {"untracked.txt": "ours\n"})
    living, states = tree(alpha / "inner"), set()
    for number, words in enumerate((b"", b"scaffold beta", b"inner-next: build", b"compare")):
        product = copy(alpha, tmp_path / str(number))
        line, environment = command(pair, product, "swap", "--to", "beta")
        process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        kill(process, words, chance.uniform(0, 0.05) if number % 2 else 0)
        said = swap(pair, product).stdout
        states.add(said.partition("\n")[0])
        if "was interrupted" in said:
            assert swap(pair, product, "--continue").returncode == 0
        if (product / "inner-next").exists():
            assert swap(pair, product, "--switch").returncode == 0
        elif answers(product)["blueprint"] == "alpha":
            assert swap(pair, product, "--to", "beta").returncode == 0
        assert tree(kept(product)) == living
        assert answers(product)["blueprint"] == "beta"
    assert len(states) > 1, "every kill came at the same point"


def test_what_somebody_changed_between_a_kill_and_the_way_on_is_not_overwritten(tmp_path: Path) -> None:
    """Git brings the inner back while it is half moved: nobody can say which of the two is meant."""
    area = tmp_path / ".swap"
    area.mkdir()
    suite_repo.write(tmp_path, {"inner/a": "old\n", "inner-next/a": "new\n"})
    steps = (Move("inner", ".swap/kept/1/inner"), Move("inner-next", "inner"), Write("answers", None, b"beta\n"))
    pending = journal.Journal("switch", steps, at=0)
    (area / "kept/1").mkdir(parents=True)
    (tmp_path / "inner").rename(area / "kept/1/inner")
    suite_repo.write(tmp_path, {"inner/a": "from git\n"})
    before = tree(tmp_path)
    for way in (journal.finish, journal.undo):
        with pytest.raises(UsageError, match="is there already"):
            way(tmp_path, area, pending)
        assert without(tree(tmp_path), ".swap") == without(before, ".swap")
        assert (area / "kept/1/inner/a").read_text() == "old\n"
    (tmp_path / "inner").rename(tmp_path / "aside")
    journal.finish(tmp_path, area, pending)
    assert (tmp_path / "inner/a").read_text() == "new\n"
    assert not (area / "journal.json").exists()


def test_steps_that_cannot_all_be_done_are_all_undone(tmp_path: Path) -> None:
    area = tmp_path / ".swap"
    area.mkdir()
    suite_repo.write(tmp_path, {"inner/a": "old\n", "inner-next/a": "new\n", "answers": "changed\n"})
    before = tree(tmp_path)
    steps = (Move("inner", "kept"), Move("inner-next", "inner"), Write("answers", b"alpha\n", b"beta\n"))
    with pytest.raises(UsageError, match="answers has changed meanwhile; everything is as it was before"):
        journal.carry_out(tmp_path, area, "switch", steps)
    assert without(tree(tmp_path), ".swap") == without(before, ".swap")
    assert journal.started_at(area) is None


def test_a_journal_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    for text in ("", "{", '{"format": 2}', '{"format": 1, "what": "switch", "steps": [{}], "at": 0, "back": false}'):
        (tmp_path / "journal.json").write_text(text)
        with pytest.raises(UsageError, match="cannot be read"):
            journal.started_at(tmp_path)


# --- Nothing is lost ------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["job.py", "settings.json", "only-alpha.txt", "only-beta.txt", "notes.md", "ünïcode name.txt", ".env", "data.bin",
     "src/a.py", "src/deep/b.sql", ".hidden/c", "node_modules/x.js", "__pycache__/m.pyc", ".venv/pyvenv.cfg", "-f"]
)  # fmt: skip
WHERE = st.sampled_from(["inner", "inner-next", "docs", "outer/samples", ".swap/kept/ours"])
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), WHERE, NAMES, st.binary(max_size=30)),
        st.tuples(st.just("delete"), WHERE, NAMES, st.just(b"")),
        st.tuples(st.just("rename"), WHERE, NAMES, NAMES),
        st.tuples(st.just("mode"), WHERE, NAMES, st.sampled_from([0o755, 0o600, 0o444])),
        st.tuples(st.just("link"), WHERE, NAMES, st.sampled_from(["job.py", "../outer", "nowhere", "/etc"])),
        st.tuples(st.just("folder"), WHERE, NAMES, st.just(b"")),
        st.tuples(st.just("ignore"), WHERE, NAMES, st.just(b"")),
        st.tuples(st.just("commit"), st.just(""), st.just(""), st.just(b"")),
    ),
    max_size=12,
)


def apply(product: Path, edits: Sequence[tuple[Any, ...]]) -> None:
    """What teams do to their files."""
    for what, where, name, value in edits:
        path = product / where / name
        try:
            if what == "commit":
                suite_repo.commit(product)
            elif what == "delete":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            elif what == "rename":
                path.rename(product / where / value)
            elif what == "mode":
                if not path.is_symlink():
                    path.chmod(value)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                if what == "folder":
                    path.mkdir()
                elif what == "link":
                    path.symlink_to(value)
                elif what == "ignore":
                    (product / where / ".gitignore").write_text(f"/{name}\n", encoding="utf-8")
                else:
                    path.write_bytes(value)
        except OSError:
            continue  # it is not there, or is something else by now


def told(found: dict[str, tuple[bytes | None, int]]) -> dict[str, tuple[bytes | None, int]]:
    """Without what the switch itself writes into an inner, and without environments, which it sets aside."""
    homes = {path.rpartition("/")[0] for path in found if path.endswith("/pyvenv.cfg")}
    return {
        path: entry
        for path, entry in found.items()
        if path != "swaps.yaml" and not any(path == home or path.startswith(f"{home}/") for home in homes)
    }


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS, way=st.sampled_from(["switch", "switch and back", "abort"]))
def test_whatever_a_team_does_not_one_byte_of_it_is_lost(
    pair: Path, unspoilt_begun: Path, tmp_path_factory: pytest.TempPathFactory, edits: Any, way: str
) -> None:
    product = copy(unspoilt_begun, tmp_path_factory.mktemp("edited") / "product")
    apply(product, edits)
    before = tree(product)
    living, coming = tree_below(before, "inner"), tree_below(before, "inner-next")
    ours = tree_below(before, ".swap/kept/ours")
    elsewhere = without(before, "inner", "inner-next", ".swap", ".git", "data", ANSWERS)
    head = git(product, "rev-parse", "HEAD")

    done = swap(pair, product, *(["--abort"] if way == "abort" else ["--switch", "--accept-differences", "a test"]))
    if done.returncode:  # the living inner no longer runs: then nothing has moved
        assert (tree(product / "inner"), tree(product / "inner-next")) == (living, coming)
    elif way == "abort":
        (given_up,) = (product / ".swap/kept").glob("*/inner-next")
        assert (tree(product / "inner"), tree(given_up)) == (living, coming)
    else:
        (old,) = (product / ".swap/kept").glob("2*/inner")
        assert tree(old) == living
        assert told(tree(product / "inner")) == told(coming)
        homes = [path for path in coming if path.endswith("/pyvenv.cfg")]
        assert len(list(old.parent.glob("environments/*"))) == len(homes)
        if way == "switch and back":
            assert swap(pair, product, "--back").returncode == 0
            assert without(tree(product / "inner"), "swaps.yaml") == without(living, "swaps.yaml")
    assert without(tree(product), "inner", "inner-next", ".swap", ".git", "data", ANSWERS) == elsewhere
    assert tree_below(tree(product), ".swap/kept/ours") == ours
    assert git(product, "rev-parse", "HEAD") == head
    assert not (product / ".swap/journal.json").exists()


# --- The blueprints of the suite ------------------------------------------------------------------


@pytest.mark.slow
def test_shipped_blueprints_replace_each_other(suite: Path, tmp_path: Path) -> None:
    """Polars by dbt, dbt by Polars, and back to the dbt of before, whose environment works at its place again."""
    product = suite_repo.start(suite_repo.render(tmp_path / "product", suite, blueprint="polars"))
    polars = tree(product / "inner")
    where = ["--product", str(product)]

    def published() -> str:
        receipt = json.loads((product / "data/local/current/receipt.json").read_text())
        return str(receipt["outputs"][0]["fingerprint"])

    assert main(["run", *where]) == 0
    fingerprint = published()
    assert main(["swap", *where, "--to", "dbt"]) == 0
    assert polars.items() <= tree(kept(product)).items(), "all that was there is there, beside what runs have made"
    assert (answers(product)["blueprint"], suite_repo.complaints(product)) == ("dbt", [])
    assert main(["swap", *where, "--to", "polars"]) == 0
    assert (answers(product)["blueprint"], suite_repo.complaints(product)) == ("polars", [])
    assert main(["run", *where]) == 0
    assert published() == fingerprint
    assert main(["swap", *where, "--back"]) == 0
    assert main(["run", *where, "--no-setup"]) == 0
    assert published() == fingerprint
