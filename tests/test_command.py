"""The command and its surroundings: files that it writes, a stdout that is full, lines that are still open."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from outer import cli
from outer.errors import UsageError
from outer.machine import foreseen, save
from outer.rules import BY_ID

WRITERS = [("check", "--output"), ("page", "--to")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
@pytest.mark.parametrize(("command", "option"), WRITERS)
@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_regular_file_is_never_replaced(
    command: str, option: str, linked: bool, product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    assert cli.main([command, "--product", str(product), option, str(link if linked else pipe)]) == 2
    assert "no regular file" in capsys.readouterr().err
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()


@pytest.mark.parametrize(("command", "option"), WRITERS)
def test_a_missing_folder_is_refused_and_not_made(
    command: str, option: str, product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "missing" / "deeper" / "file"
    assert cli.main([command, "--product", str(product), option, str(target)]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not (tmp_path / "missing").exists()


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.json"
    save(target, b"old", todo="")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="cannot be written"):
        save(target, b"new", todo="")
    assert [(path.name, path.read_bytes()) for path in tmp_path.glob("*report*")] == [("report.json", b"old")]


@pytest.mark.parametrize("broken", ["write", "flush"])
def test_a_full_stdout_is_one_sentence_and_no_internal_error(
    broken: str, product: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stdout = io.StringIO()
    monkeypatch.setattr(stdout, broken, full)
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(["check", "--product", str(product)]) == 2
    said = capsys.readouterr().err
    assert "the output could not be written: No space left on device" in said
    assert "internal error" not in said


@pytest.mark.parametrize(("broken", "verdict"), [(False, 0), (True, 1)])
def test_a_reader_that_has_gone_changes_no_verdict(broken: bool, verdict: int, product: Path) -> None:
    if broken:
        BY_ID["OWN001"].bad.apply(product)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        command = [sys.executable, "-m", "outer", "check", "--product", str(product)]
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (verdict, "")


@pytest.mark.parametrize("extra", ["OWN", "../another-product"])
def test_a_word_that_means_nothing_is_refused_and_not_passed_over(
    extra: str, product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["check", "--product", str(product), "--family", "CON", extra])
    assert stopped.value.code == 2
    assert f"unrecognized arguments: {extra}" in capsys.readouterr().err


def test_a_form_of_report_that_a_command_does_not_have_is_refused(
    product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", "--prove", "--format", "junit", "--product", str(product)]) == 2
    assert "text or as JSON" in capsys.readouterr().err


def test_an_error_begins_on_a_line_of_its_own(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (product / "data" / "local").mkdir(parents=True)
    (product / "data" / "local" / "page.html").mkdir()
    assert cli.main(["page", "--product", str(product)]) == 2
    step, error, *_ = capsys.readouterr().err.splitlines()
    assert "Drawing the page" in step
    assert error.startswith("outer: ")


@pytest.mark.parametrize(
    ("made", "words"), [(True, "the last good version is still published"), (False, "nothing was published")]
)
def test_only_what_was_published_is_said_to_be_published(made: bool, words: str, tmp_path: Path) -> None:
    current = tmp_path / "current"
    if made:
        current.mkdir()
    with pytest.raises(UsageError, match=words), foreseen(tmp_path, current):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon"])
def test_a_wait_that_is_no_time_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", "--wait", value])
    assert stopped.value.code == 2
    assert "is not a number of seconds" in capsys.readouterr().err


def test_what_cannot_be_renamed_is_told_with_both_places(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "missing/there"
    here.touch()
    with pytest.raises(UsageError) as caught, foreseen(tmp_path):
        here.rename(there)
    assert f"{here} -> {there}: No such file" in caught.value.what
