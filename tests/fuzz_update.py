"""Random histories of teams against random releases: an update loses nothing, or refuses and touches nothing.

    python tests/fuzz_update.py --cases 10000 --seed 7 --jobs 2

A case is a product of one release, what a team did to it in git, and another release. A failure is shrunk to its
smallest form, printed, and ends the run with exit code 1. The report at the end names cases, seed and time.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import suite_repo
from outer.errors import PASS, UsageError
from outer.rules.integrity import unmerged
from outer.talk import Talk
from outer.update import Managed, Suite, UpdatePlan, apply, journal, plan
from outer.update import command as update_command
from outer.update.render import read_answers
from suite_repo import ANSWERS, contents, executable, git

BLUEPRINTS = tuple(suite_repo.questions()["blueprint"]["choices"].values())
HOSTS = ("github", "gitlab")
NEW = ("SECURITY.md", "docs/style.md", "docs/deep/er/note.md", ".tool.cfg", "policies/a.md", "zz", "MANAGED.bin")
"""Managed files that random releases add, at paths where random teams have files of their own."""
MANAGED = (".editorconfig", ".gitattributes", ".gitignore", ".pre-commit-config.yaml", "AGENTS.md", "CODEOWNERS",
           "noxfile.py", "outer/standard.yaml", "renovate.json", ".github/workflows/data-product.yml",
           ".github/workflows/update-standard.yml", ".gitlab-ci.yml", ".copier-answers.yml")  # fmt: skip
SEEDS = ("README.md", "inner/inner.yaml", "outer/waivers.yaml", "outer/samples/airlines.parquet", "inner/README.md",
         "outer/data-product.odps.yaml", "outer/contracts/input/airlines.v1.odcs.yaml")  # fmt: skip
OWN = ("ours.txt", "docs/ours.md", "inner/own/é ü.txt", "inner/-x", ".github/workflows/ours.yml", "policies")
TEXTS = ("", "ours\n", "no end", "a\r\nb\r\n", "<<<<<<< x\n=======\n>>>>>>> y\n", "\0\1\xff", "é\n" * 40, " \t\n")


# --- Random releases --------------------------------------------------------------------------------


def build(target: Path, number: int, chance: random.Random) -> Path:
    """The suite at `target`, released `number` times more with random changes of managed files and of seeds."""
    suite = suite_repo.clone(target)
    for step in range(1, number + 1):
        suite_repo.release(suite, f"9.{step}.0", _changes(suite, step, chance))
        for path in [path for path in NEW if (suite / "template" / path).exists() and chance.random() < 0.3]:
            (suite / "template" / path).chmod(chance.choice((0o644, 0o755)))
        suite_repo.commit(suite)
        git(suite, "tag", "--force", f"v9.{step}.0")
    return suite


def _changes(suite: Path, step: int, chance: random.Random) -> Mapping[str, bytes | None]:
    template = suite / "template"
    found: dict[str, bytes | None] = {}
    sources = [".editorconfig.jinja", ".gitattributes.jinja", ".gitignore.jinja", "AGENTS.md.jinja", "CODEOWNERS.jinja",
               "noxfile.py", "renovate.json", "README.md.jinja", "outer/waivers.yaml"]  # fmt: skip
    for source in chance.sample(sources, chance.randint(1, 4)):
        path = template / source
        if not path.exists():
            continue
        lines = path.read_bytes().splitlines(keepends=True)
        at = chance.randrange(len(lines) + 1)
        what = chance.choice(("insert", "drop", "twice", "remove", "rename"))
        if what == "remove" and source not in ("noxfile.py",):
            found[f"template/{source}"] = None
        elif what == "rename" and not source.startswith(("README", "outer", "noxfile")):
            found[f"template/{source}"] = None
            found[f"template/moved-{step}-{source}"] = path.read_bytes()
        elif not source.endswith(".jinja") and what == "drop" and source == "noxfile.py":
            found[f"template/{source}"] = b"".join(lines[:at] + lines[at + 1 :])
        else:
            found[f"template/{source}"] = b"".join([*lines[:at], f"# release {step}\n".encode(), *lines[at:]])
    for path in chance.sample(NEW, chance.randint(0, 3)):
        there = (template / path).exists()
        blocked = path == "policies/a.md" and (template / "policies").is_file()
        if there and chance.random() < 0.4:
            found[f"template/{path}"] = None
        elif not blocked:
            body = chance.choice((b"# Managed.\n", b"Managed, no end", b"\0\xff managed", b"a\r\nmanaged\r\n"))
            found[f"template/{path}"] = body + str(step).encode()
    return found


# --- Random teams -----------------------------------------------------------------------------------

PATHS = st.one_of(st.sampled_from(MANAGED), st.sampled_from(SEEDS), st.sampled_from(OWN), st.sampled_from(NEW))
DEED = st.one_of(
    st.tuples(st.sampled_from(["write", "append", "prepend", "link"]), PATHS, st.sampled_from(TEXTS)),
    st.tuples(st.sampled_from(["delete", "mode", "crlf", "upper", "strip", "folder", "ignore"]), PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
)
TEAM = st.lists(DEED, max_size=8)
MOOD = st.sampled_from(["committed"] * 16 + ["left lying", "merging"])


def do(product: Path, deed: tuple[str, ...]) -> None:
    """One deed of a team; nothing where it makes no sense."""
    kind, name, *more = deed
    path = product / name
    ordinary = path.is_file() and not path.is_symlink()
    try:
        if kind in ("write", "append", "prepend"):
            data = more[0].encode("latin-1" if "\xff" in more[0] else "utf-8")
            before = path.read_bytes() if ordinary and kind != "write" else b""
            if path.is_symlink():
                path.unlink()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(before + data if kind == "append" else data + before)
        elif kind == "link":
            path.unlink(missing_ok=True)
            path.symlink_to("ours.txt")
        elif kind == "delete":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        elif kind == "mode" and ordinary:
            path.chmod(path.stat().st_mode ^ 0o111)
        elif kind in ("crlf", "upper", "strip") and ordinary:
            data = path.read_bytes()
            path.write_bytes({"crlf": data.replace(b"\n", b"\r\n"), "upper": data.upper(), "strip": data.strip()}[kind])
        elif kind == "folder":
            path.unlink(missing_ok=True)
            suite_repo.write(path, {"inside.txt": "ours\n"})
        elif kind == "ignore":
            with (product / ".git/info/exclude").open("a") as file:
                file.write(f"/{name}\n")
        elif kind == "rename" and path.exists():
            (product / more[0]).parent.mkdir(parents=True, exist_ok=True)
            path.rename(product / more[0])
    except OSError:
        pass  # a file where a folder is, or the other way round: then not


# --- Playing a case ---------------------------------------------------------------------------------


@dataclass
class Arena:
    """Suites, products and figures of a run, in memory where the machine has some."""

    space: Path
    seed: int
    releases: int = 5
    stack: ExitStack = field(default_factory=ExitStack)
    cases: Counter[str] = field(default_factory=Counter)
    bases: dict[tuple[str, str, str], Path] = field(default_factory=dict)

    def __enter__(self) -> Arena:
        repository = build(self.space / "suite", self.releases, random.Random(self.seed))  # noqa: S311
        self.suite = self.stack.enter_context(Suite.at(repository))
        self.tags = tuple(reversed(self.suite.tags()))
        self.talk = Talk(quiet=True, stream=self.stack.enter_context(open(os.devnull, "w")))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def base(self, tag: str, blueprint: str, host: str) -> Path:
        """A committed product of that release; the seeds are those of this release."""
        key = (tag, blueprint, host)
        if key not in self.bases:
            target = self.space / "-".join(("base", *key))
            if tag == self.tags[0]:
                data = {**ANSWERS, "blueprint": blueprint, "ci_host": host}
                suite_repo.render(target, self.suite.source, tag, **data)
            else:
                shutil.copytree(self.base(self.tags[0], blueprint, host), target, ignore=lambda *_: {".git"})
                answers = read_answers(target)
                for path in self.suite.release(self.tags[0]).managed(answers):
                    (target / path).unlink()
                for path, file in self.suite.release(tag).managed(answers).items():
                    (target / path).parent.mkdir(parents=True, exist_ok=True)
                    (target / path).write_bytes(file.content)
                    (target / path).chmod(0o755 if file.executable else 0o644)
            git(target, "init", "--quiet", "--template=")
            (target / ".git/info").mkdir(exist_ok=True)
            suite_repo.commit(target)
            self.bases[key] = target
        return self.bases[key]

    def play(self, deeds: list[tuple[str, ...]], mood: str, start: str, end: str, blueprint: str, host: str,
             how: int) -> None:  # fmt: skip
        """One case. Raises `AssertionError` where something is lost, half done, or called a success that is none."""
        self.cases["all"] += 1
        product = self.space / f"product-{os.getpid()}"
        shutil.rmtree(product, ignore_errors=True)
        shutil.copytree(self.base(start, blueprint, host), product, symlinks=True)
        for deed in deeds:
            do(product, deed)
        (product / ".git/info/exclude").touch()
        suite_repo.commit(product)
        if mood == "left lying":
            do(product, ("append", "README.md", "not committed\n"))
        elif mood == "merging":
            _merging(product)
        before, modes = contents(product), executable(product)
        try:
            step = plan(product, self.suite, end)
        except UsageError:
            assert (contents(product), executable(product)) == (before, modes)
            self.cases["refused"] += 1
            return
        assert mood == "committed" or not git(product, "status", "--porcelain")
        self.cases["clean" if step.clean else "edited"] += 1
        old = self.suite.release(str(step.current)).managed(read_answers(product))
        new = self.suite.release(end).managed(read_answers(product), exact=False)
        if how == 1:
            self.through_the_command(product, end, before, modes)
            return
        if how == 2 and step.clean and start != end:
            twin = Path(shutil.copytree(product, f"{product}-twin", symlinks=True))
            apply(step)
            suite_repo.update(twin, end)
            assert (contents(product), executable(product)) == (contents(twin), executable(twin))
            shutil.rmtree(twin)
            self.cases["compared with copier"] += 1
            return
        apply(step)
        judge(product, step, old, new, before, modes)

    def through_the_command(self, product: Path, end: str, before: dict[str, bytes], modes: set[str]) -> None:
        """The whole of `outer update`, gate included, and its way back."""
        code = None
        try:
            with redirect_stdout(io.StringIO()):
                code = update_command.update(product, update_command.Wish(to=end, format="json"), self.talk)
        except UsageError:
            assert (contents(product), executable(product)) == (before, modes)
        if code == PASS:
            self.cases["called a success"] += 1
            assert not list(unmerged(product))
            kept = {path: data for path, data in contents(product).items() if not path.startswith("outer-update-")}
            marked = [path for path, data in kept.items() if data.startswith(b"<<<<<<< ") or b"\n<<<<<<< " in data]
            assert not [path for path in marked if not path.startswith("inner/-x")], marked
        if code is not None:
            journal.undo(product)
            assert (contents(product), executable(product)) == (before, modes)
        self.cases["through the command, and undone"] += 1


def _merging(product: Path) -> None:
    """Leave a merge with a conflict in it."""

    def say(words: str) -> None:
        do(product, ("delete", "README.md"))
        do(product, ("write", "README.md", words))
        suite_repo.commit(product)

    git(product, "switch", "--quiet", "--create", "other")
    say("theirs\n")
    git(product, "switch", "--quiet", "-")
    say("ours\n")
    try:
        git(product, "merge", "other")
    except AssertionError:  # it conflicts, as it shall
        return


def judge(product: Path, step: UpdatePlan, old: Mapping[str, Managed], new: Mapping[str, Managed],
          before: dict[str, bytes], modes: set[str]) -> None:  # fmt: skip
    """Every byte of the team is where it was, every edit of a managed file in a patch, the rest the standard's."""
    after, now = contents(product), executable(product)
    patches = {edit.kept for edit in step.edits}
    told = {edit.path: edit for edit in step.edits}
    for path, file in new.items():
        assert after.get(path) == file.content, path
        assert not (product / path).is_symlink()
        assert (path in now) == file.executable, path
    for path in before:
        if path in new:
            known = old.get(path)
            same = known is not None and before[path] == known.content and (path in modes) == known.executable
            fresh = before[path] == new[path].content and (path in modes) == new[path].executable
            assert same or fresh or path in told, f"{path}: an edit without a patch"
        elif path in old:
            gone = before[path] == old[path].content and (path in modes) == old[path].executable
            assert path in after or gone or path in told, f"{path}: an edit is lost"
        else:
            assert after.get(path) == before[path], f"{path}: the team's file has changed"
            assert (path in modes) == (path in now), f"{path}: the team's file has another mode"
    assert after.keys() <= before.keys() | new.keys() | patches
    assert not list(unmerged(product))
    if told:
        _patches_hold(step, old, before, modes)


def _patches_hold(step: UpdatePlan, old: Mapping[str, Managed], before: dict[str, bytes], modes: set[str]) -> None:
    """What git makes of the old managed files with the patches is what the team had."""
    with tempfile.TemporaryDirectory(dir=step.product.parent) as folder:
        for edit in step.edits:
            if edit.path in old:
                target = Path(folder, edit.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(old[edit.path].content)
                target.chmod(0o755 if old[edit.path].executable else 0o644)
        files = [str(step.product / edit.kept) for edit in step.edits]
        done = subprocess.run(["git", "apply", "--binary", *files], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        made, runs = contents(Path(folder)), executable(Path(folder))
        for edit in step.edits:
            assert made.get(edit.path) == before.get(edit.path), edit.path
            assert (edit.path in runs) == (edit.path in modes), edit.path


def fuzz(
    arena: Arena, cases: int, number: int, *, how: int = 120, minutes: float = 1e9, progress: bool = False
) -> None:
    """Play `cases` cases, one of `how` through the whole command and one against Copier, until `minutes` are over.

    Raises what the smallest failing case raises.
    """
    began = time.monotonic()
    pairs = [(a, b) for i, a in enumerate(arena.tags) for b in arena.tags[i:]]

    @seed(number)
    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        deeds=TEAM, mood=MOOD, pair=st.sampled_from(pairs), blueprint=st.sampled_from(BLUEPRINTS),
        host=st.sampled_from(HOSTS), which=st.sampled_from(range(how)),
    )  # fmt: skip
    def one(
        deeds: list[tuple[str, ...]], mood: str, pair: tuple[str, str], blueprint: str, host: str, which: int
    ) -> None:
        if time.monotonic() - began > minutes * 60:
            return
        arena.play(deeds, mood, *pair, blueprint, host, which)
        done = arena.cases["all"]
        if progress and done % 250 == 0:
            rate = done / (time.monotonic() - began) * 60
            print(f"fuzz_update: {done} of {cases} cases, {rate:.0f} a minute", file=sys.stderr, flush=True)

    one()


def space() -> str | None:
    """Where repositories are made fastest: memory, where the machine offers it."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def main() -> int:
    """The command line; see above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=1e9, help="end after this time, with fewer cases")
    parser.add_argument("--jobs", type=int, default=1, help="processes; each has a seed of its own, the next number")
    options = parser.parse_args()
    began = time.monotonic()
    if options.jobs > 1:
        share = -(-options.cases // options.jobs)
        command = [sys.executable, __file__, "--cases", str(share), "--minutes", str(options.minutes), "--seed"]
        children = [subprocess.Popen([*command, str(options.seed + job)]) for job in range(options.jobs)]
        ended = [child.wait() for child in children]
        return int(any(ended))  # one that was killed has a negative code
    with tempfile.TemporaryDirectory(dir=space()) as folder:
        os.environ |= {"HOME": folder, "XDG_CACHE_HOME": f"{folder}/cache", "GIT_CONFIG_GLOBAL": os.devnull}
        settings_file = Path(folder, "copier.yml")
        settings_file.write_text("{}\n")
        os.environ["COPIER_SETTINGS_PATH"] = str(settings_file)
        with Arena(Path(folder), options.seed) as arena:
            try:
                fuzz(arena, options.cases, options.seed, minutes=options.minutes, progress=True)
                verdict = "nothing lost, nothing half done, no success with a conflict"
                if not arena.cases["all"]:
                    verdict = "FAILED, no case was played"
            except AssertionError as error:
                print(f"fuzz_update: {error}", file=sys.stderr)
                verdict = "FAILED, see above"
            minutes = (time.monotonic() - began) / 60
            figures = ", ".join(f"{count} {what}" for what, count in arena.cases.most_common() if what != "all")
            print(f"fuzz_update: {arena.cases['all']} cases, seed {options.seed}, {minutes:.1f} minutes: {verdict}\n"
                  f"  {figures}", flush=True)  # fmt: skip
    return 0 if verdict.startswith("nothing") else 1


if __name__ == "__main__":
    sys.exit(main())
