"""Bronze: a product made from the blueprint is whole, safe, and runs. Each check says what is wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import yaml

import suite_repo
from conformance import product
from conformance.checks import Level, NotRun, check
from conformance.new import START
from conformance.trial import Trial

BRONZE = Level.BRONZE

CARD = ("name", "title", "description", "maintainers", "status", "licence", "technology", "language", "writes", "needs")
OPEN = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "CC0-1.0", "0BSD", "Unlicense"}
"""Licences under which files may land in everybody's product."""

_START = yaml.safe_load((START / "blueprint.yml").read_text(encoding="utf-8"))
"""The card that `new_blueprint` writes."""

OUTER_HEADINGS = ("Choices", "Change it", "Test it alone")
INNER_HEADINGS = ("Every day", "Make it yours")
_LISTED = re.compile(r"^\| `(?=[^`]*[./])([\w@][\w@./-]*)` +\|", re.MULTILINE)
"""A path at the beginning of a line of a table."""


@check("card", "blueprint.yml says what it is and who keeps it", BRONZE)
def card(trial: Trial) -> Iterator[str]:
    if not trial.card:
        yield "blueprint.yml is missing, or is no YAML of keys and values"
        return
    for key in CARD:
        if key not in trial.card and key != "licence":
            yield f"blueprint.yml says nothing of `{key}`"
    if trial.card.get("name") != trial.name:
        yield f"blueprint.yml calls itself {trial.card.get('name')!r}, its folder is {trial.name!r}"
    if trial.card.get("status") not in ("draft", "active", "deprecated"):
        yield f"the status is {trial.card.get('status')!r}, not draft, active or deprecated"
    if not (isinstance(trial.card.get("maintainers"), list) and trial.card["maintainers"]):
        yield "`maintainers` names no team"
    if trial.card.get("status") != "draft" and trial.card.get("description") == _START["description"]:
        yield "`description` is still that of the starting point: say what the blueprint is and whom it is for"


@check("licence", "The licence of its files is declared, and open", BRONZE)
def licence(trial: Trial) -> Iterator[str]:
    if not trial.card.get("licence"):
        yield "blueprint.yml names no `licence`"
    elif trial.card["licence"] not in OPEN:
        yield f"the licence {trial.card['licence']!r} is none of {', '.join(sorted(OPEN))}"
    yield from findings(trial, "licence")


@check("readme", "People who keep it and people who use it each have a README", BRONZE)
def readme(trial: Trial) -> Iterator[str]:
    for path, wanted in (("README.md", OUTER_HEADINGS), ("inner/README.md", INNER_HEADINGS)):
        file = next((f for f in (trial.home / path, trial.home / f"{path}.jinja") if f.is_file()), None)
        if file is None:
            yield f"{path} is missing"
            continue
        text = file.read_text(encoding="utf-8")
        found = set(re.findall(r"^##+ +(.+?) *$", text, re.MULTILINE))
        for heading in wanted:
            if heading not in found:
                yield f"{path} has no section “{heading}”"
        for listed in _LISTED.findall(text):
            if not any((file.parent / name).exists() for name in (listed, f"{listed}.jinja")):
                yield f"{path} tells of {listed}, which is not there: say what is"


@check("copy", "It copies without trust, with every set of answers", BRONZE)
def copy(trial: Trial) -> Iterator[str]:
    try:
        made = trial.copies()
    except NotRun as reason:
        yield str(reason)
        return
    trial.notes["copy"] = f"answers: {', '.join(made)}"
    for name, one in made.items():
        left = [p for p in suite_repo.contents(one.root) if p.endswith(".jinja") or "{%" in p or "{{" in p]
        if left:
            yield f"with the answers “{name}” the path {left[0]} was not rendered"


@check("owned-once", "No path belongs to both halves", BRONZE)
def owned_once(trial: Trial) -> Iterator[str]:
    source = trial.folder / "suite-without-inner"
    shutil.copytree(trial.suite, source, symlinks=True, ignore=lambda _, names: [n for n in names if n == ".git"])
    for link in (source / "template").iterdir():
        if link.is_symlink():
            link.unlink()
    said = set()
    for number, cell in enumerate(trial.cells):
        whole = set(suite_repo.contents(trial.copies()[cell.name].root))
        answers = {**cell.answers, "blueprint": trial.name}
        without = suite_repo.render(trial.folder / f"outer-only{number}", source, None, overwrite=True, **answers)
        outer = set(suite_repo.contents(without))
        said |= {f"{path} comes from the outer half" for path in outer if path.casefold().startswith("inner/")}
        said |= {
            f"{path} comes from the blueprint and lies outside inner/"
            for path in whole - outer
            if not path.startswith("inner/")
        }
    yield from sorted(said)


_BELONGS = {"INN004": "paths", "INN005": "secrets", "INN006": "lock", "INN009": "lock", "INN011": "licence"}
"""Rules of the gate that a check of their own reports."""


def findings(trial: Trial, check_id: str) -> Iterator[str]:
    seen = set()
    for report in trial.gate().values():
        for found in report["findings"]:
            rule = found["rule"]
            if found["level"] == "info":
                continue
            to = _BELONGS.get(rule, "inner-yaml" if rule.startswith("INN") else "gate")
            said = f"{found['path']}:{found['line']}: {rule}: {found['message']}; do: {found['todo']}"
            if to == check_id and said not in seen:
                seen.add(said)
                yield said


@check("inner-yaml", "inner.yaml is valid and names the ports of the descriptor", BRONZE)
def inner_yaml(trial: Trial) -> Iterator[str]:
    yield from findings(trial, "inner-yaml")
    technologies = {w.get("technology") for w in trial.inner().get("workloads") or ()}
    if technologies and trial.card.get("technology") not in technologies:
        yield f"no workload is built with {trial.card.get('technology')!r}, the technology of blueprint.yml"


@check("gate", "`outer check` is green, with every set of answers", BRONZE)
def gate(trial: Trial) -> Iterator[str]:
    yield from findings(trial, "gate")


@check("secrets", "No file holds a secret", BRONZE)
def secrets(trial: Trial) -> Iterator[str]:
    yield from findings(trial, "secrets")


@check("lock", "What it depends on is locked, completely", BRONZE)
def lock(trial: Trial) -> Iterator[str]:
    yield from findings(trial, "lock")
    for found in sorted((trial.product.root / "inner").rglob("uv.lock")):
        if ".venv" in found.parts:
            continue
        # With the package index out of reach: what the lock file does not hold cannot be made up.
        ran = trial.product.command(f"uv lock --check --offline --project '{found.parent}'", offline=False)
        if ran.code:
            yield f"{found.relative_to(trial.product.root)} does not fit pyproject.toml beside it: {ran.last}"


@check("setup", "The set-up works from the lock file, changes no file, and needs no network the second time", BRONZE)
def setup(trial: Trial) -> Iterator[str]:
    ran = trial.setup()
    if ran.code:
        yield f"the set-up ended with exit code {ran.code}: {ran.last}"
        return
    if changed := _seen_by_git(trial):
        yield f"the set-up leaves what git sees: {', '.join(changed[:5])}"
    again = trial.product.command(str(trial.inner().get("setup") or "true"), offline=True)
    if again.code:
        yield f"a second set-up needs the network: {again.last}"


@check("tests", "Its own tests pass", BRONZE)
def tests(trial: Trial) -> Iterator[str]:
    ran = trial.ready().outer("test", offline=True)
    if ran.code:
        online = trial.product.outer("test", offline=False)
        why = "they pass only with a network" if online.code == 0 else f"exit code {online.code}"
        yield f"`outer test`: {why}: {ran.last}"


@check("run", "A run on the samples publishes", BRONZE)
def run(trial: Trial) -> Iterator[str]:
    ran = trial.first() if trial.offline else trial.online()
    if ran.code:
        yield f"`outer run` ended with exit code {ran.code}: {ran.last}"


@check("offline", "After the set-up, runs need no network", BRONZE)
def offline(trial: Trial) -> Iterator[str]:
    trial.notes["offline"] = f"by {product.isolation()}"
    if trial.offline:
        return
    if trial.online().code:
        raise NotRun("it does not run with a network either")
    yield f"it runs with a network, and without one ends with exit code {trial.first().code}: {trial.first().last}"


@check("outer-untouched", "No command changes a file of the outer half", BRONZE)
def outer_untouched(trial: Trial) -> Iterator[str]:
    trial.on_samples()
    for change in _outside(trial):
        if not change.endswith(" was made"):
            yield change


@check("confined", "Commands write to their ports and to inner/, and leave nothing that git sees", BRONZE)
def confined(trial: Trial) -> Iterator[str]:
    trial.on_samples()
    made = trial.product
    for change in _outside(trial):
        if change.endswith(" was made"):
            yield change
    if seen := _seen_by_git(trial):
        yield f"inner/ holds what git sees: {', '.join(seen[:5])}"
    area = made.root / "data"
    for strange in sorted({p.name for p in area.iterdir()} - {"local"}):
        yield f"data/{strange} was made"
    for strange in sorted({p.name for p in (area / "local").iterdir()} - _AREA):
        yield f"data/local/{strange} was made"
    files = {"receipt.json", "lineage.jsonl", *(output["file"] for output in made.receipt["outputs"])}
    for strange in sorted({p.name for p in (area / "local" / "current").iterdir()} - files):
        yield f"data/local/current/{strange} was published by nobody"
    for before, after, place in zip(*trial.kept["homes"], ("home", "folder for temporary files"), strict=True):
        if changed := product.changes(before, after):
            more = f" ({len(changed)} in all)" if changed[1:] else ""
            yield f"in the user's {place}, {changed[0]}{more} by `outer run`, its set-up included"
    beside = {p.name for p in made.root.parent.iterdir()} - {"product", "home", "tmp", "tools", made.empty.name}
    for strange in sorted(beside):
        yield f"{strange} was made beside the product"


_AREA = {"lock", "staging", "versions", "current", "receipts", "lineage", "logs"}
"""What `outer run` itself keeps: hooks/outer/publish.py."""


def _outside(trial: Trial) -> list[str]:
    now = product.marks(trial.product.root, ["inner", "data"])
    return product.changes(trial.kept["copied"], now)


def _seen_by_git(trial: Trial) -> list[str]:
    said = suite_repo.git(trial.product.root, "status", "--porcelain", "--", "inner")
    return [line[3:] for line in said.splitlines()]


def ports_of(trial: Trial) -> dict[str, Any]:
    """What PORTS_FILE held in the newest run of the product."""
    files = sorted((trial.product.root / "data/local/logs").glob("*/ports.json"))
    if not files:
        raise NotRun("no run has come as far as its workloads")
    return dict(json.loads(files[-1].read_text(encoding="utf-8")))
