"""What happens beside a command: people who read while it writes, and the kill in its middle."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def readers(*looks: Callable[[], str]) -> Iterator[Counter[str]]:
    """Call each of `looks` again and again, each in a thread of its own; gives what they saw, and how often.

    At the end, it is an error if one of them was.
    """
    seen: Counter[str] = Counter()
    trouble: list[BaseException] = []
    stop = threading.Event()

    def read(look: Callable[[], str]) -> None:
        try:
            while not stop.is_set():
                seen[look()] += 1
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=read, args=(look,)) for look in looks]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert trouble == []


@contextmanager
def heeded(number: int) -> Iterator[None]:
    """Processes that are started meanwhile can be stopped by the signal `number`.

    A shell that started the tests in the background has switched SIGINT off, and nohup SIGHUP; children inherit that.
    """
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def kill(process: subprocess.Popen[bytes], words: bytes, delay: float) -> str:
    """Kill `process`, whose stderr is a pipe, `delay` seconds after it has said `words` there, unless it has ended.

    Without `words`, the time counts from now. Gives all that it has said.
    """
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    said, began = b"", None
    while process.poll() is None:
        said += process.stderr.read() or b""
        if began is None and words in said:
            began = time.monotonic()
        if began is not None and time.monotonic() - began >= delay:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.0005)
    process.wait()
    # What is in the pipe, not all until its end: an orphan may hold that.
    said += process.stderr.read() or b""
    process.stderr.close()
    return said.decode(errors="replace")
