"""What a machine does not allow, and how it asks a run to end."""

from __future__ import annotations

import errno
import importlib.util
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from outer.errors import UsageError


def require(*packages: str, extra: str = "run") -> None:
    """Raise `UsageError` where one of `packages` is not installed: they come with the extra (or extras) `extra`."""
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise UsageError(
            f"this needs packages that are not installed: {', '.join(missing)}",
            f"Install the command with its extra: pip install 'data-product-blueprints[{extra}]'.",
        )


def save(path: Path, data: bytes, *, todo: str) -> None:
    """Write the file at `path`, which a person has named, whole or not at all, and leave nothing beside it.

    Raises `UsageError` with the advice `todo` where it cannot be written, or where `path` is or leads to something
    other than a file, like a device or a pipe: those are not there to be replaced.
    """
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: it cannot be written (it is there already, and is no regular file)", todo)
        try:
            with part.open("xb") as file:
                file.write(data)
            os.replace(part, path)
        finally:
            with suppress(OSError):
                part.unlink()
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror})", todo) from None


def concerned(error: OSError) -> str:
    """What `error` is about: a path, or both where something was renamed or linked: the second may be to blame."""
    return " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)


@contextmanager
def foreseen(place: Path, current: Path | None = None) -> Iterator[None]:
    """Turn what the machine does not allow at `place` into one `UsageError`.

    `current` leads to the published version, if there is one; None: nothing here has to do with publishing.
    """
    try:
        yield
    except OSError as error:
        where, why = concerned(error) or place, error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            todo = "Make room there and run again."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            todo = "Give the user who runs the product the right to write there."
        else:
            todo = "Look at this place, and run again."
        if current is None:
            outcome = ""
        elif os.path.exists(current):
            outcome = "; the last good version is still published"
        else:
            outcome = "; nothing was published"
        raise UsageError(f"{where}: {why}{outcome}", todo) from None


_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def stoppable() -> Iterator[None]:
    """Let a request to end, however it comes, be what Ctrl-C is, so that workloads end with the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        # Somebody may have switched it off on purpose, as nohup does with SIGHUP.
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deaf() -> None:
    """Hear no request to end until `stoppable` is left."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
