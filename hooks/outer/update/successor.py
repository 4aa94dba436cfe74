"""The `outer` of another release, in a process of its own: only it knows its migrations and its rules."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.git import environment


@dataclass(frozen=True)
class Migrated:
    """What the `outer` of a release made of a product's seeds, and what its gate says then."""

    files: tuple[str, ...]
    """Seeds that were rewritten (in a dry run: would be), by path from the product's root."""
    steps: tuple[str, ...]
    """What was done, one sentence for each migration."""
    left: tuple[str, ...]
    """`path:line: what`, where only the team can do it."""
    report: Mapping[str, Any] | None
    """The report of `outer check --format json`; None where it was not asked for."""

    @property
    def passed(self) -> bool:
        """Whether the gate was asked and is green."""
        return self.report is not None and bool(self.report["passed"])

    @property
    def errors(self) -> tuple[str, ...]:
        """`path:line: rule: message` of every finding that fails the gate."""
        return self._found("error")

    @property
    def warnings(self) -> tuple[str, ...]:
        """The same of what is a warning, rules in their grace period among them."""
        return self._found("warning")

    def _found(self, level: str) -> tuple[str, ...]:
        return tuple(
            f"{one['path']}:{one['line']}: {one['rule']}: {one['message']}"
            for one in (self.report or {}).get("findings", ())
            if one["level"] == level and not one["waived"]
        )


class Successor:
    """The running command of the release in `folder`. Not for several threads at once."""

    def __init__(self, tag: str, folder: Path) -> None:
        """Start it. Raises `UsageError` where it does not."""
        self._tag = tag
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        own = environment() | {"PYTHONPATH": str(folder / "hooks"), "PYTHONUNBUFFERED": "1"}
        own.pop("PYTHONHOME", None)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "outer.migrate.serve"],
            cwd=folder, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
        )  # fmt: skip
        self._answer()

    def migrate(self, product: Path, *, dry_run: bool, check: bool, as_of: date | None = None) -> Migrated:
        """See `Release.migrate`."""
        request: dict[str, Any] = {"product": str(product.resolve()), "dry_run": dry_run, "check": check}
        if as_of is not None:
            request["as_of"] = as_of.isoformat()
        assert self._process.stdin is not None  # noqa: S101 (a pipe, see above)
        with suppress(BrokenPipeError):  # then there is no answer, and stderr says why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        reply = self._answer()
        if not reply["ok"]:
            raise UsageError(f"{product}: {reply['what']}", reply["todo"])
        return Migrated(tuple(reply["files"]), tuple(reply["steps"]), tuple(reply["left"]), reply["report"])

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 (a pipe, see above)
        line = self._process.stdout.readline()
        try:
            return json.loads(line)  # type: ignore[no-any-return]  # an object, by `outer.migrate.serve`
        except ValueError:
            self._said.seek(0)
            words = self._said.read().decode("utf-8", "replace").strip().splitlines()
            raise UsageError(
                f"the `outer` of {self._tag} does not start here: {words[-1] if words else 'it says nothing'}",
                "It may need what this environment lacks: update with `copier update`, then "
                "`python3 noxfile.py -s outer -- migrate`, which installs the new version.",
            ) from None
