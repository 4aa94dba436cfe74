"""INN: the seam between outer and inner holds, and what lies behind it can be built again by others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from outer.finding import Level
from outer.licences import normal
from outer.product import INNER
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.files import TooMany, held, links, own_files
from outer.rules.reading import filled, mappings, ports
from outer.yamlfile import Place, Pointer, show

_ABSOLUTE = re.compile(r"(?:^|[\s=\"'])(/(?!dev/null\b)[\w.-]+/[\w./-]*|[A-Za-z]:\\[^\s]*|~/[^\s]*)")


def _ports(subject: Subject, key: str) -> set[str]:
    return {str(port.get("name")) for _, port in ports(subject.product, key)}


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


@rule(
    "INN001",
    Scope.INNER,
    title="Workloads read input ports and write output ports of the descriptor, and nothing else.",
    why="A port that only the inner knows has no contract; one that only the outer knows is never filled.",
    todo="Use the names of ports in the descriptor.",
    bad=Change(INNER, "reads: [flights, airlines]", "reads: [flights, airlines, airports]"),
)
def known_ports(subject: Subject) -> Iterator[Said]:
    if subject.product.descriptor is None:  # REA001 or REA002 says so
        return
    for key, side in (("reads", "inputPorts"), ("writes", "outputPorts")):
        known = _ports(subject, side)
        for index, workload in subject.entries("workloads"):
            for position, name in enumerate(_names(workload.get(key))):
                if name not in known:
                    yield Said(
                        f"workload {show(workload.get('name'))} {key} {show(name)}, which is not among the "
                        f"{side} of the descriptor",
                        ("workloads", index, key, position),
                    )


@rule(
    "INN002",
    Scope.INNER,
    title="Every output port is written by exactly one workload, and every input port is read by one at least.",
    why="Two writers overwrite each other; a port without a writer or reader is a promise or a dependency in vain.",
    todo="Correct `writes` and `reads`, or remove the port from the descriptor.",
    bad=Change(INNER, "reads: [flights, airlines]", "reads: [flights]"),
)
def complete(subject: Subject) -> Iterator[Said]:
    workloads = [workload for _, workload in subject.entries("workloads")]
    written = [name for workload in workloads for name in _names(workload.get("writes"))]
    read = {name for workload in workloads for name in _names(workload.get("reads"))}
    for name in sorted(_ports(subject, "outputPorts")):
        if written.count(name) != 1:
            writes = "no workload writes" if name not in written else f"{written.count(name)} workloads write"
            yield Said(f"{writes} the output port {show(name)}", ("workloads",))
    for name in sorted(_ports(subject, "inputPorts") - read):
        yield Said(f"no workload reads the input port {show(name)}", ("workloads",))


@rule(
    "INN003",
    Scope.INNER,
    title="Workloads have names of their own and wait for each other in an order that exists.",
    why="A circle never starts, and a missing workload never ends.",
    todo="Correct `name` and `depends_on`.",
    bad=Change(INNER, "depends_on: []", "depends_on: [extract]"),
)
def ordered(subject: Subject) -> Iterator[Said]:
    needs: dict[str, list[str]] = {}
    for index, workload in subject.entries("workloads"):
        name = str(workload.get("name"))
        if name in needs:
            yield Said(f"two workloads are called {show(name)}", ("workloads", index, "name"))
        needs[name] = _names(workload.get("depends_on"))
    for index, workload in subject.entries("workloads"):
        for needed in _names(workload.get("depends_on")):
            if needed not in needs:
                yield Said(
                    f"workload {show(workload.get('name'))} depends on {show(needed)}, which does not exist",
                    ("workloads", index, "depends_on"),
                )
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        yield Said(f"workloads wait for each other: {show(' -> '.join(error.args[1]))}", ("workloads",))


def _commands(subject: Subject) -> Iterator[tuple[Pointer, str]]:
    """Every command of inner.yaml with its place."""
    found: list[tuple[Pointer, Any]] = [(("setup",), subject.get("setup")), (("test",), subject.get("test"))]
    found += [(("workloads", index, "run"), w.get("run")) for index, w in subject.entries("workloads")]
    return ((place, command) for place, command in found if isinstance(command, str))


@rule(
    "INN004",
    Scope.INNER,
    title="Commands and links of the product hold no path of one machine.",
    why="They work for their author and for nobody else; what a link leads to outside was never reviewed.",
    todo="Use a path below inner/, or the location that the port's variable holds.",
    bad=Change(INNER, "setup: uv sync", "setup: /opt/tools/uv sync"),
)
def portable(subject: Subject) -> Iterator[Said]:
    for steps, command in _commands(subject):
        match = _ABSOLUTE.search(command)
        if match:
            yield Said(f"the command holds the absolute path {show(match.group(1))}", steps)
    root = subject.product.root
    for path in links(root):
        try:
            inside = path.resolve().is_relative_to(root)
        except (OSError, RuntimeError):  # links in a circle
            inside = False
        if not inside:
            yield Said("the link leads out of the product, or nowhere", path=path.relative_to(root).as_posix())


# INN005, no secrets, stands in secret.py.

LOCKS: Mapping[str, tuple[str, ...]] = {
    "pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "pylock.*.toml", "conda-lock.yml"),
    "package.json": ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"),
    "packages.yml": ("package-lock.yml",),
    "Cargo.toml": ("Cargo.lock",),
    "go.mod": ("go.sum",),
    "Gemfile": ("Gemfile.lock",),
}
"""Files that name what the inner needs, and those that fix the exact versions of it."""

_DEPENDS: Mapping[str, re.Pattern[bytes]] = {
    "package.json": re.compile(rb'"(?:devD|d)ependencies"\s*:\s*\{\s*"'),
    "packages.yml": re.compile(rb"^\s*-\s*(?:package|git|tarball)\s*:", re.MULTILINE),
    "Cargo.toml": re.compile(rb"^\[(?:dev-|build-)?dependencies", re.MULTILINE),
    "go.mod": re.compile(rb"^require\b", re.MULTILINE),
    "Gemfile": re.compile(rb"^\s*gem\s", re.MULTILINE),
}
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@rule(
    "INN006",
    Scope.INNER,
    title="What the inner depends on is locked: a lock file beside every list of dependencies names all of them.",
    why="Without it the same commit builds another program tomorrow, and a package that was tampered with comes along.",
    todo="Write the lock file with the tool of the stack (`uv lock`, `npm install`, `dbt deps` …) and commit it.",
    bad=Change("inner/uv.lock"),
)
def locked(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    try:
        found = list(own_files(root, "inner"))
    except TooMany:  # INN005 says so
        return
    beside: dict[Path, list[str]] = {}
    for path in found:
        beside.setdefault(path.parent, []).append(path.name)
    for path in found:
        name, neighbours = path.name, beside[path.parent]
        if name not in LOCKS and not is_requirements(name):
            continue
        data = held(path) or b""
        where = path.relative_to(root).as_posix()
        locks = [n for n in neighbours if any(fnmatchcase(n, lock) for lock in LOCKS.get(name, ()))]
        hashed = [n for n in neighbours if is_requirements(n) and b"--hash=" in (held(path.parent / n) or b"")]
        if is_requirements(name):
            others = [n for n in neighbours if any(fnmatchcase(n, lock) for lock in LOCKS["pyproject.toml"])]
            if b"--hash=" not in data and not hashed and not others and _REQUIREMENT.search(data.decode("latin-1")):
                yield Said("the requirements carry no hashes, and no lock file lies beside them", path=where)
            continue
        needed = _needed(name, data)
        if needed is None:
            yield Said("the list of dependencies cannot be read", path=where)
        elif needed and not locks and not (name == "pyproject.toml" and hashed):
            yield Said("no lock file lies beside it", path=where)
        elif needed and "uv.lock" in locks:
            known = _named(held(path.parent / "uv.lock", 16 * 1024 * 1024) or b"")
            for package in sorted(needed - known):
                message = f"the lock file does not name {show(package)}"
                yield Said(message, path=(path.parent / "uv.lock").relative_to(root).as_posix())


def is_requirements(name: str) -> bool:
    """Whether a file of this name lists requirements for pip."""
    return name.startswith("requirements") and name.endswith(".txt")


def _needed(name: str, data: bytes) -> set[str] | None:
    """Names of the packages that a list of dependencies asks for; of other languages than Python only whether any."""
    if name != "pyproject.toml":
        return {name} if name in _DEPENDS and _DEPENDS[name].search(data) else set()
    import tomllib

    try:
        project = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None
    lists = [_under(project, "project", "dependencies")]
    for groups in (_under(project, "dependency-groups"), _under(project, "project", "optional-dependencies")):
        lists += groups.values() if isinstance(groups, dict) else ()
    wanted = [entry for one in lists if isinstance(one, list) for entry in one if isinstance(entry, str)]
    found = {normal(match[0]) for entry in wanted if (match := _REQUIREMENT.match(entry.strip()))}
    poetry = _under(project, "tool", "poetry", "dependencies")
    found |= {normal(package) for package in poetry if package != "python"} if isinstance(poetry, dict) else set()
    return found - {normal(str(_under(project, "project", "name") or ""))}


def _under(value: object, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _named(lock: bytes) -> set[str]:
    return {normal(name.decode("latin-1")) for name in re.findall(rb'^name = "([^"\n]+)"', lock, re.MULTILINE)}


@rule(
    "INN007",
    Scope.INNER,
    title="The inner names the command that runs its tests.",
    why="Contracts prove the data of one run; only tests prove that the next change keeps the logic.",
    todo="Write `test` in inner/inner.yaml.",
    bad=Change(INNER, "test: uv run", "# test: uv run"),
    level=Level.WARNING,
)
def tested(subject: Subject) -> Iterator[Said]:
    if not subject.text("test"):
        yield Said("no command for tests is named", ("test",))


@rule(
    "INN008",
    Scope.INNER,
    title="Storage areas have names of their own, and none is that of a port.",
    why="Who finds data under the name of a port takes them for what the contract promises.",
    todo="Rename the storage area.",
    bad=Change(INNER, "storage: []", "storage: [{name: flights, technology: parquet}]"),
)
def stored(subject: Subject) -> Iterator[Said]:
    taken = _ports(subject, "inputPorts") | _ports(subject, "outputPorts")
    seen: set[str] = set()
    for index, area in mappings(subject.get("storage")):
        name = filled(area.get("name"))
        if name in seen or name in taken:
            what = "stands twice" if name in seen else "is the name of a port"
            yield Said(f"the storage area {show(name)} {what}", ("storage", index, "name"))
        seen.add(name)


_LOOSE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"), "runs what it downloads"),
    (re.compile(r"\buv sync\b(?![^|;&]*--(?:frozen|locked))"), "lets `uv sync` change the lock file: add --frozen"),
    (re.compile(r"\bnpm (?:install|i)\b"), "lets npm change the lock file: use `npm ci`"),
    (re.compile(r"\byarn install\b(?![^|;&]*--(?:immutable|frozen-lockfile))"), "lets yarn change the lock file"),
    (re.compile(r"\bpnpm install\b(?![^|;&]*--frozen-lockfile)"), "lets pnpm change the lock file"),
    (
        re.compile(r"\bpip install\b(?![^|;&]*(?:--require-hashes|--no-deps|\s-r\s|\s--requirement[ =]|\s-e\s|\s\.))"),
        "installs packages that no lock file names",
    ),
)


@rule(
    "INN009",
    Scope.INNER,
    title="Setup installs exactly what the lock file names.",
    why="A setup that resolves anew builds another program on every machine and every day.",
    todo="Use the frozen form of the installer: `uv sync --frozen`, `npm ci`, `pip install --require-hashes -r …`.",
    bad=Change(INNER, "setup: uv sync --frozen", "setup: uv sync"),
    level=Level.WARNING,
)
def frozen(subject: Subject) -> Iterator[Said]:
    for steps, command in _commands(subject):
        for pattern, what in _LOOSE:
            if pattern.search(command[:2000]):
                yield Said(f"the command {what}", steps)


_JVM = re.compile(
    rb"<version>\s*(?:LATEST|RELEASE|[^<]*-SNAPSHOT|[\[(][^<]*)\s*</version>"
    rb"|[\"'][\w.-]+:[\w.-]+:(?:latest\.[a-z]+|[^\"':]*\+|[^\"':]*-SNAPSHOT)[\"']"
)


@rule(
    "INN010",
    Scope.INNER,
    title="Builds with Maven, Gradle or sbt name exact versions.",
    why="A range, LATEST or a SNAPSHOT is another library tomorrow, under the same commit.",
    todo="Write the exact version; Gradle can lock the rest (`gradle dependencies --write-locks`).",
    bad=Change(
        "inner/pom.xml",
        new="<project><dependencies><dependency><groupId>org.example</groupId><artifactId>lib</artifactId>"
        "<version>LATEST</version></dependency></dependencies></project>\n",
    ),
    level=Level.INFO,
)
def exact(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    try:
        found = list(own_files(root, "inner"))
    except TooMany:
        return
    for path in found:
        if path.name in ("pom.xml", "build.gradle", "build.gradle.kts", "build.sbt"):
            data = held(path) or b""
            match = _JVM.search(data)
            locks = (path.parent / "gradle.lockfile").is_file()
            if match and not locks:
                line = data.count(b"\n", 0, match.start()) + 1
                yield Said("a dependency has no exact version", path=path.relative_to(root).as_posix(), at=Place(line))
