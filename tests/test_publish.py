"""Publication: whatever happens, and whenever, readers see one complete version, the old one or the new one."""

from __future__ import annotations

import io
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

import suite_repo
from beside import kill, readers
from outer import atomic, fingerprint, receipt
from outer.errors import UsageError
from outer.lock import locked
from outer.publish import KEEP, Area, new_run_id, prune, recover, switch, write
from outer.receipt import Receipt
from outer.run import run
from outer.talk import Talk
from products import build_product, outer, outer_command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs flock, signals and links")

PORTS = ("first", "second")
STAMPED = """
for port in OUTPUTS:
    copy(f"SELECT id, '{PORTS['run_id']}' AS word, share FROM '{INPUT}'", port)
"""
"""A job whose every row, in both ports, names the run that made it."""


def stamped_product(root: Path) -> Path:
    return build_product(root, outputs=PORTS, job=STAMPED)


def quietly(root: Path, wait: float = 60.0) -> Receipt:
    return run(root, wait=wait, talk=Talk(quiet=True, stream=io.StringIO()))


def area(root: Path) -> Area:
    return Area(root / "data" / "local")


def complete(version: Path) -> str:
    """The run that made `version`, after a look at all of it: nothing missing, or changed, or of another run."""
    made = receipt.read(version / "receipt.json")
    assert made.run_id == version.name
    assert {output.port for output in made.outputs} == set(PORTS)
    for output in made.outputs:
        path = version / output.file
        assert fingerprint.file(path) == output.sha256
        with duckdb.connect() as connection:
            found = connection.execute("SELECT DISTINCT word FROM read_parquet(?)", [str(path)]).fetchall()
        assert found == [(made.run_id,)]
    assert (version / "lineage.jsonl").read_text().count("\n") == 2
    return made.run_id


def published(root: Path) -> str | None:
    """The run that is published; checked as `complete` does."""
    version = area(root).published()
    return complete(version) if version else None


def leftovers(root: Path) -> list[str]:
    """What a run that was killed has left behind."""
    home = area(root)
    kept = [home.root / "staging", home.versions]
    staged, versions = (sorted(p.name for p in folder.iterdir()) if folder.exists() else [] for folder in kept)
    good = [name for name in versions if home.receipt(name).exists()]
    return [*staged, *(set(versions) - set(good)), *(p.name for p in home.root.glob(".current-*"))]


# --- Killed ---------------------------------------------------------------------------------------


class Killed:
    """A run in a process of its own that is killed with SIGKILL: after `delay` seconds, from the start or from the
    moment it says `words`."""

    def __init__(self, root: Path, words: str, delay: float) -> None:
        command, environment = outer_command(root, "run")
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        self.phase = self._phase(kill(process, words.encode(), delay))
        self.was_killed = process.returncode == -signal.SIGKILL

    @staticmethod
    def _phase(said: str) -> str:
        if "/current " in said:
            return "published"
        lines = said.splitlines()
        return lines[-1].split()[1] if lines else "start"


PHASES = {"start": "", "inputs": "▸ inputs", "build": "▸ build", "audit": "▸ audit", "publish": "▸ publish"}


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_one_complete_version(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    chance = random.Random(20301122)  # noqa: S311
    began = time.monotonic()
    assert outer(root, "run").returncode == 0
    length = time.monotonic() - began

    old = published(root)
    outcomes: Counter[str] = Counter()
    phases: Counter[str] = Counter()
    wanted = {*PHASES, "published"}
    triggers = [*PHASES.values(), "/current "]
    kills = 0
    while kills < 200 or not (wanted <= set(phases) and {"old", "new"} <= set(outcomes)):
        assert kills < 1000, (phases, outcomes)
        # Every other one anywhere in the whole run; the others soon after a phase began, so that short phases are hit.
        if kills % 2:
            killed = Killed(root, "", chance.uniform(0, length))
        else:
            killed = Killed(root, triggers[kills // 2 % len(triggers)], chance.uniform(0, 0.02))
        now = published(root)
        if killed.was_killed:
            kills += 1
            phases[killed.phase] += 1
            outcomes["old" if now == old else "new"] += 1
        else:
            assert now != old, "a run that ended by itself has published"
        old = now
    print(f"{kills} kills; phases {dict(phases)}; outcomes {dict(outcomes)}")

    assert outer(root, "run").returncode == 0
    assert published(root) not in (None, old)
    assert leftovers(root) == []
    assert len(list(area(root).versions.iterdir())) <= KEEP


def test_a_first_run_that_is_killed_leaves_nothing_published_and_the_next_one_works(tmp_path: Path) -> None:
    for phase, words in PHASES.items():
        root = stamped_product(tmp_path / phase)
        killed = Killed(root, words, 0)
        assert killed.was_killed or phase == "publish"  # which is so short that it may be over by then
        assert (area(root).published() is None) == (not area(root).current.exists())
        quietly(root)
        assert published(root)
        assert leftovers(root) == []


def test_a_workload_that_outlives_its_killed_run_keeps_the_lock(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    quietly(root)
    good = published(root)
    job = root / "inner/job.py"
    text = job.read_text()
    job.write_text("import time\nopen('started', 'w').close()\ntime.sleep(600)\n" + text)
    command, environment = outer_command(root, "run")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lock = area(root).root / "lock"
    while not (root / "inner/started").exists() or b"group" not in lock.read_bytes():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    with pytest.raises(UsageError) as caught:
        quietly(root, wait=0.2)
    assert "was killed" in caught.value.what
    assert "a workload that it started still runs" in caught.value.what
    assert published(root) == good

    group = int(caught.value.what.rpartition("-")[2])
    os.killpg(group, signal.SIGKILL)
    job.write_text(text)
    quietly(root)
    assert published(root) != good
    assert leftovers(root) == []


# --- Side by side ---------------------------------------------------------------------------------


def test_readers_see_one_complete_version_while_it_is_switched(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    quietly(root)

    def look() -> str:
        # What a careful reader does: follow the link once, then read all ports.
        return complete((root / "data/local/current").resolve())

    with readers(look, look) as seen:
        made = [quietly(root).run_id for _ in range(8)]
    assert len(set(made) & set(seen)) > 1


def test_runs_at_the_same_time_take_turns_and_never_mix(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    processes = []
    for _ in range(4):
        command, environment = outer_command(root, "run", "--wait", "120")
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    made = {path.stem: receipt.read(path) for path in (root / "data/local/receipts").glob("*.json")}
    assert len(made) == 4
    # Each was published after another one: together they are one chain.
    assert sorted(filter(None, (r.previous for r in made.values()))) == sorted(set(made) - {str(published(root))})


def test_a_run_that_has_waited_takes_the_product_as_it_is_then(tmp_path: Path) -> None:
    """Whoever had the lock may have changed the inner, as a swap does: old commands in a new folder are nobody's."""
    root = build_product(tmp_path, run="echo old > old.txt")
    command, environment = outer_command(root, "run")
    with locked(area(root).root, "20300101T000000Z-abcdef", 0, Talk(quiet=True)):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert "waiting up to" in process.stderr.readline()
        shutil.rmtree(root / "inner")
        build_product(tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not (root / "inner/old.txt").exists()


def test_a_run_that_may_not_wait_says_who_is_in_its_way(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    with locked(area(root).root, "20300101T000000Z-abcdef", 0, Talk(quiet=True)):
        refused = outer(root, "run", "--wait", "0")
    assert refused.returncode == 2
    assert f"run 20300101T000000Z-abcdef, process {os.getpid()}" in refused.stderr
    assert "--wait" in refused.stderr
    quietly(root, wait=0)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_file_that_the_disk_does_not_take_leaves_no_half_of_it(tmp_path: Path) -> None:
    import resource

    (tmp_path / "small.yaml").write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # what a full disk is to a writer
    try:
        with pytest.raises(OSError, match="large"):
            write(tmp_path / "receipt.json", b"x" * 5000)
        wanted = {"small.yaml": atomic.Blob(b"new"), "new/large.yaml": atomic.Blob(b"x" * 5000)}
        with pytest.raises(UsageError, match="the product is as it was"):
            atomic.change(tmp_path, wanted, {"small.yaml": atomic.Blob(b"old")})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert suite_repo.contents(tmp_path) == {"small.yaml": b"old"}
    assert not (tmp_path / "new").exists()


# --- Repaired -------------------------------------------------------------------------------------


def test_old_versions_stay_for_a_while_and_then_go(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    made = [quietly(root).run_id for _ in range(KEEP + 2)]
    assert sorted(p.name for p in area(root).versions.iterdir()) == sorted(made[-KEEP:])
    assert len(list((root / "data/local/receipts").iterdir())) == KEEP + 2


def test_everything_that_a_killed_run_can_leave_is_removed(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    good, home = quietly(root).run_id, area(root)
    late = "20991231T235959Z-ffffff"
    shutil.copytree(home.versions / good, home.versions / late)  # killed right before the switch
    shutil.copytree(home.versions / good, home.staging(late))
    os.symlink(f"versions/{late}", home.root / f".current-{late}")
    home.receipt(good).unlink()  # killed right after the switch
    home.lineage(good).unlink()
    (home.receipt(late).with_name(f".{late}.json.part")).touch()
    assert recover(home) == home.versions / good
    assert leftovers(root) == []
    assert not list(home.root.rglob("*.part"))
    assert complete(home.versions / good) == good
    assert home.receipt(good).read_bytes() == (home.versions / good / "receipt.json").read_bytes()
    assert home.lineage(good).exists()


def test_versions_do_not_go_because_a_link_or_a_receipt_was_lost(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    made = [quietly(root).run_id for _ in range(2)]
    home = area(root)
    (home.current / "receipt.json").chmod(0o644)
    (home.current / "receipt.json").write_text("{")
    recover(home)
    assert sorted(p.name for p in home.versions.iterdir()) == sorted(made)
    home.current.unlink()
    recover(home)
    assert sorted(p.name for p in home.versions.iterdir()) == sorted(made)
    made += [quietly(root).run_id for _ in range(2)]
    assert sorted(p.name for p in home.versions.iterdir()) == sorted(made[-KEEP:])


def test_evidence_that_could_not_be_filed_is_told_even_when_quiet(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    quietly(root)
    shutil.rmtree(area(root).receipts)
    area(root).receipts.touch()
    done = outer(root, "run", "-q")
    assert done.returncode == 0
    assert "the receipt was not filed" in done.stderr
    assert published(root) == Path(done.stdout.splitlines()[0]).parent.resolve().name


@pytest.mark.parametrize("kind", ["folder", "file", "link elsewhere"])
def test_a_current_that_is_not_ours_is_refused_and_not_touched(tmp_path: Path, kind: str) -> None:
    root = stamped_product(tmp_path)
    home = area(root)
    home.root.mkdir(parents=True)
    if kind == "folder":
        home.current.mkdir()
        (home.current / "precious.parquet").write_text("precious")
    elif kind == "file":
        home.current.write_text("precious")
    else:
        os.symlink("/tmp", home.current)  # noqa: S108
    (home.root / "staging" / "mine").mkdir(parents=True)
    refused = outer(root, "run")
    assert refused.returncode == 2
    assert str(home.current) in refused.stderr
    assert "Traceback" not in refused.stderr
    assert os.path.lexists(home.current)
    assert kind != "folder" or (home.current / "precious.parquet").read_text() == "precious"
    assert (home.root / "staging" / "mine").exists()
    assert outer(root, "verify").returncode == 2


@pytest.mark.parametrize("command", [("run",), ("rollback", "--reason", "x")])
def test_a_folder_in_which_another_product_is_published_is_refused_and_not_touched(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    root = stamped_product(tmp_path / "product")
    made = [quietly(root).run_id for _ in range(2)]
    other = stamped_product(tmp_path / "other")
    descriptor = other / "outer/data-product.odps.yaml"
    descriptor.write_text(descriptor.read_text().replace("dp:test:tiny", "dp:test:other"))
    (other / "outer/standard.yaml").write_text("contract: {keep_versions: 1}\n")
    refused = outer(other, *command, DATA_ROOT=str(root / "data"))
    assert refused.returncode == 2
    assert "publishes another product, `urn:dmb:dp:test:tiny:1`" in refused.stderr
    assert published(root) == made[-1]
    assert sorted(p.name for p in area(root).versions.iterdir()) == made
    assert sorted(p.stem for p in area(root).receipts.iterdir()) == made


@pytest.mark.parametrize("command", [("run",), ("verify",), ("rollback", "--list")])
def test_a_file_where_the_folder_of_the_data_should_be_is_one_clear_error(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    root = stamped_product(tmp_path)
    (root / "data").mkdir()
    (root / "data/local").write_text("precious")
    refused = outer(root, *command)
    assert refused.returncode == 2
    assert f"{root / 'data/local'}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (root / "data/local").read_text() == "precious"


def test_a_switch_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    good, home = quietly(root).run_id, area(root)
    new = "20991231T235959Z-ffffff"
    shutil.copytree(home.versions / good, home.staging(new))
    (home.root / f".current-{new}").touch()  # in the way of the link
    with pytest.raises(OSError, match="exists"):
        switch(home, new)
    assert published(root) == good
    prune(home)
    assert leftovers(root) == []


# --- Machines that do not allow it ----------------------------------------------------------------


def in_namespace(root: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run shell `lines`, then `outer run`, where mounting is allowed and stays private."""
    command, environment = outer_command(root, "run")
    script = "\n".join(["set -e", *lines, shlex.join(command)])
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def _can_mount() -> bool:
    try:
        probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_mounts = pytest.mark.skipif(not _can_mount(), reason="needs user namespaces")


@needs_mounts
@pytest.mark.parametrize("kilobytes", [0, 4, 16, 28, 44])
def test_a_disk_that_fills_up_leaves_one_complete_version(tmp_path: Path, kilobytes: int) -> None:
    """At the log, at a port, at the receipt, or just after the switch: the space that is left decides where."""
    root = stamped_product(tmp_path)
    good, data = quietly(root).run_id, root / "data/local"
    # A file system that holds what is there and little more, on top of the folder of the data.
    done = in_namespace(
        root,
        f"data={shlex.quote(str(data))} copy={shlex.quote(str(tmp_path / 'copy'))}",
        'cp -a "$data" "$copy"',
        'mount -t tmpfs -o size=1m tmpfs "$data"',
        'cp -a "$copy/." "$data"',
        'dd if=/dev/zero of="$data/ballast" bs=1k 2>/dev/null || true',
        f'truncate -s -{kilobytes}k "$data/ballast"',
        """trap 'rm -rf "$copy"; cp -a "$data" "$copy"' EXIT""",
    )
    assert done.returncode in (0, 1, 2), done.stderr
    assert done.returncode == 0 or "No space left" in done.stderr
    assert "outer/run.py" not in done.stderr, "a traceback of ours"
    after = Area(tmp_path / "copy").published()
    assert after is not None
    assert (complete(after) == good) == (done.returncode != 0)


@needs_mounts
def test_a_folder_that_may_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    quietly(root)
    good, data = published(root), root / "data/local"
    where = shlex.quote(str(data))
    done = in_namespace(root, f"mount --bind {where} {where}", f"mount -o remount,bind,ro {where}")
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "the last good version is still published" in done.stderr
    assert "Traceback" not in done.stderr
    assert published(root) == good


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("folder", ["", "versions", "staging"])
def test_missing_rights_are_one_clear_error(tmp_path: Path, folder: str) -> None:
    root = stamped_product(tmp_path)
    quietly(root)
    good, closed = published(root), area(root).root / folder
    closed.chmod(0o555)
    try:
        done = outer(root, "run")
    finally:
        closed.chmod(0o755)
    assert done.returncode == 2
    assert "Permission denied" in done.stderr
    assert published(root) == good


# --- Small things ---------------------------------------------------------------------------------


def test_ids_of_runs_sort_by_time_and_differ() -> None:
    from datetime import UTC, datetime

    early, late = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert new_run_id(early) < new_run_id(late)
    assert new_run_id(early) != new_run_id(early)


def test_published_tells_nothing_where_nothing_is(tmp_path: Path) -> None:
    assert Area(tmp_path).published() is None
    os.symlink("versions/20300101T000000Z-abcdef", tmp_path / "current")  # its version was removed by hand
    assert Area(tmp_path).published() is None


def test_a_receipt_is_whole_or_not_there(tmp_path: Path) -> None:
    root = stamped_product(tmp_path)
    made: Sequence[str] = [quietly(root).run_id]
    assert json.loads(area(root).receipt(made[0]).read_bytes())["outcome"] == "published"
    assert not list(area(root).root.rglob("*.part"))
