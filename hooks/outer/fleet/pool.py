"""Worker processes that share the products of a fleet: one process to a processor, whatever one of them meets."""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outer.fleet import git

PATIENCE = 120.0
"""Seconds that one product may take. The gate bounds what it reads; this bounds what nobody thought of."""

_WORKER = Path(__file__).with_name("worker.py")
_HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    """Something to do with one product: `judge`, or `module:function` of this release."""

    name: str
    arguments: Mapping[str, Any]
    hooks: Path = _HERE
    """Folder of the `outer` that does it: this one, or that of another release of the suite."""


@dataclass(frozen=True)
class Answer:
    """What became of a job: a value, or the reason why there is none."""

    value: Any = None
    error: str = ""
    todo: str = ""


def processes(wanted: int | None) -> int:
    """How many processes: as many as processors that this one may use, unless somebody says otherwise."""
    if wanted is not None:
        return wanted
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def work(jobs: Sequence[Job], processes: int) -> Iterator[tuple[int, Answer]]:
    """Do `jobs` in so many processes; give the position and the answer of each as it is ready.

    A process that dies or hangs fails the job that it was at, and is replaced.
    """
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    ready: queue.SimpleQueue[tuple[int, Answer] | BaseException] = queue.SimpleQueue()
    count = max(1, min(processes, len(jobs)))
    # Jobs of one release follow each other, so that few processes have to be exchanged.
    for number in sorted(range(len(jobs)), key=lambda number: str(jobs[number].hooks)):
        waiting.put(number)
    for _ in range(count):
        waiting.put(None)
    stop = threading.Event()

    def serve() -> None:
        process: _Process | None = None
        try:
            while (number := waiting.get()) is not None and not stop.is_set():
                job = jobs[number]
                if process is None or process.hooks != job.hooks:
                    if process is not None:
                        process.end()
                    process = _Process(job.hooks)
                answer = process.do(job)
                if answer is None:
                    process, answer = None, Answer(error="the process that looked at it ended, or hung", todo=_TODO)
                ready.put((number, answer))
        except BaseException as error:
            ready.put(error)
        finally:
            if process is not None:
                process.end()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(len(jobs)):
            got = ready.get()
            if isinstance(got, BaseException):
                raise got
            yield got
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=PATIENCE)


_TODO = "Run the command on this product alone with OUTER_TRACEBACK=1, and report what it prints."


class _Process:
    """A worker, and how to talk with it."""

    def __init__(self, hooks: Path) -> None:
        self.hooks = hooks
        paths = os.pathsep.join(filter(None, [str(hooks), os.environ.get("PYTHONPATH", "")]))
        said = None if os.environ.get("OUTER_TRACEBACK") else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)], env=git.environment(PYTHONPATH=paths, PYTHONWARNINGS="ignore"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        self._rest = b""

    def do(self, job: Job) -> Answer | None:
        """The answer to `job`; None where the process died or took too long, and then it is gone."""
        sender, receiver = self._process.stdin, self._process.stdout
        assert sender is not None  # noqa: S101 (both are pipes)
        assert receiver is not None  # noqa: S101
        try:
            sender.write(json.dumps({"job": job.name, "arguments": job.arguments}, default=str).encode() + b"\n")
            sender.flush()
            while b"\n" not in self._rest:
                there, _, _ = select.select([receiver], [], [], PATIENCE)
                part = os.read(receiver.fileno(), 1 << 20) if there else b""
                if not part:
                    self.end(now=True)
                    return None
                self._rest += part
        except OSError:
            self.end(now=True)
            return None
        line, _, self._rest = self._rest.partition(b"\n")
        told = json.loads(line)
        return Answer(told.get("value"), told.get("error", ""), told.get("todo", ""))

    def end(self, *, now: bool = False) -> None:
        """Let it finish, or with `now` make it."""
        if now:
            self._process.kill()
        with suppress(OSError):
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
