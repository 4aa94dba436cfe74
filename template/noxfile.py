"""The commands of this data product: the same for every product, whatever it is built with.

    python3 noxfile.py                        check, test, run, verify
    python3 noxfile.py -s run -- --env prod   one of them; what follows `--` goes to `outer run`

Needs Python and git, nothing else; where nox is installed, `nox -s run` does the same.
Managed: rendered from the suite at the pin, never edited in a product. Sessions of the team's own
belong in inner/noxfile.py: `nox -f inner/noxfile.py`.
"""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

if not (3, 11) <= sys.version_info[:2] < (3, 15):
    sys.exit(
        f"noxfile.py: Python 3.11 to 3.14 is needed, this is {sys.version.split()[0]}. "
        "Take another one (python3.13 noxfile.py ...) or let uv bring it "
        "(uv run --no-project --python 3.13 noxfile.py ...)."
    )

ROOT = Path(__file__).resolve().parent
SUITE = "data-product-blueprints"  # the distribution that holds the `outer` command
NOX = "nox==2026.10.20"  # brought along where nox is not installed
EXTRAS = {  # extra of the suite -> clause of a contract
    "delta": r"""^[\s-]*format: *["']?delta\b""",
    "postgres": r"""^[\s-]*type: *["']?postgres""",
}
PROGRAMS = "Scripts" if os.name == "nt" else "bin"

# Inside a git hook, git's variables point every git command at this repository, also the one that
# fetches the suite; PYTHONPATH could put another `outer` before the pinned one.
for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "PYTHONPATH"):
    os.environ.pop(variable, None)
os.environ["PIP_USER"] = "0"  # somebody's `user = true` for pip would be refused in every environment made here


def stop(message: str) -> NoReturn:
    """Ends with exit code 1 and one sentence on stderr, under nox too."""
    sys.exit(f"noxfile.py: {message}")


def answer(name: str) -> str:
    """One answer of .copier-answers.yml, which Copier writes: each of these is a single line."""
    try:
        text = (ROOT / ".copier-answers.yml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        stop(f"cannot read the pin ({problem}). Take .copier-answers.yml back from git.")
    lines = re.findall(rf"^{name}: ('?)(.*)\1$", text, re.MULTILINE)
    value = lines[0][1].replace("''", "'") if len(lines) == 1 else ""
    if not re.match(r"[\w/\\.]", value) or value == "null":
        stop(
            f".copier-answers.yml has no usable {name}. Take the file back from git. (A product "
            "copied from a folder outside git has no pin: set OUTER_SOURCE to that folder.)"
        )
    return value


def extras() -> str:
    """What `outer` needs besides, by what the contracts name: a library is not installed for nothing."""
    needed = {"run"}
    for contract in sorted(ROOT.glob("outer/contracts/*/*.yaml")):
        text = contract.read_text(encoding="utf-8", errors="replace")
        needed.update(e for e, clause in EXTRAS.items() if re.search(clause, text, re.MULTILINE))
    return ",".join(sorted(needed))


def outer_requirement() -> str:
    """What to install: the suite at the pin, or the checkout that OUTER_SOURCE names."""
    checkout = os.environ.get("OUTER_SOURCE")  # for people who develop the standard
    if checkout:
        if not (ROOT / checkout / "pyproject.toml").is_file():
            stop(f"OUTER_SOURCE={checkout} is no checkout of the suite. Correct or unset it.")
        return f"{SUITE}[{extras()}] @ {(ROOT / checkout).resolve().as_uri()}"
    source, commit = answer("_src_path").removeprefix("git+"), answer("_commit")
    if "://" not in source:
        if re.match(r"[^/\\:]{2,}:", source):  # git@host:team/suite.git, which pip cannot read
            source = "ssh://" + re.sub(":/*", "/", source, count=1)
        else:
            source = (ROOT / source).resolve().as_uri()
    after_tag = re.fullmatch(r".+-[0-9]+-g([0-9a-f]{7,40})", commit)  # v1.2.0-3-gabc1234
    return f"{SUITE}[{extras()}] @ git+{source}@{after_tag[1] if after_tag else commit}"


@functools.cache
def environment(name: str, requirement: str) -> Path:
    """The programs of .nox/<name>, a virtual environment made anew when `requirement` changes."""
    home = ROOT / ".nox" / name
    programs = home / PROGRAMS
    python = str(programs / "python")
    stamp = home / "requirement.txt"  # written last: half an installation does not count
    ready = stamp.is_file() and stamp.read_text(encoding="utf-8") == requirement
    if ready and shutil.which(python) and " @ file:" not in requirement:  # a checkout may change
        return programs
    print(f"noxfile.py: preparing .nox/{name}: {requirement}", file=sys.stderr, flush=True)
    uv = shutil.which("uv")
    if uv:
        make = [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(home)]
        install = [uv, "pip", "install", "--quiet", "--python", python, "--refresh-package", SUITE]
    elif importlib.util.find_spec("ensurepip"):
        # --upgrade-deps: the pip that comes with Python may be too old to read git+file://
        make = [sys.executable, "-m", "venv", "--upgrade-deps", str(home)]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    else:
        stop(
            f"{sys.executable} cannot make virtual environments. Install what it lacks (Debian "
            "and Ubuntu: apt install python3-venv) or uv (https://docs.astral.sh/uv) and try again."
        )
    try:
        if home.exists():
            shutil.rmtree(home)
        subprocess.run(make, check=True)
        subprocess.run([*install, requirement], check=True)
        stamp.write_text(requirement, encoding="utf-8")
    except subprocess.CalledProcessError:
        stop(
            f"could not install {requirement}; the lines above say why "
            "(no network, no access, or a version that does not exist?)."
        )
    except OSError as problem:
        stop(f"could not prepare {home}: {problem}. Put that right and try again.")
    return programs


if __name__ == "__main__":  # plain Python: hand over to nox, brought along where it is missing
    try:
        python = sys.executable
        if not importlib.util.find_spec("nox"):
            python = str(environment("bootstrap", NOX) / "python")
        command = [python, "-m", "nox", "--noxfile", __file__, *sys.argv[1:]]
        if os.name != "nt":
            os.execv(python, command)  # noqa: S606  nox takes over, signals and exit code included
        sys.exit(subprocess.call(command))
    except KeyboardInterrupt:
        sys.exit(130)

import nox  # noqa: E402  everything above works without it

nox.options.sessions = ["check", "test", "run", "verify"]
nox.options.stop_on_first_error = True  # what the gate refuses is not run


def call(session: nox.Session, *command: str) -> None:
    """Runs `outer <command>` at the pin. Results stay on stdout; its exit code decides."""
    programs = environment("outer", outer_requirement())
    session.run(str(programs / "outer"), *command, *session.posargs, external=True, stderr=None)


@nox.session(venv_backend="none")
def check(session: nox.Session) -> None:
    """The gate: descriptor, contracts, policies, waivers, and no managed file edited."""
    call(session, "check")


@nox.session(venv_backend="none")
def compat(session: nox.Session) -> None:
    """Whether the contracts changed so that consumers break, and whether the versions say so."""
    call(session, "compat", "--allow-empty")


@nox.session(venv_backend="none")
def test(session: nox.Session) -> None:
    """The team's own tests: `test` of inner/inner.yaml."""
    call(session, "test")


@nox.session(venv_backend="none")
def run(session: nox.Session) -> None:
    """Run the workloads, audit every output against its contract, publish all or nothing."""
    call(session, "run")


@nox.session(venv_backend="none")
def verify(session: nox.Session) -> None:
    """Verify the published data and service levels again, as a consumer would find them now."""
    call(session, "verify")


@nox.session(venv_backend="none")
def page(session: nox.Session) -> None:
    """Draw the product's page from the descriptor, the contracts and the last receipt."""
    call(session, "page")


@nox.session(venv_backend="none")
def swap(session: nox.Session) -> None:
    """Another blueprint's inner beside yours, compared on the same data: `nox -s swap -- --to NAME`."""
    call(session, "swap")


@nox.session(venv_backend="none")
def outer(session: nox.Session) -> None:
    """Any command: `nox -s outer -- add output-port daily_orders`, `nox -s outer -- --help`."""
    call(session)
