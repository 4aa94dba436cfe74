"""SUP: what runs in CI is what was reviewed, and no change can weaken the gate that judges it.

Sources: GitHub's guide to security hardening for Actions; the audits of zizmor; GitLab's keyword reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from outer.finding import Level
from outer.product import File, Product
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.files import content
from outer.rules.reading import at, mappings, matches
from outer.yamlfile import Document, Pointer, Unreadable, parse, show

WORKFLOW = ".github/workflows/data-product.yml"
GITLAB = (".gitlab-ci.yml", "inner/ci.gitlab-ci.yml")
_HOOKS = (".pre-commit-config.yaml", "inner/.pre-commit-config.yaml")
_GATE = re.compile(
    r"noxfile\.py|(?<![\w./-])nox\b|(?<![\w/-])outer +(?:check|compat|run|verify|test)\b|pre-commit +run"
)


@lru_cache(maxsize=32)
def _parsed(data: bytes) -> Document | Unreadable:
    try:
        return parse(data)
    except Unreadable as error:
        return error


@dataclass(frozen=True)
class Pipelines:
    """The CI files of a product: those that can be judged, and why others cannot."""

    github: tuple[File, ...]
    actions: tuple[File, ...]
    """Actions of the repository's own, which workflows use by their path."""
    gitlab: tuple[File, ...]
    unreadable: tuple[tuple[str, Unreadable], ...]


def pipelines(product: Product) -> Pipelines:
    """Read the workflows of GitHub and the pipelines of GitLab, those of the team included."""
    github = product.root / ".github"
    found: dict[str, list[File]] = {"github": [], "actions": [], "gitlab": []}
    broken: list[tuple[str, Unreadable]] = []
    paths = [
        (host, path.relative_to(product.root).as_posix())
        for host, pattern in (("github", "workflows/*"), ("actions", "actions/*/action.*"))
        for path in sorted(github.glob(pattern))
        if path.suffix in (".yml", ".yaml")
    ]
    paths += [("gitlab", path) for path in GITLAB if (product.root / path).exists()]
    for host, path in paths:
        read = _read(product.root, path)
        if isinstance(read, Document):
            found[host].append(File(path, read))
        else:
            broken.append((path, read))
    return Pipelines(tuple(found["github"]), tuple(found["actions"]), tuple(found["gitlab"]), tuple(broken))


def _read(root: Path, path: str) -> Document | Unreadable:
    data = content(root / path, root)
    if data is None:
        return Unreadable("it is no ordinary file", "Put a file of its own in its place.")
    return _parsed(data)


@dataclass(frozen=True)
class Job:
    """One job of a pipeline with its place; `scripts` are the commands that it runs, each with its place."""

    file: File
    name: str
    pointer: Pointer
    value: Mapping[str, Any]
    scripts: tuple[tuple[Pointer, str], ...]

    def steps(self) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
        for index, step in mappings(self.value.get("steps")):
            yield (*self.pointer, "steps", index), step

    @property
    def gate(self) -> bool:
        """Whether it runs the gate, or something else of what proves the product."""
        return any(_GATE.search(script) for _, script in self.scripts)


_NO_JOBS = frozenset({"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "spec",
                      "before_script", "after_script", "types"})  # fmt: skip


def _github_jobs(file: File) -> Iterator[Job]:
    jobs = file.get("jobs")
    for name, value in jobs.items() if isinstance(jobs, dict) else ():
        if isinstance(value, dict):
            scripts = tuple(
                (("jobs", name, "steps", index, "run"), str(step["run"]))
                for index, step in mappings(value.get("steps"))
                if "run" in step
            )
            yield Job(file, str(name), ("jobs", name), value, scripts)


def _gitlab_jobs(file: File) -> Iterator[Job]:
    for name, value in file.value.items():
        if isinstance(value, dict) and name not in _NO_JOBS and not name.startswith("."):
            scripts: list[tuple[Pointer, str]] = []
            for key in ("before_script", "script", "after_script"):
                lines = value.get(key)
                for index, line in enumerate(lines if isinstance(lines, list) else [lines] if lines else []):
                    scripts.append(((name, key, index), str(line)))
            yield Job(file, name, (name,), value, tuple(scripts))


def _jobs(found: Pipelines) -> Iterator[Job]:
    for file in found.github:
        yield from _github_jobs(file)
    for file in found.gitlab:
        yield from _gitlab_jobs(file)


_SHA = re.compile(r"[^@\s]+@[0-9a-f]{40}\Z")
_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}\Z")
_BRANCHES = ("", "main", "master", "trunk", "develop", "head", "latest", "~latest", "stable", "dev")


def _floating(image: str) -> bool:
    """Whether the name of a container image means another one tomorrow. Variables cannot be judged, and pass."""
    if _DIGEST.match(image) or "$" in image:
        return False
    name, _, tag = image.rpartition("/")[2].partition(":")
    return not name or tag.lower() in _BRANCHES


@rule(
    "SUP001",
    Scope.PRODUCT,
    title="Everything that CI runs is pinned: actions by commit, images by version, includes and hooks by version.",
    why="A tag can be moved to other code, and has been; that code runs with the rights of the pipeline.",
    todo="Write the full commit behind `@`, with the version as comment; an image by a version or digest, never "
    "`latest`. Renovate moves both.",
    bad=Change(WORKFLOW, "actions/checkout@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0 # v7.0.0", "actions/checkout@v7"),
)
def pinned(subject: Subject) -> Iterator[Said]:
    found = pipelines(subject.product)
    for file in found.github:
        for job in _github_jobs(file):
            if isinstance(job.value.get("uses"), str):
                yield from _used(file, (*job.pointer, "uses"), job.value["uses"])
            for place, step in job.steps():
                if "uses" in step:
                    yield from _used(file, (*place, "uses"), str(step["uses"]))
            yield from _images(file, (*job.pointer, "container"), job.value.get("container"))
            services = job.value.get("services")
            for name, service in services.items() if isinstance(services, dict) else ():
                yield from _images(file, (*job.pointer, "services", name), service)
    for file in found.actions:
        for index, step in mappings(file.get("runs", "steps")):
            if "uses" in step:
                yield from _used(file, ("runs", "steps", index, "uses"), str(step["uses"]))
    for file in found.gitlab:
        for name, value in file.value.items():
            own = value if isinstance(value, dict) else {}
            places: list[tuple[Pointer, Any]] = [((name, "image"), own.get("image"))]
            places += [((name, "services", i), s) for i, s in enumerate(_as_list(own.get("services")))]
            if name == "image":
                places.append(((name,), value))
            elif name == "services":
                places += [((name, i), s) for i, s in enumerate(_as_list(value))]
            for place, image in places:
                yield from _images(file, place, image)
        yield from _included(file)
    for path in _HOOKS:
        if (subject.product.root / path).exists():
            document = _read(subject.product.root, path)
            if isinstance(document, Document):
                yield from _hooked(File(path, document))


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _used(file: File, place: Pointer, name: str) -> Iterator[Said]:
    if name.startswith("./") or _SHA.match(name) or "$" in name:
        return
    if name.startswith("docker://"):
        if _floating(name.removeprefix("docker://")):
            yield at(file, f"the image {show(name)} has no version", *place)
        return
    yield at(file, f"the action {show(name)} is not pinned to a commit", *place)


def _images(file: File, place: Pointer, value: object) -> Iterator[Said]:
    image = value.get("image", value.get("name")) if isinstance(value, dict) else value
    if isinstance(image, str) and _floating(image):
        yield at(file, f"the image {show(image)} has no version", *place)


def _included(file: File) -> Iterator[Said]:
    for index, entry in mappings(_as_list(file.get("include"))):
        place = ("include", index)
        component = entry.get("component")
        if isinstance(component, str) and component.rpartition("@")[2].lower() in _BRANCHES:
            yield at(file, f"the component {show(component)} has no version", *place)
        if "project" in entry and str(entry.get("ref", "")).lower() in _BRANCHES:
            yield at(file, f"the include of {show(entry.get('project'))} has no `ref` that stays", *place)
        if "remote" in entry and "integrity" not in entry:
            yield at(file, f"the include of {show(entry.get('remote'))} has no `integrity`", *place)


def _hooked(file: File) -> Iterator[Said]:
    for index, repository in mappings(file.get("repos")):
        name, revision = repository.get("repo"), str(repository.get("rev", ""))
        if name not in ("local", "meta", "builtin") and revision.lower() in _BRANCHES:
            yield at(file, f"the hooks of {show(name)} are at {show(revision)}, which moves", "repos", index, "rev")


@rule(
    "SUP002",
    Scope.PRODUCT,
    title="Every workflow says which rights it needs, and never all of them.",
    why="Without it a job may get all rights that the organisation gives by default, and so may a hijacked action.",
    todo="Write `permissions: {}` at the top, and for each job what it needs.",
    bad=Change(WORKFLOW, "permissions: {}", "permissions: write-all"),
)
def rights(subject: Subject) -> Iterator[Said]:
    for file in pipelines(subject.product).github:
        top = file.get("permissions")
        if top == "write-all":
            yield at(file, "the workflow takes all rights", "permissions")
        for job in _github_jobs(file):
            own = job.value.get("permissions")
            if own == "write-all":
                yield at(file, f"the job {show(job.name)} takes all rights", *job.pointer, "permissions")
            elif "permissions" not in file.value and "permissions" not in job.value:
                yield at(file, f"the job {show(job.name)} does not say which rights it needs", *job.pointer)


def _events(file: File) -> Mapping[str, Any]:
    """Event -> its filters, whichever of the three ways of writing it is used."""
    value = file.get("on")
    if isinstance(value, dict):
        return value
    return {str(event): None for event in _as_list(value)}


@rule(
    "SUP003",
    Scope.PRODUCT,
    title="No workflow checks out the code of a stranger with the rights of the repository.",
    why="`pull_request_target` and `workflow_run` have secrets and write access, also for a pull request from a fork.",
    todo="Use `pull_request`, which has neither.",
    bad=Change(WORKFLOW, "  pull_request:\n", "  pull_request_target:\n"),
)
def strangers(subject: Subject) -> Iterator[Said]:
    for file in pipelines(subject.product).github:
        events = [event for event in ("pull_request_target", "workflow_run") if event in _events(file)]
        for job in _github_jobs(file) if events else ():
            for place, step in job.steps():
                given = step.get("with")
                ref = str(given.get("ref", "")) if isinstance(given, dict) else ""
                checkout = str(step.get("uses", "")).startswith("actions/checkout")
                if checkout and ("pull_request_target" in events or "head" in ref):
                    yield at(file, f"on {show(events[0])} the job {show(job.name)} checks the code out", *place)


_SOFT = re.compile(
    r"\|\| *(?:true\b|:(?:\s|$)|exit +0|echo\b)|; *(?:true|exit +0)\s*(?:$|\n)|\bset +\+e\b|--no-verify\b"
    r"|(?<![\w-])SKIP=|--exit-zero\b"
)
_PIPED = re.compile(rf"(?:{_GATE.pattern})[^\n|]*\|(?!\|)")
"""The gate at the head of a pipe, which ends as its last command does."""


@rule(
    "SUP004",
    Scope.PRODUCT,
    title="Nothing that runs the gate goes on after it has failed.",
    why="A red gate that counts as green is worse than none: everybody believes that somebody has looked.",
    todo="Remove `continue-on-error`, `allow_failure`, `|| true`, `SKIP=`, `--no-verify` from the job, and name "
    "`shell: bash` where a pipe is wanted; a finding that may stay for a while has its place in outer/waivers.yaml.",
    bad=Change(WORKFLOW, "run: python3 noxfile.py -s check compat test run verify", "run: python3 noxfile.py || true"),
)
def unweakened(subject: Subject) -> Iterator[Said]:
    for job in _jobs(pipelines(subject.product)):
        if not job.gate:
            continue
        for key in ("continue-on-error", "allow_failure"):
            if job.value.get(key) not in (None, False):
                yield at(job.file, f"the job {show(job.name)} runs the gate and may fail: `{key}`", *job.pointer, key)
        for place, step in job.steps():
            if _GATE.search(str(step.get("run", ""))) and step.get("continue-on-error") not in (None, False):
                yield at(job.file, f"a step of {show(job.name)} runs the gate and may fail: `continue-on-error`",
                         *place, "continue-on-error")  # fmt: skip
        for pointer, script in job.scripts:
            soft = _SOFT.search(script[:20_000])
            gate = _GATE.search(script) or (job.file.path in GITLAB and pointer[1] != "after_script")
            if soft and gate:
                yield at(job.file, f"a step of {show(job.name)} swallows the result: {show(soft[0].strip())}", *pointer)
            elif _PIPED.search(script[:20_000]) and not _pipefail(job, pointer, script):
                message = f"a step of {show(job.name)} swallows the result: a pipe, and no `shell: bash`"
                yield at(job.file, message, *pointer)
        for place, held in _environments(job):
            if "SKIP" in held:
                yield at(job.file, f"the job {show(job.name)} skips hooks: `SKIP`", *place, "SKIP")


def _pipefail(job: Job, script: Pointer, text: str) -> bool:
    """Whether a pipe in a script fails with any of its commands: always on GitLab, on GitHub where `bash` is named."""
    if job.file.path in GITLAB or "pipefail" in text:
        return True
    shells = ((*script[:-1], "shell"), (*job.pointer, "defaults", "run", "shell"), ("defaults", "run", "shell"))
    return next((shell for place in shells if (shell := job.file.get(*place))), None) == "bash"


def _environments(job: Job) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    places: list[Pointer] = [("env",), ("variables",), (*job.pointer, "env"), (*job.pointer, "variables")]
    places += [(*place, "env") for place, _ in job.steps()]
    for place in places:
        value = job.file.get(*place)
        if isinstance(value, dict):
            yield place, value


_FILTERS = ("paths", "paths-ignore", "branches-ignore")


@rule(
    "SUP005",
    Scope.PRODUCT,
    title="A job of CI runs `check` for every proposed change, whatever it touches.",
    why="A gate that is skipped for some changes is passed by exactly those.",
    todo="Take the managed CI file back from git: no `if`, `rules`, `only` or path filter at the job of the gate.",
    bad=Change(WORKFLOW, "  pull_request:\n", "  pull_request:\n    paths: [inner/**]\n"),
)
def always(subject: Subject) -> Iterator[Said]:
    found = pipelines(subject.product)
    complaints: list[Said] = []
    for job in _jobs(found):
        checks = [pointer for pointer, script in job.scripts if any(map(_checks, script.splitlines()))]
        if not checks:
            continue
        own = list(_conditions(job, checks[0]))
        if not own:
            return
        complaints += own
    if complaints:
        yield from complaints
    elif not found.unreadable:
        host = GITLAB[0] if (subject.product.root / GITLAB[0]).exists() else ".github/workflows"
        yield Said("no job of CI runs `check`", path=host)


_IDLE = frozenset({"-l", "--list", "--list-sessions", "-h", "--help", "--version", "--install-only"})
_CHOOSING = frozenset({"-s", "-e", "--session", "--sessions", "-k", "--keywords", "-t", "--tags"})
"""Options of nox with which it runs nothing, and those with which it runs some sessions only."""


def _checks(line: str) -> bool:
    """Whether a command line runs `check`: `outer check`, or nox with this session or with all that it has."""
    if re.search(r"(?<![\w/-])outer +check\b", line):
        return True
    match = re.search(r"noxfile\.py|(?<![\w./-])nox\b", line)
    said = set(line[match.end() :].split() if match else ())
    return match is not None and not said & _IDLE and ("check" in said or not said & _CHOOSING)


def _conditions(job: Job, step: Pointer) -> Iterator[Said]:
    """What keeps the gate in `job` from being run for a proposed change."""
    file, name = job.file, show(job.name)
    for key in ("if", "rules", "only", "except", "when"):
        if key in job.value and not (key == "when" and job.value[key] in ("on_success", "always")):
            yield at(file, f"the job {name} runs the gate under a condition: `{key}`", *job.pointer, key)
    if file.path in GITLAB:
        if file.path != GITLAB[0]:
            yield at(file, f"the job {name} is not part of the pipeline that the standard starts", *job.pointer)
        return
    if file.get(*step[:-1], "if") is not None:
        yield at(file, f"a step of {name} runs the gate under a condition", *step[:-1], "if")
    events = _events(file)
    proposed = [event for event in ("pull_request", "pull_request_target") if event in events]
    if not proposed:
        yield at(file, f"the job {name} does not run for pull requests", "on")
    for event in proposed:
        filters = events[event]
        for key in _FILTERS:
            if isinstance(filters, dict) and key in filters:
                yield at(file, f"the gate does not run for every pull request: `{key}`", "on", event, key)


# --- CODEOWNERS -----------------------------------------------------------------------------------

_PLACES = {
    "github": (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    "gitlab": ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
_OWNED = (
    "outer/data-product.odps.yaml",
    "outer/contracts/output/port.v1.odcs.yaml",
    "outer/contracts/input/port.v1.odcs.yaml",
    "outer/standard.yaml",
    "outer/waivers.yaml",
)


@rule(
    "SUP006",
    Scope.PRODUCT,
    title="CODEOWNERS names an owner for every file of the outer.",
    why="Without an owner anybody's approval is enough to change what consumers rely on, waivers included.",
    todo="Let the last line that matches outer/ name an owner; keep no second CODEOWNERS that takes precedence.",
    bad=Change("CODEOWNERS", "/outer/ aviation-data@example.com\n", "/outer/\n"),
)
def owned(subject: Subject) -> Iterator[Said]:
    root, answers = subject.product.root, subject.product.answers
    host = "gitlab" if answers is not None and answers.get("ci_host") == "gitlab" else "github"
    path = next((path for path in _PLACES[host] if (root / path).exists()), None)
    data = content(root / path, root) if path else None
    if path is None or data is None:
        yield Said("there is no CODEOWNERS file", path="CODEOWNERS" if path is None else path)
        return
    lines = list(_owners(data.decode("utf-8", "replace")))
    open_files = [name for name in _OWNED if not _owner(name, lines)]
    if open_files:
        more = f" and {len(open_files) - 1} more" if len(open_files) > 1 else ""
        yield Said(f"nobody owns {open_files[0]}{more}", path=path)


def _owners(text: str) -> Iterator[tuple[str, bool]]:
    """Pattern of each line and whether it names an owner; a section of GitLab may name one for all its lines."""
    default = False
    for line in text.splitlines():
        line = line.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        if re.match(r"\^?\[[^\]]+\]", line):
            default = "@" in line.partition("]")[2]
            continue
        pattern, *names = re.split(r"(?<!\\)\s+", line)
        yield pattern, any("@" in name for name in names) or (default and not names)


def _owner(path: str, lines: list[tuple[str, bool]]) -> bool:
    return next((owned for pattern, owned in reversed(lines) if _covers(pattern, path)), False)


def _covers(pattern: str, path: str) -> bool:
    """Whether a line of CODEOWNERS is about a file: the patterns of gitignore, without `!` and `[]`."""
    anchored = "/" in pattern.rstrip("/")
    body = "".join(
        {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
        for part in re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", pattern.strip("/"))
    )
    end = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return len(pattern) <= 300 and bool(matches(f"^{'' if anchored else '(?:.*/)?'}{body}{end}$", path))


# --- Code from outside ----------------------------------------------------------------------------

_INJECTED = re.compile(
    r"\$\{\{[^}]{0,300}\b(?:github\.event\.(?:issue|pull_request|comment|review|review_comment|discussion|head_commit|commits"
    r"|workflow_run|pages)\b|github\.head_ref\b|inputs\.)[^}]{0,300}\}\}"
)
_HARMLESS = re.compile(r"(?:\.number|\.sha|\.id|\.draft|\.merged|\.head\.repo\.fork)\s*\}\}\Z")


@rule(
    "SUP007",
    Scope.PRODUCT,
    title="No script of a workflow is put together from text that a stranger wrote.",
    why="A pull request with a title like `$(…)` would run it, with the rights of the job.",
    todo="Hand the value over in `env:` and use the variable, in quotes, in the script.",
    bad=Change(
        WORKFLOW,
        "run: python3 noxfile.py -s page",
        'run: echo "${{ github.event.pull_request.title }}" && python3 noxfile.py -s page',
    ),
)
def injected(subject: Subject) -> Iterator[Said]:
    for file in pipelines(subject.product).github:
        for job in _github_jobs(file):
            for pointer, script in job.scripts:
                for match in _INJECTED.finditer(script[:20_000]):
                    if not _HARMLESS.search(match[0]):
                        yield at(file, f"the script of {show(job.name)} holds {show(match[0])}", *pointer)


@rule(
    "SUP008",
    Scope.PRODUCT,
    title="Every CI file can be judged: plain YAML without anchors and tags.",
    why="What cannot be read is not checked, and a gate that was not checked proves nothing.",
    todo="Write anchors and tags out; `include`, `extends` and reusable workflows say the same without them.",
    bad=Change(WORKFLOW, "permissions: {}", "permissions: &none {}"),
    level=Level.WARNING,
)
def judged(subject: Subject) -> Iterator[Said]:
    for path, error in pipelines(subject.product).unreadable:
        yield Said(f"it cannot be judged: {error.why}", path=path, at=error.place)
