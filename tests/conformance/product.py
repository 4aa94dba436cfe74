"""One product under trial: makes it, runs its commands in an environment of their own, and sees what they leave."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import suite_repo
from outer import workloads

ALONE = Path(__file__).with_name("alone.py")
WHOLE = Path(__file__).with_name("whole.py")
CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR")
"""Where uv and pip find what they downloaded before. Empty without a network: what it holds on this machine, that of
others does not. npm's stays, because `npm ci` builds its folder anew from there each time."""
NOWHERE = "http://127.0.0.1:9"
"""A proxy that refuses every connection."""
LONGEST, GRACE = 1200.0, 30.0
"""Seconds after which a command is asked to end, and seconds that it then has."""


@dataclass(frozen=True)
class Ran:
    """What came of a command: exit code, what it printed, and what it took."""

    code: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float
    """Of the command and all that it started; elsewhere than on Linux, all that it waited for."""
    peak_mib: float
    """Largest resident memory of any one of these processes."""

    @property
    def last(self) -> str:
        """What it said at the end, in one line."""
        lines = [line.strip() for line in f"{self.out}\n{self.err}".splitlines() if line.strip()]
        return " / ".join(lines[-4:])[-500:]


@functools.cache
def isolation() -> str:
    """How the network is switched off here: `network namespace`, or `poisoned proxy` where that cannot be."""
    if sys.platform == "linux" and shutil.which("unshare"):
        trial = subprocess.run([*_unshare(), "true"], capture_output=True, check=False)
        if trial.returncode == 0:
            return "network namespace"
    return "poisoned proxy"


def _unshare() -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--net", sys.executable, str(ALONE)]


@functools.cache
def _npm() -> Mapping[str, str]:
    """Where npm keeps its downloads and the logs that it writes each time, as `suite_repo.downloads` for uv and pip."""
    if "npm_config_cache" in os.environ or not (npm := shutil.which("npm")):
        return {}
    told = subprocess.run([npm, "config", "get", "cache"], capture_output=True, text=True, check=False)
    return {"npm_config_cache": told.stdout.strip()} if told.returncode == 0 else {}


@dataclass
class Product:
    """A product in the folder `root`, and a home and a folder for temporary files that belong to its commands alone."""

    root: Path
    suite: Path
    """The suite that it was made from; its `outer` is the command that judges it."""
    output: str
    """Name of its output port."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What its commands find in their environment besides."""

    @property
    def home(self) -> Path:
        return self.root.parent / "home"

    @property
    def tmp(self) -> Path:
        return self.root.parent / "tmp"

    @property
    def published(self) -> Path:
        """The file, or the folder of a table, that consumers read."""
        (name,) = (output["file"] for output in self.receipt["outputs"] if output["port"] == self.output)
        return self.root / "data" / "local" / "current" / str(name)

    @property
    def receipt(self) -> Mapping[str, Any]:
        """The receipt of what is published."""
        text = (self.root / "data/local/current/receipt.json").read_text(encoding="utf-8")
        return dict(json.loads(text))

    @property
    def version(self) -> str:
        """Which version is published; empty where none is."""
        current = self.root / "data" / "local" / "current"
        return os.path.basename(os.readlink(current)) if current.is_symlink() else ""

    @property
    def empty(self) -> Path:
        """Where its commands look for downloads when they go without a network."""
        return self.root.parent / "downloads"

    @functools.cached_property
    def _machine(self) -> Mapping[str, str]:
        return workloads.environment(self.root.parent / "tools")

    def environment(self) -> dict[str, str]:
        """The environment of its commands: that of this process, with folders of their own and the downloads of all."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.tmp.mkdir(parents=True, exist_ok=True)
        kept = dict(self._machine)
        for name in [n for n in kept if n.startswith(("XDG_", "COPIER_", "OUTER_", "LC_", "PYTEST_", "NOX_"))]:
            del kept[name]
        for name in ("TZ", "DATA_ROOT", "INPUT_ROOT", "FORCE_COLOR", "PYTHONHASHSEED"):
            kept.pop(name, None)
        own = {"HOME": str(self.home), "USERPROFILE": str(self.home), "TMPDIR": str(self.tmp), "LANG": "C.UTF-8"}
        return {**kept, **suite_repo.downloads(), **_npm(), **own, "NO_COLOR": "1", **self.variables}

    def command(self, command: str, *, offline: bool, extra: Mapping[str, str] | None = None) -> Ran:
        """Run a command of inner.yaml by the shell in inner/, as the outer would."""
        return self._run(["sh", "-c", command], self.root / "inner", offline, extra or {})

    def outer(self, *arguments: str | Path, offline: bool = True) -> Ran:
        """Run `outer <arguments>` in this product."""
        whole = [sys.executable, "-m", "outer", *map(str, arguments)]
        # Copied back into its environment, because the outer takes it out of what the inner gets.
        return self._run(whole, self.root, offline, {"PYTHONPATH": str(self.suite / "hooks")})

    def run(
        self, inputs: Mapping[str, Path] | None = None, *options: str, offline: bool = True, setup: bool = False
    ) -> Ran:
        """`outer run`, with files to read instead of the samples."""
        given = [f"--input={port}={path}" for port, path in (inputs or {}).items()]
        return self.outer("run", "-q", *given, *options, *([] if setup else ["--no-setup"]), offline=offline)

    def _run(self, command: Sequence[str], cwd: Path, offline: bool, extra: Mapping[str, str]) -> Ran:
        environment = {**self.environment(), **extra}
        if sys.platform == "linux":
            command = [sys.executable, str(WHOLE), *command]
        if offline:
            environment |= {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", **dict.fromkeys(CACHES, str(self.empty))}
            if isolation() == "network namespace":
                command = [*_unshare(), *command]
            else:
                names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
                environment |= dict.fromkeys(names, NOWHERE) | {"NO_PROXY": "", "no_proxy": ""}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.monotonic()
            process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip
            try:
                code, usage = _wait(process, start)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        scale = 1024 if sys.platform == "linux" else 1024 * 1024
        cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale
        return Ran(code, texts[0], texts[1], time.monotonic() - start, cpu, memory)


def _wait(process: subprocess.Popen[bytes], start: float) -> tuple[int, Any]:
    """Exit code and resources of `process` and of all that it waited for; ends it when it takes too long."""
    pause, asked = 0.005, False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        late = time.monotonic() - start - LONGEST
        if asked and (pid or late > GRACE):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whoever of them did not listen
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        if late > 0 and not asked:
            os.killpg(process.pid, signal.SIGTERM)
            asked = True
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def make(folder: Path, suite: Path, blueprint: str, answers: Mapping[str, Any], **variables: str) -> Product:
    """Copy a product of `blueprint` below `folder`, without trust, and commit it. Raises what Copier raises."""
    root = suite_repo.render(folder / "product", suite, overwrite=True, **{**answers, "blueprint": blueprint})
    suite_repo.start(root)
    return Product(root, suite, str(answers.get("output_port", "carrier_punctuality")), variables)


def marks(folder: Path, without: Iterable[str] = ()) -> dict[str, str]:
    """A mark of each file and link below `folder` that changes when it does: path from there -> mark."""
    found: dict[str, str] = {}
    for name, path in suite_repo.files(folder, [".git", *without]).items():
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            found[name] = "no file"
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Paths that were added, changed or removed, each with which of the three."""
    words = {(False, True): "made", (True, False): "removed", (True, True): "changed"}
    return [
        f"{path} was {words[path in before, path in after]}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
