"""The tutorial, followed word by word: every change fits the product, every command ends and answers as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite_repo import ROOT

pytestmark = pytest.mark.slow

TUTORIAL = ROOT / "docs/tutorial/first-product.md"
BEFORE = ("uvx copier", "cd ", "git init")
"""Commands that have been carried out: a fresh product, committed, is where the test begins."""


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind and content of every block of code, and the file of the product that was named last before it."""
    file, end = "", 0
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        named = re.findall(r"`((?:outer|inner)/[\w./-]+\.\w+)`", text[end : block.start()])
        file, end = (named or [file])[-1], block.end()
        yield block[1], block[2], file


def applied(text: str, diff: str) -> str:
    """`text` after the change, which must fit at one place."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    assert text.count(old) == 1, diff
    return text.replace(old, "".join(f"{line[1:]}\n" for line in lines if line[0] in " +"))


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Every command of a block, with the lines that it prints."""
    for part in block.split("\n$ ") if block.startswith("$ ") else ():
        command, *printed = part.removeprefix("$ ").splitlines()
        yield command, printed


def plain(line: str) -> str:
    """A line without what differs from day to day and from machine to machine."""
    for pattern, word in (
        (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"as of \d{4}-\d\d-\d\d", "as of DAY"),
        (r"\d+(\.\d+)? ?s\b", "N s"),
        (r"\d+ rules on \d+ objects", "N rules on N objects"),
        (r"\b\d+ (passed|failed|skipped)\b(?=, \d| in )", r"N \1"),  # tests, not rules
    ):
        line = re.sub(pattern, word, line)
    return line.strip()


CI = ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS", "PY_COLORS")
"""By these pytest prints its last lines in another form than to the person whom the tutorial addresses."""


def run(product: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in CI}
    return subprocess.run(
        command, cwd=product, env={**kept, "COLUMNS": "80", "PYTHONUTF8": "1"}, text=True, check=False, timeout=600,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def carried_out(product: Path, command: str) -> tuple[int, str]:
    """Exit code and output of a command of the tutorial; a session is the command of `outer` that it calls."""
    if not command.startswith("python3 noxfile.py"):
        done = run(product, "sh", "-c", command)
        return done.returncode, done.stdout
    sessions, _, words = command.removeprefix("python3 noxfile.py").partition(" -- ")
    calls = [[name] for name in sessions.removeprefix(" -s ").split() or ["check", "test", "run", "verify"]]
    said = ""
    for arguments in [words.split()] if words else calls:
        done = run(product, sys.executable, "-m", "outer", *arguments)
        said += done.stdout
        if done.returncode:
            break
    return done.returncode, said


def test_the_tutorial_can_be_followed_word_by_word(product: Path, tmp_path: Path) -> None:
    changes = told = 0
    for kind, block, file in blocks(TUTORIAL.read_text(encoding="utf-8")):
        if kind == "diff":
            path = product / file
            path.write_text(applied(path.read_text(encoding="utf-8"), block), encoding="utf-8")
            changes += 1
        for command, printed in commands(block) if kind == "console" else ():
            if command.startswith(BEFORE):
                continue
            if command.endswith("/bin/python"):  # what is typed there, and what it answers
                (tmp_path / "typed.txt").write_text("\n".join(printed), encoding="utf-8")
                code, said = carried_out(product, f"{command} -m doctest {shlex.quote(str(tmp_path / 'typed.txt'))}")
                printed = []
            else:
                code, said = carried_out(product, command)
            stops = any(word in line for line in printed for word in ("fail:", "  error ", " failed"))
            assert code == (1 if stops else 0), f"{command}\n{said}"
            heard = {plain(line) for line in said.replace(f"{product}/", "").splitlines()}  # as it is shortened there
            wanted = [plain(line) for line in printed if line not in ("", "…") and not line.startswith("nox")]
            assert [line for line in wanted if line not in heard and line != "…"] == [], f"{command}\n{said}"
            told += len(wanted)
    assert changes > 8
    assert told > 30


def test_a_change_that_does_not_fit_is_found() -> None:
    with pytest.raises(AssertionError):
        applied("a\nb\n", " a\n-c\n")
    with pytest.raises(AssertionError):
        applied("a\na\n", "-a\n")
    assert applied("a\nb\nc\n", " a\n-b\n+d\n") == "a\nd\nc\n"
