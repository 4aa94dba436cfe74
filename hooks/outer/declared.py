"""The organisation's own policies: Python modules and YAML files in outer/organisation/, made into rules.

What a file may say is in outer/organisation/README.md and schemas/policy.schema.json. Nothing in a YAML file is
executed: a path is a list of steps, a condition is one of nine comparisons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from outer.errors import UsageError
from outer.finding import Level
from outer.pattern import fits
from outer.product import File
from outer.rule import Change, Check, Rule, Said, Scope, Subject
from outer.schemas import problems
from outer.yamlfile import Pointer, Unreadable, read, show

ORGANISATION = Path(__file__).parent / "organisation"
_KEY = re.compile(r"\.([A-Za-z_][\w-]*)")
_BRACKET = re.compile(r"\[(?:\*|([A-Za-z_][\w-]*)=([^\[\]]+))\]")
_ID = re.compile(r"ORG[0-9]{3}\Z")


@dataclass(frozen=True)
class Every:
    """A step of a path: every element of a list."""


@dataclass(frozen=True)
class Where:
    """A step of a path: the element of a list that has this text under this key."""

    key: str
    value: str


Step = str | Every | Where


def policies(folder: Path = ORGANISATION) -> tuple[Rule, ...]:
    """The policies that the modules (*.py) and files (*.yaml) in `folder` define, by id.

    Raises `UsageError` for whatever is not a policy of its own: no file is skipped, for a policy that is silently left
    out is kept by nobody.
    """
    found: dict[str, tuple[Rule, str]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(("_", ".")) or path.suffix not in (".py", ".yaml", ".yml"):
            continue
        name = f"{folder.name}/{path.name}"
        for rule in _module(path, name) if path.suffix == ".py" else (_file(path, folder, name),):
            if not _ID.match(rule.id):
                raise UsageError(f"{name}: {show(rule.id)} is not the id of a policy", "Use ORG and three digits.")
            if rule.id in found:
                raise UsageError(
                    f"{name}: the id {rule.id} belongs to {found[rule.id][1]} already", "Give every policy its own id."
                )
            found[rule.id] = (rule, name)
    return tuple(rule for rule, _ in sorted(found.values(), key=lambda entry: entry[0].id))


def _module(path: Path, name: str) -> tuple[Rule, ...]:
    """The rules that a Python module of the platform team defines."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(f"outer.organisation.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{name}: the module of policies cannot be loaded", "Give it the ending .py.")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(
            f"{name}: the module of policies cannot be loaded: {type(error).__name__}: {error}", "Mend the module."
        ) from error
    rules = tuple(value for value in vars(module).values() if isinstance(value, Rule))
    if not rules:
        raise UsageError(f"{name}: the module defines no policy", "Make one with @rule(…), or delete the module.")
    return rules


def _file(path: Path, folder: Path, name: str) -> Rule:
    """The rule that a YAML file declares."""
    try:
        file = File(name, read(path, folder))
    except Unreadable as error:
        raise UsageError(f"{name}:{error.place.line}: {error.why}", error.todo) from None
    for problem in problems(file, "policy"):
        line = file.place(*problem.pointer).line
        at = ".".join(map(str, problem.pointer)) or "the policy"
        raise UsageError(
            f"{name}:{line}: {at}: {problem.message}", "outer/organisation/README.md says what a policy holds."
        )
    entry = file.value
    try:
        steps = parse(entry["path"])
    except ValueError as error:
        raise UsageError(
            f"{name}:{file.place('path').line}: {error}",
            "Write keys joined by dots, with [*] or [key=value] for lists.",
        ) from None
    enforced_from = None
    if "enforced_from" in entry:
        try:
            enforced_from = date.fromisoformat(entry["enforced_from"])
        except ValueError:
            line = file.place("enforced_from").line
            raise UsageError(
                f"{name}:{line}: {show(entry['enforced_from'])} is no day of the calendar", "Write YYYY-MM-DD."
            ) from None
    _compiled(entry["condition"], name, file)
    return Rule(
        id=entry["id"],
        title=entry["title"],
        why=entry["why"],
        todo=entry["todo"],
        scope=Scope(entry["scope"]),
        bad=Change(entry["bad"]["path"], entry["bad"].get("old", ""), entry["bad"].get("new")),
        check=_check(steps, entry["condition"], entry["message"]),
        level=Level(entry.get("level", "error")),
        since=entry.get("since", "0.1.0"),
        enforced_from=enforced_from,
        draft=entry.get("draft", False),
        retired=entry.get("retired", False),
    )


def _compiled(condition: Mapping[str, Any], name: str, file: File) -> None:
    if "matches" in condition and fits(condition["matches"], "") is None:
        line = file.place("condition", "matches").line
        raise UsageError(
            f"{name}:{line}: the pattern {show(condition['matches'])} cannot be read",
            "Write it in RE2 syntax, without look-around and references.",
        )


def _check(steps: tuple[Step, ...], condition: Mapping[str, Any], message: str) -> Check:
    def check(subject: Subject) -> Iterator[Said]:
        name = show(subject.get("name"))
        for pointer, value in values(subject.get(), steps):
            if not holds(condition, value):
                shown = "missing" if value is None else show(value)
                yield Said(message.replace("{name}", name).replace("{value}", shown), pointer)

    return check


def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path expression. Raises `ValueError` for what is none."""
    steps: list[Step] = []
    rest = f".{path}"
    while rest:
        if key := _KEY.match(rest):
            steps.append(key.group(1))
        elif steps and (bracket := _BRACKET.match(rest)):
            steps.append(Where(bracket.group(1), bracket.group(2)) if bracket.group(1) else Every())
            key = bracket
        else:
            raise ValueError(f"the path makes no sense from {show(rest)} on")
        rest = rest[key.end() :]
    return tuple(steps)


def values(value: Any, steps: tuple[Step, ...], at: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:
    """The values to which `steps` lead from `value`, each with its pointer.

    A key that is not there gives None; [*] gives nothing for an empty list or none, and [key=value] gives None where no
    element has it.
    """
    if not steps:
        yield at, value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        yield from values(value.get(step) if isinstance(value, dict) else None, rest, (*at, step))
        return
    elements = list(enumerate(value)) if isinstance(value, list) else []
    if isinstance(step, Every):
        for index, element in elements:
            yield from values(element, rest, (*at, index))
        return
    chosen = [(i, e) for i, e in elements if isinstance(e, dict) and str(e.get(step.key)) == step.value]
    for index, element in chosen:
        yield from values(element, rest, (*at, index))
    if not chosen:
        yield from values(None, rest, at)


def holds(condition: Mapping[str, Any], value: Any) -> bool:
    """Whether `value` keeps all of `condition`. A value that is not there, or empty, keeps `absent` alone."""
    missing = value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())
    if "absent" in condition:
        return missing
    return not missing and all(_COMPARISONS[name](value, wanted) for name, wanted in condition.items())


def _same(value: Any, wanted: Any) -> bool:
    # True equals 1 to Python, not to people.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, dict)) else -1


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_COMPARISONS: Mapping[str, Any] = {
    "present": lambda value, _: True,
    "equals": _same,
    "in": lambda value, wanted: any(_same(value, one) for one in wanted),
    "matches": lambda value, wanted: isinstance(value, str) and fits(wanted, value) is True,
    "min_length": lambda value, wanted: _size(value) >= wanted,
    "max_length": lambda value, wanted: 0 <= _size(value) <= wanted,
    "minimum": lambda value, wanted: _number(value) and value >= wanted,
    "maximum": lambda value, wanted: _number(value) and value <= wanted,
}
