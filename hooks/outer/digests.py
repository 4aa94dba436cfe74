"""SHA-256 of what a run reads, taken beside its work."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from outer.dataset import Dataset, Unlisted, everything

HASHED = 1 << 30
"""Largest input, in bytes, whose SHA-256 goes into the receipt: to hash more would take longer than many a run."""


class Digests:
    """SHA-256 of the inputs, taken while the workloads read them. Data that change meanwhile have none."""

    def __init__(self, inputs: Sequence[Dataset]) -> None:
        self._found: dict[Dataset, str] = {}
        self._thread = threading.Thread(target=self._work, args=(inputs,), daemon=True)
        self._thread.start()

    def take(self, *, wait: bool) -> Mapping[Dataset, str]:
        if wait:
            self._thread.join()
        return dict(self._found)

    def _work(self, inputs: Sequence[Dataset]) -> None:
        for data in inputs:
            with suppress(OSError, Unlisted):
                before = _state(data)
                if sum(size for _, size, _, _ in before) <= HASHED:
                    digest = data.sha256()
                    if _state(data) == before:
                        self._found[data] = digest


def _state(data: Dataset) -> Sequence[tuple[str, int, int, int]]:
    paths = sorted(everything(data.path)) if data.path.is_dir() else [data.path]
    found = ((path, path.stat()) for path in paths)
    return [(str(path), stat.st_size, stat.st_ino, stat.st_mtime_ns) for path, stat in found]
